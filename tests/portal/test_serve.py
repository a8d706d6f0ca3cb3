"""The local server: ranges, types, policies, and nothing outside the site's folder."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.publish.portal.pages import POLICY
from pipelines.publish.serve import PAGE_POLICY, TYPES, file_of, wanted_range
from tests.portal.front import serving

DATA = bytes(range(256)) * 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served")
    site = root / "site"
    (site / "releases" / "x").mkdir(parents=True)
    (site / "releases" / "x" / "data.parquet").write_bytes(DATA)
    (site / "releases" / "x" / "report.html").write_text("<p>report", encoding="utf-8")
    (site / "releases" / "x" / "empty.csv").write_bytes(b"")
    (site / "index.html").write_text("<p>front", encoding="utf-8")
    (site / "404.html").write_text("<p>missing", encoding="utf-8")
    (site / "中文.json").write_text("{}", encoding="utf-8")
    (site / ".hidden").write_text("no", encoding="utf-8")
    (root / "secret.txt").write_text("secret", encoding="utf-8")
    (site / "link.txt").symlink_to(root / "secret.txt")
    return site


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with serving(folder) as base:
        yield base.removeprefix("http://")


def ask(address: str, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=2500-", 2500, 2559),
        ("bytes=-8", 2552, 2559),
        ("bytes=5-9999", 5, 2559),
        ("bytes=-99999", 0, 2559),
    ],
)
def test_a_range_is_answered_with_exactly_those_bytes(address: str, header: str, first: int, last: int) -> None:
    status, headers, body = ask(address, "/releases/x/data.parquet", Range=header)
    assert (status, body) == (206, DATA[first : last + 1])
    assert headers["content-range"] == f"bytes {first}-{last}/{len(DATA)}"
    assert headers["content-length"] == str(len(body))


@pytest.mark.parametrize("header", ["bytes=2560-", "bytes=9999-10000", "bytes=-0"])
def test_a_range_that_is_not_there_is_refused(address: str, header: str) -> None:
    status, headers, body = ask(address, "/releases/x/data.parquet", Range=header)
    assert (status, headers["content-range"], body) == (416, f"bytes */{len(DATA)}", b"")


@pytest.mark.parametrize("header", ["bytes=0-1,5-6", "bytes=9-3", "bytes=-", "items=0-1", "bytes=a-b", ""])
def test_other_ranges_get_the_whole_file(address: str, header: str) -> None:
    status, _, body = ask(address, "/releases/x/data.parquet", Range=header)
    assert (status, body) == (200, DATA)


def test_a_range_of_an_empty_file_is_refused_and_the_file_itself_is_not(address: str) -> None:
    assert ask(address, "/releases/x/empty.csv", Range="bytes=0-")[0] == 416
    assert ask(address, "/releases/x/empty.csv")[::2] == (200, b"")
    with pytest.raises(ValueError, match="no such range"):
        wanted_range("bytes=-5", 0)


def test_head_says_the_same_without_a_body(address: str) -> None:
    status, headers, body = ask(address, "/releases/x/data.parquet", "HEAD")
    assert (status, headers["content-length"], headers["accept-ranges"], body) == (200, str(len(DATA)), "bytes", b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_not_known(address: str, method: str) -> None:
    assert ask(address, "/index.html", method)[0] == 501


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/releases/../../secret.txt",
        "/releases/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/..%5csecret.txt",
        "/link.txt",
        "/.hidden",
        "/%00",
        "/%ff",
        "/releases",
        "/" + "a" * 5000,
    ],
)
def test_nothing_outside_the_site_is_served(address: str, path: str) -> None:
    status, headers, body = ask(address, path)
    assert (status, body) == (404, b"<p>missing")
    assert headers["content-security-policy"] == PAGE_POLICY


def test_a_folder_is_its_index_at_an_address_that_ends_with_a_slash(folder: Path, address: str) -> None:
    inner = folder / "inner"
    inner.mkdir(exist_ok=True)
    (inner / "index.html").write_text("<p>inner", encoding="utf-8")
    status, headers, _ = ask(address, "/inner")
    assert (status, headers["location"]) == (301, "/inner/")
    assert ask(address, "/inner/")[::2] == (200, b"<p>inner")
    assert ask(address, "//inner")[1]["location"] == "/inner/"


def test_pages_and_files_have_their_types_and_policies(address: str) -> None:
    _, page, _ = ask(address, "/")
    assert page["content-type"] == TYPES[".html"]
    assert page["content-security-policy"] == PAGE_POLICY == f"{POLICY}; frame-ancestors 'none'"
    assert page["x-content-type-options"] == "nosniff"
    _, report, _ = ask(address, "/releases/x/report.html")
    assert "sandbox" in report["content-security-policy"]
    assert "script-src" not in report["content-security-policy"]
    assert ask(address, "/%E4%B8%AD%E6%96%87.json")[1]["content-type"] == TYPES[".json"]


def test_one_connection_serves_many_requests(address: str) -> None:
    connection = http.client.HTTPConnection(address, timeout=10)
    for _ in range(3):
        connection.request("GET", "/nothing")
        assert connection.getresponse().read() == b"<p>missing"
        connection.request("GET", "/index.html")
        assert connection.getresponse().read() == b"<p>front"
    connection.close()


def test_file_of_names_files_alone(folder: Path) -> None:
    assert file_of(folder, "/releases/x/data.parquet?x=1#y") == folder / "releases" / "x" / "data.parquet"
    assert file_of(folder, "/releases/x/data.parquet/more") is None
