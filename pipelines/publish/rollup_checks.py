"""Whether a roll-up's figures are true to one another: what ``gongkai verify`` recomputes from the release alone.

Belongs here: totals against the regions' own totals, coverage against the list of regions, the accounting rules. Does
not belong here: adding up for the first time (pipelines/aggregate/rollup.py, whose work this checks by another way:
one flat sum per place), the form of files (checks.py).

A province is checked from its own tables alone, and the country from what each province was found to add, so that what
was found of a province may be kept for as long as its files are the same (rollup_verified.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import chain, islice
from typing import Any

import msgspec

from pipelines.publish.arrow import TYPES
from pipelines.publish.checks import Release
from schemas.findings import Finding, domain_finding, make_finding, number_text
from schemas.form import load_form
from schemas.rollup import (
    COUNTRY,
    FORM_CELLS,
    Behind,
    Value,
    counts_in,
    includer_of,
    parent_of,
    place_level,
    places_of,
    province_of,
    unbalanced_places,
)
from schemas.rollup_descriptor import part_name, part_tables, parts_of
from schemas.rules import domain_problem, load_rules
from schemas.tables import load_tables

Row = dict[str, Any]
Own = dict[str, dict[str, tuple[Value, int]]]  # by region and cell: the figure and the bodies behind it
USABLE = ("counted", "within")
SHOWN = 50  # findings of one kind; a damaged roll-up would otherwise give one for each of thousands of figures


def lacking_in(release: Release, parts: Sequence[str]) -> list[str]:
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


def _rows(release: Release, part: str, table: str) -> list[Row]:
    rows: list[Row] = release.tables[part_name(table, part)].to_pylist()
    return rows


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A sum with who stands behind it: how many regions and bodies, and which counted regions are silent."""

    value: Value
    regions: int
    bodies: int
    silent: tuple[str, ...]


class PartFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a province adds to the country, recomputed from its own regions; ``sums`` by cell."""

    known: int
    counted: int
    within: int
    expected: int
    accepted: int
    missing: tuple[str, ...]
    powerful: bool
    sums: dict[str, Figure]


class FigureCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a part's figures, each at most SHOWN; ``facts``: of a province only."""

    coverage: tuple[Finding, ...]
    totals: tuple[Finding, ...]
    rules: tuple[Finding, ...]
    facts: PartFacts | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them."""
        return *self.coverage, *self.totals, *self.rules


def check_rollup(release: Release) -> tuple[Finding, ...]:
    """Coverage, totals and rules of a roll-up; figures_not_checked where the tables do not allow it."""
    parts = parts_of(release.descriptor)
    lacking = lacking_in(release, parts)
    if lacking:
        return (not_checked(release, lacking),)
    provinces = parts[:-1]
    checks = [check_part(release, part) for part in provinces]
    facts = [check.facts for check in checks if check.facts is not None]
    checks.append(check_country(release, facts, partial(behind_of, release, provinces)))
    kinds = (
        [check.coverage for check in checks],
        [check.totals for check in checks],
        [check.rules for check in checks],
    )
    return tuple(finding for kind in kinds for finding in islice(chain.from_iterable(kind), SHOWN))


def not_checked(release: Release, lacking: Sequence[str]) -> Finding:
    """That figures could not be checked, because these columns are not there."""
    words = {"missing": ", ".join(lacking[:20]), "version": release.descriptor.get("version")}
    return make_finding("figures_not_checked", words=words, year=release.year)


def _capped(coverage: Iterator[Finding], totals: Iterator[Finding], rules: Iterator[Finding]) -> FigureCheck:
    first, second, third = (tuple(islice(found, SHOWN)) for found in (coverage, totals, rules))
    return FigureCheck(coverage=first, totals=second, rules=third)


def check_part(release: Release, part: str) -> FigureCheck:
    """The figures of a province and its cities, from its own tables alone; these must be there (lacking_in)."""
    regions, places = _rows(release, part, "rollup_regions"), _rows(release, part, "rollup_places")
    own, stated = _own(release, part), _stated(release, part)
    counted = {row["place"]: _counted(row["place"], regions) for row in places}
    wanted = {place for row in regions for place in places_of(row["region"])} - {COUNTRY}
    at_country = _counted(COUNTRY, regions)
    labels = _labels(release)
    adds = [row for row in regions if counts_in(COUNTRY, row["region"], row["within"])]
    facts = PartFacts(
        known=len(regions),
        counted=len(at_country),
        within=len(regions) - len(adds),
        expected=sum(row["bodies_expected"] or 0 for row in at_country),
        accepted=sum(row["bodies_accepted"] or 0 for row in at_country),
        missing=tuple(sorted(row["region"] for row in adds if row["outcome"] not in USABLE)),
        powerful=any(row["rule_making_power"] for row in at_country),
        sums={cell: _sum(at_country, own, cell) for cell in labels},
    )
    expected = {place: _expected_place(place, regions) for place in wanted}
    found = _capped(
        chain(_regions(release, part, regions, set(own)), _places(release, places, expected)),
        chain.from_iterable(
            _totals(release, place, stated.get(place, {}), labels, partial(_sum, counted.get(place, []), own))
            for place in sorted({*stated, *counted})
        ),
        chain.from_iterable(_rules(release, row, stated, counted[row["place"]], own) for row in places),
    )
    return msgspec.structs.replace(found, facts=facts)


def check_country(release: Release, facts: Sequence[PartFacts], behind: Callable[[], Sequence[Behind]]) -> FigureCheck:
    """The figures of the country against what each province adds; ``behind``: every region that is added to it."""
    places, stated, labels = _rows(release, COUNTRY, "rollup_places"), _stated(release, COUNTRY), _labels(release)
    expected = {
        "level": place_level(COUNTRY),
        "parent": parent_of(COUNTRY),
        "regions_known": sum(one.known for one in facts),
        "regions_counted": sum(one.counted for one in facts),
        "regions_within": sum(one.within for one in facts),
        "missing": ";".join(sorted(code for one in facts for code in one.missing)) or None,
        "bodies_expected": sum(one.expected for one in facts),
        "bodies_accepted": sum(one.accepted for one in facts),
    }
    powerful = any(one.powerful for one in facts)

    def sum_of(cell: str) -> Figure:
        return _together([one.sums[cell] for one in facts if cell in one.sums])

    return _capped(
        chain(_places(release, places, {COUNTRY: expected}), _stated_coverage(release, places)),
        chain.from_iterable(
            _totals(release, place, stated.get(place, {}), labels, sum_of)
            for place in sorted({*stated, *(row["place"] for row in places)})
        ),
        chain.from_iterable(_broken(release, row, stated, powerful, behind) for row in places),
    )


def behind_of(release: Release, provinces: Sequence[str]) -> list[Behind]:
    """The regions that are added to the country, from the provinces' tables."""
    return [
        one
        for part in provinces
        for one in _behind(_counted(COUNTRY, _rows(release, part, "rollup_regions")), _own(release, part))
    ]


