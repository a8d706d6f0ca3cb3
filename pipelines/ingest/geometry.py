"""Where the heads of a drawn table put its columns.

Belongs here: heads found in a grid, and the columns of figures below them. Does not belong here: rows (records.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import msgspec

from pipelines.ingest.document import Grid, TextCell
from pipelines.ingest.labels import Meaning, meanings_of
from pipelines.ingest.lines import Slot, slot_kind
from pipelines.ingest.normalise import runs_together
from pipelines.ingest.plan import RowPlan, TablePlan

# How many cells below one another may spell one head, such as 社会 / 公益 / 组织.
MOST_PARTS = 3


class Head(msgspec.Struct, frozen=True):
    """A head or part of one: what it means, its last row and the grid columns it covers."""

    meaning: Meaning
    row: int
    column: int
    columns: int


class Geometry(msgspec.Struct, frozen=True):
    """A grid's positions and the heads found in it; ``columns``: those of columns by edition, table and block."""

    filled: dict[tuple[int, int], TextCell]
    heads: tuple[Head, ...]
    columns: dict[tuple[str, str, str], tuple[Head, ...]]


def _spelt(cell: TextCell, filled: dict[tuple[int, int], TextCell]) -> Iterator[tuple[str, TextCell]]:
    """A cell's text alone and with those of the cells below it, and the last of these cells."""
    text, last = cell.text, cell
    for _ in range(MOST_PARTS):
        yield text, last
        below = filled.get((last.row + last.rows, cell.column))
        if below is None or below.column != cell.column or not below.text.strip() or below.number:
            return
        if slot_kind(below.text) == "value":
            return
        text, last = text + below.text, below


def survey(grid: Grid) -> Geometry:
    """Find every label of every edition in a grid, also those spelt by several cells below one another."""
    filled = grid.filled()
    heads: list[Head] = []
    for cell in grid.cells:
        if not cell.text or cell.number or len(cell.text) > 200 or not cell.text.strip():
            continue
        for text, last in _spelt(cell, filled):
            found = meanings_of(text)
            if found:
                row, columns = last.row + last.rows - 1, min(cell.columns, last.columns)
                kept = (meaning for meaning in found if meaning.kind in ("column", "row"))
                heads += [Head(meaning, row, cell.column, columns) for meaning in kept]
                break
    by_block: dict[tuple[str, str, str], list[Head]] = {}
    for head in heads:
        if head.meaning.kind == "column":
            by_block.setdefault((head.meaning.edition, head.meaning.table, head.meaning.block), []).append(head)
    return Geometry(filled, tuple(heads), {key: tuple(found) for key, found in by_block.items()})


def heads_above(geometry: Geometry, plan: TablePlan, row: RowPlan, at: int) -> int:
    """How many heads of a row's block lie above grid row ``at``: rows with as many have them all in common."""
    return sum(head.row < at for head in geometry.columns.get((plan.edition, plan.table, row.block), ()))


def columns_below(geometry: Geometry, plan: TablePlan, row: RowPlan, at: int) -> tuple[int, ...] | None:
    """The grid columns of a row's figures at grid row ``at``; None unless every one has a head of its own, in order.

    The nearest heads above count; they must lie close together, for heads of another block are not this row's.
    """
    nearest: dict[str, list[Head]] = {}
    for head in geometry.columns.get((plan.edition, plan.table, row.block), ()):
        meaning = head.meaning
        if head.row < at and meaning.id in row.columns:
            known = nearest.get(meaning.id)
            if known is None or head.row > known[0].row:
                nearest[meaning.id] = [head]
            elif head.row == known[0].row:
                known.append(head)
    if len(nearest) != row.width or any(len(heads) != 1 for heads in nearest.values()):
        return None
    rows = [heads[0].row for heads in nearest.values()]
    columns = tuple(nearest[column][0].column for column in row.columns)
    ordered = all(left < right for left, right in pairwise(columns))
    return columns if ordered and max(rows) - min(rows) <= MOST_PARTS else None


def columns_beside(geometry: Geometry, plan: TablePlan, at: int) -> tuple[int, ...] | None:
    """The same for a table whose rows stand beside one another: each column below the label of its row.

    Heads above all those labels belong to another table on the same sheet. Where the labels have lost their spans, the
    order of all the column heads on one line tells as much.
    """
    rows: dict[str, Head] = {}
    for head in geometry.heads:
        if head.meaning.kind == "row" and head.meaning.table == plan.table and head.meaning.edition == plan.edition:
            if head.meaning.id in rows:
                return None
            rows[head.meaning.id] = head
    if len(rows) != len(plan.rows):
        return None
    top = min(head.row for head in rows.values())
    heads = [
        head
        for head in geometry.heads
        if head.meaning.kind == "column"
        and head.meaning.table == plan.table
        and head.meaning.edition == plan.edition
        and head.row > top
    ]
    if any(head.row >= at for head in heads):
        return None
    if all(head.columns == 1 for head in rows.values()):
        return _in_order(heads, rows, plan)
    found: dict[str, int] = {}
    for head in heads:
        owners = [
            row
            for row, label in rows.items()
            if label.column <= head.column < label.column + label.columns and head.row > label.row
        ]
        if len(owners) != 1 or f"{owners[0]}.{head.meaning.id}" in found:
            return None
        found[f"{owners[0]}.{head.meaning.id}"] = head.column
    columns = tuple(found.get(column, -1) for column in plan.joined.columns)
    ordered = all(left < right for left, right in pairwise(columns))
    return columns if ordered and columns[0] >= 0 else None


def _in_order(heads: list[Head], rows: dict[str, Head], plan: TablePlan) -> tuple[int, ...] | None:
    """The columns of all heads where they stand on one line in the form's order, below the labels of all rows."""
    said = sorted(heads, key=lambda head: head.column)
    below = max(label.row for label in rows.values())
    if len({head.row for head in said}) != 1 or said[0].row <= below or any(head.columns > 1 for head in said):
        return None
    names = [column.rpartition(".")[2] for column in plan.joined.columns]
    return tuple(head.column for head in said) if [head.meaning.id for head in said] == names else None


def slots_at(geometry: Geometry, columns: tuple[int, ...], at: int) -> tuple[Slot | None, ...] | None:
    """The slots of a grid row at those columns, None where the file has no cell.

    None if two columns share a cell, or if one holds two figures and another none: cells may have become one.
    """
    cells = [geometry.filled.get((at, column)) for column in columns]
    present = [id(cell) for cell in cells if cell is not None]
    if len(set(present)) != len(present) or any(cell is not None and cell.rows > 1 for cell in cells):
        return None
    texts = ["" if cell is None else cell.text.strip() for cell in cells]
    if "" in texts and any(runs_together(text) for text in texts):
        return None
    return tuple(
        None
        if cell is None
        else Slot(
            text=cell.text,
            at=cell.at,
            kind=slot_kind(cell.text, cell.number, cell.formula),
            column=cell.column,
            columns=cell.columns,
            number=cell.number,
            formula=cell.formula,
        )
        for cell in cells
    )
