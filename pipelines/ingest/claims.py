"""Figures stated in sentences: claims about cells, and the processing fees that the form has only in words.

Belongs here: numbers in running text and the declared patterns (schemas/claims.toml) around them. Does not belong
here: whether a claim agrees with its cells (pipelines/validate/claims.py).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache, lru_cache

import msgspec

from pipelines.ingest.normalise import chinese_number, fits
from pipelines.ingest.running import Running
from schemas.claims import ClaimPattern, FeePattern, expand, load_claims
from schemas.form import Form, edition_for, editions, load_form
from schemas.intake import Claim, ReadCell

_STOPS = "。;!?"
_CLAUSE = ",:()" + _STOPS
_YEAR = re.compile(r"20\d\d(?=年)")
_CARRYING = re.compile(r"20\d\d年度?(?:的)?(?:结转|转结|接转|延续)|(?:结转|顺延|转入|转)(?:至|到|入)?20\d\d年")
_NEAR = 12
_MONEY = {"元": 0, "万元": 4}


class _Number(msgspec.Struct, frozen=True):
    """A number with its unit in ``text``: where it stands, its value, its unit, and whether it is only approximate."""

    start: int
    end: int
    value: Decimal
    unit: str
    vague: bool


@cache
def _numbers_pattern() -> re.Pattern[str]:
    declared = load_claims()
    units = {*declared.counters, *_MONEY, *(unit for fee in declared.fees for unit in fee.counters)}
    longest = "|".join(sorted(map(re.escape, units), key=lambda unit: (-len(unit), unit)))
    return re.compile(
        rf"(?<![\d.第])(\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d{{1,14}}(?:\.\d+)?|[零一二两三四五六七八九十百千]{{1,7}})(余|多|万)?({longest})"
    )


def _numbers(text: str) -> list[_Number]:
    found: list[_Number] = []
    for match in _numbers_pattern().finditer(text):
        digits, mark, unit = match.groups()
        if digits[0].isdigit():
            value = Decimal(digits.replace(",", ""))
        else:
            spelt = chinese_number(digits)
            if spelt is None:
                continue
            value = Decimal(spelt)
        if mark == "万":
            value = value.scaleb(4)
        found.append(_Number(match.start(), match.end(), value, unit, mark in ("余", "多")))
    return found


class _Place(msgspec.Struct, frozen=True):
    """What stands around a number: from the number before or the sentence's start, its clause, and what follows."""

    before: str
    clause: str
    after: str
    said_before: str
    sentence: str


def _places(text: str, numbers: Sequence[_Number], units: Collection[str]) -> Iterator[tuple[_Number, _Place]]:
    """The numbers in one of ``units``, each with what stands around it."""
    for position, number in enumerate(numbers):
        if number.unit not in units:
            continue
        previous = numbers[position - 1].end if position else 0
        stop = max((text.rfind(mark, 0, number.start) for mark in _STOPS), default=-1) + 1
        start = max(previous, stop)
        clause = max((text.rfind(mark, start, number.start) for mark in _CLAUSE), default=-1) + 1
        ends = [end for end in (text.find(mark, number.end) for mark in "。!?") if end >= 0]
        begins = max((text.rfind(mark, 0, number.start) for mark in "。!?"), default=-1) + 1
        yield (
            number,
            _Place(
                before=text[start : number.start],
                clause=text[max(clause, start) : number.start],
                after=text[number.end : number.end + 24],
                said_before=text[: number.start],
                sentence=text[begins : min(ends, default=len(text))],
            ),
        )


@cache
def _patterns_by_unit() -> dict[str, tuple[ClaimPattern, ...]]:
    """The declared claims that a number in a unit may make, in declared order."""
    declared = load_claims()
    found: dict[str, list[ClaimPattern]] = {}
    for pattern in declared.claims:
        for unit in dict.fromkeys(pattern.counters or declared.counters):
            found.setdefault(unit, []).append(pattern)
    return {unit: tuple(patterns) for unit, patterns in found.items()}


