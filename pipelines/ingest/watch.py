"""Watching the inboxes: what stands there, cheaply, and which region and year has come to rest since it last changed.

Belongs here: listing names, sizes and times (never opening a delivery), one digest per region and year, and the memory
that tells a change from what was seen before. Does not belong here: taking files in (inbox.py), starting any work.

The state of a region and year is everything that decides its outcome: its deliveries, the region's declarations, its
decisions and published figures of that year, and the state of the year before where that has deliveries (last year's
returns are what this year's are checked against). Nothing delivered is the empty state.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from upath import UPath

from pipelines.ingest.inbox import passing
from pipelines.storage import PARTIAL, local, place

DIGEST = 12  # hex digits: 48 bits tell the states of one partition apart, and the memory stays small
NOTHING = ""  # the state of a region and year without deliveries
GONE = "gone"  # the folder itself is gone: archived, which withdraws nothing; what is stored stays
_YEAR = re.compile(r"[0-9]{4}")

Entry = tuple[str, int, str]  # name below the year's folder, size, what tells versions apart (time or etag)


class Problem(msgspec.Struct, frozen=True):
    """Something in the inbox or in ``regions/`` that keeps a region or year from being watched."""

    where: str
    zh: str
    en: str

    def __str__(self) -> str:
        return f"{self.where}：{self.zh} {self.en}"


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look at everything: ``states[region][year]``; ``unseen``: regions whose inbox could not be listed."""

    states: dict[str, dict[int, str]]
    problems: tuple[Problem, ...] = ()
    unseen: frozenset[str] = frozenset()


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """The state that was last handed on, and how many were before; the number tells a state that comes again."""

    number: int
    state: str


class Waiting(msgspec.Struct, frozen=True, array_like=True):
    """A changed state and when (seconds since 1970) it was first seen."""

    state: str
    since: float


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered from look to look, by region and year; at most two short entries for each known partition."""

    seen: dict[str, dict[int, Seen]] = {}
    waiting: dict[str, dict[int, Waiting]] = {}

    def encode(self) -> str:
        """As compact JSON."""
        return msgspec.json.encode(self).decode()


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A region and year that has changed and come to rest; ``number`` counts its changes. GONE: nothing to check."""

    region: str
    year: int
    number: int
    state: str


def remembered(text: str | None) -> Memory:
    """The memory that ``encode`` wrote; an empty one for None. Raises ValueError for anything else."""
    if not text:
        return Memory()
    try:
        return msgspec.json.decode(text, type=Memory)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None


def _digest(parts: Iterable[object]) -> str:
    text = "\n".join(repr(part) for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:DIGEST]


def _ignored(name: str) -> bool:
    return passing(name) or name.endswith(PARTIAL)


def _local_entries(folder: Path) -> Iterator[Entry]:
    """Every file below a local folder. A link is an entry of its own and never followed. Raises OSError."""
    waiting = [(str(folder), "")]
    while waiting:
        here, below = waiting.pop()
        with os.scandir(here) as entries:
            for entry in entries:
                if _ignored(entry.name):
                    continue
                name = below + entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, f"{name}/"))
                else:
                    status = entry.stat(follow_symlinks=False)
                    yield name, status.st_size, str(status.st_mtime_ns)


def _listing(entries: Iterable[Entry]) -> str:
    found = sorted(entries)
    return _digest(found) if found else NOTHING


def _unreadable(where: str, error: Exception) -> Problem:
    reason = (error.strerror if isinstance(error, OSError) else "") or type(error).__name__
    return Problem(
        where, f"列不出来（{reason}），请检查权限和连接。", f"cannot be listed ({reason}); check access and connection."
    )


def _unknown_region(name: str) -> Problem:
    return Problem(
        f"inbox/{name}",
        "不是已知的地区代码；请核对文件夹名，新地区须重新加载代码位置。",
        "is not a known region; check the folder's name. A new region is known after reloading the code location.",
    )


