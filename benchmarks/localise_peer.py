"""HiGHS alone on the same cases: the textbook program of error localisation, written apart from the product.

Belongs here: the smallest number of changes and one smallest set, as any integer program would give them. It is the
oracle of the tests and the peer of the benchmark; it knows nothing of slips, ties or residual elimination.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import highspy
import numpy as np

from schemas.rules import RuleSet

Figure = Decimal | int


def smallest_change(rules: RuleSet, values: Mapping[str, Figure]) -> dict[str, int] | None:
    """One smallest set of changes (cell -> figure >= 0) that satisfies every unconditional error equality."""
    equations = [r for r in rules.rules if r.severity == "error" and r.relation == "=" and not r.when and not r.unless]
    cells = sorted({term.cell for rule in equations for term in rule.terms})
    at = {cell: position for position, cell in enumerate(cells)}
    count = len(cells)
    figures = np.array([float(values[cell]) for cell in cells])
    most = float(figures.max() + sum(abs(float(rule.residual(values) or 0)) for rule in equations) + 1)
    model = highspy.HighsLp()
    model.num_col_ = 2 * count  # the new figures, then whether each changes
    rows: list[tuple[list[int], list[float], float, float]] = []
    infinity = highspy.kHighsInf
    for rule in equations:
        terms = rule.terms
        constant = float(rule.constant)
        rows.append(([at[t.cell] for t in terms], [float(t.sign) for t in terms], constant, constant))
    for position in range(count):
        rows.append(([position, count + position], [1.0, -most], -infinity, figures[position]))
        rows.append(([position, count + position], [1.0, most], figures[position], infinity))
    model.num_row_ = len(rows)
    model.col_cost_ = np.concatenate([np.zeros(count), np.ones(count)])
    model.col_lower_ = np.zeros(2 * count)
    model.col_upper_ = np.concatenate([np.full(count, most), np.ones(count)])
    model.row_lower_ = np.array([row[2] for row in rows])
    model.row_upper_ = np.array([row[3] for row in rows])
    # Figures may be fractions to the solver: that is quicker, and can only make its answer smaller.
    model.integrality_ = [highspy.HighsVarType.kContinuous] * count + [highspy.HighsVarType.kInteger] * count
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = np.cumsum([0, *[len(row[0]) for row in rows]])
    model.a_matrix_.index_ = np.array([column for row in rows for column in row[0]])
    model.a_matrix_.value_ = np.array([factor for row in rows for factor in row[1]])
    solver = highspy._core._Highs()  # without the greeting on standard output
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("mip_feasibility_tolerance", 1e-9)
    solver.passModel(model)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    solution = solver.getSolution().col_value
    new = {cell: round(solution[at[cell]]) for cell in cells}
    return {cell: figure for cell, figure in new.items() if figure != values[cell]}
