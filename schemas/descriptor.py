"""The Data Package descriptor (v2) of a release, derived from the form, the tables and the region's settings.

Belongs here: the shape and the texts of ``datapackage.json``, and what makes a descriptor valid. Does not belong here:
the bytes that it describes (pipelines/publish/package.py), other catalogues' records.

Each table is two resources of the same basename: ``NAME`` (Parquet) and ``NAME_csv``. A foreign key points to the twin
of the same format, so that a tool that reads only one format still checks it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import msgspec

from schemas.form import Form, Kind
from schemas.frames import VALUES
from schemas.region import Body, IndicatorDeclaration, Region, RegionSettings
from schemas.rollup import KIND, PLACE_LEVELS, Outcome
from schemas.tables import Field, FieldType, Tables, TableSchema, load_tables

PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
DESCRIPTOR = "datapackage.json"
Format = Literal["parquet", "csv"]
FORMATS: tuple[Format, ...] = ("parquet", "csv")
SUFFIX: dict[Format, str] = {"parquet": "", "csv": "_csv"}
MEDIATYPES: dict[Format, str] = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv"}
FIELD_TYPES: dict[FieldType, str] = {
    "text": "string",
    "integer": "integer",
    "year": "year",
    "decimal": "number",
    "boolean": "boolean",
}
# Declared value sets of fields whose meaning depends on the table; the others stand in frames.VALUES.
TABLE_VALUES: dict[tuple[str, str], tuple[str, ...]] = {
    ("bodies", "kind"): get_args(get_type_hints(Body)["kind"]),
    ("form_cells", "kind"): get_args(Kind),
    ("indicators", "add_up"): get_args(get_type_hints(IndicatorDeclaration)["add_up"]),
    ("rollup_regions", "totals"): get_args(get_type_hints(RegionSettings)["totals"]),
    ("rollup_regions", "outcome"): get_args(Outcome),
    ("rollup_places", "level"): tuple(PLACE_LEVELS.values()),
}
CSV_DIALECT: dict[str, Any] = {
    "header": True,
    "delimiter": ",",
    "lineTerminator": "\r\n",
    "quoteChar": '"',
    "doubleQuote": True,
}
KEYWORDS = ("政府信息公开", "政府信息公开工作年度报告", "依申请公开", "open government", "freedom of information")
_CREATED = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
Descriptor = dict[str, Any]


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the descriptor says of one file: its size in bytes and its SHA-256 in hex."""

    bytes: int
    sha256: str


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """Who stands behind a release: bodies on the roster, those accepted, and the codes of those waived."""

    expected: int
    accepted: int
    waived: tuple[str, ...]


def resource_name(table: str, fmt: Format) -> str:
    """The name of a table's resource in one format."""
    return table + SUFFIX[fmt]


def resource_path(table: str, fmt: Format) -> str:
    """The path of a table's file inside the release."""
    return f"data/{table}.{fmt}"


def allowed_values(table: str, field: str) -> tuple[str, ...]:
    """The declared value set of a field; empty where any value may stand."""
    return TABLE_VALUES.get((table, field)) or VALUES.get(field, ())


def _field(table: TableSchema, field: Field) -> Descriptor:
    constraints: Descriptor = {}
    if not field.null:
        constraints["required"] = True
    values = allowed_values(table.id, field.name)
    if values:
        constraints["enum"] = list(values)
    described: Descriptor = {
        "name": field.name,
        "type": FIELD_TYPES[field.type],
        "title": field.title_zh,
        "title_en": field.title_en,
    }
    if field.description_en:
        described["description"] = field.description_en
    if constraints:
        described["constraints"] = constraints
    return described


def table_schema(table: TableSchema, fmt: Format) -> Descriptor:
    """The Table Schema of a declared table for its twin of one format."""
    schema: Descriptor = {
        "fields": [_field(table, field) for field in table.fields],
        "missingValues": [""],
        "primaryKey": list(table.primary_key),
    }
    if table.foreign_keys:
        schema["foreignKeys"] = [
            {
                "fields": list(key.fields),
                "reference": {"resource": resource_name(key.table, fmt), "fields": list(key.to)},
            }
            for key in table.foreign_keys
        ]
    return schema


def _resource(table: TableSchema, fmt: Format, facts: FileFacts) -> Descriptor:
    resource: Descriptor = {
        "name": resource_name(table.id, fmt),
        "path": resource_path(table.id, fmt),
        "type": "table",
        "title": table.title_zh,
        "title_en": table.title_en,
        "description": f"{table.description_zh} {table.description_en}",
        "format": fmt,
        "mediatype": MEDIATYPES[fmt],
    }
    if fmt == "csv":
        resource["encoding"] = "utf-8"
        resource["dialect"] = dict(CSV_DIALECT)
    return resource | {
        "bytes": facts.bytes,
        "hash": f"sha256:{facts.sha256}",
        "schema": table_schema(table, fmt),
    }


