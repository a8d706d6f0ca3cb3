"""A dataset of submissions judged in one streaming pass in bounded memory: findings, counts, totals by region.

Belongs here: reading wide Parquet files batch by batch, telling what the kernel found, adding batches up. Does not
belong here: the arithmetic (kernel.py), frames in memory and the pandera gate (bulk.py), wording (check.py).

A batch is judged in blocks of rows. The order of findings is the order of the files, then of their rows, then of the
catalogue, whatever the size of batches and however many are read at once (batches.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Context, Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.validate.batches import BATCH_ROWS, Source, batches_of, files_of
from pipelines.validate.kernel import Broken, Compiled, compile_sums, judge, tally
from pipelines.validate.lanes import Block, Desk, Ints, Lanes
from schemas.form import Form
from schemas.frames import ATTRIBUTES, submissions_contract, wide_types
from schemas.rules import LAST_YEAR, RuleSet
from schemas.tables import DECIMAL_SCALE

BLOCK_ROWS = 20_000  # fewer cost more in calls than the processor's cache gives back
RESIDUAL = pl.Decimal(38, DECIMAL_SCALE)  # holds every count and every amount exactly
FINDINGS: dict[str, pl.DataType] = {
    "region": pl.String(),
    "file": pl.String(),
    "rule": pl.String(),
    "residual": RESIDUAL,
}
SCATTERED = 16  # regions whose rows stand in shorter runs than this are sorted before they are added up
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


def columns_read(form: Form, rules: RuleSet) -> list[str]:
    """The columns of the wide frame that a scan reads."""
    cells = [name for name in wide_types(form, rules) if name in form.by_id or name.endswith(LAST_YEAR)]
    return [*KEPT, "not_whole", *ATTRIBUTES, *cells]


def hold_contract(form: Form, files: Sequence[Path]) -> None:
    """Each file's columns against the pandera contract of the wide frame: names, order, types.

    Raises pandera's SchemaError.
    """
    seen: list[pa.Schema] = []
    for file in files:
        stored = pq.read_schema(file).remove_metadata()
        if not any(stored.equals(one) for one in seen):
            schema = pl.scan_parquet(file, glob=False).collect_schema()
            submissions_contract(form.edition).validate(schema.to_frame(eager=False))  # columns alone, nothing to read
            seen.append(stored)


def _integers(series: pl.Series, money: bool) -> tuple[Ints, npt.NDArray[np.bool_] | None]:
    """A column as int64, 0 where there is no figure, and where that is; no mask where every row has one."""
    if money:
        series = series.to_physical().cast(pl.Int64)  # 18 digits always fit
    series = series.rechunk()
    if not series.null_count():
        return series.to_numpy(), None
    held = series.to_arrow()  # its buffers are the column's own: a bit for each row that has a figure, then the figures
    bits, figures = held.buffers()
    begin, end = held.offset, held.offset + len(held)
    known = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), bitorder="little")[begin:end].view(np.bool_)
    return np.where(known, np.frombuffer(figures, dtype=np.int64, count=end)[begin:], 0), ~known


def block_of(compiled: Compiled, batch: pl.DataFrame) -> Block:
    """A batch of the wide frame as integer columns, without copying where it has no nulls."""
    pairs = [_integers(batch.get_column(name), name in compiled.money) for name in compiled.names]
    freed = {name: batch.get_column(name).fill_null(value=False).to_numpy() for name in ATTRIBUTES}
    return Block([ints for ints, _ in pairs], [mask for _, mask in pairs], freed, batch.height)


def decimals(residuals: npt.NDArray[Any]) -> pl.Series:
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


def _names(batch: pl.DataFrame, rows: Ints) -> pl.DataFrame:
    """The columns KEPT of some rows, as texts of their own: polars would keep those of the whole batch beside them."""
    return pl.DataFrame({name: pl.Series(batch.get_column(name)[rows].to_list(), dtype=pl.String) for name in KEPT})


def _told(compiled: Compiled, batch: pl.DataFrame, broken: Broken) -> pl.DataFrame:
    ids = pl.Series("rule", compiled.ids, dtype=pl.String)
    rows, at = np.unique(broken.rows, return_inverse=True)
    return _names(batch, rows)[at].with_columns(ids.gather(pl.Series(broken.rules)), decimals(broken.residuals))


def _starts(batch: pl.DataFrame) -> Ints:
    """Where runs of rows of one region begin."""
    region = batch.get_column("region")
    return np.flatnonzero((region != region.shift(1)).fill_null(value=True).to_numpy())


def _within(starts: Ints, begin: int, end: int) -> Ints:
    """Where runs begin in the rows from ``begin`` to before ``end``, counted from there; one cut there begins anew."""
    return np.concatenate([[0], starts[(starts > begin) & (starts < end)] - begin])


def _totals(compiled: Compiled, region: pl.Series, lanes: Lanes, starts: Ints) -> Iterator[tuple[str, Total]]:
    """What each run of one region within a block adds up to. ``starts``: of the runs, for which ``lanes`` has sums."""
    rows = np.diff(starts, append=lanes.block.rows)
    sums = np.array(lanes.sums).T.tolist()
    known = np.repeat(rows[:, None], compiled.cells, axis=1)
    for position, mask in enumerate(lanes.block.missing[: compiled.cells]):
        if mask is not None:
            known[:, position] -= np.add.reduceat(mask.view(np.int8), starts, dtype=np.int32)
    for name, count, added, given in zip(region[starts].to_list(), rows.tolist(), sums, known.tolist(), strict=True):
        yield name, Total(count, tuple(added), tuple(given))


def _parts(rows: int) -> list[tuple[int, int]]:
    return [(begin, min(begin + BLOCK_ROWS, rows)) for begin in range(0, rows, BLOCK_ROWS)]


def _named(batch: pl.DataFrame) -> None:
    """Raises ValueError where a submission has no region or no file: the contract does not allow it."""
    for name in (*KEPT, "not_whole"):
        if batch.get_column(name).null_count():
            raise ValueError(f"提交表的 {name} 列有空值，请补全 (column {name} of submissions has nulls: fill them)")


def add_totals(into: dict[str, Total], told: Iterable[tuple[str, Total]]) -> None:
    """Add totals by region to those there are."""
    for name, total in told:
        into[name] = into[name] + total if name in into else total


def _totals_of(compiled: Compiled, batch: pl.DataFrame, desk: Desk) -> dict[str, Total]:
    """Totals by region, in order of first sight, of a batch whose regions do not stand together."""
    region = batch.get_column("region")
    together = batch.sort("region", maintain_order=True)
    block, names, starts = block_of(compiled, together), together.get_column("region"), _starts(together)
    sums: dict[str, Total] = {}
    for begin, end in _parts(batch.height):
        inside = _within(starts, begin, end)
        lanes = Lanes(block.cut(begin, end), desk, inside, compiled.cells)
        add_totals(sums, _totals(compiled, names[begin:end], lanes, inside))
    return {name: sums[name] for name in region.unique(maintain_order=True)}


def scan_batch(
    compiled: Compiled, errors: npt.NDArray[np.bool_], desk: Desk, batch: pl.DataFrame, *, totals: bool, broken: bool
) -> Scanned:
    """One batch of the wide frame judged. ``errors``: which of ``compiled.ids`` are errors."""
    _named(batch)
    block, region, starts = block_of(compiled, batch), batch.get_column("region"), _starts(batch)
    added: dict[str, Total] = {}
    together = len(starts) <= batch.height // SCATTERED + 1
    found = []
    for begin, end in _parts(batch.height):
        inside = _within(starts, begin, end) if totals and together else None
        lanes = Lanes(block.cut(begin, end), desk, inside, compiled.cells)
        judged = judge(compiled, lanes, desk)
        found.append(Broken(judged.rows + begin, judged.rules, judged.residuals))
        if inside is not None:
            add_totals(added, _totals(compiled, region[begin:end], lanes, inside))
    every = Broken(*(np.concatenate([getattr(one, name) for one in found]) for name in Broken.__struct_fields__))
    counts = np.bincount(every.rules, minlength=len(compiled.ids)).tolist()
    wrong = np.unique(every.rows[errors[every.rules]])
    return Scanned(
        rows=batch.height,
        findings=_told(compiled, batch, every),
        counts=dict(zip(compiled.ids, counts, strict=True)),
        totals=added if together or not totals else _totals_of(compiled, batch, desk),
        broken=batch[wrong].with_columns(_names(batch, wrong)) if broken else None,
    )


def _count_batch(compiled: Compiled, desk: Desk, batch: pl.DataFrame) -> list[int]:
    block = block_of(compiled, batch)
    tallies = [tally(compiled, Lanes(block.cut(*part), desk), desk) for part in _parts(batch.height)]
    return [sum(one) for one in zip(*tallies, strict=True)]


def scan_frame(
    form: Form,
    rules: RuleSet,
    frame: Source,
    *,
    batch_rows: int = BATCH_ROWS,
    threads: int | None = None,
    totals: bool = True,
    broken: bool = False,
) -> Iterator[Scanned]:
    """A wide frame, in memory, lazy or in Parquet files, judged batch by batch in its order.

    What the batches say together depends neither on ``batch_rows`` nor on ``threads``; as ``scan_submissions``
    otherwise, but nothing is held to the contract.
    """
    compiled = compile_sums(form, rules)
    severities = [rule.severity for rule in rules.rules] + [domain.severity for domain in rules.domains]
    errors = np.array([severity == "error" for severity in severities])
    judged = partial(scan_batch, compiled, errors, Desk(), totals=totals, broken=broken)
    # A loop would hold the batch that it has done with while it waits for the next; map does not.
    return map(judged, batches_of(frame, columns_read(form, rules), batch_rows, threads))


def count_frame(
    form: Form, rules: RuleSet, frame: Source, *, batch_rows: int = BATCH_ROWS, threads: int | None = None
) -> dict[str, int]:
    """How many submissions break each rule and domain, by id in catalogue order, zeros among them; nothing else."""
    compiled = compile_sums(form, rules)
    columns = [name for name in columns_read(form, rules) if name not in KEPT]
    counts, counted = [0] * len(compiled.ids), partial(_count_batch, compiled, Desk())
    for told in map(counted, batches_of(frame, columns, batch_rows, threads)):
        counts = list(map(int.__add__, counts, told))
    return dict(zip(compiled.ids, counts, strict=True))


def scan_submissions(
    form: Form,
    rules: RuleSet,
    paths: Path | Iterable[Path],
    *,
    batch_rows: int = BATCH_ROWS,
    threads: int | None = None,
    totals: bool = True,
    broken: bool = False,
) -> Iterator[Scanned]:
    """A dataset of wide submissions in one pass: a folder of Parquet files, one file, or files in the given order.

    Yields a Scanned for every batch of about ``batch_rows`` rows (``batches_of``); what they say together depends
    neither on ``batch_rows`` nor on ``threads``, how many batches are read at once (None: ``usual_threads``).
    Memory is some batches, however many rows there are. Files are held to the pandera contract before any row is read.

    Raises FileNotFoundError where there is no file, pandera's SchemaError where a file's columns are not the
    contract's, ValueError for a submission without region or file, or where ``batch_rows`` or ``threads`` is below 1.
    """
    files = files_of(paths)
    hold_contract(form, files)
    return scan_frame(form, rules, files, batch_rows=batch_rows, threads=threads, totals=totals, broken=broken)


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
        add_totals(totals, one.totals.items())
    return Scanned(
        rows=rows,
        findings=pl.concat(findings),
        counts=counts,
        totals=totals,
        broken=pl.concat(broken) if broken else None,
    )
