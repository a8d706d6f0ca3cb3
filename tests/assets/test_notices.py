from __future__ import annotations

import datetime
import logging
import time

import dagster as dg
import msgspec
import pytest

from assets import notify
from assets.definitions import defs
from assets.notify import gate_stopped, run_failed, tell_of_gate
from assets.partitions import partition_key
from pipelines.notices import (
    ATTEMPTS,
    MOST_ITEMS,
    Notice,
    deadline_notice,
    due_today,
    failure_notice,
    gate_notice,
    last_said,
    remember,
    send,
)
from pipelines.regions import load_region
from pipelines.sample.defects import DEFECTS
from pipelines.settings import Settings, load_settings
from tests.assets.conftest import ASSETS, GOOD, YEAR, County, good
from tests.assets.servers import closed_port, mail_server, web_server
from tests.facts import REGION, REGIONS

BODY = "511725-D05"
SECRET = "s3cret-Passwort"
TOKEN = "/hook/token-4711"
SAMPLE = load_region(REGIONS, REGION)
NOTICE = Notice(
    kind="gate", region=REGION, year=YEAR, title_zh="渠县：未通过", title_en="stopped", text="渠县：未通过\n"
)


def settings(**given: object) -> Settings:
    return msgspec.structs.replace(load_settings({}), **given)


def mailed(port: int, **given: object) -> Settings:
    return settings(notice_email_to="a@example.org, b@example.org", smtp_host="127.0.0.1", smtp_port=port, **given)


def no_pause(_seconds: float) -> None:
    pass


# --- sending -------------------------------------------------------------------------------------------------------


def test_nothing_is_sent_where_nothing_is_set_up():
    assert send(NOTICE, settings()) == ()


def test_a_notice_is_posted_as_json():
    with web_server() as web:
        (delivery,) = send(NOTICE, settings(notice_webhook=web.address + TOKEN))
    assert delivery.sent
    ((kind, posted),) = web.posted
    assert kind.startswith("application/json")
    assert posted["title_zh"] == NOTICE.title_zh
    assert (posted["kind"], posted["region"], posted["year"]) == ("gate", REGION, YEAR)
    assert posted["msgtype"] == "text"
    assert posted["text"] == {"content": NOTICE.text}


def test_a_server_in_trouble_is_asked_again_with_the_same_notice():
    with web_server(503, 500, 200) as web:
        (delivery,) = send(NOTICE, settings(notice_webhook=web.address), pause=no_pause)
    assert delivery.sent
    assert len({posted["id"] for _, posted in web.posted}) == 1
    assert len(web.posted) == 3


@pytest.mark.parametrize(("answer", "attempts"), [(500, ATTEMPTS), (404, 1), (301, 1)])
def test_a_refusal_is_told_and_a_redirect_not_followed(answer, attempts):
    with web_server(answer) as web:
        (delivery,) = send(NOTICE, settings(notice_webhook=web.address + TOKEN), pause=no_pause)
    assert not delivery.sent
    assert str(answer) in delivery.problem_zh
    assert len(web.posted) == attempts
    assert TOKEN not in str(delivery)


def test_a_server_that_never_answers_holds_nobody_up():
    with web_server("slow") as web:
        began = time.monotonic()
        (delivery,) = send(NOTICE, settings(notice_webhook=web.address), seconds=0.2, pause=no_pause)
        assert time.monotonic() - began < 3
    assert not delivery.sent
    assert "no answer" in delivery.problem_en


def test_a_server_that_is_not_there_is_told_without_its_address():
    (delivery,) = send(NOTICE, settings(notice_webhook=f"http://127.0.0.1:{closed_port()}{TOKEN}"), pause=no_pause)
    assert not delivery.sent
    assert TOKEN not in str(delivery)


def test_a_notice_is_mailed_in_chinese_to_everyone():
    with mail_server() as mail:
        (delivery,) = send(NOTICE, mailed(mail.port))
    assert delivery.sent
    (message,) = mail.messages
    assert message["Subject"] == NOTICE.title_zh
    assert message.get_content().splitlines() == NOTICE.text.splitlines()
    assert mail.receivers == [["a@example.org", "b@example.org"]]
    assert "AUTH" not in mail.commands


def test_a_password_is_used_and_never_told():
    with mail_server() as mail:
        assert send(NOTICE, mailed(mail.port, smtp_user="u", smtp_password=SECRET))[0].sent
        assert "AUTH" in mail.commands
    with mail_server("AUTH", 535) as mail:
        (delivery,) = send(NOTICE, mailed(mail.port, smtp_user="u", smtp_password=SECRET), pause=no_pause)
    assert "GONGKAI_SMTP_PASSWORD" in delivery.problem_zh
    assert SECRET not in str(delivery)
    assert not mail.messages


