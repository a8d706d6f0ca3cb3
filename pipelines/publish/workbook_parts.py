"""Parts of the fill-in workbook: the file being written, and its sheets beside the form itself.

Belongs here: formats, exact writing of a figure, the sheets for the supplement, the guide and the hidden marks. Does
not belong here: the sheet of the form (workbook.py) and its checks (workbook_checks.py).
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import xlsxwriter

from pipelines.layout import FORM_SHEET, GUIDE_SHEET, MARK_SHEET, MARKS, SUPPLEMENT_HEAD, SUPPLEMENT_SHEET
from pipelines.publish.workbook_checks import Entry
from schemas.findings import number_text
from schemas.form import Form
from schemas.region import Body, IndicatorDeclaration, Region
from schemas.rules import Rule

TEXT_FONT, HEAD_FONT = "宋体", "黑体"  # in Excel and WPS everywhere; others take their own Chinese font
TEXT_SIZE = 10
LINE_HEIGHT, MINIMUM_HEIGHT = 12.5, 17.0  # in points
UNFILLED_COLOUR, HEAD_COLOUR, GREY = "#FFF9DB", "#F2F2F2", "#595959"


class Book:
    """One workbook while it is written: the file, its formats by property, and the sheet in hand."""

    def __init__(self) -> None:
        self.buffer = io.BytesIO()
        self.file = xlsxwriter.Workbook(
            self.buffer,
            {"in_memory": True, "default_format_properties": {"font_name": TEXT_FONT, "font_size": 10}},
        )
        self._formats: dict[tuple[tuple[str, Any], ...], Any] = {}

    def style(self, **properties: Any) -> Any:  # noqa: ANN401 - the writer's formats are untyped
        """The format with these properties on top of the ordinary ones."""
        merged = {"font_name": TEXT_FONT, "font_size": 10, "valign": "vcenter", "text_wrap": True, **properties}
        key = tuple(sorted(merged.items()))
        if key not in self._formats:
            self._formats[key] = self.file.add_format(merged)
        return self._formats[key]


def text_width(text: str) -> int:
    """Columns that a text takes: 2 for a Chinese character, 1 for a letter."""
    return sum(2 if unicodedata.east_asian_width(character) in "WFA" else 1 for character in text)


def line_height(text: str, columns: float, size: float = TEXT_SIZE) -> float:
    """The height in points of ``text`` wrapped in a width of ``columns`` characters, set in ``size`` points."""
    columns *= 1.1 * TEXT_SIZE / size  # a column is a little wider than its number of characters
    lines = sum(max(1, -(-text_width(line) // max(1, int(columns)))) for line in text.split("\n"))
    return max(MINIMUM_HEIGHT, lines * LINE_HEIGHT + 4)


def write_entry(sheet: Any, area: tuple[int, int, int, int], value: Entry, style: Any) -> None:  # noqa: ANN401
    """A figure exactly as a number, any other text as text, nothing as an empty cell; merged where it spans."""
    top, left, bottom, right = area
    if (top, left) != (bottom, right):
        sheet.merge_range(top, left, bottom, right, "", style)
    if value is None or value == "":
        sheet.write_blank(top, left, None, style)
    elif isinstance(value, str):
        sheet.write_string(top, left, value, style)
    else:
        number = Decimal(number_text(value))
        if Decimal(f"{number:.16G}") == number:
            sheet.write_number(top, left, number, style)
        else:  # a spreadsheet's number cannot hold it; as text every digit stays
            sheet.write_string(top, left, number_text(number), style)


def reported_indicators(region: Region, body: Body) -> tuple[IndicatorDeclaration, ...]:
    """The indicators of the region's supplement that this body is asked for."""
    declared = region.supplement.indicators if region.supplement else ()
    return tuple(indicator for indicator in declared if body.kind in indicator.reported_by)


