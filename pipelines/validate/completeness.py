"""Completeness before sums: which figures of a return are known, which are missing, which blanks count as 0.

Belongs here: the law of blanks, types, editions of tables. Does not belong here: accounting rules over known figures
(vector.py, bulk.py), naming wrong cells (localise.py). Knows no cell by name: what is a total, what is optional and
which sums a cell stands in all come from the form and its rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache

import msgspec

from schemas.findings import Finding, make_finding, place_en, place_zh, places
from schemas.form import Cell, Form, Table, editions, load_form
from schemas.intake import ReadCell, ReadFile
from schemas.rules import Rule, RuleSet, load_rules

Figure = Decimal | int
_EMPTY = frozenset({"blank", "slash"})


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a return.

    ``values``: the known figures by cell id in form order, counts as ints (a fractional count stays a Decimal so that
    its rule can name it), money as Decimals. ``assumed``: the cells read as 0. ``missing``: the cells of the form that
    are not known. ``doubtful``: those of them that stand blank (or ``/``) where a 0 would count if only the sums held.
    """

    values: dict[str, Figure]
    findings: tuple[Finding, ...]
    assumed: tuple[str, ...]
    missing: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()


class _Sums(msgspec.Struct, frozen=True):
    """Of one edition: the sums each cell stands in, its totals, and the tables that have totals at all."""

    of: dict[str, tuple[Rule, ...]]
    totals: dict[str, tuple[str, ...]]
    tables: frozenset[str]


def figure(cell: Cell, value: Decimal) -> Figure:
    """A read number as the figure of its cell: whole counts as int, money and fractional counts as Decimal."""
    whole = cell.kind != "money" and value == value.to_integral_value()
    return int(value) if whole else value


def _is_sum(rule: Rule) -> bool:
    return rule.severity == "error" and rule.relation == "=" and not (rule.when or rule.unless)


def sums_of(form: Form, rules: RuleSet) -> _Sums:
    """The sums of an edition by cell. A cell's totals are the total cells that a sum says it is a part of."""
    of: dict[str, list[Rule]] = {cell.id: [] for cell in form.cells}
    totals: dict[str, list[str]] = {cell.id: [] for cell in form.cells}
    for rule in rules.rules:
        if not _is_sum(rule):
            continue
        for term in rule.terms:
            of[term.cell].append(rule)
        heads = [term.cell for term in rule.found if form.by_id[term.cell].total]
        if len(rule.found) == 1:
            for term in rule.expected:
                totals[term.cell] += heads
    return _Sums(
        {cell: tuple(found) for cell, found in of.items()},
        {cell: tuple(found) for cell, found in totals.items()},
        frozenset(cell.table for cell in form.cells if cell.total),
    )


@cache
def _declared_sums(edition: str) -> _Sums:
    return sums_of(load_form(edition), load_rules(edition))


def _sums(form: Form, rules: RuleSet) -> _Sums:
    """The sums of a declared edition, reckoned once, or those of a form that stands in no file."""
    if form.edition in editions() and load_form(form.edition) is form and load_rules(form.edition) is rules:
        return _declared_sums(form.edition)
    return sums_of(form, rules)


def as_zero(doubtful: Iterable[str], values: Mapping[str, Figure], form: Form, rules: RuleSet) -> tuple[str, ...]:
    """Those of the blank cells that count as 0: their totals are given and every sum they stand in then holds.

    All blanks are taken as 0 together. Where a sum does not hold, or cannot be reckoned for want of another figure,
    its blanks stay unknown.
    """
    names = tuple(doubtful)
    sums = _sums(form, rules)
    tried = {**values, **dict.fromkeys(names, 0)}
    verdicts: dict[str, bool] = {}

    def holds(rule: Rule) -> bool:
        if rule.id not in verdicts:
            residual = rule.residual(tried)
            verdicts[rule.id] = residual is not None and rule.holds(residual)
        return verdicts[rule.id]

    return tuple(
        name
        for name in names
        if all(total in values for total in sums.totals[name]) and all(holds(rule) for rule in sums.of[name])
    )


def doubtful_cells(
    cells: Iterable[ReadCell], values: Mapping[str, Figure], form: Form, rules: RuleSet
) -> tuple[str, ...]:
    """The parts of totals that stand blank (or ``/``) and are not known: they would count as 0 if their sums held."""
    tables = _sums(form, rules).tables
    return tuple(
        cell.cell
        for cell in cells
        if cell.state in _EMPTY
        and cell.cell not in values
        and (known := form.by_id.get(cell.cell)) is not None
        and known.table in tables
        and not known.total
    )


def _other_edition(read: ReadFile, form: Form, table: Table) -> str:
    """The edition that the read table follows if its cells are not this edition's, else ""."""
    found = read.form.get(table.id, form.edition)
    if found == form.edition:
        return ""
    try:
        theirs = {cell.id for cell in load_form(found).cells_of(table.id)}
    except KeyError:
        return found
    return "" if theirs == {cell.id for cell in form.cells_of(table.id)} else found


class _TableState(msgspec.Struct):
    """The cells of one table by what stands in them (in form order)."""

    missing: list[str]
    doubtful: list[str]
    none_said: list[str]
    text: list[ReadCell]
    formula: list[str]
    twice: list[str]


