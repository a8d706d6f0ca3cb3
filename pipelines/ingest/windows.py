"""Which slots behind a label are the row's figures, where blanks and padding look alike.

A row of ``width`` figures lies in neighbouring slots, holds every slot that is not empty, and keeps their order. Full
rows have one such window. A row with blanks at its ends may have several: then the other rows of the same table tell
where figures begin, and where they do not, the sum of the row may; what stays open stays unread.

Belongs here: windows and the patterns of a table. Does not belong here: which row it is (align.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import combinations

import msgspec

from pipelines.ingest.lines import Slot
from pipelines.ingest.normalise import read_value, runs_together
from pipelines.ingest.plan import RowPlan

# So many rows must agree before their pattern is believed for a row that could lie in several ways.
ENOUGH = 3


class Run(msgspec.Struct, frozen=True):
    """The slots of one record: everything behind its label up to the next label or the end of its line.

    ``drawn``: slots have true grid columns. ``straight``: the label stands directly before the run.
    """

    slots: tuple[Slot, ...]
    drawn: bool = False
    straight: bool = True

    def starts(self, width: int) -> tuple[int, ...]:
        """Where a window of ``width`` slots can begin so that it holds every slot that is not empty."""
        filled = [position for position, slot in enumerate(self.slots) if slot.kind != "empty"]
        last = len(self.slots) - width
        if not filled:
            return tuple(range(max(last + 1, 0)))
        return tuple(start for start in range(max(last + 1, 0)) if start <= filled[0] and filled[-1] < start + width)

    @property
    def numbers(self) -> int:
        """How many slots are not empty."""
        return sum(slot.kind != "empty" for slot in self.slots)


class Patterns(msgspec.Struct, frozen=True):
    """Where the figures of a table's rows begin: at a grid column, so far behind the label, so far from the end.

    Each is None where the rows do not agree on it or too few of them tell. ``full``: the grid column on which the rows
    without a blank (nearly all of them) agree, whatever the others say; it never places a row, it only refutes a place.
    """

    column: int | None = None
    behind: int | None = None
    before_end: int | None = None
    full: int | None = None

    def refutes(self, run: Run, start: int) -> bool:
        """Whether a begin disagrees with the rows that have no blank: then a cell of this row may have been lost."""
        return run.drawn and self.full is not None and run.slots[start].column != self.full

    def in_grid(self, run: Run) -> int | None:
        """The slot at the grid column where the table's figures begin, where that is known."""
        if self.column is None or not run.drawn:
            return None
        return next((n for n, slot in enumerate(run.slots) if slot.column == self.column), None)

    def from_end(self, run: Run, width: int) -> int | None:
        """The slot where the figures begin by the distance from the row's end, where that is known."""
        return None if self.before_end is None else len(run.slots) - self.before_end - width

    def at(self, run: Run, width: int) -> list[int | None]:
        """The begin that each known pattern gives for a run; None where it gives none."""
        found: list[int | None] = []
        if self.column is not None and run.drawn:
            found.append(self.in_grid(run))
        if self.behind is not None and run.straight:
            found.append(self.behind)
        if self.before_end is not None:
            found.append(self.from_end(run, width))
        return found


def _one(values: list[int]) -> int | None:
    return values[0] if len(values) >= ENOUGH and len(set(values)) == 1 else None


def learn(runs: Iterable[tuple[Run, RowPlan]], depths: int) -> Patterns:
    """The patterns on which all runs with a single window agree. ``runs``: each with its row.

    ``depths``: how many levels of groups the table's rows have. Where spans are lost, rows of one level agree on a
    column that is not that of the others, so a column counts only if rows of two levels agree on it.
    """
    columns: list[int] = []
    levels: set[int] = set()
    behind: list[int] = []
    ends: list[int] = []
    for run, row in runs:
        width = row.width
        starts = run.starts(width)
        if len(starts) != 1 or not run.numbers:
            continue
        if run.drawn:
            columns.append(run.slots[starts[0]].column)
            levels.add(len(row.groups))
        if run.straight:
            behind.append(starts[0])
        ends.append(len(run.slots) - starts[0] - width)
    column = _one(columns) if len(levels) >= min(depths, 2) else None
    return Patterns(column, _one(behind), _one(ends))


