"""The error rules of an edition as a sparse system of equations over its cells, split into independent parts.

Belongs here: positions, signs, components, printed lines; the figures of one return laid on them. Does not belong
here: searching (localise_search.py), ranking (slips.py).

Equality rules without a condition are the equations. Conditional rules and inequalities are the ``sides`` of a
component. A cell's column has few entries (its row's sum, its column's sum, the balance), so columns are tuples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import pairwise

import msgspec

from pipelines.validate.vector import Pick, pick
from schemas.form import Form, load_form
from schemas.rules import Rule, RuleSet, domain_problem, load_rules

Figure = Decimal | int
Exact = int | Fraction
Entry = tuple[int, int]  # (row or cell position, sign)


class Side(msgspec.Struct, frozen=True):
    """A conditional rule or an inequality: ``sum(terms) - constant`` RELATION 0, if its condition is met.

    ``condition``: the position of the condition's cell (-1: none), ``if_zero``: speaks when that is 0, else when it is
    above 0. ``cells``: every position it looks at.
    """

    terms: tuple[Entry, ...]
    constant: int
    relation: str
    condition: int
    if_zero: bool
    cells: frozenset[int]


class Component(msgspec.Struct, frozen=True):
    """Cells that rules tie together: ``equated`` stand in an equation, ``private`` in none."""

    number: int
    rows: tuple[int, ...]
    sides: tuple[Side, ...]
    equated: frozenset[int]
    private: tuple[int, ...]


class Line(msgspec.Struct, frozen=True):
    """Cells that stand beside one another on paper; ``parts``: without a closing total (empty where it has others)."""

    cells: tuple[int, ...]
    parts: tuple[int, ...]


class System(msgspec.Struct, frozen=True):
    """The compiled edition for bodies with certain attributes.

    ``strangers``: equations in sets (one bit each) of which no cell stands in two, so that the broken ones of a set
    take as many changes at least. ``reach``: of the cells of every line and every pair of rows or columns, the
    equations they stand in and those equations' components.
    """

    form: Form
    rules: RuleSet
    names: tuple[str, ...]
    at: dict[str, int]
    total: tuple[bool, ...]
    total_of_part: frozenset[tuple[int, int]]
    columns: tuple[tuple[Entry, ...], ...]
    widest: int
    rows: tuple[tuple[Entry, ...], ...]
    row_rules: tuple[Rule, ...]
    sums: tuple[tuple[Pick, Pick, int], ...]
    strangers: tuple[int, ...]
    components: tuple[Component, ...]
    component_of: tuple[int, ...]
    component_of_row: tuple[int, ...]
    sided: tuple[Component, ...]
    neighbours: tuple[tuple[int, ...], ...]
    lines: tuple[Line, ...]
    row_pairs: tuple[tuple[tuple[int, int], ...], ...]
    column_pairs: tuple[tuple[tuple[int, int], ...], ...]
    reach: dict[tuple[int, ...], tuple[frozenset[int], frozenset[int]]]
    across_years: tuple[Rule, ...]


class Laid(msgspec.Struct, frozen=True):
    """One return on the system: figures by position (0 where ``unknown`` or ``blank``), residuals that are not 0.

    ``unknown``: cells whose figure is to be solved. ``blank``: cells that stand empty and are taken as 0 on trial.
    ``bad``: known cells whose figure breaks an error domain; they must change.
    """

    figures: list[Exact]
    residuals: dict[int, Exact]
    unknown: frozenset[int]
    blank: frozenset[int]
    bad: frozenset[int]


def _split(count: int, groups: Sequence[Sequence[int]]) -> list[int]:
    """The number of the component of each of ``count`` cells, cells of one group being together, in cell order."""
    parent = list(range(count))

    def root(cell: int) -> int:
        while parent[cell] != cell:
            parent[cell] = parent[parent[cell]]
            cell = parent[cell]
        return cell

    for group in groups:
        for other in group[1:]:
            parent[root(other)] = root(group[0])
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(cell), len(numbers)) for cell in range(count)]


def _within_year(rule: Rule) -> bool:
    return rule.severity == "error" and not rule.across_years


def strangers(count: int, columns: Sequence[Sequence[Entry]]) -> list[int]:
    """Sets of ``count`` equations, one bit each, such that no cell stands in two of a set; each equation in one set."""
    meets = [0] * count
    for column in columns:
        together = sum(1 << row for row, _ in column)
        for row, _ in column:
            meets[row] |= together
    found: list[int] = []
    for row in range(count):
        at = next((at for at, bits in enumerate(found) if not bits & meets[row]), len(found))
        found[at:] = [(found[at] if at < len(found) else 0) | 1 << row, *found[at + 1 :]]
    return found


def _printed(form: Form, at: Mapping[str, int]) -> tuple[list[list[list[int]]], list[Line]]:
    """Per block its grid of positions (rows of cells), and the lines as they stand on paper."""
    grids: list[list[list[int]]] = []
    lines: list[Line] = []
    for table in form.tables:
        for block in table.blocks:
            grid = [[at[f"{table.id}.{row.id}.{column.id}"] for column in block.columns] for row in block.rows]
            grids.append(grid)
            totals = [column.total for column in block.columns]
            if table.arrangement == "side_by_side":
                lines.append(Line(tuple(cell for cells in grid for cell in cells), ()))
            else:
                closing = any(totals) and totals.index(True) == len(totals) - 1
                lines += [Line(tuple(cells), tuple(cells[:-1]) if closing else ()) for cells in grid]
    return grids, [line for line in lines if len(line.cells) > 2]


def _neighbours(count: int, grids: Sequence[Sequence[Sequence[int]]]) -> list[list[int]]:
    """The cells beside, above and below each cell of its block."""
    found: list[list[int]] = [[] for _ in range(count)]
    for grid in grids:
        for r, cells in enumerate(grid):
            for c, cell in enumerate(cells):
                for row, column in ((r, c - 1), (r, c + 1), (r - 1, c), (r + 1, c)):
                    if 0 <= row < len(grid) and 0 <= column < len(cells):
                        found[cell].append(grid[row][column])
    return found


def _pairs(
    grids: Sequence[Sequence[Sequence[int]]],
) -> tuple[list[tuple[tuple[int, int], ...]], list[tuple[tuple[int, int], ...]]]:
    """Neighbouring rows and neighbouring columns of every block, as pairs of cells that would change places."""
    rows, columns = [], []
    for grid in grids:
        rows += [tuple(zip(upper, lower, strict=True)) for upper, lower in pairwise(grid)]
        width = len(grid[0])
        columns += [tuple((cells[c], cells[c + 1]) for cells in grid) for c in range(width - 1)]
    return rows, columns


def cells_of_pairs(pairs: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """The cells of pairs, pair by pair."""
    return tuple(cell for pair in pairs for cell in pair)


def _reach(
    cells: Sequence[int], columns: Sequence[Sequence[Entry]], of_row: Sequence[int]
) -> tuple[frozenset[int], frozenset[int]]:
    rows = frozenset(row for cell in cells for row, _ in columns[cell])
    return rows, frozenset(of_row[row] for row in rows)


def _side(rule: Rule, at: Mapping[str, int]) -> Side:
    terms = tuple((at[term.cell], term.sign) for term in rule.terms)
    condition = at[rule.when.cell] if rule.when else -1
    cells = frozenset(cell for cell, _ in terms) | ({condition} if rule.when else set())
    if_zero = rule.when is not None and rule.when.state == "zero"
    return Side(terms, rule.constant, rule.relation, condition, if_zero, cells)


def _component(
    number: int,
    component_of: Sequence[int],
    of_row: Sequence[int],
    columns: Sequence[Sequence[Entry]],
    sides: Sequence[Side],
) -> Component:
    cells = [cell for cell, its in enumerate(component_of) if its == number]
    return Component(
        number,
        tuple(row for row, its in enumerate(of_row) if its == number),
        tuple(side for side in sides if number == component_of[min(side.cells)]),
        frozenset(cell for cell in cells if columns[cell]),
        tuple(cell for cell in cells if not columns[cell]),
    )


def compile_system(form: Form, rules: RuleSet, attributes: frozenset[str] = frozenset()) -> System:
    """Lay an edition's error rules out as equations, sides, components and lines."""
    names = tuple(cell.id for cell in form.cells)
    at = {name: position for position, name in enumerate(names)}
    binding = [rule for rule in rules.rules if _within_year(rule) and rule.unless not in attributes]
    equations = tuple(rule for rule in binding if rule.relation == "=" and rule.when is None)
    sides = [rule for rule in binding if rule.relation != "=" or rule.when is not None]
    rows = tuple(tuple((at[term.cell], term.sign) for term in rule.terms) for rule in equations)
    columns: list[list[Entry]] = [[] for _ in names]
    for number, row in enumerate(rows):
        for cell, sign in row:
            columns[cell].append((number, sign))
    side_list = [_side(rule, at) for rule in sides]
    component_of = _split(len(names), [[cell for cell, _ in row] for row in rows] + [[*s.cells] for s in side_list])
    of_row = tuple(component_of[row[0][0]] for row in rows)
    components = tuple(
        _component(number, component_of, of_row, columns, side_list) for number in range(max(component_of) + 1)
    )
    grids, lines = _printed(form, at)
    row_pairs, column_pairs = _pairs(grids)
    return System(
        form=form,
        rules=rules,
        names=names,
        at=at,
        total=tuple(cell.total for cell in form.cells),
        total_of_part=frozenset(
            (at[rule.found[0].cell], at[term.cell])
            for rule in equations
            if len(rule.found) == 1 and form.by_id[rule.found[0].cell].total
            for term in rule.expected
        ),
        columns=tuple(tuple(column) for column in columns),
        widest=max(map(len, columns)),
        rows=rows,
        row_rules=equations,
        sums=tuple(
            (
                pick([cell for cell, sign in row if sign > 0]),
                pick([cell for cell, sign in row if sign < 0]),
                rule.constant,
            )
            for row, rule in zip(rows, equations, strict=True)
        ),
        strangers=tuple(strangers(len(rows), columns)),
        components=components,
        component_of=tuple(component_of),
        component_of_row=of_row,
        sided=tuple(component for component in components if component.sides),
        neighbours=tuple(tuple(cells) for cells in _neighbours(len(names), grids)),
        lines=tuple(lines),
        row_pairs=tuple(row_pairs),
        column_pairs=tuple(column_pairs),
        reach={
            cells: _reach(cells, columns, of_row)
            for cells in (*(line.cells for line in lines), *map(cells_of_pairs, [*row_pairs, *column_pairs]))
        },
        across_years=tuple(rule for rule in rules.rules if rule.across_years),
    )


