"""Every submission of every region judged in one pass: where in the country, a province, a city something is wrong.

Belongs here: when it runs, which stored tables it reads and where its tables lie. Does not belong here: how
(pipelines/validate). It looks at what was handed in, not at what is released, and nothing it writes is published.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import polars as pl

from assets.groups import ROLLUP as GROUP
from assets.partitions import YEARS
from assets.resources import Workspace
from assets.views import markdown
from pipelines.storage import local, scan_path, stored_tables, write_atomic
from pipelines.validate.scan import UnfitError, scan_dataset
from schemas.form import edition_for, load_form
from schemas.rules import load_rules


@contextmanager
def _at_hand(data: str, year: int) -> Iterator[list[Path]]:
    """The stored submissions of every region as local files; fetched for the while where they lie elsewhere."""
    with tempfile.TemporaryDirectory(prefix="gongkai-scan-") as folder:
        files = []
        for region, table in stored_tables(data, "submissions", year).items():
            here = local(table)
            if here is None:
                here = Path(folder, f"{region}.parquet")
                here.write_bytes(table.read_bytes())
            files.append(here)
        yield files


@dg.asset(group_name=GROUP, partitions_def=YEARS, kinds={"polars", "pandera", "parquet"}, deps=["submissions"])
def submissions_scan(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult[None]:
    """各地区报表核查：一次核查一个年度全部地区的全部报表，指出可能填错的单元格，按地区合计。

    Every submission of every region of a year in one pass: findings, the likely wrong cells, totals by region.
    """
    year = int(context.partition_key)
    form = load_form(edition_for(year))
    rules = load_rules(form.edition)
    folder = scan_path(workspace.data, year)
    with _at_hand(workspace.data, year) as files:
        if not files:
            return dg.MaterializeResult(metadata={"报表 / submissions": 0})
        try:
            tables, scan = scan_dataset(form, rules, files)
        except UnfitError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from None
    for name, content in tables.items():
        write_atomic(folder / name, content)
    wrong = [
        {"rule": name, "title": rules.by_id[name].title_zh if name in rules.by_id else "", "broken": count}
        for name, count in scan.counts.items()
        if count
    ]
    by_rule = pl.DataFrame(wrong, schema={"rule": pl.String, "title": pl.String, "broken": pl.Int64})
    found = pl.read_parquet(tables["findings.parquet"])
    by_region = found.group_by("region").agg(pl.col("file").n_unique(), pl.len().alias("findings"))
    return dg.MaterializeResult(
        metadata={
            "报表 / submissions": scan.submissions,
            "地区 / regions": scan.regions,
            "有误的报表 / submissions with errors": scan.broken,
            "指出了单元格 / with a wrong cell named": scan.explained,
            "按规则 / by rule": markdown(
                by_rule.sort("broken", descending=True, maintain_order=True),
                {"rule": "规则", "title": "说明", "broken": "不符的报表"},
            ),
            "按地区 / by region": markdown(
                by_region.sort("findings", "region", descending=[True, False]),
                {"region": "地区", "file": "有问题的报表", "findings": "问题"},
            ),
            "表格 / tables": dg.MetadataValue.path(str(folder)),
        },
    )
