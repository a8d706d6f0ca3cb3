"""The operation as an operator has it: ``gongkai ui`` runs, returns come into the inbox, the rest goes by itself.

One process group with the web server, the daemon and the code location, on the loopback address; what it does is seen
from outside: in the release folder, through Dagster's GraphQL and in a browser. The tests follow one another as the
days of an office do: a delivery is published, a broken return stops the next release, a mended one lets it go on.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Page, sync_playwright

from assets.partitions import partition_key
from assets.views import PUBLISHABLE
from pipelines.publish.verify import verify
from pipelines.sample.defects import DEFECTS
from schemas.checks import load_checks
from tests.assets.conftest import CODES, GOOD, YEAR, County, good
from tests.assets.test_definitions import ASSETS
from tests.ckan.portal import free_port
from tests.facts import REGION, RULES
from tests.portal.front import ARGUMENTS, CHROMIUM

BODY = "511725-D05"
PATIENCE = 180  # seconds for one step of the operation; a quiet machine needs 15 to 45
LOCATION, REPOSITORY = "assets.definitions:defs", "__repository__"
RUNS = "{ runsOrError(limit: 100) { ... on Runs { results { runId jobName status tags { key value } } } } }"
CHECKS = """{ assetNodeOrError(assetKey: {path: ["findings"]}) { ... on AssetNode { assetChecksOrError {
  ... on AssetChecks { checks { name executionForLatestMaterialization { runId status } } } } } } }"""
VERDICTS = """{ assetOrError(assetKey: {path: ["verdicts"]}) { ... on Asset { assetMaterializations(limit: 1) {
  runId metadataEntries { label ... on BoolMetadataEntry { boolValue } } } } } }"""
TICKS = """query($sensor: SensorSelector!) { sensorOrError(sensorSelector: $sensor) { ... on Sensor { sensorState {
  status ticks(limit: 20) { timestamp status runIds } } } } }"""

Found = TypeVar("Found")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed (make system)")


class Operation:
    """``gongkai ui`` of a county of its own, and what can be asked of it."""

    def __init__(self, county: County, process: subprocess.Popen[bytes], base: str, log: Path) -> None:
        self.county, self.process, self.base, self.log = county, process, base, log

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"{self.base}/graphql", data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = json.load(answer)
        assert not found.get("errors"), found
        return found["data"]

    def answers(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.base}/server_info", timeout=5) as answer:
            return bool(answer.status == 200)
        return False

    def wait(self, done: Callable[[], Found | None], what: str) -> Found:
        """The first answer of ``done`` that is something, within PATIENCE."""
        deadline = time.monotonic() + PATIENCE
        while not (found := done()):
            said = self.log.read_text(encoding="utf-8", errors="replace")[-3000:]
            assert self.process.poll() is None, f"gongkai ui ended while waiting until {what}:\n{said}"
            assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}. gongkai ui said:\n{said}"
            time.sleep(0.3)
        return found

    def runs(self) -> dict[str, dict[str, Any]]:
        return {run["runId"]: run for run in self.ask(RUNS)["runsOrError"]["results"]}

    def ticks(self, sensor: str) -> list[dict[str, Any]]:
        selector = {"repositoryName": REPOSITORY, "repositoryLocationName": LOCATION, "sensorName": sensor}
        state = self.ask(TICKS, sensor=selector)["sensorOrError"]["sensorState"]
        assert state["status"] == "RUNNING", f"{sensor} runs from the start"
        return list(state["ticks"])

    def judged(self) -> tuple[str, bool] | None:
        """The run that reached the latest verdicts, once it is over, and whether they let the year be published."""
        made = self.ask(VERDICTS)["assetOrError"].get("assetMaterializations")
        if not made or self.runs()[made[0]["runId"]]["status"] != "SUCCESS":
            return None
        return made[0]["runId"], next(e["boolValue"] for e in made[0]["metadataEntries"] if e["label"] == PUBLISHABLE)

    def checks(self) -> dict[str, tuple[str, str]]:
        """Run and status by check of the asset ``findings``."""
        found = self.ask(CHECKS)["assetNodeOrError"]["assetChecksOrError"]["checks"]
        last = {each["name"]: each["executionForLatestMaterialization"] or {} for each in found}
        return {name: (each.get("runId", ""), each.get("status", "")) for name, each in last.items()}

    def latest(self) -> str:
        """The release that the public is shown, "" where there is none yet."""
        pointer = self.county.out / REGION / str(YEAR) / "latest.json"
        return str(json.loads(pointer.read_text(encoding="utf-8"))["id"]) if pointer.exists() else ""

    def idle(self) -> bool:
        return all(run["status"] in ("SUCCESS", "FAILURE", "CANCELED") for run in self.runs().values())


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started: asked first, then killed."""
    for how, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 10)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    with contextlib.suppress(ProcessLookupError):  # those that outlived the first of them
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def operation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operation]:
    """``gongkai ui`` at work for a county whose inbox is still empty."""
    folder = tmp_path_factory.mktemp("operation")
    county = County(folder)
    for code in CODES:
        county.deliver(code, {})
    county.inbox.mkdir(parents=True, exist_ok=True)
    home, log = folder / "home", folder / "ui.log"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GONGKAI_", "DAGSTER_"))}
    environment |= {
        "GONGKAI_REGIONS": str(county.regions),
        "GONGKAI_SENSOR_SECONDS": "2",
        "GONGKAI_SETTLE_SECONDS": "1",
        "GONGKAI_WORKERS": "1",
        "DAGSTER_HOME": str(home),
    }
    port = str(free_port())
    program = str(Path(sys.executable).with_name("gongkai"))
    command = [program, "ui", "--port", port, "--data", str(county.data), "--out", str(county.out)]
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, env=environment, stdout=said, stderr=said, cwd=folder, start_new_session=True
        )
    started = Operation(county, process, f"http://127.0.0.1:{port}", log)
    try:
        started.wait(started.answers, "the web server answers")
        yield started
    finally:
        end(process)
    assert not started.answers(), "nothing goes on once it has been ended"


