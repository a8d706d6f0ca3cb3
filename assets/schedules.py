"""The deadlines of the year: every morning the bodies whose returns are missing, as the deadline nears and after it.

Belongs here: on which day which region is told, and the job that tells. Does not belong here: the words and the sending
(pipelines/notices.py). The deadlines are each region's own (``body_deadline`` and ``report_deadline`` in region.toml);
days are those of China. A region is told at most once a day of each deadline, however often the job runs.
"""

import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from assets.notify import told
from assets.resources import Workspace
from assets.stored import read_table
from assets.views import markdown
from pipelines.days import CHINA, day_in_china
from pipelines.notices import Notice, deadline_notice, due_today, last_said, remember, report_notice
from pipelines.publish.board import deadlines
from pipelines.regions import load_region, region_codes
from pipelines.settings import load_settings
from pipelines.storage import latest_path, locked, place, table_path
from schemas.declaration import DeclarationError
from schemas.form import edition_for
from schemas.region import Region

CRON = "30 8 * * *"
DAYS_AFTER = 60  # how long a report that is not released is spoken of after its deadline
MOST_FAILURES = 3  # regions in a row whose notice could not be sent; then the server is left alone until tomorrow


class NoticeConfig(dg.Config):
    """``day``: the day to speak of, such as 2024-01-17; empty: today in China."""

    day: str = ""


def missing_bodies(data: str, region: Region, year: int) -> list[tuple[str, str, str]]:
    """(code, name, status) of each body that must report for ``year`` and has no good return, in roster order.

    A body that no check has spoken of yet is missing.
    """
    path = table_path(data, "bodies", region.settings.code, year)
    status: dict[str, str] = {}
    if path.exists():
        frame = read_table(path)
        status = dict(zip(frame["body"], frame["status"], strict=True))
    found = [(body.code, body.name_zh, status.get(body.code, "missing")) for body in region.roster(year)]
    return [each for each in found if each[2] not in ("accepted", "waived")]


def covered(year: int) -> bool:
    """Whether an edition of the form is declared for a report year."""
    try:
        edition_for(year)
    except KeyError:
        return False
    return True


def _due(region: Region, today: datetime.date) -> tuple[datetime.date | None, datetime.date | None]:
    """The bodies' deadline and the report's, each where it is spoken of today."""
    year = today.year - 1
    if not covered(year):
        return None, None
    bodies, report = (each.day for each in deadlines(region, year, today))
    last = max(bodies, report)
    return (
        bodies if due_today(bodies, today, last) else None,
        report if due_today(report, today, report + datetime.timedelta(days=DAYS_AFTER)) else None,
    )


def _notices(workspace: Workspace, region: Region, today: datetime.date) -> list[tuple[str, Notice]]:
    """What is to be said of a region today, by topic."""
    year, (bodies, report) = today.year - 1, _due(region, today)
    found: list[tuple[str, Notice]] = []
    if bodies is not None and (missing := missing_bodies(workspace.data, region, year)):
        found.append(("bodies", deadline_notice(region, year, bodies, today, missing)))
    if report is not None and not latest_path(workspace.out, region.settings.code, year).exists():
        found.append(("report", report_notice(region, year, report, today)))
    return found


def _tell(context: dg.OpExecutionContext, workspace: Workspace, notice: Notice, topic: str, day: str) -> str:
    """Send one notice unless it was sent today; how that went, in words."""
    year = notice.year or 0
    with locked(place(workspace.data) / "locks" / f"notice-{notice.region}"):
        if last_said(workspace.data, notice.region, year, topic) >= day:
            return "今天已通知 / told today"
        deliveries = told(context.log, notice, load_settings())
        if not deliveries:
            return "没有设置通知方式 / no notice set up"
        if not any(each.sent for each in deliveries):
            return "未能发出 / not sent"
        remember(workspace.data, notice.region, year, topic, day)
        return "已通知 / told"


@dg.op(description="列出未报送的单位并通知。 / Lists the bodies whose returns are missing and tells of them.")
def list_and_tell(context: dg.OpExecutionContext, config: NoticeConfig, workspace: Workspace) -> None:
    """Tell each region that is due today; one region's trouble stops no other's notice."""
    today = datetime.date.fromisoformat(config.day) if config.day else day_in_china()
    root = Path(workspace.regions)
    rows: list[dict[str, Any]] = []
    failures = 0
    for code in region_codes(root):
        try:
            region = load_region(root, code)
            notices = _notices(workspace, region, today)
            if not notices and any(_due(region, today)):
                context.log.info(f"{code}：没有缺报的单位，不通知。 / {code}: nothing is missing, nobody is told.")
            for topic, notice in notices:
                context.log.info(notice.text)
                if failures >= MOST_FAILURES:
                    how = "未发送：服务器连不上 / not sent: no connection"
                else:
                    how = _tell(context, workspace, notice, topic, today.isoformat())
                    failures = failures + 1 if how.startswith("未能") else 0
                rows.append({"region": code, "missing": len(notice.items), "how": how, "text": notice.text})
        except (DeclarationError, OSError, ValueError) as error:
            reason = str(error) if isinstance(error, DeclarationError) else type(error).__name__
            context.log.warning(f"{code}：{reason}")
            rows.append({"region": code, "missing": None, "how": f"读不出来 / unreadable: {reason}", "text": ""})
    types = {"region": pl.String, "missing": pl.Int64, "how": pl.String, "text": pl.String}
    frame = pl.DataFrame(rows, schema=types, orient="row")
    shown = {"region": "地区", "missing": "缺报单位", "how": "通知", "text": "内容"}
    context.add_output_metadata(
        {"日期 / day": today.isoformat(), "通知数 / notices": frame.height, "通知 / told": markdown(frame, shown)}
    )


@dg.job(
    name="deadline_notice",
    description="期限临近或已过时，列出未报送的单位并通知。 / Tells which returns are missing as the deadline nears.",
    executor_def=dg.in_process_executor,
)
def deadline_job() -> None:
    """Tell of missing returns and of a report that is not released."""
    list_and_tell()


@dg.schedule(
    name="deadlines",
    job=deadline_job,
    cron_schedule=CRON,
    execution_timezone=str(CHINA),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="每天 8:30：期限前 14、7、3、1 天，当天，逾期后每天，提醒未报送的单位。"
    " / Every morning: 14, 7, 3, 1 days before a deadline, on the day, and daily once it has passed.",
)
def deadline_schedule(context: dg.ScheduleEvaluationContext, workspace: Workspace) -> dg.RunRequest | dg.SkipReason:
    """One run on each day on which some region is due."""
    today = day_in_china(context.scheduled_execution_time)
    root = Path(workspace.regions)
    for code in region_codes(root):
        try:
            due = any(_due(load_region(root, code), today))
        except (DeclarationError, OSError, ValueError):
            due = covered(today.year - 1)  # the run says what is wrong with it
        if due:
            config = {"ops": {"list_and_tell": {"config": {"day": today.isoformat()}}}}
            return dg.RunRequest(run_key=today.isoformat(), run_config=config)
    return dg.SkipReason(f"{today}：没有临近或已过的期限。 / No deadline is near or has passed.")
