"""Taking a release back, in Dagster's records: the job of the operator in the UI, the event that others follow.

Belongs here: the job and its configuration, the asset that records each withdrawal, telling a running deployment of one
that was made outside it. Does not belong here: withdrawing (pipelines/publish/withdrawal.py), what follows and when
(automation.py).
"""

import time
from pathlib import Path

import dagster as dg

from assets.groups import PUBLICATION as GROUP
from assets.instance import dagster_folder, dagster_home
from assets.partitions import REGION_YEARS, partition_key
from assets.resources import Workspace
from pipelines.publish.withdrawal import Withdrawal, withdraw_release
from pipelines.regions import load_region
from pipelines.settings import Settings

KEY = dg.AssetKey("withdrawal")
DAEMON, SENSOR = "SENSOR", "publication"  # what must run for the rest to follow by itself
SILENT_SECONDS = 120  # a daemon says every half minute that it is alive
withdrawal = dg.AssetsDefinition(
    specs=[
        dg.AssetSpec(
            KEY,
            group_name=GROUP,
            partitions_def=REGION_YEARS,
            kinds={"json"},
            description="撤回记录：每次撤回一个版本记一次，汇总和门户推送随之更新。\n\n"
            "One entry for each release that was taken back; the roll-up and the push to the portal follow it.",
        )
    ]
)


class WithdrawalConfig(dg.Config):
    """Which release, why, and who approved it; all of it is published in the record."""

    region: str
    year: int
    release: str
    reason: str
    approved_by: str


def withdrawal_event(
    region: str, year: int, release: str, done: Withdrawal, reason: str, approved_by: str
) -> dg.AssetMaterialization:
    """A withdrawal as Dagster records it."""
    return dg.AssetMaterialization(
        asset_key=KEY,
        partition=partition_key(region, year),
        metadata={
            "撤回的版本 / withdrawn": dg.MetadataValue.text(release),
            "现行版本 / current release": dg.MetadataValue.text(done.current or "（无 / none）"),
            "此前已撤回 / before": dg.MetadataValue.bool(done.already),
            "原因 / reason": dg.MetadataValue.text(reason),
            "批准人 / approved by": dg.MetadataValue.text(approved_by),
        },
    )


def record_withdrawal(settings: Settings, event: dg.AssetMaterialization) -> bool:
    """Put a withdrawal that was made outside Dagster into its records; whether the rest then follows by itself.

    It follows where the daemon runs and the sensor of publication is not switched off. Where Dagster was never used
    nothing is made. Raises what Dagster raises where its records cannot be written.
    """
    if settings.dagster_storage != "postgres" and not dagster_folder(settings).is_dir():
        return False
    dagster_home(settings)
    with dg.DagsterInstance.get() as instance:
        instance.report_runless_asset_event(event)
        return follows_by_itself(instance)


def follows_by_itself(instance: dg.DagsterInstance) -> bool:
    """Whether a daemon evaluates the sensor of publication now."""
    heartbeat = instance.get_daemon_heartbeats().get(DAEMON)
    if heartbeat is None or heartbeat.timestamp < time.time() - SILENT_SECONDS:
        return False
    states = [state for state in instance.all_instigator_state() if state.instigator_name == SENSOR]
    return all(state.is_running for state in states)  # without a state it runs by default


@dg.op
def withdraw(context: dg.OpExecutionContext, config: WithdrawalConfig, workspace: Workspace) -> None:
    """撤回一个版本，重新生成年度报告、目录信息和门户。 / Withdraw a release; what was made from it is made anew."""
    regions = Path(workspace.regions)
    done = withdraw_release(
        workspace.out,
        regions,
        workspace.base_url,
        load_region(regions, config.region),
        config.year,
        config.release,
        config.reason,
        config.approved_by,
    )
    context.log_event(
        withdrawal_event(config.region, config.year, config.release, done, config.reason, config.approved_by)
    )
    context.add_output_metadata(
        {"现行版本 / current release": done.current or "（无 / none）", "此前已撤回 / before": done.already}
    )
    context.log.info(
        f"撤回 {config.release}，现行版本：{done.current or '无'} / current release: {done.current or 'none'}"
    )


@dg.job(
    description="撤回一个已发布的版本（写明原因和批准人）；汇总和门户推送随之自动更新。"
    " / Withdraw a release, with the reason and who approved it; the roll-up and the push follow."
)
def withdraw_published() -> None:
    """Withdraw a release and make anew what hangs on it."""
    withdraw()
