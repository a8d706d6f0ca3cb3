"""All smallest sets of up to four changes for many returns at once: what ``localise.smallest`` finds one by one.

Belongs here: one component's cells by the equations they stand in, and the search as whole columns of numbers. Does not
belong here: larger sets, conditional rules that do not hold, missing figures (localise.py), ranking
(localise_stream.py).

A set of cells closes the residuals ``r`` of its component if ``r`` lies in the span of the cells' columns ``C``. Which
sets can is told by the pattern of broken equations, one bit each: every broken one is met by a cell of the set, and one
that is met and not broken is met by two whose changes cancel there. Sets of one and two cells are looked up by their
patterns, larger ones by a cell of a broken equation (and one of another) and the pattern that it leaves to the other
two. Whether a candidate really closes is decided in integers, with ``G = C'C`` and ``p = C'r``: the cells are
independent if ``det G`` is not 0, and ``r`` lies in their span if ``p' adj(G) p = det G * r'r`` (the part of ``r`` in
the span is as long as ``r``). The changes are ``-adj(G) p / det G``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.validate.lanes import Bools, Ints
from pipelines.validate.localise_returns import Returns
from pipelines.validate.localise_search import MAX_DEPTH
from pipelines.validate.localise_system import Component, System
from pipelines.validate.localise_ways import matches

Masks = npt.NDArray[np.uint64]
BITS = 63  # equations of a component that a pattern has room for; one more bit stands for no pattern
NO_PATTERN = np.uint64(1 << 63)


class Sets(NamedTuple):
    """Sets of one size: the row of the return, the set's cells (positions in the form, ascending), their changes."""

    rows: Ints
    cells: Ints
    steps: Ints


