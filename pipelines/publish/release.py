"""A built package becomes a release: immutable, named by its content, visible whole or not at all.

Belongs here: staging, the move into place, the pointer, withdrawal. Does not belong here: building (package.py) or
judging (checks.py) the files; whether to publish at all (assets).

Order of a publication: stage and force to disk, rename to ``releases/<id>/``, sign, append to ``history.json``, move
``latest.json`` and the link ``latest``. Each step is atomic, and a publication that is killed at any point is taken
up again by the next: a release is whole or absent, ``latest`` never names one that is not whole. On storage without
renames (S3) ``SHA256SUMS`` is put last; a folder without it is no release.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from upath import UPath

from pipelines.publish.changes import Change, changed_cells
from pipelines.publish.history import History, Latest, encode, read_history, read_latest
from pipelines.publish.package import SIGNATURE, SUMS, PackageError, read_sums
from pipelines.publish.rollup_changes import rollup_changes
from pipelines.storage import (
    ROLLUP,
    Place,
    history_path,
    latest_path,
    link_atomic,
    local,
    locked,
    published_path,
    releases_path,
    remove_partials,
    sha256,
    sync_folder,
    write_atomic,
    write_synced,
)

ID_LENGTH = 16
STAGING = ".staging-"
READ_ONLY = 0o444
Sign = Callable[[bytes], bytes]


class ReleaseError(ValueError):
    """A release cannot be published or withdrawn; the text (Chinese, then English) says why and what to do."""


class ReleaseDamagedError(ReleaseError):
    """A published release no longer holds the bytes it was published with."""


class ReleaseWithdrawnError(ReleaseError):
    """The same data were published before and withdrawn."""


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A release that is in place. ``new``: it was not the one that counted before; ``changes`` against that one."""

    id: str
    path: UPath
    new: bool
    previous: str
    changes: tuple[Change, ...]


def release_id(files: Mapping[str, bytes]) -> str:
    """The first 16 hex digits of the SHA-256 of ``SHA256SUMS``. Raises KeyError without one."""
    return sha256(files[SUMS])[:ID_LENGTH]


def is_release(folder: UPath) -> bool:
    """Whether a folder is a whole release: ``SHA256SUMS`` is there and hashes to the folder's name."""
    sums = folder / SUMS
    return sums.exists() and sha256(sums.read_bytes())[:ID_LENGTH] == folder.name


def current_release(out: Place, region: str, year: int) -> UPath | None:
    """The folder of the release that counts, None where nothing is published. Raises HistoryError."""
    latest = read_latest(out, region, year)
    return releases_path(out, region, year) / latest.id if latest else None


def release_files(folder: UPath) -> dict[str, bytes]:
    """The files of a release that stands in ``folder``, as far as its ``SHA256SUMS`` lists them."""
    sums = (folder / SUMS).read_bytes()
    return {name: (folder / name).read_bytes() for name in read_sums(sums)} | {SUMS: sums}


def publish(files: Mapping[str, bytes], out: Place, region: str, year: int, sign: Sign | None = None) -> Published:
    """Put a built package in place and let ``latest`` name it; the same files again change nothing.

    ``sign``: signs ``SHA256SUMS``; the signature stands there before ``latest`` moves, and one that stands is kept. A
    release that was published unsigned is signed when the same files come again. What ``sign`` raises stops everything.

    Raises ReleaseError for files that their own ``SHA256SUMS`` does not cover, ReleaseDamagedError if a release of
    that id stands there with other bytes, ReleaseWithdrawnError if it was withdrawn, HistoryError, OSError. Nothing
    half-done is visible then.
    """
    _refuse_unsealed(files)
    identifier = release_id(files)
    with _alone(out, region, year):
        history = read_history(out, region, year)
        latest = read_latest(out, region, year)
        withdrawn = history.withdrawal(identifier)
        if withdrawn:
            _point(out, history, latest)  # a withdrawal that was killed half-way is finished first
            raise ReleaseWithdrawnError(
                f"相同内容的版本 {identifier} 已撤回（{withdrawn.reason}），不再发布。请先改正数据再运行。"
                f" Release {identifier} with the same content was withdrawn ({withdrawn.reason}). Mend the data first."
            )
        before, folder = history.current, releases_path(out, region, year) / identifier
        signature = sign(files[SUMS]) if sign is not None and not (folder / SIGNATURE).exists() else None
        _place(files, folder)
        if signature is not None:
            write_atomic(folder / SIGNATURE, signature)
        if before != identifier:
            changes = _changes(out, region, year, before, files)
            history = history.then("published", identifier, previous=before, changes=changes)
            write_atomic(history_path(out, region, year), encode(history))
        moved = _point(out, history, latest)
        event = next(e for e in reversed(history.events) if e.event == "published" and e.id == identifier)
        return Published(
            id=identifier,
            path=folder,
            new=moved,
            previous=event.previous if moved else "",
            changes=event.changes if moved else (),
        )


