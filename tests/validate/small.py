"""Systems small enough to be searched by brute force: a cut of the declared form, and equations drawn at random.

What is found here by trying everything is what the localiser has to find by thinking; nothing of the localiser is used.
"""

from __future__ import annotations

import random
from fractions import Fraction
from functools import cache
from itertools import combinations, product

import msgspec

from pipelines.validate.localise_system import Laid, System, compile_system, lay, to_figure
from schemas.form import Form
from schemas.rules import RuleSet, Term, When, derive_rules, domain_problem, load_rules
from tests.facts import FORM

ROWS = ("received", "carried_in", "granted", "other_fee_unpaid", "processed", "carried_out")
COLUMNS = ("natural_person", "commercial_enterprise", "total")


def _kept(rows: tuple[str, ...], columns: tuple[str, ...] | None, names: tuple[str, ...]) -> Form:
    """The declared form with these tables, and in its table of requests these rows and columns alone."""

    def cut_down(table):
        if table.id != "requests":
            return table
        [block] = table.blocks
        kept_rows = tuple(row for row in block.rows if row.id in rows)
        kept_columns = tuple(column for column in block.columns if columns is None or column.id in columns)
        return msgspec.structs.replace(
            table, blocks=(msgspec.structs.replace(block, rows=kept_rows, columns=kept_columns),)
        )

    tables = tuple(cut_down(table) for table in FORM.tables if table.id in names)
    rules = tuple(rule for rule in FORM.declaration.rules if rule.table in ("", *names))
    declaration = msgspec.structs.replace(FORM.declaration, edition="cut", tables=tables, rules=rules)
    kept = [f"{t.id}.{r.id}.{c.id}" for t in tables for b in t.blocks for r in b.rows for c in b.columns]
    return Form(
        edition="cut",
        declaration=declaration,
        cells=tuple(FORM.by_id[name] for name in kept),
        by_id={name: FORM.by_id[name] for name in kept},
        index={name: position for position, name in enumerate(kept)},
    )


@cache
def cut() -> tuple[Form, RuleSet]:
    """The declared form with six rows and three columns of requests, and fees: 21 cells, every kind of rule."""
    form = _kept(ROWS, COLUMNS, ("requests", "processing_fees"))
    return form, derive_rules(form)


def cut_system() -> System:
    return compile_system(*cut())


def right(seed: int, most: int = 3) -> dict[str, int]:
    """A return on the cut form that obeys every rule; parts up to `most`."""
    draw = random.Random(seed)
    values = dict.fromkeys(cut()[0].index, 0)
    for column in COLUMNS[:-1]:
        of = {row: f"requests.{row}.{column}" for row in ROWS}
        granted, unpaid, left = (draw.randint(0, most) for _ in range(3))
        values |= {of["granted"]: granted, of["other_fee_unpaid"]: unpaid, of["processed"]: granted + unpaid}
        values |= {of["carried_out"]: left, of["carried_in"]: (carried := draw.randint(0, granted + unpaid + left))}
        values[of["received"]] = granted + unpaid + left - carried
    for row in ROWS:
        values[f"requests.{row}.total"] = sum(values[f"requests.{row}.{column}"] for column in COLUMNS[:-1])
    unpaid = values["requests.other_fee_unpaid.total"] > 0
    values["processing_fees.notices.issued"] = draw.randint(1, 2) if unpaid else draw.randint(0, 1)
    if values["processing_fees.notices.issued"]:
        values["processing_fees.notices.amount"] = draw.randint(0, most)
        values["processing_fees.notices.collected"] = draw.randint(0, values["processing_fees.notices.amount"])
    return values


def of_rows(rows: list[dict[int, int]]) -> System:
    """A system of seven counts, or of fourteen where a row names more, with these equations: cell -> sign."""
    form = _kept(("received",) if max(map(max, rows)) < 7 else ("received", "carried_in"), None, ("requests",))
    names = list(form.index)
    pattern = next(rule for rule in load_rules("2021").rules if rule.family == "row_total")
    rules = tuple(
        msgspec.structs.replace(
            pattern,
            id=f"drawn.{number}",
            found=tuple(Term(names[cell]) for cell, sign in row.items() if sign > 0),
            expected=tuple(Term(names[cell]) for cell, sign in row.items() if sign < 0),
        )
        for number, row in enumerate(rows)
    )
    by_id = {rule.id: rule for rule in rules}
    return compile_system(form, RuleSet(edition="cut", rules=rules, domains=form.declaration.domains, by_id=by_id))