@pytest.mark.parametrize(
    ("refuse", "code", "attempts"),
    [("RCPT", 550, 1), ("DATA", 451, ATTEMPTS), ("DATA", 554, 1), ("MAIL", 421, ATTEMPTS)],
)
def test_a_mail_server_that_refuses_is_told(refuse, code, attempts):
    with mail_server(refuse, code) as mail:
        (delivery,) = send(NOTICE, mailed(mail.port), pause=no_pause)
    assert not delivery.sent
    assert mail.commands.count("MAIL") == attempts


def test_encryption_that_is_set_is_never_left_out():
    with mail_server() as mail:
        (delivery,) = send(NOTICE, mailed(mail.port, smtp_security="starttls"), pause=no_pause)
        assert not delivery.sent
        (delivery,) = send(NOTICE, mailed(mail.port, smtp_security="tls"), seconds=1, pause=no_pause)
        assert not delivery.sent
    assert not mail.messages


def test_one_way_that_fails_does_not_stop_the_other():
    with mail_server() as mail:
        both = mailed(mail.port, notice_webhook=f"http://127.0.0.1:{closed_port()}/")
        web, email = send(NOTICE, both, pause=no_pause)
    assert (web.sent, email.sent) == (False, True)
    assert mail.messages


def test_secrets_in_the_text_of_an_error_are_not_sent():
    notice = failure_notice("publish", f"{REGION}|{YEAR}", "run", [("release", f"login {SECRET} at {TOKEN} failed")])
    with web_server() as web:
        hook = web.address + TOKEN
        database = f"postgresql://user:{SECRET}@host/name"
        assert send(notice, settings(notice_webhook=hook, ckan_key=TOKEN, postgres_url=database))[0].sent
    assert SECRET not in str(web.posted)
    assert TOKEN not in str(web.posted)
    assert "login ***" in str(web.posted)


# --- words ---------------------------------------------------------------------------------------------------------


def test_names_cannot_break_into_heads_and_long_lists_are_cut():
    hostile = [("511725-D02", "局\r\nBcc: x@example.org\x00", "missing")] * (MOST_ITEMS + 7)
    region = msgspec.structs.replace(
        SAMPLE, settings=msgspec.structs.replace(SAMPLE.settings, name_zh="渠县\r\nBcc: x@example.org")
    )
    notice = deadline_notice(region, YEAR, datetime.date(2024, 1, 31), datetime.date(2024, 1, 30), hostile)
    assert "另有 7 个" in notice.text
    with mail_server() as mail:
        assert send(notice, mailed(mail.port))[0].sent
    assert mail.messages[0]["Bcc"] is None
    assert mail.receivers == [["a@example.org", "b@example.org"]]
    assert "\x00" not in mail.messages[0].get_content()


def test_a_deadline_is_spoken_of_on_its_days():
    day, last = datetime.date(2024, 1, 31), datetime.date(2024, 3, 31)
    spoken = [offset for offset in range(-80, 70) if due_today(day, day + datetime.timedelta(days=offset), last)]
    assert spoken == [-14, -7, -3, -1, *range(61)]


def test_the_gate_says_which_bodies_and_which_errors():
    rows = [
        {"body": BODY, "message_zh": "第一处"},
        {"body": BODY, "message_zh": "第二处"},
        {"body": "", "message_zh": "全县"},
    ]
    notice = gate_notice(SAMPLE, YEAR, [("有错误", "errors")], rows)
    assert "第一处（另有 1 处" in notice.text
    assert SAMPLE.body(BODY).name_zh in notice.text
    assert "有错误 / errors" in notice.text
    assert [item["errors"] for item in notice.items] == ["2", "1"]
    assert "1 个单位" in notice.title_zh
    long = gate_notice(SAMPLE, YEAR, [("很长的原因" * 200, "long " * 200)], rows)
    assert len(long.text) < 1000


# --- when ----------------------------------------------------------------------------------------------------------


def test_what_was_said_is_remembered_by_topic(tmp_path):
    assert last_said(tmp_path, REGION, YEAR, "gate") == ""
    remember(tmp_path, REGION, YEAR, "gate", "state")
    assert last_said(tmp_path, REGION, YEAR, "gate") == "state"
    assert last_said(tmp_path, REGION, YEAR, "bodies") == ""


def run(county: County, instance: dg.DagsterInstance, names: tuple[str, ...]) -> dg.ExecuteInProcessResult:
    """A real run of the county's assets as a job, so that its records are those of a deployment."""
    from assets.io_managers import PackageIOManager, ParquetIOManager, ReadingsIOManager
    from assets.resources import Workspace
    from pipelines.storage import tables_path

    tables = tables_path(str(county.data))
    selection = dg.AssetSelection.assets(*names).upstream().required_multi_asset_neighbors()
    job = dg.Definitions(
        assets=ASSETS,
        jobs=[dg.define_asset_job("some_job", selection=selection)],
        resources={
            "workspace": Workspace(data=str(county.data), out=str(county.out), regions=str(county.regions), workers=1),
            "parquet": ParquetIOManager(tables),
            "readings": ReadingsIOManager(tables),
            "package": PackageIOManager(tables),
        },
        executor=dg.in_process_executor,
    ).resolve_job_def("some_job")
    return job.execute_in_process(
        partition_key=partition_key(REGION, YEAR),
        instance=instance,
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )


