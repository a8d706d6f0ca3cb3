"""The official annual report (年度报告) of a region and year in three forms: page, Word document, PDF.

Belongs here: the one call that makes them all. Does not belong here: content, drawing or reading of texts (modules
beside this one).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from pipelines.publish.report.content import compose_report
from pipelines.publish.report.fill import Note, Stated
from pipelines.publish.report.html import report_html
from pipelines.publish.report.typeset import NO_FONT, Fonts, find_fonts, report_pdf
from pipelines.publish.report.word import report_docx
from schemas.form import Form
from schemas.narrative import Narrative
from schemas.region import Region

HTML, DOCX, PDF = "report.html", "report.docx", "report.pdf"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The report's files by name, and what it leaves out. ``report.pdf`` is absent where no Chinese font is found."""

    files: dict[str, bytes]
    notes: tuple[Note, ...]


def stated_indicators(rows: Iterable[Mapping[str, Any]]) -> dict[str, Stated]:
    """The rows of the ``indicators`` table as figures by indicator id."""
    return {row["indicator"]: Stated(row["value"], row["qualifier"] == "at_least") for row in rows}


def build_report(
    form: Form,
    region: Region,
    year: int,
    totals: Mapping[str, Decimal | None],
    indicators: Mapping[str, Stated],
    narrative: Narrative | None,
    previous: Mapping[str, Decimal | None] | None = None,
    *,
    release: str = "",
    fonts: Callable[[], Fonts | None] = find_fonts,
) -> Report:
    """The official report from accepted data: ``report.html``, ``report.docx``; with a Chinese font ``report.pdf``.

    ``totals`` by cell id in the units of the form, None for a figure that nobody gave (printed blank); ``indicators``
    by id (see ``stated_indicators``); ``narrative`` from ``load_narrative``; ``previous``: last year's totals, only
    where those are public too; ``release``: the id of the release that they are of. ``fonts`` finds the fonts of the
    PDF, by default those of this machine. The same input gives the same bytes; those of the PDF depend on the font as
    well.

    Legal source: articles 49 and 50 of the Regulation (国务院令第711号).
    """
    content = compose_report(form, region, year, totals, indicators, narrative, previous, release)
    files = {HTML: report_html(content), DOCX: report_docx(content)}
    notes = content.notes
    found = fonts()
    if found is None:
        notes += (NO_FONT,)
    else:
        files[PDF] = report_pdf(content, found)
    return Report(files=files, notes=notes)
