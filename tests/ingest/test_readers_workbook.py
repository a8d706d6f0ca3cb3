"""Workbooks: exact numbers, addresses, merged cells, our own marks, formulas without a result."""

from __future__ import annotations

import datetime
import io
import re
from random import Random

import openpyxl
import pytest
import xlsxwriter

from pipelines.ingest.declined import Declined
from pipelines.ingest.document import Grid, TextCell
from pipelines.ingest.readers import workbook
from pipelines.ingest.readers.opening import open_document
from pipelines.ingest.readers.sheet import column_name, number_text
from pipelines.layout import MARK_SHEET
from tests.ingest import hostile, writers


def written(fill) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        fill(book)
    return out.getvalue()


def cells(data: bytes, name: str = "x.xlsx") -> dict[str, TextCell]:
    return {
        cell.at: cell
        for item in open_document(data, name).items
        if isinstance(item, Grid)
        for cell in item.cells
        if cell.text
    }


def values(book):
    sheet = book.add_worksheet("统计表")
    sheet.write_number("B2", 3135.6)
    sheet.write_number("B3", 101)
    sheet.write_number("B4", 0.1 + 0.2)
    sheet.write_number("B5", 12345678901234)
    sheet.write_number("B6", 1e15)
    sheet.write_string("B7", "0101")
    sheet.write_string("B8", " 43.788万元 ")
    sheet.write_datetime("B9", datetime.date(2023, 12, 31), book.add_format({"num_format": "yyyy-mm-dd"}))
    sheet.write_boolean("B10", True)
    sheet.write_number("B11", -2)


def test_numbers_are_exact_and_text_stays_text():
    found = cells(written(values))
    shown = {at.removeprefix("统计表!"): (cell.text, cell.number) for at, cell in found.items()}
    assert shown == {
        "B2": ("3135.6", "3135.6"),
        "B3": ("101", "101"),
        "B4": ("0.3", "0.3"),  # as the spreadsheet program itself stores and shows it
        "B5": ("12345678901234", "12345678901234"),
        "B6": ("1000000000000000", "1000000000000000"),
        "B7": ("0101", ""),
        "B8": (" 43.788万元 ", ""),
        "B9": ("2023-12-31", ""),
        "B10": ("TRUE", ""),
        "B11": ("-2", "-2"),
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), (59237.2449, "59237.2449"), (1e22, "1" + "0" * 22), (-0.5, "-0.5"), (1e-05, "0.00001"), (7, "7")],
)
def test_numbers_as_text(value, text):
    assert number_text(value) == text


def test_column_names():
    assert [column_name(n) for n in (0, 25, 26, 701, 702, 16383)] == ["A", "Z", "AA", "ZZ", "AAA", "XFD"]


def test_a_formula_without_a_result_is_told_from_one_with_a_result_and_from_a_blank():
    def fill(book):
        sheet = book.add_worksheet("统计表")
        sheet.write("A1", "总计")
        sheet.write_formula("B1", "=SUM(C1:D1)", None, "")
        sheet.write_formula("C1", "=1+2", None, 3)
        sheet.write_formula("D1", "=1/0", None, "#DIV/0!")
        sheet.write("F1", "末")

    found = cells(written(fill))
    assert (found["统计表!B1"].formula, found["统计表!B1"].text) == (True, "=SUM(C1:D1)")
    assert (found["统计表!C1"].formula, found["统计表!C1"].number) == (False, "3")
    assert (found["统计表!D1"].formula, found["统计表!D1"].text) == (False, "#DIV/0!")
    assert "统计表!E1" not in found


def test_a_workbook_written_by_a_program_that_computes_nothing():
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "统计表"
    sheet["A1"], sheet["B1"], sheet["C1"] = 4, 5, "=A1+B1"
    out = io.BytesIO()
    book.save(out)
    found = cells(out.getvalue())
    assert found["统计表!C1"].formula
    assert found["统计表!A1"].number == "4"


def test_our_own_marks_are_read_and_their_sheet_is_no_grid():
    def fill(book):
        book.add_worksheet("统计表").write("A1", "规章")
        marks = book.add_worksheet(MARK_SHEET)
        for row, (mark, value) in enumerate([("product", "gongkai-return"), ("year", 2023), ("body", "511725-D01")]):
            marks.write(row, 0, mark)
            marks.write(row, 1, value)
        marks.very_hidden()

    document = open_document(written(fill), "x.xlsx")
    assert document.marks == {"product": "gongkai-return", "year": "2023", "body": "511725-D01"}
    assert [item.title for item in document.items if isinstance(item, Grid)] == ["统计表"]


def test_hidden_sheets_say_nothing():
    def fill(book):
        book.add_worksheet("统计表").write("A1", "规章")
        hidden = book.add_worksheet("去年")
        hidden.write("A1", 99)
        hidden.hide()

    assert list(cells(written(fill))) == ["统计表!A1"]