def _unknown_year(region: str, name: str, years: Collection[int]) -> Problem:
    span = f"{min(years)}–{max(years)}" if years else "—"
    return Problem(
        f"inbox/{region}/{name}",
        f"不是报告年度的文件夹，应为 {span} 之一。",
        f"is not the folder of a report year; expected one of {span}.",
    )


def _stray(region: str, name: str) -> Problem:
    return Problem(
        f"inbox/{region}/{name}" if region else f"inbox/{name}",
        "这里只应有文件夹；请把文件放进报告年度的文件夹。",
        "Only folders belong here; put the file into the folder of its report year.",
    )


def _shown(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _year_of(name: str, years: Collection[int]) -> int | None:
    return int(name) if _YEAR.fullmatch(name) and name.isascii() and int(name) in years else None


def _local_region(folder: Path, region: str, years: Collection[int], problems: list[Problem]) -> dict[int, str]:
    """The listings of a region's year folders. Raises OSError: then nothing is known of the whole region."""
    found: dict[int, str] = {}
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            year = _year_of(entry.name, years)
            if _ignored(entry.name):
                continue
            if not entry.is_dir():
                problems.append(_stray(region, _shown(entry.name)))
            elif year is None:
                problems.append(_unknown_year(region, _shown(entry.name), years))
            else:
                found[year] = _listing(_local_entries(Path(entry.path)))
    return found


def _look_local(
    inbox: Path, regions: Collection[str], years: Collection[int], problems: list[Problem]
) -> tuple[dict[str, dict[int, str]], set[str]]:
    found: dict[str, dict[int, str]] = {}
    unseen: set[str] = set()
    with os.scandir(inbox) as entries:
        listed = sorted(entries, key=lambda each: each.name)
    for entry in listed:
        if _ignored(entry.name):
            continue
        if not entry.is_dir():
            problems.append(_stray("", _shown(entry.name)))
        elif entry.name not in regions:
            problems.append(_unknown_region(_shown(entry.name)))
        else:
            try:
                found[entry.name] = _local_region(Path(entry.path), entry.name, years, problems)
            except OSError as error:
                problems.append(_unreadable(f"inbox/{entry.name}", error))
                unseen.add(entry.name)
    return found, unseen


def _version(detail: Mapping[str, Any]) -> str:
    for name in ("ETag", "etag", "LastModified", "mtime", "created"):
        if detail.get(name):
            return str(detail[name])
    return ""


def _look_remote(
    inbox: UPath, regions: Collection[str], years: Collection[int], problems: list[Problem]
) -> dict[str, dict[int, str]]:
    """The same on object storage, in one listing of everything. Raises what the storage's library raises."""
    system = inbox.fs
    system.invalidate_cache()
    root = inbox.path.rstrip("/") + "/"
    entries: dict[tuple[str, int], list[Entry]] = {}
    told: set[tuple[str, ...]] = set()

    def tell(key: tuple[str, ...], problem: Problem) -> None:
        if key not in told:
            told.add(key)
            problems.append(problem)

    for path, detail in system.find(root, detail=True).items():
        _, _, below = str(path).partition(root.lstrip("/") if not str(path).startswith("/") else root)
        parts = below.split("/")
        if any(_ignored(part) for part in parts) or not parts[-1]:
            continue
        region = parts[0]
        if len(parts) == 1:
            tell((region,), _stray("", region))
        elif region not in regions:
            tell((region,), _unknown_region(region))
        elif len(parts) == 2:
            tell((region, parts[1]), _stray(region, parts[1]))
        elif (year := _year_of(parts[1], years)) is None:
            tell((region, parts[1]), _unknown_year(region, parts[1], years))
        else:
            entry = ("/".join(parts[2:]), int(detail.get("size") or 0), _version(detail))
            entries.setdefault((region, year), []).append(entry)
    found: dict[str, dict[int, str]] = {}
    for (region, year), listed in entries.items():
        found.setdefault(region, {})[year] = _listing(listed)
    return found


def _declarations(folder: Path) -> list[Entry]:
    """The files directly in a folder of ``regions/``; none where it does not exist. Raises OSError."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        files = [entry for entry in entries if entry.is_file() and not _ignored(entry.name)]
        return sorted((entry.name, entry.stat().st_size, str(entry.stat().st_mtime_ns)) for entry in files)


def _states(folder: Path, listings: Mapping[int, str]) -> dict[int, str]:
    """The state of each year of a region: its listing with all that decides the outcome. Raises OSError."""
    states: dict[int, str] = {}
    if not any(listings.values()):
        return dict.fromkeys(listings, NOTHING)
    declared = _declarations(folder)
    for year in sorted(listings):
        if not listings[year]:
            states[year] = NOTHING
            continue
        before = states.get(year - 1, NOTHING)
        states[year] = _digest((listings[year], declared, _declarations(folder / str(year)), before))
    return states


def look(data: str, regions_root: Path, regions: Collection[str], years: Collection[int]) -> Look:
    """Look once at the inboxes of ``regions`` for the report ``years``. Never raises for what stands there.

    A region that cannot be listed is in ``unseen`` and has no states; where the inbox as a whole cannot be listed, all
    are: missing storage is not the same as withdrawn returns.
    """
    problems: list[Problem] = []
    unseen: set[str] = set()
    inbox = place(data) / "inbox"
    here = local(inbox)
    try:
        if here is not None:
            listings, unseen = _look_local(here, regions, years, problems)
        else:
            listings = _look_remote(inbox, regions, years, problems)
    except FileNotFoundError:
        problem = Problem("inbox", "没有收件箱文件夹，请建立。", "The inbox folder does not exist; make it.")
        return Look(states={}, problems=(problem,), unseen=frozenset(regions))
    except Exception as error:  # noqa: BLE001 - each storage has errors of its own
        return Look(states={}, problems=(_unreadable("inbox", error),), unseen=frozenset(regions))
    states: dict[str, dict[int, str]] = {}
    for region, found in listings.items():
        try:
            states[region] = _states(regions_root / region, found)
        except OSError as error:
            problems.append(_unreadable(f"{regions_root.name}/{region}", error))
            unseen.add(region)
    return Look(states=states, problems=tuple(problems), unseen=frozenset(unseen))


def compare(
    memory: Memory, now_seen: Look, regions: Collection[str], now: float, settle: float
) -> tuple[Memory, tuple[Due, ...]]:
    """What is due: changed, and unchanged since an earlier look that is ``settle`` seconds or more ago.

    Returns the memory without the handing on (see ``handed_on``) and what is due, earlier years first. Of a region that
    could not be seen everything stays as remembered; regions no longer known are forgotten.
    """
    waiting: dict[str, dict[int, Waiting]] = {}
    due: list[Due] = []
    for region in sorted({*memory.seen, *memory.waiting, *now_seen.states}.intersection(regions)):
        before, seen = memory.waiting.get(region, {}), memory.seen.get(region, {})
        if region in now_seen.unseen:
            if before:
                waiting[region] = before
            continue
        states = now_seen.states.get(region, {})
        for year in sorted({*seen, *states}):
            state = states.get(year, GONE)
            last = seen.get(year, Seen(0, NOTHING))
            if state == last.state or (state == GONE and last.state == NOTHING):
                continue
            known = before.get(year)
            if known is None or known.state != state or known.since > now:
                known = Waiting(state, now)
            elif now - known.since >= settle:
                due.append(Due(region=region, year=year, number=last.number + 1, state=state))
            waiting.setdefault(region, {})[year] = known
    kept = {region: years for region, years in memory.seen.items() if region in regions}
    return Memory(seen=kept, waiting=waiting), tuple(sorted(due, key=lambda each: (each.year, each.region)))


def handed_on(memory: Memory, done: Iterable[Due]) -> Memory:
    """The memory after ``done`` was handed on: their states are the ones last seen, and no longer waiting."""
    seen = {region: dict(years) for region, years in memory.seen.items()}
    waiting = {region: dict(years) for region, years in memory.waiting.items()}
    for each in done:
        seen.setdefault(each.region, {})[each.year] = Seen(each.number, each.state)
        waiting.get(each.region, {}).pop(each.year, None)
    return Memory(seen=seen, waiting={region: years for region, years in waiting.items() if years})
