"""What a person sees in the Dagster UI: tables, pictures, checks, and columns with their origin."""

from __future__ import annotations

import base64
from decimal import Decimal
from xml.etree import ElementTree

import msgspec
import polars as pl

from assets.lineage import column_lineage, column_schema
from assets.pictures import bars
from assets.views import (
    MOST_ROWS,
    check_view,
    coverage_view,
    findings_view,
    link_view,
    markdown,
    reasons,
    titles,
    totals_view,
)
from pipelines.findings_table import findings_frame
from pipelines.sample.defects import DEFECTS, good_file
from schemas.checks import load_checks
from schemas.findings import make_finding
from schemas.frames import tidy_types
from tests.assets.conftest import CODES, GOOD, YEAR, good
from tests.facts import RULES

HOSTILE = "<script>alert(1)</script>|x\ny"
BODY = "511725-D05"
# What each of the three planted deliveries below must make fail.
OF_RULES = ("row_totals", "outcome_sums", "balances", "documents_in_force", "fees", "roster_reported", "reconciliation")
OF_FILES = ("files_read", "figures_complete", "figures_in_range", "files_assigned")
OF_DOUBT = ("text_and_tables", "plausibility", "previous_year")
OF_DECISIONS = ("decisions",)


def evaluations(result) -> dict[str, object]:
    return {
        each.check_name: each for each in result.get_asset_check_evaluations() if each.asset_key.path[-1] == "findings"
    }


def test_a_clean_county_passes_every_check(county):
    found = evaluations(county.run())
    assert set(found) == {check.id for check in load_checks()}
    assert [name for name, each in found.items() if not each.passed] == []
    assert not any(each.blocking for each in found.values())


def failed(county) -> dict[str, object]:
    return {name: each for name, each in evaluations(county.run()).items() if not each.passed}


def test_figures_that_break_every_rule_fail_every_check_of_rules_and_say_where(county):
    body = good(BODY)
    wrong = {cell: value + 7 * number + 3 for number, (cell, value) in enumerate(body.values.items())}
    county.deliver(BODY, {body.path("统计表.xlsx"): body.workbook(dict(wrong))})
    found = failed(county)
    assert set(found) == set(OF_RULES)
    row_totals = found["row_totals"]
    assert row_totals.severity.value == "ERROR"
    assert BODY in row_totals.metadata["问题 / findings"].value
    rules = [rule for rule in RULES.rules if rule.family == "row_total"]
    assert row_totals.metadata["未通过的规则 / rules failed"].value == len(rules)
    assert row_totals.metadata["通过的规则 / rules passed"].value == 0
    assert row_totals.metadata["问题数 / failures"].value >= len(rules)


def test_files_that_are_no_good_return_fail_the_checks_of_files_and_figures(county):
    planted = zip(CODES, ("unreadable_bytes", "missing_cell", "negative_count", "wrong_year"), strict=True)
    for code, defect in planted:
        county.deliver(code, DEFECTS[defect](good(code)).files)
    found = failed(county)
    for check in OF_FILES:
        assert found[check].severity.value == "ERROR"
        assert found[check].metadata["未通过的规则 / rules failed"].value == 1


def test_doubtful_figures_warn_and_a_waiver_of_nothing_is_an_error(county):
    said, copy, changed = CODES[2], CODES[1], CODES[0]
    page = good_file(good(said), "html").decode()
    claim = "<p>全县共收到政府信息公开申请 9999 件。</p>"
    county.deliver(said, {f"{said}/年报.html": page.replace("<table", f"{claim}<table", 1).encode()})
    county.deliver(copy, DEFECTS["figures_of_another"](good(copy)).files)
    last = county.inbox.parent / str(YEAR - 1) / changed
    last.mkdir(parents=True)
    (last / "统计表.xlsx").write_bytes(good(changed).workbook(dict(good(copy).previous), year=YEAR - 1))
    county.decide(
        f'[[waiver]]\nrule = "roster_missing"\nbody = "{said}"\nreason = "机构撤销"\n'
        'approved_by = "县政府办公室"\napproved_on = 2024-02-01\n'
    )
    found = failed(county)
    assert {check: found[check].severity.value for check in OF_DOUBT} == dict.fromkeys(OF_DOUBT, "WARN")
    assert {check: found[check].severity.value for check in OF_DECISIONS} == dict.fromkeys(OF_DECISIONS, "ERROR")


def test_every_check_is_made_to_fail_above():
    assert {*OF_RULES, *OF_FILES, *OF_DOUBT, *OF_DECISIONS} == {check.id for check in load_checks()}


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
    packed = made["package"]["dagster/column_lineage"].value.deps_by_column
    assert [dep.asset_key.path[-1] for dep in packed["county_totals.value"]] == ["county_totals"]
    assert "form_cells.cell" not in packed
    cells = made["cells"]["dagster/column_lineage"].value.deps_by_column
    assert [dep.asset_key.path[-1] for dep in cells["file_sha256"]] == ["received_files"]
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
    assert widths[1:] == [1.0, 0.0]
    assert 60 <= widths[0] < float(drawn.get("width", "")) <= 470, "within the column of the overview page"
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


def test_the_release_is_linked_only_where_it_has_an_address():
    assert link_view("", "511725", YEAR) == {}
    (link,) = link_view("https://data.example", "511725", YEAR).values()
    assert link.value == f"https://data.example/511725/{YEAR}/latest/"


