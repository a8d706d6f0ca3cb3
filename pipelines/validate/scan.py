"""A dataset of submissions judged in one pass and written down: every finding, every explanation, totals by region.

Belongs here: the three tables as Parquet, and what the pass says in a few numbers. Does not belong here: judging
(stream.py), naming the wrong cell (localise_stream.py), where the tables lie (assets and the front door).
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pandera.errors
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.validate.kernel import UNIT
from pipelines.validate.localise_stream import LOCATED, located
from pipelines.validate.stream import FINDINGS, RESIDUAL, Scanned, Total, add_totals, decimals, scan_submissions
from schemas.form import Form
from schemas.frames import wide_types
from schemas.rules import RuleSet

FILES = ("findings.parquet", "explanations.parquet", "totals.parquet")
TOTALS: dict[str, pl.DataType] = {
    "region": pl.String(),
    "cell": pl.String(),
    "value": RESIDUAL,
    "given": pl.Int64(),
    "submissions": pl.Int64(),
}
SHOWN = 8  # columns that a message names


class UnfitError(ValueError):
    """Files that cannot be judged; ``problems`` says in Chinese and English which and why."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{zh} {en}" for zh, en in problems))
        self.problems = tuple(problems)


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """What one pass says in numbers. ``counts``: how often each rule and domain is broken, in the order of the
    catalogue; ``broken``: submissions that break an error rule; ``explained``: those of which a wrong cell is named."""

    submissions: int
    regions: int
    findings: int
    broken: int
    explained: int
    counts: dict[str, int]


class _Written:
    """A table that grows part by part, as Parquet in memory: compressed, it is small."""

    def __init__(self, kinds: dict[str, pl.DataType]) -> None:
        self._bytes = io.BytesIO()
        self._kinds = kinds
        schema = pl.DataFrame(schema=kinds).to_arrow().schema
        self._writer = pq.ParquetWriter(self._bytes, schema, compression="zstd")
        self.rows = 0

    def add(self, part: pl.DataFrame) -> None:
        if part.height:
            self._writer.write_table(part.select(list(self._kinds)).to_arrow())
            self.rows += part.height

    def close(self) -> bytes:
        self._writer.close()
        return self._bytes.getvalue()


def scan_dataset(
    form: Form, rules: RuleSet, files: Sequence[Path], tell: Callable[[int], object] = lambda rows: None
) -> tuple[dict[str, bytes], Scan]:
    """Judge all submissions of wide Parquet files in one pass.

    Answers the tables by file name (FILES): ``findings`` (columns FINDINGS), ``explanations`` (LOCATED, at most five of
    a submission, all of the first rank) and ``totals`` (TOTALS: what each region's submissions add up to, null where
    none gives the figure). ``tell`` is called with the number of submissions judged so far. The same files give the
    same bytes.

    Raises FileNotFoundError where there is no file, UnfitError where one cannot be judged.
    """
    try:
        return _scanned(form, rules, files, tell)
    except (pl.exceptions.PolarsError, pa.ArrowException, pandera.errors.SchemaError, OSError) as problem:
        problems = unfit(form, rules, files)
        if not problems:
            raise
        raise UnfitError(problems) from problem


def _scanned(
    form: Form, rules: RuleSet, files: Sequence[Path], tell: Callable[[int], object]
) -> tuple[dict[str, bytes], Scan]:
    findings, explanations = _Written(FINDINGS), _Written(LOCATED)
    counts: Counter[str] = Counter()
    totals: dict[str, Total] = {}
    rows = broken = explained = 0

    def passed() -> Iterator[Scanned]:
        nonlocal rows, broken
        for one in scan_submissions(form, rules, files, broken=True):
            findings.add(one.findings)
            counts.update(one.counts)
            add_totals(totals, one.totals.items())
            rows += one.rows
            broken += one.broken.height if one.broken is not None else 0
            tell(rows)
            yield one

    for table in located(form.edition, passed()):
        explanations.add(table)
        explained += table.select(pl.struct("region", "file").n_unique()).item()
    added = _Written(TOTALS)
    added.add(_totals_table(form, totals))
    tables = zip(FILES, (findings.close(), explanations.close(), added.close()), strict=True)
    scan = Scan(
        submissions=rows,
        regions=len(totals),
        findings=findings.rows,
        broken=broken,
        explained=explained,
        counts={name: counts[name] for name in [*rules.by_id, *(domain.id for domain in rules.domains)]},
    )
    return dict(tables), scan


def _totals_table(form: Form, totals: dict[str, Total]) -> pl.DataFrame:
    """Totals in order of region, then of the form."""
    units = [1 if cell.kind == "money" else UNIT for cell in form.cells]
    regions = sorted(totals)
    parts = [part * unit for region in regions for part, unit in zip(totals[region].sums, units, strict=True)]
    large = any(abs(part) >= 1 << 63 for part in parts)
    frame = pl.DataFrame(
        {
            "region": [region for region in regions for _ in form.cells],
            "cell": [cell.id for cell in form.cells] * len(regions),
            "value": decimals(np.array(parts, dtype=object if large else np.int64)),
            "given": [given for region in regions for given in totals[region].given],
            "submissions": [totals[region].submissions for region in regions for _ in form.cells],
        },
        schema=TOTALS,
    )
    return frame.with_columns(pl.when(pl.col("given") > 0).then("value"))


def unfit(form: Form, rules: RuleSet, files: Iterable[Path]) -> list[tuple[str, str]]:
    """In words (Chinese, English), which files cannot be judged and why: damaged, or not of the contract.

    Empty where all can. The contract is pandera's (``schemas.frames.submissions_contract``); this names the columns.
    """
    wanted = wide_types(form, rules)
    found = []
    for file in files:
        try:
            has = dict(pl.read_parquet(file, glob=False, hive_partitioning=False).schema)
        except (OSError, pl.exceptions.PolarsError):
            found.append((f"“{file}”：不是完整的 Parquet 文件", f"{file}: not a whole Parquet file"))
            continue
        lacking = [name for name in wanted if name not in has]
        foreign = [name for name in has if name not in wanted]
        other = [name for name in wanted if name in has and has[name] != wanted[name]]
        parts = (
            ("缺少列", "missing", lacking),
            ("多出列", "not expected", foreign),
            ("类型不同", "of another type", other),
        )
        zh = "；".join(f"{word}：{_few(names)}" for word, _, names in parts if names)
        en = "; ".join(f"{word}: {_few(names)}" for _, word, names in parts if names)
        if not zh and list(has) != list(wanted):
            zh, en = "列的顺序不同", "the order of columns differs"
        if zh:
            found.append((f"“{file}”与报表的列不符：{zh}", f"{file} has not the columns of submissions: {en}"))
    return found


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" … ({len(names)})" if len(names) > SHOWN else "")
