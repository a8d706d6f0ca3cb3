"""The declared tidy tables: consistent with themselves and with the rest of the schemas."""

from __future__ import annotations

import typing
from collections import Counter
from pathlib import Path

import pytest

from schemas import tables as module
from schemas.declaration import DeclarationError, read_toml
from schemas.findings import Finding
from schemas.form import load_form
from schemas.tables import FieldType, Tables, TableSchema, load_tables

TABLES = load_tables()
TEXT = Path(module.__file__).with_name("tables.toml").read_text(encoding="utf-8")
EACH = pytest.mark.parametrize("table", TABLES.tables, ids=[table.id for table in TABLES.tables])


def test_ids_are_unique_and_found() -> None:
    assert max(Counter(table.id for table in TABLES.tables).values()) == 1
    assert all(TABLES[table.id] is table for table in TABLES.tables)
    with pytest.raises(KeyError):
        TABLES["nothing"]


@EACH
def test_columns_and_keys_hang_together(table: TableSchema) -> None:
    assert max(Counter(table.names).values()) == 1
    fields = {field.name: field for field in table.fields}
    assert table.primary_key
    for name in table.primary_key:
        assert not fields[name].null, f"{table.id}.{name}: a key is never empty"
    for key in table.foreign_keys:
        assert len(key.fields) == len(key.to)
        target = {field.name: field for field in TABLES[key.table].fields}
        for name, other in zip(key.fields, key.to, strict=True):
            assert fields[name].type == target[other].type
    for field in table.fields:
        assert field.title_zh
        assert field.title_en
        assert field.type in typing.get_args(FieldType)


@EACH
def test_names_alike_mean_alike(table: TableSchema) -> None:
    """One name has one type everywhere, and figures are decimals.

    Except ``found`` and ``expected``: a finding may say them in words, so that there they are texts.
    """
    first = {field.name: field for other in reversed(TABLES.tables) for field in other.fields}
    for field in table.fields:
        if field.name not in ("found", "expected"):
            assert field.type == first[field.name].type, field.name
        if field.name in ("value", "difference", "proposed", "published"):
            assert field.type == "decimal"
        if field.name == "year":
            assert field.type == "year"


def test_a_released_table_points_only_to_released_ones() -> None:
    released = {table.id for table in TABLES.released}
    assert {"bodies", "body_cells", "county_totals", "findings", "form_cells"} <= released
    for table in TABLES.released:
        assert {key.table for key in table.foreign_keys} <= released


def test_a_findings_row_holds_what_a_finding_holds() -> None:
    assert set(Finding.__struct_fields__) == set(TABLES["findings"].names) - {"finding"}


def test_the_codelist_holds_what_a_cell_holds() -> None:
    cell = set(load_form("2021").cells[0].__struct_fields__)
    names = set(TABLES["form_cells"].names) - {"cell", "edition"}
    assert names <= cell


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('type = "decimal"', 'type = "float"', "Invalid enum value 'float'"),
        ("released = true", "released = 1", "Expected `bool`, got `int`"),
        ("released = true", "publish = true", "unknown field `publish`"),
        ('schema_version = "1', "schema_version = 1 #", "Expected `str`, got `int`"),
    ],
)
def test_a_wrong_declaration_fails_on_load(old: str, new: str, words: str) -> None:
    text = TEXT.replace(old, new, 1)
    assert text != TEXT
    with pytest.raises(DeclarationError) as caught:
        read_toml(text, Tables, "tables.toml")
    assert words in caught.value.problem
    assert read_toml(TEXT, Tables, "tables.toml") == TABLES
