"""Several years at once: what a year finds does not depend on when the year before it is run."""

from __future__ import annotations

import shutil
import threading

import dagster as dg
import polars as pl
import pytest

from assets.io_managers import PackageIOManager, ParquetIOManager, ReadingsIOManager
from assets.partitions import partition_key
from assets.resources import Workspace
from pipelines.ingest.inbox import read_manifest, receive
from pipelines.storage import table_path, tables_path
from tests.assets.conftest import ASSETS, CODES, YEAR, County, good
from tests.facts import REGION

BODY = "511725-D05"
TABLES = ("previous_year", "submission_findings", "accepted_submissions", "findings", "verdicts")


def check(county: County, year: int = YEAR) -> None:
    """Run a year up to its verdicts."""
    tables = tables_path(str(county.data))
    dg.materialize(
        ASSETS,
        selection=dg.AssetSelection.assets("verdicts").upstream().required_multi_asset_neighbors(),
        partition_key=partition_key(REGION, year),
        resources={
            "workspace": Workspace(data=str(county.data), out=str(county.out), regions=str(county.regions), workers=1),
            "parquet": ParquetIOManager(tables),
            "readings": ReadingsIOManager(tables),
            "package": PackageIOManager(tables),
        },
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )


def with_last_year(root) -> County:
    """A county whose bodies handed in for last year too, one of them a return that breaks a rule."""
    root.mkdir()
    county = County(root)
    inbox = county.inbox.parent / str(YEAR - 1)
    for code in CODES:
        values = dict(good(code).previous)
        if code == BODY:
            values["requests.received.total"] += 7
        (inbox / code).mkdir(parents=True)
        (inbox / code / "统计表.xlsx").write_bytes(good(code).workbook(values, year=YEAR - 1))
    return county


def found(county: County) -> dict[str, pl.DataFrame]:
    return {name: county.table(name) for name in TABLES}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What this year finds where last year is never run."""
    county = with_last_year(tmp_path_factory.mktemp("alone") / "county")
    check(county)
    assert set(county.table("previous_year")["body"]) == set(CODES) - {BODY}
    return found(county)


def same(county: County, expected: dict[str, pl.DataFrame]) -> bool:
    return all(frame.equals(expected[name]) for name, frame in found(county).items())


def test_last_year_first_or_afterwards_gives_the_same(tmp_path, alone):
    county = with_last_year(tmp_path / "county")
    check(county, YEAR - 1)
    check(county)
    assert same(county, alone)
    check(county, YEAR - 1)
    check(county)
    assert same(county, alone)


def test_both_years_at_once_give_the_same_and_one_manifest(tmp_path, alone):
    county = with_last_year(tmp_path / "county")
    runs = [threading.Thread(target=check, args=(county, year)) for year in (YEAR, YEAR - 1)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert same(county, alone)
    manifest = read_manifest(str(county.data), REGION, YEAR - 1)
    assert manifest.looks == 1
    assert len({(sight.file, sight.file_sha256) for sight in manifest.sights}) == len(manifest.sights) == len(CODES)


def test_a_stale_table_of_last_year_does_not_count_while_its_inbox_stands(tmp_path, alone):
    county = with_last_year(tmp_path / "county")
    stale = table_path(str(county.data), "accepted_submissions", REGION, YEAR - 1)
    stale.parent.mkdir(parents=True)
    alone["accepted_submissions"].head(1).write_parquet(str(stale))
    check(county)
    assert same(county, alone)


def test_an_archived_inbox_leaves_what_is_stored(tmp_path, alone):
    county = with_last_year(tmp_path / "county")
    check(county, YEAR - 1)
    shutil.rmtree(county.inbox.parent / str(YEAR - 1))
    check(county)
    assert same(county, alone)


def test_an_emptied_inbox_withdraws_last_year(tmp_path):
    county = with_last_year(tmp_path / "county")
    check(county, YEAR - 1)
    for folder in (county.inbox.parent / str(YEAR - 1)).iterdir():
        shutil.rmtree(folder)
    check(county)
    assert county.table("previous_year").is_empty()
    assert "no_previous_year" in set(county.table("findings")["rule"])


def test_a_return_of_last_year_is_judged_against_the_year_before_it(tmp_path):
    """As in last year's own run: what that run refuses is not what this year is checked against."""
    county = with_last_year(tmp_path / "county")
    older = county.inbox.parent / str(YEAR - 2)
    values = {cell: value + 1 for cell, value in good(CODES[0]).previous.items() if "carried_out" in cell}
    (older / CODES[0]).mkdir(parents=True)
    workbook = good(CODES[0]).workbook({**good(CODES[0]).previous, **values}, year=YEAR - 2)
    (older / CODES[0] / "统计表.xlsx").write_bytes(workbook)
    check(county)
    before = county.table("previous_year")
    check(county, YEAR - 1)
    assert before.equals(county.table("accepted_submissions", YEAR - 1))
    check(county)
    assert before.equals(county.table("previous_year"))


def test_many_looks_at_one_inbox_at_once_agree(tmp_path):
    county = County(tmp_path)
    looks: list[list[int]] = []

    def look() -> None:
        looks.append([entry.sequence for entry in receive(str(county.data), REGION, YEAR)])

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert looks == [[1] * len(CODES)] * 8
    assert read_manifest(str(county.data), REGION, YEAR).looks == 1


def test_a_mended_return_of_last_year_changes_this_year(tmp_path):
    county = with_last_year(tmp_path / "county")
    check(county)
    path = county.inbox.parent / str(YEAR - 1) / BODY / "统计表.xlsx"
    path.write_bytes(good(BODY).workbook(dict(good(BODY).previous), year=YEAR - 1))
    check(county)
    assert county.table("verdicts")["passed"].all()
    assert set(county.table("previous_year")["body"]) == set(CODES)
