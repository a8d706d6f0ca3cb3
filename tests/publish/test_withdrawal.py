"""A withdrawn release leaves nothing behind that points to it: report, records, portal, and the record that says so."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.resources import Workspace
from assets.withdrawal import withdraw_published
from pipelines.publish import release, withdrawal
from pipelines.publish.beside import write_catalogue, write_report
from pipelines.publish.package import build_package
from pipelines.publish.portal.site import build_site
from pipelines.publish.release import ReleaseError, publish
from pipelines.publish.withdrawal import withdraw_release
from pipelines.storage import portal_path
from tests.facts import REGIONS
from tests.publish.county import CODE, YEAR, county, form, region

NOWHERE = Path("no-such-folder")  # of texts of the report: the county of these tests has none
WHY = ("总数有误", "县政府办公室（示例）")


def released(out: Path, plus: int = 0) -> str:
    """Publish a release whose first licence figure is higher by ``plus``, with everything that is made from it."""
    tables = county()
    first = pl.col("cell") == tables["county_totals"]["cell"][0]
    for name, who in (("county_totals", first), ("body_cells", first & (pl.col("body") == f"{CODE}-D01"))):
        more = pl.when(who).then(pl.col("value") + plus).otherwise(pl.col("value"))
        tables[name] = tables[name].with_columns(more.alias("value"))
    done = publish(build_package(region(), YEAR, tables, form()), out, CODE, YEAR)
    write_report(out, NOWHERE, region(), YEAR)
    write_catalogue(out, region(), YEAR, "")
    build_site(out, portal_path(out))
    return done.id


def withdrawn(out: Path, identifier: str) -> withdrawal.Withdrawal:
    return withdraw_release(out, NOWHERE, "", region(), YEAR, identifier, *WHY)


def tree(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and ".lock" not in path.name)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_what_was_made_from_it_is_made_anew_from_the_one_before(tmp_path):
    first = released(tmp_path)
    before = tree(tmp_path / CODE / str(YEAR) / "report")
    second = released(tmp_path, 3)
    assert second in (tmp_path / CODE / str(YEAR) / "report" / "report.html").read_text(encoding="utf-8")
    assert withdrawn(tmp_path, second) == withdrawal.Withdrawal(current=first, already=False)
    assert tree(tmp_path / CODE / str(YEAR) / "report") == before
    pages = tree(tmp_path / "portal")
    saying = [name for name, data in pages.items() if second.encode() in data]
    assert saying == [f"{CODE}/{YEAR}/quality.html"]  # the record of releases, with the reason
    assert WHY[0].encode() in pages[saying[0]]
    assert not any(second in name for name in pages)


def test_the_only_release_leaves_no_report_no_records_and_a_page_that_says_why(tmp_path):
    only = released(tmp_path)
    assert withdrawn(tmp_path, only).current == ""
    here = tmp_path / CODE / str(YEAR)
    assert tree(here / "report") == tree(here / "catalogue") == {}
    site = tree(tmp_path / "portal")
    assert [name for name in site if name.startswith(CODE)] == [f"{CODE}/{YEAR}/index.html"]
    assert [name for name, data in site.items() if only.encode() in data] == [f"{CODE}/{YEAR}/index.html"]
    assert WHY[0].encode() in site[f"{CODE}/{YEAR}/index.html"]


@pytest.mark.parametrize("step", ["_point", "write_report", "write_catalogue", "build_site"])
def test_one_that_was_stopped_half_way_is_finished_by_the_next_call(tmp_path, monkeypatch, step):
    for out in (tmp_path / "whole", tmp_path / "half"):
        released(out)
        last = released(out, 3)
    withdrawn(tmp_path / "whole", last)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(release if step == "_point" else withdrawal, step, stop)
        with pytest.raises(KeyboardInterrupt):
            withdrawn(tmp_path / "half", last)
    assert withdrawn(tmp_path / "half", last).already is (step != "_point")
    assert tree(tmp_path / "half") == tree(tmp_path / "whole")


def test_what_was_never_published_is_refused_and_changes_nothing(tmp_path):
    released(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(ReleaseError, match="0123456789abcdef"):
        withdrawn(tmp_path, "0123456789abcdef")
    with pytest.raises(ReleaseError, match="reason"):
        withdraw_release(tmp_path, NOWHERE, "", region(), YEAR, "0123456789abcdef", " ", WHY[1])
    assert tree(tmp_path) == before


def test_the_job_of_the_dagster_ui_withdraws(tmp_path):
    first, last = released(tmp_path), released(tmp_path, 3)
    config = {"region": CODE, "year": YEAR, "release": last, "reason": WHY[0], "approved_by": WHY[1]}
    with dg.DagsterInstance.ephemeral() as instance:
        result = withdraw_published.execute_in_process(
            run_config={"ops": {"withdraw": {"config": config}}},
            resources={"workspace": Workspace(data=str(tmp_path), out=str(tmp_path), regions=str(REGIONS))},
            instance=instance,
        )
    assert result.success
    assert (tmp_path / CODE / str(YEAR) / "latest").readlink().name == first
