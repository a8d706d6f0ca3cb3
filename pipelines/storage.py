"""Where things lie and how they are written: paths of the store and of the releases, atomic writes, hashes.

Belongs here: the layout of folders, writing a file so that nobody ever sees half of it, SHA-256. Does not belong
here: what the files mean (the stages) or which folders are configured (settings.py).

A place is a local folder or any address that fsspec knows (``s3://bucket/gongkai``): a setting, never code. On a
local disk a write is a temporary file in the same folder, forced to disk, then renamed. On object storage it is a
single put, which is atomic there.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from upath import UPath

Place = str | os.PathLike[str] | UPath
ROLLUP = "rollup"  # stands where a region's code stands: the roll-up's releases are in ``OUT/rollup/<year>/releases``
PARTIAL = ".partial"  # the end of a temporary file's name; such a file means nothing and may be removed
# Storage without folders, where making one could make a bucket of a mistyped name.
OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"})
_PART = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]*")


def sha256(data: bytes) -> str:
    """The SHA-256 of ``data`` as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def place(where: Place) -> UPath:
    """``where`` as a path of whatever storage it names."""
    return where if isinstance(where, UPath) else UPath(where)


def local(path: Place) -> Path | None:
    """The same path as an ordinary local path; None where it lies on other storage."""
    found = place(path)
    if found.protocol in ("", "file", "local"):
        return Path(found.path)
    return None


def _part(text: str) -> str:
    """``text`` as one safe folder name. Raises ValueError: a region or hash never holds a slash or a dot."""
    if not _PART.fullmatch(text):
        raise ValueError(f"not a name of a folder: {text!r}")
    return text


def inbox_path(data: Place, region: str, year: int) -> UPath:
    """Where the returns of a region and report year are put: ``DATA/inbox/<region>/<year>``."""
    return place(data) / "inbox" / _part(region) / str(year)


def received_folder(data: Place) -> UPath:
    """Where originals are kept: ``DATA/received``."""
    return place(data) / "received"


def received_path(data: Place, digest: str) -> UPath:
    """Where an original is kept byte for byte: ``DATA/received/<sha256>``."""
    return received_folder(data) / _part(digest)


def manifest_path(data: Place, region: str, year: int) -> UPath:
    """The manifest of first sights: ``DATA/received/manifest-<region>-<year>.json``."""
    return received_folder(data) / f"manifest-{_part(region)}-{year}.json"


def tables_path(data: Place) -> UPath:
    """Where stored assets lie: ``DATA/tables``."""
    return place(data) / "tables"


def table_path(data: Place, asset: str, region: str, year: int) -> UPath:
    """The stored table of an asset for a region and year: ``DATA/tables/<asset>/<region>/<year>.parquet``."""
    return tables_path(data) / asset / _part(region) / f"{year}.parquet"


def stored_tables(data: Place, asset: str, year: int) -> dict[str, UPath]:
    """The stored tables of an asset for a year, by region, in the order of the regions."""
    folder = tables_path(data) / asset
    found = {table.parent.name: table for table in folder.glob(f"*/{year}.parquet")} if folder.exists() else {}
    return dict(sorted(found.items()))


def scan_path(data: Place, year: int) -> UPath:
    """What a pass over all regions' submissions of a year found: ``DATA/scan/<year>``."""
    return place(data) / "scan" / str(year)


def rollup_part_path(data: Place, year: int, part: str) -> UPath:
    """A province's part of the roll-up as kept between runs: ``DATA/tables/rollup_parts/<year>/<part>.msgpack``."""
    return tables_path(data) / "rollup_parts" / str(year) / f"{_part(part)}.msgpack"


def kept_readings_path(data: Place, region: str, year: int) -> UPath:
    """Readings kept between runs: the folder ``DATA/tables/kept_readings/<region>/<year>``; may be deleted."""
    return tables_path(data) / "kept_readings" / _part(region) / str(year)


def board_path(data: Place, region: str, year: int) -> UPath:
    """The officer's board and the receipts of a region and year: ``DATA/board/<region>/<year>``."""
    return place(data) / "board" / _part(region) / str(year)


def published_path(out: Place, region: str, year: int) -> UPath:
    """Everything published for a region and year: ``OUT/<region>/<year>``."""
    return place(out) / _part(region) / str(year)


def report_path(out: Place, region: str, year: int) -> UPath:
    """The official annual report made from the newest release: ``OUT/<region>/<year>/report``."""
    return published_path(out, region, year) / "report"


def catalogue_path(out: Place, region: str, year: int) -> UPath:
    """The records that portals harvest, of the newest release: ``OUT/<region>/<year>/catalogue``."""
    return published_path(out, region, year) / "catalogue"


def portal_path(out: Place) -> UPath:
    """The portal site of everything published: ``OUT/portal``."""
    return place(out) / "portal"


def releases_path(out: Place, region: str, year: int) -> UPath:
    """The immutable releases: ``OUT/<region>/<year>/releases``, one folder per id."""
    return published_path(out, region, year) / "releases"


