"""The official annual report as a list of blocks, before it is drawn: headings, paragraphs, the tables of the form.

Belongs here: the order of the report, which sentence stands where, figures laid on the drawn form. Does not belong
here: the wording (schemas/reports, regions/), page, document or PDF (html.py, word.py, typeset.py).

Legal source: articles 49 and 50 of the Regulation (国务院令第711号); layout of the tables: 国办公开办函〔2021〕30号.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Literal

import msgspec

from pipelines.layout import SUPPLEMENT_HEAD, SUPPLEMENT_PREFIX, Box, Drawing, draw
from pipelines.publish.page_text import visible
from pipelines.publish.report.fill import (
    Figures,
    MissingFigureError,
    Note,
    Stated,
    fill,
    missing_note,
    say,
    typed_note,
)
from schemas.findings import number_text
from schemas.form import Form
from schemas.narrative import Narrative, ReportDeclaration, Section, Sentence, Topic, load_report
from schemas.region import Region

NO_TEXT = "（本部分文字尚未审定。）"


class Heading(msgspec.Struct, frozen=True, tag="heading"):
    """A heading: level 1 of a section, level 2 of a topic."""

    level: int
    text: str


class Paragraph(msgspec.Struct, frozen=True, tag="paragraph"):
    """A paragraph of running text; ``right`` for the signature and its date."""

    text: str
    look: Literal["body", "right"] = "body"


class Table(msgspec.Struct, frozen=True, tag="table"):
    """A drawn table with the text of every figure by cell id; "" where nobody gave it. ``heads``: rows of heads."""

    title: str
    drawing: Drawing
    texts: dict[str, str]
    heads: int
    shares: tuple[float, ...]

    def text(self, box: Box) -> str:
        """What is printed in a box."""
        return self.texts[box.cell] if box.role == "cell" else box.text_zh


Block = Heading | Paragraph | Table


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The report before drawing. ``notice`` is not empty where the data are synthetic."""

    title: str
    author: str
    notice: str
    notice_en: str
    blocks: tuple[Block, ...]
    notes: tuple[Note, ...]


def _plain(block: Block) -> Block:
    """A block whose text holds no control or direction character: it comes from files that people wrote."""
    if isinstance(block, Heading):
        return Heading(block.level, visible(block.text))
    if isinstance(block, Paragraph):
        return Paragraph(visible(block.text), block.look)
    return block


def _heads(drawing: Drawing) -> int:
    """How many rows at the top hold heads alone; they are repeated on every page."""
    first = min((box.row for box in drawing.boxes if box.role != "head"), default=drawing.rows)
    return max(1, first)


def _shares(drawing: Drawing) -> tuple[float, ...]:
    """The width of each column as a share of the line: label columns by what they hold, figures alike."""
    figures = {
        column for box in drawing.boxes if box.role == "cell" for column in range(box.column, box.column + box.columns)
    }
    labels = [column for column in range(drawing.columns) if column not in figures]
    weights = [1.0] * drawing.columns
    if len(labels) > 1:  # group heads are narrow and run downwards, the row's own label takes a broad column
        for column in labels[:-1]:
            weights[column] = 1.1
        weights[labels[0]] = 0.65
        weights[labels[-1]] = 3.6
    elif labels:
        weights[labels[0]] = 1.2
    total = sum(weights)
    return tuple(round(weight / total, 4) for weight in weights)


def form_table(form: Form, table: str, totals: Mapping[str, Decimal | None]) -> Table:
    """A table of the form with its figures, exactly as drawn. A figure that nobody gave stays blank, never 0."""
    drawing = draw(form, table)
    texts = {box.cell: number_text(totals.get(box.cell)) for box in drawing.boxes if box.role == "cell"}
    return Table(drawing.title_zh, drawing, texts, _heads(drawing), _shares(drawing))


def supplement_table(region: Region, indicators: Mapping[str, Stated]) -> Table | None:
    """The region's own indicators as a table; None where it has none."""
    if region.supplement is None or not region.supplement.indicators:
        return None
    boxes = [Box(row=0, column=column, role="head", text_zh=text) for column, text in enumerate(SUPPLEMENT_HEAD)]
    texts: dict[str, str] = {}
    for row, declared in enumerate(region.supplement.indicators, 1):
        cell = SUPPLEMENT_PREFIX + declared.id
        stated = indicators.get(declared.id, Stated(None))
        texts[cell] = number_text(stated.value) + ("余" if stated.value is not None and stated.at_least else "")
        boxes += [
            Box(row=row, column=column, role="label", text_zh=text)
            for column, text in enumerate((declared.id, visible(declared.label_zh), visible(declared.unit)))
        ]
        boxes.append(Box(row=row, column=len(SUPPLEMENT_HEAD) - 1, role="cell", cell=cell))
    drawing = Drawing(
        table="indicators",
        number_zh="附",
        title_zh=region.supplement.title_zh,
        title_en=region.supplement.title_en,
        rows=len(region.supplement.indicators) + 1,
        columns=len(SUPPLEMENT_HEAD),
        boxes=tuple(boxes),
    )
    return Table(drawing.title_zh, drawing, texts, 1, (0.37, 0.41, 0.09, 0.13))


