"""Checks of the deadlines: whether what the law wants by a day of the year has been done by that day.

Belongs here: the two checks, and the job and schedule that look every morning. Does not belong here: telling people
(schedules.py), which bodies are missing (pipelines/validate/roster.py).

They speak of every region at once, for the report year whose deadlines are running; a check of Dagster's own knows only
how old a table is, and no deadline of a region.
"""

import datetime
from pathlib import Path

import dagster as dg
import polars as pl

from assets.resources import Workspace
from assets.schedules import covered, missing_bodies
from assets.views import check_table
from pipelines.days import CHINA, day_in_china
from pipelines.publish.board import deadlines
from pipelines.regions import load_region, region_codes
from pipelines.storage import latest_path


def overdue(data: str, out: str, regions: Path, today: datetime.date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Regions whose returns, and whose release, are late on ``today``: region, name, deadline, how many or which.

    The report year is the one before ``today``'s, as in article 49 of the Regulation (国务院令第711号). A year that no
    edition of the form covers, or that a region does not release, is not asked for.
    """
    year = today.year - 1
    late_returns: list[dict[str, object]] = []
    late_releases: list[dict[str, object]] = []
    for code in region_codes(regions):
        region = load_region(regions, code)
        if not covered(year) or year < region.settings.release_from:
            continue
        returns, report = deadlines(region, year, today)
        row = {"region": code, "name": region.settings.name_zh, "year": year}
        missing = missing_bodies(data, region, year) if returns.days < 0 else []
        if missing:
            late_returns.append(row | {"deadline": returns.day.isoformat(), "missing": len(missing)})
        if report.days < 0 and not latest_path(out, code, year).exists():
            late_releases.append(row | {"deadline": report.day.isoformat(), "missing": 1})
    schema = {"region": pl.String, "name": pl.String, "year": pl.Int64, "deadline": pl.String, "missing": pl.Int64}
    return pl.DataFrame(late_returns, schema=schema, orient="row"), pl.DataFrame(
        late_releases, schema=schema, orient="row"
    )


def _result(late: pl.DataFrame, asset: str) -> dg.AssetCheckResult:
    heads = {"region": "地区", "name": "名称", "year": "年度", "deadline": "期限", "missing": "缺少"}
    return dg.AssetCheckResult(
        asset_key=asset,
        passed=late.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata=check_table(late, heads),
    )


@dg.asset_check(asset="bodies", description="各单位在期限内报送 / every body has handed in by the deadline")
def returns_deadline(workspace: Workspace) -> dg.AssetCheckResult:
    """Which regions still miss returns after their deadline."""
    return _result(overdue(workspace.data, workspace.out, Path(workspace.regions), day_in_china())[0], "bodies")


@dg.asset_check(asset="release", description="在期限内发布 / the year is released by the deadline")
def report_deadline(workspace: Workspace) -> dg.AssetCheckResult:
    """Which regions have released nothing after their deadline."""
    return _result(overdue(workspace.data, workspace.out, Path(workspace.regions), day_in_china())[1], "release")


CHECKS = (returns_deadline, report_deadline)
deadline_checks = dg.define_asset_job(
    "deadline_checks",
    selection=dg.AssetSelection.checks(*CHECKS),
    description="核对两个期限：各单位报送、县政府发布。 / Check both deadlines: returns and release.",
)
deadline_checks_schedule = dg.ScheduleDefinition(
    name="deadline_checks",
    job=deadline_checks,
    cron_schedule="0 8 * * *",
    execution_timezone=str(CHINA),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="每天早上核对期限。 / Every morning: are the deadlines kept?",
)
