"""The releases that the roll-up adds: which one counts for a region, and its totals, read back and checked.

Belongs here: ``latest``, SHA256SUMS, the totals and the coverage of a region's own release. Does not belong here:
tables in progress (never read here), adding up (pipelines/aggregate/rollup.py).
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
from upath import UPath

from pipelines.publish.arrow import arrow_schema
from pipelines.publish.history import HistoryError, Latest, read_latest
from pipelines.publish.package import SUMS, PackageError, read_sums
from pipelines.publish.rollup_memory import Stamp, stamps_of
from pipelines.publish.tables import UNREADABLE, read_parquet
from pipelines.storage import Place, place, releases_path, sha256
from schemas.descriptor import DESCRIPTOR, resource_path
from schemas.rollup import ReleasedTotals, Unusable
from schemas.tables import load_tables

TOTALS = "county_totals"
TOTALS_FILE, FINDINGS_FILE = resource_path(TOTALS, "parquet"), resource_path("findings", "parquet")
NEEDED = (DESCRIPTOR, TOTALS_FILE, FINDINGS_FILE)
READ = (SUMS, *NEEDED)


class Counting(msgspec.Struct, frozen=True, kw_only=True):
    """The release that counts for a region, as ``latest`` names it; nothing in it has been read yet."""

    code: str
    release: str
    sums_sha256: str


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The files of a release as they were when they had the bytes that these sums stand for, in the order of READ."""

    sums_sha256: str
    stamps: tuple[Stamp, ...]


class _UnusableError(ValueError):
    """Why a release cannot be used, in Chinese and English."""

    def __init__(self, chinese: str, english: str) -> None:
        self.chinese, self.english = chinese, english
        super().__init__(f"{chinese} {english}")


def counting_release(out: Place, region: str, year: int) -> Counting | Unusable | None:
    """What ``latest.json`` names; None where nothing stands, Unusable where the pointer cannot be read."""
    try:
        latest: Latest | None = read_latest(out, region, year)
    except HistoryError:
        return Unusable(
            code=region, release="", reason_zh="latest.json 读不出来", reason_en="latest.json cannot be read"
        )
    if latest is None:
        return None
    return Counting(code=region, release=latest.id, sums_sha256=latest.sha256sums)


def released_regions(out: Place, year: int) -> tuple[str, ...]:
    """The codes below ``out`` that have a release that counts for the year, in order; none is opened."""
    root = place(out)
    if not root.exists():
        return ()
    names = [path.name for path in root.iterdir() if path.name.isdigit() and len(path.name) in (2, 4, 6)]
    return tuple(sorted(name for name in names if (root / name / str(year) / "latest.json").exists()))


def released_totals(out: Place, counting: Counting, year: int) -> tuple[ReleasedTotals | Unusable, Seen | None]:
    """The totals of a release, every byte of them covered by the sums that ``latest`` names; never raises for them.

    They are always read and hashed. Also what to remember of the files, None where that cannot be relied on.
    """
    folder = releases_path(out, counting.code, year) / counting.release
    before = stamps_of(folder, READ)
    try:
        return _read(folder, counting, year), _seen(folder, counting, before)
    except _UnusableError as problem:
        reasons = {"reason_zh": problem.chinese, "reason_en": problem.english}
        return Unusable(code=counting.code, release=counting.release, **reasons), None


def _file(folder: UPath, name: str, digest: str) -> bytes:
    try:
        data = (folder / name).read_bytes()
    except OSError:
        raise _UnusableError(f"文件“{name}”缺失", f"the file {name!r} is missing") from None
    if sha256(data) != digest:
        raise _UnusableError(f"文件“{name}”与 SHA-256 不符", f"the file {name!r} differs from its SHA-256")
    return data


def intact(out: Place, counting: Counting, year: int, seen: Seen | None = None) -> tuple[bool, Seen | None]:
    """Whether what the roll-up reads of a release still has the bytes that ``latest`` stands for, and what to remember
    of it. Files that have the stamps of ``seen`` are those that were compared before; others are read and hashed.
    """
    folder = releases_path(out, counting.code, year) / counting.release
    before = stamps_of(folder, READ)
    if seen is not None and before is not None and seen == Seen(sums_sha256=counting.sums_sha256, stamps=before):
        return True, seen
    try:
        _needed(folder, counting)
    except _UnusableError:
        return False, None
    return True, _seen(folder, counting, before)