class _Writer:
    """Collects blocks and notes of one report."""

    def __init__(self, figures: Figures, report: ReportDeclaration, narrative: Narrative | None) -> None:
        self.figures, self.report, self.narrative = figures, report, narrative
        self.sentences = report.sentences + (narrative.sentences if narrative else ())
        self.notes: dict[tuple[str, str], Note] = {}

    def note(self, note: Note) -> None:
        self.notes.setdefault((note.kind, note.message_zh), note)

    def said(self, sentences: Iterator[Sentence]) -> str:
        texts = []
        for sentence in sentences:
            try:
                texts.append(say(self.figures, sentence))
            except MissingFigureError as error:
                self.note(missing_note(self.figures, sentence.id, error))
        return "".join(texts)

    def reviewed(self, topic: str, paragraphs: tuple[str, ...]) -> Iterator[Paragraph]:
        for text in paragraphs:
            typed = typed_note(topic, text)
            if typed:
                self.note(typed)
            try:
                yield Paragraph(fill(self.figures, text))
            except MissingFigureError as error:
                self.note(missing_note(self.figures, topic, error))

    def topic(self, topic: Topic) -> list[Block]:
        passage = self.narrative.passage(topic.id) if self.narrative else None
        before = list(self.reviewed(topic.id, passage.before)) if passage else []
        after = list(self.reviewed(topic.id, passage.after)) if passage else []
        own = tuple(sentence for sentence in self.sentences if sentence.topic == topic.id)
        said = self.said(iter(own))
        blocks: list[Block] = [*before, *([Paragraph(said)] if said else []), *after]
        if not blocks and not own:
            self.note(
                Note(
                    kind="no_text",
                    place=topic.id,
                    message_zh=f"“{topic.title_zh or topic.id}”没有经审定的文字，请写入 narrative.toml。",
                    message_en=f"There is no reviewed text for {topic.id}; write it into narrative.toml.",
                )
            )
            blocks = [Paragraph(NO_TEXT)] if not topic.title_zh or self.narrative is None else []
        if topic.title_zh and blocks:
            blocks.insert(0, Heading(2, topic.title_zh))
        return blocks

    def section(self, section: Section) -> list[Block]:
        blocks: list[Block] = [Heading(1, f"{section.number_zh}、{section.title_zh}")]
        for topic in section.topics:
            blocks += self.topic(topic)
        if section.table:
            blocks.append(form_table(self.figures.form, section.table, self.figures.totals))
        return blocks


def compose_report(
    form: Form,
    region: Region,
    year: int,
    totals: Mapping[str, Decimal | None],
    indicators: Mapping[str, Stated],
    narrative: Narrative | None,
    previous: Mapping[str, Decimal | None] | None = None,
    release: str = "",
) -> Content:
    """The report of a region and year as blocks. Pure.

    ``totals`` and ``previous`` by cell id, in the units of the form; ``indicators`` by id. ``previous`` is only for
    figures that were published: what stands in the report is public. ``release``: the id of the release that the
    figures are of, stated at the end. Raises KeyError for an edition without a report.
    """
    report = load_report(form.edition)
    figures = Figures(form=form, region=region, year=year, totals=totals, indicators=indicators, previous=previous)
    settings = region.settings
    writer = _Writer(figures, report, narrative)
    blocks: list[Block] = [Paragraph(fill(figures, text)) for text in report.introduction]
    for section in report.sections:
        blocks += writer.section(section)
    blocks.append(Paragraph(settings.publisher.name_zh, "right"))
    if narrative is not None and narrative.dated is not None:
        dated = narrative.dated
        blocks.append(Paragraph(f"{dated.year}年{dated.month}月{dated.day}日", "right"))
    annex = supplement_table(region, indicators)
    if annex is not None:
        blocks += [Heading(1, f"附：{annex.title}"), annex]
    if release:
        blocks.append(Paragraph(f"本报告的统计数据取自已发布的开放数据版本 {release}。"))
    title = visible(fill(figures, report.title_zh))
    notice = notice_en = ""
    if settings.synthetic:
        title += "（示例）"
        notice = visible(f"示例报告，用于演示，不是任何机关的正式文件。{settings.synthetic_note_zh}")
        notice_en = visible(
            f"Demonstration only; no authority issued this report. {settings.synthetic_note_en}"
        ).strip()
    return Content(
        title=title,
        author=visible(settings.publisher.name_zh),
        notice=notice,
        notice_en=notice_en,
        blocks=tuple(_plain(block) for block in blocks),
        notes=tuple(writer.notes.values()),
    )
