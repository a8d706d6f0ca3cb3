"""A release is verified wherever it lies: folder, pointer, other storage, web; and no place makes it raise."""

from __future__ import annotations

import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from upath import UPath

from pipelines.publish import source
from pipelines.publish.package import SUMS, build_package
from pipelines.publish.release import publish, withdraw
from pipelines.publish.source import SourceError, open_release
from pipelines.publish.verify import verify
from tests.publish.county import CODE, YEAR, county, form, region


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return build_package(region(), YEAR, county(), form())


@pytest.fixture
def out(tmp_path: Path, files: dict[str, bytes]) -> Path:
    publish(files, tmp_path / "out", CODE, YEAR)
    return tmp_path / "out"


@pytest.fixture
def place(out: Path) -> Path:
    return out / CODE / str(YEAR)


class Handler(http.server.SimpleHTTPRequestHandler):
    """A plain web server that says nothing and sends /away elsewhere."""

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        if self.path.startswith("/away/"):
            self.send_response(302)
            self.send_header("Location", self.path.replace("/away/", "/"))
            self.end_headers()
        elif self.path.startswith("/file/"):
            self.send_response(302)
            self.send_header("Location", "file:///etc/hostname")
            self.end_headers()
        elif self.path.startswith("/broken/"):
            self.send_error(500)
        else:
            super().do_GET()


@pytest.fixture
def web(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=place)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_published_release_is_valid(place: Path) -> None:
    (release,) = (place / "releases").iterdir()
    for where in (release, str(release), place, place / "latest", UPath(release)):
        report = verify(where)
        assert (report.valid, report.findings, report.id) == (True, (), release.name)
        assert report.files == 15


