"""The sample county's accepted figures of 2023, as the report's tests need them."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from pathlib import Path

from pipelines.publish.report import Stated, load_narrative
from pipelines.regions import load_published, load_published_indicators, load_region
from schemas.form import Form, load_form
from schemas.narrative import Narrative
from schemas.region import Region

ROOT = Path(__file__).parents[2] / "regions"
CODE, YEAR = "511725", 2023


def form() -> Form:
    return load_form("2021")


@cache
def region() -> Region:
    return load_region(ROOT, CODE)


def totals() -> dict[str, Decimal | None]:
    published = load_published(ROOT, CODE, YEAR)
    assert published is not None
    return dict(published)


def indicators() -> dict[str, Stated]:
    published = load_published_indicators(ROOT, CODE, YEAR)
    assert published is not None
    return {given.indicator: Stated(given.value, given.qualifier == "at_least") for given in published}


def narrative() -> Narrative:
    found = load_narrative(ROOT, region(), YEAR, form())
    assert found is not None
    return found
