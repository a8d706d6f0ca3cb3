"""Whether a roll-up's figures are true to one another: what ``gongkai verify`` recomputes from the release alone.

Belongs here: totals against the regions' own totals, coverage against the list of regions, the accounting rules. Does
not belong here: adding up for the first time (pipelines/aggregate/rollup.py, whose work this checks by another way:
one flat grouping per place), the form of files (checks.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa

from pipelines.publish.arrow import TYPES
from pipelines.publish.checks import Release
from schemas.findings import Finding, domain_finding, make_finding, number_text
from schemas.form import load_form
from schemas.rollup import (
    COUNTRY,
    FORM_CELLS,
    PROVINCE_TABLES,
    Behind,
    counts_in,
    includer_of,
    parent_of,
    place_level,
    places_of,
    unbalanced_places,
)
from schemas.rollup_descriptor import part_name, part_tables, parts_of
from schemas.rules import domain_problem, load_rules
from schemas.tables import load_tables

Row = dict[str, Any]
USABLE = ("counted", "within")
SHOWN = 50  # findings of one kind; a damaged roll-up would otherwise give one for each of thousands of figures


def _lacking(release: Release, parts: tuple[str, ...]) -> list[str]:
    """Tables and columns that are not there, or not of the declared type."""
    wanted = [(FORM_CELLS, COUNTRY), *((table, part) for part in parts for table in part_tables(part))]
    lacking = []
    for table_id, part in wanted:
        table = release.tables.get(part_name(table_id, part))
        for field in load_tables()[table_id].fields:
            there = table is not None and field.name in table.column_names
            if not there or table is None or table.schema.field(field.name).type != TYPES[field.type]:
                lacking.append(f"{part_name(table_id, part)}.{field.name}")
    return lacking


def _rows(release: Release, parts: tuple[str, ...], table: str) -> list[Row]:
    found: list[Row] = []
    for part in parts:
        if table in part_tables(part):
            there: pa.Table = release.tables[part_name(table, part)]
            found += there.to_pylist()
    return found


def check_rollup(release: Release) -> tuple[Finding, ...]:
    """Coverage, totals and rules of a roll-up; figures_not_checked where the tables do not allow it."""
    parts = parts_of(release.descriptor)
    lacking = _lacking(release, parts)
    if lacking:
        words = {"missing": ", ".join(lacking[:20]), "version": release.descriptor.get("version")}
        return (make_finding("figures_not_checked", words=words, year=release.year),)
    tables = {table: _rows(release, parts, table) for table in PROVINCE_TABLES}
    cells = release.tables[FORM_CELLS].to_pylist()
    found: list[Finding] = []
    for check in (_coverage(release, tables), _totals(release, tables, cells), _rules(release, tables)):
        found += [finding for number, finding in enumerate(check) if number < SHOWN]
    return tuple(found)


def _wrong(place: str, field: str, found: object, expected: object, year: int | None) -> Finding:
    words = {"place": place, "field": field, "found": _word(found), "expected": _word(expected)}
    return make_finding("rollup_coverage_wrong", words=words, region=place, year=year)


def _word(value: object) -> str:
    return "空 (empty)" if value is None else str(value)


def _coverage(release: Release, tables: Mapping[str, list[Row]]) -> Iterator[Finding]:
    """rollup_regions is at one with itself, and rollup_places counts it."""
    regions, year = tables["rollup_regions"], release.year
    including = [r["region"] for r in regions if r["totals"] == "includes_lower" and r["outcome"] in USABLE]
    stated = {row["region"] for row in tables["region_totals"]}
    for row in regions:
        code, usable = row["region"], row["outcome"] in USABLE
        within = includer_of(code, including)
        if row["within"] != within:
            yield _wrong(code, "within", row["within"], within, year)
        if usable and row["outcome"] != ("within" if within else "counted"):
            yield _wrong(code, "outcome", row["outcome"], "within" if within else "counted", year)
        if (code in stated) != usable:
            yield _wrong(code, "region_totals", code in stated, usable, year)
        if usable and (row["release"] is None or row["edition"] != release.descriptor.get("x-form-edition")):
            yield _wrong(code, "edition", row["edition"], release.descriptor.get("x-form-edition"), year)
    places = {row["place"]: row for row in tables["rollup_places"]}
    wanted = {COUNTRY, *(place for row in regions for place in places_of(row["region"]))}
    for place in sorted({*places, *wanted}):
        if place not in places or place not in wanted:
            yield _wrong(place, "rollup_places", place in places, place in wanted, year)
            continue
        for field, expected in _expected_place(place, regions).items():
            if places[place][field] != expected:
                yield _wrong(place, field, places[place][field], expected, year)
    coverage = release.descriptor.get("x-coverage")
    for field, value in coverage.items() if isinstance(coverage, dict) and COUNTRY in places else ():
        if places[COUNTRY].get(field) != value:
            yield _wrong(COUNTRY, f"x-coverage.{field}", value, places[COUNTRY].get(field), year)


def _expected_place(place: str, regions: list[Row]) -> Row:
    here = [row for row in regions if place == COUNTRY or row["region"].startswith(place)]
    adds = [row for row in here if counts_in(place, row["region"], row["within"])]
    counted = [row for row in adds if row["outcome"] in USABLE]
    missing = sorted(row["region"] for row in adds if row["outcome"] not in USABLE)
    return {
        "level": place_level(place),
        "parent": parent_of(place),
        "regions_known": len(here),
        "regions_counted": len(counted),
        "regions_within": len(here) - len(adds),
        "missing": ";".join(missing) or None,
        "bodies_expected": sum(row["bodies_expected"] or 0 for row in counted),
        "bodies_accepted": sum(row["bodies_accepted"] or 0 for row in counted),
    }


def _figures(tables: Mapping[str, list[Row]]) -> dict[str, dict[str, Row]]:
    """The regions' own figures by region and cell."""
    figures: dict[str, dict[str, Row]] = {}
    for row in tables["region_totals"]:
        figures.setdefault(row["region"], {})[row["cell"]] = row
    return figures


