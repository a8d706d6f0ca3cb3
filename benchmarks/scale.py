"""The stages after the intake for a region of thousands of bodies: how time and memory grow with them.

    python -m benchmarks.scale [--bodies 66 500 2000 8000] [--quick] [--json FILE]

Each size runs in a process of its own (scale_chain.py): a synthetic region, whose returns are there as read files
(scale_returns.py), is carried through every stage by the very functions that the assets call, from assignment to the
trace of a published figure; 5 of 100 returns have a slip, one in ten bodies hands in twice. Per stage: processor time,
which other programs lengthen little, and the memory held above what was held before it. The slope, between the two
largest sizes, tells how time grows with bodies (1: linear). The floor is polars writing and reading the table of all
figures.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.machine import MIB, ROOT, libraries
from benchmarks.section import Cell, Figures, Section, arguments, deliver, slope, table

BODIES = (66, 500, 2000, 4000)
QUICK = (66, 200)
FLOOR = "floor"
LEAST = 0.02  # seconds: of a stage that takes less no slope is told, which would be noise
STAGES = {
    "history": "last year's figures by body",
    "settle": "assignment, corrections, completeness, wide frame",
    "judge": "rules, history, text, plausibility, copies, wrong cells",
    "findings": "findings and explanations as tables and back",
    "accept": "versions, coverage, the table of bodies",
    "body_cells": "every figure beside its source",
    "totals": "totals, indicators, reconciliation",
    "collect": "all findings in one list",
    "views": "what the UI of Dagster is shown",
    "gate": "pandera gate and verdicts",
    "receipts": "a receipt for each body",
    "board": "the officer's board",
    "package": "Parquet, CSV, descriptor, sums",
    "check": "the checks of the package",
    "publish": "the release put in place",
    "beside": "official report and catalogue records",
    "portal": "the portal site",
    "verify": "`gongkai verify`",
    "trace": "`gongkai trace` of one total",
    "changed": "a second release, and what it says changed",
    FLOOR: "floor: polars writes and reads the figures of all bodies",
}
FACTS = {
    "files": ("read files", 1, "{:,.0f}"),
    "figures": ("figures published", 1, "{:,.0f}"),
    "findings": ("findings", 1, "{:,.0f}"),
    "views": ("metadata for the UI, characters", 1, "{:,.0f}"),
    "board": ("largest page of the board, kB", 1000, "{:,.0f}"),
    "page": ("largest page of the portal, kB", 1000, "{:,.0f}"),
    "receipts": ("receipts, MB", 1_000_000, "{:,.0f}"),
    "package": ("release, MB", 1_000_000, "{:,.0f}"),
}


def measured(bodies: int) -> dict[str, Any]:
    """What scale_chain.py says of one size: ``stages`` with seconds and bytes, ``facts``. Raises SystemExit."""
    command = [sys.executable, "-m", "benchmarks.scale_chain", str(bodies)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{bodies} bodies: {done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _slope(figures: Figures, key: str, points: dict[int, float]) -> Cell:
    last = dict(sorted(points.items())[-2:])
    return figures(key, slope(last)) if len(last) == 2 and min(last.values()) >= LEAST else "—"


def section(told: dict[int, dict[str, Any]]) -> Section:
    """The tables of what was measured, by number of bodies."""
    figures, sizes = Figures(), sorted(told)
    rows: list[list[Cell]] = []
    for stage, title in STAGES.items():
        taken = {size: told[size]["stages"][stage]["seconds"] for size in sizes}
        row: list[Cell] = [title, *(figures(f"{stage}.{size}.seconds", taken[size], "{:.3f}") for size in sizes)]
        row.append(_slope(figures, f"{stage}.slope", taken))
        most = told[sizes[-1]]["stages"][stage]["memory"] / MIB
        row += [
            figures(f"{stage}.{sizes[-1]}.ms_a_body", 1000 * taken[sizes[-1]] / sizes[-1]),
            figures(f"{stage}.{sizes[-1]}.mib", most, "{:,.0f}"),
        ]
        rows.append(row)
    whole = {
        size: math.fsum(one["seconds"] for name, one in told[size]["stages"].items() if name != FLOOR) for size in sizes
    }
    end: list[Cell] = ["together", *(figures(f"whole.{size}.seconds", whole[size], "{:.1f}") for size in sizes)]
    end += [
        _slope(figures, "whole.slope", whole),
        figures(f"whole.{sizes[-1]}.ms_a_body", 1000 * whole[sizes[-1]] / sizes[-1]),
        "",
    ]
    rows.insert(-1, end)
    heads = ["stage", *(f"{size:,} bodies, s" for size in sizes), "slope", "ms a body", "MiB above"]
    made = [
        [words, *(figures(f"facts.{name}.{size}", told[size]["facts"][name] / unit, form) for size in sizes)]
        for name, (words, unit, form) in FACTS.items()
    ]
    tables = (
        table("Processor time by stage; the last two columns are of the largest region.", heads, rows),
        table("What was made.", ["", *(f"{size:,} bodies" for size in sizes)], made),
    )
    return Section(
        figures.values, tables, libraries=libraries("polars", "pyarrow", "pandera", "frictionless", "dagster")
    )


def measure(quick: bool, bodies: Sequence[int] = ()) -> Section:
    """The section for regions of these sizes."""
    return section({size: measured(size) for size in sorted(set(bodies or (QUICK if quick else BODIES)))})


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    parser = arguments(__doc__)
    parser.add_argument("--bodies", type=int, nargs="+", default=[], help="sizes of the region")
    given = parser.parse_args(argv)
    deliver(measure(given.quick, given.bodies), given.json)


if __name__ == "__main__":
    main()
