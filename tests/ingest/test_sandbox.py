"""Parsing processes: one answer a file in order, whatever a parser does; bounds that fire and stay silent."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from pipelines.ingest import sandbox
from pipelines.ingest.limits import Limits, clock_held
from pipelines.ingest.sandbox import read_many, read_one, read_stream
from pipelines.ingest.wire import HEADER, Job, pack_job, pack_reply, unpack_job, unpack_reply
from pipelines.settings import PROJECT
from schemas.findings import Finding
from schemas.intake import Claim, Indicator, ReadCell, ReadFile
from tests.ingest.hostile import zipped

LENGTH, ORDEAL = "tests.ingest.works:length", "tests.ingest.works:ordeal"
TIGHT = Limits(cpu_seconds=1, wall_seconds=2, office_seconds=1)
# What a parser may do -> the kind of finding that stands for the file.
ORDEALS = {
    "spin": "resource_limit",
    "hang": "resource_limit",
    "swell": "resource_limit",
    "endless": "resource_limit",
    "kill": "resource_limit",
    "crash": "reader_fault",
    "leave": "reader_fault",
    "raise": "reader_fault",
}


def kinds(read: ReadFile) -> list[str]:
    return [finding.rule for finding in read.problems]


def test_answers_come_in_the_order_of_the_files_from_several_processes():
    files = [(f"{n}.txt", bytes(n)) for n in range(1, 40)]
    reads = read_many(files, LENGTH, workers=2)
    assert [(read.file, read.format) for read in reads] == [(f"{n}.txt", str(n)) for n in range(1, 40)]
    assert len({read.body_name for read in reads}) == 2, "two processes, each reused"
    assert str(os.getpid()) not in {read.body_name for read in reads}


def test_no_files_no_processes():
    assert read_many([], LENGTH) == []


def test_files_are_opened_as_processes_become_free():
    opened: list[int] = []

    def bring(number: int) -> bytes:
        opened.append(number)
        return bytes(number)

    sources = [(f"{n}.txt", partial(bring, n)) for n in range(1, 200)]
    with contextlib.closing(read_stream(sources, LENGTH, workers=2)) as answers:
        for taken, answer in enumerate(answers, start=1):
            assert answer.reads[0].format == str(answer.position + 1)
            assert len(opened) - taken <= 2 * 8 + 2 + 2, "answers waiting, being handed on, being read"
            if taken == 20:
                break
    assert len(opened) < 60, "whoever stops early has the rest left unopened"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("intake-")]


def test_what_bringing_a_file_raises_is_raised_to_the_reader():
    def bring() -> bytes:
        raise OSError("the storage is away")

    with pytest.raises(OSError, match="the storage is away"):
        list(read_stream([("a", b"abc"), ("b", bring), ("c", b"abc")], LENGTH, workers=2))


@pytest.mark.parametrize("ordeal", ORDEALS)
@pytest.mark.parametrize("way", ["kept", "fork"])
def test_a_bad_day_costs_one_file_one_finding(ordeal, way):
    started = time.monotonic()
    file = (f"{ordeal}.doc", ordeal.encode())
    if way == "kept":
        before, read, after = read_many([("a", b"abc"), file, ("b", b"abcd")], ORDEAL, workers=1, limits=TIGHT)
        assert (before.format, after.format) == ("3", "4")
        assert before.body_name != after.body_name, "the process was replaced"
    else:
        read = read_one(file, ORDEAL, limits=TIGHT)
    assert kinds(read) == [ORDEALS[ordeal]]
    assert read.file == f"{ordeal}.doc"
    assert len(read.sha256) == 64
    assert "library" not in read.problems[0].message_en, "what a library says is no message for people"
    assert time.monotonic() - started < 30, "generous, for busy machines"


@pytest.mark.parametrize("read", [read_one, lambda *a, **k: read_many([a[0]], *a[1:], **k)[0]])
def test_what_a_parser_prints_does_not_get_among_the_answers(read, capfd):
    assert read(("a", b"print"), ORDEAL).format == "5"
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to look for processes in")
@pytest.mark.parametrize("read", [read_one, lambda *a, **k: read_many([a[0]], *a[1:], **k)[0]])
def test_what_a_parser_started_ends_with_it(read):
    started = int(read(("a", b"orphan"), ORDEAL).body_name)
    until = time.monotonic() + 5
    while _runs(started) and time.monotonic() < until:
        time.sleep(0.01)
    assert not _runs(started)


def _runs(pid: int) -> bool:
    try:
        state = Path("/proc", str(pid), "stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state not in (b"Z", b"X")  # ended, and waiting to be buried by whoever adopted it


def test_many_threads_mean_no_fork(monkeypatch):
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    try:
        monkeypatch.setattr(sandbox, "Fork", None)  # would fail if it were used
        assert read_one(("a", b"abc"), LENGTH).format == "3"
    finally:
        release.set()
        thread.join()


FORKING = f"""
import os
from pipelines.ingest import sandbox
sandbox.Process = None  # would fail if it were used
for ordeal, kind in {sorted(ORDEALS.items())!r}:
    if ordeal not in ("spin", "hang"):
        read = sandbox.read_one((ordeal, ordeal.encode()), {ORDEAL!r})
        assert [finding.rule for finding in read.problems] == [kind], read
