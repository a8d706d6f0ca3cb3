from __future__ import annotations

import shutil
import time

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus
from dagster._daemon.types import DaemonHeartbeat

from assets import portal_push, rollup
from assets.automation import automated, publication_sensor, publishing
from assets.definitions import defs as deployed
from assets.groups import ROLLUP
from assets.io_managers import PackageIOManager, ParquetIOManager, ReadingsIOManager
from assets.partitions import partition_key
from assets.resources import Workspace
from assets.withdrawal import (
    DAEMON,
    SENSOR,
    follows_by_itself,
    record_withdrawal,
    withdraw_published,
    withdrawal,
    withdrawal_event,
)
from pipelines.publish.history import read_history
from pipelines.publish.withdrawal import Withdrawal
from pipelines.sample.defects import DEFECTS
from pipelines.settings import load_settings
from pipelines.storage import tables_path
from tests.assets.conftest import ASSETS, GOOD, YEAR, County, good
from tests.facts import REGION

BODY = "511725-D05"
KEY = partition_key(REGION, YEAR)
CHECKS = dg.AssetSelection.assets("receipts", "board").upstream().required_multi_asset_neighbors()
AUTOMATED = automated([*ASSETS, *dg.load_assets_from_modules([portal_push, rollup]), withdrawal])
ROLLED_UP = {name: {str(YEAR)} for name in ("rollup", "rollup_package", "rollup_portal")}
OF_A_REGION = {
    "cells",
    "body_cells",
    "indicators",
    "publication_gate",
    "package",
    "release",
    "official_report",
    "catalogue",
    "portal",
    "portal_push",
}


class Automatic:
    """A small county whose checks are run by hand and whose publication is asked of Dagster, tick by tick."""

    def __init__(self, county: County, instance: dg.DagsterInstance) -> None:
        self.county, self.instance = county, instance
        tables = tables_path(str(county.data))
        self.resources = {
            "workspace": Workspace(data=str(county.data), out=str(county.out), regions=str(county.regions), workers=1),
            "parquet": ParquetIOManager(tables),
            "readings": ReadingsIOManager(tables),
            "package": PackageIOManager(tables),
        }
        self.defs = dg.Definitions(assets=AUTOMATED, resources=self.resources, sensors=[publication_sensor()])
        self.cursor = None
        assert self.tick() == {}

    def run(self, selection, tags: dict[str, str] | None = None, key: str = KEY) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            AUTOMATED,
            selection=selection,
            partition_key=key,
            instance=self.instance,
            resources=self.resources,
            tags=tags,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )

    def check(self, wrong: str = "") -> None:
        files = DEFECTS[wrong](good(BODY)).files if wrong else {good(BODY).path(GOOD): good(BODY).workbook()}
        self.county.deliver(BODY, files)
        assert self.run(CHECKS).success

    def tick(self) -> dict[str, set[str]]:
        result = dg.evaluate_automation_conditions(
            self.defs, self.instance, asset_selection=dg.AssetSelection.all(), cursor=self.cursor
        )
        self.cursor = result.cursor
        keys = {key for definition in AUTOMATED for key in definition.keys}
        wanted = {key.to_user_string(): set(result.get_requested_partitions(key)) for key in keys}
        return {name: partitions for name, partitions in wanted.items() if partitions}

    def publish(self, wanted: dict[str, set[str]]) -> dg.ExecuteInProcessResult:
        return self.run(dg.AssetSelection.assets(*(name for name in wanted if name in OF_A_REGION)))


@pytest.fixture
def automatic(county):
    with dg.DagsterInstance.ephemeral() as instance:
        yield Automatic(county, instance)


def test_everything_that_the_checking_job_leaves_out_follows_the_gate():
    keys = {key.to_user_string() for key in publishing(AUTOMATED)}
    assert keys == OF_A_REGION | ROLLED_UP.keys()
    conditions = {
        spec.key.to_user_string(): spec.automation_condition for definition in AUTOMATED for spec in definition.specs
    }
    assert {name for name, condition in conditions.items() if condition is not None} == keys


