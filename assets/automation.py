"""Publication by itself: what follows a green gate, declared in one place for every asset that publishes.

Belongs here: which assets follow, and when. Does not belong here: the assets, or what blocks publication.

The inbox sensor ends with ``verdicts``. When these are new for a region and year, every check passes and nothing is
under way there, then everything that the checking job leaves out is requested at once, as one run: the blocking checks
are evaluated in that same run, before the release, so that they guard it once more. While the gate is red nothing is
requested, nor for years that the region does not release (``release_from`` in region.toml).

A withdrawal (withdrawal.py) takes its report, records and portal along by itself; the roll-up of its year and the push
to the portal follow it, whatever the gate says: they only take up what still counts.

Dagster's own ``all_deps_blocking_checks_passed`` is not used: it looks at the last evaluation of a check whatever its
partition, so that one county's green gate would open another county's.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import dagster as dg

from assets.partitions import REGION_YEARS
from assets.views import BY_ITSELF
from assets.withdrawal import KEY as WITHDRAWAL
from assets.withdrawal import SENSOR
from pipelines.settings import load_settings

VERDICTS = dg.AssetKey("verdicts")
RELEASE = dg.AssetKey("release")
PUSH = dg.AssetKey("portal_push")
CHECKED = ("receipts", "board")  # with all they need: what the inbox sensor's job makes


class GateGreen(dg.AutomationCondition[dg.AssetKey]):
    """True for each partition whose latest verdicts let it be published and belong to the latest ``inputs``.

    An input that a later run has made anew, without reaching new verdicts (it failed on the way), is not published.
    """

    def __init__(self, inputs: Sequence[dg.AssetKey]) -> None:
        self._inputs = tuple(inputs)

    @property
    def name(self) -> str:
        """The name that the UI shows."""
        return "gate_green"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Narrow the candidates; only those are looked up."""
        keys = context.candidate_subset.expensively_compute_partition_keys()
        green = {key for key in keys if self._green(context.asset_graph_view.instance, key)}
        view = context.asset_graph_view
        return dg.AutomationResult(context, view.get_subset_from_partition_keys(context.key, REGION_YEARS, green))

    def _green(self, instance: dg.DagsterInstance, partition: str) -> bool:
        verdicts = _latest(instance, VERDICTS, partition)
        made = verdicts.asset_materialization if verdicts else None
        if verdicts is None or made is None or BY_ITSELF not in made.metadata:
            return False
        if made.metadata[BY_ITSELF].value is not True:
            return False
        for key in self._inputs:
            record = _latest(instance, key, partition)
            if record is None or (record.storage_id > verdicts.storage_id and record.run_id != verdicts.run_id):
                return False
        return True


def _latest(instance: dg.DagsterInstance, key: dg.AssetKey, partition: str) -> dg.EventLogRecord | None:
    wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition])
    records = instance.fetch_materializations(wanted, limit=1).records
    return records[0] if records else None


def _new(key: dg.AssetKey) -> dg.AutomationCondition[Any]:
    """``key`` was made anew by a run that does not also make the asset in question."""
    condition = dg.AutomationCondition
    return condition.asset_matches(key, condition.newly_updated() & ~condition.executed_with_root_target()).with_label(
        f"new_{key.to_user_string()}"
    )


def _following(key: dg.AssetKey, inputs: Sequence[dg.AssetKey], after_release: bool) -> dg.AutomationCondition[Any]:
    condition = dg.AutomationCondition
    started: dg.AutomationCondition[Any] = _new(VERDICTS)
    if after_release:
        started = started | _new(RELEASE)  # also a release that was made by hand
    handled = condition.newly_requested() | condition.newly_updated()
    return (
        started.since(handled)  # not since_last_handled, which forgets what waits when a region is added
        & ~condition.asset_matches(VERDICTS, condition.in_progress())
        & ~condition.asset_matches(RELEASE, condition.in_progress())
        & ~condition.in_progress()
        & GateGreen(inputs)
    ).with_label(f"publish_{key.to_user_string()}")


def _withdrawn() -> dg.AutomationCondition[Any]:
    condition = dg.AutomationCondition
    return condition.asset_matches(WITHDRAWAL, condition.newly_updated()).with_label("new_withdrawal")


def _again(started: dg.AutomationCondition[Any]) -> dg.AutomationCondition[Any]:
    """After ``started``, and once more if that comes while it runs: only a request clears what waits, not the end of a
    run that may have begun before.
    """
    condition = dg.AutomationCondition
    return started.since(condition.newly_requested()) & ~condition.in_progress()


def _of_many_regions() -> dg.AutomationCondition[Any]:
    """For what is made of the releases of many regions: again after any of them is new or withdrawn, in one run."""
    return _again(_new(RELEASE) | _withdrawn())


def publishing(assets: Sequence[dg.AssetsDefinition]) -> set[dg.AssetKey]:
    """The assets of ``assets`` that the checking job leaves out."""
    made = [each for each in assets if each.is_executable]
    every = dg.AssetSelection.all().resolve(made)
    checked = dg.AssetSelection.assets(*CHECKED).upstream().required_multi_asset_neighbors().resolve(made)
    return set(every) - set(checked)


def automated(assets: Sequence[object], without: Sequence[str] = ()) -> list[dg.AssetsDefinition]:
    """The assets with their conditions; ``without``: names of assets that this deployment does not use.

    The record of withdrawals (withdrawal.py) must be among them.
    """
    given = [each for each in assets if isinstance(each, dg.AssetsDefinition)]
    following = publishing(given)
    specs = {spec.key: spec for definition in given for spec in definition.specs}
    parents = {key: {dep.asset_key for dep in specs[key].deps} for key in following}
    after = {RELEASE}
    while grown := {key for key in following - after if parents[key] & after}:
        after |= grown
    inputs = sorted({each for key in following for each in parents[key]} - following - {VERDICTS})

    def with_condition(spec: dg.AssetSpec) -> dg.AssetSpec:
        if spec.key not in following or spec.key.to_user_string() in without:
            return spec
        if spec.partitions_def != REGION_YEARS:
            return spec.replace_attributes(automation_condition=_of_many_regions())
        follows = _following(spec.key, inputs, spec.key in after and spec.key != RELEASE)
        if spec.key == PUSH:
            follows = follows | _again(_withdrawn())
        return spec.replace_attributes(automation_condition=follows)

    return list(dg.map_asset_specs(with_condition, given))


def publication_sensor() -> dg.AutomationConditionSensorDefinition:
    """The sensor that evaluates the conditions; it runs in the code location, where our own condition is known."""
    with warnings.catch_warnings():
        # Conditions of our own need it; it is beta in this version of Dagster, and the tests hold what it does.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.AutomationConditionSensorDefinition(
            SENSOR,
            target=dg.AssetSelection.all(),
            use_user_code_server=True,
            default_status=dg.DefaultSensorStatus.RUNNING,
            minimum_interval_seconds=min(30, load_settings().sensor_seconds),
            description="发布门槛全部通过后，自动发布该地区该年度并更新报告、目录和门户；未通过时不发布。停用此项即改为人工发布。"
            " / Publishes a region and year once its gate is green; switch it off to publish by hand.",
        )
