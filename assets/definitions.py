"""The one Definitions object: every asset, the resources they need, how they run.

Belongs here: wiring. Does not belong here: any asset, or any work.
"""

from __future__ import annotations

import dagster as dg

from assets import aggregation, dissemination, feedback, intake, portal_push, publication, rollup, scan, validation
from assets.automation import automated, publication_sensor
from assets.deadlines import CHECKS, deadline_checks, deadline_checks_schedule
from assets.executors import executor_of
from assets.groups import ROLLUP, owned
from assets.io_managers import PackageIOManager, ParquetIOManager, ReadingsIOManager
from assets.notify import gate_stopped, run_failed
from assets.resources import Workspace
from assets.schedules import deadline_job, deadline_schedule
from assets.sensors import make_sensors
from assets.withdrawal import withdraw_published, withdrawal
from pipelines.settings import load_settings
from pipelines.storage import tables_path

settings = load_settings()
tables = tables_path(settings.data)
BY_HAND = ("submissions_scan",)  # started by people, publishes nothing
LOOKED_AT_DAILY = dg.AssetSelection.checks(*CHECKS)  # of every region at once: no part of one region's run

annual_report = dg.define_asset_job(
    "annual_report",
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups(ROLLUP) - LOOKED_AT_DAILY,
    description="从收件箱到发布和回执：一个地区、一个报告年度。 / From the inbox to release, receipts and board.",
)
check_only = dg.define_asset_job(
    "check_only",
    selection=dg.AssetSelection.assets("receipts", "board").upstream().required_multi_asset_neighbors()
    - LOOKED_AT_DAILY,
    description="只核查，不发布：回执和报送进度。 / Check without publishing: receipts and the board.",
)
publish = dg.define_asset_job(
    "publish",
    selection=dg.AssetSelection.assets("release").upstream().required_multi_asset_neighbors() - LOOKED_AT_DAILY,
    description="核查并发布，不做回执。 / Check and publish, without receipts.",
)

roll_up = dg.define_asset_job(
    "roll_up",
    selection=dg.AssetSelection.groups(ROLLUP) - dg.AssetSelection.assets("submissions_scan"),
    description="已发布的各地区数据逐级汇总并发布：一个报告年度。 / Add up what is released, and release it: one year.",
)

scan_all = dg.define_asset_job(
    "scan",
    selection=dg.AssetSelection.assets("submissions_scan"),
    description="一次核查全部地区的全部报表：一个报告年度。 / Every region's submissions in one pass: one year.",
)

defs = dg.Definitions(
    assets=automated(
        owned(
            [
                *dg.load_assets_from_modules(
                    [intake, validation, aggregation, feedback, publication, dissemination, portal_push, rollup, scan]
                ),
                withdrawal,
            ]
        ),
        without=(BY_HAND if settings.ckan_url else (*BY_HAND, "portal_push")),
    ),
    asset_checks=CHECKS,
    jobs=[
        annual_report,
        check_only,
        publish,
        portal_push.push,
        roll_up,
        scan_all,
        withdraw_published,
        deadline_job,
        deadline_checks,
    ],
    sensors=[*make_sensors(), publication_sensor(), gate_stopped, run_failed],
    schedules=[deadline_schedule, deadline_checks_schedule],
    resources={
        "workspace": Workspace(
            data=settings.data,
            out=settings.out,
            regions=settings.regions,
            workers=settings.workers,
            base_url=settings.base_url,
        ),
        "parquet": ParquetIOManager(tables),
        "readings": ReadingsIOManager(tables),
        "package": PackageIOManager(tables),
    },
    executor=executor_of(settings),
)
