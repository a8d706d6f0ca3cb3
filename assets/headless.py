"""One region and year through Dagster without the UI: what `gongkai run` calls.

Belongs here: executing the job in this process, reporting each step, and telling published from stopped from failed.
Does not belong here: printing (gongkai.py).
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal, Protocol

import dagster as dg
import msgspec
import polars as pl

from assets.instance import dagster_home
from assets.partitions import REGION_YEARS, partition_key
from assets.records import held_open
from assets.resources import WAITING
from assets.stored import DAMAGED, read_table
from assets.views import REASON
from pipelines.faults import explained
from pipelines.settings import load_settings
from pipelines.storage import table_path

# (step, what became of it), or (what a step that reads files says, "said")
StepReport = Callable[[str, Literal["started", "finished", "failed", "said"]], None]
SAYING = ("readings", "previous_year")
FOLLOW = "gongkai/run"  # tag by which a run is found while it is executed elsewhere
FOLLOW_SECONDS = 2.0


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks first: how many returns count, how much is wrong."""

    bodies: int = 0
    accepted: int = 0
    errors: int = 0
    warnings: int = 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended; ``checked``: a job that publishes nothing.

    ``reasons``: (check, Chinese, English) of each blocking check that failed, or the faults. ``notes``: what a person
    should know besides, such as a stored table that was damaged and made anew.
    """

    status: Literal["published", "nothing_new", "checked", "stopped", "failed"]
    release: str = ""
    path: str = ""
    reasons: tuple[tuple[str, str, str], ...] = ()
    counts: Counts = Counts()
    notes: tuple[str, ...] = ()


def step_names(job_name: str) -> tuple[str, ...]:
    """The steps of a job in an order in which they can run."""
    from assets.definitions import defs

    job = defs.resolve_job_def(job_name)
    return tuple(node.name for node in job.graph.nodes_in_topological_order)


def run_region_year(data: str, region: str, year: int, job_name: str, report: StepReport) -> Outcome:
    """Run a job for one partition, by the executor of the settings. A fault of a step is an Outcome, never raised.

    Another run of the partition on this machine is waited for.
    """
    settings = load_settings(data=data)
    home, _ = dagster_home(settings)
    key = partition_key(region, year)
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dg.DagsterInstance.get() as instance:
        if settings.executor == "in_process":
            from assets.definitions import defs

            run_id = str(uuid.uuid4())
            job_def = defs.resolve_job_def(job_name)
            with held_open(home, run_id) as hold:

                def heard(entry: dg.EventLogEntry) -> None:
                    hold()
                    _tell(entry, report)

                instance.add_event_listener(run_id, heard)
                done: dg.ExecuteInProcessResult | dg.JobExecutionResult = job_def.execute_in_process(
                    partition_key=key, instance=instance, raise_on_error=False, run_id=run_id, run_config=quiet
                )
            return msgspec.structs.replace(_outcome(done, data, region, year), notes=_notes(done))
        job = dg.build_reconstructable_job("assets.executors", "job_named", reconstructable_args=(job_name,))
        mark = {FOLLOW: str(uuid.uuid4())}
        with _followed(instance, mark, report):
            tags = {**REGION_YEARS.get_tags_for_partition_key(key), **mark}
            done = dg.execute_job(job, instance=instance, run_config=quiet, tags=tags)
        return msgspec.structs.replace(_outcome(done, data, region, year), notes=_notes(done))


@contextmanager
def _followed(instance: dg.DagsterInstance, mark: dict[str, str], report: StepReport) -> Iterator[None]:
    """Report what the processes of a run write into its records, now and then and once more at the end."""
    over, taking = threading.Event(), threading.Lock()
    cursor: str | None = None

    def look() -> None:
        nonlocal cursor
        with taking:
            for run in instance.get_runs(dg.RunsFilter(tags=mark), limit=1):
                found = instance.get_records_for_run(run.run_id, cursor)
                cursor = found.cursor
                for record in found.records:
                    _tell(record.event_log_entry, report)

    def follow() -> None:
        while not over.wait(FOLLOW_SECONDS):
            with suppress(Exception):  # records that cannot be read just now: at the next look, or the last
                look()

    thread = threading.Thread(target=follow, name="follow", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    look()


def _tell(entry: dg.EventLogEntry, report: StepReport) -> None:
    event = entry.dagster_event
    if event is None:
        said = entry.step_key in SAYING or entry.user_message.startswith(WAITING)
        if said and int(entry.level) >= logging.INFO:
            report(entry.user_message, "said")
        return
    if not event.step_key:
        return
    if event.is_step_start:
        report(event.step_key, "started")
    elif event.is_step_success:
        report(event.step_key, "finished")
    elif event.is_step_failure:
        report(event.step_key, "failed")


def _counts(data: str, region: str, year: int) -> Counts:
    counts: dict[str, int] = {}
    bodies = table_path(data, "bodies", region, year)
    if bodies.exists():
        status = read_table(bodies)["status"]
        counts |= {"bodies": len(status), "accepted": int((status == "accepted").sum())}
    findings = table_path(data, "findings", region, year)
    if findings.exists():
        frame = read_table(findings).filter(pl.col("waived").is_null())
        counts["errors"] = frame.filter(pl.col("severity") == "error").height
        counts["warnings"] = frame.filter(pl.col("severity") == "warning").height
    return Counts(**counts)


def _said(evaluation: dg.AssetCheckEvaluation, language: int) -> str:
    return str(evaluation.metadata[REASON[language]].value)


class _Error(Protocol):
    """What Dagster records of an exception."""

    @property
    def message(self) -> str: ...
    @property
    def cls_name(self) -> str | None: ...
    @property
    def cause(self) -> _Error | None: ...


def _run_failed(event: dg.DagsterEvent) -> bool:
    return event.event_type is dg.DagsterEventType.RUN_FAILURE


def _words(error: _Error | None) -> tuple[str, str]:
    """An error that Dagster recorded, told by the innermost one: (Chinese, English)."""
    if error is None:
        return "原因不明。", "The reason is not known."
    while error.cause:
        error = error.cause
    text = error.message.strip()
    return explained(error.cls_name or "", text) or (text, text)


def _notes(result: dg.ExecuteInProcessResult | dg.JobExecutionResult) -> tuple[str, ...]:
    """What the steps said of damage that they made good."""
    made = [event.materialization.metadata for event in result.get_asset_materialization_events()]
    return tuple(str(metadata[DAMAGED].value) for metadata in made if DAMAGED in metadata)


def _outcome(result: dg.ExecuteInProcessResult | dg.JobExecutionResult, data: str, region: str, year: int) -> Outcome:
    failed = [
        (evaluation.check_name, _said(evaluation, 0), _said(evaluation, 1))
        for evaluation in result.get_asset_check_evaluations()
        if evaluation.blocking and not evaluation.passed
    ]
    if failed:
        return Outcome(status="stopped", reasons=tuple(failed), counts=_counts(data, region, year))
    if not result.success:
        faults = [
            (event.step_key or "", *_words(event.step_failure_data.error))
            for event in result.filter_events(lambda event: event.is_step_failure)
        ]
        if not faults:  # it failed before the first step, such as where its partition cannot be locked
            faults = [("run", *_words(event.job_failure_data.error)) for event in result.filter_events(_run_failed)]
        return Outcome(status="failed", reasons=tuple(dict.fromkeys(faults)))
    made = [event for event in result.get_asset_materialization_events() if event.node_name == "release"]
    if not made:
        return Outcome(status="checked", counts=_counts(data, region, year))
    release = made[0].materialization.metadata
    return Outcome(
        status="published" if release["新发布 / new"].value else "nothing_new",
        release=str(release["版本 / release"].value),
        path=str(release["位置 / path"].value),
        counts=_counts(data, region, year),
    )
