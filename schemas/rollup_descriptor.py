"""The Data Package descriptor (v2) of a roll-up: the tables of each province and of the country as resources.

Belongs here: names and paths of those resources, the shape and texts of ``datapackage.json``, and whether a descriptor
says what is declared. Does not belong here: the descriptor of a region's own release (descriptor.py), bytes.

Every part (a province, or the country) has files of its own, ``data/<part>/<table>.<format>``, named
``<table>_<part>``; the codelist ``form_cells`` is shared. A key points to the file of the same part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemas.descriptor import (
    CSV_DIALECT,
    FORMATS,
    KEYWORDS,
    MEDIATYPES,
    PROFILE,
    SUFFIX,
    Descriptor,
    FileFacts,
    Format,
    table_schema,
)
from schemas.form import Form
from schemas.rollup import COUNTRY, COUNTRY_TABLES, FORM_CELLS, KIND, PROVINCE_TABLES
from schemas.tables import TableSchema, load_tables

_LICENCE_NAME = re.compile(r"[-a-zA-Z0-9._]+")  # as the Data Package profile has it


def part_tables(part: str) -> tuple[str, ...]:
    """The tables that a part has."""
    return COUNTRY_TABLES if part == COUNTRY else PROVINCE_TABLES


def part_name(table: str, part: str) -> str:
    """The name of a part's table in the descriptor, before the suffix of its format."""
    return table if table == FORM_CELLS else f"{table}_{part.lower()}"


def part_path(table: str, part: str, fmt: str) -> str:
    """Where a part's table lies in the release."""
    return f"data/{table}.{fmt}" if table == FORM_CELLS else f"data/{part}/{table}.{fmt}"


def parts_of(descriptor: Mapping[str, Any]) -> tuple[str, ...]:
    """The provinces that a roll-up's descriptor names, in order, and the country; empty where it is none.

    Raises ValueError for codes that are no provinces.
    """
    stated = descriptor.get(KIND)
    if not isinstance(stated, Mapping):
        return ()
    provinces = stated.get("provinces")
    plain = isinstance(provinces, list) and all(
        isinstance(code, str) and code.isascii() and code.isdigit() and len(code) == 2 for code in provinces
    )
    if not plain or not isinstance(provinces, list) or sorted(set(provinces)) != provinces:
        raise ValueError(f"{KIND}.provinces: {provinces!r}, sorted codes of two digits are expected")
    return (*provinces, COUNTRY)


def _tables(parts: Sequence[str]) -> Iterator[tuple[str, str]]:
    yield FORM_CELLS, COUNTRY
    for part in parts:
        for table in part_tables(part):
            yield table, part


def _schema(table: TableSchema, part: str, fmt: Format) -> Descriptor:
    schema = table_schema(table, fmt)
    for key, declared in zip(schema.get("foreignKeys", []), table.foreign_keys, strict=True):
        key["reference"]["resource"] = part_name(declared.table, part) + SUFFIX[fmt]
    return schema


def rollup_resources(parts: Sequence[str], facts: Mapping[str, FileFacts] | None = None) -> list[Descriptor]:
    """The resources of a roll-up in order; ``facts`` (FileFacts by path) add sizes and hashes.

    Raises KeyError for a file without facts.
    """
    resources: list[Descriptor] = []
    for table_id, part in _tables(parts):
        table = load_tables()[table_id]
        for fmt in FORMATS:
            path = part_path(table_id, part, fmt)
            about = "" if table_id == FORM_CELLS else f"（{part}）"
            resource: Descriptor = {
                "name": part_name(table_id, part) + SUFFIX[fmt],
                "path": path,
                "type": "table",
                "title": f"{table.title_zh}{about}",
                "title_en": table.title_en if table_id == FORM_CELLS else f"{table.title_en} ({part})",
                "format": fmt,
                "mediatype": MEDIATYPES[fmt],
            }
            if fmt == "csv":
                resource |= {"encoding": "utf-8", "dialect": dict(CSV_DIALECT)}
            if facts is not None:
                resource |= {"bytes": facts[path].bytes, "hash": f"sha256:{facts[path].sha256}"}
            resources.append(resource | {"schema": _schema(table, part, fmt)})
    return resources


def rollup_title(year: int, form: Form, synthetic: bool) -> tuple[str, str]:
    """The title of a roll-up in Chinese and English; one of synthetic regions says so."""
    zh = f"{year}年度{form.declaration.title_zh}市、省、全国汇总数据"
    en = f"{form.declaration.title_en}: totals of cities, provinces and the country, {year}"
    return (f"{zh}（示例）", f"{en} (sample)") if synthetic else (zh, en)


def rollup_descriptor(
    year: int,
    form: Form,
    parts: Sequence[str],
    coverage: Mapping[str, int],
    licences: Sequence[str],
    note: tuple[str, str] | None,
    facts: Mapping[str, FileFacts],
) -> Descriptor:
    """The descriptor of a roll-up. ``parts``: provinces in order, then the country; ``coverage``: the country's counts;
    ``licences``: of the regions that are added; ``note``: said of synthetic data, None for real ones.
    """
    title_zh, title_en = rollup_title(year, form, note is not None)
    synthetic: Descriptor = {"x-synthetic": note is not None}
    if note is not None:
        synthetic["x-synthetic-note"] = {"zh": note[0], "en": note[1]}
    # A licence without a name of its own is known by its address.
    named = [{"name" if _LICENCE_NAME.fullmatch(one) else "path": one} for one in licences]
    licensed = {"licenses": named} if named else {}
    return {
        "$schema": PROFILE,
        "name": f"gongkai-rollup-{year}",
        "title": title_zh,
        "title_en": title_en,
        "description": (
            f"已发布的各地区 {year} 年度汇总数逐级相加。应有 {coverage['regions_known']} 个地区，"
            f"计入 {coverage['regions_counted']} 个。"
        ),
        "description_en": (
            f"Released totals of regions added up by prefix of GB/T 2260, report year {year}. "
            f"{coverage['regions_counted']} of {coverage['regions_known']} regions are counted."
        ),
        "version": load_tables().schema_version,
        "keywords": [*KEYWORDS, "汇总"],
        **licensed,
        "sources": [{"title": form.declaration.basis}, {"title": form.declaration.regulation}],
        KIND: {"provinces": [part for part in parts if part != COUNTRY]},
        "x-year": year,
        "x-form-edition": form.edition,
        "x-coverage": dict(coverage),
        **synthetic,
        "resources": rollup_resources(parts, facts),
    }


def rollup_problems(descriptor: Descriptor, resources: Mapping[str, Descriptor]) -> Iterator[str]:
    """Whether a roll-up's descriptor has the resources and schemas that this schema version declares."""
    try:
        parts = parts_of(descriptor)
    except ValueError as error:
        yield str(error)
        return
    if descriptor.get("version") != load_tables().schema_version:
        return
    declared = {resource["name"]: resource for resource in rollup_resources(parts)}
    yield from (f"{name}: no resource of a roll-up of these provinces" for name in resources if name not in declared)
    for name, wanted in declared.items():
        found = resources.get(name)
        if found is None:
            yield f"{name}: the resource is missing"
        elif found.get("path") != wanted["path"]:
            yield f"{name}: path is {found.get('path')!r}, expected {wanted['path']}"
        elif found["schema"] != wanted["schema"]:
            yield f"{name}: the schema is not the one that version {load_tables().schema_version} declares"
