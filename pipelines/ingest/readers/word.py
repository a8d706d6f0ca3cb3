"""Word documents (docx, docm) become Documents: paragraphs and tables in reading order, as a reader on paper sees them.

Belongs here: the parts of document.xml that carry text. Does not belong here: headers, footers, notes, comments;
automatic numbering (the number of a list paragraph is not text and is not invented).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from lxml import etree

from pipelines.ingest.declined import decline
from pipelines.ingest.document import Document, Grid, Paragraph
from pipelines.ingest.limits import MAX_COLUMNS, MAX_DEPTH
from pipelines.ingest.readers.container import Container, hostile
from pipelines.ingest.readers.flow import Flow, is_data
from pipelines.ingest.readers.xmlparts import attribute, bare, parse

_MAIN = re.compile(r"word/document\d*\.xml")
# Wrappers that are transparent, and those whose content is not in the document as it now stands.
_THROUGH = frozenset(
    {"sdt", "sdtContent", "ins", "moveTo", "smartTag", "customXml", "hyperlink", "fldSimple", "dir", "bdo"}
)
_GONE = frozenset({"del", "moveFrom", "delText", "instrText", "delInstrText", "rPr", "pPr", "sdtPr", "sdtEndPr", "rt"})
_OFF = frozenset({"0", "false", "off"})
_FEW_WORDS = 40
_HAIR = 80  # twentieths of a point, 1.4 mm: no figure fits in between


def read(data: bytes, name: str) -> Document:
    """Read a docx. Raises Declined: damaged, encrypted parts, nesting or spans beyond bounds, pictures without text."""
    container = Container(data, name)
    part = next(part for part in container.names if _MAIN.fullmatch(part))
    content = container.read(part)
    root = parse(content, name)
    body = next((child for child in root if bare(child.tag) == "body"), None)
    # In UTF-8 the name of the flag stands in the bytes, or it stands nowhere.
    hides = b"vanish" in content or root.getroottree().docinfo.encoding != "UTF-8"
    reader = _Body(name, hides)
    if body is not None:
        reader.blocks(body, 0)
    items = tuple(reader.flow.items)
    words = sum(len(item.text) for item in items if isinstance(item, Paragraph))
    grids = any(isinstance(item, Grid) for item in items)
    if not grids and words < _FEW_WORDS and any(part.startswith("word/media/") for part in container.names):
        raise decline("scanned_document", name)
    if not items:
        raise decline("empty_file", name)
    return Document(format="docx", items=items)


Properties = dict[str, etree._Element]


def _on(properties: Properties, flag: str) -> bool:
    """Whether a flag such as ``vanish`` stands among the properties and is not switched off."""
    return flag in properties and attribute(properties[flag], "val") not in _OFF


def _entries(properties: etree._Element) -> Properties:
    """The entries of an element's properties by name; of two of a name the first counts."""
    found: Properties = {}
    for entry in properties:
        found.setdefault(bare(entry.tag), entry)
    return found


def _properties(parent: etree._Element, properties: str) -> Properties:
    """The entries of an element's properties by name, {} where it has none."""
    for child in parent:
        if bare(child.tag) == properties:
            return _entries(child)
    return {}


def _children(parent: etree._Element, wanted: str) -> Iterator[etree._Element]:
    """Children of a kind, also inside content controls and tracked insertions."""
    for child in parent:
        tag = bare(child.tag)
        if tag == wanted:
            yield child
        elif tag in _THROUGH:
            yield from _children(child, wanted)


class _Row(NamedTuple):
    """A table row taken apart: its properties and its cells."""

    properties: Properties
    cells: list[etree._Element]


def _row(element: etree._Element) -> _Row:
    found = _Row({}, [])
    for child in element:
        tag = bare(child.tag)
        if tag == "tc":
            found.cells.append(child)
        elif tag == "trPr" and not found.properties:
            found.properties.update(_entries(child))
        elif tag in _THROUGH:
            found.cells.extend(_children(child, "tc"))
    return found


class _Cell:
    """A table cell before its height is known."""

    def __init__(self, row: int, column: int, span: int, element: etree._Element) -> None:
        self.row, self.column, self.span, self.element = row, column, span, element
        self.height = 1


