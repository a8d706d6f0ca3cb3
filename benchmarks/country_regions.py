"""The synthetic country as a deployment meets it: region folders with rosters, and returns in mixed formats.

Belongs here: ``regions/<code>/`` and ``DATA/inbox/<code>/<year>/`` of counties drawn by country.py, written with the
project's own sample builders. Does not belong here: drawing figures, or what a file format looks like.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from benchmarks.country import Country, Place, PlantedBody, county, places
from benchmarks.submissions import CENTS
from pipelines.regions import BODY_COLUMNS, load_region
from pipelines.sample.inbox import return_file
from pipelines.storage import inbox_path, write_atomic
from schemas.form import Form, edition_for, load_form

FORMATS = ("xlsx", "csv", "html", "docx")
NOTE_ZH = "示例数据，非真实报送：地区、名录和数字全部由程序虚构。"
NOTE_EN = "Synthetic data, not real returns: regions, rosters and figures are invented by a program."
FIRST_YEAR = 2019

_SETTINGS = """# 示例，虚构的地区。 A synthetic region; only the prefix of its code is a real province's.
code = "{code}"
name_zh = "{name_zh}"
name_en = "{name_en}"
city_zh = "{city_zh}"
province_zh = "{province_zh}"
level = "county"
office_body = "{office}"
rule_making_power = false
synthetic = true
synthetic_note_zh = "{note_zh}"
synthetic_note_en = "{note_en}"

[licence]
name = "CC0-1.0"
title = "CC0 1.0（示例数据自选 / the sample's own choice）"
path = "https://creativecommons.org/publicdomain/zero/1.0/"

[publisher]
name_zh = "{name_zh}政务公开办公室（示例）"
name_en = "Open Government Office of {name_en} (sample)"
email = "open-data@example.org"
"""


def region_files(place: Place, bodies: Sequence[PlantedBody]) -> dict[str, bytes]:
    """``region.toml`` and ``bodies.csv`` of a county."""
    settings = _SETTINGS.format(
        code=place.code,
        name_zh=place.name_zh,
        name_en=place.name_en,
        city_zh=place.city_zh,
        province_zh=place.province_zh,
        office=bodies[0].code,
        note_zh=NOTE_ZH,
        note_en=NOTE_EN,
    )
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(BODY_COLUMNS)
    for body in bodies:
        level = "county" if body.kind in ("office", "department") else "township"
        writer.writerow((body.code, body.name_zh, f"{body.name_en} (sample)", "", body.kind, level, FIRST_YEAR, ""))
    return {"region.toml": settings.encode(), "bodies.csv": out.getvalue().encode()}


def written(form: Form, body: PlantedBody) -> dict[str, Decimal]:
    """The figures as they are written; a figure left out is not there."""
    return {
        cell.id: Decimal(value) / CENTS if cell.kind == "money" else Decimal(value)
        for cell in form.cells
        if (value := body.values[cell.id]) is not None
    }


def write_county(regions: Path, data: Path, country: Country, place: Place, formats: Sequence[str] = FORMATS) -> int:
    """Write one county: its folder and its returns, body after body in the next of ``formats``. Answers the files.

    A return with a figure left out is always a workbook or a csv, where a blank can stand.
    """
    form = load_form(edition_for(country.year))
    bodies = county(country, place)
    for name, content in region_files(place, bodies).items():
        write_atomic(regions / place.code / name, content)
    region = load_region(regions, place.code)
    inbox = inbox_path(data, place.code, country.year)
    for number, body in enumerate(bodies):
        kind = formats[(place.number + number) % len(formats)]
        values = written(form, body)
        if len(values) < len(form.cells) and kind in ("docx", "html"):
            kind = "csv"
        known = region.body(body.code)
        assert known is not None
        content = return_file(form, region, known, country.year, kind, values, {})
        write_atomic(inbox / body.code / f"年报.{kind}", content)
    return len(bodies)


def write_folders(regions: Path, data: Path, country: Country, formats: Sequence[str] = FORMATS) -> int:
    """Write every county of a country, one after another. Answers how many returns were written."""
    return sum(write_county(regions, data, country, place, formats) for place in places(country))
