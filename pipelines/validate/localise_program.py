"""Smallest sets of many changes: an integer program solved by HiGHS, every answer confirmed in exact arithmetic.

Belongs here: the case of more than a few wrong cells, where enumeration grows too slow, and the rare case where only
the bound at 0 rules the small sets out. Does not belong here: the usual case (localise_search.py). ``highspy`` (which
brings numpy) is imported only when a program is really solved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pipelines.validate.localise_search import Changes, admissible, solve
from pipelines.validate.localise_system import Laid, System, magnitude

MOST_SETS = 10
# Limits of effort, not of time: the same return must get the same answer on a slow and on a busy machine.
MOST_NODES = 100  # of one program; some tenths of a second
MOST_STEPS = 20_000  # simplex iterations for all sets of one component together


def _solver() -> Any:  # noqa: ANN401 - highspy ships no types that fit its own use
    """A HiGHS that says nothing, uses one thread and gives the same answer for the same program."""
    import highspy

    class Quiet(highspy.Highs):
        """HiGHS greets on standard output as soon as callbacks are enabled; standard output carries our JSON.

        No callback is needed here, so none is enabled.
        """

        def enableCallbacks(self) -> None:  # noqa: N802 - the name is theirs
            self.setOptionValue("output_flag", False)

    solver = Quiet()  # type: ignore[no-untyped-call]
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("random_seed", 0)
    solver.setOptionValue("mip_feasibility_tolerance", 1e-9)
    solver.setOptionValue("mip_abs_gap", 0.5)  # the objective counts cells: half a cell is no difference
    solver.setOptionValue("mip_max_nodes", MOST_NODES)
    return solver


class Program:
    """min sum(z) over figure + up - down, every equation 0, ``up`` and ``down`` 0 where z is 0, no figure below 0.

    ``cells``: the cells that may change; ``free``: those whose change costs nothing (unknown); ``sure``: those that
    must change. The bound on a change is the sum of the residuals and of what is impossible: in a system of signs such
    as this a smallest change moves no cell by more, and whatever the solver answers is confirmed exactly anyway.
    """

    def __init__(
        self, system: System, laid: Laid, cells: Sequence[int], free: frozenset[int], sure: frozenset[int]
    ) -> None:
        self._solver = _solver()
        self._infinity = self._solver.getInfinity()
        self._count = 0
        self._z: dict[int, int] = {}
        rows: dict[int, list[tuple[int, int]]] = {}
        most_exact = sum(magnitude(residual) for residual in laid.residuals.values())
        most_exact += sum(magnitude(laid.figures[cell]) for cell in sure)
        most = 1.0 + float(most_exact)
        for cell in cells:
            figure = float(laid.figures[cell])
            columns = self._free(cell) if cell in free else self._changeable(cell, figure, most, cell in sure)
            for row, sign in system.columns[cell]:
                rows.setdefault(row, []).extend((column, sign * way) for column, way in columns)
        for row, terms in rows.items():
            right = -float(laid.residuals.get(row, 0))
            self._row(right, right, [column for column, _ in terms], [float(factor) for _, factor in terms])

    def _column(self, cost: float, low: float, high: float) -> int:
        self._solver.addCol(cost, low, high, 0, [], [])
        self._count += 1
        return self._count - 1

    def _row(self, low: float, high: float, columns: list[int], factors: list[float]) -> None:
        self._solver.addRow(low, high, len(columns), columns, factors)

    def _free(self, cell: int) -> list[tuple[int, int]]:
        return [(self._column(0.0, 0.0, self._infinity), 1)]

    def _changeable(self, cell: int, figure: float, most: float, sure: bool) -> list[tuple[int, int]]:
        import highspy

        fall = min(most, max(0.0, figure))  # no figure goes below 0
        up = self._column(0.0, max(0.0, -figure), most)
        down = self._column(0.0, 0.0, fall)
        z = self._z[cell] = self._column(1.0, float(sure), 1.0)
        self._solver.changeColIntegrality(z, highspy.HighsVarType.kInteger)
        self._row(-self._infinity, 0.0, [up, z], [1.0, -most])
        self._row(-self._infinity, 0.0, [down, z], [1.0, -fall])
        return [(up, 1), (down, -1)]

    def next_set(self) -> tuple[frozenset[int] | None, int]:
        """The cells of a smallest set that was not excluded, and the steps it took.

        None where there is none or where it takes more nodes than are allowed.
        """
        import highspy

        self._solver.run()
        steps = max(1, self._solver.getInfo().simplex_iteration_count)
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None, steps
        values = self._solver.getSolution().col_value
        return frozenset(cell for cell, column in self._z.items() if values[column] > 0.5), steps

    def exclude(self, cells: frozenset[int]) -> None:
        """Never again answer with this set or one that contains it."""
        columns = [self._z[cell] for cell in sorted(cells)]
        self._row(-self._infinity, len(columns) - 1.0, columns, [1.0] * len(columns))

    def no_larger(self, size: int) -> None:
        """Answer only with sets of at most ``size`` cells."""
        columns = list(self._z.values())
        self._row(-self._infinity, float(size), columns, [1.0] * len(columns))


def _confirmed(
    system: System, laid: Laid, cells: Iterable[int], chosen: frozenset[int], free: frozenset[int]
) -> Changes | None:
    """What a set that the solver found becomes; None where exact arithmetic does not bear the solver out.

    That happens only beside figures of ten and more digits: the solver's tolerance then hides a broken sum.
    """
    touched = {row for cell in chosen | free for row, _ in system.columns[cell]}
    if any(row in laid.residuals and row not in touched for cell in cells for row, _ in system.columns[cell]):
        return None
    return solve(system, laid, [*sorted(chosen), *sorted(free)])


def smallest_sets(
    system: System,
    laid: Laid,
    cells: Sequence[int],
    unknown: Iterable[int],
    sure: Iterable[int],
    most: int = MOST_SETS,
    most_steps: int = MOST_STEPS,
) -> list[Changes]:
    """At most ``most`` smallest sets with the figures they imply, confirmed exactly, in form order.

    Empty where HiGHS finds none within its limits of effort, or one that exact arithmetic does not bear out: nobody
    knows then, and nothing is proposed.
    """
    free, must = frozenset(unknown), frozenset(sure)
    program = Program(system, laid, cells, free, must)
    found: dict[frozenset[int], Changes] = {}
    steps = 0
    while len(found) < most and steps < most_steps:
        chosen, taken = program.next_set()
        steps += taken
        if not chosen:
            break
        changes = _confirmed(system, laid, cells, chosen, free)
        if changes is None:
            break
        if chosen <= changes.keys() and admissible(system, laid, changes, chosen):
            if not found:
                program.no_larger(len(chosen))
            found[chosen] = changes
        program.exclude(chosen)
    return [found[chosen] for chosen in sorted(found, key=sorted)]
