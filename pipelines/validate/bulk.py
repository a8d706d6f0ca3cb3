"""All rules over all submissions in one compiled pass, and the pandera gate on its residuals.

Belongs here: the wide frame, its residuals, the (file, rule) pairs that are broken, the gate. Does not belong here:
what is missing (completeness.py), wording and localisation of a broken return (check.py, localise.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pandera.errors
import polars as pl

from pipelines.validate.batches import BATCH_ROWS, Source, batches_of
from pipelines.validate.kernel import compile_sums
from pipelines.validate.lanes import size_of
from pipelines.validate.stream import block_of, count_frame, scan_frame, survey
from schemas.form import Form
from schemas.frames import (
    ATTRIBUTES,
    cell_type,
    domain_expression,
    residual_expression,
    residuals_schema,
    submissions_contract,
    wide_types,
)
from schemas.rules import LAST_YEAR, RuleSet

Figure = Decimal | int
MOST_COUNT, MOST_AMOUNT = 2**63 - 1, Decimal("99999999999999.9999")  # what columns of residuals hold
LARGE = 1 << 50  # polars adds counts in 64 bits and wraps: where a figure is this large they are taken as decimals
LONG_BATCH = 4 * BATCH_ROWS  # few batches, because each costs as many expressions as there are rules


class SubmissionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the wide frame before it is one: known figures by cell id, last year's by cell id."""

    region: str
    year: int
    body: str
    file: str
    file_sha256: str
    values: Mapping[str, Figure]
    previous: Mapping[str, Figure]
    attributes: frozenset[str]


def _row(form: Form, rules: RuleSet, row: SubmissionRow, names: Sequence[str]) -> dict[str, Any]:
    fractional = [
        cell
        for cell, value in row.values.items()
        if cell in form.by_id and form.by_id[cell].kind != "money" and value != int(value)
    ]
    out: dict[str, Any] = dict.fromkeys(names)
    out.update(
        region=row.region,
        year=row.year,
        body=row.body,
        file=row.file,
        file_sha256=row.file_sha256,
        not_whole=len(fractional),
    )
    out["rule_making_power"] = "rule_making_power" in row.attributes

    def put(name: str, cell: str, value: Figure) -> None:
        out[name] = Decimal(value) if form.by_id[cell].kind == "money" else int(value)

    for cell in form.cells:
        value = row.values.get(cell.id)
        if value is not None and cell.id not in fractional:
            put(cell.id, cell.id, value)
    for cell_id in rules.history_keys:
        value = row.previous.get(cell_id)
        if value is not None and value == int(value):
            put(cell_id + LAST_YEAR, cell_id, value)
    return out


def wide_frame(form: Form, rules: RuleSet, rows: Sequence[SubmissionRow]) -> pl.DataFrame:
    """The wide frame, one row per file, rows in the order given; checked against its pandera contract."""
    types = wide_types(form, rules)
    names = list(types)
    frame = pl.DataFrame([_row(form, rules, row, names) for row in rows], schema=types, orient="row")
    submissions_contract(form.edition).validate(frame)
    return frame


def _residuals(form: Form, rules: RuleSet, *, errors_only: bool, large: bool) -> list[pl.Expr]:
    """One expression per rule and domain, in catalogue order, named by its id.

    ``large``: a residual that its column cannot hold becomes the largest that it can, with its sign.
    """
    expressions = []
    for rule in rules.rules:
        if not errors_only or rule.severity == "error":
            kind, residual = cell_type(form.by_id[rule.found[0].cell].kind), residual_expression(rule)
            most = MOST_COUNT if kind.is_integer() else MOST_AMOUNT
            expressions.append((residual.clip(-most, most) if large else residual).cast(kind))
    return expressions + [
        domain_expression(form, domain) for domain in rules.domains if not errors_only or domain.severity == "error"
    ]


def residuals(form: Form, rules: RuleSet, frame: Source, *, errors_only: bool = False) -> pl.DataFrame:
    """``file`` and one column per rule and domain, in catalogue order; null where a term is missing.

    Exact, but for residuals beyond what a column of cells holds: they become the largest that it does, with its sign.
    """
    compiled = compile_sums(form, rules)
    counts = [name for name in compiled.names[:-1] if name not in compiled.money]  # the last is no figure
    usual, exact = (
        [pl.col("file"), *_residuals(form, rules, errors_only=errors_only, large=large)] for large in (False, True)
    )
    tables = [pl.DataFrame(schema=wide_types(form, rules)).select(usual)]
    for batch in batches_of(frame, ["file", *ATTRIBUTES, *compiled.names], LONG_BATCH):
        if max(map(size_of, block_of(compiled, batch).columns)) >= LARGE:
            tables.append(batch.with_columns(pl.col(counts).cast(pl.Decimal(38, 0))).select(exact))
        else:
            tables.append(batch.select(usual))
    return pl.concat(tables)


def broken_list(form: Form, rules: RuleSet, frame: Source) -> pl.DataFrame:
    """What is broken as a long table: ``file``, ``rule`` (or domain id), ``residual``.

    Rows stand in frame order, then catalogue order. ``residual`` is decimal(38,4) in the unit of the rule's cells; for
    a domain it is how many figures of the file break it. A lazy frame is read only where the rules need it, batch by
    batch (stream.py); figures of any size are added exactly.
    """
    scanned = scan_frame(form, rules, frame, totals=False)
    return survey(form, rules, scanned).findings.select("file", "rule", "residual")


def broken_counts(form: Form, rules: RuleSet, frame: Source) -> dict[str, int]:
    """How many files break each rule and domain, by id in catalogue order, zeros among them; nothing else is kept."""
    return count_frame(form, rules, frame)


def broken_pairs(form: Form, rules: RuleSet, frame: pl.DataFrame | pl.LazyFrame) -> list[tuple[str, str]]:
    """The (file, rule or domain id) pairs that are broken, in frame order, then catalogue order."""
    return broken_list(form, rules, frame).select("file", "rule").rows()


def gate(form: Form, rules: RuleSet, frame: Source) -> tuple[str, ...]:
    """The error rules that pandera finds broken in ``frame``, by Check name; empty when the schema holds.

    This calls the derived schema itself, so that what stops publication is the published contract.
    """
    table = residuals(form, rules, frame, errors_only=True)
    try:
        residuals_schema(form.edition).validate(table, lazy=True)
    except pandera.errors.SchemaErrors as problem:
        names = [str(error.check.name) if error.check is not None else str(error) for error in problem.schema_errors]
        order = {name: position for position, name in enumerate(table.columns)}
        return tuple(sorted(set(names), key=lambda name: order.get(name, len(order))))
    return ()
