"""One way of checking a folder of wide Parquet files, measured in a process of its own: read, check, tell.

Belongs here: the variants, ours and those of other tools, each over the same expressions of ``schemas/frames.py``.
Does not belong here: making the file (submissions.py), rounds and the table (validate.py). Building a schema object
counts as import: it does not depend on the data.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from schemas.form import Form, load_form
from schemas.rules import RuleSet, load_rules

EDITION = "2021"
Told = dict[str, Any]
Work = Callable[[], Any]
Tell = Callable[[Any], Told]


def needed(form: Form, rules: RuleSet) -> list[str]:
    """The columns that rules and domains read, the file's name first."""
    keys = {term.key for rule in rules.rules for term in rule.terms}
    keys |= {rule.when.cell for rule in rules.rules if rule.when} | {rule.unless for rule in rules.rules if rule.unless}
    keys |= {cell.id for cell in form.cells if any(cell.kind in domain.kinds for domain in rules.domains)}
    return ["file", "not_whole", *sorted(keys)]


def _told(counts: dict[str, int], pairs: pl.DataFrame | None = None) -> Told:
    told: Told = {"counts": {rule: count for rule, count in sorted(counts.items()) if count}}
    if pairs is not None:
        lines = sorted("\t".join(pair) for pair in pairs.select("file", "rule").iter_rows())
        told["pairs"] = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        told["list"] = len(lines)
    return told


def _listed(pairs: pl.DataFrame) -> Told:
    return _told(Counter(pairs["rule"]), pairs)


def _holds(form: Form, rules: RuleSet) -> dict[str, pl.Expr]:
    """Per rule and domain whether a submission satisfies it."""
    from schemas.frames import domain_expression, residual_expression, violated

    holds = {rule.id: ~violated(rule, residual_expression(rule)) for rule in rules.rules}
    return holds | {domain.id: domain_expression(form, domain) == 0 for domain in rules.domains}


def floor(path: Path, form: Form, rules: RuleSet) -> tuple[Work, Tell]:
    columns = needed(form, rules)
    return lambda: pl.scan_parquet(path).select(columns).collect(), lambda frame: {"rows": frame.height}


def counts(path: Path, form: Form, rules: RuleSet) -> tuple[Work, Tell]:
    from pipelines.validate.bulk import broken_counts

    return lambda: broken_counts(form, rules, path), _told


def long_list(path: Path, form: Form, rules: RuleSet) -> tuple[Work, Tell]:
    from pipelines.validate.bulk import broken_list

    return lambda: broken_list(form, rules, path), _listed


def gate(path: Path, form: Form, rules: RuleSet) -> tuple[Work, Tell]:
    from pipelines.validate.bulk import gate as held
    from schemas.frames import residuals_schema

    residuals_schema(EDITION)
    return lambda: held(form, rules, path), lambda names: {"gate": sorted(names)}


def stream(path: Path, form: Form, rules: RuleSet) -> tuple[Work, Tell]:
    from pipelines.validate.stream import Scanned, scan_submissions, survey
    from schemas.frames import submissions_contract

    submissions_contract(EDITION)

    def tell(told: Scanned) -> Told:
        assert sum(total.submissions for total in told.totals.values()) == told.rows
        return _listed(told.findings) | {"regions": len(told.totals)}

    return lambda: survey(form, rules, scan_submissions(form, rules, path)), tell


def stream_bounded(path: Path, form: Form, rules: RuleSet) -> tuple[Work, Tell]:
    from pipelines.validate.stream import Total, scan_submissions
    from schemas.frames import submissions_contract

    submissions_contract(EDITION)

    def work() -> tuple[Counter[str], int]:
        counts: Counter[str] = Counter()
        whole = Total(0, (0,) * len(form.cells), (0,) * len(form.cells))
        for batch in scan_submissions(form, rules, path):  # its findings are at hand here, and let go
            counts.update(batch.counts)
            for total in batch.totals.values():
                whole += total
        return counts, whole.submissions

    return work, lambda told: _told(told[0]) | {"rows": told[1]}


