"""A synthetic country: counties of many provinces with returns of every body, deterministic by seed. All invented.

Belongs here: which regions and bodies there are, their figures, the Parquet dataset of wide submissions (streamed to
disk, a file per province), and the command below. Does not belong here: files as they arrive and region folders
(country_regions.py), the slips (country_slips.py), measuring.

Every county is drawn from its own seed, so that any one of them can be made alone. The codes have the shape of
GB/T 2260 and real prefixes of provinces; cities and counties are invented, and their names say so (示例, synthetic).

    python -m benchmarks.country dataset FOLDER --counties 2850 --bodies 66
    python -m benchmarks.country folders FOLDER --counties 12 --bodies 3
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import polars as pl
import pyarrow.parquet as pq

from benchmarks.country_slips import plant_slip
from benchmarks.submissions import CENTS, Figures, valid
from schemas.form import Form, edition_for, load_form
from schemas.frames import IDENTITY, wide_types
from schemas.rules import LAST_YEAR, load_rules

SEED = 20230131
WRONG = 0.05
# Prefixes of provinces in GB/T 2260; everything behind them is invented.
PROVINCES = (
    *("51", "41", "37", "32", "13", "43", "42", "34", "33", "36", "44", "45", "53", "61", "50", "52"),
    *("21", "23", "14", "15", "62", "22", "35", "65", "54", "63", "64", "46", "11", "12", "31"),
)
NUMERALS = str.maketrans("0123456789", "〇一二三四五六七八九")
Kind = Literal["office", "department", "township", "subdistrict"]
DEPARTMENTS = (
    *("发展改革", "教育", "民政", "财政", "自然资源", "住房城乡建设", "交通运输"),
    *("水利", "农业农村", "卫生健康", "审计", "应急管理", "统计", "司法"),
)
# How much of a county's work a body of each kind does: the share of figures that are 0, and the scale of the others.
ZEROS: dict[Kind, float] = {"office": 0.45, "department": 0.78, "subdistrict": 0.88, "township": 0.9}
SCALE: dict[Kind, float] = {"office": 40.0, "department": 9.0, "subdistrict": 3.0, "township": 2.0}
TAIL = 1.3  # of the Pareto distribution: few figures are very large
MOST = 1_000_000


class Country(msgspec.Struct, frozen=True, kw_only=True):
    """How large a country is drawn, for which year, and how many of its returns are wrong."""

    counties: int
    bodies: int
    provinces: int = len(PROVINCES)
    cities: int = 0  # in all; 0: one for every nine counties
    year: int = 2023
    seed: int = SEED
    wrong: float = WRONG


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A county of the country and its number."""

    number: int
    code: str
    name_zh: str
    name_en: str
    city_zh: str
    province_zh: str


class PlantedBody(msgspec.Struct, frozen=True, kw_only=True):
    """A body with its figures; money in hundredths. ``slip``: "" for a good return; None is a figure left out."""

    code: str
    name_zh: str
    name_en: str
    kind: Kind
    values: dict[str, int | None]
    slip: str = ""
    cells: tuple[str, ...] = ()


