"""Figures stated in sentences against figures in cells: which readings of a claim there are and whether one fits.

Belongs here: the value of a reading, the warning of a claim that no reading fits. Does not belong here: finding claims
in text (intake), weighing them as witnesses of a wrong cell (slips.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from schemas.findings import Finding, make_finding, number_text, place_en, place_zh
from schemas.form import Form
from schemas.intake import Claim
from schemas.rules import LAST_YEAR

Figure = Decimal | int
MOST_TEXT = 80


def readings(claim: Claim) -> tuple[tuple[str, ...], ...]:
    """The accepted readings of a claim; its likeliest cell alone where intake gives none."""
    return claim.readings or ((claim.cell,),)


def signed(term: str) -> tuple[str, int]:
    """A term of a reading as cell id and sign: a leading ``-`` subtracts."""
    return (term[1:], -1) if term.startswith("-") else (term.removeprefix("+"), 1)


def reading_value(
    reading: Sequence[str], values: Mapping[str, Figure], previous: Mapping[str, Figure]
) -> Figure | None:
    """What a reading adds up to; None where one of its cells is not known."""
    total: Figure = 0
    for term in reading:
        name, sign = signed(term)
        cell = name.removesuffix(LAST_YEAR)
        value = previous.get(cell) if name != cell else values.get(cell)
        if value is None:
            return None
        total += sign * value
    return total


def fitting(claim: Claim, values: Mapping[str, Figure], previous: Mapping[str, Figure]) -> int | None:
    """The position of the first accepted reading that equals the claim, -1 where none does.

    None where no reading can be reckoned. The likeliest reading stands first.
    """
    known = False
    for position, reading in enumerate(readings(claim)):
        value = reading_value(reading, values, previous)
        if value == claim.value:
            return position
        known = known or value is not None
    return -1 if known else None


def _reading_words(form: Form, reading: Sequence[str], value: Figure | None, chinese: bool) -> str:
    parts = []
    for position, term in enumerate(reading):
        name, sign = signed(term)
        known = form.by_id.get(name.removesuffix(LAST_YEAR))
        last = name.endswith(LAST_YEAR)
        if known is None:
            place = name
        elif chinese:
            place = ("上年度" if last else "") + place_zh(form, known)
        else:
            place = ("last year's " if last else "") + place_en(form, known)
        joint = ("－" if chinese else " - ") if sign < 0 else ("＋" if chinese else " + ") if position else ""
        parts.append(joint + place)
    if value is None:
        return "".join(parts) + ("（缺数）" if chinese else " (missing)")
    return f"{''.join(parts)}{'＝' if chinese else ' = '}{number_text(value)}"


def shortened(text: str, most: int = MOST_TEXT) -> str:
    """``text`` on one line, at most ``most`` characters and an ellipsis."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[:most] + "…"


def claim_findings(
    claims: Sequence[Claim], values: Mapping[str, Figure], previous: Mapping[str, Figure], form: Form
) -> list[Finding]:
    """One ``claim_mismatch`` for each claim that no accepted reading fits, naming every reading with its value."""
    found = []
    for claim in claims:
        if fitting(claim, values, previous) != -1:
            continue
        tried = [(reading, reading_value(reading, values, previous)) for reading in readings(claim)]
        first = next(value for _, value in tried if value is not None)
        cells = dict.fromkeys(signed(term)[0].removesuffix(LAST_YEAR) for reading, _ in tried for term in reading)
        found.append(
            make_finding(
                "claim_mismatch",
                words={
                    "text": shortened(claim.text),
                    "value": claim.value,
                    "readings": "；".join(_reading_words(form, r, v, True) for r, v in tried),
                    "readings_en": "; ".join(_reading_words(form, r, v, False) for r, v in tried),
                },
                cells=tuple(cell for cell in cells if cell in form.by_id),
                expected=claim.value,
                found=first,
                difference=first - claim.value,
                address=claim.at,
            )
        )
    return found
