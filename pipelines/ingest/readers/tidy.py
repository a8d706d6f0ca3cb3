"""Tidy data (csv, json) that names its cells becomes a Document; any other csv is a Grid.

Belongs here: our own tidy form (columns ``cell`` and ``value``, beside them region, year, body, raw, address as far as
given) and the JSON of ``gongkai extract``. Does not belong here: knowing which cells exist.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from pipelines.ingest.declined import Declined, decline
from pipelines.ingest.decoding import decode
from pipelines.ingest.detect import separator
from pipelines.ingest.document import Document, Grid, TextCell
from pipelines.ingest.limits import MAX_POSITIONS, MAX_ROWS
from pipelines.ingest.readers.container import damaged
from pipelines.ingest.readers.spans import Budget, too_many

# What a tidy file may state about the whole return; ``body_name`` as in the marks of the fill-in workbook.
STATED = ("region", "year", "body", "body_name")
Triple = tuple[str, str, str]


def read(data: bytes, name: str) -> Document:
    """Read a csv or json. Raises Declined: not decodable, broken, without cells, rows of several returns mixed."""
    text = decode(data, name).lstrip("\ufeff")
    return _json(text, name) if text.lstrip()[:1] in ("{", "[") and not separator(text) else _csv(text, name)


def _csv(text: str, name: str) -> Document:
    mark = separator(text) or ","
    try:
        rows = [
            (reader.line_num, row)
            for reader in [csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=False)]
            for row in reader
        ]
    except csv.Error as fault:
        raise damaged(name, "csv 结构有误", "its csv structure is broken") from fault
    rows = [(number, row) for number, row in rows if any(field.strip() for field in row)]
    if not rows:
        raise decline("empty_file", name)
    head = [field.strip().lower() for field in rows[0][1]]
    if not {"cell", "value"} <= set(head):
        return _grid(rows, name)
    if len(rows) > MAX_ROWS:
        raise too_many(name, len(rows), MAX_ROWS, "行", "rows")
    records = [(f"第{number}行", dict(zip(head, row, strict=False))) for number, row in rows[1:]]
    return _document("csv", ((record.get("value", ""), at, record) for at, record in records), {}, name)


def _grid(rows: list[tuple[int, list[str]]], name: str) -> Document:
    Budget(name).take(len(rows), max(len(row) for _, row in rows))
    cells = tuple(
        TextCell(row=position, column=column, text=field, at=f"第{number}行第{column + 1}列")
        for position, (number, row) in enumerate(rows)
        for column, field in enumerate(row)
    )
    return Document(format="csv", items=(Grid(cells=cells, at="第1行"),))


def _document(
    kind: str, records: Iterable[tuple[str, str, Mapping[str, str]]], stated: Mapping[str, str], name: str
) -> Document:
    """``records``: (raw text, address, all fields). One file is one return: what rows state must agree."""
    marks = {key: value for key, value in stated.items() if value}
    tidy: list[Triple] = []
    for raw, at, record in records:
        cell = record.get("cell", "").strip()
        if cell:
            tidy.append((cell, raw, at))
        for key in STATED:
            said = (record.get(key) or "").strip()
            if said and marks.setdefault(key, said) != said:
                raise _mixed(name, key, marks[key], said)
        if len(tidy) > MAX_POSITIONS:
            raise too_many(name, len(tidy), MAX_POSITIONS, "行", "rows")
    if not tidy:
        raise decline("empty_file", name)
    return Document(format="csv" if kind == "csv" else "json", marks=marks, tidy=tuple(tidy))


def _mixed(name: str, key: str, first: str, second: str) -> Declined:
    return decline("mixed_returns", name, column=key, first=first, second=second)


def _words(value: object) -> str:
    """A JSON value as the text that stands in the file."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _json(text: str, name: str) -> Document:
    """Accepted: ``{"cells": [...]}`` as `gongkai extract` writes it, a bare list of such cells, or {cell id: value}."""
    try:
        content = msgspec.json.Decoder(float_hook=Decimal).decode(text)
    except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError) as fault:
        if isinstance(fault, RecursionError):
            raise
        raise damaged(name, "json 结构有误", "its json structure is broken") from fault
    stated: dict[str, str] = {}
    cells: object = content
    if isinstance(content, dict):
        stated = {key: _words(content.get(key)) for key in STATED if not isinstance(content.get(key), (dict, list))}
        cells = content.get("cells", content)
    records: list[tuple[str, str, Mapping[str, str]]] = []
    if isinstance(cells, dict):
        records = [
            (_words(value), f"“{cell}”", {"cell": str(cell)})
            for cell, value in cells.items()
            if "." in str(cell) and not isinstance(value, (dict, list))
        ]
    elif isinstance(cells, list):
        for number, entry in enumerate(cells, start=1):
            if not isinstance(entry, dict) or "cell" not in entry:
                raise damaged(name, f"第 {number} 项没有 cell", f"item {number} has no cell")
            fields = {str(key): _words(value) for key, value in entry.items()}
            # extract keeps the text as written beside the number: the text counts, for it is what stood in the file
            raw = fields["raw"] if entry.get("raw") is not None else fields.get("value", "")
            records.append((raw, fields.get("at") or f"第{number}项", fields))
    return _document("json", records, stated, name)