def laid(system: System, *figures: int) -> Laid:
    """These figures on the first cells, nought on all others."""
    return lay(system, dict.fromkeys(system.names, 0) | dict(zip(system.names, figures, strict=False)))


def drawn(seed: int) -> System:
    """Two to four equations over seven cells, every cell in one to three of them, signs at random."""
    draw = random.Random(seed)
    rows: list[dict[int, int]] = [{} for _ in range(draw.randint(2, 4))]
    for cell in range(7):
        for row in draw.sample(rows, draw.randint(1, min(3, len(rows)))):
            row[cell] = draw.choice((1, -1))
    return of_rows([row for row in rows if row])


def scattered(seed: int) -> tuple[System, Laid, list[int]]:
    """Up to eight equations over seven cells, two to four figures wrong, and up to two cells that are free to change.

    More equations than the declared forms have for so few cells: eliminating a cell lengthens other columns here.
    """
    draw = random.Random(seed)
    rows: list[dict[int, int]] = [{} for _ in range(draw.randint(4, 8))]
    for cell in range(7):
        for row in draw.sample(rows, draw.randint(1, 3)):
            row[cell] = draw.choice((1, -1))
    system, figures = of_rows([row for row in rows if row]), [0] * 7
    for cell in draw.sample(range(7), draw.randint(2, 4)):
        figures[cell] = draw.randint(1, 9)
    return system, laid(system, *figures), draw.sample(range(7), draw.randint(0, 2))


def solutions(system: System, residuals: dict[int, int], cells: list[int]) -> dict[int, Fraction] | None:
    """What must be added to the cells so that no residual is left: those that have one answer; None where none has.

    By reducing the equations of these cells to echelon form, first cell first.
    """
    table = [
        [Fraction(dict(system.rows[row]).get(cell, 0)) for cell in cells] + [Fraction(-residuals.get(row, 0))]
        for row in range(len(system.rows))
    ]
    leading: list[int] = []
    done: list[list[Fraction]] = []
    for at in range(len(cells)):
        head = next((line for line in table if line[at]), None)
        if head is None:
            continue
        table.remove(head)
        head = [entry / head[at] for entry in head]
        table = [[a - line[at] * b for a, b in zip(line, head, strict=True)] for line in table]
        done = [[a - line[at] * b for a, b in zip(line, head, strict=True)] for line in done] + [head]
        leading.append(at)
    if any(line[-1] for line in table):
        return None
    open_cells = [at for at in range(len(cells)) if at not in leading]
    return {
        cells[at]: line[-1]
        for at, line in zip(leading, done, strict=True)
        if not any(line[other] for other in open_cells)
    }


def smallest(system: System, residuals: dict[int, int], free: list[int], most: int) -> set[frozenset[int]]:
    """All smallest sets of cells (beside the free ones) whose change can take away every residual, up to `most`."""
    others = [cell for cell in range(len(system.names)) if cell not in free]
    for size in range(most + 1):
        found = {
            frozenset(cells)
            for cells in combinations(others, size)
            if solutions(system, residuals, [*cells, *free]) is not None
        }
        if found:
            return found
    return set()


def sets_of(system: System, size: int) -> list[frozenset[int]]:
    """All sets of that many cells."""
    return [frozenset(cells) for cells in combinations(range(len(system.names)), size)]


def possible(system: System, laid: Laid, steps: dict[int, Fraction], cells: frozenset[int]) -> bool:
    """Whether every one of the cells changes, and to a count."""
    figures = [laid.figures[cell] + step for cell, step in steps.items()]
    return all(steps.get(cell) for cell in cells) and all(
        figure >= 0 and Fraction(figure).denominator == 1 for figure in figures
    )


def possible_sets(
    system: System, laid: Laid, cells: list[int], free: list[int], sure: list[int], most: int
) -> list[dict[int, Fraction]]:
    """All smallest sets with the sure cells that leave no residual and one possible figure for each of their cells."""
    others = [cell for cell in cells if cell not in free and cell not in sure]
    for size in range(most + 1):
        found = []
        for more in combinations(others, size):
            chosen = frozenset([*more, *sure])
            steps = solutions(system, laid.residuals, [*sorted(chosen), *free])
            if steps is not None and possible(system, laid, steps, chosen):
                found.append({cell: laid.figures[cell] + step for cell, step in steps.items()})
        if found:
            return found
    return []


