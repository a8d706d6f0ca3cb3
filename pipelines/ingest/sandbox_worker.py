"""The parsing process: takes jobs, reads files under limits of its own, replies.

Belongs here: what happens inside the child. Does not belong here: starting, waiting for and replacing children
(sandbox.py). Kept light, because it starts on the way of the command line.
"""

from __future__ import annotations

import faulthandler
import gc
import math
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib import import_module

import msgspec

from pipelines.ingest.declined import Declined, decline
from pipelines.ingest.limits import MIB, Limits
from pipelines.ingest.wire import HEADER, Job, pack_reply, unpack_job
from schemas.findings import Finding
from schemas.intake import ReadFile

Work = Callable[[bytes, str, Limits], ReadFile]
_ZIP = b"PK"


def load(work: str) -> Work:
    """The function behind ``package.module:function``."""
    module, _, function = work.partition(":")
    found: Work = getattr(import_module(module), function)
    return found


def failed(name: str, digest: str, finding: Finding) -> ReadFile:
    """What stands for a file that was not read."""
    return ReadFile(file=name, sha256=digest, format="unknown", problems=(finding,))


def confine(limits: Limits) -> None:
    """Limits that hold for the life of this process. Only soft limits are lowered: LibreOffice gets its own.

    Memory counts from what the interpreter already occupies, and leaves a quarter of the limit for it.
    """
    soft = _occupied() + limits.memory_bytes * 3 // 4
    for what, value in (
        (resource.RLIMIT_AS, soft),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 256 * MIB),
        (resource.RLIMIT_NOFILE, 256),
    ):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
    for number in (signal.SIGALRM, signal.SIGXCPU, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    faulthandler.disable()  # a crash is answered from outside, and not on somebody's terminal


def _occupied() -> int:
    return _pages(0) or 256 * MIB


def _pages(column: int) -> int:
    """Bytes of this process: 0 its address space, 1 what is resident; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123  (one read, no Path needed this early)
            return int(file.read().split()[column]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0


def _start_clocks(limits: Limits) -> None:
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used) + limits.cpu_seconds, hard))
    signal.setitimer(signal.ITIMER_REAL, limits.wall_seconds)


def _stop_clocks() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))


def _read(work: Work, data: bytes, name: str, limits: Limits) -> tuple[ReadFile, bool]:
    """(the read file or what stands for it, whether this process has had enough)."""
    digest = sha256(data).hexdigest()
    try:
        return work(data, name, limits), False
    except Declined as declined:
        return failed(name, digest, declined.finding), False
    except MemoryError:
        return failed(name, digest, resource_limit(name, "内存", "memory")), True
    except BaseException as fault:
        if isinstance(fault, (KeyboardInterrupt, SystemExit, GeneratorExit)):
            raise
        finding = decline("reader_fault", name, what=type(fault).__name__, what_en=type(fault).__name__).finding
        return failed(name, digest, finding), True


def resource_limit(name: str, what: str, what_en: str) -> Finding:
    """The finding for a limit that was exceeded."""
    return decline("resource_limit", name, what=what, what_en=what_en).finding


def _members(data: bytes, name: str) -> list[tuple[str, bytes]]:
    """The files of an archive, [] for anything else."""
    if not data.startswith(_ZIP):
        return []
    from pipelines.ingest.detect import recognise
    from pipelines.ingest.readers.archive import members

    return members(data, name) if recognise(data, name) == "zip" else []


def replies(job: Job, work: Work, limits: Limits) -> Iterator[bytes]:
    """Frames that answer a job: one for a file, one a member for an archive. Each has the time of a whole file."""
    _start_clocks(limits)
    digest = sha256(job.data).hexdigest()
    try:
        inner = _members(job.data, job.name)
    except Declined as declined:
        _stop_clocks()
        yield pack_reply((failed(job.name, digest, declined.finding),), False, False)
        return
    except MemoryError:
        _stop_clocks()
        yield pack_reply((failed(job.name, digest, resource_limit(job.name, "内存", "memory")),), False, True)
        return
    files = [(f"{job.name}/{member}", data) for member, data in inner] or [(job.name, job.data)]
    for number, (name, data) in enumerate(files, start=1):
        _start_clocks(limits)
        read, spent = _read(work, data, name, limits)
        try:
            frame = pack_reply((read,), number < len(files), spent or _heavy(limits))
        except (UnicodeEncodeError, MemoryError):
            finding = decline("reader_fault", name, what="文字无法传递", what_en="its text cannot be passed on").finding
            frame = pack_reply((failed(name, sha256(data).hexdigest(), finding),), number < len(files), True)
        if len(frame) > limits.output_bytes:
            finding = resource_limit(name, "结果过大", "the result is too large")
            frame = pack_reply((failed(name, sha256(data).hexdigest(), finding),), number < len(files), True)
        _stop_clocks()
        yield frame


def _heavy(limits: Limits) -> bool:
    """Whether this process holds so much that the next file would be judged by what earlier files left behind.

    What it holds now, not ``ru_maxrss``: Linux hands that peak on from the process that started this one.
    """
    return _pages(1) > limits.memory_bytes // 2


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything. Raises OSError when the other side is gone."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _exactly(descriptor: int, length: int) -> bytes:
    parts: list[bytes] = []
    while length:
        part = os.read(descriptor, min(length, MIB))
        if not part:
            raise EOFError
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def main() -> None:
    """Serve jobs from standard input until it ends. Arguments: the work function, the limits as JSON."""
    work, limits = load(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Limits)
    jobs, results = os.dup(0), os.dup(1)
    quiet = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # whatever a library prints must not get among the frames
        os.dup2(quiet, descriptor)
    confine(limits)
    warm = False
    try:
        while True:
            (length,) = HEADER.unpack(_exactly(jobs, HEADER.size))
            job = unpack_job(_exactly(jobs, length))
            for frame in replies(job, work, limits):
                write_all(results, frame)
            if not warm:  # what the first file made us load stays for good: the collector need not look at it again
                gc.collect()
                gc.freeze()
                warm = True
    except (EOFError, BrokenPipeError):
        os._exit(0)


if __name__ == "__main__":
    main()
