"""Checking many submissions at once, beside merely reading them and beside other tools doing the same.

A wide Parquet file of synthetic submissions is checked by every variant of validate_variants.py, each time in a fresh
process, in turn, round after round; times include reading the file and exclude imports and building schemas. All
variants must find the same. Tools that are no part of the project (peers.txt) get an environment of their own, made
once below the user's cache folder; where pip cannot make it, their rows are left out and the table says so.

    python -m benchmarks.validate [--rows 200000] [--rounds 3] [--quick] [--write]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
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
    "gate": "gate: pandera on the residuals",
    "dataframely_counts": "dataframely filter, counts per rule",
    "dataframely_list": "dataframely filter, long list (file, rule)",
    "pandera_checks": "pandera, one check per rule on the wide frame",
}
OURS = ("floor", "counts", "long_list", "gate")


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
        "| variant | seconds (median) | range | x floor | peak memory | of it imports |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in rounds[0]:
        seconds = [told[name]["seconds"] for told in rounds]
        median = statistics.median(seconds)
        ratio = statistics.median(told[name]["seconds"] / told["floor"]["seconds"] for told in rounds)
        peak, imported = (max(told[name][key] for told in rounds) // MIB for key in ("peak", "imported"))
        assert median > 0
        assert reading > 0
        lines.append(
            f"| {NAMES[name]} | {median:.3f} | {min(seconds):.3f} - {max(seconds):.3f} | {ratio:.2f} "
            f"| {peak} MiB | {imported} MiB |"
        )
    return "\n".join(lines)


def put(section: str, text: str) -> None:
    """Replace one section of RESULTS.md, or add it; the others stay as they are."""
    before = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else HEAD
    parts = re.split(r"(?m)^(?=## )", before)
    new = f"## {section}\n\n{text.strip()}\n"
    kept = [part for part in parts if not part.startswith(f"## {section}\n")]
    RESULTS.write_text("\n".join(part.rstrip("\n") + "\n" for part in [*kept, new]), encoding="utf-8")


def main() -> None:
    """Make the file, measure in turn, compare what was found, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000, help="submissions in the file")
    parser.add_argument("--rounds", type=int, default=3, help="rounds measured, after one that is not counted")
    parser.add_argument(
        "--quick", action="store_true", help="5000 submissions, one round: does everything still agree?"
    )
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/RESULTS.md")
    options = parser.parse_args()
    rows, rounds = (5000, 1) if options.quick else (options.rows, options.rounds)
    form, rules = load_form(EDITION), load_rules(EDITION)
    errors = {one.id for one in (*rules.rules, *rules.domains) if one.severity == "error"}
    python = peers()
    names = list(NAMES) if isinstance(python, Path) else list(OURS)
    told: list[dict[str, dict[str, Any]]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "submissions.parquet"
        spoilt = write(path, form, rules, rows)
        size = path.stat().st_size
        for number in range(rounds + 1):  # the first warms the disk cache and is not counted
            order = names if number % 2 else list(reversed(names))
            found = {
                name: measured(
                    python if name not in OURS and isinstance(python, Path) else Path(sys.executable), name, path
                )
                for name in order
            }
            agree(found, errors)
            if number:
                told.append({name: found[name] for name in names})
            print(f"round {number}: " + ", ".join(f"{name} {found[name]['seconds']:.2f}" for name in names), flush=True)
    broken = sum(told[0]["counts"]["counts"].values())
    facts = [
        f"`python -m benchmarks.validate --rows {rows} --rounds {rounds}`: {rows:,} submissions of "
        f"{len(form.cells)} cells, {size / MIB:.0f} MiB of Parquet, seed {SEED}; {spoilt:,} have one to three "
        f"wrong cells, and {len(rules.rules)} rules and {len(rules.domains)} domains are broken {broken:,} times. "
        "All variants agree on every count and every pair.",
        f"{machine()}. {versions(python if isinstance(python, Path) else None)}.",
        table(told),
    ]
    if not isinstance(python, Path):
        facts.append(f"The other tools could not be installed and are left out: {python}.")
    text = "\n\n".join(facts)
    print(f"\n{text}")
    if options.write:
        put(SECTION, text)


if __name__ == "__main__":
    main()
