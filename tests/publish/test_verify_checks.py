"""Every check of a release fires on the defect it is for, by kind, and is silent on a sound release."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.publish.checks import (
    SHOWN,
    Release,
    check_bytes,
    check_csv,
    check_foreign_keys,
    check_sums,
    check_twins,
    read_descriptor,
    read_tables,
)
from pipelines.publish.figures import check_coverage, check_figures, check_rules, check_totals
from pipelines.publish.package import SUMS, build_package, json_bytes, sums_of
from pipelines.publish.tables import read_parquet
from pipelines.publish.verify import check_files
from pipelines.storage import sha256
from schemas.descriptor import descriptor_problems
from schemas.findings import Finding, load_kinds
from tests.publish.county import YEAR, county, finding, form, region

Files = dict[str, bytes]
TOTAL = "requests.received.total"


@pytest.fixture(scope="module")
def sound() -> Files:
    return build_package(region(), YEAR, county(waived=1), form())


@pytest.fixture
def files(sound: Files) -> Files:
    return dict(sound)


def kinds(findings: tuple[Finding, ...]) -> set[str]:
    return {found.rule for found in findings}


def opened(files: Files) -> Release:
    descriptor, problems = read_descriptor(files)
    assert descriptor is not None, problems
    tables, problems = read_tables(files, descriptor)
    assert problems == ()
    return Release(files=files, descriptor=descriptor, tables=tables)


def resealed(files: Files, **changed: bytes) -> Files:
    """The files with some replaced (``table__format``), the descriptor's sizes and hashes and the sums set right."""
    made = files | {f"data/{name.replace('__', '.')}": data for name, data in changed.items()}
    descriptor = json.loads(made["datapackage.json"])
    for resource in descriptor["resources"]:
        data = made[resource["path"]]
        resource["bytes"], resource["hash"] = len(data), f"sha256:{sha256(data)}"
    made["datapackage.json"] = json_bytes(descriptor)
    return made | {SUMS: sums_of(made)}


def rebuilt(name: str, change: Callable[[pl.DataFrame], pl.DataFrame], **county_facts: int) -> Files:
    """A release built from tables of which one was changed: sealed and consistent as files, wrong as data."""
    tables = county(**county_facts)
    return build_package(region(), YEAR, tables | {name: change(tables[name])}, form())


def set_value(cell: str, column: str, value: Any) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda frame: frame.with_columns(
        pl.when(pl.col("cell") == cell)
        .then(pl.lit(value))
        .otherwise(pl.col(column))
        .cast(frame[column].dtype)
        .alias(column)
    )


def test_a_sound_release_has_no_finding(sound: Files) -> None:
    assert check_files(sound) == ()


def test_each_check_alone_is_silent_on_a_sound_release(sound: Files) -> None:
    release = opened(sound)
    assert check_sums(sound) == ()
    assert read_descriptor(sound)[1] == ()
    assert check_bytes(sound, release.descriptor) == ()
    assert check_csv(sound, release.descriptor) == ()
    for check in (check_twins, check_foreign_keys, check_coverage, check_totals, check_rules, check_figures):
        assert check(release) == (), check.__name__


# --- sums and sizes -----------------------------------------------------------------------------------------


def test_an_altered_file_is_named_with_both_hashes(files: Files) -> None:
    before = sha256(files["README.md"])
    files["README.md"] += b"!"
    (found,) = check_sums(files)
    assert found.rule == "checksum_differs"
    assert (found.file, found.expected, found.found) == ("README.md", before, sha256(files["README.md"]))
    assert before in found.message_zh


def test_missing_and_unlisted_files_are_told(files: Files) -> None:
    del files["README.md"]
    files["extra.txt"] = b""
    assert {(found.rule, found.file) for found in check_sums(files)} == {
        ("release_file_missing", "README.md"),
        ("release_file_unlisted", "extra.txt"),
    }


