"""Sentences filled with figures: a slot becomes a number, and a sentence that lacks one is left out with a note.

Belongs here: the value of a slot, the words of a figure and of a change, which sentences are said. Does not belong
here: the sentences (schemas/reports, regions/) or the order of the report (content.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from schemas.findings import number_text
from schemas.form import Form
from schemas.narrative import INDICATORS, SLOT, Sentence, Slot, read_slot
from schemas.region import Region

_MORE_THAN = "余"
_DIGITS = re.compile(r"[0-9０-９]+")


class Stated(msgspec.Struct, frozen=True):
    """An indicator's figure; ``at_least``: the county says "more than" (余)."""

    value: Decimal | None
    at_least: bool = False


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What the report leaves out or could not be checked, and why. ``kind`` is stable, for machines.

    Kinds: missing_figure, no_previous_year, no_text, typed_figure, no_font.
    """

    kind: str
    place: str
    message_zh: str
    message_en: str


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that slots may speak of. ``previous`` None: no figures of the year before."""

    form: Form
    region: Region
    year: int
    totals: Mapping[str, Decimal | None]
    indicators: Mapping[str, Stated]
    previous: Mapping[str, Decimal | None] | None = None

    def value(self, cell: str, last_year: bool) -> Decimal | None:
        """The figure of a cell or indicator, None where nobody gave it."""
        kind, _, name = cell.partition(".")
        if kind == INDICATORS:
            stated = self.indicators.get(name)
            return None if last_year or stated is None else stated.value
        return (self.previous or {}).get(cell) if last_year else self.totals.get(cell)

    def unit(self, cell: str) -> str:
        """The unit of a cell of the form; "" for an indicator."""
        found = self.form.by_id.get(cell)
        return found.unit if found else ""

    def word(self, name: str) -> str:
        """The word of a slot such as ``{year}``."""
        settings = self.region.settings
        words = {
            "year": str(self.year),
            "last_year": str(self.year - 1),
            "next_year": str(self.year + 1),
            "region": settings.name_zh,
            "publisher": settings.publisher.name_zh,
        }
        return words[name]


class MissingFigureError(LookupError):
    """A slot needs figures that nobody gave; ``cells`` names them, ``previous``: those of the year before."""

    def __init__(self, cells: tuple[str, ...], previous: bool) -> None:
        self.cells, self.previous = cells, previous
        super().__init__(", ".join(cells))


def slot_value(figures: Figures, slot: Slot, last_year: bool = False) -> Decimal:
    """The sum of a slot. ``last_year``: of the year before. Raises MissingFigureError naming every missing cell."""
    total = Decimal(0)
    missing: list[str] = []
    before = False
    for term in slot.terms:
        value = figures.value(term.cell, term.last_year or last_year)
        if value is None:
            missing.append(term.cell)
            before = before or term.last_year or last_year
        else:
            total += term.sign * value
    if missing:
        raise MissingFigureError(tuple(missing), before)
    return total


def _change(figures: Figures, slot: Slot) -> str:
    difference = slot_value(figures, slot) - slot_value(figures, slot, last_year=True)
    if not difference:
        return "持平"
    word = "增加" if difference > 0 else "减少"
    return f"{word}{number_text(abs(difference))}{figures.unit(slot.terms[0].cell)}"


def _at_least(figures: Figures, slot: Slot) -> bool:
    names = [term.cell.partition(".")[2] for term in slot.terms if term.cell.startswith(f"{INDICATORS}.")]
    return any(name in figures.indicators and figures.indicators[name].at_least for name in names)


def fill(figures: Figures, text: str) -> str:
    """``text`` with every slot filled. Raises MissingFigureError, ValueError for a slot that is none."""
    missing: list[str] = []
    before = False

    def filled(match: re.Match[str]) -> str:
        nonlocal before
        slot = read_slot(figures.form, match[1])
        if slot.word:
            return figures.word(slot.word)
        try:
            if slot.change:
                return _change(figures, slot)
            number = number_text(slot_value(figures, slot))
        except MissingFigureError as error:
            missing.extend(error.cells)
            before = before or error.previous
            return ""
        return number + (_MORE_THAN if _at_least(figures, slot) else "")

    result = SLOT.sub(filled, text)
    if missing:
        raise MissingFigureError(tuple(dict.fromkeys(missing)), before)
    return result


def _sum(figures: Figures, expression: str) -> Decimal:
    return slot_value(figures, read_slot(figures.form, expression))


def _nothing_to_say(figures: Figures, clause: str) -> bool:
    """Whether every figure of a clause is zero."""
    slots = [read_slot(figures.form, match[1]) for match in SLOT.finditer(clause)]
    return not any(slot_value(figures, slot) for slot in slots if slot.terms)


def say(figures: Figures, sentence: Sentence) -> str:
    """The sentence with its figures and full stop, "" where its conditions do not hold. Raises MissingFigureError."""
    if any(_sum(figures, expression) != 0 for expression in sentence.if_zero):
        return ""
    if any(_sum(figures, expression) <= 0 for expression in sentence.if_positive):
        return ""
    parts = [fill(figures, sentence.text)]
    parts += [fill(figures, clause) for clause in sentence.clauses if not _nothing_to_say(figures, clause)]
    return "，".join(parts) + "。"


def missing_note(figures: Figures, place: str, error: MissingFigureError) -> Note:
    """The note of a sentence that was left out."""
    if error.previous and figures.previous is None:
        return Note(
            kind="no_previous_year",
            place=place,
            message_zh=f"没有给出{figures.year - 1}年的数字，与上年比较的句子未写入报告。",
            message_en=f"No figures of {figures.year - 1} given; the sentence that compares with them is left out.",
        )
    names = [figures.form.by_id[cell].label_zh if cell in figures.form.by_id else cell for cell in error.cells]
    return Note(
        kind="missing_figure",
        place=place,
        message_zh=f"缺少数字：{'、'.join(names)}。用到它的句子未写入报告；补报后重新生成。",
        message_en=f"No figure for {', '.join(error.cells)}; the sentence is left out. Collect it and build again.",
    )


def typed_note(place: str, text: str) -> Note | None:
    """A note where reviewed text holds digits outside slots: a figure typed by hand agrees with no data by itself."""
    typed = _DIGITS.findall(SLOT.sub("", text))
    if not typed:
        return None
    listed = "、".join(typed)
    return Note(
        kind="typed_figure",
        place=place,
        message_zh=f"文字中直接写了数字 {listed}，不是从数据填入的。请核对，或改为数据项。",
        message_en=f"The text holds typed figures ({listed}) that do not come from the data; check them or use slots.",
    )
