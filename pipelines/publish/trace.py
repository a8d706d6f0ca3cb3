"""From a published total back to every body's figure and the place in the file where it stands.

Belongs here: answering "where does this number come from" from a release alone. Does not belong here: opening the
original files, printing.
"""

from __future__ import annotations

import difflib
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.publish.package import SUMS, PackageError, read_sums
from pipelines.publish.source import open_release
from pipelines.publish.tables import UNREADABLE, read_parquet
from pipelines.storage import Place, sha256
from schemas.descriptor import resource_path

NEEDED = {
    "form_cells": ("cell", "label_zh", "label_en", "unit"),
    "bodies": ("body", "name_zh", "status"),
    "body_cells": ("body", "cell", "value", "raw", "state", "file_sha256", "address"),
    "county_totals": ("cell", "value", "bodies"),
}


class TraceError(ValueError):
    """The question cannot be answered; the text (Chinese, then English) says why and what to do."""


class TraceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One body's part of a total: its figure, the text as it stands in the file, the file's hash, the place in it."""

    body: str
    name: str
    value: Decimal | None
    raw: str | None
    state: str
    file_sha256: str
    address: str | None


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A total of a release and what it is made of; ``rows`` in order of body code."""

    release: str
    cell: str
    label_zh: str
    label_en: str
    unit: str
    total: Decimal | None
    bodies: int
    rows: tuple[TraceRow, ...]


def _tables(where: Place) -> tuple[str, dict[str, pa.Table]]:
    paths = {name: resource_path(name, "parquet") for name in NEEDED}
    opened = open_release(where, wanted=tuple(paths.values()))
    try:
        listed = read_sums(opened.files[SUMS])
    except PackageError as error:
        raise TraceError(f"{opened.where}：{error}") from None
    tables = {}
    for name, path in paths.items():
        data = opened.files.get(path)
        try:
            if data is None or sha256(data) != listed.get(path):
                raise ValueError(path)
            tables[name] = read_parquet(data).select(list(NEEDED[name]))
        except (KeyError, *UNREADABLE):
            raise TraceError(
                f"{opened.where} 中的“{path}”缺失、已被改动或读不出来。请先运行 gongkai verify。"
                f" {path!r} in {opened.where} is missing, altered or unreadable. Run gongkai verify first."
            ) from None
    return opened.id, tables


def trace(where: Place, cell: str) -> Trace:
    """What the county total of ``cell`` is made of, in the release at ``where`` (folder, storage or address).

    Only accepted bodies count; one that gave no figure is listed with ``value`` None. Raises SourceError where there
    is no release, TraceError for a file that is not as published or a cell that is not in the form (naming near ones).
    """
    release, tables = _tables(where)
    form_cells = tables["form_cells"]
    known: list[str] = form_cells["cell"].to_pylist()
    if cell not in known:
        near = difflib.get_close_matches(cell, known, n=3, cutoff=0.5)
        hint_zh = f"相近的有：{'、'.join(near)}。" if near else "代码表见 data/form_cells.csv。"
        hint_en = f"Near ones: {', '.join(near)}." if near else "See data/form_cells.csv for the codelist."
        raise TraceError(f"没有单元格“{cell}”。{hint_zh} There is no cell {cell!r}. {hint_en}")
    label = form_cells.filter(pc.equal(form_cells["cell"], cell)).to_pylist()[0]
    totals = tables["county_totals"]
    found: list[dict[str, Any]] = totals.filter(pc.equal(totals["cell"], cell)).to_pylist()
    total = found[0] if found else {}
    bodies = {row["body"]: row for row in tables["bodies"].to_pylist() if row["status"] == "accepted"}
    cells = tables["body_cells"]
    parts = cells.filter(pc.equal(cells["cell"], cell)).sort_by("body").to_pylist()
    return Trace(
        release=release,
        cell=cell,
        label_zh=label["label_zh"],
        label_en=label["label_en"],
        unit=label["unit"],
        total=total.get("value"),
        bodies=total.get("bodies", 0),
        rows=tuple(
            TraceRow(
                body=row["body"],
                name=bodies[row["body"]]["name_zh"],
                value=row["value"],
                raw=row["raw"],
                state=row["state"],
                file_sha256=row["file_sha256"],
                address=row["address"],
            )
            for row in parts
            if row["body"] in bodies
        ),
    )
