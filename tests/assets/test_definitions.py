from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg

from assets.definitions import defs
from assets.groups import GUIDE, OWNERS, PUBLIC
from assets.headless import step_names
from assets.lineage import PARENTS
from assets.rollup import GATE as ROLLUP_CHECKS
from pipelines.aggregate.gate import CHECKS as GATE_CHECKS
from pipelines.publish.package_checks import CHECKS as PACKAGE_CHECKS
from pipelines.settings import PROJECT
from pipelines.storage import table_path, tables_path
from schemas.checks import load_checks

# An accidental rename of an asset shows here: stored tables, lineage and people's habits hang on these names.
ASSETS = {
    "1_intake": {"received_files", "readings", "cells"},
    "2_validation": {
        "previous_year",
        "submissions",
        "intake_findings",
        "submission_findings",
        "explanations",
        "accepted_submissions",
        "bodies",
        "counted_findings",
    },
    "3_aggregation": {"body_cells", "county_totals", "indicators", "reconciliation", "reconciliation_findings"},
    "5_publication": {"findings", "verdicts", "publication_gate", "package", "release", "withdrawal"},
    "4_feedback": {"receipts", "board"},
    "6_dissemination": {"official_report", "catalogue", "portal", "portal_push"},
    "7_rollup": {"rollup_package", "rollup", "rollup_portal", "submissions_scan"},
}


def specs():
    return list(defs.resolve_all_asset_specs())


def test_the_assets_and_their_groups_are_the_known_ones():
    found: dict[str, set[str]] = {}
    for spec in specs():
        found.setdefault(spec.group_name, set()).add(spec.key.to_user_string())
    assert found == ASSETS


def test_every_asset_has_an_owner():
    for spec in specs():
        assert tuple(spec.owners) == OWNERS[spec.group_name]


def test_every_asset_names_a_guide_that_is_there_and_whom_it_is_for():
    for spec in specs():
        assert (PROJECT / spec.metadata[GUIDE].value).is_file(), spec.key
        assert spec.tags["for"] in ("public", "office")
    public = {spec.key.to_user_string() for spec in specs() if spec.tags["for"] == "public"}
    assert public == PUBLIC


def test_every_asset_says_in_both_languages_what_it_is():
    for spec in specs():
        assert spec.description, spec.key
        assert any("\u4e00" <= character <= "\u9fff" for character in spec.description), spec.key
        assert any(word.isascii() and word.isalpha() for word in spec.description.split()), spec.key


def test_every_gate_is_a_blocking_check():
    checks = {
        (spec.asset_key.to_user_string(), spec.name): spec.blocking
        for definition in defs.assets or ()
        if isinstance(definition, dg.AssetsDefinition)
        for spec in definition.check_specs
    }
    expected = {("publication_gate", name) for name in GATE_CHECKS} | {("package", name) for name in PACKAGE_CHECKS}
    expected |= {("rollup_package", name) for name in (*ROLLUP_CHECKS, *PACKAGE_CHECKS)}
    assert {name for name, blocking in checks.items() if blocking} == expected
    shown = {("findings", check.id) for check in load_checks()}
    assert {name for name, blocking in checks.items() if not blocking} == shown


def test_every_check_and_job_says_in_both_languages_what_it_is():
    said = {
        spec.key.to_user_string(): spec.description
        for definition in defs.assets or ()
        if isinstance(definition, dg.AssetsDefinition)
        for spec in definition.check_specs
    }
    said |= {job.name: job.description for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}
    for name, description in said.items():
        assert description, name
        assert any("\u4e00" <= character <= "\u9fff" for character in description), name
        assert any(word.isascii() and word.isalpha() for word in description.split()), name


def test_the_parents_of_each_stored_table_are_those_of_the_asset_graph():
    graph = defs.resolve_asset_graph()
    tables = {*PARENTS, *(parent for parents in PARENTS.values() for parent in parents)}
    for table, parents in PARENTS.items():
        keys = graph.get(dg.AssetKey(table)).parent_keys
        if not any(key.to_user_string() in tables for key in keys):  # through what is no table, such as the readings
            keys = {parent for key in keys for parent in graph.get(key).parent_keys}
        real = {key.to_user_string() for key in keys}
        assert set(parents) == real & tables, table


def test_the_jobs_do_what_they_say():
    assert "release" not in step_names("check_only")
    assert {"receipts", "board"} <= set(step_names("check_only"))
    assert {"receipts", "portal"} & set(step_names("publish")) == set()
    assert "release" in step_names("publish")
    assert set(step_names("publish")) | set(step_names("check_only")) < set(step_names("annual_report"))
    for job in ("annual_report", "check_only", "publish", "roll_up"):
        assert not [name for name in step_names(job) if name.endswith("_deadline")], job
    assert step_names("roll_up") == ("rollup_package", "rollup", "rollup_portal")
    assert not set(step_names("roll_up")) & set(step_names("annual_report"))
    assert step_names("scan") == ("submissions_scan",)


def test_the_roll_up_of_a_year_rests_on_that_years_releases_of_every_region():
    graph = defs.resolve_asset_graph()
    mapping = graph.get_partition_mapping(dg.AssetKey("rollup_package"), dg.AssetKey("release"))
    assert isinstance(mapping, dg.MultiToSingleDimensionPartitionMapping)


def test_last_years_table_is_looked_for_where_the_io_manager_puts_it(tmp_path):
    from tests.assets.conftest import County

    county = County(tmp_path)
    assert county.run().success
    path = table_path(str(county.data), "accepted_submissions", "511725", 2023)
    assert Path(str(path)).is_file()
    assert str(path).startswith(str(tables_path(str(county.data))))


def test_the_workspace_file_loads(tmp_path):
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    done = subprocess.run(
        [Path(sys.executable).with_name("dagster"), "definitions", "validate", "-w", str(PROJECT / "workspace.yaml")],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "assets.definitions" in done.stdout + done.stderr
