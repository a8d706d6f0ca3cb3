"""The portal of a county of 66 bodies: time to build, to build again, and the size of the site.

The floor beside it is writing the same bytes to disk, forced, without making them. Figures are synthetic. Times are
medians of several rounds, each into a fresh folder, in one process after one warm-up; the first build of a process is
given apart, because it imports what it needs.

    python -m benchmarks.publish [--quick] [--json FILE]
"""

from __future__ import annotations

import gzip
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.machine import libraries
from benchmarks.section import Figures, Section, main, median_ratio, table
from pipelines.publish.portal import build_site
from pipelines.storage import sync_folder, write_synced
from tests.portal.published import publish_county
from tests.publish.county import CODE, YEAR

BODIES, YEARS = 66, 2
WAYS = {
    "first": "first build of a process",
    "fresh": "whole site anew",
    "floor": "floor: write the same bytes",
    "same": "nothing changed",
    "one": "one year of two changed",
}

Seconds = tuple[float, float]


def timed(work: Callable[[], object]) -> Seconds:
    """Seconds that ``work`` takes: by the clock, and of the processor (which other programs do not lengthen)."""
    start, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - busy


def floor(site: Path, target: Path) -> None:
    """Write the site's bytes to another folder, forced to disk."""
    folders = {target}
    for path in (path for path in site.rglob("*") if path.is_file()):
        copy = target / path.relative_to(site)
        copy.parent.mkdir(parents=True, exist_ok=True)
        folders.add(copy.parent)
        write_synced(copy, path.read_bytes())
    for folder in folders:
        sync_folder(folder)


def sizes(site: Path) -> dict[str, dict[str, int]]:
    """Files, bytes and gzipped bytes by kind of file."""
    found: dict[str, dict[str, int]] = {}
    for path in (path for path in sorted(site.rglob("*")) if path.is_file()):
        data = path.read_bytes()
        kind = found.setdefault(path.suffix.removeprefix(".") or path.name, {"files": 0, "bytes": 0, "gzip": 0})
        kind["files"] += 1
        kind["bytes"] += len(data)
        kind["gzip"] += len(gzip.compress(data, 6, mtime=0))
    return found


def rounds_of(folder: Path, bodies: int, rounds: int) -> tuple[dict[str, list[Seconds]], Path]:
    """Seconds of each way round by round, and a whole site."""
    out, whole = folder / "out", folder / "first"
    for year in range(YEAR - YEARS + 1, YEAR + 1):
        publish_county(out, count=bodies, year=year)
    taken: dict[str, list[Seconds]] = {name: [] for name in WAYS}
    taken["first"].append(timed(lambda: build_site(out, whole)))
    for number in range(rounds):
        site = folder / f"site-{number}"
        taken["fresh"].append(timed(lambda site=site: build_site(out, site)))
        taken["floor"].append(timed(lambda site=site, number=number: floor(site, folder / f"floor-{number}")))
        taken["same"].append(timed(lambda site=site: build_site(out, site)))
    for number in range(rounds):  # last, as what is published changes
        publish_county(out, count=bodies, seed=number + 2)
        taken["one"].append(timed(lambda: build_site(out, folder / "site-0")))
    return taken, whole


def measure(quick: bool) -> Section:
    """The whole section."""
    bodies, rounds = (5, 1) if quick else (BODIES, 5)
    figures, rows = Figures(), []
    with tempfile.TemporaryDirectory() as folder:
        taken, whole = rounds_of(Path(folder), bodies, rounds)
        kinds, pages = sizes(whole), sorted((whole / CODE / str(YEAR)).glob("*.html"))
        weights = [
            (path.name, len(path.read_bytes()), len(gzip.compress(path.read_bytes(), 6, mtime=0))) for path in pages
        ]
    floors = [clock for clock, _ in taken["floor"]]
    for name, title in WAYS.items():
        clock, processor = ([each[at] for each in taken[name]] for at in (0, 1))
        ratio = figures(f"{name}.x_floor", median_ratio(clock, floors), "{:.2f}") if name != "first" else ""
        rows.append((
            title,
            figures(f"{name}.seconds", statistics.median(clock), "{:.3f}"),
            figures(f"{name}.processor", statistics.median(processor), "{:.3f}"),
            ratio,
        ))  # fmt: skip
    by_kind = [
        (kind, *(figures(f"site.{kind}.{key}", found[key], "{:,.0f}") for key in ("files", "bytes", "gzip")))
        for kind, found in kinds.items()
    ]
    by_page = [
        (name, figures(f"page.{name}.bytes", size, "{:,.0f}"), figures(f"page.{name}.gzip", packed, "{:,.0f}"))
        for name, size, packed in weights
    ]
    return Section(
        figures=figures.values,
        tables=(
            table(
                f"The portal of one county of {bodies} bodies and {YEARS} years, in one process. Rounds: {rounds}.",
                ("build", "seconds", "processor s", "x floor"),
                rows,
            ),
            table("What the site weighs, by kind of file.", ("kind", "files", "bytes", "gzipped"), by_kind),
            table("What a page of a year weighs.", ("page", "bytes", "gzipped"), by_page),
        ),
        libraries=libraries("jinja2", "pyarrow", "xlsxwriter"),
    )


if __name__ == "__main__":
    main(measure, __doc__)
