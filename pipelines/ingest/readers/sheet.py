"""A spreadsheet's cells become a Grid with addresses; numbers become their exact text.

Belongs here: what the spreadsheet readers share. Does not belong here: a file format.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from pipelines.ingest.document import Grid, TextCell
from pipelines.ingest.readers.spans import Budget

Merge = tuple[tuple[int, int], tuple[int, int]]  # first and last position, both included, 0-based


class SheetCell(msgspec.Struct, frozen=True):
    """What stands in one cell that is not empty."""

    text: str
    number: str = ""
    formula: bool = False


def column_name(column: int) -> str:
    """0 -> A, 25 -> Z, 26 -> AA."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def number_text(value: float) -> str:
    """A stored number as the shortest decimal text that means the same double: 3135.6, 101, never 1e+15."""
    text = repr(value)
    if text.endswith(".0"):
        return text[:-2]
    text = format(Decimal(text), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def value_cell(value: object) -> SheetCell | None:
    """What a spreadsheet library gives for a cell; None for an empty one. Dates and times stay text."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return SheetCell(value)
    if isinstance(value, bool):
        return SheetCell("TRUE" if value else "FALSE")
    if isinstance(value, (int, float)):
        text = number_text(value)
        return SheetCell(text, number=text)
    if isinstance(value, datetime.datetime):
        return SheetCell(value.isoformat(sep=" "))
    if isinstance(value, (datetime.date, datetime.time)):
        return SheetCell(value.isoformat())
    return SheetCell(str(value))


def sheet_grid(
    title: str, cells: Mapping[tuple[int, int], SheetCell], merges: Sequence[Merge], budget: Budget
) -> Grid | None:
    """The Grid of a sheet: the box around its non-empty cells, merged cells cut to it; None for an empty sheet.

    Raises Declined where the box is larger than the budget.
    """
    if not cells:
        return None
    rows, columns = zip(*cells, strict=True)
    top, left, bottom, right = min(rows), min(columns), max(rows), max(columns)
    anchors: dict[tuple[int, int], tuple[int, int]] = {}
    covered: set[tuple[int, int]] = set()
    for (first_row, first_column), (last_row, last_column) in merges:
        # A value in the last merged cell belongs to the whole of it, so the box grows with its merged cells.
        if (first_row, first_column) in cells and last_row - bottom < 60 and last_column - right < 60:
            bottom, right = max(bottom, last_row), max(right, last_column)
    budget.take(bottom - top + 1, right - left + 1)
    for (first_row, first_column), (last_row, last_column) in merges:
        row, column = max(first_row, top), max(first_column, left)
        height, width = min(last_row, bottom) - row + 1, min(last_column, right) - column + 1
        if height < 1 or width < 1 or (row, column) in covered or (row, column) in anchors:
            continue
        inside = {(r, c) for r in range(row, row + height) for c in range(column, column + width)}
        if not inside.isdisjoint(covered) or not inside.isdisjoint(anchors):
            continue  # overlapping merged cells: the first one stands
        anchors[row, column] = (height, width)
        covered |= inside - {(row, column)}
    names = [(column, column - left, f"{title}!{column_name(column)}") for column in range(left, right + 1)]
    made: list[TextCell] = []
    for row in range(top, bottom + 1):
        shown, y = str(row + 1), row - top
        for column, x, name in names:
            place = (row, column)
            if place in covered:
                continue
            height, width = anchors.get(place, (1, 1))
            cell = cells.get(place)
            if cell is None:
                made.append(TextCell(row=y, column=x, rows=height, columns=width, text="", at=name + shown))
                continue
            made.append(
                TextCell(
                    row=y,
                    column=x,
                    rows=height,
                    columns=width,
                    text=cell.text,
                    number=cell.number,
                    formula=cell.formula,
                    at=name + shown,
                )
            )
    return Grid(cells=tuple(made), at=title, title=title)


def marks_of(cells: Mapping[tuple[int, int], SheetCell]) -> dict[str, str]:
    """The marks of the hidden sheet: first column the mark, second its value."""
    return {
        cell.text.strip(): cells[row, 1].text
        for (row, column), cell in cells.items()
        if column == 0 and (row, 1) in cells
    }