def test_a_downloaded_folder_needs_nothing_around_it(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = tmp_path / "alone"
    shutil.copytree(place / "latest", alone)
    monkeypatch.chdir(alone)
    assert verify(".").valid


def test_an_altered_file_makes_a_release_invalid(place: Path) -> None:
    target = place / "latest" / "data" / "county_totals.csv"
    target.chmod(0o644)
    target.write_bytes(target.read_bytes().replace(b",1,", b",2,", 1) + b"x")
    report = verify(place)
    assert not report.valid
    assert {"checksum_differs", "bytes_differ", "twin_differs"} <= {f.rule for f in report.findings}


def test_files_missing_or_added_in_the_folder_are_seen(place: Path) -> None:
    (place / "latest" / "README.md").unlink()
    (place / "latest" / "data" / "note.txt").write_text("x")
    report = verify(place)
    assert {(f.rule, f.file) for f in report.findings} == {
        ("release_file_missing", "README.md"),
        ("release_file_unlisted", "data/note.txt"),
    }


def test_over_the_web(web: str, place: Path) -> None:
    release = str((place / "latest").readlink())
    for address in (f"{web}/", web, f"{web}/latest", f"{web}/{release}/", f"{web}/away/{release}", f"{web}/?a=b#c"):
        report = verify(address)
        assert (report.valid, report.findings) == (True, ()), address
        assert report.id == release.rsplit("/")[-1]


def test_over_the_web_a_missing_file_is_seen(web: str, place: Path) -> None:
    (place / "latest" / "data" / "bodies.csv").unlink()
    report = verify(web)
    assert "release_file_missing" in {f.rule for f in report.findings}


def test_over_the_web_a_withdrawn_release_says_so(web: str, place: Path, out: Path) -> None:
    release = str((place / "latest").readlink())
    withdraw(out, CODE, YEAR, release.rsplit("/")[-1], "总数有误", "张三")
    report = verify(f"{web}/{release}")
    assert [f.rule for f in report.findings] == ["release_withdrawn"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [("nothing/", "没有 SHA256SUMS"), ("broken/", "服务器回答 500"), ("file/", "服务器回答 302")],
)
def test_a_web_place_without_a_release(web: str, path: str, reason: str) -> None:
    report = verify(f"{web}/{path}")
    assert [f.rule for f in report.findings] == ["release_unreadable"]
    assert reason in report.findings[0].message_zh


def test_a_server_that_does_not_answer() -> None:
    report = verify("http://127.0.0.1:9/")
    assert [f.rule for f in report.findings] == ["release_unreadable"]
    assert not report.valid


def test_a_withdrawn_release_is_not_valid_though_its_bytes_are(out: Path, place: Path) -> None:
    (release,) = (place / "releases").iterdir()
    withdraw(out, CODE, YEAR, release.name, "总数有误", "张三")
    report = verify(release)
    assert not report.valid
    assert [f.rule for f in report.findings] == ["release_withdrawn"]
    assert "总数有误（张三）" in report.findings[0].message_zh


def test_on_other_storage(files: dict[str, bytes]) -> None:
    out = UPath("memory://verify-test")
    published = publish(files, out, CODE, YEAR)
    assert verify(published.path).valid
    report = verify(out / CODE / str(YEAR))
    assert (report.valid, report.id) == (True, published.id)
    withdraw(out, CODE, YEAR, published.id, "总数有误", "张三")
    assert [f.rule for f in verify(published.path).findings] == ["release_withdrawn"]
    out.fs.rm(out.path, recursive=True)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "路径不存在"),
        (lambda path: path.write_text("x"), "不是目录"),
        (lambda path: path.mkdir(), "没有 SHA256SUMS"),
        (lambda path: [path.mkdir(), (path / "latest.json").write_text("{")], "latest.json 读不出来"),
        (
            lambda path: [
                path.mkdir(),
                (path / "latest.json").write_text('{"id": "a", "path": "../../etc", "sha256sums": ""}'),
            ],
            "latest.json 指向别处",
        ),
        (
            lambda path: [
                path.mkdir(),
                (path / "latest.json").write_text('{"id": "a", "path": "releases/0123456789abcdef", "sha256sums": ""}'),
            ],
            "没有 SHA256SUMS",
        ),
    ],
)
def test_a_place_without_a_release_is_a_finding(tmp_path: Path, make: object, reason: str) -> None:
    make(tmp_path / "here")  # type: ignore[operator]
    report = verify(tmp_path / "here")
    assert [f.rule for f in report.findings] == ["release_unreadable"]
    assert reason in report.findings[0].message_zh
    assert (report.valid, report.id, report.files) == (False, "", 0)


def test_sums_never_lead_out_of_the_folder(place: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    sums = place / "latest" / SUMS
    sums.chmod(0o644)
    sums.write_text(f"{'0' * 64}  ../../../../secret\n")
    assert "secret" not in open_release(place).files
    assert "checksum_differs" in {f.rule for f in verify(place).findings}


def test_files_too_large_are_not_read(place: Path, monkeypatch: pytest.MonkeyPatch, web: str) -> None:
    monkeypatch.setattr(source, "LARGEST_FILE", 5_000)
    for where in (place, web):
        report = verify(where)
        assert [f.rule for f in report.findings] == ["release_unreadable"]
        assert "过大" in report.findings[0].message_zh
    monkeypatch.setattr(source, "LARGEST_FILE", 10**9)
    monkeypatch.setattr(source, "LARGEST_RELEASE", 50_000)
    with pytest.raises(SourceError, match="altogether"):
        open_release(place)


def test_a_damaged_record_beside_a_release_does_not_stop_its_verification(place: Path) -> None:
    (place / "history.json").write_text("{")
    assert verify(place).valid


def test_a_file_that_may_not_be_read_is_a_finding(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    report = verify(place)
    assert [f.rule for f in report.findings] == ["release_unreadable"]
    assert "Permission denied" in report.findings[0].message_en


def test_the_report_is_data(place: Path) -> None:
    import msgspec

    text = json.loads(msgspec.json.encode(verify(place)))
    assert text["valid"] is True