def places(country: Country) -> tuple[Place, ...]:
    """The counties in the order of their codes. Raises ValueError for more than two digits can number."""
    provinces = sorted(PROVINCES[: min(country.provinces, country.counties)])
    cities = country.cities or max(len(provinces), -(-country.counties // 9))
    if cities < len(provinces) or country.counties < cities:
        raise ValueError("each province needs a city, each city a county")
    by_city: dict[str, int] = {}
    for number in range(cities):
        province, rank = provinces[number % len(provinces)], number // len(provinces) + 1
        by_city[f"{province}{rank:02}"] = 0
    codes = []
    order = list(by_city)
    for number in range(country.counties):
        city = order[number % len(order)]
        by_city[city] += 1
        codes.append(f"{city}{by_city[city] + 20:02}")
    if max(by_city.values()) > 79 or any(len(code) != 6 for code in codes):
        raise ValueError("too many counties for the digits of a code")
    return tuple(
        Place(
            number=number,
            code=code,
            name_zh=f"示例{code.translate(NUMERALS)}县",
            name_en=f"Synthetic County {code}",
            city_zh=f"示例{code[:4].translate(NUMERALS)}市",
            province_zh=f"示例{code[:2].translate(NUMERALS)}省",
        )
        for number, code in enumerate(sorted(codes))
    )


def kinds(bodies: int) -> tuple[Kind, ...]:
    """The office first, then as many departments as townships and subdistricts together, the latter one in five."""
    departments = max(1, bodies // 2) if bodies > 1 else 0
    rest = bodies - 1 - departments if bodies > 1 else 0
    others: list[Kind] = ["subdistrict" if number % 5 == 4 else "township" for number in range(rest)]
    return ("office", *(["department"] * departments), *others)  # type: ignore[arg-type]


def _names(place: Place, roster: Sequence[Kind]) -> Iterator[tuple[str, str, str]]:
    """Code, Chinese and English name of each body."""
    counted: dict[str, int] = {}
    for kind in roster:
        group = "D" if kind in ("office", "department") else "T"
        counted[group] = counted.get(group, 0) + 1
        number = counted[group]
        if kind == "office":
            chinese, english = "人民政府办公室", "Government Office"
        elif kind == "department":
            word = DEPARTMENTS[(number - 2) % len(DEPARTMENTS)]
            more = (
                str((number - 2) // len(DEPARTMENTS) + 1).translate(NUMERALS) if number - 2 >= len(DEPARTMENTS) else ""
            )
            chinese, english = f"{word}{f'第{more}' if more else ''}局", f"Bureau {number}"
        else:
            ending, noun = ("街道办事处", "Subdistrict") if kind == "subdistrict" else ("镇人民政府", "Town")
            chinese, english = f"示例{str(number).translate(NUMERALS)}{ending}", f"{noun} {number}"
        yield f"{place.code}-{group}{number:02}", f"{place.name_zh}{chinese}（示例）", f"{english} of {place.name_en}"


def _drawn(country: Country, form: Form, draw: np.random.Generator, roster: Sequence[Kind]) -> Figures:
    zeros = np.array([ZEROS[kind] for kind in roster])
    scale = np.array([SCALE[kind] for kind in roster])

    def figure(draw: np.random.Generator, count: int) -> np.ndarray:
        tail = np.minimum(np.ceil(draw.pareto(TAIL, count) * scale), MOST).astype(np.int64)
        return np.where(draw.random(count) < zeros, 0, np.maximum(tail, 1))

    return valid(form, load_rules(form.edition), draw, len(roster), figure)


def _wrong(country: Country, place: Place, draw: np.random.Generator) -> list[int]:
    """Which bodies of a county are wrong: over the whole country exactly the share that was asked, rounded down."""
    first, last = place.number * country.bodies, (place.number + 1) * country.bodies
    count = int(Decimal(str(country.wrong)) * last) - int(Decimal(str(country.wrong)) * first)
    return sorted(int(number) for number in draw.choice(country.bodies, count, replace=False))


def county(country: Country, place: Place) -> tuple[PlantedBody, ...]:
    """The bodies of one county with their figures, among them last year's that rules need."""
    form = load_form(edition_for(country.year))
    draw = np.random.default_rng([country.seed, country.year, int(place.code)])
    roster = kinds(country.bodies)
    figures = _drawn(country, form, draw, roster)
    wrong = set(_wrong(country, place, draw))
    bodies = []
    for number, (kind, (code, chinese, english)) in enumerate(zip(roster, _names(place, roster), strict=True)):
        values: dict[str, int | None] = {name: int(column[number]) for name, column in figures.items()}
        slip, changes = "", {}
        if number in wrong:
            slip, changes = plant_slip(form.edition, {cell.id: values[cell.id] for cell in form.cells}, draw)
        bodies.append(
            PlantedBody(
                code=code,
                name_zh=chinese,
                name_en=english,
                kind=kind,
                values=values | changes,
                slip=slip,
                cells=tuple(changes),
            )
        )
    return tuple(bodies)


def _frame(form: Form, country: Country, place: Place, bodies: Sequence[PlantedBody]) -> pl.DataFrame:
    """The bodies of a county as rows of the wide contract."""
    types = wide_types(form, load_rules(form.edition))
    columns: dict[str, list[object]] = {
        "region": [place.code] * len(bodies),
        "year": [country.year] * len(bodies),
        "body": [body.code for body in bodies],
        "file": [f"{body.code}.xlsx" for body in bodies],
        "file_sha256": [f"{place.number * country.bodies + number:064x}" for number in range(len(bodies))],
    }
    columns |= {name: [0 if name == "not_whole" else False] * len(bodies) for name in IDENTITY if name not in columns}
    for name in types:
        if name not in IDENTITY:
            money = form.by_id[name.removesuffix(LAST_YEAR)].kind == "money"
            values = [body.values[name] for body in bodies]
            columns[name] = [None if v is None else Decimal(v) / CENTS if money else v for v in values]
    return pl.DataFrame(columns, schema=types)


def write_dataset(folder: Path, country: Country) -> tuple[int, int]:
    """Stream the submissions below ``folder``: ``province=51/submissions.parquet`` and so on, one row group per county,
    and ``slips.parquet``, what was planted where. Answers how many returns there are and how many are wrong.
    """
    form = load_form(edition_for(country.year))
    planted: list[dict[str, str]] = []
    writer, open_for, rows = None, "", 0
    try:
        for place in places(country):
            bodies = county(country, place)
            table = _frame(form, country, place, bodies).to_arrow()
            if place.code[:2] != open_for:
                if writer:
                    writer.close()
                open_for = place.code[:2]
                path = folder / f"province={open_for}" / "submissions.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                writer = pq.ParquetWriter(path, table.schema, compression="zstd")
            assert writer is not None
            writer.write_table(table)
            rows += len(bodies)
            planted += [
                {"region": place.code, "body": body.code, "slip": body.slip, "cells": ";".join(body.cells)}
                for body in bodies
                if body.slip
            ]
    finally:
        if writer:
            writer.close()
    schema = dict.fromkeys(("region", "body", "slip", "cells"), pl.String)
    pl.DataFrame(planted, schema=schema, orient="row").write_parquet(folder / "slips.parquet")
    return rows, len(planted)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="benchmarks.country", description="A synthetic country. 示例，全部虚构。")
    parser.add_argument("what", choices=("dataset", "folders"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--counties", type=int, default=2850)
    parser.add_argument("--bodies", type=int, default=66)
    parser.add_argument("--provinces", type=int, default=len(PROVINCES))
    parser.add_argument("--cities", type=int, default=0)
    parser.add_argument("--year", type=int, default=2023)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--wrong", type=float, default=WRONG, help="share of returns with a slip")
    given = vars(parser.parse_args(arguments))
    what, folder = given.pop("what"), given.pop("folder")
    country = Country(**given)
    if what == "dataset":
        rows, wrong = write_dataset(folder, country)
        print(f"{rows} returns, {wrong} with a slip: {folder}")
    else:
        from benchmarks.country_regions import write_folders

        files = write_folders(folder / "regions", folder / "data", country)
        print(f"{country.counties} regions, {files} files: {folder}/regions, {folder}/data")


if __name__ == "__main__":
    main()