def begin_of_full(runs: Iterable[tuple[Run, RowPlan]]) -> int | None:
    """The grid column where the figures of four in five rows without a blank begin (see Patterns.full)."""
    whole = [(run, run.starts(row.width)) for run, row in runs if run.drawn and run.numbers == row.width]
    columns = Counter(run.slots[starts[0]].column for run, starts in whole if len(starts) == 1)
    column, count = columns.most_common(1)[0] if columns else (0, 0)
    return column if count >= ENOUGH and 5 * count >= 4 * columns.total() else None


def place(run: Run, row: RowPlan, patterns: Patterns, borrowed: Patterns) -> tuple[Slot, ...] | None:
    """The slots of the row's figures, or None where more than one reading is left.

    ``patterns`` are the table's own, ``borrowed`` those of another table of the same file, for want of own ones.
    """
    starts = run.starts(row.width)
    if not starts:
        return None
    windows = {start: run.slots[start : start + row.width] for start in starts}
    if run.numbers in (0, row.width):
        return windows[starts[0]]  # all blank, or all given: every window says the same
    if any(slot.kind == "words" and runs_together(slot.text) for slot in run.slots):
        return None  # the blank at an end may be what two cells that became one have left
    if not run.straight:
        # With its own label lost, a slot in front may be that label or a blank: only a true grid column tells, and
        # only if the end of the row agrees, for lost spans move a row to the left.
        start = patterns.in_grid(run)
        sure = start is not None and start == patterns.from_end(run, row.width)
        return windows.get(start) if sure and start is not None else None
    own = patterns.at(run, row.width)
    # All rows joined on one line have no label before them that other tables could tell the distance from.
    told = own or [start for start in (borrowed.behind,) if start is not None and row.id]
    if told:
        chosen = windows.get(told[0]) if told[0] is not None and len(set(told)) == 1 else None
        if chosen is not None and told[0] is not None and patterns.refutes(run, told[0]):
            return None
        return chosen if chosen is not None and (len(own) > 1 or not _shifted(chosen, row)) else None
    if len(windows) == 1:
        chosen = windows[starts[0]]
        return None if patterns.refutes(run, starts[0]) or _shifted(chosen, row) else chosen
    balanced = [window for window in windows.values() if _balance(_values(window, row), row)]
    return balanced[0] if len(balanced) == 1 and _total(balanced[0], row) else None


def _values(window: Sequence[Slot], row: RowPlan) -> list[Decimal | None]:
    return [
        read_value(slot.text, kind, unit, slot.number).value
        for slot, kind, unit in zip(window, row.kinds, row.units, strict=True)
    ]


def _total(window: Sequence[Slot], row: RowPlan) -> Decimal:
    """The row's total; 0 where there is none, and a total of 0 proves nothing about the places of zeros."""
    return (_values(window, row)[row.total] or Decimal(0)) if row.total >= 0 else Decimal(0)


def _balance(values: Sequence[Decimal | None], row: RowPlan) -> bool:
    """Whether the row's total, where it has one and it is given, is the sum of the others (blanks counting nothing)."""
    if row.total < 0 or values[row.total] is None:
        return False
    parts = sum((value or Decimal(0) for position, value in enumerate(values) if position != row.total), Decimal(0))
    return values[row.total] == parts


def balanced(run: Run, row: RowPlan) -> bool:
    """Whether a full run adds up to its total; a row without a total always does."""
    return row.total < 0 or (len(run.slots) == row.width and _balance(_values(run.slots, row), row))


def _shifted(window: Sequence[Slot], row: RowPlan) -> bool:
    """Whether the figures would add up in another place although they do not here: a blank may have been lost."""
    if row.total < 0:
        return False
    values = _values(window, row)
    given = [value for value in values if value is not None]
    if _balance(values, row) or not given:
        return False
    for places in combinations(range(row.width), len(given)):
        if row.total not in places:
            continue
        other: list[Decimal | None] = [None] * row.width
        for place, value in zip(places, given, strict=True):
            other[place] = value
        if _balance(other, row) and other != values:
            return True
    return False
