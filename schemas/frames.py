"""pandera schemas (polars backend) of every table, derived from the form and from ``tables.toml``.

Belongs here: column types, keys, value sets, every error rule as a named Check, and a rule as a polars expression.
Does not belong here: running them over returns (pipelines/validate), Arrow and files (pipelines/publish).

Two schemas carry the accounting rules. ``submissions_schema`` has one Check per error rule on the wide frame: the
public contract, complete but slow. ``residuals_schema`` has the same Checks, by the same names, on the frame of
residuals: what the gate calls. A property test proves that both and the naive evaluation flag the same pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, reduce
from operator import add

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

from schemas.form import Domain, Form, load_form
from schemas.rules import LAST_YEAR, Rule, RuleSet, load_rules
from schemas.tables import DECIMAL_PRECISION, DECIMAL_SCALE, TableSchema, load_tables

DECIMAL = pl.Decimal(DECIMAL_PRECISION, DECIMAL_SCALE)
WIDEST = pl.Decimal(38, DECIMAL_SCALE)  # holds the sum of any figures
TYPES: dict[str, pl.DataType] = {
    "text": pl.String(),
    "integer": pl.Int64(),
    "year": pl.Int32(),
    "decimal": DECIMAL,
    "boolean": pl.Boolean(),
}
ATTRIBUTES = ("rule_making_power",)
# Columns of the wide frame beside the cells. ``not_whole`` counts figures that should be whole and are not: the wide
# frame holds counts as integers, so such a figure is null there and this column carries the fact to the rule.
IDENTITY: dict[str, pl.DataType] = {
    "region": pl.String(),
    "year": pl.Int32(),
    "body": pl.String(),
    "file": pl.String(),
    "file_sha256": pl.String(),
    "not_whole": pl.Int64(),
    **{attribute: pl.Boolean() for attribute in ATTRIBUTES},
}
VALUES = {
    "severity": ("error", "warning", "information"),
    "mended_by": ("clerk", "officer", "operator"),
    "state": ("given", "blank", "slash", "text", "formula", "absent"),
    "status": ("accepted", "refused", "missing", "waived"),
}


def cell_type(kind: str) -> pl.DataType:
    """The polars type of a cell in the wide frame: Int64 for counts, decimal(18,4) for money."""
    return DECIMAL if kind == "money" else pl.Int64()


def wide_types(form: Form, rules: RuleSet) -> dict[str, pl.DataType]:
    """Names and types of the wide frame: identity, the form's cells, last year's cells that rules need."""
    return (
        dict(IDENTITY)
        | {cell.id: cell_type(cell.kind) for cell in form.cells}
        | {cell + LAST_YEAR: cell_type(form.by_id[cell].kind) for cell in rules.history_keys}
    )


def _terms(rule: Rule, exact: bool) -> pl.Expr:
    figures = [pl.col(term.key).cast(WIDEST) if exact else pl.col(term.key) for term in rule.terms]
    signed = [figure if term.sign > 0 else -figure for figure, term in zip(figures, rule.terms, strict=True)]
    total = reduce(add, signed)
    return total - rule.constant if rule.constant else total


def residual_expression(rule: Rule, exact: bool = False) -> pl.Expr:
    """``found - expected - constant`` over the wide frame; null where a term is missing; named by the rule's id.

    A condition that is not met, or an attribute that frees the body, gives 0 of the same type. ``exact``: as
    decimal(38,4), which holds a sum of figures of any size; else counts are added in 64 bits, which may wrap.
    """
    residual = _terms(rule, exact)
    silent = pl.lit(False)
    if rule.when:
        state = pl.col(rule.when.cell)
        silent = (state != 0) if rule.when.state == "zero" else (state <= 0)
        residual = pl.when(state.is_null()).then(None).otherwise(residual)
    if rule.unless:
        silent = silent | pl.col(rule.unless)
    if rule.when or rule.unless:
        residual = pl.when(silent).then(0).otherwise(residual)
    return residual.alias(rule.id)


def domain_expression(form: Form, domain: Domain) -> pl.Expr:
    """How many figures of a submission break the domain; named by the domain's id."""
    if domain.whole:
        return pl.col("not_whole").alias(domain.id)
    below = [pl.col(cell.id) < domain.minimum for cell in form.cells if cell.kind in domain.kinds]  # null: no figure
    return pl.sum_horizontal(below, ignore_nulls=True).cast(pl.Int64).alias(domain.id)


