"""One and the same set of tables in every format gives the same texts at the same places."""

from __future__ import annotations

import pytest

from pipelines.ingest.document import Document, Grid
from pipelines.ingest.readers.opening import open_document
from tests.ingest import writers
from tests.ingest.writers import anchors, drawings, facts


def grids(document: Document) -> list[Grid]:
    return [item for item in document.items if isinstance(item, Grid)]


def squeezed(text: str) -> str:
    return "".join(text.split())


def placed(grid: Grid) -> dict[tuple[int, int], str]:
    return {place: squeezed(cell.text) for place, cell in grid.filled().items()}


def expected(drawing) -> dict[tuple[int, int], str]:
    return {place: squeezed(text) for place, text in facts(drawing).items()}


SPANNED = {
    "xlsx": writers.as_xlsx,
    "docx": writers.as_docx,
    "html": writers.as_html,
    "html-gb18030": lambda: writers.as_html("gb18030"),
}


@pytest.mark.parametrize("form", SPANNED)
def test_formats_with_spans_give_every_position(form):
    document = open_document(SPANNED[form](), f"facts.{form}")
    assert document.format == form.split("-")[0]
    assert [placed(grid) for grid in grids(document)] == [expected(drawing) for drawing in drawings()]


@pytest.mark.parametrize("form", ["xls", "ods"])
def test_spreadsheets_saved_by_another_program(form):
    document = open_document(writers.converted("xlsx", form), f"facts.{form}")
    assert document.format == form
    assert [placed(grid) for grid in grids(document)] == [expected(drawing) for drawing in drawings()]


@pytest.mark.parametrize("form", ["doc", "rtf", "odt"])
def test_documents_saved_by_another_program(form):
    document = open_document(writers.converted("docx", form), f"facts.{form}")
    assert document.format == form
    assert [placed(grid) for grid in grids(document)] == [expected(drawing) for drawing in drawings()]


def test_pdf_gives_every_position_of_tables_on_one_page():
    document = open_document(writers.converted("docx", "pdf", "proactive"), "facts.pdf")
    assert document.format == "pdf"
    assert [placed(grid) for grid in grids(document)] == [expected(drawings()[0])]


def test_pdf_keeps_every_figure_of_tables_over_page_breaks_in_order():
    document = open_document(writers.converted("docx", "pdf"), "facts.pdf")
    found = [squeezed(cell.text) for grid in grids(document) for cell in grid.cells]
    figures = [text for text in found if text.replace(".", "").isdecimal()]
    expected_figures = [
        writers.text_of(drawing, number)
        for drawing in drawings()
        for number, box in enumerate(drawing.boxes)
        if box.role == "cell"
    ]
    assert figures == expected_figures


@pytest.mark.parametrize(("form", "make"), [("tabs", writers.as_tabs), ("markdown", writers.as_markdown)])
def test_texts_give_every_field(form, make):
    document = open_document(make(), f"facts.{form}")
    assert document.format == "text"
    for grid, drawing in zip(grids(document), drawings(), strict=True):
        assert {(cell.row, cell.column): cell.text for cell in grid.cells} == {
            (row, column): text for row, texts in enumerate(anchors(drawing)) for column, text in enumerate(texts)
        }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("table", [0, 1, 2])
def test_a_csv_of_the_form_gives_every_field(encoding, table):
    drawing = drawings()[table]
    document = open_document(writers.as_csv(drawing, encoding), "facts.csv")
    assert document.format == "csv"
    (grid,) = grids(document)
    assert {(cell.row, cell.column): cell.text for cell in grid.cells} == {
        (row, column): text for row, texts in enumerate(anchors(drawing)) for column, text in enumerate(texts)
    }


def test_numbers_keep_their_exact_text_where_the_format_stores_numbers():
    (grid, *_) = grids(open_document(writers.as_xlsx(), "facts.xlsx"))
    amount = next(cell for cell in grid.cells if cell.text.endswith(".5"))
    assert amount.number == amount.text
    assert amount.at.startswith("主动公开政府信息情况!")