def stream_localise(path: Path, form: Form, rules: RuleSet) -> tuple[Work, Tell]:
    from pipelines.validate.localise_stream import localiser, located
    from pipelines.validate.stream import scan_submissions
    from schemas.frames import submissions_contract

    submissions_contract(EDITION)
    localiser(EDITION)
    broken = 0

    def passed():
        nonlocal broken
        for scanned in scan_submissions(form, rules, path, broken=True):
            broken += scanned.broken.height
            yield scanned

    def work() -> tuple[int, int]:
        explained = sum(table["file"].n_unique() for table in located(EDITION, passed()))
        return broken, explained

    return work, lambda told: {"localised": told[0], "explained": told[1]}


def _dataframely(form: Form, rules: RuleSet) -> Any:
    """A dataframely schema of the wide frame with one rule per rule and domain."""
    import dataframely as dy

    from schemas.frames import DECIMAL, IDENTITY, wide_types

    columns = {pl.String: dy.String, pl.Int64: dy.Int64, pl.Int32: dy.Int32, pl.Boolean: dy.Bool}
    names: dict[str, Any] = {}
    for name, kind in wide_types(form, rules).items():
        null = name not in IDENTITY
        names[name] = (
            dy.Decimal(DECIMAL.precision, DECIMAL.scale, nullable=null)
            if isinstance(kind, pl.Decimal)
            else columns[type(kind)](nullable=null)
        )
    for name, holds in _holds(form, rules).items():
        names[f"rule {name}"] = dy.rule()(lambda cls, holds=holds: holds)
    return type(dy.Schema)("Submissions", (dy.Schema,), names)


def dataframely_counts(path: Path, form: Form, rules: RuleSet) -> tuple[Work, Tell]:
    schema = _dataframely(form, rules)

    def tell(found: dict[str, int]) -> Told:
        return _told({name.removeprefix("rule "): count for name, count in found.items()})

    def work() -> dict[str, int]:
        return schema.filter(pl.read_parquet(path)).failure.counts()

    return work, tell


def dataframely_list(path: Path, form: Form, rules: RuleSet) -> tuple[Work, Tell]:
    schema = _dataframely(form, rules)
    names = [f"rule {name}" for name in _holds(form, rules)]

    def work() -> pl.DataFrame:
        details = schema.filter(pl.read_parquet(path)).failure.details()
        long = details.unpivot(names, index="file", variable_name="rule", value_name="became")
        return long.filter(pl.col("became") == "invalid").select("file", pl.col("rule").str.strip_prefix("rule "))

    return work, _listed


def pandera_checks(path: Path, form: Form, rules: RuleSet) -> tuple[Work, Tell]:
    import pandera.errors
    import pandera.polars as pa

    from schemas.frames import IDENTITY, wide_types

    def check(name: str, holds: pl.Expr) -> pa.Check:
        return pa.Check(lambda data: data.lazyframe.select(holds), name=name, error=name)

    schema = pa.DataFrameSchema(
        {
            name: pa.Column(kind, nullable=name not in IDENTITY, name=name)
            for name, kind in wide_types(form, rules).items()
        },
        checks=[check(name, holds) for name, holds in _holds(form, rules).items()],
        strict=True,
        ordered=True,
    )

    def work() -> list[Any]:
        try:
            schema.validate(pl.read_parquet(path), lazy=True)
        except pandera.errors.SchemaErrors as problem:
            return problem.schema_errors
        return []

    def tell(errors: list[Any]) -> Told:
        return _told({str(error.check.name): len(error.failure_cases) for error in errors})

    return work, tell


VARIANTS: dict[str, Callable[[Path, Form, RuleSet], tuple[Work, Tell]]] = {
    made.__name__: made
    for made in (
        floor,
        counts,
        long_list,
        stream,
        stream_bounded,
        stream_localise,
        gate,
        dataframely_counts,
        dataframely_list,
        pandera_checks,
    )
}


def peak_memory() -> int:
    """The most memory this process ever held, in bytes, by the system's own account."""
    import resource

    status = Path("/proc/self/status")
    if status.exists():  # unlike ru_maxrss it does not begin with what the parent process held
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text()).group(1)) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(name: str, path: Path) -> None:
    form, rules = load_form(EDITION), load_rules(EDITION)
    work, tell = VARIANTS[name](path, form, rules)
    before = peak_memory()
    start, worked = time.perf_counter(), time.process_time()
    outcome = work()
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    json.dump(
        {"seconds": seconds, "processor": worked, "peak": peak_memory(), "imported": before} | tell(outcome), sys.stdout
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
