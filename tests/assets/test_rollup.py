"""The roll-up end to end in Dagster: a synthetic country of three provinces, five cities and twelve tiny counties."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from assets import rollup
from assets.io_managers import PackageIOManager
from assets.resources import Workspace
from benchmarks.country import Country, county, places
from benchmarks.country_regions import region_files, write_folders
from benchmarks.submissions import CENTS
from pipelines.publish.history import read_history
from pipelines.publish.package import SUMS, sums_of
from pipelines.publish.portal.site import build_site
from pipelines.publish.release import current_release, publish, release_files, withdraw
from pipelines.publish.rollup_withdrawal import ground_of, withdraw_rollup
from pipelines.publish.tables import read_parquet
from pipelines.publish.verify import verify
from pipelines.settings import PROJECT
from pipelines.storage import ROLLUP, tables_path
from schemas.rollup import COUNTRY, places_of
from tests.aggregate.country import YEAR
from tests.assets.conftest import materialised, stopped_by
from tests.facts import FORM
from tests.portal.published import publish_county

COUNTRY_DRAWN = Country(counties=12, bodies=2, provinces=3, cities=5, wrong=0)
CODES = tuple(place.code for place in places(COUNTRY_DRAWN))
Values = dict[str, Decimal | None]


class Tree:
    """Data, releases and regions below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data, self.out, self.regions = root / "data", root / "out", root / "regions"

    def roll_up(self) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [rollup.rollup_package, rollup.rollup],
            partition_key=str(YEAR),
            raise_on_error=False,
            resources={
                "workspace": Workspace(data=str(self.data), out=str(self.out), regions=str(self.regions)),
                "package": PackageIOManager(tables_path(str(self.data))),
            },
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )

    def files(self) -> dict[str, bytes]:
        folder = current_release(self.out, ROLLUP, YEAR)
        assert folder is not None
        return release_files(folder)

    def totals(self) -> dict[str, Values]:
        found: dict[str, Values] = {}
        for path, data in self.files().items():
            if path.endswith("rollup_totals.parquet"):
                for row in read_parquet(data).to_pylist():
                    found.setdefault(row["place"], {})[row["cell"]] = row["value"]
        return found

    def findings(self) -> list[str]:
        tables = (data for path, data in self.files().items() if path.endswith("rollup_findings.parquet"))
        return sorted(rule for data in tables for rule in read_parquet(data)["rule"].to_pylist())


def worked_out(result: dg.ExecuteInProcessResult) -> list[str]:
    [event] = result.asset_materializations_for_node("rollup_package")
    said = str(event.metadata["重新计算的省 / provinces worked out"].value)
    return [] if "none" in said else said.split("、")


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The whole country through the project's own jobs, from the inbox to the roll-up. Only read it."""
    tree = Tree(tmp_path_factory.mktemp("country"))
    write_folders(tree.regions, tree.data, COUNTRY_DRAWN)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.assets.country_run", str(YEAR)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "GONGKAI_DATA": str(tree.data),
            "GONGKAI_OUT": str(tree.out),
            "GONGKAI_REGIONS": str(tree.regions),
        },
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == dict.fromkeys((*CODES, "roll_up"), True)
    return tree


@pytest.fixture
def tree(published: Tree, tmp_path: Path) -> Tree:
    """A country of one's own."""
    shutil.copytree(published.root, tmp_path / "tree", symlinks=True)
    return Tree(tmp_path / "tree")


def drawn(codes: Iterable[str]) -> dict[str, Decimal]:
    """What the returns that were handed in add up to."""
    wanted = set(codes)
    sums = dict.fromkeys((cell.id for cell in FORM.cells), Decimal(0))
    for place in places(COUNTRY_DRAWN):
        for body in county(COUNTRY_DRAWN, place) if place.code in wanted else ():
            for cell in FORM.cells:
                value = Decimal(body.values[cell.id] or 0)
                sums[cell.id] += value / CENTS if cell.kind == "money" else value
    return sums


def below(place: str) -> list[str]:
    return [code for code in CODES if place == COUNTRY or code.startswith(place)]


def test_from_the_inboxes_to_the_country(published: Tree) -> None:
    totals = published.totals()
    assert set(totals) == {place for code in CODES for place in places_of(code)}
    assert len([place for place in totals if len(place) == 4]) == 5
    assert len([place for place in totals if len(place) == 2]) == 3 + 1
    for place, values in totals.items():
        assert values == drawn(below(place)), place
    assert published.findings() == []
    report = verify(published.out / ROLLUP / str(YEAR))
    assert (report.valid, report.findings) == (True, ())
    assert (published.out / "portal" / ROLLUP / str(YEAR) / "index.html").exists()


def test_unchanged_input_makes_nothing_new(tree: Tree) -> None:
    before = tree.files()
    result = tree.roll_up()
    assert result.success
    assert worked_out(result) == []
    assert tree.files() == before
    [event] = result.asset_materializations_for_node("rollup")
    assert event.metadata["新发布 / new"].value is False
    assert len(read_history(tree.out, ROLLUP, YEAR).events) == 1


