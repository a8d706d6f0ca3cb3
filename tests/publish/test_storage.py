"""Paths and atomic writes, on a local disk and on other storage."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from upath import UPath

from pipelines import storage


@pytest.fixture
def memory() -> UPath:
    root = UPath("memory://storage-test")
    if root.exists():
        root.fs.rm(root.path, recursive=True)
    return root


def test_paths_have_the_documented_layout() -> None:
    assert str(storage.inbox_path("data", "511725", 2023)) == "data/inbox/511725/2023"
    assert str(storage.received_path("data", "ab12")) == "data/received/ab12"
    assert str(storage.releases_path("out", "511725", 2023)) == "out/511725/2023/releases"
    assert str(storage.history_path("out", "511725", 2023)) == "out/511725/2023/history.json"
    assert str(storage.latest_path("s3://bucket/out", "511725", 2023)) == "s3://bucket/out/511725/2023/latest.json"


@pytest.mark.parametrize("part", ["..", "a/b", "", ".hidden", "a\\b", "a\n"])
def test_a_name_that_leaves_the_folder_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match="not a name of a folder"):
        storage.inbox_path("data", part, 2023)
    with pytest.raises(ValueError, match="not a name of a folder"):
        storage.received_path("data", part)


def test_local_tells_a_disk_from_other_storage(tmp_path: Path, memory: UPath) -> None:
    assert storage.local(str(tmp_path)) == tmp_path
    assert storage.local(f"file://{tmp_path}") == tmp_path
    assert storage.local(memory) is None


def test_a_write_makes_folders_and_leaves_nothing_beside(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b.json"
    storage.write_atomic(target, b"one")
    storage.write_atomic(str(target), b"two")
    assert target.read_bytes() == b"two"
    assert [path.name for path in target.parent.iterdir()] == ["b.json"]


def test_a_written_file_has_the_usual_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        storage.write_atomic(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a"
    storage.write_atomic(target, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        storage.write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    target = tmp_path / "a"
    contents = [bytes([number]) * 200_000 for number in range(4)]
    storage.write_atomic(target, contents[0])
    done = threading.Event()
    seen: list[bytes] = []

    def read() -> None:
        while not done.is_set():
            seen.append(target.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(40):
        storage.write_atomic(target, contents[number % 4])
    done.set()
    reader.join()
    assert seen
    assert set(seen) <= set(contents)


def test_other_storage_takes_the_same_calls(memory: UPath) -> None:
    path = memory / "x" / "y.json"
    storage.write_atomic(path, b"one")
    storage.write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    storage.remove_partials(memory)
    with storage.locked(memory):
        pass


def test_a_link_moves_in_one_step(tmp_path: Path) -> None:
    storage.link_atomic(tmp_path / "latest", "one")
    storage.link_atomic(tmp_path / "latest", "two")
    assert (tmp_path / "latest").readlink() == Path("two")
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]


def test_a_link_is_never_put_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    with pytest.raises(OSError, match="directory"):
        storage.link_atomic(tmp_path / "latest", "two")
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]


def test_what_a_killed_write_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    names = [".a.json.0123456789ab.partial", ".other", "b.partial"]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    storage.remove_partials(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == names[1:]


def test_a_lock_is_held_by_one_alone(tmp_path: Path) -> None:
    order: list[str] = []
    entered = threading.Event()

    def second() -> None:
        entered.set()
        with storage.locked(tmp_path, lambda: order.append("waiting")):
            order.append("second")

    with storage.locked(tmp_path, lambda: order.append("never")):
        thread = threading.Thread(target=second)
        thread.start()
        entered.wait()
        while not order:
            thread.join(0.01)
        thread.join(0.1)
        order.append("first")
    thread.join()
    assert order == ["waiting", "first", "second"]
