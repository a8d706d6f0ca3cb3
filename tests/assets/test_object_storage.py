"""Data and releases on S3-compatible storage (a real server on this machine): the same release, and clear faults.

moto keeps objects and answers over http as such storage does. It does not check sums of uploads; our own hashes do.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import BotoCoreError
from click.testing import CliRunner
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

import gongkai
from pipelines import faults
from pipelines.faults import PlaceError, explained, usable
from pipelines.publish.package import build_package
from pipelines.publish.release import publish, release_id, withdraw
from pipelines.publish.rollup_source import READ, Counting, counting_release, intact
from pipelines.publish.verify import verify
from pipelines.storage import brought, write_atomic
from tests.assets.conftest import County
from tests.facts import REGION
from tests.publish.county import CODE, YEAR, form, region
from tests.publish.county import county as table_county

# Connections that the storage's library keeps open are given up with it, here where the storage goes away under it.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)  # fmt: skip
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
BUCKET = "county"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def storage(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3FileSystem]:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    S3FileSystem.clear_instance_cache()
    system = S3FileSystem()
    system.mkdir(BUCKET)
    yield system
    system.rm(BUCKET, recursive=True)
    del system
    S3FileSystem.clear_instance_cache()
    gc.collect()  # in this test, not in whichever comes next


def run(county: County, data: str, out: str, home: Path) -> subprocess.CompletedProcess[str]:
    """``gongkai run`` in a process of its own, with this process's variables."""
    home.mkdir(exist_ok=True)
    year = ("--region", REGION, "--year", str(YEAR))
    return command(county, home, "run", *year, "--data", data, "--out", out)


def call(county: County, home: Path) -> tuple[list[str], dict[str, Any]]:
    """The front door as a process: its command and how to start it."""
    environment = os.environ | {"GONGKAI_REGIONS": str(county.regions), "DAGSTER_HOME": str(home)}
    return [sys.executable, "-m", "gongkai"], {"env": environment, "text": True, "cwd": home}


def command(county: County, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    front, how = call(county, home)
    return subprocess.run([*front, *words], capture_output=True, check=False, **how)


def objects(system: S3FileSystem, folder: str) -> dict[str, bytes]:
    return {name.removeprefix(f"{folder}/"): system.cat_file(name) for name in system.find(folder)}


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if ".portal" not in path.parts}


def test_the_same_inbox_gives_the_same_releases_report_and_portal(county, storage, server, monkeypatch, tmp_path):
    here = run(county, str(county.data), str(county.out), tmp_path / "home-here")
    assert here.returncode == 0, here.stderr
    for name, data in files(county.inbox).items():
        storage.pipe_file(f"{BUCKET}/data/inbox/{REGION}/{YEAR}/{name}", data)
    where, home = (f"s3://{BUCKET}/data", f"s3://{BUCKET}/out"), tmp_path / "home-there"
    proxy = Cut(server, 20)  # among the writes of the run's own tables
    with monkeypatch.context() as patch:
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        patch.setenv("AWS_ENDPOINT_URL", proxy.address)
        cut = run(county, *where, home)
    proxy.close()
    assert cut.returncode == 2, cut.stdout
    assert "连不上对象存储" in cut.stderr
    assert "Traceback" not in cut.stderr
    there = run(county, *where, home)
    assert there.returncode == 0, there.stderr
    assert objects(storage, f"{BUCKET}/out") == files(county.out)
    for kept in ("received", f"board/{REGION}"):
        assert objects(storage, f"{BUCKET}/data/{kept}") == files(county.data / kept)
    assert "Nothing new" in run(county, *where, home).stdout
    with brought(f"s3://{BUCKET}/out/portal") as folder:
        assert files(folder) == files(county.out / "portal")
    latest = f"{where[1]}/{REGION}/{YEAR}"
    verified = command(county, home, "verify", latest)
    assert "Valid." in verified.stdout
    assert "Not signed." in verified.stdout
    traced = command(county, home, "trace", latest, "requests.received.total")
    assert traced.stdout == command(county, home, "trace", str(county.out / REGION / str(YEAR) / "latest"),
                                    "requests.received.total").stdout  # fmt: skip
    assert traced.stdout.count(f"{REGION}-") == 4
    assert served(county, home, where[1]) == (county.out / "portal" / "index.html").read_bytes()
    (release,) = county.releases()
    why = ("--reason", "总数有误", "--approved-by", "县政府办公室（示例）", "--region", REGION, "--year", str(YEAR))
    for out in (where[1], str(county.out)):
        assert "Withdrawn." in command(county, home, "withdraw", release, *why, "--out", out).stdout
    assert objects(storage, f"{BUCKET}/out") == files(county.out)


def served(county: County, home: Path, out: str) -> bytes:
    """The first page that ``gongkai portal`` serves of a site on other storage."""
    front, how = call(county, home)
    how["env"] = how["env"] | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen([*front, "portal", "--port", "0", "--out", out], stdout=subprocess.PIPE, **how) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[0]
            with urllib.request.urlopen(address) as answer:
                return answer.read()
        finally:
            process.terminate()


