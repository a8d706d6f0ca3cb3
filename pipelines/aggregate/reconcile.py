"""The county's totals beside its published report, cell by cell.

Belongs here: the comparison and its findings. Does not belong here: reading the published figures
(pipelines/regions.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import polars as pl

from pipelines.aggregate.totals import values_of
from schemas.findings import Finding, make_finding, place_en, place_zh
from schemas.form import Form
from schemas.frames import tidy_schema, tidy_types

NO_FIGURE = "—"


def reconcile(
    form: Form, totals: pl.DataFrame, published: Mapping[str, Decimal] | None, region: str, year: int
) -> tuple[pl.DataFrame, list[Finding]]:
    """The ``reconciliation`` table and a ``reconciliation_mismatch`` per cell that differs.

    ``published`` None: the county has not published yet; the table is empty and the finding says so. A figure that
    the county published and no body gave (or the reverse) is a mismatch too.
    """
    types = tidy_types("reconciliation")
    if published is None:
        skipped = make_finding("reconciliation_skipped", words={"year": str(year)}, region=region, year=year)
        return pl.DataFrame(schema=types), [skipped]
    values = values_of(totals)
    rows, findings = [], []
    for cell in form.cells:
        value, expected = values.get(cell.id), published.get(cell.id)
        difference = None if value is None or expected is None else value - expected
        equal = value == expected
        rows.append(
            {
                "region": region,
                "year": year,
                "cell": cell.id,
                "value": value,
                "published": expected,
                "difference": difference,
                "equal": equal,
            }
        )
        if not equal:
            words = {
                "place": place_zh(form, cell),
                "place_en": place_en(form, cell),
                "found": NO_FIGURE if value is None else value,
                "expected": NO_FIGURE if expected is None else expected,
                "difference": NO_FIGURE if difference is None else difference,
            }
            findings.append(
                make_finding(
                    "reconciliation_mismatch",
                    words=words,
                    region=region,
                    year=year,
                    cells=(cell.id,),
                    expected=expected,
                    found=value,
                    difference=difference,
                )
            )
    frame = pl.DataFrame(rows, schema=types, orient="row")
    tidy_schema("reconciliation").validate(frame)
    return frame, findings