class CellSets:
    """One component's cells by the equations that their change would break or mend."""

    def __init__(self, system: System, component: Component) -> None:
        """Raises ValueError where a pattern has no room for the component's equations."""
        if len(component.rows) > BITS:
            raise ValueError(f"component {component.number} has more than {BITS} equations")
        self.rows = np.array(component.rows)
        self.cells = np.array(sorted(component.equated))
        width = system.widest
        signs = np.zeros((len(self.rows), len(self.cells)), dtype=np.int64)
        self._bit = {row: bit for bit, row in enumerate(component.rows)}
        self._met = np.zeros((len(self.cells), width), dtype=np.int64)  # the equations of a cell, and their signs
        self._signs = np.zeros((len(self.cells), width), dtype=np.int64)
        for at, cell in enumerate(self.cells.tolist()):
            for place, (row, sign) in enumerate(system.columns[cell]):
                self._met[at, place], self._signs[at, place] = self._bit[row], sign
                signs[self._bit[row], at] = sign
        self._gram = signs.T @ signs
        self._support = self._patterns(signs.T != 0)
        self._members = [np.flatnonzero(line) for line in signs]
        self._in_equation = signs != 0
        self._strangers = self._patterns(
            np.array([[bool(strangers >> row & 1) for row in component.rows] for strangers in system.strangers])
        )
        longest = max(map(len, self._members))
        self._padded = np.full((len(self.rows), longest), -1)
        for row, cells in enumerate(self._members):
            self._padded[row, : len(cells)] = cells
        self._shortest_first = np.argsort([len(cells) for cells in self._members], kind="stable")
        self._parts_of_support = np.full((len(self.cells), 1 << width), NO_PATTERN)
        for at, cell in enumerate(self.cells.tolist()):
            bits = [1 << self._bit[row] for row, _ in system.columns[cell]]
            parts = chain.from_iterable(combinations(bits, size) for size in range(len(bits) + 1))
            for place, part in enumerate(parts):
                self._parts_of_support[at, place] = sum(part)
        self._ones = np.argsort(self._support, kind="stable")
        self._ones_keys = self._support[self._ones]
        self._pair_masks, self._pairs = self._all_pairs(signs)
        order = np.argsort(self._pair_masks, kind="stable")
        self._pair_masks, self._pairs = self._pair_masks[order], self._pairs[order]
        self._beside: dict[int, tuple[Masks, Ints]] = {}

    @staticmethod
    def _patterns(broken: Bools) -> Masks:
        bits = np.left_shift(np.uint64(1), np.arange(broken.shape[1], dtype=np.uint64))
        patterns: Masks = np.where(broken, bits, np.uint64(0)).sum(axis=1, dtype=np.uint64)
        return patterns

    def _all_pairs(self, signs: Ints) -> tuple[Masks, Ints]:
        """Independent pairs of cells by every pattern that they can leave: shared equations may cancel or not."""
        first, second = (half.astype(np.int64) for half in np.triu_indices(len(self.cells), 1))
        independent = (self._gram[first, first] * self._gram[second, second] - self._gram[first, second] ** 2) != 0
        first, second = first[independent].astype(np.int64), second[independent].astype(np.int64)
        product = signs[:, first] * signs[:, second]
        union = self._support[first] | self._support[second]
        alike, opposite = self._patterns((product > 0).T), self._patterns((product < 0).T)
        found: list[tuple[Masks, Ints, Ints]] = [(union, first, second)]
        for cancelled in (alike, opposite):  # with changes of opposite and of the same size and sign
            some = cancelled != 0
            found.append((union[some] & ~cancelled[some], first[some], second[some]))
        masks = np.concatenate([mask for mask, _, _ in found])
        return masks, np.stack([np.concatenate([one[at] for one in found]) for at in (1, 2)], axis=1)

    def _pairs_beside(self, cell: int) -> tuple[Masks, Ints]:
        """The pairs by the pattern that they leave outside the equations of ``cell``; made when first needed."""
        if cell not in self._beside:
            keys = self._pair_masks & ~self._support[cell]
            order = np.argsort(keys, kind="stable")
            self._beside[cell] = keys[order], order
        return self._beside[cell]

    def prepare(self) -> None:
        """Make now what is else made when first needed; some tenths of a second for a large component."""
        for cell in range(len(self.cells)):
            self._pairs_beside(cell)

    def smallest(self, returns: Returns, rows: Ints, every: Bools, negative: Bools) -> tuple[list[Sets], Ints]:
        """The smallest sets of the given rows, by size, and the rows for which none of up to MAX_DEPTH cells will do.

        ``every``: of which of the rows all sets of fewer cells than that are asked for, not only the smallest.
        ``negative``: the cells of the form that may be below 0. Every set has the cells that are sure to change (what
        stands there is impossible) and those without a figure, at most one of which is looked for. A set counts only if
        its changes are whole, no figure leaves its domain, and every figure that stands there really changes.
        """
        residuals = returns.residuals[np.ix_(self.rows, rows)].T
        broken = residuals != 0
        patterns = self._patterns(broken)
        length = (residuals**2).sum(axis=1)
        missing, bad = (part[np.ix_(self.cells, rows)].T for part in (returns.missing, returns.bad))
        lacks, needed = missing.sum(axis=1), missing.sum(axis=1) + bad.sum(axis=1)
        unknown = np.where(lacks == 1, missing.argmax(axis=1), -1)
        least = np.max([np.bitwise_count(patterns & strangers) for strangers in self._strangers], axis=0)
        open_ = (lacks <= 1) & ((patterns != 0) | (needed > 0))
        left = (lacks > 1) | open_
        none = np.zeros((len(rows), 0), dtype=np.int64)
        smaller = self._some(Sets(np.arange(len(rows)), none, none), open_ & (patterns == 0))
        found = []
        for size, candidates in enumerate((self._singles, self._doubles, self._triples, self._quadruples), 1):
            open_ &= (size < MAX_DEPTH) | ~every
            ask = np.flatnonzero(open_ & (patterns != 0) & (least <= size))
            at, cells = candidates(patterns[ask], broken[ask])
            kept, steps = self._closing(residuals[ask[at]], length[ask[at]], cells)
            sets = Sets(ask[at[kept]], cells[kept], steps)
            new = returns.columns[self.cells[sets.cells], rows[sets.rows][:, None]] + sets.steps
            sets = self._some(sets, ((sets.steps != 0) & ((new >= 0) | negative[self.cells[sets.cells]])).all(axis=1))
            both = zip(sets, self._with_unknown(smaller, unknown), strict=True)
            smaller, good = sets, Sets(*(np.concatenate(lots) for lots in both))
            forced = np.take_along_axis((missing | bad)[good.rows], good.cells, axis=1).sum(axis=1)
            good = self._some(good, (forced == needed[good.rows]) & open_[good.rows])
            if len(good.rows):
                found.append(Sets(rows[good.rows], self.cells[good.cells], good.steps))
                left[good.rows] = False
                open_[good.rows] = every[good.rows]
        return found, rows[left]

    @staticmethod
    def _some(sets: Sets, kept: Bools) -> Sets:
        return Sets(*(part[kept] for part in sets))

    def _with_unknown(self, sets: Sets, unknown: Ints) -> Sets:
        """Sets that close the residuals alone, together with the cell without a figure, which then becomes 0."""
        cell = unknown[sets.rows]
        sets = self._some(sets, (cell >= 0) & (sets.cells != cell[:, None]).all(axis=1))
        wider = np.concatenate([sets.cells, unknown[sets.rows][:, None]], axis=1)
        order = np.argsort(wider, axis=1, kind="stable")
        steps = np.concatenate([sets.steps, np.zeros((len(sets.rows), 1), dtype=np.int64)], axis=1)
        wider, steps = np.take_along_axis(wider, order, axis=1), np.take_along_axis(steps, order, axis=1)
        return self._some(Sets(sets.rows, wider, steps), _determinant(self._entries(wider)) != 0)

    def _singles(self, patterns: Masks, broken: Bools) -> tuple[Ints, Ints]:
        at, place = matches(self._ones_keys, patterns)
        return at, self._ones[place][:, None]

    def _doubles(self, patterns: Masks, broken: Bools) -> tuple[Ints, Ints]:
        at, place = matches(self._pair_masks, patterns)
        return at, self._pairs[place]

    def _triples(self, patterns: Masks, broken: Bools) -> tuple[Ints, Ints]:
        """A broken equation with few cells needs one of them; the other two leave the rest of the pattern."""
        found = [(np.zeros(0, dtype=np.int64), np.zeros((0, 3), dtype=np.int64))]
        for here, cell in self._by_member(broken):
            keys, order = self._pairs_beside(cell)
            at, place = matches(keys, patterns[here] & ~self._support[cell])
            found.append(self._with_pairs(here[at], np.full((len(at), 1), cell), order[place]))
        return self._distinct(found)

    def _quadruples(self, patterns: Masks, broken: Bools) -> tuple[Ints, Ints]:
        """As for three, and an equation that is broken besides needs a second cell.

        What the other two leave outside the equations of both is known; what they leave in the second cell's is not.
        """
        found = [(np.zeros(0, dtype=np.int64), np.zeros((0, 4), dtype=np.int64))]
        for rows, cell in self._by_member(broken):
            rest = broken[rows] & ~self._in_equation[:, cell]
            more = rest.any(axis=1)
            here, rest = rows[more], rest[more]
            second = self._padded[self._shortest_first[np.argmax(rest[:, self._shortest_first], axis=1)]]
            outside = patterns[here] & ~self._support[cell]
            wanted = (outside[:, None] & ~self._support[second])[:, :, None] | self._parts_of_support[second]
            keys, order = self._pairs_beside(cell)
            at, place = matches(keys, wanted.ravel())
            row, member, _ = np.unravel_index(at, wanted.shape)
            other = second[row, member]
            real = (other >= 0) & (other != cell)
            both = np.stack([np.full(len(other), cell), other], axis=1)
            found.append(self._with_pairs(here[row[real]], both[real], order[place[real]]))
        return self._distinct(found)

    def _by_member(self, broken: Bools) -> Iterator[tuple[Ints, int]]:
        """Each cell of a broken equation with few cells, and the rows for which that is the equation."""
        chosen = self._shortest_first[np.argmax(broken[:, self._shortest_first], axis=1)]
        for row in np.unique(chosen).tolist():
            here = np.flatnonzero(chosen == row)
            for cell in self._members[row].tolist():
                yield here, cell

    def _with_pairs(self, rows: Ints, cells: Ints, pairs: Ints) -> tuple[Ints, Ints]:
        """Cells joined by pairs that have none of them."""
        two = self._pairs[pairs]
        apart = (two[:, :, None] != cells[:, None, :]).all(axis=(1, 2))
        return rows[apart], np.sort(np.concatenate([cells[apart], two[apart]], axis=1), axis=1)

    def _distinct(self, found: list[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
        rows, sets = (np.concatenate([part[way] for part in found]) for way in (0, 1))
        code = rows
        for at in range(sets.shape[1]):
            code = code * len(self.cells) + sets[:, at]
        _, first = np.unique(code, return_index=True)
        return rows[first], sets[first]

    def _closing(self, residuals: Ints, length: Ints, sets: Ints) -> tuple[Bools, Ints]:
        """Which candidates are independent and close their residuals by whole changes, and those changes."""
        met, signs = self._met[sets], self._signs[sets]
        above = (residuals[np.arange(len(sets))[:, None, None], met] * signs).sum(axis=2).T
        gram = self._entries(sets)
        determinant = _determinant(gram)
        solved = [  # adj(G) p by Cramer's rule
            _determinant([[*row[:at], above[number], *row[at + 1 :]] for number, row in enumerate(gram)])
            for at in range(len(gram))
        ]
        spans = sum(one * right for one, right in zip(solved, above, strict=True)) == determinant * length
        divisor = np.where(determinant == 0, 1, determinant)
        whole = np.all([one % divisor == 0 for one in solved], axis=0)
        kept = (determinant != 0) & spans & whole
        return kept, -np.stack([one[kept] // divisor[kept] for one in solved], axis=1)

    def _entries(self, sets: Ints) -> list[list[Ints]]:
        """``G`` of many sets, entry by entry."""
        return [[self._gram[one, other] for other in sets.T] for one in sets.T]


def _determinant(matrix: Sequence[Sequence[Ints]]) -> Ints:
    """The determinants of many matrices, given entry by entry."""
    if len(matrix) == 1:
        return matrix[0][0]
    total = np.zeros_like(matrix[0][0])
    for column, entry in enumerate(matrix[0]):
        minor = _determinant([[*row[:column], *row[column + 1 :]] for row in matrix[1:]])
        total = total - entry * minor if column % 2 else total + entry * minor
    return total
