"""Every kind of fault of a built package stops the check of that name; a good package stops none."""

from __future__ import annotations

import json

import polars as pl
import pytest

from pipelines.publish.package import build_package
from pipelines.publish.package_checks import CHECKS, check_package
from tests.publish.county import county, form, region

FILES = build_package(region(), 2023, county(), form())
PARQUET, CSV = "data/county_totals.parquet", "data/county_totals.csv"


def test_a_good_package_stops_no_check():
    found = check_package(FILES)
    assert set(found) == set(CHECKS)
    assert not any(found.values())


def fewer_cells():
    tables = county()
    return {**tables, "form_cells": tables["form_cells"].head(200)}


def other_totals():
    tables = county()
    totals = tables["county_totals"]
    return {**tables, "county_totals": totals.with_columns((pl.col("value") + 1).cast(totals.schema["value"]))}


def altered(name: str, change) -> dict[str, bytes]:
    files = dict(FILES)
    files[name] = change(files[name])
    return files


def broken_descriptor(data: bytes) -> bytes:
    descriptor = json.loads(data)
    del descriptor["resources"][0]["path"]
    return json.dumps(descriptor).encode()


@pytest.mark.parametrize(
    ("name", "change", "check"),
    [
        ("datapackage.json", broken_descriptor, "descriptor_valid"),
        (PARQUET, lambda data: data + b"x", "files_sealed"),
        (CSV, lambda data: data.replace(b"511725", b"five", 1), "csv_valid"),
        (CSV, lambda data: data.replace(b"511725", b"511726", 1), "twins_equal"),
        (
            "data/form_cells.parquet",
            lambda _: build_package(region(), 2023, fewer_cells(), form())["data/form_cells.parquet"],
            "keys_hold",
        ),
        (
            "data/county_totals.parquet",
            lambda _: build_package(region(), 2023, other_totals(), form())[PARQUET],
            "figures_true",
        ),
    ],
)
def test_a_fault_stops_the_check_of_its_name(name, change, check):
    assert check_package(altered(name, change))[check]
