"""Checking many submissions at once, beside merely reading them and beside other tools doing the same.

A dataset of wide Parquet files of synthetic submissions is checked by every variant of validate_variants.py, each time
in a fresh process, in turn, round after round; times include reading the files and exclude imports and building
schemas. All variants must find the same. Tools that are no part of the project (peers.txt) get an environment of their
own, made once below the user's cache folder; where pip cannot make it, their rows are left out and the table says so.

    python -m benchmarks.validate [--rows 200000 1000000 ...] [--rounds 3] [--only VARIANT ...] [--quick]
        [--write]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.submissions import SEED, write
from schemas.form import load_form
from schemas.rules import load_rules

HERE = Path(__file__).parent
PEERS = HERE / "peers.txt"
RESULTS = HERE / "RESULTS.md"
SECTION = "validate"
EDITION = "2021"
MIB = 1024 * 1024
HEAD = (
    "# Results\n\nMeasured by the modules of this folder, each on the machine that it names; figures are synthetic.\n"
)
LONGEST = 900  # seconds for one variant
NAMES = {
    "floor": "floor: polars reads the columns the rules need",
    "counts": "compiled pass, counts per rule",
    "long_list": "compiled pass, long list (file, rule, residual)",
    "stream": "streaming pass: contract, findings with residuals, counts, totals by region",
    "stream_localise": "streaming pass and localisation of what is broken, one process",
    "gate": "gate: pandera on the residuals",
    "dataframely_counts": "dataframely filter, counts per rule",
    "dataframely_list": "dataframely filter, long list (file, rule)",
    "pandera_checks": "pandera, one check per rule on the wide frame",
}
OURS = ("floor", "counts", "long_list", "stream", "stream_localise", "gate")
SLOW = ("stream_localise",)  # only where asked for


def peers() -> Path | str:
    """The Python of the peers' environment, made where there is none yet; why not, where pip cannot make it."""
    from pipelines.storage import sha256

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "gongkai" / f"peers-{sha256(PEERS.read_bytes())[:16]}-{platform.python_version()}"
    python, ready = folder / "bin" / "python", folder / "ready"
    if ready.exists():
        return python
    pip = [str(python), "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--require-hashes"]
    try:
        subprocess.run(
            [sys.executable, "-m", "venv", "--clear", str(folder)], check=True, capture_output=True, text=True
        )
        subprocess.run([*pip, "-r", str(PEERS)], check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as problem:
        lines = [line for line in (problem.stderr or "").splitlines() if line.startswith("ERROR")]
        return lines[-1] if lines else f"pip ended with {problem.returncode}"
    ready.touch()
    return python


def measured(python: Path, name: str, path: Path) -> dict[str, Any]:
    """One variant in a fresh process. Raises SystemExit where it fails."""
    command = [str(python), "-m", "benchmarks.validate_variants", name, str(path)]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=False, timeout=LONGEST)
    if done.returncode:
        raise SystemExit(f"{name} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def agree(told: dict[str, dict[str, Any]], errors: set[str]) -> None:
    """Every variant found the same: counts per rule, the pairs of the long lists, the names of the gate."""
    counts = told["counts"]["counts"]
    for name, found in told.items():
        if "counts" in found:
            assert found["counts"] == counts, f"{name} counts otherwise"
        if "pairs" in found:
            assert found["pairs"] == told["long_list"]["pairs"], f"{name} lists otherwise"
            assert found["list"] == sum(counts.values()), f"{name} lists more or less than it counts"
    if "gate" in told:
        assert told["gate"]["gate"] == sorted(set(counts) & errors), "the gate names other rules"


def machine() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.exists() else []
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (MIB * 1024)
    model = models[0] if models else platform.machine()
    return f"{os.cpu_count()} processors ({model}), {memory} GiB, {platform.system()}"


def versions(python: Path | None) -> str:
    names = [f"{name} {version(name)}" for name in ("polars", "pandera", "numpy", "pyarrow")]
    if python:
        ask = "from importlib.metadata import version; print(version('dataframely'))"
        done = subprocess.run([str(python), "-c", ask], capture_output=True, text=True, check=True)
        names.append(f"dataframely {done.stdout.strip()}")
    return ", ".join([f"Python {platform.python_version()}", *names])


def table(rounds: list[dict[str, dict[str, Any]]]) -> str:
    """Markdown: per variant the median seconds, range, ratio to the floor, peak memory."""
    reading = statistics.median(told["floor"]["seconds"] for told in rounds)
    lines = [
        "| variant | seconds (median) | range | x floor | processor s | x floor | peak memory | of it imports |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in rounds[0]:
        seconds = [told[name]["seconds"] for told in rounds]
        median = statistics.median(seconds)
        ratio = statistics.median(told[name]["seconds"] / told["floor"]["seconds"] for told in rounds)
        worked = statistics.median(told[name]["processor"] for told in rounds)
        share = statistics.median(told[name]["processor"] / told["floor"]["processor"] for told in rounds)
        peak, imported = (max(told[name][key] for told in rounds) // MIB for key in ("peak", "imported"))
        assert median > 0
        assert reading > 0
        lines.append(
            f"| {NAMES[name]} | {median:.3f} | {min(seconds):.3f} - {max(seconds):.3f} | {ratio:.2f} "
            f"| {worked:.3f} | {share:.2f} | {peak} MiB | {imported} MiB |"
        )
    return "\n".join(lines)


def put(section: str, text: str) -> None:
    """Replace one section of RESULTS.md, or add it; the others stay as they are."""
    before = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else HEAD
    parts = re.split(r"(?m)^(?=## )", before)
    new = f"## {section}\n\n{text.strip()}\n"
    kept = [part for part in parts if not part.startswith(f"## {section}\n")]
    RESULTS.write_text("\n".join(part.rstrip("\n") + "\n" for part in [*kept, new]), encoding="utf-8")


def growth(sizes: dict[int, list[dict[str, dict[str, Any]]]]) -> str:
    """Per variant how processor time grows with rows: the slope of a line through the logarithms, 1 being linear."""
    rows = [math.log(size) for size in sizes]
    lines = ["| variant | slope | " + " | ".join(f"peak, {size:,}" for size in sizes) + " |"]
    lines.append("| --- | ---: |" + " ---: |" * len(sizes))
    for name in next(iter(sizes.values()))[0]:
        times = [math.log(statistics.median(told[name]["processor"] for told in rounds)) for rounds in sizes.values()]
        slope = statistics.linear_regression(rows, times).slope
        peaks = [f"{max(told[name]['peak'] for told in rounds) // MIB} MiB" for rounds in sizes.values()]
        lines.append(f"| {NAMES[name]} | {slope:.2f} | " + " | ".join(peaks) + " |")
    return "\n".join(lines)


def at_size(
    rows: int, rounds: int, names: Sequence[str], peer: Path | None
) -> tuple[str, list[dict[str, dict[str, Any]]]]:
    """One dataset measured by every variant in turn: what is said above the table, and the rounds."""
    form, rules = load_form(EDITION), load_rules(EDITION)
    errors = {one.id for one in (*rules.rules, *rules.domains) if one.severity == "error"}
    told: list[dict[str, dict[str, Any]]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        spoilt = write(path, form, rules, rows)
        size = sum(file.stat().st_size for file in path.iterdir())
        for number in range(rounds + 1):  # the first warms the disk cache and is not counted
            order = names if number % 2 else list(reversed(names))
            found = {
                name: measured(peer if name not in OURS and peer else Path(sys.executable), name, path)
                for name in order
            }
            agree(found, errors)
            if number:
                told.append({name: found[name] for name in names})
            print(f"round {number}: " + ", ".join(f"{name} {found[name]['seconds']:.2f}" for name in names), flush=True)
    broken = sum(told[0]["counts"]["counts"].values())
    facts = (
        f"{rows:,} submissions of {len(form.cells)} cells, {size / MIB:.0f} MiB of Parquet, seed {SEED}; {spoilt:,} "
        f"have one to three wrong cells, and {len(rules.rules)} rules and {len(rules.domains)} domains are broken "
        f"{broken:,} times. All variants agree on every count and every pair."
    )
    return facts, told


def main() -> None:
    """Make the datasets, measure in turn, compare what was found, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[200_000], help="submissions; several: growth as well")
    parser.add_argument("--rounds", type=int, default=3, help="rounds measured, after one that is not counted")
    parser.add_argument("--only", nargs="+", choices=list(NAMES), help="these variants beside floor, counts, long_list")
    parser.add_argument(
        "--quick", action="store_true", help="5000 submissions, one round: does everything still agree?"
    )
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/RESULTS.md")
    options = parser.parse_args()
    sizes, rounds = ([5000], 1) if options.quick else (sorted(set(options.rows)), options.rounds)
    wanted = {"floor", "counts", "long_list", *(options.only or [name for name in NAMES if name not in SLOW])}
    python = peers() if wanted - set(OURS) else ""
    peer = python if isinstance(python, Path) else None
    names = [name for name in NAMES if name in wanted and (peer or name in OURS)]
    command = "python -m benchmarks.validate --rows " + " ".join(map(str, sizes)) + f" --rounds {rounds}"
    command += " --only " + " ".join(options.only) if options.only else ""
    facts = [f"`{command}`. {machine()}. {versions(peer)}."]
    told: dict[int, list[dict[str, dict[str, Any]]]] = {}
    for rows in sizes:
        said, told[rows] = at_size(rows, rounds, names, peer)
        facts += [said, table(told[rows])]
    if len(sizes) > 1:
        facts += ["How processor time grows with rows (1: linear), and the most memory held:", growth(told)]
    if python and not peer:
        facts.append(f"The other tools could not be installed and are left out: {python}.")
    text = "\n\n".join(facts)
    print(f"\n{text}")
    if options.write:
        put(SECTION, text)


if __name__ == "__main__":
    main()
