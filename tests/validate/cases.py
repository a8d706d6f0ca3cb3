"""Returns for the tests of one-return validation: as read files, broken by rule, with every error rule re-checked."""

from __future__ import annotations

from decimal import Decimal

from schemas.intake import ReadCell, ReadFile
from schemas.rules import LAST_YEAR, Rule, domain_problem
from schemas.slips import slip_kinds
from tests.facts import FORM, RULES, dense


def last_year(values):
    """Last year's figures with which every rule across years holds for `values`."""
    found = {}
    for rule in RULES.rules:
        for term in rule.terms:
            if term.last_year:
                rest = sum(other.sign * values[other.cell] for other in rule.terms if not other.last_year)
                found[term.cell] = -term.sign * (rest - rule.constant)
    return found


def read_cell(cell, value, state="given"):
    raw = {"blank": "", "slash": "/"}.get(state, str(value))
    number = Decimal(value) if state == "given" else None
    return ReadCell(cell=cell, value=number, raw=raw, state=state, at=f"统计表!{cell}")


def read_file(values, *, states=None, own=False, **fields):
    """`values` as intake would hand them on; `states` gives cells that are no numbers: state by cell id."""
    states = states or {}
    cells = tuple(
        read_cell(cell.id, values.get(cell.id), states.get(cell.id, "given"))
        for cell in FORM.cells
        if cell.id in values or cell.id in states
    )
    fields = {"file": "a.xlsx", "sha256": "0" * 64, "format": "xlsx", "year": 2023} | fields
    return ReadFile(own_workbook=own, cells=cells, **fields)


def breaking(rule: Rule):
    """This year's and last year's figures that break `rule`, made from right ones."""
    values = dense()
    if rule.when:
        values[rule.when.cell] = 0 if rule.when.state == "zero" else 5
    previous = last_year(values)
    known = values | {cell + LAST_YEAR: value for cell, value in previous.items()}
    step = {"=": 7, ">=": -1, "<=": 1}[rule.relation]
    residual = rule.residual(known)
    assert residual is not None
    values[rule.found[0].cell] += step - residual
    return values, previous


def breaches(values, attributes=frozenset()):
    """The error rules and domains that `values` break, each rule by itself."""
    found = []
    for rule in RULES.rules:
        residual = rule.residual(values)
        freed = rule.unless and rule.unless in attributes
        if rule.severity == "error" and not freed and residual is not None and not rule.holds(residual):
            found.append(rule.id)
    for domain in RULES.domains:
        for cell, value in values.items():
            kind = FORM.by_id[cell].kind
            if domain.severity == "error" and kind in domain.kinds and domain_problem(domain, value):
                found.append(f"{domain.id} {cell}")
    return found


def applied(values, explanation):
    """`values` with an explanation's changes made."""
    return values | {change.cell: change.proposed for change in explanation.changes}


def is_line_slip(explanation):
    """Whether an explanation supposes that a whole line slipped."""
    return any(kind.zh in explanation.reason for kind in slip_kinds().values() if kind.cells == 0)
