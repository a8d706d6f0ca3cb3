"""PDF: ruled tables, shaded text that is none, paragraphs over lines, what is no text."""

from __future__ import annotations

import pytest

from pipelines.ingest.declined import Declined
from pipelines.ingest.document import Grid, Paragraph
from pipelines.ingest.readers.opening import open_document
from tests.ingest.hostile import pdf

FONT = "/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>"


def drawn(*parts: str) -> list[Paragraph | Grid]:
    return list(open_document(pdf("\n".join(parts).encode(), FONT), "x.pdf").items)


def text(x: float, y: float, words: str) -> str:
    return f"BT /F 10 Tf {x} {y} Td ({words}) Tj ET"


def box(x: float, y: float, width: float, height: float) -> str:
    return f"{x} {y} {width} {height} re S"


def table(top: float, *rows: tuple[str, ...]) -> list[str]:
    """Boxes of 100 x 20 points with words in them; "" draws an empty box, "-" none."""
    parts: list[str] = []
    for row, words in enumerate(rows):
        for column, word in enumerate(words):
            if word != "-":
                x, y = 50 + 100 * column, top - 20 * (row + 1)
                parts += [box(x, y, 100, 20), text(x + 5, y + 6, word)]
    return parts


def texts(grid: Paragraph | Grid) -> list[tuple[int, int, int, int, str]]:
    assert isinstance(grid, Grid)
    return [(cell.row, cell.column, cell.rows, cell.columns, cell.text) for cell in grid.cells]


def test_boxes_are_cells_and_words_around_them_paragraphs():
    before, grid, after = drawn(
        text(50, 760, "Before"), *table(740, ("Rules", "0"), ("Documents", "")), text(50, 660, "After")
    )
    assert isinstance(before, Paragraph)
    assert isinstance(after, Paragraph)
    assert (before.text, before.at, after.text) == ("Before", "第1页", "After")
    assert texts(grid) == [(0, 0, 1, 1, "Rules"), (0, 1, 1, 1, "0"), (1, 0, 1, 1, "Documents"), (1, 1, 1, 1, "")]
    assert isinstance(grid, Grid)
    assert grid.cells[3].at == "第1页 表格1 第2行第2列"


def test_a_wide_box_spans_what_lies_below_it():
    (grid,) = drawn(box(50, 720, 200, 20), text(60, 726, "Head"), *table(720, ("Rules", "0")))
    assert texts(grid) == [(0, 0, 1, 2, "Head"), (1, 0, 1, 1, "Rules"), (1, 1, 1, 1, "0")]


def test_boxes_behind_lines_of_text_are_no_table():
    lines = [part for n in range(4) for part in (box(50, 740 - 20 * n, 200, 20), text(55, 746 - 20 * n, f"Line {n}"))]
    items = drawn(*lines)
    assert [item.text for item in items if isinstance(item, Paragraph)] == ["Line 0", "Line 1", "Line 2", "Line 3"]
    assert len(items) == 4


def test_shaded_lines_above_a_table_leave_it_only_the_nearest_as_its_head():
    lines = [part for n in range(4) for part in (box(50, 740 - 20 * n, 200, 20), text(55, 746 - 20 * n, f"Line {n}"))]
    *paragraphs, grid = drawn(*lines, *table(680, ("Rules", "0"), ("Documents", "3")))
    assert [item.text for item in paragraphs if isinstance(item, Paragraph)] == ["Line 0", "Line 1", "Line 2"]
    assert texts(grid)[0] == (0, 0, 1, 2, "Line 3")


def test_a_cell_whose_border_a_page_break_cut_away_stands_where_the_other_lines_put_it():
    (grid,) = drawn(text(55, 726, "Item"), *table(740, ("-", "Count"), ("Rules", "0"), ("Documents", "3")))
    assert texts(grid)[0] == (0, 0, 1, 1, "Item")


def test_full_lines_are_one_paragraph_and_an_indent_begins_the_next():
    long = "word " * 19 + "end"
    items = drawn(text(70, 760, long), text(50, 745, long), text(50, 730, "short"), text(70, 715, "next"))
    assert [item.text for item in items if isinstance(item, Paragraph)] == [f"{long} {long} short", "next"]


def test_a_font_that_hides_its_characters():
    hidden = (
        "/Font<</F<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/DescendantFonts[<</Type/Font"
        "/Subtype/CIDFontType2/BaseFont/X/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>]>>>>"
    )
    content = "BT /F 10 Tf 50 700 Td <" + "".join(f"{n:04x}" for n in range(300, 360)) + "> Tj ET"
    with pytest.raises(Declined) as caught:
        open_document(pdf(content.encode(), hidden), "x.pdf")
    assert caught.value.finding.rule == "mojibake"
