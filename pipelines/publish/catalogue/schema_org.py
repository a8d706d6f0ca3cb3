"""The record for search engines (schema.org Dataset) and for machine learning (Croissant 1.0), both JSON-LD.

Belongs here: these two documents, which share schema.org's words. Does not belong here: DCAT (dcat.py).
"""

from __future__ import annotations

import json
from typing import Any

from pipelines.publish.catalogue.facts import Facts, File

CROISSANT = "http://mlcommons.org/croissant/1.0"
DESCRIPTION_LIMIT = 5000  # characters; search engines take 50 to 5000
# The context that Croissant 1.0 prescribes, word for word.
CROISSANT_CONTEXT: dict[str, Any] = {
    "@language": "zh",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
# Croissant names data types of schema.org; a decimal of ours fits no binary float exactly, readers that need the exact
# figure take it as text from the CSV.
CROISSANT_TYPES = {
    "string": "sc:Text",
    "integer": "sc:Integer",
    "year": "sc:Integer",
    "number": "sc:Float",
    "boolean": "sc:Boolean",
}
# Croissant fixes its own name for Parquet, which is older than the registered one.
CROISSANT_FORMATS = {"csv": "text/csv", "parquet": "application/x-parquet"}


def _description(facts: Facts) -> str:
    return f"{facts.description_zh}\n\n{facts.description_en}"[:DESCRIPTION_LIMIT]


def _common(facts: Facts) -> dict[str, Any]:
    """What both documents say in the same words."""
    publisher: dict[str, Any] = {"@type": "Organization", "name": facts.publisher_zh}
    if facts.publisher_en:
        publisher["alternateName"] = facts.publisher_en
    if facts.website:
        publisher["url"] = facts.website
    if facts.email:
        publisher["email"] = facts.email
    common: dict[str, Any] = {
        "name": facts.title_zh,
        "alternateName": facts.title_en,
        "description": _description(facts),
        "url": facts.base or "./",
        "license": facts.licence_url or facts.licence_title or facts.licence_name,
        "creator": publisher,
        "publisher": publisher,
        "keywords": list(facts.keywords),
        "inLanguage": ["zh-CN", "en"],
        "version": facts.version,
    }
    if facts.issued:
        common["datePublished"] = facts.issued.isoformat()
    return common


def schema_org(facts: Facts) -> dict[str, Any]:
    """The release as a schema.org Dataset."""
    release = {"@type": "PropertyValue", "propertyID": "release", "value": facts.release}
    return {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "@id": facts.node("dataset"),
        "identifier": [facts.identifier, release] if facts.release else facts.identifier,
        **_common(facts),
        "isAccessibleForFree": True,
        "temporalCoverage": f"{facts.year}-01-01/{facts.year}-12-31",
        "spatialCoverage": {
            "@type": "Place",
            "name": facts.place_zh,
            "identifier": {"@type": "PropertyValue", "propertyID": "GB/T 2260", "value": facts.code},
        },
        "isBasedOn": [{"@type": "CreativeWork", "name": source} for source in facts.sources],
        "variableMeasured": [file.title_zh for file in facts.csv],
        "distribution": [
            {
                "@type": "DataDownload",
                "name": f"{file.title_zh}（{file.format}）",
                "contentUrl": facts.address(file.path),
                "encodingFormat": file.mediatype,
                "contentSize": f"{file.bytes} B",
                "sha256": file.sha256,
            }
            for file in facts.files
        ],
    }


def inline(document: object) -> str:
    """JSON-LD that may stand inside a page's ``<script type="application/ld+json">``: nothing in it can end the tag."""
    text = json.dumps(document, ensure_ascii=False, indent=1)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _object(file: File) -> str:
    """The identifier of a file; a record set bears the bare name of its table."""
    return f"{file.table}.{file.format}"


def _record_set(facts: Facts, file: File) -> dict[str, Any]:
    references = {
        own: f"{key['reference']['resource'].removesuffix('_csv')}/{other}"
        for key in file.foreign_keys
        for own, other in zip(key["fields"], key["reference"]["fields"], strict=True)
    }
    fields = []
    for field in file.fields:
        described: dict[str, Any] = {
            "@type": "cr:Field",
            "@id": f"{file.table}/{field['name']}",
            "name": field["name"],
            "description": "；".join(t for t in (field["title"], field["title_en"], field.get("description", "")) if t),
            "dataType": CROISSANT_TYPES[field["type"]],
            "source": {"fileObject": {"@id": _object(file)}, "extract": {"column": field["name"]}},
        }
        if field["name"] in references:
            described["references"] = {"field": {"@id": references[field["name"]]}}
        fields.append(described)
    return {
        "@type": "cr:RecordSet",
        "@id": file.table,
        "name": file.table,
        "description": file.description,
        "key": [{"@id": f"{file.table}/{name}"} for name in file.primary_key],
        "field": fields,
    }


def croissant(facts: Facts) -> dict[str, Any]:
    """The release as a Croissant 1.0 data set: every file with its SHA-256, every table a record set."""
    release = f"，版本 {facts.release}" if facts.release else ""
    return {
        "@context": CROISSANT_CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CROISSANT,
        **_common(facts),
        "isLiveDataset": False,
        "citeAs": f"{facts.publisher_zh}：{facts.title_zh}（{facts.identifier}{release}）",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": _object(file),
                "name": _object(file),
                "description": file.description,
                "contentUrl": facts.address(file.path),
                "contentSize": f"{file.bytes} B",
                "encodingFormat": CROISSANT_FORMATS[file.format],
                "sha256": file.sha256,
            }
            for file in facts.files
        ],
        "recordSet": [_record_set(facts, file) for file in facts.csv],
    }
