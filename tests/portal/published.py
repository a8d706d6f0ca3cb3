"""Releases of the synthetic county, put in place by the project's own publication."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import polars as pl

from pipelines.publish.catalogue import catalogue_records
from pipelines.publish.package import build_package
from pipelines.publish.release import Published, publish
from pipelines.storage import catalogue_path, report_path, write_atomic
from schemas.region import Region
from tests.publish.county import CODE, YEAR, county, form, region

Tables = Mapping[str, pl.DataFrame]


def for_year(tables: Tables, year: int) -> dict[str, pl.DataFrame]:
    """The same tables for another report year."""
    return {
        name: frame.with_columns(pl.lit(year, pl.Int32()).alias("year")) if "year" in frame.columns else frame
        for name, frame in tables.items()
    }


def publish_county(
    out: Path,
    count: int = 3,
    seed: int = 1,
    waived: int = 0,
    year: int = YEAR,
    code: str = CODE,
    change: Callable[[dict[str, pl.DataFrame]], dict[str, pl.DataFrame]] = lambda tables: tables,
    base_url: str = "",
) -> Published:
    """Publish a county of ``count`` bodies; ``change`` edits its tables first."""
    place: Region = region(count)
    tables = for_year(county(count, seed, waived), year)
    if code != CODE:
        place = msgspec.structs.replace(place, settings=msgspec.structs.replace(place.settings, code=code))
        tables = {
            name: frame.with_columns(pl.lit(code).alias("region")) if "region" in frame.columns else frame
            for name, frame in tables.items()
        }
    tables = change(dict(tables))
    files = build_package(place, year, tables, form())
    done = publish(files, out, code, year)
    records = catalogue_records(json.loads(files["datapackage.json"]), place, base_url, release=done.id)
    for name, data in records.items():
        write_atomic(catalogue_path(out, code, year) / name, data)
    report = f"<!doctype html><meta charset=utf-8><title>年度报告（示例）</title><p>{seed}".encode()
    write_atomic(report_path(out, code, year) / "report.html", report)
    return done
