"""Catalogue records that portals harvest, each derived from the release's Data Package descriptor; all offline.

Belongs here: the one call that makes them all. Does not belong here: any one format (modules beside this one).
"""

from __future__ import annotations

import datetime

from pipelines.publish.catalogue.chinese import Element, catalogue_elements, chinese_record
from pipelines.publish.catalogue.facts import CatalogueError, Descriptor, Facts, read_facts, release_address
from pipelines.publish.catalogue.schema_org import croissant, inline, schema_org
from pipelines.publish.package import json_bytes
from schemas.region import Region

__all__ = [
    "CatalogueError", "Element", "Facts", "catalogue_elements", "catalogue_records", "inline_schema_org", "read_facts",
    "release_address",
]  # fmt: skip


def catalogue_records(
    descriptor: Descriptor,
    region: Region,
    base_url: str = "",
    *,
    documents: tuple[str, ...] = (),
    issued: datetime.date | None = None,
    release: str = "",
) -> dict[str, bytes]:
    """The records of a release by file name, to lie beside its ``datapackage.json``.

    ``dcat.jsonld`` and ``dcat.ttl`` (DCAT-AP 3), ``schema-org.jsonld``, ``croissant.json`` (Croissant 1.0) and
    ``catalogue.json`` (GB/T 21063.3, DB51/T 2847). Parameters and errors as of ``read_facts``. Pure: the same input
    gives the same bytes.
    """
    from pipelines.publish.catalogue.dcat import dcat_graph, json_ld, turtle  # brings rdflib, which only this needs

    facts = read_facts(descriptor, region, base_url, documents=documents, issued=issued, release=release)
    graph = dcat_graph(facts)
    return {
        "catalogue.json": json_bytes(chinese_record(facts)),
        "croissant.json": json_bytes(croissant(facts)),
        "dcat.jsonld": json_ld(graph),
        "dcat.ttl": turtle(graph),
        "schema-org.jsonld": json_bytes(schema_org(facts)),
    }


def inline_schema_org(
    descriptor: Descriptor, region: Region, base_url: str = "", *, issued: datetime.date | None = None
) -> str:
    """schema.org JSON-LD that is safe inside a page's script element; no HTML escaping must follow."""
    return inline(schema_org(read_facts(descriptor, region, base_url, issued=issued)))
