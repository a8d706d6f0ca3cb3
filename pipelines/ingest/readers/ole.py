"""The directory of an OLE compound file (the container of xls, doc, ET, WPS and of encrypted office files).

Belongs here: the names of the streams in the root storage. Does not belong here: reading a stream.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADER = 512
_ENTRY = 128
_LAST = 0xFFFFFFFA  # sector numbers from here on are marks, not sectors
_NONE = 0xFFFFFFFF
WORKBOOKS = ("Workbook", "Book", "WORKBOOK", "BOOK")
_FILEPASS = 0x2F
_FIRST_RECORDS = 4
_MAX_SECTORS = 4096  # of the directory; more is no office document


class _Entry(NamedTuple):
    name: str
    left: int
    right: int
    child: int
    start: int


def _entries(data: bytes) -> tuple[list[_Entry], int]:
    """The directory and the size of a sector. Raises struct.error or ValueError on a broken structure."""
    shift = struct.unpack_from("<H", data, 30)[0]
    if shift not in (9, 12):
        raise ValueError("sector size")
    size = 1 << shift
    count, first = struct.unpack_from("<II", data, 44)
    difat = list(struct.unpack_from("<109I", data, 76))[: min(count, 109)]

    def sector(number: int) -> bytes:
        start = (number + 1) * size
        if number >= _LAST or start >= len(data):
            raise ValueError("sector")
        return data[start : start + size]

    entries: list[_Entry] = []
    number, seen = first, set[int]()
    while number < _LAST:
        if number in seen or len(seen) > _MAX_SECTORS:
            raise ValueError("chain")
        seen.add(number)
        block = sector(number)
        for at in range(0, len(block) - _ENTRY + 1, _ENTRY):
            length = struct.unpack_from("<H", block, at + 64)[0]
            name = block[at : at + max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
            (start,) = struct.unpack_from("<I", block, at + 116)
            left, right, child = struct.unpack_from("<III", block, at + 68)
            entries.append(_Entry(name, left, right, child, start))
        fat, slot = divmod(number, size // 4)
        if fat >= len(difat):
            break  # a directory so far out in a large file: what was collected suffices
        number = struct.unpack_from("<I", sector(difat[fat]), slot * 4)[0]
    return entries, size


def _root(data: bytes) -> tuple[dict[str, int], int]:
    """(first sector by name of what lies under the root, size of a sector); nothing where the structure is broken."""
    try:
        entries, size = _entries(data)
    except (struct.error, ValueError, IndexError):
        return {}, _HEADER
    found: dict[str, int] = {}
    waiting, seen = [entries[0].child] if entries else [], set[int]()
    while waiting:
        number = waiting.pop()
        if number == _NONE or number in seen or number >= len(entries):
            continue
        seen.add(number)
        entry = entries[number]
        found[entry.name] = entry.start
        waiting += [entry.left, entry.right]
    return found, size


def root_streams(data: bytes) -> frozenset[str]:
    """Names of the streams and storages directly under the root. Empty where the structure is broken."""
    return frozenset(_root(data)[0])


def workbook_is_encrypted(data: bytes) -> bool:
    """Whether a binary workbook says among its first records that the rest is encrypted (FILEPASS)."""
    streams, size = _root(data)
    start = next((streams[name] for name in WORKBOOKS if name in streams), None)
    if start is None:
        return False
    at = (start + 1) * size
    for _ in range(_FIRST_RECORDS):
        if at + 4 > len(data):
            return False
        kind, length = struct.unpack_from("<HH", data, at)
        if kind == _FILEPASS:
            return True
        at += 4 + length
    return False


def word_is_encrypted(data: bytes) -> bool:
    """Whether a binary Word file says in its first block that it is encrypted (fEncrypted of the FIB)."""
    fib = data.find(b"\xec\xa5", _HEADER, _HEADER + 4096)
    return fib >= 0 and fib % _HEADER == 0 and bool(struct.unpack_from("<H", data, fib + 10)[0] & 0x0100)