@cache
def _compiled(pattern: str, year: int | None) -> re.Pattern[str]:
    """A declared expression with YEAR, YEAR-1 and YEAR+1 filled in; of an unknown year they match nothing."""
    for name, offset in (("YEAR-1", -1), (r"YEAR\+1", 1), ("YEAR", 0)):
        pattern = pattern.replace(name, "(?!)" if year is None else str(year + offset))
    return re.compile(pattern)


@cache
def _ending(pattern: str, year: int | None) -> re.Pattern[str]:
    """The same for what must stand at the end of a text."""
    return _compiled(f"(?:{pattern})$", year)


def find_claims(text: Sequence[Running], editions_by_table: Mapping[str, str], year: int | None) -> tuple[Claim, ...]:
    """Every claim of a document's running text (running.paragraphs), in reading order.

    ``editions_by_table``: as the tables were read; a table that was not read counts as of the year's edition, else the
    newest.
    """
    claims: dict[tuple[str, Decimal, str], Claim] = {}
    for block in text:
        for claim in [*_stated(block, editions_by_table, year), *_denied(block, editions_by_table, year)]:
            claims.setdefault((claim.cell, claim.value, claim.text), claim)
    return tuple(claims.values())


def _form(cell: str, editions_by_table: Mapping[str, str], year: int | None) -> Form:
    edition = editions_by_table.get(cell.split(".", 1)[0])
    if edition is None:
        edition = editions()[-1]
        if year is not None:
            try:
                edition = edition_for(year)
            except KeyError:
                edition = editions()[-1]
    return load_form(edition)


def _stated(block: Running, by_table: Mapping[str, str], year: int | None) -> Iterator[Claim]:
    subject = ""
    numbers = _numbers(block.text)
    patterns = _patterns_by_unit()
    for number, place in _places(block.text, numbers, patterns):
        best: ClaimPattern | None = None
        length = 0
        for pattern in patterns[number.unit]:
            matched = _matches(pattern, place, year)
            if matched > length:
                best, length = pattern, matched
        if best is None:
            continue
        if best.subject is not None:
            subject = best.subject
        if number.vague or not _of_this_year(place, year):
            continue
        if best.column:
            about = subject if subject and _has(subject, best.column, by_table, year) else best.default
            cell = f"{about}.{best.column}" if about else ""
        else:
            cell = best.cell
        if not cell:
            continue
        claim = _claim(cell, best.readings, number.value, number.unit, block, number.start, number.end, by_table, year)
        if claim is not None:
            yield claim


def _has(subject: str, column: str, by_table: Mapping[str, str], year: int | None) -> bool:
    return _expanded(_form(subject, by_table, year).edition, (f"{subject}.{column}",)) is not None


@lru_cache(maxsize=4096)
def _expanded(edition: str, reading: tuple[str, ...]) -> tuple[str, ...] | None:
    return expand(load_form(edition), reading)


def _matches(pattern: ClaimPattern, place: _Place, year: int | None) -> int:
    """How many characters before the number the pattern explains, 0 where it does not fit."""
    declared = load_claims()
    said = _ending(pattern.say, year).search(place.before + "#")
    if said is None:
        return 0
    if pattern.after and not _compiled(pattern.after, year).match(place.after):
        return 0
    if pattern.topic:
        topic = _compiled(declared.topics[pattern.topic], year)
        before = f"{place.clause}#" if pattern.near == "clause" else place.said_before
        if topic.search(before + place.after[:14]) is None:
            return 0
    own = place.clause + "#"
    if pattern.veto and _compiled(pattern.veto, year).search(own):
        return 0
    if pattern.veto_sentence and _compiled(pattern.veto_sentence, year).search(_hashed(place.sentence)):
        return 0
    if _compiled(declared.never[0], year).search(own[-_NEAR:]) or _compiled(declared.never[1], year).search(own):
        return 0
    after = len(pattern.after) and 4
    return said.end() - said.start() + after


def _hashed(sentence: str) -> str:
    return _numbers_pattern().sub("#", sentence)


