"""Where something was measured: the machine, how busy it was, versions, the peers' environment.

Belongs here: facts told by the system. Does not belong here: anything measured. No name of a host, a user or a path is
told.
"""

from __future__ import annotations

import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / ".venv-peers" / ("Scripts" if os.name == "nt" else "bin") / "python"
NO_PEERS = "peers are not installed: make setup-peers"
MIB = 1024 * 1024
IDLE = 0.25  # of the processors: a load above that at the start is told as busy
OTHERS = 0.10  # of the processors' time: as much taken by other programs meanwhile is told as busy


class Machine(msgspec.Struct, frozen=True):
    """What was measured on."""

    processors: int
    model: str
    memory_gib: int
    kernel: str
    file_system: str
    python: str


class Stretch(msgspec.Struct, frozen=True):
    """A stretch of time: seconds by the clock, and the share of all processor time that other programs took."""

    seconds: float
    others: float | None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def file_system(place: Path) -> str:
    """The kind of file system that holds a folder, e.g. ``ext4``; ``unknown`` where the system does not tell."""
    mounts = [line.split() for line in _read("/proc/mounts").splitlines()]
    holding = [(len(fields[1]), fields[2]) for fields in mounts if place.resolve().is_relative_to(fields[1])]
    return max(holding, key=lambda each: each[0])[1] if holding else "unknown"


def machine() -> Machine:
    """This machine; the file system is the one of temporary folders, where benchmarks keep their data."""
    models = re.findall(r"model name\s*: (.*)", _read("/proc/cpuinfo"))
    return Machine(
        processors=os.cpu_count() or 1,
        model=models[0] if models else platform.machine(),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3),
        kernel=f"{platform.system()} {platform.release().partition('-')[0]}",
        file_system=file_system(Path(tempfile.gettempdir())),
        python=platform.python_version(),
    )


def available_memory() -> int:
    """Bytes that programs may take without swapping; a quarter of all memory where the system does not tell."""
    found = re.search(r"MemAvailable:\s+(\d+) kB", _read("/proc/meminfo"))
    if found:
        return int(found[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4


def _busy() -> float | None:
    """Seconds that all processors have worked since the start of the system."""
    first = _read("/proc/stat").partition("\n")[0].split()
    if len(first) < 9 or first[0] != "cpu":
        return None
    user, nice, kernel, _, _, hard, soft, _ = (int(value) for value in first[1:9])
    return (user + nice + kernel + hard + soft) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


class Watch:
    """Measures a stretch, and whether other programs worked meanwhile (what our own child processes took is ours)."""

    def __init__(self) -> None:
        self.start, self.busy, self.own = time.perf_counter(), _busy(), _own()

    def stop(self) -> Stretch:
        seconds, busy, own = time.perf_counter() - self.start, _busy(), _own() - self.own
        if busy is None or self.busy is None or seconds <= 0:
            return Stretch(round(seconds, 1), None)
        share = (busy - self.busy - own) / (seconds * (os.cpu_count() or 1))
        return Stretch(round(seconds, 1), round(min(max(share, 0.0), 1.0), 3))


def libraries(*names: str, python: Path | None = None) -> dict[str, str]:
    """The versions of what is measured by the names of distributions; absent ones are left out.

    With ``python``: of another environment.
    """
    if python is None:
        return {name: found for name in names if (found := _version(name))}
    ask = (
        "import json, sys; from importlib import metadata as m\n"
        "there = {d.metadata['Name'].lower(): d.version for d in m.distributions()}\n"
        "print(json.dumps({n: there[n.lower()] for n in sys.argv[1:] if n.lower() in there}))"
    )
    done = subprocess.run([str(python), "-c", ask, *names], capture_output=True, text=True, check=True)
    return msgspec.json.decode(done.stdout, type=dict[str, str])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def peers() -> Path | None:
    """The Python of the peers' environment; None where `make setup-peers` has not made it."""
    return PEERS if PEERS.exists() else None


def interpreter(peer: bool) -> Path:
    """The Python that runs a way of ours or a peer's. Raises FileNotFoundError where peers are not installed."""
    if not peer:
        return Path(sys.executable)
    if (found := peers()) is None:
        raise FileNotFoundError(NO_PEERS)
    return found


def commit() -> str:
    """The commit that the tree stands at, ``+`` behind it where files are changed; ``unknown`` outside a clone."""

    def git(*arguments: str) -> str | None:
        command = ["git", "--no-optional-locks", "-C", str(ROOT), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    try:
        head = git("rev-parse", "--short=12", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/RESULTS.md",
                      ":!benchmarks/results.json")  # fmt: skip
    except FileNotFoundError:
        return "unknown"
    return "unknown" if head is None else head + ("+" if changed else "")


def said(versions: Mapping[str, str], order: Sequence[str] = ()) -> str:
    """Versions as a list of words."""
    names = [*order, *sorted(name for name in versions if name not in order)]
    return ", ".join(f"{name} {versions[name]}" for name in names if name in versions)
