"""The tidy tables of ``tables.toml`` as strict models.

Belongs here: names, types, keys and texts of the columns. Does not belong here: pandera (frames.py), the Data Package
descriptor (descriptor.py), writing files (pipelines/publish).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from schemas.declaration import load_toml

FieldType = Literal["text", "integer", "year", "decimal", "boolean"]
DECIMAL_PRECISION = 18
DECIMAL_SCALE = 4


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One column. ``null``: it may be empty."""

    name: str
    type: FieldType
    title_zh: str
    title_en: str
    description_en: str = ""
    null: bool = False


class ForeignKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``fields`` of this table point to the columns ``to`` of ``table``."""

    fields: tuple[str, ...]
    table: str
    to: tuple[str, ...]


class TableSchema(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One tidy table. ``released``: it is published in the release."""

    id: str
    title_zh: str
    title_en: str
    description_zh: str
    description_en: str
    released: bool
    primary_key: tuple[str, ...]
    fields: tuple[Field, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(field.name for field in self.fields)


class Tables(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file ``tables.toml``."""

    schema_version: str
    tables: tuple[TableSchema, ...]

    def __getitem__(self, identifier: str) -> TableSchema:
        """The table with that id. Raises KeyError."""
        for table in self.tables:
            if table.id == identifier:
                return table
        raise KeyError(identifier)

    @property
    def released(self) -> tuple[TableSchema, ...]:
        """The tables of a release, in order."""
        return tuple(table for table in self.tables if table.released)


@cache
def load_tables() -> Tables:
    """The declared tidy tables. Raises DeclarationError."""
    return load_toml(Path(__file__).with_name("tables.toml"), Tables)
