"""A dataset of submissions judged in one streaming pass in bounded memory: findings, counts, totals by region.

Belongs here: reading wide Parquet files batch by batch, telling what the kernel found, adding batches up. Does not
belong here: the arithmetic (kernel.py), frames in memory and the pandera gate (bulk.py), wording (check.py).

polars reads and decodes the next batch on its own threads while this one is judged; a batch is judged in blocks whose
columns stay in the processor's cache. The order of findings is the order of the files, then of their rows, then of the
catalogue, whatever the size of batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Context, Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from pipelines.validate.kernel import Block, Broken, Compiled, add_up, compile_sums, judge, reach
from schemas.form import Form
from schemas.frames import ATTRIBUTES, submissions_contract, wide_types
from schemas.rules import LAST_YEAR, RuleSet
from schemas.tables import DECIMAL_SCALE

BATCH_ROWS = 20_000
BLOCK_ROWS = 20_000  # fewer cost more in calls than the processor's cache gives back
RESIDUAL = pl.Decimal(38, DECIMAL_SCALE)  # holds every count and every amount exactly
FINDINGS: dict[str, pl.DataType] = {
    "region": pl.String(),
    "file": pl.String(),
    "rule": pl.String(),
    "residual": RESIDUAL,
}
SCATTERED = 16  # regions whose rows stand in shorter runs than this are sorted before they are added up
LARGE = 1 << 50  # sums of counts of this size and more are not left to polars, which wraps at 64 bits
EXACT = Context(prec=60)
KEPT = ("region", "file")  # columns of identity that findings and totals name


class Total(msgspec.Struct, frozen=True):
    """What the submissions of one region add up to, per cell in the form's order.

    ``sums``: counts as they are, money in ten-thousandths, exact whatever their size; ``given``: how many submissions
    have a figure.
    """

    submissions: int
    sums: tuple[int, ...]
    given: tuple[int, ...]

    def __add__(self, other: Total) -> Total:
        return Total(
            self.submissions + other.submissions,
            tuple(map(int.__add__, self.sums, other.sums)),
            tuple(map(int.__add__, self.given, other.given)),
        )


class Scanned(msgspec.Struct, frozen=True, kw_only=True):
    """What one batch says; batches add up (``survey``).

    ``findings``: columns FINDINGS, residual in the unit of the rule's cells, for a domain how many figures break it.
    ``counts``: by id of rules, then domains, zeros among them. ``totals``: by region, in order of first sight; empty
    where they were not asked for. ``broken``: the rows of submissions that break an error rule or domain, as they were
    read, for localisation; None where they were not asked for.
    """

    rows: int
    findings: pl.DataFrame
    counts: dict[str, int]
    totals: dict[str, Total]
    broken: pl.DataFrame | None


def extremes(form: Form, rules: RuleSet) -> tuple[pl.Expr, pl.Expr]:
    """The smallest and the largest count of a whole frame, null where there is none. Decimals cannot wrap in polars."""
    names = [
        name
        for name, kind in wide_types(form, rules).items()
        if (name in form.by_id or name.endswith(LAST_YEAR)) and not isinstance(kind, pl.Decimal)
    ]
    return pl.min_horizontal(pl.col(names).min()), pl.max_horizontal(pl.col(names).max())


def columns_read(form: Form, rules: RuleSet) -> list[str]:
    """The columns of the wide frame that a scan reads."""
    cells = [name for name in wide_types(form, rules) if name in form.by_id or name.endswith(LAST_YEAR)]
    return [*KEPT, "not_whole", *ATTRIBUTES, *cells]


def files_of(paths: Path | Iterable[Path]) -> list[Path]:
    """The Parquet files of a folder in order of name, one file, or the given files in the given order.

    Raises FileNotFoundError where there is none.
    """
    one = [paths] if isinstance(paths, Path) else list(paths)
    files = sorted(paths.glob("*.parquet")) if isinstance(paths, Path) and paths.is_dir() else one
    if not files:
        raise FileNotFoundError(f"没有可检查的 Parquet 文件：{paths} (no Parquet file to check)")
    return files


def hold_contract(form: Form, files: Sequence[Path]) -> None:
    """Each file's columns against the pandera contract of the wide frame: names, order, types.

    Raises pandera's SchemaError.
    """
    seen: list[pl.Schema] = []
    for file in files:
        empty = pl.scan_parquet(file).head(0).collect()
        if empty.schema not in seen:
            submissions_contract(form.edition).validate(empty)
            seen.append(empty.schema)


def _integers(series: pl.Series, money: bool) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_] | None]:
    """A column as int64, 0 where there is no figure, and where that is; no mask where every row has one."""
    mask = series.is_null().to_numpy() if series.null_count() else None
    if money:
        series = series.to_physical().cast(pl.Int64)  # 18 digits always fit
    if mask is not None:
        series = series.fill_null(0)
    return series.rechunk().to_numpy(), mask


def block_of(compiled: Compiled, batch: pl.DataFrame) -> Block:
    """A batch of the wide frame as integer columns, without copying where it has no nulls."""
    pairs = [_integers(batch.get_column(name), name in compiled.money) for name in compiled.names]
    freed = {name: batch.get_column(name).fill_null(value=False).to_numpy() for name in ATTRIBUTES}
    return Block([ints for ints, _ in pairs], [mask for _, mask in pairs], freed, batch.height)


def _decimals(residuals: npt.NDArray[Any]) -> pl.Series:
    """Residuals in ten-thousandths as decimal(38,4)."""
    if residuals.dtype == object:
        exact = [Decimal(int(one)).scaleb(-DECIMAL_SCALE, EXACT) for one in residuals]
        return pl.Series("residual", exact, dtype=RESIDUAL)
    halves = np.empty((len(residuals), 2), dtype="<i8")  # Arrow's decimal128: 64 low bits, then 64 high bits
    halves[:, 0], halves[:, 1] = residuals, residuals >> 63
    kind = pa.decimal128(38, DECIMAL_SCALE)
    return pl.Series("residual", pa.Array.from_buffers(kind, len(residuals), [None, pa.py_buffer(halves)])).cast(
        RESIDUAL
    )


def _told(compiled: Compiled, batch: pl.DataFrame, broken: Broken) -> pl.DataFrame:
    ids = pl.Series("rule", compiled.ids, dtype=pl.String)
    named = batch.select(KEPT)[broken.rows]
    return named.with_columns(ids.gather(pl.Series(broken.rules)), _decimals(broken.residuals))


def _adjacent(batch: pl.DataFrame) -> pl.DataFrame:
    """The batch itself where each region's rows stand together, else in order of region."""
    region = batch.get_column("region")
    runs = int((region != region.shift(1)).sum()) + 1
    return batch if runs <= batch.height // SCATTERED + 1 else batch.sort("region", maintain_order=True)


