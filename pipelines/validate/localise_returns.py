"""Many returns of one system laid on its equations at once: the figures, what is broken, impossible or missing.

Belongs here: one system's cells as columns of numbers, conditional rules for many changes. Does not belong here: one
return (localise_system.py), searching (localise_sets.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipelines.validate.kernel import UNIT, figure_of
from pipelines.validate.lanes import Block, Bools, Ints
from pipelines.validate.localise_system import Exact, Laid, Side, System, allowed, exact

# Returns with larger figures or residuals are explained one by one. For residuals r below this every product of
# localise_sets.py stays below 2**63: det G <= 27, adj G <= 18, p <= 3 r, r'r <= 64 r**2.
MOST_FIGURE = 1 << 40
MOST_RESIDUAL = 1 << 22


class Returns(NamedTuple):
    """By cell of the form and row: figures (counts as they are, money in ten-thousandths, 0 where there is none),
    where none stands, where one breaks an error domain. By equation of the system and row: residuals."""

    columns: Ints
    missing: Bools
    bad: Bools
    residuals: Ints


class Layout:
    """One system as far as laying returns on it goes.

    ``unit``: how many ten-thousandths one unit of a cell's column is. ``negative``: the cells that may be below 0.
    """

    def __init__(self, system: System) -> None:
        self.system = system
        self.unit = np.array([1 if cell.kind == "money" else UNIT for cell in system.form.cells])
        self.negative = np.array([allowed(system, cell, -1) for cell in range(len(system.names))])

    def lay_out(self, block: Block) -> tuple[Returns, Bools]:
        """The returns of a block, and which of them hold figures too large to be explained together."""
        count = len(self.system.names)
        columns = np.stack(block.columns[:count])
        large: Bools = np.any((columns >= MOST_FIGURE) | (columns <= -MOST_FIGURE), axis=0)
        columns[:, large] = 0
        missing = np.zeros(columns.shape, dtype=bool)
        for cell, mask in enumerate(block.missing[:count]):
            if mask is not None:
                missing[cell] = mask
        residuals = np.zeros((len(self.system.rows), block.rows), dtype=np.int64)
        for at, (row, rule) in enumerate(zip(self.system.rows, self.system.row_rules, strict=True)):
            for cell, sign in row:
                residuals[at] += sign * columns[cell]
            residuals[at] -= rule.constant
        large = np.logical_or(large, (np.abs(residuals) >= MOST_RESIDUAL).any(axis=0))
        return Returns(columns, missing, (columns < 0) & ~self.negative[:, None], residuals), large

    def one(self, returns: Returns, row: int) -> Laid:
        """One of the returns as the search by itself looks at it."""
        values = zip(returns.columns[:, row].tolist(), self.unit.tolist(), strict=True)
        figures = [value if unit == UNIT else exact(figure_of(value)) for value, unit in values]
        residuals = returns.residuals[:, row].tolist()
        broken: dict[int, Exact] = {at: residual for at, residual in enumerate(residuals) if residual}
        unknown, bad = (frozenset(np.flatnonzero(part[:, row]).tolist()) for part in (returns.missing, returns.bad))
        return Laid(figures, broken, unknown, frozenset(), bad)

    def holds(self, side: Side, returns: Returns) -> Bools:
        """Whether a conditional rule or inequality holds, by row; one that lacks a figure says nothing."""
        rows = np.arange(returns.columns.shape[1])
        none = np.zeros((len(rows), 0), dtype=np.int64)
        return self.holds_after(side, returns, rows, none, none)

    def holds_after(self, side: Side, returns: Returns, rows: Ints, cells: Ints, steps: Ints) -> Bools:
        """The same once changes are made, by set of changes: its row, its cells (-1: none) and their changes."""

        def value(cell: int) -> Ints:
            changed: Ints = returns.columns[cell, rows] + np.where(cells == cell, steps, 0).sum(axis=1)
            return np.multiply(changed, int(self.unit[cell]))

        residual = np.full(len(rows), -side.constant * UNIT)
        for cell, sign in side.terms:
            residual += sign * value(cell)
        held: Bools = {"=": residual == 0, ">=": residual >= 0, "<=": residual <= 0}[side.relation]
        if side.condition >= 0:
            state = value(side.condition)
            held = held | ((state != 0) if side.if_zero else (state <= 0))
        for cell in side.cells:
            held = held | (returns.missing[cell, rows] & (cells != cell).all(axis=1))
        return held