def release_title(region: Region, year: int, form: Form) -> tuple[str, str]:
    """The title of a release in Chinese and English; a synthetic one says so."""
    zh = f"{region.settings.name_zh}{year}年度{form.declaration.title_zh}数据"
    en = f"{form.declaration.title_en}: {region.settings.name_en}, {year}"
    return (f"{zh}（示例）", f"{en} (sample)") if region.settings.synthetic else (zh, en)


def _description(region: Region, year: int, form: Form, coverage: Coverage) -> tuple[str, str]:
    settings = region.settings
    zh = (
        f"{settings.province_zh}{settings.city_zh}{settings.name_zh}{year}年度政府信息公开工作年度报告统计表的"
        f"全县汇总数和各报送单位数据，采用 {form.edition} 年版表式（{form.declaration.basis}）。"
        f"应报送 {coverage.expected} 个单位，采用 {coverage.accepted} 个。"
    )
    en = (
        f"County totals and the figures of each reporting body, {settings.name_en}, report year {year}, edition "
        f"{form.edition} of the national form. {coverage.accepted} of {coverage.expected} bodies accepted."
    )
    if settings.synthetic:
        zh = f"{settings.synthetic_note_zh} {zh}".strip()
        en = f"{settings.synthetic_note_en} {en}".strip()
    return zh, en


def _contributor(region: Region) -> Descriptor:
    publisher = region.settings.publisher
    given = {
        "title": publisher.name_zh,
        "organization": publisher.name_en,
        "email": publisher.email,
        "path": publisher.website,
    }
    return {name: text for name, text in given.items() if text} | {"roles": ["publisher"]}


def package_descriptor(
    region: Region, year: int, form: Form, coverage: Coverage, facts: Mapping[str, FileFacts]
) -> Descriptor:
    """The descriptor of a release; ``facts`` by path must hold both files of every released table.

    Nothing in it depends on when, where or by which software version it was made. Raises KeyError for a missing file.
    """
    tables, settings, licence = load_tables(), region.settings, region.settings.licence
    title_zh, title_en = release_title(region, year, form)
    description_zh, description_en = _description(region, year, form, coverage)
    synthetic: Descriptor = {"x-synthetic": settings.synthetic}
    if settings.synthetic:
        synthetic["x-synthetic-note"] = {"zh": settings.synthetic_note_zh, "en": settings.synthetic_note_en}
    return {
        "$schema": PROFILE,
        "name": f"gongkai-{settings.code}-{year}",
        "title": title_zh,
        "title_en": title_en,
        "description": description_zh,
        "description_en": description_en,
        "version": tables.schema_version,
        "keywords": [*KEYWORDS, settings.province_zh, settings.city_zh, settings.name_zh],
        "licenses": [
            {
                key: text
                for key, text in (("name", licence.name), ("title", licence.title), ("path", licence.path))
                if text
            }
        ],
        "sources": [{"title": form.declaration.basis}, {"title": form.declaration.regulation}],
        "contributors": [_contributor(region)],
        "x-region": {
            "code": settings.code,
            "standard": "GB/T 2260",
            "name_zh": settings.name_zh,
            "name_en": settings.name_en,
            "level": settings.level,
            "rule_making_power": settings.rule_making_power,
        },
        "x-year": year,
        "x-form-edition": form.edition,
        "x-coverage": {
            "expected": coverage.expected,
            "accepted": coverage.accepted,
            "waived": list(coverage.waived),
        },
        **synthetic,
        "resources": [
            _resource(table, fmt, facts[resource_path(table.id, fmt)]) for table in tables.released for fmt in FORMATS
        ],
    }


@cache
def _profile() -> Any:  # noqa: ANN401 - a jsonschema validator, whose class depends on the profile's draft
    """The validator of the official v2 profile, from the copy that dplib-py ships.

    The file is read directly: dplib's own reader asks the network even for the profiles that it ships.
    """
    from dplib.settings import PROFILE_BASEDIR
    from jsonschema import Draft7Validator

    profile = Path(PROFILE_BASEDIR, *PROFILE.split("/")[-2:])
    return Draft7Validator(json.loads(profile.read_text(encoding="utf-8")))


def _profile_problems(descriptor: object) -> Iterator[str]:
    for error in sorted(_profile().iter_errors(descriptor), key=lambda e: ([str(p) for p in e.path], e.message)):
        text = error.message if len(error.message) <= 200 else error.message[:200] + "…"
        yield f"{error.json_path}: {text}"