def withdraw(out: Place, region: str, year: int, identifier: str, reason: str, approved_by: str) -> UPath | None:
    """Take a release back: ``latest`` returns to the newest one that stands, and the record says why and by whom.

    The release's bytes stay where they are (who cites them can still read them), but its id is never published
    again. Returns the folder that counts now, None where no release is left. Raises ReleaseError for an id that was
    never published, was withdrawn before, or without a reason and a name.
    """
    if not reason.strip() or not approved_by.strip():
        raise ReleaseError("撤回需要写明原因和批准人。 A withdrawal needs a reason and the name of who approved it.")
    with _alone(out, region, year):
        history = read_history(out, region, year)
        published = [event.id for event in history.events if event.event == "published"]
        if identifier not in published:
            known = "、".join(dict.fromkeys(published)) or "（无）"
            raise ReleaseError(
                f"没有发布过版本 {identifier}；已发布的有：{known}。 No release {identifier} was published."
            )
        latest = read_latest(out, region, year)
        done_before = history.withdrawal(identifier) is not None and _named(history, latest)
        if history.withdrawal(identifier) is None:
            history = history.then("withdrawn", identifier, reason=reason.strip(), approved_by=approved_by.strip())
            write_atomic(history_path(out, region, year), encode(history))
        _point(out, history, latest)
        if done_before:
            raise ReleaseError(f"版本 {identifier} 已经撤回。 Release {identifier} was withdrawn before.")
    return current_release(out, region, year)


def _refuse_unsealed(files: Mapping[str, bytes]) -> None:
    try:
        listed = read_sums(files.get(SUMS, b""))
    except PackageError as error:
        raise ReleaseError(f"发布内容不完整：{error}。 The package is not whole: {error}.") from None
    found = {name: sha256(data) for name, data in files.items() if name != SUMS}
    wrong = sorted(name for name in found.keys() | listed.keys() if found.get(name) != listed.get(name))
    if wrong:
        raise ReleaseError(
            f"SHA256SUMS 与文件不符：{'、'.join(wrong)}。请重新生成。"
            f" SHA256SUMS does not match {', '.join(wrong)}. Build the package anew."
        )


@contextmanager
def _alone(out: Place, region: str, year: int) -> Iterator[None]:
    """Hold the region and year alone and remove what a killed publication left there."""
    root = published_path(out, region, year)
    with locked(root):
        remove_partials(root)
        releases = releases_path(out, region, year)
        here = local(releases)
        if here is not None:
            for leftover in here.glob(f"{STAGING}*"):
                shutil.rmtree(leftover)
        elif releases.exists():
            for folder in releases.iterdir():
                if not (folder / SUMS).exists():
                    folder.fs.rm(folder.path, recursive=True)
        yield


def _place(files: Mapping[str, bytes], folder: UPath) -> None:
    """Put the files at ``folder``; one that stands there must hold the very same bytes."""
    if folder.exists():
        _compare(files, folder)
        return
    here = local(folder)
    if here is None:
        for name in sorted(files, key=lambda name: name == SUMS):
            (folder / name).write_bytes(files[name])
        return
    here.parent.mkdir(parents=True, exist_ok=True)
    staging = here.with_name(f"{STAGING}{secrets.token_hex(6)}")
    folders = {staging, *(staging / parent for name in files for parent in Path(name).parents)}
    for path in sorted(folders):
        path.mkdir()
    for name, data in files.items():
        write_synced(staging / name, data, READ_ONLY)
    for path in folders:
        sync_folder(path)
    staging.rename(here)
    sync_folder(here.parent)


def _compare(files: Mapping[str, bytes], folder: UPath) -> None:
    names = {path.path[len(folder.path) :].lstrip("/") for path in folder.rglob("*") if not path.is_dir()} - {SIGNATURE}
    wrong = sorted(
        name
        for name in names | files.keys()
        if name not in names or name not in files or (folder / name).read_bytes() != files[name]
    )
    if wrong:
        raise ReleaseDamagedError(
            f"已发布的版本“{folder}”被改动或损坏：{'、'.join(wrong)}。请把这个目录移走（留作核查），再重新运行。"
            f" The published release {str(folder)!r} was altered or damaged: {', '.join(wrong)}."
            " Move the folder away (keep it for inspection) and run again."
        )


def _changes(out: Place, region: str, year: int, before: str, files: Mapping[str, bytes]) -> tuple[Change, ...]:
    """What changed against the release that counted before; nothing for a first one."""
    if not before:
        return ()
    folder = releases_path(out, region, year) / before
    try:
        previous = release_files(folder)
        return rollup_changes(previous, files) if region == ROLLUP else changed_cells(previous, files)
    except (OSError, PackageError, ValueError, KeyError):
        raise ReleaseDamagedError(
            f"上一个版本“{folder}”缺失或损坏，说不出有哪些变化。请从备份恢复，或用 withdraw 撤回后再运行。"
            f" The previous release {str(folder)!r} is missing or damaged, so what changed cannot be said."
            " Restore it from a backup, or withdraw it, then run again."
        ) from None


def _named(history: History, latest: Latest | None) -> bool:
    return (latest.id if latest else "") == history.current


def _point(out: Place, history: History, latest: Latest | None) -> bool:
    """Let ``latest`` name what counts by the history; whether it had to move."""
    region, year, current = history.region, history.year, history.current
    root = local(published_path(out, region, year))
    moved = not _named(history, latest)
    if not current:
        if root is not None:
            (root / "latest").unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            latest_path(out, region, year).unlink()
        return moved
    if moved:
        sums = (releases_path(out, region, year) / current / SUMS).read_bytes()
        pointer = Latest(id=current, path=f"releases/{current}", sha256sums=sha256(sums))
        write_atomic(latest_path(out, region, year), encode(pointer))
    if root is not None:
        _link(root / "latest", f"releases/{current}")
    return moved


def _link(path: Path, target: str) -> None:
    """The link ``latest``, for people. A file system without links goes without: latest.json is what programs read."""
    if path.is_symlink() and str(path.readlink()) == target:
        return
    with suppress(OSError):
        link_atomic(path, target)
