"""The site as files: what must be built anew, what still stands, and the swap that makes it visible whole.

Belongs here: planning, reuse, putting files in place. Does not belong here: what the files hold (pages.py, exports.py).

The site is a function of the published releases and of this program: the same releases give the same bytes. Each
region and year has a key over everything its pages depend on; where ``site.json`` of the standing site has the same
key and its files still hold their sums, they are taken over, otherwise they are built anew. The new site is built
beside the old one and the two folders change places in one step, so that a reader never meets half a site.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from pipelines.publish.history import read_history
from pipelines.publish.package import SIGNATURE, SUMS
from pipelines.publish.portal.exports import is_long, json_table, workbook_bytes, zip_bytes
from pipelines.publish.portal.gone import gone_datasets, gone_page
from pipelines.publish.portal.pages import catalogue_page, dataset_pages, missing_page, region_page, summary
from pipelines.publish.portal.record import offered_beside
from pipelines.publish.portal.releases import Dataset, published_datasets, read_beside, read_dataset, standing_ids
from pipelines.publish.portal.rollup import read_rollup, rollup_files, rollup_summary, rollup_years, rollups_page
from pipelines.publish.portal.swap import put_site, swap_site
from pipelines.storage import ROLLUP, Place, history_path, latest_path, local, locked, place, releases_path, sha256
from schemas.tables import load_tables

HERE = Path(__file__).parent
INDEX = "site.json"
ASSETS = "assets"
BUILD = "build-"
Files = dict[str, bytes]


class SiteFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the site by path, with its size and SHA-256."""

    path: str
    bytes: int
    sha256: str


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The pages and downloads of one region and year. ``key``: the hash of everything that they depend on."""

    region: str
    year: int
    release: str
    key: str
    summary: dict[str, Any]
    files: tuple[SiteFile, ...]


class SiteIndex(msgspec.Struct, frozen=True, kw_only=True):
    """``site.json``: the catalogue for programs, and what the next build reuses."""

    parts: tuple[Part, ...] = ()
    files: tuple[SiteFile, ...] = ()


class SiteReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a build did: regions and years built anew and taken over, and the size of the whole site."""

    rebuilt: tuple[tuple[str, int], ...]
    reused: tuple[tuple[str, int], ...]
    pages: int
    files: int
    bytes: int
    changed: bool


@cache
def builder_key() -> str:
    """The hash of this program as far as pages depend on it: the code and templates of this wing, the schemas, and the
    versions of the libraries that write pages and workbooks. Taken once a process, as the code is.
    """
    project = HERE.parents[2]
    folders = (HERE.parent, project / "schemas")
    paths = [
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in {".py", ".html", ".css", ".js", ".toml", ".txt"} and "__pycache__" not in path.parts
    ]
    paths.append(project / "pipelines" / "layout.py")
    lines = [f"{sha256(path.read_bytes())}  {path.relative_to(project).as_posix()}\n" for path in sorted(paths)]
    lines += [f"{name} {version(name)}\n" for name in ("jinja2", "xlsxwriter")]
    return sha256("".join(lines).encode())


def _key(builder: str, out: Place, region: str, year: int, beside: str = "") -> str:
    """What the pages of a region and year depend on: the program, the record, the sums of every release that stands;
    ``beside``: what else the pages of a roll-up depend on.
    """
    seen = [builder.encode(), beside.encode()]
    seen += [path.read_bytes() for path in (latest_path(out, region, year), history_path(out, region, year))]
    for identifier in standing_ids(read_history(out, region, year)):
        for name in (SUMS, SIGNATURE):
            path = releases_path(out, region, year) / identifier / name
            seen.append(path.read_bytes() if path.exists() else b"")
    for name, data in read_beside(out, region, year).items():
        seen += [name.encode(), data]
    return sha256(b"\0".join(sha256(data).encode() for data in seen))


