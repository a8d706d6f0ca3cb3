"""The commands around the roll-up as a person meets them: rollup, withdraw and what follows, push."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pipelines.publish.history import read_history
from pipelines.storage import ROLLUP
from tests.assets.conftest import YEAR, County
from tests.facts import REGION


class Front:
    """The command in a process of its own, for one county."""

    def __init__(self, county: County) -> None:
        self.county = county
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GONGKAI_", "DAGSTER_"))},
            "GONGKAI_DATA": str(county.data),
            "GONGKAI_OUT": str(county.out),
            "GONGKAI_REGIONS": str(county.regions),
        }

    def __call__(self, *arguments: object) -> tuple[int, str]:
        """Exit code, and what was said on both outputs."""
        done = subprocess.run(
            [sys.executable, "-m", "gongkai", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
        )
        assert "Traceback" not in done.stderr + done.stdout
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Front:
    """A county whose release stands. The tests of this module go on from one another."""
    county = County(tmp_path_factory.mktemp("front"))
    assert county.run().success
    return Front(county)


def test_the_roll_up_is_published_and_then_has_nothing_new(front: Front) -> None:
    code, said = front("rollup", "--year", YEAR)
    assert code == 0, said
    current = read_history(front.county.out, ROLLUP, YEAR).current
    assert f"release {current}" in said
    assert "1 of 1 regions are counted" in said
    assert [line.split()[-1] for line in said.splitlines() if "done" in line] == [
        "rollup_package",
        "rollup",
        "rollup_portal",
    ]
    where = next(word.split("：")[1] for word in said.split() if word.startswith("已发布："))
    assert front("verify", where)[0] == 0
    code, said = front("rollup", "--year", YEAR)
    assert (code, "没有变化" in said) == (0, True)


def test_a_withdrawal_says_what_comes_next_and_the_roll_up_goes_too(front: Front) -> None:
    current = read_history(front.county.out, REGION, YEAR).current
    why = ("--reason", "总数有误", "--approved-by", "县政府办公室（示例）")
    code, said = front("withdraw", current, "--region", REGION, "--year", YEAR, *why)
    assert code == 0, said
    assert said.rstrip().endswith(f"gongkai rollup --year {YEAR}")
    assert "--job push" not in said  # no portal is set
    code, said = front("rollup", "--year", YEAR)
    assert code == 0, said
    assert "汇总已撤回" in said
    history = read_history(front.county.out, ROLLUP, YEAR)
    assert history.current == ""
    assert "县政府办公室（示例）" in history.events[-1].approved_by
    code, said = front("verify", front.county.out / ROLLUP / str(YEAR) / "releases" / history.events[-1].id)
    assert (code, "release_withdrawn" in said or "撤回" in said) == (1, True)
    code, said = front("rollup", "--year", YEAR)
    assert (code, "[regions_counted]" in said) == (1, True)
    code, said = front("withdraw", current, "--region", REGION, "--year", YEAR, *why)
    assert (code, "withdrawn before" in said, "rollup --year" in said) == (0, True, False)


class _NoPortal(BaseHTTPRequestHandler):
    """A web server that is no portal: a fault that is not worth trying again."""

    def do_POST(self) -> None:
        self.send_error(404)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def no_portal() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _NoPortal) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_push_without_a_portal_or_to_what_is_none_ends_with_2(front: Front, no_portal: str) -> None:
    code, said = front("run", "--region", REGION, "--year", YEAR, "--job", "push")
    assert code == 2
    assert "ckan_url" in said
    settings = front.county.regions / REGION / "region.toml"
    text = settings.read_text(encoding="utf-8")
    if "ckan_organisation" not in text:
        settings.write_text(text.replace("[licence]", 'ckan_organisation = "qu"\n\n[licence]', 1), encoding="utf-8")
    front.environment |= {"GONGKAI_CKAN_URL": no_portal, "GONGKAI_CKAN_KEY": "a-key-of-nobody"}
    code, said = front("run", "--region", REGION, "--year", YEAR, "--job", "push")
    assert code == 2
    assert "运行失败" in said
    assert "不像 CKAN" in said
    assert "a-key-of-nobody" not in said


@pytest.mark.parametrize("arguments", [("--year", "1999"), ("--year", "next"), ()])
def test_a_mistake_in_the_call_is_answered_with_one_line(front: Front, arguments: tuple[str, ...]) -> None:
    code, said = front("rollup", *arguments)
    assert code == 2
    assert len([line for line in said.splitlines() if line.startswith("Error: ")]) == 1


def test_a_roll_up_that_cannot_be_kept_fails_in_words(front: Front, tmp_path: Path) -> None:
    blocked = tmp_path / "out"
    blocked.write_text("a file where a folder is needed")
    code, said = front("rollup", "--year", YEAR, "--out", blocked)
    assert code == 2, said
    assert "运行失败" in said or said.startswith("Error")
