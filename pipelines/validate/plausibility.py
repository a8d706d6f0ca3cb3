"""What is possible but unlikely in one return: asked as information, never blocking.

Belongs here: applying the limits and checks of ``schemas/plausibility.toml`` to known figures. Does not belong here:
the limits themselves, accounting rules, or changing any figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from pipelines.validate.claims import shortened
from schemas.findings import Finding, make_finding, number_text, place_en, place_zh, places
from schemas.form import Form
from schemas.intake import Claim
from schemas.plausibility import Limits, load_plausibility

Figure = Decimal | int
Figures = Mapping[str, Figure]


def yuan_reason(value: Figure, last_year: Figure | None, limits: Limits) -> tuple[str, str] | None:
    """Why an amount in the large unit looks like the small one, in Chinese and English; None where it does not."""
    if last_year:
        would_be = Decimal(value) / limits.per_large_unit
        low, high = Decimal(last_year) / limits.like_last_year, Decimal(last_year) * limits.like_last_year
        if low <= would_be <= high and value > high:
            text = number_text(last_year)
            return f"上年度是 {text}", f"last year it was {text}"
        return None
    if value >= limits.surely_large:
        return "对一个单位来说数额过大", "that is a great deal for one body"
    return None


def looks_tenfold(value: Figure, last_year: Figure, limits: Limits) -> bool:
    """Whether two figures of following years differ by about one digit."""
    small, great = sorted((value, last_year))
    if small <= 0 or great < limits.least_figure:
        return False
    low, high = limits.tenfold
    return low * small <= great <= high * small


def _amounts(values: Figures, previous: Figures, form: Form, limits: Limits) -> list[Finding]:
    found = []
    for cell in form.cells:
        value = values.get(cell.id)
        if value is None or cell.unit != limits.large_unit:
            continue
        reason = yuan_reason(value, previous.get(cell.id), limits)
        if reason is None:
            continue
        proposed = Decimal(value) / limits.per_large_unit
        words = {
            "place": place_zh(form, cell),
            "place_en": place_en(form, cell),
            "found": value,
            "unit": cell.unit,
            "reason": reason[0],
            "reason_en": reason[1],
            "proposed": proposed,
        }
        found.append(
            make_finding(
                "amount_maybe_yuan",
                words=words,
                cells=(cell.id,),
                found=value,
                suspected=cell.id,
                proposed=proposed.quantize(Decimal("0.0001")),
            )
        )
    return found


def _tenfold(values: Figures, previous: Figures, form: Form, limits: Limits) -> list[Finding]:
    found = []
    for cell in form.cells if previous else ():
        value, last_year = values.get(cell.id), previous.get(cell.id)
        if value is None or last_year is None or not looks_tenfold(value, last_year, limits):
            continue
        words = {
            "place": place_zh(form, cell),
            "place_en": place_en(form, cell),
            "found": value,
            "last_year": last_year,
        }
        found.append(
            make_finding("digit_added_or_lost", words=words, cells=(cell.id,), found=value, expected=last_year)
        )
    return found


def _results_without(values: Figures, form: Form) -> list[Finding]:
    found = []
    for check in load_plausibility().checks:
        known = [values.get(cell) for cell in check.positive]
        total = sum(value for value in known if value is not None)
        if check.edition != form.edition or total <= 0 or any(values.get(cell) != 0 for cell in check.zero):
            continue
        zh, en = places(form, check.positive)
        zero_zh, zero_en = places(form, check.zero)
        words = {
            "places": zh,
            "places_en": en,
            "zero_places": zero_zh,
            "zero_places_en": zero_en,
            "found": total,
        }
        found.append(make_finding(check.kind, words=words, cells=check.positive + check.zero, found=total))
    return found


def _zeros_beside(values: Figures, claims: Sequence[Claim], form: Form) -> list[Finding]:
    found = []
    for table in form.tables:
        cells = form.cells_of(table.id)
        stated = [
            claim
            for claim in claims
            if claim.value > 0 and claim.cell in form.by_id and form.by_id[claim.cell].table == table.id
        ]
        if not stated or any(values.get(cell.id) != 0 for cell in cells):
            continue
        words = {
            "table": table.title_zh,
            "table_en": table.title_en,
            "count": len(stated),
            "text": shortened(stated[0].text),
        }
        names = tuple(dict.fromkeys(claim.cell for claim in stated))
        found.append(make_finding("zeros_beside_figures", words=words, cells=names, address=stated[0].at))
    return found


def plausibility_findings(values: Figures, previous: Figures, claims: Sequence[Claim], form: Form) -> list[Finding]:
    """Every information finding about one return. ``previous``: last year's figures, empty where there are none."""
    limits = load_plausibility().limits
    return [
        *_amounts(values, previous, form, limits),
        *_tenfold(values, previous, form, limits),
        *_results_without(values, form),
        *_zeros_beside(values, claims, form),
    ]
