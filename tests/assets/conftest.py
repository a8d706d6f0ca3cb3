"""A small county for the asset tests: four bodies of the sample, its regions folder, inbox and a way to run it."""

from __future__ import annotations

import csv
import shutil
from decimal import Decimal
from functools import cache
from pathlib import Path

import dagster as dg
import msgspec
import polars as pl
import pytest

from assets import aggregation, dissemination, feedback, intake, publication, validation
from assets.io_managers import PackageIOManager, ParquetIOManager, ReadingsIOManager
from assets.partitions import partition_key
from assets.resources import Workspace
from pipelines.regions import load_region
from pipelines.sample.defects import Good, good_return
from pipelines.storage import releases_path, table_path, tables_path
from schemas.findings import number_text
from tests.facts import FORM, REGION, REGIONS

YEAR = 2023
GOOD = "报表.xlsx"  # not the name that the broken ones have
CODES = ("511725-D01", "511725-D05", "511725-T01", "511725-D06")
ASSETS = dg.load_assets_from_modules([intake, validation, aggregation, feedback, publication, dissemination])


@cache
def _sample(code: str, year: int) -> Good:
    region = load_region(REGIONS, REGION)
    return good_return(region, next(body for body in region.bodies if body.code == code), year)


@cache
def good(code: str, year: int = YEAR) -> Good:
    """The sample's return of a body; "another body" is one of this small county."""
    other = _sample(next(c for c in reversed(CODES[1:]) if c != code), year)
    return msgspec.structs.replace(_sample(code, year), other=other.body, other_values=other.values)


class County:
    """A county in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.data, self.out, self.regions = root / "data", root / "out", root / "regions"
        folder = self.regions / REGION
        (folder / str(YEAR)).mkdir(parents=True)
        for name in ("region.toml", "supplement.toml"):
            shutil.copy(REGIONS / REGION / name, folder / name)
        lines = (REGIONS / REGION / "bodies.csv").read_text(encoding="utf-8").splitlines()
        kept = [lines[0], *(line for line in lines if line.startswith(CODES))]
        (folder / "bodies.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
        for code in CODES:
            self.deliver(code, {good(code).path(GOOD): good(code).workbook()})
        self.publish_figures({code: good(code).values for code in CODES})

    @property
    def inbox(self) -> Path:
        return self.data / "inbox" / REGION / str(YEAR)

    def deliver(self, code: str, files: dict[str, bytes]) -> None:
        """Replace what a body has handed in."""
        shutil.rmtree(self.inbox / code, ignore_errors=True)
        self.add(files)

    def add(self, files: dict[str, bytes]) -> None:
        for name, data in files.items():
            (self.inbox / name).parent.mkdir(parents=True, exist_ok=True)
            (self.inbox / name).write_bytes(data)

    def publish_figures(self, values: dict[str, dict[str, Decimal]]) -> None:
        """Let the county's published report say what those returns add up to."""
        with (self.regions / REGION / str(YEAR) / "published.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("cell", "value"))
            for cell in FORM.cells:
                writer.writerow((cell.id, number_text(sum((v[cell.id] for v in values.values()), Decimal(0)))))

    def decide(self, text: str) -> None:
        (self.regions / REGION / str(YEAR) / "decisions.toml").write_text(text, encoding="utf-8")

    def run(self, year: int = YEAR, instance: dg.DagsterInstance | None = None) -> dg.ExecuteInProcessResult:
        tables = tables_path(str(self.data))
        return dg.materialize(
            ASSETS,
            instance=instance,
            partition_key=partition_key(REGION, year),
            raise_on_error=False,
            resources={
                "workspace": Workspace(data=str(self.data), out=str(self.out), regions=str(self.regions), workers=1),
                "parquet": ParquetIOManager(tables),
                "readings": ReadingsIOManager(tables),
                "package": PackageIOManager(tables),
            },
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )

    def table(self, name: str, year: int = YEAR) -> pl.DataFrame:
        return pl.read_parquet(table_path(str(self.data), name, REGION, year).read_bytes())

    def releases(self) -> list[str]:
        folder = releases_path(str(self.out), REGION, YEAR)
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def bytes_of(self, release: str) -> dict[str, bytes]:
        folder = Path(str(releases_path(str(self.out), REGION, YEAR))) / release
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def county(tmp_path: Path) -> County:
    return County(tmp_path)


def stopped_by(result: dg.ExecuteInProcessResult) -> set[str]:
    """The blocking checks that failed."""
    failed = (check for check in result.get_asset_check_evaluations() if check.blocking and not check.passed)
    return {check.check_name for check in failed if check.severity is dg.AssetCheckSeverity.ERROR}


def materialised(result: dg.ExecuteInProcessResult) -> set[str]:
    return {
        event.asset_key.to_user_string()
        for event in result.all_events
        if event.is_step_materialization and event.asset_key
    }
