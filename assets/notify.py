"""Notices of runs: a run that failed, and a run that ended well but whose gate is red.

Belongs here: when a notice is due, and the sensors that watch the runs. Does not belong here: the words and the sending
(pipelines/notices.py), deadlines (schedules.py). No notice ever makes a run or a sensor fail.

While returns are only missing, the gate says nothing new to anybody: the deadline notices speak of that. A gate notice
is sent when something is wrong with a return, and again only when what is wrong has changed.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import dagster as dg

from assets.stored import read_table
from assets.views import PUBLISHABLE
from pipelines.notices import Delivery, Notice, failure_notice, gate_notice, last_said, remember, send
from pipelines.regions import load_region
from pipelines.settings import Settings, load_settings
from pipelines.storage import sha256, table_path

PARTITION = "dagster/partition"
ONLY_MISSING = {"roster_missing"}  # findings that say no more than that a return has not come
GREEN = ""


def told(log: logging.Logger, notice: Notice, settings: Settings) -> tuple[Delivery, ...]:
    """Send a notice and log what became of it."""
    log.info(notice.title_zh)
    deliveries = send(notice, settings)
    for each in deliveries:
        (log.info if each.sent else log.warning)(f"通知 / notice: {each}")
    if not deliveries:
        log.info("没有设置通知方式。 / No notice is set up (notice_webhook, notice_email_to).")
    return deliveries


def region_year_of(partition: str) -> tuple[str, int] | None:
    """The region and year of a partition key ``region|year``; None for a key of another kind."""
    region, bar, year = partition.partition("|")
    return (region, int(year)) if bar and year.isdecimal() else None


def gate_is_green(instance: dg.DagsterInstance, run_id: str) -> bool | None:
    """What the verdicts of a run say; None where it reached none."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records
    for record in records:
        made = record.asset_materialization
        if made is not None and PUBLISHABLE in made.metadata:
            return bool(made.metadata[PUBLISHABLE].value)
    return None


def _rows(settings: Settings, table: str, region: str, year: int) -> list[dict[str, Any]]:
    return read_table(table_path(settings.data, table, region, year)).to_dicts()


def tell_of_gate(log: logging.Logger, settings: Settings, region: str, year: int, green: bool) -> Notice | None:
    """Tell of a red gate once for each state of things; the notice that was due, whether or not it could be sent."""
    last = last_said(settings.data, region, year, "gate")
    if green:
        if last != GREEN:
            remember(settings.data, region, year, "gate", GREEN)
        return None
    standing = [
        row for row in _rows(settings, "findings", region, year) if row["severity"] == "error" and row["waived"] is None
    ]
    own = [row for row in standing if row["body"] and row["rule"] not in ONLY_MISSING]
    absent = any(row["rule"] in ONLY_MISSING for row in standing)
    if absent and not own:
        log.info("只是还有单位未报送，由期限提醒告知。 / Returns are only missing; the deadline notices tell of it.")
        return None
    # Totals cannot agree with anything while a return is absent or wrong: that is no news of its own.
    wrong = own or standing
    stopped = [row for row in _rows(settings, "verdicts", region, year) if not row["passed"]]
    reasons = [(row["reason_zh"] or row["title_zh"], row["reason_en"] or row["title_en"]) for row in stopped]
    notice = gate_notice(load_region(Path(settings.regions), region), year, reasons, wrong)
    state = sha256("\n".join(f"{row['body']} {row['rule']} {row['message_zh']}" for row in wrong).encode())
    if state == last:
        log.info("与上次通知的情况相同，不再通知。 / Nothing has changed since the last notice.")
        return None
    if any(each.sent for each in told(log, notice, settings)):
        remember(settings.data, region, year, "gate", state)
    return notice


def _guarded(context: dg.RunStatusSensorContext, green: bool | None) -> None:
    partition = region_year_of(context.dagster_run.tags.get(PARTITION, ""))
    if partition is None or green is None:
        return
    try:
        tell_of_gate(context.log, load_settings(), *partition, green)
    except Exception as error:  # noqa: BLE001 - a notice never makes a sensor fail
        context.log.warning(f"通知没有发出（{type(error).__name__}）。 / The notice was not sent.")


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    name="gate_stopped",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="核查运行正常，但发布门槛未通过：通知涉及哪些单位、什么问题。"
    " / A run ended well but its gate is red: tells which bodies and what is wrong.",
)
def gate_stopped(context: dg.RunStatusSensorContext) -> None:
    """Tell of a red gate after a run that ended well."""
    _guarded(context, gate_is_green(context.instance, context.dagster_run.run_id))


def _faults(context: dg.RunFailureSensorContext) -> list[tuple[str, str]]:
    faults = []
    for event in context.get_step_failure_events():
        error = event.step_failure_data.error
        cause = error.cause if error and error.cause else error
        faults.append((event.step_key or "", cause.message.strip() if cause else ""))
    return faults or [("", context.failure_event.message or "")]


@dg.run_failure_sensor(
    name="run_failed",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="运行失败时通知；若只是发布门槛未通过，则按门槛通知。"
    " / Tells of a run that failed; where only the gate stopped it, of the gate.",
)
def run_failed(context: dg.RunFailureSensorContext) -> None:
    """Tell of a failed run, or of the gate where that is what ended it."""
    green = gate_is_green(context.instance, context.dagster_run.run_id)
    if green is False:
        _guarded(context, green)
        return
    run = context.dagster_run
    try:
        notice = failure_notice(run.job_name, run.tags.get(PARTITION, ""), run.run_id, _faults(context))
        told(context.log, notice, load_settings())
    except Exception as error:  # noqa: BLE001 - a notice never makes a sensor fail
        context.log.warning(f"通知没有发出（{type(error).__name__}）。 / The notice was not sent.")
