"""The pages of a roll-up: country, provinces and cities, with totals, coverage, what lies below, and downloads.

Belongs here: reading the roll-up's release that counts, and what its pages say. Does not belong here: HTML
(templates/rollup.html, rollups.html), the pages of a region's own data (views.py), where files go (site.py).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa

from pipelines.layout import draw_form
from pipelines.publish.history import read_latest
from pipelines.publish.package import README, SIGNATURE, SUMS
from pipelines.publish.portal.bars import bar_svg
from pipelines.publish.portal.charts_view import Chart, Line, shown
from pipelines.publish.portal.pages import render
from pipelines.publish.portal.releases import Row, SiteError, Version, dated_folders, read_version
from pipelines.publish.portal.views import SEVERITY_WORDS, Download
from pipelines.publish.tables import read_parquet
from pipelines.storage import ROLLUP, Place, releases_path, sha256
from schemas.charts import charts_of
from schemas.descriptor import DESCRIPTOR, FORMATS
from schemas.findings import SEVERITIES
from schemas.form import Form, load_form
from schemas.rollup import COUNTRY, counts_in, prefix, province_of
from schemas.rollup_descriptor import part_path, part_tables, parts_of
from schemas.tables import load_tables

FINDINGS_SHOWN = 100
OUTCOMES = {
    "counted": ("已计入", "Counted"),
    "within": ("已含于上级汇总", "Within a total above"),
    "missing": ("未发布", "Not released"),
    "other_edition": ("表式版本不同，未计入", "Another edition, left out"),
    "damaged": ("版本损坏，未计入", "Damaged, left out"),
}


class RollUp(msgspec.Struct, frozen=True, kw_only=True):
    """A roll-up's release that counts. ``tables``: rows by table and part."""

    year: int
    current: Version
    descriptor: Mapping[str, Any]
    parts: tuple[str, ...]
    tables: Mapping[tuple[str, str], Sequence[Row]]
    form: Form

    def rows(self, table: str) -> list[Row]:
        """A table over all parts."""
        return [row for part in self.parts for row in self.tables.get((table, part), ())]

    @property
    def synthetic(self) -> bool:
        """Whether regions among those added are samples."""
        return self.descriptor.get("x-synthetic") is True


def rollup_years(out: Place) -> tuple[int, ...]:
    """The years whose roll-up has a release that counts, in order."""
    return tuple(year for _, year in dated_folders(out, ROLLUP) if read_latest(out, ROLLUP, year) is not None)


def read_rollup(out: Place, year: int) -> RollUp:
    """The roll-up of a year, every file compared with its sum. Raises SiteError for a damaged one, HistoryError."""
    latest = read_latest(out, ROLLUP, year)
    folder = releases_path(out, ROLLUP, year) / (latest.id if latest else "")
    version = read_version(folder)
    try:
        descriptor = json.loads(version.files[DESCRIPTOR])
        parts = parts_of(descriptor)
        tables: dict[tuple[str, str], Sequence[Row]] = {
            (table, part): read_parquet(version.files[part_path(table, part, "parquet")]).to_pylist()
            for part in parts
            for table in part_tables(part)
        }
        form = load_form(descriptor["x-form-edition"])
    except (KeyError, ValueError, OSError, pa.ArrowException):
        raise SiteError(
            f"汇总版本“{folder.name}”读不出来，门户没有更新。请用 gongkai verify 检查。"
            f" Roll-up {folder.name} cannot be read; the portal was not updated. Check it with gongkai verify."
        ) from None
    return RollUp(year=year, current=version, descriptor=descriptor, parts=parts, tables=tables, form=form)


def rollup_summary(rollup: RollUp) -> dict[str, Any]:
    """What the list of years says of a roll-up."""
    [country] = [row for row in rollup.rows("rollup_places") if row["place"] == COUNTRY]
    return {
        "year": rollup.year,
        "id": rollup.current.id,
        "synthetic": rollup.synthetic,
        "note": rollup.descriptor.get("x-synthetic-note") or {},
        "adds": country["regions_known"] - country["regions_within"],
        "counted": country["regions_counted"],
        "headline": _headline(rollup, COUNTRY),
    }


def _values(rollup: RollUp, at: str) -> dict[str, Row]:
    part = COUNTRY if at == COUNTRY else province_of(at)
    return {row["cell"]: row for row in rollup.tables["rollup_totals", part] if row["place"] == at}


def _headline(rollup: RollUp, at: str) -> list[dict[str, Any]]:
    totals = _values(rollup, at)
    return [
        {
            "zh": named.label_zh,
            "en": named.label_en,
            "value": shown(totals[named.cell]["value"]),
            "unit": rollup.form.by_id[named.cell].unit,
            "regions": totals[named.cell]["regions"],
        }
        for named in charts_of(rollup.form.edition).headline
    ]


