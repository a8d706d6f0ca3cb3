"""The executor is a setting: in this process, in several, on a real Dask cluster; everywhere the same bytes.

And Dagster's own folder: its file follows the settings, one that a person has changed is left alone.
"""

from __future__ import annotations

import ast
import logging
import os
import subprocess
import sys

import dagster as dg
import pytest
import yaml

from assets.executors import executor_of, outside_retries
from assets.instance import dagster_home, dagster_yaml, is_ours, main, with_driver
from assets.partitions import partition_key
from assets.resources import WAITING, partition_lock
from pipelines.settings import SettingsError, load_settings
from pipelines.storage import sha256
from tests.assets.conftest import YEAR, County
from tests.assets.runs import command, environment, outcome, run
from tests.facts import REGION


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, str]:
    county = County(tmp_path_factory.mktemp("undisturbed"))
    done = run(county)
    assert done.returncode == 0, done.stderr
    return outcome(county)


@pytest.mark.parametrize("executor", ["multiprocess", "dask"])
def test_the_same_partition_elsewhere_gives_the_same_bytes(county, undisturbed, executor, capsys):
    done = run(county, GONGKAI_EXECUTOR=executor, GONGKAI_EXECUTOR_PROCESSES="2")
    assert done.returncode == 0, done.stderr
    found = outcome(county)
    with capsys.disabled():
        print(f"\n{executor}: {len(found)} files, equal: {found == undisturbed}")
    assert found == undisturbed


def stored(county):
    """The names of the assets that have a stored table."""
    tables = county.data / "tables"
    return {path.name for path in tables.iterdir()} if tables.exists() else set()


