"""Which regions belong in the totals of a year, from their declarations; only those that have changed are read anew.

Belongs here: telling that of every region below ``regions/``. Does not belong here: reading one region's files
(regions.py), adding up (pipelines/aggregate).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from pipelines.regions import load_region, region_codes
from pipelines.storage import sha256
from schemas.rollup import KnownRegion

FILES = ("region.toml", "bodies.csv", "supplement.toml")


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """What a region's files say, as far as the roll-up of a year asks. ``digest``: the hash of those files."""

    digest: str
    region: KnownRegion
    reports: bool  # bodies of its roster have to hand in for the year
    release_from: int


def _digest(folder: Path) -> str:
    parts = []
    for name in FILES:
        try:
            parts.append(sha256((folder / name).read_bytes()))
        except FileNotFoundError:
            parts.append("")
    return sha256("\n".join(parts).encode())


def declared_regions(root: Path, year: int, kept: Mapping[str, Declared] | None = None) -> dict[str, Declared]:
    """Every region below ``root`` by code. ``kept``: what an earlier call for the same year answered, used where the
    bytes of a region's files are still the same. Raises DeclarationError, OSError.
    """
    found = {}
    for code in region_codes(root):
        digest, before = _digest(root / code), (kept or {}).get(code)
        if before is not None and before.digest == digest:
            found[code] = before
            continue
        region = load_region(root, code)
        settings = region.settings
        known = KnownRegion(
            code=code,
            level=settings.level,
            name_zh=settings.name_zh,
            name_en=settings.name_en,
            city_zh=settings.city_zh,
            province_zh=settings.province_zh,
            totals=settings.totals,
            synthetic=settings.synthetic,
        )
        reports = bool(region.roster(year))
        found[code] = Declared(digest=digest, region=known, reports=reports, release_from=settings.release_from)
    return found


def known_regions(
    declared: Mapping[str, Declared], year: int, released: Collection[str] = ()
) -> tuple[KnownRegion, ...]:
    """The regions that belong in a year's totals, by code.

    One has bodies to report for the year, and releases that year (``release_from``) or is among ``released`` anyway.
    """
    return tuple(
        one.region
        for code, one in sorted(declared.items())
        if one.reports and (year >= one.release_from or code in released)
    )
