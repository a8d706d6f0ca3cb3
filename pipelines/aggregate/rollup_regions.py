"""The regions of a roll-up: their sums, what became of each, a higher region beside those below it.

Belongs here: Sums and adding them, who counts and who does not and why, findings about single regions. Does not belong
here: the tables (rollup.py), the law of who counts where (schemas/rollup.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from schemas.findings import Finding, make_finding, number_text, place_en, place_zh
from schemas.form import Form
from schemas.rollup import (
    KnownRegion,
    Outcome,
    ReleasedTotals,
    Standing,
    Unusable,
    Value,
    counts_in,
    includer_of,
    places_of,
)

ENOUGH_CELLS = 5  # figures above 0 below a region before "none of its totals is less" says anything
NO_FIGURE = "—"


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """Totals with who stands behind them, by cell. Adding Sums in any order and grouping gives the same Sum.

    ``regions``: the codes of those added; ``silent``: by cell, those of them that do not state it.
    """

    values: Mapping[str, Value]
    counts: Mapping[str, int]
    bodies: Mapping[str, int]
    regions: tuple[str, ...]
    silent: Mapping[str, tuple[str, ...]]


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A known region with what became of it."""

    known: KnownRegion
    standing: Standing
    outcome: Outcome
    within: str | None

    @property
    def code(self) -> str:
        """Its code."""
        return self.known.code

    @property
    def totals(self) -> ReleasedTotals | None:
        """Its totals if they can be added, somewhere at least."""
        usable = self.outcome in ("counted", "within") and isinstance(self.standing, ReleasedTotals)
        return self.standing if usable and isinstance(self.standing, ReleasedTotals) else None


def one_region(form: Form, totals: ReleasedTotals) -> Sum:
    """A region's own totals as a Sum of one."""
    stated = {cell.id: totals.values.get(cell.id) for cell in form.cells}
    return Sum(
        values=stated,
        counts={cell: int(value is not None) for cell, value in stated.items()},
        bodies={cell: totals.bodies.get(cell, 0) for cell in stated},
        regions=(totals.code,),
        silent={cell: () if value is not None else (totals.code,) for cell, value in stated.items()},
    )


def add_up(form: Form, parts: Iterable[Sum]) -> Sum:
    """The sum of Sums, exact; null where none of them has the figure."""
    values: dict[str, Value] = {cell.id: None for cell in form.cells}
    counts, bodies = dict.fromkeys(values, 0), dict.fromkeys(values, 0)
    silent: dict[str, list[str]] = {cell: [] for cell in values}
    regions: list[str] = []
    for part in parts:
        regions += part.regions
        for cell in values:
            value = part.values[cell]
            if value is not None:
                before = values[cell]
                values[cell] = value if before is None else before + value
            counts[cell] += part.counts[cell]
            bodies[cell] += part.bodies[cell]
            silent[cell] += part.silent[cell]
    return Sum(
        values=values,
        counts=counts,
        bodies=bodies,
        regions=tuple(sorted(regions)),
        silent={cell: tuple(sorted(codes)) for cell, codes in silent.items()},
    )


def members_of(form: Form, known: Sequence[KnownRegion], standing: Mapping[str, Standing]) -> list[Member]:
    """What became of each region, by code. ``form``: the edition that counts; ``standing``: releases by code."""

    def outcome(region: KnownRegion) -> Outcome:
        stands = standing.get(region.code)
        if stands is None:
            return "missing"
        if isinstance(stands, Unusable):
            return "damaged"
        return "counted" if stands.edition == form.edition else "other_edition"

    outcomes = {region.code: outcome(region) for region in known}
    including = [r.code for r in known if r.totals == "includes_lower" and outcomes[r.code] == "counted"]
    members = []
    for region in sorted(known, key=lambda region: region.code):
        became = outcomes[region.code]
        within = includer_of(region.code, including)
        stands = standing.get(region.code)
        members.append(
            Member(
                known=region,
                standing=stands,
                outcome="within" if became == "counted" and within else became,
                within=within,
            )
        )
    return members


def region_findings(form: Form, member: Member, year: int) -> Iterable[Finding]:
    """What became of a region that is not counted."""
    region, stands = member.known, member.standing
    words: dict[str, object] = {
        "name": region.name_zh,
        "name_en": region.name_en,
        "code": region.code,
        "year": str(year),
    }
    about = {"region": region.code, "year": year}
    if member.outcome == "missing":
        if counts_in(places_of(region.code)[0], region.code, member.within):
            yield make_finding("rollup_region_missing", words=words, **about)
    elif isinstance(stands, Unusable):
        words |= {"reason_zh": stands.reason_zh, "reason_en": stands.reason_en}
        yield make_finding("rollup_release_damaged", words=words, **about)
    elif member.outcome == "other_edition" and stands is not None:
        words |= {"release": stands.release, "found": stands.edition, "expected": form.edition}
        fields = about | {"found": stands.edition, "expected": form.edition}
        yield make_finding("rollup_edition_differs", words=words, **fields)


def _below(form: Form, members: Sequence[Member], higher: Member) -> tuple[list[Member], Sum]:
    """The regions right below a higher one (none that another one between them includes), and their sum."""
    between = {
        m.code
        for m in members
        if m.known.totals == "includes_lower" and m.totals and m.code != higher.code and m.code.startswith(higher.code)
    }
    lower = [
        member
        for member in members
        if member.code != higher.code
        and member.code.startswith(higher.code)
        and includer_of(member.code, between) is None
    ]
    return lower, add_up(form, (one_region(form, member.totals) for member in lower if member.totals))


def higher_findings(form: Form, members: Sequence[Member], higher: Member, year: int) -> Iterable[Finding]:
    """A higher region's totals beside those of the regions below it."""
    totals = higher.totals
    lower, below = _below(form, members, higher)
    if totals is None or not below.regions:
        return
    words: dict[str, object] = {
        "name": higher.known.name_zh,
        "name_en": higher.known.name_en,
        "code": higher.code,
        "count": len(below.regions),
    }
    about = {"region": higher.code, "year": year}
    if higher.known.totals == "own":
        positive = [cell for cell, value in below.values.items() if value]
        own = {cell: totals.values.get(cell) for cell in below.values}
        if positive and own == below.values:
            yield make_finding("rollup_double_count", words=words, **about)
        elif len(positive) >= ENOUGH_CELLS and all(
            (have := own[cell]) is not None and have >= (below.values[cell] or 0) for cell in positive
        ):
            yield make_finding("rollup_may_include_lower", words=words, **about)
        return
    missing = len(lower) - len(below.regions)
    if missing:
        more = words | {"known": len(lower), "missing": missing}
        yield make_finding("rollup_lower_incomplete", words=more, **about)
        return
    for cell in form.cells:
        found, expected = totals.values.get(cell.id), below.values[cell.id]
        if found == expected:
            continue
        difference = None if found is None or expected is None else found - expected
        said = {
            "place": place_zh(form, cell),
            "place_en": place_en(form, cell),
            "found": NO_FIGURE if found is None else number_text(found),
            "expected": NO_FIGURE if expected is None else number_text(expected),
            "difference": NO_FIGURE if difference is None else number_text(difference),
        }
        figures = {"cells": (cell.id,), "found": found, "expected": expected, "difference": difference}
        yield make_finding("rollup_lower_differs", words=words | said, **about | figures)
