"""The fill-in workbook: the official form as a sheet that a clerk fills in and that checks itself.

Belongs here: sheets, positions, formats, protection, print setup. Does not belong here: labels, cells and rules (all
from the form, drawn by pipelines/layout.py) or the formulas of the checks (workbook_checks.py).

The clerk types every figure, totals too, as on paper: a total that a formula filled in would always agree and hide the
figure that is wrong. The same input gives the same bytes.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal

import msgspec
from xlsxwriter.utility import xl_range, xl_range_abs, xl_rowcol_to_cell

from pipelines.layout import FORM_SHEET, MARK_PRODUCT, Box, Drawing, draw_form
from pipelines.publish import workbook_checks as checks
from pipelines.publish.workbook_checks import Check, Entry
from pipelines.publish.workbook_parts import (
    GREY,
    HEAD_COLOUR,
    HEAD_FONT,
    LINE_HEIGHT,
    MINIMUM_HEIGHT,
    UNFILLED_COLOUR,
    Book,
    guide_sheet,
    line_height,
    mark_sheet,
    reported_indicators,
    supplement_sheet,
    write_entry,
)
from schemas.form import Cell, Form, Kind
from schemas.region import Body, Region
from schemas.rules import Rule, RuleSet, load_rules

CREATED = datetime.datetime(2021, 1, 1, tzinfo=datetime.UTC)  # any fixed moment: no clock in the bytes
COLUMN_WIDTH, CHECK_WIDTH = 6.4, 62.0  # in characters of the default font
TITLE_ROW, NOTE_ROW, FIRST_ROW = 0, 1, 3
RED, AMBER, GREEN = "#9C0006", "#7F6000", "#1E6B34"
RED_FILL, AMBER_FILL = "#FFC7CE", "#FFEB9C"
TITLE_SIZE, SECTION_SIZE, CHECK_SIZE = 15, 12, 9


class _Frame(msgspec.Struct, frozen=True):
    """How a drawing's columns lie on the sheet's: ``starts[i]`` is the first sheet column of drawing column i."""

    starts: tuple[int, ...]

    def span(self, box: Box) -> tuple[int, int]:
        """First and last sheet column of a box."""
        return self.starts[box.column], self.starts[box.column + box.columns] - 1


def _frame(drawing: Drawing, width: int) -> _Frame:
    """Spread a drawing over ``width`` sheet columns: figure columns alike, the rest to the labels, inner ones wider."""
    labels = min(box.column for box in drawing.boxes if box.role == "cell")
    figures = drawing.columns - labels
    each = width // drawing.columns
    rest = width - each * figures
    spans = [rest // (labels + 1)] * labels if labels else []
    if labels:
        spans[-1] += rest - sum(spans)
    spans += [each] * figures
    spans[-1] += width - sum(spans)
    starts = [0]
    for span in spans:
        starts.append(starts[-1] + span)
    return _Frame(tuple(starts))


def _runs(areas: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Neighbouring areas of one line as one; ``areas`` sorted, each (top, left, bottom, right)."""
    runs: list[tuple[int, int, int, int]] = []
    for top, left, bottom, right in areas:
        if runs and (runs[-1][0], runs[-1][2], runs[-1][3] + 1) == (top, bottom, left):
            runs[-1] = (top, runs[-1][1], bottom, right)
        else:
            runs.append((top, left, bottom, right))
    return runs


