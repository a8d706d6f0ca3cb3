"""Reading returns: computing time a file beside the bare reader alone, files a second in the guarded processes, peers.

The files are the sample county's returns of 2023 (synthetic), each body's in every format; the PDFs are some of the
documents saved by LibreOffice and are left out where it is absent. All ways read the same files, in turn, round after
round: ours and the bare reader in one process, as a reading process of ours has only them loaded, each peer in one of
its own (`make setup-peers`). Computing time, not wall time; the guarded processes alone are measured by the clock.

    python -m benchmarks.ingest [--quick] [--json FILE]
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.ingest_peers import PEERS
from benchmarks.ingest_ways import BARE
from benchmarks.machine import NO_PEERS, ROOT, libraries, peers
from benchmarks.rounds import Worker
from benchmarks.section import Cell, Figures, Section, main, table
from pipelines.ingest.sandbox import read_many
from pipelines.regions import load_region
from pipelines.sample.county import REGIONS, make_county, make_indicators
from pipelines.sample.inbox import ENCODINGS, return_file
from schemas.form import edition_for, load_form

REGION, YEAR = "511725", 2023
WORKERS = 2


def files(count: int, pages: int) -> dict[str, list[bytes]]:
    """The returns of ``count`` bodies by format; PDFs of ``pages`` of them."""
    region = load_region(REGIONS, REGION)
    form = load_form(edition_for(YEAR))
    values, indicators = make_county(region, YEAR), make_indicators(region, YEAR)
    bodies = region.roster(YEAR)[:count]
    found = {
        kind: [
            return_file(
                form, region, body, YEAR, kind, values[body.code], indicators[body.code],
                encoding=ENCODINGS[number % len(ENCODINGS)],
            )
            for number, body in enumerate(bodies)
        ]
        for kind in ("xlsx", "docx", "html", "csv")
    }  # fmt: skip
    printed = as_pdf(found["docx"][:pages])
    return {**found, "pdf": printed} if printed else found


def as_pdf(documents: Sequence[bytes]) -> list[bytes]:
    """The documents as LibreOffice prints them; [] where it is absent."""
    program = shutil.which("soffice") or shutil.which("libreoffice")
    if not program or not documents:
        return []
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.docx") for number in range(len(documents))]
        for path, data in zip(paths, documents, strict=True):
            path.write_bytes(data)
        profile = f"-env:UserInstallation={Path(folder, 'profile').as_uri()}"
        command = [program, profile, "--headless", "--convert-to", "pdf", "--outdir", folder, *map(str, paths)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        return [path.with_suffix(".pdf").read_bytes() for path in paths]


def measured(kind: str, data: Sequence[bytes], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of computing a file by way, round by round; the first round warms and is not counted."""
    taken: dict[str, list[float]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for number, one in enumerate(data):
            (folder / f"{number:03}").write_bytes(one)
        started = [Worker(Path(sys.executable), "benchmarks.ingest_ways", kind, folder=folder, root=ROOT)]
        if (python := peers()) is not None:
            started += [
                Worker(python, "benchmarks.ingest_peers", kind, name, folder=folder, root=ROOT) for name in PEERS[kind]
            ]
        for worker in started:
            stack.enter_context(worker)
        for number in range(rounds + 1):
            for worker in started:
                for name, ms in worker.round().items():
                    taken.setdefault(name, []).extend([ms] if number else [])
    return taken


def guarded(data: Sequence[bytes], rounds: int) -> float:
    """Files a second by the clock in two guarded processes, each started for the round."""
    speeds = []
    for number in range(rounds):
        begin = time.perf_counter()
        reads = read_many([(f"{number}-{n}", one) for n, one in enumerate(data)], workers=WORKERS)
        speeds.append(len(data) / (time.perf_counter() - begin))
        if not all(read.readable for read in reads):
            raise SystemExit("a return of the sample was not read")
    return statistics.median(speeds)


def rows_of(figures: Figures, kind: str, taken: dict[str, list[float]], speed: float) -> list[tuple[Cell, ...]]:
    """The rows of one format: bare, ours, peers, and ours by the clock."""
    names = {"bare": f"bare: {BARE[kind][0]}", "gongkai": "gongkai: cells, claims, findings"}
    names |= {name: f"peer: {peer[0]}" for name, peer in PEERS[kind].items()}
    bare, rows = statistics.median(taken["bare"]), []
    for name in taken:
        ms, key = statistics.median(taken[name]), f"{kind}.{name}"
        above = statistics.median(own - floor for own, floor in zip(taken[name], taken["bare"], strict=True))
        rows.append((
            kind,
            names[name],
            figures(f"{key}.ms", ms, "{:.1f}"),
            figures(f"{key}.files_s", 1000 / ms, "{:,.0f}"),
            figures(f"{key}.above_bare_ms", above, "{:+.1f}") if name != "bare" else "",
            figures(f"{key}.x_bare", ms / bare, "{:.2f}") if name != "bare" else "",
        ))  # fmt: skip
    clock = figures(f"{kind}.guarded.files_s", speed, "{:,.0f}")
    return [*rows, (kind, f"gongkai, {WORKERS} guarded processes with their start, by the clock", "", clock, "", "")]


def measure(quick: bool) -> Section:
    """The whole section."""
    count, pages, rounds = (3, 1, 1) if quick else (24, 4, 7)
    figures, rows, left = Figures(), [], []
    found = files(count, pages)
    if "pdf" not in found:
        left.append("PDF, because LibreOffice is not installed")
    if (python := peers()) is None:
        left.append(NO_PEERS)
    for kind, data in found.items():
        taken = measured(kind, data, min(rounds, 3) if kind == "pdf" else rounds)
        rows += rows_of(figures, kind, taken, guarded(data, 1 if quick else 3))
    needed = {need for kind in found for _, needs, _ in PEERS[kind].values() for need in needs}
    return Section(
        figures=figures.values,
        tables=(
            table(
                f"Returns of {count} bodies in each format ({pages} of them as PDF). Rounds: {rounds}.",
                ("format", "way", "ms a file", "files a second", "ms above bare", "x bare"),
                rows,
            ),
        ),
        notes=(
            "Bare readers and peers only take the text out of the tables; `gongkai` also finds the cells of the form, "
            "the claims in the text, who reports for which year, and what is wrong.",
        ),
        left_out=tuple(left),
        libraries=(libraries(*sorted(needed), python=python) if python else {})
        | libraries(*(name for kind in found if (name := BARE[kind][1]))),
    )


if __name__ == "__main__":
    main(measure, __doc__)