read = sandbox.read_one(("a", b"abc"), {LENGTH!r})
assert read.format == "3" and read.body_name != str(os.getpid())
print("forked")
"""


def test_a_small_process_with_one_thread_forks():
    """In a process of its own, for the one that runs the tests may have threads."""
    run = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, cwd=PROJECT, timeout=60)
    assert (run.stdout, run.stderr) == ("forked\n", "")


def test_the_clock_of_a_job_is_held_for_a_conversion_and_only_if_it_runs():
    with clock_held(50):
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    signal.setitimer(signal.ITIMER_REAL, 200)
    try:
        with clock_held(50):
            assert 40 < signal.getitimer(signal.ITIMER_REAL)[0] <= 50
        assert 190 < signal.getitimer(signal.ITIMER_REAL)[0] <= 200
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def test_after_a_conversion_a_job_has_what_its_own_clock_had_left():
    started = time.monotonic()
    (read,) = read_many([("a.doc", b"convert, then hang")], ORDEAL, workers=1, limits=Limits(wall_seconds=1))
    assert kinds(read) == ["resource_limit"]
    assert time.monotonic() - started < 15, "the clock of the setting, not the 30 seconds of the default"


def test_a_conversion_has_the_time_of_the_limits(tmp_path, monkeypatch):
    """A shell script stands in the place of LibreOffice: it never ends."""
    office = tmp_path / "soffice"
    office.write_text("#!/bin/sh\nsleep 600\n")
    office.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    started = time.monotonic()
    (read,) = read_many([("年报.rtf", b"{\\rtf1 x}")], workers=1, limits=Limits(office_seconds=1))
    assert kinds(read) == ["resource_limit"]
    assert "转换时间" in read.problems[0].message_zh
    assert time.monotonic() - started < 15


def test_names_that_no_text_can_hold_are_passed_on_as_far_as_possible():
    (read,) = read_many([("bad\udcff.txt", b"abc")], LENGTH, workers=1)
    assert (read.file, read.format) == ("bad?.txt", "3")


def test_sizes_are_checked_before_anything_starts():
    small = Limits(file_bytes=10)
    assert kinds(read_one(("a.bin", bytes(11)), LENGTH, limits=small)) == ["too_large"]
    assert kinds(read_one(("a.bin", bytes(10)), LENGTH, limits=small)) == []
    assert kinds(read_one(("a.bin", b""), LENGTH)) == ["empty_file"]


def test_an_archive_gives_an_answer_for_each_of_its_files():
    data = zipped({"一.txt": b"abc", "bad.txt": b"crash", "二.txt": b"abcd"})
    reads = next(read_stream([("年报.zip", data)], ORDEAL)).reads
    assert [read.file for read in reads][:1] == ["年报.zip/一.txt"]
    assert kinds(reads[-1]) == ["reader_fault"]
    harmless = zipped({"一.txt": b"abc", "二.txt": b"abcd"})
    reads = next(read_stream([("年报.zip", harmless)], LENGTH)).reads
    assert [(read.file, read.format) for read in reads] == [("年报.zip/一.txt", "3"), ("年报.zip/二.txt", "4")]


def test_an_archive_of_one_stands_for_its_file_and_one_of_several_for_none():
    one, several = zipped({"一.txt": b"abc"}), zipped({"一.txt": b"abc", "二.txt": b"abcd"})
    first, second = read_many([("a.zip", one), ("b.zip", several)], LENGTH, workers=1)
    assert (first.file, first.format, kinds(first)) == ("a.zip", "3", [])
    assert (second.file, kinds(second)) == ("b.zip", ["several_files"])
    assert len(second.sha256) == 64


# ---------------------------------------------------------------- paths
def test_paths_are_read_and_their_text_is_the_name(tmp_path):
    path = tmp_path / "年报.txt"
    path.write_bytes(b"abc")
    read = read_one(path, LENGTH)
    assert (read.file, read.format) == (str(path), "3")


def test_links_that_stay_inside_are_followed_and_those_that_lead_out_are_not(tmp_path):
    inbox, outside = tmp_path / "inbox", tmp_path / "outside.txt"
    inbox.mkdir()
    outside.write_bytes(b"secret")
    (inbox / "real.txt").write_bytes(b"abc")
    (inbox / "inner.txt").symlink_to("real.txt")
    (inbox / "outer.txt").symlink_to(outside)
    (inbox / "folder").symlink_to(tmp_path)
    (inbox / "loop.txt").symlink_to("loop.txt")
    paths = [inbox / "inner.txt", inbox / "outer.txt", inbox / "folder" / "outside.txt", inbox / "loop.txt"]
    reads = read_many(paths, LENGTH, workers=1, root=inbox)
    assert [kinds(read) for read in reads] == [[], ["not_a_file"], ["not_a_file"], ["file_not_opened"]]
    assert reads[1].sha256 == ""
    assert read_one(inbox / "outer.txt", LENGTH).format == "6", "on the command line a link is what the person named"


def test_what_is_no_plain_file_is_said_to_be_so(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    secret = tmp_path / "gone" / "x.txt"
    reads = read_many([tmp_path / "pipe", tmp_path / "folder", Path("/dev/null"), secret], LENGTH, workers=1)
    assert [kinds(read) for read in reads] == [["not_a_file"], ["not_a_file"], ["not_a_file"], ["file_not_opened"]]
    assert "管道" in reads[0].problems[0].message_zh
    assert "文件夹" in reads[1].problems[0].message_zh


def test_a_file_that_grows_while_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_bytes(b"abc")
    reading = os.read

    def growing(descriptor: int, length: int) -> bytes:
        part = reading(descriptor, length)
        if part == b"abc":
            with path.open("ab") as file:
                file.write(b"more")
        return part

    monkeypatch.setattr("pipelines.ingest.taking.os.read", growing)
    assert kinds(read_many([path], LENGTH, workers=1)[0]) == ["changed_while_reading"]
    monkeypatch.undo()
    assert kinds(read_many([path], LENGTH, workers=1)[0]) == []


# ---------------------------------------------------------------- what goes over the pipe
def test_everything_that_intake_says_arrives_as_it_was():
    finding = Finding(
        rule="x",
        severity="error",
        message_zh="错",
        message_en="wrong",
        expected=Decimal("3135.60"),
        found=7,
        difference=Decimal("1.5"),
        proposed=4,
        cells=("a.b.c",),
    )
    words = Finding(rule="y", severity="warning", message_zh="错", message_en="wrong", expected="甲", found=None)
    read = ReadFile(
        file="a.xlsx",
        sha256="0",
        format="xlsx",
        own_workbook=True,
        form={"requests": "2021"},
        body_code="511725-D01",
        body_name="示例局",
        year=2023,
        cells=(ReadCell(cell="a.b.c", value=Decimal(101), raw="101", state="given", at="统计表!C14"),),
        claims=(Claim(cell="a.b.c", value=Decimal(3), text="三件", readings=(("+a.b.c",),)),),
        indicators=(Indicator(indicator="i", value=None, raw=None, state="blank"),),
        problems=(finding, words),
    )
    frame = pack_reply((read,), True, False)
    assert HEADER.unpack(frame[: HEADER.size]) == (len(frame) - HEADER.size,)
    assert unpack_reply(frame[HEADER.size :]) == ((read,), True, False)
    job = Job("年报.xlsx", b"\x00\xff")
    assert unpack_job(pack_job(job)[HEADER.size :]) == job
