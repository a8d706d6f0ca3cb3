"""A path becomes bytes: a plain file, read whole, that did not change meanwhile.

Belongs here: everything that can be wrong with a path before its content matters. Does not belong here: content.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from pipelines.ingest.declined import Declined, decline
from pipelines.ingest.limits import MIB, Limits

_KINDS = (
    (stat.S_ISDIR, "文件夹", "a folder"),
    (stat.S_ISFIFO, "管道", "a pipe"),
    (stat.S_ISSOCK, "套接字", "a socket"),
    (stat.S_ISBLK, "设备", "a device"),
    (stat.S_ISCHR, "设备", "a device"),
)
_FAULTS = {
    errno.ENOENT: ("找不到这个文件", "there is no such file"),
    errno.ENOTDIR: ("找不到这个文件", "there is no such file"),
    errno.EACCES: ("没有读取权限", "permission denied"),
    errno.EPERM: ("没有读取权限", "permission denied"),
    errno.ENAMETOOLONG: ("文件名过长", "its name is too long"),
}


def take(path: Path, name: str, limits: Limits, root: Path | None = None) -> bytes:
    """The bytes of a file. ``root``: a folder that symbolic links may not lead out of; None follows them anywhere.

    Raises Declined: not there, no permission, not a plain file, too large, changed while it was read.
    """
    try:
        real = Path(os.path.realpath(path))
        if root is not None and not real.is_relative_to(os.path.realpath(root)):
            raise decline(
                "not_a_file",
                name,
                found="指向收件箱以外的符号链接",
                found_en="a symbolic link that leads out of the inbox",
            )
        # Without O_NONBLOCK opening a pipe would wait for a writer.
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return _whole(descriptor, name, limits)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as fault:
        number = fault.errno if isinstance(fault, OSError) else None
        reason, reason_en = _FAULTS.get(number or 0, ("无法打开", "it cannot be opened"))
        raise decline("file_not_opened", name, reason=reason, reason_en=reason_en) from fault


def _whole(descriptor: int, name: str, limits: Limits) -> bytes:
    before = os.fstat(descriptor)
    for test, zh, en in _KINDS:
        if test(before.st_mode):
            raise decline("not_a_file", name, found=zh, found_en=en)
    if before.st_size > limits.file_bytes:
        raise oversized(name, before.st_size, limits)
    parts: list[bytes] = []
    length = 0
    while length <= before.st_size:
        part = os.read(descriptor, before.st_size + 1 - length)
        if not part:
            break
        parts.append(part)
        length += len(part)
    after = os.fstat(descriptor)
    if length != before.st_size or (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise decline("changed_while_reading", name)
    return b"".join(parts)


def oversized(name: str, size: int, limits: Limits) -> Declined:
    """The answer to a file with more bytes than the limits allow."""
    return decline(
        "too_large",
        name,
        found=f"{size / MIB:.1f} MiB",
        found_en=f"{size / MIB:.1f} MiB",
        limit=f"{limits.file_bytes // MIB} MiB",
        limit_en=f"{limits.file_bytes // MIB} MiB",
    )
