"""Conditional rules and inequalities of a component: the fewest further changes that satisfy them.

Belongs here: trying values for the few cells that stand in such rules alone. Does not belong here: cells that stand in
equations (localise_search.py decides those first).

The declared sides compare single figures with one another or with 0 and 1. For such rules a solution exists if one
exists among the figures that occur in them, 0 and 1, so trying those is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product

from pipelines.validate.localise_system import Component, Exact, Laid, Side, System, allowed, magnitude, to_figure
from pipelines.validate.slips import single_slip

MAX_PRIVATE = 6
Changes = Mapping[int, Exact]


def side_holds(side: Side, laid: Laid, changes: Changes) -> bool:
    """Whether a side holds once ``changes`` are made; one with a figure that is still unknown says nothing."""
    figures, unknown = laid.figures, laid.unknown
    if not unknown.isdisjoint(side.cells) and any(cell in unknown and cell not in changes for cell in side.cells):
        return True
    if side.condition >= 0:
        state = changes.get(side.condition, figures[side.condition])
        if (state != 0) if side.if_zero else (state <= 0):
            return True
    residual = sum(sign * changes.get(cell, figures[cell]) for cell, sign in side.terms) - side.constant
    if side.relation == ">=":
        return residual >= 0
    return residual <= 0 if side.relation == "<=" else residual == 0


def sides_hold(component: Component, laid: Laid, changes: Changes) -> bool:
    """Whether all sides of a component hold once ``changes`` are made."""
    return all(side_holds(side, laid, changes) for side in component.sides)


def _holds(system: System, component: Component, laid: Laid, changes: Changes) -> bool:
    for cell in component.private:
        if cell in changes:
            if not allowed(system, cell, changes[cell]):
                return False
        elif cell in laid.bad:
            return False
    return sides_hold(component, laid, changes)


def _possible(component: Component, laid: Laid, changes: Changes) -> list[Exact]:
    """The figures that occur in the component's sides, their absolute values and whole parts, 0 and 1; ascending."""
    found: set[Exact] = {0, 1}
    for cell in {*component.private, *(cell for side in component.sides for cell in side.cells)} - laid.unknown:
        size = magnitude(changes.get(cell, laid.figures[cell]))
        found |= {size, int(size), int(size) + 1}
    return sorted(found)


def _likeliest(laid: Laid, trials: Sequence[dict[int, Exact]]) -> dict[int, Exact]:
    """Of several values for the same cells, those that the likeliest slips and then the smallest changes lead to."""

    def key(trial: dict[int, Exact]) -> tuple[int, Exact, tuple[Exact, ...]]:
        cost = sum(
            single_slip(to_figure(laid.figures[cell]), to_figure(value), False, ()).cost
            for cell, value in trial.items()
        )
        return cost, sum(magnitude(value - laid.figures[cell]) for cell, value in trial.items()), tuple(trial.values())

    return min(trials, key=key)


def repairs(
    system: System, component: Component, laid: Laid, changes: Changes, most: int
) -> Iterator[dict[int, Exact]]:
    """The smallest sets of changes of private cells that satisfy the sides, at most ``most`` cells, each with values.

    ``changes``: what was already changed in the component's equations. One empty set where all holds as it is.
    """
    if _holds(system, component, laid, changes):
        yield {}
        return
    private = [cell for cell in component.private if cell not in laid.unknown]
    possible = _possible(component, laid, changes)
    for size in range(1, min(most, len(private), MAX_PRIVATE) + 1):
        found = False
        for cells in combinations(private, size):
            trials = []
            for figures in product(possible, repeat=size):
                trial = dict(zip(cells, figures, strict=True))
                # Every cell of it changes: with one left as it is, fewer cells would have done, and were tried before.
                if _holds(system, component, laid, {**changes, **trial}):
                    trials.append(trial)
            if trials:
                found = True
                yield _likeliest(laid, trials)
        if found:
            return
