"""The inbox sensor: a delivery, a withdrawal or a decision starts a check of the region and year it concerns.

Belongs here: when a check is requested, and what the tick says. Does not belong here: listing and remembering
(pipelines/ingest/watch.py), publishing what passed (automation.py).

Partitions are static: they are read from ``regions/`` when the code location is loaded. A county added since then is
named in the tick until the code location is reloaded; it is never guessed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from assets.partitions import REGION_YEARS, partition_key
from pipelines.ingest.watch import GONE, Due, Memory, Problem, compare, handed_on, look, remembered
from pipelines.regions import load_decisions, load_published, load_region, region_codes
from pipelines.settings import load_settings
from schemas.declaration import DeclarationError

MOST_REQUESTS = 100  # of one tick; the others are due at the next
MOST_SAID = 20
PARTITION_TAG = "gongkai/partition"  # for the run queue: one run of a region and year at a time


def known_partitions() -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The regions and report years that the loaded definitions know."""
    dimensions = {each.name: each.partitions_def for each in REGION_YEARS.partitions_defs}
    regions = tuple(dimensions["region"].get_partition_keys())
    return regions, tuple(int(year) for year in dimensions["year"].get_partition_keys())


def _unloaded(root: Path, regions: Sequence[str]) -> list[Problem]:
    return [
        Problem(
            f"{root.name}/{code}",
            "新增的地区，请在“Deployment”页重新加载代码位置。",
            "is a new region; reload the code location (page Deployment).",
        )
        for code in region_codes(root)
        if code not in regions
    ]


def _undeclared(root: Path, due: Due) -> Problem | None:
    """What is wrong with the declarations that the run would read; a run that can only fail is not started."""
    try:
        load_region(root, due.region)
        for year in (due.year - 1, due.year):
            load_decisions(root, due.region, year)
        load_published(root, due.region, due.year)
    except DeclarationError as error:
        return Problem(f"{due.region}|{due.year}", f"{error}。改好后自动核查。", "It is checked once this is mended.")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return Problem(
            f"{root.name}/{due.region}",
            f"读不出来（{reason}），请检查权限。",
            f"cannot be read ({reason}); check access.",
        )
    return None


def _archived(due: Due) -> Problem:
    return Problem(
        f"inbox/{due.region}/{due.year}",
        "文件夹已不在，视为归档，已有结果保留；若要撤回报表，请保留空文件夹。",
        "The folder is gone and counts as archived; its results stay. To withdraw returns, leave the folder empty.",
    )


def _request(due: Due) -> dg.RunRequest:
    key = partition_key(due.region, due.year)
    return dg.RunRequest(
        run_key=f"{key}:{due.number}:{due.state or 'empty'}", partition_key=key, tags={PARTITION_TAG: str(key)}
    )


def _said(problems: Sequence[Problem]) -> str:
    lines = [f"- {problem}" for problem in problems[:MOST_SAID]]
    if len(problems) > MOST_SAID:
        more = len(problems) - MOST_SAID
        lines.append(f"……另有 {more} 处 / and {more} more")
    return "\n".join(lines)


def _memory(context: dg.SensorEvaluationContext) -> Memory:
    try:
        return remembered(context.cursor)
    except ValueError:
        context.log.warning("记录读不出来，从头看起。 / The cursor cannot be read; everything is looked at anew.")
        return Memory()


def inbox_sensor(
    data: str, regions_root: Path, settle_seconds: int, interval: int, status: dg.DefaultSensorStatus
) -> dg.SensorDefinition:
    """The sensor for one deployment: inboxes below ``data``, declarations below ``regions_root``."""

    @dg.sensor(
        name="inbox",
        job_name="check_only",
        minimum_interval_seconds=interval,
        default_status=status,
        description="收件箱有新件、改件、撤件，或名录、决定有变动时，自动核查该地区该年度（放稳后才核查）。"
        " / Checks a region and year when its inbox, roster or decisions have changed and come to rest.",
    )
    def inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        regions, years = known_partitions()
        found = look(data, regions_root, regions, years)
        memory, due = compare(_memory(context), found, regions, time.time(), settle_seconds)
        problems = [*found.problems, *_unloaded(regions_root, regions)]
        started: list[Due] = []
        gone: list[Due] = []
        for each in due:
            if each.state == GONE:
                problems.append(_archived(each))
                gone.append(each)
                continue
            problem = _undeclared(regions_root, each)
            if problem is not None:
                problems.append(problem)
            elif len(started) < MOST_REQUESTS:
                started.append(each)
        cursor = handed_on(memory, [*started, *gone]).encode()
        said = _said(problems)
        if problems:
            context.log.warning(f"请处理 / please mend:\n{said}")
        if started:
            return dg.SensorResult(run_requests=[_request(each) for each in started], cursor=cursor)
        resting = sum(len(entry) for entry in memory.waiting.values())
        reason = "没有变动。 / Nothing has changed."
        if resting:
            reason = (
                f"有 {resting} 个地区年度的变动还没有放稳或待处理。"
                f" / {resting} changed partition(s) not at rest yet or to be mended."
            )
        return dg.SensorResult(skip_reason=f"{reason}\n{said}".strip(), cursor=cursor)

    return inbox


def make_sensors() -> list[dg.SensorDefinition]:
    """The sensors of this deployment, as its settings say."""
    settings = load_settings()
    return [
        inbox_sensor(
            settings.data,
            Path(settings.regions),
            settings.settle_seconds,
            settings.sensor_seconds,
            dg.DefaultSensorStatus.RUNNING,
        )
    ]