def _sort(
    read: ReadFile,
    cells: Sequence[Cell],
    by_cell: Mapping[str, list[ReadCell]],
    values: dict[str, Figure],
    has_totals: bool,
) -> _TableState:
    """Put each cell of a table where it belongs; known figures go into ``values``."""
    state = _TableState([], [], [], [], [], [])
    for cell in cells:
        stands = by_cell.get(cell.id, [])
        if len({(one.value, one.state) for one in stands}) > 1:
            state.twice.append(cell.id)
        elif not stands:
            state.missing.append(cell.id)
        elif stands[0].value is not None and stands[0].state == "given":
            values[cell.id] = figure(cell, stands[0].value)
        elif stands[0].state == "text":
            state.text.append(stands[0])
        elif stands[0].state == "formula":
            state.formula.append(cell.id)
        elif stands[0].state == "slash" and not has_totals and not cell.optional:
            state.none_said.append(cell.id)
        elif stands[0].state in _EMPTY and has_totals and not cell.total and not read.own_workbook:
            state.doubtful.append(cell.id)
        else:
            state.missing.append(cell.id)
    return state


def _listed(kind: str, form: Form, read: ReadFile, cells: Sequence[str], **words: object) -> list[Finding]:
    """One finding that lists all its places, or none where there is no cell."""
    if not cells:
        return []
    names = tuple(cells)
    zh, en = places(form, names)
    by_cell = {cell.cell: cell.at for cell in read.cells}
    words |= {"count": len(names), "places": zh, "places_en": en, "place": zh, "place_en": en}
    address = by_cell.get(names[0], "") if len(names) == 1 else ""
    return [make_finding(kind, words=words, cells=names, file=read.file, address=address)]


def _text_findings(form: Form, read: ReadFile, cells: Sequence[ReadCell]) -> list[Finding]:
    return [
        make_finding(
            "not_a_number",
            words={
                "place": place_zh(form, form.by_id[cell.cell]),
                "place_en": place_en(form, form.by_id[cell.cell]),
                "raw": _shortened(cell.raw or ""),
            },
            cells=(cell.cell,),
            found=cell.raw or "",
            file=read.file,
            address=cell.at,
        )
        for cell in cells
    ]


def _shortened(text: str, most: int = 40) -> str:
    return text if len(text) <= most else text[:most] + "…"


def _edition_finding(form: Form, read: ReadFile, table: Table, found: str) -> Finding:
    """A table of another edition than the year's."""
    year = str(read.year) if read.year is not None else form.edition
    return make_finding(
        "edition_mismatch",
        words={
            "table": table.title_zh,
            "table_en": table.title_en,
            "found": found,
            "expected": form.edition,
            "year": year,
        },
        found=found,
        expected=form.edition,
        file=read.file,
    )


def _table_findings(
    form: Form, read: ReadFile, table: Table, state: _TableState, zeros: Sequence[str]
) -> list[Finding]:
    """The findings of one table of the right edition: errors first, then warning, then information."""
    order = form.index
    missing = sorted({*state.missing, *state.doubtful} - set(zeros), key=order.__getitem__)
    kind = "missing_optional_cell" if table.optional else "missing_cell"
    return [
        *_listed(kind, form, read, missing),
        *_listed("cell_given_twice", form, read, state.twice),
        *_text_findings(form, read, state.text),
        *_listed("formula_without_value", form, read, state.formula),
        *_listed(
            "blank_read_as_zero",
            form,
            read,
            zeros,
            why="合计已填且各项勾稽关系成立",
            why_en="totals are given and every sum holds",
        ),
        *_listed(
            "blank_read_as_zero",
            form,
            read,
            state.none_said,
            why="填的是“/”“-”或“无”",
            why_en="the cells say “/”, “-” or 无",
        ),
    ]


def settle(read: ReadFile, form: Form, rules: RuleSet) -> Settled:
    """Known figures and the findings of completeness of one return, in form order. Reads nothing, never raises.

    In our own workbook a blank is missing. In any other file a blank or ``/`` in a cell that is part of a total counts
    as 0 if its totals are given and every sum then holds; blank totals are missing. In a table without totals ``/``,
    ``-`` and 无 say 0 and a blank is missing. A cell that the file does not have at all is missing. Missing cells of an
    optional table are a warning. A table of another edition is one error; its gaps are not listed again.
    """
    sums = _sums(form, rules)
    by_cell: dict[str, list[ReadCell]] = {}
    for cell in read.cells:
        by_cell.setdefault(cell.cell, []).append(cell)
    values: dict[str, Figure] = {}
    states = {
        table.id: _sort(read, form.cells_of(table.id), by_cell, values, table.id in sums.tables)
        for table in form.tables
    }
    doubtful = [name for state in states.values() for name in state.doubtful]
    zeros = set(as_zero(doubtful, values, form, rules))
    findings: list[Finding] = []
    for table in form.tables:
        state = states[table.id]
        other = _other_edition(read, form, table)
        if other:
            findings.append(_edition_finding(form, read, table, other))
            continue
        confirmed = [name for name in state.doubtful if name in zeros]
        findings += _table_findings(form, read, table, state, confirmed)
    said = {name for state in states.values() for name in state.none_said}
    assumed = tuple(cell.id for cell in form.cells if cell.id in zeros or cell.id in said)
    values |= dict.fromkeys(assumed, 0)
    known = {cell.id: values[cell.id] for cell in form.cells if cell.id in values}
    return Settled(
        values=known,
        findings=tuple(findings),
        assumed=assumed,
        missing=tuple(cell.id for cell in form.cells if cell.id not in known),
        doubtful=tuple(name for name in doubtful if name not in zeros),
    )
