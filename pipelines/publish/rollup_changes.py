"""What changed between two releases of a roll-up, total by total, and which regions changed it.

Belongs here: comparing published roll-ups. Does not belong here: a region's own release (changes.py), the record
(history.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from pipelines.publish.changes import SHOWN, Change
from pipelines.publish.tables import read_parquet
from schemas.findings import number_text
from schemas.rollup import prefix

Files = Mapping[str, bytes]


def _paths(files: Files, table: str) -> list[str]:
    return sorted(path for path in files if path.startswith("data/") and path.endswith(f"/{table}.parquet"))


def _text(value: Decimal | None) -> str | None:
    return None if value is None else number_text(value)


def rollup_changes(before: Files, after: Files) -> tuple[Change, ...]:
    """The totals that differ, country first, then by place; only files whose bytes differ are read.

    ``body`` of a Change holds the place. The cause: the regions below it whose release is another one now.
    """
    moved = _moved_regions(before, after)
    changes: list[tuple[tuple[int, str], Change]] = []
    for path in sorted({*_paths(before, "rollup_totals"), *_paths(after, "rollup_totals")}):
        if before.get(path) == after.get(path):
            continue
        old, new = _totals(before, path), _totals(after, path)
        for place, cell in [*new, *(key for key in old if key not in new)]:
            was, now = old.get((place, cell)), new.get((place, cell))
            if was == now:
                continue
            below = [code for code in moved if code.startswith(prefix(place))]
            more = "" if len(below) <= SHOWN else f"（{len(below)}）"
            named = "、".join(below[:SHOWN]) + more
            change = Change(
                table="rollup_totals",
                cell=cell,
                body=place,
                before=_text(was),
                after=_text(now),
                reason_zh=f"地区 {named} 采用的版本有变化" if below else "",
                reason_en=f"another release of {', '.join(below[:SHOWN])}{more} counts" if below else "",
            )
            changes.append(((len(prefix(place)), place), change))
    return tuple(change for _, change in sorted(changes, key=lambda pair: pair[0]))


def _totals(files: Files, path: str) -> dict[tuple[str, str], Decimal | None]:
    if path not in files:
        return {}
    table = read_parquet(files[path])
    keys = zip(table["place"].to_pylist(), table["cell"].to_pylist(), strict=True)
    return dict(zip(keys, table["value"].to_pylist(), strict=True))


def _moved_regions(before: Files, after: Files) -> list[str]:
    """The regions whose release or outcome is not what it was, in order."""
    stands: list[dict[str, tuple[str | None, str]]] = []
    for files in (before, after):
        found: dict[str, tuple[str | None, str]] = {}
        for path in _paths(files, "rollup_regions"):
            if before.get(path) != after.get(path):
                rows = read_parquet(files[path]).select(["region", "release", "outcome"]).to_pylist()
                found |= {row["region"]: (row["release"], row["outcome"]) for row in rows}
        stands.append(found)
    old, new = stands
    return sorted(code for code in {*old, *new} if old.get(code) != new.get(code))
