"""A body's annual report in words and tables, as it stands before it is given a file format.

Belongs here: the order of a report and its sentences with the return's own figures (narrative.toml). Does not belong
here: file formats (documents.py) or inventing figures (county.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec

from pipelines.layout import SUPPLEMENT_HEAD, Drawing, draw_form
from schemas.declaration import load_toml
from schemas.findings import number_text
from schemas.form import Form
from schemas.region import Body, Region

_PLACE = re.compile(r"\{([a-z0-9_.+]+)\}")


class Narrative(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file ``narrative.toml``."""

    title: str
    opening: str
    general_heading: str
    general: tuple[str, ...]
    problems_heading: str
    problems: tuple[str, ...]
    other_heading: str
    fees_none: str
    fees_some: str
    fees: tuple[str, ...]
    portal_site: str
    portal: tuple[tuple[str, str], ...]


class Plain(msgspec.Struct, frozen=True):
    """A table without merged boxes: the supplement's indicators."""

    rows: tuple[tuple[str, ...], ...]


class Heading(msgspec.Struct, frozen=True):
    """A section's heading."""

    text: str


Part = Heading | str | Drawing | Plain


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Title, the note that it is a sample, and the parts in order; ``figures`` is the text of every cell."""

    title: str
    note: str
    portal_site: str
    portal: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    figures: dict[str, str]


@cache
def load_narrative() -> Narrative:
    """The sample's words. Raises DeclarationError."""
    return load_toml(Path(__file__).with_name("narrative.toml"), Narrative)


def compose(
    form: Form,
    region: Region,
    body: Body,
    year: int,
    values: Mapping[str, Decimal],
    indicators: Mapping[str, Decimal | str],
) -> Report:
    """The body's report for a year. Raises KeyError for a place in the narrative that is no cell of the form."""
    words = load_narrative()
    names = {"name": body.name_zh, "year": str(year), "basis": form.declaration.basis}

    def said(template: str) -> str:
        def place(match: re.Match[str]) -> str:
            name = match[1]
            if name in names:
                return names[name]
            return number_text(sum((values[cell] for cell in name.split("+")), Decimal(0)))

        return _PLACE.sub(place, template)

    names["title"] = said(words.title)
    parts: list[Part] = [said(words.opening), Heading(words.general_heading)]
    parts += [said(paragraph) for paragraph in words.general]
    plain = _indicators(region, indicators)
    if plain and region.supplement:
        parts += [region.supplement.title_zh, plain]
    for drawing in draw_form(form):
        if form.table(drawing.table).arrangement != "text":
            parts += [Heading(f"{drawing.number_zh}、{drawing.title_zh}"), drawing]
    fees = words.fees_some if any(values[cell] for cell in words.fees) else words.fees_none
    parts += [Heading(words.problems_heading), *words.problems, Heading(words.other_heading), said(fees)]
    return Report(
        title=names["title"],
        note=region.settings.synthetic_note_zh,
        portal_site=words.portal_site,
        portal=tuple((label, said(text)) for label, text in words.portal),
        parts=tuple(parts),
        figures={cell: number_text(value) for cell, value in values.items()},
    )


def _indicators(region: Region, given: Mapping[str, Decimal | str]) -> Plain | None:
    declared = region.supplement.indicators if region.supplement else ()
    rows = tuple(
        (i.id, i.label_zh, i.unit, value if isinstance(value, str) else number_text(value))
        for i in declared
        if (value := given.get(i.id)) is not None
    )
    return Plain((SUPPLEMENT_HEAD, *rows)) if rows else None
