"""What catalogues ask for, as strict models: vocabulary terms and the elements of the Chinese catalogue record.

Belongs here: the shape of ``catalogue.toml``. Does not belong here: values of a release (pipelines/publish/catalogue).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from schemas.declaration import load_toml

Fact = Literal[
    "",
    "title",
    "identifier",
    "metadata_identifier",
    "description",
    "publisher",
    "contact",
    "keywords",
    "address",
    "formats",
    "region",
    "period",
    "licence",
    "issued",
    "basis",
    "coverage",
]


class ElementDeclaration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One element of the record: its names, the standards that ask for it, and where its value comes from."""

    id: str
    name_zh: str
    name_en: str
    standards: tuple[str, ...]
    required: bool = False
    source: Fact = msgspec.field(default="", name="from")
    text_zh: str = ""
    text_en: str = ""


class CatalogueDeclaration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file ``catalogue.toml``."""

    theme: str
    theme_taxonomy: str
    frequency: str
    publisher_type: str
    access_rights: str
    availability: str
    languages: tuple[str, ...]
    formats: dict[str, str]
    item_types: dict[str, str]
    elements: tuple[ElementDeclaration, ...]


@cache
def load_catalogue() -> CatalogueDeclaration:
    """The declared vocabularies and elements. Raises DeclarationError."""
    return load_toml(Path(__file__).with_name("catalogue.toml"), CatalogueDeclaration)
