"""Naming the wrong cell: all smallest sets of changes that satisfy every error rule, ranked, nothing corrected.

Belongs here: putting together the parts of the search (Fellegi and Holt's principle: change as few figures as
possible). Does not belong here: the parts: equations (localise_system.py), enumeration (localise_search.py),
conditional rules (localise_sides.py), many changes (localise_program.py), slips that move a whole line
(localise_lines.py), ranking and words (slips.py); thousands of returns at once (localise_stream.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import product
from math import prod

import msgspec

from pipelines.validate.claims import readings, signed
from pipelines.validate.localise_lines import hypotheses
from pipelines.validate.localise_search import MAX_DEPTH, Changes, Reduced, admissible, closing_sets, solve, start
from pipelines.validate.localise_sides import repairs, sides_hold
from pipelines.validate.localise_system import Component, Exact, Laid, System, lay, to_figure
from pipelines.validate.slips import Against, Slip, Stands, Witnesses, line_slip, reason, slips_of, stands
from schemas.intake import Change, Claim, Explanation

Figure = Decimal | int
MOST_UNKNOWN = 30  # a part of the form with more missing figures than this is not localised: it was not filled in
MOST_COMBINED = 5000  # explanations of independent parts are combined up to this many


class Part(msgspec.Struct, frozen=True):
    """One way to satisfy the rules of some components: the changes, and the slips they suppose."""

    changes: dict[int, Figure]
    slips: tuple[Slip, ...]
    components: frozenset[int]

    @property
    def cost(self) -> int:
        """What the slips cost together."""
        return sum(slip.cost for slip in self.slips)


class Whole(msgspec.Struct, frozen=True):
    """One explanation of the whole return before it is worded."""

    cost: int
    changes: dict[int, Figure]
    slips: tuple[Slip, ...]


class Ranked(msgspec.Struct, frozen=True):
    """The explanations of one return with their ranks, best first, and what their wording needs."""

    known: Mapping[str, Figure]
    here: Stands
    witnesses: Witnesses
    wholes: tuple[tuple[int, Whole], ...]


def _merged(system: System, values: Mapping[str, Figure], changes: Mapping[int, Figure]) -> dict[str, Figure]:
    return {**values, **{system.names[cell]: figure for cell, figure in changes.items()}}


def _figures(changes: Changes) -> dict[int, Figure]:
    return {cell: to_figure(figure) for cell, figure in changes.items()}


class _Problem(msgspec.Struct, frozen=True):
    """One component of one return: what is broken in it and which of its cells are unknown or sure to change."""

    system: System
    laid: Laid
    component: Component
    residuals: dict[int, Exact]
    unknown: tuple[int, ...]
    sure: tuple[int, ...]


def _problem(system: System, laid: Laid, component: Component) -> _Problem:
    return _Problem(
        system,
        laid,
        component,
        {row: residual for row, residual in laid.residuals.items() if system.component_of_row[row] == component.number},
        tuple(sorted(laid.unknown & component.equated)),
        tuple(sorted(laid.bad & component.equated)),
    )


def _problems(system: System, laid: Laid) -> list[_Problem]:
    """The components in which something is broken, impossible or missing, in the form's order."""
    numbers = {system.component_of_row[row] for row in laid.residuals}
    numbers |= {system.component_of[cell] for cell in (*laid.unknown, *laid.bad)}
    numbers |= {component.number for component in system.sided if not sides_hold(component, laid, {})}
    return [_problem(system, laid, system.components[number]) for number in sorted(numbers)]


def _with_sides(problem: _Problem, changes: Changes, most: int) -> Iterator[Changes]:
    """The changes together with the smallest further changes that the conditional rules need, at most ``most``."""
    if not problem.component.private:
        yield changes
        return
    for more in repairs(problem.system, problem.component, problem.laid, changes, most):
        yield changes | more


def _solved(problem: _Problem, state: Reduced, size: int) -> list[Changes]:
    """The sets of ``size`` cells beside the sure and unknown ones that satisfy the equations, with their figures."""
    system, laid = problem.system, problem.laid
    solved = []
    for chosen in closing_sets(system, state, size):
        changes = solve(system, laid, [*sorted(chosen), *problem.unknown, *problem.sure])
        if changes is not None and admissible(system, laid, changes, [*chosen, *problem.sure]):
            solved.append(changes)
    return solved


