"""The declared tables as Arrow: types, texts in the schema, and a strict cast in a fixed order.

Belongs here: TableSchema -> pyarrow schema, any frame -> a pa.Table that has exactly that schema. Does not belong
here: the bytes of files (tables.py) or what the tables mean (schemas/tables.toml).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from schemas.tables import DECIMAL_PRECISION, DECIMAL_SCALE, Field, TableSchema, load_tables

TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "year": pa.int32(),
    "decimal": pa.decimal128(DECIMAL_PRECISION, DECIMAL_SCALE),
    "boolean": pa.bool_(),
}


class ToArrow(Protocol):
    """What can become a pa.Table: a polars frame, for one."""

    def to_arrow(self) -> pa.Table:
        """The frame as an Arrow table."""


class TableMismatchError(ValueError):
    """A frame is not the declared table; the text names the table, the column, what was found and expected."""


def _texts(**texts: str) -> dict[bytes, bytes]:
    return {name.encode(): text.encode() for name, text in texts.items() if text}


def _field(table: TableSchema, field: Field) -> pa.Field:
    # The unit of a figure stands in its row; the metadata says in which column.
    has_unit = field.type == "decimal" and "unit" in table.names
    texts = _texts(
        title_zh=field.title_zh,
        title_en=field.title_en,
        description=field.description_en,
        unit_column="unit" if has_unit else "",
    )
    return pa.field(field.name, TYPES[field.type], nullable=field.null, metadata=texts)


def arrow_schema(table: TableSchema) -> pa.Schema:
    """The Arrow schema of a declared table: types, nulls, and titles in Chinese and English as metadata."""
    texts = _texts(
        schema_version=load_tables().schema_version,
        table=table.id,
        title_zh=table.title_zh,
        title_en=table.title_en,
        description_zh=table.description_zh,
        description_en=table.description_en,
    )
    return pa.schema([_field(table, field) for field in table.fields], metadata=texts)


def _kind(dtype: pa.DataType) -> str:
    """The family of a type: only values of the same family are ever cast, so a figure is never guessed from text."""
    if pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype):
        return "text"
    if pa.types.is_integer(dtype):
        return "integer"
    if pa.types.is_decimal(dtype):
        return "decimal"
    return "boolean" if pa.types.is_boolean(dtype) else str(dtype)


def _cast(table: TableSchema, field: Field, column: pa.ChunkedArray) -> pa.ChunkedArray:
    target = TYPES[field.type]
    where = f"{table.id}.{field.name}"
    if _kind(column.type) != _kind(target) and not pa.types.is_null(column.type):
        raise TableMismatchError(f"{where}: found {column.type}, expected {target}")
    try:
        column = column.cast(target)
    except pa.ArrowInvalid as error:
        raise TableMismatchError(f"{where}: {error}") from None
    if field.type == "text":
        # CSV cannot tell an empty text from no text, so there is only one of them in what we publish.
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, target), column)
    if column.null_count and not field.null:
        raise TableMismatchError(f"{where}: {column.null_count} empty value(s) where none may be empty")
    return column


def _order(table: TableSchema, columns: Mapping[str, pa.ChunkedArray], cell_order: Mapping[str, int]) -> pa.Array:
    keys: dict[str, Any] = {}
    for name in table.primary_key:
        column = columns[name]
        if name == "cell" and cell_order:
            positions = pa.array([*cell_order.values(), len(cell_order)], pa.int64())
            found = pc.index_in(column, value_set=pa.array(cell_order, column.type))
            keys["position"] = positions.take(pc.fill_null(found, len(cell_order)).combine_chunks())
        keys[name] = column
    return pc.sort_indices(pa.table(keys), sort_keys=[(name, "ascending") for name in keys])


def to_arrow(frame: pa.Table | ToArrow, table: TableSchema, *, cell_order: Mapping[str, int] | None = None) -> pa.Table:
    """``frame`` as a pa.Table with exactly the declared schema.

    Columns in declared order, rows by primary key; with ``cell_order`` (cell id -> place in the form) a key's cells
    stand as printed in the form instead of alphabetically. Empty text becomes null. Metadata of other programs is
    dropped. Raises TableMismatchError for missing or extra columns, another family of types, a figure that does not fit
    decimal(18,4) exactly, or an empty value in a required column.
    """
    given = frame if isinstance(frame, pa.Table) else frame.to_arrow()
    missing = [name for name in table.names if name not in given.column_names]
    extra = [name for name in given.column_names if name not in table.names]
    if missing or extra or given.num_columns != len(table.names):
        raise TableMismatchError(f"{table.id}: columns missing {missing}, not declared {extra}")
    columns = {field.name: _cast(table, field, given[field.name]) for field in table.fields}
    made = pa.table(columns, schema=arrow_schema(table))
    return made.take(_order(table, columns, cell_order or {})).combine_chunks()
