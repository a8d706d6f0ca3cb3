"""Published releases as the portal reads them: whole, verified by their own sums, nothing but what is in them.

Belongs here: finding regions and years below OUT, reading the release that counts and the older ones. Does not belong
here: judging figures (verify), pages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
from upath import UPath

from pipelines.publish.history import Event, History, read_history, read_latest
from pipelines.publish.package import SAFE_NAME, SIGNATURE, SUMS, read_sums
from pipelines.publish.release import is_release
from pipelines.publish.tables import read_parquet
from pipelines.storage import Place, catalogue_path, place, releases_path, report_path, sha256
from schemas.descriptor import DESCRIPTOR, resource_path
from schemas.form import Form, load_form

_REGION = re.compile(r"\d{2}(\d{2}(\d{2})?)?")
_YEAR = re.compile(r"20\d{2}")
Row = dict[str, Any]


class SiteError(ValueError):
    """The portal cannot be built; the text (Chinese, then English) says which release and what to do."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One release that stands: its id and its files by path, ``SHA256SUMS`` included, every one as listed there."""

    id: str
    files: Mapping[str, bytes]


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """The release that counts for a region and year, and what went before it. ``older``: newest first.

    ``beside``: the official report and the catalogue records that lie beside the releases, as ``report/NAME`` and
    ``catalogue/NAME``.
    """

    region: str
    year: int
    current: Version
    older: tuple[Version, ...]
    history: History
    descriptor: Mapping[str, Any]
    tables: Mapping[str, pa.Table]
    form: Form
    beside: Mapping[str, bytes] = {}

    @property
    def key(self) -> str:
        """``<region>/<year>``: where its pages are."""
        return f"{self.region}/{self.year}"

    @property
    def synthetic(self) -> bool:
        """Whether the release says that its figures are sample data."""
        return self.descriptor.get("x-synthetic") is True

    def rows(self, table: str) -> list[Row]:
        """The rows of a released table as dictionaries."""
        rows: list[Row] = self.tables[table].to_pylist()
        return rows

    def totals(self) -> dict[str, Decimal | None]:
        """The county's totals by cell id; None: no body gave the figure."""
        table = self.tables["county_totals"]
        return dict(zip(table["cell"].to_pylist(), table["value"].to_pylist(), strict=True))

    @property
    def published(self) -> Event | None:
        """The event by which the current release came to count."""
        events = (e for e in reversed(self.history.events) if e.event == "published" and e.id == self.current.id)
        return next(events, None)

    def facts(self, path: str) -> tuple[int, str]:
        """Size in bytes and SHA-256 of a file of the current release."""
        data = self.current.files[path]
        return len(data), sha256(data)


def dated_folders(out: Place, only: str = "") -> tuple[tuple[str, int], ...]:
    """The (region, year) pairs below ``out`` that have a folder, in order. ``only``: of what stands in a region's
    place, such as the roll-up.
    """
    root = place(out)
    if not (root / only).exists():
        return ()
    regions = [only] if only else sorted(path.name for path in root.iterdir() if _REGION.fullmatch(path.name))
    found = []
    for region in regions:
        years = sorted(path.name for path in (root / region).iterdir() if _YEAR.fullmatch(path.name))
        found += [(region, int(year)) for year in years]
    return tuple(found)


def published_datasets(out: Place) -> tuple[tuple[str, int], ...]:
    """The (region, year) pairs below ``out`` that have a release that counts, in order."""
    return tuple(pair for pair in dated_folders(out) if read_latest(out, *pair) is not None)


def _problem(folder: UPath, name: str) -> SiteError:
    return SiteError(
        f"已发布的版本“{folder.name}”中的“{name}”缺失或与 SHA256SUMS 不符，门户没有更新。"
        "请用 gongkai verify 检查该版本。"
        f" {name!r} of release {folder.name} is missing or differs from SHA256SUMS; the portal was not updated."
        " Check the release with gongkai verify."
    )


def read_version(folder: UPath) -> Version:
    """The release in ``folder``; every file is compared with its sum. Raises SiteError."""
    try:
        sums = (folder / SUMS).read_bytes()
        listed = read_sums(sums)
    except (OSError, ValueError):
        raise _problem(folder, SUMS) from None
    if not is_release(folder):
        raise _problem(folder, SUMS)
    files: dict[str, bytes] = {}
    for name, expected in listed.items():
        try:
            files[name] = (folder / name).read_bytes()
        except OSError:
            raise _problem(folder, name) from None
        if sha256(files[name]) != expected:
            raise _problem(folder, name)
    files[SUMS] = sums
    if (folder / SIGNATURE).exists():
        files[SIGNATURE] = (folder / SIGNATURE).read_bytes()
    return Version(id=folder.name, files=files)


def standing_ids(history: History) -> tuple[str, ...]:
    """The releases that were published and not withdrawn, newest first."""
    published = [event.id for event in history.events if event.event == "published"]
    return tuple(dict.fromkeys(i for i in reversed(published) if history.withdrawal(i) is None))


def read_beside(out: Place, region: str, year: int) -> dict[str, bytes]:
    """The files that lie beside the releases: ``report/NAME`` and ``catalogue/NAME``; empty where there are none."""
    folders = {"report": report_path(out, region, year), "catalogue": catalogue_path(out, region, year)}
    return {
        f"{kind}/{path.name}": path.read_bytes()
        for kind, folder in folders.items()
        if folder.is_dir()
        for path in sorted(folder.iterdir(), key=lambda path: path.name)
        if SAFE_NAME.fullmatch(path.name) and path.is_file()
    }


def read_dataset(out: Place, region: str, year: int) -> Dataset:
    """The dataset of a region and year. Raises SiteError for a release that is damaged, HistoryError."""
    history, latest = read_history(out, region, year), read_latest(out, region, year)
    current = latest.id if latest else history.current
    folder = releases_path(out, region, year)
    version = read_version(folder / current)
    older = tuple(read_version(folder / identifier) for identifier in standing_ids(history) if identifier != current)
    try:
        descriptor = json.loads(version.files[DESCRIPTOR])
        tables = {
            resource["name"]: read_parquet(version.files[resource_path(resource["name"], "parquet")])
            for resource in descriptor["resources"]
            if resource["format"] == "parquet"
        }
        form = load_form(descriptor["x-form-edition"])
    except (KeyError, ValueError, OSError, pa.ArrowException):
        raise _problem(folder / current, DESCRIPTOR) from None
    return Dataset(
        region=region,
        year=year,
        current=version,
        older=older,
        history=history,
        descriptor=descriptor,
        tables=tables,
        form=form,
        beside=read_beside(out, region, year),
    )
