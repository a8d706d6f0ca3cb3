"""The checks of the deadlines fire when a day has passed without what it asks for, else they are silent."""

from __future__ import annotations

import datetime

import dagster as dg
import pytest

from assets import deadlines
from assets.deadlines import deadline_checks, overdue
from assets.resources import Workspace
from tests.assets.conftest import YEAR, County
from tests.facts import REGION

BEFORE, BETWEEN, AFTER = (datetime.date(YEAR + 1, month, 5) for month in (1, 2, 4))


def late(county: County, day: datetime.date) -> tuple[list[tuple[str, int]], list[str]]:
    returns, releases = overdue(str(county.data), str(county.out), county.regions, day)
    return list(returns.select("region", "missing").iter_rows()), releases["region"].to_list()


def test_nothing_is_late_before_the_deadlines(county):
    assert late(county, BEFORE) == ([], [])


def test_returns_are_late_after_theirs_and_the_release_after_its_own(county):
    assert late(county, BETWEEN) == ([(REGION, 4)], [])
    assert late(county, AFTER) == ([(REGION, 4)], [REGION])


def test_what_is_done_is_not_late(county):
    assert county.run().success
    assert late(county, BETWEEN) == ([], [])
    assert late(county, AFTER) == ([], [])


def test_a_year_that_the_region_does_not_release_is_not_asked_for(county):
    path = county.regions / REGION / "region.toml"
    text = path.read_text(encoding="utf-8")
    assert f"release_from = {YEAR}" in text
    path.write_text(text.replace(f"release_from = {YEAR}", f"release_from = {YEAR + 1}"), encoding="utf-8")
    assert late(county, AFTER) == ([], [])


@pytest.mark.parametrize(("day", "passed"), [(BEFORE, True), (AFTER, False)])
def test_the_job_records_both_checks(county, monkeypatch, day, passed):
    monkeypatch.setattr(deadlines, "day_in_china", lambda: day)
    with dg.DagsterInstance.ephemeral() as instance:
        result = (
            dg.Definitions(
                assets=[dg.AssetSpec("bodies"), dg.AssetSpec("release")],
                asset_checks=deadlines.CHECKS,
                jobs=[deadline_checks],
                resources={
                    "workspace": Workspace(data=str(county.data), out=str(county.out), regions=str(county.regions))
                },
            )
            .resolve_job_def("deadline_checks")
            .execute_in_process(instance=instance)
        )
    found = {each.check_name: each for each in result.get_asset_check_evaluations()}
    assert {name: each.passed for name, each in found.items()} == dict.fromkeys(
        ("returns_deadline", "report_deadline"), passed
    )
    assert (REGION in found["returns_deadline"].metadata["问题 / findings"].value) is not passed