def test_a_release_without_or_with_senseless_sums_is_told(files: Files) -> None:
    files[SUMS] = b"nonsense"
    assert kinds(check_sums(files)) == {"checksum_differs"}
    del files[SUMS]
    assert kinds(check_sums(files)) == {"release_file_missing"}


def test_sizes_and_hashes_of_the_descriptor_are_held_against_the_files(files: Files) -> None:
    descriptor = json.loads(files["datapackage.json"])
    descriptor["resources"][0]["bytes"] += 1
    descriptor["resources"][2]["hash"] = "sha256:" + "0" * 64
    found = check_bytes(files, descriptor)
    assert [(f.rule, f.file) for f in found] == [
        ("bytes_differ", descriptor["resources"][0]["path"]),
        ("checksum_differs", descriptor["resources"][2]["path"]),
    ]
    assert found[0].expected == descriptor["resources"][0]["bytes"]
    del files["data/bodies.csv"]
    assert ("release_file_missing", "data/bodies.csv") in {(f.rule, f.file) for f in check_bytes(files, descriptor)}


# --- the descriptor -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff", b"[" * 100_000, b'{"resources": []}'])
def test_something_that_is_no_descriptor(files: Files, data: bytes) -> None:
    files["datapackage.json"] = data
    assert kinds(read_descriptor(files)[1]) == {"descriptor_invalid"}
    assert "descriptor_invalid" in kinds(check_files(files))


def test_a_missing_descriptor(files: Files) -> None:
    del files["datapackage.json"]
    assert kinds(read_descriptor(files)[1]) == {"descriptor_invalid"}


def test_a_constraint_taken_out_of_the_descriptor_is_seen(files: Files) -> None:
    descriptor = json.loads(files["datapackage.json"])
    del descriptor["resources"][1]["schema"]["primaryKey"]
    files["datapackage.json"] = json_bytes(descriptor)
    files[SUMS] = sums_of(files)
    assert kinds(check_files(files)) == {"descriptor_invalid"}


# --- Parquet and CSV ----------------------------------------------------------------------------------------


def test_a_parquet_file_that_cannot_be_read(files: Files) -> None:
    spoilt = resealed(files, bodies__parquet=files["data/bodies.parquet"][:-40])
    assert kinds(check_files(spoilt)) == {"parquet_invalid", "figures_not_checked"}


@pytest.mark.parametrize("change", ["type", "order"])
def test_a_parquet_file_with_other_columns(files: Files, change: str) -> None:
    table = read_parquet(files["data/indicators.parquet"])
    if change == "type":
        table = table.set_column(5, "value", table["value"].cast(pa.float64()))
    else:
        table = table.select(list(reversed(table.column_names)))
    sink = io.BytesIO()
    pq.write_table(table, sink)
    (found,) = check_files(resealed(files, indicators__parquet=sink.getvalue()))
    assert (found.rule, found.file) == ("parquet_invalid", "data/indicators.parquet")


CSV_DEFECTS: dict[str, Callable[[bytes], bytes]] = {
    "a word for a number": lambda data: data.replace(b",1\r\n", b",one\r\n", 1),
    "a value outside its set": lambda data: data.replace(b"accepted", b"adopted", 1),
    "an empty required value": lambda data: data.replace(b"accepted", b"", 1),
    "a key used twice": lambda data: data.replace(b"511725-D02", b"511725-D01", 1),
    "a row too short": lambda data: data + b"511725,2023\r\n",
    "bytes that are no text": lambda data: data.replace(b"accepted", b"acc\xffpted", 1),
    "another column name": lambda data: data.replace(b"name_zh", b"name", 1),
}


@pytest.mark.parametrize("defect", CSV_DEFECTS)
def test_frictionless_is_really_asked_about_the_csv(files: Files, defect: str) -> None:
    spoilt = resealed(files, bodies__csv=CSV_DEFECTS[defect](files["data/bodies.csv"]))
    assert spoilt["data/bodies.csv"] != files["data/bodies.csv"]
    found = check_csv(spoilt, json.loads(spoilt["datapackage.json"]))
    assert "data/bodies.csv" in {f.file for f in found}
    assert kinds(found) == {"csv_invalid"}
    assert kinds(check_files(spoilt)) == {"csv_invalid", "twin_differs"}


