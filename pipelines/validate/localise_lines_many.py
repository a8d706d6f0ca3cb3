"""Line slips of many returns at once: what ``localise_lines.hypotheses`` says of each.

Belongs here: every line hypothesis as columns of numbers. Does not belong here: which returns are asked about, ranking
(localise_stream.py). The equations are tested in ten-thousandths, so that a line may hold counts and amounts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pipelines.validate.kernel import UNIT
from pipelines.validate.lanes import Bools, Ints
from pipelines.validate.localise_lines import moved_back
from pipelines.validate.localise_returns import Layout, Returns
from pipelines.validate.localise_system import System, cells_of_pairs
from pipelines.validate.localise_ways import Ways
from pipelines.validate.slips import slip_cost
from pipelines.validate.slips_many import place_of
from schemas.slips import slip_kinds


class Hypothesis(NamedTuple):
    """A kind of line slip: cells that get the figures of others, and the cell that an equation gives (-1: none)."""

    kind: str
    cells: Ints
    sources: Ints
    solved: int


class Group(NamedTuple):
    """The hypotheses of one line or pair of lines: the equations its cells stand in, the others of the same components,
    and the components of its cells."""

    touched: Ints
    others: Ints
    hypotheses: tuple[tuple[Hypothesis, frozenset[int]], ...]


def _shifts(system: System, cells: tuple[int, ...]) -> Iterator[Hypothesis]:
    for kind, right in (("shifted_right", True), ("shifted_left", False)):
        to, sources, solved = moved_back(cells, right)
        if system.columns[solved]:
            yield Hypothesis(kind, np.array([*to, solved]), np.array([*sources, solved]), solved)


def _hypotheses(system: System) -> Iterator[tuple[tuple[int, ...], list[Hypothesis]]]:
    for line in system.lines:
        found = [*_shifts(system, line.cells)]
        if line.parts:
            found += _shifts(system, line.parts)
        yield line.cells, found
    for kind, many in (("rows_swapped", system.row_pairs), ("columns_swapped", system.column_pairs)):
        for pairs in many:
            one, other = (np.array(side) for side in zip(*pairs, strict=True))
            both = Hypothesis(kind, np.concatenate([one, other]), np.concatenate([other, one]), -1)
            yield cells_of_pairs(pairs), [both]


class Lines:
    """One system's line hypotheses."""

    def __init__(self, layout: Layout) -> None:
        system = self._system = layout.system
        self._layout = layout
        of_row = np.array(system.component_of_row)
        self._signs = np.zeros((len(system.names), len(system.rows)), dtype=np.int64)
        for cell, column in enumerate(system.columns):
            for row, sign in column:
                self._signs[cell, row] = sign
        self._groups = []
        for cells, hypotheses in _hypotheses(system):
            rows, components = system.reach[cells]
            inside = np.flatnonzero(np.isin(of_row, [*components]))
            touched = np.array(sorted(rows), dtype=np.int64)
            within = [(one, frozenset(system.component_of[cell] for cell in one.cells)) for one in hypotheses]
            self._groups.append(Group(touched, np.setdiff1d(inside, touched), tuple(within)))

    def ways(self, returns: Returns, asked: Bools) -> list[tuple[frozenset[int], Ways]]:
        """The line slips that explain returns ``asked`` for, each lot with the components that it explains.

        Raises ValueError for a return that lacks a figure: whether a line explains it is decided one by one.
        """
        if returns.missing[:, asked].any():
            raise ValueError("a return lacks a figure")
        broken = returns.residuals != 0
        found = []
        for group in self._groups:
            near = asked & broken[group.touched].any(axis=0) & ~broken[group.others].any(axis=0)
            rows = np.flatnonzero(near)
            if len(rows):
                for hypothesis, components in group.hypotheses:
                    ways = self._settled(returns, rows, group.touched, hypothesis, components)
                    if len(ways.rows):
                        found.append((components, ways))
        return found

    def _settled(
        self,
        returns: Returns,
        rows: Ints,
        touched: Ints,
        hypothesis: Hypothesis,
        components: Sequence[int] | frozenset[int],
    ) -> Ways:
        """The rows whose equations all hold once the slip is undone, and what that changes."""
        cells, at = hypothesis.cells, rows[None, :]
        unit = self._layout.unit
        stands = returns.columns[cells[:, None], at] * unit[cells][:, None]
        new = returns.columns[hypothesis.sources[:, None], at] * unit[hypothesis.sources][:, None]
        after = returns.residuals[touched[:, None], at] * UNIT
        after += self._signs[np.ix_(cells, touched)].T @ (new - stands)
        if hypothesis.solved >= 0:
            equation, sign = self._system.columns[hypothesis.solved][0]
            step = -sign * after[np.searchsorted(touched, equation)]
            after += self._signs[hypothesis.solved, touched][:, None] * step
            new[-1] += step
        good = ~after.any(axis=0)
        rows, new, stands = rows[good], new[:, good], stands[:, good]
        own = unit[cells][:, None]
        changed = new != stands
        allowed = ((new % own == 0) & ((new >= 0) | self._layout.negative[cells][:, None])) | ~changed
        good = allowed.all(axis=0) & changed.any(axis=0)
        rows, steps = rows[good], ((new - stands) // own)[:, good].T
        named = np.where(steps != 0, cells, -1)
        held = np.ones(len(rows), dtype=bool)
        for number in components:
            for side in self._system.components[number].sides:
                held &= self._layout.holds_after(side, returns, rows, named, steps)
        kind = slip_kinds()[hypothesis.kind]
        cost = np.full(len(rows), slip_cost(kind))
        return Ways(rows, cost, named, steps, np.full(named.shape, place_of(kind.id))).taken(held)


def asked_for(counts: Sequence[Ints], sizes: Sequence[Ints]) -> Bools:
    """By row, whether line slips are looked for: unless one wrong cell alone explains the only broken component.

    ``counts``, ``sizes``: per component and row how many smallest sets there are (-1: no equation is broken) and how
    many cells they change.
    """
    broken = np.stack(counts) >= 0
    plain = (np.stack(counts) == 1) & (np.stack(sizes) == 1)
    asked: Bools = np.logical_or(broken.sum(axis=0) > 1, (broken & ~plain).any(axis=0))
    return asked
