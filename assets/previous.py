"""Last year's accepted submissions, wherever they are: in storage, else read from last year's inbox.

Belongs here: carrying last year's files through the stages without publishing anything. Does not belong here: the
stages themselves.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import polars as pl

from assets.resources import Partition
from pipelines.ingest.inbox import receive
from pipelines.ingest.intake import read_received
from pipelines.regions import load_decisions
from pipelines.storage import table_path
from pipelines.validate.submissions import accept_submissions, judge_submissions, settle_submissions
from schemas.form import edition_for, load_form
from schemas.frames import tidy_types, wide_types
from schemas.region import Decisions
from schemas.rules import load_rules


def previous_submissions(data: str, regions: str, partition: Partition, workers: int) -> pl.DataFrame:
    """The wide frame of last year's accepted submissions; empty where last year is neither stored nor delivered."""
    year = partition.year - 1
    stored = table_path(data, "accepted_submissions", partition.code, year)
    if stored.exists():
        return pl.read_parquet(stored.read_bytes())
    try:
        edition = edition_for(year)
    except KeyError:
        return pl.DataFrame(schema=wide_types(partition.form, partition.rules))
    form, rules = load_form(edition), load_rules(edition)
    received = [msgspec.structs.asdict(entry) for entry in receive(data, partition.code, year)]
    files = pl.DataFrame(
        [{"region": partition.code, "year": year, **row} for row in received],
        schema=tidy_types("received_files"),
        orient="row",
    )
    decisions: Decisions = load_decisions(Path(regions), partition.code, year)
    reads = read_received(data, files, workers)
    folders = dict(zip(files["file"], files["folder_body"], strict=True))
    settled = settle_submissions(reads, folders, partition.region, year, form, rules, decisions, {})
    judged = judge_submissions(settled.frame, reads, partition.region, year, form, rules, {}, has_history=True)
    accepted, _ = accept_submissions(
        settled.frame, [*settled.findings, *judged.findings], files, partition.region, year, form, decisions
    )
    return accepted
