"""The pages of the site as bytes: one template engine, every text escaped and made visible, one content policy.

Belongs here: the engine and which template gets which records. Does not belong here: the records (views.py, record.py,
charts_view.py), where files go (site.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipelines.publish.package import SIGNATURE
from pipelines.publish.page_text import visible
from pipelines.publish.portal import views
from pipelines.publish.portal.charts_view import (
    body_charts,
    flow_chart,
    parts_chart,
    shares_chart,
    shown,
    tones_of,
    trace_link,
    year_charts,
)
from pipelines.publish.portal.record import citations, offered_beside, record, schema_org, snippets
from pipelines.publish.portal.releases import Dataset
from pipelines.storage import sha256
from schemas.charts import charts_of, load_charts

HERE = Path(__file__).parent
# Nothing is fetched from elsewhere, no inline script or style runs. The server sends the same as a header.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
TABS = (
    ("index", "概览", "Overview"),
    ("figures", "统计表", "Figures"),
    ("data", "数据预览", "Explore"),
    ("download", "下载与核验", "Download and verify"),
    ("dictionary", "数据字典", "Dictionary"),
    ("quality", "数据质量", "Quality"),
    ("use", "引用与使用", "Cite and use"),
)


def _finalize(value: object) -> object:
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": True}
    environment.globals |= {"policy": Markup(POLICY), "tabs": TABS, "units": load_charts().units}  # noqa: S704  our own constant
    environment.filters["shown"] = shown
    return environment


def render(template: str, **context: Any) -> bytes:  # noqa: ANN401 - whatever the template names
    """A page from a template of this folder."""
    return _environment().get_template(template).render(context).encode("utf-8")


def summary(dataset: Dataset) -> dict[str, Any]:
    """What the catalogue and the region's page say of a dataset."""
    descriptor = dataset.descriptor
    totals = dataset.totals()
    return {
        "key": dataset.key,
        "region": descriptor["x-region"],
        "year": dataset.year,
        "title": descriptor["title"],
        "title_en": descriptor["title_en"],
        "id": dataset.current.id,
        "synthetic": dataset.synthetic,
        "publisher": (descriptor.get("contributors") or [{}])[0].get("title", ""),
        "coverage": descriptor["x-coverage"],
        "keywords": descriptor["keywords"],
        "headline": [
            {
                "zh": named.label_zh,
                "en": named.label_en,
                "value": shown(totals.get(named.cell)),
                "unit": dataset.form.by_id[named.cell].unit,
                "link": trace_link(named.cell),
            }
            for named in charts_of(dataset.form.edition).headline
        ],
    }


def dataset_pages(dataset: Dataset, derived: Mapping[str, bytes]) -> dict[str, bytes]:
    """The pages of a dataset by name. ``derived``: the portal's own downloads."""
    charts = charts_of(dataset.form.edition)
    totals, tones = dataset.totals(), tones_of(charts)
    files = views.downloads(dataset, derived, offered_beside(dataset))
    release = f"releases/{dataset.current.id}/"
    note = dataset.descriptor.get("x-synthetic-note") or {}
    shared: dict[str, Any] = {
        "root": "../../",
        "dataset": summary(dataset),
        "synthetic": dataset.synthetic,
        "note_zh": note.get("zh", ""),
        "note_en": note.get("en", ""),
        "release": release,
        "inline": Markup(schema_org(dataset)),  # noqa: S704  JSON in which < > & are written as escapes
    }
    # What the script of the explorer and of the trace needs: the tables, their fields, and words for codes.
    tables = [
        {
            "id": item["id"],
            "title_zh": item["title_zh"],
            "title_en": item["title_en"],
            "file": f"{release}data/{item['id']}.parquet",
            "bytes": dataset.facts(f"data/{item['id']}.parquet")[0],
            "fields": [{key: field[key] for key in ("name", "title_zh", "title_en")} for field in item["fields"]],
        }
        for item in views.items()
    ]
    words = {
        "bodies": {row["body"]: row["name_zh"] for row in dataset.rows("bodies")},
        "cells": {cell.id: [cell.label_zh, cell.label_en, cell.unit] for cell in dataset.form.cells},
        "units": load_charts().units,
        "states": {state: list(words) for state, words in views.STATES.items()},
    }
    hashes = [{"href": one.href, "sha256": one.sha256, "bytes": one.bytes} for one in files.all]
    hashes += [
        {"href": f"releases/{version.id}/{name}", "sha256": digest, "bytes": size}
        for version in dataset.older
        for name, (size, digest) in _sums(version.files).items()
    ]
    pages = {
        "index.html": render(
            "overview.html",
            **shared,
            tab="index",
            flow=flow_chart(charts.flow, totals, tones) if charts.flow else None,
            parts=[parts_chart(one, totals, tones) for one in charts.parts],
            shares=[shares_chart(one, totals) for one in charts.shares],
            bodies=body_charts(dataset, charts),
            indicators=views.indicators(dataset),
            record=record(dataset),
            items=views.items(),
            bundles=files.bundles,
            reports=files.reports,
            changes=views.changes(dataset),
        ),
        "figures.html": render("figures.html", **shared, tab="figures", drawn=views.figures(dataset)),
        "data.html": render("data.html", **shared, tab="data", config={"tables": tables, "words": words}),
        "trace.html": render(
            "trace.html",
            **shared,
            tab="figures",
            choices=views.cell_choices(dataset),
            config={"tables": tables, "words": words},
        ),
        "download.html": render(
            "download.html",
            **shared,
            tab="download",
            files=files,
            older=dataset.older,
            signed=SIGNATURE in dataset.current.files,
            config={"hashes": hashes},
        ),
        "dictionary.html": render(
            "dictionary.html", **shared, tab="dictionary", items=views.items(), cells=dataset.form.cells
        ),
        **quality_pages(dataset, shared),
        "use.html": render("use.html", **shared, tab="use", citations=citations(dataset), snippets=snippets(dataset)),
    }
    return dict(sorted(pages.items()))


