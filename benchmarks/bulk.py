"""Taking in and reading an inbox of thousands of files of mixed formats: files a second, growth, memory, a second look.

The inbox is made by bulk_files.py (synthetic; some of the files are broken or hostile; old spreadsheets, PDFs and
OpenDocument spreadsheets only where LibreOffice is there to make them). Each size is measured in fresh processes on a
fresh folder, one process a way:

- inventory: every file hashed and kept as an original, forced to disk; then a second look at the same inbox;
- readings: what `gongkai run` does, in two guarded processes, kept as it goes; then again, when all is known;
- cells: the readings decoded one by one into the table of cells;
- floor: the same files hashed and taken apart by the bare readers, no sense made, nothing kept;
- loop: the same files read one after the other in one process by our own readers, without pool, limits or keeping.

Growth is told by processor time, children included, since other programs do not count in it; memory is the most that
the asking process held.

    python -m benchmarks.bulk [--quick] [--files 1000 2000 ...] [--json FILE]
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import polars as pl

from benchmarks.bulk_files import YEAR, region_code, write_mixed
from benchmarks.ingest_ways import BARE
from benchmarks.machine import ROOT, libraries
from benchmarks.section import Cell, Figures, Section, arguments, deliver, slope, table
from pipelines.ingest.cells import cells_frame
from pipelines.ingest.declined import Declined
from pipelines.ingest.detect import recognise
from pipelines.ingest.inbox import receive
from pipelines.ingest.intake import read_received
from pipelines.ingest.packed import open_pack, write_pack
from pipelines.ingest.read import read_archive, read_bytes
from pipelines.storage import inbox_path, writing
from schemas.frames import tidy_types

SIZES = (1000, 2000, 5000, 20000)
QUICK = (100, 200)
ALONE = 2000  # files up to which the floor and the bare loop are measured as well
WORKERS = 2
WAYS = {
    "receive": "inventory: hash, keep, force to disk",
    "again": "inventory once more, nothing new",
    "read": f"readings: {WORKERS} guarded processes, kept",
    "known": "readings once more, all known",
    "cells": "cells: decode, one table, checked",
    "floor": "floor: hash and bare readers, one process",
    "loop": "peer: our readers in a bare loop, one process",
}


class Told(msgspec.Struct, frozen=True):
    """What one process measured: seconds by the clock, of processors with children, MiB, and how many things it made.

    ``before``: MiB that the process held before it began.
    """

    seconds: float
    processor: float
    peak: float
    before: float
    made: int


def _received(data: str) -> pl.DataFrame:
    code = region_code()
    rows = [{"region": code, "year": YEAR, **msgspec.structs.asdict(entry)} for entry in receive(data, code, YEAR)]
    return pl.DataFrame(rows, schema=tidy_types("received_files"), orient="row")


def _files(data: str) -> Iterator[Path]:
    return (path for path in Path(inbox_path(data, region_code(), YEAR).path).rglob("*") if path.is_file())


def _stored(data: str) -> Path:
    return Path(data) / "stored"


def _receive(data: str) -> int:
    return len(receive(data, region_code(), YEAR))


def _read(data: str) -> int:
    files = pl.read_parquet(_stored(data) / "received.parquet")
    readings, before = read_received(data, files, WORKERS)
    with writing(_stored(data) / "all.readings") as write:
        write_pack(readings, write)
    return len(files) - before


def _cells(data: str) -> int:
    return cells_frame(open_pack(_stored(data) / "all.readings"), region_code(), YEAR).height


def _floor(data: str) -> int:
    """Hash every file and take the text out of its tables as bare readers do; what they cannot open is passed by."""
    done = 0
    for path in _files(data):
        content = path.read_bytes()
        hashlib.sha256(content).digest()
        try:
            kind = recognise(content, path.name)
        except Declined:
            continue
        if kind in BARE:
            with contextlib.suppress(Exception):  # whatever a broken file brings about in a library
                done += bool(BARE[kind][2](content))
    return done


def _loop(data: str) -> int:
    """Read every file in this process, and be lucky that none of these hostile ones ends it."""
    done = 0
    for path in _files(data):
        content = path.read_bytes()
        done += len(read_archive(content, path.name)) if path.suffix == ".zip" else bool(read_bytes(content, path.name))
    return done


STEPS: dict[str, Callable[[str], int]] = {
    "receive": _receive, "again": _receive, "read": _read, "known": _read, "cells": _cells, "floor": _floor,
    "loop": _loop,
}  # fmt: skip


def step(name: str, data: str) -> Told:
    """One way in this process, which is a fresh one."""
    work, before = STEPS[name], _peak()
    begin, used = time.perf_counter(), _processor()
    made = work(data)
    return Told(time.perf_counter() - begin, _processor() - used, _peak(), before, made)


def _processor() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def _peak() -> float:
    """MiB held at most; the system's own count, since that of resource usage is handed on from the parent."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def measured(name: str, data: Path) -> Told:
    """One way in a process of its own. Raises SystemExit where it fails."""
    command = [sys.executable, "-m", "benchmarks.bulk", "--step", name, str(data)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} ended with {done.returncode}:\n{done.stderr.decode(errors='replace')}")
    return msgspec.json.decode(done.stdout, type=Told)


