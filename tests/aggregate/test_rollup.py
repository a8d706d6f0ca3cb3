"""The roll-up: the flat sum in any order and grouping, coverage, no double counting, editions apart, rules obeyed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.aggregate.rollup import Sum, add_up, one_region, powerful_places, totals_wide
from pipelines.publish.checks import Release, read_descriptor, read_tables
from pipelines.publish.rollup_checks import check_rollup
from pipelines.validate.bulk import gate
from schemas.form import load_form
from schemas.frames import wide_types
from schemas.rollup import COUNTRY, KnownRegion, ReleasedTotals, Unusable, counts_in, includer_of, places_of
from tests.aggregate.country import (
    COUNTIES,
    added,
    clean,
    figures,
    findings,
    kinds,
    known,
    package,
    place,
    released,
    roll_up,
    table,
    totals,
)
from tests.facts import FORM, RULES

PLACES = sorted({above for code in COUNTIES for above in places_of(code)})
CELL = "proactive.licences.decisions"


def below(code: str, regions: Sequence[str] = COUNTIES) -> list[str]:
    return [region for region in regions if code == COUNTRY or region.startswith(code)]


# ---------------------------------------------------------------- sums
def test_every_place_is_the_flat_sum_of_its_counties() -> None:
    parts = clean()
    assert kinds(parts) == []
    assert sorted(table(parts, "rollup_places")["place"]) == PLACES
    for code in PLACES:
        assert totals(parts, code) == added(below(code))


@st.composite
def groupings(draw: st.DrawFn) -> tuple[dict[str, dict[str, Decimal | None]], list[list[str]]]:
    """Regions with figures, some left out, and a grouping of them in any order."""
    codes = list(COUNTIES[: draw(st.integers(1, 6))])
    money = [cell.id for cell in FORM.cells if cell.kind == "money"]
    figure = st.one_of(st.none(), st.integers(0, 10**13))
    stated = {}
    for code in codes:
        drawn = {cell: draw(figure) for cell in (CELL, money[0])}
        cents = drawn[money[0]]
        stated[code] = figures(code) | {
            CELL: None if drawn[CELL] is None else Decimal(drawn[CELL]),
            money[0]: None if cents is None else Decimal(cents) / 10_000,
        }
    order = draw(st.permutations(codes))
    cuts = sorted(draw(st.sets(st.integers(1, len(codes)))))
    groups = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(codes)], strict=True)]
    return stated, groups


@settings(max_examples=60, deadline=None)
@given(groupings())
def test_any_order_and_grouping_gives_the_same_sum(drawn: tuple[dict, list[list[str]]]) -> None:
    stated, groups = drawn
    one = {code: one_region(FORM, released(code, values)) for code, values in stated.items()}
    flat = add_up(FORM, one.values())
    grouped = add_up(FORM, (add_up(FORM, (one[code] for code in group)) for group in groups))
    assert grouped == flat
    for cell in (CELL, *(cell.id for cell in FORM.cells if cell.kind == "money")):
        there = [values[cell] for values in stated.values() if values[cell] is not None]
        assert flat.values[cell] == (sum(there) if there else None)
        assert flat.counts[cell] == len(there)
        assert flat.bodies[cell] == 2 * len(there)
        assert flat.silent[cell] == tuple(sorted(code for code, values in stated.items() if values[cell] is None))


def test_a_sum_of_nothing_is_nothing_and_not_zero() -> None:
    empty = add_up(FORM, ())
    assert set(empty.values.values()) == {None}
    assert isinstance(empty, Sum)


def test_a_blank_stays_blank_and_is_counted() -> None:
    standing = {code: released(code) for code in COUNTIES}
    standing["510121"] = released("510121", figures("510121") | {CELL: None})
    parts = roll_up([known(code) for code in COUNTIES], standing)
    rows = table(parts, "rollup_totals").filter(pl.col("cell") == CELL).rows_by_key("place", named=True, unique=True)
    for code in ("5101", "51", COUNTRY):
        assert rows[code]["value"] == added([c for c in below(code) if c != "510121"])[CELL]
        assert rows[code]["regions"] == len(below(code)) - 1
        assert rows[code]["bodies"] == 2 * (len(below(code)) - 1)
        assert rows[code]["not_stated"] == "510121"
    assert rows["41"]["not_stated"] is None
    everywhere = {code: released(code, figures(code) | {CELL: None}) for code in COUNTIES}
    none = roll_up([known(code) for code in COUNTIES], everywhere)
    assert {totals(none, code)[CELL] for code in PLACES} == {None}


# ---------------------------------------------------------------- coverage
@settings(max_examples=25, deadline=None)
@given(st.sets(st.sampled_from(COUNTIES)))
def test_coverage_counts_who_is_there_and_names_who_is_not(gone: set[str]) -> None:
    parts = roll_up([known(code) for code in COUNTIES], {code: released(code) for code in COUNTIES if code not in gone})
    assert kinds(parts) == ["rollup_region_missing"] * len(gone)
    for code in PLACES:
        row = place(parts, code)
        here = below(code)
        assert row["regions_known"] == len(here)
        assert row["regions_counted"] == len([one for one in here if one not in gone])
        assert (row["missing"] or "").split(";") == (sorted(set(here) & gone) or [""])
        assert row["bodies_accepted"] == 2 * row["regions_counted"]
        assert row["bodies_expected"] == 3 * row["regions_counted"]


# ---------------------------------------------------------------- higher levels
def test_a_citys_own_return_is_added_beside_its_counties() -> None:
    regions = ["5101", *COUNTIES]
    parts = clean(regions)
    assert kinds(parts) == []
    for code in ("5101", "51", COUNTRY):
        assert totals(parts, code) == added(below(code, regions))
    assert place(parts, "5101")["regions_counted"] == 4


def test_a_total_that_includes_the_counties_takes_their_place() -> None:
    own = figures("5101")
    lower = added(below("5101"))
    whole = {cell: own[cell] + lower[cell] for cell in own}
    regions = [known("5101", "includes_lower"), *(known(code) for code in COUNTIES)]
    parts = roll_up(regions, {code: released(code) for code in COUNTIES} | {"5101": released("5101", whole)})
    assert totals(parts, "5101") == whole
    assert totals(parts, "51") == {c: whole[c] + v for c, v in added(["510221", "510222"]).items()}
    outcomes = dict(table(parts, "rollup_regions").select("region", "outcome").rows())
    assert {outcomes[code] for code in below("5101")} == {"within"}
    assert outcomes["5101"] == "counted"
    row = place(parts, "5101")
    assert (row["regions_known"], row["regions_counted"], row["regions_within"], row["missing"]) == (4, 1, 3, None)
    assert set(kinds(parts)) == {"rollup_lower_differs"}  # its own departments, cell by cell
    differing = [cell for cell in own if own[cell] != 0]
    assert len(findings(parts)) == len(differing)


def test_until_it_is_released_the_counties_are_added() -> None:
    regions = [known("5101", "includes_lower"), *(known(code) for code in COUNTIES)]
    parts = roll_up(regions, {code: released(code) for code in COUNTIES})
    assert totals(parts, "5101") == added(below("5101"))
    assert place(parts, "51")["missing"] == "5101"
    assert kinds(parts) == ["rollup_region_missing"]


def test_a_province_that_includes_all_leaves_its_cities_their_own_sums() -> None:
    whole = added(below("51"))
    regions = [known("51", "includes_lower"), *(known(code) for code in COUNTIES)]
    parts = roll_up(regions, {code: released(code) for code in COUNTIES} | {"51": released("51", whole)})
    assert kinds(parts) == []
    assert totals(parts, "51") == whole
    assert totals(parts, "5101") == added(below("5101"))
    assert totals(parts, COUNTRY) == added(COUNTIES)
    assert place(parts, "5101")["regions_counted"] == 3
    assert place(parts, "51")["regions_counted"] == 1


def test_a_city_between_two_that_include_counts_once() -> None:
    city, province = added(below("5101")), added(below("51"))
    regions = [known("51", "includes_lower"), known("5101", "includes_lower"), *(known(code) for code in COUNTIES)]
    standing = {code: released(code) for code in COUNTIES}
    parts = roll_up(regions, standing | {"51": released("51", province), "5101": released("5101", city)})
    assert kinds(parts) == []
    within = dict(table(parts, "rollup_regions").select("region", "within").rows())
    assert (within["510121"], within["5101"], within["510221"], within["51"]) == ("5101", "51", "51", None)
    assert totals(parts, "5101") == city
    assert totals(parts, COUNTRY) == added(COUNTIES)


@given(st.sets(st.sampled_from(["51", "5101", "5102", "41", "4102"])))
def test_no_region_counts_twice_anywhere(including: set[str]) -> None:
    """In no place are two regions added of which one includes the other, and every one is added or included."""
    regions = sorted({*COUNTIES, *including, "37"})
    within = {code: includer_of(code, including) for code in regions}
    for at in PLACES:
        adds = {code for code in regions if counts_in(at, code, within[code])}
        for code in below(at, regions):
            chain = [above for above in including if code != above and code.startswith(above)]
            held = [above for above in chain if above in below(at, regions)]
            assert (code in adds) == (not held)


# ---------------------------------------------------------------- the whole, by another way
MONEY = next(cell.id for cell in FORM.cells if cell.kind == "money")
HIGHER = ("5101", "5102", "51", "4101", "41", "37")
Drawn = tuple[list[KnownRegion], dict[str, ReleasedTotals]]


@st.composite
def countries(draw: st.DrawFn) -> Drawn:
    """Regions of every level in any order, each including those below it or not, released or not, with blanks."""
    codes = draw(st.permutations(sorted({*draw(st.sets(st.sampled_from(COUNTIES), min_size=1)), *HIGHER})))
    kept = draw(st.sets(st.sampled_from(HIGHER)))
    codes = [code for code in codes if code in COUNTIES or code in kept]
    regions, standing = [], {}
    figure = st.one_of(st.none(), st.integers(0, 10**12))
    for code in codes:
        regions.append(known(code, draw(st.sampled_from(["own", "includes_lower"])) if len(code) < 6 else "own"))
        if draw(st.booleans()) or draw(st.booleans()):  # three in four
            count, cents = draw(figure), draw(figure)
            blanks = {CELL: None if count is None else Decimal(count)}
            blanks |= {MONEY: None if cents is None else Decimal(cents) / 100}
            standing[code] = released(code, figures(code) | blanks)
    return regions, standing


def added_at(at: str, regions: Sequence[KnownRegion], standing: Mapping[str, ReleasedTotals]) -> tuple[list[str], ...]:
    """Who is added at a place and who is missing there, straight from the law: a region below the place, unless one
    above it that also lies at or below the place is released and says that it includes those below.
    """
    below_here = [region for region in regions if at == COUNTRY or region.code.startswith(at)]
    including = [one.code for one in below_here if one.totals == "includes_lower" and one.code in standing]
    free = [r.code for r in below_here if not any(r.code != a and r.code.startswith(a) for a in including)]
    return sorted(c for c in free if c in standing), sorted(c for c in free if c not in standing)


@settings(max_examples=40, deadline=None)
@given(countries())
def test_the_roll_up_is_the_flat_sum_whatever_the_order_the_levels_and_who_is_missing(drawn: Drawn) -> None:
    regions, standing = drawn
    parts = roll_up(regions, standing)
    places = {above for region in regions for above in places_of(region.code)}
    rows = table(parts, "rollup_totals").rows_by_key(["place", "cell"], named=True, unique=True)
    assert {at for at, _ in rows} == places
    for at in places:
        counted, missing = added_at(at, regions, standing)
        row = place(parts, at)
        assert row["regions_counted"] == len(counted)
        assert row["missing"] == (";".join(missing) or None)
        assert row["regions_known"] == row["regions_counted"] + row["regions_within"] + len(missing)
        for cell in FORM.cells:
            stated = [(code, standing[code].values[cell.id]) for code in counted]
            there = [value for _, value in stated if value is not None]
            found = rows[at, cell.id]
            assert found["value"] == (sum(there, Decimal(0)) if there else None), (at, cell.id)
            assert found["regions"] == len(there)
            assert found["bodies"] == 2 * len(there)
            assert found["not_stated"] == (";".join(code for code, value in stated if value is None) or None)


@settings(max_examples=10, deadline=None)
@given(countries())
def test_what_is_added_up_passes_the_check_that_adds_up_another_way(drawn: Drawn) -> None:
    files = package(roll_up(*drawn))
    descriptor, problems = read_descriptor(files)
    assert descriptor is not None, problems
    tables, unreadable = read_tables(files, descriptor)
    assert unreadable == ()
    found = {finding.rule for finding in check_rollup(Release(files=files, descriptor=descriptor, tables=tables))}
    assert not found & {"rollup_not_sum", "rollup_coverage_wrong", "figures_not_checked"}


# ---------------------------------------------------------------- planted faults
def planted(name: str) -> list[str]:
    regions = [known(code) for code in COUNTIES]
    standing = {code: released(code) for code in COUNTIES}
    unknown: list[str] = []
    if name == "rollup_double_count":
        regions.append(known("5102"))
        standing["5102"] = released("5102", added(below("5102")))
    elif name == "rollup_region_missing":
        del standing["370122"]
    elif name == "rollup_edition_differs":
        standing["370122"] = released("370122", edition="2019")
    elif name == "rollup_release_damaged":
        standing["370122"] = Unusable(code="370122", release="", reason_zh="损坏", reason_en="damaged")
    elif name == "rollup_region_unknown":
        unknown = ["999999"]
    return kinds(roll_up(regions, standing, unknown))


@pytest.mark.parametrize(
    "name",
    [
        "rollup_double_count",
        "rollup_region_missing",
        "rollup_edition_differs",
        "rollup_release_damaged",
        "rollup_region_unknown",
    ],
)
def test_a_planted_fault_fires_by_name_and_nothing_else_does(name: str) -> None:
    assert planted(name) == [name]
    assert planted("") == []


def test_regions_of_another_edition_are_not_added() -> None:
    standing = {code: released(code) for code in COUNTIES}
    old = load_form("2019")
    standing["370122"] = released("370122", dict.fromkeys((cell.id for cell in old.cells), Decimal(7)), edition="2019")
    parts = roll_up([known(code) for code in COUNTIES], standing)
    assert totals(parts, COUNTRY) == added([code for code in COUNTIES if code != "370122"])
    assert place(parts, "37")["missing"] == "370122"
    assert kinds(parts) == ["rollup_edition_differs"]


def test_a_waived_imbalance_is_inherited_and_another_one_stops_the_roll_up() -> None:
    part = "requests.received.natural_person"
    broken = figures("510121") | {part: figures("510121")[part] + 5}
    rules = tuple(rule.id for rule in RULES.rules if part in rule.cells)
    standing = {code: released(code) for code in COUNTIES} | {"510121": released("510121", broken, waived=rules)}
    parts = roll_up([known(code) for code in COUNTIES], standing)
    assert set(kinds(parts)) == {"rollup_rule_inherited"}
    assert {finding.region for finding in findings(parts)} == {"5101", "51", COUNTRY}
    parts = roll_up([known(code) for code in COUNTIES], standing | {"510121": released("510121", broken)})
    assert set(kinds(parts)) == {"rollup_unbalanced"}


# ---------------------------------------------------------------- the pandera schema
def test_the_totals_obey_the_schema_of_residuals_and_a_planted_imbalance_does_not() -> None:
    types = wide_types(FORM, RULES)
    frame = totals_wide(FORM, types, table(clean(), "rollup_totals"), ())
    assert frame["file"].to_list() == table(clean(), "rollup_totals")["place"].unique(maintain_order=True).to_list()
    assert gate(FORM, RULES, frame) == ()
    broken = frame.with_columns(pl.col("requests.received.total") + 1)
    assert "requests.row_total.received" in gate(FORM, RULES, broken)


def test_a_place_with_uneven_figures_is_left_to_the_other_check() -> None:
    standing = {code: released(code) for code in COUNTIES}
    standing["510121"] = released("510121", figures("510121") | {"requests.received.total": None})
    parts = roll_up([known(code) for code in COUNTIES], standing)
    assert kinds(parts) == []  # the rule says nothing where its cells rest on different regions
    left = totals_wide(FORM, wide_types(FORM, RULES), table(parts, "rollup_totals"), ())
    assert not {"5101", "51", COUNTRY} & set(left["file"])


def test_who_may_make_rules_frees_the_places_above_it() -> None:
    rule = "proactive.rules.issued"
    able = released("41", figures("41") | {rule: Decimal(3)}, rule_making_power=True)
    standing = {code: released(code) for code in COUNTIES} | {"41": able}
    parts = roll_up([known(code) for code in (*COUNTIES, "41")], standing)
    assert "rollup_unbalanced" not in kinds(parts)
    powerful = powerful_places(table(parts, "rollup_regions"), PLACES)
    assert powerful == {"41", COUNTRY}
    frame = totals_wide(FORM, wide_types(FORM, RULES), table(parts, "rollup_totals"), powerful)
    assert gate(FORM, RULES, frame) == ()
    unable = msgspec.structs.replace(able, rule_making_power=False)
    assert "rollup_unbalanced" in kinds(roll_up([known(c) for c in (*COUNTIES, "41")], standing | {"41": unable}))


def test_the_order_of_regions_does_not_matter() -> None:
    shuffled = list(COUNTIES)
    random.Random(3).shuffle(shuffled)
    first, second = clean(), clean(shuffled)
    assert all(first[part][name].equals(second[part][name]) for part in first for name in first[part])