def test_a_broken_foreign_key_of_the_csv_is_told_with_its_row(files: Files) -> None:
    data = files["data/body_cells.csv"].replace(b"511725-D02", b"511725-D99", 1)
    found = check_csv(resealed(files, body_cells__csv=data), json.loads(files["datapackage.json"]))
    rows = [f for f in found if "511725-D99" in f.message_en]
    assert len(rows) == 1
    assert rows[0].address == "第 205 行 / row 205"


def test_many_errors_of_one_file_are_cut_short(files: Files) -> None:
    data = files["data/body_cells.csv"].replace(b",given,", b",odd,")
    descriptor = json.loads(resealed(files, body_cells__csv=data)["datapackage.json"])
    assert len(check_csv(files | {"data/body_cells.csv": data}, descriptor)) == SHOWN


STRANGE = {
    "a constraint that is none": ("schema", "fields", 0, "constraints"),
    "a delimiter of two letters": ("dialect", "delimiter"),
}


@pytest.mark.parametrize("strange", STRANGE)
def test_a_strange_descriptor_of_another_version_is_a_finding(files: Files, strange: str) -> None:
    values: dict[str, Any] = dict(zip(STRANGE, ({"minimum": "x"}, "ab"), strict=True))
    descriptor = json.loads(files["datapackage.json"]) | {"version": "9.0.0"}
    at: Any = next(resource for resource in descriptor["resources"] if resource["name"] == "bodies_csv")
    *way, last = STRANGE[strange]
    for step in way:
        at = at[step]
    at[last] = values[strange]
    assert descriptor_problems(descriptor) == ()
    assert kinds(check_csv(files, descriptor)) == {"csv_invalid"}


def test_a_strangers_regular_expression_is_not_run(files: Files) -> None:
    descriptor = json.loads(files["datapackage.json"]) | {"version": "9.0.0"}
    for resource in descriptor["resources"]:
        resource["schema"]["fields"][0].setdefault("constraints", {})["pattern"] = "(("
    assert check_csv(files, descriptor) == ()


def test_without_csv_files_there_is_nothing_to_ask(files: Files) -> None:
    descriptor = json.loads(files["datapackage.json"])
    assert check_csv({}, descriptor) == ()


TWIN_DEFECTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "another figure": (lambda data: data.replace(b"12.5", b"12.6"), "第 1 条记录的 value"),
    "another text": (lambda data: data.replace("文件".encode(), "档案".encode()), "第 1 条记录的 label_zh"),
    "a null": (lambda data: data.replace(b"12.5", b""), "第 1 条记录的 value"),
    "a row more": (lambda data: data + data.splitlines()[1].replace(b"documents", b"more") + b"\r\n", "行数"),
    "no figure": (lambda data: data.replace(b"12.5", b"many"), "读取"),
    "columns swapped": (lambda data: data.replace(b"label_zh,label_en", b"label_en,label_zh"), "列名"),
}


@pytest.mark.parametrize("defect", TWIN_DEFECTS)
def test_a_csv_that_is_not_its_parquet_twin(files: Files, defect: str) -> None:
    change, place = TWIN_DEFECTS[defect]
    spoilt = resealed(files, indicators__csv=change(files["data/indicators.csv"]))
    (found,) = check_twins(opened(spoilt))
    assert (found.rule, found.file) == ("twin_differs", "data/indicators.csv")
    assert place in found.message_zh
    assert "twin_differs" in kinds(check_files(spoilt))


def test_a_key_that_points_nowhere_is_seen_in_parquet_too() -> None:
    spoilt = rebuilt("findings", lambda f: pl.DataFrame([finding(1, "511725-D99")], schema=f.schema, orient="row"))
    (found,) = check_foreign_keys(opened(spoilt))
    assert (found.rule, found.file, found.found) == ("foreign_key_broken", "data/findings.parquet", "511725-D99")
    assert kinds(check_files(spoilt)) == {"foreign_key_broken", "csv_invalid"}


