"""Reading ahead: the steps find it done, the results are the same, and nothing that goes wrong here is ever seen."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import polars as pl
import pytest

from benchmarks.bulk_files import YEAR, region_code, write_mixed
from pipelines.ingest import ahead
from pipelines.ingest.ahead import read_ahead
from pipelines.ingest.inbox import receive
from pipelines.ingest.intake import read_received
from pipelines.ingest.limits import DEFAULT_LIMITS
from pipelines.ingest.packed import Readings, write_pack
from pipelines.storage import kept_readings_path
from schemas.frames import tidy_types

FILES = 12
CODE = region_code()


@pytest.fixture
def data(tmp_path: Path) -> str:
    write_mixed(tmp_path / "data", tmp_path / "regions", FILES, office=False)
    return str(tmp_path / "data")


def started(data: str, years: tuple[int, ...] = (YEAR - 1, YEAR)) -> bool:
    thread = read_ahead(data, CODE, years, 2, DEFAULT_LIMITS)
    if thread is not None:
        thread.join()
    return thread is not None


def step(data: str) -> tuple[Readings, int]:
    """What the steps of a run do: look at the inbox and read what is there."""
    rows = [{"region": CODE, "year": YEAR, **msgspec.structs.asdict(entry)} for entry in receive(data, CODE, YEAR)]
    return read_received(data, pl.DataFrame(rows, schema=tidy_types("received_files"), orient="row"), 2)


def as_bytes(readings: Readings) -> bytes:
    parts: list[bytes] = []
    write_pack(readings, parts.append)
    return b"".join(parts)


def test_a_step_finds_the_files_read_and_the_same_in_them(data: str, tmp_path: Path) -> None:
    write_mixed(tmp_path / "other" / "data", tmp_path / "other" / "regions", FILES, office=False)
    expected, before = step(str(tmp_path / "other" / "data"))
    assert before == 0
    assert started(data)
    found, before = step(data)
    assert before > FILES // 2
    assert as_bytes(found) == as_bytes(expected)


def test_where_something_was_read_before_it_is_left_to_the_step(data: str) -> None:
    step(data)
    assert kept_readings_path(data, CODE, YEAR).exists()
    assert not started(data)


def test_large_absent_and_remote_inboxes_are_left_to_the_step(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not started(data, (YEAR - 1,))
    assert not started("memory://nowhere")
    monkeypatch.setattr(ahead, "MOST_FILES", FILES // 2)
    assert not started(data)


def test_a_fault_is_left_to_the_step(data: str, capfd: pytest.CaptureFixture[str]) -> None:
    turn = sys.getswitchinterval()
    (Path(data) / "received").write_text("no folder", encoding="utf-8")
    assert started(data)
    assert capfd.readouterr() == ("", "")
    assert sys.getswitchinterval() == turn
    with pytest.raises(OSError, match="received"):
        step(data)
