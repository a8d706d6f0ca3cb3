"""The catalogue record of a dataset as Chinese public-data platforms show it, and how to cite and load the data.

Belongs here: the declared elements (GB/T 21063.3, DB51/T 2847) for a page, citations, code snippets. Does not belong
here: which elements there are (schemas/catalogue.toml), what they say of a release and records for machines
(pipelines/publish/catalogue).

No date is stated: a release's bytes and its pages do not depend on when they were made. Readers add their own.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from pipelines.publish.catalogue.chinese import catalogue_elements
from pipelines.publish.catalogue.facts import read_facts
from pipelines.publish.catalogue.schema_org import inline
from pipelines.publish.portal.releases import Dataset

SCHEMA_ORG = "schema-org.jsonld"


class Element(msgspec.Struct, frozen=True, kw_only=True):
    """One element of the record. ``link``: an address that the value leads to, "" for none."""

    name_zh: str
    name_en: str
    value: str
    value_en: str = ""
    link: str = ""


def _web(address: object) -> str:
    """An address that may be linked: http, https alone."""
    text = address if isinstance(address, str) else ""
    return text if text.startswith(("https://", "http://")) else ""


def record(dataset: Dataset) -> list[Element]:
    """The declared elements of ``schemas/catalogue.toml`` that the release states, then what the portal adds."""
    rows = sum(table.num_rows for table in dataset.tables.values())
    tables = len(dataset.tables)
    stated = [
        Element(name_zh=one.name_zh, name_en=one.name_en, value=one.value_zh, value_en=one.value_en, link=one.link)
        for one in catalogue_elements(read_facts(dataset.descriptor), complete=False)
    ]
    return [
        *stated,
        Element(name_zh="其他格式", name_en="Also as", value="XLSX、JSON、ZIP"),
        Element(
            name_zh="数据量",
            name_en="Volume",
            value=f"{tables} 张数据表，{rows:,} 行",
            value_en=f"{tables} tables, {rows:,} rows",
        ),
        Element(name_zh="数据结构版本", name_en="Schema version", value=dataset.descriptor["version"]),
        Element(name_zh="发布版本", name_en="Release", value=dataset.current.id),
    ]


def _schema_org(dataset: Dataset) -> dict[str, Any] | None:
    """The schema.org record beside the release; None where there is none or it is of another release."""
    try:
        document = json.loads(dataset.beside.get(f"catalogue/{SCHEMA_ORG}", b""))
        sums = {one["sha256"] for one in document["distribution"]}
    except (ValueError, KeyError, TypeError):
        return None
    resources = {resource["hash"].removeprefix("sha256:") for resource in dataset.descriptor["resources"]}
    return document if sums == resources else None


def schema_org(dataset: Dataset) -> str:
    """The schema.org record for use inside the dataset's page; "" where there is none of this release.

    Addresses relative to the release's folder become relative to the page.
    """
    document = _schema_org(dataset)
    if document is None:
        return ""
    base = f"releases/{dataset.current.id}/"
    for one in document["distribution"]:
        if not _web(one.get("contentUrl")):
            one["contentUrl"] = base + str(one.get("contentUrl", ""))
    return inline(document)


def offered_beside(dataset: Dataset) -> dict[str, bytes]:
    """What the site offers of the files beside the releases: the official report, and the catalogue records.

    Records are offered where they are of this release and give full web addresses; relative ones would lead nowhere
    from where they stand in the site.
    """
    document = _schema_org(dataset)
    addressed = document is not None and all(_web(one.get("contentUrl")) for one in document["distribution"])
    return {
        name: data
        for name, data in dataset.beside.items()
        if name.startswith("report/") or (addressed and name.startswith("catalogue/"))
    }


def citations(dataset: Dataset) -> list[tuple[str, str]]:
    """How to cite the release: (style, text). ``{URL}``: the page's own address, which the browser fills in."""
    facts, version = read_facts(dataset.descriptor), dataset.current.id
    who_zh = facts.publisher_zh
    who_en = facts.publisher_en or who_zh
    return [
        (
            "GB/T 7714—2015",
            f"{who_zh}. {facts.title_zh}[DS/OL]. 版本 {version}. [引用日期]. {{URL}}.",
        ),
        (
            "APA",
            f"{who_en}. ({dataset.year}). {facts.title_en} (Release {version}) [Data set]. {{URL}}",
        ),
        (
            "BibTeX",
            f"@misc{{{facts.identifier},\n  author = {{{{{who_en}}}}},\n  title = {{{{{facts.title_en}}}}},\n"
            f"  year = {{{dataset.year}}},\n  version = {{{version}}},\n  howpublished = {{\\url{{{{URL}}}}}}\n}}",
        ),
    ]


def snippets(dataset: Dataset) -> list[tuple[str, str, str]]:
    """How to load the totals and join their labels: (tool, language, code). ``{BASE}``: the release's address."""
    base = "{BASE}"
    return [
        (
            "pandas",
            "python",
            f'import pandas as pd\n\nbase = "{base}"\n'
            'totals = pd.read_parquet(base + "data/county_totals.parquet")\n'
            'cells = pd.read_parquet(base + "data/form_cells.parquet")\n'
            'df = totals.merge(cells[["cell", "label_zh", "label_en", "total"]], on="cell")',
        ),
        (
            "polars",
            "python",
            f'import polars as pl\n\nbase = "{base}"\n'
            'totals = pl.read_parquet(base + "data/county_totals.parquet")\n'
            'cells = pl.read_parquet(base + "data/form_cells.parquet")\n'
            'df = totals.join(cells.select("cell", "label_zh", "label_en", "total"), on="cell")',
        ),
        (
            "R",
            "r",
            f'library(arrow)\n\nbase <- "{base}"\n'
            'totals <- read_parquet(paste0(base, "data/county_totals.parquet"))\n'
            'cells <- read_parquet(paste0(base, "data/form_cells.parquet"))\n'
            'df <- merge(totals, cells[c("cell", "label_zh", "label_en", "total")], by = "cell")',
        ),
        (
            "DuckDB",
            "sql",
            "SELECT c.label_zh, t.value, t.unit, t.bodies\n"
            f"FROM '{base}data/county_totals.parquet' AS t\n"
            f"JOIN '{base}data/form_cells.parquet' AS c USING (cell)\nORDER BY t.value DESC;",
        ),
        (
            "Data Package",
            "python",
            f'from frictionless import Package\n\npackage = Package("{base}datapackage.json")\n'
            "print(package.resource_names)",
        ),
        ("gongkai", "shell", f"gongkai verify {base}"),
    ]
