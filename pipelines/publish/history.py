"""The record of what was published and withdrawn for a region and year, and the pointer to what counts.

Belongs here: ``history.json`` and ``latest.json`` as frozen records. Does not belong here: a release's own files; the
record lies beside the releases, so that a release's bytes depend on its data alone and not on what came before.

``history.json`` only ever grows. It holds no times: the same releases in the same order give the same bytes.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec
from upath import UPath

from pipelines.publish.changes import Change
from pipelines.storage import Place, history_path, latest_path

T = TypeVar("T")


class HistoryError(ValueError):
    """The record of releases cannot be read; the text says which file and what to do."""


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One entry. ``previous``: the release that counted before; ``reason`` and ``approved_by``: of a withdrawal."""

    sequence: int
    event: Literal["published", "withdrawn"]
    id: str
    previous: str = ""
    reason: str = ""
    approved_by: str = ""
    changes: tuple[Change, ...] = ()


class History(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything published for a region and year, oldest first."""

    region: str
    year: int
    events: tuple[Event, ...] = ()

    def withdrawal(self, identifier: str) -> Event | None:
        """The withdrawal of a release, or None. A withdrawn release never comes back."""
        return next((e for e in self.events if e.event == "withdrawn" and e.id == identifier), None)

    @property
    def current(self) -> str:
        """The release that counts: the one published last that was not withdrawn; "" where there is none."""
        published = (e.id for e in reversed(self.events) if e.event == "published")
        return next((identifier for identifier in published if self.withdrawal(identifier) is None), "")

    def then(self, event: Literal["published", "withdrawn"], identifier: str, **fields: object) -> History:
        """The history with one more event."""
        entry = {"sequence": len(self.events) + 1, "event": event, "id": identifier, **fields}
        return msgspec.structs.replace(self, events=(*self.events, Event(**entry)))  # type: ignore[arg-type]


class Latest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``latest.json``: the release that counts, its path beside the pointer, and the hash of its SHA256SUMS."""

    id: str
    path: str
    sha256sums: str


def encode(record: History | Latest) -> bytes:
    """A record as JSON for people and machines."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def read_history(out: Place, region: str, year: int) -> History:
    """The history of a region and year, empty where nothing was published. Raises HistoryError."""
    path = history_path(out, region, year)
    if not path.exists():
        return History(region=region, year=year)
    return _decode(path, History)


def read_latest(out: Place, region: str, year: int) -> Latest | None:
    """The pointer to the release that counts, None where there is none. Raises HistoryError."""
    path = latest_path(out, region, year)
    return _decode(path, Latest) if path.exists() else None


def _decode(path: UPath, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HistoryError(
            f"“{path}”读不出来：{error}。请从备份恢复这个文件后再发布。"
            f" {str(path)!r} cannot be read: {error}. Restore it from a backup, then publish."
        ) from None
