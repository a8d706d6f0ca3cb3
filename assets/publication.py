"""Publication: all findings, the gate, the package and its checks, the release.

Belongs here: when publication runs and what blocks it. Does not belong here: how (pipelines/aggregate/gate.py,
pipelines/publish).
"""

from collections.abc import Iterator, Mapping

import dagster as dg
import polars as pl

from assets.groups import PUBLICATION as GROUP
from assets.lineage import package_columns
from assets.partitions import REGION_YEARS
from assets.resources import Workspace
from assets.views import (
    BY_ITSELF,
    PUBLISHABLE,
    REASON,
    check_view,
    findings_view,
    link_view,
    markdown,
    reasons,
    release_view,
)
from pipelines.aggregate.body_cells import form_cells
from pipelines.aggregate.gate import CHECKS, gate_frame
from pipelines.aggregate.gate import verdicts as reach_verdicts
from pipelines.aggregate.totals import unbalanced
from pipelines.findings_table import findings_frame, findings_from
from pipelines.publish.package import build_package
from pipelines.publish.package_checks import CHECKS as PACKAGE_CHECKS
from pipelines.publish.package_checks import check_package
from pipelines.publish.release import publish
from pipelines.publish.signature import signer
from pipelines.settings import load_settings
from pipelines.validate.bulk import gate
from pipelines.validate.collect import collect_findings
from pipelines.validate.submissions import attributes_of
from schemas.checks import check_of, load_checks, looked_for
from schemas.rules import RuleSet


def _result(check: str, passed: bool, chinese: str, english: str) -> dg.AssetCheckResult:
    if passed:
        chinese, english = "通过", "passed"
    return dg.AssetCheckResult(
        check_name=check,
        passed=passed,
        metadata={REASON[0]: dg.MetadataValue.text(chinese), REASON[1]: dg.MetadataValue.text(english)},
    )


@dg.asset(
    group_name=GROUP,
    partitions_def=REGION_YEARS,
    kinds={"polars"},
    io_manager_key="parquet",
    check_specs=[
        dg.AssetCheckSpec(check.id, asset="findings", description=f"{check.title_zh} / {check.title_en}")
        for check in load_checks()
    ],
)
def findings(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    counted_findings: pl.DataFrame,
    reconciliation_findings: pl.DataFrame,
    county_totals: pl.DataFrame,
) -> Iterator[dg.Output[pl.DataFrame] | dg.AssetCheckResult]:
    """核查结果：全部问题、提醒和说明，豁免已标明。

    Every finding that counts, approved waivers shown, stale decisions among them.
    """
    partition = workspace.partition(context)
    broken = unbalanced(partition.form, partition.rules, county_totals, attributes_of(partition.region))
    collected = collect_findings(
        findings_from(counted_findings),
        findings_from(reconciliation_findings),
        broken,
        partition.region,
        partition.year,
        partition.decisions,
        partition.form,
        partition.rules,
    )
    frame = findings_frame(collected)
    names = {body.code: body.name_zh for body in partition.region.bodies}
    yield dg.Output(frame, metadata=findings_view(frame, names))
    yield from _checks(frame, partition.rules, names)


def _checks(findings: pl.DataFrame, rules: RuleSet, names: Mapping[str, str]) -> Iterator[dg.AssetCheckResult]:
    """What each check shows: failed by an error or a warning that nobody waived. None of them stops anything."""
    looked = looked_for(rules)
    wrong = findings.filter((pl.col("severity") != "information") & pl.col("waived").is_null())
    named = wrong.with_columns(check=pl.col("rule").replace_strict(check_of(), default="", return_dtype=pl.String))
    for check in load_checks():
        found = named.filter(pl.col("check") == check.id)
        error = bool((found["severity"] == "error").any())
        yield dg.AssetCheckResult(
            check_name=check.id,
            passed=found.is_empty(),
            severity=dg.AssetCheckSeverity.ERROR if error or found.is_empty() else dg.AssetCheckSeverity.WARN,
            metadata=check_view(found, looked[check.id], names),
        )


