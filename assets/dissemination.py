"""Dissemination: the official report, catalogue records and the portal site, made from what was just released.

Belongs here: when they are made. Does not belong here: what they hold and where they lie (pipelines/publish/beside.py,
report, catalogue, portal).
"""

from pathlib import Path
from typing import Any

import dagster as dg

from assets.groups import DISSEMINATION as GROUP
from assets.partitions import REGION_YEARS
from assets.resources import Workspace
from pipelines.publish.beside import Beside, write_catalogue, write_report
from pipelines.publish.portal.site import build_site
from pipelines.storage import portal_path


def _beside_view(beside: Beside) -> dict[str, Any]:
    notes = "\n".join(f"- {chinese} {english}" for chinese, english in beside.notes)
    return {
        "版本 / release": beside.release,
        "位置 / path": dg.MetadataValue.path(str(beside.folder)),
        "文件 / files": "、".join(beside.files) or "（无 / none）",
        "未写入的内容 / left out": dg.MetadataValue.md(notes or "（无 / none）"),
    }


@dg.asset(group_name=GROUP, partitions_def=REGION_YEARS, kinds={"html", "docx", "pdf"}, deps=["release"])
def official_report(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult[None]:
    """年度报告：按统一格式生成的县政府年度报告（网页、Word、PDF），数字即发布的数字。

    The county's annual report in the official layout; its tables are the released figures.
    """
    partition = workspace.partition(context)
    written = write_report(workspace.out, Path(workspace.regions), partition.region, partition.year)
    return dg.MaterializeResult(metadata=_beside_view(written))


@dg.asset(group_name=GROUP, partitions_def=REGION_YEARS, kinds={"json"}, deps=["release"])
def catalogue(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult[None]:
    """目录信息：供开放数据平台收割的 DCAT-AP、schema.org、Croissant 和国家标准核心元数据。

    The records that portals harvest, derived from the release's descriptor.
    """
    partition = workspace.partition(context)
    written = write_catalogue(workspace.out, partition.region, partition.year, workspace.base_url)
    return dg.MaterializeResult(metadata=_beside_view(written))


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
