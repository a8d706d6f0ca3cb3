"""Dissemination: the official report, catalogue records and the portal site, made from what was just released.

Belongs here: when they are made and where they are put. Does not belong here: what they hold
(pipelines/publish/report, catalogue, portal). They lie beside the releases, not in them: the report's PDF depends on
the fonts of the machine, and the records on its web address, while a release depends on its content alone.
"""

import json
from pathlib import Path

import dagster as dg
import polars as pl

from assets.partitions import REGION_YEARS
from assets.resources import Workspace
from pipelines.aggregate.totals import values_of
from pipelines.publish.catalogue import catalogue_records
from pipelines.publish.catalogue.facts import release_address
from pipelines.publish.portal.site import build_site
from pipelines.publish.report.build import build_report, stated_indicators
from pipelines.publish.report.texts import load_narrative
from pipelines.storage import catalogue_path, portal_path, report_path, write_atomic
from schemas.narrative import report_editions

GROUP = "dissemination"


@dg.asset(group_name=GROUP, partitions_def=REGION_YEARS, kinds={"html", "docx", "pdf"}, deps=["release"])
def official_report(
    context: dg.AssetExecutionContext, workspace: Workspace, county_totals: pl.DataFrame, indicators: pl.DataFrame
) -> dg.MaterializeResult[None]:
    """年度报告：按统一格式生成的县政府年度报告（网页、Word、PDF），数字即发布的数字。

    The county's annual report in the official layout; its tables are the released figures.
    """
    partition = workspace.partition(context)
    if partition.form.edition not in report_editions():
        said = f"{partition.form.edition} 年版表式没有报告文字，未生成。 No report text for this edition."
        return dg.MaterializeResult(metadata={"未写入的内容 / left out": said})
    report = build_report(
        partition.form,
        partition.region,
        partition.year,
        values_of(county_totals),
        stated_indicators(indicators.to_dicts()),
        load_narrative(Path(workspace.regions), partition.region, partition.year, partition.form),
    )
    folder = report_path(workspace.out, partition.code, partition.year)
    for name, data in report.files.items():
        write_atomic(folder / name, data)
    notes = "\n".join(f"- {note.message_zh} {note.message_en}" for note in report.notes)
    return dg.MaterializeResult(
        metadata={
            "位置 / path": dg.MetadataValue.path(str(folder)),
            "文件 / files": "、".join(report.files),
            "未写入的内容 / left out": dg.MetadataValue.md(notes or "（无 / none）"),
        }
    )


@dg.asset(group_name=GROUP, partitions_def=REGION_YEARS, kinds={"json"}, deps=["release"])
def catalogue(
    context: dg.AssetExecutionContext, workspace: Workspace, package: dict[str, bytes]
) -> dg.MaterializeResult[None]:
    """目录信息：供开放数据平台收割的 DCAT-AP、schema.org、Croissant 和国家标准核心元数据。

    The records that portals harvest, derived from the package's descriptor.
    """
    partition = workspace.partition(context)
    address = release_address(workspace.base_url, partition.code, partition.year)
    records = catalogue_records(json.loads(package["datapackage.json"]), partition.region, address)
    folder = catalogue_path(workspace.out, partition.code, partition.year)
    for name, data in records.items():
        write_atomic(folder / name, data)
    return dg.MaterializeResult(
        metadata={"位置 / path": dg.MetadataValue.path(str(folder)), "文件 / files": "、".join(records)}
    )


@dg.asset(
    group_name=GROUP, partitions_def=REGION_YEARS, kinds={"html"}, deps=["release", "official_report", "catalogue"]
)
def portal(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult[None]:
    """开放数据门户：由已发布的版本生成的静态网站，附年度报告和目录信息。

    The static portal of everything published; only what changed is built anew. It offers the report and the records.
    """
    folder = portal_path(workspace.out)
    site = build_site(workspace.out, folder)
    return dg.MaterializeResult(
        metadata={
            "位置 / path": dg.MetadataValue.path(str(folder)),
            "页面 / pages": site.pages,
            "文件 / files": site.files,
            "字节 / bytes": site.bytes,
        }
    )
