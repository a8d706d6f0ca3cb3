"""A file as paragraphs and grids of text with addresses: what every reader makes and the one matcher takes.

Belongs here: the frozen Document and how spans fill a grid. Does not belong here: reading a format, or knowing the
form.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Format = Literal[
    "xlsx",
    "xls",
    "xlsb",
    "ods",
    "docx",
    "doc",
    "wps",
    "rtf",
    "odt",
    "html",
    "pdf",
    "text",
    "csv",
    "json",
    "zip",
    "unknown",
]


class Paragraph(msgspec.Struct, frozen=True, kw_only=True):
    """One paragraph or line of running text, verbatim. ``at`` is a person's address, such as ``第3段`` or ``第2页``."""

    text: str
    at: str = ""


class TextCell(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of a grid, 0-based, covering ``rows`` x ``columns``.

    ``text`` verbatim ("" for an empty cell). ``number`` is the exact text of a numeric cell where the format stores
    numbers (never through binary rounding that shows). ``formula``: the cell holds a formula without cached result.
    """

    row: int
    column: int
    text: str
    rows: int = 1
    columns: int = 1
    number: str = ""
    formula: bool = False
    at: str = ""


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """A table as it stands. Positions that no cell covers do not exist. ``title``: sheet name or caption."""

    cells: tuple[TextCell, ...]
    at: str = ""
    title: str = ""

    @property
    def rows(self) -> int:
        """Height in rows."""
        return max((cell.row + cell.rows for cell in self.cells), default=0)

    @property
    def columns(self) -> int:
        """Width in columns."""
        return max((cell.column + cell.columns for cell in self.cells), default=0)

    def filled(self) -> dict[tuple[int, int], TextCell]:
        """Every covered position and the cell that covers it (a merged cell at each of its positions)."""
        found: dict[tuple[int, int], TextCell] = {}
        for cell in self.cells:
            if cell.rows == 1 == cell.columns:
                found[cell.row, cell.column] = cell
                continue
            for row in range(cell.row, cell.row + cell.rows):
                for column in range(cell.column, cell.column + cell.columns):
                    found[row, column] = cell
        return found


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A file in reading order. ``marks`` are the hidden marks of our own workbook (see pipelines/layout.py) or what a
    tidy file states about the whole return, else {}.

    ``tidy`` holds (cell id, raw text, address) triples of a csv or json in our own tidy form, which names its cells.
    """

    format: Format
    items: tuple[Paragraph | Grid, ...] = ()
    marks: dict[str, str] = {}
    tidy: tuple[tuple[str, str, str], ...] = ()