@pytest.fixture
def notified(county, monkeypatch):
    """The county's settings as the sensors load them, and a way to let a sensor see a run."""
    with web_server() as web, dg.DagsterInstance.ephemeral() as instance:
        given = settings(data=str(county.data), regions=str(county.regions), notice_webhook=web.address)
        monkeypatch.setattr(notify, "load_settings", lambda: given)

        def see(result: dg.ExecuteInProcessResult) -> None:
            if result.success:
                gate_stopped(
                    dg.build_run_status_sensor_context(
                        "gate_stopped", result.get_run_success_event(), instance, result.dagster_run
                    )
                )
            else:
                context = dg.build_run_status_sensor_context(
                    "run_failed", result.get_run_failure_event(), instance, result.dagster_run
                )
                run_failed(context.for_run_failure())

        yield county, instance, web, see


def titles(web) -> list[tuple[str, str]]:
    return [(posted["kind"], posted["title_zh"]) for _, posted in web.posted]


def test_a_run_that_ends_well_with_a_red_gate_is_told_once_and_again_when_it_changes(notified):
    county, instance, web, see = notified
    county.deliver(BODY, DEFECTS["broken_sum"](good(BODY)).files)
    for _ in range(2):
        result = run(county, instance, ("board",))
        assert result.success
        see(result)
    ((kind, title),) = titles(web)
    assert kind == "gate"
    assert "1 个单位" in title
    assert [item["body"] for item in web.posted[0][1]["items"]] == [BODY]

    county.deliver(BODY, {good(BODY).path(GOOD): good(BODY).workbook()})
    see(run(county, instance, ("board",)))
    assert len(web.posted) == 1  # green: nothing is said
    county.deliver(BODY, DEFECTS["broken_sum"](good(BODY)).files)
    see(run(county, instance, ("board",)))
    assert len(web.posted) == 2


def test_returns_that_are_only_missing_are_left_to_the_deadline_notices(notified):
    county, instance, web, see = notified
    county.deliver(BODY, {})
    result = run(county, instance, ("board",))
    assert result.success
    see(result)
    assert web.posted == []


def test_a_run_that_the_gate_stopped_is_told_as_such_and_a_fault_as_a_fault(notified):
    county, instance, web, see = notified
    county.deliver(BODY, DEFECTS["broken_sum"](good(BODY)).files)
    result = run(county, instance, ("release",))
    assert not result.success
    see(result)
    assert [kind for kind, _ in titles(web)] == ["gate"]

    county.decide("not toml")
    result = run(county, instance, ("release",))
    assert not result.success
    see(result)
    (_, posted) = web.posted[-1]
    assert posted["kind"] == "failure"
    assert (posted["region"], posted["year"]) == (REGION, YEAR)
    assert "decisions.toml" in posted["text"]["content"]


def test_a_notice_that_cannot_be_sent_is_logged_tried_again_and_fails_nothing(county, monkeypatch, caplog):
    with dg.DagsterInstance.ephemeral() as instance:
        county.deliver(BODY, DEFECTS["broken_sum"](good(BODY)).files)
        assert run(county, instance, ("board",)).success
    broken = settings(
        data=str(county.data), regions=str(county.regions), notice_webhook=f"http://127.0.0.1:{closed_port()}{TOKEN}"
    )
    monkeypatch.setattr("pipelines.notices.PAUSES", (0.0, 0.0))
    log = logging.getLogger("test_notices")
    with caplog.at_level(logging.INFO):
        assert tell_of_gate(log, broken, REGION, YEAR, green=False) is not None
    assert "webhook" in caplog.text
    assert TOKEN not in caplog.text
    with web_server() as web:
        mended = msgspec.structs.replace(broken, notice_webhook=web.address)
        assert tell_of_gate(log, mended, REGION, YEAR, green=False) is not None
    assert len(web.posted) == 1


def test_a_sensor_survives_tables_that_are_not_there(notified):
    county, instance, web, see = notified
    county.deliver(BODY, DEFECTS["broken_sum"](good(BODY)).files)
    result = run(county, instance, ("board",))
    (county.data / "tables").rename(county.data / "lost")
    see(result)
    assert web.posted == []


def test_the_deployed_sensors_watch_every_job():
    for name in ("gate_stopped", "run_failed"):
        sensor = defs.resolve_sensor_def(name)
        assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
        assert any("\u4e00" <= c <= "\u9fff" for c in sensor.description)
