"""Readings kept between runs: nothing is read twice, nothing stale or damaged is used, results never depend on them.

Real files of mixed formats, some of them broken (benchmarks/bulk_files.py, synthetic), really read.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import polars as pl
import pytest
from pandera.errors import SchemaError
from upath import UPath

from benchmarks.bulk_files import YEAR, region_code, write_mixed
from pipelines.ingest import intake
from pipelines.ingest.cells import cells_frame
from pipelines.ingest.inbox import receive
from pipelines.ingest.kept import PART, PASSING, WHOLE, KeptReadings, final
from pipelines.ingest.limits import DEFAULT_LIMITS, Limits
from pipelines.ingest.packed import Readings, encode, open_pack, write_pack
from pipelines.ingest.sandbox import Source, read_stream
from pipelines.storage import inbox_path, kept_readings_path, received_path
from schemas.findings import make_finding
from schemas.frames import tidy_types
from schemas.intake import ReadFile

MIXED, FILES = 60, 61
CODE = region_code()


class Box:
    """A data folder with a mixed inbox, and what was really read and said."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.data = str(root / "data")
        write_mixed(root / "data", root / "regions", MIXED, office=False)
        whole = next(path for path in sorted(self.inbox.rglob("*.xlsx")) if path.stat().st_size > 1000).read_bytes()
        (self.inbox / "传坏了.xlsx").write_bytes(whole[: len(whole) // 2])
        self.read: list[str] = []
        monkeypatch.setattr(intake, "read_stream", self._counted)

    def _counted(self, sources: Sequence[Source], **how):
        for answer in read_stream(sources, **how):
            self.read.append(answer.name)
            yield answer

    @property
    def inbox(self) -> Path:
        return Path(inbox_path(self.data, CODE, YEAR).path)

    @property
    def kept(self) -> UPath:
        return kept_readings_path(self.data, CODE, YEAR)

    def look(self) -> pl.DataFrame:
        rows = [{"region": CODE, "year": YEAR, **msgspec.structs.asdict(e)} for e in receive(self.data, CODE, YEAR)]
        return pl.DataFrame(rows, schema=tidy_types("received_files"), orient="row")

    def run(self, limits: Limits = DEFAULT_LIMITS) -> tuple[bytes, list[str]]:
        """The readings as bytes, and which files were really read."""
        self.read.clear()
        readings, before = intake.read_received(self.data, self.look(), 2, limits)
        assert before + len(self.read) == FILES
        return packed_bytes(readings), list(self.read)

    def passing(self, done: bytes) -> int:
        """How many files are looked at each time, for their findings may pass."""
        return sum(not final([read]) for read in self.readings(done))

    def readings(self, done: bytes) -> Readings:
        path = UPath(self.data) / "here"
        path.write_bytes(done)
        return open_pack(path)


def packed_bytes(readings: Readings) -> bytes:
    parts: list[bytes] = []
    write_pack(readings, parts.append)
    return b"".join(parts)


@pytest.fixture
def box(tmp_path, monkeypatch) -> Box:
    return Box(tmp_path, monkeypatch)


def test_a_second_run_reads_only_what_is_new_and_finds_the_same(box):
    first, read = box.run()
    assert len(read) == FILES
    again = box.passing(first)
    assert 0 < again < FILES // 10, "damaged files are looked at again"
    second, read = box.run()
    assert second == first
    assert len(read) == again
    assert [path.name for path in box.kept.iterdir() if path.name != ".lock"] == [WHOLE]
    (box.inbox / "新来的.csv").write_bytes(next(box.inbox.rglob("*.csv")).read_bytes() + b"\r\n")
    next(path for path in box.inbox.rglob("*.html") if path.stat().st_size > 1000).unlink()
    third, read = box.run()
    assert len(read) == again + 1
    assert "新来的.csv" in read
    shutil.rmtree(Path(box.kept.path))
    fresh, read = box.run()
    assert len(read) == FILES
    assert fresh == third, "with and without kept readings the same bytes"


def test_the_same_bytes_under_another_name_are_read_under_that_name(box):
    first, _ = box.run()
    path = next(box.inbox.rglob("*.docx"))
    path.rename(path.with_name("改了名.docx"))
    _, read = box.run()
    assert f"{path.parent.name}/改了名.docx" in read
    assert len(read) == box.passing(first) + 1


def test_another_program_or_limit_reads_anew_and_only_the_newest_is_kept(box, monkeypatch):
    first, _ = box.run()
    other, read = box.run(Limits(wall_seconds=29))
    assert len(read) == FILES
    assert list(box.readings(other)) == list(box.readings(first)), "the limit did not matter here"
    with monkeypatch.context() as patch:
        patch.setattr(intake, "reader_key", lambda limits: "of a newer program")
        _, read = box.run()
        assert len(read) == FILES
        assert len(box.run()[1]) == box.passing(first)
    assert [path.name for path in box.kept.iterdir()] == [WHOLE]


def flipped(path: UPath, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("where", ["a reading", "the index", "all of it", "cut off", "nothing left"])
def test_damage_is_read_anew_and_said_and_never_trusted(box, caplog, where):
    first, _ = box.run()
    always, whole = box.passing(first), box.kept / WHOLE
    size = whole.stat().st_size
    if where == "a reading":
        flipped(whole, 3000)
    elif where == "the index":
        flipped(whole, size - 200)
    else:
        whole.write_bytes({"all of it": b"\0" * size, "cut off": whole.read_bytes()[:-9], "nothing left": b""}[where])
    with caplog.at_level(logging.WARNING):
        second, read = box.run()
    assert second == first
    assert len(read) == (always + 1 if where == "a reading" else FILES)
    (said,) = [record.getMessage() for record in caplog.records]
    assert "损坏，不予采用" in said
    assert "are read anew" in said or "is read anew" in said
    caplog.clear()
    assert len(box.run()[1]) == always
    assert not caplog.records


def test_a_run_that_stops_half_way_loses_no_stored_part(box, monkeypatch):
    monkeypatch.setattr("pipelines.ingest.kept.PART_READINGS", 10)
    stop = FILES // 2

    def cut(sources, **how):
        for number, answer in enumerate(read_stream(sources, **how)):
            if number == stop:
                raise KeyboardInterrupt
            yield answer

    with monkeypatch.context() as patch:
        patch.setattr(intake, "read_stream", cut)
        with pytest.raises(KeyboardInterrupt):
            intake.read_received(box.data, box.look(), 2)
    assert len([path for path in box.kept.iterdir() if path.name.endswith(PART)]) >= 2
    done, read = box.run()
    assert len(read) <= FILES - stop + 10 + box.passing(done)
    assert [path.name for path in box.kept.iterdir()] == [WHOLE], "the parts are folded together and removed"
    shutil.rmtree(Path(box.kept.path))
    assert box.run()[0] == done


def test_parts_that_are_damaged_or_of_another_program_are_passed_over_and_cleaned_away(box, caplog):
    first, _ = box.run()
    whole = (box.kept / WHOLE).read_bytes()
    (box.kept / WHOLE).unlink()
    (box.kept / f"a{PART}").write_bytes(whole[:-1])
    (box.kept / f".b{PART}.0123.partial").write_bytes(b"half")
    kept = KeptReadings(box.data, CODE, YEAR, "another", logging.getLogger())
    kept.keep("x", "0" * 64, encode([]), [])
    kept.store()
    with caplog.at_level(logging.WARNING):
        done, read = box.run()
    assert done == first
    assert len(read) == FILES
    assert len(caplog.records) == 2, "by both who opened the folder"
    assert [path.name for path in box.kept.iterdir()] == [WHOLE]


def test_any_number_of_parts_is_used_with_one_file_open(box, monkeypatch):
    monkeypatch.setattr("pipelines.ingest.kept.PART_READINGS", 1)
    files, key = box.look(), intake.reader_key(DEFAULT_LIMITS)
    with monkeypatch.context() as patch:
        patch.setattr(KeptReadings, "fold", lambda self, readings: None)  # as if it were killed just before
        first = packed_bytes(intake.read_received(box.data, files, 2)[0])
    parts = sorted(box.kept.iterdir(), key=lambda path: path.name)
    assert len(parts) == FILES - box.passing(first)
    flipped(parts[0], 100)
    flipped(parts[1], parts[1].stat().st_size - 100)
    before = len(list(Path("/proc/self/fd").iterdir()))
    kept = KeptReadings(box.data, CODE, YEAR, key, logging.getLogger())
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2
    found = [row for row in files.iter_rows(named=True) if kept.find(row["file"], row["file_sha256"])]
    assert len(found) == len(parts) - 2, "all but the damaged ones"
    second, read = box.run()
    assert second == first
    assert len(read) == 2 + box.passing(first)


def test_a_part_is_stored_after_some_time_even_if_it_is_small(tmp_path):
    now = [0.0]
    kept = KeptReadings(str(tmp_path), CODE, YEAR, "key", logging.getLogger(), clock=lambda: now[0])
    folder = kept_readings_path(str(tmp_path), CODE, YEAR)
    kept.keep("a", "0" * 64, encode([]), [])
    assert not folder.exists()
    now[0] = 16.0
    kept.keep("b", "1" * 64, encode([]), [])
    (part,) = folder.iterdir()
    assert [block.name for block in open_pack(part).blocks] == ["a", "b"]


def test_two_runs_at_once_take_turns_and_read_each_file_once(box):
    files = box.look()
    answers: list[tuple[bytes, int]] = []

    def run() -> None:
        readings, before = intake.read_received(box.data, files, 1)
        answers.append((packed_bytes(readings), before))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (one, before), (two, later) = answers
    assert one == two
    assert (before, later) == (0, FILES - box.passing(one))


def test_two_runs_without_a_lock_do_not_harm_each_other(box, monkeypatch):
    """As on object storage: the second folds, and so removes the first one's parts, while the first still reads."""
    monkeypatch.setattr("pipelines.ingest.kept.PART_READINGS", 10)
    monkeypatch.setattr(intake, "locked", lambda folder: contextlib.nullcontext())
    files = box.look()

    def overtaken(sources, **how):
        for number, answer in enumerate(read_stream(sources, **how)):
            if number == FILES // 2:
                with monkeypatch.context() as patch:
                    patch.setattr(intake, "read_stream", read_stream)
                    second.append(packed_bytes(intake.read_received(box.data, files, 1)[0]))
            yield answer

    second: list[bytes] = []
    monkeypatch.setattr(intake, "read_stream", overtaken)
    first = packed_bytes(intake.read_received(box.data, files, 1)[0])
    assert [first] == second
    assert [path.name for path in box.kept.iterdir()] == [WHOLE]


@pytest.mark.parametrize("kind", sorted(PASSING))
def test_what_may_go_better_next_time_is_not_kept(box, kind, monkeypatch):
    words = dict.fromkeys(("what", "what_en", "found", "found_en", "save_as", "reason", "reason_en"), "x")
    finding = make_finding(kind, words={"file": "x", **words})

    def troubled(sources, **how):
        for answer in read_stream(sources, **how):
            reads = tuple(msgspec.structs.replace(read, problems=(finding,)) for read in answer.reads)
            yield msgspec.structs.replace(answer, reads=reads) if answer.name.endswith(".csv") else answer

    with monkeypatch.context() as patch:
        patch.setattr(intake, "read_stream", troubled)
        intake.read_received(box.data, box.look(), 2)
    done, read = box.run()
    assert {name for name in read if name.endswith(".csv")} == {
        path.relative_to(box.inbox).as_posix() for path in box.inbox.rglob("*.csv")
    }
    assert not any(finding.rule == kind for each in box.readings(done) for finding in each.problems if each.cells)


def test_other_findings_are_final():
    assert final(
        [ReadFile(file="a", sha256="", format="unknown", problems=(make_finding("empty_file", words={"file": "a"}),))]
    )
    assert final([])


def test_on_other_storage_the_same_readings_and_the_same_keeping(box, monkeypatch):
    monkeypatch.setattr("pipelines.ingest.kept.PART_READINGS", 10)
    here, _ = box.run()
    local, box.data = box.inbox, "memory://bulk/data"
    there = inbox_path(box.data, CODE, YEAR)
    for path in local.rglob("*"):
        if path.is_file():
            (there / path.relative_to(local).as_posix()).parent.mkdir(parents=True, exist_ok=True)
            (there / path.relative_to(local).as_posix()).write_bytes(path.read_bytes())
    with monkeypatch.context() as patch:
        patch.setattr(KeptReadings, "fold", lambda self, readings: None)  # as if it were killed just before
        intake.read_received(box.data, box.look(), 2)
    assert len([path for path in box.kept.iterdir() if path.name.endswith(PART)]) >= 5
    readings, before = intake.read_received(box.data, box.look(), 2)
    assert packed_bytes(readings) == here
    assert before == FILES - sum(not final([read]) for read in readings)
    assert [path.name for path in box.kept.iterdir()] == [WHOLE]
    assert intake.read_received(box.data, box.look(), 2)[1] == before
    there.fs.rm("/bulk", recursive=True)


def test_a_damaged_original_is_read_but_its_reading_is_not_kept(box):
    files = box.look()
    csv = files.filter(pl.col("file").str.ends_with(".csv")).row(0, named=True)
    path = received_path(box.data, csv["file_sha256"])
    path.write_bytes(path.read_bytes() + b"\n")
    readings, _ = intake.read_received(box.data, files, 2)
    assert readings.named(csv["file"]).sha256 != csv["file_sha256"]
    assert csv["file"] not in {block.name for block in open_pack(box.kept / WHOLE).blocks}


def test_the_table_of_cells_is_the_same_in_any_batches(box, monkeypatch):
    readings, _ = intake.read_received(box.data, box.look(), 2)
    rows = [
        (read.file, read.sha256, read.form[cell.cell.split(".")[0]], cell.cell, cell.value, cell.raw, cell.state)
        for read in readings
        for cell in read.cells
    ]
    for size in (500, 7, 1):
        monkeypatch.setattr("pipelines.ingest.cells.BATCH", size)
        frame = cells_frame(readings, CODE, YEAR)
        assert frame.drop("region", "year", "address").rows() == rows
        assert frame["address"].to_list() == [cell.at or None for read in readings for cell in read.cells]
        assert set(frame["region"]) == {CODE}
        assert set(frame["year"]) == {YEAR}
    assert cells_frame([], CODE, YEAR).is_empty()


@pytest.mark.parametrize("size", [500, 1])
def test_a_file_that_stands_twice_breaks_the_contract_of_cells_in_any_batches(box, monkeypatch, size):
    monkeypatch.setattr("pipelines.ingest.cells.BATCH", size)
    (box.inbox / "一.csv").write_bytes(next(box.inbox.rglob("*.csv")).read_bytes())
    readings, _ = intake.read_received(box.data, box.look().filter(pl.col("file") == "一.csv"), 1)
    assert cells_frame(readings, CODE, YEAR).height == 203
    with pytest.raises(SchemaError, match="not unique"):
        cells_frame([*readings, *readings], CODE, YEAR)
