"""Stored tables that know their own sum: a damaged one is noticed, told, and never taken for figures.

Belongs here: the bytes of a stored table, whether they are whole, and the words where they are not. Does not belong
here: where assets are stored (io_managers.py), or the tables of a release, which have sums beside them.

The sum stands in the Parquet footer as metadata; it is that of the file with zeros in its place.
"""

from __future__ import annotations

import hashlib
import io
import zipfile

import dagster as dg
import polars as pl
from upath import UPath

from pipelines.ingest.packed import DamagedPackError, open_pack
from pipelines.storage import write_atomic

SEAL = "gongkai:sha256"
DAMAGED = "原存表损坏 / the stored table was damaged"  # name of the metadata that says so
_MARK = SEAL.encode() + b"\x18@"  # in Parquet's footer: the name, then a text of 64 bytes
_EMPTY = b"0" * 64
# What reading a damaged zip raises.
BAD_PACKAGE = (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError)


class StoredError(RuntimeError):
    """A stored table or package is damaged; the text says which and what to do, in Chinese and English."""

    def __init__(self, path: UPath) -> None:
        super().__init__(
            f"“{path}”已损坏，没有使用。请从收件箱起重新运行该地区和年度，它会重新生成；"
            "收件箱已归档的，请先放回，或从备份恢复这个文件。"
            f" {str(path)!r} is damaged and was not used. Run its region and year again from the inbox, which makes it"
            " anew; where that inbox is archived, put it back first, or restore this file from a backup."
        )


def table_bytes(frame: pl.DataFrame) -> bytes:
    """A frame as the bytes of a stored table, with their sum; the same frame, the same bytes."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, metadata={SEAL: _EMPTY.decode()})
    data = bytearray(buffer.getvalue())
    start = data.rindex(_MARK) + len(_MARK)
    data[start : start + 64] = hashlib.sha256(data).hexdigest().encode()
    return bytes(data)


def table_is_whole(data: bytes) -> bool:
    """Whether a stored table is as it was written; one of an earlier version, without a sum: whether it can be read."""
    at = data.rfind(_MARK)
    if at < 0:
        return _readable(data)
    start = at + len(_MARK)
    view = memoryview(data)
    found = hashlib.sha256(view[:start])
    found.update(_EMPTY)
    found.update(view[start + 64 :])
    return found.hexdigest().encode() == data[start : start + 64]


def _readable(data: bytes) -> bool:
    try:
        pl.read_parquet(data)
    except Exception:  # noqa: BLE001  the library raises whatever damaged bytes bring about in it
        return False
    return True


def read_table(path: UPath) -> pl.DataFrame:
    """A stored table. Raises StoredError where it is damaged, OSError."""
    data = path.read_bytes()
    if not table_is_whole(data):
        raise StoredError(path)
    return pl.read_parquet(data)


def package_is_whole(data: bytes) -> bool:
    """Whether a stored package is as it was written: zip keeps a sum of each member."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.testzip() is None
    except BAD_PACKAGE:
        return False


def readings_are_whole(path: UPath) -> bool:
    """Whether the stored readings at ``path``, if there are any, are as they were written. Raises OSError."""
    try:
        readings = open_pack(path)
        for block in readings.blocks:
            readings.packed(block)
    except FileNotFoundError:
        return True
    except DamagedPackError:
        return False
    return True


def tell_damaged(context: dg.OutputContext, path: UPath) -> None:
    """Say in the log and beside the asset that what stood at ``path`` was damaged and is made anew."""
    chinese = f"“{path}”已损坏，这次运行重新生成了它；请检查磁盘。"
    english = f"{str(path)!r} was damaged; this run has made it anew. Check the disk."
    context.log.warning(f"{chinese} {english}")
    context.add_output_metadata({DAMAGED: f"{chinese} {english}"})


def replace_stored(context: dg.OutputContext, path: UPath, data: bytes, *, package: bool = False) -> None:
    """Write a stored table (or ``package``) in place of the one before, and say so where that was damaged."""
    try:
        before = path.read_bytes()
    except FileNotFoundError:
        before = data
    if before != data and not (package_is_whole(before) if package else table_is_whole(before)):
        tell_damaged(context, path)
    write_atomic(path, data)
