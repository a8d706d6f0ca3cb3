"""The site in a real browser (headless Chromium): what people do on it, and that nothing else happens.

Every visit is watched: a request to another host, a message of the console, an error of the script or a breach of the
content policy fails the test, unless the test says that it means to cause it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import shutil
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from pipelines.publish.portal import build_site
from pipelines.publish.portal.releases import Dataset, read_dataset
from pipelines.publish.portal.site import HERE
from pipelines.publish.release import Published, publish, release_files, withdraw
from pipelines.publish.signature import signer
from tests.portal.front import ARGUMENTS, CHROMIUM, install_front, serving, serving_plainly
from tests.portal.published import publish_county
from tests.publish.county import CODE, YEAR
from tests.publish.test_signature import make_key

STATIC = HERE / "static"
WIDTHS = {"wide": 1440, "narrow": 390}
HOSTILE = "<script>alert(1)</script>=1+1\u202e名"
SHOWN = "<script>alert(1)</script>=1+1⟨U+202E⟩名"
LONG = Decimal("12345678901234.5678")
DATASET = f"{CODE}/{YEAR}"
PAGES = ["index", "figures", "data", "trace", "download", "dictionary", "quality", "use"]
GONE = f"{CODE}/{YEAR - 2}/index.html"
ALL = ["index.html", f"{CODE}/index.html", GONE, *(f"{DATASET}/{page}.html" for page in PAGES)]
WATCH = """
window.breaches = [];
document.addEventListener('securitypolicyviolation', (event) => breaches.push(event.violatedDirective));
"""
Visit = Callable[..., Page]


def hostile(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """One body with a hostile name and text, and a figure that a floating-point number cannot hold."""
    bodies, cells = tables["bodies"], tables["body_cells"]
    first = pl.col("body") == bodies["body"][0]
    tables["bodies"] = bodies.with_columns(
        pl.when(first).then(pl.lit(HOSTILE)).otherwise(pl.col("name_zh")).alias("name_zh")
    )
    here = first & (pl.col("cell") == "processing_fees.notices.amount")
    tables["body_cells"] = cells.with_columns(
        pl.when(here).then(pl.lit("=1+1")).otherwise(pl.col("raw")).alias("raw"),
        pl.when(here).then(pl.lit(LONG)).otherwise(pl.col("value")).cast(cells.schema["value"]).alias("value"),
    )
    return tables


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Published]:
    """OUT with two years, the newer one signed, of which an earlier release stands too (given as the second); and a
    year that was withdrawn altogether.
    """
    out = tmp_path_factory.mktemp("browser")
    publish_county(out, year=YEAR - 1)
    earlier = publish_county(out, seed=2)
    current = publish_county(out, waived=1, count=30, change=hostile)
    if shutil.which("ssh-keygen"):
        key = make_key(tmp_path_factory.mktemp("key"), "key")
        publish(release_files(current.path), out, CODE, YEAR, signer(str(key)))
    gone = publish_county(out, year=YEAR - 2)
    withdraw(out, CODE, YEAR - 2, gone.id, "合计有误", "县政府办公室（示例）")
    build_site(out, out / "portal")
    return out, earlier


@pytest.fixture(scope="module")
def dataset(releases: tuple[Path, Published]) -> Dataset:
    return read_dataset(releases[0], CODE, YEAR)


@pytest.fixture(scope="module")
def address(releases: tuple[Path, Published]) -> Iterator[str]:
    with serving(releases[0] / "portal") as base:
        yield base


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """Opens a page of the site and watches it until the test ends; ``means`` names what a test means to cause."""
    opened: list[tuple[Page, str, list[str]]] = []

    def start(path: str, width: str = "wide", means: str = "", base: str = "", script: bool = True) -> Page:
        context = browser.new_context(viewport={"width": WIDTHS[width], "height": 900}, java_script_enabled=script)
        context.set_default_timeout(30_000)
        context.add_init_script(WATCH)
        page = context.new_page()
        seen: list[str] = []
        host = base or address
        page.on("request", lambda r: seen.append(f"request {r.url}") if foreign(r.url, host) else None)
        page.on("console", lambda m: seen.append(f"console {m.text}"))
        page.on("pageerror", lambda e: seen.append(f"error {e}"))
        opened.append((page, means, seen))
        page.goto(f"{host}/{path}")
        return page

    yield start
    for page, means, seen in opened:
        breaches = page.evaluate("window.breaches ?? []") if not means else []
        page.context.close()
        unexpected = [one for one in seen if not means or not re.search(means, one)]
        assert unexpected + breaches == []


def foreign(url: str, host: str) -> bool:
    return not url.startswith((f"{host}/", "data:", "blob:"))


def until(page: Page, expression: str) -> None:
    """Wait until ``expression`` is true on the page. (Playwright's own wait needs eval, which the policy forbids.)"""
    deadline = time.monotonic() + 30
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"never true: {expression}"
        page.wait_for_timeout(30)


def settled(page: Page) -> Page:
    """The page once its script has read what it needs."""
    if page.locator("body[data-page=explore], body[data-page=trace]").count():
        until(page, "/[0-9✗]/.test(document.getElementById('status').innerText)")
    return page


def cells(page: Page, column: int) -> list[str]:
    found = page.locator(f"#rows tbody tr td:nth-child({column})").all()
    return [one.inner_text().split("\n")[0] for one in found]


def status(page: Page) -> str:
    return page.locator("#status").inner_text()


# --- every page ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    front = install_front(tmp_path_factory.mktemp("axe") / "web")
    return (front / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_opens_fits_and_has_no_axe_violation(visit: Visit, axe: str, width: str) -> None:
    for path in ALL:
        page = settled(visit(path, width))
        sideways = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert sideways <= 0, f"{path} is wider than the window by {sideways}"
        for one in page.locator("details").all():
            one.evaluate("one => one.open = true")
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert found["passes"], path
        problems = [(v["id"], [node["html"][:160] for node in v["nodes"]][:3]) for v in found["violations"]]
        assert problems == [], path


def test_axe_would_notice(visit: Visit, axe: str) -> None:
    page = visit("index.html")
    page.evaluate("document.getElementById('search').labels[0].remove()")
    page.evaluate("document.querySelector('main').insertAdjacentElement('beforeend', document.createElement('input'))")
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert "label" in {violation["id"] for violation in found["violations"]}


@pytest.mark.parametrize("lang", ["zh", "en", "both"])
def test_the_reader_chooses_the_language_and_it_stays(visit: Visit, lang: str) -> None:
    page = visit(f"{DATASET}/index.html")
    page.click(f"#langs button[data-lang={lang}]")
    for path in ("quality.html", "index.html"):
        page.goto(page.url.rsplit("/", 1)[0] + f"/{path}")
        shown = {one: page.locator(f"h1 .{one}").is_visible() for one in ("zh", "en")}
        assert shown == {"zh": lang != "en", "en": lang != "zh"}
    assert page.locator("html").get_attribute("lang") == ("en" if lang == "en" else "zh-CN")
    assert page.locator(f"#langs button[data-lang={lang}]").get_attribute("aria-pressed") == "true"
    flow = page.locator("svg.flow.wide")
    assert flow.locator("text.en").first.is_visible() == (lang != "zh")


def test_in_english_no_chinese_label_is_left_in_the_headings(visit: Visit) -> None:
    for name in ("index", "quality", "download", "use"):
        page = visit(f"{DATASET}/{name}.html")
        page.click("#langs button[data-lang=en]")
        headings = page.evaluate(
            "[...document.querySelectorAll('h2, h3, nav li')].filter((h) => h.checkVisibility())"
            ".map((h) => h.innerText)"
        )
        assert headings
        assert [text for text in headings if re.search("[\u4e00-\u9fff]", text)] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_flow_fits_its_width_and_its_labels_do_not_overlap(visit: Visit, width: str) -> None:
    page = visit(f"{DATASET}/index.html", width)
    assert [page.locator(f"svg.flow.{name}").is_visible() for name in WIDTHS] == [width == "wide", width == "narrow"]
    boxes = page.evaluate(
        f"[...document.querySelectorAll('svg.flow.{width} text')].map((t) => {{ const b = t.getBoundingClientRect();"
        "return [t.textContent, b.left, b.top, b.right, b.bottom] })"
    )
    frame = page.evaluate(
        f"(() => {{ const b = document.querySelector('svg.flow.{width}').getBoundingClientRect();"
        "return [b.left, b.top, b.right, b.bottom] })()"
    )
    assert len(boxes) > 10
    for number, (text, left, top, right, bottom) in enumerate(boxes):
        assert frame[0] <= left < right <= frame[2], text
        assert frame[1] <= top < bottom <= frame[3], text
        for other, left2, top2, right2, bottom2 in boxes[number + 1 :]:
            apart = right <= left2 or right2 <= left or bottom - 5 <= top2 or bottom2 - 5 <= top
            assert apart, (text, other)


def test_one_compared_figure_is_shown_at_a_time(visit: Visit) -> None:
    page = visit(f"{DATASET}/index.html")
    shown = ".compare:visible"
    expect(page.locator(shown)).to_have_count(1)
    page.locator("[data-choice] button").nth(1).click()
    assert page.locator(shown).get_attribute("id") == "bodies-proactive-licences-decisions"
    expect(page.locator("[data-choice] button[aria-pressed=true]")).to_have_count(1)


def test_without_script_everything_but_the_tools_is_there(visit: Visit) -> None:
    page = visit(f"{DATASET}/index.html", script=False)
    expect(page.locator(".compare:visible")).to_have_count(5)
    assert page.locator("svg.flow.wide").is_visible()
    page.goto(page.url.replace("index", "data"))
    assert "JavaScript" in page.locator("main").inner_text()


# --- policy and hostile text ---------------------------------------------------------------------------------


def test_the_policy_is_in_force(visit: Visit) -> None:
    page = visit(f"{DATASET}/index.html", means="Content Security Policy|violates|Failed to fetch|Refused")
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.ran = true';"
        "document.body.append(s); document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">x</p>') }"
    )
    reached = page.evaluate("fetch('http://localhost:9/').then(() => true, () => false)")
    until(page, "breaches.length >= 3")
    assert page.evaluate("window.ran") is None
    assert reached is False
    assert {one.split("-")[0] for one in page.evaluate("breaches")} == {"script", "style", "connect"}


@pytest.mark.parametrize("path", ["quality.html", "index.html#bodies", "data.html#table=bodies", "trace.html"])
def test_a_hostile_name_is_text(visit: Visit, path: str) -> None:
    page = settled(visit(f"{DATASET}/{path}"))
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    if path.startswith("trace"):
        page.select_option("#cell", "processing_fees.notices.amount")
        until(page, "document.querySelector('#rows tbody').innerText.includes('=1+1')")
    text = page.locator("main").inner_text()
    assert SHOWN in text
    assert "\u202e" not in text
    expect(page.locator("main script:not([type])")).to_have_count(0)


# --- the explorer --------------------------------------------------------------------------------------------


def test_the_explorer_pages_through_a_table(visit: Visit, dataset: Dataset) -> None:
    page = settled(visit(f"{DATASET}/data.html#table=form_cells"))
    names = dataset.tables["form_cells"]["cell"].to_pylist()
    assert cells(page, 1) == names[:25]
    assert page.locator("#place").inner_text() == "1 / 9"
    assert page.locator("#previous").is_disabled()
    page.click("#next")
    until(page, "document.getElementById('place').innerText === '2 / 9'")
    assert cells(page, 1) == names[25:50]
    page.click("#last")
    until(page, "document.getElementById('place').innerText === '9 / 9'")
    assert cells(page, 1) == names[200:]
    assert page.locator("#next").is_disabled()
    page.select_option("#size", "100")
    until(page, "document.getElementById('place').innerText === '1 / 3'")
    assert len(cells(page, 1)) == 100


def test_the_explorer_filters_sorts_and_shows_figures_exactly(visit: Visit, dataset: Dataset) -> None:
    page = settled(visit(f"{DATASET}/data.html#table=body_cells"))
    page.fill("[data-filter-column=value]", ">100")
    until(page, "/共/.test(document.getElementById('status').innerText)")
    rows = [row for row in dataset.rows("body_cells") if row["value"] is not None and row["value"] > 100]
    assert status(page).startswith(f"{len(rows):,} 行")
    page.click("[data-sort=value]")
    page.wait_for_selector("th[aria-sort=ascending]")
    page.click("[data-sort=value]")
    page.wait_for_selector("th[aria-sort=descending]")
    found = [Decimal(text) for text in cells(page, 3)]
    assert found[0] == LONG
    assert found == sorted((row["value"] for row in rows), reverse=True)[:25]
    page.fill("[data-filter-column=body]", "第5局")  # by the body's name
    until(page, "[...document.querySelectorAll('#rows tbody tr')].every((r) => r.innerText.includes('D05'))")
    address = page.url
    page.click("#clear")
    until(page, "!/共/.test(document.getElementById('status').innerText)")
    again = settled(visit(address.split("/", 3)[3]))
    assert status(again).startswith(f"{sum(row['body'].endswith('D05') for row in rows):,} 行")


def test_the_search_finds_a_cell_by_its_chinese_name(visit: Visit) -> None:
    page = settled(visit(f"{DATASET}/data.html"))
    page.fill("#search", "行政许可 本年处理")
    until(page, "document.querySelectorAll('#rows tbody tr').length === 1")
    assert cells(page, 1) == ["proactive.licences.decisions"]


def test_all_columns_are_shown_on_demand(visit: Visit, dataset: Dataset) -> None:
    page = settled(visit(f"{DATASET}/data.html#table=body_cells"))
    expect(page.locator("#rows thead th")).to_have_count(8)
    page.check("#all")
    until(page, "document.querySelectorAll('#rows thead th').length > 8")
    shown = [one.inner_text() for one in page.locator("#rows thead th code").all()]
    assert shown == dataset.tables["body_cells"].column_names


def ranges(visit: Visit, base: str, table: str) -> tuple[Page, list[tuple[int, int]]]:
    """The explorer on a table, and the byte ranges that it has asked for, growing."""
    asked: list[tuple[int, int]] = []

    def note(url: str, header: str) -> None:
        if url.endswith(".parquet"):
            match = re.fullmatch(r"bytes=(\d+)-(\d+)", header)
            assert match, header
            asked.append((int(match[1]), int(match[2])))

    page = visit("index.html", base=base)
    page.on("request", lambda request: note(request.url, request.headers.get("range", "")))
    page.goto(f"{base}/{DATASET}/data.html#table={table}")
    return settled(page), asked


def test_a_small_file_is_read_once(visit: Visit, address: str, dataset: Dataset) -> None:
    page, asked = ranges(visit, address, "body_cells")
    page.fill("[data-filter-column=value]", ">100")
    until(page, "/共/.test(document.getElementById('status').innerText)")
    assert asked == [(0, dataset.facts("data/body_cells.parquet")[0] - 1)]


def test_of_a_large_file_only_the_rows_of_the_page_are_read(visit: Visit, tmp_path: Path) -> None:
    def lengthen(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        cells = tables["body_cells"]
        noise = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(cells.height)]
        return {**tables, "body_cells": cells.with_columns(pl.Series("raw", noise))}

    publish_county(tmp_path, count=120, change=lengthen)
    build_site(tmp_path, tmp_path / "portal")
    large = read_dataset(tmp_path, CODE, YEAR)
    size = large.facts("data/body_cells.parquet")[0]
    with serving(tmp_path / "portal") as base:
        page, asked = ranges(visit, base, "body_cells&page=99999")
        page.goto("about:blank")
    assert large.tables["body_cells"].num_rows > 20_000
    assert size > 1 << 20
    assert len(asked) > 1
    assert sum(last - first + 1 for first, last in asked) < size // 2


def test_a_server_without_ranges_is_enough(visit: Visit, releases: tuple[Path, Published]) -> None:
    with serving_plainly(releases[0] / "portal") as base:
        page = settled(visit(f"{DATASET}/data.html#table=bodies", base=base))
        assert len(cells(page, 1)) == 25


def test_the_export_holds_the_filtered_rows_and_no_formula(visit: Visit, dataset: Dataset) -> None:
    page = settled(visit(f"{DATASET}/data.html#table=body_cells&f.raw=%3D1"))
    until(page, "document.querySelectorAll('#rows tbody tr').length === 1")
    with page.expect_download() as download:
        page.click("#export")
    data = Path(download.value.path()).read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert list(rows[0]) == dataset.tables["body_cells"].column_names
    assert [(row["raw"], row["value"]) for row in rows] == [("'=1+1", str(LONG))]


def test_a_file_that_is_gone_is_told_in_words(visit: Visit, releases: tuple[Path, Published]) -> None:
    page = visit("index.html", means="404")
    page.route("**/findings.parquet", lambda route: route.fulfill(status=404))
    page.goto(page.url.replace("index.html", f"{DATASET}/data.html#table=findings"))
    page.wait_for_selector("#status.bad")
    assert "读取失败" in status(page)
    assert "gongkai portal" in status(page)
    page.select_option("#table", "bodies")
    settled(page)
    assert "bad" not in (page.locator("#status").get_attribute("class") or "")


def test_the_explorer_works_by_keyboard(visit: Visit) -> None:
    page = settled(visit(f"{DATASET}/data.html#table=bodies"))
    page.focus("#table")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.sort") == "name_zh":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("th[aria-sort=ascending]")
    assert page.evaluate("document.activeElement.dataset.sort") == "name_zh"


def test_the_skip_link_comes_first_and_leads_to_the_content(visit: Visit) -> None:
    page = visit(f"{DATASET}/index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


# --- behind a figure, verifying, the rest --------------------------------------------------------------------


def test_a_figure_leads_to_the_bodies_files_and_places_behind_it(visit: Visit, dataset: Dataset) -> None:
    page = visit(f"{DATASET}/figures.html")
    cell = "requests.received.total"
    page.click(f"a[href='trace.html#cell={cell}']")
    settled(page)
    rows = [row for row in dataset.rows("body_cells") if row["cell"] == cell]
    total = next(row for row in dataset.rows("county_totals") if row["cell"] == cell)
    assert page.locator("#sum").inner_text() == f"{total['value']:,.0f}"
    assert status(page).startswith(f"✓ 等于 {len(rows)} 个单位之和")
    page.check("#zeros")
    until(page, f"document.querySelectorAll('#rows tbody tr').length === {len(rows)}")
    table = page.locator("#rows tbody").inner_text()
    assert all(row["body"] in table and row["file_sha256"][:12] in table for row in rows)
    assert table.count("统计表!C14") == len(rows)


def as_if_long(visit: Visit, path: str, rows: int, shown: int = 2000) -> Page:
    """A page whose script takes a table of more than ``rows`` for one that is too long to keep."""
    script = (STATIC / "portal.js").read_text(encoding="utf-8")
    assert script.count("=4e5,") == script.count("=2e3;") == 1
    script = script.replace("=4e5,", f"={rows},").replace("=2e3;", f"={shown};")
    page = visit(f"{DATASET}/figures.html")
    page.route("**/portal.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    page.goto(page.url.replace("figures.html", path))
    return settled(page)


def test_a_table_too_long_to_keep_is_filtered_group_by_group(visit: Visit, dataset: Dataset) -> None:
    cell = "requests.received.total"
    page = as_if_long(visit, f"data.html#table=body_cells&f.cell={cell}", rows=50)
    rows = [row for row in dataset.rows("body_cells") if row["cell"] == cell]
    assert status(page).startswith(f"{len(rows)} 行（共 {len(dataset.rows('body_cells')):,} 行）")
    assert cells(page, 1) == [row["body"] for row in rows][:25]
    page.fill("[data-filter-column=cell]", "requests")
    until(page, "document.getElementById('status').innerText.includes('请再加条件')")
    assert status(page).startswith("符合条件的超过 50 行")
    page.click("#clear")
    until(page, "/^[0-9]/.test(document.getElementById('status').innerText)")
    with page.expect_download() as download:
        page.click("#export")
    assert download.value.suggested_filename == "body_cells.csv"
    assert Path(download.value.path()).read_bytes() == dataset.current.files["data/body_cells.csv"]


def test_a_table_too_long_to_keep_is_looked_through_for_each_cell(visit: Visit, dataset: Dataset) -> None:
    page = as_if_long(visit, "trace.html", rows=50, shown=2)
    for cell in ("requests.received.total", "requests.granted.natural_person"):
        page.select_option("#cell", cell)
        rows = [row for row in dataset.rows("body_cells") if row["cell"] == cell]
        until(page, f"document.getElementById('cell-id').innerText === '{cell}'")
        page.check("#zeros")
        until(page, "document.querySelectorAll('#rows tbody tr').length === 3")
        assert status(page).startswith(f"✓ 等于 {len(rows)} 个单位之和")
        largest = sorted(rows, key=lambda row: (-row["value"], row["body"]))[:2]
        assert [one.split()[-1] for one in page.locator("#rows tbody th").all_inner_texts()] == [
            row["body"] for row in largest
        ]
        assert f"另有 {len(rows) - 2} 个单位" in page.locator("#rows tbody").inner_text()


def test_a_total_that_is_not_the_sum_of_its_bodies_is_called_out(visit: Visit) -> None:
    page = settled(visit(f"{DATASET}/trace.html"))
    page.select_option("#cell", "processing_fees.notices.amount")  # the fixture altered one body's figure
    page.wait_for_selector("#status.bad")
    assert "不符" in status(page)


def test_a_download_is_verified_in_the_browser(
    visit: Visit, releases: tuple[Path, Published], dataset: Dataset, tmp_path: Path
) -> None:
    _, earlier = releases
    page = visit(f"{DATASET}/download.html")
    with page.expect_download() as download:
        page.click(f"a[href='releases/{dataset.current.id}/data/county_totals.csv']")
    genuine = Path(download.value.path()).rename(tmp_path / "county_totals.csv")
    altered = tmp_path / "altered.csv"
    altered.write_bytes(genuine.read_bytes().replace(b"0", b"1", 1))
    old = Path(str(earlier.path)) / "data" / "body_cells.csv"
    page.set_input_files("#file", [genuine, altered, old])
    until(page, "document.querySelectorAll('#verdicts .good, #verdicts .bad').length === 3")
    verdicts = [one.inner_text() for one in page.locator("#verdicts li").all()]
    assert "✓ 与现行版本一致" in verdicts[0]
    assert f"releases/{dataset.current.id}/data/county_totals.csv" in verdicts[0]
    assert "✗ 不是本数据集发布的文件" in verdicts[1]
    assert "✓ 真实，但属于以前的版本" in verdicts[2]


def test_the_file_online_is_checked_against_its_sum(visit: Visit, dataset: Dataset) -> None:
    page = visit(f"{DATASET}/download.html")
    name = f"releases/{dataset.current.id}/data/bodies.parquet"
    page.click(f"[data-check='{name}']")
    page.wait_for_selector("output.good")
    page.route("**/bodies.csv", lambda route: route.fulfill(body="altered"))
    page.click(f"[data-check='{name.replace('parquet', 'csv')}']")
    page.wait_for_selector("output.bad")


def test_the_code_snippets_hold_the_address_of_the_site(visit: Visit, dataset: Dataset, address: str) -> None:
    page = visit(f"{DATASET}/use.html")
    text = page.locator("main").inner_text()
    assert f'base = "{address}/{DATASET}/releases/{dataset.current.id}/"' in text
    assert f"{address}/{DATASET}/index.html" in text
    assert "{BASE}" not in text
    assert "{URL}" not in text


def test_the_catalogue_finds_datasets(visit: Visit) -> None:
    page = visit("index.html")
    expect(page.locator("#datasets > li:visible")).to_have_count(2)
    page.select_option("#year", str(YEAR))
    expect(page.locator("#datasets > li:visible")).to_have_count(1)
    assert status(page).startswith("1 个数据集")
    page.fill("#search", "没有这个")
    expect(page.locator("#datasets > li:visible")).to_have_count(0)


def test_lists_are_filtered_by_words(visit: Visit) -> None:
    page = visit(f"{DATASET}/dictionary.html")
    page.fill("[data-filter] input", "不予公开")
    shown: list[Any] = page.locator("#cells tbody tr:visible").all()
    assert len(shown) == 8 * 7