@cache
def system(edition: str, attributes: frozenset[str] = frozenset()) -> System:
    """The compiled system of a declared edition. Raises KeyError for an unknown one."""
    return compile_system(load_form(edition), load_rules(edition), attributes)


def exact(value: Figure) -> Exact:
    """A figure as an int or a Fraction, which calculate exactly with one another."""
    if isinstance(value, int):
        return value
    as_fraction = Fraction(value)
    return as_fraction.numerator if as_fraction.denominator == 1 else as_fraction


def lay(system: System, values: Mapping[str, Figure], blank: frozenset[int] = frozenset()) -> Laid:
    """Lay known figures on the system. Cells that are neither known nor ``blank`` are unknown."""
    figures: list[Exact] = []
    unknown = []
    for position, name in enumerate(system.names):
        value = values.get(name)
        if value is None:
            figures.append(0)
            if position not in blank:
                unknown.append(position)
        else:
            figures.append(value if type(value) is int else exact(value))
    residuals: dict[int, Exact] = {}
    for number, (plus, minus, constant) in enumerate(system.sums):
        residual = sum(plus(figures)) - sum(minus(figures)) - constant
        if residual:
            residuals[number] = residual
    return Laid(figures, residuals, frozenset(unknown), blank, frozenset(_bad(system, figures, unknown)))


def _bad(system: System, figures: Sequence[Exact], unknown: Sequence[int]) -> list[int]:
    if min(figures) >= 0 and Fraction not in set(map(type, figures)):
        return []
    return [
        position
        for position, figure in enumerate(figures)
        if position not in unknown and not allowed(system, position, figure)
    ]


def allowed(system: System, position: int, figure: Exact) -> bool:
    """Whether a figure lies within the error domains of its cell."""
    cell = system.form.cells[position]
    if figure >= 0 and (type(figure) is int or cell.kind == "money"):
        return True
    value = to_figure(figure)
    return not any(
        domain_problem(domain, value) for domain in system.rules.domains_of(cell.kind) if domain.severity == "error"
    )


def magnitude(value: Exact) -> Exact:
    """The absolute value, whose type stays that of a figure."""
    return -value if value < 0 else value


def to_figure(value: Exact) -> Figure:
    """An exact number as a figure: int where whole, else Decimal."""
    if isinstance(value, int):
        return value
    if value.denominator == 1:
        return value.numerator
    return Decimal(value.numerator) / Decimal(value.denominator)