class _FormSheet:
    """The sheet 统计表 while it is written, from the top down."""

    def __init__(
        self,
        book: Book,
        form: Form,
        rules: RuleSet,
        region: Region,
        values: Mapping[str, Entry],
        previous: Mapping[str, Decimal | int],
    ) -> None:
        self.book, self.form, self.rules = book, form, rules
        self.sheet = book.file.add_worksheet(FORM_SHEET)
        self.drawings = draw_form(form)
        self.width = max(drawing.columns for drawing in self.drawings)
        self.last = self.width - 1
        self.values = values
        self.places = checks.place(form, checks.applicable(rules, region.settings, previous))
        self.frames = {drawing.table: _frame(drawing, self.width) for drawing in self.drawings}
        self.tops = self._tops()
        self.view = checks.Sheet(self._addresses(), values, previous)
        self.done: list[Check] = []
        self.inputs: dict[Kind, list[tuple[int, int, int, int]]] = {}

    def _families(self, table: str) -> list[list[Rule]]:
        return [rules for (_, of), rules in self.places.columns.items() if of == table]

    def _rows_below(self, drawing: Drawing) -> bool:
        """Whether the checks of this drawing's rows stand below it, because several rows share a line of figures."""
        rows = {cell.row for cell in self.form.cells_of(drawing.table)}
        return not all(checks.stands_alone(drawing, self._cell_ids(drawing.table, row)) for row in rows)

    def _cell_ids(self, table: str, row: str) -> list[str]:
        return [cell.id for cell in self.form.cells_of(table, row=row)]

    def _tops(self) -> dict[str, int]:
        """The sheet row of each table's title; below it the drawing, its checks, a free line."""
        tops, at = {}, FIRST_ROW
        for drawing in self.drawings:
            tops[drawing.table] = at
            at += 1 + drawing.rows + self._rows_below(drawing) + len(self._families(drawing.table)) + 1
        self.end = at
        return tops

    def _addresses(self) -> dict[str, str]:
        return {
            box.cell: xl_rowcol_to_cell(self.tops[d.table] + 1 + box.row, self.frames[d.table].span(box)[0])
            for d in self.drawings
            for box in d.boxes
            if box.cell
        }

    def write(self, title: str, note: str) -> None:
        """Everything on the sheet."""
        sheet, book = self.sheet, self.book
        sheet.hide_gridlines(2)
        sheet.set_column(0, self.last, COLUMN_WIDTH)
        sheet.set_column(self.width, self.width, CHECK_WIDTH)
        head = book.style(font_name=HEAD_FONT, font_size=TITLE_SIZE, align="center")
        sheet.merge_range(TITLE_ROW, 0, TITLE_ROW, self.last, title, head)
        sheet.set_row(TITLE_ROW, line_height(title, self.width * COLUMN_WIDTH, TITLE_SIZE) + 8)
        sheet.merge_range(NOTE_ROW, 0, NOTE_ROW, self.last, note, book.style(font_color=GREY, font_size=CHECK_SIZE))
        sheet.set_row(NOTE_ROW, line_height(note, self.width * COLUMN_WIDTH, CHECK_SIZE))
        for drawing in self.drawings:
            self._draw(drawing)
        self._others()
        self._summary()
        self._limits()
        self._colours()
        self._print_setup()
        sheet.protect("", {"format_columns": True, "format_rows": True})

    def _draw(self, drawing: Drawing) -> None:
        sheet, top, frame = self.sheet, self.tops[drawing.table], self.frames[drawing.table]
        title = f"{drawing.number_zh}、{drawing.title_zh}"
        sheet.merge_range(
            top, 0, top, self.last, title, self.book.style(font_name=HEAD_FONT, font_size=SECTION_SIZE, text_wrap=False)
        )
        sheet.set_row(top, 22)
        heights = [MINIMUM_HEIGHT] * drawing.rows
        for box in drawing.boxes:
            first, last = frame.span(box)
            area = (top + 1 + box.row, first, top + box.row + box.rows, last)
            if box.role == "cell":
                self._input(self.form.by_id[box.cell], area)
                continue
            align = "center" if box.role == "head" or box.rows > 1 else "left"
            fill = {"bg_color": HEAD_COLOUR} if box.role == "head" else {}
            write_entry(sheet, area, box.text_zh, self.book.style(border=1, align=align, **fill))
            if box.rows == 1:
                needed = line_height(box.text_zh, (last - first + 1) * COLUMN_WIDTH)
                heights[box.row] = max(heights[box.row], needed)
        for row, height in enumerate(heights):
            sheet.set_row(top + 1 + row, height)
        self._row_checks(drawing)
        for position, family in enumerate(self._families(drawing.table)):
            line = top + 1 + drawing.rows + self._rows_below(drawing) + position
            self._column_checks(drawing, family, line)

    def _input(self, cell: Cell, area: tuple[int, int, int, int]) -> None:
        style = self.book.style(border=1, align="center", locked=False, bold=cell.total)
        write_entry(self.sheet, area, self.values.get(cell.id), style)
        self.inputs.setdefault(cell.kind, []).append(area)

    def _limits(self) -> None:
        """What may be typed: the domains of each kind of figure, one validation for all its cells."""
        for kind, areas in self.inputs.items():
            domains = self.rules.domains_of(kind)
            minimum = max((d.minimum for d in domains if d.minimum is not None), default=None)
            far = 10**14  # 14 digits before the point, as the data allow
            limits: dict[str, object] = {"criteria": ">=", "value": minimum}
            if minimum is None:
                limits = {"criteria": "between", "minimum": -far, "maximum": far}
            self.sheet.data_validation(
                *areas[0][:2],
                *areas[0][:2],
                limits
                | {
                    "validate": "integer" if any(domain.whole for domain in domains) else "decimal",
                    "other_cells": [[*area[:2], *area[:2]] for area in areas[1:]],
                    "error_title": "填写有误",
                    "error_message": "".join(f"{d.title_zh}。" for d in domains)
                    + "".join(d.advice_zh for d in domains[:1]),
                },
            )

    def _row_checks(self, drawing: Drawing) -> None:
        top, below = self.tops[drawing.table], self._rows_below(drawing)
        frame = self.frames[drawing.table]
        for row in dict.fromkeys(cell.row for cell in self.form.cells_of(drawing.table)):
            cells = self.form.cells_of(drawing.table, row=row)
            rules = self.places.rows.get((drawing.table, row), [])
            check = checks.row_check(cells, rules, self.rules, self.view)
            boxes = [box for box in drawing.boxes if box.cell in {cell.id for cell in cells}]
            if below:
                line = top + 1 + drawing.rows
                first, last = frame.span(boxes[0])[0], frame.span(boxes[-1])[1]
                self._formula((line, first, line, last), check, align="center", border=1)
                self.sheet.set_row(line, 2 * LINE_HEIGHT + 4)
            else:
                line = top + 1 + boxes[0].row
                self._beside(line, check)

    def _column_checks(self, drawing: Drawing, family: list[Rule], line: int) -> None:
        frame = self.frames[drawing.table]
        columns = {box.cell: frame.span(box) for box in drawing.boxes if box.cell}
        written: list[tuple[str, Check]] = []
        left = min(span[0] for span in columns.values())
        style = self.book.style(border=1, font_size=CHECK_SIZE, font_color=GREY, align="right")
        label = f"自动核对：{family[0].title_zh}"
        write_entry(self.sheet, (line, 0, line, left - 1), label, style)
        self.sheet.set_row(line, line_height(label, left * COLUMN_WIDTH, CHECK_SIZE))
        for rule in family:
            first, last = columns[rule.cells[0]]
            check = checks.column_check(rule, self.view)
            self._formula((line, first, line, last), check, align="center", border=1, counted=False)
            written.append((xl_rowcol_to_cell(line, first), check))
        self._beside(line, checks.columns_check(family, written))
        colour, fill = (RED, RED_FILL) if family[0].severity == "error" else (AMBER, AMBER_FILL)
        self._coloured((line, left, line, self.last), checks.SHORT_BROKEN, colour, fill)

    def _others(self) -> None:
        """Rules over several tables: one line each below the last table."""
        for rule in self.places.others:
            line = self.end - 1
            style = self.book.style(border=1, font_size=CHECK_SIZE, font_color=GREY)
            write_entry(self.sheet, (line, 0, line, self.last), f"自动核对：{rule.title_zh}", style)
            check = checks.joined([checks.rule_part(rule, self.view)])
            self._beside(line, check)
            self.end += 1

    def _formula(self, area: tuple[int, int, int, int], check: Check, *, counted: bool = True, **look: object) -> None:
        style = self.book.style(font_size=CHECK_SIZE, **look)
        if area[:2] != area[2:]:
            self.sheet.merge_range(*area, "", style)
        self.sheet.write_formula(area[0], area[1], f"={check.formula}", style, check.text)
        if counted:
            self.done.append(check)

    def _beside(self, line: int, check: Check) -> None:
        """A check in the column right of the form; a long sentence runs on over the empty cells further right."""
        self._formula((line, self.width, line, self.width), check, align="left", indent=1, text_wrap=False)

    def _summary(self) -> None:
        area = xl_range_abs(FIRST_ROW, 0, self.end - 1, self.width)
        check = checks.summary(area, self.done)
        head = self.book.style(font_name=HEAD_FONT, font_size=SECTION_SIZE, indent=1)
        self.sheet.write_string(TITLE_ROW, self.width, "自动核对（打印时不含本列）", head)
        style = self.book.style(bold=True, font_size=SECTION_SIZE, indent=1)
        self.sheet.write_formula(NOTE_ROW, self.width, f"={check.formula}", style, check.text)

    def _coloured(self, area: tuple[int, int, int, int], begins: str, colour: str, fill: str) -> None:
        look = {"font_color": colour} | ({"bg_color": fill} if fill else {})
        condition = {"type": "text", "criteria": "begins with", "value": begins}
        self.sheet.conditional_format(*area, condition | {"format": self.book.file.add_format(look)})

    def _colours(self) -> None:
        """Checks and empty inputs in colour; an input's colour goes as soon as it is filled."""
        area = (NOTE_ROW, 0, self.end - 1, self.width)
        for begins, colour, fill in (
            (checks.BROKEN, RED, RED_FILL),
            (checks.DOUBTFUL, AMBER, AMBER_FILL),
            (checks.UNFILLED, AMBER, UNFILLED_COLOUR),
            (checks.GOOD, GREEN, ""),
        ):
            self._coloured(area, begins, colour, fill)
        blank = self.book.file.add_format({"bg_color": UNFILLED_COLOUR})
        areas = _runs(sorted(area for of_kind in self.inputs.values() for area in of_kind))
        ranges = " ".join(xl_range(*area) for area in areas)
        self.sheet.conditional_format(*areas[0], {"type": "blanks", "format": blank, "multi_range": ranges})

    def _print_setup(self) -> None:
        sheet = self.sheet
        sheet.set_paper(9)  # A4
        sheet.set_portrait()
        sheet.fit_to_pages(1, 1)
        sheet.print_area(0, 0, self.end - 1, self.last)
        sheet.set_margins(left=0.5, right=0.5, top=0.6, bottom=0.6)
        sheet.center_horizontally()


