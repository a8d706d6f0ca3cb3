"""Dagster's records during a run: held open, complete, released at the end."""

import sqlite3
import uuid
from contextlib import closing, nullcontext
from pathlib import Path

import dagster as dg
import pytest

from assets.instance import dagster_home
from assets.records import held_open
from pipelines.settings import load_settings


@dg.op
def said(context: dg.OpExecutionContext) -> None:
    context.log.debug("for machines")
    context.log.info("for people")


@dg.job
def small() -> None:
    said()


def log_of(folder: Path, run_id: str) -> list[tuple[str | None, str]]:
    with closing(sqlite3.connect(folder / f"{run_id}.db")) as records:
        return records.execute("SELECT dagster_event_type, event FROM event_logs ORDER BY id").fetchall()


def run_small(home: Path, hold_open: bool) -> tuple[str, list[bool]]:
    """A run: its id, and after each event whether the file of the run still has its write-ahead log."""
    run_id, standing = str(uuid.uuid4()), []
    with dg.DagsterInstance.get() as instance:
        with held_open(home, run_id) if hold_open else nullcontext(lambda: None) as hold:

            def heard(_: dg.EventLogEntry) -> None:
                hold()
                standing.append((home / "history" / "runs" / f"{run_id}.db-wal").exists())

            instance.add_event_listener(run_id, heard)
            done = small.execute_in_process(
                instance=instance,
                run_id=run_id,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        assert done.success
        assert instance.get_run_by_id(run_id).is_success
    return run_id, standing


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    folder, follows = dagster_home(load_settings({"DAGSTER_HOME": str(tmp_path / "dagster")}))
    assert follows
    return folder


def test_the_files_are_held_while_the_run_goes_on(home: Path) -> None:
    run_id, standing = run_small(home, hold_open=True)
    assert standing
    assert all(standing)
    assert not list(home.rglob("*-wal"))  # released at the end, and nothing is left in a log
    kinds = [kind for kind, _ in log_of(home / "history" / "runs", run_id)]
    assert "PIPELINE_SUCCESS" in kinds


def test_without_being_held_each_event_empties_the_log(home: Path) -> None:
    _, standing = run_small(home, hold_open=False)
    assert not any(standing)


def test_held_or_not_the_same_is_recorded(home: Path) -> None:
    kinds = [
        [kind for kind, _ in log_of(home / "history" / "runs", run_small(home, hold_open)[0])]
        for hold_open in (False, True)
    ]
    assert kinds[0] == kinds[1]


def test_lines_for_people_are_recorded_and_lines_for_machines_are_not(home: Path) -> None:
    run_id, _ = run_small(home, hold_open=True)
    lines = [event for kind, event in log_of(home / "history" / "runs", run_id) if kind is None]
    assert len(lines) == 1
    assert "for people" in lines[0]


def test_records_elsewhere_hold_nothing(tmp_path: Path) -> None:
    with held_open(tmp_path, "none") as hold:
        hold()
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "history" / "runs"
    folder.mkdir(parents=True)
    damaged = folder / "index.db"
    damaged.write_bytes(b"no database at all " * 100)
    with held_open(tmp_path, "none") as hold:
        hold()
    assert damaged.read_bytes() == b"no database at all " * 100
