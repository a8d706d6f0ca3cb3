"""The likeliest slips behind many sets of changes at once: what ``slips.slips_of`` says of each.

Belongs here: costs and kinds as columns of numbers. Does not belong here: what makes a slip of one figure (slips.py,
which is asked once for each pair of figures), slips that move a line (localise_lines.py).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import numpy as np

from pipelines.validate.kernel import figure_of
from pipelines.validate.lanes import Ints
from pipelines.validate.localise_returns import Layout, Returns
from pipelines.validate.slips import in_one_line, single_slip, slip_cost
from schemas.slips import load_slips, slip_kinds

REMEMBERED = 1 << 17  # pairs of figures; most are small and come again and again


@lru_cache(maxsize=REMEMBERED)
def _single(found: int, proposed: int, total: bool, like_neighbour: bool) -> int:
    """The kind of one figure's slip as its place in ``slips.toml``. ``found``, ``proposed`` in ten-thousandths."""
    stands = figure_of(found)
    return place_of(single_slip(stands, figure_of(proposed), total, (stands,) if like_neighbour else ()).id)


def place_of(kind: str) -> int:
    """A kind's place in ``slips.toml``."""
    return list(slip_kinds()).index(kind)


class Pricing:
    """One system's cells as far as slips look at them."""

    def __init__(self, layout: Layout) -> None:
        system = layout.system
        count = len(system.names)
        self._unit = layout.unit
        self._total = np.array(system.total)
        self._beside = np.full((count, max(1, *map(len, system.neighbours))), -1)
        for cell, others in enumerate(system.neighbours):
            self._beside[cell, : len(others)] = others
        self._next = np.zeros((count, count), dtype=bool)
        for cell, others in enumerate(system.neighbours):
            self._next[cell, list(others)] = True
        self._line = np.array([[in_one_line(system, a, b) for b in range(count)] for a in range(count)])
        self._part = np.zeros((count, count), dtype=bool)  # [total, part]
        for total, part in system.total_of_part:
            self._part[total, part] = True
        self._cost = np.array([slip_cost(kind) for kind in load_slips().kinds])
        self._extra = slip_kinds()["part_with_total"].cost
        self._named = {name: place_of(name) for name in ("missing", "swapped", "swapped_neighbours", "part_with_total")}

    def priced(self, returns: Returns, rows: Ints, cells: Ints, steps: Ints) -> tuple[Ints, Ints]:
        """The cost of each set of changes, and the kind of slip of each of its cells (its place in ``slips.toml``).

        ``rows``, ``cells``, ``steps``: the sets as in ``localise_sets.Sets``.
        """
        at = rows[:, None]
        unit = self._unit[cells]
        found, steps = returns.columns[cells, at] * unit, steps * unit
        known = ~returns.missing[cells, at]
        beside = self._beside[cells]
        around = returns.columns[beside, at[:, :, None]] * self._unit[beside]
        # A missing neighbour counts as 0 here, which does no harm: a 0 is "not filled in" whatever stands beside it.
        like = ((around == found[:, :, None]) & (beside >= 0)).any(axis=2)
        asked = zip(*(part.ravel().tolist() for part in (found, found + steps, self._total[cells], like)), strict=True)
        kinds = np.fromiter((_single(*one) for one in asked), dtype=np.int64, count=found.size).reshape(found.shape)
        kinds = np.where(known, kinds, self._named["missing"])
        costs = self._cost[kinds]
        cost: Ints = costs.sum(axis=1)
        free = known.copy()  # figures that are part of no slip of two cells yet
        pairs = list(combinations(range(cells.shape[1]), 2))
        for one, other in pairs:
            a, b = cells[:, one], cells[:, other]
            swapped = free[:, one] & free[:, other] & self._line[a, b]
            swapped &= found[:, one] == found[:, other] + steps[:, other]
            swapped &= found[:, other] == found[:, one] + steps[:, one]
            kind: Ints = np.where(self._next[a, b], self._named["swapped_neighbours"], self._named["swapped"])
            cost = np.where(swapped, cost - costs[:, one] - costs[:, other] + self._cost[kind], cost)
            for cell in (one, other):
                kinds[:, cell] = np.where(swapped, kind, kinds[:, cell])
                free[:, cell] &= ~swapped
        for one, other in pairs:
            alike = steps[:, one] == steps[:, other]
            for total, part in ((one, other), (other, one)):
                with_total = free[:, one] & free[:, other] & alike & self._part[cells[:, total], cells[:, part]]
                cost = np.where(with_total, cost - costs[:, total] + self._extra, cost)
                for cell in (one, other):
                    kinds[:, cell] = np.where(with_total, self._named["part_with_total"], kinds[:, cell])
                    free[:, cell] &= ~with_total
        return cost, kinds
