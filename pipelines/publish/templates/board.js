// Filters and sorts the table of bodies. Without it the page shows the same rows in roster order.
(() => {
  "use strict";
  const table = document.getElementById("bodies");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const filters = document.getElementById("filters");
  const [text, status, kind, shown] = ["text", "status", "kind", "shown"].map((name) => document.getElementById("filter-" + name));
  const apply = () => {
    const words = text.value.trim().toLowerCase();
    let count = 0;
    for (const row of rows) {
      const fits = (!words || row.dataset.text.toLowerCase().includes(words))
        && (!status.value || row.dataset.status === status.value
          || (status.value === "open" && (row.dataset.status === "missing" || row.dataset.status === "refused")))
        && (!kind.value || row.dataset.kind === kind.value);
      row.hidden = !fits;
      count += fits;
    }
    shown.textContent = String(count);
  };
  const sortBy = (head, column) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => row.cells[column].dataset.sort;
    const numeric = rows.every((row) => /^-?\d+$/.test(key(row)));
    rows.sort((a, b) => (numeric ? key(a) - key(b) : key(a).localeCompare(key(b), "zh-Hans-CN")) * (down ? -1 : 1));
    body.append(...rows);
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sortBy(head, column));
  });
  for (const control of [text, status, kind]) control.addEventListener("input", apply);
  apply();
  filters.hidden = false;
})();
