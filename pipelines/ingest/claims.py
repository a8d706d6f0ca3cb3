"""Figures stated in sentences: claims about cells, and the processing fees that the form has only in words.

Belongs here: numbers in running text and the declared patterns (schemas/claims.toml) around them. Does not belong
here: whether a claim agrees with its cells (pipelines/validate/claims.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache, lru_cache
from typing import NamedTuple

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

    text: str
    start: int
    end: int
    before: str
    clause: str
    after: str

    @property
    def said_before(self) -> str:
        """Everything before the number."""
        return self.text[: self.start]

    @property
    def sentence(self) -> str:
        """The whole sentence."""
        begins = max((self.text.rfind(mark, 0, self.start) for mark in "。!?"), default=-1) + 1
        ends = [end for end in (self.text.find(mark, self.end) for mark in "。!?") if end >= 0]
        return self.text[begins : min(ends, default=len(self.text))]


class Said(msgspec.Struct, frozen=True):
    """One piece of running text with its numbers, each with what stands around it."""

    block: Running
    numbers: tuple[tuple[_Number, _Place], ...]


def said_in(text: Sequence[Running]) -> tuple[Said, ...]:
    """The numbers of a document's running text (running.paragraphs): what find_claims and find_fees look at."""
    return tuple(Said(block, tuple(_places(block.text, _numbers(block.text)))) for block in text)


def _places(text: str, numbers: Sequence[_Number]) -> Iterator[tuple[_Number, _Place]]:
    previous = 0
    for number in numbers:
        stop = max(text.rfind(mark, previous, number.start) for mark in _STOPS) + 1
        start = max(previous, stop)
        clause = max(text.rfind(mark, start, number.start) for mark in _CLAUSE) + 1
        previous = number.end
        yield (
            number,
            _Place(
                text=text,
                start=number.start,
                end=number.end,
                before=text[start : number.start],
                clause=text[max(clause, start) : number.start],
                after=text[number.end : number.end + 24],
            ),
        )


class _Ready(NamedTuple):
    """A declared claim with its expressions compiled for a report year; None for what it does not ask."""

    pattern: ClaimPattern
    say: re.Pattern[str]
    after: re.Pattern[str] | None
    topic: re.Pattern[str] | None
    veto: re.Pattern[str] | None
    veto_sentence: re.Pattern[str] | None


@lru_cache(maxsize=64)
def _ready(year: int | None) -> dict[str, tuple[_Ready, ...]]:
    """The declared claims that a number in a unit may make, in declared order."""
    declared = load_claims()

    def compiled(text: str) -> re.Pattern[str] | None:
        return _compiled(text, year) if text else None

    found: dict[str, list[_Ready]] = {}
    for pattern in declared.claims:
        topic = declared.topics[pattern.topic] if pattern.topic else ""
        ready = _Ready(
            pattern,
            _compiled(f"(?:{pattern.say})$", year),
            compiled(pattern.after),
            compiled(topic),
            compiled(pattern.veto),
            compiled(pattern.veto_sentence),
        )
        for unit in dict.fromkeys(pattern.counters or declared.counters):
            found.setdefault(unit, []).append(ready)
    return {unit: tuple(patterns) for unit, patterns in found.items()}


@lru_cache(maxsize=4096)
def _compiled(pattern: str, year: int | None) -> re.Pattern[str]:
    """A declared expression with YEAR, YEAR-1 and YEAR+1 filled in; of an unknown year they match nothing."""
    for name, offset in (("YEAR-1", -1), (r"YEAR\+1", 1), ("YEAR", 0)):
        pattern = pattern.replace(name, "(?!)" if year is None else str(year + offset))
    return re.compile(pattern)


def find_claims(text: Sequence[Said], editions_by_table: Mapping[str, str], year: int | None) -> tuple[Claim, ...]:
    """Every claim of a document's running text, in reading order.

    ``editions_by_table``: as the tables were read; a table that was not read counts as of the year's edition, else the
    newest.
    """
    claims: dict[tuple[str, Decimal, str], Claim] = {}
    for said in text:
        for claim in [*_stated(said, editions_by_table, year), *_denied(said.block, editions_by_table, year)]:
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


def _stated(said: Said, by_table: Mapping[str, str], year: int | None) -> Iterator[Claim]:
    block, subject = said.block, ""
    patterns = _ready(year)
    for number, place in said.numbers:
        best: ClaimPattern | None = None
        length = 0
        before = place.before + "#"
        for ready in patterns.get(number.unit, ()):
            if (found := ready.say.search(before)) and _holds(ready, place, year):
                explained = found.end() - found.start() + (4 if ready.after else 0)
                if explained > length:
                    best, length = ready.pattern, explained
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


def _holds(ready: _Ready, place: _Place, year: int | None) -> bool:
    """Whether all else that a claim asks of what stands around its number is so."""
    never = load_claims().never
    if ready.after and not ready.after.match(place.after):
        return False
    if ready.topic:
        before = f"{place.clause}#" if ready.pattern.near == "clause" else place.said_before
        if ready.topic.search(before + place.after[:14]) is None:
            return False
    own = place.clause + "#"
    if ready.veto and ready.veto.search(own):
        return False
    if ready.veto_sentence and ready.veto_sentence.search(_hashed(place.sentence)):
        return False
    return not (_compiled(never[0], year).search(own[-_NEAR:]) or _compiled(never[1], year).search(own))


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


@lru_cache(maxsize=64)
def _ready_fees(year: int | None) -> tuple[tuple[FeePattern, re.Pattern[str], re.Pattern[str] | None], ...]:
    """The declared fees, each with what it looks for (its zero, or its figure and what follows), for a report year."""
    return tuple(
        (
            fee,
            _compiled(fee.zero or f"(?:{fee.figure})$", year),
            _compiled(fee.after, year) if fee.after else None,
        )
        for fee in load_claims().fees
    )


def find_fees(text: Sequence[Said], year: int | None) -> tuple[ReadCell, ...]:
    """The processing fees that the running text states, in the form's order; a cell stated in two ways is left out."""
    found: dict[str, list[tuple[Decimal, str, str]]] = {}
    for said in text:
        for fee, wanted, after in _ready_fees(year):
            if fee.zero:
                nothing = [
                    (Decimal(0), said.block.said(*match.span()), said.block.address(match.start()))
                    for match in wanted.finditer(said.block.text)
                ]
                for cell in fee.cells:
                    found.setdefault(cell, []).extend(nothing)
                continue
            for number, place in said.numbers:
                if number.vague or number.unit not in fee.counters or not wanted.search(place.before + "#"):
                    continue
                if after is None or after.match(place.after):
                    for cell in fee.cells:
                        found.setdefault(cell, []).extend(_fee(cell, number, said.block))
    form = _form("processing_fees", {}, year)
    return tuple(
        ReadCell(cell=cell.id, value=stated[0][0], raw=stated[0][1], state="given", at=stated[0][2])
        for cell in form.cells
        if (stated := found.get(cell.id)) and len({value for value, _, _ in stated}) == 1
    )


def _fee(cell: str, number: _Number, block: Running) -> Iterator[tuple[Decimal, str, str]]:
    """The number in the cell's unit, unless it is none that a cell can have."""
    value = _in_unit(number.value, number.unit, load_form(editions()[-1]).by_id[cell].unit)
    if fits(value):
        yield value, block.said(number.start, number.end), block.address(number.start)
