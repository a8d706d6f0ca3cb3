from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import dagster as dg
import pytest

from assets import sensors
from assets.definitions import defs
from assets.sensors import PARTITION_TAG, inbox_sensor, known_partitions
from pipelines.ingest import watch
from pipelines.ingest.watch import Memory, compare, handed_on, look, remembered
from pipelines.storage import place
from tests.assets.conftest import GOOD, YEAR, County, good
from tests.facts import REGION

SETTLE = 20
BODY = "511725-D05"
KEY = f"{REGION}|{YEAR}"
REPOSITORY = defs.get_repository_def()
INSTANCE = dg.DagsterInstance.ephemeral()  # the sensor reads nothing from it


class Watched:
    """The inbox sensor of a small county, ticked by hand with a clock of its own."""

    def __init__(self, county: County, monkeypatch: pytest.MonkeyPatch) -> None:
        self.county, self.now, self.cursor = county, 1_000_000.0, None
        self.logged = ""
        monkeypatch.setattr(sensors.time, "time", lambda: self.now)
        self.sensor = inbox_sensor(str(county.data), county.regions, SETTLE, 30, dg.DefaultSensorStatus.STOPPED)

    def tick(self, seconds: float = 30) -> dg.SensorResult:
        self.now += seconds
        context = dg.build_sensor_context(instance=INSTANCE, cursor=self.cursor, repository_def=REPOSITORY)
        result = self.sensor(context)
        assert isinstance(result, dg.SensorResult)
        assert len(result.cursor) < 10_000
        self.cursor = result.cursor
        return result

    def keys(self, seconds: float = 30) -> list[str]:
        return [str(request.partition_key) for request in self.tick(seconds).run_requests or ()]

    def settled(self) -> list[str]:
        assert self.keys() == []
        return self.keys()

    @property
    def file(self) -> Path:
        return self.county.inbox / good(BODY).path(GOOD)


@pytest.fixture
def watched(county, monkeypatch):
    return Watched(county, monkeypatch)


def test_what_is_in_the_inbox_is_requested_once_when_at_rest(watched):
    assert watched.keys() == []
    (request,) = watched.tick().run_requests
    assert request.partition_key == KEY
    assert request.tags[PARTITION_TAG] == KEY
    assert request.run_key.startswith(f"{KEY}:1:")
    for _ in range(3):
        assert watched.keys() == []


def test_a_tick_soon_after_the_first_is_too_early(watched):
    assert watched.keys() == []
    assert watched.keys(SETTLE - 1) == []
    assert watched.keys(1) == [KEY]


def test_a_file_that_is_still_growing_is_waited_for(watched):
    assert watched.settled() == [KEY]
    for size in (10, 20, 30):
        watched.file.write_bytes(b"x" * size)
        assert watched.keys() == []
    assert watched.keys() == [KEY]


@pytest.mark.parametrize("change", ["new", "changed", "withdrawn", "deeper", "all withdrawn"])
def test_each_change_is_seen_once(watched, change):
    assert watched.settled() == [KEY]
    if change == "new":
        (watched.county.inbox / "新的.docx").write_bytes(b"PK")
    elif change == "changed":
        watched.file.write_bytes(b"other")
    elif change == "withdrawn":
        watched.file.unlink()
    elif change == "deeper":
        (watched.county.inbox / "a" / "b").mkdir(parents=True)
        (watched.county.inbox / "a" / "b" / "c.csv").write_bytes(b"1")
    else:
        shutil.rmtree(watched.county.inbox)
        watched.county.inbox.mkdir()
    assert watched.settled() == [KEY]
    assert watched.settled() == []


def test_a_state_that_comes_again_has_a_run_key_of_its_own(watched, tmp_path):
    def key() -> str:
        watched.tick()
        (request,) = watched.tick().run_requests
        return request.run_key

    first = key()
    watched.file.rename(tmp_path / "aside")
    second = key()
    (tmp_path / "aside").rename(watched.file)
    third = key()
    assert len({first, second, third}) == 3
    assert first.split(":")[2] == third.split(":")[2]


@pytest.mark.parametrize(
    "name", ["~$报表.xlsx", ".~lock.报表.xlsx#", "._报表.xlsx", "Thumbs.db", ".x.xlsx.ab12.partial"]
)
def test_passing_names_are_no_change(watched, name):
    assert watched.settled() == [KEY]
    (watched.county.inbox / name).write_bytes(b"1")
    assert watched.settled() == []


@pytest.mark.parametrize("name", ["bodies.csv", "region.toml", f"{YEAR}/decisions.toml", f"{YEAR}/published.csv"])
def test_what_decides_the_outcome_starts_a_check(watched, name):
    assert watched.settled() == [KEY]
    path = watched.county.regions / REGION / name
    if path.exists():
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    else:
        path.write_text("", encoding="utf-8")
    assert watched.settled() == [KEY]
    assert watched.settled() == []