@dg.asset(group_name=GROUP, partitions_def=REGION_YEARS, kinds={"pandera"}, io_manager_key="parquet")
def verdicts(
    context: dg.AssetExecutionContext, workspace: Workspace, findings: pl.DataFrame, accepted_submissions: pl.DataFrame
) -> dg.MaterializeResult[pl.DataFrame]:
    """能否发布：发布门槛各项检查的结论和原因。

    The verdict of each check of the gate and why one does not pass; stops nothing by itself.
    """
    partition = workspace.partition(context)
    broken = gate(partition.form, partition.rules, accepted_submissions)
    frame = gate_frame(reach_verdicts(findings_from(findings), broken))
    shown = {"title_zh": "检查", "passed": "通过", "reason_zh": "原因"}
    green = bool(frame["passed"].all())
    return dg.MaterializeResult(
        value=frame,
        metadata={
            PUBLISHABLE: dg.MetadataValue.bool(green),
            BY_ITSELF: dg.MetadataValue.bool(green and partition.year >= partition.region.settings.release_from),
            "检查 / checks": markdown(frame, shown),
        },
    )


@dg.asset(
    group_name=GROUP,
    partitions_def=REGION_YEARS,
    check_specs=[
        dg.AssetCheckSpec(name, asset="publication_gate", blocking=True, description=" / ".join(titles))
        for name, titles in CHECKS.items()
    ],
)
def publication_gate(verdicts: pl.DataFrame) -> Iterator[dg.Output[None] | dg.AssetCheckResult]:
    """发布门槛：全部检查通过才能发布。

    Every check must pass before anything is published.
    """
    yield dg.Output(None)
    for row in verdicts.iter_rows(named=True):
        yield _result(row["check"], row["passed"], row["reason_zh"] or "", row["reason_en"] or "")


@dg.asset(
    group_name=GROUP,
    partitions_def=REGION_YEARS,
    kinds={"parquet", "csv"},
    io_manager_key="package",
    deps=["publication_gate"],
    check_specs=[
        dg.AssetCheckSpec(name, asset="package", blocking=True, description=description)
        for name, description in PACKAGE_CHECKS.items()
    ],
)
def package(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    bodies: pl.DataFrame,
    body_cells: pl.DataFrame,
    county_totals: pl.DataFrame,
    findings: pl.DataFrame,
    indicators: pl.DataFrame,
) -> Iterator[dg.Output[dict[str, bytes]] | dg.AssetCheckResult]:
    """数据包：Parquet、CSV、说明文件和校验和，发布前逐项检查。

    Every file of the release, checked before anything is published.
    """
    partition = workspace.partition(context)
    tables = {
        "form_cells": form_cells(partition.form),
        "bodies": bodies,
        "body_cells": body_cells,
        "county_totals": county_totals,
        "findings": findings,
        "indicators": indicators,
    }
    files = build_package(partition.region, partition.year, tables, partition.form)
    found = check_package(files)
    sizes = pl.DataFrame({"file": list(files), "bytes": [len(data) for data in files.values()]})
    shown = {"文件 / files": markdown(sizes, {"file": "文件", "bytes": "字节"})}
    yield dg.Output(files, metadata=shown | package_columns(tables))
    for check, problems in found.items():
        yield _result(check, not problems, *reasons(problems))


@dg.asset(group_name=GROUP, partitions_def=REGION_YEARS, kinds={"datapackage"})
def release(
    context: dg.AssetExecutionContext, workspace: Workspace, package: dict[str, bytes]
) -> dg.MaterializeResult[None]:
    """发布：不可更改的版本，内容变了才有新版本。

    The immutable, content-addressed release; nothing new is made when nothing changed.
    """
    partition = workspace.partition(context)
    sign = signer(load_settings().signing_key)  # read here: no setting of a key lands in Dagster's records
    published = publish(package, workspace.out, partition.code, partition.year, sign)
    return dg.MaterializeResult(
        metadata=release_view(published) | link_view(workspace.base_url, partition.code, partition.year)
    )
