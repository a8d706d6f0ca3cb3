"""One region and year, or the roll-up of a year, through Dagster without the UI: `gongkai run`, `gongkai rollup`.

Belongs here: executing the job in this process, reporting each step, and telling published from stopped from failed.
Does not belong here: printing (gongkai.py).
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Literal, Protocol

import dagster as dg
import msgspec
import polars as pl

from assets.instance import dagster_home
from assets.partitions import REGION_YEARS, YEARS, partition_key
from assets.portal_push import DATASET, PUSH, SHOWN
from assets.records import held_open
from assets.resources import WAITING
from assets.rollup import COUNTED, GONE, KNOWN
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
ROLL_UP = "roll_up"
_Result = dg.ExecuteInProcessResult | dg.JobExecutionResult


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks first: how many returns count, how much is wrong."""

    bodies: int = 0
    accepted: int = 0
    errors: int = 0
    warnings: int = 0


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many regions a roll-up counts, of how many that it would; those within a total above are in neither."""

    known: int = 0
    counted: int = 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended; ``checked``: a job that publishes nothing; ``pushed``: ``path`` is where the portal shows it;
    ``withdrawn``: a roll-up of which nothing is left.

    ``reasons``: (check, Chinese, English) of each blocking check that failed, or the faults. ``notes``: what a person
    should know besides, such as a stored table that was damaged and made anew.
    """

    status: Literal["published", "nothing_new", "checked", "pushed", "withdrawn", "stopped", "failed"]
    release: str = ""
    path: str = ""
    reasons: tuple[tuple[str, str, str], ...] = ()
    counts: Counts = Counts()
    coverage: Coverage = Coverage()
    notes: tuple[str, ...] = ()


def step_names(job_name: str) -> tuple[str, ...]:
    """The steps of a job in an order in which they can run."""
    from assets.definitions import defs

    job = defs.resolve_job_def(job_name)
    return tuple(node.name for node in job.graph.nodes_in_topological_order)


def run_region_year(data: str, region: str, year: int, job_name: str, report: StepReport) -> Outcome:
    """Run a job for one region and year. A fault of a step is an Outcome, never raised."""
    key = partition_key(region, year)
    tags = REGION_YEARS.get_tags_for_partition_key(key)
    return _executed(data, job_name, key, tags, report, lambda done: _outcome(done, data, region, year))


def run_roll_up(data: str, year: int, report: StepReport) -> Outcome:
    """Add up what the regions released for a year. A fault of a step is an Outcome, never raised."""
    return _executed(data, ROLL_UP, str(year), YEARS.get_tags_for_partition_key(str(year)), report, _rolled_up)


def _executed(
    data: str, job_name: str, key: str, tags: Mapping[str, str], report: StepReport, told: Callable[[_Result], Outcome]
) -> Outcome:
    """Run a job for one partition, by the executor of the settings.

    Another run of the partition on this machine is waited for.
    """
    settings = load_settings(data=data)
    home, _ = dagster_home(settings)
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
                done: _Result = job_def.execute_in_process(
                    partition_key=key, instance=instance, raise_on_error=False, run_id=run_id, run_config=quiet
                )
            return msgspec.structs.replace(told(done), notes=_notes(done))
        job = dg.build_reconstructable_job("assets.executors", "job_named", reconstructable_args=(job_name,))
        mark = {FOLLOW: str(uuid.uuid4())}
        with _followed(instance, mark, report):
            done = dg.execute_job(job, instance=instance, run_config=quiet, tags={**tags, **mark})
        return msgspec.structs.replace(told(done), notes=_notes(done))


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


def _notes(result: _Result) -> tuple[str, ...]:
    """What the steps said of damage that they made good."""
    made = [event.materialization.metadata for event in result.get_asset_materialization_events()]
    return tuple(str(metadata[DAMAGED].value) for metadata in made if DAMAGED in metadata)


def _unfinished(result: _Result) -> Outcome | None:
    """How a run ended that did not come to its end; None for one that did."""
    failed = [
        (evaluation.check_name, _said(evaluation, 0), _said(evaluation, 1))
        for evaluation in result.get_asset_check_evaluations()
        if evaluation.blocking and not evaluation.passed and evaluation.severity is dg.AssetCheckSeverity.ERROR
    ]
    if failed:
        return Outcome(status="stopped", reasons=tuple(failed))
    if result.success:
        return None
    faults = [
        (event.step_key or "", *_words(event.step_failure_data.error))
        for event in result.filter_events(lambda event: event.is_step_failure)
    ]
    if not faults:  # it failed before the first step, such as where its partition cannot be locked
        faults = [("run", *_words(event.job_failure_data.error)) for event in result.filter_events(_run_failed)]
    return Outcome(status="failed", reasons=tuple(dict.fromkeys(faults)))


def _made(result: _Result, asset: str) -> Mapping[str, dg.MetadataValue[Any]] | None:
    """What an asset said of itself when it was made; None where it was not."""
    made = [event for event in result.get_asset_materialization_events() if event.node_name == asset]
    return made[0].materialization.metadata if made else None


def _published(release: Mapping[str, dg.MetadataValue[Any]]) -> Outcome:
    return Outcome(
        status="published" if release["新发布 / new"].value else "nothing_new",
        release=str(release["版本 / release"].value),
        path=str(release["位置 / path"].value),
    )


def _outcome(result: _Result, data: str, region: str, year: int) -> Outcome:
    unfinished = _unfinished(result)
    if unfinished is not None and unfinished.status == "failed":
        return unfinished
    if unfinished is not None:
        return msgspec.structs.replace(unfinished, counts=_counts(data, region, year))
    release, pushed = _made(result, "release"), _made(result, "portal_push")
    if release is not None:
        return msgspec.structs.replace(_published(release), counts=_counts(data, region, year))
    if pushed is None:
        return Outcome(status="checked", counts=_counts(data, region, year))
    if DATASET not in pushed:
        said = str(pushed[PUSH].value)
        return Outcome(status="failed", reasons=(("portal_push", said, said),))
    return Outcome(status="pushed", release=str(pushed[SHOWN].value), path=str(pushed[DATASET].value))


def _rolled_up(result: _Result) -> Outcome:
    unfinished, package, release = _unfinished(result), _made(result, "rollup_package"), _made(result, "rollup")
    coverage = Coverage()
    if package is not None:
        coverage = Coverage(known=int(package[KNOWN].value), counted=int(package[COUNTED].value))
    if unfinished is not None:
        return msgspec.structs.replace(unfinished, coverage=coverage)
    if release is None:
        return Outcome(status="failed", reasons=(("rollup", *_words(None)),))
    if GONE in release:
        why = str(release[REASON[0]].value)
        return Outcome(status="withdrawn", release=str(release[GONE].value), reasons=(("rollup", why, why),))
    return msgspec.structs.replace(_published(release), coverage=coverage)