def static_files() -> Files:
    """The script, the style sheet and their licences, as they stand in ``static/``."""
    folder = HERE / "static"
    return {f"{ASSETS}/{path.name}": path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def derived_files(dataset: Dataset) -> Files:
    """The portal's own downloads by their address below the dataset's page."""
    folder = f"files/{dataset.current.id}"
    name = f"{dataset.descriptor['name']}-{dataset.current.id}"
    files = {
        f"{folder}/{name}.xlsx": workbook_bytes(dataset),
        f"{folder}/{name}.zip": zip_bytes(dataset.current, name),
    }
    for table in load_tables().released:
        if not is_long(dataset.tables[table.id]):
            files[f"{folder}/{table.id}.json"] = json_table(dataset.tables[table.id])
    return files


def dataset_files(dataset: Dataset) -> Files:
    """Everything below ``<region>/<year>/`` of the site: pages, downloads, every release that stands."""
    derived = derived_files(dataset)
    files = {**dataset_pages(dataset, derived), **derived, **offered_beside(dataset)}
    for release in (dataset.current, *dataset.older):
        files |= {f"releases/{release.id}/{name}": data for name, data in release.files.items()}
    return {f"{dataset.key}/{name}": data for name, data in sorted(files.items())}


def _facts(files: Mapping[str, bytes]) -> tuple[SiteFile, ...]:
    return tuple(SiteFile(path=path, bytes=len(data), sha256=sha256(data)) for path, data in sorted(files.items()))


def _standing(portal: Place) -> SiteIndex:
    """The index of the site that stands; an empty one where there is none or it cannot be read."""
    try:
        return msgspec.json.decode((place(portal) / INDEX).read_bytes(), type=SiteIndex)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return SiteIndex()


def _whole(portal: Place, files: Iterable[SiteFile]) -> bool:
    """Whether the files of the standing site still hold what the index says."""
    root = place(portal)
    try:
        return all(sha256((root / file.path).read_bytes()) == file.sha256 for file in files)
    except OSError:
        return False


def build_site(out: Place, portal: Place) -> SiteReport:
    """Build the portal of everything published below ``out`` and put it at ``portal``, whole, in one step.

    Nothing but published releases is read. Raises SiteError for a damaged release and HistoryError for a damaged
    record; the old site then still stands.
    """
    here = local(portal)
    working = place(portal).parent / f".{place(portal).name}"
    with locked(working):
        return _build(out, portal, here, None if here is None else Path(working.path))


def _build(out: Place, portal: Place, here: Path | None, working: Path | None) -> SiteReport:
    if working is not None:
        for leftover in working.glob(f"{BUILD}*"):
            shutil.rmtree(leftover)
    builder, standing = builder_key(), _standing(portal)
    earlier = {(part.region, part.year): part for part in standing.parts}
    fresh: Files = {}
    parts: list[Part] = []
    rebuilt: list[tuple[str, int]] = []
    reused: list[tuple[str, int]] = []
    read: dict[tuple[str, int], Dataset] = {}
    for region, year in published_datasets(out):
        key, old = _key(builder, out, region, year), earlier.get((region, year))
        if old and old.key == key and _whole(portal, old.files):
            parts.append(old)
            reused.append((region, year))
            continue
        dataset = read_dataset(out, region, year)
        read[region, year] = dataset
        files = dataset_files(dataset)
        fresh |= files
        rebuilt.append((region, year))
        parts.append(
            Part(
                region=region,
                year=year,
                release=dataset.current.id,
                key=key,
                summary=summary(dataset),
                files=_facts(files),
            )
        )
    datasets = sorted(f"{part.region}/{part.year}" for part in parts)
    for year in rollup_years(out):
        key, old = _key(builder, out, ROLLUP, year, "\n".join(datasets)), earlier.get((ROLLUP, year))
        if old and old.key == key and _whole(portal, old.files):
            parts.append(old)
            reused.append((ROLLUP, year))
            continue
        rolled = read_rollup(out, year)
        files = rollup_files(rolled, datasets)
        fresh |= files
        rebuilt.append((ROLLUP, year))
        told, identifier = rollup_summary(rolled), rolled.current.id
        parts.append(Part(region=ROLLUP, year=year, release=identifier, key=key, summary=told, files=_facts(files)))
    shared = _shared(out, parts, read, standing, portal)
    index = SiteIndex(parts=tuple(parts), files=_facts(shared))
    shared[INDEX] = (json.dumps(msgspec.to_builtins(index), ensure_ascii=False, indent=1) + "\n").encode()
    kept = [file for part in parts if (part.region, part.year) in reused for file in part.files]
    fresh |= shared
    changed = bool(rebuilt) or index != standing or not _whole(portal, index.files)
    if changed:
        if here is None or working is None:
            put_site(fresh, [file.path for file in kept], portal, last=INDEX)
        else:
            swap_site(fresh, [file.path for file in kept], here, working / f"{BUILD}{secrets.token_hex(6)}")
    sizes = [len(data) for data in fresh.values()] + [file.bytes for file in kept]
    pages = sum(1 for path in [*fresh, *(file.path for file in kept)] if path.endswith(".html"))
    return SiteReport(
        rebuilt=tuple(rebuilt),
        reused=tuple(reused),
        pages=pages,
        files=len(sizes),
        bytes=sum(sizes),
        changed=changed,
    )


def _shared(
    out: Place, parts: list[Part], read: Mapping[tuple[str, int], Dataset], standing: SiteIndex, portal: Place
) -> Files:
    """The pages above the datasets: the catalogue, the pages of regions, the script and the style sheet."""
    rolled = [part.summary for part in parts if part.region == ROLLUP]
    parts = [part for part in parts if part.region != ROLLUP]
    gone = gone_datasets(out)
    listed = [(one.page, one.title, one.title_en) for one in gone]
    files = {
        **static_files(),
        "404.html": missing_page(),
        "index.html": catalogue_page([part.summary for part in parts], [one["year"] for one in rolled], listed),
        **{one.page: gone_page(one) for one in gone},
    }
    rolled_back = [one.year for one in gone if one.region == ROLLUP]
    if rolled or rolled_back:
        files[f"{ROLLUP}/index.html"] = rollups_page(rolled, rolled_back)
    for region in dict.fromkeys(part.region for part in parts):
        path = f"{region}/index.html"
        now = [part for part in parts if part.region == region]
        before = [part for part in standing.parts if part.region == region]
        old = [file for file in standing.files if file.path == path]
        if now == before and old and _whole(portal, old):
            files[path] = (place(portal) / path).read_bytes()
            continue
        years = [part.year for part in now]
        files[path] = region_page([read.get((region, year)) or read_dataset(out, region, year) for year in years])
    return files
