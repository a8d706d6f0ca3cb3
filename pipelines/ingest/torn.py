"""Rows of a printed table that the end of a page has torn in two.

Where a row does not fit on a page, some programs print its first lines there and the rest at the top of the next page.
Either half looks like a row of its own: half a label, half of the figures' digits, empty cells where all was said on
the page before.

Belongs here: finding such rows and putting right what can be. Does not belong here: pages (readers/pdf.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from pipelines.ingest.labels import Meaning, meanings_of
from pipelines.ingest.lines import Line, Slot, label_meanings

# Between the halves stand at most the foot of one page and the head of the next.
MOST_BETWEEN = 3
_NUMBER = re.compile(r"\d{1,2}[.、．]")


def mended(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The lines of a printed document without torn rows.

    Where the second half holds nothing but the rest of the label, the first half gets its whole label. Where figures
    may have been torn, neither half is kept: half of a number is a number too.
    """
    kept: dict[int, Line] = dict(enumerate(lines))
    for first, second in _breaks(lines):
        upper, lower = lines[first], lines[second]
        if not any(_figure(slot) for slot in _body(upper)) or all(slot.kind == "empty" for slot in lower.slots):
            continue
        label = _label(upper)
        rest = None if label is None else _rest(label, lower)
        if label is not None and rest is not None and not any(slot.text.strip() for slot in _behind(rest, lower)):
            joined = msgspec.structs.replace(label, text=label.text + rest.text, kind="label")
            slots = tuple(joined if slot is label else slot for slot in upper.slots)
            kept[first] = msgspec.structs.replace(upper, slots=slots)
            kept.pop(second)
        elif label is None or rest is not None or not any(_names_row(slot.text) for slot in lower.slots):
            kept.pop(first, None)
            kept.pop(second)
    return tuple(kept[number] for number in sorted(kept))


def _rest(label: Slot, lower: Line) -> Slot | None:
    """The slot that goes on with half a label, so that both together name a row; None where there is none."""
    if label.kind == "label" and _names_row(label.text):
        return None
    said = (slot for slot in lower.slots if slot.text.strip())
    return next((slot for slot in said if _is_row(meanings_of(label.text + slot.text))), None)


def _behind(slot: Slot, line: Line) -> tuple[Slot, ...]:
    return line.slots[line.slots.index(slot) + 1 :]


def _breaks(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """The last row of each grid and the first of the next behind repeated heads, where only a page ends between."""
    found: list[tuple[int, int]] = []
    last = -1
    for number, line in enumerate(lines):
        if line.grid < 0:
            if line.section or any(slot.kind == "label" for slot in line.slots):
                last = -1
            continue
        if last >= 0 and line.grid != lines[last].grid:
            if _heads(line):
                continue  # ``last`` stays: the torn row may follow the heads
            if number - last - 1 - sum(_heads(between) for between in lines[last + 1 : number]) <= MOST_BETWEEN:
                found.append((last, number))
        last = number
    return found


def _heads(line: Line) -> bool:
    """Whether a row holds heads of columns or a title, and no figure."""
    kinds = {meaning.kind for slot in line.slots for meaning in meanings_of(slot.text)}
    return bool(kinds - {"row", "row_group"}) and not any(_figure(slot) for slot in line.slots)


def _figure(slot: Slot) -> bool:
    """Whether a slot holds a figure, or the digits of one below one another."""
    return slot.kind == "value" or "".join(slot.text.split()).isdecimal()


def _label(line: Line) -> Slot | None:
    """The slot in front of the figures in which the row's label or a part of it stands."""
    found: Slot | None = None
    for slot in line.slots:
        if slot.kind == "empty":
            continue
        numbered = found is None and _NUMBER.fullmatch("".join(slot.text.split()))
        if _figure(slot) and not numbered:
            break
        found = slot
    return found


def _body(line: Line) -> tuple[Slot, ...]:
    """The slots behind the label."""
    label = _label(line)
    return _behind(label, line) if label is not None else line.slots


def _names_row(text: str) -> bool:
    return _is_row(label_meanings(text))


def _is_row(meanings: Sequence[Meaning]) -> bool:
    return any(meaning.kind == "row" for meaning in meanings)