def _wrong(place: str, field: str, found: object, expected: object, year: int | None) -> Finding:
    words = {"place": place, "field": field, "found": _word(found), "expected": _word(expected)}
    return make_finding("rollup_coverage_wrong", words=words, region=place, year=year)


def _word(value: object) -> str:
    return "空 (empty)" if value is None else str(value)


def _regions(release: Release, part: str, regions: list[Row], stated: Collection[str]) -> Iterator[Finding]:
    """rollup_regions is at one with itself and with region_totals."""
    year, edition = release.year, release.descriptor.get("x-form-edition")
    including = [r["region"] for r in regions if r["totals"] == "includes_lower" and r["outcome"] in USABLE]
    for row in regions:
        code, usable = row["region"], row["outcome"] in USABLE
        within = includer_of(code, including)
        if province_of(code) != part:
            yield _wrong(code, "province", part, province_of(code), year)
        if row["within"] != within:
            yield _wrong(code, "within", row["within"], within, year)
        if usable and row["outcome"] != ("within" if within else "counted"):
            yield _wrong(code, "outcome", row["outcome"], "within" if within else "counted", year)
        if (code in stated) != usable:
            yield _wrong(code, "region_totals", code in stated, usable, year)
        if usable and (row["release"] is None or row["edition"] != edition):
            yield _wrong(code, "edition", row["edition"], edition, year)


def _places(release: Release, places: list[Row], expected: Mapping[str, Row]) -> Iterator[Finding]:
    """rollup_places has the places that are wanted, and counts their regions."""
    found = {row["place"]: row for row in places}
    for place in sorted({*found, *expected}):
        if place not in found or place not in expected:
            yield _wrong(place, "rollup_places", place in found, place in expected, release.year)
            continue
        for field, value in expected[place].items():
            if found[place][field] != value:
                yield _wrong(place, field, found[place][field], value, release.year)


def _stated_coverage(release: Release, places: list[Row]) -> Iterator[Finding]:
    """The descriptor states the country's coverage."""
    coverage = release.descriptor.get("x-coverage")
    for row in places:
        for field, value in coverage.items() if isinstance(coverage, dict) and row["place"] == COUNTRY else ():
            if row.get(field) != value:
                yield _wrong(COUNTRY, f"x-coverage.{field}", value, row.get(field), release.year)


def _expected_place(place: str, regions: list[Row]) -> Row:
    here = [row for row in regions if row["region"].startswith(place)]
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


def _own(release: Release, part: str) -> Own:
    """The regions' own figures and the bodies behind them, by region and cell."""
    table = release.tables[part_name("region_totals", part)]
    columns = (table[name].to_pylist() for name in ("region", "cell", "value", "bodies"))
    own: Own = {}
    for region, cell, value, bodies in zip(*columns, strict=True):
        own.setdefault(region, {})[cell] = (value, bodies)
    return own


