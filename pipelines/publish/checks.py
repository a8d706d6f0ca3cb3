"""What must hold of a release's files, each thing a pure function from files to findings.

Belongs here: sums, sizes, the descriptor, Parquet, CSV, their equality, foreign keys. Does not belong here: the
figures' own truth (figures.py), fetching files (source.py), stopping anything (assets).

The same checks run before a release is published and whenever anybody verifies a downloaded one. The files are then
untrusted: no path or address of the descriptor is ever followed, only files that are in hand are read.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.publish.arrow import TYPES
from pipelines.publish.package import SUMS, PackageError, read_sums
from pipelines.publish.tables import UNREADABLE, read_csv, read_parquet
from pipelines.storage import sha256
from schemas.descriptor import DESCRIPTOR, FIELD_TYPES, descriptor_problems
from schemas.findings import Finding, make_finding

SHOWN = 20  # at most so many findings of one kind about one file; the rest are counted in the last one
_ARROW_TYPES = {name: TYPES[kind] for kind, name in FIELD_TYPES.items()}


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A release in hand: its files by path, its valid descriptor, and the tables of its Parquet files by name."""

    files: Mapping[str, bytes]
    descriptor: Mapping[str, Any]
    tables: Mapping[str, pa.Table]

    @property
    def region(self) -> str:
        """The region code that the descriptor states; "" where it states none."""
        region = self.descriptor.get("x-region")
        code = region.get("code") if isinstance(region, dict) else None
        return code if isinstance(code, str) else ""

    @property
    def year(self) -> int | None:
        """The report year that the descriptor states."""
        year = self.descriptor.get("x-year")
        return year if isinstance(year, int) and not isinstance(year, bool) else None

    def resources(self, fmt: str) -> Iterator[Mapping[str, Any]]:
        """The resources of one format, in the descriptor's order."""
        return (resource for resource in self.descriptor["resources"] if resource["format"] == fmt)


def _short(text: object, most: int = 120) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= most else line[:most] + "…"


def check_sums(files: Mapping[str, bytes]) -> tuple[Finding, ...]:
    """``SHA256SUMS`` against the files in hand: altered (checksum_differs), missing and unlisted ones."""
    if SUMS not in files:
        return (make_finding("release_file_missing", words={"file": SUMS, "list": "README.md"}, file=SUMS),)
    try:
        listed = read_sums(files[SUMS])
    except PackageError as error:
        words = {"file": SUMS, "found": _short(error), "expected": "HASH  NAME", "list": SUMS}
        return (make_finding("checksum_differs", words=words, file=SUMS, found=_short(error)),)
    findings = []
    for name, expected in listed.items():
        if name not in files:
            words = {"file": name, "list": SUMS}
            findings.append(make_finding("release_file_missing", words=words, file=name))
            continue
        found = sha256(files[name])
        if found != expected:
            words = {"file": name, "found": found, "expected": expected, "list": SUMS}
            findings.append(make_finding("checksum_differs", words=words, file=name, found=found, expected=expected))
    findings += [
        make_finding("release_file_unlisted", words={"file": name}, file=name)
        for name in sorted(files)
        if name not in listed and name != SUMS
    ]
    return tuple(findings)


def read_descriptor(
    files: Mapping[str, bytes], passed: Collection[str] = ()
) -> tuple[dict[str, Any] | None, tuple[Finding, ...]]:
    """The parsed ``datapackage.json`` if it is valid, else None and a ``descriptor_invalid`` for each problem.

    ``passed``: names of resources whose description was found right before, in the very same words.
    """
    try:
        descriptor = json.loads(files[DESCRIPTOR].decode("utf-8"))
        problems: Sequence[str] = descriptor_problems(descriptor, passed)
    except KeyError:
        problems = ("the file is missing",)
    except (ValueError, RecursionError) as error:
        problems = (f"not JSON: {_short(error)}",)
    if problems:
        return None, tuple(
            make_finding("descriptor_invalid", words={"problem": _short(problem, 300)}, file=DESCRIPTOR)
            for problem in problems[:SHOWN]
        )
    return descriptor, ()


