"""The smallest sets of one component for many returns: searched together, or by themselves where they must be.

Belongs here: which returns the search as columns answers. Does not belong here: that search (localise_sets.py), the
search for one return (localise.py), combining components (localise_stream.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pipelines.validate.kernel import UNIT
from pipelines.validate.lanes import Bools, Ints
from pipelines.validate.localise import parts_of
from pipelines.validate.localise_returns import Layout, Returns
from pipelines.validate.localise_sets import BITS, CellSets
from pipelines.validate.localise_system import Component, Exact, Laid, exact
from pipelines.validate.localise_ways import Change, Ways, together, ways_of
from pipelines.validate.slips_many import Pricing, place_of


class Explained(NamedTuple):
    """The ways to explain a component; by row how many there are (-1: no equation of it is broken) and how many cells
    they change; by row whether enumeration finds none."""

    ways: Ways
    counts: Ints
    sizes: Ints
    failed: Bools


REMEMBERED = 10_000  # figures of a cell that no rule ties to another
Known = list[list[dict[int, int]]]  # by number of cells, sets that satisfy a component's equations: cell -> change


class ComponentSearch:
    """One component prepared for many returns."""

    def __init__(self, layout: Layout, pricing: Pricing, component: Component) -> None:
        self._layout, self._pricing, self._component = layout, pricing, component
        self._rows = np.array(component.rows, dtype=np.int64)
        self._cells = np.array(sorted(component.equated), dtype=np.int64)
        self._private = np.array(component.private, dtype=np.int64)
        # What becomes of a cell that no rule ties to another depends on its figure alone.
        self._lone = len(component.private) == 1 and not component.rows and not component.sides
        self._known: dict[int, list[tuple[int, int, list[Change]]]] = {}
        counted = not any(layout.system.form.cells[cell].kind == "money" for cell in component.equated)
        # The search as columns supposes whole counts: every change of an amount may be a fraction.
        together_ = bool(component.rows) and counted and len(component.rows) <= BITS
        self._sets = CellSets(layout.system, component) if together_ else None

    def prepare(self) -> None:
        """As ``CellSets.prepare``."""
        if self._sets is not None:
            self._sets.prepare()

    def explained(self, returns: Returns, alone: Bools) -> Explained:
        """The smallest sets of the component for every return but those ``alone``, which others explain."""
        broken = (returns.residuals[self._rows] != 0).any(axis=0)
        itself: Bools = np.zeros(len(alone), dtype=bool)
        itself |= returns.bad[self._private].any(axis=0)
        for side in self._component.sides:
            itself |= ~self._layout.holds(side, returns)
        problem = ~alone & (broken | itself | (returns.bad | returns.missing)[self._cells].any(axis=0))
        lots: list[Ways] = []
        known: dict[int, Known] = {}
        if self._sets is None:
            itself |= problem
        else:
            lots, known = self._searched(self._sets, returns, np.flatnonzero(problem), itself)
        failed = np.zeros(len(alone), dtype=bool)
        told: list[tuple[int, int, list[Change]]] = []
        for row in np.flatnonzero(problem & itself).tolist():
            found = self._of_lone(returns, row) if self._lone else self._by_itself(returns, row, known.get(row))
            told += found
            failed[row] = not found
        ways = together([*lots, ways_of(told)])
        counts = np.where(broken & ~alone, np.bincount(ways.rows, minlength=len(alone)), -1)
        sizes = np.zeros(len(alone), dtype=np.int64)
        sizes[ways.rows] = (ways.cells >= 0).sum(axis=1)
        return Explained(ways, counts, sizes, failed)

    def _searched(
        self, sets: CellSets, returns: Returns, rows: Ints, itself: Bools
    ) -> tuple[list[Ways], dict[int, Known]]:
        """The ways of the given rows but those in ``itself``, and of those every set that satisfies the equations.

        Marks in ``itself`` the rows that the search as columns does not answer: those without a set of few cells, and
        those of which every set breaks a side: more must change.
        """
        alone = itself.copy()
        found, left = sets.smallest(returns, rows, alone[rows], self._layout.negative)
        itself[left] = True
        ways = []
        known: dict[int, Known] = {row: [[], [], [], []] for row in np.flatnonzero(alone).tolist()}
        for one in found:
            for at in np.flatnonzero(alone[one.rows]).tolist():
                row, cells = int(one.rows[at]), one.cells[at].tolist()
                known[row][len(cells)].append(dict(zip(cells, one.steps[at].tolist(), strict=True)))
            held = ~alone[one.rows]
            for side in self._component.sides:
                held &= self._layout.holds_after(side, returns, *one)
            itself[np.setdiff1d(one.rows, one.rows[held])] = True
            kept = one.rows[held], one.cells[held], one.steps[held]
            ways.append(Ways(kept[0], *self._with_slips(returns, *kept)))
        return ways, known

    def _with_slips(self, returns: Returns, rows: Ints, cells: Ints, steps: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        cost, kinds = self._pricing.priced(returns, rows, cells, steps)
        return cost, cells, steps, kinds

    def _of_lone(self, returns: Returns, row: int) -> list[tuple[int, int, list[Change]]]:
        figure = int(returns.columns[self._private[0], row])
        if figure not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[figure] = self._by_itself(returns, row, None)
        return [(row, cost, changes) for _, cost, changes in self._known[figure]]

    @staticmethod
    def _changed(laid: Laid, steps: Mapping[int, int]) -> dict[int, Exact]:
        return {cell: laid.figures[cell] + step for cell, step in steps.items()}

    def _by_itself(self, returns: Returns, row: int, known: Known | None) -> list[tuple[int, int, list[Change]]]:
        """(row, cost, changes) of each smallest set; none where enumeration finds none, where one fits no column, and
        where a figure is missing: what else the equations leave open then is for ``localise.explain``."""
        if returns.missing[self._cells, row].any():
            return []
        laid = self._layout.one(returns, row)
        sure = len(laid.bad & self._component.equated)
        sets = [[self._changed(laid, steps) for steps in lot] for lot in known[sure:]] if known else []
        if known and not (sure or any(laid.residuals.get(at) for at in self._component.rows)):
            sets[0] = [{}]
        parts = parts_of(self._layout.system, laid, self._component.number, sets)
        found = []
        for part in parts:
            kinds = {cell: place_of(slip.kind.id) for slip in part.slips for cell in slip.cells}
            changes = []
            for cell, figure in sorted(part.changes.items()):
                step = (exact(figure) - laid.figures[cell]) * (UNIT // int(self._layout.unit[cell]))
                if step.denominator != 1:
                    return []
                changes.append((cell, int(step), kinds[cell]))
            found.append((row, part.cost, changes))
        return found
