"""PDF files with a text layer become Documents: ruled tables as Grids (one a page part), other text as paragraphs.

Belongs here: where text stands on a page. Does not belong here: joining a table that a page break parts (the matcher
does), recognising pictures of text.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Sequence
from typing import Any

import pdfplumber
from pdfplumber.utils.exceptions import PdfminerException
from pdfplumber.utils.text import extract_text

from pipelines.ingest.declined import decline
from pipelines.ingest.document import Document, Grid, Paragraph, TextCell
from pipelines.ingest.limits import MAX_PAGES
from pipelines.ingest.readers.container import damaged
from pipelines.ingest.readers.spans import Budget, too_many

Box = tuple[float, float, float, float]  # left, top, right, bottom in points
_LOCKED = ("PDFPasswordIncorrect", "PDFEncryptionError")  # of the parser beneath pdfplumber
_NEAR = 3.0  # points within which two ruled lines are one
_TEXT_ROWS = 3  # so many full-width rows in a row are shaded text, not rows of a table
_CHINESE = re.compile(r"[\u2e80-\u9fff\uff00-\uffef]")
_CODE = re.compile(r"\(cid:\d+\)")


def read(data: bytes, name: str) -> Document:
    """Read a PDF. Raises Declined: encrypted, damaged, scanned, too many pages, fonts that hide their characters."""
    losses = _Losses()
    parser = logging.getLogger("pdfminer.pdftypes")
    parser.addHandler(losses)
    try:
        with pdfplumber.open(io.BytesIO(data)) as pdf:
            document = _read(pdf, name)
        if losses.found:
            raise damaged(name, "PDF 的内容与校验和不符", "contents of the PDF do not match their checksum")
        return document
    except PdfminerException as fault:
        cause = fault.args[0] if fault.args else None
        if type(cause).__name__ in _LOCKED:
            raise decline("encrypted_file", name) from fault
        if isinstance(cause, MemoryError):
            raise cause from fault  # the sandbox has its own words for it
        raise damaged(name, "PDF 结构不完整", "its PDF structure is incomplete") from fault
    finally:
        parser.removeHandler(losses)


class _Losses(logging.Handler):
    """Hears the parser beneath pdfplumber say that a part was damaged on the way: it reads on, with false figures."""

    found = False

    def emit(self, record: logging.LogRecord) -> None:
        """Remember a loss; the parser has no other way to tell."""
        self.found = self.found or record.getMessage().startswith("Data-loss")


def _read(pdf: Any, name: str) -> Document:  # noqa: ANN401  (pdfplumber ships no usable types)
    if not pdf.pages:
        raise damaged(name, "PDF 没有页面", "it has no pages")
    if len(pdf.pages) > MAX_PAGES:
        raise too_many(name, len(pdf.pages), MAX_PAGES, "页", "pages")
    budget = Budget(name)
    items: list[Paragraph | Grid] = []
    pictured = False
    characters, codes = 0, 0
    for page in pdf.pages:
        text = "".join(character["text"] for character in page.chars)
        characters += len(text)
        codes += len(_CODE.findall(text))
        pictured = pictured or (not text.strip() and bool(page.images))
        items += _Page(page, budget).items()
        page.close()
    if not any(isinstance(item, Grid) for item in items) and (pictured or not items):
        raise decline("scanned_document" if pictured else "empty_file", name)
    if codes * 4 > characters - codes * 8:
        raise decline(
            "mojibake",
            name,
            reason="PDF 的字体没有文字编码",
            reason_en="the fonts of the PDF do not say which characters they show",
        )
    return Document(format="pdf", items=tuple(items))


class _Page:
    """One page: its tables, and its lines outside them."""

    def __init__(self, page: Any, budget: Budget) -> None:  # noqa: ANN401
        self.page = page
        self.budget = budget
        self.number = page.page_number

    def items(self) -> list[Paragraph | Grid]:
        """Paragraphs and grids from top to bottom."""
        found: list[tuple[float, Paragraph | Grid]] = []
        taken: list[Box] = []
        for table in self.page.find_tables() if self.page.edges else ():
            cells = _data_cells([tuple(cell) for cell in table.cells])
            if cells:
                at = f"第{self.number}页 表格{len(found) + 1}"
                found.append((min(cell[1] for cell in cells), self._grid(cells, at)))
                taken.append(_around(cells))
        rest = self.page.filter(lambda thing: not _within(thing, taken)) if taken else self.page
        lines = rest.extract_text_lines(return_chars=True)
        found += [
            (top, Paragraph(text=text, at=f"第{self.number}页"))
            for top, text in _paragraphs(lines, [top for top, _ in found], self.page.width)
        ]
        return [item for _, item in sorted(found, key=lambda entry: entry[0])]

    def _grid(self, cells: Sequence[Box], at: str) -> Grid:
        columns = _edges([edge for cell in cells for edge in (cell[0], cell[2])])
        rows = _edges([edge for cell in cells for edge in (cell[1], cell[3])])
        self.budget.take(len(rows), len(columns))
        # A table cut by a page break may have cells without a border; they stand where the other lines put them.
        area, boxes = _around(cells), list(cells)
        inside: dict[int, list[dict[str, Any]]] = {}
        for character in self.page.chars:
            position = _cell_of(character, boxes)
            if position is None and _cell_of(character, [area]) is not None and character["text"].strip():
                x, y = _middle(character)
                boxes.append(_between(columns, x, y, rows))
                position = len(boxes) - 1
            if position is not None:
                inside.setdefault(position, []).append(character)
        made: list[TextCell] = []
        for position, cell in enumerate(boxes):
            left, right = _index(columns, cell[0]), _index(columns, cell[2])
            top, bottom = _index(rows, cell[1]), _index(rows, cell[3])
            made.append(
                TextCell(
                    row=top,
                    column=left,
                    rows=max(1, bottom - top),
                    columns=max(1, right - left),
                    text=extract_text(inside.get(position, [])),
                    at=f"{at} 第{top + 1}行第{left + 1}列",
                )
            )
        return Grid(cells=tuple(sorted(made, key=lambda cell: (cell.row, cell.column))), at=at)


def _around(cells: Sequence[Box]) -> Box:
    return (
        min(cell[0] for cell in cells),
        min(cell[1] for cell in cells),
        max(cell[2] for cell in cells),
        max(cell[3] for cell in cells),
    )


def _between(columns: Sequence[float], x: float, y: float, rows: Sequence[float]) -> Box:
    """The position of the grid that a point lies in."""
    column = max(0, sum(edge <= x for edge in columns) - 1)
    row = max(0, sum(edge <= y for edge in rows) - 1)
    return (
        columns[column],
        rows[row],
        columns[min(column + 1, len(columns) - 1)],
        rows[min(row + 1, len(rows) - 1)],
    )


def _data_cells(cells: Sequence[Any]) -> list[Box]:
    """The cells of a table without the shaded lines of text above and below it, none where there is nothing else.

    Some programs draw a box behind every line of text; such boxes are as wide as the whole and stand in a row. A head
    that spans the table is one such row, so the nearest one stays.
    """
    if not cells:
        return []
    left, right = min(cell[0] for cell in cells), max(cell[2] for cell in cells)
    ordered = sorted(cells, key=lambda cell: (cell[1], cell[0]))
    wide = [cell[0] - left < _NEAR and right - cell[2] < _NEAR for cell in ordered]
    if all(wide):
        return []
    first = wide.index(False)
    last = len(wide) - wide[::-1].index(False)
    above = first - 1 if first >= _TEXT_ROWS else 0
    below = len(wide) if len(wide) - last < _TEXT_ROWS else last
    return list(ordered[above:below])


def _edges(values: list[float]) -> list[float]:
    edges: list[float] = []
    for value in sorted(values):
        if not edges or value - edges[-1] > _NEAR:
            edges.append(value)
    return edges


def _index(edges: Sequence[float], value: float) -> int:
    return min(range(len(edges)), key=lambda position: abs(edges[position] - value))


def _middle(thing: dict[str, Any]) -> tuple[float, float]:
    return (thing["x0"] + thing["x1"]) / 2, (thing["top"] + thing["bottom"]) / 2


def _cell_of(thing: dict[str, Any], cells: Sequence[Box]) -> int | None:
    x, y = _middle(thing)
    return next(
        (n for n, (left, top, right, bottom) in enumerate(cells) if left <= x < right and top <= y < bottom), None
    )


def _within(thing: dict[str, Any], boxes: Sequence[Box]) -> bool:
    return thing.get("object_type") == "char" and _cell_of(thing, boxes) is not None


def _paragraphs(lines: Sequence[dict[str, Any]], tables: Sequence[float], width: float) -> list[tuple[float, str]]:
    """(top, text) of paragraphs. A line goes on in the next one if it is full and the next is not indented."""
    if not lines:
        return []
    left, right = min(line["x0"] for line in lines), max(line["x1"] for line in lines)
    found: list[tuple[float, str]] = []
    before: dict[str, Any] | None = None
    for line in sorted(lines, key=lambda entry: entry["top"]):
        size = line["chars"][0]["size"] if line["chars"] else 12.0
        goes_on = (
            before is not None
            and before["x1"] > right - 2.5 * size
            and before["x1"] - before["x0"] > width / 2
            and line["x0"] < left + size
            and line["top"] - before["bottom"] < 2 * size
            and not any(before["top"] < table < line["top"] for table in tables)
        )
        if goes_on:
            top, text = found[-1]
            found[-1] = (top, _joined(text, line["text"]))
        else:
            found.append((line["top"], line["text"]))
        before = line
    return found


def _joined(first: str, second: str) -> str:
    gap = "" if _CHINESE.match(first[-1:]) or _CHINESE.match(second[:1]) else " "
    return f"{first}{gap}{second}"
