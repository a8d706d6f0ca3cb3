"""A stored table that is damaged is told and made anew where the run makes it, and never used where it does not."""

from __future__ import annotations

import io
import shutil
import zipfile
from decimal import Decimal
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.stored import DAMAGED, SEAL, StoredError, package_is_whole, read_table, table_bytes, table_is_whole
from pipelines.storage import place, table_path
from tests.assets.conftest import YEAR, County
from tests.facts import REGION

FRAME = pl.DataFrame({"cell": ["requests.received.total", None], "value": [Decimal("29.0000"), None]})


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :]


def test_a_table_is_whole_as_it_was_written_and_the_same_each_time():
    data = table_bytes(FRAME)
    assert table_is_whole(data)
    assert table_bytes(FRAME) == data
    assert pl.read_parquet(data).equals(FRAME)


def test_a_single_changed_byte_is_noticed_or_changes_nothing():
    data = table_bytes(FRAME)
    kept = [at for at in range(len(data)) if table_is_whole(flipped(data, at))]
    assert all(pl.read_parquet(flipped(data, at)).equals(FRAME) for at in kept)
    name = data.index(SEAL.encode())
    assert set(kept) <= set(range(name, name + len(SEAL) + 2)), "without the sum's name it passes for an old one"


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_table_cut_off_is_noticed(share):
    data = table_bytes(FRAME)
    assert not table_is_whole(data[: int(len(data) * share)])


def test_a_table_of_an_earlier_version_is_read(tmp_path):
    buffer = io.BytesIO()
    FRAME.write_parquet(buffer)
    (tmp_path / "old.parquet").write_bytes(buffer.getvalue())
    assert read_table(place(tmp_path / "old.parquet")).equals(FRAME)


def test_a_package_knows_its_own_sums():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data/bodies.csv", "body\n511725-D01\n")
    data = buffer.getvalue()
    assert package_is_whole(data)
    assert not package_is_whole(flipped(data, data.index(b"D01")))
    assert not package_is_whole(data[:50])
    assert not package_is_whole(b"")


def said(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """What each asset says of damage."""
    return {
        event.asset_key.to_user_string(): str(event.materialization.metadata[DAMAGED].value)
        for event in result.get_asset_materialization_events()
        if event.asset_key and DAMAGED in event.materialization.metadata
    }


def test_a_run_says_which_tables_were_damaged_and_the_next_is_silent(county):
    first = county.run()
    assert first.success
    assert said(first) == {}
    whole = county.table("county_totals")
    totals = Path(str(table_path(str(county.data), "county_totals", REGION, YEAR)))
    bodies = Path(str(table_path(str(county.data), "bodies", REGION, YEAR)))
    (package,) = (county.data / "tables" / "package").rglob("*.zip")
    totals.write_bytes(flipped(totals.read_bytes(), totals.stat().st_size // 3))
    bodies.write_bytes(bodies.read_bytes()[:-100])
    package.write_bytes(package.read_bytes()[:-100])
    (readings,) = (county.data / "tables" / "readings").rglob("*.readings")
    readings.write_bytes(flipped(readings.read_bytes(), 100))
    with dg.DagsterInstance.ephemeral() as instance:
        again = county.run(instance=instance)
        warnings = [entry.user_message for entry in instance.all_logs(again.run_id) if entry.level == 30]
    assert again.success
    told = said(again)
    assert set(told) == {"county_totals", "bodies", "package", "readings"}
    assert str(totals) in told["county_totals"]
    assert "已损坏" in told["county_totals"]
    assert "made it anew" in told["county_totals"]
    assert sorted(warnings) == sorted(told.values())
    assert county.table("county_totals").equals(whole)
    assert said(county.run()) == {}


def fault(result: dg.ExecuteInProcessResult) -> tuple[str, str]:
    (event,) = result.filter_events(lambda event: event.is_step_failure)
    error = event.step_failure_data.error
    return (error.cause or error).cls_name, (error.cause or error).message


def test_a_damaged_table_of_an_archived_year_is_never_taken_for_figures(county: County):
    shutil.copytree(county.inbox, county.inbox.parent / str(YEAR - 1))
    assert county.run().success
    before = county.data / "tables" / "accepted_submissions" / REGION / f"{YEAR - 1}.parquet"
    before.write_bytes(table_bytes(county.table("accepted_submissions")))
    shutil.rmtree(county.inbox.parent / str(YEAR - 1))
    assert county.run().success
    before.write_bytes(flipped(before.read_bytes(), before.stat().st_size // 2))
    name, text = fault(county.run())
    assert name == StoredError.__name__
    assert str(before) in text
    assert "备份" in text
    assert "backup" in text
