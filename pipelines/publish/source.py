"""A release as it is found: a folder, any storage that fsspec knows, or a web address.

Belongs here: bringing a release's files into memory, whole or in part, without trusting them. Does not belong here:
judging them (checks.py, verify.py).
"""

from __future__ import annotations

import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Collection
from typing import Protocol

import msgspec
from upath import UPath

from pipelines.faults import PlaceError, usable
from pipelines.publish.history import Event, History, Latest
from pipelines.publish.package import SIGNATURE, SUMS, PackageError, read_sums
from pipelines.storage import Place, local, place, sha256

LATEST, HISTORY = "latest.json", "history.json"
TIMEOUT = 30.0  # seconds for each answer of a web server
# Bytes. A county's release is far smaller; the figures of 20,000 bodies are a CSV file of 0.9 GB, and a reader takes
# one of 2 GiB at most. An answer without end must end.
LARGEST_FILE = 2**31 - 2
LARGEST_RELEASE = 2**32
_POINTED = re.compile(r"releases/[0-9a-f]{16}")


class SourceError(ValueError):
    """There is no release at a place; ``reason_zh`` and ``reason_en`` say why."""

    def __init__(self, where: str, reason_zh: str, reason_en: str) -> None:
        self.where, self.reason_zh, self.reason_en = where, reason_zh, reason_en
        super().__init__(f"{where}: {reason_zh} / {reason_en}")


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A release in memory. ``id`` follows from its SHA256SUMS; ``withdrawn`` is set if the record beside it says so.

    ``signature``: its SHA256SUMS.sig, None where it is not signed.
    """

    where: str
    id: str
    files: dict[str, bytes]
    withdrawn: Event | None
    signature: bytes | None = None


class _Reader(Protocol):
    """Reads files below one root; None for a file that is not there."""

    where: str

    def read(self, name: str) -> bytes | None: ...

    def names(self) -> list[str] | None: ...

    def below(self, path: str) -> _Reader: ...

    def published(self) -> tuple[str, _Reader]:
        """The release's own folder name, and what lies beside ``releases``."""
        ...


class _Folder:
    """A local folder or other storage."""

    def __init__(self, root: UPath) -> None:
        self.root, self.where = root, str(root)

    def read(self, name: str) -> bytes | None:
        path = self.root / name
        if not path.is_file():
            return None
        if path.stat().st_size > LARGEST_FILE:
            raise SourceError(self.where, f"文件“{name}”过大", f"the file {name!r} is too large")
        return path.read_bytes()

    def names(self) -> list[str] | None:
        found = [path for path in self.root.rglob("*") if not path.is_dir()]
        return sorted(path.path[len(self.root.path) :].lstrip("/") for path in found)

    def below(self, path: str) -> _Folder:
        return _Folder(self.root / path)

    def published(self) -> tuple[str, _Reader]:
        here = local(self.root)
        root = self.root if here is None else place(here.resolve())
        return f"{root.parent.name}/{root.name}", _Folder(root.parent.parent)


class _Web:
    """A web address. Only http and https are ever asked, also after a redirection."""

    def __init__(self, address: str) -> None:
        self.where = address.split("?")[0].split("#")[0].rstrip("/") + "/"
        self.opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
            urllib.request.HTTPRedirectHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
        ):
            self.opener.add_handler(handler)

    def read(self, name: str) -> bytes | None:
        address = urllib.parse.urljoin(self.where, name)
        try:
            with self.opener.open(address, timeout=TIMEOUT) as answer:
                data: bytes = answer.read(LARGEST_FILE + 1)
        except urllib.error.HTTPError as error:
            if error.code in (403, 404, 410):
                return None
            raise SourceError(address, f"服务器回答 {error.code}", f"the server answers {error.code}") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise SourceError(address, f"无法连接：{reason}", f"no connection: {reason}") from None
        if len(data) > LARGEST_FILE:
            raise SourceError(address, "文件过大", "the file is too large")
        return data

    def names(self) -> list[str] | None:
        return None  # a web server gives no listing that could be relied on

    def below(self, path: str) -> _Web:
        return _Web(urllib.parse.urljoin(self.where, path))

    def published(self) -> tuple[str, _Reader]:
        return "/".join(self.where.split("/")[-3:-1]), self.below("../..")


def _reader(where: Place) -> _Reader:
    text = str(where)
    if text.startswith(("http://", "https://")):
        return _Web(text)
    try:
        usable(where)
    except PlaceError as error:
        raise SourceError(text, error.chinese.rstrip("。"), error.english.rstrip(".")) from None
    root = place(where)
    if not root.exists():
        raise SourceError(text, "路径不存在", "there is no such path")
    if not root.is_dir():
        raise SourceError(text, "不是目录", "it is not a folder")
    return _Folder(root)


def _root(reader: _Reader) -> tuple[_Reader, bytes]:
    """Where the release itself lies: here, or where ``latest.json`` points; and its SHA256SUMS."""
    sums = reader.read(SUMS)
    if sums is not None:
        return reader, sums
    pointer = reader.read(LATEST)
    if pointer is None:
        raise SourceError(reader.where, f"没有 {SUMS}", f"there is no {SUMS}")
    try:
        latest = msgspec.json.decode(pointer, type=Latest)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise SourceError(reader.where, f"{LATEST} 读不出来", f"{LATEST} cannot be read") from None
    if not _POINTED.fullmatch(latest.path):
        raise SourceError(reader.where, f"{LATEST} 指向别处", f"{LATEST} points elsewhere")
    there = reader.below(latest.path)
    sums = there.read(SUMS)
    if sums is None:
        raise SourceError(there.where, f"没有 {SUMS}", f"there is no {SUMS}")
    return there, sums


def _withdrawal(reader: _Reader, identifier: str) -> Event | None:
    """What the record beside the releases says of this one; a downloaded folder usually has none."""
    name, beside = reader.published()
    record = beside.read(HISTORY) if name == f"releases/{identifier}" else None
    if record is None:
        return None
    try:
        return msgspec.json.decode(record, type=History).withdrawal(identifier)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def open_release(where: Place, wanted: Collection[str] = ()) -> Opened:
    """The release at ``where``: a folder or address that holds ``SHA256SUMS``, or ``latest.json`` that points to one.

    With ``wanted`` only those files are brought (those that are there). Listed files that are absent are simply not
    in ``files``; a folder's unlisted files are, so that a check can see them. Raises SourceError.
    """
    try:
        reader, sums = _root(_reader(where))
        try:
            names = list(read_sums(sums))
        except PackageError:
            names = []  # the checks say what is wrong with it
        if wanted:
            names = [name for name in names if name in wanted]
        else:
            names = sorted({*names, *(reader.names() or [])} - {SUMS, SIGNATURE})
        identifier = sha256(sums)[:16]
        files = {SUMS: sums} | _read_all(reader, names)
        return Opened(
            where=reader.where,
            id=identifier,
            files=files,
            withdrawn=_withdrawal(reader, identifier),
            signature=None if wanted else reader.read(SIGNATURE),
        )
    except OSError as error:
        reason = error.strerror or str(error)
        raise SourceError(str(where), f"读不出来：{reason}", f"cannot be read: {reason}") from None


def _read_all(reader: _Reader, names: list[str]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    size = 0
    read: Callable[[str], bytes | None] = reader.read
    for name in names:
        data = read(name)
        if data is None:
            continue
        files[name] = data
        size += len(data)
        if size > LARGEST_RELEASE:
            raise SourceError(reader.where, "文件总量过大", "the files are too large altogether")
    return files
