"""A small country in memory: declared regions, their released totals, the roll-up of both. All figures are invented."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
import polars as pl

from pipelines.aggregate.body_cells import form_cells
from pipelines.aggregate.rollup import Frames, roll_up_country, roll_up_province
from pipelines.publish.rollup_package import build_rollup, part_files
from schemas.findings import Finding
from schemas.rollup import COUNTRY, KnownRegion, ReleasedTotals, Standing, province_of
from tests.facts import FORM, RULES
from tests.publish.county import a_return

YEAR = 2023
LEVELS = {6: "county", 4: "city", 2: "province"}
ENDINGS = {6: "县", 4: "市", 2: "省"}
# Three provinces, five cities, twelve counties.
COUNTIES = (
    *("510121", "510122", "510123", "510221", "510222"),
    *("410121", "410122", "410221", "410222", "410223"),
    *("370121", "370122"),
)
Values = dict[str, Decimal]


def known(code: str, totals: str = "own", **fields: Any) -> KnownRegion:
    region = KnownRegion(
        code=code,
        level=LEVELS[len(code)],
        name_zh=f"示例{code}{ENDINGS[len(code)]}",
        name_en=f"Sample {code}",
        city_zh=f"示例{code[:4]}市" if len(code) > 2 else "",
        province_zh=f"示例{code[:2]}省",
        synthetic=True,
    )
    return msgspec.structs.replace(region, totals=totals, **fields)


@cache
def _figures(code: str) -> tuple[tuple[str, Decimal], ...]:
    return tuple(a_return(int(code)).items())


def figures(code: str) -> Values:
    """Totals of a region that obey every rule."""
    return dict(_figures(code))


def released(code: str, values: Mapping[str, Decimal | None] | None = None, **fields: Any) -> ReleasedTotals:
    stated = figures(code) if values is None else values
    totals = ReleasedTotals(
        code=code,
        release=f"{int(code):016x}",
        sums_sha256=f"{int(code):064x}",
        edition="2021",
        expected=3,
        accepted=2,
        rule_making_power=False,
        licence="CC0-1.0",
        values=dict(stated),
        bodies={cell: 2 if value is not None else 0 for cell, value in stated.items()},
    )
    return msgspec.structs.replace(totals, **fields)


def added(codes: Iterable[str]) -> Values:
    """The plain sum of regions' figures."""
    parts = [figures(code) for code in codes]
    return {cell.id: sum((part[cell.id] for part in parts), Decimal(0)) for cell in FORM.cells}


def roll_up(
    regions: Sequence[KnownRegion], standing: Mapping[str, Standing], unknown: Sequence[str] = ()
) -> dict[str, Frames]:
    """The tables of every part by its code."""
    parts: dict[str, Frames] = {}
    for province in sorted({province_of(region.code) for region in regions}):
        own = [region for region in regions if province_of(region.code) == province]
        parts[province] = roll_up_province(FORM, RULES, YEAR, province, own, standing)
    return {**parts, COUNTRY: roll_up_country(FORM, RULES, YEAR, parts, unknown)}


def clean(codes: Sequence[str] = COUNTIES) -> dict[str, Frames]:
    """A country in which everything is as it should be."""
    return roll_up([known(code) for code in codes], {code: released(code) for code in codes})


def package(parts: Mapping[str, Frames]) -> dict[str, bytes]:
    files = {part: part_files(part, frames, FORM) for part, frames in parts.items()}
    return build_rollup(YEAR, FORM, form_cells(FORM), files, ["510121"])


def table(parts: Mapping[str, Frames], name: str) -> pl.DataFrame:
    """A table over all parts."""
    return pl.concat([frames[name] for frames in parts.values() if name in frames])


def totals(parts: Mapping[str, Frames], place: str) -> dict[str, Decimal | None]:
    rows = table(parts, "rollup_totals").filter(pl.col("place") == place)
    return dict(zip(rows["cell"], rows["value"], strict=True))


def place(parts: Mapping[str, Frames], code: str) -> dict[str, Any]:
    return table(parts, "rollup_places").row(by_predicate=pl.col("place") == code, named=True)


def findings(parts: Mapping[str, Frames]) -> list[Finding]:
    """What the roll-up found, as findings."""
    return [
        Finding(
            rule=row["rule"],
            severity=row["severity"],
            message_zh=row["message_zh"],
            message_en=row["message_en"],
            mended_by=row["mended_by"],
            region=row["region"] or row["place"],
            year=row["year"],
        )
        for row in table(parts, "rollup_findings").iter_rows(named=True)
    ]


def kinds(parts: Mapping[str, Frames]) -> list[str]:
    return sorted(finding.rule for finding in findings(parts))