def test_without_last_years_totals_there_are_no_empty_columns():
    totals = pl.DataFrame(
        {"cell": ["a"], "value": [Decimal("5.5000")], "unit": ["件"], "bodies": [2]},
        schema_overrides={"value": pl.Decimal(18, 4)},
    )
    table = totals_view(totals, {}, {"a": "甲"})["非零合计 / totals above zero"].value
    assert "| 甲 | a | 5.5 | 件 | 2 |" in table
    assert "上年" not in table


def test_a_difference_is_written_as_people_write_it():
    assert "| -1 |" in markdown(pl.DataFrame({"difference": [Decimal("-1.0000")]}), {"difference": "差额"}).value


def test_long_labels_keep_the_end_by_which_they_differ():
    row = "一、本年新收政府信息公开申请数量｜"
    drawn = picture(bars("图", [(row + end, 1.0, "1", "plain") for end in ("自然人", "总计")]))
    shown = [each.text for each in drawn if each.tag.endswith("text") and each.get("text-anchor") == "end"]
    assert [text[-3:] for text in shown] == ["自然人", "｜总计"]
    assert all(len(text) <= 18 for text in shown)


def test_what_concerns_no_body_is_not_called_an_unknown_one():
    rows = [
        ("reconciliation_mismatch", None, None),
        ("unknown_body", None, "年报.docx"),
        ("row", "511725-D05", "a.xlsx"),
    ]
    findings = pl.DataFrame(
        [
            {"rule": rule, "body": body, "file": file, "severity": "error", "message_zh": "", "waived": None}
            for rule, body, file in rows
        ],
        schema_overrides={"body": pl.String, "file": pl.String, "waived": pl.String},
    )
    drawn = picture(findings_view(findings)["各单位的问题 / by body"].value)
    shown = [each.text for each in drawn if each.tag.endswith("text") and each.get("text-anchor") == "end"]
    assert shown == ["（汇总）", "（未认出单位）", BODY]


def test_findings_are_told_by_the_names_of_bodies_and_rules():
    row = {"rule": "missing_cell", "body": BODY, "file": "a", "severity": "error", "message_zh": "", "waived": None}
    frame = pl.DataFrame([row, row | {"body": "x"}], schema_overrides={"waived": pl.String})
    view = findings_view(frame, {BODY: "甲局"})
    assert f"| {titles()['missing_cell']} missing_cell | 2 |" in view["各类问题 / by rule"].value
    shown = ElementTree.tostring(picture(view["各单位的问题 / by body"].value), encoding="unicode")
    assert "甲局" in shown
    assert BODY not in shown


def test_bodies_that_find_no_place_in_the_picture_are_counted():
    row = {"rule": "missing_cell", "file": "a.xlsx", "severity": "error", "message_zh": "", "waived": None}
    frame = pl.DataFrame([row | {"body": f"b{n}"} for n in range(15)], schema_overrides={"waived": pl.String})
    drawn = picture(findings_view(frame)["各单位的问题 / by body"].value)
    assert "另有 3 个单位" in ElementTree.tostring(drawn, encoding="unicode")


def test_the_picture_of_the_totals_holds_one_unit():
    totals = pl.DataFrame(
        {"cell": ["a", "b"], "value": [Decimal(5), Decimal(3)], "unit": ["件", "万元"], "bodies": [2, 2]},
        schema_overrides={"value": pl.Decimal(18, 4)},
    )
    drawn = picture(totals_view(totals, {}, {"a": "甲", "b": "乙"})["最大的合计 / the largest totals"].value)
    shown = ElementTree.tostring(drawn, encoding="unicode")
    assert "甲" in shown
    assert "乙" not in shown


def test_coverage_counts_each_status():
    bodies = pl.DataFrame({"body": ["a", "b"], "name_zh": ["甲", "乙"], "status": ["accepted", "missing"]})
    view = coverage_view(bodies)
    assert view["已采用 / accepted"] == 1
    assert "未报送" in ElementTree.tostring(picture(view["报送情况 / coverage"].value), encoding="unicode")


def test_what_is_shown_of_thousands_of_bodies_is_no_more_than_of_a_hundred():
    def shown(count):
        problems = [
            msgspec.structs.replace(
                make_finding("roster_missing", words={"name": "局", "year": 2023, "why_zh": "", "why_en": ""}),
                region="511725",
                year=2023,
                body=f"511725-D{10_000 + n}",
            )
            for n in range(count)
        ]
        table = findings_frame(problems)
        roster = [dict.fromkeys(tidy_types("bodies"), "x") | {"year": 2023, "status": "missing", "versions": 0}] * count
        bodies = pl.DataFrame(roster, schema=tidy_types("bodies"), orient="row")
        views = findings_view(table) | coverage_view(bodies) | check_view(table, ["roster_missing"])
        return sum(len(str(getattr(one, "value", one))) for one in views.values()), reasons(problems)

    few, many = shown(100), shown(5000)
    assert many[0] <= few[0] + 200  # longer numbers, and bars of other lengths
    chinese, english = many[1]
    assert chinese.count("\n") == english.count("\n") == MOST_ROWS
    assert chinese.endswith(f"另有 {5000 - MOST_ROWS} 个")
    assert english.endswith(f"and {5000 - MOST_ROWS} more")
    assert reasons([]) == ("", "")