def _stated(release: Release, part: str) -> dict[str, dict[str, Figure]]:
    """The totals of a part as they are stated, by place and cell."""
    table = release.tables[part_name("rollup_totals", part)]
    columns = (table[name].to_pylist() for name in ("place", "cell", "value", "regions", "bodies", "not_stated"))
    stated: dict[str, dict[str, Figure]] = {}
    for place, cell, value, regions, bodies, silent in zip(*columns, strict=True):
        who = tuple(silent.split(";")) if silent else ()
        stated.setdefault(place, {})[cell] = Figure(value=value, regions=regions, bodies=bodies, silent=who)
    return stated


def _labels(release: Release) -> dict[str, tuple[str, str]]:
    """What each cell is called in Chinese and English, from the codelist of the release."""
    columns = (release.tables[FORM_CELLS][name].to_pylist() for name in ("cell", "label_zh", "label_en"))
    return {cell: (chinese, english) for cell, chinese, english in zip(*columns, strict=True)}


def _counted(place: str, regions: list[Row]) -> list[Row]:
    return [row for row in regions if row["outcome"] in USABLE and counts_in(place, row["region"], row["within"])]


def _sum(counted: list[Row], own: Own, cell: str) -> Figure:
    """The exact sum of a cell over regions."""
    rows = [(row["region"], own.get(row["region"], {}).get(cell, (None, 0))) for row in counted]
    values = [value for _, (value, _) in rows if value is not None]
    return Figure(
        value=sum(values, Decimal(0)) if values else None,
        regions=len(values),
        bodies=sum(bodies for _, (_, bodies) in rows),
        silent=tuple(sorted(code for code, (value, _) in rows if value is None)),
    )


def _together(figures: Sequence[Figure]) -> Figure:
    """Sums of regions that have none in common, as one."""
    values = [one.value for one in figures if one.value is not None]
    return Figure(
        value=sum(values, Decimal(0)) if values else None,
        regions=sum(one.regions for one in figures),
        bodies=sum(one.bodies for one in figures),
        silent=tuple(sorted(code for one in figures for code in one.silent)),
    )


def _totals(
    release: Release,
    place: str,
    stated: Mapping[str, Figure],
    labels: Mapping[str, tuple[str, str]],
    sum_of: Callable[[str], Figure],
) -> Iterator[Finding]:
    """Every total of a place is the exact sum of the regions that count there, and counts them."""
    for cell in {**labels, **stated}:
        found, expected = stated.get(cell), sum_of(cell)
        if found != expected:
            label = labels.get(cell, (cell, cell))
            words = {"code": place, "place": f"「{label[0]}」", "place_en": label[1]}
            words |= _counted_words("found", found) | _counted_words("expected", expected)
            yield make_finding("rollup_not_sum", words=words, region=place, year=release.year, cells=(cell,))


def _counted_words(name: str, figure: Figure | None) -> dict[str, str]:
    value, regions, bodies = (figure.value, figure.regions, figure.bodies) if figure else (None, 0, 0)
    said = "空 (empty)" if value is None else number_text(value)
    return {name: said, f"{name}_regions": str(regions), f"{name}_bodies": str(bodies)}


def _behind(counted: list[Row], own: Own) -> tuple[Behind, ...]:
    return tuple(
        Behind(
            code=row["region"],
            values={cell: value for cell, (value, _) in own.get(row["region"], {}).items()},
            waived=frozenset((row["waived"] or "").split(";")),
        )
        for row in counted
    )


def _rules(
    release: Release, place: Row, stated: Mapping[str, Mapping[str, Figure]], counted: list[Row], own: Own
) -> Iterator[Finding]:
    powerful = any(row["rule_making_power"] for row in counted)
    return _broken(release, place, stated, powerful, partial(_behind, counted, own))


def _broken(
    release: Release,
    place: Row,
    stated: Mapping[str, Mapping[str, Figure]],
    powerful: bool,
    behind: Callable[[], Sequence[Behind]],
) -> Iterator[Finding]:
    """A place's totals obey the error rules and domains of the edition."""
    edition = str(release.descriptor.get("x-form-edition"))
    try:
        form, rules = load_form(edition), load_rules(edition)
    except KeyError:
        yield make_finding("rules_not_checked", words={"edition": edition}, year=release.year)
        return
    code = place["place"]
    if code not in stated:
        return  # already a finding
    values = {cell: figure.value for cell, figure in stated[code].items()}
    counts = {cell: figure.regions for cell, figure in stated[code].items()}
    names = (place["name_zh"], place["name_en"] or place["name_zh"])
    yield from unbalanced_places(form, rules, code, names, release.year or 0, (values, counts), powerful, behind)
    for cell in form.cells:
        value = values.get(cell.id)
        for domain in rules.domains_of(cell.kind) if value is not None else ():
            if value is not None and domain.severity == "error" and domain_problem(domain, value):
                yield domain_finding(form, domain, cell, value, region=code, year=release.year)
