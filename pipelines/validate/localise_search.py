"""Exact enumeration: all smallest sets of cells of one component whose change satisfies its equations.

Belongs here: the search by residual elimination and the exact solution of a chosen set. Does not belong here:
conditional rules (localise_sides.py), more than a few changes at once (localise_program.py), ranking (slips.py).

A set of cells explains the residuals if they lie in the span of the cells' columns. The search picks the broken
equation with the fewest cells, chooses one of them, eliminates it (its column vanishes from all other equations), and
goes on until no residual is left. Every smallest set is met, because a broken equation needs a change in one of its
cells; sets already visited are not visited again. Eliminating a cell folds the pivot equation into the others, so an
original equation is remembered as the reduced equations it now adds to (``owner``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import msgspec

from pipelines.validate.localise_system import Exact, Laid, System, allowed

MAX_DEPTH = 4  # beyond this the integer program is quicker
Changes = dict[int, Exact]  # cell position -> what it becomes


class Reduced(msgspec.Struct):
    """The equations after some cells were eliminated: residuals, and where each folded equation went."""

    residuals: dict[int, Exact]
    owner: dict[int, dict[int, Exact]]
    members: dict[int, list[tuple[int, Exact]]]
    widened: int = 0  # by how many entries the eliminations can have lengthened another column


def divided(above: Exact, below: Exact) -> Exact:
    """``above / below``, an int where it is whole."""
    if below == 1:
        return above
    if below == -1:
        return -above
    quotient = Fraction(above) / below
    return quotient.numerator if quotient.denominator == 1 else quotient


def reduced_column(system: System, cell: int, owner: dict[int, dict[int, Exact]]) -> dict[int, Exact]:
    """The column of a cell in the reduced equations, entries that are not 0."""
    column: dict[int, Exact] = {}
    for row, sign in system.columns[cell]:
        folded = owner.get(row)
        if folded is None:
            column[row] = column.get(row, 0) + sign
        else:
            for into, factor in folded.items():
                column[into] = column.get(into, 0) + sign * factor
    return {row: factor for row, factor in column.items() if factor}


def cells_of_row(system: System, row: int, state: Reduced) -> list[tuple[int, Exact]]:
    """The cells of a reduced equation with their factors, in a fixed order, those with factor 0 left out."""
    members = state.members.get(row)
    if members is None:
        return list(system.rows[row])
    factors: dict[int, Exact] = {}
    for original, factor in members:
        for cell, sign in system.rows[original]:
            factors[cell] = factors.get(cell, 0) + sign * factor
    return [(cell, factor) for cell, factor in factors.items() if factor]


def eliminate(state: Reduced, row: int, column: dict[int, Exact]) -> Reduced:
    """Solve reduced equation ``row`` for the cell with that reduced column and put it into the others."""
    pivot = column[row]
    residuals = dict(state.residuals)
    residual = residuals.pop(row, 0)
    owner, members = dict(state.owner), dict(state.members)
    shares = {into: divided(-factor, pivot) for into, factor in column.items() if into != row}
    for into, share in shares.items():
        if residual:
            left = residuals.get(into, 0) + residual * share
            if left:
                residuals[into] = left
            else:
                residuals.pop(into, None)
        members[into] = list(members.get(into, [(into, 1)]))
    for original, factor in members.pop(row, [(row, 1)]):
        folded = {into: share for into, share in owner.get(original, {}).items() if into != row}
        for into, share in shares.items():
            grown = folded.get(into, 0) + factor * share
            members[into] = [entry for entry in members[into] if entry[0] != original]
            if grown:
                folded[into] = grown
                members[into].append((original, grown))
            else:
                folded.pop(into, None)
        owner[original] = folded
    return Reduced(residuals, owner, members, state.widened + max(0, len(column) - 2))


def start(system: System, residuals: dict[int, Exact], free: Iterable[int]) -> Reduced:
    """The equations with the ``free`` cells (unknown or sure to change) eliminated."""
    state = Reduced(residuals, {}, {})
    for cell in free:
        column = reduced_column(system, cell, state.owner)
        if column:
            state = eliminate(state, min(column), column)
    return state


def _size(system: System, row: int, state: Reduced) -> int:
    members = state.members.get(row)
    if members is None:
        return len(system.rows[row])
    return sum(len(system.rows[original]) for original, _ in members)


def _smallest_row(system: System, state: Reduced) -> int:
    return min(state.residuals, key=lambda row: (_size(system, row, state), row))


def needs_more(system: System, state: Reduced, left: int) -> bool:
    """Whether more than ``left`` changes are needed, as far as the equations tell that no elimination has touched."""
    broken = sum(1 << row for row in state.residuals if row not in state.members and row not in state.owner)
    return any((broken & strangers).bit_count() > left for strangers in system.strangers)


def _closing_cells(system: System, state: Reduced) -> Iterator[int]:
    """The cells whose change alone takes away every residual that is left."""
    residuals = state.residuals
    row = _smallest_row(system, state)
    residual = residuals[row]
    for cell, factor in cells_of_row(system, row, state):
        column = reduced_column(system, cell, state.owner)
        if len(column) == len(residuals) and all(
            left * factor == residual * column.get(other, 0) for other, left in residuals.items()
        ):
            yield cell


def closing_sets(system: System, state: Reduced, depth: int) -> list[frozenset[int]]:
    """All sets of exactly ``depth`` further cells after which no residual is left, none of them needless.

    The order is that of the search: the same for the same input.
    """
    if depth == 0:
        return [] if state.residuals else [frozenset()]
    found: dict[frozenset[int], None] = {}
    visited: set[frozenset[int]] = set()

    def descend(state: Reduced, chosen: frozenset[int], left: int) -> None:
        # No column is longer than `widest` by itself, so `left` cells cannot take away more residuals than this.
        if not state.residuals or len(state.residuals) > left * (system.widest + state.widened):
            return
        if needs_more(system, state, left):
            return
        if left == 1:
            for cell in _closing_cells(system, state):
                found[chosen | {cell}] = None
            return
        row = _smallest_row(system, state)
        for cell, _ in cells_of_row(system, row, state):
            further = chosen | {cell}
            if further not in visited:
                visited.add(further)
                column = reduced_column(system, cell, state.owner)
                descend(eliminate(state, row, column), further, left - 1)

    descend(state, frozenset(), depth)
    return list(found)


def solve(system: System, laid: Laid, cells: Iterable[int]) -> Changes | None:
    """What the chosen and the unknown ``cells`` become; None where they cannot satisfy their equations.

    Cells that the equations leave open are absent from the answer.
    """
    names = list(cells)
    rows: dict[int, dict[int, int]] = {}
    for cell in names:
        for row, sign in system.columns[cell]:
            rows.setdefault(row, {})[cell] = sign
    right: dict[int, Exact] = {row: -laid.residuals.get(row, 0) for row in rows}
    steps = _peel(rows, right)
    if steps is None:
        steps = _eliminate_all(names, rows, right)
    if steps is None:
        return None
    return {cell: laid.figures[cell] + steps[cell] for cell in names if cell in steps}


def _peel(rows: dict[int, dict[int, int]], right: dict[int, Exact]) -> Changes | None:
    """Solve equations with one open cell, again and again; None where that does not open all of them."""
    open_rows = {row: dict(cells) for row, cells in rows.items()}
    right = dict(right)
    steps: Changes = {}
    ready = [row for row, cells in open_rows.items() if len(cells) == 1]
    while ready:
        row = ready.pop()
        if not open_rows[row]:
            continue
        [(cell, sign)] = open_rows[row].items()
        steps[cell] = right[row] * sign
        for other, cells in open_rows.items():
            if cell in cells:
                right[other] -= cells.pop(cell) * steps[cell]
                if len(cells) == 1:
                    ready.append(other)
    if any(open_rows.values()) or any(right.values()):
        return None
    return steps


def _eliminate_all(names: Sequence[int], rows: dict[int, dict[int, int]], right: dict[int, Exact]) -> Changes | None:
    """Gauss-Jordan in exact fractions; the cells that have one solution, None where there is none at all."""
    width = len(names)
    table = [[Fraction(cells.get(cell, 0)) for cell in names] + [Fraction(right[row])] for row, cells in rows.items()]
    pivots: list[int] = []
    for column in range(width):
        at = next((r for r in range(len(pivots), len(table)) if table[r][column]), None)
        if at is None:
            continue
        here = len(pivots)
        table[here], table[at] = table[at], table[here]
        head = table[here][column]
        table[here] = [entry / head for entry in table[here]]
        for r, line in enumerate(table):
            if r != here and line[column]:
                factor = line[column]
                table[r] = [a - factor * b for a, b in zip(line, table[here], strict=True)]
        pivots.append(column)
    if any(line[width] for line in table[len(pivots) :]):
        return None
    steps: Changes = {}
    for line, column in zip(table, pivots, strict=False):
        if all(not line[other] for other in range(width) if other != column):
            step = line[width]
            steps[names[column]] = step.numerator if step.denominator == 1 else step
    return steps


def admissible(system: System, laid: Laid, changes: Changes, chosen: Iterable[int]) -> bool:
    """Whether every chosen cell really changes and every figure lies within its domains."""
    for cell in chosen:
        if cell in changes and changes[cell] == laid.figures[cell]:
            return False
    return all(allowed(system, cell, figure) for cell, figure in changes.items())
