"""The synthetic county's figures: they add up to what was published, and every return obeys every rule."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.regions import load_published, load_published_indicators, load_region
from pipelines.sample.county import SampleError, make_county, make_indicators
from schemas.form import load_form
from schemas.rules import LAST_YEAR, domain_problem, load_rules

REGIONS = Path(__file__).resolve().parents[2] / "regions"
REGION = load_region(REGIONS, "511725")
FORM = load_form("2021")
RULES = load_rules("2021")
COUNTY = {year: make_county(REGION, year) for year in (2022, 2023)}


def broken(figures, previous=None):
    """Every rule and domain that a return breaks."""
    values = figures | {cell + LAST_YEAR: value for cell, value in (previous or {}).items()}
    found = [
        rule.id for rule in RULES.rules if (residual := rule.residual(values)) is not None and not rule.holds(residual)
    ]
    found += [
        f"{domain.id} {cell.id}"
        for cell in FORM.cells
        for domain in RULES.domains_of(cell.kind)
        if domain_problem(domain, figures[cell.id])
    ]
    return found


def test_the_returns_add_up_to_the_published_figures_in_all_cells():
    published = load_published(REGIONS, "511725", 2023)
    sums = {cell.id: sum(figures[cell.id] for figures in COUNTY[2023].values()) for cell in FORM.cells}
    assert len(sums) == 203
    assert sums == published


@pytest.mark.parametrize("year", [2022, 2023])
def test_every_return_is_complete_and_obeys_every_rule(year):
    assert list(COUNTY[year]) == [body.code for body in REGION.bodies]
    for body, figures in COUNTY[year].items():
        assert list(figures) == [cell.id for cell in FORM.cells]
        assert all(isinstance(value, Decimal) for value in figures.values())
        assert broken(figures) == [], body


def test_every_return_of_2023_opens_with_what_2022_closed_with():
    for body, figures in COUNTY[2023].items():
        assert broken(figures, COUNTY[2022][body]) == [], body
    across = [rule for rule in RULES.rules if rule.across_years]
    assert len(across) == 9  # 7 columns of requests, 2 rows of documents: the test above judged them all
    moved = [r.id for r in across if any(COUNTY[2022][b][t.cell] for b in COUNTY[2022] for t in r.terms if t.last_year)]
    assert len(moved) >= 2  # and not only zeros


def test_the_checks_of_these_tests_can_fail():
    figures = dict(COUNTY[2023]["511725-D01"])
    figures["requests.granted.total"] += 1
    assert "requests.row_total.granted" in broken(figures)
    figures["requests.granted.total"] = Decimal("-0.5")
    assert {"count_whole requests.granted.total", "count_not_negative requests.granted.total"} <= set(broken(figures))
    previous = dict(COUNTY[2022]["511725-D01"])
    previous["requests.carried_out.total"] += 1
    assert broken(COUNTY[2023]["511725-D01"], previous) == ["requests.opening_balance.total"]


def test_the_office_carries_the_countys_own_requests_and_the_rest_is_sparse():
    received = {body: figures["requests.received.total"] for body, figures in COUNTY[2023].items()}
    assert max(received, key=received.get) == "511725-D01"
    assert 8 <= sum(value > 0 for value in received.values()) <= 40


def test_a_second_generation_is_the_same_and_another_seed_is_not():
    again = make_county(REGION, 2023)
    assert again == COUNTY[2023]
    assert [[str(v) for v in f.values()] for f in again.values()] == [
        [str(v) for v in f.values()] for f in COUNTY[2023].values()
    ]
    other = make_county(REGION, 2023, seed=1)
    assert other != COUNTY[2023]
    assert all(broken(figures) == [] for figures in other.values())


@pytest.mark.parametrize("seed", range(5))
def test_any_seed_draws_a_right_county(seed):
    published = load_published(REGIONS, "511725", 2023)
    county, previous = make_county(REGION, 2023, seed), make_county(REGION, 2022, seed)
    assert {cell: sum(figures[cell] for figures in county.values()) for cell in published} == published
    assert [body for body in county if broken(county[body], previous[body])] == []


def test_indicators_add_up_to_the_published_ones():
    stated = make_indicators(REGION, 2023)
    kinds = {body.code: body.kind for body in REGION.bodies}
    published = {p.indicator: p for p in load_published_indicators(REGIONS, "511725", 2023)}
    for declared in REGION.supplement.indicators:
        given = {body: values[declared.id] for body, values in stated.items() if declared.id in values}
        assert all(kinds[body] in declared.reported_by for body in given), declared.id
        if declared.add_up == "office":
            assert list(given) == ["511725-D01"]
        else:
            assert set(given) == {body for body, kind in kinds.items() if kind in declared.reported_by}
        figures = [Decimal(str(value).removesuffix("余")) for value in given.values()]
        assert sum(figures) == published[declared.id].value, declared.id
        vague = any("余" in str(value) for value in given.values())
        assert vague == (published[declared.id].qualifier == "at_least")


def test_a_year_without_published_figures_is_refused():
    with pytest.raises(SampleError, match="neither 2019 nor 2020"):
        make_county(REGION, 2019)


def test_published_figures_that_do_not_balance_are_refused(tmp_path):
    shutil.copytree(REGIONS / "511725", tmp_path / "511725")
    path = tmp_path / "511725" / "2023" / "published.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("requests.granted.natural_person,29", "requests.granted.natural_person,30"), "utf-8")
    with pytest.raises(SampleError, match=r"break the rule requests\.balance\.natural_person"):
        make_county(REGION, 2023, regions=tmp_path)