def at_size(count: int) -> tuple[dict[str, Told], dict[str, int], int]:
    """All ways for one number of files: what they took, how many files of each kind, bytes of the inbox."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        kinds = write_mixed(data, Path(folder, "regions"), count)
        size = sum(path.stat().st_size for path in _files(str(data)))
        told = {name: measured(name, data) for name in ("receive", "again")}
        (data / "stored").mkdir()
        _received(str(data)).write_parquet(data / "stored" / "received.parquet")
        told |= {name: measured(name, data) for name in ("read", "known", "cells")}
        if count <= ALONE:
            told |= {name: measured(name, data) for name in ("floor", "loop")}
    assert told["receive"].made == told["again"].made == told["read"].made == count
    assert told["known"].made <= count // 50, "damaged files alone are looked at again"
    if count <= ALONE:
        assert told["floor"].made > count // 2, "the bare readers read nothing"
    said = ", ".join(f"{name} {each.seconds:.1f} s" for name, each in told.items())
    print(f"{count} files: {said}", file=sys.stderr)
    return told, kinds, size


def measure(sizes: Sequence[int]) -> Section:
    """The whole section."""
    found = {count: at_size(count) for count in sizes}
    figures, rows = Figures(), list[tuple[Cell, ...]]()
    for count, (told, _, _) in found.items():
        for name, each in told.items():
            key = f"{count}.{name}"
            rows.append((
                f"{count:,}",
                WAYS[name],
                figures(f"{key}.seconds", each.seconds, "{:.2f}"),
                figures(f"{key}.files_s", count / each.seconds, "{:,.0f}"),
                figures(f"{key}.processor_ms", 1000 * each.processor / count, "{:.2f}"),
                figures(f"{key}.peak_mib", each.peak, "{:.0f}"),
                figures(f"{key}.above_start_mib", each.peak - each.before, "{:.0f}"),
            ))  # fmt: skip
    tables = [
        table(
            "Each way in a process of its own, on a fresh folder.",
            ("files", "way", "seconds", "files a second", "processor ms a file", "peak MiB", "above its start MiB"),
            rows,
        )
    ]
    both = [count for count in sizes if "floor" in found[count][0]]
    beside = [
        (
            f"{count:,}",
            figures(f"{count}.read.x_loop", _ratio(found[count][0], "read", "loop"), "{:.2f}"),
            figures(f"{count}.read.x_floor", _ratio(found[count][0], "read", "floor"), "{:.2f}"),
            figures(f"{count}.known.x_read", _ratio(found[count][0], "known", "read"), "{:.3f}"),
        )
        for count in both
    ]
    tables.append(
        table(
            "Processor time of the readings beside the bare loop and the floor; of the second run beside the first.",
            ("files", "x bare loop", "x floor", "second run x first"),
            beside,
        )
    )
    if len(sizes) > 1:
        growth = []
        for name in ("receive", "again", "read", "known", "cells"):
            points = {count: told[name].processor for count, (told, _, _) in found.items()}
            memory = {count: told[name].peak for count, (told, _, _) in found.items()}
            growth.append((
                WAYS[name],
                figures(f"growth.{name}.slope", slope(points), "{:.2f}"),
                figures(f"growth.{name}.peak_last_x_first", memory[sizes[-1]] / memory[sizes[0]], "{:.2f}"),
            ))  # fmt: skip
        tables.append(
            table(
                f"Growth from {sizes[0]:,} to {sizes[-1]:,} files: slope of processor time in logarithms (1: linear), "
                "and the most memory held beside that of the smallest.",
                ("way", "slope", "peak, largest x smallest"),
                growth,
            )
        )
    _, kinds, size = found[sizes[-1]]
    mixed = ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items()))
    there = set(kinds) >= {"ods", "xls"} or sizes[-1] < QUICK[-1]
    left = () if there else ("LibreOffice is not installed: ods, xls and pdf",)
    return Section(
        figures=figures.values,
        tables=tuple(tables),
        notes=(
            f"{sizes[-1]:,} files of {size / 2**20:,.0f} MiB: {mixed}. Smaller inboxes are drawn in the same shares. "
            "In the asking process only the inventory, an index and the output, the table of cells, grow with them.",
        ),
        left_out=left,
        libraries=libraries("polars", "python-calamine", "lxml", "pdfplumber"),
    )


def _ratio(told: dict[str, Told], one: str, other: str) -> float:
    return told[one].processor / told[other].processor


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    parser = arguments(__doc__)
    parser.add_argument("--files", type=int, nargs="+", help="these numbers of files")
    parser.add_argument("--step", nargs=2, metavar=("WAY", "DATA"), help="one way in this process, told as JSON")
    given = parser.parse_args(argv)
    logging.disable(logging.WARNING)
    if given.step:
        sys.stdout.write(json.dumps(msgspec.to_builtins(step(*given.step))))
        return
    deliver(measure(sorted(given.files or (QUICK if given.quick else SIZES))), given.json)


if __name__ == "__main__":
    main()