def fill_in_workbook(
    form: Form,
    region: Region,
    body: Body,
    year: int,
    values: Mapping[str, Entry] | None = None,
    indicators: Mapping[str, Entry] | None = None,
    previous: Mapping[str, Decimal | int | None] | None = None,
) -> bytes:
    """The body's workbook for a report year as the bytes of an xlsx file.

    ``values`` by cell id and ``indicators`` by indicator id are written as they stand (None: left blank; a str as
    text); ``previous`` are last year's figures by cell id, for the rules across years. Raises KeyError for a cell that
    is not of the form.
    """
    unknown = set(values or {}) - set(form.by_id)
    if unknown:
        raise KeyError(min(unknown))
    book = Book()
    rules = load_rules(form.edition)
    settings = region.settings
    title = f"{body.name_zh}{year}年{form.declaration.title_zh}"
    note = f"填报单位：{body.name_zh}（{body.code}）　报告年度：{year}年　表式：{form.declaration.basis}"
    if settings.synthetic:
        note += f"\n{settings.synthetic_note_zh}"
    last_year = {cell: value for cell, value in (previous or {}).items() if value is not None}
    page = _FormSheet(book, form, rules, region, values or {}, last_year)
    page.write(title, note)
    asked = reported_indicators(region, body)
    if asked:
        supplement_sheet(book, region, asked, indicators or {})
    notes = (settings.synthetic_note_zh, settings.synthetic_note_en) if settings.synthetic else ("", "")
    guide_sheet(book, form, checks.applicable(rules, settings, last_year), notes)
    marks = {
        "product": MARK_PRODUCT,
        "edition": form.edition,
        "region": settings.code,
        "year": str(year),
        "body": body.code,
        "body_name": body.name_zh,
    }
    mark_sheet(book, marks)
    page.sheet.activate()
    book.file.set_properties({"title": title, "author": "Gongkai", "created": CREATED})
    book.file.close()
    return book.buffer.getvalue()
