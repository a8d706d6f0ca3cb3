"""The official annual report in words, as strict models: its sections, its standard sentences, the reviewed text.

Belongs here: the shape of ``reports/<edition>.toml`` (what every report says), of ``regions/<region>/sentences.toml``
(what this county adds) and of ``regions/<region>/<year>/narrative.toml`` (text that people reviewed), and what makes
them consistent. Does not belong here: filling sentences with figures or drawing a report (pipelines/publish/report).

A figure never stands in a sentence; a slot does. ``{requests.received.total}`` is a cell, ``{requests.refused*.total}``
the sum over the rows of the group ``refused``, ``{a.b.c + d.e.f}`` a sum, ``{indicators.NAME}`` an indicator of the
supplement, ``@last_year`` behind a term the figure of the year before and ``{change TERM}`` the words for the change
since then. ``{year}``, ``{last_year}``, ``{next_year}``, ``{region}`` and ``{publisher}`` are words.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import msgspec

from schemas.declaration import DeclarationError, line_of, read_toml
from schemas.form import Form, load_form, rows_of_group
from schemas.region import Supplement

REPORTS = Path(__file__).with_name("reports")
WORDS = ("year", "last_year", "next_year", "region", "publisher")
INDICATORS = "indicators"
SLOT = re.compile(r"\{([^{}]*)\}")
_TERM = re.compile(r"([+-]?)\s*([a-z0-9_]+(?:\.[a-z0-9_]+\*?){1,2})(@last_year)?\s*")
_CHANGE = "change "


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Strict base: unknown keys are refused."""


class Term(msgspec.Struct, frozen=True):
    """One signed figure of a slot: a cell id or ``indicators.NAME``."""

    sign: int
    cell: str
    last_year: bool


class Slot(msgspec.Struct, frozen=True):
    """What stands between braces: a word, or a sum of figures; ``change``: its change since last year, in words."""

    word: str
    terms: tuple[Term, ...]
    change: bool


class Sentence(_Model, frozen=True):
    """A sentence of a topic: ``text``, then those ``clauses`` whose figures are not all zero, then a full stop.

    ``if_zero`` and ``if_positive`` are sums, written like a slot without braces: the sentence is said only if every one
    of them is zero (positive).
    """

    id: str
    topic: str
    text: str
    clauses: tuple[str, ...] = ()
    if_zero: tuple[str, ...] = ()
    if_positive: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything in it that may hold slots."""
        return (self.text, *self.clauses)


class Topic(_Model, frozen=True):
    """A part of a section; without a title its sentences follow the section's heading directly."""

    id: str
    title_zh: str = ""


class Section(_Model, frozen=True):
    """A section of the report. ``table``: the table of the form that is printed in it."""

    number_zh: str
    title_zh: str
    title_en: str
    table: str = ""
    topics: tuple[Topic, ...] = ()


class ReportDeclaration(_Model, frozen=True):
    """``reports/<edition>.toml``: the report that article 50 of the Regulation and the form ask for."""

    edition: str
    title_zh: str
    basis: str
    introduction: tuple[str, ...]
    sections: tuple[Section, ...]
    sentences: tuple[Sentence, ...]

    @property
    def topics(self) -> tuple[str, ...]:
        """The ids of all topics, in order."""
        return tuple(topic.id for section in self.sections for topic in section.topics)


class Passage(_Model, frozen=True):
    """Reviewed paragraphs of a topic: ``before`` the sentences with figures and ``after`` them."""

    topic: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


class RegionSentences(_Model, frozen=True):
    """``regions/<region>/sentences.toml``: sentences on the county's own indicators."""

    sentences: tuple[Sentence, ...]


class Narrative(_Model, frozen=True):
    """``regions/<region>/<year>/narrative.toml``, joined with the region's own ``sentences``."""

    reviewed_by: str
    reviewed_on: datetime.date
    passages: tuple[Passage, ...]
    sentences: tuple[Sentence, ...] = ()
    dated: datetime.date | None = None

    def passage(self, topic: str) -> Passage | None:
        """The reviewed paragraphs of a topic, or None."""
        return next((passage for passage in self.passages if passage.topic == topic), None)


def _cells(form: Form, name: str) -> tuple[str, ...]:
    """The cells that a term names: itself, or with ``*`` the rows of a group. Raises ValueError."""
    if name.startswith(f"{INDICATORS}."):
        return (name,)
    table_id, _, rest = name.partition(".")
    row, _, column = rest.partition(".")
    if not row.endswith("*"):
        if name not in form.by_id:
            raise ValueError(f"no cell {name!r}")
        return (name,)
    try:
        table = form.table(table_id)
    except KeyError:
        raise ValueError(f"no table {table_id!r}") from None
    for block in table.blocks:
        if any(group.id == row[:-1] for group in block.row_groups) and any(c.id == column for c in block.columns):
            return tuple(f"{table_id}.{found.id}.{column}" for found in rows_of_group(block, row[:-1]))
    raise ValueError(f"no row group and column {name!r}")


def read_slot(form: Form, text: str) -> Slot:
    """The text between braces (or a condition) as a Slot. Raises ValueError saying what is wrong with it."""
    text = text.strip()
    if text in WORDS:
        return Slot(text, (), False)
    change = text.startswith(_CHANGE)
    rest = text.removeprefix(_CHANGE) if change else text
    terms: list[Term] = []
    at = 0
    while at < len(rest):
        match = _TERM.match(rest, at)
        if match is None or bool(terms) != bool(match[1]):
            raise ValueError(f"not a figure, a sum of figures or a word: {text!r}")
        if change and match[3]:
            raise ValueError(f"{text!r}: `change` compares with last year already")
        sign = -1 if match[1] == "-" else 1
        terms += [Term(sign, cell, bool(match[3])) for cell in _cells(form, match[2])]
        at = match.end()
    if not terms:
        raise ValueError("an empty slot")
    return Slot("", tuple(terms), change)