def test_an_asset_that_a_deployment_does_not_use_is_left_alone():
    names = {
        spec.key.to_user_string()
        for definition in automated([*ASSETS, withdrawal], without=("portal",))
        for spec in definition.specs
        if spec.automation_condition is not None
    }
    assert names == OF_A_REGION - {"portal", "portal_push"}


def test_what_people_start_never_starts_by_itself():
    specs = {spec.key.to_user_string(): spec for spec in deployed.resolve_all_asset_specs()}
    assert specs["rollup"].automation_condition is not None
    assert specs["submissions_scan"].automation_condition is None


def test_a_green_gate_requests_everything_once_and_a_red_one_nothing(automatic):
    automatic.check()
    wanted = automatic.tick()
    assert wanted == {name: {KEY} for name in OF_A_REGION}
    assert automatic.tick() == {}
    assert automatic.publish(wanted).success
    (first,) = automatic.county.releases()
    assert automatic.tick() == ROLLED_UP
    assert automatic.tick() == {}

    automatic.check("broken_sum")
    for _ in range(3):
        assert automatic.tick() == {}
    assert automatic.county.releases() == [first]

    automatic.check()
    assert automatic.tick() == wanted
    assert automatic.tick() == {}


def test_a_gate_that_turned_red_before_it_was_looked_at_requests_nothing(automatic):
    automatic.check()
    automatic.check("broken_sum")
    assert automatic.tick() == {}
    automatic.check()
    assert "release" in automatic.tick()


def test_a_check_that_failed_on_its_way_publishes_nothing_of_the_verdict_before(automatic):
    automatic.check()
    shutil.rmtree(automatic.county.inbox / BODY)
    assert automatic.run(dg.AssetSelection.assets("received_files", "readings")).success
    assert automatic.tick() == {}
    automatic.check()
    assert "release" in automatic.tick()


def test_a_run_that_publishes_itself_is_not_followed_by_another(automatic):
    everything = dg.AssetSelection.all() - dg.AssetSelection.groups(ROLLUP)
    assert automatic.run(everything).success
    assert set(automatic.tick()) <= ROLLED_UP.keys()
    assert automatic.tick() == {}


def test_a_release_by_hand_is_followed_by_what_is_made_from_it(automatic):
    publish = dg.AssetSelection.assets("release").upstream().required_multi_asset_neighbors()
    assert automatic.run(publish).success
    wanted = set(automatic.tick())
    assert {"official_report", "catalogue", "portal"} <= wanted
    assert "release" not in wanted


def test_a_year_that_the_region_does_not_release_is_checked_only(automatic):
    path = automatic.county.regions / REGION / "region.toml"
    text = path.read_text(encoding="utf-8")
    assert f"release_from = {YEAR}" in text
    path.write_text(text.replace(f"release_from = {YEAR}", f"release_from = {YEAR + 1}"), encoding="utf-8")
    automatic.check()
    assert automatic.county.table("verdicts")["passed"].all()
    assert automatic.tick() == {}


def test_one_partitions_green_gate_opens_no_other(automatic):
    automatic.check()
    other = partition_key(REGION, YEAR + 1)  # nothing delivered, so it is red; the green one is the latest of all
    (automatic.county.inbox.parent / str(YEAR + 1)).mkdir()
    assert automatic.run(CHECKS, key=other).success
    assert automatic.tick() == {name: {KEY} for name in OF_A_REGION}


# The tags that Dagster itself gives to a run of a partition of two dimensions.
@pytest.mark.filterwarnings("ignore:Non-compliant tag keys like .'dagster/partition/:DeprecationWarning")
def test_the_sensor_asks_for_one_run_of_all_together(automatic):
    sensor = automatic.defs.resolve_sensor_def("publication")
    repository = automatic.defs.get_repository_def()

    def tick(cursor: str | None):
        context = dg.build_sensor_context(instance=automatic.instance, cursor=cursor, repository_def=repository)
        data = sensor.evaluate_tick(context)
        return data.cursor, data.run_requests or []

    cursor, requests = tick(None)
    assert requests == []
    automatic.check("broken_sum")
    cursor, requests = tick(cursor)
    assert requests == []
    automatic.check()
    cursor, (request,) = tick(cursor)
    assert request.partition_key == KEY
    assert {key.to_user_string() for key in request.asset_selection} == OF_A_REGION
    cursor, requests = tick(cursor)
    assert requests == []


