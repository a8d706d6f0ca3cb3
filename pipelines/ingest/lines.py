"""A Document as lines of slots in reading order, whatever its format: the one shape that matching works on.

Belongs here: splitting text lines at pipes, tabs and between numbers; telling labels, figures and words apart;
leaving out page numbers and the rules of drawn tables. Does not belong here: which cell of the form a slot is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

import msgspec

from pipelines.ingest.document import Document, Grid, Paragraph, TextCell
from pipelines.ingest.labels import SHORT, Kind, Meaning, ending_of, meanings_of, plain
from pipelines.ingest.normalise import looks_like_value

SlotKind = Literal["empty", "value", "label", "words"]
_SEPARATOR = re.compile(r"[|｜│┃\t]")
_RULE = re.compile(r"^[\s|:+\-–—─━=┼├┤┌┐└┘┬┴│]+$")
_PAGE = re.compile(
    r"^(?:[-–—―•·\s]+\d{1,3}[-–—―•·\s]+|第\s*\d{1,3}\s*页.*|p(?:age)?\.?\s*\d{1,3}\b.*|\d{1,3}\s*/\s*\d{1,3})$"
)
_FIGURE = r"(?:[+\-－]?\d[\d,，.]*|[/—－-])"
_FIGURES = re.compile(rf"^{_FIGURE}(?:[ \u3000\u00a0]+{_FIGURE})+$")
_TRAILING = re.compile(rf"^(.*?[^\d\s.,，])[ \u3000\u00a0]*[ \u3000\u00a0]({_FIGURE}(?:[ \u3000\u00a0]+{_FIGURE})*)$")
# A remark on a figure says what the figure contains; anything else in brackets is a label or a note of its own.
_REMARK = re.compile(r"^[(（]\s*(?:其中|含|包括|包含|不含|另|均)[^()（）]*[)）]$")
_SECTION = re.compile(r"^[#*\s]*[一二三四五六七八九十]{1,3}\s*[、.．]")


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of a line: a cell of a grid, or a part of a text line. ``column`` is 0-based."""

    text: str
    at: str
    kind: SlotKind
    column: int = 0
    columns: int = 1
    rows: int = 1
    number: str = ""
    formula: bool = False


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a grid or one line of text.

    ``grid`` is the grid's position among the document's grids, -1 for text; ``row`` its row there. ``raw`` is the text
    of a line that has separators. ``prose``: running text, of which nothing is a cell. ``section``: a numbered heading
    that is no label of the form.
    """

    slots: tuple[Slot, ...]
    grid: int = -1
    row: int = -1
    raw: str = ""
    prose: bool = False
    section: bool = False
    at: str = ""


def label_meanings(text: str) -> tuple[Meaning, ...]:
    """What a slot's text means as a label: itself, or its end when the labels of groups stand before it."""
    return meanings_of(text) or ending_of(text)


def row_named(text: str, edition: str, table: str) -> str:
    """The id of the row that a text names in a table of an edition, "" for none."""
    return (_row_named if len(text) <= SHORT else _row_named.__wrapped__)(text, edition, table)


@lru_cache(maxsize=8192)
def _row_named(text: str, edition: str, table: str) -> str:
    meant = (m for m in label_meanings(text) if m.kind == "row" and m.table == table and m.edition == edition)
    return next((meaning.id for meaning in meant), "")


def may_be(text: str, kind: Kind, table: str) -> bool:
    """Whether a text may be a label of that kind in a table of any edition."""
    return (_may_be if len(text) <= SHORT else _may_be.__wrapped__)(text, kind, table)


@lru_cache(maxsize=8192)
def _may_be(text: str, kind: Kind, table: str) -> bool:
    return any(meaning.kind == kind and meaning.table == table for meaning in label_meanings(text))


def slot_kind(text: str, number: str = "", formula: bool = False) -> SlotKind:
    """What a piece of text is by itself."""
    return (_kind_kept if len(text) + len(number) <= SHORT else _kind)(text, number, formula)


def _kind(text: str, number: str, formula: bool) -> SlotKind:
    if formula or (text and looks_like_value(text, number)) or number:
        return "value"
    if not text.strip():
        return "empty"
    return "label" if label_meanings(text) else "words"


_kind_kept = lru_cache(maxsize=8192)(_kind)


def _slot(text: str, at: str, column: int) -> Slot:
    said = text.strip()
    return Slot(text=said, at=at, kind=slot_kind(said), column=column)


def flatten(document: Document) -> tuple[Line, ...]:
    """All lines of a document in reading order."""
    lines: list[Line] = []
    grids = 0
    for item in document.items:
        if isinstance(item, Paragraph):
            for line in item.text.splitlines():
                _text_line(line, item.at, lines)
        else:
            lines += _grid_lines(item, grids)
            grids += 1
    return tuple(lines)


def grids_of(document: Document) -> tuple[Grid, ...]:
    """The document's grids, by the numbers that ``Line.grid`` uses."""
    return tuple(item for item in document.items if isinstance(item, Grid))


