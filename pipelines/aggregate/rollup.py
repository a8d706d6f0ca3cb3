"""The roll-up: released county totals added up to cities, provinces and the country, with who stands behind them.

Belongs here: adding up, coverage, the comparison of a higher region with those below it. Does not belong here: reading
releases (pipelines/publish/rollup_source.py), the law of who counts where (schemas/rollup.py), files.

A province is worked out from its own regions alone, the country from the provinces' totals alone: what one county
changes is its city, its province and the country, nothing else. Null is not zero: a figure that no region gives stays
null, and ``regions`` and ``not_stated`` say on how many it rests and which counted regions are silent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial

import polars as pl

from pipelines.aggregate.rollup_regions import (
    Member,
    Sum,
    add_up,
    higher_findings,
    members_of,
    one_region,
    region_findings,
)
from schemas.findings import SEVERITIES, Finding, make_finding, number_text
from schemas.form import Form
from schemas.frames import tidy_schema, tidy_types
from schemas.rollup import (
    COUNTRY,
    COUNTRY_TABLES,
    PROVINCE_TABLES,
    Behind,
    KnownRegion,
    ReleasedTotals,
    Standing,
    counts_in,
    parent_of,
    place_level,
    place_names,
    places_of,
    unbalanced_places,
)
from schemas.rules import RuleSet

SEPARATOR = ";"
Frames = dict[str, pl.DataFrame]


def _frame(table: str, rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=tidy_types(table), orient="row")
    tidy_schema(table).validate(frame)
    return frame


def _total_rows(form: Form, place: str, year: int, total: Sum) -> list[dict[str, object]]:
    return [
        {
            "place": place,
            "year": year,
            "cell": cell.id,
            "table": cell.table,
            "row": cell.row,
            "column": cell.column,
            "value": total.values[cell.id],
            "unit": cell.unit,
            "regions": total.counts[cell.id],
            "bodies": total.bodies[cell.id],
            "not_stated": SEPARATOR.join(total.silent[cell.id]) or None,
        }
        for cell in form.cells
    ]


def _region_row(member: Member, year: int) -> dict[str, object]:
    stands, usable = member.standing, member.totals
    release = stands.release or None if stands is not None else None
    return {
        "region": member.code,
        "year": year,
        "level": member.known.level,
        "name_zh": member.known.name_zh,
        "name_en": member.known.name_en,
        "totals": member.known.totals,
        "outcome": member.outcome,
        "within": member.within,
        "release": release,
        "sums_sha256": stands.sums_sha256 if isinstance(stands, ReleasedTotals) else None,
        "edition": stands.edition if isinstance(stands, ReleasedTotals) else None,
        "bodies_expected": usable.expected if usable else None,
        "bodies_accepted": usable.accepted if usable else None,
        "rule_making_power": bool(usable and usable.rule_making_power),
        "waived": (SEPARATOR.join(usable.waived) or None) if usable else None,
        "licence": (usable.licence or None) if usable else None,
    }


def _place_row(place: str, year: int, names: tuple[str, str | None], members: Sequence[Member]) -> dict[str, object]:
    counted = [m for m in members if m.totals and counts_in(place, m.code, m.within)]
    # One that is included above need not publish of its own; it is not missing there.
    missing = [m.code for m in members if not m.totals and counts_in(place, m.code, m.within)]
    return {
        "place": place,
        "year": year,
        "level": place_level(place),
        "parent": parent_of(place),
        "name_zh": names[0],
        "name_en": names[1],
        "regions_known": len(members),
        "regions_counted": len(counted),
        "regions_within": len(members) - len(counted) - len(missing),
        "missing": SEPARATOR.join(missing) or None,
        "bodies_expected": sum(m.totals.expected for m in counted if m.totals),
        "bodies_accepted": sum(m.totals.accepted for m in counted if m.totals),
    }


def _finding_rows(found: Iterable[tuple[str, Finding]], year: int) -> list[dict[str, object]]:
    ordered = sorted(found, key=lambda pair: SEVERITIES.index(pair[1].severity))
    rows = []
    for number, (place, finding) in enumerate(ordered, 1):
        region = finding.region if finding.region != place else ""
        rows.append(
            {
                "finding": number,
                "place": place,
                "region": region or None,
                "year": year,
                "rule": finding.rule,
                "severity": finding.severity,
                "cells": SEPARATOR.join(finding.cells) or None,
                "expected": _said(finding.expected),
                "found": _said(finding.found),
                "difference": None if finding.difference is None else Decimal(finding.difference),
                "message_zh": finding.message_zh,
                "message_en": finding.message_en,
                "mended_by": finding.mended_by,
            }
        )
    return rows


def _said(value: Decimal | int | str | None) -> str | None:
    return value if isinstance(value, str) or value is None else number_text(value)


def roll_up_province(
    form: Form,
    rules: RuleSet,
    year: int,
    province: str,
    known: Sequence[KnownRegion],
    standing: Mapping[str, Standing],
) -> Frames:
    """The tables of PROVINCE_TABLES for one province and its cities, from its regions alone.

    ``known``: every region of the province that belongs in the year; ``standing``: the release that counts for each,
    by code. ``form``: the edition of the year; releases of another one are left out with a finding.
    """
    members = members_of(form, known, standing)
    places = sorted({place for region in known for place in places_of(region.code)} - {COUNTRY}, key=_place_order)
    rows: dict[str, list[dict[str, object]]] = {table: [] for table in PROVINCE_TABLES}
    found: list[tuple[str, Finding]] = [(province, f) for m in members for f in region_findings(form, m, year)]
    for member in members:
        rows["rollup_regions"].append(_region_row(member, year))
        if len(member.code) < 6:
            found += [(member.code, f) for f in higher_findings(form, members, member, year)]
        if member.totals:
            rows["region_totals"] += [
                {
                    "region": member.code,
                    "year": year,
                    "cell": cell.id,
                    "value": member.totals.values.get(cell.id),
                    "unit": cell.unit,
                    "bodies": member.totals.bodies.get(cell.id, 0),
                }
                for cell in form.cells
            ]
    for place in places:
        here = [member for member in members if member.code.startswith(place)]
        chinese, english, used = place_names(place, known)
        if len(used) > 1:
            words = {"code": place, "names": "、".join(used), "chosen": chinese}
            found.append((place, make_finding("rollup_names_differ", words=words, region=place, year=year)))
        counted = [m.totals for m in here if m.totals and counts_in(place, m.code, m.within)]
        total = add_up(form, (one_region(form, totals) for totals in counted))
        rows["rollup_places"].append(_place_row(place, year, (chinese, english), here))
        rows["rollup_totals"] += _total_rows(form, place, year, total)
        behind = [Behind(code=t.code, values=t.values, waived=frozenset(t.waived)) for t in counted]
        powerful = any(t.rule_making_power for t in counted)
        stated = (total.values, total.counts)
        names = (chinese, english or chinese)
        broken = unbalanced_places(form, rules, place, names, year, stated, powerful, partial(tuple, behind))
        found += [(place, finding) for finding in broken]
    rows["rollup_findings"] = _finding_rows(found, year)
    return {table: _frame(table, rows[table]) for table in PROVINCE_TABLES}


def _place_order(place: str) -> tuple[int, str]:
    return (0 if place == COUNTRY else len(place), place)


def sum_of(form: Form, totals: pl.DataFrame, place: str, regions: Sequence[str] = ()) -> Sum:
    """A place's rows of ``rollup_totals`` as a Sum again."""
    rows = {row["cell"]: row for row in totals.filter(pl.col("place") == place).iter_rows(named=True)}
    return Sum(
        values={cell.id: rows[cell.id]["value"] for cell in form.cells},
        counts={cell.id: rows[cell.id]["regions"] for cell in form.cells},
        bodies={cell.id: rows[cell.id]["bodies"] for cell in form.cells},
        regions=tuple(regions),
        silent={
            c.id: tuple((rows[c.id]["not_stated"] or "").split(SEPARATOR)) if rows[c.id]["not_stated"] else ()
            for c in form.cells
        },
    )


