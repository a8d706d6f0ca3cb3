"""The command line as a person meets it: the real program, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

import gongkai
from pipelines.regions import load_region
from pipelines.sample.defects import DEFECTS
from pipelines.settings import PROJECT
from tests.assets.conftest import GOOD, County, good

BODY = "511725-D05"


def schema(name):
    return json.loads((PROJECT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))


def call(*arguments, check=False):
    """(exit code, standard output, standard error) of the command."""
    done = subprocess.run(
        [sys.executable, "-m", "gongkai", *map(str, arguments)], capture_output=True, text=True, check=check
    )
    assert "Traceback" not in done.stderr + done.stdout
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def workbook(tmp_path):
    path = tmp_path / "报表.xlsx"
    path.write_bytes(good(BODY).workbook())
    return path


@pytest.fixture
def broken(tmp_path):
    path = tmp_path / "有误.xlsx"
    (data,) = DEFECTS["broken_sum"](good(BODY)).files.values()
    path.write_bytes(data)
    return path


def test_extract_answers_as_its_schema_says(workbook):
    code, out, _ = call("extract", workbook, "--format", "json")
    answer = json.loads(out)
    jsonschema.validate(answer, schema("extract"))
    assert code == 0
    assert (answer["body"], answer["year"]) == (BODY, 2023)
    assert set(answer["form"].values()) == {"2021"}
    found = {cell["cell"]: cell["value"] for cell in answer["cells"]}
    assert found == {cell: float(value) for cell, value in good(BODY).values.items()}
    assert isinstance(found["requests.received.total"], int)


def test_check_of_a_good_return_is_clean(workbook):
    code, out, _ = call("check", workbook, "--format", "json")
    answer = json.loads(out)
    jsonschema.validate(answer, schema("check"))
    assert (code, answer["files"][0]["status"], answer["files"][0]["findings"]) == (0, "ok", [])
    code, out, _ = call("check", workbook)
    assert code == 0
    assert "核查通过" in out


def test_check_names_the_wrong_cell_and_its_value(broken):
    code, out, _ = call("check", broken, "--format", "json")
    answer = json.loads(out)
    jsonschema.validate(answer, schema("check"))
    (file,) = answer["files"]
    assert (code, file["status"]) == (1, "findings")
    (best,) = [explanation for explanation in file["explanations"] if explanation["rank"] == 1]
    (change,) = best["changes"]
    assert change["proposed"] == good(BODY).values[change["cell"]]
    assert {finding["suspected"] for finding in file["findings"]} == {change["cell"]}
    code, out, _ = call("check", broken)
    assert code == 1
    assert str(change["proposed"]) in out


def test_check_of_several_files_answers_for_each(workbook, broken):
    code, out, _ = call("check", workbook, broken, "--format", "json")
    answer = json.loads(out)
    jsonschema.validate(answer, schema("check"))
    assert code == 1
    assert [file["status"] for file in answer["files"]] == ["ok", "findings"]


def test_check_against_last_year(workbook, tmp_path):
    last = dict(good(BODY).previous)
    for row in ("carried_out", "received"):
        for column in ("natural_person", "total"):
            last[f"requests.{row}.{column}"] += 3
    before = tmp_path / "2022.xlsx"
    before.write_bytes(good(BODY).workbook(last, year=2022))
    code, out, _ = call("check", workbook, "--previous", before, "--format", "json")
    rules = {finding["rule"] for finding in json.loads(out)["files"][0]["findings"]}
    assert "requests.opening_balance.total" in rules
    assert code == 0  # warnings only


def test_explain_all_lists_every_explanation(tmp_path):
    path = tmp_path / "两解.xlsx"
    row = {cell: 0 for cell in good(BODY).values if cell.startswith("disputes.reconsideration.")}
    path.write_bytes(good(BODY).workbook(good(BODY).values | row | {"disputes.reconsideration.upheld": 1}))
    _, out, _ = call("check", path, "--format", "json", "--explain", "all")
    answer = json.loads(out)
    jsonschema.validate(answer, schema("check"))
    explained = {change["cell"] for one in answer["files"][0]["explanations"] for change in one["changes"]}
    # the part or the total may be wrong; no other part can be, for none can be below zero
    assert explained == {"disputes.reconsideration.upheld", "disputes.reconsideration.total"}


@pytest.mark.parametrize("command", ["extract", "check"])
def test_an_unreadable_file_is_answered_with_exit_code_2(command, tmp_path):
    path = tmp_path / "坏.xlsx"
    path.write_bytes(b"PK\x03\x04 nothing")
    code, out, _ = call(command, path, "--format", "json")
    answer = json.loads(out)
    jsonschema.validate(answer, schema(command))
    assert code == 2
    problems = answer["problems"] if command == "extract" else answer["files"][0]["findings"]
    assert problems
    assert "坏.xlsx" in problems[0]["message_zh"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "没有这个文件.xlsx"),
        ("extract", "没有这个文件.xlsx"),
        ("check", __file__, "--form", "1999"),
        ("rules", "--form", "1999"),
        ("run", "--region", "000000", "--year", "2023"),
        ("run", "--region", "511725", "--year", "1999"),
        ("run", "--region", "511725", "--year", "next"),
        ("template", "--year", "2023", "--body", "511725-X99", "-o", "x.xlsx"),
        ("template", "--year", "1999", "--body", BODY, "-o", "x.xlsx"),
        ("template", "--year", "2023", "-o", "x.xlsx"),
        ("template", "--year", "2023", "--body", BODY, "--all", "--region", "511725", "-o", "x"),
        ("template", "--year", "2023", "--all", "-o", "x"),
        ("template", "--year", "2023", "--body", BODY, "-o", "."),
        ("trace", "没有这个文件夹", "requests.received.total"),
        ("verify", "out", "--signers", "没有这个文件"),
        ("withdraw", "0" * 16, "--region", "511725", "--year", "2023", "--reason", "x", "--approved-by", "x"),
        ("nonsense",),
    ],
    ids=lambda arguments: " ".join(arguments[:2])[:40],
)
def test_a_mistake_in_the_call_is_answered_with_one_clear_line(arguments):
    code, _, error = call(*arguments)
    assert code == 2
    said = [line for line in error.splitlines() if line.startswith("Error: ")]
    assert len(said) == 1
    assert len(error.splitlines()) <= 4


def test_the_templates_of_a_whole_roster(tmp_path):
    folder = tmp_path / "下发"
    code, out, _ = call("template", "--year", 2023, "--region", "511725", "--all", "-o", folder)
    written = sorted(path.name for path in folder.iterdir())
    assert code == 0
    assert f"{len(written)} workbooks" in out
    assert len(written) == len(load_region(PROJECT / "regions", "511725").roster(2023))
    assert written[0].startswith(f"{BODY[:-2]}01 ")
    path = folder / written[5]
    _, out, _ = call("extract", path, "--format", "json")
    assert json.loads(out)["body"] == written[5].split(" ")[0]


def test_the_template_of_a_body_reads_as_its_own_empty_return(tmp_path):
    path = tmp_path / "out" / "表.xlsx"
    code, _, _ = call("template", "--year", 2023, "--body", BODY, "-o", path)
    assert code == 0
    _, out, _ = call("extract", path, "--format", "json")
    answer = json.loads(out)
    assert (answer["body"], answer["year"]) == (BODY, 2023)
    assert {cell["state"] for cell in answer["cells"]} == {"blank"}
    assert len(answer["cells"]) == 203
    code, out, _ = call("check", path, "--format", "json")
    rules = [finding["rule"] for finding in json.loads(out)["files"][0]["findings"]]
    assert code == 1
    assert rules.count("missing_cell") == 3  # one a table that must be filled in
    assert set(rules) == {"missing_cell", "missing_optional_cell"}


def test_the_rules_are_listed(tmp_path):
    code, out, _ = call("rules", "--format", "json")
    rows = json.loads(out)
    assert code == 0
    assert {"requests.balance.total", "count_whole", "missing_cell"} <= {row["id"] for row in rows}
    code, out, _ = call("rules")
    assert "requests.balance.total" in out
    code, out, _ = call("rules", "--format", "html")
    assert (code, out[:15].lower()) == (0, "<!doctype html>")
    assert "requests.balance.total" in out


def test_run_publishes_then_has_nothing_new_then_is_stopped(tmp_path):
    import os

    county = County(tmp_path)
    environment = {
        "GONGKAI_REGIONS": str(county.regions),
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
    }

    def run():
        return subprocess.run(
            [sys.executable, "-m", "gongkai", "run", "--region", "511725", "--year", "2023"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            check=False,
        )

    first = run()
    assert first.returncode == 0, first.stderr
    (release,) = county.releases()
    assert release in first.stdout
    assert "4/4" in first.stdout
    second = run()
    assert second.returncode == 0
    assert "没有变化" in second.stdout
    county.deliver(BODY, DEFECTS["broken_sum"](good(BODY)).files)
    third = run()
    assert third.returncode == 1
    assert "[no_unwaived_errors]" in third.stderr
    assert "Traceback" not in third.stderr
    assert county.releases() == [release]
    (county.inbox / BODY / "统计表.xlsx").unlink()
    county.add({good(BODY).path(GOOD): good(BODY).workbook()})
    assert run().returncode == 0
    assert county.releases() == [release]


def test_a_run_that_fails_says_so_in_one_line_and_ends_with_2(tmp_path):
    blocked = tmp_path / "out"
    blocked.write_text("a file where a folder is needed")
    county = County(tmp_path / "county")
    done = subprocess.run(
        [sys.executable, "-m", "gongkai", "run", "--region", "511725", "--year", "2023", "--data", str(county.data),
         "--out", str(blocked)],
        capture_output=True, text=True, check=False, env={**__import__("os").environ,
        "GONGKAI_REGIONS": str(county.regions)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "运行失败" in done.stderr
    assert "Traceback" not in done.stderr


def test_verify_and_trace_a_release(tmp_path):
    county = County(tmp_path)
    assert county.run().success
    latest = county.out / "511725" / "2023" / "latest"
    code, out, _ = call("verify", latest)
    assert code == 0
    assert "核验通过" in out
    code, out, _ = call("trace", latest, "requests.received.total")
    assert code == 0
    assert out.count("511725-") == 4
    code, _, error = call("trace", latest, "requests.recieved.total")  # codespell:ignore recieved
    assert code == 2
    assert "requests.received.total" in error
    folder = Path(latest).resolve()
    altered = tmp_path / "altered"
    for path in folder.rglob("*"):
        if path.is_file():
            (altered / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            (altered / path.relative_to(folder)).write_bytes(
                path.read_bytes().replace(b"\xe4\xba\xba", b"\xe5\x85\xa5")
            )
    code, out, _ = call("verify", altered)
    assert code == 1
    assert "核验不通过" in out


@pytest.mark.parametrize("name", sorted(gongkai.main.commands))
def test_every_command_has_help_with_an_example(name):
    result = CliRunner().invoke(gongkai.main, [name, "--help"])
    assert result.exit_code == 0
    assert f"gongkai {name}" in result.output
    assert any("\u4e00" <= character <= "\u9fff" for character in result.output)


def test_check_starts_light(workbook):
    code = (
        "import sys, gongkai\n"
        "try:\n    gongkai.main(['check', sys.argv[1], '--format', 'json'], standalone_mode=False)\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'pandera', 'dagster', 'frictionless', 'polars', 'pyarrow', 'highspy'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, workbook], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