@pytest.mark.parametrize("executor", ["in_process", "multiprocess", "dask"])
def test_a_run_waits_for_another_of_its_partition_and_says_so(county, executor):
    """The lock is the one that a run of any executor holds, whoever started it; here the test holds it."""
    settings = {"GONGKAI_EXECUTOR": executor, "GONGKAI_EXECUTOR_PROCESSES": "1"}
    key = partition_key(REGION, YEAR)
    with partition_lock(str(county.data), key, logging.getLogger()):
        process = subprocess.Popen(
            command(county, "--job", "check_only"),
            env=environment(county, **settings),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        said = next((line for line in process.stderr if WAITING in line), "")
        assert "Waiting" in said
        assert key in said
        assert stored(county) <= {"kept_readings"}  # a new inbox may be read meanwhile, and nothing else
    _, rest = process.communicate()
    assert process.returncode == 0, rest
    assert "verdicts" in stored(county)


def test_a_run_holds_its_partition_while_the_processes_of_its_steps_work(county):
    """Also one that the queue of the UI started: its steps are handed out by the same executor."""
    process = subprocess.Popen(
        command(county, "--job", "check_only"),
        env=environment(county, GONGKAI_EXECUTOR="multiprocess"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    first = next(iter(process.stderr), "")
    waited: list[logging.LogRecord] = []
    log = logging.getLogger("tests.waited")
    log.addHandler(handler := logging.Handler())
    handler.emit = waited.append
    with partition_lock(str(county.data), partition_key(REGION, YEAR), log):
        board = county.data / "board" / REGION / str(YEAR) / "index.html"
        assert board.exists(), "it had to wait until the run was over"
    _, rest = process.communicate()
    assert process.returncode == 0, first + rest
    assert [record.getMessage().startswith(WAITING) for record in waited] == [True]


def test_a_red_gate_stops_publication_elsewhere_too(county):
    county.deliver("511725-D05", {})
    done = run(county, GONGKAI_EXECUTOR="multiprocess")
    assert done.returncode == 1
    assert "511725-D05" in done.stderr
    assert not (county.out / "511725" / "2023" / "latest.json").exists()


def test_dask_that_is_not_installed_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "dagster_dask", None)
    with pytest.raises(SettingsError, match=r"gongkai\[dask\]"):
        executor_of(load_settings({"GONGKAI_EXECUTOR": "dask"}))


def test_a_scheduler_that_stands_is_used():
    there = executor_of(load_settings({"GONGKAI_EXECUTOR": "dask", "GONGKAI_DASK_SCHEDULER": "tcp://dask:8786"}))
    assert there.name == "dask"
    assert executor_of(load_settings({})).name == "in_process"


# ---------------------------------------------------------------- retries
def test_only_what_fails_for_outside_reasons_is_tried_again():
    """The names of all steps with a policy, where the data lie on object storage and where they lie on a disk."""
    script = (
        "from assets.definitions import defs\n"
        "job = defs.resolve_job_def('annual_report')\n"
        "print(sorted(node.name for node in job.graph.nodes if node.definition.retry_policy))"
    )
    for data, expected in (("s3://county/data", ["portal_push", "received_files"]), ("data", ["portal_push"])):
        done = subprocess.run(
            [sys.executable, "-c", script], env=os.environ | {"GONGKAI_DATA": data}, capture_output=True, text=True
        )
        assert ast.literal_eval(done.stdout) == expected, done.stderr


def test_a_fault_that_passes_costs_no_run():
    policy = outside_retries(load_settings({"GONGKAI_DATA": "s3://county/data"}))
    attempts = []

    @dg.asset(retry_policy=policy)
    def looked_at() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise ConnectionError("the network was away")

    assert dg.materialize([looked_at]).success
    assert len(attempts) == 2
    assert outside_retries(load_settings({})) is None


# ---------------------------------------------------------------- dagster.yaml
POSTGRES = {"GONGKAI_DAGSTER_STORAGE": "postgres", "GONGKAI_POSTGRES_URL": "postgresql://user:open sesame@host/name"}


def test_two_runs_of_one_partition_never_overlap_and_the_number_of_runs_is_a_setting():
    runs = yaml.safe_load(dagster_yaml(load_settings({"GONGKAI_CONCURRENT_RUNS": "7"})))["concurrency"]["runs"]
    assert runs["max_concurrent_runs"] == 7
    assert runs["tag_concurrency_limits"] == [
        {"key": "dagster/partition", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
    ]


def test_the_address_of_the_database_stays_in_the_environment():
    text = dagster_yaml(load_settings(POSTGRES))
    assert "sesame" not in text
    assert yaml.safe_load(text)["storage"] == {"postgres": {"postgres_url": {"env": "GONGKAI_POSTGRES_URL"}}}
    assert "storage" not in yaml.safe_load(dagster_yaml(load_settings({})))


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_the_database_is_reached_by_the_driver_that_is_installed(scheme):
    assert with_driver(f"{scheme}://a:postgresql://@host/name") == "postgresql+psycopg2://a:postgresql://@host/name"
    assert with_driver("postgresql+psycopg://host/name") == "postgresql+psycopg://host/name"


def test_the_file_follows_the_settings_until_a_person_changes_it(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    path = tmp_path / "dagster.yaml"
    assert dagster_home(load_settings({})) == (tmp_path, True)
    dagster_home(load_settings({"GONGKAI_CONCURRENT_RUNS": "5"}))
    assert "max_concurrent_runs: 5" in path.read_text(encoding="utf-8")
    mine = path.read_text(encoding="utf-8").replace("max_concurrent_runs: 5", "max_concurrent_runs: 9")
    path.write_text(mine, encoding="utf-8")
    assert dagster_home(load_settings({})) == (tmp_path, False)
    assert path.read_text(encoding="utf-8") == mine
    assert not is_ours(mine)


def test_a_mark_alone_does_not_make_a_file_ours():
    assert not is_ours("telemetry:\n  enabled: false\n")
    body = "telemetry:\n  enabled: true\n"
    assert is_ours(f"# gongkai sha256:{sha256(body.encode())}\n{body}")
    assert not is_ours(f"# gongkai sha256:{sha256(body.encode())}\n{body}#\n")


# ---------------------------------------------------------------- how the containers start Dagster's own programs
def test_a_program_is_started_in_the_folder_made_ready(tmp_path):
    said = "import os, pathlib; print((pathlib.Path(os.environ['DAGSTER_HOME']) / 'dagster.yaml').exists())"
    done = subprocess.run(
        [sys.executable, "-m", "assets.instance", sys.executable, "-c", said],
        env={**os.environ, "GONGKAI_DATA": str(tmp_path), "DAGSTER_HOME": ""},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "True\n", done.stderr
    assert (tmp_path / "dagster" / "dagster.yaml").exists()


def test_a_program_that_cannot_be_started_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert "no command" in main([])
    assert "no command" in main(["no-such-program"])
    monkeypatch.setenv("GONGKAI_WORKERS", "none")
    assert "GONGKAI_WORKERS" in main(["true"])
