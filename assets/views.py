"""What a person wants to see of a table in the Dagster UI: counts, short tables, who is missing.

Belongs here: frames as Dagster metadata. Does not belong here: deciding anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from html import escape
from typing import Any

import dagster as dg
import msgspec
import polars as pl

from assets.pictures import bars
from pipelines.publish.catalogue.facts import release_address
from pipelines.publish.changes import Change
from pipelines.publish.release import Published
from pipelines.publish.signature import is_signed
from schemas.findings import Finding, load_kinds, number_text
from schemas.form import editions
from schemas.rules import load_rules

MOST_ROWS = 50
NOTHING = "（无 / none）"
STATUSES = (
    ("accepted", "已采用", "good"),
    ("waived", "豁免", "plain"),
    ("refused", "未通过", "bad"),
    ("missing", "未报送", "bad"),
)
REASON = ("原因 / reason", "reason")  # why a check of the gate failed, Chinese and English
PUBLISHABLE = "可以发布 / publishable"  # of the verdicts: whether every check of the gate passes
BY_ITSELF = "自动发布 / published by itself"  # of the verdicts: publishable, and a year that the region releases


def markdown(frame: pl.DataFrame, columns: dict[str, str]) -> dg.MetadataValue[Any]:
    """At most MOST_ROWS rows as a Markdown table; ``columns``: shown heading by column name."""

    def text(value: object) -> str:
        if isinstance(value, Decimal):
            return number_text(value)
        return "" if value is None else escape(str(value), quote=False).replace("|", "\\|").replace("\n", " ")

    if frame.is_empty():
        return dg.MetadataValue.md(NOTHING)
    lines = ["| " + " | ".join(columns.values()) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(text(row[name]) for name in columns) + " |" for row in frame.head(MOST_ROWS).to_dicts()]
    if frame.height > MOST_ROWS:
        lines.append(f"\n……另有 {frame.height - MOST_ROWS} 行 / and {frame.height - MOST_ROWS} more rows")
    return dg.MetadataValue.md("\n".join(lines))


def reasons(findings: Sequence[Finding]) -> tuple[str, str]:
    """At most MOST_ROWS messages, a line each, in Chinese and in English; then how many more there are."""
    chinese = [finding.message_zh for finding in findings[:MOST_ROWS]]
    english = [finding.message_en for finding in findings[:MOST_ROWS]]
    if len(findings) > MOST_ROWS:
        chinese.append(f"另有 {len(findings) - MOST_ROWS} 个")
        english.append(f"and {len(findings) - MOST_ROWS} more")
    return "\n".join(chinese), "\n".join(english)


def _who(body: str | None, file: str | None, names: Mapping[str, str]) -> str:
    """Whom a finding is about: a body by its name, a file of nobody, or the totals."""
    if body:
        return names.get(body, body)
    return "（未认出单位）" if file else "（汇总）"


def findings_view(findings: pl.DataFrame, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Counts by severity and the findings themselves, errors first. ``names``: of the bodies, by code."""
    counts = {
        severity: findings.filter(pl.col("severity") == severity).height
        for severity in ("error", "warning", "information")
    }
    heads = {"severity": "级别", "body": "单位", "file": "文件", "message_zh": "说明", "waived": "豁免"}
    wrong = findings.filter((pl.col("severity") != "information") & pl.col("waived").is_null())
    about = Counter(
        _who(body, file, names or {}) for body, file in zip(wrong["body"], wrong["file"], strict=True)
    ).most_common()
    by_rule = wrong.group_by("rule", maintain_order=True).len().sort("len", descending=True, maintain_order=True)
    called = pl.col("rule").replace_strict(titles(), default="", return_dtype=pl.String)
    by_rule = by_rule.with_columns(called=pl.format("{} {}", called, "rule"))  # one column: two would be too narrow
    rows = [(who, count, str(count), "bad") for who, count in about[:12]]
    if len(about) > 12:
        rest = sum(count for _, count in about[12:])
        rows.append((f"另有 {len(about) - 12} 个单位 more", rest, str(rest), "past"))
    return {
        "错误 / errors": counts["error"],
        "提醒 / warnings": counts["warning"],
        "说明 / information": counts["information"],
        "各单位的问题 / by body": dg.MetadataValue.md(bars("各单位的问题 findings by body", rows) or NOTHING),
        "各类问题 / by rule": markdown(by_rule, {"called": "规则", "len": "个数"}),
        "核查结果 / findings": markdown(findings, heads),
    }


def coverage_view(bodies: pl.DataFrame) -> dict[str, Any]:
    """How many bodies have handed in, and which have not."""
    absent = bodies.filter(pl.col("status") != "accepted")
    counted = {row["status"]: row["len"] for row in bodies.group_by("status").len().to_dicts()}
    rows = [
        (f"{chinese} {status}", counted.get(status, 0), str(counted.get(status, 0)), tone)
        for status, chinese, tone in STATUSES
    ]
    return {
        "报送情况 / coverage": dg.MetadataValue.md(bars("报送情况 coverage", rows)),
        "应报单位 / bodies on the roster": bodies.height,
        "已采用 / accepted": bodies.height - absent.height,
        "未采用 / not accepted": markdown(absent, {"body": "代码", "name_zh": "名称", "status": "状态"}),
    }


