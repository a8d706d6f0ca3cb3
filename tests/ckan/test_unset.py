"""Without a portal, or without an organisation, `portal_push` succeeds and says that nothing is pushed and how to."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.publish.ckan_record import dataset_name, licence_id
from tests.assets.conftest import County
from tests.ckan.test_job import run, told
from tests.facts import REGION


@pytest.fixture
def place(tmp_path: Path) -> County:
    return County(tmp_path)


def test_no_portal_is_set(place, monkeypatch):
    monkeypatch.delenv("GONGKAI_CKAN_URL", raising=False)
    result = run(place, "push")
    assert result.success
    assert "GONGKAI_CKAN_KEY" in str(told(result)["推送 / push"])
    assert "未推送" in str(told(result)["推送 / push"])


def test_the_region_declares_no_organisation(place, monkeypatch):
    monkeypatch.setenv("GONGKAI_CKAN_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("GONGKAI_CKAN_KEY", "key")
    settings = place.regions / REGION / "region.toml"
    lines = settings.read_text(encoding="utf-8").splitlines(keepends=True)
    settings.write_text("".join(line for line in lines if not line.startswith("ckan_")), encoding="utf-8")
    result = run(place, "push")
    assert result.success
    assert "ckan_organisation" in str(told(result)["推送 / push"])


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("CC-BY-4.0", "cc-by"),
        ("CC-BY-SA-4.0", "cc-by-sa"),
        ("ODC-PDDL", "odc-pddl"),
        ("县数据协议", "县数据协议"),
    ],
)
def test_a_licence_is_told_by_the_portals_own_name_for_it(name, found):
    assert licence_id(name, ("notspecified", "cc-by", "cc-by-sa", "odc-pddl")) == found


def test_the_dataset_has_a_plain_name():
    assert dataset_name("511725", 2023) == "gongkai-511725-2023"