def _grid_lines(grid: Grid, number: int) -> list[Line]:
    rows: dict[int, list[TextCell]] = {}
    for cell in grid.cells:  # trailing empty cells too: one of them may be a blank total
        rows.setdefault(cell.row, []).append(cell)
    lines: list[Line] = []
    for row in sorted(rows):
        slots = tuple(
            Slot(
                text=cell.text,
                at=cell.at or grid.at,
                kind=slot_kind(cell.text, cell.number, cell.formula),
                column=cell.column,
                columns=cell.columns,
                rows=cell.rows,
                number=cell.number,
                formula=cell.formula,
            )
            for cell in sorted(rows[row], key=lambda cell: cell.column)
        )
        lines.append(Line(slots=slots, grid=number, row=row, at=grid.at))
    return lines


def _text_line(text: str, at: str, lines: list[Line]) -> None:
    said = text.strip(" \u3000\u00a0")
    if _SEPARATOR.search(text):
        if not (_RULE.match(said) and "--" in said.replace("─", "-").replace("—", "-")):
            lines.append(_piped(text, at))
        return
    said = said.strip()
    if not said or (_RULE.match(said) and len(said) > 4) or _PAGE.match(plain(said)):
        return
    if _REMARK.match(said) and lines and _joins_remark(said, lines):
        return
    trailing = _TRAILING.match(said)
    if _FIGURES.match(said):
        lines.append(Line(slots=_numbers(said, at, 0), at=at))
    elif trailing and _labelled(*trailing.groups()):  # before the label alone: marks for none are no part of it
        label, figures = trailing.groups()
        lines.append(Line(slots=(_slot(label, at, 0), *_numbers(figures, at, 1)), at=at))
    elif slot_kind(said) in ("value", "label"):
        lines.append(Line(slots=(_slot(said, at, 0),), at=at))
    else:
        lines.append(_words(said, at))


def _labelled(label: str, figures: str) -> bool:
    """Whether words with figures behind them are a row: a known label, or an unknown one with a row of figures."""
    return bool(label_meanings(label.strip())) or (len(figures.split()) >= 3 and len(label) <= 60)


def _words(said: str, at: str) -> Line:
    """A line of words: a heading, a part of a label, or prose."""
    section = bool(_SECTION.match(said)) and len(said) <= 60 and not said.endswith(("。", "；", ";"))
    prose = len(said) > 60 or any(mark in said for mark in "。；")
    return Line(slots=(Slot(text=said, at=at, kind="words"),), prose=prose and not section, section=section, at=at)


def _numbers(text: str, at: str, first: int) -> tuple[Slot, ...]:
    return tuple(_slot(part, at, first + position) for position, part in enumerate(text.split()))


def _piped(text: str, at: str) -> Line:
    """A line with separators. The bars at both ends of a row are its frame, not cells."""
    pieces = _SEPARATOR.split(text)
    if "\t" not in text:
        if len(pieces) > 1 and not pieces[0].strip():
            pieces = pieces[1:]
        if pieces and not pieces[-1].strip():
            pieces = pieces[:-1]
    slots = tuple(_slot(piece, at, column) for column, piece in enumerate(pieces))
    return Line(slots=slots, raw=text, at=at)


def _joins_remark(said: str, lines: list[Line]) -> bool:
    """A remark in brackets on a line of its own belongs to the single figure above it."""
    above = lines[-1]
    if above.grid >= 0 or above.raw or len(above.slots) != 1 or above.slots[0].kind != "value":
        return False
    slot = above.slots[0]
    lines[-1] = msgspec.structs.replace(above, slots=(msgspec.structs.replace(slot, text=f"{slot.text}{said}"),))
    return True


def stream(lines: tuple[Line, ...]) -> tuple[Slot, ...]:
    """The slots of consecutive lines as one stream in which the end of a text line ends nothing.

    Bars and tabs divide; where two of them stand with nothing between them, even across a line end, there is an empty
    slot. Lines without separators divide at their ends and never make an empty slot. Grid rows keep their cells.
    """
    out: list[Slot] = []
    piece: list[Slot] = []

    def close(empty_at: str | None) -> None:
        if piece:
            out.extend(piece)
            piece.clear()
        elif empty_at is not None:
            out.append(Slot(text="", at=empty_at, kind="empty", column=len(out)))

    started = framed = False
    for line in lines:
        if line.grid >= 0 or line.prose or line.section:
            close(None)
            started = framed = False
            out.extend(line.slots)
            continue
        if not line.raw:
            piece.extend(line.slots)
            continue
        pieces = _SEPARATOR.split(line.raw)
        bare = not line.raw.strip(" \t|｜│┃")
        # Rows framed by bars at both ends: the two bars where one ends and the next begins hold no cell.
        between = framed and not bare and not pieces[0].strip()
        framed = not bare and not pieces[-1].strip()
        for position, text in enumerate(pieces):
            if position:
                close(line.at if started and not (between and position == 1) else None)
                started = True
            said = text.strip()
            if said:
                _extend(piece, said, line.at)
    close(None)
    return tuple(out)


def _extend(piece: list[Slot], said: str, at: str) -> None:
    """Add text to the open piece; a remark in brackets joins the figure before it."""
    if piece and piece[-1].kind == "value" and _REMARK.match(said):
        piece[-1] = msgspec.structs.replace(piece[-1], text=f"{piece[-1].text}{said}")
    else:
        piece.append(_slot(said, at, 0))
