"""Cells with spans laid on a grid, as web pages, documents and spreadsheets state them, within bounds.

Belongs here: where a cell lands when earlier cells reach into its row. Does not belong here: any format.
"""

from __future__ import annotations

from pipelines.ingest.declined import Declined, decline
from pipelines.ingest.document import TextCell
from pipelines.ingest.limits import MAX_COLUMNS, MAX_POSITIONS, MAX_ROWS


class Budget:
    """What a document may still cover in positions; one for all its grids."""

    def __init__(self, name: str, positions: int = MAX_POSITIONS) -> None:
        self.name = name
        self.left = positions

    def take(self, rows: int, columns: int) -> None:
        """Use rows x columns positions. Raises Declined when the file asks for more than any return has."""
        if rows > MAX_ROWS:
            raise too_many(self.name, rows, MAX_ROWS, "行", "rows")
        if columns > MAX_COLUMNS:
            raise too_many(self.name, columns, MAX_COLUMNS, "列", "columns")
        self.cover(rows * columns)

    def cover(self, positions: int) -> None:
        """Use so many positions. Raises Declined as ``take``."""
        self.left -= positions
        if self.left < 0:
            raise too_many(self.name, MAX_POSITIONS - self.left, MAX_POSITIONS, "个单元格", "cells")


def too_many(name: str, found: int, limit: int, unit: str, unit_en: str) -> Declined:
    """The answer to a table or text larger than any return."""
    return decline(
        "too_large",
        name,
        found=f"有 {found} {unit}",
        found_en=f"{found} {unit_en}",
        limit=f"{limit} {unit}",
        limit_en=f"{limit} {unit_en}",
    )


class Spanned:
    """Rows of (text, rows, columns) laid out one after another, as HTML does it.

    A row span that reaches beyond the last row is cut there; overlapping spans give way to the cell that came first.
    """

    def __init__(self, at: str, budget: Budget) -> None:
        self.at = at
        self._budget = budget
        self._cells: list[TextCell] = []
        self._open: dict[int, int] = {}  # column -> first row that is free again
        self._row = -1
        self._column = 0
        self._line = f"{at} 第0行"

    def row(self) -> None:
        """Begin the next row."""
        self._row += 1
        self._column = 0
        self._line = f"{self.at} 第{self._row + 1}行"
        self._budget.take(1, 1)
        if self._row >= MAX_ROWS:
            raise too_many(self._budget.name, self._row + 1, MAX_ROWS, "行", "rows")

    def place(self, column: int) -> None:
        """Continue this row at ``column``, for formats that state where a cell stands."""
        self._column = max(self._column, min(column, MAX_COLUMNS))

    def cell(self, text: str, rows: int = 1, columns: int = 1) -> None:
        """Add a cell to the current row. Raises Declined for spans beyond the bounds."""
        opened, row, left = self._open, self._row, self._column
        while opened.get(left, 0) > row:
            left += 1
        width = max(1, columns)
        if left + width > MAX_COLUMNS:
            raise decline(
                "hostile_file",
                self._budget.name,
                reason=f"有单元格跨 {width} 列",
                reason_en=f"a cell spans {width} columns",
            )
        # A span stops where an earlier cell from above already stands.
        clear = width
        if width > 1:
            clear = next((n for n in range(1, width) if opened.get(left + n, 0) > row), width)
        height = min(max(1, rows), MAX_ROWS)
        if height > 1:
            for column in range(left, left + clear):
                opened[column] = row + height
        self._column = left + clear
        at = f"{self._line}第{left + 1}列"
        self._cells.append(TextCell(row=row, column=left, rows=height, columns=clear, text=text, at=at))

    def done(self) -> tuple[TextCell, ...]:
        """The cells, spans cut at the last row. Raises Declined if they cover more than the budget."""
        last = self._row + 1
        cells = tuple(cell if cell.row + cell.rows <= last else _lower(cell, last - cell.row) for cell in self._cells)
        self._budget.cover(sum(cell.rows * cell.columns for cell in cells))
        return cells


def _lower(cell: TextCell, rows: int) -> TextCell:
    return TextCell(
        row=cell.row,
        column=cell.column,
        rows=rows,
        columns=cell.columns,
        text=cell.text,
        at=cell.at,
        number=cell.number,
    )
