"""What every catalogue record says of a release, read once from its Data Package descriptor and, where they are at
hand, the region's settings. The portal, which reads nothing but releases, does without them.

Belongs here: the facts and the addresses of files. Does not belong here: any catalogue's format.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from schemas.descriptor import DESCRIPTOR
from schemas.region import Contact, Region

Descriptor = Mapping[str, Any]


class CatalogueError(ValueError):
    """The descriptor or the settings lack something that every catalogue needs; the text says what and where."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One table in one format. ``sha256`` in bare hex; ``fields`` and keys as Table Schema writes them."""

    name: str
    table: str
    path: str
    title_zh: str
    title_en: str
    description: str
    format: str
    mediatype: str
    bytes: int
    sha256: str
    fields: tuple[Mapping[str, Any], ...]
    primary_key: tuple[str, ...]
    foreign_keys: tuple[Mapping[str, Any], ...]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """A release as catalogues see it. ``base`` is the address of its folder, "" for addresses relative to it.

    ``release``: the id of the release, "" where it is not known.
    """

    base: str
    identifier: str
    title_zh: str
    title_en: str
    description_zh: str
    description_en: str
    version: str
    keywords: tuple[str, ...]
    sources: tuple[str, ...]
    code: str
    region_zh: str
    region_en: str
    place_zh: str
    year: int
    edition: str
    expected: int
    accepted: int
    synthetic: bool
    licence_name: str
    licence_title: str
    licence_url: str
    publisher_zh: str
    publisher_en: str
    email: str
    telephone: str
    website: str
    issued: datetime.date | None
    documents: tuple[str, ...]
    files: tuple[File, ...]
    release: str = ""

    def address(self, path: str) -> str:
        """The address of a file of the release."""
        return self.base + path

    def node(self, name: str) -> str:
        """The identifier of something that the descriptor describes, such as the data set itself."""
        return f"{self.address(DESCRIPTOR)}#{name}"

    @property
    def csv(self) -> Iterator[File]:
        """The CSV twins, one per table."""
        return (file for file in self.files if file.format == "csv")


def _web(text: str) -> str:
    """A web address, "" for anything else: an identifier must never be a script."""
    return text if text.startswith(("https://", "http://")) and not set(text) & set(' <>"{}|\\^`\n\t') else ""


def _mail(text: str) -> str:
    """A mail address, "" for anything that would not be one in an identifier."""
    return text if re.fullmatch(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+", text) else ""


def _file(resource: Mapping[str, Any]) -> File:
    schema = resource["schema"]
    return File(
        name=resource["name"],
        table=resource["path"].rpartition("/")[2].rpartition(".")[0],
        path=resource["path"],
        title_zh=resource["title"],
        title_en=resource["title_en"],
        description=resource["description"],
        format=resource["format"],
        mediatype=resource["mediatype"],
        bytes=resource["bytes"],
        sha256=resource["hash"].removeprefix("sha256:"),
        fields=tuple(schema["fields"]),
        primary_key=tuple(schema["primaryKey"]),
        foreign_keys=tuple(schema.get("foreignKeys", ())),
    )


def release_address(base_url: str, region: str, year: int) -> str:
    """The address of a region and year's current release below the address of a site; "" where that is not set."""
    return f"{base_url.rstrip('/')}/{region}/{year}/latest/" if base_url else ""


def _publisher(descriptor: Descriptor) -> Contact:
    """The publisher as the descriptor names it."""
    people: list[dict[str, Any]] = descriptor.get("contributors") or [{}]
    told = {name: value for name, value in people[0].items() if isinstance(value, str)}
    return Contact(
        name_zh=told.get("title", ""),
        name_en=told.get("organization", ""),
        email=told.get("email", ""),
        website=told.get("path", ""),
    )


def read_facts(
    descriptor: Descriptor,
    region: Region | None = None,
    base_url: str = "",
    *,
    documents: tuple[str, ...] = (),
    issued: datetime.date | None = None,
    release: str = "",
) -> Facts:
    """The facts of a release. Raises CatalogueError for another region's settings, a missing licence or a bad address.

    ``region``: its settings as they stand now; without them everything is as the descriptor says, and a missing licence
    is no error. ``base_url``: the web address of the release's folder; "": addresses are relative to that folder.
    ``documents``: further files for people, such as the official report. ``issued``: only where the caller knows it;
    released bytes carry no date. ``release``: its id.
    """
    if base_url and not _web(base_url):
        raise CatalogueError(
            f"base_url 应为网址（https://…），实为“{base_url}”。base_url should be a web address, found {base_url!r}"
        )
    place = descriptor["x-region"]
    code, name_zh, name_en = place["code"], place["name_zh"], place["name_en"]
    place_zh, publisher = name_zh, _publisher(descriptor)
    licences = descriptor.get("licenses") or [{}]
    licence = licences[0]
    if region is not None:
        settings = region.settings
        if code != settings.code:
            raise CatalogueError(f"descriptor of region {code!r}, settings of region {settings.code!r}")
        if not licence.get("name"):
            raise CatalogueError(
                f"{settings.code}/region.toml 没有写明许可协议 [licence]，无法编目。"
                f"{settings.code}/region.toml names no [licence]; no catalogue takes data without one"
            )
        name_zh, name_en, publisher = settings.name_zh, settings.name_en, settings.publisher
        place_zh = f"{settings.province_zh}{settings.city_zh}{settings.name_zh}"
    return Facts(
        base=f"{base_url.rstrip('/')}/" if base_url else "",
        identifier=descriptor["name"],
        title_zh=descriptor["title"],
        title_en=descriptor["title_en"],
        description_zh=descriptor["description"],
        description_en=descriptor["description_en"],
        version=descriptor["version"],
        keywords=tuple(descriptor["keywords"]),
        sources=tuple(source["title"] for source in descriptor["sources"]),
        code=code,
        region_zh=name_zh,
        region_en=name_en,
        place_zh=place_zh,
        year=descriptor["x-year"],
        edition=descriptor["x-form-edition"],
        expected=descriptor["x-coverage"]["expected"],
        accepted=descriptor["x-coverage"]["accepted"],
        synthetic=descriptor["x-synthetic"],
        licence_name=licence.get("name", ""),
        licence_title=licence.get("title", ""),
        licence_url=_web(licence.get("path", "")),
        publisher_zh=publisher.name_zh,
        publisher_en=publisher.name_en,
        email=_mail(publisher.email),
        telephone=publisher.telephone,
        website=_web(publisher.website),
        issued=issued,
        documents=documents,
        files=tuple(_file(resource) for resource in descriptor["resources"]),
        release=release,
    )
