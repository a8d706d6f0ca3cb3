"""`gongkai run` up to the release beside an empty Dagster run of the same asset graph.

Both are whole processes with their own fresh DAGSTER_HOME on SQLite, in turn, round after round. The empty run has the
same assets, dependencies, partitions and checks, imports Dagster alone and does nothing in them: what is left is the
work. Every round of `gongkai run` starts with an inbox and nothing else, so it reads every file and publishes.

    python -m benchmarks.run_overhead [--quick] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import ROOT, libraries
from benchmarks.section import Figures, Section, arguments, deliver, median_ratio, table

REGION, YEAR = "511725", 2023
TOOL = Path(sys.executable).with_name("gongkai")


def graph() -> list[dict[str, object]]:
    """The asset graph as plain data: per step its outputs, the assets it reads, and its blocking checks."""
    from assets.definitions import defs
    from assets.headless import step_names

    steps = set(step_names("publish"))
    return [
        {
            "name": definition.op.name,
            "outs": sorted(key.to_user_string() for key in definition.keys),
            "deps": sorted(key.to_user_string() for key in definition.dependency_keys if key not in definition.keys),
            "checks": [
                {"name": spec.name, "asset": spec.asset_key.to_user_string(), "blocking": spec.blocking}
                for spec in definition.check_specs
            ],
        }
        for definition in defs.assets or ()
        if definition.is_executable and definition.op.name in steps
    ]


def empty(path: Path) -> None:
    """Run the graph of ``path`` with assets that do nothing (in a process of its own, Dagster alone imported)."""
    import dagster as dg

    partitions = dg.MultiPartitionsDefinition(
        {"region": dg.StaticPartitionsDefinition([REGION]), "year": dg.StaticPartitionsDefinition([str(YEAR)])}
    )

    def step(plan: dict) -> dg.AssetsDefinition:
        @dg.multi_asset(
            name=plan["name"],
            specs=[dg.AssetSpec(out, deps=plan["deps"]) for out in plan["outs"]],
            check_specs=[
                dg.AssetCheckSpec(c["name"], asset=c["asset"], blocking=c["blocking"]) for c in plan["checks"]
            ],
            partitions_def=partitions,
        )
        def nothing():
            for out in plan["outs"]:
                yield dg.MaterializeResult(asset_key=out)
            for check in plan["checks"]:
                yield dg.AssetCheckResult(asset_key=check["asset"], check_name=check["name"], passed=True)

        return nothing

    plans = json.loads(path.read_text(encoding="utf-8"))
    definitions = dg.Definitions(
        assets=[step(plan) for plan in plans],
        jobs=[dg.define_asset_job("annual_report", selection=dg.AssetSelection.all())],
        executor=dg.in_process_executor,
    )
    with dg.DagsterInstance.get() as instance:
        result = definitions.resolve_job_def("annual_report").execute_in_process(
            partition_key=dg.MultiPartitionKey({"region": REGION, "year": str(YEAR)}),
            instance=instance,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    if not result.success:
        raise SystemExit("the empty run failed")


def timed(command: list[str], environment: dict[str, str]) -> float:
    """Wall seconds of a whole process; a failing one ends the benchmark."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return seconds


def round_of(root: Path, number: int, plan: Path) -> tuple[float, float]:
    """Seconds of one run, and of one empty run, each with an inbox and records of its own."""
    here = root / str(number)
    shutil.copytree(root / "sample" / "inbox", here / "data" / "inbox")
    home = here / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    environment = dict(os.environ, DAGSTER_HOME=str(home), GONGKAI_DATA=str(here / "data"))
    floor = timed([sys.executable, "-m", "benchmarks.run_overhead", "--empty", str(plan)], environment)
    del environment["DAGSTER_HOME"]
    command = [str(TOOL), "run", "--job", "publish", "--region", REGION, "--year", str(YEAR)]
    run = timed([*command, "--data", str(here / "data"), "--out", str(here / "out")], environment)
    shutil.rmtree(here)
    return run, floor


def measure(quick: bool) -> Section:
    """The whole section."""
    rounds = 1 if quick else 5
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        plan = root / "graph.json"
        steps = graph()
        plan.write_text(json.dumps(steps), encoding="utf-8")
        subprocess.run([TOOL, "sample", "--data", str(root / "sample")], check=True, capture_output=True)
        files = sum(path.is_file() for path in (root / "sample" / "inbox" / REGION / str(YEAR)).rglob("*"))
        # The first round warms the disk cache and is not counted.
        taken = [round_of(root, number, plan) for number in range(1 if quick else 0, rounds + 1)][-rounds:]
    ours, floors = ([each[at] for each in taken] for at in (0, 1))
    figures = Figures()
    rows = [
        ("gongkai run", figures("run.seconds", statistics.median(ours), "{:.2f}"), _range(ours),
         figures("ratio", median_ratio(ours, floors), "{:.2f}")),
        ("floor: empty Dagster run", figures("empty.seconds", statistics.median(floors), "{:.2f}"), _range(floors), ""),
    ]  # fmt: skip
    return Section(
        figures=figures.values,
        tables=(table(
            f"The sample, {files} files of {YEAR}, from a fresh inbox to the release, {len(steps)} steps: whole "
            f"processes by the clock. Rounds: {rounds}.",
            ("process", "seconds", "range", "x empty run"),
            rows,
        ),),
        libraries=libraries("dagster", "polars", "pandera", "pyarrow", "frictionless"),
    )  # fmt: skip


def _range(seconds: list[float]) -> str:
    return f"{min(seconds):.2f} - {max(seconds):.2f}"


def main() -> None:
    """The command; ``--empty`` is the floor itself, in a process of its own."""
    parser = arguments(__doc__)
    parser.add_argument("--empty", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.empty:
        empty(given.empty)
    else:
        deliver(measure(given.quick), given.json)


if __name__ == "__main__":
    main()
