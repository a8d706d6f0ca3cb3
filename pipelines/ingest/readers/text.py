"""Plain text and Markdown become Documents: every line in order, rows of tables as Grids.

Belongs here: which lines are rows of a table. Does not belong here: making sense of one cell per line, the way text
copied from a web page looks; such lines stay paragraphs, verbatim and with their blank lines, and the matcher reads
them as a stream.

A run of neighbouring lines is a Grid in two cases. Tab-separated: two lines or more, or one with three filled fields;
a field stands as it is. Pipes: two lines or more, none a lone ``|``, two in three with at least two cells; the padding
around a cell and the ruler line of Markdown are not content. Every other line is a paragraph at ``第N行``, so nothing
is lost: joined by line ends (fields by tabs) the items give the text again.
"""

from __future__ import annotations

import re

from pipelines.ingest.decoding import decode
from pipelines.ingest.document import Document, Grid, Paragraph, TextCell
from pipelines.ingest.limits import MAX_LINES, MAX_TEXT
from pipelines.ingest.readers.spans import Budget, too_many

_LINE_END = re.compile(r"\r\n|\r|\n|\f")
_PIPE = re.compile(r"(?<!\\)\|")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_TITLE = re.compile(r"\s{0,3}#{1,6}\s")


def read(data: bytes, name: str) -> Document:
    """Read a text. Raises Declined: no encoding fits, too long."""
    text = decode(data, name)
    lines = _LINE_END.split(text.rstrip("\r\n\f"))
    if len(text) > MAX_TEXT:
        raise too_many(name, len(text), MAX_TEXT, "字", "characters")
    if len(lines) > MAX_LINES:
        raise too_many(name, len(lines), MAX_LINES, "行", "lines")
    budget = Budget(name)
    items: list[Paragraph | Grid] = []
    position = 0
    while position < len(lines):
        kind = _kind(lines[position])
        end = position + 1
        while kind and end < len(lines) and _kind(lines[end]) == kind:
            end += 1
        rows = _rows(lines[position:end], kind) if kind else None
        if rows:
            items.append(_grid(rows, position, budget))
        else:
            items += [
                Paragraph(text=line, at=f"第{number + 1}行")
                for number, line in enumerate(lines[position:end], start=position)
            ]
        position = end
    return Document(format="text", items=tuple(items))


def _kind(line: str) -> str:
    if "\t" in line:
        return "\t"
    return "|" if _PIPE.search(line) and not _TITLE.match(line) else ""


def _is_ruler(line: str) -> bool:
    return "-" in line and not line.strip("|:- \t")


def _fields(line: str) -> list[str]:
    inner = line.strip()
    inner = inner.removeprefix("|")
    if inner.endswith("|") and not inner.endswith("\\|"):
        inner = inner[:-1]
    return [_BREAK.sub("\n", field.strip().replace("\\|", "|")) for field in _PIPE.split(inner)]


def _rows(lines: list[str], kind: str) -> list[tuple[int, list[str]]] | None:
    """(line within the run, fields) of every row, or None where the run is no table."""
    if kind == "\t":
        rows = [(number, line.split("\t")) for number, line in enumerate(lines)]
        return rows if len(rows) > 1 or sum(map(bool, rows[0][1])) > 2 else None
    kept = [(number, line) for number, line in enumerate(lines) if not _is_ruler(line)]
    if len(kept) < 2 or any(not line.strip(" \t|") and line.count("|") < 2 for _, line in kept):
        return None
    rows = [(number, _fields(line)) for number, line in kept]
    wide = sum(len(fields) > 1 for _, fields in rows)
    return rows if wide * 3 >= len(rows) * 2 else None


def _grid(rows: list[tuple[int, list[str]]], first: int, budget: Budget) -> Grid:
    budget.take(len(rows), max(len(fields) for _, fields in rows))
    cells = tuple(
        TextCell(row=row, column=column, text=field, at=f"第{first + number + 1}行第{column + 1}列")
        for row, (number, fields) in enumerate(rows)
        for column, field in enumerate(fields)
    )
    return Grid(cells=cells, at=f"第{first + 1}行")