def _english(row: Row) -> str:
    """A place's English name; one that no region declares is called by its level and code."""
    return row["name_en"] or f"{row['level'].capitalize()} {row['place']}"


def _folder(at: str) -> str:
    return "" if at == COUNTRY else f"{at}/"


def _up(at: str) -> str:
    """From a place's page to the folder of the year."""
    return "" if at == COUNTRY else "../"


class _Lower(msgspec.Struct, frozen=True, kw_only=True):
    """A place or region right below a place, with its figures."""

    code: str
    name_zh: str
    name_en: str
    link: str
    outcome: tuple[str, str]
    counted: bool
    coverage: str
    values: Mapping[str, Decimal | None]


def _lower(rollup: RollUp, at: str, datasets: Collection[str]) -> list[_Lower]:
    """What a place is made of: the places right below it, then its own regions that belong to none of them."""
    places = [row for row in rollup.rows("rollup_places") if row["parent"] == at]
    found = []
    for row in places:
        totals = _values(rollup, row["place"])
        adds = row["regions_known"] - row["regions_within"]
        found.append(
            _Lower(
                code=row["place"],
                name_zh=row["name_zh"],
                name_en=_english(row),
                link=f"{_up(at)}{row['place']}/index.html",
                outcome=("", ""),
                counted=row["regions_counted"] > 0,
                coverage=f"{row['regions_counted']}/{adds}",
                values={cell: total["value"] for cell, total in totals.items()},
            )
        )
    if at == COUNTRY:
        return found
    figures: dict[str, dict[str, Decimal | None]] = {}
    for row in rollup.tables["region_totals", province_of(at)]:
        figures.setdefault(row["region"], {})[row["cell"]] = row["value"]
    below = {row["place"] for row in places}
    for row in rollup.tables["rollup_regions", province_of(at)]:
        code = row["region"]
        if not code.startswith(at) or any(code.startswith(place) for place in below):
            continue
        usable = row["outcome"] in ("counted", "within")
        counted = usable and counts_in(at, code, row["within"])
        key = f"{code}/{rollup.year}"
        found.append(
            _Lower(
                code=code,
                name_zh=row["name_zh"],
                name_en=row["name_en"],
                link=f"../../{_up(at)}{key}/index.html" if key in datasets else "",
                outcome=OUTCOMES["counted" if counted else "within" if usable else row["outcome"]],
                counted=counted,
                coverage=f"{row['bodies_accepted']}/{row['bodies_expected']}" if usable else "—",
                values=figures.get(code, {}),
            )
        )
    return found


def _charts(rollup: RollUp, lower: Sequence[_Lower]) -> list[Chart]:
    """The declared figures compared between what lies below."""
    charts = []
    for named in charts_of(rollup.form.edition).compare:
        valued = [(one, one.values.get(named.cell)) for one in lower]
        longest = max((value for _, value in valued if value is not None), default=Decimal(0))
        ordered = sorted(valued, key=lambda pair: (-(pair[1] if pair[1] is not None else Decimal(-1)), pair[0].code))
        lines = tuple(
            Line(
                label_zh=one.name_zh,
                label_en=one.name_en,
                value=shown(value),
                bar=bar_svg(value or Decimal(0), longest, "tone-in" if one.counted else "tone-5"),
                link=one.link,
                note_zh="" if one.counted else one.outcome[0],
                note_en="" if one.counted else one.outcome[1],
            )
            for one, value in ordered
        )
        unit = rollup.form.by_id[named.cell].unit
        identifier = named.cell.replace(".", "-")
        charts.append(Chart(id=identifier, title_zh=named.label_zh, title_en=named.label_en, unit=unit, lines=lines))
    return charts


def _drawn(rollup: RollUp, at: str) -> list[dict[str, Any]]:
    """The totals in the printed layout of the form, each with how many regions and bodies stand behind it."""
    totals = _values(rollup, at)
    drawn = []
    for drawing in draw_form(rollup.form):
        lines: list[list[dict[str, Any]]] = [[] for _ in range(drawing.rows)]
        for box in drawing.boxes:
            row, cell = totals.get(box.cell), rollup.form.by_id.get(box.cell)
            lines[box.row].append(
                {
                    "box": box,
                    "value": shown(row["value"]) if row else "—",
                    "regions": row["regions"] if row else 0,
                    "bodies": row["bodies"] if row else 0,
                    "silent": (row["not_stated"] or "").replace(";", "、") if row else "",
                    "total": bool(cell and cell.total),
                }
            )
        drawn.append({"drawing": drawing, "lines": lines})
    return drawn


