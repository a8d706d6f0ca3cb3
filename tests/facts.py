"""Facts that several tests share: the county's published totals of 2023, a return that obeys every rule, a region."""

from __future__ import annotations

import csv
from decimal import Decimal
from functools import cache
from pathlib import Path

from pipelines.settings import PROJECT
from schemas.form import Form, load_form
from schemas.rules import RuleSet, load_rules

REGIONS = PROJECT / "regions"
REGION = "511725"
FORM: Form = load_form("2021")
RULES: RuleSet = load_rules("2021")


@cache
def _published() -> tuple[tuple[str, Decimal], ...]:
    path: Path = REGIONS / REGION / "2023" / "published.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        return tuple((row["cell"], Decimal(row["value"])) for row in csv.DictReader(file))


def published() -> dict[str, Decimal]:
    """The 203 published figures of 渠县 2023: real, and obeying every rule."""
    return dict(_published())


def dense() -> dict[str, int]:
    """A made-up return with no zero in `requests` and `disputes` that obeys every rule; money and stocks above zero."""
    values: dict[str, int] = {}
    for table in FORM.tables:
        for block in table.blocks:
            parts = [column for column in block.columns if not column.total]
            for r, row in enumerate(block.rows):
                for c, column in enumerate(parts):
                    values[f"{table.id}.{row.id}.{column.id}"] = 1 + (3 * r + 5 * c) % 7
    for column in FORM.table("proactive").blocks[0].columns:
        values[f"proactive.rules.{column.id}"] = 0
    values["proactive.normative_documents.in_force"] = 40
    values["processing_fees.notices.amount"] = 90
    values["processing_fees.notices.collected"] = 80
    block = FORM.table("requests").blocks[0]
    for column in (column for column in block.columns if not column.total):
        outcomes = [row.id for row in block.rows if row.group and not row.total_of]
        processed = sum(values[f"requests.{row}.{column.id}"] for row in outcomes)
        values[f"requests.processed.{column.id}"] = processed
        carried_in, carried_out = (values[f"requests.{row}.{column.id}"] for row in ("carried_in", "carried_out"))
        values[f"requests.received.{column.id}"] = processed + carried_out - carried_in
    for rule in RULES.rules:
        if rule.family == "row_total":
            values[rule.found[0].cell] = sum(values[term.cell] for term in rule.expected)
    return values
