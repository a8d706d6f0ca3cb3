from __future__ import annotations

import datetime
import shutil

import dagster as dg
import msgspec
import polars as pl
import pytest

from assets import schedules
from assets.definitions import defs
from assets.resources import Workspace
from assets.schedules import MOST_FAILURES, deadline_job, deadline_schedule, missing_bodies
from pipelines.days import CHINA
from pipelines.regions import load_region
from pipelines.settings import load_settings
from pipelines.storage import latest_path, table_path, write_atomic
from tests.assets.conftest import CODES, YEAR, County
from tests.assets.servers import closed_port, web_server
from tests.facts import REGION

LATE = "511725-D05"


class Morning:
    """The job and the schedule of a small county, with a web server that takes the notices."""

    def __init__(self, county: County, web, monkeypatch: pytest.MonkeyPatch) -> None:
        self.county, self.web = county, web
        self.workspace = Workspace(data=str(county.data), out=str(county.out), regions=str(county.regions), workers=1)
        self.address(monkeypatch, web.address)

    def address(self, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
        given = msgspec.structs.replace(load_settings({}), notice_webhook=address)
        monkeypatch.setattr(schedules, "load_settings", lambda: given)

    def run(self, day: str) -> dict[str, object]:
        result = deadline_job.execute_in_process(
            resources={"workspace": self.workspace},
            run_config={
                "ops": {"list_and_tell": {"config": {"day": day}}},
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
        )
        assert result.success
        (output,) = [event.step_output_data for event in result.filter_events(lambda e: e.is_successful_output)]
        return {name: value.value for name, value in output.metadata.items()}

    def schedule(self, moment: datetime.datetime) -> dg.RunRequest | dg.SkipReason:
        resources = {"workspace": self.workspace}
        with dg.build_schedule_context(scheduled_execution_time=moment, resources=resources) as context:
            return deadline_schedule(context)

    def judged(self, **statuses: str) -> None:
        """What the last check said of each body; "accepted" where nothing else is given."""
        rows = [{"body": code, "status": statuses.get(code.replace("-", "_"), "accepted")} for code in CODES]
        path = table_path(str(self.county.data), "bodies", REGION, YEAR)
        path.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame(rows).write_parquet(str(path))

    def titles(self) -> list[str]:
        return [posted["title_zh"] for _, posted in self.web.posted]


@pytest.fixture
def morning(county, monkeypatch):
    with web_server() as web:
        yield Morning(county, web, monkeypatch)


def test_the_missing_bodies_are_listed_and_told_once_a_day(morning):
    morning.judged(**{LATE.replace("-", "_"): "refused"})
    shown = morning.run("2024-01-24")
    (title,) = morning.titles()
    assert "1 个单位" in title
    assert "还有 7 天" in title
    assert [item["body"] for item in morning.web.posted[0][1]["items"]] == [LATE]
    assert LATE in shown["通知 / told"]
    assert shown["通知数 / notices"] == 1
    assert "今天已通知" in morning.run("2024-01-24")["通知 / told"]
    assert len(morning.web.posted) == 1
    morning.run("2024-01-28")
    assert len(morning.web.posted) == 2


def test_nothing_is_missing_and_nobody_is_told(morning):
    morning.judged()
    shown = morning.run("2024-01-30")
    assert shown["通知数 / notices"] == 0
    assert morning.web.posted == []
    assert not (morning.county.data / "notices").exists()


def test_a_waived_body_is_not_missing(morning):
    morning.judged(**{LATE.replace("-", "_"): "waived"})
    morning.run("2024-01-30")
    assert morning.web.posted == []


def test_where_nothing_was_checked_everyone_on_the_roster_is_missing(morning):
    region = load_region(morning.county.regions, REGION)
    assert [code for code, _, _ in missing_bodies(str(morning.county.data), region, YEAR)] == [
        body.code for body in region.roster(YEAR)
    ]
    morning.run("2024-01-31")
    assert f"{len(region.roster(YEAR))} 个单位" in morning.titles()[0]
    assert "今天截止" in morning.titles()[0]


@pytest.mark.parametrize(
    ("day", "told"),
    [
        ("2024-01-16", []),
        ("2024-01-17", ["还有 14 天"]),
        ("2024-01-25", []),
        ("2024-02-01", ["已逾期 1 天"]),
        ("2024-03-31", ["已逾期 60 天", "今天截止"]),
        ("2024-04-01", ["已逾期 1 天"]),  # only the county's own report is spoken of now
        ("2024-06-15", []),
    ],
)
def test_the_days_on_which_is_told(morning, day, told):
    morning.run(day)
    titles = morning.titles()
    assert len(titles) == len(told)
    assert all(words in title for words, title in zip(told, titles, strict=True))


def test_a_released_report_is_not_asked_for(morning):
    morning.judged()
    morning.run("2024-03-30")
    assert "尚未发布" in morning.titles()[0]
    write_atomic(latest_path(str(morning.county.out), REGION, YEAR), b"{}")
    morning.run("2024-03-31")
    assert len(morning.web.posted) == 1


def test_the_deadlines_are_the_regions_own(morning):
    path = morning.county.regions / REGION / "region.toml"
    path.write_text(path.read_text(encoding="utf-8").replace('"01-31"', '"02-20"'), encoding="utf-8")
    morning.run("2024-01-30")
    assert morning.web.posted == []
    morning.run("2024-02-13")
    assert "2024-02-20" in morning.titles()[0]


def test_one_regions_trouble_stops_no_others_notice(morning):
    shutil.copytree(morning.county.regions / REGION, morning.county.regions / "511724")
    shown = morning.run("2024-01-31")["通知 / told"]
    assert "511724" in shown
    assert "读不出来" in shown
    assert len(morning.web.posted) == 1


def test_a_notice_that_fails_fails_no_run_and_is_tried_again(morning, monkeypatch):
    monkeypatch.setattr("pipelines.notices.PAUSES", (0.0, 0.0))
    morning.address(monkeypatch, f"http://127.0.0.1:{closed_port()}/token-4711")
    shown = morning.run("2024-01-31")["通知 / told"]
    assert "未能发出" in shown
    assert "token-4711" not in shown
    morning.address(monkeypatch, morning.web.address)
    assert "已通知" in morning.run("2024-01-31")["通知 / told"]
    assert len(morning.web.posted) == 1


def test_a_server_that_is_down_is_left_alone_after_a_few_regions(morning, monkeypatch):
    monkeypatch.setattr("pipelines.notices.PAUSES", (0.0, 0.0))
    for number in range(1, 4 + MOST_FAILURES):
        code = f"51170{number}"
        folder = morning.county.regions / code
        shutil.copytree(morning.county.regions / REGION, folder)
        for name in ("region.toml", "bodies.csv"):
            text = (folder / name).read_text(encoding="utf-8").replace(REGION, code)
            (folder / name).write_text(text, encoding="utf-8")
    morning.web.answers[:] = [500]
    shown = morning.run("2024-01-31")["通知 / told"]
    assert shown.count("未能发出") == MOST_FAILURES
    assert shown.count("服务器连不上") == 4
    assert len(morning.web.posted) == 3 * MOST_FAILURES


def test_the_schedule_fires_on_due_days_with_one_run_a_day(morning):
    request = morning.schedule(datetime.datetime(2024, 1, 17, 8, 30, tzinfo=CHINA))
    assert isinstance(request, dg.RunRequest)
    assert request.run_key == "2024-01-17"
    assert request.run_config == {"ops": {"list_and_tell": {"config": {"day": "2024-01-17"}}}}
    for day in (16, 18):
        skipped = morning.schedule(datetime.datetime(2024, 1, day, 8, 30, tzinfo=CHINA))
        assert isinstance(skipped, dg.SkipReason)
        assert f"2024-01-{day}" in skipped.skip_message


def test_the_day_is_that_of_china(morning):
    evening = datetime.datetime(2024, 1, 16, 17, 0, tzinfo=datetime.UTC)  # the 17th in China
    assert morning.schedule(evening).run_key == "2024-01-17"


def test_a_year_without_a_form_is_not_asked_for(morning):
    assert isinstance(morning.schedule(datetime.datetime(2010, 1, 31, 8, 30, tzinfo=CHINA)), dg.SkipReason)


def test_the_deployed_schedule_is_in_force():
    schedule = defs.resolve_schedule_def("deadlines")
    assert schedule.job_name == "deadline_notice"
    assert schedule.execution_timezone == "Asia/Shanghai"
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