def smallest(problem: _Problem, solved_before: Sequence[list[Changes]] = ()) -> list[Changes]:
    """All smallest sets of changes of one component with the figures they imply, in the order of the search.

    Sets of one size that satisfy the equations are completed by what conditional rules need, so that a set counts with
    all its changes. Empty where no set of up to MAX_DEPTH cells will do. ``solved_before``: the sets that satisfy the
    equations where they are known, by the number of cells beside those that are sure to change.
    """
    state = start(problem.system, dict(problem.residuals), [*problem.unknown, *problem.sure])
    must = len(problem.sure)
    known: list[list[Changes]] = []
    for size in range(max(0, MAX_DEPTH - must) + 1):
        known.append(solved_before[size] if size < len(solved_before) else _solved(problem, state, size))
        found = [
            completed
            for cells, sets in enumerate(known)
            for changes in sets
            for completed in _with_sides(problem, changes, size - cells)
            if len(completed) == len(changes) + size - cells
        ]
        if found:
            return found
    return []


def larger(problem: _Problem) -> list[Changes]:
    """Smallest sets of one component where they have more cells than enumeration reaches, by an integer program."""
    from pipelines.validate.localise_program import smallest_sets

    if not problem.component.rows:
        return []
    cells = sorted(problem.component.equated)
    sets = smallest_sets(problem.system, problem.laid, cells, problem.unknown, problem.sure)
    return [completed for changes in sets for completed in _with_sides(problem, changes, MAX_DEPTH)]


def _parts(problem: _Problem, here: Stands, sets: Iterable[Changes]) -> list[Part]:
    only = frozenset({problem.component.number})
    return [
        Part(figures, slips_of(problem.system, here, figures), only)
        for changes in sets
        if (figures := _figures(changes))
    ]


def parts_of(system: System, laid: Laid, number: int, solved_before: Sequence[list[Changes]] = ()) -> list[Part]:
    """The smallest sets of one component by enumeration, each as its cheapest reading; as ``smallest`` otherwise."""
    problem = _problem(system, laid, system.components[number])
    return _cheapest(_parts(problem, stands(system, laid), smallest(problem, solved_before)))


def _line_parts(system: System, laid: Laid) -> list[Part]:
    return [
        Part(
            _figures(hypothesis.changes),
            (line_slip(hypothesis.kind, hypothesis.cells),),
            frozenset(system.component_of[cell] for cell in hypothesis.cells),
        )
        for hypothesis in hypotheses(system, laid)
    ]


def _cheapest(parts: Iterable[Part]) -> list[Part]:
    """One part for each set of changes, the cheapest reading of it, in the order of first appearance."""
    best: dict[tuple[tuple[int, Figure], ...], Part] = {}
    for part in parts:
        key = tuple(sorted(part.changes.items()))
        if key not in best or part.cost < best[key].cost:
            best[key] = part
    return list(best.values())


