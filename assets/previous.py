"""Last year's accepted submissions: from last year's inbox, or from storage where that inbox is archived.

Belongs here: carrying last year's files through the stages without publishing anything. Does not belong here: the
stages themselves.

The result does not depend on whether last year was run before, after or while this year runs: where last year's inbox
folder stands, its returns are judged anew, against the year before them in the same way. Stored tables, which a run
of last year may be replacing, count only where the folder is gone (archived); then no run can change them.
"""

from __future__ import annotations

from logging import Logger, getLogger
from pathlib import Path

import msgspec
import polars as pl

from assets.resources import Partition
from assets.stored import read_table
from pipelines.ingest.inbox import receive
from pipelines.ingest.intake import read_received
from pipelines.ingest.limits import DEFAULT_LIMITS, Limits
from pipelines.regions import load_decisions
from pipelines.storage import inbox_path, table_path
from pipelines.validate.submissions import accept_submissions, history_of, judge_submissions, settle_submissions
from schemas.form import edition_for, load_form
from schemas.frames import tidy_types, wide_types
from schemas.region import Decisions, Region
from schemas.rules import load_rules

_LOG = getLogger(__name__)


def previous_submissions(
    data: str, regions: str, partition: Partition, workers: int, limits: Limits = DEFAULT_LIMITS, log: Logger = _LOG
) -> pl.DataFrame:
    """The wide frame of last year's accepted submissions; empty where last year is neither delivered nor stored.

    ``log`` is told how far reading last year's files is; those read before, in its own run too, are not read again.
    """
    accepted = _accepted(data, Path(regions), partition.region, partition.year - 1, workers, limits, log)
    return pl.DataFrame(schema=wide_types(partition.form, partition.rules)) if accepted is None else accepted


def _accepted(
    data: str, regions: Path, region: Region, year: int, workers: int, limits: Limits, log: Logger
) -> pl.DataFrame | None:
    """The accepted submissions of a year, as its own run finds them; None where there are none and none are stored."""
    code = region.settings.code
    try:
        edition = edition_for(year)
    except KeyError:
        return None
    form, rules = load_form(edition), load_rules(edition)
    if not inbox_path(data, code, year).exists():
        stored = table_path(data, "accepted_submissions", code, year)
        return read_table(stored) if stored.exists() else None
    rows = [{"region": code, "year": year, **msgspec.structs.asdict(entry)} for entry in receive(data, code, year)]
    files = pl.DataFrame(rows, schema=tidy_types("received_files"), orient="row")
    decisions: Decisions = load_decisions(regions, code, year)
    before = _accepted(data, regions, region, year - 1, workers, limits, log)
    history = history_of(form, before) if before is not None else {}
    reads, _ = read_received(data, files, workers, limits, log)
    folders = dict(zip(files["file"], files["folder_body"], strict=True))
    settled = settle_submissions(reads, folders, region, year, form, rules, decisions, history)
    judged = judge_submissions(settled.frame, reads, region, year, form, rules, history, has_history=bool(history))
    accepted, _ = accept_submissions(
        settled.frame, [*settled.findings, *judged.findings], files, region, year, form, decisions
    )
    return accepted
