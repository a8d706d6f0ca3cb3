"""Aggregation: the figures of each body, county totals, indicators, reconciliation with the published report.

Belongs here: when and in which partition aggregation runs. Does not belong here: how (pipelines/aggregate).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from assets.groups import AGGREGATION as GROUP
from assets.partitions import REGION_YEARS
from assets.resources import Workspace
from assets.views import findings_view, markdown, totals_view
from pipelines.aggregate.body_cells import body_cells as join_body_cells
from pipelines.aggregate.indicators import county_indicators
from pipelines.aggregate.reconcile import reconcile
from pipelines.aggregate.totals import county_totals as add_up
from pipelines.aggregate.totals import last_totals
from pipelines.findings_table import findings_frame
from pipelines.ingest.packed import Readings


@dg.asset(group_name=GROUP, partitions_def=REGION_YEARS, kinds={"polars"}, io_manager_key="parquet")
def body_cells(
    context: dg.AssetExecutionContext, workspace: Workspace, accepted_submissions: pl.DataFrame, cells: pl.DataFrame
) -> dg.MaterializeResult[pl.DataFrame]:
    """各单位数据：采用的报表逐格列出，附原文和在文件中的位置。

    Every cell of every accepted submission, with its raw text and its place in the file.
    """
    frame = join_body_cells(workspace.partition(context).form, accepted_submissions, cells)
    return dg.MaterializeResult(value=frame, metadata={"单元格 / cells": frame.height})


@dg.asset(group_name=GROUP, partitions_def=REGION_YEARS, kinds={"polars"}, io_manager_key="parquet")
def county_totals(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    accepted_submissions: pl.DataFrame,
    previous_year: pl.DataFrame,
) -> dg.MaterializeResult[pl.DataFrame]:
    """全县汇总：逐格合计，附合计所依据的单位数。

    The county's total of every cell and how many bodies stand behind it.
    """
    partition = workspace.partition(context)
    frame = add_up(partition.form, accepted_submissions, partition.code, partition.year)
    last = last_totals(partition.form, previous_year)
    labels = {cell.id: cell.label_zh for cell in partition.form.cells}
    return dg.MaterializeResult(value=frame, metadata=totals_view(frame, last, labels))


@dg.asset(group_name=GROUP, partitions_def=REGION_YEARS, kinds={"polars"}, io_manager_key="parquet")
def indicators(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    accepted_submissions: pl.DataFrame,
    readings: Readings,
) -> dg.MaterializeResult[pl.DataFrame]:
    """总体情况指标：本地补充指标，各按自己的方式汇总。

    The regional supplement, each indicator added up by its own rule.
    """
    partition = workspace.partition(context)
    stated = {read.file: read.indicators for read in readings}
    files = zip(accepted_submissions["body"], accepted_submissions["file"], strict=True)
    frame = county_indicators(partition.region, partition.year, {body: stated[file] for body, file in files})
    shown = {"label_zh": "指标", "value": "数值", "unit": "单位", "bodies": "单位数"}
    return dg.MaterializeResult(value=frame, metadata={"指标 / indicators": markdown(frame, shown)})


@dg.multi_asset(
    group_name=GROUP,
    partitions_def=REGION_YEARS,
    outs={
        "reconciliation": dg.AssetOut(
            io_manager_key="parquet",
            kinds={"polars"},
            description="与公布数对照：逐格比较汇总数与县政府公布数。 / Totals beside the published report.",
        ),
        "reconciliation_findings": dg.AssetOut(
            io_manager_key="parquet",
            kinds={"polars"},
            description="对照结果：不一致的单元格。 / The cells that differ.",
        ),
    },
)
def reconciled(
    context: dg.AssetExecutionContext, workspace: Workspace, county_totals: pl.DataFrame
) -> Iterator[dg.Output[pl.DataFrame]]:
    """Compare the totals with the county's published figures, where it has published."""
    partition = workspace.partition(context)
    frame, found = reconcile(partition.form, county_totals, partition.published, partition.code, partition.year)
    equal = frame["equal"].sum() if frame.height else 0
    shown = {"cell": "单元格", "value": "汇总数", "published": "公布数", "difference": "差额"}
    metadata: dict[str, Any] = {
        "一致 / equal": int(equal),
        "不一致 / different": frame.height - int(equal),
        "差异 / differences": markdown(frame.filter(~pl.col("equal")), shown),
    }
    findings = findings_frame(found)
    yield dg.Output(frame, "reconciliation", metadata=metadata)
    yield dg.Output(findings, "reconciliation_findings", metadata=findings_view(findings))
