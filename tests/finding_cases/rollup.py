"""Kinds of finding about the roll-up: who is missing, counted twice, of another edition, damaged, out of balance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from pipelines.aggregate.rollup import Frames
from pipelines.publish.rollup_source import Counting, counting_release, released_totals
from pipelines.publish.verify import check_files
from schemas.findings import Finding
from schemas.rollup import COUNTRY, Behind, KnownRegion, Standing, unbalanced_places
from tests.aggregate.country import YEAR, added, clean, figures, findings, known, package, released, roll_up
from tests.facts import FORM, RULES
from tests.finding_cases import Case
from tests.portal.published import publish_county

LOWER = ("510121", "510122")
CELL = "proactive.licences.decisions"
RECEIVED = ("requests.row_total.received", "requests.balance.natural_person")
PART = "requests.received.natural_person"


def right(_: Path) -> Iterable[Finding]:
    return findings(clean(LOWER))


def of(
    regions: Sequence[KnownRegion] = tuple(map(known, LOWER)),
    changed: Mapping[str, Standing] | None = None,
    unknown: Sequence[str] = (),
) -> Callable[[Path], Iterable[Finding]]:
    """The roll-up of those regions, some of whose releases are other ones."""
    standing: dict[str, Standing] = {region.code: released(region.code) for region in regions}
    return lambda _: findings(roll_up(regions, standing | dict(changed or {}), unknown))


def with_city(totals: str, values: Mapping[str, Decimal], lower: Sequence[str] = LOWER) -> Callable[[Path], Any]:
    """A city that reports beside its counties."""
    regions = [known("5101", totals), *map(known, lower)]
    return of(regions, {"5101": released("5101", values)})


def surplus(cell: str, more: int) -> dict[str, Decimal]:
    values = added(LOWER)
    return values | {cell: values[cell] + more}


def damaged(path: Path, spoil: bool) -> Iterable[Finding]:
    """A published release, one byte of its totals changed."""
    published = publish_county(path, code=LOWER[0])
    counting = counting_release(path, LOWER[0], YEAR)
    assert isinstance(counting, Counting)
    if spoil:
        file = Path(str(published.path)) / "data" / "county_totals.parquet"
        data = file.read_bytes()
        file.chmod(0o644)
        file.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    standing = {LOWER[0]: released_totals(path, counting, YEAR)[0]}
    return findings(roll_up([known(LOWER[0])], standing))


def unbalanced(_: Path, more: int = 0) -> Iterable[Finding]:
    """Totals that are not what the regions add up to."""
    values = added(LOWER)
    values[PART] += more
    counts = dict.fromkeys(values, len(LOWER))
    behind = [Behind(code=code, values=figures(code), waived=frozenset()) for code in LOWER]
    return unbalanced_places(
        FORM, RULES, "5101", ("示例市", "Sample City"), YEAR, (values, counts), False, lambda: behind
    )[:1]


def inherited(_: Path) -> Iterable[Finding]:
    values = figures(LOWER[0])
    broken = values | {PART: values[PART] + 2}
    found = findings(roll_up([known(code) for code in LOWER], {LOWER[0]: released(LOWER[0], broken, waived=RECEIVED)}))
    return [finding for finding in found if finding.rule == "rollup_rule_inherited" and finding.region == "51"][:1]


def spoilt(table: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Callable[[Path], Iterable[Finding]]:
    """Verification of a roll-up of which one table of the country says something else."""

    def make(_: Path) -> Iterable[Finding]:
        parts: dict[str, Frames] = clean(LOWER)
        parts[COUNTRY] = {**parts[COUNTRY], table: change(parts[COUNTRY][table])}
        return check_files(package(parts))

    return make


def verified(_: Path) -> Iterable[Finding]:
    return check_files(package(clean(LOWER)))


def one_more(column: str, where: pl.Expr | None = None) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        raised = (pl.col(column) + 1).cast(frame.schema[column])
        return frame.with_columns(
            pl.when(True if where is None else where).then(raised).otherwise(column).alias(column)
        )

    return change


CASES: dict[str, Case] = {
    "rollup_region_missing": Case(fires=of(changed={LOWER[1]: None}), silent=right),
    "rollup_edition_differs": Case(fires=of(changed={LOWER[1]: released(LOWER[1], edition="2019")}), silent=right),
    "rollup_release_damaged": Case(
        fires=lambda path: damaged(path, spoil=True), silent=lambda path: damaged(path, spoil=False)
    ),
    "rollup_region_unknown": Case(fires=of(unknown=("440121",)), silent=right),
    "rollup_names_differ": Case(
        fires=of([known(LOWER[0]), msgspec.structs.replace(known(LOWER[1]), city_zh="别的市")]), silent=right
    ),
    "rollup_double_count": Case(fires=with_city("own", added(LOWER)), silent=with_city("own", figures("5101"))),
    "rollup_may_include_lower": Case(
        fires=with_city("own", surplus(CELL, 3)), silent=with_city("own", figures("5101"))
    ),
    "rollup_lower_differs": Case(
        fires=with_city("includes_lower", surplus(CELL, 3)), silent=with_city("includes_lower", added(LOWER))
    ),
    "rollup_lower_incomplete": Case(
        fires=of(
            [known("5101", "includes_lower"), *map(known, LOWER)],
            {"5101": released("5101", added(LOWER)), LOWER[1]: None},
        ),
        silent=with_city("includes_lower", added(LOWER)),
    ),
    "rollup_unbalanced": Case(fires=lambda path: unbalanced(path, 1), silent=unbalanced),
    "rollup_rule_inherited": Case(fires=inherited, silent=right),
    "rollup_not_sum": Case(fires=spoilt("rollup_totals", one_more("value", pl.col("cell") == CELL)), silent=verified),
    "rollup_coverage_wrong": Case(fires=spoilt("rollup_places", one_more("regions_known")), silent=verified),
}
