"""The returns of one region with thousands of bodies as intake hands them on, no file being parsed. All invented.

Belongs here: roster, read files, inventory and last year's figures of a region of any size, deterministic by seed.
Does not belong here: measuring (scale.py), how figures are drawn (country.py) or spoilt (country_slips.py).

Half of the returns are our own workbooks, the others documents in which a 0 is a slash; every tenth body hands in
twice; five in a hundred have a slip. Texts say some of the figures again, as reports do.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import polars as pl

from benchmarks.country import Country, PlantedBody, county, places
from benchmarks.country_regions import region_files
from benchmarks.submissions import CENTS
from pipelines.regions import load_region
from pipelines.storage import sha256, write_atomic
from pipelines.validate.bulk import SubmissionRow, wide_frame
from schemas.form import Cell, Form, edition_for, load_form
from schemas.frames import tidy_types
from schemas.intake import Claim, ReadCell, ReadFile
from schemas.region import Region
from schemas.rules import LAST_YEAR, RuleSet, load_rules

TWICE = 10  # every so manieth body hands in twice
CLAIMS = 3  # figures that the text of a document says again


class Returns(msgspec.Struct, frozen=True, kw_only=True):
    """What the stages after the intake start from."""

    region: Region
    year: int
    form: Form
    rules: RuleSet
    reads: list[ReadFile]
    received: pl.DataFrame
    previous: pl.DataFrame


def _figure(cell: Cell, value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value) / CENTS if cell.kind == "money" else Decimal(value)


def _cells(form: Form, body: PlantedBody, *, own: bool) -> tuple[ReadCell, ...]:
    """The cells as they stand: in a document that is no workbook of ours a part that is 0 is a slash."""
    summed = {cell.table for cell in form.cells if cell.total}
    cells = []
    for row, cell in enumerate(form.cells, 5):
        value = _figure(cell, body.values[cell.id])
        at = f"统计表!C{row}" if own else f"表格1 第{row}行第3列"
        if value is None or (not own and not value and cell.table in summed and not cell.total):
            state, raw = ("blank", None) if value is None else ("slash", "/")
            cells.append(ReadCell(cell=cell.id, value=None, raw=raw, state=state, at=at))  # type: ignore[arg-type]
        else:
            cells.append(ReadCell(cell=cell.id, value=value, raw=str(value), state="given", at=at))
    return tuple(cells)


def _read(form: Form, year: int, number: int, body: PlantedBody, file: str) -> ReadFile:
    own = number % 2 == 0
    said = [cell for cell in form.cells if cell.total and body.values[cell.id]][:CLAIMS]
    claims = [
        Claim(cell=cell.id, value=value, text=f"全年{cell.label_zh}{value}{cell.unit}。", at="第3段")
        for cell in said
        if (value := _figure(cell, body.values[cell.id])) is not None
    ]
    return ReadFile(
        file=file,
        sha256=sha256(file.encode()),
        format="xlsx" if own else "docx",
        own_workbook=own,
        form={table.id: form.edition for table in form.tables},
        body_code=body.code if own else "",
        body_name="" if own else f"{body.name_zh.removesuffix('（示例）')}{year}年政府信息公开工作年度报告",
        year=year,
        cells=_cells(form, body, own=own),
        claims=() if own else tuple(claims),
    )


def _last_year(form: Form, rules: RuleSet, region: Region, year: int, bodies: tuple[PlantedBody, ...]) -> pl.DataFrame:
    """Last year's accepted submissions: this year's figures again, those carried over from it as this year says."""
    kinds = {cell.id: cell for cell in form.cells}
    rows = []
    for body in bodies:
        stated = {name: body.values.get(name + LAST_YEAR, body.values[name]) for name in kinds}
        figures = {
            name: figure for name, value in stated.items() if (figure := _figure(kinds[name], value)) is not None
        }
        rows.append(
            SubmissionRow(
                region=region.settings.code,
                year=year - 1,
                body=body.code,
                file=f"{body.code}.xlsx",
                file_sha256=sha256(body.code.encode()),
                values=figures,
                previous={},
                attributes=frozenset(),
            )
        )
    return wide_frame(form, rules, rows)


def make_returns(folder: Path, bodies: int, wrong: float = 0.05) -> Returns:
    """The returns of a region of ``bodies``; its folder is written below ``folder``/regions."""
    country = Country(counties=1, bodies=bodies, wrong=wrong)
    form, rules = load_form(edition_for(country.year)), load_rules(edition_for(country.year))
    place = places(country)[0]
    planted = county(country, place)
    for name, content in region_files(place, planted).items():
        write_atomic(folder / "regions" / place.code / name, content)
    region = load_region(folder / "regions", place.code)
    reads: list[ReadFile] = []
    rows: list[dict[str, object]] = []
    for number, body in enumerate(planted):
        for version in range(2 if number % TWICE == 3 else 1):
            folded = number % 3 == 0
            name = f"年报{version + 1}-{body.code}.{'xlsx' if number % 2 == 0 else 'docx'}"
            file = f"{body.code}/{name}" if folded else name
            read = _read(form, country.year, number, body, file)
            if version == 0 and number % TWICE == 3:
                first = next(cell for cell in read.cells if cell.value)
                changed = msgspec.structs.replace(first, value=(first.value or Decimal(0)) + 1, raw="1")
                cells = tuple(changed if cell is first else cell for cell in read.cells)
                read = msgspec.structs.replace(read, cells=cells)
            reads.append(read)
            rows.append(
                {
                    "region": place.code,
                    "year": country.year,
                    "file": file,
                    "folder_body": body.code if folded else None,
                    "sequence": 1 + version,
                    "bytes": 20_000,
                    "file_sha256": read.sha256,
                    "special": None,
                }
            )
    order = sorted(range(len(rows)), key=lambda at: str(rows[at]["file"]))
    return Returns(
        region=region,
        year=country.year,
        form=form,
        rules=rules,
        reads=[reads[at] for at in order],
        received=pl.DataFrame([rows[at] for at in order], schema=tidy_types("received_files"), orient="row"),
        previous=_last_year(form, rules, region, country.year, planted),
    )
