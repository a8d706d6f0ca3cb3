"""Feedback: the receipt of each body and the officer's board, whether or not anything is published.

Belongs here: when they are made and where they are put (``DATA/board/<region>/<year>/``, never among released files).
Does not belong here: what they look like (pipelines/publish/receipt.py, annotate.py, board.py).
"""

import dagster as dg
import polars as pl

from assets.groups import FEEDBACK as GROUP
from assets.partitions import REGION_YEARS
from assets.resources import Workspace
from pipelines.days import day_in_china
from pipelines.explanations_table import explanations_from
from pipelines.findings_table import findings_from
from pipelines.ingest.packed import Readings
from pipelines.publish.board import INDEX, board_pages
from pipelines.publish.receipts import body_returns, receipt_files
from pipelines.publish.rulebook import rulebook_page
from pipelines.storage import board_path, write_atomic


@dg.asset(group_name=GROUP, partitions_def=REGION_YEARS, kinds={"html", "excel"})
def receipts(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    received_files: pl.DataFrame,
    readings: Readings,
    submissions: pl.DataFrame,
    bodies: pl.DataFrame,
    findings: pl.DataFrame,
    explanations: pl.DataFrame,
) -> dg.MaterializeResult[None]:
    """回执：每个单位一份，通过与否、哪里不对、应该是多少。

    One receipt per body: a page that prints on A4 and, for a workbook, an annotated copy.
    """
    partition = workspace.partition(context)
    returns = body_returns(
        received_files,
        readings,
        readings.files,
        submissions,
        bodies,
        findings_from(findings),
        explanations_from(explanations),
    )
    folder = board_path(workspace.data, partition.code, partition.year) / "receipts"
    written = 0
    for name, data in receipt_files(workspace.data, partition.form, partition.region, partition.year, returns):
        write_atomic(folder / name, data)
        written += 1
    return dg.MaterializeResult(metadata={"文件 / files": written, "位置 / path": dg.MetadataValue.path(str(folder))})


@dg.asset(group_name=GROUP, partitions_def=REGION_YEARS, kinds={"html"}, deps=["receipts"])
def board(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    bodies: pl.DataFrame,
    findings: pl.DataFrame,
    verdicts: pl.DataFrame,
) -> dg.MaterializeResult[None]:
    """报送进度：谁报了、谁没报、哪里不对、离截止还有几天、为什么还不能发布。

    The officer's board: who has handed in, what is wrong, days to the deadlines, what blocks publication.
    """
    partition = workspace.partition(context)
    pages = board_pages(
        partition.region,
        partition.year,
        bodies.to_dicts(),
        findings_from(findings),
        verdicts.to_dicts(),
        day_in_china(),
    )
    rules = {"rules.html": rulebook_page(partition.form.edition)}
    folder = board_path(workspace.data, partition.code, partition.year)
    for name, data in reversed((pages | rules).items()):  # the first page last: what it links to is there
        write_atomic(folder / name, data)
    for path in list(folder.glob("bodies-*.html")):
        if path.name not in pages:  # of a longer roster
            path.unlink()
    return dg.MaterializeResult(
        metadata={"位置 / path": dg.MetadataValue.path(str(folder / INDEX)), "页 / pages": len(pages)}
    )