def test_blank_cells_inside_exist_and_a_merged_blank_at_the_edge_too():
    def fill(book):
        sheet = book.add_worksheet("统计表")
        sheet.merge_range("B2:D2", "标题")
        sheet.write("B3", "甲")
        sheet.write("D3", 1)

    (grid,) = open_document(written(fill), "x.xlsx").items
    assert isinstance(grid, Grid)
    filled = grid.filled()
    assert [filled[0, n].text for n in range(3)] == ["标题"] * 3
    assert [filled[1, n].text for n in range(3)] == ["甲", "", "1"]
    assert filled[1, 1].at == "统计表!C3"


def test_macros_are_neither_run_nor_a_reason_to_refuse():
    data = hostile.with_part(hostile.xlsx(), "xl/vbaProject.bin", lambda _: b"\xcc\x61 Sub AutoOpen()")
    assert open_document(data, "x.xlsm") == open_document(hostile.xlsx(), "x.xlsx")


def test_rows_formatted_far_down_cost_nothing():
    rows = '<row r="1"><c r="A1"><v>1</v></c></row>' + "".join(
        f'<row r="{n}"><c r="A{n}" s="0"/></row>' for n in range(2, 30_000)
    )
    data = hostile.with_part(hostile.xlsx(), hostile.SHEET, lambda part: hostile._sheet_data(part, rows))
    (grid,) = open_document(data, "x.xlsx").items
    assert isinstance(grid, Grid)
    assert grid.rows == 1


def test_an_ods_keeps_merged_cells_repeats_and_written_numbers():
    rows = (
        '<table:table-row><table:table-cell table:number-columns-spanned="3" table:number-rows-spanned="2">'
        "<text:p>甲<text:s/>乙</text:p></table:table-cell>"
        '<table:covered-table-cell table:number-columns-repeated="2"/></table:table-row>'
        '<table:table-row table:number-rows-repeated="1"/>'
        '<table:table-row><table:table-cell office:value-type="float" office:value="3135.60" '
        'table:number-columns-repeated="2"><text:p>3,136</text:p></table:table-cell>'
        '<table:table-cell table:formula="of:=[.A1]"/></table:table-row>'
        '<table:table-row table:number-rows-repeated="1048000"><table:table-cell/></table:table-row>'
    )
    (grid,) = open_document(hostile.ods(rows), "x.ods").items
    assert isinstance(grid, Grid)
    assert (grid.rows, grid.columns) == (3, 3)
    first, *rest = grid.cells
    assert (first.text, first.rows, first.columns) == ("甲 乙", 2, 3)
    assert [(cell.text, cell.number, cell.formula, cell.at) for cell in rest] == [
        ("3135.60", "3135.60", False, "统计表!A3"),
        ("3135.60", "3135.60", False, "统计表!B3"),
        ("=[.A1]", "", True, "统计表!C3"),
    ]


SPREADSHEET_2003 = """<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>
<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">
<Worksheet ss:Name="统计表"><Table><Row><Cell><Data ss:Type="String">规章</Data></Cell>
<Cell><Data ss:Type="Number">3135.6</Data></Cell></Row></Table></Worksheet></Workbook>"""


def test_a_spreadsheet_of_2003_goes_through_libreoffice():
    if writers.office() is None:
        pytest.skip("LibreOffice is not installed")
    found = cells(SPREADSHEET_2003.encode(), "x.xls")
    assert {at: cell.text for at, cell in found.items()} == {"统计表!A1": "规章", "统计表!B1": "3135.6"}


# Everything that may stand in a sheet of which calamine leaves nothing out.
PLAIN = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cols><col min="1"/></cols>'
    "<sheetData>"
    '<row r="2"><c r="B2" s="3"><v>1</v></c><c r="C2" s="3"/><c r="D2" t="str"><f>A1</f><v></v></c></row>'
    '<row r="3" ht="3"><c r="B3" t="s"><v>0</v></c><c r="C3" t="inlineStr"><is><t>f</t></is></c>'
    '<c r="E3"><f>B2&gt;1</f><v>7</v></c><c r="F3"><f t="shared" si="0"/><v>8</v></c>'
    '<c r="G3"><f t="shared" ref="G3:H3">B2</f><v>8</v></c></row><row r="4"/></sheetData></worksheet>'
)


def test_a_plain_sheet_has_nothing_to_be_looked_for():
    assert workbook._is_plain(PLAIN.encode(), "x.xlsx")
    assert workbook._scan_cells(PLAIN.encode(), "x.xlsx") == {}
    assert workbook._is_plain(PLAIN.split("?>", 1)[1].encode(), "x.xlsx")


