"""Files are read in processes of their own, under limits; the asking process gets one clear answer a file.

Belongs here: which process reads which file, and the answers in order. Does not belong here: reading (read.py), the
processes themselves (children.py outside, sandbox_worker.py inside).

``read_many`` keeps a few processes and gives them one file after another. ``read_one`` forks, which costs next to
nothing in a small process such as the command line. Either way a parser that crashes, hangs or swells takes down its
own process alone, the file gets a finding, and the next file gets a fresh process.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue

import msgspec

from pipelines.ingest.children import Child, Fork, Process
from pipelines.ingest.declined import Declined, decline
from pipelines.ingest.limits import DEFAULT_LIMITS, Limits
from pipelines.ingest.sandbox_worker import failed, load
from pipelines.ingest.taking import oversized, take
from pipelines.ingest.wire import Job
from schemas.intake import ReadFile

READ_BYTES = "pipelines.ingest.read:read_bytes"
Source = Path | tuple[str, bytes]  # a path, or (name, bytes)


def read_many(
    sources: Sequence[Source],
    work: str = READ_BYTES,
    *,
    workers: int = 2,
    limits: Limits = DEFAULT_LIMITS,
    root: Path | None = None,
) -> list[ReadFile]:
    """Read files in up to ``workers`` processes; one result a source, in their order. Never raises for a bad file.

    ``work`` is ``package.module:function`` of (bytes, name, limits) -> ReadFile. ``ReadFile.file`` is the name given
    (for a path, the path as text). ``root``: the folder that symbolic links may not lead out of. An archive with one
    file in it stands for that file; one with several gets the finding ``several_files`` (read_each reads them all).
    """
    return [answer.single() for answer in _answers(sources, work, workers, limits, root)]


def read_each(
    sources: Sequence[Source],
    work: str = READ_BYTES,
    *,
    workers: int = 2,
    limits: Limits = DEFAULT_LIMITS,
    root: Path | None = None,
) -> list[tuple[ReadFile, ...]]:
    """As read_many, with every file of an archive: their names are ``archive/member``."""
    return [answer.reads for answer in _answers(sources, work, workers, limits, root)]


def read_one(
    source: Source, work: str = READ_BYTES, *, limits: Limits = DEFAULT_LIMITS, root: Path | None = None
) -> ReadFile:
    """Read one file in a process of its own, by fork where this process is small and has a single thread."""
    return _one(source, work, limits, root).single()


class _Answer(msgspec.Struct, frozen=True):
    """What came back for one source: one read file, or one a member of an archive."""

    name: str
    digest: str
    reads: tuple[ReadFile, ...]

    def single(self) -> ReadFile:
        if len(self.reads) == 1:
            return self.reads[0]
        return failed(self.name, self.digest, decline("several_files", self.name).finding)


def _answers(sources: Sequence[Source], work: str, workers: int, limits: Limits, root: Path | None) -> list[_Answer]:
    if not sources:
        return []
    results: dict[int, _Answer] = {}
    faults: list[BaseException] = []
    waiting: SimpleQueue[tuple[int, Source] | None] = SimpleQueue()
    count = max(1, min(workers, len(sources)))
    for item in (*enumerate(sources), *[None] * count):
        waiting.put(item)

    def serve() -> None:
        try:
            with contextlib.closing(Process(work, limits)) as process:
                while (item := waiting.get()) is not None:
                    results[item[0]] = _answer(item[1], process, limits, root)
        except BaseException as fault:  # noqa: BLE001  (carried to the asking thread and raised there)
            faults.append(fault)

    threads = [threading.Thread(target=serve, name=f"intake-{number}", daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return [results[position] for position in range(len(sources))]


def _one(source: Source, work: str, limits: Limits, root: Path | None) -> _Answer:
    if not _may_fork():
        return _answers([source], work, 1, limits, root)[0]
    with contextlib.closing(Fork(load(work), limits)) as process:
        return _answer(source, process, limits, root)


def _may_fork() -> bool:
    """A fork copies one thread only, so it is safe where there is one, counting those of native libraries."""
    if not hasattr(os, "fork") or threading.active_count() > 1:
        return False
    try:
        return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208  (cheaper, and only counted)
    except OSError:
        return False


def _name(source: Source) -> str:
    name = str(source) if isinstance(source, Path) else source[0]
    # Names that are no valid text (undecodable bytes) could not be passed on or written down.
    return name.encode("utf-8", "replace").decode("utf-8")


def _answer(source: Source, process: Child, limits: Limits, root: Path | None) -> _Answer:
    name = _name(source)
    digest = ""
    try:
        data = take(source, name, limits, root) if isinstance(source, Path) else source[1]
        digest = sha256(data).hexdigest()
        if len(data) > limits.file_bytes:
            raise oversized(name, len(data), limits)
        if not data:
            raise decline("empty_file", name)
    except Declined as declined:
        return _Answer(name, digest, (failed(name, digest, declined.finding),))
    reads = process.ask(Job(name, data), digest)
    if len(reads) == 1 and reads[0].file != name:
        # The lone member of an archive stands under the archive's name and sum, for that is what was delivered.
        reads = (msgspec.structs.replace(reads[0], file=name, sha256=digest),)
    return _Answer(name, digest, reads)