def test_one_county_touches_its_ancestors_alone(tree: Tree) -> None:
    code = CODES[0]
    before, history = tree.files(), read_history(tree.out, code, YEAR)
    withdraw(tree.out, code, YEAR, history.current, "测试", "测试员")
    result = tree.roll_up()
    assert result.success
    assert worked_out(result) == [code[:2]]
    after = tree.files()
    assert {path for path in after if after[path] != before[path]} <= {
        *(path for path in after if path.startswith((f"data/{code[:2]}/", "data/CN/"))),
        *("datapackage.json", "README.md", SUMS),
    }
    others = [path for path in after if path.startswith("data/") and path[5:7] not in (code[:2], "CN")]
    assert others
    assert all(after[path] == before[path] for path in others)
    totals = tree.totals()
    for place in totals:
        rest = [one for one in below(place) if one != code]
        assert totals[place] == (drawn(rest) if rest else dict.fromkeys(drawn(()))), place
    assert tree.findings() == ["rollup_region_missing"]
    event = read_history(tree.out, ROLLUP, YEAR).events[-1]
    assert {change.body for change in event.changes} == set(places_of(code))
    assert all(code in change.reason_zh for change in event.changes)
    assert verify(tree.out / ROLLUP / str(YEAR)).valid


def test_a_province_put_back_has_its_old_bytes(tree: Tree) -> None:
    before = tree.files()
    shutil.rmtree(tree.data / "tables" / "rollup_parts")
    result = tree.roll_up()
    assert worked_out(result) == sorted({code[:2] for code in CODES})
    assert tree.files() == before


def test_a_damaged_release_stops_the_roll_up(tree: Tree) -> None:
    folder = current_release(tree.out, CODES[3], YEAR)
    assert folder is not None
    file = Path(str(folder)) / "data" / "county_totals.parquet"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b"PAR1", b"PAR2", 1))
    before = tree.files()
    result = tree.roll_up()
    assert stopped_by(result) == {"no_rollup_errors"}
    assert "rollup" not in materialised(result)
    assert tree.files() == before


def test_nothing_to_add_is_not_published(tree: Tree, tmp_path: Path) -> None:
    empty = Tree(tmp_path / "empty")
    empty.regions.mkdir(parents=True)
    assert stopped_by(empty.roll_up()) == {"regions_counted"}
    shutil.copytree(tree.regions, empty.regions, dirs_exist_ok=True)
    assert stopped_by(empty.roll_up()) == {"regions_counted"}
    assert current_release(empty.out, ROLLUP, YEAR) is None


def take_back(tree: Tree, codes: Iterable[str]) -> None:
    for code in codes:
        withdraw(tree.out, code, YEAR, read_history(tree.out, code, YEAR).current, "测试", f"批准人{code[:2]}")


def test_a_roll_up_of_which_everything_was_withdrawn_is_withdrawn_with_its_reason(tree: Tree) -> None:
    first = read_history(tree.out, ROLLUP, YEAR).current
    take_back(tree, CODES[:1])
    assert tree.roll_up().success
    second = read_history(tree.out, ROLLUP, YEAR).current
    assert second != first
    take_back(tree, CODES[1:])
    result = tree.roll_up()
    assert result.success
    assert stopped_by(result) == set()
    history = read_history(tree.out, ROLLUP, YEAR)
    assert history.current == ""
    assert [(event.event, event.id) for event in history.events[-2:]] == [("withdrawn", first), ("withdrawn", second)]
    assert "已全部撤回" in history.events[-1].reason
    assert history.events[-1].approved_by.startswith(
        "、".join(dict.fromkeys(f"批准人{code[:2]}" for code in CODES[1:]))
    )
    assert current_release(tree.out, ROLLUP, YEAR) is None
    found = verify(tree.out / ROLLUP / str(YEAR) / "releases" / second).findings
    assert [finding.rule for finding in found] == ["release_withdrawn"]
    [event] = result.asset_materializations_for_node("rollup")
    assert event.metadata["撤回的汇总 / withdrawn roll-ups"].value == f"{first}、{second}"
    build_site(tree.out, tree.out / "portal")
    page = (tree.out / "portal" / ROLLUP / str(YEAR) / "index.html").read_text(encoding="utf-8")
    assert history.events[-1].reason in page
    assert second in page
    assert stopped_by(tree.roll_up()) == {"regions_counted"}  # nothing stands any more
    publish_county(tree.out, count=2, code=CODES[0], year=YEAR)
    assert tree.roll_up().success
    assert read_history(tree.out, ROLLUP, YEAR).current not in ("", first, second)