def _behind(province: str, total: Sum, regions: pl.DataFrame) -> Behind:
    """A province as a part of the country."""
    waived = regions.filter(pl.col("outcome") == "counted")["waived"].drop_nulls()
    rules = frozenset(rule for text in waived for rule in text.split(SEPARATOR))
    return Behind(code=province, values=total.values, waived=rules)


def roll_up_country(
    form: Form, rules: RuleSet, year: int, provinces: Mapping[str, Frames], unknown: Sequence[str] = ()
) -> Frames:
    """The tables of COUNTRY_TABLES from the provinces' places, totals and regions by code.

    ``unknown``: regions that have a release of the year and are not declared; they are left out with a finding.
    """
    sums = {code: sum_of(form, frames["rollup_totals"], code) for code, frames in sorted(provinces.items())}
    total = add_up(form, sums.values())
    places = [
        row
        for code, frames in sorted(provinces.items())
        for row in frames["rollup_places"].filter(pl.col("place") == code).iter_rows(named=True)
    ]
    row: dict[str, object] = {
        "place": COUNTRY,
        "year": year,
        "level": place_level(COUNTRY),
        "parent": None,
        "name_zh": place_names(COUNTRY, ())[0],
        "name_en": place_names(COUNTRY, ())[1],
        "missing": SEPARATOR.join(place["missing"] for place in places if place["missing"]) or None,
    }
    for name in ("regions_known", "regions_counted", "regions_within", "bodies_expected", "bodies_accepted"):
        row[name] = sum(place[name] for place in places)
    found = [
        make_finding("rollup_region_unknown", words={"code": code, "year": str(year)}, region=code, year=year)
        for code in unknown
    ]
    behind = [_behind(code, sums[code], frames["rollup_regions"]) for code, frames in sorted(provinces.items())]
    able = (pl.col("outcome") == "counted") & pl.col("rule_making_power")
    powerful = any(not frames["rollup_regions"].filter(able).is_empty() for frames in provinces.values())
    names = place_names(COUNTRY, ())
    stated = (total.values, total.counts)
    found += unbalanced_places(
        form, rules, COUNTRY, (names[0], names[1] or ""), year, stated, powerful, partial(tuple, behind)
    )
    rows = {
        "rollup_places": [row],
        "rollup_totals": _total_rows(form, COUNTRY, year, total),
        "rollup_findings": _finding_rows([(COUNTRY, finding) for finding in found], year),
    }
    return {table: _frame(table, rows[table]) for table in COUNTRY_TABLES}


