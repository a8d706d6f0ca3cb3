"""The roll-up of released counties: worked out whole, again with nothing changed, and with one county released anew.

An invented country of counties with two bodies each, each with a release of its own, is added up to cities, provinces
and the country, checked and released by the assets themselves, in one process. The floor beside it is reading and
hashing every released file once. Processor time, which other programs do not lengthen. All figures are synthetic.

    python -m benchmarks.rollup [--quick] [--json FILE]
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from assets.io_managers import PackageIOManager
from assets.resources import Workspace
from assets.rollup import rollup, rollup_package
from benchmarks.country import Country, Place, county, places
from benchmarks.country_regions import region_files
from benchmarks.machine import libraries
from benchmarks.publish import timed
from benchmarks.section import Cell, Figures, Section, main, slope, table
from pipelines.storage import sha256, tables_path
from tests.portal.published import publish_county

BODIES, YEAR = 2, 2023
WAYS = {
    "floor": "floor: read and hash what the counties released",
    "full": "worked out whole",
    "same": "nothing changed",
    "one": "one county released anew",
}


def released(root: Path, country: Country, place: Place, seed: int) -> None:
    """A county's declaration and its release, with figures by ``seed``."""
    folder = root / "regions" / place.code
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in region_files(place, county(country, place)).items():
        (folder / name).write_bytes(content)
    publish_county(root / "out", count=BODIES, seed=seed, code=place.code)


def hashed(out: Path) -> None:
    """The floor."""
    for path in out.glob("[0-9]*/*/releases/**/*"):
        if path.is_file():
            sha256(path.read_bytes())


def rolled_up(root: Path) -> int:
    """Run the roll-up; answer how many provinces were worked out. Raises what the assets raise."""
    workspace = Workspace(data=str(root / "data"), out=str(root / "out"), regions=str(root / "regions"))
    result = dg.materialize(
        [rollup_package, rollup],
        partition_key=str(YEAR),
        resources={"workspace": workspace, "package": PackageIOManager(tables_path(str(root / "data")))},
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    [made] = result.asset_materializations_for_node("rollup_package")
    return int(str(made.metadata["重新计算 / worked out"].value))


def rounds_of(root: Path, counties: int, rounds: int) -> dict[str, list[float]]:
    """Processor seconds of each way, round by round. Raises SystemExit where more or less is worked out than should."""
    country = Country(counties=counties, bodies=BODIES, wrong=0)
    drawn = places(country)
    for number, place in enumerate(drawn):
        released(root, country, place, 1 + number)
    provinces = len({place.code[:2] for place in drawn})
    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    worked_out: dict[str, list[int]] = {way: [] for way in WAYS}

    def run(way: str) -> None:
        taken[way].append(timed(lambda: worked_out[way].append(rolled_up(root)))[1])

    run("full")
    for number in range(rounds):
        taken["floor"].append(timed(lambda: hashed(root / "out"))[1])
        run("same")
        released(root, country, drawn[number], counties + number + 1)
        run("one")
    expected = {"floor": [], "full": [provinces], "same": [0] * rounds, "one": [1] * rounds}
    if worked_out != expected:
        raise SystemExit(f"provinces worked out: {worked_out}, expected {expected}")
    return taken


def rows_of(figures: Figures, counties: int, taken: Mapping[str, list[float]]) -> list[list[Cell]]:
    """A row per way."""
    full, floor = taken["full"][0], statistics.median(taken["floor"])
    rows: list[list[Cell]] = []
    for way, title in WAYS.items():
        key, seconds = f"{counties}.{way}", statistics.median(taken[way])
        rows.append([
            f"{counties:,}",
            title,
            figures(f"{key}.processor", seconds, "{:.2f}"),
            figures(f"{key}.x_floor", seconds / floor, "{:.1f}"),
            figures(f"{key}.x_full", seconds / full, "{:.2f}"),
        ])  # fmt: skip
    return rows


def measure(quick: bool) -> Section:
    """The whole section."""
    sizes, rounds = ((6, 12), 1) if quick else ((100, 400), 3)
    figures, rows = Figures(), []
    whole: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        rounds_of(Path(folder), 2, 1)  # what a process does once is not counted
    for counties in sizes:
        with tempfile.TemporaryDirectory() as folder:
            taken = rounds_of(Path(folder), counties, rounds)
        rows += rows_of(figures, counties, taken)
        whole[counties] = taken["full"][0]
    grown: list[list[Cell]] = [["worked out whole", figures("growth.full.slope", slope(whole), "{:.2f}")]]
    heads = ("counties", "roll-up", "processor s", "x floor", "x whole")
    return Section(
        figures=figures.values,
        tables=(
            table(f"Counties of {BODIES} bodies. Rounds: {rounds}, the whole once.", heads, rows),
            table("How it grows with counties (1: linear).", ("roll-up", "slope"), grown),
        ),
        notes=("A changed county may touch its province and the country alone; the section fails where it does not.",),
        libraries=libraries("dagster", "polars", "pyarrow", "frictionless"),
    )


if __name__ == "__main__":
    main(measure, __doc__)
