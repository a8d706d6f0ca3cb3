"""Systems small enough to be searched by brute force: a cut of the declared form, and equations drawn at random.

What is found here by trying everything is what the localiser has to find by thinking; nothing of the localiser is used.
"""

from __future__ import annotations

import random
from fractions import Fraction
from functools import cache
from itertools import combinations

import msgspec

from pipelines.validate.localise_system import Laid, System, compile_system, strangers, system
from pipelines.validate.vector import pick
from schemas.form import Form
from schemas.rules import RuleSet, derive_rules
from tests.facts import FORM

ROWS = ("received", "carried_in", "granted", "other_fee_unpaid", "processed", "carried_out")
COLUMNS = ("natural_person", "commercial_enterprise", "total")


@cache
def cut() -> tuple[Form, RuleSet]:
    """The declared form with six rows and three columns of requests, and fees: 21 cells, every kind of rule."""

    def kept(table):
        if table.id != "requests":
            return table
        [block] = table.blocks
        rows = tuple(row for row in block.rows if row.id in ROWS)
        columns = tuple(column for column in block.columns if column.id in COLUMNS)
        return msgspec.structs.replace(table, blocks=(msgspec.structs.replace(block, rows=rows, columns=columns),))

    tables = tuple(kept(table) for table in FORM.tables if table.id in ("requests", "processing_fees"))
    rules = tuple(rule for rule in FORM.declaration.rules if rule.table in ("", "requests", "processing_fees"))
    declaration = msgspec.structs.replace(FORM.declaration, edition="cut", tables=tables, rules=rules)
    names = [f"{t.id}.{r.id}.{c.id}" for t in tables for b in t.blocks for r in b.rows for c in b.columns]
    cells = tuple(FORM.by_id[name] for name in names)
    form = Form(
        edition="cut",
        declaration=declaration,
        cells=cells,
        by_id={cell.id: cell for cell in cells},
        index={cell.id: position for position, cell in enumerate(cells)},
    )
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


def of_rows(rows: list[dict[int, int]], count: int) -> System:
    """A system of `count` cells with these equations (cell -> sign), all in one component."""
    whole = system("2021")
    columns = tuple(
        tuple((number, row[cell]) for number, row in enumerate(rows) if cell in row) for cell in range(count)
    )
    component = msgspec.structs.replace(
        whole.components[0],
        number=0,
        rows=tuple(range(len(rows))),
        sides=(),
        equated=frozenset(cell for cell in range(count) if columns[cell]),
        private=tuple(cell for cell in range(count) if not columns[cell]),
    )
    sums = tuple(
        (pick([c for c, s in row.items() if s > 0]), pick([c for c, s in row.items() if s < 0]), 0) for row in rows
    )
    return msgspec.structs.replace(
        whole,
        strangers=tuple(strangers(len(rows), columns)),
        names=whole.names[:count],
        at={name: position for position, name in enumerate(whole.names[:count])},
        columns=columns,
        widest=max(map(len, columns)),
        rows=tuple(tuple(row.items()) for row in rows),
        sums=sums,
        components=(component,),
        component_of=(0,) * count,
        component_of_row=(0,) * len(rows),
    )


def drawn(seed: int) -> System:
    """Two to four equations over seven cells, every cell in one to three of them, signs at random."""
    draw = random.Random(seed)
    rows: list[dict[int, int]] = [{} for _ in range(draw.randint(2, 4))]
    for cell in range(7):
        for row in draw.sample(rows, draw.randint(1, min(3, len(rows)))):
            row[cell] = draw.choice((1, -1))
    return of_rows([row for row in rows if row], 7)


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
