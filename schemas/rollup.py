"""The roll-up county -> city -> province -> country: places, who counts where, and what its totals must obey.

Belongs here: prefixes of GB/T 2260 as places, the records that travel from the releases into the roll-up, the law
against counting twice, rules over totals of which some regions state less than others. Does not belong here: reading
releases and files (pipelines/publish), adding up (pipelines/aggregate).

The law against counting twice. A region of a higher level declares in ``region.toml`` what its totals hold:
``own``, its own departments alone, which are added to the regions below it; or ``includes_lower``, the regions below
it as well, which are then not added again. It takes their place at its own level and above, and only there: a city's
total is still the sum of its counties where the province is the one that includes them. A declaration counts once
its release stands; until then the regions below are added, and the higher one is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from schemas.findings import Finding, make_finding, number_text, rule_finding
from schemas.form import Form
from schemas.rules import RuleSet

COUNTRY = "CN"
COUNTRY_NAMES = ("全国", "China")
PLACE_LEVELS = {COUNTRY: "country", 2: "province", 4: "city"}
Outcome = Literal["counted", "within", "missing", "other_edition", "damaged"]
# One file per province and table, and one for the country, so that one county's release touches its own province only.
PROVINCE_TABLES = ("rollup_regions", "region_totals", "rollup_places", "rollup_totals", "rollup_findings")
COUNTRY_TABLES = ("rollup_places", "rollup_totals", "rollup_findings")
FORM_CELLS = "form_cells"
KIND = "x-rollup"  # the mark of a roll-up's descriptor, which a region's release does not have
Value = Decimal | None


class KnownRegion(msgspec.Struct, frozen=True, kw_only=True):
    """A region that belongs in the totals of a year: what its ``region.toml`` says, as far as the roll-up asks."""

    code: str
    level: str
    name_zh: str
    name_en: str
    city_zh: str
    province_zh: str
    totals: Literal["own", "includes_lower"] = "own"
    synthetic: bool = False


class ReleasedTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The totals of the release that counts for a region, read back and checked against its SHA256SUMS.

    ``values`` and ``bodies`` by cell id: the figure (None: no body gave it) and how many bodies stand behind it.
    ``waived``: the rules that an approved waiver lets the region break, as its own findings say.
    """

    code: str
    release: str
    sums_sha256: str
    edition: str
    expected: int
    accepted: int
    rule_making_power: bool
    licence: str
    values: Mapping[str, Value]
    bodies: Mapping[str, int]
    waived: tuple[str, ...] = ()


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind a total, as far as rules ask: figures, and the rules that are waived."""

    code: str
    values: Mapping[str, Value]
    waived: frozenset[str]


class Unusable(msgspec.Struct, frozen=True, kw_only=True):
    """A release that stands but cannot be used, and why."""

    code: str
    release: str
    reason_zh: str
    reason_en: str


Standing = ReleasedTotals | Unusable | None


def place_level(place: str) -> str:
    """country, province or city. Raises KeyError for a code that is none of them."""
    return PLACE_LEVELS[COUNTRY if place == COUNTRY else len(place)]


def prefix(place: str) -> str:
    """The digits with which the codes below a place begin; none for the country."""
    return "" if place == COUNTRY else place


def parent_of(place: str) -> str | None:
    """The place above; None for the country."""
    if place == COUNTRY:
        return None
    return place[:2] if len(place) == 4 else COUNTRY


def province_of(region: str) -> str:
    """The province whose file holds a region."""
    return region[:2]


def places_of(region: str) -> tuple[str, ...]:
    """The places whose totals a region belongs to, lowest first: its city (where it has one), province, country."""
    return (*((region[:4],) if len(region) >= 4 else ()), region[:2], COUNTRY)


def includer_of(region: str, including: Collection[str]) -> str | None:
    """The nearest region above whose totals hold this one; ``including``: released ones that declare it."""
    above = [code for code in including if code != region and region.startswith(code)]
    return max(above, key=len, default=None)


def counts_in(place: str, region: str, within: str | None) -> bool:
    """Whether a usable region below ``place`` is added there: unless a region at or below the place includes it."""
    if not region.startswith(prefix(place)):
        return False
    return within is None or not within.startswith(prefix(place))


def place_names(place: str, regions: Sequence[KnownRegion]) -> tuple[str, str | None, tuple[str, ...]]:
    """A place's name in Chinese and English (None: not declared), and every Chinese name that its regions use."""
    if place == COUNTRY:
        return *COUNTRY_NAMES, COUNTRY_NAMES[:1]
    below = sorted((region for region in regions if region.code.startswith(place)), key=lambda region: region.code)
    own = [region for region in below if region.code == place]
    used = [region.name_zh for region in own]
    used += [region.city_zh if len(place) == 4 else region.province_zh for region in below if region.code != place]
    names = tuple(dict.fromkeys(name for name in used if name))
    english = own[0].name_en if own else None
    return (names[0] if names else place), english, names


def unbalanced_places(
    form: Form,
    rules: RuleSet,
    place: str,
    names: tuple[str, str],
    year: int,
    totals: tuple[Mapping[str, Value], Mapping[str, int]],
    powerful: bool,
    behind: Callable[[], Sequence[Behind]],
) -> list[Finding]:
    """The error rules that the totals of a place break: ``rollup_unbalanced``, or ``rollup_rule_inherited`` where
    approved waivers let the regions behind them break the same rule, together by just as much.

    ``totals``: value and number of regions by cell; ``powerful``: whether one that is added may make rules;
    ``behind``: answers what is added, asked only where a rule is broken. A rule whose cells rest on different numbers
    of regions says nothing: the sum of what some state cannot be held against the sum of what others state.
    """
    values, counts = totals
    found: list[Finding] = []
    added: Sequence[Behind] = ()
    for rule in rules.rules:
        if rule.severity != "error" or rule.across_years or (rule.unless and powerful):
            continue
        residual = rule.residual(values) if len({counts.get(cell, 0) for cell in rule.cells}) == 1 else None
        if residual is None or rule.holds(residual):
            continue
        added = added or behind()
        own = {one.code: left for one in added if (left := rule.residual(one.values)) is not None}
        broken = sorted(code for code, left in own.items() if not rule.holds(left))
        excused = {one.code for one in added if rule.id in one.waived}
        words: dict[str, object] = {"name": names[0], "name_en": names[1] or names[0], "code": place, "rule": rule.id}
        said = rule_finding(form, rule, values)
        about = {"year": year, "region": place, "cells": rule.cells, "difference": residual}
        if broken and excused >= set(broken) and sum(own.values(), Decimal(0)) == residual:
            words |= {"difference": number_text(residual), "regions": "、".join(broken)}
            found.append(make_finding("rollup_rule_inherited", words=words, **about))
            continue
        words |= {"text_zh": said.message_zh, "text_en": said.message_en}
        fields = about | {"expected": said.expected, "found": said.found}
        found.append(make_finding("rollup_unbalanced", words=words, **fields))
    return found
