"""Received files become read files: each through the sandbox, whatever is no plain file answered openly.

Belongs here: which bytes of which received file are read. Does not belong here: reading (read.py), limits (sandbox.py).
"""

from __future__ import annotations

import polars as pl

from pipelines.ingest.declined import Declined, decline
from pipelines.ingest.inbox import ReceivedFile
from pipelines.ingest.limits import DEFAULT_LIMITS, Limits
from pipelines.ingest.sandbox import read_each
from pipelines.ingest.taking import oversized
from pipelines.storage import received_path
from schemas.intake import ReadFile

SPECIAL = {"link": ("符号链接", "a symbolic link"), "device": ("管道或设备", "a pipe or device")}


def read_received(data: str, received: pl.DataFrame, workers: int, limits: Limits = DEFAULT_LIMITS) -> list[ReadFile]:
    """Read the kept original of every received file, in the order of the inventory (the ``received_files`` table).

    The files of an archive follow one another as ``archive/member``. What is no plain file, or too large, is not read:
    it is a finding, like a file that nothing can be read from.
    """
    entries = [ReceivedFile(**row) for row in received.drop("region", "year").to_dicts()]
    refused = {entry.file: answer for entry in entries if (answer := _refused(entry, limits))}
    blobs = [
        (entry.file, received_path(data, entry.file_sha256).read_bytes())
        for entry in entries
        if entry.file not in refused
    ]
    answers = iter(read_each(blobs, workers=workers, limits=limits))
    return [
        read
        for entry in entries
        for read in ((_unread(entry, refused[entry.file]),) if entry.file in refused else next(answers))
    ]


def _refused(entry: ReceivedFile, limits: Limits) -> Declined | None:
    if entry.special:
        zh, en = SPECIAL[entry.special]
        return decline("not_a_file", entry.file, found=zh, found_en=en)
    return oversized(entry.file, entry.bytes, limits) if entry.bytes > limits.file_bytes else None


def _unread(entry: ReceivedFile, why: Declined) -> ReadFile:
    return ReadFile(file=entry.file, sha256=entry.file_sha256, format="unknown", problems=(why.finding,))