def _totals(compiled: Compiled, batch: pl.DataFrame, block: Block, sizes: Sequence[int]) -> dict[str, Total]:
    """Totals by region in order of first sight. ``sizes``: how large the figures of each part of the batch are."""
    region = batch.get_column("region")
    starts = np.flatnonzero((region != region.shift(1)).fill_null(value=True).to_numpy())
    totals: dict[str, Total] = {}
    for part, (begin, end) in enumerate(_parts(batch.height)):
        inside = starts[(starts > begin) & (starts < end)]
        cuts = np.concatenate([[begin], inside])
        piece = block.cut(begin, end)
        sums = add_up(piece.columns[: compiled.cells], cuts - begin, piece.rows, sizes[part]).tolist()
        rows = np.diff([*cuts, end])
        given = np.repeat(rows[:, None], compiled.cells, axis=1)
        for position, mask in enumerate(piece.missing[: compiled.cells]):
            if mask is not None:
                given[:, position] -= np.add.reduceat(mask.astype(np.int64), cuts - begin)
        told = zip(region[cuts].to_list(), rows.tolist(), sums, given.tolist(), strict=True)
        for name, count, added, known in told:
            total = Total(count, tuple(added), tuple(known))
            totals[name] = totals[name] + total if name in totals else total
    return totals


def _parts(rows: int) -> list[tuple[int, int]]:
    return [(begin, min(begin + BLOCK_ROWS, rows)) for begin in range(0, rows, BLOCK_ROWS)]


def _named(batch: pl.DataFrame) -> None:
    """Raises ValueError where a submission has no region or no file: the contract does not allow it."""
    for name in (*KEPT, "not_whole"):
        if batch.get_column(name).null_count():
            raise ValueError(f"提交表的 {name} 列有空值，请补全 (column {name} of submissions has nulls: fill them)")


