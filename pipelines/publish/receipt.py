"""The receipt (回执) of one body as one HTML page that a clerk can read, print and mail.

Belongs here: the page. Does not belong here: what it says (receipt_view.py), the look (templates/), the terminal
(receipt_text.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

import msgspec

from pipelines.layout import Drawing, draw_form
from pipelines.publish.page import render
from pipelines.publish.page_text import one_line
from pipelines.publish.receipt_view import (
    ONE_WAY,
    OTHER_WAYS,
    TIES,
    Mark,
    Status,
    View,
    build_view,
)
from schemas.findings import Figure, Finding, number_text
from schemas.form import Form
from schemas.intake import Explanation
from schemas.region import Body, Region

_LONGEST_RAW = 40


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One box of the picture. ``text`` the figure or what stands there, ``raw`` the wording where it differs."""

    role: str
    rows: int
    columns: int
    text: str
    text_en: str
    cell: str
    raw: str
    mark: Mark | None


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """One table as printed, line by line."""

    number_zh: str
    title_zh: str
    title_en: str
    marked: bool
    lines: tuple[tuple[Shown, ...], ...]


def _same_number(raw: str, value: Figure) -> bool:
    try:
        return Decimal(raw.strip()) == value
    except InvalidOperation:
        return False


def _clip(raw: str) -> str:
    text = one_line(raw)
    return text if len(text) <= _LONGEST_RAW else text[: _LONGEST_RAW - 1] + "…"


def _figure(cell: str, values: Mapping[str, Figure | None], raws: Mapping[str, str | None]) -> tuple[str, str]:
    """What the picture shows of a cell: the figure and, where it is not simply that figure, the wording."""
    value, raw = values.get(cell), raws.get(cell)
    if value is None:
        return (_clip(raw), "") if raw and raw.strip() else ("", "")
    if raw is None or _same_number(raw, value):
        return number_text(value), ""
    return number_text(value), _clip(raw) or "空格"


def _picture(
    drawing: Drawing,
    values: Mapping[str, Figure | None],
    raws: Mapping[str, str | None],
    marks: Mapping[str, Mark],
) -> Picture:
    lines: list[list[Shown]] = [[] for _ in range(drawing.rows)]
    for box in drawing.boxes:
        text, raw = _figure(box.cell, values, raws) if box.cell else (box.text_zh, "")
        lines[box.row].append(
            Shown(
                role=box.role,
                rows=box.rows,
                columns=box.columns,
                text=text,
                text_en=box.text_en,
                cell=box.cell,
                raw=raw,
                mark=marks.get(box.cell) if box.cell else None,
            )
        )
    return Picture(
        number_zh=drawing.number_zh,
        title_zh=drawing.title_zh,
        title_en=drawing.title_en,
        marked=any(shown.mark for line in lines for shown in line),
        lines=tuple(map(tuple, lines)),
    )


def _pictures(
    form: Form, view: View, values: Mapping[str, Figure | None], raws: Mapping[str, str | None]
) -> tuple[Picture, ...]:
    if not any(value is not None for value in values.values()) and not any(raws.values()):
        return ()
    return tuple(_picture(drawing, values, raws, view.marks) for drawing in draw_form(form))


def receipt_page(
    form: Form,
    region: Region | None,
    year: int | None,
    body: Body | None,
    findings: Sequence[Finding],
    explanations: Sequence[Explanation],
    values: Mapping[str, Figure | None],
    raws: Mapping[str, str | None],
    file: str,
    status: Status,
    versions: int = 1,
    *,
    addresses: Mapping[str, str] | None = None,
) -> bytes:
    """The receipt as one UTF-8 HTML page that needs nothing else; the same arguments give the same bytes.

    ``values`` are in the form's units, None or absent where not given; ``raws`` the texts as they stand in ``file``;
    ``status`` as in the ``bodies`` table or in the JSON of `gongkai check`; ``versions`` files received from the body;
    ``addresses`` places of cells in the file. Region, year and body are None where a lone file is checked.
    """
    view = build_view(
        form,
        region,
        year,
        body,
        findings,
        explanations,
        values,
        file=file,
        status=status,
        versions=versions,
        addresses=addresses or {},
    )
    pictures = _pictures(form, view, values, raws)
    return render(
        "receipt.html",
        {
            "view": view,
            "pictures": pictures,
            "drawn": {shown.cell for picture in pictures for line in picture.lines for shown in line if shown.cell},
            "basis": form.declaration.basis,
            "regulation": form.declaration.regulation,
            "best_title": TIES if len(view.best) > 1 else ONE_WAY,
            "others_title": OTHER_WAYS,
        },
    )
