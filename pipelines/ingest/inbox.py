"""Files as they arrive: the inventory of an inbox, and the originals kept byte for byte.

Belongs here: listing an inbox, hashing, keeping originals, the manifest of first sights. Does not belong here: what
stands in a file (readers), whose it is (pipelines/validate/roster.py).

The manifest, never a file's time stamp, decides which version is newest: each (file, SHA-256) is recorded once, with
the number of the look at the inbox that first saw it. Files first seen in one look arrived together.

Every file is hashed at every look; what is kept already is not written again. The manifest is written when all that it
names has been forced to disk.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import msgspec
from upath import UPath

from pipelines.storage import (
    inbox_path,
    incoming,
    local,
    locked,
    manifest_path,
    place,
    received_folder,
    received_path,
    settled,
    write_atomic,
)

# Files that programs leave beside a document while it is open, or that a file manager makes for itself.
PASSING_NAMES = ("~$", ".~", "._")
PIECE = 1024 * 1024
AT_A_TIME = 256  # files that are listed and taken in together
TAKERS = 4  # threads that take files in: a disk forces out several files in little more time than one
PASSING_FILES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


class Sight(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the manifest: a file's bytes and the look that first saw them."""

    file: str
    file_sha256: str
    bytes: int
    sequence: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All first sights of one region and year. ``looks`` counts the looks that saw something new."""

    looks: int = 0
    sights: tuple[Sight, ...] = ()


class ReceivedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file now in the inbox. ``folder_body`` is its first sub-folder's name, None for a flat file.

    ``special``: what it is if it is no plain file (a link, a pipe ...); it is not opened, nothing of it is kept.
    """

    file: str
    folder_body: str | None
    sequence: int
    bytes: int
    file_sha256: str
    special: str | None = None


def passing(name: str) -> bool:
    """Whether a file name is one that programs leave behind and that nobody delivered."""
    return name in PASSING_FILES or name.startswith(PASSING_NAMES)


def _files(root: UPath, folder: UPath) -> Iterator[tuple[str, UPath, str | None]]:
    """Every file below ``folder``: its path below ``root``, its place, and what it is if it is no plain file.

    A name that is not valid text is shown with its bytes escaped, so that it can be written down.
    """
    for path in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if passing(path.name):
            continue
        special = _special(path)
        if special is None and path.is_dir():
            yield from _files(root, path)
        else:
            name = path.path[len(root.path) :].lstrip("/")
            yield name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"), path, special


def _special(path: UPath) -> str | None:
    here = local(path)
    if here is None:
        return None
    mode = here.lstat().st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    return "link" if stat.S_ISLNK(mode) else "device"


def _take_in(path: UPath, data: str) -> tuple[str, int]:
    """Keep a file's bytes as an original, in pieces, and return their SHA-256 and number."""
    with path.open("rb") as file:
        start = file.read(PIECE)
        digest, size = hashlib.sha256(start), len(start)
        small = size < PIECE
        while piece := b"" if small else file.read(PIECE):
            digest.update(piece)
            size += len(piece)
        if received_path(data, digest.hexdigest()).exists():
            return digest.hexdigest(), size
        with incoming(received_folder(data)) as (write, keep):
            if small:
                write(start)
            else:  # hashed again as it is written: it may have changed since
                file.seek(0)
                digest, size = hashlib.sha256(), 0
                while piece := file.read(PIECE):
                    digest.update(piece)
                    size += len(piece)
                    write(piece)
            keep(received_path(data, digest.hexdigest()))
    return digest.hexdigest(), size


def _taken(files: Iterable[tuple[str, UPath, str | None]], data: str) -> Iterator[tuple[str, str | None, str, int]]:
    """Every file taken in, some at a time, in order: its name, what it is if it is no plain file, SHA-256 and bytes."""

    def take(file: tuple[str, UPath, str | None]) -> tuple[str, str | None, str, int]:
        name, path, special = file
        digest, size = (hashlib.sha256(special.encode()).hexdigest(), 0) if special else _take_in(path, data)
        return name, special, digest, size

    coming = iter(files)
    with ThreadPoolExecutor(TAKERS) as threads:
        while some := list(islice(coming, AT_A_TIME)):
            yield from threads.map(take, some)


def read_manifest(data: str, region: str, year: int) -> Manifest:
    """The manifest of a region and year; empty where there is none yet. Raises msgspec.ValidationError if damaged."""
    path = manifest_path(data, region, year)
    if not path.exists():
        return Manifest()
    return msgspec.json.decode(path.read_bytes(), type=Manifest)


def receive(data: str, region: str, year: int) -> list[ReceivedFile]:
    """Take in the inbox of a region and year: keep originals, extend the manifest, return what is there now.

    Files are in name order. What was hashed is what is kept and read later, even if the file changes meanwhile.
    """
    root = inbox_path(data, region, year)
    if not root.exists():
        return []
    with locked(place(data) / "locks" / f"inbox-{region}-{year}"):  # the year after may be looking here too
        return _receive(data, region, year, root)


def _receive(data: str, region: str, year: int, root: UPath) -> list[ReceivedFile]:
    manifest = read_manifest(data, region, year)
    known = {(sight.file, sight.file_sha256): sight.sequence for sight in manifest.sights}
    look = manifest.looks + 1
    new: list[Sight] = []
    found: list[ReceivedFile] = []
    for name, special, digest, size in _taken(_files(root, root), data):
        if (name, digest) not in known:
            known[name, digest] = look
            new.append(Sight(name, digest, size, look))
        parts = name.split("/")
        found.append(
            ReceivedFile(
                file=name,
                folder_body=parts[0] if len(parts) > 1 else None,
                sequence=known[name, digest],
                bytes=size,
                file_sha256=digest,
                special=special,
            )
        )
    settled(received_folder(data))
    if new:
        text = msgspec.json.format(msgspec.json.encode(Manifest(look, manifest.sights + tuple(new))), indent=1)
        write_atomic(manifest_path(data, region, year), text)
    return found