def _of_this_year(place: _Place, year: int | None) -> bool:
    """Whether no other year is named for the number; years of a carry-over are part of what is said."""
    if year is None:
        return True
    named = [int(found) for found in _YEAR.findall(_CARRYING.sub("", place.before))]
    return not named or named[-1] == year


def _claim(
    cell: str,
    readings: Sequence[tuple[str, ...]],
    value: Decimal,
    unit: str,
    block: Running,
    start: int,
    end: int,
    by_table: Mapping[str, str],
    year: int | None,
) -> Claim | None:
    form = _form(cell, by_table, year)
    expanded = [_expanded(form.edition, reading) for reading in (readings or ((cell,),))]
    known = tuple(reading for reading in expanded if reading is not None)
    if not known:
        return None
    first = _expanded(form.edition, (cell,)) or known[0]
    value = _in_unit(value, unit, form.by_id[first[0]].unit)
    text, at = _sentence(block, start, end)
    return Claim(cell=first[0].removeprefix("-"), value=value, text=text, at=at, readings=known)


def _in_unit(value: Decimal, stated: str, unit: str) -> Decimal:
    if stated in _MONEY and unit in _MONEY:
        return value.scaleb(_MONEY[stated] - _MONEY[unit])
    return value


def _sentence(block: Running, start: int, end: int) -> tuple[str, str]:
    """The sentence around a place, verbatim, and its address."""
    begins = max((block.text.rfind(mark, 0, start) for mark in _STOPS), default=-1) + 1
    ends = [found for found in (block.text.find(mark, end) for mark in _STOPS) if found >= 0]
    last = min(ends, default=len(block.text) - 1) + 1
    return block.said(begins, last), block.address(begins)


def _denied(block: Running, by_table: Mapping[str, str], year: int | None) -> Iterator[Claim]:
    for pattern in load_claims().nothing:
        for match in _compiled(pattern.say, year).finditer(block.text):
            before = block.text[max(0, block.text.rfind("。", 0, match.start())) : match.start()]
            named = [int(found) for found in _YEAR.findall(before)]
            if year is not None and named and named[-1] != year:
                continue
            claim = _claim(
                pattern.cell, pattern.readings, Decimal(0), "", block, match.start(), match.end(), by_table, year
            )
            if claim is not None:
                yield claim


def find_fees(text: Sequence[Running], year: int | None) -> tuple[ReadCell, ...]:
    """The processing fees that the running text states, in the form's order; a cell stated in two ways is left out."""
    found: dict[str, list[tuple[Decimal, str, str]]] = {}
    for block in text:
        numbers = _numbers(block.text)
        for pattern in load_claims().fees:
            nothing = _denied_fee(pattern, block, year) if pattern.zero else []
            for cell in pattern.cells:
                found.setdefault(cell, []).extend(nothing or _fee(pattern, cell, block, numbers, year))
    form = _form("processing_fees", {}, year)
    return tuple(
        ReadCell(cell=cell.id, value=stated[0][0], raw=stated[0][1], state="given", at=stated[0][2])
        for cell in form.cells
        if (stated := found.get(cell.id)) and len({value for value, _, _ in stated}) == 1
    )


def _denied_fee(pattern: FeePattern, block: Running, year: int | None) -> list[tuple[Decimal, str, str]]:
    """Where the text says that there were none."""
    return [
        (Decimal(0), block.said(*match.span()), block.address(match.start()))
        for match in _compiled(pattern.zero, year).finditer(block.text)
    ]


def _fee(
    pattern: FeePattern, cell: str, block: Running, numbers: Sequence[_Number], year: int | None
) -> Iterator[tuple[Decimal, str, str]]:
    if not any(number.unit in pattern.counters for number in numbers):
        return
    unit = load_form(editions()[-1]).by_id[cell].unit
    for number, place in _places(block.text, numbers, pattern.counters):
        if number.vague:
            continue
        if not _ending(pattern.figure, year).search(place.before + "#"):
            continue
        if pattern.after and not _compiled(pattern.after, year).match(place.after):
            continue
        value = _in_unit(number.value, number.unit, unit)
        if fits(value):
            yield value, block.said(number.start, number.end), block.address(number.start)
