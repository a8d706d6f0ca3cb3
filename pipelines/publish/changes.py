"""What changed between two releases, cell by cell, and why.

Belongs here: comparing the published figures of two releases, and the cause as far as the releases themselves tell it:
a new file, an approved correction, a body that came or went. Does not belong here: keeping the record (history.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa

from pipelines.publish.tables import read_parquet
from schemas.descriptor import resource_path
from schemas.findings import number_text

Key = tuple[str, str]
# Which tables hold figures, and by which columns a figure is known: (table, body or "", cell or indicator).
FIGURES = {
    "county_totals": ("", "cell"),
    "body_cells": ("body", "cell"),
    "indicators": ("", "indicator"),
}


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One published figure that is not what it was. Figures are exact text; None: not given, or not published.

    ``cell`` is a cell id, or an indicator's id in ``indicators``; ``body`` is "" for the county's own figures.
    ``reason_zh``, ``reason_en``: the cause, "" where the releases do not tell it.
    """

    table: str
    cell: str
    before: str | None
    after: str | None
    body: str = ""
    reason_zh: str = ""
    reason_en: str = ""


Reason = tuple[str, str]
NEW_FILE: Reason = ("该单位报送了新的文件", "the body handed in another file")
CAME: Reason = ("该单位的报表新近采用", "the body's return is newly accepted")
WENT: Reason = ("该单位的报表不再采用", "the body's return is no longer accepted")
READ_ANEW: Reason = ("同一文件，读法或规则已更新", "the same file, read by a newer program or rule")
TAKEN_BACK: Reason = ("原有的更正已取消", "a correction no longer applies")
SUPPLEMENT: Reason = ("县级补充数据有更新", "the county's own supplement changed")
SHOWN = 5  # bodies named behind a changed total


def _rows(files: Mapping[str, bytes], table: str) -> list[dict[str, Any]]:
    path = resource_path(table, "parquet")
    rows: list[dict[str, Any]] = read_parquet(files[path]).to_pylist() if path in files else []
    return rows


def _corrections(files: Mapping[str, bytes]) -> dict[Key, Reason]:
    """What was corrected, by body and cell, in the words of the finding."""
    return {
        (row["body"], cell): (row["message_zh"], row["message_en"])
        for row in _rows(files, "findings")
        if row["rule"] == "correction_applied"
        for cell in (row["cells"] or "").split(";")
    }


class _Causes:
    """Why figures of bodies changed, as the files of both releases tell it."""

    def __init__(self, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
        self.old = {row["body"]: row["file_sha256"] for row in _rows(before, "bodies")}
        self.new = {row["body"]: row["file_sha256"] for row in _rows(after, "bodies")}
        self.names = {row["body"]: row["name_zh"] for row in (*_rows(before, "bodies"), *_rows(after, "bodies"))}
        self.corrected, self.corrected_before = _corrections(after), _corrections(before)
        self.excused = {
            row["body"]: row["waived"]
            for row in _rows(after, "findings")
            if row["waived"] and row["rule"] == "roster_missing"
        }

    def of(self, body: str, cell: str) -> Reason:
        """The cause of a change of a body's figure."""
        if (body, cell) in self.corrected:
            return self.corrected[body, cell]
        old, new = self.old.get(body), self.new.get(body)
        if old and not new and body in self.excused:
            why = self.excused[body]
            return f"{WENT[0]}，经批准豁免：{why}", f"{WENT[1]}; waived: {why}"
        if old != new:
            return CAME if not old else WENT if not new else NEW_FILE
        return TAKEN_BACK if (body, cell) in self.corrected_before else READ_ANEW

    def of_total(self, bodies: Sequence[str]) -> Reason:
        """The cause of a change of a total: the bodies whose figure changed."""
        if not bodies:
            return "", ""
        more = len(bodies) - SHOWN
        chinese = "、".join(self.names.get(body, body) for body in bodies[:SHOWN])
        english = ", ".join(bodies[:SHOWN])
        return (
            f"{chinese}{f'等 {len(bodies)} 个单位' if more > 0 else ''}的数字有变化",
            f"figures of {english}{f' and {more} more' if more > 0 else ''} changed",
        )


def _figures(files: Mapping[str, bytes], table: str) -> dict[Key, Decimal | None]:
    path = resource_path(table, "parquet")
    if path not in files:
        return {}
    found: pa.Table = read_parquet(files[path])
    body, cell = FIGURES[table]
    bodies = found[body].to_pylist() if body else [""] * found.num_rows
    return dict(zip(zip(bodies, found[cell].to_pylist(), strict=True), found["value"].to_pylist(), strict=True))


def _text(value: Decimal | None) -> str | None:
    return None if value is None else number_text(value)


def changed_cells(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> tuple[Change, ...]:
    """The figures that differ between the files of two releases, totals first, in the newer release's order.

    A release without a table counts as one that published none of its figures.
    """
    causes = _Causes(before, after)
    changed: list[tuple[str, str, str, Decimal | None, Decimal | None]] = []
    for table in FIGURES:
        old, new = _figures(before, table), _figures(after, table)
        for body, cell in [*new, *(key for key in old if key not in new)]:
            was, now = old.get((body, cell)), new.get((body, cell))
            if was != now:
                changed.append((table, body, cell, was, now))
    moved: dict[str, list[str]] = {}
    for _, body, cell, _, _ in changed:
        if body:
            moved.setdefault(cell, []).append(body)
    changes: list[Change] = []
    for table, body, cell, was, now in changed:
        if body:
            chinese, english = causes.of(body, cell)
        else:
            chinese, english = SUPPLEMENT if table == "indicators" else causes.of_total(moved.get(cell, ()))
        changes.append(
            Change(
                table=table,
                cell=cell,
                body=body,
                before=_text(was),
                after=_text(now),
                reason_zh=chinese,
                reason_en=english,
            )
        )
    return tuple(changes)


def change_lines(changes: Sequence[Change], most: int = SHOWN) -> tuple[Reason, ...]:
    """A short release note in lines of Chinese and English: the first ``most`` changes, and how many more there are.

    The same figure in both languages, so that a line is ``(chinese, english)`` with the reason in each.
    """
    lines = []
    for change in changes[:most]:
        was, now = (text if text is not None else "—" for text in (change.before, change.after))
        figure = f"{change.body} {change.cell}".lstrip()
        lines.append((f"{figure}：{was} → {now}，{change.reason_zh}".rstrip("，"), change.reason_en))
    if len(changes) > most:
        more = len(changes) - most
        lines.append((f"另有 {more} 处", f"{more} more"))
    return tuple(lines)
