"""Received files become read files: each through the sandbox, whatever is no plain file answered openly.

Belongs here: which bytes of which received file are read, and which need not be. Does not belong here: reading
(read.py), limits (sandbox.py), keeping readings (kept.py).

Originals are opened as reading processes become free, readings are packed as they come, and only those of an original
and name that the same program has not read before are made. What is in memory does not grow with the number of files,
but for the inventory and an index.
"""

from __future__ import annotations

import contextlib
from functools import partial
from logging import Logger, getLogger

import polars as pl

from pipelines.ingest.declined import Declined, decline
from pipelines.ingest.inbox import ReceivedFile
from pipelines.ingest.kept import KeptReadings, final
from pipelines.ingest.limits import DEFAULT_LIMITS, Limits
from pipelines.ingest.packed import Block, Readings, Spool, encode
from pipelines.ingest.progress import Progress
from pipelines.ingest.reader_key import reader_key
from pipelines.ingest.sandbox import Source, read_stream
from pipelines.ingest.taking import oversized
from pipelines.storage import locked, place, received_path
from schemas.intake import ReadFile

SPECIAL = {"link": ("符号链接", "a symbolic link"), "device": ("管道或设备", "a pipe or device")}
_LOG = getLogger(__name__)


def read_received(
    data: str, received: pl.DataFrame, workers: int, limits: Limits = DEFAULT_LIMITS, log: Logger = _LOG
) -> tuple[Readings, int]:
    """Read the kept original of every received file, in the order of the inventory (the ``received_files`` table).

    Answers the readings and how many files had been read before. The files of an archive follow one another as
    ``archive/member``. What is no plain file, or too large, is not read: it is a finding, like a file that nothing can
    be read from. ``log`` is told how far it is, and of kept readings that are damaged. Raises OSError.

    On one machine, of two that read the same region and year the second waits, and finds it read.
    """
    entries = [ReceivedFile(**row) for row in received.drop("region", "year").to_dicts()]
    if not entries:
        return Spool().readings([]), 0
    region, year = received["region"][0], received["year"][0]
    with locked(place(data) / "locks" / f"readings-{region}-{year}"):
        return _read(data, entries, workers, limits, log, KeptReadings(data, region, year, reader_key(limits), log))


def _read(
    data: str, entries: list[ReceivedFile], workers: int, limits: Limits, log: Logger, kept: KeptReadings
) -> tuple[Readings, int]:
    spool, blocks, lasting = Spool(), dict[int, Block](), set[int]()
    waiting: list[int] = []
    for number, entry in enumerate(entries):
        if (answer := _refused(entry, limits)) is not None:
            read = _unread(entry, answer)
            blocks[number] = spool.add(entry.file, entry.file_sha256, encode([read]), [read.file])
        elif (found := kept.find(entry.file, entry.file_sha256)) is not None:
            packed, block = found
            blocks[number] = spool.add(entry.file, entry.file_sha256, packed, block.files)
            lasting.add(number)
        else:
            waiting.append(number)
    before = len(lasting)
    progress = Progress(log.info, len(waiting), before)
    sources = [_source(data, entries[number]) for number in waiting]
    with contextlib.closing(read_stream(sources, workers=workers, limits=limits)) as answers:
        for given in answers:
            number = waiting[given.position]
            entry, packed, files = entries[number], encode(given.reads), [read.file for read in given.reads]
            blocks[number] = spool.add(entry.file, entry.file_sha256, packed, files)
            if final(given.reads) and given.sha256 == entry.file_sha256:
                kept.keep(entry.file, entry.file_sha256, packed, files)
                lasting.add(number)
            progress.step()
    kept.fold(spool.readings([blocks[number] for number in sorted(lasting)], kept.key))
    return spool.readings([blocks[number] for number in range(len(entries))]), before


def _source(data: str, entry: ReceivedFile) -> Source:
    return entry.file, partial(_bytes, data, entry.file_sha256)


def _bytes(data: str, digest: str) -> bytes:
    content: bytes = received_path(data, digest).read_bytes()
    return content


def _refused(entry: ReceivedFile, limits: Limits) -> Declined | None:
    if entry.special:
        zh, en = SPECIAL[entry.special]
        return decline("not_a_file", entry.file, found=zh, found_en=en)
    return oversized(entry.file, entry.bytes, limits) if entry.bytes > limits.file_bytes else None


def _unread(entry: ReceivedFile, why: Declined) -> ReadFile:
    return ReadFile(file=entry.file, sha256=entry.file_sha256, format="unknown", problems=(why.finding,))
