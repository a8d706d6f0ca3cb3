"""The asset `portal_push` and the job `push` in Dagster, on the small county of the asset tests."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from assets.io_managers import PackageIOManager, ParquetIOManager, ReadingsIOManager
from assets.partitions import partition_key
from assets.portal_push import RETRIES, portal_push, push
from assets.resources import Workspace
from pipelines.publish.history import read_history
from pipelines.publish.withdrawal import withdraw_release
from pipelines.regions import load_region
from pipelines.sample.defects import DEFECTS
from pipelines.storage import tables_path
from tests.assets.conftest import ASSETS, YEAR, County, good, materialised, stopped_by
from tests.ckan.conftest import NAME, assert_whole, downloads, seen
from tests.facts import REGION

BODY = "511725-D05"


def run(county: County, job: str) -> dg.ExecuteInProcessResult:
    tables = tables_path(str(county.data))
    definitions = dg.Definitions(
        assets=[*ASSETS, portal_push],
        jobs=[push, dg.define_asset_job("all_of_it", dg.AssetSelection.all())],
        resources={
            "workspace": Workspace(data=str(county.data), out=str(county.out), regions=str(county.regions), workers=1),
            "parquet": ParquetIOManager(tables),
            "readings": ReadingsIOManager(tables),
            "package": PackageIOManager(tables),
        },
    )
    return definitions.resolve_job_def(job).execute_in_process(
        partition_key=partition_key(REGION, YEAR),
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )


def told(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    """What the asset says in Dagster's records."""
    (event,) = [e for e in result.get_asset_materialization_events() if e.node_name == "portal_push"]
    return {name: value.value for name, value in event.materialization.metadata.items()}


@pytest.fixture
def place(tmp_path: Path) -> County:
    return County(tmp_path)


@pytest.fixture
def connected(portal, monkeypatch):
    """The deployment's two settings."""
    monkeypatch.setenv("GONGKAI_CKAN_URL", portal.url)
    monkeypatch.setenv("GONGKAI_CKAN_KEY", portal.key)
    return portal


def test_from_the_inbox_to_the_portal_then_the_job_push_alone(connected, place):
    result = run(place, "all_of_it")
    assert result.success
    (release,) = place.releases()
    assert assert_whole(seen(connected)) == release
    assert told(result)["门户上的版本 / release shown"] == release
    assert told(result)["推送 / push"] == "有更新 / updated"
    shown = downloads(seen(connected))
    given = place.bytes_of(release)
    assert {path: data for path, data in shown.items() if not path.startswith("report/")} == {
        path: data for path, data in given.items() if path != "README.md"
    }
    assert shown["report/report.docx"].startswith(b"PK")

    again = run(place, "push")
    assert again.success
    assert materialised(again) == {"portal_push"}
    assert told(again)["写请求 / write requests"] == 0

    regions, region = place.regions, load_region(place.regions, REGION)
    withdraw_release(place.out, regions, "", region, YEAR, release, "数字有误", "负责人")
    assert read_history(place.out, REGION, YEAR).current == ""
    taken = run(place, "push")
    assert taken.success
    assert seen(connected) is None
    assert told(taken)["门户上的版本 / release shown"] == "（不公开 / none）"
    everything = str([event.to_json() if hasattr(event, "to_json") else event for event in taken.all_events])
    assert connected.key not in everything


def test_behind_a_red_gate_nothing_is_pushed(connected, place):
    place.deliver(BODY, DEFECTS["broken_sum"](good(BODY)).files)
    result = run(place, "all_of_it")
    assert stopped_by(result)
    assert "portal_push" not in materialised(result)
    assert connected.action("package_list") == []
    assert not [event for event in result.all_events if event.is_step_start and event.step_key == "portal_push"]
    assert seen(connected, NAME) is None


def fault(result: dg.ExecuteInProcessResult) -> tuple[str, str]:
    """The name of the step's exception and everything that is said of it."""
    (event,) = result.filter_events(lambda event: event.is_step_failure)
    error = event.step_failure_data.error
    return (error.cause or error).cls_name, f"{error.to_string()}{event.step_failure_data.user_failure_data}"


def test_a_wrong_key_fails_the_step_at_once_in_words(connected, place, monkeypatch):
    monkeypatch.setenv("GONGKAI_CKAN_KEY", "a-wrong-key")
    result = run(place, "push")
    assert not result.success
    name, said = fault(result)
    assert name == "PushError"
    assert not result.filter_events(lambda event: event.is_step_up_for_retry)
    assert "GONGKAI_CKAN_KEY" in said
    assert "a-wrong-key" not in said


def test_a_portal_out_of_reach_is_left_to_the_retry_policy(connected, place, monkeypatch):
    monkeypatch.setenv("GONGKAI_CKAN_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("pipelines.publish.ckan.sleep", lambda _: None)
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0)
    result = run(place, "push")
    assert len(result.filter_events(lambda event: event.is_step_up_for_retry)) == RETRIES.max_retries == 2
    name, said = fault(result)
    assert name == "PushError"
    assert "ckan_url" in said
