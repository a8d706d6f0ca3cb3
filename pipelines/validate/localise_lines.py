"""Structured hypotheses: one slip that changed a whole line of the form.

Belongs here: lines shifted by one cell, neighbouring rows or columns interchanged, each kept only if undoing it
satisfies every equation that it touches. Does not belong here: ranking them (slips.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from pipelines.validate.localise_search import Changes, divided
from pipelines.validate.localise_sides import sides_hold
from pipelines.validate.localise_system import Exact, Laid, System, allowed, cells_of_pairs


class Hypothesis(msgspec.Struct, frozen=True):
    """A kind of line slip (``schemas/slips.toml``), the cells of the line, and what undoing it changes."""

    kind: str
    cells: tuple[int, ...]
    changes: Changes


def _residuals_after(system: System, laid: Laid, changes: Changes) -> dict[int, Exact]:
    """The residuals of the touched equations once ``changes`` are made, 0 included."""
    after: dict[int, Exact] = {}
    for cell, figure in changes.items():
        step = figure - laid.figures[cell]
        for row, sign in system.columns[cell]:
            after[row] = after.get(row, laid.residuals.get(row, 0)) + sign * step
    return after


def _settled(system: System, laid: Laid, changes: Changes, touched: frozenset[int]) -> bool:
    """Whether the changes satisfy all equations of the components of the ``touched`` cells, within the domains."""
    after = _residuals_after(system, laid, changes)
    components = {system.component_of[cell] for cell in touched}
    if any(after.values()) or any(
        row not in after and system.component_of_row[row] in components for row in laid.residuals
    ):
        return False
    if not all(sides_hold(system.components[number], laid, changes) for number in components):
        return False
    if any(cell not in changes and system.component_of[cell] in components for cell in laid.unknown):
        return False
    return all(allowed(system, cell, figure) for cell, figure in changes.items())


def _changed(laid: Laid, proposed: Iterable[tuple[int, Exact]]) -> Changes:
    return {cell: figure for cell, figure in proposed if figure != laid.figures[cell] or cell in laid.unknown}


def moved_back(cells: tuple[int, ...], right: bool) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Undoing a shift to the right or left: the cells that get a figure, the cells whose figures those are, and the
    cell that loses its own."""
    return (cells[:-1], cells[1:], cells[-1]) if right else (cells[1:], cells[:-1], cells[0])


def _unshifted(system: System, laid: Laid, cells: tuple[int, ...], right: bool) -> Changes | None:
    """The line moved back by one cell; the cell that loses its figure is solved from an equation it stands in."""
    to, sources, free = moved_back(cells, right)
    changes = _changed(laid, zip(to, (laid.figures[cell] for cell in sources), strict=True))
    if not system.columns[free]:
        return None
    row, sign = system.columns[free][0]
    rest = _residuals_after(system, laid, changes).get(row, laid.residuals.get(row, 0))
    figure = laid.figures[free] - divided(rest, sign)
    return changes | _changed(laid, [(free, figure)])


def _reaches(system: System, laid: Laid, cells: tuple[int, ...]) -> bool:
    """Whether every broken equation of the components of these cells has one of them: else they cannot explain it."""
    touched, components = system.reach[cells]
    near = [row for row in laid.residuals if system.component_of_row[row] in components]
    return bool(near) and touched.issuperset(near)


def _candidates(system: System, laid: Laid) -> Iterator[Hypothesis]:
    for line in system.lines:
        if not _reaches(system, laid, line.cells):
            continue
        for cells in (line.cells, line.parts) if line.parts else (line.cells,):
            for kind, right in (("shifted_right", True), ("shifted_left", False)):
                changes = _unshifted(system, laid, cells, right)
                if changes:
                    yield Hypothesis(kind, cells, changes)
    for kind, pairs in (("rows_swapped", system.row_pairs), ("columns_swapped", system.column_pairs)):
        for pair in pairs:
            cells = cells_of_pairs(pair)
            if _reaches(system, laid, cells):
                proposed = [(a, laid.figures[b]) for a, b in pair] + [(b, laid.figures[a]) for a, b in pair]
                changes = _changed(laid, proposed)
                if changes:
                    yield Hypothesis(kind, cells, changes)


def hypotheses(system: System, laid: Laid) -> list[Hypothesis]:
    """Every line slip whose undoing satisfies all equations that it touches, in the form's order."""
    return [
        hypothesis
        for hypothesis in _candidates(system, laid)
        if _settled(system, laid, hypothesis.changes, frozenset(hypothesis.cells))
    ]
