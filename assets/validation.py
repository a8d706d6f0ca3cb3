"""Validation: submissions, last year's figures, findings, accepted submissions and coverage.

Belongs here: when and in which partition validation runs. Does not belong here: how (pipelines/validate).
"""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from assets.groups import VALIDATION as GROUP
from assets.partitions import REGION_YEARS
from assets.previous import previous_submissions
from assets.resources import Workspace
from assets.views import coverage_view, findings_view, markdown
from pipelines.explanations_table import explanations_frame
from pipelines.findings_table import findings_frame, findings_from, ordered
from pipelines.ingest.packed import Readings
from pipelines.validate.roster import bodies_rows
from pipelines.validate.submissions import (
    accept_submissions,
    history_of,
    judge_submissions,
    settle_submissions,
)
from schemas.frames import tidy_schema, tidy_types


@dg.asset(group_name=GROUP, partitions_def=REGION_YEARS, kinds={"polars"}, io_manager_key="parquet")
def previous_year(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult[pl.DataFrame]:
    """上年度数据：上一年度采用的报表，供核对跨年度的勾稽关系。

    Last year's accepted submissions, from storage or from last year's inbox; empty where there are none.
    """
    partition = workspace.partition(context)
    frame = previous_submissions(
        workspace.data, workspace.regions, partition, workspace.workers, workspace.limits, context.log
    )
    return dg.MaterializeResult(value=frame, metadata={"单位数 / bodies": frame.height})


@dg.multi_asset(
    group_name=GROUP,
    partitions_def=REGION_YEARS,
    outs={
        "submissions": dg.AssetOut(
            io_manager_key="parquet",
            kinds={"polars", "pandera"},
            description="报表：每个文件一行、每个单元格一列，符合 pandera 约定。 / The wide frame, one row per file.",
        ),
        "intake_findings": dg.AssetOut(
            io_manager_key="parquet",
            kinds={"polars"},
            description="收件核查：认不出的单位、打不开的文件、缺数。 / Findings of reading, assignment, completeness.",
        ),
    },
)
def settled_submissions(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    received_files: pl.DataFrame,
    readings: Readings,
    previous_year: pl.DataFrame,
) -> Iterator[dg.Output[pl.DataFrame]]:
    """Assign each file to a body, apply approved corrections, settle blanks, build the wide frame."""
    partition = workspace.partition(context)
    settled = settle_submissions(
        readings,
        dict(zip(received_files["file"], received_files["folder_body"], strict=True)),
        partition.region,
        partition.year,
        partition.form,
        partition.rules,
        partition.decisions,
        history_of(partition.form, previous_year),
    )
    found = findings_frame(ordered(settled.findings))
    yield dg.Output(settled.frame, "submissions", metadata={"报表 / submissions": settled.frame.height})
    yield dg.Output(found, "intake_findings", metadata=findings_view(found))


@dg.multi_asset(
    group_name=GROUP,
    partitions_def=REGION_YEARS,
    outs={
        "submission_findings": dg.AssetOut(
            io_manager_key="parquet",
            kinds={"polars"},
            description="报表核查：每份报表的勾稽关系、跨年度关系和雷同情况。 / Every rule over every submission.",
        ),
        "explanations": dg.AssetOut(
            io_manager_key="parquet",
            kinds={"polars"},
            description="可能的改法：能使各项相符的最少改动，从不代为更正。 / What would mend each broken return.",
        ),
    },
)
def judged_submissions(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    submissions: pl.DataFrame,
    intake_findings: pl.DataFrame,
    previous_year: pl.DataFrame,
    readings: Readings,
) -> Iterator[dg.Output[pl.DataFrame]]:
    """Every rule over every submission in one pass; the wrong cell named where it can be; copies of other returns."""
    partition = workspace.partition(context)
    judged = judge_submissions(
        submissions,
        readings,
        partition.region,
        partition.year,
        partition.form,
        partition.rules,
        history_of(partition.form, previous_year),
        has_history=not previous_year.is_empty(),
    )
    rules = [rule.id for rule in partition.rules.rules]
    found = [*findings_from(intake_findings), *judged.findings]
    frame = findings_frame(ordered(found, rules, partition.form.index))
    explained = explanations_frame(judged.explained, partition.code, partition.year)
    shown = {"body": "单位", "rank": "名次", "cell": "单元格", "found": "现为", "proposed": "可改为", "reason": "理由"}
    yield dg.Output(frame, "submission_findings", metadata=findings_view(frame))
    yield dg.Output(explained, "explanations", metadata={"可能的改法 / explanations": markdown(explained, shown)})


@dg.multi_asset(
    group_name=GROUP,
    partitions_def=REGION_YEARS,
    outs={
        "accepted_submissions": dg.AssetOut(
            io_manager_key="parquet",
            kinds={"polars"},
            description="采用的报表：每个单位一份。 / One accepted submission per body.",
        ),
        "bodies": dg.AssetOut(
            io_manager_key="parquet",
            kinds={"polars"},
            description="报送情况：名录中每个单位的报送结果。 / The roster and what became of each return.",
        ),
        "counted_findings": dg.AssetOut(
            io_manager_key="parquet",
            kinds={"polars"},
            description="计入的核查结果：采用版本的问题、缺报、重报。 / Findings that count, and who is missing.",
        ),
    },
)
def acceptance(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    received_files: pl.DataFrame,
    submissions: pl.DataFrame,
    submission_findings: pl.DataFrame,
) -> Iterator[dg.Output[pl.DataFrame]]:
    """Choose one version per body and say who is missing; approved waivers are applied visibly."""
    partition = workspace.partition(context)
    accepted, result = accept_submissions(
        submissions,
        findings_from(submission_findings),
        received_files,
        partition.region,
        partition.year,
        partition.form,
        partition.decisions,
    )
    sha256 = dict(zip(received_files["file"], received_files["file_sha256"], strict=True))
    rows = bodies_rows(partition.region, partition.year, result, sha256)
    roster = pl.DataFrame(rows, schema=tidy_types("bodies"), orient="row")
    tidy_schema("bodies").validate(roster)
    found = findings_frame(result.findings)
    names = {body.code: body.name_zh for body in partition.region.bodies}
    shown = {"body": "单位", "file": "文件"}
    yield dg.Output(accepted, "accepted_submissions", metadata={"采用 / accepted": markdown(accepted, shown)})
    yield dg.Output(roster, "bodies", metadata=coverage_view(roster))
    yield dg.Output(found, "counted_findings", metadata=findings_view(found, names))