def _key_problems(resource: Descriptor, resources: Mapping[str, Descriptor]) -> Iterator[str]:
    schema, name = resource["schema"], resource["name"]
    fields = [field["name"] for field in schema["fields"]]
    if len(set(fields)) != len(fields):
        yield f"{name}: a field is named twice"
    key = schema.get("primaryKey")
    if not isinstance(key, list) or not key:
        yield f"{name}: primaryKey is {key!r}, a list of fields is expected"
    elif not set(key) <= set(fields):
        yield f"{name}: primaryKey names no field of the table: {sorted(set(key) - set(fields))}"
    for foreign in schema.get("foreignKeys", []):
        own, reference = foreign["fields"], foreign["reference"]
        if not isinstance(own, list) or not set(own) <= set(fields):
            yield f"{name}: foreign key {own!r} names no fields of the table"
        target = resources.get(reference.get("resource", ""))
        if target is None:
            yield f"{name}: foreign key points to {reference.get('resource')!r}, which is no resource"
            continue
        there = [field["name"] for field in target["schema"]["fields"]]
        if not isinstance(reference["fields"], list) or not set(reference["fields"]) <= set(there):
            yield f"{name}: foreign key points to {reference['fields']!r}, no fields of {target['name']}"
        if target.get("format") != resource.get("format"):
            yield f"{name}: foreign key points to the other format, {target['name']}"


def _twin_problems(resources: Mapping[str, Descriptor]) -> Iterator[str]:
    for name, resource in resources.items():
        twin = f"{name}_csv"
        if resource.get("format") == "parquet" and twin not in resources:
            yield f"{name}: the CSV twin {twin} is missing"
        if resource.get("format") not in FORMATS:
            yield f"{name}: format is {resource.get('format')!r}, expected parquet or csv"
        if resource.get("format") == "csv" and resource.get("encoding") != "utf-8":
            yield f"{name}: encoding is {resource.get('encoding')!r}, expected utf-8"
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", str(resource.get("hash"))):
            yield f"{name}: hash is {resource.get('hash')!r}, expected sha256:<64 hex digits>"
        if isinstance(resource.get("bytes"), bool) or not isinstance(resource.get("bytes"), int):
            yield f"{name}: bytes is {resource.get('bytes')!r}, expected a whole number"


def _declared_problems(descriptor: Descriptor, resources: Mapping[str, Descriptor], tables: Tables) -> Iterator[str]:
    """Whether the descriptor says what this schema version declares: a constraint taken out is a broken promise."""
    if KIND in descriptor:
        from schemas.rollup_descriptor import rollup_problems  # it builds on this module

        yield from rollup_problems(descriptor, resources)
        return
    if descriptor.get("version") != tables.schema_version:
        return
    for table in tables.released:
        for fmt in FORMATS:
            name = resource_name(table.id, fmt)
            if name not in resources:
                yield f"{name}: the resource is missing"
                continue
            if resources[name].get("path") != resource_path(table.id, fmt):
                yield f"{name}: path is {resources[name].get('path')!r}, expected {resource_path(table.id, fmt)}"
            if resources[name]["schema"] != table_schema(table, fmt):
                yield f"{name}: the schema is not the one that version {tables.schema_version} declares"


def _without(descriptor: Descriptor, passed: Collection[str]) -> Descriptor:
    """The descriptor without the resources that passed before; at least one stays, as the profile wants."""
    listed = descriptor.get("resources")
    if not passed or not isinstance(listed, list):
        return descriptor
    rest = [one for one in listed if not isinstance(one, dict) or one.get("name") not in passed]
    return {**descriptor, "resources": rest or listed}


def descriptor_problems(descriptor: object, passed: Collection[str] = ()) -> tuple[str, ...]:
    """What is wrong with a parsed ``datapackage.json``; empty when it is valid.

    ``passed``: names of resources that were found to obey the profile before; only the rest is asked of them.
    The official v2 profile first. If that holds, what it does not see: a ``created`` that is no date-time, keys that
    are no lists or point nowhere, twins that are missing, hashes of another kind, and a schema that differs from the
    declared one of the same version.
    """
    if not isinstance(descriptor, dict):
        return ("$: not an object",)
    if descriptor.get("$schema") != PROFILE:
        return (f"$.$schema: {descriptor.get('$schema')!r}, expected {PROFILE}",)
    if any(True for _ in _profile_problems(_without(descriptor, passed))):
        return tuple(_profile_problems(descriptor))  # of the whole, so that places are told as they are
    problems: list[str] = []
    created = descriptor.get("created")
    if created is not None and not _CREATED.fullmatch(str(created)):
        problems.append(f"$.created: {created!r} is not a date-time of RFC 3339")
    listed: Sequence[Descriptor] = descriptor["resources"]
    resources: dict[str, Descriptor] = {}
    for position, resource in enumerate(listed):
        name = resource.get("name")
        if not isinstance(name, str) or name in resources:
            problems.append(f"$.resources[{position}].name: {name!r} is missing or used twice")
        elif not isinstance(resource.get("path"), str) or not isinstance(resource.get("schema"), dict):
            problems.append(f"{name}: one path and a schema of its own are expected")
        else:
            resources[name] = resource
    if problems:
        return tuple(problems)
    for resource in resources.values():
        problems += _key_problems(resource, resources)
    problems += _twin_problems(resources)
    problems += _declared_problems(descriptor, resources, load_tables())
    return tuple(problems)
