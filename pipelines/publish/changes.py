"""What changed between two releases, cell by cell.

Belongs here: comparing the published figures of two releases. Does not belong here: keeping the record (history.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

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
    """

    table: str
    cell: str
    before: str | None
    after: str | None
    body: str = ""


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
    changes: list[Change] = []
    for table in FIGURES:
        old, new = _figures(before, table), _figures(after, table)
        for body, cell in [*new, *(key for key in old if key not in new)]:
            was, now = old.get((body, cell)), new.get((body, cell))
            if was != now:
                changes.append(Change(table=table, cell=cell, body=body, before=_text(was), after=_text(now)))
    return tuple(changes)