class _Body:
    """Walks a document. ``hides``: whether some run in it may be hidden."""

    def __init__(self, name: str, hides: bool) -> None:
        self.name = name
        self.hides = hides
        self.flow = Flow(name)

    def blocks(self, parent: etree._Element, depth: int) -> None:
        self.flow.depth(depth)
        for child in parent:
            tag = bare(child.tag)
            if tag == "p":
                boxes: list[etree._Element] = []
                self.flow.paragraph(self.text(child, boxes, depth + 1))
                for box in boxes:
                    self.blocks(box, depth + 1)
            elif tag == "tbl":
                self.table(child, depth + 1)
            elif tag in _THROUGH:
                self.blocks(child, depth + 1)

    def text(self, parent: etree._Element, boxes: list[etree._Element], depth: int) -> str:
        """The text of a paragraph; text boxes anchored in it are put into ``boxes``."""
        parts: list[str] = []
        self.pieces(parent, parts, boxes, depth)
        return "".join(parts)

    def pieces(self, parent: etree._Element, parts: list[str], boxes: list[etree._Element], depth: int) -> None:
        """The pieces of text of a paragraph or of what stands in it, in order."""
        if depth > MAX_DEPTH:
            self.flow.depth(depth)
        for child in parent:
            tag = bare(child.tag)
            if tag == "r":
                self.run(child, parts, boxes, depth + 1)
            elif tag in _GONE:
                continue
            elif tag == "t":
                parts.append(child.text or "")
            elif tag in ("br", "cr"):
                parts.append("\n")
            elif tag in ("tab", "ptab"):
                parts.append("\t")
            elif tag == "noBreakHyphen":
                parts.append("-")
            elif tag == "txbxContent":
                boxes.append(child)
            elif tag == "AlternateContent":  # the same content twice; the first choice is what Word shows
                choice = next((option for option in child if bare(option.tag) in ("Choice", "Fallback")), None)
                if choice is not None:
                    self.pieces(choice, parts, boxes, depth + 1)
            else:
                self.pieces(child, parts, boxes, depth + 1)

    def run(self, run: etree._Element, parts: list[str], boxes: list[etree._Element], depth: int) -> None:
        """The pieces of a run, unless it is hidden."""
        texts: list[str] = []
        for child in run:
            tag = bare(child.tag)
            if tag == "t":
                texts.append(child.text or "")
            elif tag != "rPr":
                break
            elif self.hides and _on(_entries(child), "vanish"):
                return
        else:  # nothing but text, as in most runs
            if depth > MAX_DEPTH:
                self.flow.depth(depth)
            parts += texts
            return
        if not (self.hides and _on(_properties(run, "rPr"), "vanish")):
            self.pieces(run, parts, boxes, depth)

    def cell_text(self, cell: etree._Element, boxes: list[etree._Element], depth: int) -> str:
        self.flow.depth(depth)
        lines: list[str] = []
        for child in cell:
            tag = bare(child.tag)
            if tag == "p":
                lines.append(self.text(child, boxes, depth + 1))
            elif tag == "tbl":  # too small to be data: its text belongs to this cell
                for row in _children(child, "tr"):
                    lines += [self.cell_text(inner, boxes, depth + 2) for inner in _children(row, "tc")]
            elif tag in _THROUGH:
                lines.append(self.cell_text(child, boxes, depth + 1))
        return "\n".join(line for line in lines if line)

    def table(self, table: etree._Element, depth: int) -> None:
        rows = [
            row
            for row in map(_row, _children(table, "tr"))
            if "del" not in row.properties and not _on(row.properties, "hidden")
        ]
        cells = [cell for row in rows for cell in row.cells]
        nested = next(table.iterdescendants("{*}tbl"), None) is not None
        if len(cells) <= 1 or (nested and any(_holds_data(cell) for cell in cells)):
            for cell in cells:
                self.blocks(cell, depth + 1)
            return
        self._grid(table, rows, depth)

    def _grid(self, table: etree._Element, rows: list[_Row], depth: int) -> None:
        laid: list[list[_Cell]] = []
        above: dict[int, _Cell] = {}  # by left column: the cell that a merge from above would continue
        lines = _Lines(table, rows)
        for number, row in enumerate(rows):
            drawn = _size(row.properties.get("gridBefore"))
            line: list[_Cell] = []
            below: dict[int, _Cell] = {}
            for element in row.cells:
                stated = _properties(element, "tcPr")
                width = max(1, _size(stated.get("gridSpan")))
                if drawn + width > MAX_COLUMNS:
                    raise hostile(self.name, f"有单元格跨 {width} 列", f"a cell spans {width} columns")
                column, span = lines.place(drawn, drawn + width)
                drawn += width
                if not span:
                    continue
                merge, left = stated.get("vMerge"), stated.get("hMerge")
                continues = merge is not None and attribute(merge, "val") != "restart"
                if left is not None and attribute(left, "val") != "restart" and line:
                    line[-1].span += span
                elif continues and column in above and above[column].span == span:
                    above[column].height += 1
                    below[column] = above[column]
                else:
                    cell = _Cell(number, column, span, element)
                    line.append(cell)
                    below[column] = cell
            laid.append(line)
            above = below
        grid = self.flow.begin_table()
        boxes: list[etree._Element] = []
        for line in laid:
            grid.row()
            for cell in line:
                grid.place(cell.column)
                grid.cell(self.cell_text(cell.element, boxes, depth + 1), cell.height, cell.span)
        self.flow.end_table(grid)
        for box in boxes:
            self.blocks(box, depth + 1)


def _size(element: etree._Element | None, name: str = "val") -> int:
    text = attribute(element, name) if element is not None else ""
    return int(text) if text.isdecimal() and len(text) < 10 else 0


class _Lines:
    """The vertical lines of a table. Lines that hands and programs drew a hair apart count as one.

    Where that would leave fewer columns than a row has cells, the widths are not to be trusted and every line counts.
    """

    def __init__(self, table: etree._Element, rows: list[_Row]) -> None:
        widths = [_size(column, "w") for grid in _children(table, "tblGrid") for column in _children(grid, "gridCol")]
        self._merged = [0]
        edge, kept = 0, 0
        for width in widths[:MAX_COLUMNS]:
            edge += width
            apart = edge - kept >= _HAIR
            kept = edge if apart else kept
            self._merged.append(self._merged[-1] + apart)
        if self._merged[-1] < max((len(row.cells) for row in rows), default=0):
            self._merged = list(range(len(widths) + 1))

    def place(self, first: int, last: int) -> tuple[int, int]:
        """(left column, columns) of a cell between two lines; 0 columns for a cell that is but a hair wide."""
        left, right = self._line(first), self._line(last)
        return left, right - left

    def _line(self, number: int) -> int:
        beyond = number - len(self._merged) + 1
        return self._merged[-1] + beyond if beyond > 0 else self._merged[number]


def _holds_data(cell: etree._Element) -> bool:
    for inner in cell.iter("{*}tbl"):
        rows = [list(_children(row, "tc")) for row in _children(inner, "tr")]
        if is_data(len(rows), max((len(row) for row in rows), default=0)):
            return True
    return False
