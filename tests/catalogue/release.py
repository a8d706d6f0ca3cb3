"""A small synthetic release and its descriptor, as the catalogue's tests need them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from pipelines.publish.catalogue import catalogue_records
from pipelines.publish.package import build_package
from tests.publish import county

BASE = "https://data.example.org/511725/2023/latest/"
RELEASE = "0123456789abcdef"


@cache
def package() -> dict[str, bytes]:
    return build_package(county.region(), county.YEAR, county.county(), county.form())


def descriptor() -> dict[str, Any]:
    return json.loads(package()["datapackage.json"])


def records(base_url: str = "", **given: Any) -> dict[str, bytes]:
    return catalogue_records(descriptor(), county.region(), base_url, **({"release": RELEASE} | given))


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
