"""Checking many submissions at once, beside merely reading them and beside other tools doing the same.

A dataset of wide Parquet files of synthetic submissions is checked by every variant of validate_variants.py, each time
in a fresh process, in turn, round after round; times include reading the files and exclude imports and building
schemas. All variants must find the same. A variant that is expected to need more than half of the memory that is free,
judged by the size before, is left out with the reason. Other tools run in the peers' environment (`make setup-peers`).

    python -m benchmarks.validate [--rows 10000 100000 ...] [--rounds 3] [--only VARIANT ...] [--quick] [--json FILE]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import MIB, NO_PEERS, ROOT, available_memory, interpreter, libraries, peers
from benchmarks.section import Cell, Figures, Section, Table, arguments, deliver, median_ratio, slope, table
from benchmarks.submissions import SEED, write
from schemas.form import load_form
from schemas.rules import load_rules

EDITION = "2021"
LONGEST = 900  # seconds for one variant
MILLION = 1_000_000
ROWS = {10_000: 3, 100_000: 3, MILLION: 3, 4 * MILLION: 2}  # submissions: rounds that count
QUICK = {500: 1, 4000: 1}
NAMES = {
    "floor": "floor: polars reads the columns the rules need",
    "counts": "compiled pass, counts per rule",
    "long_list": "compiled pass, long list (file, rule, residual)",
    "stream": "streaming pass: contract, findings with residuals, counts, totals by region",
    "stream_bounded": "the same, each batch let go",
    "stream_localise": "streaming pass and localisation of what is broken, one process",
    "gate": "gate: pandera on the residuals",
    "dataframely_counts": "peer: dataframely filter, counts per rule",
    "dataframely_list": "peer: dataframely filter, long list (file, rule)",
    "pandera_checks": "peer: pandera, one check per rule on the wide frame",
}
OURS = ("floor", "counts", "long_list", "stream", "stream_bounded", "stream_localise", "gate")
PEERS = ("dataframely_counts", "dataframely_list")  # in an environment of their own
ALWAYS = ("floor", "counts", "long_list")  # what the others are compared with
UP_TO = {"stream_localise": MILLION}  # submissions; more say nothing new, and take minutes
Told = dict[str, Any]
Rounds = list[dict[str, Told]]


def measured(python: Path, name: str, path: Path) -> Told:
    """One variant in a fresh process. Raises SystemExit where it fails."""
    command = [str(python), "-m", "benchmarks.validate_variants", name, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LONGEST)
    if done.returncode:
        raise SystemExit(f"{name} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def agree(told: Mapping[str, Told], errors: set[str], rows: int) -> None:
    """Every variant found the same: counts per rule, the pairs of the long lists, the names of the gate.

    Raises SystemExit where one did not.
    """
    counts = told["counts"]["counts"]
    for name, found in told.items():
        if found.get("rows", rows) != rows:
            raise SystemExit(f"{name} read {found['rows']} of {rows} submissions")
        if found.get("counts", counts) != counts:
            raise SystemExit(f"{name} counts otherwise")
        if "pairs" in found and found["pairs"] != told["long_list"]["pairs"]:
            raise SystemExit(f"{name} lists otherwise")
        if "list" in found and found["list"] != sum(counts.values()):
            raise SystemExit(f"{name} lists more or less than it counts")
    if "gate" in told and told["gate"]["gate"] != sorted(set(counts) & errors):
        raise SystemExit("the gate names other rules")


def expected(before: Mapping[int, Rounds], name: str, rows: int) -> float:
    """Bytes that a variant may need: what it held at the size before beside its imports, grown with the rows."""
    if not before:
        return 0.0
    size, rounds = max(before.items())
    if name not in rounds[0]:
        return float("inf")
    held = max(told[name]["peak"] - told[name]["imported"] for told in rounds)
    return max(told[name]["imported"] for told in rounds) + held * rows / size


def fitting(names: Sequence[str], before: Mapping[int, Rounds], rows: int, room: float) -> tuple[list[str], list[str]]:
    """The variants that are expected to fit into the bytes of ``room`` and into the time; for each other a reason."""
    late = [name for name in names if rows > UP_TO.get(name, rows)]
    needs = {name: expected(before, name, rows) for name in names if name not in late}
    reasons = [f"{NAMES[name]}, {rows:,} submissions: to save time" for name in late] + [
        f"{NAMES[name]}, {rows:,} submissions: expected to need {need / 1024**3:.0f} GiB, more than half of "
        "what is free"
        for name, need in needs.items()
        if room < need < float("inf")
    ]
    return [name for name, need in needs.items() if need <= room], reasons


def medians(figures: Figures, rows: int, rounds: Rounds) -> list[tuple[Cell, ...]]:
    """A row per variant: median seconds, range, ratios to the floor and to our long list, peak memory."""
    of = {name: {key: [told[name][key] for told in rounds] for key in ("seconds", "processor")} for name in rounds[0]}
    cells = []
    for name in rounds[0]:
        seconds, work, key = of[name]["seconds"], of[name]["processor"], f"{rows}.{name}"
        peak, imported = (max(told[name][each] for told in rounds) / MIB for each in ("peak", "imported"))
        cells.append((
            NAMES[name],
            figures(f"{key}.seconds", statistics.median(seconds), "{:.3f}"),
            f"{min(seconds):.3f} - {max(seconds):.3f}",
            figures(f"{key}.x_floor", median_ratio(seconds, of["floor"]["seconds"]), "{:.2f}"),
            figures(f"{key}.x_ours", median_ratio(seconds, of["long_list"]["seconds"]), "{:.2f}"),
            figures(f"{key}.processor", statistics.median(work), "{:.3f}"),
            figures(f"{key}.processor_x_floor", median_ratio(work, of["floor"]["processor"]), "{:.2f}"),
            figures(f"{key}.peak_mib", peak, "{:,.0f} MiB"),
            f"{imported:,.0f} MiB",
        ))  # fmt: skip
        if name == "stream_localise" and "stream" in of:
            figures(f"{key}.x_stream", median_ratio(seconds, of["stream"]["seconds"]), "{:.2f}")
    return cells


def growth(figures: Figures, sizes: Mapping[int, Rounds]) -> Table:
    """Per variant how processor time grows with rows, and the most memory held at each size."""
    cells: list[list[Cell]] = []
    for name in next(iter(sizes.values()))[0]:
        there = {rows: rounds for rows, rounds in sizes.items() if name in rounds[0]}
        times = {rows: statistics.median(told[name]["processor"] for told in rounds) for rows, rounds in there.items()}
        if len(times) < 2:
            continue
        last = sorted(times)[-2:]
        key, peaks = f"growth.{name}", [f"{rows}.{name}.peak_mib" for rows in there]
        flat = f"{4 * MILLION}.{name}.peak_mib", f"{MILLION}.{name}.peak_mib"
        memory: Cell = ""
        if all(each in figures.values for each in flat):
            memory = figures(f"{key}.peak_4m_x_1m", figures.values[flat[0]] / figures.values[flat[1]], "{:.2f}")
        shown = [f"{figures.values[peak]:,.0f} MiB" for peak in peaks] + [""] * (len(sizes) - len(peaks))
        between = figures(f"{key}.slope_{last[0]}_{last[1]}", slope({rows: times[rows] for rows in last}), "{:.2f}")
        cells.append([NAMES[name], figures(f"{key}.slope", slope(times), "{:.2f}"), between, *shown, memory])
    title = (
        "How processor time grows with submissions: the slope through all sizes and through the last two (1: linear), "
        "and the most memory held."
    )
    heads = [f"peak, {size:,}" for size in sizes]
    return table(title, ("variant", "slope", "last two", *heads, "memory, 4 million x 1 million"), cells)


def at_size(rows: int, rounds: int, names: Sequence[str], warm: bool) -> tuple[str, Rounds]:
    """One dataset measured by every variant in turn: what is said above the table, and the rounds.

    ``warm``: a round before the others that is not counted, which brings the programs into the disk cache; the dataset
    is there since it was written.
    """
    form, rules = load_form(EDITION), load_rules(EDITION)
    errors = {one.id for one in (*rules.rules, *rules.domains) if one.severity == "error"}
    told: Rounds = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        spoilt = write(path, form, rules, rows)
        size = sum(file.stat().st_size for file in path.iterdir())
        for number in range(0 if warm else 1, rounds + 1):
            order = names if number % 2 else list(reversed(names))
            found = {name: measured(interpreter(name in PEERS), name, path) for name in order}
            agree(found, errors, rows)
            print(f"{rows:,} submissions, round {number} of {rounds}", file=sys.stderr, flush=True)
            if number:
                told.append({name: found[name] for name in names})
    broken = sum(told[0]["counts"]["counts"].values())
    facts = (
        f"{rows:,} submissions of {len(form.cells)} cells, {size / MIB:,.0f} MiB of Parquet, seed {SEED}: {spoilt:,} "
        f"have one to three wrong cells, {len(rules.rules)} rules and {len(rules.domains)} domains are broken "
        f"{broken:,} times, and all variants agree on every count and every pair. Rounds: {rounds}."
    )
    return facts, told


def measure(sizes: Mapping[int, int], wanted: Sequence[str]) -> Section:
    """The whole section; ``sizes``: submissions and how many rounds count."""
    names = [name for name in NAMES if name in wanted or name in ALWAYS]
    left: list[str] = []
    if peers() is None and set(names) & set(PEERS):
        left.append(f"dataframely, {NO_PEERS}")
        names = [name for name in names if name not in PEERS]
    figures, tables, told = Figures(), [], {}
    for rows, rounds in sorted(sizes.items()):
        fit, reasons = fitting(names, told, rows, available_memory() / 2)
        left += reasons
        if missing := set(ALWAYS) - set(fit):
            raise SystemExit(f"not enough memory for {', '.join(sorted(missing))} at {rows:,} submissions")
        facts, told[rows] = at_size(rows, rounds, fit, warm=rounds > 1 and not told)
        heads = ("variant", "seconds", "range", "x floor", "x ours", "processor s", "of it x floor", "peak memory",
                 "of it imports")  # fmt: skip
        tables.append(table(facts, heads, medians(figures, rows, told[rows])))
    if len(told) > 1:
        tables.append(growth(figures, told))
    peer = peers()
    return Section(
        figures=figures.values,
        tables=tuple(tables),
        notes=(
            "Each variant in a fresh process; times include reading the files and exclude imports. x ours: beside our "
            "long list.",
        ),
        left_out=tuple(left),
        libraries=libraries("polars", "pandera", "numpy", "pyarrow")
        | (libraries("dataframely", python=peer) if peer else {}),
    )


def main(argv: Sequence[str] | None = None) -> None:
    """The command; sizes, rounds and variants may be chosen."""
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, nargs="+", help="submissions; several: growth as well")
    parser.add_argument("--rounds", type=int, help="rounds measured, after one that is not counted")
    parser.add_argument("--only", nargs="+", choices=list(NAMES), help=f"these variants beside {', '.join(ALWAYS)}")
    given = parser.parse_args(argv)
    sizes = QUICK if given.quick else ROWS
    if given.rows:
        sizes = dict.fromkeys(given.rows, given.rounds or 3)
    elif given.rounds:
        sizes = dict.fromkeys(sizes, given.rounds)
    deliver(measure(sizes, given.only or list(NAMES)), given.json)


if __name__ == "__main__":
    main()