def test_what_is_merely_gone_withdraws_nothing(tree: Tree) -> None:
    """A folder that was lost is no withdrawal; without a record nothing is taken back."""
    before = read_history(tree.out, ROLLUP, YEAR)
    take_back(tree, CODES[1:])
    shutil.rmtree(tree.out / CODES[0])
    result = tree.roll_up()
    assert stopped_by(result) == {"regions_counted"}
    [check] = [one for one in result.get_asset_check_evaluations() if one.check_name == "regions_counted"]
    assert CODES[0] in str(check.metadata["原因 / reason"].value)
    assert CODES[1] not in str(check.metadata["原因 / reason"].value)
    assert read_history(tree.out, ROLLUP, YEAR) == before
    ground = ground_of(tree.out, YEAR)
    assert ground is not None
    with pytest.raises(ValueError, match="ground"):
        withdraw_rollup(tree.out, YEAR, ground)
    file = tree.out / ROLLUP / str(YEAR) / "releases" / before.current / "data" / "51" / "rollup_regions.parquet"
    file.chmod(0o644)
    file.write_bytes(b"")
    ground = ground_of(tree.out, YEAR)
    assert ground is not None
    assert (ground.lost, ground.others) == (False, None)


def test_a_byte_that_was_changed_behind_a_files_back_is_seen(tree: Tree) -> None:
    """Same size, time put back: the time of the inode tells. And a release is known again by its stamps alone."""
    assert tree.roll_up().success
    path = Path(str(current_release(tree.out, CODES[0], YEAR))) / "data" / "county_totals.parquet"
    stat, data = path.stat(), path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    assert stopped_by(tree.roll_up()) == {"no_rollup_errors"}
    path.write_bytes(data)
    assert worked_out(tree.roll_up()) == []


def test_a_year_that_a_region_does_not_release_is_not_missing(tree: Tree) -> None:
    code = CODES[0]
    file = tree.regions / code / "region.toml"
    later = file.read_text(encoding="utf-8").replace("synthetic = true", f"synthetic = true\nrelease_from = {YEAR + 1}")
    file.write_text(later, encoding="utf-8")
    before = tree.files()
    assert tree.roll_up().success
    assert tree.files() == before  # released by hand: it counts
    withdraw(tree.out, code, YEAR, read_history(tree.out, code, YEAR).current, "测试", "测试员")
    assert tree.roll_up().success
    assert tree.findings() == []
    assert tree.totals()[COUNTRY] == drawn(CODES[1:])


def add_city(tree: Tree, city: str, totals: str, values: Values) -> None:
    """A city that reports itself, with its own release."""
    [place, *_] = [place for place in places(COUNTRY_DRAWN) if place.code.startswith(city)]
    folder = tree.regions / city
    folder.mkdir()
    for name, data in region_files(place, county(COUNTRY_DRAWN, place)).items():
        text = data.decode().replace(place.code, city).replace(place.name_zh, place.city_zh)
        text = text.replace('level = "county"', f'level = "city"\ntotals = "{totals}"')
        (folder / name).write_text(text, encoding="utf-8")

    def change(tables: dict) -> dict:
        frame = tables["county_totals"]
        figures = [values[cell] for cell in frame["cell"]]
        tables["county_totals"] = frame.with_columns(frame["value"].__class__("value", figures, frame.schema["value"]))
        return tables

    publish_county(tree.out, count=2, code=city, year=YEAR, change=change)


@pytest.mark.parametrize(("totals", "stopped"), [("own", {"no_rollup_errors"}), ("includes_lower", set())])
def test_a_total_of_counties_is_never_added_to_them(tree: Tree, totals: str, stopped: set[str]) -> None:
    city = CODES[0][:4]
    before = tree.totals()
    add_city(tree, city, totals, dict(drawn(below(city))))
    assert stopped_by(tree.roll_up()) == stopped
    assert tree.totals() == before
    assert tree.findings() == []


def test_another_edition_is_left_out(tree: Tree) -> None:
    code = CODES[-1]
    folder = current_release(tree.out, code, YEAR)
    assert folder is not None
    files = release_files(folder)
    files["datapackage.json"] = files["datapackage.json"].replace(
        b'"x-form-edition": "2021"', b'"x-form-edition": "2019"'
    )
    publish({**files, SUMS: sums_of(files)}, tree.out, code, YEAR)
    assert stopped_by(tree.roll_up()) == set()
    assert tree.findings() == ["rollup_edition_differs"]
    assert tree.totals()[COUNTRY] == drawn(CODES[:-1])


def test_an_unbalanced_total_stops_the_roll_up(tree: Tree) -> None:
    """A county whose release was made past its own gate."""
    cell = FORM.by_id["requests.received.total"].id
    values = drawn([CODES[0]])
    add_city(tree, CODES[0][:4], "own", values | {cell: values[cell] + 1})
    before = tree.files()
    assert stopped_by(tree.roll_up()) == {"no_rollup_errors", "rules_hold", "figures_true"}
    assert tree.files() == before