def test_a_key_of_several_fields_is_followed(sound: Files) -> None:
    release = opened(sound)
    descriptor = json.loads(sound["datapackage.json"])
    for resource in descriptor["resources"]:
        resource["schema"].pop("foreignKeys", None)
    totals = next(r for r in descriptor["resources"] if r["name"] == "county_totals")
    reference = {"resource": "body_cells", "fields": ["region", "cell"]}
    totals["schema"]["foreignKeys"] = [{"fields": ["region", "cell"], "reference": reference}]
    tables = dict(release.tables)
    assert check_foreign_keys(Release(files=sound, descriptor=descriptor, tables=tables)) == ()
    region_column = pa.array(["511726"] * 203)
    tables["county_totals"] = tables["county_totals"].set_column(0, "region", region_column)
    (found,) = check_foreign_keys(Release(files=sound, descriptor=descriptor, tables=tables))
    assert found.found == "511726/disputes.litigation_after_reconsideration.corrected"


# --- figures ------------------------------------------------------------------------------------------------


def test_a_total_that_is_not_the_sum_is_told_with_both_figures() -> None:
    value = next(row["value"] for row in county()["county_totals"].to_dicts() if row["cell"] == TOTAL)
    spoilt = rebuilt("county_totals", set_value(TOTAL, "value", value + 1))
    (found,) = check_totals(opened(spoilt))
    assert (found.rule, found.cells, found.difference) == ("totals_not_sum", (TOTAL,), 1)
    assert (found.expected, found.found) == (value, value + 1)
    assert (found.region, found.year) == ("511725", YEAR)
    assert form().by_id[TOTAL].label_zh in found.message_zh
    assert "totals_not_sum" in kinds(check_files(spoilt))


def test_a_difference_of_the_last_decimal_is_a_difference() -> None:
    cell = "proactive.administrative_fees.amount"
    value = next(row["value"] for row in county()["county_totals"].to_dicts() if row["cell"] == cell)
    spoilt = rebuilt("county_totals", set_value(cell, "value", value + Decimal("0.0001")))
    assert [f.difference for f in check_totals(opened(spoilt))] == [Decimal("0.0001")]


@pytest.mark.parametrize(("column", "value"), [("bodies", 2), ("value", None)])
def test_a_wrong_number_of_bodies_or_a_lost_total_is_told(column: str, value: int | None) -> None:
    (found,) = check_totals(opened(rebuilt("county_totals", set_value(TOTAL, column, value))))
    assert (found.rule, found.cells) == ("totals_not_sum", (TOTAL,))


def test_a_total_that_is_absent_or_of_no_cell_is_told() -> None:
    absent = rebuilt("county_totals", lambda frame: frame.filter(pl.col("cell") != TOTAL))
    assert [f.cells for f in check_totals(opened(absent))] == [(TOTAL,)]
    extra = rebuilt("county_totals", set_value(TOTAL, "cell", "no.such.cell"))
    assert [f.cells for f in check_totals(opened(extra))] == [(TOTAL,), ("no.such.cell",)]


def test_figures_of_a_body_that_is_not_accepted_do_not_count() -> None:
    refuse = pl.when(pl.col("body") == "511725-D03").then(pl.lit("refused")).otherwise(pl.col("status"))
    spoilt = rebuilt("bodies", lambda frame: frame.with_columns(refuse.alias("status")))
    assert len(check_totals(opened(spoilt))) == 203


def test_a_figure_that_nobody_gave_is_null_in_the_totals_not_zero() -> None:
    tables = county()
    for name in ("body_cells", "county_totals"):
        tables[name] = set_value(TOTAL, "value", None)(tables[name])
    tables["county_totals"] = set_value(TOTAL, "bodies", 0)(tables["county_totals"])
    release = opened(build_package(region(), YEAR, tables, form()))
    assert check_totals(release) == ()
    tables["county_totals"] = set_value(TOTAL, "value", Decimal(0))(tables["county_totals"])
    (found,) = check_totals(opened(build_package(region(), YEAR, tables, form())))
    assert "空 (empty)（0 个单位）" in found.message_zh


