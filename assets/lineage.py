"""Columns of the stored tables: what each means, and from which columns it comes.

Belongs here: column schema and column lineage as Dagster shows them. Does not belong here: the tables themselves
(schemas/tables.toml, schemas/frames.py).

A column comes from the columns of the same name; a figure of the wide frame from the figures of the cells, and a figure
of a tidy table from the wide columns that its ``cell`` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import dagster as dg
import polars as pl

from schemas.form import editions, load_form
from schemas.rules import LAST_YEAR
from schemas.tables import load_tables

# The stored tables that each stored table is made from (a test holds this to the asset graph); between received files
# and cells lie the readings, which are no table.
PARENTS: dict[str, tuple[str, ...]] = {
    "cells": ("received_files",),
    "submissions": ("previous_year", "received_files"),
    "intake_findings": ("previous_year", "received_files"),
    "submission_findings": ("intake_findings", "previous_year", "submissions"),
    "explanations": ("intake_findings", "previous_year", "submissions"),
    "accepted_submissions": ("received_files", "submission_findings", "submissions"),
    "bodies": ("received_files", "submission_findings", "submissions"),
    "counted_findings": ("received_files", "submission_findings", "submissions"),
    "body_cells": ("accepted_submissions", "cells"),
    "county_totals": ("accepted_submissions", "previous_year"),
    "indicators": ("accepted_submissions",),
    "reconciliation": ("county_totals",),
    "reconciliation_findings": ("county_totals",),
    "findings": ("counted_findings", "county_totals", "reconciliation_findings"),
    "verdicts": ("accepted_submissions", "findings"),
}
WIDE = frozenset({"previous_year", "submissions", "accepted_submissions"})
FINDINGS = frozenset({"intake_findings", "submission_findings", "counted_findings", "reconciliation_findings"})


@cache
def _words() -> dict[str, dict[str, str]]:
    """What each column means, by table."""
    found = {
        table.id: {
            field.name: f"{field.title_zh} / {field.title_en}"
            + (f": {field.description_en}" if field.description_en else "")
            for field in table.fields
        }
        for table in load_tables().tables
    }
    return found | dict.fromkeys(FINDINGS, found["findings"])


@cache
def _cells() -> dict[str, str]:
    """What each figure of the wide frame means."""
    return {
        cell.id: f"{cell.label_zh} / {cell.label_en}" for edition in editions() for cell in load_form(edition).cells
    }


def column_schema(asset: str, frame: pl.DataFrame) -> dg.TableSchema:
    """Every column with its type and meaning."""
    words = _words().get(asset, {})
    return dg.TableSchema(
        [
            dg.TableColumn(name, str(dtype), description=words.get(name) or _cells().get(name.removesuffix(LAST_YEAR)))
            for name, dtype in frame.schema.items()
        ]
    )


def column_lineage(asset: str, frame: pl.DataFrame) -> dg.TableColumnLineage | None:
    """The columns that each column of a stored table comes from; None for a table that is read from files."""
    parents = PARENTS.get(asset)
    if not parents:
        return None
    found: dict[str, list[dg.TableColumnDep]] = {}
    for name in frame.columns:
        deps = [
            dg.TableColumnDep(dg.AssetKey(parent), column) for parent in parents for column in _of(parent, name, frame)
        ]
        if deps:
            found[name] = deps
    return dg.TableColumnLineage(found)


def package_columns(tables: Mapping[str, pl.DataFrame]) -> dict[str, dg.MetadataValue[Any]]:
    """Schema and lineage of a package as ``table.column``; a table that is no asset comes from the form itself."""
    columns, deps = [], {}
    for table, frame in tables.items():
        for column in column_schema(table, frame).columns:
            name = f"{table}.{column.name}"
            columns.append(dg.TableColumn(name, column.type, description=column.description))
            if table in PARENTS:
                deps[name] = [dg.TableColumnDep(dg.AssetKey(table), column.name)]
    return {
        "dagster/column_schema": dg.MetadataValue.table_schema(dg.TableSchema(columns)),
        "dagster/column_lineage": dg.MetadataValue.column_lineage(dg.TableColumnLineage(deps)),
    }


def _of(parent: str, name: str, frame: pl.DataFrame) -> list[str]:
    """The columns of ``parent`` behind the column ``name`` of ``frame``."""
    last_year = name.endswith(LAST_YEAR)
    if parent in WIDE:
        if parent == "previous_year":
            return [name.removesuffix(LAST_YEAR)] if last_year else []
        if name in _cells() or name in ("region", "year", "body", "file", "file_sha256"):
            return [name]
        return (
            frame["cell"].unique(maintain_order=True).to_list() if name == "value" and "cell" in frame.columns else []
        )
    return [name] if name in _words().get(parent, {}) else []
