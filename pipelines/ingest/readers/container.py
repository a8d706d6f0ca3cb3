"""Zip containers taken apart safely: what is inside, how much it unpacks to, and the parts themselves.

Belongs here: bounds on any zip, whoever wrote it (office files, archives of returns). Does not belong here: what the
parts mean.
"""

from __future__ import annotations

import io
import zipfile
import zlib

from pipelines.ingest.declined import Declined, decline
from pipelines.ingest.limits import MAX_MEMBERS, MAX_PART, MAX_UNPACKED, MIB, SUSPICIOUS_FROM, SUSPICIOUS_RATIO

_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError, RuntimeError)
_ENCRYPTED = 0x1
_KEPT = 4 * MIB  # bytes of parts that stand unpacked while a container is read


class Container:
    """An opened zip whose directory is within bounds. Parts are unpacked on demand, checked against their sums."""

    def __init__(self, data: bytes, name: str) -> None:
        """Raises Declined: damaged, too many members, or a bomb by its own directory."""
        self.name = name
        self._kept: dict[str, bytes] = {}
        self._keeps = _KEPT
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            self.infos = {info.filename: info for info in self._zip.infolist()}
        except _FAULTS as fault:
            raise damaged(name) from fault
        if len(self._zip.infolist()) > MAX_MEMBERS:
            raise hostile(name, f"压缩包内有 {len(self.infos)} 个文件", f"{len(self.infos)} members in one container")
        unpacked = sum(info.file_size for info in self._zip.infolist())
        packed = sum(info.compress_size for info in self._zip.infolist())
        # Packed sizes that together exceed the file mean overlapping members, the trick of the denser bombs.
        overlapping = packed > len(data)
        if unpacked > MAX_UNPACKED or overlapping or _bomb(unpacked, max(packed, 1)):
            raise hostile(
                name,
                f"解压后有 {unpacked // MIB} MiB，像是压缩炸弹",
                f"it would unpack to {unpacked // MIB} MiB, like a decompression bomb",
            )

    def __contains__(self, part: str) -> bool:
        return part in self.infos

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all members in the order of the directory."""
        return tuple(self.infos)

    def encrypted(self) -> bool:
        """Whether any member is encrypted."""
        return any(info.flag_bits & _ENCRYPTED for info in self.infos.values())

    def read(self, part: str, limit: int = MAX_PART) -> bytes:
        """The unpacked bytes of a part. Raises Declined: missing, damaged, encrypted, larger than ``limit``."""
        if part in self._kept:
            return self._kept[part]
        info = self.infos.get(part)
        if info is None:
            raise damaged(self.name, f"缺少 {part}", f"{part} is missing")
        if info.flag_bits & _ENCRYPTED:
            raise decline("encrypted_file", self.name)
        if info.file_size > limit:
            raise decline(
                "too_large",
                self.name,
                found=f"其中一个部分有 {info.file_size // MIB} MiB",
                found_en=f"one part has {info.file_size // MIB} MiB",
                limit=f"{limit // MIB} MiB",
                limit_en=f"{limit // MIB} MiB",
            )
        try:
            # zipfile stops at the declared size and compares the sum, so a member that lies is found out here.
            with self._zip.open(info) as member:
                return member.read(limit + 1)
        except _FAULTS as fault:
            raise damaged(self.name) from fault

    def verify(self, limit: int = MAX_PART) -> None:
        """Unpack every part once: for libraries that unpack by themselves without looking. Small parts are kept."""
        for part in self.infos:
            if part.endswith((".xml", ".rels", ".bin", ".vml")):
                unpacked = self.read(part, limit)
                if self._keeps >= len(unpacked):
                    self._keeps -= len(unpacked)
                    self._kept[part] = unpacked


def _bomb(unpacked: int, packed: int) -> bool:
    return unpacked > SUSPICIOUS_FROM and unpacked / packed > SUSPICIOUS_RATIO


def damaged(name: str, reason: str = "压缩结构不完整", reason_en: str = "its zip structure is incomplete") -> Declined:
    """The answer to a container that does not open."""
    return decline("damaged_file", name, reason=reason, reason_en=reason_en)


def hostile(name: str, reason: str, reason_en: str) -> Declined:
    """The answer to a structure that no honest program writes."""
    return decline("hostile_file", name, reason=reason, reason_en=reason_en)
