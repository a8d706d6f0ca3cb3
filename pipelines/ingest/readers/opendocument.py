"""OpenDocument spreadsheets (ods) become Documents: one Grid a visible sheet, numbers exactly as written.

Belongs here: content.xml of a spreadsheet, read directly because merged cells and formulas without a result matter.
Does not belong here: text documents (legacy.py converts them).
"""

from __future__ import annotations

from lxml import etree

from pipelines.ingest.declined import decline
from pipelines.ingest.document import Document, Grid
from pipelines.ingest.limits import MAX_POSITIONS
from pipelines.ingest.readers.container import Container, damaged
from pipelines.ingest.readers.sheet import Merge, SheetCell, marks_of, number_text, sheet_grid
from pipelines.ingest.readers.spans import Budget, too_many
from pipelines.ingest.readers.xmlparts import attribute, local, parse
from pipelines.layout import MARK_SHEET

_NUMBERS = frozenset({"float", "percentage", "currency"})
_GROUPS = frozenset({"table-row-group", "table-header-rows", "table-rows"})
_FAR = 1 << 21  # rows and columns counted no further than this: more than any program has


def read(data: bytes, name: str) -> Document:
    """Read an ods. Raises Declined: damaged, too large."""
    container = Container(data, name)
    root = parse(container.read("content.xml"), name)
    hidden = {
        attribute(style, "name")
        for style in root.iter("{*}style")
        if any(attribute(child, "display") == "false" for child in style if local(child) == "table-properties")
    }
    budget = Budget(name)
    grids: list[Grid] = []
    marks: dict[str, str] = {}
    tables = [table for table in root.iter("{*}table") if local(table) == "table"]
    if not tables:
        raise damaged(name, "没有工作表", "it has no sheet")
    for table in tables:
        title = attribute(table, "name")
        if title != MARK_SHEET and attribute(table, "style-name") in hidden:
            continue
        cells, merges = _Sheet(name).read(table)
        if title == MARK_SHEET:
            marks = marks_of(cells)
            continue
        grid = sheet_grid(title, cells, merges, budget)
        if grid:
            grids.append(grid)
    if not grids:
        raise decline("empty_file", name)
    return Document(format="ods", items=tuple(grids), marks=marks)


def _times(element: etree._Element, name: str) -> int:
    text = attribute(element, name)
    return min(max(1, int(text)), _FAR) if text.isdecimal() and len(text) < 12 else 1


class _Sheet:
    def __init__(self, name: str) -> None:
        self.name = name
        self.cells: dict[tuple[int, int], SheetCell] = {}
        self.merges: list[Merge] = []
        self.row = 0

    def read(self, table: etree._Element) -> tuple[dict[tuple[int, int], SheetCell], list[Merge]]:
        self._rows(table)
        return self.cells, self.merges

    def _rows(self, parent: etree._Element) -> None:
        for child in parent:
            tag = local(child)
            if tag in _GROUPS:
                self._rows(child)
            elif tag == "table-row":
                self._row(child)

    def _row(self, element: etree._Element) -> None:
        repeat = _times(element, "number-rows-repeated")
        column = 0
        filled: list[tuple[int, SheetCell]] = []
        for child in element:
            if local(child) not in ("table-cell", "covered-table-cell"):
                continue
            times = _times(child, "number-columns-repeated")
            if local(child) == "table-cell":
                rows, columns = _times(child, "number-rows-spanned"), _times(child, "number-columns-spanned")
                if rows > 1 or columns > 1:
                    self.merges.append(((self.row, column), (self.row + rows - 1, column + columns - 1)))
                cell = _cell(child)
                if cell:
                    self._afford(times)
                    filled += [(column + n, cell) for n in range(times)]
            column += times
        if filled:
            self._afford(repeat * len(filled))
            for n in range(repeat):
                for place, cell in filled:
                    self.cells[self.row + n, place] = cell
        self.row += repeat

    def _afford(self, more: int) -> None:
        if len(self.cells) + more > MAX_POSITIONS:
            raise too_many(self.name, len(self.cells) + more, MAX_POSITIONS, "个单元格", "cells")


def _cell(element: etree._Element) -> SheetCell | None:
    kind = attribute(element, "value-type")
    words = "\n".join(_words(child) for child in element if local(child) == "p")
    value = attribute(element, "value")
    if value and kind in _NUMBERS and not words.startswith(("#", "Err:")):
        exact = number_text(float(value)) if "e" in value.lower() else value
        return SheetCell(exact, number=exact)
    date = attribute(element, "date-value") or attribute(element, "time-value")
    if date:
        return SheetCell(date.replace("T", " "))
    if words:
        return SheetCell(words)
    formula = attribute(element, "formula")
    if formula and kind != "string":
        return SheetCell(f"={formula.removeprefix('of:').removeprefix('=')}", formula=True)
    return None


def _words(element: etree._Element) -> str:
    parts = [element.text or ""]
    for child in element:
        tag = local(child)
        if tag == "s":
            parts.append(" " * min(_times(child, "c"), 200))
        elif tag in ("tab", "line-break"):
            parts.append("\t" if tag == "tab" else "\n")
        elif tag not in ("annotation", "note"):
            parts.append(_words(child))
        parts.append(child.tail or "")
    return "".join(parts)
