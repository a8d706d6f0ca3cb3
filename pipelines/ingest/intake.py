"""Received files become read files: each through the sandbox, links and vanished originals answered openly.

Belongs here: which bytes of which received file are read. Does not belong here: reading (read.py), limits (sandbox.py).
"""

from __future__ import annotations

import polars as pl

from pipelines.ingest.inbox import ReceivedFile, original_bytes
from pipelines.ingest.sandbox import read_each
from schemas.findings import make_finding
from schemas.intake import ReadFile


def _entry(row: dict[str, object]) -> ReceivedFile:
    return ReceivedFile(**row)  # type: ignore[arg-type]


def read_received(data: str, region: str, year: int, received: pl.DataFrame, workers: int) -> list[ReadFile]:
    """Read every received file, in the order of the inventory. ``received``: the ``received_files`` table.

    The files of an archive follow one another as ``archive/member``. A symbolic link is not followed: it is a finding,
    like a file that nothing can be read from.
    """
    entries = [_entry(row) for row in received.drop("region", "year").to_dicts()]
    blobs = [(entry.file, original_bytes(data, entry, region, year)) for entry in entries if not entry.link]
    answers = iter(read_each(blobs, workers=workers))
    return [read for entry in entries for read in ((_link(entry),) if entry.link else next(answers))]


def _link(entry: ReceivedFile) -> ReadFile:
    problem = make_finding("symbolic_link", words={"file": entry.file}, file=entry.file)
    return ReadFile(file=entry.file, sha256=entry.file_sha256, format="unknown", problems=(problem,))
