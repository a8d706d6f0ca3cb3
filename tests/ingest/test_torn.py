"""Rows that the end of a page tears in two: put together where only the label is torn, else left unread."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.ingest.document import Document, Grid, Paragraph, TextCell
from pipelines.ingest.plan import table_plans
from pipelines.ingest.read import read_bytes, read_document
from tests.ingest.papers import paper
from tests.ingest.test_matrix import converted, judge
from tests.ingest.writers import office

ROWS = [row for row in table_plans()["2021", "requests"].rows if row.groups]
HEADS = ["", "自然人", "商业企业", "科研机构", "社会公益组织", "法律服务机构", "其他", "总计"]
TORN = 15  # this row comes last on the first page
LABEL = ROWS[TORN].label  # begins with a number and is the same label without it


def line(number: int) -> list[str]:
    figures = [str(1000 + 10 * number + column) for column in range(6)]
    return [ROWS[number].label, *figures, str(sum(map(int, figures)))]


def grid(rows: list[list[str]]) -> Grid:
    return Grid(
        cells=tuple(
            TextCell(row=y, column=x, text=text, at=f"{y}/{x}")
            for y, row in enumerate(rows)
            for x, text in enumerate(row)
        )
    )


def read(upper: list[str], lower: list[str] | None, between=(), heads=(), kind="pdf") -> dict[str, str | None]:
    """What is read of a table whose row TORN ends the first page as ``upper`` and begins the next as ``lower``."""
    first = grid([HEADS, *map(line, range(TORN)), upper])
    second = grid([*heads, *([lower] if lower else []), *map(line, range(TORN + 1, len(ROWS)))])
    items = tuple(Paragraph(text=text) for text in between)
    found = read_document(Document(format=kind, items=(first, *items, second)), "x.pdf", "0" * 64)
    return {cell.cell: cell.raw for cell in found.cells}


def expected(without: int | None = None) -> dict[str, str]:
    return {
        cell: text
        for number, row in enumerate(ROWS)
        if number != without
        for cell, text in zip(row.cells, line(number)[1:], strict=True)
    }


def test_a_table_parted_between_rows_is_whole():
    assert read(line(TORN), None) == expected()
    assert read(line(TORN), None, heads=[HEADS]) == expected()


@pytest.mark.parametrize("between", [(), ("- 1 -",), ("- 1 -", "示例单位")])
@pytest.mark.parametrize("heads", [(), (HEADS,)])
def test_a_torn_label_is_put_together(between, heads):
    upper, lower = [LABEL[:2], *line(TORN)[1:]], [LABEL[2:], *[""] * 7]
    assert read(upper, lower, between, heads) == expected()


@pytest.mark.parametrize("cut", [0, 2, len(LABEL)])
@pytest.mark.parametrize("heads", [(), (HEADS,)])
@pytest.mark.parametrize("rest", ["3", "中修订1个）"])
def test_a_row_whose_figures_may_be_torn_is_left_unread(cut, heads, rest):
    upper, lower = [LABEL[:cut], *line(TORN)[1:]], [LABEL[cut:], *[""] * 7]
    upper[3], lower[3] = "4", rest
    found = read(upper, lower, heads=heads)
    assert set(ROWS[TORN].cells).isdisjoint(found)
    assert found == expected(TORN)


def test_an_empty_row_at_the_top_of_a_page_takes_nothing_away():
    assert read(line(TORN), [""] * 8) == expected()


def test_another_section_is_no_second_half():
    upper = line(TORN)
    after = read(upper, ["别的", "1", "2", "3", "4", "5", "6", "7"], between=("五、存在的主要问题及改进情况",))
    assert {cell: after[cell] for cell in ROWS[TORN].cells} == dict(zip(ROWS[TORN].cells, upper[1:], strict=True))


def test_only_printed_pages_tear_rows():
    upper, lower = line(TORN), ["别的", "1", "2", "3", "4", "5", "6", "7"]
    assert read(upper, lower, kind="docx")[ROWS[TORN].cells[0]] == upper[1]
    assert ROWS[TORN].cells[0] not in read(upper, lower)


@pytest.mark.parametrize(
    ("seed", "names"),
    [
        ("saved pdf 173", ("separators", "units", "stray spaces", "no titles")),
        ("saved pdf 196", ("remarks", "no titles")),
    ],
)
def test_papers_that_once_gave_half_a_number(seed, names, tmp_path: Path):
    if office() is None:
        pytest.skip("LibreOffice is not installed")
    made = paper(seed, names)
    folder = tmp_path / "pdf"
    folder.mkdir()
    (data,) = converted("pdf", [made], folder)
    judge(made, read_bytes(data, "paper.pdf"))
