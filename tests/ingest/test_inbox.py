from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pipelines.ingest.inbox import passing, read_manifest, receive

REGION, YEAR = "511725", 2023


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "inbox" / REGION / str(YEAR)
    (folder / "511725-D02").mkdir(parents=True)
    (folder / "flat.csv").write_bytes(b"one")
    (folder / "511725-D02" / "return.xlsx").write_bytes(b"two")
    return folder


def look(tmp_path):
    return receive(str(tmp_path), REGION, YEAR)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_files_are_listed_in_name_order_with_their_folder_and_hash(inbox, tmp_path):
    files = look(tmp_path)
    assert [(f.file, f.folder_body, f.sequence, f.bytes, f.file_sha256) for f in files] == [
        ("511725-D02/return.xlsx", "511725-D02", 1, 3, digest(b"two")),
        ("flat.csv", None, 1, 3, digest(b"one")),
    ]


def test_originals_are_kept_byte_for_byte_even_when_the_inbox_changes(inbox, tmp_path):
    look(tmp_path)
    (inbox / "flat.csv").write_bytes(b"changed")
    look(tmp_path)
    kept = {path.name: path.read_bytes() for path in (tmp_path / "received").iterdir() if len(path.name) == 64}
    assert kept == {digest(data): data for data in (b"one", b"two", b"changed")}


def test_the_manifest_records_each_first_sight_once(inbox, tmp_path):
    look(tmp_path)
    before = read_manifest(str(tmp_path), REGION, YEAR)
    look(tmp_path)
    assert read_manifest(str(tmp_path), REGION, YEAR) == before
    assert (before.looks, len(before.sights)) == (1, 2)
    (inbox / "new.csv").write_bytes(b"three")
    assert {f.file: f.sequence for f in look(tmp_path)}["new.csv"] == 2
    assert read_manifest(str(tmp_path), REGION, YEAR).looks == 2


def test_the_manifest_and_not_a_time_stamp_decides_which_is_newest(inbox, tmp_path):
    import os

    look(tmp_path)
    (inbox / "later.csv").write_bytes(b"later")
    os.utime(inbox / "later.csv", (0, 0))
    sequence = {f.file: f.sequence for f in look(tmp_path)}
    assert sequence["later.csv"] > sequence["flat.csv"]


def test_a_withdrawn_file_is_gone_from_the_list_and_its_original_stays(inbox, tmp_path):
    look(tmp_path)
    (inbox / "flat.csv").unlink()
    assert [f.file for f in look(tmp_path)] == ["511725-D02/return.xlsx"]
    assert (tmp_path / "received" / digest(b"one")).read_bytes() == b"one"


def test_a_link_is_not_followed(inbox, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (inbox / "link.csv").symlink_to(secret)
    (link,) = [f for f in look(tmp_path) if f.special == "link"]
    assert link.file == "link.csv"
    assert link.file_sha256 != digest(b"secret")
    assert not (tmp_path / "received" / digest(b"secret")).exists()


def test_a_linked_folder_is_not_entered(inbox, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.csv").write_bytes(b"x")
    (inbox / "folder").symlink_to(outside, target_is_directory=True)
    assert [f.file for f in look(tmp_path) if f.special] == ["folder"]


def test_an_inbox_that_is_not_there_is_empty(tmp_path):
    assert look(tmp_path) == []


@pytest.mark.parametrize("name", ["~$报表.xlsx", ".~lock.a.odt#", "._a.docx", ".DS_Store", "Thumbs.db"])
def test_what_programs_leave_behind_is_no_delivery(inbox, tmp_path, name):
    (inbox / name).write_bytes(b"x")
    assert passing(name)
    assert len(look(tmp_path)) == 2


@pytest.mark.parametrize("name", ["报表.xlsx", ".hidden.csv", "~.csv"])
def test_anything_else_is(inbox, tmp_path, name):
    (inbox / name).write_bytes(b"x")
    assert not passing(name)
    assert len(look(tmp_path)) == 3


def test_a_pipe_is_named_and_never_opened(inbox, tmp_path):
    import os

    os.mkfifo(inbox / "pipe.csv")
    assert {f.file: f.special for f in look(tmp_path)}["pipe.csv"] == "device"


def test_a_name_that_is_no_text_is_shown_with_its_bytes(inbox, tmp_path):
    import os

    (inbox / os.fsdecode(b"\xb1\xa8.csv")).write_bytes(b"gbk name")
    assert "\\xb1\\xa8.csv" in [f.file for f in look(tmp_path)]


def test_a_large_file_is_kept_without_being_held_in_memory(inbox, tmp_path):
    import tracemalloc

    (inbox / "large.bin").write_bytes(b"0" * 40_000_000)
    tracemalloc.start()
    look(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000
    assert len([path for path in (tmp_path / "received").iterdir() if path.stat().st_size == 40_000_000]) == 1


def test_a_second_look_writes_no_original_again(inbox, tmp_path, monkeypatch):
    (inbox / "large.bin").write_bytes(b"0" * 3_000_000)
    first = look(tmp_path)
    monkeypatch.setattr("pipelines.ingest.inbox.incoming", None)  # would fail if it were used
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "received").iterdir()}
    assert look(tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "received").iterdir()} == before


def test_the_manifest_is_written_when_every_original_and_its_name_are_on_the_disk(inbox, tmp_path, monkeypatch):
    """Each original is forced out before it gets its name, all names before the manifest that refers to them."""
    import os

    from pipelines import storage

    done: list[str] = []
    fsync, replace = os.fsync, type(tmp_path).replace

    def forced(descriptor: int) -> None:
        done.append(f"forced {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        fsync(descriptor)

    def named(self, target):
        done.append(f"{self.name} named {target.name}")
        return replace(self, target)

    monkeypatch.setattr(storage.os, "fsync", forced)
    monkeypatch.setattr(type(tmp_path), "replace", named)
    for number in range(40):
        (inbox / f"{number}.csv").write_bytes(b"%d" % number)
    look(tmp_path)
    originals = [event for event in done if event.startswith(".incoming") and " named " in event]
    assert len(originals) == 42
    for event in originals:
        partial = event.split(" named ")[0]
        assert done.index(f"forced {partial}") < done.index(event)
    manifest = next(event for event in done if f"named manifest-{REGION}-{YEAR}.json" in event)
    assert max(map(done.index, originals)) < done.index("forced received") < done.index(manifest)


def test_files_of_the_same_bytes_taken_in_at_once_are_one_original(inbox, tmp_path):
    for number in range(300):
        (inbox / f"copy{number}.csv").write_bytes(b"the same")
    files = look(tmp_path)
    assert [f.file for f in files] == sorted(f.file for f in files)
    assert len([f for f in files if f.file_sha256 == digest(b"the same")]) == 300
    kept = [path.name for path in (tmp_path / "received").iterdir()]
    assert sorted(kept) == sorted({*(f.file_sha256 for f in files), f"manifest-{REGION}-{YEAR}.json"})