class Cut:
    """A proxy in front of the storage that goes away with the n-th request to write."""

    def __init__(self, address: str, writes: int) -> None:
        self.target, self.left = urlsplit(address), writes
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.open = [self.listening]
        self.address = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listening.accept()
                self.open.append(near)
                if self.left < 0:
                    near.close()
                    continue
                far = socket.create_connection((self.target.hostname, self.target.port))
                self.open.append(far)
                for source, sink, counted in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self.carry, args=(source, sink, counted), daemon=True).start()

    def carry(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if counted and data.startswith((b"PUT ", b"DELETE ", b"POST ")):
                    self.left -= 1
                if self.left < 0:
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for end in self.open:
            end.close()


@pytest.mark.parametrize("writes", [0, 1, 4, 13, 14, 15])
def test_storage_that_goes_away_midway_leaves_nothing_half(storage, server, monkeypatch, tmp_path, writes):
    first = build_package(region(), YEAR, table_county(), form())
    second = build_package(region(), YEAR, table_county(waived=1), form())
    out = f"s3://{BUCKET}/out"
    before = publish(first, out, CODE, YEAR)
    proxy = Cut(server, writes)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
    S3FileSystem.clear_instance_cache()
    with pytest.raises((OSError, BotoCoreError)) as caught:
        publish(second, out, CODE, YEAR)
    assert explained(type(caught.value).__name__, str(caught.value)) is not None
    proxy.close()
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    S3FileSystem.clear_instance_cache()
    seen = verify(f"{out}/{CODE}/{YEAR}")
    assert seen.valid
    assert seen.id in (before.id, release_id(second))
    publish(second, out, CODE, YEAR)
    publish(first, tmp_path / "here", CODE, YEAR)
    publish(second, tmp_path / "here", CODE, YEAR)
    assert objects(S3FileSystem(), f"{BUCKET}/out") == files(tmp_path / "here")


def test_a_release_is_withdrawn_and_verified_there(storage):
    done = publish(build_package(region(), YEAR, table_county(), form()), f"s3://{BUCKET}/out", CODE, YEAR)
    withdraw(f"s3://{BUCKET}/out", CODE, YEAR, done.id, "总数有误", "县政府办公室（示例）")
    assert [found.rule for found in verify(done.path).findings] == ["release_withdrawn"]


def test_the_roll_up_knows_a_release_there_by_its_tags(storage):
    """Nothing is read of one that was compared before; other bytes of the same size have another tag."""
    out = f"s3://{BUCKET}/out"
    done = publish(build_package(region(), YEAR, table_county(), form()), out, CODE, YEAR)
    counting = counting_release(out, CODE, YEAR)
    assert isinstance(counting, Counting)
    whole, seen = intact(out, counting, YEAR)
    assert whole
    assert seen is not None
    assert len(seen.stamps) == len(READ)
    assert intact(out, counting, YEAR, seen) == (True, seen)
    name = str(done.path / READ[-1]).removeprefix("s3://")
    data = storage.cat_file(name)
    storage.pipe_file(name, data[:-1] + bytes([data[-1] ^ 1]))
    assert intact(out, counting, YEAR, seen) == (False, None)
    storage.pipe_file(name, data)
    assert intact(out, counting, YEAR, seen)[0]


# ---------------------------------------------------------------- what is wrong outside
def test_a_bucket_that_is_not_there_is_said_and_not_made(storage):
    with pytest.raises(PlaceError, match="存储桶不存在"):
        usable("s3://mistyped/data")
    with pytest.raises(FileNotFoundError):
        write_atomic("s3://mistyped/data/x", b"x")
    assert not storage.exists("mistyped")
    usable(f"s3://{BUCKET}/data")
    assert verify("s3://mistyped/out").findings[0].rule == "release_unreadable"


def test_storage_that_cannot_be_reached_and_keys_that_are_missing_are_said(storage, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    S3FileSystem.clear_instance_cache()
    with pytest.raises(PlaceError, match="连不上对象存储"):
        usable(f"s3://{BUCKET}/data")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/no/such/file")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    S3FileSystem.clear_instance_cache()
    with pytest.raises(PlaceError, match="没有对象存储的账号"):
        usable(f"s3://{BUCKET}/data")


def test_wrong_keys_are_said(storage, server):
    def let_in(count: bytes) -> None:
        """How many calls are let in before keys are looked at."""
        address, kind = f"{server}/moto-api/reset-auth", {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(address, data=count, headers=kind, method="POST")).close()

    let_in(b"0")
    try:
        with pytest.raises(PlaceError, match="没有读写权限"):
            usable(f"s3://{BUCKET}/data")
        with pytest.raises(PermissionError) as caught:
            write_atomic(f"s3://{BUCKET}/data/x", b"x")
        assert explained("PermissionError", str(caught.value)) is not None
        done = CliRunner().invoke(gongkai.main, ["verify", f"s3://{BUCKET}/out"])
        assert done.exit_code == 1
        assert "没有读写权限" in done.output
    finally:
        let_in(b"inf")


def test_the_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    for name in ("s3", "s3a"):
        monkeypatch.delitem(import_module("fsspec.registry")._registry, name, raising=False)
    with pytest.raises(PlaceError, match="gongkai\\[s3\\]"):
        usable(f"s3://{BUCKET}/data")


@pytest.mark.parametrize(
    "fault", [fault for fault in faults.known() if fault.names or fault.contains], ids=lambda fault: fault.zh[:8]
)
def test_every_known_fault_is_told_by_its_own_name_or_text(fault):
    said = [explained(name, "") for name in fault.names] + [explained("X", f"a {part} b") for part in fault.contains]
    assert set(said) == {(fault.zh, fault.en)}


def test_a_fault_without_names_is_raised_by_its_id():
    for fault in faults.known():
        assert fault.names or fault.contains or faults.fault_of(fault.id) == fault


def test_other_faults_are_not_explained_away():
    assert explained("ValueError", "no such figure") is None


def test_the_front_door_answers_a_wrong_place_with_one_line(county, storage, tmp_path):
    done = run(county, "s3://mistyped/data", str(county.out), tmp_path / "home")
    assert done.returncode == 2
    assert "存储桶不存在" in done.stderr
    assert "Traceback" not in done.stderr