def read_slots(form: Form, text: str) -> Iterator[Slot]:
    """The slots of a text in order. Raises ValueError, also for a brace that stands alone."""
    if re.search(r"[{}]", SLOT.sub("", text)):
        raise ValueError(f"a brace without its twin in {text[:40]!r}")
    for match in SLOT.finditer(text):
        yield read_slot(form, match[1])


def _text_mistake(form: Form, text: str, indicators: frozenset[str]) -> str:
    try:
        for slot in read_slots(form, text):
            for term in slot.terms:
                kind, _, name = term.cell.partition(".")
                if kind == INDICATORS and name not in indicators:
                    return f"没有指标“{name}”。There is no indicator {name!r}"
    except ValueError as error:
        return str(error)
    return ""


def _sentence_mistakes(
    form: Form, sentences: Iterable[Sentence], topics: tuple[str, ...], indicators: frozenset[str]
) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for position, sentence in enumerate(sentences):
        path = f"$.sentences[{position}]"
        if sentence.id in seen:
            yield f"{path}.id", f"the id {sentence.id!r} is used twice"
        seen.add(sentence.id)
        if sentence.topic not in topics:
            yield f"{path}.topic", f"没有“{sentence.topic}”这一部分。There is no topic {sentence.topic!r}"
        for key, texts in (
            ("text", (sentence.text,)),
            ("clauses", sentence.clauses),
            ("if_zero", tuple(f"{{{text}}}" for text in sentence.if_zero)),
            ("if_positive", tuple(f"{{{text}}}" for text in sentence.if_positive)),
        ):
            for text in texts:
                problem = _text_mistake(form, text, indicators)
                if problem:
                    yield f"{path}.{key}", problem
        for clause in sentence.clauses:
            if not any(slot.terms for slot in read_slots(form, clause)):
                yield f"{path}.clauses", "a clause without a figure"


def _first(file: str, text: str, mistakes: Iterable[tuple[str, str]]) -> None:
    for path, problem in mistakes:
        raise DeclarationError(file, line_of(text, path), problem)


def _names(supplement: Supplement | None) -> frozenset[str]:
    return frozenset(indicator.id for indicator in supplement.indicators) if supplement else frozenset()


def read_report(text: str, file: str, form: Form) -> ReportDeclaration:
    """The report of an edition from its TOML text. Raises DeclarationError naming ``file`` and line."""
    report = read_toml(text, ReportDeclaration, file)
    mistakes: list[tuple[str, str]] = []
    if report.edition != form.edition:
        mistakes.append(("$.edition", f"edition {report.edition!r}, the form's is {form.edition!r}"))
    tables = {table.id for table in form.tables}
    for position, section in enumerate(report.sections):
        if section.table and section.table not in tables:
            mistakes.append((f"$.sections[{position}].table", f"no table {section.table!r}"))
    for paragraph in (report.title_zh, *report.introduction):
        problem = _text_mistake(form, paragraph, frozenset())
        if problem:
            mistakes.append(("$.introduction", problem))
    mistakes += _sentence_mistakes(form, report.sentences, report.topics, frozenset())
    _first(file, text, mistakes)
    return report


@cache
def load_report(edition: str) -> ReportDeclaration:
    """The report declared for an edition of the form. Raises KeyError where there is none."""
    path = REPORTS / f"{edition}.toml"
    if not path.is_file():
        raise KeyError(edition)
    return read_report(path.read_text(encoding="utf-8"), path.name, load_form(edition))


def report_editions() -> tuple[str, ...]:
    """The editions of the form that have a declared report."""
    return tuple(sorted(path.stem for path in REPORTS.glob("*.toml")))


def read_sentences(text: str, file: str, form: Form, supplement: Supplement | None) -> RegionSentences:
    """A region's own sentences from TOML text. Raises DeclarationError naming ``file`` and line."""
    found = read_toml(text, RegionSentences, file)
    topics = load_report(form.edition).topics
    _first(file, text, _sentence_mistakes(form, found.sentences, topics, _names(supplement)))
    return found


def read_narrative(text: str, file: str, form: Form, supplement: Supplement | None) -> Narrative:
    """The reviewed text of a year from TOML text. Raises DeclarationError naming ``file`` and line."""
    narrative = read_toml(text, Narrative, file)
    topics = load_report(form.edition).topics
    mistakes: list[tuple[str, str]] = []
    seen: set[str] = set()
    for position, passage in enumerate(narrative.passages):
        path = f"$.passages[{position}]"
        if passage.topic not in topics:
            mistakes.append((f"{path}.topic", f"没有“{passage.topic}”这一部分。There is no topic {passage.topic!r}"))
        if passage.topic in seen:
            mistakes.append((f"{path}.topic", f"the topic {passage.topic!r} is given twice"))
        seen.add(passage.topic)
        for key, paragraphs in (("before", passage.before), ("after", passage.after)):
            for paragraph in paragraphs:
                problem = _text_mistake(form, paragraph, _names(supplement))
                if problem:
                    mistakes.append((f"{path}.{key}", problem))
    mistakes += _sentence_mistakes(form, narrative.sentences, topics, _names(supplement))
    _first(file, text, mistakes)
    return narrative
