"""Many synthetic submissions as a dataset of wide Parquet files, drawn from the form's rules alone. All invented.

Belongs here: drawing returns that obey every rule, spoiling a known share of them, streaming them to disk. Does not
belong here: measuring (validate.py). No cell is named: what is a part, a total or a stock follows from the rules.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from schemas.form import Form
from schemas.frames import IDENTITY, wide_types
from schemas.rules import Rule, RuleSet, Term

SEED = 20230131
CHUNK = 20_000  # rows of a row group
FILE = 10 * CHUNK  # rows of a file
REGION = 400  # submissions of a region
ZEROS = 0.83  # share of drawn figures that are 0; with the totals that follow, three quarters of all figures are
SPOILT = 0.05  # share of submissions with wrong cells
MOST_WRONG = 3
CENTS = 100
Figures = dict[str, np.ndarray]


def _side(terms: tuple[Term, ...], figures: Figures) -> np.ndarray:
    return sum(term.sign * figures[term.key] for term in terms)


def _settle(rule: Rule, figures: Figures) -> None:
    """Make one rule hold by moving one of its figures, never below 0."""
    target = rule.found[0].key
    stocks = [term for term in rule.expected if term.last_year]
    if stocks:  # last year's figure follows from this year's, and this year's stock covers what was added to it
        [stock] = stocks
        added = _side(tuple(term for term in rule.expected if term != stock), figures) + np.zeros_like(figures[target])
        figures[target] = np.maximum(figures[target], added)
        figures[stock.key] = figures[target] - added
        return
    expected = _side(rule.expected, figures) + rule.constant if rule.expected else np.int64(rule.constant)
    speaks = np.ones(len(figures[target]), dtype=bool)
    if rule.when:
        state = figures[rule.when.cell]
        speaks = state == 0 if rule.when.state == "zero" else state > 0
    if rule.relation == ">=":
        settled = np.maximum(figures[target], expected)
    elif rule.relation == "<=":
        settled = np.minimum(figures[target], expected)
    else:
        settled = expected - _side(rule.found[1:], figures) + np.zeros_like(figures[target])
    figures[target] = np.where(speaks, settled, figures[target])


def _balance(rule: Rule, figures: Figures) -> None:
    """Make two sums equal whose first found figure is itself a total: the expected side takes what is left over."""
    came, carried = rule.expected
    handled = _side(rule.found, figures)
    figures[carried.key] = np.minimum(figures[carried.key], handled)
    figures[came.key] = handled - figures[carried.key]


def _figure(draw: np.random.Generator, count: int) -> np.ndarray:
    """One figure of each return: mostly 0, else small."""
    drawn = draw.geometric(0.12, count).astype(np.int64)
    return np.where(draw.random(count) < ZEROS, 0, drawn)


def valid(
    form: Form,
    rules: RuleSet,
    draw: np.random.Generator,
    count: int,
    figure: Callable[[np.random.Generator, int], np.ndarray] = _figure,
) -> Figures:
    """Figures of ``count`` returns by column of the wide frame, obeying every rule; money in hundredths.

    ``figure`` draws one figure of each return; totals, balances and what conditions call for follow from the rules.

    Raises ValueError where a rule does not hold afterwards: the generator would not fit the form.
    """
    figures: Figures = {}
    for name in [cell.id for cell in form.cells] + [key for key in wide_types(form, rules) if "@" in key]:
        figures[name] = figure(draw, count)
    rows = [rule for rule in rules.rules if rule.family == "row_total"]
    conditions = {rule.when.cell for rule in rules.rules if rule.when and rule.when.state == "positive"}
    for rule in rows:  # what calls for something elsewhere is not drawn; its parts neither
        if rule.found[0].cell in conditions:
            figures |= {term.key: np.zeros(count, dtype=np.int64) for term in rule.expected}
    sums = [rule for rule in rules.rules if rule.family == "outcome_sum"]
    balances = [rule for rule in rules.rules if rule.family == "balance"]
    others = [rule for rule in rules.rules if rule not in rows and rule not in sums and rule not in balances]
    for rule in sums:
        _settle(rule, figures)
    for rule in balances:
        _balance(rule, figures)
    for rule in rows:
        _settle(rule, figures)
    for rule in 2 * sorted(others, key=lambda rule: rule.across_years):  # twice: one may move what another needs
        _settle(rule, figures)
    for rule in rules.rules:
        residual = _side(rule.terms, figures) - rule.constant
        broken = {"=": residual != 0, ">=": residual < 0, "<=": residual > 0}[rule.relation]
        if rule.when:
            state = figures[rule.when.cell]
            broken &= state == 0 if rule.when.state == "zero" else state > 0
        if np.any(broken):
            raise ValueError(f"the drawn figures break the rule {rule.id}")
    return figures


def spoil(form: Form, figures: Figures, draw: np.random.Generator, count: int) -> int:
    """Make one to three cells wrong in a share of the returns, in place; answer how many returns that are."""
    wrong = np.flatnonzero(draw.random(count) < SPOILT)
    for row in wrong:
        for cell in draw.choice(len(form.cells), int(draw.integers(1, MOST_WRONG + 1)), replace=False):
            figures[form.cells[cell].id][row] += int(draw.integers(1, 10)) * (1 if draw.random() < 0.8 else -1)
    return len(wrong)


def chunks(form: Form, rules: RuleSet, rows: int):
    """Frames of the wide contract, one after another, and how many of their submissions were spoilt."""
    types = wide_types(form, rules)
    draw = np.random.default_rng(SEED)
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        figures = valid(form, rules, draw, count)
        spoilt = spoil(form, figures, draw, count)
        numbers = range(start, start + count)
        identity = {
            "region": [f"{510_000 + number // REGION:06}" for number in numbers],
            "year": [2023] * count,
            "body": [f"{510_000 + number // REGION:06}-S{number:06}" for number in numbers],
            "file": [f"s{number:06}.xlsx" for number in numbers],
            "file_sha256": [f"{number:064x}" for number in numbers],
        }
        empty = {
            name: [0] * count if name == "not_whole" else [False] * count for name in IDENTITY if name not in identity
        }
        frame = pl.DataFrame(identity | empty | figures)
        money = [cell.id for cell in form.cells if cell.kind == "money"]
        frame = frame.with_columns((pl.col(money).cast(pl.Decimal(18, 4)) / CENTS).cast(pl.Decimal(18, 4)))
        yield frame.select([pl.col(name).cast(kind) for name, kind in types.items()]), spoilt


def write(folder: Path, form: Form, rules: RuleSet, rows: int) -> int:
    """Stream ``rows`` submissions to Parquet files in a folder, chunk by chunk; answer how many were spoilt."""
    spoilt, written, writer = 0, 0, None
    try:
        for frame, wrong in chunks(form, rules, rows):
            table = frame.to_arrow()
            if writer is None:
                path = folder / f"part-{written // FILE:04}.parquet"
                writer = pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
            spoilt += wrong
            written += frame.height
            if written % FILE == 0:
                writer.close()
                writer = None
    finally:
        if writer:
            writer.close()
    return spoilt
