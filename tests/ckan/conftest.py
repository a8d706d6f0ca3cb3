"""One CKAN for the session, two releases of a small synthetic county to push to it, and a line that can be cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
from ckanapi.errors import NotFound

from pipelines.publish.ckan import STAGING, Pushed, push
from pipelines.publish.ckan_record import PATH, RELEASE, dataset_name
from pipelines.publish.package import build_package
from pipelines.publish.release import publish
from pipelines.storage import sha256
from schemas.region import Region
from tests.ckan.line import Line, line_to
from tests.ckan.portal import ORGANISATION, Portal, running_portal, why_not
from tests.publish.county import CODE, YEAR, county, form
from tests.publish.county import region as sample_region

NAME = dataset_name(CODE, YEAR)


def declared(**settings: object) -> Region:
    """The county of these tests, published for the organisation of their portal."""
    region = sample_region()
    changed = {"ckan_organisation": ORGANISATION, **settings}
    return msgspec.structs.replace(region, settings=msgspec.structs.replace(region.settings, **changed))


@cache
def package(seed: int) -> dict[str, bytes]:
    return build_package(declared(), YEAR, county(3, seed), form())


class Releases:
    """Two release folders, each with the release that counts there, and how to push them."""

    def __init__(self, root: Path) -> None:
        self.first, self.second = root / "first", root / "second"
        self.ids = {
            out: publish(package(seed), out, CODE, YEAR).id for seed, out in ((1, self.first), (2, self.second))
        }

    def files(self, out: Path) -> dict[str, bytes]:
        folder = out / CODE / str(YEAR) / "releases" / self.ids[out]
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    return Releases(tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="session")
def ckan() -> Iterator[Portal]:
    if reason := why_not():
        pytest.skip(reason)
    with running_portal() as portal:
        yield portal


@pytest.fixture
def portal(ckan: Portal) -> Iterator[Portal]:
    """The portal, without any dataset."""
    yield ckan
    for name in (NAME, NAME + STAGING):
        with suppress(NotFound):
            ckan.action("dataset_purge", id=name)


@pytest.fixture
def line(portal: Portal) -> Iterator[Line]:
    with line_to(portal.url) as found:
        yield found


def send(portal: Portal, out: Path, *, url: str = "", key: str = "", attempts: int = 1, **region: object) -> Pushed:
    place = declared(**region)
    return push(out, place, YEAR, url=url or portal.url, key=key or portal.key, attempts=attempts, pause=0.01)


def seen(portal: Portal, name: str = NAME) -> dict[str, Any] | None:
    """The dataset as anybody sees it, None where it cannot be seen."""
    answer = requests.get(f"{portal.url}/api/3/action/package_show", params={"id": name}, timeout=30)
    return answer.json()["result"] if answer.status_code == 200 else None


def downloads(dataset: dict[str, Any]) -> dict[str, bytes]:
    """What anybody gets, by the path inside the release."""
    got = {}
    for resource in dataset["resources"]:
        answer = requests.get(resource["url"], timeout=30)
        assert answer.status_code == 200, resource["url"]
        got[resource[PATH]] = answer.content
    return got


def assert_whole(dataset: dict[str, Any]) -> str:
    """Every file of one release, fields and bytes; its id."""
    (release,) = {resource[RELEASE] for resource in dataset["resources"]} | {dataset["version"]}
    got = downloads(dataset)
    sums = got["SHA256SUMS"]
    assert sha256(sums)[:16] == release
    for resource in dataset["resources"]:
        assert sha256(got[resource[PATH]]) == resource["hash"]
        assert len(got[resource[PATH]]) == resource["size"]
    listed = dict(reversed(line.split("  ")) for line in sums.decode().splitlines())
    for path, data in got.items():
        if path in listed:
            assert sha256(data) == listed[path]
    assert {path for path in listed if path.startswith("data/")} <= set(got)
    return str(release)
