"""From a published total to every body's figure and its place in a file, from the release alone."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from pipelines.publish.package import build_package, sums_of
from pipelines.publish.release import publish
from pipelines.publish.source import SourceError
from pipelines.publish.trace import TraceError, trace
from tests.publish.county import CODE, YEAR, a_return, county, file_hash, form, region

CELL = "requests.received.total"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    files = build_package(region(), YEAR, county(waived=1), form())
    publish(files, tmp_path, CODE, YEAR)
    return tmp_path / CODE / str(YEAR)


def test_a_total_leads_to_every_body_and_its_place_in_a_file(place: Path) -> None:
    found = trace(place, CELL)
    assert (found.cell, found.unit, found.bodies) == (CELL, "件", 2)
    assert found.label_zh == form().by_id[CELL].label_zh
    assert [(row.body, row.name, row.value) for row in found.rows] == [
        ("511725-D01", "第1局（示例）", a_return(1000)[CELL]),
        ("511725-D02", "第2局（示例）", a_return(1001)[CELL]),
    ]
    assert sum(row.value or 0 for row in found.rows) == found.total
    first = found.rows[0]
    assert (first.raw, first.state) == (str(a_return(1000)[CELL]), "given")
    assert (first.file_sha256, first.address) == (file_hash(0), "统计表!C14")
    assert found.release == next((place / "releases").iterdir()).name


def test_a_figure_that_was_not_given_is_listed_as_such(tmp_path: Path) -> None:
    tables = county()
    blank = (pl.col("cell") == CELL) & (pl.col("body") == "511725-D02")
    tables["body_cells"] = tables["body_cells"].with_columns(
        pl.when(blank).then(None).otherwise(pl.col("value")).alias("value"),
        pl.when(blank).then(pl.lit("blank")).otherwise(pl.col("state")).alias("state"),
    )
    publish(build_package(region(), YEAR, tables, form()), tmp_path, CODE, YEAR)
    row = trace(tmp_path / CODE / str(YEAR), CELL).rows[1]
    assert (row.value, row.state) == (None, "blank")


def test_a_body_that_was_not_accepted_is_left_out(tmp_path: Path) -> None:
    tables = county()
    refuse = pl.when(pl.col("body") == "511725-D03").then(pl.lit("refused")).otherwise(pl.col("status"))
    tables["bodies"] = tables["bodies"].with_columns(refuse.alias("status"))
    publish(build_package(region(), YEAR, tables, form()), tmp_path, CODE, YEAR)
    assert [row.body for row in trace(tmp_path / CODE / str(YEAR), CELL).rows] == ["511725-D01", "511725-D02"]


def test_money_is_exact(place: Path) -> None:
    cell = "proactive.administrative_fees.amount"
    assert trace(place, cell).total == a_return(1000)[cell] + a_return(1001)[cell]
    assert isinstance(trace(place, cell).total, Decimal)


def test_an_unknown_cell_names_near_ones(place: Path) -> None:
    with pytest.raises(TraceError, match=r"相近的有：.*requests\.received\.total"):
        trace(place, "requests.received.totl")
    with pytest.raises(TraceError, match=r"form_cells\.csv"):
        trace(place, "?")


def test_an_altered_release_is_not_traced(place: Path) -> None:
    target = place / "latest" / "data" / "body_cells.parquet"
    target.chmod(0o644)
    target.write_bytes(b"x")
    with pytest.raises(TraceError, match="gongkai verify"):
        trace(place, CELL)


def test_a_release_of_another_shape_is_not_traced(tmp_path: Path) -> None:
    files = build_package(region(), YEAR, county(), form())
    files["data/bodies.parquet"] = files["data/county_totals.parquet"]
    for name, data in (files | {"SHA256SUMS": sums_of(files)}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    with pytest.raises(TraceError, match="unreadable"):
        trace(tmp_path, CELL)


def test_senseless_sums_are_told(place: Path) -> None:
    sums = place / "latest" / "SHA256SUMS"
    sums.chmod(0o644)
    sums.write_text("x")
    with pytest.raises(TraceError, match="SHA256SUMS"):
        trace(place, CELL)


def test_a_place_without_a_release_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="SHA256SUMS"):
        trace(tmp_path, CELL)
