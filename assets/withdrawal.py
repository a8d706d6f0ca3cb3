"""The job that takes a release back, for the operator in the Dagster UI.

Belongs here: its configuration and its run. Does not belong here: withdrawing (pipelines/publish/withdrawal.py).
"""

from pathlib import Path

import dagster as dg

from assets.resources import Workspace
from pipelines.publish.withdrawal import withdraw_release
from pipelines.regions import load_region


class WithdrawalConfig(dg.Config):
    """Which release, why, and who approved it; all of it is published in the record."""

    region: str
    year: int
    release: str
    reason: str
    approved_by: str


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
    context.add_output_metadata(
        {"现行版本 / current release": done.current or "（无 / none）", "此前已撤回 / before": done.already}
    )
    context.log.info(
        f"撤回 {config.release}，现行版本：{done.current or '无'} / current release: {done.current or 'none'}"
    )


@dg.job(
    description="撤回一个已发布的版本（写明原因和批准人）。 / Withdraw a release, with the reason and who approved it."
)
def withdraw_published() -> None:
    """Withdraw a release and make anew what hangs on it."""
    withdraw()
