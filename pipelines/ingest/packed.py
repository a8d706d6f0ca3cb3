"""Read files packed one by one: a file of them that is opened in place and decoded as it is asked for.

Belongs here: the form of such a file, writing it, and the sequence that decodes it lazily. Does not belong here: which
readings are kept between runs (kept.py) or how one reading is encoded (wire.py).

A pack is a line that names the form, the blocks (one a delivered file, compressed, each with a checksum), an index
(MessagePack) and a tail that finds and checks the index. So twenty thousand readings cost the memory of their index,
and a byte that has changed is noticed where it lies. The same readings in the same order give the same bytes.
"""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import overload

import msgspec

from pipelines.ingest.wire import pack_reads, unpack_reads
from pipelines.storage import Place, local, place
from schemas.intake import ReadFile

FORM = b"gongkai readings 1\n"
SUM = 16  # bytes of a checksum: against damage, not against forgery
LEVEL = 1  # of compression: a reading shrinks to a tenth in a fifth of a millisecond
_TAIL = struct.Struct(f">QQ{SUM}s8s")
_END = b"readings"


class DamagedPackError(ValueError):
    """Packed readings are not what was written; the text says so in Chinese and English."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"已存的读取结果损坏（{what}），请重新运行 readings 这一步。"
            f" Stored readings are damaged ({what}); run the step readings again."
        )


class Block(msgspec.Struct, frozen=True, array_like=True):
    """Where the readings of one delivered file lie. ``name`` and ``sha256`` are those of the file as delivered,
    ``files`` the names of what was read from it: itself, or the members of an archive.
    """

    name: str
    sha256: str
    offset: int
    length: int
    checksum: bytes
    files: tuple[str, ...]


class _Index(msgspec.Struct, frozen=True, array_like=True):
    key: str
    blocks: tuple[Block, ...]


_encode = msgspec.msgpack.Encoder().encode
_decode_index = msgspec.msgpack.Decoder(_Index).decode


def checksum(data: bytes) -> bytes:
    """What tells damaged bytes from whole ones."""
    return blake2b(data, digest_size=SUM).digest()


def encode(reads: Sequence[ReadFile]) -> bytes:
    """The readings of one delivered file as the bytes of a block. Raises UnicodeEncodeError as pack_reads does."""
    return zlib.compress(pack_reads(reads), LEVEL)


class _Bytes:
    """An open file that belongs to this object alone and is closed with it; read at any place by any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.close = weakref.finalize(self, os.close, descriptor)

    def at(self, offset: int, length: int) -> bytes:
        """The bytes there; fewer where the file ends."""
        parts: list[bytes] = []
        while length > 0 and (part := os.pread(self._descriptor, length, offset)):
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return b"".join(parts)

    def append(self, data: bytes) -> None:
        """Write behind what stands there."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    @property
    def size(self) -> int:
        return os.fstat(self._descriptor).st_size


class Readings(Sequence[ReadFile]):
    """Read files in the order of the inventory, decoded as they are asked for and not remembered.

    Read it from end to end rather than by position; ``named`` finds one by its name. Raises DamagedPackError for a
    block that is not what was written.
    """

    def __init__(self, source: _Bytes | None, blocks: Sequence[Block], key: str = "") -> None:
        self._source, self.blocks, self.key = source, tuple(blocks), key
        self._places = [(number, member) for number, block in enumerate(blocks) for member in range(len(block.files))]
        self._by_name: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[ReadFile]:
        for block in self.blocks:
            yield from self.decoded(block)

    @overload
    def __getitem__(self, position: int) -> ReadFile: ...
    @overload
    def __getitem__(self, position: slice) -> list[ReadFile]: ...
    def __getitem__(self, position: int | slice) -> ReadFile | list[ReadFile]:
        if isinstance(position, slice):
            return [self[number] for number in range(*position.indices(len(self)))]
        block, member = self._places[position]
        return self.decoded(self.blocks[block])[member]

    @property
    def files(self) -> list[str]:
        """The names of all read files, in order; nothing is decoded for them."""
        return [file for block in self.blocks for file in block.files]

    def named(self, file: str) -> ReadFile:
        """The read file of that name. Raises KeyError."""
        if not self._by_name:
            self._by_name = {name: position for position, name in enumerate(self.files)}
        return self[self._by_name[file]]

    def packed(self, block: Block) -> bytes:
        """The bytes of a block. Raises DamagedPackError."""
        data = self._source.at(block.offset, block.length) if self._source else b""
        if len(data) != block.length or checksum(data) != block.checksum:
            raise DamagedPackError(block.name)
        return data

    def decoded(self, block: Block) -> list[ReadFile]:
        """The read files of a block. Raises DamagedPackError."""
        try:
            return unpack_reads(zlib.decompress(self.packed(block)))
        except (zlib.error, msgspec.DecodeError) as fault:
            raise DamagedPackError(block.name) from fault


class Spool:
    """Readings as they come, in a temporary file that goes with this object and all that was taken from it."""

    def __init__(self) -> None:
        with tempfile.TemporaryFile(prefix="gongkai-") as file:
            self._source = _Bytes(os.dup(file.fileno()))
        self._end = 0

    def add(self, name: str, sha256: str, data: bytes, files: Iterable[str]) -> Block:
        """Put down the block of a delivered file."""
        block = Block(name, sha256, self._end, len(data), checksum(data), tuple(files))
        self._source.append(data)
        self._end += len(data)
        return block

    def readings(self, blocks: Sequence[Block], key: str = "") -> Readings:
        """Those blocks, in that order."""
        return Readings(self._source, blocks, key)


def packed(reads: Iterable[ReadFile], key: str = "") -> Readings:
    """Read files, each a delivered file by itself, as Readings."""
    spool = Spool()
    return spool.readings([spool.add(read.file, read.sha256, encode([read]), [read.file]) for read in reads], key)


def write_pack(readings: Readings, write: Callable[[bytes], object]) -> None:
    """Write readings as a pack, block by block; nothing is decoded. Raises DamagedPackError and what ``write`` does."""
    write(FORM)
    end, blocks = len(FORM), []
    for block in readings.blocks:
        write(readings.packed(block))
        blocks.append(msgspec.structs.replace(block, offset=end))
        end += block.length
    index = _encode(_Index(readings.key, tuple(blocks)))
    write(index)
    write(_TAIL.pack(end, len(index), checksum(index), _END))


def open_pack(path: Place) -> Readings:
    """The readings of a pack; what lies on other storage is brought to a temporary file first.

    Raises FileNotFoundError, OSError, and DamagedPackError for anything that is no whole pack.
    """
    here = local(path)
    if here is not None:
        source = _Bytes(os.open(here, os.O_RDONLY | os.O_CLOEXEC))
    else:
        with tempfile.TemporaryFile(prefix="gongkai-") as file, place(path).open("rb") as remote:
            shutil.copyfileobj(remote, file)
            file.flush()
            source = _Bytes(os.dup(file.fileno()))
    size = source.size
    tail = source.at(max(0, size - _TAIL.size), _TAIL.size)
    if source.at(0, len(FORM)) != FORM or len(tail) != _TAIL.size or not tail.endswith(_END):
        raise DamagedPackError(str(path))
    offset, length, expected, _ = _TAIL.unpack(tail)
    data = source.at(offset, length) if offset + length + _TAIL.size == size else b""
    if checksum(data) != expected:
        raise DamagedPackError(str(path))
    try:
        index = _decode_index(data)
    except msgspec.DecodeError as fault:
        raise DamagedPackError(str(path)) from fault
    return Readings(source, index.blocks, index.key)
