"""Commands from cold: a process from its start to its end, beside a Python that does nothing.

Each command in a fresh process, in turn, round after round, on returns of the synthetic sample. By the clock, as people
wait by the clock; processor time beside it, which other programs do not lengthen.

    python -m benchmarks.cold [--quick] [--json FILE]
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import ROOT, libraries
from benchmarks.section import Figures, Section, main, median_ratio, table

TOOL = Path(sys.executable).with_name("gongkai")


def commands(inbox: Path) -> dict[str, tuple[str, list[str]]]:
    """By key: what the command is called, and its words."""
    returns = {path.suffix: path for path in sorted(inbox.rglob("*"), reverse=True) if path.is_file()}
    tool, python = str(TOOL), sys.executable
    return {
        "python": ("floor: Python alone", [python, "-c", "pass"]),
        "help": ("gongkai --help", [tool, "--help"]),
        "check": ("gongkai check, a workbook", [tool, "check", str(returns[".xlsx"])]),
        "check_docx": ("gongkai check, a Word document", [tool, "check", str(returns[".docx"])]),
        "extract": ("gongkai extract, a workbook", [tool, "extract", str(returns[".xlsx"]), "--format", "json"]),
        "rules": ("gongkai rules", [tool, "rules"]),
        "definitions": ("import of Dagster's code location", [python, "-c", "import assets.definitions"]),
        "dagster": ("floor of that: import dagster", [python, "-c", "import dagster"]),
    }


def once(command: list[str]) -> tuple[float, float]:
    """Seconds by the clock and of the processor. Raises SystemExit where the command cannot do its work."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):  # 1: the return has something wrong
        raise SystemExit(f"{command} ended with {done.returncode}: {done.stderr}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(quick: bool) -> Section:
    """The whole section."""
    rounds = 1 if quick else 11
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([TOOL, "sample", "--data", folder], check=True, capture_output=True)
        chosen = commands(Path(folder) / "inbox")
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in chosen}
        for number in range(rounds + 1):  # the first warms the disk cache and is not counted
            for name, (_, words) in chosen.items():
                found = once(words)
                if number:
                    taken[name].append(found)
    figures, rows = Figures(), []
    for name, (title, _) in chosen.items():
        clock, processor = ([each[at] for each in taken[name]] for at in (0, 1))
        rows.append((
            title,
            figures(f"{name}.seconds", statistics.median(clock), "{:.3f}"),
            f"{min(clock):.3f} - {max(clock):.3f}",
            figures(f"{name}.processor", statistics.median(processor), "{:.3f}"),
            figures(f"{name}.x_python", median_ratio(clock, [each[0] for each in taken["python"]]), "{:.1f}"),
        ))  # fmt: skip
    heads = ("command", "seconds", "range", "processor s", "x Python alone")
    return Section(
        figures=figures.values,
        tables=(table(f"Whole processes. Rounds: {rounds}.", heads, rows),),
        libraries=libraries("click", "msgspec", "lxml", "python-calamine", "dagster"),
    )


if __name__ == "__main__":
    main(measure, __doc__)