def scan_batch(
    compiled: Compiled, batch: pl.DataFrame, errors: npt.NDArray[np.bool_], *, totals: bool, broken: bool
) -> Scanned:
    """One batch of the wide frame judged. ``errors``: which of ``compiled.ids`` are errors."""
    _named(batch)
    block = block_of(compiled, batch)
    found, sizes = [], []
    for begin, end in _parts(batch.height):
        piece = block.cut(begin, end)
        reached = reach(piece)
        sizes.append(reached.size)
        judged = judge(compiled, piece, reached)
        found.append(Broken(judged.rows + begin, judged.rules, judged.residuals))
    every = Broken(*(np.concatenate([getattr(one, name) for one in found]) for name in Broken.__struct_fields__))
    counts = np.bincount(every.rules, minlength=len(compiled.ids)).tolist()
    added: dict[str, Total] = {}
    if totals:
        together = _adjacent(batch)
        if together is batch:
            added = _totals(compiled, batch, block, sizes)
        else:
            whole = [max(sizes)] * len(sizes)
            sorted_totals = _totals(compiled, together, block_of(compiled, together), whole)
            added = {name: sorted_totals[name] for name in batch.get_column("region").unique(maintain_order=True)}
    return Scanned(
        rows=batch.height,
        findings=_told(compiled, batch, every),
        counts=dict(zip(compiled.ids, counts, strict=True)),
        totals=added,
        broken=batch[np.unique(every.rows[errors[every.rules]])] if broken else None,
    )


def scan_frame(
    form: Form,
    rules: RuleSet,
    frame: pl.DataFrame | pl.LazyFrame,
    *,
    batch_rows: int = BATCH_ROWS,
    totals: bool = True,
    broken: bool = False,
) -> Iterator[Scanned]:
    """A wide frame, in memory or lazy, judged batch by batch in its order; as ``scan_submissions`` otherwise."""
    compiled = compile_sums(form, rules)
    severities = [rule.severity for rule in rules.rules] + [domain.severity for domain in rules.domains]
    errors = np.array([severity == "error" for severity in severities])
    columns = frame.lazy().select(columns_read(form, rules))
    for batch in columns.collect_batches(chunk_size=batch_rows, maintain_order=True):
        if batch.height:
            yield scan_batch(compiled, batch, errors, totals=totals, broken=broken)


def scan_submissions(
    form: Form,
    rules: RuleSet,
    paths: Path | Iterable[Path],
    *,
    batch_rows: int = BATCH_ROWS,
    totals: bool = True,
    broken: bool = False,
) -> Iterator[Scanned]:
    """A dataset of wide submissions in one pass: a folder of Parquet files, one file, or files in the given order.

    Yields at least one Scanned for every ``batch_rows`` rows; what they say together does not depend on ``batch_rows``.
    Memory is some batches, however many rows there are. Files are held to the pandera contract before any row is read.

    Raises FileNotFoundError where there is no file, pandera's SchemaError where a file's columns are not the
    contract's, ValueError for a submission without region or file, or where ``batch_rows`` is below 1.
    """
    if batch_rows < 1:
        raise ValueError("batch_rows 至少为 1 (batch_rows is at least 1)")
    files = files_of(paths)
    hold_contract(form, files)
    # One file after another: polars reads ahead in every file it is given, and that is what memory would go to.
    return chain.from_iterable(
        scan_frame(form, rules, pl.scan_parquet(file), batch_rows=batch_rows, totals=totals, broken=broken)
        for file in files
    )


def survey(form: Form, rules: RuleSet, scanned: Iterable[Scanned]) -> Scanned:
    """All batches added up: findings and broken rows in one frame each, counts and totals as sums."""
    rows, counts = 0, dict.fromkeys([*rules.by_id, *(domain.id for domain in rules.domains)], 0)
    totals: dict[str, Total] = {}
    findings, broken = [pl.DataFrame(schema=FINDINGS)], []
    for one in scanned:
        rows += one.rows
        findings.append(one.findings)
        if one.broken is not None:
            broken.append(one.broken)
        for name, count in one.counts.items():
            counts[name] += count
        for name, total in one.totals.items():
            totals[name] = totals[name] + total if name in totals else total
    return Scanned(
        rows=rows,
        findings=pl.concat(findings),
        counts=counts,
        totals=totals,
        broken=pl.concat(broken) if broken else None,
    )
