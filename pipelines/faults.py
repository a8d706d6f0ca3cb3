"""What went wrong outside the program, in words for a person: storage that cannot be reached, a full disk, no right.

Belongs here: telling the faults of disks, object storage, networks and portals (faults.toml), and looking whether a
place can be used at all. Does not belong here: what is wrong with data (findings).

Faults of others are told by name and text, since a step of Dagster hands on these of an exception, not the exception.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from pipelines.storage import Place, local, place
from schemas.declaration import read_toml


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One known fault: told by its ``id``, by ``names`` of exceptions, or by pieces that their text ``contains``.

    ``zh`` and ``en`` may hold names in braces, to be filled in by whoever tells it by its id. ``again``: the same may
    go well later, without anybody doing anything.
    """

    zh: str
    en: str
    id: str = ""
    names: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    again: bool = False


class _Faults(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    faults: tuple[Fault, ...]


class PlaceError(RuntimeError):
    """A place of data cannot be used; ``chinese`` and ``english`` say why and what to do."""

    def __init__(self, where: str, chinese: str, english: str) -> None:
        self.chinese, self.english = chinese, english
        super().__init__(f"“{where}”：{chinese} {where!r}: {english}")


@cache
def known() -> tuple[Fault, ...]:
    """Every fault that is known, in the order in which it is looked for."""
    path = Path(__file__).with_suffix(".toml")
    return read_toml(path.read_text(encoding="utf-8"), _Faults, path.name).faults


def fault_of(identifier: str) -> Fault:
    """The fault of that id. Raises KeyError."""
    for fault in known():
        if fault.id == identifier:
            return fault
    raise KeyError(identifier)


def explained(name: str, text: str) -> tuple[str, str] | None:
    """A fault in words, by the name of its exception and its text; None where it is not a known one from outside."""
    short = name.rpartition(".")[2]
    for fault in known():
        if short in fault.names or any(part in text for part in fault.contains):
            return fault.zh, fault.en
    return None


def usable(where: Place) -> None:
    """Look whether a place on other storage can be used: its bucket is there and may be looked at. Raises PlaceError.

    Says nothing of local folders, which are made when they are needed. A bucket is never made: a wrong name would pass
    for an empty one.
    """
    try:
        found = place(where)
        if local(found) is None:
            found.fs.ls(found.path.lstrip("/").partition("/")[0], detail=False)  # `exists` takes any fault for a no
    except FileNotFoundError:
        missing = fault_of("no_bucket")
        raise PlaceError(str(where), missing.zh, missing.en) from None
    except Exception as fault:
        words = explained(type(fault).__name__, str(fault)) or (f"不能使用：{fault}。", f"it cannot be used: {fault}.")
        raise PlaceError(str(where), *words) from fault
