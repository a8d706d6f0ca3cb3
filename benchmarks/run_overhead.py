"""`gongkai run` up to the release beside an empty Dagster run of the same asset graph.

Both are whole processes with their own fresh DAGSTER_HOME on SQLite, in turn, round after round. The empty run has the
same assets, dependencies, partitions and checks, imports Dagster alone and does nothing in them: what is left is the
work. Every round of `gongkai run` starts with an inbox and nothing else, so it reads every file and publishes.

    python -m benchmarks.run_overhead [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

REGION, YEAR = "511725", 2023


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
        if definition.op.name in steps
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
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return seconds


def main() -> None:
    """Print the rounds, the medians and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--empty", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.empty:
        empty(options.empty)
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        plan = root / "graph.json"
        plan.write_text(json.dumps(graph()), encoding="utf-8")
        tool = Path(sys.executable).with_name("gongkai")
        subprocess.run([tool, "sample", "--data", str(root / "sample")], check=True, capture_output=True)
        ours, floors = [], []
        for number in range(options.rounds + 1):  # the first round warms the disk cache and is not counted
            here = root / str(number)
            shutil.copytree(root / "sample" / "inbox", here / "data" / "inbox")
            home = here / "home"
            home.mkdir()
            (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
            environment = dict(os.environ, DAGSTER_HOME=str(home), GONGKAI_DATA=str(here / "data"))
            floor = timed([sys.executable, "-m", "benchmarks.run_overhead", "--empty", str(plan)], environment)
            shutil.rmtree(home)
            del environment["DAGSTER_HOME"]
            run = timed(
                [str(tool), "run", "--job", "publish", "--region", REGION, "--year", str(YEAR),
                 "--data", str(here / "data"),
                 "--out", str(here / "out")],
                environment,
            )  # fmt: skip
            if number:
                ours.append(run)
                floors.append(floor)
    ratios = [run / floor for run, floor in zip(ours, floors, strict=True)]
    print(f"{platform.python_version()}, {os.cpu_count()} processors, dagster {version('dagster')}")
    print(f"{'round':>6} {'gongkai run':>12} {'empty run':>10} {'ratio':>6}")
    for number, (run, floor, ratio) in enumerate(zip(ours, floors, ratios, strict=True), 1):
        print(f"{number:>6} {run:>10.2f} s {floor:>8.2f} s {ratio:>6.2f}")
    medians = [statistics.median(figures) for figures in (ours, floors, ratios)]
    print(f"median {medians[0]:>10.2f} s {medians[1]:>8.2f} s {medians[2]:>6.2f}")


if __name__ == "__main__":
    main()
