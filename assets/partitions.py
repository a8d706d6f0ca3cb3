"""The partitions: report year x region. Regions come from the folders below ``regions/``.

Belongs here: partition keys and their meaning. Does not belong here: which region has which settings.
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from pipelines.regions import region_codes
from pipelines.settings import load_settings
from schemas.form import editions, load_form

LAST_YEAR = 2035


def _years() -> list[str]:
    first = min(load_form(edition).declaration.first_year for edition in editions())
    return [str(year) for year in range(first, LAST_YEAR + 1)]


YEARS = dg.StaticPartitionsDefinition(_years())  # of what looks over all regions
REGION_YEARS = dg.MultiPartitionsDefinition(
    {
        "region": dg.StaticPartitionsDefinition(list(region_codes(Path(load_settings().regions)))),
        "year": YEARS,
    }
)


def region_year(context: dg.AssetExecutionContext) -> tuple[str, int]:
    """The region code and the report year of the running partition."""
    key = context.partition_key
    if not isinstance(key, dg.MultiPartitionKey):
        raise TypeError(f"not a region-year partition: {key}")
    return key.keys_by_dimension["region"], int(key.keys_by_dimension["year"])


def partition_key(region: str, year: int) -> dg.MultiPartitionKey:
    """The key of one region and report year."""
    return dg.MultiPartitionKey({"region": region, "year": str(year)})