@pytest.mark.parametrize(
    ("old", "new", "left_out"),
    [
        ('r="B2" ', "", {}),
        ("<v>1</v>", '<is>t="str"><f>1</f></is><f>2</f>', {(1, 1): "=2"}),
        ("<v>1</v>", '" t="str"><f>2</f><v></v>', {(1, 1): "=2"}),
        ('r="B2"', 'r="b2"', {}),
        ('r="B2"', "r='B2'", {}),
        ('<c r="B2"', '<c\nr="B2"', {}),
        ('<row r="2">', '<row r="2"><other><c><f>1</f></c></other>', {(1, 0): "=1"}),
        ("UTF-8", "ascii", {}),
        ("<row", "<!-- <c> --><row", {}),
        ("<row", "<?go on?><row", {}),
        ('t="s"><v>0</v>', 't="e"><v>#REF!</v>', {(2, 1): "#REF!"}),
        ("<v>7</v>", "", {(2, 4): "=B2>1"}),
        ("<v>7</v>", "<v></v>", {(2, 4): "=B2>1"}),
        ("<v>7</v>", "<v/>", {(2, 4): "=B2>1"}),
        ("<v>7</v>", "<v>7</v><v/>", {(2, 4): "=B2>1"}),
        ('si="0"/><v>8</v>', 'si="0"/>', {(2, 5): "="}),
        ('H3">B2</f><v>8</v>', 'H3">B2</f>', {(2, 6): "=B2"}),
        ("<f>B2&gt;1</f><v>7</v>", "<v>7</v><f>B2</f><v/>", {(2, 4): "=B2"}),
        ("<f>B2&gt;1</f><v>7</v>", "<x/><f>B2</f>", {(2, 4): "=B2"}),
        ("<f>B2&gt;1</f><v>7</v>", "<f\n>B2</f>", {(2, 4): "=B2"}),
    ],
)
def test_an_unusual_sheet_is_looked_through_cell_by_cell(old, new, left_out):
    text = PLAIN.replace(old, new, 1)
    assert text != PLAIN
    seen = workbook._scan(text.encode(), "x.xlsx")
    assert not workbook._is_plain(text.encode(), "x.xlsx")
    assert {place: cell.text for place, cell in seen.items()} == left_out


@pytest.mark.parametrize("broken", [PLAIN.replace("</row>", "", 1), PLAIN[:-9], PLAIN.replace(' r="2"', ' r="two"')])
def test_a_broken_sheet_is_never_plain(broken):
    assert not workbook._is_plain(broken.encode(), "x.xlsx")
    assert find(lambda: workbook._scan(broken.encode(), "x.xlsx")) == "damaged_file"


def find(call):
    with pytest.raises(Declined) as raised:
        call()
    return raised.value.finding.rule


def test_prefixed_cells_are_not_overlooked():
    text = PLAIN.replace("<v>7</v>", "").replace("<c ", "<x:c ").replace("</c>", "</x:c>").replace("xmlns=", "xmlns:x=")
    text = text.replace("<f>", "<x:f>").replace("</f>", "</x:f>").replace("<f t", "<x:f t")
    text = text.replace("<v>", "<x:v>").replace("</v>", "</x:v>")
    assert set(workbook._scan(text.encode(), "x.xlsx")) == {(2, 4)}


def test_cells_that_hold_no_text_do_not_count_towards_the_extent():
    far = PLAIN.replace("</sheetData>", '<row r="99999"><c r="ZZ99999"><v></v></c></row></sheetData>')
    assert not workbook._is_plain(far.encode(), "x.xlsx")
    assert workbook._scan(far.encode(), "x.xlsx") == {}


def test_cells_too_far_apart_are_found_in_a_plain_sheet():
    far = PLAIN.replace("</sheetData>", '<row r="999999"><c r="ZZ999999"><v>1</v></c></row></sheetData>')
    assert find(lambda: workbook._scan(far.encode(), "x.xlsx")) == "too_large"


def test_whatever_is_done_to_a_sheet_nothing_is_overlooked():
    """Pieces of sheets moved about at random: a sheet taken for plain has nothing that calamine leaves out."""
    random = Random(1)
    more = ("<f>1</f>", "<v/>", "<v>", "</v>", ' t="e"', "<!--", "-->", "<c/>")
    pieces = [*re.findall(r"<[^<>]*>|[^<>]+", PLAIN), *more]
    plain = 0
    for _ in range(4000):
        text = PLAIN
        for _ in range(random.randint(1, 2)):
            piece, at = random.choice(pieces), random.choice([m.start() for m in re.finditer(r"[<>]", text)])
            text = text[:at] + piece + text[at + random.choice((0, 0, len(piece))) :]
        if workbook._is_plain(text.encode(), "x.xlsx"):
            plain += 1
            assert workbook._scan_cells(text.encode(), "x.xlsx") == {}, text
    assert plain > 20
