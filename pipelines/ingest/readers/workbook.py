"""Excel workbooks (xlsx, xlsm, xlsb, xls) and WPS .et become Documents: one Grid a visible sheet.

Belongs here: values through calamine, and what calamine leaves out of xlsx (formulas without a result, error values,
the extent of a sheet before it is laid out). Does not belong here: the form; ods (opendocument.py).
"""

from __future__ import annotations

import functools
import io
import posixpath
import re
from typing import Literal
from xml.parsers import expat

from lxml import etree
from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

from pipelines.ingest.declined import Declined, decline
from pipelines.ingest.document import Document, Grid
from pipelines.ingest.limits import DEFAULT_LIMITS, MAX_POSITIONS, Limits
from pipelines.ingest.readers.container import Container, damaged
from pipelines.ingest.readers.ole import MAGIC as OLE
from pipelines.ingest.readers.sheet import SheetCell, marks_of, sheet_grid, value_cell
from pipelines.ingest.readers.spans import Budget, too_many
from pipelines.ingest.readers.xmlparts import attribute, local, parse, refuse_declarations
from pipelines.layout import MARK_SHEET

_REFERENCE = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")
_BEGIN = re.compile(
    rb'(?:<\?xml version="1\.0" encoding="UTF-8"(?: standalone="(?:yes|no)")?\?>)?\s*<worksheet xmlns="[^"<]*"[ >]'
)
_ODD = re.compile(rb"<(?:[!?]|[\w.-]+:(?:c|v|f|is|row)[\s/>])")  # comments, CDATA, instructions, other prefixes
_ODD_ROW = re.compile(rb'<row(?=[\s/>])(?! r="[0-9]{1,7}"[ />])')
# Cells with their places, those written in another way without.
_CELLS = re.compile(
    rb'<c(?: r="([A-Z]{1,3})([0-9]{1,7})"(?: s="[0-9]{1,9}")?(?: t="(?:s|n|str|b|inlineStr)")?/?>|[\s/>])'
)
# Formulas, but for those with their result behind them. A result that is text may be empty.
_ODD_FORMULA = re.compile(
    rb'<f(?=[\s/>])(?!(?<= t="str"><f)[ />]|(?<="><f)(?:>[^<]*</f>| [^<>]*>[^<]*</f>| [^<>]*/>)<v>[^<]+</v></c>)'
)
WHOLE = 1024 * 1024  # bytes of a sheet that may be looked at as a whole; a return has a tenth of it
Notes = dict[tuple[int, int], SheetCell]


def read(data: bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> Document:
    """Read a workbook. Raises Declined: encrypted, damaged, too large."""
    kind: Literal["xlsx", "xlsb", "xls"] = "xls"
    notes: dict[str, Notes] = {}
    if not data.startswith(OLE):
        if not data.startswith(b"PK"):  # a spreadsheet in the XML of 2003
            return _converted(data, name, limits)
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
            return _converted(data, name, limits)
        raise damaged(name, "工作簿内部结构有误", "its inner structure is broken") from fault
    except BaseException as fault:
        if type(fault).__name__ == "PanicException":  # calamine met what it took to be impossible
            raise damaged(name, "工作簿内部结构有误", "its inner structure is broken") from fault
        raise


def _converted(data: bytes, name: str, limits: Limits) -> Document:
    from pipelines.ingest.readers.legacy import convert

    document = read(convert(data, name, "xlsx", limits), name)
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
                if value != "" and (cell := value_cell(value)):
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
    return (int(match.group(2)) - 1, _column(match.group(1))) if match else None


@functools.lru_cache(maxsize=1024)
def _column(letters: str) -> int:
    column = 0
    for letter in letters.upper():
        column = column * 26 + ord(letter) - 64
    return column - 1


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
    """What calamine leaves out of one sheet; the extent of its cells is bounded first."""
    refuse_declarations(part, name)
    return {} if _is_plain(part, name) else _scan_cells(part, name)


def _is_plain(part: bytes, name: str) -> bool:
    """Whether a small sheet is sound, within bounds and leaves nothing out, told from its bytes: True for most returns.

    Every cell must be written as office programs write it, with its place, with no error value and with the result of
    its formula. A sheet with anything else in it is looked through cell by cell, several times slower.
    """
    begin = _BEGIN.match(part)
    if len(part) > WHOLE or begin is None or _ODD.search(part, begin.end()):
        return False
    if part.count(b"<") != part.count(b">"):
        return False  # one in a text: what looks like a tag might be none
    cells = set(_CELLS.findall(part))
    if (b"", b"") in cells or _ODD_ROW.search(part) or _ODD_FORMULA.search(part):
        return False
    try:
        expat.ParserCreate(namespace_separator=" ").Parse(part, True)
    except expat.ExpatError:
        return False
    if not cells:
        return True
    columns = [_column(letters.decode()) for letters in {letters for letters, _ in cells}]
    rows = [int(digits) for digits in {digits for _, digits in cells}]
    try:
        Budget(name).take(max(rows) - min(rows) + 1, max(columns) - min(columns) + 1)
    except Declined:
        return False  # cells whose text is empty do not count; they are told apart one by one
    return True


def _scan_cells(part: bytes, name: str) -> Notes:
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