def quality_pages(dataset: Dataset, shared: Mapping[str, Any]) -> dict[str, bytes]:
    """The page of quality, and the pages of a roster that is too long for it, by name."""
    rows = views.roster(dataset)
    pages = views.roster_pages(rows)
    absent = [row for row in rows if row["status"] != "accepted"]
    made = {
        "quality.html": render(
            "quality.html",
            **shared,
            tab="quality",
            quality=views.quality(dataset),
            roster=absent[: views.ROSTER_SHOWN] if pages else rows,
            absent=len(absent),
            pages=pages,
        )
    }
    names = list(pages)
    for number, (name, part) in enumerate(pages.items(), 1):
        before = names[number - 2] if number > 1 else ""
        after = names[number] if number < len(names) else ""
        around = {"before": before, "after": after, "number": number, "count": len(names)}
        made[name] = render("bodies.html", **shared, tab="quality", rows=part, **around)
    return made


def _sums(files: Mapping[str, bytes]) -> dict[str, tuple[int, str]]:
    return {name: (len(data), sha256(data)) for name, data in files.items()}


def region_page(datasets: Sequence[Dataset]) -> bytes:
    """The page of a region: its years, and the years compared. ``datasets``: oldest first, at least one."""
    newest = datasets[-1]
    series = [(dataset.year, dataset.form, dataset.totals()) for dataset in datasets]
    return render(
        "region.html",
        root="../",
        region=newest.descriptor["x-region"],
        datasets=[summary(dataset) for dataset in reversed(datasets)],
        charts=year_charts(series),
        synthetic=any(dataset.synthetic for dataset in datasets),
        note_zh=(newest.descriptor.get("x-synthetic-note") or {}).get("zh", ""),
        note_en=(newest.descriptor.get("x-synthetic-note") or {}).get("en", ""),
    )


def catalogue_page(
    summaries: Sequence[Mapping[str, Any]], rolled: Sequence[int] = (), gone: Sequence[tuple[str, str, str]] = ()
) -> bytes:
    """The catalogue of regions and years. ``rolled``: the years that have a roll-up. ``gone``: (page, title, English
    title) of what was withdrawn altogether.
    """
    return render(
        "catalogue.html",
        root="",
        datasets=sorted(summaries, key=lambda one: (one["region"]["code"], -one["year"])),
        regions=list({one["region"]["code"]: one["region"] for one in summaries}.values()),
        years=sorted({one["year"] for one in summaries}, reverse=True),
        rolled=sorted(rolled, reverse=True),
        gone=gone,
        synthetic=False,
    )


def missing_page() -> bytes:
    """What a server shows for an address that is not there."""
    return render("404.html", root="/", synthetic=False)
