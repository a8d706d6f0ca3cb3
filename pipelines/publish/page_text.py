"""Text that is safe to look at, on a page or on a terminal.

Belongs here: making invisible or harmful characters visible, the width and wrapping of mixed Chinese and Latin text.
Does not belong here: HTML escaping (the template engine does it, page.py), wording (receipt_view.py, schemas/findings).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Spaces that people really type in Chinese documents; every other character that does not print is shown by its code.
_SPACES = frozenset(" \t\n\u00a0\u3000\u202f\u205f" + "".join(map(chr, range(0x2000, 0x200B))))
_PIECE = re.compile(r"[!-~\u00a1-\u024f]+|\s|.", re.DOTALL)
_NOT_FIRST = frozenset("，。、；：？！）」』”’》〉】…％～｜,.;:?!)]}%")
_NOT_LAST = frozenset("（「『“‘《〈【([{")


def visible(text: str) -> str:
    """``text`` with every control, direction, zero-width and unpaired character shown as ``⟨U+202E⟩``.

    What remains can neither turn the direction of the line, nor steer a terminal, nor fail to encode as UTF-8.
    """
    if text.isprintable():
        return text
    text = text.replace("\r\n", "\n")
    return "".join(c if c.isprintable() or c in _SPACES else f"⟨U+{ord(c):04X}⟩" for c in text)


def one_line(text: str) -> str:
    """``text`` made visible and on one line, so that it cannot pass for lines of the report around it."""
    return re.sub(r"\s+", " ", visible(text)).strip()


def width(text: str) -> int:
    """The columns of a terminal that ``text`` takes; a Chinese character takes two."""
    from rich.cells import cell_len

    return cell_len(text)


def pad(text: str, columns: int, right: bool = False) -> str:
    """``text`` filled with blanks to ``columns``, on its left side if ``right`` aligned."""
    blanks = " " * (columns - width(text))
    return blanks + text if right else text + blanks


def _pieces(text: str) -> list[str]:
    """Parts between which a line may break: a Chinese character with its punctuation, a Latin word, a blank."""
    pieces: list[str] = []
    for piece in _PIECE.findall(text):
        sticks = pieces and not pieces[-1].isspace() and (piece[0] in _NOT_FIRST or pieces[-1][-1] in _NOT_LAST)
        if sticks:
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return pieces


def _chopped(piece: str, columns: int) -> Iterator[str]:
    """A piece that is longer than a line, cut into lines."""
    line = ""
    for character in piece:
        if line and width(line + character) > columns:
            yield line
            line = ""
        line += character
    yield line


def wrap(text: str, columns: int, first: str = "", rest: str = "") -> list[str]:
    """``text`` in lines of at most ``columns``, the first beginning with ``first``, the others with ``rest``."""
    room = max(8, columns - max(width(first), width(rest)))
    lines: list[str] = []
    line = ""
    for piece in (part for whole in _pieces(one_line(text)) for part in _chopped(whole, room)):
        if line and width(line) + width(piece) > room:
            lines.append(line.rstrip())
            line = ""
        if line or not piece.isspace():
            line += piece
    lines.append(line.rstrip())
    return [(rest if number else first) + line for number, line in enumerate(lines)]
