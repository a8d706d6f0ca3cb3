"""The pass over all regions in Dagster: it reads the stored submissions of the year, and names what it cannot read."""

from __future__ import annotations

import io

import dagster as dg
import polars as pl

from assets.resources import Workspace
from assets.scan import submissions_scan
from benchmarks.country import Country, write_dataset
from pipelines.storage import scan_path, table_path
from pipelines.validate.scan import FILES

YEAR = 2023


def stored(tmp_path, wrong=0.2):
    """The submissions of six invented counties as their runs store them."""
    write_dataset(tmp_path / "drawn", Country(counties=6, bodies=10, provinces=2, wrong=wrong))
    (tmp_path / "drawn" / "slips.parquet").unlink()
    whole = pl.concat(
        [pl.read_parquet(path, hive_partitioning=False) for path in (tmp_path / "drawn").rglob("*.parquet")]
    )
    tables = {}
    for (region,), own in whole.group_by("region", maintain_order=True):
        path = tables[region] = table_path(tmp_path / "data", "submissions", region, YEAR)
        path.parent.mkdir(parents=True)
        own.write_parquet(str(path))
    return tables


def passed(tmp_path, year=YEAR):
    return dg.materialize(
        [submissions_scan],
        partition_key=str(year),
        raise_on_error=False,
        resources={"workspace": Workspace(data=str(tmp_path / "data"), out="", regions="")},
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )


def seen(result):
    [made] = result.asset_materializations_for_node("submissions_scan")
    return {name: value.value for name, value in made.metadata.items()}


def test_all_regions_are_judged_in_one_pass(tmp_path):
    tables = stored(tmp_path)
    result = passed(tmp_path)
    assert result.success
    told = seen(result)
    assert (told["报表 / submissions"], told["地区 / regions"]) == (60, 6)
    broken = told["有误的报表 / submissions with errors"]
    assert 8 <= broken <= 12  # twelve slips, of which one that only leaves a figure out breaks no rule
    assert told["指出了单元格 / with a wrong cell named"] == broken
    folder = scan_path(tmp_path / "data", YEAR)
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    named = pl.read_parquet(io.BytesIO((folder / "explanations.parquet").read_bytes()))
    assert set(named["region"]) <= set(tables)
    assert all(region in told["按地区 / by region"] for region in named["region"])
    assert "规则" in told["按规则 / by rule"]


def test_a_year_without_submissions_says_so(tmp_path):
    stored(tmp_path)
    result = passed(tmp_path, 2022)
    assert result.success
    assert seen(result) == {"报表 / submissions": 0}


def test_a_damaged_table_is_named_and_nothing_is_written(tmp_path):
    region, path = next(iter(stored(tmp_path).items()))
    path.write_bytes(path.read_bytes()[:-300])
    result = passed(tmp_path)
    assert not result.success
    [failed] = [event for event in result.all_events if event.is_step_failure]
    said = failed.step_failure_data.error.message + (failed.step_failure_data.user_failure_data.description or "")
    assert "不是完整的 Parquet 文件" in said
    assert region in said
    assert not scan_path(tmp_path / "data", YEAR).exists()