def _seen(folder: UPath, counting: Counting, before: tuple[Stamp, ...] | None) -> Seen | None:
    """The stamps of files that were compared just now, if they did not move meanwhile."""
    if before is None or stamps_of(folder, READ) != before:
        return None
    return Seen(sums_sha256=counting.sums_sha256, stamps=before)


def _needed(folder: UPath, counting: Counting) -> dict[str, bytes]:
    """The files that the roll-up reads, each as its sum says."""
    sums = _file(folder, SUMS, counting.sums_sha256)
    if not sha256(sums).startswith(counting.release):
        raise _UnusableError("版本号与 SHA256SUMS 不符", "its id does not follow from SHA256SUMS")
    try:
        listed = read_sums(sums)
        wanted = {name: listed[name] for name in NEEDED}
    except (PackageError, KeyError):
        raise _UnusableError("SHA256SUMS 读不出来或不全", "SHA256SUMS cannot be read or lacks a file") from None
    return {name: _file(folder, name, digest) for name, digest in wanted.items()}


def _read(folder: UPath, counting: Counting, year: int) -> ReleasedTotals:
    files = _needed(folder, counting)
    try:
        descriptor = json.loads(files[DESCRIPTOR])
        table = read_parquet(files[TOTALS_FILE])
        region, coverage = descriptor["x-region"], descriptor["x-coverage"]
        named = (region["code"], descriptor["x-year"])
        licence = "; ".join(one.get("name") or one.get("path", "") for one in descriptor.get("licenses", []))
        edition, power = str(descriptor["x-form-edition"]), region.get("rule_making_power") is True
        expected, accepted = int(coverage["expected"]), int(coverage["accepted"])
        waived = _waived(read_parquet(files[FINDINGS_FILE]))
    except (KeyError, TypeError, AttributeError, *UNREADABLE):
        raise _UnusableError("内容读不出来", "its content cannot be read") from None
    if named != (counting.code, year):
        raise _UnusableError(
            f"说明文件写的是 {named[0]} {named[1]}", f"its descriptor names {named[0]} {named[1]} instead"
        )
    columns = _columns(table, counting.code, year)
    return ReleasedTotals(
        code=counting.code,
        release=counting.release,
        sums_sha256=counting.sums_sha256,
        edition=edition,
        expected=expected,
        accepted=accepted,
        rule_making_power=power,
        licence=licence,
        values=dict(zip(columns["cell"], columns["value"], strict=True)),
        bodies=dict(zip(columns["cell"], columns["bodies"], strict=True)),
        waived=waived,
    )


def _waived(findings: pa.Table) -> tuple[str, ...]:
    """The rules of findings that an approved waiver covers."""
    rows = findings.select(["rule", "waived"]).to_pylist()
    return tuple(sorted({row["rule"] for row in rows if row["waived"]}))


def _columns(table: pa.Table, code: str, year: int) -> dict[str, list[Any]]:
    """The columns that are added, if the table is as declared and speaks of this region and year alone."""
    declared = arrow_schema(load_tables()[TOTALS])
    names = ("region", "year", "cell", "value", "bodies")
    for name in names:
        if name not in table.column_names or table.schema.field(name).type != declared.field(name).type:
            raise _UnusableError(f"{TOTALS}.{name} 与声明不符", f"{TOTALS}.{name} is not as declared")
    columns: dict[str, list[Decimal | str | int | None]] = {name: table[name].to_pylist() for name in names}
    if {*columns["region"]} - {code} or {*columns["year"]} - {year}:
        raise _UnusableError("汇总数属于别的地区或年度", "its totals are of another region or year")
    if len(set(columns["cell"])) != len(columns["cell"]):
        raise _UnusableError("同一格有两个汇总数", "a cell has two totals")
    return columns
