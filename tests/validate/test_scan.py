"""A dataset judged and written down: the tables hold what the single steps say, and what cannot be judged is named."""

from __future__ import annotations

import io
from decimal import Decimal

import polars as pl
import pytest
from click.testing import CliRunner

from benchmarks.country import Country, write_dataset
from gongkai import main
from pipelines.validate.localise_stream import LOCATED, locate
from pipelines.validate.scan import FILES, TOTALS, UnfitError, scan_dataset, unfit
from pipelines.validate.stream import FINDINGS, scan_submissions, survey
from schemas.frames import wide_types
from tests.facts import FORM, RULES

MONEY = {cell.id for cell in FORM.cells if cell.kind == "money"}


@pytest.fixture(scope="module")
def country(tmp_path_factory):
    """Fifteen invented counties in three provinces: a file for each province."""
    folder = tmp_path_factory.mktemp("country")
    write_dataset(folder, Country(counties=15, bodies=20, provinces=3, wrong=0.3))
    (folder / "slips.parquet").unlink()
    return sorted(folder.rglob("*.parquet"))


def tables(found):
    return {name: pl.read_parquet(io.BytesIO(content)) for name, content in found.items()}


def test_the_tables_hold_what_the_single_steps_say(country):
    seen = []
    found, scan = scan_dataset(FORM, RULES, country, seen.append)
    whole = survey(FORM, RULES, scan_submissions(FORM, RULES, country, broken=True))
    read = tables(found)
    assert tuple(found) == FILES
    assert (read["findings.parquet"].schema, read["explanations.parquet"].schema) == (FINDINGS, LOCATED)
    assert read["findings.parquet"].equals(whole.findings)
    assert read["explanations.parquet"].equals(locate("2021", whole.broken))
    assert (scan.submissions, scan.regions, scan.findings) == (300, 15, whole.findings.height)
    assert scan.broken == whole.broken.height > 60
    assert scan.explained == read["explanations.parquet"]["file"].n_unique()
    assert scan.counts == whole.counts
    assert seen[-1] == 300


def test_totals_are_the_sums_of_what_is_given_and_null_where_nothing_is(country):
    frames = [pl.read_parquet(file, hive_partitioning=False) for file in country]
    last = frames[-1].with_columns(pl.when(pl.col("region") != frames[-1]["region"][0]).then("proactive.rules.issued"))
    last.write_parquet(country[-1])
    totals = tables(scan_dataset(FORM, RULES, country)[0])["totals.parquet"]
    assert totals.schema == TOTALS
    every = pl.concat([*frames[:-1], last])
    for region, own in every.group_by("region"):
        mine = totals.filter(pl.col("region") == region[0])
        assert mine["cell"].to_list() == [cell.id for cell in FORM.cells]
        assert set(mine["submissions"]) == {own.height}
        for cell, value, given in mine.select("cell", "value", "given").rows():
            assert given == own[cell].count()
            assert value == (Decimal(own[cell].sum()) if given else None)
    assert totals["value"].null_count() == 1


def test_the_same_files_give_the_same_bytes(country):
    assert scan_dataset(FORM, RULES, country) == scan_dataset(FORM, RULES, country)


def test_sums_beyond_64_bits_are_exact(tmp_path):
    types = wide_types(FORM, RULES)
    row = {"region": "511725", "year": 2023, "file_sha256": "0" * 64, "not_whole": 0, "rule_making_power": False}
    lines = [
        dict.fromkeys(types) | row | {"body": str(at), "file": str(at), "proactive.rules.issued": 2**62}
        for at in range(4)
    ]
    pl.DataFrame(lines, schema=types).write_parquet(tmp_path / "large.parquet")
    totals = tables(scan_dataset(FORM, RULES, [tmp_path / "large.parquet"])[0])["totals.parquet"]
    assert totals.row(0, named=True)["value"] == 4 * 2**62


def test_what_cannot_be_judged_is_named(country, tmp_path):
    frame = pl.read_parquet(country[0], hive_partitioning=False)
    good, cut, less, other, order = (tmp_path / f"{name}.parquet" for name in ("good", "cut", "less", "other", "order"))
    frame.write_parquet(good)
    cut.write_bytes(good.read_bytes()[:-500])
    frame.drop("requests.granted.total").with_columns(note=pl.lit("")).write_parquet(less)
    frame.with_columns(pl.col("requests.granted.total").cast(pl.Int16)).write_parquet(other)
    frame.select(reversed(frame.columns)).write_parquet(order)
    assert unfit(FORM, RULES, [good]) == []
    expected = {
        cut: ("不是完整的 Parquet 文件", "not a whole"),
        less: ("缺少列：requests.granted.total；多出列：note", "missing: requests.granted.total; not expected: note"),
        other: ("类型不同：requests.granted.total", "of another type: requests.granted.total"),
        order: ("列的顺序不同", "the order of columns differs"),
    }
    for file, (zh, en) in expected.items():
        with pytest.raises(UnfitError) as raised:
            scan_dataset(FORM, RULES, [good, file])
        [(said_zh, said_en)] = raised.value.problems
        assert zh in said_zh
        assert en in said_en
        assert file.name in said_zh


def test_many_missing_columns_are_counted_not_listed(tmp_path):
    pl.DataFrame({"region": ["511725"]}).write_parquet(tmp_path / "a.parquet")
    [(zh, _)] = unfit(FORM, RULES, [tmp_path / "a.parquet"])
    assert len(zh) < 600
    assert "…" in zh


def scanned(*words):
    return CliRunner().invoke(main, ["scan", *map(str, words)])


def test_the_command_writes_the_tables_and_says_what_was_found(country, tmp_path):
    told = scanned(country[0].parents[1], "--year", 2023, "--output", tmp_path / "out")
    assert told.exit_code == 1, told.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)
    assert "报表 300 份（15 个地区）" in told.output
    assert "with errors" in told.output


def test_the_command_ends_with_0_where_nothing_is_wrong(tmp_path):
    write_dataset(tmp_path / "good", Country(counties=2, bodies=3, provinces=1, wrong=0))
    (tmp_path / "good" / "slips.parquet").unlink()
    told = scanned(tmp_path / "good", "--year", 2023, "--output", tmp_path / "out")
    assert (told.exit_code, "有误 0 份" in told.output) == (0, True)


def test_files_of_other_years_are_left_out(country, tmp_path):
    stored = tmp_path / "submissions"
    for year in (2022, 2023):
        (stored / "511725").mkdir(parents=True, exist_ok=True)
        (stored / "511725" / f"{year}.parquet").write_bytes(country[0].read_bytes())
    once = scanned(stored, "--year", 2023, "--output", tmp_path / "out")
    assert "100 份（5 个地区）" in once.output
    told = scanned(stored, "--year", 2024, "--output", tmp_path / "none")
    assert told.exit_code == 2
    assert "没有 2024 年度的 Parquet 文件" in told.output


def test_the_command_answers_a_file_that_is_no_table_in_one_line(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"not a table")
    told = scanned(tmp_path, "--year", 2023, "--output", tmp_path / "out")
    assert told.exit_code == 2
    assert "不是完整的 Parquet 文件" in told.output
    assert "Traceback" not in told.output
    assert not (tmp_path / "out").exists()
