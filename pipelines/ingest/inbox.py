"""Files as they arrive: the inventory of an inbox, and the originals kept byte for byte.

Belongs here: listing an inbox, hashing, keeping originals, the manifest of first sights. Does not belong here: what
stands in a file (readers), whose it is (pipelines/validate/roster.py).

The manifest, never a file's time stamp, decides which version is newest: each (file, SHA-256) is recorded once, with
the number of the look at the inbox that first saw it. Files first seen in one look arrived together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import msgspec
from upath import UPath

from pipelines.storage import inbox_path, manifest_path, received_path, write_atomic

# Files that programs leave beside a document while it is open, or that a file manager makes for itself.
PASSING_NAMES = ("~$", ".~", "._")
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

    ``link``: a symbolic link; it is not followed, its target's path stands in for its bytes.
    """

    file: str
    folder_body: str | None
    sequence: int
    bytes: int
    file_sha256: str
    link: bool = False


def passing(name: str) -> bool:
    """Whether a file name is one that programs leave behind and that nobody delivered."""
    return name in PASSING_FILES or name.startswith(PASSING_NAMES)


def _files(root: UPath, folder: UPath) -> Iterator[tuple[str, UPath]]:
    for path in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if passing(path.name):
            continue
        if path.is_dir() and not _is_link(path):
            yield from _files(root, path)
        else:
            yield path.path[len(root.path) :].lstrip("/"), path


def _is_link(path: UPath) -> bool:
    return bool(getattr(path, "is_symlink", lambda: False)())


def read_manifest(data: str, region: str, year: int) -> Manifest:
    """The manifest of a region and year; empty where there is none yet. Raises msgspec.ValidationError if damaged."""
    path = manifest_path(data, region, year)
    if not path.exists():
        return Manifest()
    return msgspec.json.decode(path.read_bytes(), type=Manifest)


def receive(data: str, region: str, year: int, *, keep: bool = True) -> list[ReceivedFile]:
    """Take in the inbox of a region and year: keep new originals, extend the manifest, return what is there now.

    Files are in name order. ``keep`` False looks without keeping anything (last year's figures); such files count as
    having arrived in the order of the manifest as far as it knows them, else together.
    """
    root = inbox_path(data, region, year)
    if not root.exists():
        return []
    manifest = read_manifest(data, region, year)
    known = {(sight.file, sight.file_sha256): sight.sequence for sight in manifest.sights}
    look = manifest.looks + 1
    new: list[Sight] = []
    found: list[ReceivedFile] = []
    for name, path in _files(root, root):
        link = _is_link(path)
        content = str(path.readlink()).encode() if link else path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if (name, digest) not in known:
            known[name, digest] = look
            new.append(Sight(name, digest, len(content), look))
        original = received_path(data, digest)
        if keep and not link and not original.exists():
            write_atomic(original, content)
        parts = name.split("/")
        found.append(
            ReceivedFile(
                file=name,
                folder_body=parts[0] if len(parts) > 1 else None,
                sequence=known[name, digest],
                bytes=len(content),
                file_sha256=digest,
                link=link,
            )
        )
    if keep and new:
        text = msgspec.json.format(msgspec.json.encode(Manifest(look, manifest.sights + tuple(new))), indent=1)
        write_atomic(manifest_path(data, region, year), text)
    return found


def original_bytes(data: str, received: ReceivedFile, region: str, year: int) -> bytes:
    """The bytes of a received file: the kept original, else the file in the inbox."""
    kept = received_path(data, received.file_sha256)
    return kept.read_bytes() if kept.exists() else (inbox_path(data, region, year) / received.file).read_bytes()


def folders(received: Sequence[ReceivedFile]) -> dict[str, str | None]:
    """The sub-folder of each file, by file."""
    return {entry.file: entry.folder_body for entry in received}