def history_path(out: Place, region: str, year: int) -> UPath:
    """What was published and withdrawn, in order, with what changed: ``OUT/<region>/<year>/history.json``."""
    return published_path(out, region, year) / "history.json"


def latest_path(out: Place, region: str, year: int) -> UPath:
    """The pointer to the release that counts: ``OUT/<region>/<year>/latest.json``."""
    return published_path(out, region, year) / "latest.json"


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to disk, so that a rename survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_synced(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a new local file and force it to disk. Raises FileExistsError: nothing is ever overwritten here."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_atomic(path: Place, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a reader sees the old file or the new one, whole; makes parent folders.

    Raises OSError; the old file then still stands and no temporary file is left (after a kill one may be, see
    ``remove_partials``).
    """
    with writing(path) as write:
        write(data)


@contextmanager
def writing(path: Place) -> Iterator[Callable[[bytes], object]]:
    """As ``write_atomic``, for what is made piece by piece: yields ``write(piece)``.

    The file is put in place when the block ends; where it raises, nothing of it is left. Object storage gets it in one
    put, for which the pieces are held in memory.
    """
    target = local(path)
    if target is None:
        remote, pieces = place(path), list[bytes]()
        yield pieces.append
        if remote.protocol not in OBJECT_STORES:
            remote.parent.mkdir(parents=True, exist_ok=True)
        remote.write_bytes(b"".join(pieces))
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(6)}{PARTIAL}")
    try:
        with partial.open("xb") as file:
            yield file.write
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except BaseException:
        with suppress(FileNotFoundError):
            partial.unlink()
        raise
    sync_folder(target.parent)


@contextmanager
def brought(folder: Place) -> Iterator[Path]:
    """A folder as a local one: itself, or for the time being a copy of what lies on other storage. Raises OSError."""
    here = local(folder)
    if here is not None:
        yield here
        return
    remote = place(folder)
    with tempfile.TemporaryDirectory(prefix="gongkai-") as copy:
        for path in remote.rglob("*"):
            if path.is_file():
                target = Path(copy) / path.path[len(remote.path) :].lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        yield Path(copy)


@contextmanager
def incoming(folder: Place) -> Iterator[tuple[Callable[[bytes], object], Callable[[Place], None]]]:
    """Write a file of any size whose name is known only at its end, such as the hash of its bytes.

    Yields ``write(piece)`` and ``keep(path)``; ``keep`` puts the whole file, forced to disk, at ``path``, in the same
    storage, unless one stands there already. Without ``keep`` nothing is left. Several threads may do so at once and
    share the disk's work; when all are done, ``settled(folder)`` makes the names as lasting as the bytes, and nothing
    may refer to the files before. Raises OSError.
    """
    here = local(folder)
    if here is None:
        pieces: list[bytes] = []

        def put(path: Place) -> None:
            if not place(path).exists():
                write_atomic(path, b"".join(pieces))

        yield pieces.append, put
        return
    here.mkdir(parents=True, exist_ok=True)
    partial = here / f".incoming.{secrets.token_hex(6)}{PARTIAL}"
    try:
        with partial.open("xb") as file:

            def keep(path: Place) -> None:
                target = Path(place(path).path)
                if target.exists():
                    return
                file.flush()
                os.fsync(file.fileno())
                partial.replace(target)

            yield file.write, keep
    finally:
        partial.unlink(missing_ok=True)


def settled(folder: Place) -> None:
    """Make the names of what ``incoming`` kept in ``folder`` survive a power cut, however many there are."""
    here = local(folder)
    if here is not None and here.is_dir():
        sync_folder(here)


def link_atomic(path: Path, target: str) -> None:
    """Make or move the symbolic link ``path`` to ``target`` in one step (local file systems only).

    Raises OSError where the file system has no symbolic links.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(6)}{PARTIAL}")
    partial.symlink_to(target)
    try:
        partial.replace(path)
    except BaseException:
        partial.unlink()
        raise
    sync_folder(path.parent)


def remove_partials(folder: Place) -> None:
    """Remove what a killed write left directly in ``folder``. Only for one who holds the folder's lock."""
    here = local(folder)
    if here is not None and here.is_dir():
        for leftover in here.glob(f".*{PARTIAL}"):
            leftover.unlink(missing_ok=True)


def remove_others(folder: Place, kept: Collection[str]) -> None:
    """Remove the files directly in ``folder`` that are not among ``kept``. Raises OSError."""
    found = place(folder)
    if not found.is_dir():
        return
    for path in list(found.iterdir()):
        if path.name not in kept and path.is_file():
            path.unlink()


@contextmanager
def locked(folder: Place, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold ``folder`` alone: a second holder on this machine waits. Ends with the process, so a kill leaves no lock.

    ``waiting`` is called once where another one holds it.

    Storage that is not a local disk has no such lock; there one deployment runs one publisher (Dagster's concurrency).
    """
    here = local(folder)
    if here is None:
        yield
        return
    import fcntl

    here.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(here / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