def test_decisions_without_any_delivery_start_nothing(watched):
    shutil.rmtree(watched.county.inbox)
    watched.county.inbox.mkdir()
    assert watched.settled() == []
    watched.county.decide("")
    assert watched.settled() == []


def test_a_change_of_last_year_starts_this_year_too_in_order(watched):
    last = watched.county.inbox.parent / str(YEAR - 1)
    last.mkdir()
    assert watched.settled() == [KEY]
    (last / "去年.xlsx").write_bytes(b"1")
    assert watched.settled() == [f"{REGION}|{YEAR - 1}", KEY]
    (watched.county.inbox / "今年.xlsx").write_bytes(b"1")
    assert watched.settled() == [KEY]


def test_broken_declarations_are_said_and_start_nothing_until_mended(watched):
    roster = watched.county.regions / REGION / "bodies.csv"
    text = roster.read_text(encoding="utf-8")
    roster.write_text(text + "too,few\n", encoding="utf-8")
    assert watched.settled() == []
    for _ in range(2):
        reason = watched.tick().skip_reason.skip_message
        assert "bodies.csv" in reason
        assert str(watched.county.regions.parent) not in reason
    roster.write_text(text, encoding="utf-8")
    assert watched.settled() == [KEY]


def test_strange_names_are_said_and_stop_nobody(watched):
    inbox = watched.county.data / "inbox"
    for name in ("999999/2023", f"{REGION}/1999", f"{REGION}/x年", f"{REGION}/２０２３"):
        (inbox / name).mkdir(parents=True)
    (inbox / "loose.xlsx").write_bytes(b"1")
    (inbox / REGION / "loose.xlsx").write_bytes(b"1")
    (inbox / REGION / os.fsdecode(b"\xff\xfe")).mkdir()
    (watched.county.inbox / os.fsdecode(b"bad\xff.xlsx")).write_bytes(b"1")
    (watched.county.inbox / "loop").symlink_to(watched.county.inbox)
    (watched.county.inbox / "nowhere").symlink_to("/nonexistent/place")
    os.mkfifo(watched.county.inbox / "pipe")
    reason = watched.tick().skip_reason.skip_message
    for name in ("inbox/999999", f"{REGION}/1999", "x年", "２０２３", "inbox/loose", f"{REGION}/loose", "\\xff\\xfe"):
        assert name in reason, name
    assert watched.keys() == [KEY]
    assert watched.settled() == []


def test_a_region_that_cannot_be_listed_is_said_and_nothing_of_it_is_forgotten(watched, monkeypatch):
    assert watched.settled() == [KEY]
    original = watch._local_region

    def refused(folder, region, years, problems):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(watch, "_local_region", refused)
    for _ in range(3):
        reason = watched.tick().skip_reason.skip_message
        assert f"inbox/{REGION}" in reason
        assert "Permission denied" in reason
    monkeypatch.setattr(watch, "_local_region", original)
    assert watched.settled() == []


def test_a_missing_inbox_withdraws_nothing(watched):
    assert watched.settled() == [KEY]
    inbox = watched.county.data / "inbox"
    inbox.rename(watched.county.data / "elsewhere")
    for _ in range(3):
        assert "inbox" in watched.tick().skip_reason.skip_message
    (watched.county.data / "elsewhere").rename(inbox)
    assert watched.settled() == []


def test_a_folder_that_is_gone_is_archived_and_said_once(watched, tmp_path):
    assert watched.settled() == [KEY]
    watched.county.inbox.rename(tmp_path / "archive")
    watched.tick()
    assert "归档" in watched.tick().skip_reason.skip_message
    assert "归档" not in watched.tick().skip_reason.skip_message
    (tmp_path / "archive").rename(watched.county.inbox)
    assert watched.settled() == [KEY]


def test_a_region_added_since_loading_is_said_until_reloaded(watched):
    shutil.copytree(watched.county.regions / REGION, watched.county.regions / "511724")
    (watched.county.data / "inbox" / "511724" / "2023").mkdir(parents=True)
    reason = watched.tick().skip_reason.skip_message
    assert "regions/511724" in reason
    assert "重新加载" in reason
    assert watched.keys() == [KEY]


def test_a_damaged_cursor_starts_anew(watched):
    assert watched.settled() == [KEY]
    watched.cursor = "{not json"
    assert watched.settled() == [KEY]


def test_a_tick_that_is_lost_before_its_cursor_is_kept_repeats_the_same_run_key(watched):
    watched.tick()
    before = watched.cursor
    first = watched.tick().run_requests[0].run_key
    watched.cursor = before
    assert watched.tick().run_requests[0].run_key == first


