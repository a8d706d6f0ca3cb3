"""The county's totals: accepted submissions added up cell by cell, with how many bodies stand behind each figure.

Belongs here: adding up. Does not belong here: which submissions are accepted (pipelines/validate), comparing with a
published report (reconcile.py), the regional supplement (indicators.py).
"""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from schemas.findings import Finding, rule_finding
from schemas.form import Form
from schemas.frames import tidy_schema, tidy_types
from schemas.rules import RuleSet


def county_totals(form: Form, accepted: pl.DataFrame, region: str, year: int) -> pl.DataFrame:
    """The ``county_totals`` table from the wide frame of accepted submissions; null where no body gave the figure."""
    names = [cell.id for cell in form.cells]
    sums = accepted.select([pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name) for name in names])
    counts = accepted.select([pl.col(name).count().alias(name) for name in names])
    values = sums.row(0) if accepted.height else (None,) * len(names)
    behind = counts.row(0) if accepted.height else (0,) * len(names)
    rows = [
        {
            "region": region,
            "year": year,
            "cell": cell.id,
            "table": cell.table,
            "row": cell.row,
            "column": cell.column,
            "value": None if value is None else Decimal(value),
            "unit": cell.unit,
            "bodies": bodies,
        }
        for cell, value, bodies in zip(form.cells, values, behind, strict=True)
    ]
    frame = pl.DataFrame(rows, schema=tidy_types("county_totals"), orient="row")
    tidy_schema("county_totals").validate(frame)
    return frame


def values_of(totals: pl.DataFrame) -> dict[str, Decimal | None]:
    """The totals by cell id."""
    return dict(zip(totals["cell"], totals["value"], strict=True))


def unbalanced(form: Form, rules: RuleSet, totals: pl.DataFrame, attributes: frozenset[str]) -> list[Finding]:
    """The error rules that the totals break. Sums of right returns are right, so one here is a fault of ours."""
    values = values_of(totals)
    findings = []
    for rule in rules.rules:
        if rule.severity != "error" or rule.across_years or rule.unless in attributes:
            continue
        residual = rule.residual(values)
        if residual is not None and not rule.holds(residual):
            findings.append(rule_finding(form, rule, values, mended_by="operator"))
    return findings


def last_totals(form: Form, previous: pl.DataFrame) -> dict[str, Decimal | int]:
    """Last year's totals of the accepted submissions, of the cells that ``form`` has too; {} where there are none."""
    if previous.is_empty():
        return {}
    known = [cell.id for cell in form.cells if cell.id in previous.columns]
    sums: dict[str, Decimal | int] = previous.select(pl.col(known).sum()).row(0, named=True)
    return sums
