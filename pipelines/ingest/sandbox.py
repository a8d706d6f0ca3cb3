"""Files are read in processes of their own, under limits; the asking process gets one clear answer a file.

Belongs here: which process reads which file, and the answers in order. Does not belong here: reading (read.py), the
processes themselves (children.py outside, sandbox_worker.py inside).

``read_stream`` keeps a few processes and gives them one file after another, however many there are: each is opened when
a process is free for it, and its answer is handed on at once. ``read_many`` is the same for a list. ``read_one`` forks,
which costs next to nothing in a small process such as the command line. Either way a parser that crashes, hangs or
swells takes down its own process alone, the file gets a finding, and the next file gets a fresh process.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Generator, Sequence
from hashlib import sha256
from pathlib import Path
from queue import Empty, Queue

import msgspec

from pipelines.ingest.children import Child, Fork, Process
from pipelines.ingest.declined import Declined, decline
from pipelines.ingest.limits import DEFAULT_LIMITS, Limits
from pipelines.ingest.sandbox_worker import failed, load
from pipelines.ingest.taking import oversized, take
from pipelines.ingest.wire import Job
from schemas.intake import ReadFile

READ_BYTES = "pipelines.ingest.read:read_bytes"
Source = Path | tuple[str, bytes | Callable[[], bytes]]  # a path, or (name, bytes or what brings them)
_AHEAD = 8  # answers a process that wait to be taken, at most


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
    file in it stands for that file; one with several gets the finding ``several_files`` (read_stream reads them all).
    """
    return [answer.single() for answer in _answers(sources, work, workers, limits, root)]


def read_stream(
    sources: Sequence[Source], work: str = READ_BYTES, *, workers: int = 2, limits: Limits = DEFAULT_LIMITS
) -> Generator[Answer]:
    """As read_many, each answer as soon as it is there, in no fixed order (see ``position``), with every file of an
    archive: their names are ``archive/member``.

    At most ``workers`` files and a few answers are in memory at a time, however many sources there are. What bringing
    the bytes of a source raises is raised here. To stop early, close the iterator.
    """
    return _stream(sources, work, workers, limits, None)


def read_one(
    source: Source, work: str = READ_BYTES, *, limits: Limits = DEFAULT_LIMITS, root: Path | None = None
) -> ReadFile:
    """Read one file in a process of its own, by fork where this process is small and has a single thread."""
    return _one(source, work, limits, root).single()


class Answer(msgspec.Struct, frozen=True):
    """What came back for one source: one read file, or one a member of an archive. ``sha256``: of the bytes given."""

    position: int
    name: str
    sha256: str
    reads: tuple[ReadFile, ...]

    def single(self) -> ReadFile:
        """The one read file; a finding stands for several."""
        if len(self.reads) == 1:
            return self.reads[0]
        return failed(self.name, self.sha256, decline("several_files", self.name).finding)


def _answers(sources: Sequence[Source], work: str, workers: int, limits: Limits, root: Path | None) -> list[Answer]:
    return sorted(_stream(sources, work, workers, limits, root), key=lambda answer: answer.position)


def _stream(sources: Sequence[Source], work: str, workers: int, limits: Limits, root: Path | None) -> Generator[Answer]:
    """The one pool: a thread a process, each taking the next source; what a thread meets is raised by the reader."""
    count = min(max(1, workers), len(sources))
    answers: Queue[Answer | BaseException | None] = Queue(count * _AHEAD)
    numbers, taking, over = iter(range(len(sources))), threading.Lock(), threading.Event()

    def serve() -> None:
        last: BaseException | None = None
        try:
            with contextlib.closing(Process(work, limits)) as process:
                while not over.is_set():
                    with taking:
                        number = next(numbers, None)
                    if number is None:
                        break
                    answers.put(_answer(number, sources[number], process, limits, root))
        except BaseException as fault:  # noqa: BLE001  (carried to the asking thread and raised there)
            last = fault
        answers.put(last)

    threads = [threading.Thread(target=serve, name=f"intake-{number}", daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    running = count
    try:
        while running:
            match answers.get():
                case Answer() as answer:
                    yield answer
                case None:
                    running -= 1
                case BaseException() as fault:
                    running -= 1
                    raise fault
    finally:
        over.set()
        for thread in threads:
            while thread.is_alive():
                with contextlib.suppress(Empty):  # it may be waiting to hand on an answer
                    answers.get_nowait()
                thread.join(0.02)


def _one(source: Source, work: str, limits: Limits, root: Path | None) -> Answer:
    if not _may_fork():
        return _answers([source], work, 1, limits, root)[0]
    with contextlib.closing(Fork(load(work), limits)) as process:
        return _answer(0, source, process, limits, root)


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


def _answer(position: int, source: Source, process: Child, limits: Limits, root: Path | None) -> Answer:
    name = _name(source)
    digest = ""
    try:
        data = take(source, name, limits, root) if isinstance(source, Path) else _bytes(source[1])
        digest = sha256(data).hexdigest()
        if len(data) > limits.file_bytes:
            raise oversized(name, len(data), limits)
        if not data:
            raise decline("empty_file", name)
    except Declined as declined:
        return Answer(position, name, digest, (failed(name, digest, declined.finding),))
    reads = process.ask(Job(name, data), digest)
    if len(reads) == 1 and reads[0].file != name:
        # The lone member of an archive stands under the archive's name and sum, for that is what was delivered.
        reads = (msgspec.structs.replace(reads[0], file=name, sha256=digest),)
    return Answer(position, name, digest, reads)


def _bytes(given: bytes | Callable[[], bytes]) -> bytes:
    return given if isinstance(given, bytes) else given()