def test_an_accepted_body_without_figures_is_told() -> None:
    spoilt = rebuilt("body_cells", lambda frame: frame.filter(pl.col("body") != "511725-D02"))
    (found,) = check_coverage(opened(spoilt))
    assert (found.rule, found.body, found.found) == ("figures_missing", "511725-D02", 0)
    spoilt = rebuilt("body_cells", lambda frame: frame.filter(pl.col("cell") != TOTAL))
    assert [f.found for f in check_coverage(opened(spoilt))] == [202, 202, 202]


def broken_everywhere(change: Decimal, cell: str = TOTAL, **facts: int) -> dict[str, pl.DataFrame]:
    """Tables in which one body's figure, and with it the total, is off: the totals are still the sums."""
    tables = county(**facts)
    moved = pl.col("value") + pl.lit(change)
    first = (pl.col("cell") == cell) & (pl.col("body") == "511725-D01")
    for name, where in (("body_cells", first), ("county_totals", pl.col("cell") == cell)):
        frame = tables[name]
        value = pl.when(where).then(moved).otherwise(pl.col("value")).cast(frame["value"].dtype)
        tables[name] = frame.with_columns(value.alias("value"))
    return tables


def test_totals_that_break_a_rule_are_told_by_rule() -> None:
    release = opened(build_package(region(), YEAR, broken_everywhere(Decimal(5)), form()))
    found = check_rules(release)
    assert kinds(found) == {"rules_broken_in_totals"}
    broken = {f.message_en.split()[6].rstrip(".") for f in found}
    assert "requests.row_total.received" in broken
    assert "requests.balance.total" in broken
    assert check_totals(release) == ()


@pytest.mark.parametrize(
    ("cell", "change", "rule"),
    [
        ("disputes.reconsideration.upheld", Decimal("0.5"), "count_whole"),
        ("proactive.licences.decisions", Decimal(-999_999), "count_not_negative"),
        ("proactive.administrative_fees.amount", Decimal(-999_999), "money_not_negative"),
        ("proactive.rules.issued", Decimal(1), "proactive.no_rule_making_power.issued"),
    ],
)
def test_a_total_outside_its_domain_is_told(cell: str, change: Decimal, rule: str) -> None:
    release = opened(build_package(region(), YEAR, broken_everywhere(change, cell), form()))
    assert any(f" {rule}" in found.message_zh for found in check_rules(release))


def test_a_region_with_rule_making_power_may_make_rules() -> None:
    tables = broken_everywhere(Decimal(1), "proactive.rules.issued")
    power = msgspec.structs.replace(region().settings, rule_making_power=True)
    able = msgspec.structs.replace(region(), settings=power)
    assert check_rules(opened(build_package(able, YEAR, tables, form()))) == ()


def waived_finding(number: int, rule: str, difference: Decimal | None, body: str | None) -> dict[str, Any]:
    return finding(number, "511725-D01") | {"rule": rule, "difference": difference, "body": body, "waived": "已批准"}


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ([(Decimal(5), "511725-D01")], "rules_waived_in_totals"),
        ([(Decimal(2), "511725-D01"), (Decimal(3), "511725-D02")], "rules_waived_in_totals"),
        ([(Decimal(5), None)], "rules_waived_in_totals"),
        ([(Decimal(4), "511725-D01")], "rules_broken_in_totals"),
        ([(Decimal(4), None)], "rules_broken_in_totals"),
        ([], "rules_broken_in_totals"),
    ],
)
def test_a_waiver_excuses_the_totals_by_just_as_much(parts: list[tuple[Decimal, str | None]], kind: str) -> None:
    rule = "requests.row_total.received"
    tables = broken_everywhere(Decimal(5))
    rows = [waived_finding(n, rule, difference, body) for n, (difference, body) in enumerate(parts, 1)]
    tables["findings"] = pl.DataFrame(rows, schema=tables["findings"].schema, orient="row")
    found = check_rules(opened(build_package(region(), YEAR, tables, form())))
    assert {f.rule for f in found if f" {rule}" in f.message_zh} == {kind}
    assert {f.severity for f in found if f.rule == "rules_waived_in_totals"} <= {"information"}