def _counted(place: str, regions: list[Row]) -> list[Row]:
    return [row for row in regions if row["outcome"] in USABLE and counts_in(place, row["region"], row["within"])]


def _totals(release: Release, tables: Mapping[str, list[Row]], cells: list[Row]) -> Iterator[Finding]:
    """Every total is the exact sum of the regions that count there, and counts them."""
    figures = _figures(tables)
    stated: dict[str, dict[str, Row]] = {}
    for row in tables["rollup_totals"]:
        stated.setdefault(row["place"], {})[row["cell"]] = row
    labels = {row["cell"]: (row["label_zh"], row["label_en"]) for row in cells}
    for place in sorted({*stated, *(row["place"] for row in tables["rollup_places"])}):
        counted = _counted(place, tables["rollup_regions"])
        for cell in {**labels, **stated.get(place, {})}:
            rows = [(row["region"], figures.get(row["region"], {}).get(cell)) for row in counted]
            values = [row["value"] for _, row in rows if row is not None and row["value"] is not None]
            silent = sorted(code for code, row in rows if row is None or row["value"] is None)
            expected = (
                sum(values, Decimal(0)) if values else None,
                len(values),
                sum(row["bodies"] for _, row in rows if row is not None),
                ";".join(silent) or None,
            )
            have = stated.get(place, {}).get(cell)
            found = None if have is None else (have["value"], have["regions"], have["bodies"], have["not_stated"])
            if found != expected:
                label = labels.get(cell, (cell, cell))
                words = {
                    "code": place,
                    "place": f"「{label[0]}」",
                    "place_en": label[1],
                }
                words |= _counted_words("found", found) | _counted_words("expected", expected)
                yield make_finding("rollup_not_sum", words=words, region=place, year=release.year, cells=(cell,))


def _counted_words(name: str, figure: tuple[Decimal | None, int, int, str | None] | None) -> dict[str, str]:
    value, regions, bodies, _ = figure or (None, 0, 0, None)
    said = "空 (empty)" if value is None else number_text(value)
    return {name: said, f"{name}_regions": str(regions), f"{name}_bodies": str(bodies)}


def _rules(release: Release, tables: Mapping[str, list[Row]]) -> Iterator[Finding]:
    """Every place's totals obey the error rules and domains of the edition."""
    edition = str(release.descriptor.get("x-form-edition"))
    try:
        form, rules = load_form(edition), load_rules(edition)
    except KeyError:
        yield make_finding("rules_not_checked", words={"edition": edition}, year=release.year)
        return
    figures = _figures(tables)
    own = {code: {cell: row["value"] for cell, row in rows.items()} for code, rows in figures.items()}
    totals: dict[str, tuple[dict[str, Decimal | None], dict[str, int]]] = {}
    for row in tables["rollup_totals"]:
        values, counts = totals.setdefault(row["place"], ({}, {}))
        values[row["cell"]], counts[row["cell"]] = row["value"], row["regions"]
    for place in tables["rollup_places"]:
        if place["place"] not in totals:
            continue  # already a finding
        values, counts = totals[place["place"]]
        counted = _counted(place["place"], tables["rollup_regions"])
        behind = [
            Behind(
                code=row["region"],
                values=own.get(row["region"], {}),
                powerful=row["rule_making_power"],
                waived=frozenset((row["waived"] or "").split(";")),
            )
            for row in counted
        ]
        names = (place["name_zh"], place["name_en"] or place["name_zh"])
        yield from unbalanced_places(form, rules, place["place"], names, release.year or 0, (values, counts), behind)
        for cell in form.cells:
            value = values.get(cell.id)
            for domain in rules.domains_of(cell.kind) if value is not None else ():
                if value is not None and domain.severity == "error" and domain_problem(domain, value):
                    yield domain_finding(form, domain, cell, value, region=place["place"], year=release.year)
