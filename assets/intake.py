"""Intake: files received, what stands in them, their cells.

Belongs here: when and in which partition intake runs. Does not belong here: how (pipelines/ingest).
"""

import dagster as dg
import msgspec
import polars as pl

from assets.executors import outside_retries
from assets.groups import INTAKE as GROUP
from assets.partitions import REGION_YEARS
from assets.resources import Workspace
from assets.views import markdown
from pipelines.ingest.cells import cells_frame
from pipelines.ingest.inbox import receive
from pipelines.ingest.intake import read_received
from pipelines.ingest.packed import Readings
from pipelines.settings import load_settings
from schemas.frames import tidy_schema, tidy_types


@dg.asset(
    group_name=GROUP,
    partitions_def=REGION_YEARS,
    kinds={"file"},
    io_manager_key="parquet",
    retry_policy=outside_retries(load_settings()),
)
def received_files(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult[pl.DataFrame]:
    """收到的文件：登记收件箱中的每个文件，原件逐字节保存。

    Inventory of the region's inbox with SHA-256; originals are kept byte for byte.
    """
    code, year = workspace.partition(context).code, workspace.partition(context).year
    rows = [
        {"region": code, "year": year, **msgspec.structs.asdict(entry)} for entry in receive(workspace.data, code, year)
    ]
    frame = pl.DataFrame(rows, schema=tidy_types("received_files"), orient="row")
    tidy_schema("received_files").validate(frame)
    shown = {"file": "文件", "bytes": "字节", "sequence": "收到顺序", "file_sha256": "SHA-256"}
    return dg.MaterializeResult(
        value=frame, metadata={"文件数 / files": frame.height, "收件清单 / inventory": markdown(frame, shown)}
    )


@dg.asset(group_name=GROUP, partitions_def=REGION_YEARS, kinds={"file"}, io_manager_key="readings")
def readings(
    context: dg.AssetExecutionContext, workspace: Workspace, received_files: pl.DataFrame
) -> dg.MaterializeResult[Readings]:
    """读取结果：每个文件读出的表格、单位、年度和疑问，逐字照录。

    What stands in each file, verbatim: its tables, who reports, for which year, and what could not be read. A file
    that the same program has read before is not read again.
    """
    reads, before = read_received(workspace.data, received_files, workspace.workers, workspace.limits, context.log)
    told = [(read.format, read.readable) for read in reads]
    formats = pl.DataFrame(told, schema={"format": pl.String, "readable": pl.Boolean}, orient="row")
    counts = formats.group_by("format").len().sort("format")
    return dg.MaterializeResult(
        value=reads,
        metadata={
            "文件数 / files": len(reads),
            "此前已读 / read before": before,
            "读不出表格 / without a table": int((~formats["readable"]).sum()),
            "格式 / formats": markdown(counts, {"format": "格式", "len": "文件数"}),
        },
    )


@dg.asset(group_name=GROUP, partitions_def=REGION_YEARS, kinds={"polars"}, io_manager_key="parquet")
def cells(
    context: dg.AssetExecutionContext, workspace: Workspace, readings: Readings
) -> dg.MaterializeResult[pl.DataFrame]:
    """单元格：每个文件的每一格，逐字照录，附位置，尚未作判断。

    Every cell of every file, verbatim with its address; nothing is judged yet.
    """
    partition = workspace.partition(context)
    frame = cells_frame(readings, partition.code, partition.year)
    states = frame.group_by("state").len().sort("state")
    return dg.MaterializeResult(
        value=frame,
        metadata={
            "单元格 / cells": frame.height,
            "状态 / states": markdown(states, {"state": "状态", "len": "单元格数"}),
        },
    )