def check_bytes(files: Mapping[str, bytes], descriptor: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Each resource's ``bytes`` and ``hash`` against its file: bytes_differ, checksum_differs, release_file_missing."""
    findings = []
    for resource in descriptor["resources"]:
        path = resource["path"]
        if path not in files:
            words = {"file": path, "list": DESCRIPTOR}
            findings.append(make_finding("release_file_missing", words=words, file=path))
            continue
        size, expected_size = len(files[path]), resource["bytes"]
        if size != expected_size:
            sizes = {"file": path, "found": size, "expected": expected_size}
            findings.append(make_finding("bytes_differ", words=sizes, file=path, found=size, expected=expected_size))
        found, expected = sha256(files[path]), resource["hash"].removeprefix("sha256:")
        if found != expected:
            words = {"file": path, "found": found, "expected": expected, "list": DESCRIPTOR}
            findings.append(make_finding("checksum_differs", words=words, file=path, found=found, expected=expected))
    return tuple(findings)


def _type_problem(table: pa.Table, fields: Sequence[Mapping[str, Any]]) -> str:
    names = [field["name"] for field in fields]
    if table.column_names != names:
        return f"columns {table.column_names}, expected {names}"
    for field in fields:
        expected, found = _ARROW_TYPES.get(field.get("type", "")), table.schema.field(field["name"]).type
        if found != expected:
            return f"{field['name']}: type {found}, expected {expected}"
    return ""


def read_tables(
    files: Mapping[str, bytes], descriptor: Mapping[str, Any]
) -> tuple[dict[str, pa.Table], tuple[Finding, ...]]:
    """The tables of the Parquet files by resource name, and a ``parquet_invalid`` for each that is not as described."""
    tables: dict[str, pa.Table] = {}
    findings = []
    for resource in descriptor["resources"]:
        path = resource["path"]
        if resource["format"] != "parquet" or path not in files:
            continue
        try:
            table = read_parquet(files[path])
            problem = _type_problem(table, resource["schema"]["fields"])
        except UNREADABLE as error:
            problem = _short(error)
        if problem:
            words = {"file": path, "problem": problem}
            findings.append(make_finding("parquet_invalid", words=words, file=path))
        else:
            tables[resource["name"]] = table
    return tables, tuple(findings)


def check_csv(files: Mapping[str, bytes], descriptor: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Every CSV twin against its Table Schema: types, required, value sets, primary and foreign keys (frictionless).

    frictionless gets a descriptor of the CSV twins alone, whose paths lie in a folder that we wrote: it follows no
    other path and no address. What it cannot work with is a finding too.
    """
    from frictionless import Package, system

    parts = [resource for resource in descriptor["resources"] if resource["format"] == "csv"]
    parts = [resource for resource in parts if resource["path"] in files]
    if not parts:
        return ()
    kept = ("name", "type", "format", "mediatype", "encoding", "dialect", "bytes", "hash", "schema")
    with tempfile.TemporaryDirectory(prefix="gongkai-") as folder:
        resources = []
        for position, resource in enumerate(parts):
            name = f"{position}.csv"
            Path(folder, name).write_bytes(files[resource["path"]])
            described = {key: resource[key] for key in kept if key in resource}
            resources.append(described | {"path": name, "schema": _without_patterns(resource["schema"])})
        try:
            with system.use_context(trusted=False):
                package = {"$schema": descriptor["$schema"], "resources": resources}
                report = Package.from_descriptor(package, basepath=folder).validate(limit_errors=SHOWN)
        except Exception as error:  # noqa: BLE001 - a strange descriptor may make it raise anything
            return (_csv_finding(DESCRIPTOR, None, f"{type(error).__name__}: {error}"),)
    if report.valid:
        return ()
    paths = {resource["name"]: resource["path"] for resource in parts}
    findings = [_csv_finding(DESCRIPTOR, None, error.message) for error in report.errors]
    for task in report.tasks:
        path = paths.get(task.name, task.name)
        findings += [_csv_finding(path, getattr(error, "row_number", None), error.message) for error in task.errors]
    # A report that is not valid and names no error would be a fault of the checker: it must not pass for a valid one.
    return tuple(findings) or (_csv_finding("data/*.csv", None, "the report is not valid"),)


def _without_patterns(schema: Mapping[str, Any]) -> dict[str, Any]:
    """``schema`` without regular expressions: our tables have none, and a stranger's might never come to an end."""
    fields = []
    for field in schema["fields"]:
        constraints = field.get("constraints")
        if isinstance(constraints, dict) and "pattern" in constraints:
            kept = {name: value for name, value in constraints.items() if name != "pattern"}
            fields.append(field | {"constraints": kept})
        else:
            fields.append(field)
    return {**schema, "fields": fields}


def _csv_finding(path: str, row: int | None, message: str) -> Finding:
    words = {
        "file": path,
        "row_zh": f"第 {row} 行" if row else "",
        "row_en": f" row {row}" if row else "",
        "problem": _short(message, 200),
    }
    return make_finding("csv_invalid", words=words, file=path, address=f"第 {row} 行 / row {row}" if row else "")


def _difference(parquet: pa.Table, twin: pa.Table) -> tuple[str, str, str, str] | None:
    """Where two tables differ first (Chinese, English), what the CSV has there and what the Parquet file has."""
    if twin.column_names != parquet.column_names:
        return "列名", "column names", ", ".join(twin.column_names), ", ".join(parquet.column_names)
    if twin.num_rows != parquet.num_rows:
        return "行数", "number of rows", str(twin.num_rows), str(parquet.num_rows)
    for name in parquet.column_names:
        if not twin[name].equals(parquet[name]):
            pairs = zip(twin[name].to_pylist(), parquet[name].to_pylist(), strict=True)
            row, (found, expected) = next((n, pair) for n, pair in enumerate(pairs, 1) if pair[0] != pair[1])
            return f"第 {row} 条记录的 {name}", f"{name} of record {row}", _said(found), _said(expected)
    return None


def _said(value: object) -> str:
    return "空 (empty)" if value is None else _short(value)


def check_twins(release: Release) -> tuple[Finding, ...]:
    """Each CSV file, read by the types of its Parquet twin, holds exactly the same table: else twin_differs."""
    findings = []
    paths = {resource["name"]: resource["path"] for resource in release.resources("csv")}
    for resource in release.resources("parquet"):
        path = paths[f"{resource['name']}_csv"]
        parquet = release.tables.get(resource["name"])
        if parquet is None or path not in release.files:
            continue  # already a finding
        try:
            differs = _difference(parquet, read_csv(release.files[path], parquet.schema))
        except UNREADABLE as error:
            differs = ("读取", "reading", _short(error), "")
        if differs:
            place_zh, place_en, found, expected = differs
            words = {
                "file": path,
                "place_zh": place_zh,
                "place_en": place_en,
                "found": found,
                "expected": expected,
            }
            findings.append(make_finding("twin_differs", words=words, file=path, found=found, expected=expected))
    return tuple(findings)


def _keys(table: pa.Table, fields: Sequence[str]) -> set[tuple[Any, ...]]:
    """The distinct keys of a table; a key that holds a null points nowhere and is left out."""
    if len(fields) == 1:
        return {(value,) for value in pc.unique(table[fields[0]]).to_pylist() if value is not None}
    columns = [table[field].to_pylist() for field in fields]
    return {key for key in zip(*columns, strict=True) if None not in key}


def check_foreign_keys(release: Release) -> tuple[Finding, ...]:
    """Every foreign key of the Parquet tables finds its target: else foreign_key_broken, once per key."""
    findings = []
    for resource in release.resources("parquet"):
        table = release.tables.get(resource["name"])
        for key in resource["schema"].get("foreignKeys", []) if table is not None else []:
            target = release.tables.get(key["reference"]["resource"])
            if target is None:
                continue  # already a finding
            lost = _keys(table, key["fields"]) - _keys(target, key["reference"]["fields"])
            if lost:
                values = sorted("/".join(str(part) for part in value) for value in lost)
                words = {
                    "file": resource["path"],
                    "fields": ", ".join(key["fields"]),
                    "count": len(lost),
                    "target": key["reference"]["resource"],
                    "examples": _short(", ".join(values[:3])),
                }
                findings.append(make_finding("foreign_key_broken", words=words, file=resource["path"], found=values[0]))
    return tuple(findings)
