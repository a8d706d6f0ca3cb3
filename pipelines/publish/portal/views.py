"""What the pages of a dataset say, as plain records for the templates.

Belongs here: downloads, the catalogue record, dictionary, quality, how to cite and to load. Does not belong here:
charts (charts_view.py), HTML (templates/), reading releases (releases.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow.compute as pc

from pipelines.layout import draw_form
from pipelines.publish.package import README, SIGNATURE, SUMS
from pipelines.publish.portal.bars import stack_svg
from pipelines.publish.portal.charts_view import shown, trace_link
from pipelines.publish.portal.exports import is_long
from pipelines.publish.portal.releases import Dataset, Row
from pipelines.storage import sha256
from schemas.descriptor import DESCRIPTOR, allowed_values, resource_path
from schemas.findings import SEVERITIES, load_kinds
from schemas.rules import load_rules
from schemas.tables import load_tables

STATUS = {
    "accepted": ("已采用", "Accepted", "tone-0"),
    "waived": ("经批准豁免", "Waived", "tone-3"),
    "refused": ("未采用", "Refused", "tone-2"),
    "missing": ("未报送", "Missing", "tone-5"),
}
KINDS = {
    "office": ("县政府办公室", "County office"),
    "department": ("部门", "Department"),
    "township": ("乡镇", "Township"),
    "subdistrict": ("街道", "Subdistrict"),
}
STATES = {
    "given": ("填了数字", "A figure is given"),
    "blank": ("空白", "Blank"),
    "slash": ("填“/”“-”“无”", "Slash or dash"),
    "text": ("文字", "Text"),
    "formula": ("公式", "Formula"),
    "absent": ("文件中没有这一格", "Not in the file"),
}
SEVERITY_WORDS = {"error": ("错误", "Error"), "warning": ("提醒", "Warning"), "information": ("说明", "Information")}
TYPES = {
    "text": ("文本", "text"),
    "integer": ("整数", "whole number"),
    "year": ("年份", "year"),
    "decimal": ("数值（最多 4 位小数）", "decimal(18,4)"),
    "boolean": ("是/否", "true or false"),
}
CHANGES_SHOWN = 200
FINDINGS_SHOWN = 50  # of one rule
DECISIONS_SHOWN = 200
ROSTER_SHOWN = 500  # bodies on one page; a longer roster has pages of its own


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """One file to download: its address below the dataset's page, size, hash and what it is."""

    href: str
    name: str
    format: str
    bytes: int
    sha256: str
    title_zh: str = ""
    title_en: str = ""

    @property
    def size(self) -> str:
        """The size for people, in units of 1,000."""
        if self.bytes < 1000:
            return f"{self.bytes} B"
        for unit, factor in (("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000)):
            if self.bytes < factor * 1000:
                tenths = self.bytes * 10 // factor
                return f"{tenths // 10}.{tenths % 10} {unit}" if tenths < 1000 else f"{tenths // 10} {unit}"
        return f"{self.bytes // 1_000_000_000} GB"


class Downloads(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be downloaded: bundles, the official report, tables in each format, other files."""

    bundles: tuple[Download, ...]
    reports: tuple[Download, ...]
    tables: tuple[tuple[str, str, str, int, tuple[Download, ...]], ...]
    others: tuple[Download, ...]

    @property
    def all(self) -> tuple[Download, ...]:
        """Every download, bundles first."""
        return (*self.bundles, *self.reports, *(one for table in self.tables for one in table[4]), *self.others)


_OTHERS = {
    DESCRIPTOR: ("数据包描述（Data Package v2）", "Data Package descriptor"),
    README: ("说明", "Read me"),
    SUMS: ("全部文件的 SHA-256", "SHA-256 of every file"),
    SIGNATURE: ("发布单位的签名", "The publisher's signature"),
}


def downloads(dataset: Dataset, derived: Mapping[str, bytes], beside: Mapping[str, bytes]) -> Downloads:
    """The downloads of a dataset. ``derived`` and ``beside``: further files by their address below its page."""
    release = f"releases/{dataset.current.id}"

    def one(href: str, data: bytes, zh: str = "", en: str = "") -> Download:
        name = href.rpartition("/")[2]
        suffix = name.rpartition(".")[2].upper() if "." in name else "TXT"
        return Download(
            href=href, name=name, format=suffix, bytes=len(data), sha256=sha256(data), title_zh=zh, title_en=en
        )

    files = dataset.current.files
    tables, listed = [], set()
    for table in load_tables().released:
        paths = [resource_path(table.id, fmt) for fmt in ("parquet", "csv")]
        listed |= set(paths)
        found = [one(f"{release}/{path}", files[path]) for path in paths]
        found += [one(href, data) for href, data in derived.items() if href.endswith(f"/{table.id}.json")]
        tables.append((table.id, table.title_zh, table.title_en, dataset.tables[table.id].num_rows, tuple(found)))
    words = {"XLSX": ("全部数据表，一个 Excel 文件", "All tables in one workbook")}
    long = [name for name, table in dataset.tables.items() if is_long(table)]
    if long:
        names = "、".join(long), ", ".join(long)
        words["XLSX"] = (f"数据表，一个 Excel 文件，不含 {names[0]}", f"All tables but {names[1]} in one workbook")
    words["ZIP"] = ("完整数据包：全部文件与校验值", "The whole package with its checksums")
    bundles = [one(href, data) for href, data in derived.items() if not href.endswith(".json")]
    bundles = [
        msgspec.structs.replace(found, title_zh=words[found.format][0], title_en=words[found.format][1])
        for found in bundles
    ]
    others = [
        one(f"{release}/{name}", files[name], *_OTHERS.get(name, ("", ""))) for name in files if name not in listed
    ]
    reports = [
        one(href, data, "年度报告", "Annual report") for href, data in beside.items() if href.startswith("report/")
    ]
    others += [one(href, data) for href, data in beside.items() if not href.startswith("report/")]
    return Downloads(bundles=tuple(bundles), reports=tuple(reports), tables=tuple(tables), others=tuple(others))


def items() -> list[dict[str, Any]]:
    """The fields of the released tables (信息项), with what an empty value means and the allowed values."""
    return [
        {
            "id": table.id,
            "title_zh": table.title_zh,
            "title_en": table.title_en,
            "description_zh": table.description_zh,
            "description_en": table.description_en,
            "key": table.primary_key,
            "fields": [
                {
                    "name": field.name,
                    "title_zh": field.title_zh,
                    "title_en": field.title_en,
                    "description_en": field.description_en,
                    "type_zh": TYPES[field.type][0],
                    "type_en": TYPES[field.type][1],
                    "null": field.null,
                    "values": allowed_values(table.id, field.name),
                }
                for field in table.fields
            ],
        }
        for table in load_tables().released
    ]


def figures(dataset: Dataset) -> list[dict[str, Any]]:
    """The county's figures in the printed layout of the form, each with a link to what stands behind it."""
    totals = {row["cell"]: row for row in dataset.rows("county_totals")}
    drawn = []
    for drawing in draw_form(dataset.form):
        lines: list[list[dict[str, Any]]] = [[] for _ in range(drawing.rows)]
        for box in drawing.boxes:
            row = totals.get(box.cell)
            cell = dataset.form.by_id.get(box.cell)
            lines[box.row].append(
                {
                    "box": box,
                    "value": shown(row["value"]) if row else "—",
                    "bodies": row["bodies"] if row else 0,
                    "unit": cell.unit if cell else "",
                    "label": f"{cell.label_zh} {cell.label_en}" if cell else "",
                    "link": trace_link(box.cell) if box.cell else "",
                    "total": bool(cell and cell.total),
                }
            )
        drawn.append({"drawing": drawing, "lines": lines})
    return drawn


def cell_choices(dataset: Dataset) -> list[dict[str, Any]]:
    """The cells of the form by table, for choosing one."""
    return [
        {
            "title": f"{table.number_zh}、{table.title_zh} {table.title_en}",
            "cells": [(cell.id, f"{cell.label_zh} {cell.label_en}") for cell in dataset.form.cells_of(table.id)],
        }
        for table in dataset.form.tables
    ]


def indicators(dataset: Dataset) -> list[dict[str, str]]:
    """The figures of section one, for people."""
    return [
        {
            "label_zh": row["label_zh"],
            "label_en": row["label_en"],
            "value": shown(row["value"]) + ("+" if row["qualifier"] == "at_least" else ""),
            "unit": row["unit"],
        }
        for row in dataset.rows("indicators")
    ]


def _rule_words(dataset: Dataset) -> dict[str, tuple[str, str]]:
    words = {kind.id: (kind.title_zh, kind.title_en) for kind in load_kinds().values()}
    rules = load_rules(dataset.form.edition)
    words |= {rule.id: (rule.title_zh, rule.title_en) for rule in rules.rules}
    return words | {domain.id: (domain.title_zh, domain.title_en) for domain in rules.domains}


def changes(dataset: Dataset) -> dict[str, Any]:
    """What changed since the release before: its id ("" for a first one), how many figures, and which."""
    event = dataset.published
    names = {row["body"]: row["name_zh"] for row in dataset.rows("bodies")}
    made = event.changes if event else ()

    def label(table: str, cell: str) -> str:
        known = dataset.form.by_id.get(cell)
        return known.label_zh if known and table != "indicators" else cell

    def figure(text: str | None) -> str:
        return "—" if text is None else text

    return {
        "previous": event.previous if event else "",
        "count": len(made),
        "rows": [
            {
                "table": change.table,
                "body": names.get(change.body, change.body),
                "label": label(change.table, change.cell),
                "cell": change.cell,
                "before": figure(change.before),
                "after": figure(change.after),
                "reason_zh": change.reason_zh,
                "reason_en": change.reason_en,
            }
            for change in made[:CHANGES_SHOWN]
        ],
        "more": max(0, len(made) - CHANGES_SHOWN),
    }


def roster(dataset: Dataset) -> list[dict[str, Any]]:
    """The bodies in roster order with their status and how many findings each has, in words."""
    counts = Counter(dataset.tables["findings"]["body"].to_pylist())
    return [
        row
        | {
            "status_zh": STATUS[row["status"]][0],
            "status_en": STATUS[row["status"]][1],
            "kind_zh": KINDS.get(row["kind"], (row["kind"], ""))[0],
            "kind_en": KINDS.get(row["kind"], ("", row["kind"]))[1],
            "findings": counts[row["body"]],
        }
        for row in dataset.rows("bodies")
    ]


def roster_pages(rows: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Mapping[str, Any]]]:
    """A long roster by the names of its pages; {} where the page of quality holds it."""
    starts = range(0, len(rows), ROSTER_SHOWN)
    if len(starts) < 2:
        return {}
    digits = len(str(len(starts)))
    return {
        f"bodies-{number:0{digits}}.html": rows[start : start + ROSTER_SHOWN] for number, start in enumerate(starts, 1)
    }


def quality(dataset: Dataset) -> dict[str, Any]:
    """Coverage, findings, waivers, corrections, how figures were given, changes, versions."""
    bodies, findings = dataset.rows("bodies"), dataset.rows("findings")
    words = _rule_words(dataset)
    names = {row["body"]: row["name_zh"] for row in bodies}
    statuses = Counter(row["status"] for row in bodies)
    by_rule: dict[tuple[str, str], list[Row]] = {}
    for row in findings:
        by_rule.setdefault((row["severity"], row["rule"]), []).append(row)
    severity_order: dict[str, int] = {severity: position for position, severity in enumerate(SEVERITIES)}
    given = pc.value_counts(dataset.tables["body_cells"]["state"]).to_pylist()
    states = {row["values"]: row["counts"] for row in given}
    waived = [row for row in findings if row["waived"]]
    corrected = [row for row in findings if row["rule"] == "correction_applied"]

    def named(rows: Sequence[Row], most: int) -> list[Row]:
        return [row | {"name": names.get(row["body"], "")} for row in rows[:most]]

    return {
        "expected": len(bodies),
        "accepted": statuses["accepted"],
        "statuses": [(*STATUS[status], statuses[status]) for status in STATUS if statuses[status]],
        "coverage_bar": stack_svg([(statuses[status], STATUS[status][2]) for status in STATUS], len(bodies)),
        "kinds": [
            (*KINDS.get(kind, (kind, kind)), len(rows), sum(row["status"] == "accepted" for row in rows))
            for kind in KINDS
            if (rows := [row for row in bodies if row["kind"] == kind])
        ],
        "severities": [
            (severity, *SEVERITY_WORDS[severity], sum(row["severity"] == severity for row in findings))
            for severity in SEVERITIES
        ],
        "rules": [
            {
                "severity": severity,
                "severity_zh": SEVERITY_WORDS[severity][0],
                "severity_en": SEVERITY_WORDS[severity][1],
                "rule": rule,
                "title_zh": words.get(rule, (rule, rule))[0],
                "title_en": words.get(rule, (rule, rule))[1],
                "count": len(rows),
                "waived": sum(1 for row in rows if row["waived"]),
                "rows": named(rows, FINDINGS_SHOWN),
                "more": max(0, len(rows) - FINDINGS_SHOWN),
            }
            for (severity, rule), rows in sorted(
                by_rule.items(), key=lambda item: (severity_order[item[0][0]], item[0][1])
            )
        ],
        "waived": named(waived, DECISIONS_SHOWN),
        "waived_count": len(waived),
        "corrected": named(corrected, DECISIONS_SHOWN),
        "corrected_count": len(corrected),
        "states": [(*STATES[state], states[state]) for state in STATES if state in states],
        "changes": changes(dataset),
        "events": dataset.history.events,
    }