def taken_back(automatic: Automatic) -> dg.ExecuteInProcessResult:
    """Withdraw the release that counts by the operator's job."""
    current = read_history(automatic.county.out, REGION, YEAR).current
    why = {"reason": "总数有误", "approved_by": "县政府办公室（示例）"}
    config = {"region": REGION, "year": YEAR, "release": current, **why}
    return withdraw_published.execute_in_process(
        run_config={
            "ops": {"withdraw": {"config": config}},
            "loggers": {"console": {"config": {"log_level": "ERROR"}}},
        },
        instance=automatic.instance,
        resources={"workspace": automatic.resources["workspace"]},
    )


def test_a_withdrawal_is_followed_by_the_roll_up_and_the_push_whatever_the_gate_says(automatic):
    automatic.check()
    assert automatic.publish(automatic.tick()).success
    assert automatic.tick() == ROLLED_UP
    automatic.check("broken_sum")
    assert automatic.tick() == {}
    assert taken_back(automatic).success
    assert automatic.tick() == ROLLED_UP | {"portal_push": {KEY}}
    assert automatic.tick() == {}
    (record,) = automatic.instance.fetch_materializations(withdrawal.key, limit=5).records
    assert record.partition_key == KEY
    assert record.asset_materialization.metadata["原因 / reason"].value == "总数有误"


def test_a_release_that_comes_while_the_roll_up_runs_is_not_forgotten(automatic):
    automatic.check()
    assert automatic.publish(automatic.tick()).success
    assert automatic.tick() == ROLLED_UP
    automatic.check()
    assert automatic.publish(automatic.tick()).success  # after the running roll-up has looked
    for name in ROLLED_UP:
        automatic.instance.report_runless_asset_event(dg.AssetMaterialization(name, partition=str(YEAR)))
    assert {name: years for name, years in automatic.tick().items() if name in ROLLED_UP} == ROLLED_UP
    assert not ROLLED_UP.keys() & automatic.tick().keys()


def test_a_withdrawal_outside_a_run_is_recorded_and_what_follows_is_said_truly(tmp_path, monkeypatch):
    """Heartbeat and switch are records of Dagster, written here as its daemon and its UI write them."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "never used"))
    event = withdrawal_event(REGION, YEAR, "0" * 16, Withdrawal(current="", already=False), "总数有误", "负责人")
    assert not record_withdrawal(load_settings(), event)
    assert not (tmp_path / "never used").exists()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert not record_withdrawal(load_settings(), event)
    with dg.DagsterInstance.get() as instance:
        (record,) = instance.fetch_materializations(withdrawal.key, limit=5).records
        assert record.partition_key == KEY
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), DAEMON, "daemon", []))
        assert record_withdrawal(load_settings(), event)
        repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("gongkai"), "__repository__")
        switch = InstigatorState(
            RemoteInstigatorOrigin(repository, SENSOR), InstigatorType.SENSOR, InstigatorStatus.STOPPED
        )
        instance.add_instigator_state(switch)
        assert not follows_by_itself(instance)
        instance.update_instigator_state(switch.with_status(InstigatorStatus.RUNNING))
        assert follows_by_itself(instance)
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - 600, DAEMON, "daemon", []))
        assert not follows_by_itself(instance)


def test_a_backfill_of_regions_and_years_makes_one_run_of_each():
    """Any order will do (test_previous.py), so each partition keeps a run, a record and a retry of its own."""
    for definition in AUTOMATED:
        assert definition.backfill_policy is None or definition.backfill_policy.max_partitions_per_run == 1
    for name in ("check_only", "publish", "annual_report"):
        partitions = deployed.resolve_job_def(name).partitions_def
        assert isinstance(partitions, dg.MultiPartitionsDefinition)
        assert partitions.has_partition_key(KEY)
