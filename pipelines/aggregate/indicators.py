"""The regional supplement added up, each indicator by its own rule.

Belongs here: sum, maximum and the office's own figure. Does not belong here: the national form's totals (totals.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import polars as pl

from schemas.frames import tidy_schema, tidy_types
from schemas.intake import Indicator
from schemas.region import Region

AT_LEAST_MARKS = ("余", "多", "以上", ">")


def county_indicators(region: Region, year: int, stated: Mapping[str, Sequence[Indicator]]) -> pl.DataFrame:
    """The ``indicators`` table of a county. ``stated``: the indicators of each accepted body, by body code.

    ``value`` is null where nobody stated the indicator. ``qualifier`` is ``at_least`` as soon as one of the figures
    behind it is stated as "more than" (余, 以上).
    """
    rows = []
    office = region.settings.office_body
    for declared in region.supplement.indicators if region.supplement else ():
        figures = [
            (indicator.value, indicator.raw or "")
            for body, indicators in stated.items()
            for indicator in indicators
            if indicator.indicator == declared.id
            and indicator.value is not None
            and (declared.add_up != "office" or body == office)
        ]
        values = [value for value, _ in figures]
        total: Decimal | None = None
        if values:
            total = max(values) if declared.add_up == "maximum" else sum(values, Decimal(0))
        vague = any(mark in raw for _, raw in figures for mark in AT_LEAST_MARKS)
        rows.append(
            {
                "region": region.settings.code,
                "year": year,
                "indicator": declared.id,
                "label_zh": declared.label_zh,
                "label_en": declared.label_en,
                "value": total,
                "unit": declared.unit,
                "add_up": declared.add_up,
                "qualifier": "at_least" if vague else None,
                "bodies": len(values),
            }
        )
    frame = pl.DataFrame(rows, schema=tidy_types("indicators"), orient="row")
    tidy_schema("indicators").validate(frame)
    return frame
