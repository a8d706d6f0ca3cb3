"""All files of a release, built in memory from the released tables: the same tables, the same bytes.

Belongs here: which files a release has and how they are sealed. Does not belong here: judging them (checks.py),
putting them in place (release.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import pyarrow as pa

from pipelines.publish.arrow import TableMismatchError, ToArrow, to_arrow
from pipelines.publish.readme import release_readme
from pipelines.publish.tables import csv_bytes, parquet_bytes
from pipelines.storage import sha256
from schemas.descriptor import DESCRIPTOR, Coverage, FileFacts, package_descriptor, resource_path
from schemas.form import Form
from schemas.region import Region
from schemas.tables import load_tables

SUMS = "SHA256SUMS"
SIGNATURE = f"{SUMS}.sig"  # beside the files of a release, where it is signed (signature.py)
README = "README.md"
# Names that mean the same on every file system and need no escaping in SHA256SUMS or in a web address.
SAFE_NAME = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.-]*(/[0-9A-Za-z_][0-9A-Za-z_.-]*)*")
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


class PackageError(ValueError):
    """The tables do not make a release; the text says which one and why."""


def coverage_of(bodies: pa.Table) -> Coverage:
    """Who stands behind a release, from its ``bodies`` table."""
    rows = bodies.select(["body", "status"]).to_pylist()
    return Coverage(
        expected=len(rows),
        accepted=sum(row["status"] == "accepted" for row in rows),
        waived=tuple(sorted(row["body"] for row in rows if row["status"] == "waived")),
    )


def json_bytes(value: object) -> bytes:
    """JSON for people and machines: UTF-8, two spaces, keys in the order given, a newline at the end."""
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def sums_of(files: Mapping[str, bytes]) -> bytes:
    """``SHA256SUMS`` over ``files`` (itself left out), sorted by name, as ``sha256sum -c`` reads it.

    Raises PackageError for a file name that is not plain.
    """
    for name in files:
        if not SAFE_NAME.fullmatch(name):
            raise PackageError(f"not a plain file name: {name!r}")
    return "".join(f"{sha256(files[name])}  {name}\n" for name in sorted(files) if name != SUMS).encode()


def read_sums(data: bytes) -> dict[str, str]:
    """Hash by file name from a ``SHA256SUMS``. Raises PackageError for a line or a name that is not of our making."""
    found: dict[str, str] = {}
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise PackageError(f"{SUMS}: not text") from None
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None or not SAFE_NAME.fullmatch(match.group(2)) or match.group(2) in (*found, SUMS):
            raise PackageError(f"{SUMS}:{number}: {line[:120]!r}")
        found[match.group(2)] = match.group(1)
    if not found:
        raise PackageError(f"{SUMS}: empty")
    return found


def _tables(tables: Mapping[str, pa.Table | ToArrow], form: Form) -> dict[str, pa.Table]:
    declared = load_tables().released
    missing = [table.id for table in declared if table.id not in tables]
    if missing:
        raise PackageError(f"released tables missing: {', '.join(missing)}")
    try:
        return {table.id: to_arrow(tables[table.id], table, cell_order=form.index) for table in declared}
    except TableMismatchError as error:
        raise PackageError(str(error)) from None


def build_package(
    region: Region,
    year: int,
    tables: Mapping[str, pa.Table | ToArrow],
    form: Form,
    extra: Mapping[str, bytes] | None = None,
) -> dict[str, bytes]:
    """Every file of a release by its path, sorted, ``SHA256SUMS`` included.

    ``tables``: at least the released tables of ``tables.toml`` by id (polars frames or Arrow tables); others are
    ignored. ``extra``: further files (an official report, catalogue records) that are sealed with the rest. Pure: no
    clock, host, software version or history enters the bytes. Raises PackageError for a table that is missing or is
    not as declared, or a file name that is taken or not plain.
    """
    released = _tables(tables, form)
    files: dict[str, bytes] = {}
    for name, table in released.items():
        files[resource_path(name, "parquet")] = parquet_bytes(table)
        files[resource_path(name, "csv")] = csv_bytes(table)
    facts = {path: FileFacts(bytes=len(data), sha256=sha256(data)) for path, data in files.items()}
    coverage = coverage_of(released["bodies"])
    files[DESCRIPTOR] = json_bytes(package_descriptor(region, year, form, coverage, facts))
    files[README] = release_readme(region, year, form, coverage, released).encode("utf-8")
    for name, data in (extra or {}).items():
        if name in files or name == SUMS:
            raise PackageError(f"the file name is taken: {name!r}")
        files[name] = data
    files[SUMS] = sums_of(files)
    return dict(sorted(files.items()))
