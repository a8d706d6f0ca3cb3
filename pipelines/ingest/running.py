"""Running text without its accidents, and the way back to the words as they stand.

Belongs here: text made comparable character by character (white space gone, half-width, simplified) with the place of
every character in the original; paragraphs put together from lines. Does not belong here: what the text says.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

import msgspec

from pipelines.ingest.labels import PINYIN, SHORT, simplified
from pipelines.ingest.lines import Line

_SUBSECTION = re.compile(r"^\s*[(（]\s*[一二三四五六七八九十]{1,3}\s*[)）]")
_LONG = 25


class Running(msgspec.Struct, frozen=True):
    """``text`` is comparable; ``origin[n]`` is where its character ``n`` stands in ``raw``. ``starts``: where each line
    of ``raw`` begins, and ``at`` its address."""

    text: str
    raw: str
    origin: tuple[int, ...]
    starts: tuple[int, ...] = (0,)
    at: tuple[str, ...] = ("",)

    def said(self, start: int, end: int) -> str:
        """The original words behind ``text[start:end]``, verbatim."""
        if start >= end:
            return ""
        return self.raw[self.origin[start] : self.origin[end - 1] + 1]

    def address(self, position: int) -> str:
        """The address of the line in which ``text[position]`` stands."""
        place = self.origin[position] if position < len(self.origin) else 0
        found = ""
        for start, at in zip(self.starts, self.at, strict=True):
            if start > place:
                break
            found = at
        return found


def running(raw: str, starts: tuple[int, ...] = (0,), at: tuple[str, ...] = ("",)) -> Running:
    """``raw`` as running text. Case, width, script, white space and pinyin annotations do not matter any more."""
    pieces = list(map(_comparable, raw))
    for match in PINYIN.finditer(raw):
        start, end = match.span()
        pieces[start:end] = [""] * (end - start)
    text = "".join(pieces)
    if len(text) == len(raw) and "" not in pieces:
        return Running(text, raw, tuple(range(len(raw))), starts, at)
    return Running(text, raw, tuple(place for place, piece in enumerate(pieces) for _ in piece), starts, at)


def line_of(raw: str) -> Running:
    """One line as running text. Short ones are remembered: most are the form's labels, the same in every file."""
    return _line_kept(raw) if len(raw) <= SHORT else running(raw)


@lru_cache(maxsize=4096)
def _line_kept(raw: str) -> Running:
    return running(raw)


@lru_cache(maxsize=8192)
def _comparable(character: str) -> str:
    """What one character is in comparable text: "" for white space, several for a ligature."""
    plain = unicodedata.normalize("NFKC", character).translate(simplified()).lower()
    return "".join(letter for letter in plain if not letter.isspace() and letter != "\u200b")


def paragraphs(lines: Sequence[Line]) -> tuple[Running, ...]:
    """The running text of a document, broken at headings, numbered sub-headings and tables.

    Lines that a page or a text file has broken off are one text again. Cells of grids count where they hold sentences.
    """
    blocks: list[Running] = []
    open_: list[tuple[str, str]] = []

    def close() -> None:
        if open_:
            texts = [text for text, _ in open_]
            starts = tuple(accumulate((len(text) + 1 for text in texts[:-1]), initial=0))
            blocks.append(running("\n".join(texts), starts, tuple(at for _, at in open_)))
            open_.clear()

    for line in lines:
        said = [slot for slot in line.slots if slot.kind != "empty"]
        if line.section or not said or any(slot.kind != "words" for slot in said):
            close()
            continue
        if line.grid >= 0 and len(said) > 1:
            close()
            blocks += [running(slot.text, (0,), (slot.at,)) for slot in said if len(slot.text) > _LONG]
            continue
        text = said[0].text if len(said) == 1 else "".join(slot.text for slot in said)
        if _SUBSECTION.match(text):
            close()
        open_.append((text, said[0].at or line.at))
    close()
    return tuple(blocks)
