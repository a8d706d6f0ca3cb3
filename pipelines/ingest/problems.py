"""What went wrong between a document and the form, as findings a person can act on.

Belongs here: tables that are not there, figures that could not be told for a cell, another system of reporting.
Does not belong here: completeness and rules (pipelines/validate), files that could not be opened (the readers).
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.ingest.declined import safe_name
from pipelines.ingest.document import Document, Grid
from pipelines.ingest.labels import squash, writing
from pipelines.ingest.match import Match, Reading
from schemas.findings import Finding, make_finding
from schemas.form import editions, load_form
from schemas.intake import ReadCell

MOST_IDS = 6


def problems_of(
    name: str,
    document: Document,
    cells: Sequence[ReadCell],
    found: Match | None,
    unknown: Sequence[tuple[str, str, str]],
) -> tuple[Finding, ...]:
    """The findings of one read file, in the form's order. ``found`` is None for a tidy file."""
    if not cells:
        return (_nothing(name, document, unknown),)
    problems: list[Finding] = []
    if unknown:
        ids = [cell for cell, _, _ in unknown]
        shown = "、".join(ids[:MOST_IDS]) + ("…" if len(ids) > MOST_IDS else "")
        problems.append(
            make_finding(
                "unknown_cell",
                words={"file": safe_name(name), "count": len(ids), "ids": shown},
                file=name,
                address=unknown[0][2],
            )
        )
    if found is not None:
        problems += [problem for table in _tables() if (problem := _table(name, table, found)) is not None]
    return tuple(problems)


def _tables() -> tuple[str, ...]:
    return tuple(table.id for table in load_form(editions()[-1]).tables if not table.optional)


def _nothing(name: str, document: Document, unknown: Sequence[tuple[str, str, str]]) -> Finding:
    shown = safe_name(name)
    texts = {
        squash(text)
        for item in document.items
        for text in ([cell.text for cell in item.cells] if isinstance(item, Grid) else [item.text])
    }
    if sum(any(squash(label) in text for text in texts if len(text) < 60) for label in writing().older_system) >= 2:
        return make_finding("older_system", words={"file": shown}, file=name)
    if unknown:
        return make_finding(
            "not_a_return",
            words={
                "file": shown,
                "missing": f"{len(unknown)} 个数据项都不是统一表式的代码，例如 {unknown[0][0]}",
                "missing_en": f"none of its {len(unknown)} ids is a cell of the form, such as {unknown[0][0]}",
            },
            file=name,
        )
    form = load_form(editions()[-1])
    tables = [form.table(table) for table in _tables()]
    return make_finding(
        "not_a_return",
        words={
            "file": shown,
            "missing": "、".join(f"表{table.number_zh}“{table.title_zh}”" for table in tables),
            "missing_en": "; ".join(table.title_en for table in tables),
        },
        file=name,
    )


def _table(name: str, identifier: str, found: Match) -> Finding | None:
    """The finding of one table of which cells are unread; None where all are read."""
    reading = found.readings.get(identifier)
    form = load_form(reading.plan.edition if reading else editions()[-1])
    unread = tuple(cell.id for cell in form.cells_of(identifier) if reading is None or cell.id not in reading.cells)
    if not unread:
        return None
    zh, en = _reason(reading, len(unread))
    table = form.table(identifier)
    return make_finding(
        "unread_cells",
        words={
            "file": safe_name(name),
            "table": table.title_zh,
            "table_en": table.title_en,
            "reason_zh": zh,
            "reason_en": en,
        },
        cells=unread,
        file=name,
    )


def _reason(reading: Reading | None, count: int) -> tuple[str, str]:
    if reading is None or not (reading.cells or reading.stray):
        return "文件里没有这张表的数字", "the file has no figures of this table"
    if reading.clash:
        return (
            f"有 {len(reading.clash)} 个数在文件里有两种读法或出现两次且不相同",
            f"{len(reading.clash)} figure(s) can be read in two ways or stand there twice and differ",
        )
    if reading.stray:
        return (
            f"有 {reading.stray} 行数字认不出属于哪一项，{count} 个数没有读入",
            f"{reading.stray} row(s) of figures belong to no row that can be told; {count} figure(s) are unread",
        )
    return (
        f"有 {count} 个数没有找到，或因空格、缺行分不清属于哪一格",
        f"{count} figure(s) are absent, or blanks and lost rows leave it open where they belong",
    )
