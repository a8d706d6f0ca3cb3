"""The one Definitions object: every asset, the resources they need, how they run.

Belongs here: wiring. Does not belong here: any asset, or any work.
"""

from __future__ import annotations

import dagster as dg

from assets import aggregation, intake, publication, validation
from assets.io_managers import PackageIOManager, ParquetIOManager, ReadingsIOManager
from assets.resources import Workspace
from pipelines.settings import load_settings
from pipelines.storage import tables_path

settings = load_settings()
tables = tables_path(settings.data)

annual_report = dg.define_asset_job(
    "annual_report",
    selection=dg.AssetSelection.all(),
    description="从收件箱到发布：一个地区、一个报告年度。 / From the inbox to the release, one region and report year.",
)

defs = dg.Definitions(
    assets=dg.load_assets_from_modules([intake, validation, aggregation, publication]),
    jobs=[annual_report],
    resources={
        "workspace": Workspace(
            data=settings.data, out=settings.out, regions=settings.regions, workers=settings.workers
        ),
        "parquet": ParquetIOManager(tables),
        "readings": ReadingsIOManager(tables),
        "package": PackageIOManager(tables),
    },
    executor=dg.in_process_executor,
)
