"""What a person wants to see of a table in the Dagster UI: counts, short tables, who is missing.

Belongs here: frames as Dagster metadata. Does not belong here: deciding anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg
import msgspec
import polars as pl

from pipelines.publish.changes import Change

MOST_ROWS = 50
REASON = ("原因 / reason", "reason")  # why a check of the gate failed, Chinese and English
PUBLISHABLE = "可以发布 / publishable"  # of the verdicts: whether every check of the gate passes
BY_ITSELF = "自动发布 / published by itself"  # of the verdicts: publishable, and a year that the region releases


def markdown(frame: pl.DataFrame, columns: dict[str, str]) -> dg.MetadataValue[Any]:
    """At most MOST_ROWS rows as a Markdown table; ``columns``: shown heading by column name."""

    def text(value: object) -> str:
        return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")

    if frame.is_empty():
        return dg.MetadataValue.md("（无 / none）")
    lines = ["| " + " | ".join(columns.values()) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(text(row[name]) for name in columns) + " |" for row in frame.head(MOST_ROWS).to_dicts()]
    if frame.height > MOST_ROWS:
        lines.append(f"\n……另有 {frame.height - MOST_ROWS} 行 / and {frame.height - MOST_ROWS} more rows")
    return dg.MetadataValue.md("\n".join(lines))


def findings_view(findings: pl.DataFrame) -> dict[str, Any]:
    """Counts by severity and the findings themselves, errors first."""
    counts = {
        severity: findings.filter(pl.col("severity") == severity).height
        for severity in ("error", "warning", "information")
    }
    heads = {"severity": "级别", "body": "单位", "file": "文件", "message_zh": "说明", "waived": "豁免"}
    return {
        "错误 / errors": counts["error"],
        "提醒 / warnings": counts["warning"],
        "说明 / information": counts["information"],
        "核查结果 / findings": markdown(findings, heads),
    }


def coverage_view(bodies: pl.DataFrame) -> dict[str, Any]:
    """How many bodies have handed in, and which have not."""
    absent = bodies.filter(pl.col("status") != "accepted")
    return {
        "应报单位 / bodies on the roster": bodies.height,
        "已采用 / accepted": bodies.height - absent.height,
        "未采用 / not accepted": markdown(absent, {"body": "代码", "name_zh": "名称", "status": "状态"}),
    }


def totals_view(totals: pl.DataFrame) -> dict[str, Any]:
    """The totals that are not zero."""
    shown = totals.filter(pl.col("value") != 0)
    return {
        "单元格 / cells": totals.height,
        "非零合计 / totals above zero": markdown(
            shown, {"cell": "单元格", "value": "合计", "unit": "单位", "bodies": "单位数"}
        ),
    }


def changes_view(changes: Sequence[Change]) -> dg.MetadataValue[Any]:
    """The figures that a new release changed: old and new value and the reason."""
    heads = {"body": "单位", "cell": "单元格", "before": "原为", "after": "现为", "reason_zh": "原因"}
    rows = [msgspec.structs.asdict(change) for change in changes]
    return markdown(pl.DataFrame(rows, schema=dict.fromkeys(heads, pl.String), orient="row"), heads)
