"""A roll-up whose every region was withdrawn is withdrawn too: it would state what nobody stands for any more.

Belongs here: whether a standing roll-up has lost its ground, as the records of its regions say, and taking it back.
Does not belong here: a region's own withdrawal (withdrawal.py), when the roll-up is looked at (assets).

Nothing is taken back because something is merely not there: a lost folder or a half-restored backup is no withdrawal.
Every region that the roll-up adds must have a record that says that its releases were withdrawn.
"""

from __future__ import annotations

import json

import msgspec

from pipelines.publish.history import Event, HistoryError, read_history
from pipelines.publish.release import current_release, release_files, withdraw
from pipelines.publish.tables import UNREADABLE, read_parquet
from pipelines.storage import ROLLUP, Place
from schemas.descriptor import DESCRIPTOR
from schemas.rollup import COUNTRY
from schemas.rollup_descriptor import part_path, parts_of

SHOWN = 5
REASON = (
    "所计入地区的数据已全部撤回",
    "every region that it adds has withdrawn its data",
)


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What a standing roll-up rests on. ``release``: its id; ``withdrawn``: the regions that it adds and whose every
    release was withdrawn, by record; ``others``: those of which no record says so, None where it cannot be read;
    ``approvers``: of the regions' withdrawals.
    """

    release: str
    withdrawn: tuple[str, ...] = ()
    others: tuple[str, ...] | None = None
    approvers: tuple[str, ...] = ()

    @property
    def lost(self) -> bool:
        """Whether nobody stands for it any more."""
        return bool(self.withdrawn) and self.others == ()


def _added(out: Place, year: int) -> tuple[str, ...] | None:
    """The regions that the roll-up adds; None where it cannot be read."""
    folder = current_release(out, ROLLUP, year)
    if folder is None:
        return None
    try:
        files = release_files(folder)
        parts = [part for part in parts_of(json.loads(files[DESCRIPTOR])) if part != COUNTRY]
        tables = [read_parquet(files[part_path("rollup_regions", part, "parquet")]) for part in parts]
        rows = [row for table in tables for row in table.select(["region", "outcome"]).to_pylist()]
    except (*UNREADABLE, KeyError, TypeError):
        return None
    return tuple(row["region"] for row in rows if row["outcome"] in ("counted", "within"))


def _last_withdrawal(out: Place, region: str, year: int) -> Event | None:
    """The last withdrawal of a region that has no release left, by its record."""
    try:
        history = read_history(out, region, year)
    except HistoryError:
        return None
    if history.current:
        return None
    return next((event for event in reversed(history.events) if event.event == "withdrawn"), None)


def ground_of(out: Place, year: int) -> Ground | None:
    """What the standing roll-up of a year rests on; None where none stands. Raises HistoryError."""
    current = read_history(out, ROLLUP, year).current
    if not current:
        return None
    added = _added(out, year)
    if added is None:
        return Ground(release=current)
    last = {region: _last_withdrawal(out, region, year) for region in added}
    approvers = [event.approved_by for event in last.values() if event is not None]
    return Ground(
        release=current,
        withdrawn=tuple(region for region, event in last.items() if event is not None),
        others=tuple(region for region, event in last.items() if event is None),
        approvers=tuple(dict.fromkeys(approvers)),
    )


def withdraw_rollup(out: Place, year: int, ground: Ground) -> tuple[str, ...]:
    """Withdraw every roll-up of a year that stands, oldest first, so that ``latest`` never names an older one.

    Answers their ids. One that was killed half-way is finished by calling it again. Raises ValueError for a roll-up
    that has not lost its ground, ReleaseError, HistoryError, OSError.
    """
    if not ground.lost:
        raise ValueError(f"roll-up {ground.release} has not lost its ground")
    history = read_history(out, ROLLUP, year)
    published = dict.fromkeys(event.id for event in history.events if event.event == "published")
    standing = [each for each in published if each != ground.release and history.withdrawal(each) is None]
    more = f" 等 {len(ground.approvers)} 人" if len(ground.approvers) > SHOWN else ""
    approved_by = f"{'、'.join(ground.approvers[:SHOWN])}{more}"
    for each in (*standing, ground.release):
        withdraw(out, ROLLUP, year, each, " / ".join(REASON), approved_by)
    return (*standing, ground.release)