def _combinations(own: Mapping[int, list[Part]], lines: Sequence[Part]) -> Iterator[tuple[Part, ...]]:
    """Every way to explain all broken components: each by its own parts, or several by one line slip."""
    for choice in [None, *lines]:
        rest = [parts for number, parts in own.items() if choice is None or number not in choice.components]
        head = (choice,) if choice else ()
        while prod(map(len, rest)) > MOST_COMBINED:
            longest = max(range(len(rest)), key=lambda at: len(rest[at]))
            kept = sorted(rest[longest], key=lambda part: part.cost)[: len(rest[longest]) // 2]
            rest[longest] = kept
        for parts in product(*rest):
            yield head + parts


def _worth_line_slips(problems: Sequence[_Problem], sets: Mapping[int, Sequence[Changes]]) -> bool:
    """One wrong cell that alone explains the only broken component needs no line slip."""
    broken = [sets[problem.component.number] for problem in problems if problem.residuals]
    return len(broken) > 1 or any(len(found) != 1 or len(found[0]) > 1 for found in broken)


def _stands_broken(problem: _Problem) -> bool:
    """Whether a rule that can speak is broken: one that lacks a figure says nothing."""
    laid, rows = problem.laid, problem.system.rows
    return (
        any(all(cell not in laid.unknown for cell, _ in rows[row]) for row in problem.residuals)
        or bool(problem.sure)
        or any(cell in laid.bad for cell in problem.component.private)
        or not sides_hold(problem.component, laid, {})
    )


def _explained(system: System, laid: Laid, here: Stands, exhaustive: bool) -> tuple[dict[int, list[Part]], list[Part]]:
    """The parts by component, and the line slips; both empty where some broken component cannot be explained.

    The integer program is asked only where enumeration found nothing; where a line slip explains the component it is
    asked only if the answer is to be ``exhaustive``.
    """
    everything = _problems(system, laid)
    problems = [problem for problem in everything if len(problem.unknown) <= MOST_UNKNOWN]
    sets = {problem.component.number: smallest(problem) for problem in problems}
    lines = _line_parts(system, laid) if _worth_line_slips(problems, sets) else []
    covered = frozenset(number for part in lines for number in part.components)
    own = {}
    for problem in everything:
        number = problem.component.number
        found = sets.get(number, [])
        if number in sets and not found and (exhaustive or number not in covered):
            found = larger(problem)
        parts = _cheapest(_parts(problem, here, found))
        if parts or number in covered:
            own[number] = parts
        elif _stands_broken(problem):
            return {}, []
    return own, lines


def _touching(system: System, claims: Sequence[Claim], components: frozenset[int]) -> tuple[Claim, ...]:
    """The claims of whose readings some cell lies in one of the components."""

    def near(claim: Claim) -> bool:
        names = (signed(term)[0] for reading in readings(claim) for term in reading)
        return any(name in system.at and system.component_of[system.at[name]] in components for name in names)

    return tuple(claim for claim in claims if near(claim))


def _ranked(wholes: Sequence[Whole]) -> list[tuple[int, Whole]]:
    """Wholes with ranks from 1, equal costs sharing a rank, best first, then in form order."""
    order = sorted(wholes, key=lambda whole: (whole.cost, sorted(whole.changes.items())))
    ranks = {cost: rank for rank, cost in enumerate(sorted({whole.cost for whole in order}), 1)}
    return [(ranks[whole.cost], whole) for whole in order]


def localise(
    system: System,
    values: Mapping[str, Figure],
    *,
    previous: Mapping[str, Figure] | None = None,
    claims: Sequence[Claim] = (),
    blank: Iterable[str] = (),
    most: int | None = None,
) -> tuple[Explanation, ...]:
    """Explain a broken return: all smallest sets of changes that satisfy every error rule, best first.

    ``values``: known figures by cell id. ``blank``: cells that stand empty and may mean 0; any other cell without a
    figure is unknown and gets a proposed one where the rules leave only one. ``previous`` and ``claims`` are witnesses:
    they rank, they never exclude. Beside the smallest sets stand line slips (a shifted row), which may change more
    cells and yet rank above. Equal ranks are ties; all of them are given. ``most``: no more explanations than this, but
    always all of rank one; where a line slip explains what would take more than MAX_DEPTH changes, those larger sets
    are then left out. Empty where nothing is broken, or where some broken part of the form cannot be explained: an
    explanation satisfies every error rule that can speak, or is none.
    """
    ranked = explain(system, values, previous=previous, claims=claims, blank=blank, most=most)
    if ranked is None:
        return ()
    before = ranked.witnesses.against(ranked.known)
    return tuple(_worded(system, ranked, before, number, whole) for number, whole in ranked.wholes)


def explain(
    system: System,
    values: Mapping[str, Figure],
    *,
    previous: Mapping[str, Figure] | None = None,
    claims: Sequence[Claim] = (),
    blank: Iterable[str] = (),
    most: int | None = None,
) -> Ranked | None:
    """The explanations of ``localise``, ranked and not yet worded; None where it explains nothing."""
    doubtful = frozenset(system.at[name] for name in blank if name not in values)
    laid = lay(system, values, doubtful)
    known = {**values, **{system.names[cell]: 0 for cell in doubtful}}
    here = stands(system, laid)
    own, lines = _explained(system, laid, here, exhaustive=most is None)
    if not own:
        return None
    witnesses = Witnesses(_touching(system, claims, frozenset(own)), previous or {}, system.across_years)
    wholes: dict[tuple[tuple[int, Figure], ...], Whole] = {}
    for parts in _combinations(own, lines):
        changes = {cell: figure for part in parts for cell, figure in part.changes.items()}
        slips = tuple(slip for part in parts for slip in part.slips)
        cost = sum(slip.cost for slip in slips)
        if witnesses.claims or witnesses.previous:
            cost += witnesses.cost(_merged(system, known, changes))
        key = tuple(sorted(changes.items()))
        if changes and (key not in wholes or cost < wholes[key].cost):
            wholes[key] = Whole(cost, changes, slips)
    ranked = _ranked(list(wholes.values()))
    if most is not None:
        ranked = [(number, whole) for at, (number, whole) in enumerate(ranked) if at < most or number == 1]
    return Ranked(known, here, witnesses, tuple(ranked))


def _worded(system: System, ranked: Ranked, before: Against, number: int, whole: Whole) -> Explanation:
    after = ranked.witnesses.against(_merged(system, ranked.known, whole.changes))
    zh, en = reason(system, ranked.here, whole.changes, whole.slips, before, after)
    changes = tuple(
        Change(cell=system.names[cell], found=ranked.here.figures[cell], proposed=whole.changes[cell])
        for cell in sorted(whole.changes)
    )
    return Explanation(rank=number, changes=changes, reason=zh, reason_en=en)
