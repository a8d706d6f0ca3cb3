"""One mutant at a time, each in a process of its own, against the tests of its module.

Belongs here: processes and their limits, the mutated module in the place of the real one, verdicts. Does not belong
here: which changes there are (mutants.py), what is asked for and printed (__main__.py).

A process is a fork, so that outside packages are imported once for all. The changed module is compiled from its tree in
memory: no file is written, and the work tree may be edited or tested by others meanwhile.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Literal

from tests.mutation.mutants import Mutant, mutated

Verdict = Literal["killed", "survived", "timeout"]
MEMORY = 4 << 30
# Imported before the first fork because tests import them anyway; never a package of the project, nor one with threads.
PRELOAD = ("pytest", "_pytest.pytester", "hypothesis", "hypothesis.strategies", "msgspec", "decimal", "fractions")


class BaselineError(Exception):
    """The tests of a module do not pass without any change, or there are none."""


@dataclass(frozen=True)
class Target:
    """A module under test and the tests that must notice changes in it."""

    module: str
    tests: tuple[str, ...]
    root: Path

    @property
    def path(self) -> Path:
        """The module's file. Raises FileNotFoundError."""
        path = self.root / Path(*self.module.split(".")).with_suffix(".py")
        if not path.is_file():
            raise FileNotFoundError(path)
        return path


@dataclass(frozen=True)
class Job:
    """A mutant to try. ``source``: the module's text as it was when the mutant was made; the file may have moved on."""

    target: Target
    source: str
    mutant: Mutant


@dataclass(frozen=True)
class Tried:
    """A mutant and what became of it."""

    target: Target
    mutant: Mutant
    verdict: Verdict


class _Mutated(importlib.machinery.SourceFileLoader):
    """Loads the real file's module from another tree. Nothing is cached, on disk or elsewhere."""

    def __init__(self, module: str, path: str, code: CodeType) -> None:
        super().__init__(module, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        return self._code


class _InPlace(importlib.abc.MetaPathFinder):
    def __init__(self, loader: _Mutated) -> None:
        self._loader = loader

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._loader.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._loader.path, loader=self._loader)


def _run_tests(target: Target, job: Job | None, seconds: int, output: int) -> int:
    """In the forked process: pytest's exit code on the target's tests, with the mutant in place (None: no change)."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdin = open(os.devnull)  # noqa: SIM115, PTH123 - lives as long as the process
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(target.root)
    sys.path.insert(0, str(target.root))
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    if job is not None:
        tree = mutated(job.source, job.mutant.number)
        code = compile(tree, str(target.path), "exec", dont_inherit=True)
        sys.meta_path.insert(0, _InPlace(_Mutated(target.module, str(target.path), code)))
    import hypothesis
    import pytest

    # The same examples each time; a failure is enough, the smallest one is not looked for.
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutation", derandomize=True, database=None, deadline=None, phases=phases)
    hypothesis.settings.load_profile("mutation")
    options = ["-x", "-q", "--no-header", "--tb=line", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return int(pytest.main([*options, *target.tests]))


def _fork(target: Target, job: Job | None, seconds: int, output: int) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.setsid()
        code = _run_tests(target, job, seconds, output)
    except BaseException:  # noqa: BLE001 - whatever a mutant does, it was noticed
        traceback.print_exc(file=sys.__stderr__)
        code = 71
    finally:
        os._exit(code)


def _ended(pid: int, block: bool) -> int | None:
    """The exit code of a process (negative: the signal); None where it still runs."""
    ended, status = os.waitpid(pid, 0 if block else os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _kill(pid: int) -> None:
    """Kill a test process and everything it started: it leads a session of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def preload() -> None:
    """Import what every test process needs, once."""
    for name in PRELOAD:
        importlib.import_module(name)


def baseline(target: Target, seconds: int = 120) -> float:
    """The computing seconds of the target's tests without any change. Raises BaselineError."""
    with tempfile.TemporaryFile() as output:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        code = _ended(_fork(target, None, seconds, output.fileno()), block=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if code != 0:
            output.seek(0)
            said = output.read()[-3000:].decode("utf-8", "replace")
            raise BaselineError(f"{target.module}: {' '.join(target.tests)} ended with {code} unchanged:\n{said}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _verdict(code: int) -> Verdict:
    if code == 0:
        return "survived"
    return "timeout" if code in (-signal.SIGXCPU, -signal.SIGKILL) else "killed"


def run(
    jobs: Iterable[Job],
    usual: Mapping[Target, float],
    processes: int,
    until: Callable[[], bool] = lambda: False,
) -> Iterator[Tried]:
    """Try mutants, at most ``processes`` at once, in the order given; answers come as they end.

    ``usual``: the computing seconds of each target's tests without any change. Three times that and two more are
    allowed, and ten times as much of the clock. ``until``: no further mutant is begun once it says so.
    """
    waiting = iter(jobs)
    running: dict[int, tuple[Job, float]] = {}
    with open(os.devnull, "wb") as output:  # noqa: PTH123 - a device
        try:
            while True:
                while len(running) < processes and not until():
                    job = next(waiting, None)
                    if job is None:
                        break
                    seconds = int(3 * usual[job.target]) + 2
                    pid = _fork(job.target, job, seconds, output.fileno())
                    running[pid] = (job, time.monotonic() + 10 * seconds)
                if not running:
                    return
                time.sleep(0.005)
                for pid, (job, end) in list(running.items()):
                    if time.monotonic() > end:
                        _kill(pid)
                    code = _ended(pid, block=False)
                    if code is not None:
                        del running[pid]
                        _kill(pid)
                        yield Tried(job.target, job.mutant, _verdict(code))
        finally:
            for pid in running:
                _kill(pid)
                _ended(pid, block=True)
