"""Excel workbooks (xlsx, xlsm, xlsb, xls) and WPS .et become Documents: one Grid a visible sheet.

Belongs here: values through calamine, and what calamine leaves out of xlsx (formulas without a result, error values,
the extent of a sheet before it is laid out). Does not belong here: the form; ods (opendocument.py).
"""

from __future__ import annotations

import io
import posixpath
import re
from typing import Literal

from lxml import etree
from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

from pipelines.ingest.declined import decline
from pipelines.ingest.document import Document, Grid
from pipelines.ingest.limits import MAX_POSITIONS
from pipelines.ingest.readers.container import Container, damaged
from pipelines.ingest.readers.ole import MAGIC as OLE
from pipelines.ingest.readers.sheet import SheetCell, marks_of, sheet_grid, value_cell
from pipelines.ingest.readers.spans import Budget, too_many
from pipelines.ingest.readers.xmlparts import attribute, local, parse, refuse_declarations
from pipelines.layout import MARK_SHEET

_REFERENCE = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")
Notes = dict[tuple[int, int], SheetCell]


def read(data: bytes, name: str) -> Document:
    """Read a workbook. Raises Declined: encrypted, damaged, too large."""
    kind: Literal["xlsx", "xlsb", "xls"] = "xls"
    notes: dict[str, Notes] = {}
    if not data.startswith(OLE):
        if not data.startswith(b"PK"):  # a spreadsheet in the XML of 2003
            return _converted(data, name)
        container = Container(data, name)
        container.verify()
        kind = "xlsx" if "xl/workbook.xml" in container else "xlsb"
        if kind == "xlsx":
            notes = _notes(container)
    try:
        return _read(data, name, kind, notes)
    except PasswordError as fault:
        raise decline("encrypted_file", name) from fault
    except CalamineError as fault:
        if kind == "xls":  # WPS and old programs write files that only an office program understands
            return _converted(data, name)
        raise damaged(name, "工作簿内部结构有误", "its inner structure is broken") from fault
    except BaseException as fault:
        if type(fault).__name__ == "PanicException":  # calamine met what it took to be impossible
            raise damaged(name, "工作簿内部结构有误", "its inner structure is broken") from fault
        raise


def _converted(data: bytes, name: str) -> Document:
    from pipelines.ingest.readers.legacy import convert

    document = read(convert(data, name, "xlsx"), name)
    return Document(format="xls", items=document.items, marks=document.marks)


def _read(data: bytes, name: str, kind: Literal["xlsx", "xlsb", "xls"], notes: dict[str, Notes]) -> Document:
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    budget = Budget(name)
    grids: list[Grid] = []
    marks: dict[str, str] = {}
    for about in book.sheets_metadata:
        ours = about.name == MARK_SHEET
        if about.typ != SheetTypeEnum.WorkSheet or not (ours or about.visible == SheetVisibleEnum.Visible):
            continue
        sheet = book.get_sheet_by_name(about.name)
        if sheet.total_height > 0:
            Budget(name, budget.left).take(sheet.height, sheet.width)
        cells: dict[tuple[int, int], SheetCell] = {}
        start_row, start_column = sheet.start or (0, 0)
        for row, values in enumerate(sheet.to_python(skip_empty_area=True), start=start_row):
            for column, value in enumerate(values, start=start_column):
                cell = value_cell(value)
                if cell:
                    cells[row, column] = cell
        cells.update(notes.get(about.name, {}))
        if ours:
            marks = marks_of(cells)
            continue
        grid = sheet_grid(about.name, cells, sheet.merged_cell_ranges or [], budget)
        if grid:
            grids.append(grid)
    if not grids:
        raise decline("empty_file", name)
    return Document(format=kind, items=tuple(grids), marks=marks)


def _position(reference: str) -> tuple[int, int] | None:
    match = _REFERENCE.fullmatch(reference)
    if not match:
        return None
    column = 0
    for letter in match.group(1).upper():
        column = column * 26 + ord(letter) - 64
    return int(match.group(2)) - 1, column - 1


def _notes(container: Container) -> dict[str, Notes]:
    """By visible sheet: cells that hold a formula without a result or an error value, which calamine reads as empty.

    Raises Declined where the cells of a sheet lie so far apart that laying them out would cost too much.
    """
    book = parse(container.read("xl/workbook.xml"), container.name)
    targets: dict[str, str] = {}
    if "xl/_rels/workbook.xml.rels" in container:
        for relation in parse(container.read("xl/_rels/workbook.xml.rels"), container.name):
            target = relation.get("Target", "")
            path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}")
            targets[relation.get("Id", "")] = path
    for part in ("xl/sharedStrings.xml", "xl/styles.xml"):
        if part in container:
            refuse_declarations(container.read(part), container.name)
    notes: dict[str, Notes] = {}
    for sheet in book.iter("{*}sheet"):
        part = targets.get(attribute(sheet, "id"), "")
        if part in container:
            notes[sheet.get("name", "")] = _scan(container.read(part), container.name)
    return notes


def _scan(part: bytes, name: str) -> Notes:
    refuse_declarations(part, name)
    found: Notes = {}
    count = 0
    rows: list[int] = []
    columns: list[int] = []
    row, column = -1, -1
    events = etree.iterparse(
        io.BytesIO(part), events=("start", "end"), tag=("{*}row", "{*}c"), resolve_entities=False, no_network=True
    )
    try:
        for event, element in events:
            tag = local(element)
            if event == "start":
                if tag == "row":
                    row, column = int(element.get("r", row + 2)) - 1, -1
                continue
            if tag == "c":
                reference = element.get("r")
                # Calamine makes a place of any reference, and room for all cells up to there.
                place = _position(reference) if reference is not None else (row, column + 1)
                if place is None:
                    raise ValueError(reference)
                row, column = place
                cell, filled = _cell(element)
                if filled:
                    count += 1
                    rows = [min([*rows[:1], row]), max([*rows[1:], row])]
                    columns = [min([*columns[:1], column]), max([*columns[1:], column])]
                if cell:
                    found[place] = cell
                if count > MAX_POSITIONS:
                    raise too_many(name, count, MAX_POSITIONS, "个单元格", "cells")
            element.clear()
    except (etree.XMLSyntaxError, ValueError) as fault:
        raise damaged(name, "工作表不完整", "a sheet is incomplete") from fault
    if rows:
        Budget(name).take(rows[1] - rows[0] + 1, columns[1] - columns[0] + 1)
    return found


def _cell(element: etree._Element) -> tuple[SheetCell | None, bool]:
    """(what calamine leaves out, whether there is anything in the cell)."""
    value, formula, inline = None, None, None
    for child in element:
        tag = local(child)
        if tag == "v":
            value = child.text
        elif tag == "f":
            formula = child.text or ""
        elif tag == "is":
            inline = child
    if formula is not None and not value and element.get("t") != "str":
        return SheetCell(f"={formula}", formula=True), True
    if element.get("t") == "e" and value:
        return SheetCell(value), True
    return None, bool(value) or inline is not None