def violated(rule: Rule, residual: pl.Expr) -> pl.Expr:
    """Whether a residual breaks the relation; false where it is null."""
    broken = {"=": residual != 0, ">=": residual < 0, "<=": residual > 0}[rule.relation]
    return broken.fill_null(False)


def _rule_check(rule: Rule) -> pa.Check:
    def holds(data: PolarsData) -> pl.LazyFrame:
        residual = residual_expression(rule, exact=True)
        return data.lazyframe.select(~violated(rule, residual))

    return pa.Check(holds, name=rule.id, error=rule.title_en)


def _domain_check(form: Form, domain: Domain) -> pa.Check:
    def holds(data: PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(domain_expression(form, domain) == 0)

    return pa.Check(holds, name=domain.id, error=domain.title_en)


def _residual_check(rule: Rule) -> pa.Check:
    limits: dict[str, Callable[..., pa.Check]] = {"=": pa.Check.eq, ">=": pa.Check.ge, "<=": pa.Check.le}
    limit = limits[rule.relation]
    return limit(0, name=rule.id, error=rule.title_en)


@cache
def submissions_schema(edition: str) -> pa.DataFrameSchema:
    """The wide frame of an edition with every error rule and domain as a named Check."""
    form, rules = load_form(edition), load_rules(edition)
    checks = [_rule_check(rule) for rule in rules.rules if rule.severity == "error"]
    checks += [_domain_check(form, domain) for domain in rules.domains if domain.severity == "error"]
    return pa.DataFrameSchema(
        {
            name: pa.Column(dtype, nullable=name not in IDENTITY, name=name)
            for name, dtype in wide_types(form, rules).items()
        },
        checks=checks,
        strict=True,
        ordered=True,
        name=f"submissions_{edition}",
    )


@cache
def submissions_contract(edition: str) -> pa.DataFrameSchema:
    """The wide frame's names, order and types alone: what every submission must have, right or wrong."""
    form, rules = load_form(edition), load_rules(edition)
    return pa.DataFrameSchema(
        {
            name: pa.Column(dtype, nullable=name not in IDENTITY, name=name)
            for name, dtype in wide_types(form, rules).items()
        },
        strict=True,
        ordered=True,
        unique=["file"],
        name=f"submissions_contract_{edition}",
    )


@cache
def residuals_schema(edition: str) -> pa.DataFrameSchema:
    """The frame of residuals: one column per error rule, each with the Check of that name. Null says nothing."""
    form, rules = load_form(edition), load_rules(edition)
    columns: dict[str, pa.Column] = {"file": pa.Column(pl.String())}
    for rule in rules.rules:
        if rule.severity == "error":
            kind = form.by_id[rule.found[0].cell].kind
            columns[rule.id] = pa.Column(cell_type(kind), checks=_residual_check(rule), nullable=True, name=rule.id)
    for domain in rules.domains:
        if domain.severity == "error":
            check = pa.Check.eq(0, name=domain.id, error=domain.title_en)
            columns[domain.id] = pa.Column(pl.Int64(), checks=check, name=domain.id)
    return pa.DataFrameSchema(columns, strict=True, ordered=True, name=f"residuals_{edition}")


@cache
def tidy_schema(table: str) -> pa.DataFrameSchema:
    """A table of ``tables.toml``: names, order, types, nulls, value sets and primary key."""
    declared: TableSchema = load_tables()[table]
    columns = {}
    for field in declared.fields:
        allowed = VALUES.get(field.name)
        checks = [pa.Check.isin(allowed, name=f"{table}.{field.name}.values")] if allowed else []
        columns[field.name] = pa.Column(TYPES[field.type], checks=checks, nullable=field.null, name=field.name)
    return pa.DataFrameSchema(columns, strict=True, ordered=True, unique=list(declared.primary_key), name=table)


def tidy_types(table: str) -> dict[str, pl.DataType]:
    """Names and polars types of a table of ``tables.toml``, in order."""
    return {field.name: TYPES[field.type] for field in load_tables()[table].fields}
