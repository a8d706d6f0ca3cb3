"""The synthetic country: the same seed the same bytes, the share of errors that was asked, rules kept where none is."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.country import PROVINCES, Country, county, kinds, main, places, write_dataset
from benchmarks.country_regions import write_folders
from benchmarks.country_slips import PLANTS, breaks, plant_slip
from pipelines.ingest.read import read_bytes
from pipelines.known_regions import declared_regions, known_regions
from pipelines.validate.bulk import broken_pairs
from schemas.frames import submissions_contract
from schemas.slips import load_slips
from tests.facts import FORM, RULES

SMALL = Country(counties=14, bodies=10, provinces=3, cities=5, wrong=0.15)


def bytes_of(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    assert write_dataset(folder, SMALL) == (140, 21)
    return folder


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(dataset: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path / "again", SMALL)
    assert bytes_of(tmp_path / "again") == bytes_of(dataset)
    write_dataset(tmp_path / "other", Country(counties=14, bodies=10, provinces=3, cities=5, wrong=0.15, seed=1))
    assert set(bytes_of(tmp_path / "other").values()).isdisjoint(bytes_of(dataset).values())


def rows(dataset: Path) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in sorted(dataset.glob("province=*/*.parquet"))])


def test_one_county_alone_is_the_county_of_the_whole(dataset: Path) -> None:
    place = places(SMALL)[7]
    stands = rows(dataset).filter(pl.col("region") == place.code)
    counts = [cell.id for cell in FORM.cells if cell.kind != "money"]
    alone = [[body.values[cell] for cell in counts] for body in county(SMALL, place)]
    assert [list(row) for row in stands.select(counts).rows()] == alone


def test_the_share_of_errors_is_the_one_asked_and_nothing_else_is_wrong(dataset: Path) -> None:
    frame, slips = rows(dataset), pl.read_parquet(dataset / "slips.parquet")
    submissions_contract(FORM.edition).validate(frame)
    errors = {rule.id for rule in RULES.rules if rule.severity == "error"} | {domain.id for domain in RULES.domains}
    broken = {file.removesuffix(".xlsx") for file, rule in broken_pairs(FORM, RULES, frame) if rule in errors}
    lacking = frame.filter(pl.any_horizontal(pl.col(cell.id).is_null() for cell in FORM.cells))["body"]
    assert broken | set(lacking) == set(slips["body"])
    assert slips.height == int(SMALL.wrong * frame.height)
    assert set(slips["slip"]) <= set(PLANTS)


@pytest.mark.parametrize("wrong", [0, 0.05, 0.5, 1])
def test_any_share_is_met_over_the_whole_country(wrong: float) -> None:
    country = Country(counties=7, bodies=3, provinces=2, cities=3, wrong=wrong)
    slips = [bool(body.slip) for place in places(country) for body in county(country, place)]
    assert sum(slips) == int(wrong * 21)


def test_every_declared_slip_can_be_planted_and_breaks_something() -> None:
    assert set(PLANTS) == {kind.id for kind in load_slips().kinds}
    country = Country(counties=1, bodies=4, wrong=0)
    office = county(country, places(country)[0])[0]
    row = {cell.id: office.values[cell.id] for cell in FORM.cells}
    assert not breaks(FORM.edition, row)
    draw = np.random.default_rng(5)
    seen: Counter[str] = Counter()
    for _ in range(400):
        kind, changes = plant_slip(FORM.edition, row, draw)
        assert breaks(FORM.edition, row | changes)
        assert all(value != row[cell] for cell, value in changes.items())
        seen[kind] += 1
    assert set(seen) == set(PLANTS)


def test_most_figures_are_0_and_few_are_very_large(dataset: Path) -> None:
    frame = rows(dataset).filter(~pl.col("body").is_in(pl.read_parquet(dataset / "slips.parquet")["body"].to_list()))
    counts = [cell.id for cell in FORM.cells if cell.kind != "money"]
    figures = frame.select(counts).unpivot()["value"]
    assert 0.6 < (figures == 0).mean() < 0.95
    above = figures.filter(figures > 0)
    assert above.max() > 40 * above.median()
    office = frame.filter(pl.col("body").str.ends_with("D01")).select(counts).unpivot()["value"]
    township = frame.filter(pl.col("body").str.contains("-T")).select(counts).unpivot()["value"]
    assert (office == 0).mean() < (township == 0).mean()


def test_codes_are_plausible_prefixes_and_names_say_that_they_are_invented(tmp_path: Path) -> None:
    country = Country(counties=40, bodies=6)
    drawn = places(country)
    assert len({place.code for place in drawn}) == 40
    assert {place.code[:2] for place in drawn} == set(PROVINCES)
    assert all("示例" in place.name_zh and "Synthetic" in place.name_en for place in drawn)
    assert {place.city_zh for place in drawn if place.code.startswith("5101")} == {"示例五一〇一市"}
    assert kinds(6) == ("office", "department", "department", "department", "township", "township")
    with pytest.raises(ValueError, match="too many"):
        places(Country(counties=200, bodies=1, provinces=1, cities=1))


def test_folders_hold_regions_and_returns_that_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["folders", str(tmp_path), "--counties", "4", "--bodies", "3", "--provinces", "2", "--wrong", "0.25"]
    main(arguments)
    assert "12 files" in capsys.readouterr().out
    regions = known_regions(declared_regions(tmp_path / "regions", 2023), 2023)
    assert len(regions) == 4
    assert all(region.synthetic for region in regions)
    files = sorted(path for path in (tmp_path / "data" / "inbox").rglob("*") if path.is_file())
    assert {path.suffix for path in files} == {".xlsx", ".csv", ".html", ".docx"}
    country = Country(counties=4, bodies=3, provinces=2, wrong=0.25)
    for place in places(country):
        for body in county(country, place):
            [path] = (tmp_path / "data" / "inbox" / place.code / "2023" / body.code).iterdir()
            read = read_bytes(path.read_bytes(), path.name)
            stated = {cell.cell: cell.value for cell in read.cells if cell.value is not None}
            wanted = {
                cell.id: value / 100 if cell.kind == "money" else value
                for cell in FORM.cells
                if (value := body.values[cell.id]) is not None
            }
            assert {cell: float(value) for cell, value in stated.items()} == wanted, path
    again = tmp_path / "again"
    write_folders(again / "regions", again / "data", country)
    mine = {name: digest for name, digest in bytes_of(tmp_path).items() if not name.startswith("again")}
    assert bytes_of(again) == mine