FEES = ("issued", "amount", "collected")  # a count and two amounts of money


def of_sides(sides: list[dict[str, object]]) -> System:
    """A system of the three figures of fees alone, bound by these rules (fields of `Rule`), none an equation."""
    form = _kept((), (), ("processing_fees",))
    pattern = next(rule for rule in load_rules("2021").rules if rule.family == "row_total")
    plain = {"expected": (), "constant": 0, "when": None}
    rules = tuple(
        msgspec.structs.replace(pattern, id=f"drawn.{number}", **plain | side) for number, side in enumerate(sides)
    )
    by_id = {rule.id: rule for rule in rules}
    return compile_system(form, RuleSet(edition="cut", rules=rules, domains=form.declaration.domains, by_id=by_id))


def fee(name: str) -> str:
    return f"processing_fees.notices.{name}"


def drawn_side(draw: random.Random) -> dict[str, object]:
    """A rule such as forms declare: a figure against another, or against 0 or 1, perhaps on a condition."""
    one, other, third = draw.sample(FEES, 3)
    side: dict[str, object] = {"found": (Term(fee(one)),), "relation": draw.choice((">=", "<="))}
    if draw.random() < 0.5:
        side["when"] = When(fee(third), draw.choice(("zero", "positive")))
        side["relation"] = draw.choice((">=", "<=", "="))
    if draw.random() < 0.5:
        return side | {"expected": (Term(fee(other)),)}
    return side | {"constant": draw.randint(0, 1)}


def repairable(system: System, figures: list[Fraction]) -> set[frozenset[int]]:
    """The smallest sets of the three figures for which some other figures obey every rule; the empty one if they do."""
    money = [Fraction(number, 2) for number in range(13)]
    grid = [[Fraction(number) for number in range(7)], money, money]

    def obeys(trial: list[Fraction]) -> bool:
        values = {name: to_figure(figure) for name, figure in zip(system.names, trial, strict=True)}
        return all(rule.holds(rule.residual(values)) for rule in system.rules.rules)

    for size in range(4):
        found = set()
        for cells in combinations(range(3), size):
            ways = [
                [figure for figure in grid[cell] if figure != figures[cell]] if cell in cells else [figures[cell]]
                for cell in range(3)
            ]
            possible = all(figures[cell] in grid[cell] for cell in range(3) if cell not in cells)
            if possible and any(obeys(list(trial)) for trial in product(*ways)):
                found.add(frozenset(cells))
        if found:
            return found
    return set()


def broken_rules(rules: RuleSet, form: Form, values: dict[str, int]) -> list[str]:
    """The error rules and domains that a return breaks, each by itself; rules across years left out."""
    found = [
        rule.id
        for rule in rules.rules
        if rule.severity == "error" and (residual := rule.residual(values)) is not None and not rule.holds(residual)
    ]
    return found + [
        domain.id
        for domain in rules.domains
        for name, value in values.items()
        if form.by_id[name].kind in domain.kinds and domain_problem(domain, value)
    ]


def explanations(system: System, values: dict[str, int], most: int) -> set[frozenset[int]]:
    """All smallest sets of cells with which a return on the cut form obeys every rule, up to `most` cells.

    Cells under equations must have one answer; fees may become whatever lies within 0 and 12.
    """
    laid = lay(system, values)
    under = frozenset(cell for component in system.components for cell in component.equated)
    bad = [cell for cell in laid.bad if cell in under]
    for size in range(most + 1):
        found = set()
        for cells in combinations(range(len(system.names)), size):
            counts, fees = [cell for cell in cells if cell in under], [cell for cell in cells if cell not in under]
            if not set(bad) <= set(counts):
                continue
            steps = solutions(system, laid.residuals, counts)
            if steps is None or not possible(system, laid, steps, frozenset(counts)):
                continue
            after = values | {system.names[cell]: int(laid.figures[cell] + step) for cell, step in steps.items()}
            for figures in product(range(13), repeat=len(fees)):
                trial = dict(zip((system.names[cell] for cell in fees), figures, strict=True))
                if any(values[name] == figure for name, figure in trial.items()):
                    continue
                if not broken_rules(system.rules, system.form, after | trial):
                    found.add(frozenset(cells))
                    break
        if found:
            return found
    return set()
