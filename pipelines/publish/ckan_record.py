"""What a CKAN portal is told of a release: the dataset, its extras (DB51/T 2847), one resource per file.

Belongs here: how the facts of a release are worded for CKAN. Does not belong here: the facts themselves
(catalogue/facts.py, catalogue/chinese.py), sending anything (ckan.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from upath import UPath

from pipelines.publish.catalogue.chinese import catalogue_elements
from pipelines.publish.catalogue.facts import Facts, read_facts
from pipelines.publish.package import SIGNATURE, SUMS
from pipelines.publish.release import release_files
from pipelines.publish.report.build import DOCX, HTML, PDF
from pipelines.storage import sha256
from schemas.descriptor import DESCRIPTOR
from schemas.region import Region

HASH_ALGORITHM = "http://spdx.org/rdf/terms#checksumAlgorithm_sha256"  # DCAT's name of it; `hash` itself is bare hex
OWNED = "发布程序标识"  # the extra that marks a dataset as ours; its value names region and year
RELEASE, PATH = "gongkai_release", "gongkai_path"  # fields of a resource
_STAND_ELSEWHERE = ("name", "abstract", "keywords")  # elements that are CKAN's own title, notes and tags
_FORMATS = {"csv": "CSV", "parquet": "Parquet"}
_DOCX_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
# Path, format, media type, name and description of the files that are no tables.
_REPORT = tuple(
    (f"report/{name}", fmt, mediatype, f"年度报告（{fmt}） Annual report", "按统一格式。 In the official layout.")
    for name, fmt, mediatype in ((PDF, "PDF", "application/pdf"), (DOCX, "DOCX", _DOCX_TYPE))
)
_SEALS = (
    (
        DESCRIPTOR,
        "JSON",
        "application/json",
        "数据包说明 Data Package descriptor",
        "各表的字段、类型、主外键和校验值。 Fields, types, keys and hashes of every table (Data Package v2).",
    ),
    (
        SUMS,
        "TXT",
        "text/plain",
        "校验和 Checksums（SHA-256）",
        "用 sha256sum -c 或 gongkai verify 核验。 To be checked with sha256sum -c or gongkai verify.",
    ),
    (
        SIGNATURE,
        "SSHSIG",
        "text/plain",
        "校验和的签名 Signature of the checksums",
        "用 gongkai verify --signers 核验。 To be checked with gongkai verify --signers.",
    ),
)


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """One file for the portal. ``fields``: those of its resource, as CKAN keeps them."""

    path: str
    data: bytes
    fields: Mapping[str, Any]

    @property
    def identity(self) -> tuple[str, str]:
        """What makes a resource of the portal this very file: its path and its SHA-256."""
        return self.path, str(self.fields["hash"])


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A release as a portal gets it: the dataset's own fields, and its files in the order in which they are shown."""

    name: str
    release: str
    fields: Mapping[str, Any]
    files: tuple[Sent, ...]


def dataset_name(code: str, year: int) -> str:
    """The dataset's name in addresses: ASCII, since CKAN takes no other."""
    return f"gongkai-{code}-{year}"


def owner_mark(code: str, year: int) -> str:
    """The value of the extra ``OWNED``."""
    return f"gongkai {code}/{year}"


def licence_id(name: str, known: tuple[str, ...]) -> str:
    """The portal's id for a licence, such as ``cc-by`` for ``CC-BY-4.0``; the name itself where it knows none."""
    exact = [each for each in known if each.lower() == name.lower()]
    versions = [each for each in known if re.fullmatch(rf"{re.escape(each)}-v?[0-9.]+", name, re.IGNORECASE)]
    return next(iter(exact + versions), name)


def _tag(text: str) -> str:
    """A keyword as CKAN takes tags: letters, figures, ``-_.`` and spaces; "" for what is too short or too long."""
    kept = re.sub(r"[^\w\-. ]", " ", text).strip()
    return kept if 2 <= len(kept) <= 100 else ""


def _notes(facts: Facts) -> str:
    """The description in Markdown, with the licence's own address: a portal may not know the licence."""
    parts = [facts.description_zh, facts.description_en]
    if facts.licence_url:
        title = re.sub(r"[\[\]\\]", " ", facts.licence_title or facts.licence_name)
        parts.append(f"许可协议 Licence: [{title}]({facts.licence_url})")
    return "\n\n".join(parts)


def _extras(facts: Facts) -> list[dict[str, str]]:
    extras = {}
    for element in catalogue_elements(facts):
        if element.id not in _STAND_ELSEWHERE:
            english = f" / {element.value_en}" if element.value_en and element.value_en != element.value_zh else ""
            extras[element.name_zh] = f"{element.value_zh}{english}"
    extras |= {"发布版本": facts.release, "数据结构版本": facts.version, OWNED: owner_mark(facts.code, facts.year)}
    return [{"key": key, "value": value} for key, value in sorted(extras.items())]


def _sent(path: str, data: bytes, release: str, fmt: str, mediatype: str, name: str, description: str) -> Sent:
    return Sent(
        path=path,
        data=data,
        fields={
            "name": name,
            "description": description,
            "format": fmt,
            "mimetype": mediatype,
            "size": len(data),
            "hash": sha256(data),
            "hash_algorithm": HASH_ALGORITHM,
            RELEASE: release,
            PATH: path,
        },
    )


def _files(facts: Facts, files: Mapping[str, bytes], release: str) -> tuple[Sent, ...]:
    """The report first, for people; then the tables, then what describes and seals them."""
    tables = tuple(
        _sent(
            file.path,
            files[file.path],
            release,
            _FORMATS[file.format],
            file.mediatype,
            # The format stands before the English name: pages cut long names off, and the twins would look alike.
            f"{file.title_zh}（{_FORMATS[file.format]}） {file.title_en}",
            file.description,
        )
        for file in facts.files
    )

    def given(declared: tuple[tuple[str, str, str, str, str], ...]) -> tuple[Sent, ...]:
        return tuple(_sent(path, files[path], release, *words) for path, *words in declared if path in files)

    return given(_REPORT) + tables + given(_SEALS)


def _report(folder: UPath, release: str) -> dict[str, bytes]:
    """The report's files beside the releases, none where it was made of another release."""
    page = folder / HTML
    if not page.is_file() or release not in page.read_text(encoding="utf-8"):
        return {}
    return {f"report/{name}": (folder / name).read_bytes() for name in (PDF, DOCX) if (folder / name).is_file()}


def read_record(release: UPath, report: UPath, region: Region, address: str, licences: tuple[str, ...]) -> Record:
    """A released folder as the portal gets it.

    ``report``: the folder beside it with the official report; ``address``: the release's own web address, "" for none;
    ``licences``: the ids that the portal knows. Raises CatalogueError, OSError.
    """
    files = release_files(release)
    if (release / SIGNATURE).is_file():
        files[SIGNATURE] = (release / SIGNATURE).read_bytes()
    facts = read_facts(json.loads(files[DESCRIPTOR]), region, address, release=release.name)
    tags = sorted({tag for word in facts.keywords if (tag := _tag(word))})
    return Record(
        name=dataset_name(facts.code, facts.year),
        release=release.name,
        fields={
            "title": f"{facts.title_zh} {facts.title_en}",
            "notes": _notes(facts),
            "version": release.name,
            "license_id": licence_id(facts.licence_name, licences),
            "author": f"{facts.publisher_zh} {facts.publisher_en}",
            "author_email": facts.email,
            "url": facts.website,
            "tags": [{"name": tag} for tag in tags],
            "extras": _extras(facts),
        },
        files=_files(facts, files | _report(report, release.name), release.name),
    )
