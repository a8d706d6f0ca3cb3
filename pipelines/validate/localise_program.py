"""Smallest sets of many changes: an integer program solved by HiGHS, every answer confirmed in exact arithmetic.

Belongs here: the case of more than a few wrong cells, where enumeration grows too slow, and the rare case where only
the bound at 0 rules the small sets out. Does not belong here: the usual case (localise_search.py). ``highspy`` (which
brings numpy) is imported only when a program is really solved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pipelines.validate.localise_search import Changes, admissible, solve
from pipelines.validate.localise_system import Laid, System

MOST_SETS = 20
SECONDS = 2.0


class Program:
    """min sum(z) over x = figure + up - down, every equation 0, up and down 0 where z is 0, x >= 0.

    ``cells``: the cells that may change; ``free``: those of them whose change costs nothing (unknown); ``sure``: those
    that must change. No bound on a change is needed beyond the sum of the residuals and of what is below 0: in a
    system of signs 0, +1 and -1 such as this a smallest change never moves a cell by more.
    """

    def __init__(
        self, system: System, laid: Laid, cells: Sequence[int], free: frozenset[int], sure: frozenset[int]
    ) -> None:
        import highspy

        self._system, self._laid, self._cells = system, laid, cells
        self._free, self._sure = free, sure
        self._solver = solver = highspy.Highs()
        for option, value in (
            ("output_flag", False),
            ("time_limit", SECONDS),
            ("threads", 1),
            ("random_seed", 0),
            ("mip_feasibility_tolerance", 1e-9),
            ("mip_rel_gap", 0.0),
            ("mip_abs_gap", 0.5),
        ):
            solver.setOptionValue(option, value)
        most = float(sum(abs(residual) for residual in laid.residuals.values()) + 1)
        most += float(sum(abs(laid.figures[cell]) for cell in sure))
        self._z: dict[int, int] = {}
        entries: dict[int, list[tuple[int, int]]] = {}
        count = 0
        for cell in cells:
            figure = max(0.0, float(laid.figures[cell]))
            below = min(0.0, float(laid.figures[cell]))
            if cell in free:
                solver.addCol(0.0, 0.0, highspy.kHighsInf, 0, [], [])
                columns = [(count, 1)]
                count += 1
            else:
                solver.addCol(0.0, -below, most, 0, [], [])
                solver.addCol(0.0, 0.0, min(most, figure), 0, [], [])
                solver.addCol(1.0, float(cell in sure), 1.0, 0, [], [])
                solver.changeColIntegrality(count + 2, highspy.HighsVarType.kInteger)
                solver.addRow(-highspy.kHighsInf, 0.0, 2, [count, count + 2], [1.0, -most])
                solver.addRow(-highspy.kHighsInf, 0.0, 2, [count + 1, count + 2], [1.0, -min(most, figure)])
                self._z[cell] = count + 2
                columns = [(count, 1), (count + 1, -1)]
                count += 3
            for row, sign in system.columns[cell]:
                entries.setdefault(row, []).extend((column, sign * way) for column, way in columns)
        for row, terms in entries.items():
            right = -float(laid.residuals.get(row, 0))
            names, factors = [column for column, _ in terms], [float(factor) for _, factor in terms]
            solver.addRow(right, right, len(names), names, factors)
        self._done: Any = highspy.HighsModelStatus.kOptimal

    def next_set(self) -> frozenset[int] | None:
        """The cells of a smallest set that was not excluded; None where there is none or time is up."""
        self._solver.run()
        if self._solver.getModelStatus() != self._done:
            return None
        values = self._solver.getSolution().col_value
        return frozenset(cell for cell, column in self._z.items() if values[column] > 0.5)

    def exclude(self, cells: frozenset[int]) -> None:
        """Never answer with this set or a larger one that has it again."""
        import highspy

        columns = [self._z[cell] for cell in sorted(cells)]
        self._solver.addRow(-highspy.kHighsInf, len(columns) - 1.0, len(columns), columns, [1.0] * len(columns))


def smallest_sets(
    system: System,
    laid: Laid,
    cells: Sequence[int],
    unknown: Iterable[int],
    sure: Iterable[int],
    most: int = MOST_SETS,
) -> list[Changes]:
    """At most ``most`` smallest sets with the figures they imply, confirmed exactly, in a fixed order.

    Empty where HiGHS finds none in time: then nobody knows, and nothing is proposed.
    """
    free, must = frozenset(unknown), frozenset(sure)
    program = Program(system, laid, cells, free, must)
    found: dict[frozenset[int], Changes] = {}
    size = 0
    for _ in range(most):
        chosen = program.next_set()
        if not chosen or (size and len(chosen) > size):
            break
        size = len(chosen)
        changes = solve(system, laid, [*sorted(chosen), *sorted(free)])
        if changes is not None and chosen <= changes.keys() and admissible(system, laid, changes, chosen):
            found[chosen] = changes
        program.exclude(chosen)
    return [found[chosen] for chosen in sorted(found, key=sorted)]