def supplement_sheet(
    book: Book, region: Region, asked: tuple[IndicatorDeclaration, ...], given: Mapping[str, Entry]
) -> None:
    """The sheet of the region's own indicators that the body is ``asked`` for, filled with what is ``given``."""
    sheet = book.file.add_worksheet(SUPPLEMENT_SHEET)
    sheet.hide_gridlines(2)
    for column, width in enumerate((34, 52, 8, 16)):
        sheet.set_column(column, column, width)
    title = region.supplement.title_zh if region.supplement else ""
    last = len(SUPPLEMENT_HEAD) - 1
    sheet.merge_range(0, 0, 0, last, title, book.style(font_name=HEAD_FONT, font_size=13, align="center"))
    note = "只填“数值”一列，没有的填 0；确属约数的可照实写，如“1000余”。"
    sheet.merge_range(1, 0, 1, last, note, book.style(font_size=9, font_color=GREY))
    sheet.set_row(0, 28)
    for column, text in enumerate(SUPPLEMENT_HEAD):
        sheet.write_string(2, column, text, book.style(border=1, align="center", bg_color=HEAD_COLOUR))
    for line, indicator in enumerate(asked, 3):
        sheet.write_string(line, 0, indicator.id, book.style(border=1, font_size=9, font_color=GREY))
        sheet.write_string(line, 1, indicator.label_zh, book.style(border=1))
        sheet.write_string(line, 2, indicator.unit, book.style(border=1, align="center"))
        write_entry(
            sheet, (line, 3, line, 3), given.get(indicator.id), book.style(border=1, align="center", locked=False)
        )
        sheet.set_row(line, line_height(indicator.label_zh, 52))
    blank = book.file.add_format({"bg_color": UNFILLED_COLOUR})
    sheet.conditional_format(3, 3, 2 + len(asked), 3, {"type": "blanks", "format": blank})
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.protect("", {"format_columns": True, "format_rows": True})


def _guide(form: Form, rules: list[Rule]) -> list[tuple[str, str]]:
    """The guide, line by line, Chinese and English: how to fill in, then every family of rules once."""
    lines = [
        ("怎样填写", "How to fill in"),
        (
            f"1. 只填“{FORM_SHEET}”中未锁定的格子；没有的填 0，不要留空，也不要写“/”“无”。",
            f"1. Fill in only the unlocked cells of “{FORM_SHEET}”; where there is none, enter 0, not a blank or “/”.",
        ),
        (
            "2. 各项总计也请自己填写，右侧和下方会自动核对；红色表示不平，并写明差多少。",
            "2. Enter the totals yourself too; the checks beside and below turn red and say by how much a sum is off.",
        ),
        (
            "3. 黄色格子还没有填。全部填完且右上角显示“✓”后即可报送。",
            "3. Yellow cells are still empty. When all are filled and the check at the top shows ✓, hand the file in.",
        ),
        (
            "4. 请勿增删行列、改名工作表；本文件不含宏，工作表保护没有密码。",
            "4. Do not add or delete rows, columns or sheets. No macros; the protection has no password.",
        ),
        ("核对规则", "The rules"),
    ]
    seen: set[str] = set()
    for rule in rules:
        if rule.family not in seen:
            seen.add(rule.family)
            lines.append((f"{rule.title_zh}。{rule.advice_zh}", f"{rule.title_en}. {rule.advice_en}"))
    lines += [(f"{d.title_zh}。{d.advice_zh}", f"{d.title_en}. {d.advice_en}") for d in form.declaration.domains]
    lines += [
        ("依据", "Legal basis"),
        (f"{form.declaration.basis}；{form.declaration.regulation}", form.declaration.title_en),
    ]
    return lines


def guide_sheet(book: Book, form: Form, rules: list[Rule], notes: tuple[str, str]) -> None:
    """The guide; ``notes`` (Chinese, English) stand first where they are not empty."""
    sheet = book.file.add_worksheet(GUIDE_SHEET)
    sheet.hide_gridlines(2)
    sheet.set_column(0, 1, 58)
    lines = _guide(form, rules)
    if notes[0]:
        lines.insert(0, notes)
    heads = {"怎样填写", "核对规则", "依据"}
    for row, (zh, en) in enumerate(lines):
        style = book.style(font_name=HEAD_FONT, font_size=12) if zh in heads else book.style(valign="top")
        sheet.write_string(row, 0, zh, style)
        sheet.write_string(row, 1, en, style)
        sheet.set_row(row, max(line_height(zh, 56), line_height(en, 56)))
    sheet.set_paper(9)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.protect("")


def mark_sheet(book: Book, marks: Mapping[str, str]) -> None:
    """The hidden sheet by which intake knows the workbook: mark and value, one a line."""
    sheet = book.file.add_worksheet(MARK_SHEET)
    for row, mark in enumerate(MARKS):
        sheet.write_string(row, 0, mark)
        sheet.write_string(row, 1, marks[mark])
    sheet.protect("")
    sheet.hide()
