"""What a person sees in the Dagster UI: tables, pictures, checks, and columns with their origin."""

from __future__ import annotations

import base64
from decimal import Decimal
from xml.etree import ElementTree

import polars as pl
import pytest

from assets.lineage import column_lineage, column_schema
from assets.pictures import bars
from assets.views import coverage_view, markdown, totals_view
from pipelines.sample.defects import DEFECTS
from schemas.checks import load_checks
from tests.assets.conftest import GOOD, good

HOSTILE = "<script>alert(1)</script>|x\ny"
BODY = "511725-D05"


def evaluations(result) -> dict[str, object]:
    return {
        each.check_name: each for each in result.get_asset_check_evaluations() if each.asset_key.path[-1] == "findings"
    }


def test_a_clean_county_passes_every_check(county):
    found = evaluations(county.run())
    assert set(found) == {check.id for check in load_checks()}
    assert [name for name, each in found.items() if not each.passed] == []
    assert not any(each.blocking for each in found.values())


@pytest.mark.parametrize(
    ("defect", "check", "severity"),
    [("broken_sum", "row_totals", "ERROR"), ("missing_cell", "figures_complete", "ERROR")],
)
def test_a_planted_defect_fails_its_own_check_and_says_where(county, defect, check, severity):
    county.deliver(BODY, DEFECTS[defect](good(BODY)).files)
    found = evaluations(county.run())
    failed = found[check]
    assert not failed.passed
    assert failed.severity.value == severity
    assert BODY in failed.metadata["问题 / findings"].value
    assert failed.metadata["问题数 / failures"].value >= 1


def test_a_missing_return_fails_the_check_of_the_roster(county):
    county.deliver(BODY, {})
    found = evaluations(county.run())
    assert not found["roster_reported"].passed
    county.deliver(BODY, {good(BODY).path(GOOD): good(BODY).workbook()})
    assert evaluations(county.run())["roster_reported"].passed


def test_columns_say_what_they_mean_and_where_they_come_from(county):
    result = county.run()
    made = {
        event.materialization.asset_key.path[-1]: event.materialization.metadata
        for event in result.get_asset_materialization_events()
    }
    totals = made["county_totals"]["dagster/column_lineage"].value.deps_by_column
    behind = {(dep.asset_key.path[-1], dep.column_name) for dep in totals["value"]}
    assert ("accepted_submissions", "requests.received.total") in behind
    names = {column.name: column.description for column in made["county_totals"]["dagster/column_schema"].value.columns}
    assert "合计" in names["value"] or "数值" in names["value"]
    wide = {column.name: column for column in made["submissions"]["dagster/column_schema"].value.columns}
    assert len(wide) > 203
    assert "Requests received" in (wide["requests.received.total"].description or "")
    for asset, metadata in made.items():
        if "dagster/column_lineage" in metadata:
            columns = {column.name for column in metadata["dagster/column_schema"].value.columns}
            for name, deps in metadata["dagster/column_lineage"].value.deps_by_column.items():
                assert name in columns, asset
                for dep in deps:
                    parent = made[dep.asset_key.path[-1]]["dagster/column_schema"].value
                    assert dep.column_name in {column.name for column in parent.columns}, (asset, name, dep)


def test_a_table_read_from_files_has_no_lineage():
    frame = pl.DataFrame({"file": ["a"], "strange": ["b"]})
    assert column_lineage("received_files", frame) is None
    assert [column.description for column in column_schema("received_files", frame).columns][1] is None


def test_names_that_people_wrote_stay_text():
    text = markdown(pl.DataFrame({"name": [HOSTILE]}), {"name": "名称"}).value
    assert "<script>" not in text
    assert "\\|x y" in text
    assert len(text.splitlines()) == 3


def test_long_tables_say_how_much_more_there_is():
    assert "另有 10 行" in markdown(pl.DataFrame({"n": range(60)}), {"n": "序号"}).value
    assert "另有" not in markdown(pl.DataFrame({"n": range(50)}), {"n": "序号"}).value


def picture(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(base64.b64decode(text.partition("base64,")[2].rstrip(")")))


def test_pictures_are_small_well_formed_and_the_same_each_time():
    rows = [(HOSTILE, 3.0, "3 件", "plain"), ("少", 0.001, "0.001", "past"), ("无", 0.0, "0", "bad")]
    text = bars(f"图 ] [{HOSTILE}", rows)
    assert text == bars(f"图 ] [{HOSTILE}", rows)
    assert len(text) < 30_000
    assert "\n" not in text
    drawn = picture(text)
    widths = [float(each.get("width", "")) for each in drawn if each.tag.endswith("rect")][1:]
    assert widths == [300.0, 1.0, 0.0]
    assert "Noto Sans CJK SC" in (drawn.get("font-family") or "")
    assert bars("空", []) == ""


def test_the_totals_stand_beside_last_years():
    totals = pl.DataFrame(
        {"cell": ["a", "b", "c"], "value": [Decimal(5), Decimal(0), None], "unit": ["件"] * 3, "bodies": [2, 2, 0]},
        schema_overrides={"value": pl.Decimal(18, 4)},
    )
    view = totals_view(totals, {"a": 7, "b": 1}, {"a": "甲"})
    table = view["非零合计 / totals above zero"].value
    assert "| 甲 | a | 5 | 7 | -2 | 件 | 2 |" in table
    assert "| b | 0 | 1 | -1 |" in table
    assert "| c |" not in table
    assert "甲" in ElementTree.tostring(picture(view["最大的合计 / the largest totals"].value), encoding="unicode")


def test_coverage_counts_each_status():
    bodies = pl.DataFrame({"body": ["a", "b"], "name_zh": ["甲", "乙"], "status": ["accepted", "missing"]})
    view = coverage_view(bodies)
    assert view["已采用 / accepted"] == 1
    assert "未报送" in ElementTree.tostring(picture(view["报送情况 / coverage"].value), encoding="unicode")
