"""Explanations as rows of the declared ``explanations`` table, and back.

Belongs here: the one conversion. Does not belong here: finding explanations (pipelines/validate/localise.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

import polars as pl

from schemas.frames import tidy_schema, tidy_types
from schemas.intake import Change, Explanation

Explained = Mapping[tuple[str, str], Sequence[Explanation]]


def explanations_frame(explained: Explained, region: str, year: int) -> pl.DataFrame:
    """The explanations of each (body, file), in the order given."""
    rows = [
        {
            "region": region,
            "year": year,
            "body": body,
            "file": file,
            "option": option,
            "rank": explanation.rank,
            "cell": change.cell,
            "found": None if change.found is None else Decimal(change.found),
            "proposed": Decimal(change.proposed),
            "reason": explanation.reason,
            "reason_en": explanation.reason_en or None,
        }
        for (body, file), explanations in explained.items()
        for option, explanation in enumerate(explanations, 1)
        for change in explanation.changes
    ]
    frame = pl.DataFrame(rows, schema=tidy_types("explanations"), orient="row")
    tidy_schema("explanations").validate(frame)
    return frame


def explanations_from(frame: pl.DataFrame) -> dict[str, tuple[Explanation, ...]]:
    """The explanations by file, in the table's order."""
    found: dict[str, tuple[Explanation, ...]] = {}
    for (file, _), group in groupby(frame.iter_rows(named=True), key=lambda row: (row["file"], row["option"])):
        rows: list[dict[str, Any]] = list(group)
        changes = tuple(Change(cell=row["cell"], found=row["found"], proposed=row["proposed"]) for row in rows)
        explanation = Explanation(
            rank=rows[0]["rank"], changes=changes, reason=rows[0]["reason"], reason_en=rows[0]["reason_en"] or ""
        )
        found[file] = (*found.get(file, ()), explanation)
    return found
