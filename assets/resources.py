"""What every asset needs: the settings, the region and the form of the running partition.

Belongs here: the resource that carries the settings, and loading what a partition works with. Does not belong here:
reading settings from the environment (pipelines/settings.py).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg

from assets.partitions import region_year
from pipelines.ingest.limits import Limits, limits_of
from pipelines.regions import load_decisions, load_published, load_region
from pipelines.settings import load_settings
from pipelines.storage import locked, place
from schemas.form import Form, edition_for, load_form
from schemas.region import Decisions, Region
from schemas.rules import RuleSet, load_rules

_LOG = logging.getLogger(__name__)


class Partition(NamedTuple):
    """Everything declared about the running partition."""

    region: Region
    code: str
    year: int
    form: Form
    rules: RuleSet
    decisions: Decisions
    published: dict[str, Decimal] | None


WAITING = "等候：同一分区的另一次运行"  # how the message begins that a run waits


@contextmanager
def partition_lock(data: str, key: str, log: logging.Logger) -> Iterator[None]:
    """Hold a partition alone on this machine: a second run of it waits, wherever it was started, and says so."""
    words = (
        f"{WAITING}（{key}）正在这台机器上进行，待其结束后开始。"
        f" Waiting: another run of this partition ({key}) is going on on this machine; this one starts when it ends."
    )
    with locked(place(data) / "locks" / key.replace("|", "-"), lambda: log.warning(words)):
        yield


class Workspace(dg.ConfigurableResource[Any]):
    """Where data, releases and regions are, and how many processes read files (see pipelines/settings.py)."""

    data: str
    out: str
    regions: str
    workers: int = 1
    base_url: str = ""

    @property
    def limits(self) -> Limits:
        """What reading one file may cost: a setting of the machine that reads, so not part of a run's records."""
        return limits_of(load_settings())

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Workspace]:
        """The workspace for a run; one that is executed in one process holds its partition until it ends. Where steps
        have processes of their own, the executor holds it (executors.py).
        """
        run = context.run
        key = run.tags.get("dagster/partition", "") if run is not None else ""
        if not key or load_settings().executor != "in_process":
            yield self
            return
        with partition_lock(self.data, key, context.log or _LOG):
            yield self

    def partition(self, context: dg.AssetExecutionContext) -> Partition:
        """What is declared about the partition that ``context`` runs."""
        code, year = region_year(context)
        regions = Path(self.regions)
        edition = edition_for(year)
        return Partition(
            region=load_region(regions, code),
            code=code,
            year=year,
            form=load_form(edition),
            rules=load_rules(edition),
            decisions=load_decisions(regions, code, year),
            published=load_published(regions, code, year),
        )
