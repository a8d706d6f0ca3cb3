"""What differs from county to county, as strict models: settings, roster, supplement, decisions, published figures.

Belongs here: the shape of the files below ``regions/<region>/``. Does not belong here: finding and reading them
(pipelines/regions.py).
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Literal

import msgspec

# How many digits of GB/T 2260 a region of each level has.
LEVEL_DIGITS = {"county": 6, "district": 6, "city": 4, "province": 2}


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Strict base: unknown keys are refused."""


class Licence(_Model, frozen=True):
    """The licence of the published data; a required setting, no default is assumed."""

    name: str
    title: str
    path: str


class Contact(_Model, frozen=True):
    """Who answers for the data."""

    name_zh: str
    name_en: str
    email: str = ""
    telephone: str = ""
    website: str = ""


class RegionSettings(_Model, frozen=True):
    """``regions/<region>/region.toml``. ``code`` is GB/T 2260; deadlines are month and day of the following year.

    ``totals`` matters for a city or a province: ``own`` (its own departments, to be added to the regions below it) or
    ``includes_lower`` (its totals already hold the regions below it, which are then not added again).
    ``ckan_organisation``: the name, in addresses, of the organisation on a CKAN portal that the region's releases are
    pushed for; "": they are not. Report years before ``release_from`` are last year's figures to check against: they
    are checked, but nothing of them is published by itself.
    """

    code: str
    name_zh: str
    name_en: str
    city_zh: str
    province_zh: str
    level: Literal["county", "district", "city", "province"]
    office_body: str
    rule_making_power: bool
    licence: Licence
    publisher: Contact
    totals: Literal["own", "includes_lower"] = "own"
    body_deadline: str = "01-31"
    report_deadline: str = "03-31"
    release_from: int = 0
    synthetic: bool = False
    synthetic_note_zh: str = ""
    synthetic_note_en: str = ""
    ckan_organisation: str = ""


class Body(_Model, frozen=True):
    """One line of ``bodies.csv``. ``to_year`` None: still reporting."""

    code: str
    name_zh: str
    name_en: str
    aliases: tuple[str, ...]
    kind: Literal["office", "department", "township", "subdistrict"]
    level: str
    from_year: int
    to_year: int | None = None

    def reports_in(self, year: int) -> bool:
        """Whether the body must report for that year."""
        return self.from_year <= year and (self.to_year is None or year <= self.to_year)


class IndicatorDeclaration(_Model, frozen=True):
    """One indicator of the supplement. ``add_up``: sum over bodies, maximum of bodies, or the office's own figure."""

    id: str
    label_zh: str
    label_en: str
    unit: str
    add_up: Literal["sum", "maximum", "office"]
    reported_by: tuple[Literal["office", "department", "township", "subdistrict"], ...]


class Supplement(_Model, frozen=True):
    """``regions/<region>/supplement.toml``: the region's own indicators of section one."""

    title_zh: str
    title_en: str
    indicators: tuple[IndicatorDeclaration, ...]


class Waiver(_Model, frozen=True):
    """An approved exception: findings of ``rule`` for ``body`` (and ``cells``, where given) do not stop publication."""

    rule: str
    body: str
    reason: str
    approved_by: str
    approved_on: datetime.date
    cells: tuple[str, ...] = ()
    found: int | float | str | None = None


class Correction(_Model, frozen=True):
    """An approved change of one value. ``found`` is what stands in the return; when it no longer does, it is stale."""

    body: str
    cell: str
    found: Decimal | int | float | None
    value: Decimal | int | float
    reason: str
    approved_by: str
    approved_on: datetime.date


class Decisions(_Model, frozen=True):
    """``regions/<region>/<year>/decisions.toml``."""

    waiver: tuple[Waiver, ...] = ()
    correction: tuple[Correction, ...] = ()


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """A region as loaded: settings, roster in roster order, supplement (None where the region has none)."""

    settings: RegionSettings
    bodies: tuple[Body, ...]
    supplement: Supplement | None

    def body(self, code: str) -> Body | None:
        """The body with that code, or None."""
        return next((body for body in self.bodies if body.code == code), None)

    def roster(self, year: int) -> tuple[Body, ...]:
        """The bodies that must report for a year."""
        return tuple(body for body in self.bodies if body.reports_in(year))
