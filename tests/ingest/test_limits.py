"""What a file may cost is a setting: it reaches the reading processes of a run and of the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from pipelines.ingest.limits import DEFAULT_LIMITS, MIB, limits_of
from pipelines.ingest.sandbox import read_many
from pipelines.settings import load_settings
from tests.assets.conftest import CODES, GOOD, County, good
from tests.ingest.test_sandbox import ORDEAL

BIG = bytes(MIB + 1)


def test_without_settings_the_limits_are_the_documented_ones():
    assert limits_of(load_settings({})) == DEFAULT_LIMITS


def test_every_limit_follows_its_setting():
    limits = limits_of(
        load_settings(
            {
                "GONGKAI_LIMIT_FILE_MEBIBYTES": "3",
                "GONGKAI_LIMIT_MEMORY_MEBIBYTES": "200",
                "GONGKAI_LIMIT_SECONDS": "61",
            }
        )
    )
    assert (limits.file_bytes, limits.memory_bytes, limits.wall_seconds) == (3 * MIB, 200 * MIB, 61)
    assert limits.cpu_seconds == 9  # 4 of 30, rounded up
    assert limits.office_seconds == 122
    tight = limits_of(load_settings({"GONGKAI_LIMIT_SECONDS": "1"}))
    assert (tight.cpu_seconds, tight.office_seconds) == (1, 2)


@pytest.mark.parametrize(
    ("ordeal", "tight"),
    [("hang", {"GONGKAI_LIMIT_SECONDS": "1"}), ("swell", {"GONGKAI_LIMIT_MEMORY_MEBIBYTES": "128"})],
)
def test_a_tight_setting_ends_the_reading(ordeal, tight):
    source = ("a.txt", ordeal.encode())
    (read,) = read_many([source], ORDEAL, workers=1, limits=limits_of(load_settings(tight)))
    assert [problem.rule for problem in read.problems] == ["resource_limit"]


def extracted(path, **settings: str) -> list[str]:
    """The problems that `gongkai extract` finds in a file."""
    done = subprocess.run(
        [sys.executable, "-m", "gongkai", "extract", str(path), "--format", "json"],
        env=os.environ | settings,
        capture_output=True,
        text=True,
    )
    return [problem["rule"] for problem in json.loads(done.stdout)["problems"]]


def test_the_command_line_keeps_to_the_setting(tmp_path):
    path = tmp_path / "年报.txt"
    path.write_bytes(b"\n" * (MIB + 1))
    assert "too_large" not in extracted(path)
    assert extracted(path, GONGKAI_LIMIT_FILE_MEBIBYTES="1") == ["too_large"]


def test_a_run_keeps_to_the_setting(tmp_path, monkeypatch):
    county = County(tmp_path)
    county.deliver(CODES[0], {good(CODES[0]).path(GOOD): good(CODES[0]).workbook(), f"{CODES[0]}/附件.txt": BIG})
    county.run()
    assert "too_large" not in set(county.table("findings")["rule"])
    monkeypatch.setenv("GONGKAI_LIMIT_FILE_MEBIBYTES", "1")
    county.run()
    assert "too_large" in set(county.table("findings")["rule"])
