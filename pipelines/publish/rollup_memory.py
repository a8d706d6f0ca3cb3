"""What the roll-up remembers between runs, so that what has not changed costs next to nothing.

Belongs here: keeping a value with the key of all that it depends on and the hash of its own bytes, the key of this
program, and the stamps by which a file is known to be the one that was read before. Does not belong here: what is kept
(rollup_package.py, rollup_verified.py, rollup_source.py), where (pipelines/storage.py).

Nothing here is a record: all of it may be deleted and is then worked out anew, with the same result. What is damaged or
of another program is never used.

A stamp is what git keeps of a file in its index: size, time of change of content and of the inode, inode. The time of
the inode moves with every write and cannot be set by a program, so a file whose content was changed and whose time was
put back is read anew. On object storage it is size and ETag. Storage that gives neither is always read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import msgspec
from upath import UPath

from pipelines.storage import local, sha256, write_atomic

T = TypeVar("T")
Stamp = tuple[int | str, ...]
SETTLED = 2_000_000_000  # nanoseconds; a file changed so shortly ago may change again without another time
PROJECT = Path(__file__).resolve().parents[2]


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A value as kept: the key of all that it depends on, the hash of its bytes, its bytes."""

    key: str
    sha256: str
    body: bytes


def remember(path: UPath, key: str, value: object) -> None:
    """Keep ``value`` at ``path`` for the same ``key``. Raises OSError."""
    body = msgspec.msgpack.encode(value)
    write_atomic(path, msgspec.msgpack.encode(_Kept(key=key, sha256=sha256(body), body=body)))


def recall(path: UPath, key: str, kind: type[T]) -> T | None:
    """What is kept at ``path`` if it was made for the same key and is whole; None otherwise, also where nothing is."""
    try:
        kept = msgspec.msgpack.decode(path.read_bytes(), type=_Kept)
        if kept.key != key or sha256(kept.body) != kept.sha256:
            return None
        return msgspec.msgpack.decode(kept.body, type=kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


@cache
def program_key(names: tuple[str, ...], packages: tuple[str, ...] = ()) -> str:
    """The hash of this program as far as a kept value depends on it. Taken once a process, as the code is.

    ``names``: files and folders of the project, folders with all code and declarations below; ``packages``: libraries
    whose version counts.
    """
    paths: list[Path] = []
    for name in names:
        found = PROJECT / name
        paths += sorted(found.rglob("*")) if found.is_dir() else [found]
    read = [path for path in paths if path.suffix in (".py", ".toml", ".json") and "__pycache__" not in path.parts]
    lines = [f"{path.relative_to(PROJECT).as_posix()} {sha256(path.read_bytes())}" for path in read]
    return sha256("\n".join([*lines, *(f"{name} {version(name)}" for name in packages)]).encode())


def stamps_of(folder: UPath, names: Sequence[str], settled: int = SETTLED) -> tuple[Stamp, ...] | None:
    """The stamps of files below ``folder``; None where one is not there, has none, or changed within ``settled``
    nanoseconds before now.
    """
    here = local(folder)
    if here is not None:
        return _local_stamps(str(here), names, time.time_ns() - settled)
    try:
        folder.fs.invalidate_cache(folder.path)
        found = folder.fs.find(folder.path, detail=True)
    except OSError:
        return None
    stamps: list[Stamp] = []
    for name in names:
        entry = found.get((folder / name).path) or {}
        tag = entry.get("ETag") or entry.get("etag")
        if not tag:
            return None
        stamps.append((int(entry.get("size") or 0), str(tag)))
    return tuple(stamps)


def _local_stamps(folder: str, names: Iterable[str], latest: int) -> tuple[Stamp, ...] | None:
    stamps: list[Stamp] = []
    for name in names:
        try:
            found = os.stat(f"{folder}/{name}")  # noqa: PTH116 - eleven thousand times a run
        except OSError:
            return None
        if max(found.st_mtime_ns, found.st_ctime_ns) > latest:
            return None
        stamps.append((found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino))
    return tuple(stamps)
