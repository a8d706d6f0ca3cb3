"""A block of submissions as integer columns: how large its figures are, its sums by region, its columns made narrow.

Belongs here: what rules are evaluated on, and what one look at each column tells. Does not belong here: rules
(kernel.py), reading tables (stream.py).

Every figure is an int64: a count as it is, an amount of money in ten-thousandths, as decimal(18,4) stores it. Most
figures are small, and sums of 16 bits cost a fraction of sums of 64: so a column is first asked how large its figures
are, while it is in the processor's cache for its sums anyway, and then copied into the narrowest integers in which a
rule's sum has room (``kind_for``). Nothing is rounded and nothing wraps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Signed = npt.NDArray[np.signedinteger[Any]]  # int16, int32 or int64
HALF = 32
LOW = (1 << HALF) - 1
ROOM = 1 << 62  # what sums of figures stay below where they are added as they are; as much again is left above it
Kind = type[np.int16] | type[np.int32] | type[np.int64]
NARROW: tuple[tuple[Kind, int], ...] = ((np.int16, (1 << 15) - 1), (np.int32, (1 << 31) - 1))


class Block(msgspec.Struct, frozen=True):
    """Columns by position of ``Compiled.names``, 0 where ``missing`` (None: nowhere) says that there is no figure.

    ``freed``: per body attribute whether the body of the row has it.
    """

    columns: Sequence[Ints]
    missing: Sequence[Bools | None]
    freed: Mapping[str, Bools]
    rows: int

    def cut(self, start: int, stop: int) -> Block:
        """The rows from ``start`` to before ``stop``."""
        return Block(
            [column[start:stop] for column in self.columns],
            [None if mask is None else mask[start:stop] for mask in self.missing],
            {name: flags[start:stop] for name, flags in self.freed.items()},
            min(stop, self.rows) - start,
        )


class Desk:
    """Working memory that blocks judged one after the other share, so that it is asked for once; holds no results.

    Not to be shared by threads.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[object, object], npt.NDArray[Any]] = {}

    def array(self, name: object, kind: npt.DTypeLike, rows: int) -> npt.NDArray[Any]:
        """An array of that name, kind and length; what it holds is whatever was left there."""
        held = self._held.get((name, kind))
        if held is None or len(held) < rows:
            held = self._held[name, kind] = np.empty(rows, dtype=kind)
        return held[:rows]


class Lanes:
    """What one look at each column of a block tells, and the columns in narrow integers.

    ``sizes``: the largest absolute value of each column, 0 where it is nothing but 0. ``negative``: positions of the
    columns that hold a figure below 0. ``absent``: positions of the columns without any figure. ``sums``: of the first
    ``cells`` columns over runs of rows that begin at ``starts``, exact (Python's integers where 64 bits may not do).
    """

    __slots__ = ("_desk", "_made", "_narrow", "absent", "block", "negative", "sizes", "sums")

    def __init__(self, block: Block, desk: Desk, starts: Ints | None = None, cells: int = 0) -> None:
        self.block, self._desk = block, desk
        self._made: dict[tuple[int, Kind], Signed] = {}
        self._narrow: list[Signed] = []
        self.sizes: list[int] = []
        self.negative: set[int] = set()
        self.sums: list[npt.NDArray[Any]] = []
        self.absent = {at for at, mask in enumerate(block.missing) if mask is not None and mask.all()}
        for position, column in enumerate(block.columns):
            least, most = _bounds(column)
            size = max(most, -least)
            self.sizes.append(size)
            if least < 0:
                self.negative.add(position)
            self._narrow.append(self._copied(position, column, (kind_for(size) if size else None) or np.int64))
            if starts is not None and position < cells:
                self.sums.append(_sums(column, starts, size))

    def _copied(self, position: int, column: Signed, kind: Kind) -> Signed:
        if column.dtype == kind:
            return column
        copy = self._desk.array(position, kind, self.block.rows)
        np.copyto(copy, column, casting="unsafe")  # safe: the caller's kind_for
        return copy

    def get(self, position: int, kind: Kind) -> Signed:
        """A column in integers of that kind, which the caller knows to be wide enough for the column's size."""
        narrow = self._narrow[position]
        if narrow.dtype == kind:
            return narrow
        if kind is np.int64:
            return self.block.columns[position]
        made = self._made.get((position, kind))
        if made is None:
            made = self._made[position, kind] = self._copied(position, narrow, kind)
        return made


def _bounds(column: Ints) -> tuple[int, int]:
    """Two numbers between which every figure lies; the second is one of them, and the first where it is below 0.

    Read without a sign, a figure below 0 is 2**63 or more and every other figure is what it is: where the largest is
    less, none is below 0, and one reading was enough.
    """
    high = int(np.maximum.reduce(column.view(np.uint64), initial=0))
    if high < 1 << 63:
        return 0, high
    return int(np.minimum.reduce(column)), int(np.maximum.reduce(column))


def size_of(column: Ints) -> int:
    """The largest absolute value of a column, 0 where it has no row."""
    least, most = _bounds(column)
    return max(most, -least)


def _sums(column: Ints, starts: Ints, size: int) -> npt.NDArray[Any]:
    """Sums over runs of rows that begin at ``starts``, exact. ``size`` bounds the figures."""
    if not size:
        return np.zeros(len(starts), dtype=np.int64)
    if size * len(column) < ROOM:
        return np.add.reduceat(column, starts)
    return whole(np.add.reduceat(column & LOW, starts), np.add.reduceat(column >> HALF, starts))


def whole(low: Ints, high: Ints) -> npt.NDArray[Any]:
    """Halves of 32 bits put together as Python's integers: ``high * 2**32 + low``."""
    together: npt.NDArray[Any] = (high.astype(object) << HALF) + low.astype(object)
    return together


def kind_for(bound: int) -> Kind | None:
    """The narrowest integers that hold everything from ``-bound`` to ``bound``; None where 64 bits do not surely."""
    for kind, largest in NARROW:
        if bound <= largest:
            return kind
    return np.int64 if bound < ROOM else None
