"""Ways to explain many broken returns as columns of numbers: put together, combined, ranked.

Belongs here: the arithmetic of lots of ways, whatever they are. Does not belong here: finding them (localise_sets.py,
localise_lines_many.py), what their slips cost (slips_many.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.validate.lanes import Bools, Ints

Change = tuple[int, int, int]  # cell, change, kind of slip


class Ways(NamedTuple):
    """By way: the row of the return, the cost, and per cell (-1: no more) its change and the kind of its slip.

    Cells are positions in the form, changes are in the cells' own units (``Returns``), kinds are places in
    ``schemas/slips.toml``.
    """

    rows: Ints
    cost: Ints
    cells: Ints
    steps: Ints
    kinds: Ints

    def taken(self, at: npt.ArrayLike) -> Ways:
        """Some of them."""
        chosen = np.asarray(at)
        return Ways(*(part[chosen] for part in self))


def no_changes(rows: Ints) -> Ways:
    """One way for each of the rows: nothing is changed."""
    none = np.zeros((len(rows), 0), dtype=np.int64)
    return Ways(rows, np.zeros(len(rows), dtype=np.int64), none, none, none)


def ways_of(told: Sequence[tuple[int, int, Sequence[Change]]]) -> Ways:
    """Ways told one by one: (row, cost, changes)."""
    width = max((len(changes) for _, _, changes in told), default=0)
    table = np.zeros((len(told), width, 3), dtype=np.int64)
    table[:, :, 0] = -1
    for at, (_, _, changes) in enumerate(told):
        table[at, : len(changes)] = changes
    rows, cost = (np.array([one[part] for one in told], dtype=np.int64) for part in (0, 1))
    return Ways(rows, cost, table[:, :, 0], table[:, :, 1], table[:, :, 2])


def together(lots: Iterable[Ways]) -> Ways:
    """Several lots as one, in their order."""
    every = [*lots] or [no_changes(np.zeros(0, dtype=np.int64))]
    width = max(lot.cells.shape[1] for lot in every)

    def widened(values: Ints, fill: int) -> Ints:
        return np.pad(values, ((0, 0), (0, width - values.shape[1])), constant_values=fill)

    return Ways(
        np.concatenate([lot.rows for lot in every]),
        np.concatenate([lot.cost for lot in every]),
        np.concatenate([widened(lot.cells, -1) for lot in every]),
        np.concatenate([widened(lot.steps, 0) for lot in every]),
        np.concatenate([widened(lot.kinds, 0) for lot in every]),
    )


def matches(keys: npt.NDArray[np.generic], wanted: npt.NDArray[np.generic]) -> tuple[Ints, Ints]:
    """Every match of ``wanted`` in the sorted ``keys``: its places in ``wanted`` and in ``keys``, in that order."""
    left = np.searchsorted(keys, wanted, "left")
    counts = np.searchsorted(keys, wanted, "right") - left
    at = np.repeat(np.arange(len(wanted)), counts)
    return at, np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts - left, counts)


def crossed(one: Ways, other: Ways) -> Ways:
    """Every way of ``one`` with every way of ``other`` for the same return, and those of ``one`` that meet none."""
    other = other.taken(np.argsort(other.rows, kind="stable"))
    left, right = matches(other.rows, one.rows)
    a, b = one.taken(left), other.taken(right)
    both = Ways(
        a.rows,
        a.cost + b.cost,
        np.concatenate([a.cells, b.cells], axis=1),
        np.concatenate([a.steps, b.steps], axis=1),
        np.concatenate([a.kinds, b.kinds], axis=1),
    )
    return together([one.taken(~np.isin(one.rows, other.rows)), both])


def in_form_order(ways: Ways) -> Ways:
    """The same with the cells of each way ascending."""
    order = np.argsort(ways.cells.astype(np.uint64), axis=1, kind="stable")  # -1 is the largest of these
    cells, steps, kinds = (np.take_along_axis(part, order, axis=1) for part in (ways.cells, ways.steps, ways.kinds))
    return ways._replace(cells=cells, steps=steps, kinds=kinds)


def _begins(*keys: Ints) -> Bools:
    """Where a run of equal keys begins."""
    new = np.zeros(len(keys[0]), dtype=bool)
    new[:1] = True
    for key in keys:
        new[1:] |= key[1:] != key[:-1]
    return new


def _changes(ways: Ways) -> list[Ints]:
    """What a way changes, as columns to sort by: the first cell, its change, the second cell ..."""
    return [part[:, at] for at in range(ways.cells.shape[1]) for part in (ways.cells, ways.steps)]


def cheapest(ways: Ways) -> Ways:
    """Of several ways with the same changes to one return the cheapest; of equally cheap ones the first."""
    keys = [ways.rows, *_changes(ways)]
    order = np.lexsort([ways.cost, *reversed(keys)])
    kept = order[_begins(*(key[order] for key in keys))]
    return ways.taken(np.sort(kept))


def ranked(ways: Ways, most: int | None) -> tuple[Ways, Ints, Ints]:
    """The ways by return, best first, then in form order, with their places from 1 and ranks (equal costs share one).

    ``most``: no more of one return than this, but always all of rank one.
    """
    ways = ways.taken(np.lexsort([*reversed(_changes(ways)), ways.cost, ways.rows]))
    first = _begins(ways.rows)
    start = np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))
    dearer = np.cumsum(_begins(ways.rows, ways.cost) & ~first)
    place = np.arange(len(first)) - start + 1
    rank = 1 + dearer - dearer[start]
    kept = np.ones(len(first), dtype=bool) if most is None else (place <= most) | (rank == 1)
    return ways.taken(kept), place[kept], rank[kept]
