"""Parsing processes seen from outside: started, asked, waited for, ended with everything they started.

Belongs here: pipes, signals and patience. Does not belong here: which files are read (sandbox.py), what happens inside
a process (sandbox_worker.py).
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import msgspec

from pipelines.ingest.declined import decline
from pipelines.ingest.limits import MIB, Limits
from pipelines.ingest.sandbox_worker import Work, confine, failed, replies, resource_limit, write_all
from pipelines.ingest.wire import HEADER, Job, pack_job, unpack_reply
from schemas.findings import Finding
from schemas.intake import ReadFile

_ROOT = Path(__file__).parents[2]
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR")
_GRACE = 15  # seconds beyond the child's own clocks before it is ended from outside


class Child:
    """A parsing process as seen from outside: ``ask`` starts it when there is none, ``close`` ends it."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.pid = 0
        self.results = -1

    def begin(self, job: Job) -> None:
        """Start the process if need be and hand the job over. Raises OSError when the process is gone."""
        raise NotImplementedError

    def wait(self, patience: float | None) -> int | None:
        """The number of the signal that ended the process, 0 where none did; None where it still runs."""
        raise NotImplementedError

    def release(self) -> None:
        """Give back what an ended process held."""
        raise NotImplementedError

    def close(self) -> None:
        """End the process, which has nothing left to do."""
        self.end(patience=1.0)

    def end(self, patience: float = 0.0) -> int:
        """Wait so long for the process to end by itself, then kill it; the signal that it ended by, 0 for none."""
        if not self.pid:
            return 0
        number = self.wait(patience)
        if number is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait(None)
        _kill_session(self.pid)
        self.pid = 0
        self.release()
        return number or 0

    def ask(self, job: Job, digest: str) -> tuple[ReadFile, ...]:
        """The answers to a job. A process that dies, hangs or talks nonsense is ended, and the answer says so."""
        reads: list[ReadFile] = []
        try:
            self.begin(job)
            more = True
            while more:
                answered, more, spent = self._reply()
                reads += answered
            if spent:
                self.end()
        except TimeoutError:
            self.end()
            reads.append(failed(job.name, digest, resource_limit(job.name, "时间", "time")))
        except (EOFError, OSError):
            reads.append(failed(job.name, digest, _cause(job.name, self.end(patience=2.0))))
        except (msgspec.DecodeError, ValueError):
            self.end()
            reads.append(failed(job.name, digest, _fault(job.name, "回答无法理解", "its answer makes no sense")))
        return tuple(reads)

    def _reply(self) -> tuple[tuple[ReadFile, ...], bool, bool]:
        until = time.monotonic() + self.limits.wall_seconds + self.limits.office_seconds + _GRACE
        (length,) = HEADER.unpack(self._exactly(HEADER.size, until))
        if length > self.limits.output_bytes + MIB:
            raise ValueError(length)
        return unpack_reply(self._exactly(length, until))

    def _exactly(self, length: int, until: float) -> bytes:
        parts: list[bytes] = []
        while length:
            _ready(self.results, select.POLLIN, until)
            part = os.read(self.results, min(length, MIB))
            if not part:
                raise EOFError
            parts.append(part)
            length -= len(part)
        return b"".join(parts)


def _ready(descriptor: int, event: int, until: float) -> None:
    """Wait until a pipe can be read or written. Raises TimeoutError."""
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
        raise TimeoutError


class Process(Child):
    """A process of its own program, kept for many files."""

    def __init__(self, work: str, limits: Limits) -> None:
        super().__init__(limits)
        self._work = work
        self._jobs = -1
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, job: Job) -> None:
        """As in Child."""
        if not self.pid:
            self._start()
        until = time.monotonic() + _GRACE
        view = memoryview(pack_job(job))
        while view:
            _ready(self._jobs, select.POLLOUT, until)
            view = view[os.write(self._jobs, view[:65536]) :]

    def _start(self) -> None:
        environment = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
        environment |= {"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        settings = msgspec.json.encode(self.limits).decode()
        theirs_jobs, self._jobs = os.pipe()
        self.results, theirs_results = os.pipe()
        os.set_blocking(self._jobs, False)
        self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            [sys.executable, "-P", "-m", "pipelines.ingest.sandbox_worker", self._work, settings],
            stdin=theirs_jobs,
            stdout=theirs_results,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        self.pid = self._process.pid
        os.close(theirs_jobs)
        os.close(theirs_results)

    def wait(self, patience: float | None) -> int | None:
        """As in Child."""
        if self._process is None:
            return 0
        try:
            return max(0, -self._process.wait(patience))
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """As in Child; an idle process ends when its jobs end."""
        if self._jobs >= 0:
            os.close(self._jobs)
            self._jobs = -1
        super().close()

    def release(self) -> None:
        """As in Child."""
        for descriptor in (self._jobs, self.results):
            if descriptor >= 0:
                os.close(descriptor)
        self._jobs, self.results, self._process = -1, -1, None


class Fork(Child):
    """A fork of this process for a single file."""

    def __init__(self, work: Work, limits: Limits) -> None:
        super().__init__(limits)
        self._work = work

    def begin(self, job: Job) -> None:
        """As in Child."""
        self.results, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            self._serve(job, writing)
        os.close(writing)

    def _serve(self, job: Job, writing: int) -> NoReturn:
        code = 1
        try:
            os.setsid()
            quiet = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(quiet, descriptor)
            sys.stdout = sys.stderr = os.fdopen(quiet, "w")
            confine(self.limits)
            for frame in replies(job, self._work, self.limits):
                write_all(writing, frame)
            code = 0
        finally:
            os._exit(code)  # nothing of the asking process may run its endings twice

    def wait(self, patience: float | None) -> int | None:
        """As in Child."""
        until = time.monotonic() + (patience or 0.0)
        while True:
            ended, status = os.waitpid(self.pid, 0 if patience is None else os.WNOHANG)
            if ended:
                return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            if time.monotonic() >= until:
                return None
            time.sleep(0.001)

    def release(self) -> None:
        """As in Child."""
        if self.results >= 0:
            os.close(self.results)
        self.results = -1


def _cause(name: str, number: int) -> Finding:
    """The finding for a process that ended before it answered."""
    if number == signal.SIGXCPU:
        return resource_limit(name, "计算时间", "computing time")
    if number == signal.SIGALRM:
        return resource_limit(name, "时间", "time")
    if number in (signal.SIGKILL, signal.SIGABRT, signal.SIGXFSZ):
        # the system's own defence, or a library that gives up when it gets no more memory
        return resource_limit(name, "内存", "memory")
    return _fault(name, f"信号 {number}" if number else "意外结束", f"signal {number}" if number else "ended early")


def _fault(name: str, what: str, what_en: str) -> Finding:
    return decline("reader_fault", name, what=what, what_en=what_en).finding


def _kill_session(session: int) -> None:
    """Kill what a parsing process has started and left behind (a conversion); only its own session is touched."""
    try:
        entries = [entry for entry in os.listdir("/proc") if entry.isdecimal()]  # noqa: PTH208
    except OSError:
        return
    for entry in entries:
        try:
            fields = Path("/proc", entry, "stat").read_bytes().rpartition(b")")[2].split()
            # session leader first, so fields[3] is the session; the process itself is dealt with by its owner
            if int(fields[3]) == session and int(entry) != session:
                os.kill(int(entry), signal.SIGKILL)
        except (OSError, ValueError, IndexError):
            continue
