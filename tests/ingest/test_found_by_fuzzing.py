"""The smallest file of each kind that once gave a wrong value or a fault (test_fuzz.py, test_matrix.py)."""

from __future__ import annotations

import io
import re
import zipfile
import zlib

import pytest

from pipelines.ingest.read import read_bytes
from tests.ingest import hostile
from tests.ingest.papers import as_csv, as_pipes, as_xlsx, paper, redrawn


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


def test_a_workbook_whose_cell_has_an_impossible_place_is_damaged():
    """A library makes room for all cells up to there, and ends the process when it gets none."""
    for place in ("D1" + "9" * 60, "D", "99", "DDDD5"):
        out = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(as_xlsx(paper("impossible", ())))) as whole,
            zipfile.ZipFile(out, "w") as spoilt,
        ):
            for name in whole.namelist():
                part = whole.read(name)
                if name.endswith("sheet1.xml"):
                    part = re.sub(rb'<c r="A1"', f'<c r="{place}"'.encode(), part, count=1)
                spoilt.writestr(name, part)
        read = read_bytes(out.getvalue(), "x.xlsx")
        assert [finding.rule for finding in read.problems] == ["damaged_file"], place


def test_a_second_line_of_figures_below_labels_side_by_side_is_no_fault():
    """Rows that stand beside one another are one row of figures: a second one has no label left."""
    made, said = numbered("second line")
    lines = as_csv_of(made, said).splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if said["disputes.reconsideration.total"] in line)
    read = read_bytes("".join([*lines[: at + 1], lines[at].replace("1", "2"), *lines[at + 1 :]]).encode(), "x.csv")
    assert not [cell for cell in read.cells if cell.cell.startswith("disputes.")]
    assert any("disputes.reconsideration.total" in finding.cells for finding in read.problems)


def test_a_row_whose_label_lost_bytes_together_with_a_figure_is_left_unread():
    made, said = numbered("lost bytes")
    row = [said[cell] for cell in said if cell.startswith("requests.refused_third_party.")]
    text = as_csv_of(made, said)
    label = f"4.保护第三方合法权益,{row[0]}"
    assert label in text
    read = read_bytes(text.encode("utf-8-sig").replace(label.encode(), "4.保护第三方合法".encode() + b"\xe6"), "x.csv")
    assert not [cell for cell in read.cells if cell.cell.startswith("requests.refused_third_party.")]
    assert any("requests.refused_third_party.total" in finding.cells for finding in read.problems)


@pytest.mark.parametrize("damage", [0, 1])
def test_a_page_that_does_not_match_its_checksum_is_damaged(damage):
    """The parser only logs it, and reads figures that were never written."""
    words = b"BT /F 10 Tf 50 700 Td (Rules 0) Tj ET 50 690 100 20 re S"
    packed = bytearray(zlib.compress(words))
    packed[-1] ^= damage
    whole = hostile.pdf(words, b"/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>")
    plain = b"<</Length %d>>stream\n" % len(words) + words
    assert plain in whole
    filtered = b"<</Length %d/Filter/FlateDecode>>stream\n" % len(packed) + bytes(packed)
    read = read_bytes(whole.replace(plain, filtered), "x.pdf")
    assert [finding.rule for finding in read.problems] == ["damaged_file" if damage else "not_a_return"]


def test_one_short_row_does_not_hide_where_the_others_begin():
    """The last separator of a row is lost, and a head is spelt so badly that heads do not tell the columns."""
    made, said = numbered("short row")
    row = [said[cell] for cell in said if cell.startswith("requests.carried_in.")]
    text = as_pipes(redrawn(made, said)).decode()
    broken = text.replace("商业企业", "商业伉业").replace(f"{row[5]} | {row[6]} |", f"{row[5]}{row[6]} |")
    read = read_bytes(broken.encode(), "x.txt")
    assert not [cell for cell in read.cells if cell.cell.startswith("requests.carried_in.")]
    assert "requests.received.total" in {cell.cell for cell in read.cells}
    assert any("requests.carried_in.total" in finding.cells for finding in read.problems)


def test_a_line_below_its_heads_is_not_moved_by_an_empty_cell_of_theirs():
    """Where a page break parts them, the empty end of the heads and the line of figures read like one line."""
    names = ("blank somewhere", "separators", "heads on two rows", "traditional", "new page")
    made = paper("many 3748", names)
    read = read_bytes(as_pipes(made), "x.txt")
    assert {cell.cell: (cell.value, made.truth[cell.cell]) for cell in read.cells} == {
        cell.cell: (made.truth[cell.cell],) * 2 for cell in read.cells
    }
    unread = {cell for finding in read.problems for cell in finding.cells}
    assert {cell for cell in made.truth if cell.startswith("disputes.")} <= unread