@cache
def titles() -> dict[str, str]:
    """What each rule, of any edition, and each kind of finding is called in Chinese."""
    found = {name: kind.title_zh for name, kind in load_kinds().items()}
    for edition in editions():
        rules = load_rules(edition)
        found |= {domain.id: domain.title_zh for domain in rules.domains}
        found |= {rule.id: rule.title_zh for rule in rules.rules}
    return found


def totals_view(
    totals: pl.DataFrame, previous: Mapping[str, Decimal | int], labels: Mapping[str, str]
) -> dict[str, Any]:
    """The totals that are not zero, with last year's beside them; the largest as a picture.

    ``previous``: last year's totals by cell, {} where there are none; ``labels``: what each cell is called.
    """
    rows = []
    for row in totals.to_dicts():
        value, last = row["value"], previous.get(row["cell"])
        if not value and not last:
            continue
        difference = value - last if value is not None and last is not None else None
        shown = {
            "cell": row["cell"],
            "label": labels.get(row["cell"], ""),
            "unit": row["unit"],
            "bodies": row["bodies"],
        }
        figures = {"value": value, "last": last, "difference": difference}
        rows.append(shown | {name: None if figure is None else number_text(figure) for name, figure in figures.items()})
    past = {"last": "上年", "difference": "增减"}
    heads = {"label": "名称", "cell": "单元格", "value": "合计", **past, "unit": "单位", "bodies": "单位数"}
    largest = sorted(totals.drop_nulls("value").to_dicts(), key=lambda row: (-row["value"], row["cell"]))
    largest = [row for row in largest if row["unit"] == largest[0]["unit"]][:8]  # one picture, one unit
    drawn = []
    for row in largest:
        if not row["value"]:
            continue
        name, last = labels.get(row["cell"], row["cell"]), previous.get(row["cell"])
        drawn.append((name, float(row["value"]), f"{number_text(row['value'])} {row['unit']}", "plain"))
        if last is not None:
            drawn.append(("上年", float(max(last, 0)), number_text(last), "past"))
    table = pl.DataFrame(rows, schema=dict.fromkeys(heads, pl.String) | {"bodies": pl.Int64}, orient="row")
    return {
        "单元格 / cells": totals.height,
        "最大的合计 / the largest totals": dg.MetadataValue.md(bars("最大的合计 the largest totals", drawn) or NOTHING),
        "非零合计 / totals above zero": markdown(
            table, {name: head for name, head in heads.items() if previous or name not in past}
        ),
    }


def check_table(rows: pl.DataFrame, heads: dict[str, str]) -> dict[str, Any]:
    """What one check found, as a table."""
    return {"问题数 / failures": rows.height, "问题 / findings": markdown(rows, heads)}


def check_view(
    findings: pl.DataFrame, looked_for: Sequence[str], names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The failures of one check: who, which rule, expected, found, difference, in words.

    ``looked_for``: the rules, domains and kinds that the check speaks of; ``names``: of the bodies, by code.
    """
    named = pl.col("body").replace_strict(dict(names or {}), default="", return_dtype=pl.String)
    heads = {"body": "单位", "name": "名称", "file": "文件", "rule": "规则", "expected": "应为", "found": "实为"}
    heads |= {"difference": "差额", "message_zh": "说明", "message_en": "message"}
    broken = len(set(looked_for) & set(findings["rule"]))
    return {
        "通过的规则 / rules passed": len(looked_for) - broken,
        "未通过的规则 / rules failed": broken,
        **check_table(findings.with_columns(name=named), heads),
    }


def link_view(base_url: str, code: str, year: int) -> dict[str, Any]:
    """The web address of the current release, where the deployment has one."""
    address = release_address(base_url, code, year)
    return {"链接 / link": dg.MetadataValue.url(address)} if address else {}


def changes_view(changes: Sequence[Change]) -> dg.MetadataValue[Any]:
    """The figures that a new release changed: old and new value and the reason."""
    heads = {"body": "单位", "cell": "单元格", "before": "原为", "after": "现为", "reason_zh": "原因"}
    rows = [msgspec.structs.asdict(change) for change in changes]
    return markdown(pl.DataFrame(rows, schema=dict.fromkeys(heads, pl.String), orient="row"), heads)


def release_view(published: Published) -> dict[str, Any]:
    """A release that was put in place: its id, where it is, whether it is new and signed, what it changed."""
    return {
        "版本 / release": dg.MetadataValue.text(published.id),
        "位置 / path": dg.MetadataValue.path(str(published.path)),
        "新发布 / new": dg.MetadataValue.bool(published.new),
        "已签名 / signed": dg.MetadataValue.bool(is_signed(published.path)),
        "与上一版本的差别 / changes": changes_view(published.changes),
    }