def powerful_places(regions: pl.DataFrame, places: Iterable[str]) -> frozenset[str]:
    """The places where a region that is added may make rules, so that the rules for those who may not are silent."""
    usable = regions.filter(pl.col("outcome").is_in(["counted", "within"]) & pl.col("rule_making_power"))
    able = [(row["region"], row["within"]) for row in usable.iter_rows(named=True)]
    return frozenset(place for place in places if any(counts_in(place, code, within) for code, within in able))


def totals_wide(
    form: Form, types: Mapping[str, pl.DataType], totals: pl.DataFrame, powerful: Collection[str]
) -> pl.DataFrame:
    """``rollup_totals`` as the wide frame that the pandera schema of residuals is computed from, one row per place.

    ``types``: those of the edition's wide frame. A place whose figures rest on different numbers of regions is left
    out: there only ``unbalanced_places`` can tell. ``powerful``: see powerful_places.
    """
    rows: list[dict[str, object]] = []
    for (place,), part in totals.group_by("place", maintain_order=True):
        if part["regions"].n_unique() > 1:
            continue
        figures = dict(zip(part["cell"], part["value"], strict=True))
        row: dict[str, object] = dict.fromkeys(types)
        row |= {"region": place, "year": part["year"][0], "body": place, "file": place, "file_sha256": ""}
        row |= {"not_whole": 0, "rule_making_power": place in powerful}
        for cell in form.cells:
            value = figures[cell.id]
            row[cell.id] = value if value is None or cell.kind == "money" else int(value)
        rows.append(row)
    return pl.DataFrame(rows, schema=dict(types), orient="row")
