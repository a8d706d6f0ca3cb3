"""A zip of returns taken apart into its files.

Belongs here: which members count, their names, their bounds. Does not belong here: reading the members.
"""

from __future__ import annotations

import zipfile

from pipelines.ingest.declined import decline, safe_name
from pipelines.ingest.limits import MAX_ARCHIVE_FILES, MAX_PART, MAX_UNPACKED
from pipelines.ingest.readers.container import Container, hostile
from pipelines.ingest.readers.spans import too_many

_UTF8_NAME = 0x800
_UNIX_LINK = 0o120000
# What file managers and office programs leave in archives and nobody delivered.
_PASSING = ("__MACOSX", "~$", "._", ".~", ".DS_Store", "Thumbs.db", "desktop.ini")


def members(data: bytes, name: str) -> list[tuple[str, bytes]]:
    """(name without path parts, bytes) of every file in a zip, in its order. Folders and left-overs are passed over.

    Two members of one name get a number behind it. Raises Declined: damaged, encrypted, a bomb, too many files, links.
    """
    container = Container(data, name)
    if container.encrypted():
        raise decline("encrypted_file", name)
    chosen = [info for info in container.infos.values() if not info.is_dir() and not _passing(_decoded(info))]
    if not chosen:
        raise decline("empty_file", name)
    if len(chosen) > MAX_ARCHIVE_FILES:
        raise too_many(name, len(chosen), MAX_ARCHIVE_FILES, "个文件", "files")
    if sum(info.file_size for info in chosen) > MAX_UNPACKED:
        raise hostile(name, "解压后过大", "it unpacks to too much")
    found: list[tuple[str, bytes]] = []
    seen: dict[str, int] = {}
    for info in chosen:
        if (info.external_attr >> 16) & 0o170000 == _UNIX_LINK:
            raise hostile(name, "压缩包内有符号链接", "it contains a symbolic link")
        plain = safe_name(_decoded(info))
        seen[plain] = seen.get(plain, 0) + 1
        shown = plain if seen[plain] == 1 else f"{plain} ({seen[plain]})"
        found.append((shown, container.read(info.filename, MAX_PART)))
    return found


def _passing(path: str) -> bool:
    return any(part.startswith(_PASSING) for part in path.replace("\\", "/").split("/"))


def _decoded(info: zipfile.ZipInfo) -> str:
    """The member's name; Windows packs Chinese names in GBK without saying so, others in UTF-8."""
    if info.flag_bits & _UTF8_NAME:
        return info.filename
    try:
        stored = info.filename.encode("cp437")
    except UnicodeEncodeError:
        return info.filename
    for encoding in ("utf-8", "gb18030"):
        try:
            return stored.decode(encoding)
        except UnicodeDecodeError:
            continue
    return info.filename