@pytest.fixture(scope="module")
def released(operation: Operation) -> str:
    """The first release, after the returns of every body have been dropped into the inbox."""
    for code in CODES:
        operation.county.add({good(code).path(GOOD): good(code).workbook()})
    first = operation.wait(operation.latest, "the returns in the inbox are published")
    operation.wait(operation.idle, "the run that published is over")
    return first


@pytest.fixture(scope="module")
def stopped(operation: Operation, released: str) -> str:
    """The run that checked a broken return, which has replaced a good one since the release."""
    before = operation.judged()
    operation.county.deliver(BODY, DEFECTS["broken_sum"](good(BODY)).files)

    def judged_anew() -> str | None:
        found = operation.judged()
        return found[0] if found and found != before else None

    return operation.wait(judged_anew, "the broken return is checked")


@pytest.fixture
def page(operation: Operation) -> Iterator[Page]:
    """A page of a browser that is watched: no error of the page, no request to another host."""
    seen: list[str] = []
    own = (f"{operation.base}/", f"ws{operation.base[4:]}/", "data:", "blob:")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.on("pageerror", lambda error: seen.append(f"error {error}"))
        page.on("console", lambda said: seen.append(f"console {said.text}") if said.type == "error" else None)
        page.on("request", lambda each: None if each.url.startswith(own) else seen.append(f"request {each.url}"))
        skip = page.get_by_role("button", name="Skip", exact=True)  # Dagster's greeting of a new instance
        page.add_locator_handler(skip, lambda shown: shown.click())
        yield page
        browser.close()
    assert seen == []


def verified(operation: Operation, release: str) -> Path:
    """The folder of a release that is what it says."""
    folder = operation.county.out / REGION / str(YEAR) / "releases" / release
    report = verify(folder)
    assert report.valid, report.findings
    assert report.id == release
    return folder


@needs_chromium
def test_in_a_browser_the_graph_shows_the_groups_in_the_order_of_the_work(operation, page):
    page.goto(f"{operation.base}/asset-groups")
    places = []
    for group in sorted(ASSETS):
        shown = page.get_by_text(group, exact=True).first
        shown.wait_for()
        places.append(shown.bounding_box()["y"])
    assert places == sorted(places)
    assert len(set(places)) == len(ASSETS) == 7


