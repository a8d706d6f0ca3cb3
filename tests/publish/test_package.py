"""A package is every file of a release, sealed, and says what people need to know."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path

import polars as pl
import pytest

from pipelines.publish.package import (
    SUMS,
    PackageError,
    build_package,
    coverage_of,
    read_sums,
    sums_of,
)
from pipelines.publish.tables import read_parquet
from pipelines.storage import sha256
from tests.publish.county import NAMES, YEAR, county, finding, form, region


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return build_package(region(), YEAR, county(waived=1), form())


def test_a_package_has_exactly_these_files(files: dict[str, bytes]) -> None:
    expected = {f"data/{name}.{ending}" for name in NAMES for ending in ("parquet", "csv")}
    assert set(files) == expected | {"datapackage.json", "README.md", SUMS}
    assert list(files) == sorted(files)


def test_the_descriptor_states_bytes_and_hash_of_every_file(files: dict[str, bytes]) -> None:
    descriptor = json.loads(files["datapackage.json"])
    for resource in descriptor["resources"]:
        data = files[resource["path"]]
        assert resource["bytes"] == len(data)
        assert resource["hash"] == f"sha256:{sha256(data)}"
    assert descriptor["x-coverage"] == {"expected": 3, "accepted": 2, "waived": ["511725-D03"]}


def test_the_sums_are_what_sha256sum_reads(files: dict[str, bytes], tmp_path: Path) -> None:
    for name, data in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    tool = shutil.which("sha256sum")
    assert tool is not None, "coreutils are part of every system that this runs on"
    command = [tool, "--check", "--strict", SUMS]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(": OK") == len(files) - 1
    (tmp_path / "README.md").write_bytes(b"altered")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 1


def test_the_readme_says_who_is_in_and_who_is_waived(files: dict[str, bytes]) -> None:
    text = files["README.md"].decode("utf-8")
    assert text.startswith("# 渠县2023年度政府信息公开工作年度报告统计表数据（示例）\n")
    assert "应报送 3 个单位，采用 2 个" in text
    assert "2 of 3 bodies" in text
    assert "- 511725-D03 第3局（示例） / Bureau 3 (sample)" in text
    assert "机构撤并（负责人，2024-02-01）" in text
    assert "各单位数据均为虚构。" in text
    assert "CC-BY" not in text
    assert "[Creative Commons Attribution 4.0](https://creativecommons.org/licenses/by/4.0/)" in text
    for name in NAMES:
        assert f"[data/{name}.csv](data/{name}.csv)" in text


def test_a_readme_of_real_data_does_not_call_them_samples() -> None:
    import msgspec

    settings = msgspec.structs.replace(region().settings, synthetic=False)
    real = msgspec.structs.replace(region(), settings=settings)
    files = build_package(real, YEAR, county(), form())
    text = files["README.md"].decode("utf-8")
    assert "示例数据" not in text
    assert "虚构" not in text
    assert "没有豁免报送的单位" in text
    assert json.loads(files["datapackage.json"])["x-synthetic"] is False


def test_a_text_cannot_break_the_readmes_tables() -> None:
    tables = county()
    row = finding(1, "511725-D01") | {"waived": "甲|乙\n<script>"}
    tables["findings"] = pl.DataFrame([row], schema=tables["findings"].schema, orient="row")
    text = build_package(region(), YEAR, tables, form())["README.md"].decode("utf-8")
    assert "甲\\|乙 &lt;script>" in text


def test_the_readme_lists_approved_corrections() -> None:
    tables = county()
    row = finding(1, "511725-D01") | {
        "rule": "correction_applied",
        "severity": "information",
        "cells": "disputes.reconsideration.upheld",
        "message_zh": "原文 7，按批准改为 1。",
        "waived": None,
    }
    tables["findings"] = pl.DataFrame([row], schema=tables["findings"].schema, orient="row")
    text = build_package(region(), YEAR, tables, form())["README.md"].decode("utf-8")
    assert "豁免 0 项，更正 1 项。" in text
    assert "| 511725-D01 | disputes.reconsideration.upheld | 原文 7，按批准改为 1。 |" in text


def test_nothing_of_this_machine_or_moment_is_inside(files: dict[str, bytes]) -> None:
    host = socket.gethostname()  # a name of a few letters would stand in any file by chance
    words = [str(Path.home()), "polars", "pyarrow", "frictionless", "created", *([host] if len(host) > 5 else [])]
    for name, data in files.items():
        found = [word for word in words if word.encode() in data and name != SUMS]
        assert found == [], name


def test_other_tables_are_ignored_and_the_order_of_the_input_does_not_matter(files: dict[str, bytes]) -> None:
    tables = county(waived=1)
    shuffled = {
        name: tables[name].sample(fraction=1, shuffle=True, seed=9).select(reversed(tables[name].columns))
        for name in reversed(tables)
    }
    assert build_package(region(), YEAR, shuffled | {"other": pl.DataFrame()}, form()) == files


def test_a_package_is_built_from_arrow_as_from_polars(files: dict[str, bytes]) -> None:
    tables = {name: read_parquet(files[f"data/{name}.parquet"]) for name in NAMES}
    assert build_package(region(), YEAR, tables, form()) == files


def test_further_files_are_sealed_with_the_rest() -> None:
    files = build_package(region(), YEAR, county(), form(), {"report/report.pdf": b"%PDF"})
    assert read_sums(files[SUMS])["report/report.pdf"] == sha256(b"%PDF")


@pytest.mark.parametrize("name", ["README.md", SUMS, "data/bodies.csv"])
def test_a_further_file_never_takes_a_name_of_ours(name: str) -> None:
    with pytest.raises(PackageError, match="taken"):
        build_package(region(), YEAR, county(), form(), {name: b""})


@pytest.mark.parametrize("name", ["../x", "/x", "a//b", "a\nb", "a\\b", ".hidden", "报告.pdf", "a/", ""])
def test_a_file_name_that_is_not_plain_is_refused(name: str) -> None:
    with pytest.raises(PackageError, match="plain"):
        build_package(region(), YEAR, county(), form(), {name: b""})
    with pytest.raises(PackageError, match=SUMS):
        read_sums(f"{'0' * 64}  {name}\n".encode())


def test_a_missing_or_wrong_table_is_named() -> None:
    tables = county()
    del tables["bodies"]
    with pytest.raises(PackageError, match="missing: bodies"):
        build_package(region(), YEAR, tables, form())
    tables = county()
    tables["bodies"] = tables["bodies"].drop("status")
    with pytest.raises(PackageError, match="bodies: columns missing"):
        build_package(region(), YEAR, tables, form())


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe", b"0  a\n", b"0" * 64 + b" a\n", 2 * (b"0" * 64 + b"  a\n"), b"0" * 64 + b"  " + SUMS.encode()],
)
def test_sums_that_are_not_of_our_making_are_refused(data: bytes) -> None:
    with pytest.raises(PackageError, match=SUMS):
        read_sums(data)


def test_sums_are_sorted_by_name_and_leave_themselves_out() -> None:
    files = {"b": b"2", SUMS: b"old", "a": b"1"}
    assert sums_of(files) == f"{sha256(b'1')}  a\n{sha256(b'2')}  b\n".encode()


def test_coverage_counts_the_roster() -> None:
    coverage = coverage_of(county(count=5, waived=2)["bodies"].to_arrow())
    assert (coverage.expected, coverage.accepted) == (5, 3)
    assert coverage.waived == ("511725-D04", "511725-D05")
