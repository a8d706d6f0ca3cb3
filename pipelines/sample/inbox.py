"""The synthetic county's returns as files, delivered the way they arrive in life.

Belongs here: who hands in which format under which name, and writing the inbox. Does not belong here: figures
(county.py) or file formats (documents.py, pipelines/publish/workbook.py). The same seed gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path, PurePosixPath

from upath import UPath

from pipelines.publish.workbook import fill_in_workbook
from pipelines.sample import county
from pipelines.sample.documents import docx, page, tidy
from pipelines.sample.report import compose
from pipelines.storage import Place, inbox_path, place, write_atomic
from schemas.form import Form, edition_for, load_form
from schemas.region import Body, Region

# The formats of those who do not use the workbook, spread over the roster; all others, always the office, do.
OTHER_FORMATS = ("docx", "html", "csv", "docx", "html", "docx", "csv", "docx", "html")
OTHERS = 18  # of 66: 8 documents, 6 pages, 4 csv files
FLAT_EVERY = (
    5  # every fifth file, from the third on, lies in the inbox itself, the others in a folder named by the body's code
)
ENCODINGS = ("utf-8", "gb18030")  # older portals still serve the latter
SHORT_NOTE_END = "："


def formats(bodies: Sequence[Body], office: str) -> dict[str, str]:
    """The format of each body's return: xlsx, docx, html or csv."""
    others = [body.code for body in bodies if body.code != office]
    chosen = {body.code: "xlsx" for body in bodies}
    count = min(OTHERS, len(others))
    for number in range(count):
        chosen[others[(2 * number + 1) * len(others) // (2 * count)]] = OTHER_FORMATS[number % len(OTHER_FORMATS)]
    return chosen


def return_file(
    form: Form,
    region: Region,
    body: Body,
    year: int,
    kind: str,
    values: dict[str, Decimal],
    indicators: dict[str, Decimal | str],
    previous: dict[str, Decimal] | None = None,
    *,
    encoding: str = ENCODINGS[0],
) -> bytes:
    """One return as the bytes of an xlsx, docx, html or csv file. Raises ValueError for another kind."""
    if kind == "xlsx":
        return fill_in_workbook(form, region, body, year, values, indicators, previous)
    if kind == "csv":
        note = region.settings.synthetic_note_zh.split(SHORT_NOTE_END)[0]
        return tidy(region.settings.code, year, body.code, values, indicators, note)
    if kind not in ("docx", "html"):
        raise ValueError(f"no sample format {kind!r}; there are xlsx, docx, html and csv")
    report = compose(form, region, body, year, values, indicators)
    return docx(report) if kind == "docx" else page(report, encoding)


def make_returns(
    region: Region, year: int, seed: int = county.SEED, *, regions: Path = county.REGIONS
) -> dict[str, bytes]:
    """Every return of a year as file name below the inbox (``D02/NAME`` or flat) -> bytes, in roster order."""
    form = load_form(edition_for(year))
    values = county.make_county(region, year, seed, regions=regions)
    indicators = county.make_indicators(region, year, seed, regions=regions)
    try:
        previous = county.make_county(region, year - 1, seed, regions=regions)
    except county.SampleError:
        previous = {}  # the first year of the sample
    bodies = region.roster(year)
    kinds = formats(bodies, region.settings.office_body)
    files: dict[str, bytes] = {}
    pages = 0
    for position, body in enumerate(bodies):
        kind = kinds[body.code]
        encoding = ENCODINGS[pages % len(ENCODINGS)]
        pages += kind == "html"
        name = f"{body.name_zh}{year}年政府信息公开工作年度报告.{kind}"
        path = PurePosixPath(name) if position % FLAT_EVERY == 2 else PurePosixPath(body.code, name)
        files[str(path)] = return_file(
            form,
            region,
            body,
            year,
            kind,
            values[body.code],
            indicators[body.code],
            previous.get(body.code),
            encoding=encoding,
        )
    return files


def write_returns(
    region: Region, year: int, inbox: Place, seed: int = county.SEED, *, regions: Path = county.REGIONS
) -> list[UPath]:
    """Write every return of a year below ``inbox`` and answer the paths in roster order."""
    written: list[UPath] = []
    for name, data in make_returns(region, year, seed, regions=regions).items():
        path = place(inbox) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
        written.append(path)
    return written


def write_sample(
    data: Place,
    region: Region,
    years: Sequence[int] = (2022, 2023),
    if_absent: bool = False,
    *,
    seed: int = county.SEED,
    regions: Path = county.REGIONS,
) -> list[UPath]:
    """Write the sample to ``data``/inbox/<region>/<year>/ for each year.

    ``if_absent``: a year whose inbox already holds a file is left as it is. Answers the paths written. Raises
    SampleError for a year that the published figures do not cover.
    """
    written: list[UPath] = []
    for year in years:
        inbox = inbox_path(data, region.settings.code, year)
        if if_absent and inbox.exists() and any(path.is_file() for path in inbox.rglob("*")):
            continue
        written += write_returns(region, year, inbox, seed, regions=regions)
    return written
