"""Kinds of finding about a release: its files, its descriptor, its tables, its totals."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from pipelines.publish.checks import check_bytes, check_csv, check_sums
from pipelines.publish.package import SUMS, build_package, sums_of
from pipelines.publish.release import publish, withdraw
from pipelines.publish.source import Opened
from pipelines.publish.tables import read_parquet
from pipelines.publish.verify import check_files, check_signature, verify
from pipelines.storage import sha256
from schemas.findings import Finding
from tests.finding_cases import Case
from tests.publish.county import CODE, YEAR, county, form, region
from tests.publish.test_verify_checks import (
    TOTAL,
    broken_everywhere,
    rebuilt,
    resealed,
    set_value,
    waived_finding,
)

Files = dict[str, bytes]
BALANCED = "requests.row_total.received"


@cache
def _sound() -> tuple[tuple[str, bytes], ...]:
    return tuple(build_package(region(), YEAR, county(waived=1), form()).items())


def sound() -> Files:
    return dict(_sound())


@cache
def identifier() -> str:
    """The id of the release that is as it should be."""
    return sha256(sound()[SUMS])[:16]


def right(_: Path) -> Iterable[Finding]:
    """Every check of a release, on one that is as it should be."""
    return check_files(sound())


def sealed(data: bytes, listed: bytes = b"a") -> Files:
    """A folder of one file, its sums made of ``listed``."""
    return {"a.csv": data, SUMS: sums_of({"a.csv": listed})}


def csv(change: tuple[bytes, bytes]) -> Iterable[Finding]:
    files = sound()
    spoilt = resealed(files, bodies__csv=files["data/bodies.csv"].replace(*change, 1))
    return check_csv(spoilt, json.loads(spoilt["datapackage.json"]))


def resource(data: bytes) -> dict[str, Any]:
    """A descriptor of one resource with those bytes."""
    return {"resources": [{"path": "data/a.csv", "bytes": len(data), "hash": f"sha256:{sha256(data)}"}]}


def figure(text: bytes) -> bytes:
    """The released indicators with their one figure written so."""
    return sound()["data/indicators.csv"].replace(b"12.5", text)


def reordered() -> Files:
    """A release of which one Parquet file has its columns the other way round."""
    files, sink = sound(), io.BytesIO()
    table = read_parquet(files["data/indicators.parquet"])
    pq.write_table(table.select(list(reversed(table.column_names))), sink)
    return resealed(files, indicators__parquet=sink.getvalue())


def place(here: Path, *, withdrawn: bool = False) -> Path:
    """The folder of a published release."""
    release = publish(sound(), here, CODE, YEAR)
    if withdrawn:
        withdraw(here, CODE, YEAR, release.id, "总数有误", "张三（示例）")
    return Path(str(release.path))


def wrong_totals(reason: str = "", by: Decimal = Decimal(5)) -> Iterable[Finding]:
    """A release in which one body's figure, and with it the total, is off by 5; a waiver excuses ``by``."""
    tables = broken_everywhere(Decimal(5))
    if reason:
        row = waived_finding(1, BALANCED, by, "511725-D01") | {"waived": reason}
        tables["findings"] = pl.DataFrame([row], schema=tables["findings"].schema, orient="row")
    found = check_files(build_package(region(), YEAR, tables, form()))
    return [finding for finding in found if f" {BALANCED}" in finding.message_zh]


def without_column() -> Files:
    """A release of another version of the schema: the descriptor of every table of bodies lacks the status."""
    files = sound()
    table = read_parquet(files["data/bodies.parquet"])
    sink = io.BytesIO()
    pq.write_table(table.drop_columns(["status"]), sink)
    return resealed(files, bodies__parquet=sink.getvalue())


def changed(table: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Iterable[Finding]:
    return check_files(rebuilt(table, change))


def opened(signature: bytes | None) -> Opened:
    return Opened(where="x", id="0123456789abcdef", files={SUMS: b""}, withdrawn=None, signature=signature)


LOST = pl.when(pl.col("body") == "511725-D02").then(pl.lit("511725-D99")).otherwise(pl.col("body")).alias("body")


CASES: dict[str, Case] = {
    "release_unreadable": Case(
        fires=lambda here: verify(here).findings,
        silent=lambda here: verify(place(here)).findings,
    ),
    "release_withdrawn": Case(
        fires=lambda here: verify(place(here, withdrawn=True)).findings,
        silent=lambda here: verify(place(here)).findings,
    ),
    "signature_wrong": Case(
        fires=lambda here: check_signature(opened(b"hello"), Path(__file__))[1],
        silent=lambda here: check_signature(opened(None), None)[1],
    ),
    "signature_missing": Case(
        fires=lambda here: check_signature(opened(None), Path(__file__))[1],
        silent=lambda here: check_signature(opened(None), None)[1],
    ),
    "signature_unchecked": Case(
        fires=lambda here: check_signature(opened(b"hello"), None)[1],
        silent=lambda here: check_signature(opened(None), None)[1],
    ),
    "checksum_differs": Case(
        fires=lambda _: check_sums(sealed(b"b")),
        silent=lambda _: check_sums(sealed(b"a")),
    ),
    "release_file_missing": Case(
        fires=lambda _: check_sums({SUMS: sealed(b"a")[SUMS]}),
        silent=lambda _: check_sums(sealed(b"a")),
    ),
    "release_file_unlisted": Case(
        fires=lambda _: check_sums(sealed(b"a") | {"b.csv": b"b"}),
        silent=lambda _: check_sums(sealed(b"a")),
    ),
    "bytes_differ": Case(
        fires=lambda _: check_bytes({"data/a.csv": b"ab"}, resource(b"a")),
        silent=lambda _: check_bytes({"data/a.csv": b"a"}, resource(b"a")),
    ),
    "descriptor_invalid": Case(
        fires=lambda _: check_files({SUMS: b"", "datapackage.json": b"[]"}),
        silent=right,
    ),
    "parquet_invalid": Case(
        fires=lambda _: check_files(reordered()),
        silent=right,
    ),
    "csv_invalid": Case(
        fires=lambda _: csv((b"accepted", b"adopted")),
        silent=lambda _: csv((b"accepted", b"accepted")),
    ),
    "twin_differs": Case(
        fires=lambda _: check_files(resealed(sound(), indicators__csv=figure(b"12.6"))),
        silent=lambda _: check_files(resealed(sound(), indicators__csv=figure(b"12.5"))),
    ),
    "foreign_key_broken": Case(
        fires=lambda _: changed("body_cells", lambda frame: frame.with_columns(LOST)),
        silent=right,
    ),
    "figures_missing": Case(
        fires=lambda _: changed("body_cells", lambda frame: frame.filter(pl.col("body") != "511725-D02")),
        silent=right,
    ),
    "totals_not_sum": Case(
        fires=lambda _: changed("county_totals", set_value(TOTAL, "bodies", 2)),
        silent=right,
    ),
    "figures_not_checked": Case(
        fires=lambda _: check_files(without_column()),
        silent=right,
    ),
    "rules_not_checked": Case(
        fires=lambda _: changed("form_cells", lambda frame: frame.with_columns(pl.lit("1999").alias("edition"))),
        silent=right,
    ),
    "rules_broken_in_totals": Case(
        fires=lambda _: wrong_totals(),
        silent=lambda _: wrong_totals("停业（张三，2024-01-20）"),
    ),
    "rules_waived_in_totals": Case(
        fires=lambda _: wrong_totals("停业（张三，2024-01-20）"),
        silent=lambda _: wrong_totals("停业（张三，2024-01-20）", by=Decimal(4)),
    ),
}