def test_what_is_requested_is_a_partition_of_the_checking_job(watched):
    assert watched.settled() == [KEY]
    assert defs.resolve_job_def("check_only").partitions_def.has_partition_key(KEY)


def test_the_deployed_sensor_runs_the_checking_job_only():
    sensor = defs.resolve_sensor_def("inbox")
    assert sensor.job_name == "check_only"
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


def test_a_deployment_that_asks_for_much_gets_it_in_portions(tmp_path, monkeypatch):
    monkeypatch.setattr(sensors, "MOST_REQUESTS", 2)
    years = (2021, 2022, 2023)
    county = County(tmp_path)
    for year in years:
        (county.inbox.parent / str(year)).mkdir(exist_ok=True)
        (county.inbox.parent / str(year) / "a.csv").write_bytes(b"1")
    watched = Watched(county, monkeypatch)
    assert watched.settled() == [f"{REGION}|2021", f"{REGION}|2022"]
    assert watched.keys() == [f"{REGION}|2023"]
    assert watched.keys() == []


def test_three_thousand_empty_regions_are_looked_at_in_a_moment(tmp_path):
    codes = [f"{number:06d}" for number in range(110000, 113000)]
    for code in codes:
        (tmp_path / "inbox" / code / "2023").mkdir(parents=True)
    began = time.process_time()
    found = look(str(tmp_path), tmp_path / "regions", frozenset(codes), (2022, 2023))
    memory, due = compare(Memory(), found, codes, 1.0, 20)
    took = time.process_time() - began
    assert not found.problems
    assert len(found.states) == 3000
    assert due == ()
    assert len(memory.encode()) < 100
    assert took < 3


def test_the_cursor_stays_small_for_a_whole_country():
    codes = [f"{number:06d}" for number in range(110000, 113000)]
    found = watch.Look(states={code: {2023: "0123456789ab"} for code in codes})
    waiting, due = compare(Memory(), found, codes, 1_763_980_000.123456, 20)
    assert due == ()
    assert len(waiting.encode()) < 200_000
    _, due = compare(waiting, found, codes, 1_763_980_100.0, 20)
    assert len(due) == 3000
    done = handed_on(waiting, due)
    assert len(done.encode()) < 150_000
    assert remembered(done.encode()) == done
    assert compare(done, found, codes, 1_763_980_200.0, 20) == (done, ())
    fewer = compare(done, found, codes[:10], 1_763_980_200.0, 20)[0]
    assert len(fewer.seen) == 10


class Remote:
    """The same listing through fsspec, on storage without folders."""

    def __init__(self, county: County) -> None:
        self.root = "memory://watched-county"
        self.system = place(self.root).fs
        if self.system.exists("/watched-county"):
            self.system.rm("/watched-county", recursive=True)
        for path in county.inbox.rglob("*"):
            if path.is_file():
                self.put(path.relative_to(county.data).as_posix(), path.read_bytes())

    def put(self, name: str, data: bytes) -> None:
        self.system.pipe_file(f"/watched-county/{name}", data)


def test_object_storage_is_watched_in_the_same_way(county):
    remote = Remote(county)
    regions, years = known_partitions()

    def states():
        return look(remote.root, county.regions, regions, years)

    first = states()
    assert first.problems == ()
    assert list(first.states) == [REGION]
    assert list(first.states[REGION]) == [YEAR]
    assert states() == first
    remote.put(f"inbox/{REGION}/{YEAR}/~$x.xlsx", b"1")
    assert states() == first
    remote.put(f"inbox/{REGION}/{YEAR}/new.xlsx", b"1")
    assert states().states != first.states
    remote.put("inbox/999999/2023/a.csv", b"1")
    remote.put(f"inbox/{REGION}/1999/a.csv", b"1")
    remote.put("inbox/loose.csv", b"1")
    assert {problem.where for problem in states().problems} == {
        "inbox/999999",
        f"inbox/{REGION}/1999",
        "inbox/loose.csv",
    }


def test_object_storage_that_fails_is_said_and_nothing_is_forgotten(county, monkeypatch):
    remote = Remote(county)
    regions, years = known_partitions()
    found = look(remote.root, county.regions, regions, years)
    memory, _ = compare(Memory(), found, regions, 1.0, 20)
    memory, due = compare(memory, found, regions, 100.0, 20)
    memory = handed_on(memory, due)
    secret = "AKIA-secret"

    def refused(*_args, **_kwargs):
        raise RuntimeError(f"credentials {secret} refused")

    monkeypatch.setattr(type(remote.system), "find", refused)
    failed = look(remote.root, county.regions, regions, years)
    assert failed.unseen == frozenset(regions)
    assert secret not in str(failed.problems[0])
    after, due = compare(memory, failed, regions, 200.0, 20)
    assert (after, due) == (memory, ())
    assert json.loads(after.encode())["seen"]