def test_what_is_dropped_into_the_inbox_is_published_by_itself(operation, released):
    assert operation.county.releases() == [released]
    verified(operation, released)
    assert (operation.county.out / "portal" / REGION / str(YEAR) / "index.html").is_file()
    assert (operation.county.data / "board" / REGION / str(YEAR) / "index.html").is_file()
    assert operation.judged()[1] is True
    sensors = set()
    for run in operation.runs().values():
        assert run["status"] == "SUCCESS", run
        sensors |= {tag["value"] for tag in run["tags"] if tag["key"] == "dagster/sensor_name"}
    assert sensors == {"inbox", "publication"}


def test_a_broken_return_is_checked_and_the_gate_is_red(operation, released, stopped):
    run = operation.runs()[stopped]
    assert run["jobName"] == "check_only"
    assert operation.judged() == (stopped, False)
    checks = operation.checks()
    assert set(checks) == {check.id for check in load_checks()}
    assert {by for by, _ in checks.values()} == {stopped}
    failed = {name for name, (_, status) in checks.items() if status == "FAILED"}
    assert {"row_totals", "outcome_sums"} <= failed  # a part of a total that is one too high
    assert {status for name, (_, status) in checks.items() if name not in failed} == {"SUCCEEDED"}


@needs_chromium
def test_in_a_browser_the_failed_check_says_who_and_what(operation, stopped, page):
    page.goto(f"{operation.base}/assets/findings?view=overview")
    page.get_by_text("Latest check results").wait_for()
    page.get_by_role("tab", name="Checks").or_(page.get_by_role("link", name="Checks", exact=True)).first.click()
    page.get_by_text(f"Checks ({len(load_checks())})").wait_for()
    for check in load_checks():
        page.get_by_text(check.id, exact=True).first.wait_for()
    page.get_by_text("row_totals", exact=True).first.click()
    check = next(check for check in load_checks() if check.id == "row_totals")
    page.get_by_text(f"{check.title_zh} / {check.title_en}").first.wait_for()
    page.get_by_text("Evaluation result").wait_for()
    page.get_by_text("Failed", exact=True).first.wait_for()
    page.get_by_text("[Show Markdown]").first.click()
    words = page.get_by_role("dialog").inner_text()
    assert BODY in words
    assert any(rule.id in words for rule in RULES.rules if rule.family == "row_total")


def test_nothing_new_is_published_while_the_gate_is_red(operation, released, stopped):
    red = time.time()

    def looked_after() -> bool:
        return any(tick["timestamp"] > red and tick["status"] == "SKIPPED" for tick in operation.ticks("publication"))

    operation.wait(looked_after, "the publication sensor has looked at the red gate")
    operation.wait(operation.idle, "nothing is under way")
    assert operation.judged() == (stopped, False)
    runs = list(operation.runs().values())  # the newest first
    later = runs[: [run["runId"] for run in runs].index(stopped)]
    partition = {"key": "dagster/partition", "value": str(partition_key(REGION, YEAR))}
    assert [run for run in later if partition in run["tags"]] == [], "nobody asks for a release"
    assert operation.latest() == released
    assert operation.county.releases() == [released]
    verified(operation, released)


def test_publication_goes_on_once_the_return_is_mended(operation, released, stopped):
    county = operation.county
    before = county.bytes_of(released)
    bound = {cell for rule in RULES.rules for cell in rule.cells}
    free = next(cell for cell in good(BODY).values if cell not in bound)
    mended = good(BODY).values | {free: good(BODY).values[free] + Decimal(1)}
    county.publish_figures({code: mended if code == BODY else good(code).values for code in CODES})
    county.deliver(BODY, {good(BODY).path(GOOD): good(BODY).workbook(dict(mended))})

    def newer() -> str | None:
        return latest if (latest := operation.latest()) != released else None

    second = operation.wait(newer, "the mended return is published")
    operation.wait(operation.idle, "the run that published is over")
    assert set(county.releases()) == {released, second}
    verified(operation, second)
    verified(operation, released)
    assert county.bytes_of(released) == before
    assert operation.judged()[1] is True
    assert {status for _, status in operation.checks().values()} == {"SUCCEEDED"}
