"""The push of what was released to a CKAN portal, where a deployment names one.

Belongs here: when it runs and what of its faults is tried again. Does not belong here: pushing itself
(pipelines/publish/ckan.py).
"""

import dagster as dg

from assets.groups import DISSEMINATION as GROUP
from assets.partitions import REGION_YEARS
from assets.resources import Workspace
from pipelines.publish.ckan import push as push_release
from pipelines.publish.ckan_portal import PushError
from pipelines.settings import load_settings

# What the asset says of a push; PUSH alone where nothing is set up, and why.
PUSH, DATASET, SHOWN = "推送 / push", "数据集 / dataset", "门户上的版本 / release shown"
RETRIES = dg.RetryPolicy(max_retries=2, delay=20, backoff=dg.Backoff.EXPONENTIAL)


def _nothing(chinese: str, english: str) -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={PUSH: dg.MetadataValue.text(f"{chinese} {english}")})


@dg.asset(
    group_name=GROUP,
    partitions_def=REGION_YEARS,
    kinds={"ckan"},
    deps=["release", "official_report", "catalogue"],
    retry_policy=RETRIES,
)
def portal_push(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult[None]:
    """推送到 CKAN 门户：把现行版本完整地推送、逐个文件核对后公开；版本已撤回的转为不公开。

    The release that counts on a CKAN portal, whole and verified byte by byte; a withdrawn one goes private there.
    """
    partition = workspace.partition(context)
    settings = load_settings()  # read here: the portal's key never lands in Dagster's records
    if not settings.ckan_url:
        return _nothing(
            "没有设置门户，未推送。要推送，请设 ckan_url 和环境变量 GONGKAI_CKAN_KEY。",
            "No portal is set, so nothing was pushed. To push, set ckan_url and GONGKAI_CKAN_KEY.",
        )
    if not partition.region.settings.ckan_organisation:
        return _nothing(
            f"地区 {partition.code} 没有声明机构，未推送。要推送，请在 region.toml 写明 ckan_organisation。",
            f"Region {partition.code} declares no organisation, so nothing was pushed. To push, name it in region.toml"
            " as ckan_organisation.",
        )
    try:
        pushed = push_release(
            workspace.out,
            partition.region,
            partition.year,
            url=settings.ckan_url,
            key=settings.ckan_key,
            base_url=workspace.base_url,
        )
    except PushError as error:
        if error.retryable:
            raise
        raise dg.Failure(description=str(error), allow_retries=False) from error
    return dg.MaterializeResult(
        metadata={
            PUSH: dg.MetadataValue.text(
                ("有更新" if pushed.writes else "没有变化") + (" / updated" if pushed.writes else " / nothing changed")
            ),
            DATASET: dg.MetadataValue.url(pushed.address),
            SHOWN: dg.MetadataValue.text(pushed.release or "（不公开 / none）"),
            "上传 / uploaded": pushed.uploaded,
            "核对 / verified": pushed.verified,
            "写请求 / write requests": pushed.writes,
        }
    )


push = dg.define_asset_job(
    "push",
    selection=dg.AssetSelection.assets("portal_push"),
    description="只把已发布的版本推送到 CKAN 门户。 / Only push what was released to the CKAN portal.",
)
