"""Further forms of a release, made for the portal: one Excel workbook, JSON, and the whole package as a ZIP file.

Belongs here: these files, byte for byte the same for the same release. Does not belong here: the release's own files
(pipelines/publish/package.py); what is made here adds nothing to them.

A spreadsheet program may take text that begins with ``=`` for a formula as soon as somebody edits the cell. So every
text in the workbook stands in a cell marked as text (Excel's quote prefix): it reads as it came, and it stays text.
"""

from __future__ import annotations

import datetime
import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from schemas.findings import number_text
from schemas.tables import load_tables

if TYPE_CHECKING:
    from pipelines.publish.portal.releases import Dataset, Version

# A table of more rows is offered as Parquet and CSV alone: a sheet ends at 1,048,576 rows and crawls long before, and a
# JSON list has to be read whole.
MOST_ROWS = 200_000
EXACT_DIGITS = 15  # a spreadsheet program keeps no more; longer figures stand as text, exact
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)
# XML of a workbook cannot hold these characters at all; they are written as Excel itself escapes them.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def is_long(table: pa.Table) -> bool:
    """Whether a table has too many rows for a sheet or a JSON list."""
    return bool(table.num_rows > MOST_ROWS)


def zip_bytes(version: Version, folder: str) -> bytes:
    """The files of a release below ``folder`` as a ZIP file, sorted by name, without times."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name in sorted(version.files):
            entry = zipfile.ZipInfo(f"{folder}/{name}", _FIXED_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, version.files[name], compresslevel=6)
    return sink.getvalue()


def _json_value(value: object) -> str:
    """One value as JSON; decimals as exact numbers."""
    if isinstance(value, Decimal):
        return number_text(value)
    return json.dumps(value, ensure_ascii=False)


def json_table(table: pa.Table) -> bytes:
    """A table as a JSON list with one object a line: null where not given, figures exact."""
    keys = [json.dumps(name) for name in table.column_names]
    columns = [column.to_pylist() for column in table.columns]
    lines = [
        "{" + ",".join(f"{key}:{_json_value(value)}" for key, value in zip(keys, row, strict=True)) + "}"
        for row in zip(*columns, strict=True)
    ]
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode("utf-8")


def _plain(text: str) -> str:
    return _CONTROL.sub(lambda match: f"_x{ord(match.group()):04X}_", text)


def _width(texts: Sequence[str]) -> float:
    """A column's width in characters, from its first rows; a Chinese character counts as two."""
    lengths = [sum(2 if ord(letter) > 0x2E80 else 1 for letter in text) for text in texts[:200]]
    return min(48.0, max(8.0, max(lengths, default=0) + 2.0))


def _guide(dataset: Dataset) -> list[tuple[str, str, str]]:
    """The first sheet: what this is, in rows of (中文, value, English)."""
    descriptor = dataset.descriptor
    licence = (descriptor.get("licenses") or [{}])[0]
    publisher = (descriptor.get("contributors") or [{}])[0]
    coverage = descriptor["x-coverage"]
    rows = [
        ("名称", descriptor["title"], descriptor["title_en"]),
        ("版本", dataset.current.id, "Release"),
        ("发布单位", publisher.get("title", ""), publisher.get("organization", "")),
        ("许可", licence.get("title", ""), licence.get("path", "")),
        ("报送情况", f"{coverage['accepted']} / {coverage['expected']}", "Bodies accepted / expected"),
        ("空单元格", "未填报，不等于 0", "An empty cell means not given; it is not 0"),
        (
            "文字",
            "按原文照录，均为文本格式，不会作为公式计算",
            "Texts stand as they came, marked as text, never formulas",
        ),
        ("合计", "form_cells 表中 total 为 TRUE 的单元格已是合计", "Cells marked total are sums already"),
    ]
    if dataset.synthetic:
        note = descriptor.get("x-synthetic-note") or {}
        rows.insert(1, ("示例数据", note.get("zh", ""), note.get("en", "")))
    rows += [(f"工作表 {table.id}", table.title_zh, table.title_en) for table in load_tables().released]
    return rows


def _too_long(table: pa.Table) -> str:
    return (
        f"本表有 {table.num_rows:,} 行，不宜放在电子表格里，请用 CSV 或 Parquet 文件。"
        f" This table has {table.num_rows:,} rows; take the CSV or the Parquet file."
    )


def workbook_bytes(dataset: Dataset) -> bytes:
    """All released tables as one Excel workbook, a sheet each, with Chinese heads and the field names below them.

    The sheet of a table that is too long says where to find it.
    """
    from xlsxwriter import Workbook

    sink = io.BytesIO()
    book = Workbook(sink, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties(
        {"title": _plain(dataset.descriptor["title"]), "created": datetime.datetime(2000, 1, 1)}  # noqa: DTZ001
    )
    text = book.add_format({"quote_prefix": True, "valign": "top"})
    head = book.add_format({"bold": True, "bg_color": "#E8F0EE", "text_wrap": True, "valign": "top", "bottom": 1})
    label = book.add_format({"bold": True, "valign": "top"})
    wrapped = book.add_format({"text_wrap": True, "quote_prefix": True, "valign": "top"})
    number = book.add_format({"num_format": "#,##0.####;-#,##0.####", "valign": "top"})
    whole = book.add_format({"num_format": "0", "valign": "top"})

    guide = book.add_worksheet("说明 README")
    guide.set_column(0, 0, 24)
    guide.set_column(1, 2, 60)
    for position, (zh, value, en) in enumerate(_guide(dataset)):
        guide.write_string(position, 0, zh, label)
        guide.write_string(position, 1, _plain(value), wrapped)
        guide.write_string(position, 2, _plain(en), wrapped)

    formats = {"text": text, "number": number, "whole": whole}
    for declared in load_tables().released:
        table = dataset.tables[declared.id]
        sheet = book.add_worksheet(declared.id)
        sheet.freeze_panes(1, 0)
        if is_long(table):
            sheet.write_string(1, 0, _too_long(table), text)
            table = table.slice(0, 0)
        sheet.autofilter(0, 0, table.num_rows, table.num_columns - 1)
        for column, field in enumerate(declared.fields):
            values = table[field.name].to_pylist()
            shown = [field.title_zh, field.name, *(str(value) for value in values[:200] if value is not None)]
            sheet.set_column(column, column, _width(shown))
            sheet.write_string(0, column, f"{field.title_zh}\n{field.name}", head)
            for row, value in enumerate(values, 1):
                _write(sheet, row, column, value, field.type, formats)
    book.close()
    return sink.getvalue()


def _write(
    sheet: Any,  # noqa: ANN401 - a worksheet of xlsxwriter, which ships no types
    row: int,
    column: int,
    value: object,
    kind: str,
    formats: Mapping[str, object],
) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, (Decimal, int)):
        exact = number_text(value)
        if len(exact.strip("-").replace(".", "")) > EXACT_DIGITS:
            sheet.write_string(row, column, exact, formats["text"])
        else:
            sheet.write_number(row, column, value, formats["number" if kind == "decimal" else "whole"])
    else:
        sheet.write_string(row, column, _plain(str(value)), formats["text"])
