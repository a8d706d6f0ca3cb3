"""The portal of a county of 66 bodies: time to build, to build again, and the size of the site.

The floor beside it is writing the same bytes to disk, forced, without making them. Figures are synthetic. Times are
medians of several rounds, each into a fresh folder, in one process after one warm-up; the first build of a process is
given apart, because it imports what it needs.

    python -m benchmarks.publish [--bodies 66] [--rounds 5]
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from pipelines.publish.portal import build_site
from pipelines.storage import sync_folder, write_synced
from tests.portal.published import publish_county
from tests.publish.county import CODE, YEAR

Seconds = tuple[float, float]


def timed(work: Callable[[], object]) -> Seconds:
    """Seconds that ``work`` takes: by the clock, and of the processor (which other programs do not lengthen)."""
    start, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - busy


def medians(measured: list[Seconds]) -> dict[str, float]:
    """The medians of both."""
    clock, processor = zip(*measured, strict=True)
    return {"clock": round(statistics.median(clock), 4), "processor": round(statistics.median(processor), 4)}


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


def measure(bodies: int, rounds: int) -> dict[str, object]:
    """All figures of the benchmark."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        publish_county(out, count=bodies)
        publish_county(out, count=bodies, year=YEAR - 1)
        first = timed(lambda: build_site(out, Path(folder) / "first"))
        fresh, floors, same, one = [], [], [], []
        for number in range(rounds):
            site = Path(folder) / f"site-{number}"
            fresh.append(timed(lambda site=site: build_site(out, site)))
            floors.append(timed(lambda site=site, number=number: floor(site, Path(folder) / f"floor-{number}")))
            same.append(timed(lambda site=site: build_site(out, site)))
        site = Path(folder) / "site-0"
        for number in range(rounds):
            publish_county(out, count=bodies, seed=number + 2)
            one.append(timed(lambda: build_site(out, site)))
        whole = Path(folder) / "first"
        pages = whole / CODE / str(YEAR)
        return {
            "bodies": bodies,
            "years": 2,
            "rounds": rounds,
            "seconds": {
                "first build of a process": medians([first]),
                "whole site anew": medians(fresh),
                "floor: write the same bytes": medians(floors),
                "nothing changed": medians(same),
                "one year of two changed": medians(one),
            },
            "site": sizes(whole),
            "page weight": {
                path.name: {"bytes": len(data), "gzip": len(gzip.compress(data, 6, mtime=0))}
                for path in sorted(pages.glob("*.html"))
                for data in [path.read_bytes()]
            },
            "machine": {
                "python": platform.python_version(),
                "system": platform.system(),
                "processor": platform.machine(),
                **{name: version(name) for name in ("jinja2", "pyarrow", "xlsxwriter")},
            },
        }


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bodies", type=int, default=66)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print(json.dumps(measure(given.bodies, given.rounds), indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
