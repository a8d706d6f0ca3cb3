"""The smallest file of each kind that once gave a wrong value or a fault under fuzzing (test_fuzz.py, test_matrix.py)."""

from __future__ import annotations

from pipelines.ingest.read import read_bytes
from tests.ingest.papers import as_csv, as_xlsx, paper, redrawn


def test_a_row_whose_first_figure_ran_into_its_label_is_left_unread():
    made = paper("run together", ())
    said = {cell: str(number) for number, cell in enumerate(made.said, start=1000)}
    row = [said[cell] for cell in said if cell.startswith("requests.unavailable_unclear.")]
    text = as_csv_of(made, said)
    broken = text.replace(f"3.补正后申请内容仍不明确,{row[0]}", f"3.补正后申请内容仍不{row[0]}")
    assert broken != text
    read = read_bytes(broken.encode("utf-8-sig"), "x.csv")
    assert not [cell for cell in read.cells if cell.cell.startswith("requests.unavailable_unclear.")]
    assert any("requests.unavailable_unclear.total" in finding.cells for finding in read.problems)
    assert len(read_bytes(text.encode("utf-8-sig"), "x.csv").cells) == len(said)


def as_csv_of(made, said):
    data = as_csv(redrawn(made, said))
    return data.decode("utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "gb18030")


def test_a_line_with_blanks_below_other_tables_keeps_its_columns():
    """The heads of the tables above on the same sheet say 总计 too."""
    for write in (as_xlsx, as_csv):
        for number in range(3):
            made = paper(f"shared sheet {number}", ("blank zeros",))
            read = read_bytes(write(made), "x")
            assert {cell.cell: cell.value for cell in read.cells} == made.truth


def numbered(seed):
    made = paper(seed, ())
    return made, {cell: str(number) for number, cell in enumerate(made.said, start=1000)}


def test_a_row_in_which_two_cells_became_one_is_left_unread():
    made, said = numbered("two in one")
    row = [said[cell] for cell in said if cell.startswith("requests.unavailable_not_held.")]
    text = as_csv_of(made, said)
    broken = text.replace(f"{row[3]},{row[4]}", f"{row[3]}l{row[4]}")
    assert broken != text
    read = read_bytes(broken.encode("utf-8-sig"), "x.csv")
    assert not [cell for cell in read.cells if cell.cell.startswith("requests.unavailable_not_held.")]
    assert any("requests.unavailable_not_held.total" in finding.cells for finding in read.problems)


def test_labels_alone_over_figures_of_another_row_are_no_fault():
    """Rows that stand beside one another, of which only later labels are left."""
    lines = "四、政府信息公开行政复议、行政诉讼情况\n未经复议直接起诉\n1 0 0 0 1\n"
    read = read_bytes(lines.encode(), "x.txt")
    assert not any(cell.cell.startswith("disputes.reconsideration.") for cell in read.cells)
