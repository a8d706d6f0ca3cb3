"""The directory of an OLE compound file (the container of xls, doc, ET, WPS and of encrypted office files).

Belongs here: the names of the streams in the root storage. Does not belong here: reading a stream.
"""

from __future__ import annotations

import struct

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADER = 512
_ENTRY = 128
_LAST = 0xFFFFFFFA  # sector numbers from here on are marks, not sectors
_NONE = 0xFFFFFFFF
_MAX_SECTORS = 4096  # of the directory; more is no office document


def _entries(data: bytes) -> list[tuple[str, int, int, int]]:
    """(name, left, right, child) of every directory entry. Raises struct.error or ValueError on a broken structure."""
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

    entries: list[tuple[str, int, int, int]] = []
    number, seen = first, set[int]()
    while number < _LAST:
        if number in seen or len(seen) > _MAX_SECTORS:
            raise ValueError("chain")
        seen.add(number)
        block = sector(number)
        for start in range(0, len(block) - _ENTRY + 1, _ENTRY):
            length = struct.unpack_from("<H", block, start + 64)[0]
            name = block[start : start + max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
            entries.append((name, *struct.unpack_from("<III", block, start + 68)))
        fat, slot = divmod(number, size // 4)
        if fat >= len(difat):
            break  # a directory so far out in a large file: what was collected suffices
        number = struct.unpack_from("<I", sector(difat[fat]), slot * 4)[0]
    return entries


def root_streams(data: bytes) -> frozenset[str]:
    """Names of the streams and storages directly under the root. Empty where the structure is broken."""
    try:
        entries = _entries(data)
    except (struct.error, ValueError, IndexError):
        return frozenset()
    names: set[str] = set()
    waiting, seen = [entries[0][3]] if entries else [], set[int]()
    while waiting:
        number = waiting.pop()
        if number == _NONE or number in seen or number >= len(entries):
            continue
        seen.add(number)
        name, left, right, _child = entries[number]
        names.add(name)
        waiting += [left, right]
    return frozenset(names)


def word_is_encrypted(data: bytes) -> bool:
    """Whether a binary Word file says in its first block that it is encrypted (fEncrypted of the FIB)."""
    fib = data.find(b"\xec\xa5", _HEADER, _HEADER + 4096)
    return fib >= 0 and fib % _HEADER == 0 and bool(struct.unpack_from("<H", data, fib + 10)[0] & 0x0100)
