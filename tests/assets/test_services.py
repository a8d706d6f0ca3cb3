"""The services of compose.yaml without containers: their own commands, a real PostgreSQL, runs asked for over the web.

Two runs of one partition are asked for at once: the queue gives them one after the other, and what they leave is what
an undisturbed run in one process leaves.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from assets.partitions import REGION_YEARS, partition_key
from pipelines.settings import PROJECT
from tests.assets.conftest import YEAR, County
from tests.assets.runs import outcome, run
from tests.ckan.portal import free_port, postgres, postgres_programs
from tests.facts import REGION

LAUNCH = """mutation($tags: [ExecutionTag!]) { launchRun(executionParams: {
  selector: {repositoryLocationName: "gongkai", repositoryName: "__repository__", jobName: "annual_report"},
  runConfigData: {}, executionMetadata: {tags: $tags}
}) { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RUNS = "{ runsOrError { ... on Runs { results { runId status startTime endTime } } } }"


def wait(done: Callable[[], Any], what: str, seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < deadline, f"in {seconds} s: {what}"
        time.sleep(0.3)
    return found


def command_of(service: str, ports: dict[str, int], workspace: Path) -> list[str]:
    """The command of a service as compose.yaml has it, with the ports and places of this test."""
    written = yaml.safe_load((PROJECT / "compose.yaml").read_text(encoding="utf-8"))["services"][service]["command"]
    other = {number: str(port) for number, port in ports.items()}
    other |= {"0.0.0.0": "127.0.0.1", "/etc/gongkai/workspace.yaml": str(workspace)}
    return [sys.executable, "-m", "assets.instance", *(other.get(word, word) for word in written)]


def own(found: dict[str, str]) -> dict[str, str]:
    """What the runs asked for leave: the daemon's automation also rolls up and puts that into the portal."""
    return {name: digest for name, digest in found.items() if "rollup" not in name and "/portal/" not in name}


@contextlib.contextmanager
def started(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file, cwd=PROJECT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def asked(port: int, query: str, **variables: Any) -> Any:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.mark.skipif(postgres_programs() is None, reason="PostgreSQL is not installed (make system)")
def test_the_services_of_a_deployment_work_together(tmp_path):
    undisturbed = County(tmp_path / "undisturbed")
    assert run(undisturbed).returncode == 0
    county = County(tmp_path / "served")
    ports = {"4000": free_port(), "3000": free_port()}
    workspace = tmp_path / "workspace.yaml"
    text = (PROJECT / "deploy" / "workspace.yaml").read_text(encoding="utf-8")
    workspace.write_text(text.replace("code\n", "127.0.0.1\n").replace("4000", str(ports["4000"])), encoding="utf-8")
    with contextlib.ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="gongkai-"))
        )  # another user's can get there
        programs = postgres_programs()  # which run as another user, so not below a folder of this one
        assert programs is not None
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GONGKAI_DATA": str(county.data),
            "GONGKAI_OUT": str(county.out),
            "GONGKAI_REGIONS": str(county.regions),
            "GONGKAI_DAGSTER_STORAGE": "postgres",
            "GONGKAI_POSTGRES_URL": stack.enter_context(postgres(folder, programs)),
        }
        environment.pop("DAGSTER_HOME", None)
        code = command_of("code", ports, workspace)
        stack.enter_context(started(code, environment, tmp_path / "code.log"))
        health = [sys.executable, "-m", "assets.instance", "dagster", "api", "grpc-health-check", "-p"]
        wait(
            lambda: subprocess.run([*health, str(ports["4000"])], env=environment, capture_output=True).returncode == 0,
            "the code location answers",
        )
        for service in ("webserver", "daemon"):
            command = command_of(service, ports, workspace)
            stack.enter_context(started(command, environment, tmp_path / f"{service}.log"))
        web = ports["3000"]
        wait(lambda: answers(web), "the web server answers")
        tags = REGION_YEARS.get_tags_for_partition_key(partition_key(REGION, YEAR))
        ids = []
        for _ in range(2):
            given = [{"key": key, "value": value} for key, value in tags.items()]
            launched = asked(web, LAUNCH, tags=given)["launchRun"]
            assert launched["__typename"] == "LaunchRunSuccess", launched
            ids.append(launched["run"]["runId"])

        def over() -> Any:
            runs = [each for each in asked(web, RUNS)["runsOrError"]["results"] if each["runId"] in ids]
            return runs if all(each["status"] in ("SUCCESS", "FAILURE", "CANCELED") for each in runs) else None

        runs = wait(over, "both runs are over", 240)
        assert [each["status"] for each in runs] == ["SUCCESS", "SUCCESS"], runs
        first, second = sorted(runs, key=lambda each: each["startTime"])
        assert first["endTime"] <= second["startTime"], "one after the other"
        alive = [sys.executable, "-m", "assets.instance", "dagster-daemon", "liveness-check"]
        assert subprocess.run(alive, env=environment, capture_output=True).returncode == 0
        assert "postgres" in (county.data / "dagster" / "dagster.yaml").read_text(encoding="utf-8")
        assert not list((county.data / "dagster").rglob("*.db")), "no record in SQLite"
    assert own(outcome(county)) == own(outcome(undisturbed))