def test_a_waived_figure_outside_its_domain_excuses_the_total() -> None:
    tables = broken_everywhere(Decimal("0.5"), "proactive.licences.decisions")
    row = waived_finding(1, "count_whole", None, "511725-D01")
    tables["findings"] = pl.DataFrame([row], schema=tables["findings"].schema, orient="row")
    found = check_rules(opened(build_package(region(), YEAR, tables, form())))
    assert [f.rule for f in found] == ["rules_waived_in_totals"]


def test_an_edition_that_is_not_known_is_not_passed_silently() -> None:
    spoilt = rebuilt("form_cells", lambda frame: frame.with_columns(pl.lit("1999").alias("edition")))
    found = check_files(spoilt)
    assert [(f.rule, f.severity) for f in found] == [("rules_not_checked", "warning")]


def test_tables_of_another_shape_are_not_passed_silently(sound: Files) -> None:
    release = opened(sound)
    tables = dict(release.tables)
    tables["bodies"] = tables["bodies"].drop_columns(["status"])
    tables["county_totals"] = tables["county_totals"].set_column(
        6, "value", tables["county_totals"]["value"].cast(pa.string())
    )
    del tables["findings"]
    (found,) = check_figures(Release(files=sound, descriptor=release.descriptor, tables=tables))
    assert found.rule == "figures_not_checked"
    assert "bodies.status, county_totals.value, findings.body" in found.message_en


# --- anything at all ----------------------------------------------------------------------------------------


def damaged(files: Files, name: str, place: int, flip: int) -> Files:
    content = bytearray(files[name])
    content[place % len(content)] ^= flip
    return files | {name: bytes(content)}


def never_breaks_the_checks(files: Files, name: str, place: int, flip: int) -> None:
    spoilt = damaged(files, name, place, flip)
    assert "checksum_differs" in kinds(check_files(spoilt))
    if name not in ("README.md", "datapackage.json"):
        spoilt = resealed(spoilt)
    assert all(found.message_zh for found in check_files(spoilt | {SUMS: sums_of(spoilt)}))


@cache
def small() -> Files:
    return build_package(region(1), YEAR, county(1), form())


DAMAGE = (st.sampled_from(sorted(set(small()) - {SUMS})), st.integers(0, 10**6), st.integers(1, 255))


@settings(max_examples=15, deadline=None)
@given(*DAMAGE)
def test_damage_anywhere_is_found_and_never_breaks_the_checks(name: str, place: int, flip: int) -> None:
    never_breaks_the_checks(small(), name, place, flip)


@pytest.mark.soak
@settings(max_examples=600, deadline=None)
@given(*DAMAGE)
def test_much_damage_is_found_and_never_breaks_the_checks(name: str, place: int, flip: int) -> None:
    never_breaks_the_checks(small(), name, place, flip)


def test_every_kind_about_a_release_is_exercised_here() -> None:
    ours = [kind.id for kind in load_kinds().values() if kind.mended_by == "operator"]
    here = Path(__file__)
    rollup = here.parents[1] / "finding_cases" / "rollup.py"  # of the roll-up, whose releases differ
    paths = [*here.parent.glob("test_verify*.py"), here.with_name("test_signature.py"), rollup]
    tests = "".join(path.read_text(encoding="utf-8") for path in paths)
    release = ours[ours.index("release_unreadable") :]
    assert len(release) >= 16
    assert [kind for kind in release if f'"{kind}"' not in tests] == []
