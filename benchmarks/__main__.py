"""All benchmarks, or some, each in a process of its own, and the written report.

    python -m benchmarks [--only NAME ...] [--quick] [--write | --into FOLDER]

``--write`` puts RESULTS.md and results.json into benchmarks/ (what `make benchmarks` does), ``--into`` into another
folder; without either the report is shown. A section that fails, or is not run, keeps what was known of it
before, and the report says so. Which sections there are stands in sections.toml. Exit code 1: a section failed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.machine import ROOT, Stretch, Watch, commit, machine
from benchmarks.report import (
    HERE,
    REPORT,
    RESULTS,
    Entry,
    Failure,
    Kept,
    Results,
    Taken,
    load_entries,
    load_results,
    report,
    results_bytes,
)
from benchmarks.section import Section
from pipelines.storage import write_atomic

SLOWER = 8  # times as long as expected a section may take, and
PATIENCE = 300  # as many seconds more, before it counts as failed


def run_module(entry: Entry, quick: bool) -> tuple[Section | str, Stretch]:
    """Run one section; its figures, or in a line why there are none."""
    expected = entry.quick if quick else entry.seconds
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        told, said = Path(folder) / "section.json", Path(folder) / "said.txt"
        command = [sys.executable, "-m", entry.module, "--json", str(told), *(["--quick"] if quick else [])]
        with said.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
            try:
                code = process.wait(timeout=SLOWER * expected + PATIENCE)
            except BaseException as problem:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                if not isinstance(problem, subprocess.TimeoutExpired):
                    raise
                return f"it took longer than {problem.timeout:.0f} s", watch.stop()
        lines = [line for line in said.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        if code:
            sys.stderr.write("".join(f"    {line}\n" for line in lines[-20:]))
            return lines[-1].strip() if lines else f"it ended with {code}", watch.stop()
        try:
            return msgspec.json.decode(told.read_bytes(), type=Section), watch.stop()
        except (OSError, msgspec.MsgspecError) as problem:
            return f"it told nothing that can be read: {problem}", watch.stop()


def plain(reason: str) -> str:
    """A reason without places of this machine."""
    return reason.replace(str(ROOT), ".").replace(tempfile.gettempdir(), "TMP").replace(str(Path.home()), "~")


def after(before: Kept, taken: Taken, found: Section | str, stretch: Stretch) -> Kept:
    """What is known of a section after it was run once more."""
    if isinstance(found, Section):
        return Kept(section=found, taken=taken, stretch=stretch)
    failure = Failure(date=taken.date, commit=taken.commit, reason=plain(found))
    return msgspec.structs.replace(before, failure=failure)


def put(folder: Path, entries: Sequence[Entry], results: Results) -> None:
    """Write both files, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / RESULTS.name, results_bytes(results))
    write_atomic(folder / REPORT.name, report(entries, results).encode())


def measure(entries: Sequence[Entry], chosen: Sequence[Entry], quick: bool, folder: Path | None) -> Results:
    """Run the chosen sections in turn, a line for each; what is known is written after every one."""
    taken = Taken(
        date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        commit=commit(),
        load=round(os.getloadavg()[0], 2),
        machine=machine(),
        quick=quick,
    )
    before = load_results(folder / RESULTS.name) if folder else None
    known = {entry.name for entry in entries}
    sections = {name: kept for name, kept in before.sections.items() if name in known} if before else {}
    results = Results(run=taken, sections=sections)
    left = [entry.quick if quick else entry.seconds for entry in chosen]
    print(f"{len(chosen)} sections, about {sum(left)} s; load {taken.load}", flush=True)
    for number, entry in enumerate(chosen, 1):
        found, stretch = run_module(entry, quick)
        outcome = "measured" if isinstance(found, Section) else f"FAILED: {plain(found)}"
        rest = f", about {sum(left[number:])} s left" if number < len(chosen) else ""
        print(f"[{number}/{len(chosen)}] {entry.name}: {outcome} in {stretch.seconds:.0f} s{rest}", flush=True)
        sections = sections | {entry.name: after(sections.get(entry.name, Kept()), taken, found, stretch)}
        results = Results(run=taken, sections=sections)
        if folder:
            put(folder, entries, results)
    return results


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    entries = load_entries()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=[entry.name for entry in entries], metavar="NAME", default=[])
    parser.add_argument("--quick", action="store_true", help="small sizes, few rounds, under 3 minutes")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--write", action="store_true", help="write RESULTS.md and results.json in benchmarks/")
    place.add_argument("--into", type=Path, metavar="FOLDER", help="write them into this folder")
    given = parser.parse_args(argv)
    folder = HERE if given.write else given.into
    if given.quick and folder and folder.resolve().is_relative_to(ROOT):
        parser.error("a quick run measures nothing worth keeping: --into a folder outside the project")
    chosen = [entry for entry in entries if not given.only or entry.name in given.only]
    results = measure(entries, chosen, given.quick, folder)
    print(f"written: {folder / REPORT.name}" if folder else f"\n{report(entries, results)}")
    return int(any(results.sections[entry.name].failure is not None for entry in chosen))


if __name__ == "__main__":
    raise SystemExit(main())