def _downloads(rollup: RollUp, at: str) -> list[dict[str, Any]]:
    """The files that hold a place's figures, and those of the whole release."""
    base = f"{_up(at)}releases/{rollup.current.id}/"
    part = COUNTRY if at == COUNTRY else province_of(at)

    def one(path: str, fmt: str) -> Download:
        data = rollup.current.files[path]
        return Download(href=base + path, name=path, format=fmt, bytes=len(data), sha256=sha256(data))

    tables = [
        {
            "id": name,
            "title_zh": load_tables()[name].title_zh,
            "title_en": load_tables()[name].title_en,
            "files": [one(part_path(name, part, fmt), fmt.upper() if fmt == "csv" else "Parquet") for fmt in FORMATS],
        }
        for name in ("rollup_totals", *(name for name in part_tables(part) if name != "rollup_totals"))
    ]
    whole = [name for name in (DESCRIPTOR, README, SUMS, SIGNATURE) if name in rollup.current.files]
    others = {"id": "", "title_zh": "整个版本", "title_en": "The whole release"}
    return [*tables, others | {"files": [one(name, name) for name in whole]}]


def _crumbs(rollup: RollUp, at: str) -> list[tuple[str, str, str]]:
    """The places above, from the country down: address, Chinese and English name."""
    places = {row["place"]: row for row in rollup.rows("rollup_places")}
    chain = []
    above = places[at]["parent"]
    while above:
        row = places[above]
        chain.append((f"../{_folder(above)}index.html", row["name_zh"], _english(row)))
        above = row["parent"]
    return chain[::-1]


def _findings(rollup: RollUp, at: str) -> list[dict[str, Any]]:
    """What was found in a place and below it, the gravest first; the country shows its own and the warnings of all."""
    here = [
        row
        for row in rollup.rows("rollup_findings")
        if row["place"] == at
        or (row["region"] or "").startswith(prefix(at) or "-")
        or (row["place"] != COUNTRY and row["place"].startswith(prefix(at)) and row["severity"] != "information")
    ]
    ordered = sorted(here, key=lambda row: SEVERITIES.index(row["severity"]))
    return [row | {"words": SEVERITY_WORDS[row["severity"]]} for row in ordered]


def rollup_pages(rollup: RollUp, datasets: Collection[str]) -> dict[str, bytes]:
    """The pages of a roll-up by their path below ``rollup/<year>/``.

    ``datasets``: the keys (``<region>/<year>``) of the datasets that the site has, to which regions link.
    """
    note = rollup.descriptor.get("x-synthetic-note") or {}
    compared = [named.cell for named in charts_of(rollup.form.edition).compare]
    pages = {}
    for row in rollup.rows("rollup_places"):
        at = row["place"]
        lower = _lower(rollup, at, datasets)
        found = _findings(rollup, at)
        missing = {code: None for code in (row["missing"] or "").split(";") if code}
        names = {r["region"]: (r["name_zh"], r["name_en"], r["outcome"]) for r in rollup.rows("rollup_regions")}
        pages[f"{_folder(at)}index.html"] = render(
            "rollup.html",
            root=f"../../{_up(at)}",
            year=rollup.year,
            release=rollup.current.id,
            place=row,
            name_en=_english(row),
            country=at == COUNTRY,
            adds=row["regions_known"] - row["regions_within"],
            missing=[(code, *names[code][:2], *OUTCOMES[names[code][2]]) for code in missing],
            headline=_headline(rollup, at),
            lower=lower,
            charts=_charts(rollup, lower),
            values={one.code: [shown(one.values.get(cell)) for cell in compared] for one in lower},
            drawn=_drawn(rollup, at),
            findings=found[:FINDINGS_SHOWN],
            more=max(0, len(found) - FINDINGS_SHOWN),
            downloads=_downloads(rollup, at),
            crumbs=_crumbs(rollup, at),
            edition=rollup.form.edition,
            synthetic=rollup.synthetic,
            note_zh=note.get("zh", ""),
            note_en=note.get("en", ""),
        )
    return pages


def rollup_files(rollup: RollUp, datasets: Collection[str]) -> dict[str, bytes]:
    """Everything below ``rollup/<year>/`` of the site: the pages and the release that counts."""
    files = rollup_pages(rollup, datasets)
    files |= {f"releases/{rollup.current.id}/{name}": data for name, data in rollup.current.files.items()}
    return {f"{ROLLUP}/{rollup.year}/{name}": data for name, data in sorted(files.items())}


def rollups_page(summaries: Sequence[Mapping[str, Any]], gone: Sequence[int] = ()) -> bytes:
    """The list of years of the roll-up, newest first. ``gone``: years whose roll-up was withdrawn."""
    ordered = sorted(summaries, key=lambda one: -one["year"])
    note: Mapping[str, str] = next((one["note"] for one in ordered if one["synthetic"]), {})
    return render(
        "rollups.html",
        root="../",
        rollups=ordered,
        gone=sorted(gone, reverse=True),
        synthetic=any(one["synthetic"] for one in ordered),
        note_zh=note.get("zh", ""),
        note_en=note.get("en", ""),
    )
