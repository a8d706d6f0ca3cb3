"""Text becomes a number, or is kept as said: the one place for both.

Belongs here: digits of any width, separators, signs, units that a cell itself states, marks for “none”, Chinese
numerals. Does not belong here: which cell of the form it is (match.py), whether the figure is plausible in its
return (pipelines/validate).
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Literal

import msgspec

from schemas.intake import State

MAX_WHOLE, MAX_DECIMALS = 14, 4
MOST_KEPT = 400  # characters: what is remembered of texts, which anybody may send, is bounded
Doubt = Literal["", "too_long", "unit", "sign"]

_NONE = re.compile(r"^(?:[/\\]+|[-−–—―‐‑‒﹣]{1,4}|无|暂无|没有|未发生|不涉及|不适用|n/?a)[.。]?$", re.IGNORECASE)
_GROUPED = re.compile(r"^\d{1,3}(?:[,，'’ ]\d{3})+(?:\.\d+)?$")
_PLAIN = re.compile(r"^(?:\d+(?:\.\d*)?|\.\d+)$")
_SIGNED = re.compile(r"^(增加|减少|新增|增|减|[+\-−–—－＋])\s*(.+)$")
_UNIT = re.compile(r"^(.*?[\d])\s*([^\d\s.,，+\-]{1,6})$")
# A remark has words: a bare number in brackets may be a second figure, and then nobody knows which one is meant.
_REMARK = re.compile(r"^(.*?)\s*[(\[【]([^()\[\]【】]*[一-鿿][^()\[\]【】]*)[)\]】]\s*$", re.DOTALL)
_TWO = re.compile(r"\d[^\d.]+\d")
_EXPONENT = re.compile(r"^\d+(?:\.\d+)?e[+-]?\d{1,2}$")
_MONEY = {"元": 0, "万元": 4, "亿元": 8, "千元": 3, "百元": 2, "人民币": 0, "元整": 0, "万": 4, "亿": 8}
_COUNTERS = ("件", "条", "个", "份", "宗", "例", "起", "次", "件次", "项", "人", "人次")
_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_PLACES = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}


class Reading(msgspec.Struct, frozen=True):
    """What a text says: ``state``, the ``value`` in the cell's unit where it says a number, and a ``doubt``.

    ``doubt``: ``too_long`` for more digits than a figure may have, ``unit`` for a stated unit that the cell cannot
    have, ``sign`` for a word of change in a cell that is no change. A doubtful text has state ``text``. ``remark`` is
    what stands in brackets after the number.
    """

    state: State
    value: Decimal | None = None
    doubt: Doubt = ""
    remark: str = ""


_BLANK = Reading("blank")


def tidy(text: str) -> str:
    """Full-width forms made plain and outer white space (of any width) gone."""
    return unicodedata.normalize("NFKC", text).replace("\u200b", "").replace("\ufeff", "").strip()


def chinese_number(text: str) -> int | None:
    """``三十七`` -> 37, ``两`` -> 2, ``一万零五`` -> 10005; None for anything else."""
    if not text or any(character not in _DIGITS and character not in _PLACES for character in text):
        return None
    if all(character in _DIGITS for character in text):
        return int("".join(str(_DIGITS[character]) for character in text)) if len(text) < 9 else None
    total = section = digit = largest = 0
    for character in text:
        if character in _DIGITS:
            digit = _DIGITS[character]
            continue
        place = _PLACES[character]
        if place >= 10_000:
            section += digit
            # 亿 multiplies everything before it (一万亿), 万 behind 亿 only its own section (一亿二千万)
            total = (total + section) * place if place > largest else total + section * place
            largest = max(largest, place)
            section = 0
        else:
            section += (digit or (1 if place == 10 else 0)) * place
        digit = 0
    return total + section + digit


def _exact(digits: str) -> Decimal | None:
    """The plain number that ``digits`` spells, without rounding; None if it is none."""
    if _GROUPED.match(digits):
        digits = re.sub(r"[,，'’ ]", "", digits)
    elif not _PLAIN.match(digits) and not _EXPONENT.match(digits):
        return None
    return Decimal(digits)


def fits(value: Decimal) -> bool:
    """Whether the figure has at most 14 digits before the point and 4 behind it (trailing zeros do not count)."""
    exponent = value.normalize().as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return decimals <= MAX_DECIMALS and abs(value) < Decimal(10) ** MAX_WHOLE


def _scaled(value: Decimal, places: int) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        return value.scaleb(places)


def _convert(value: Decimal, stated: str, unit: str) -> Decimal | None:
    """``value`` of the stated unit in ``unit``; None when the two do not go together."""
    if stated in _MONEY and unit in ("元", "万元"):
        return _scaled(value, _MONEY[stated] - _MONEY[unit])
    if stated in _MONEY and unit not in _MONEY and stated in ("元", "万元", "亿元"):
        return None
    return value if stated in _COUNTERS and unit not in _MONEY else None


def read_value(text: str, kind: str = "count", unit: str = "", number: str = "") -> Reading:
    """What a cell's ``text`` says, for a cell of that kind and unit. ``number``: its exact number where stored as one.

    Never raises. A unit changes the value only when the cell itself states it; a unit the form leaves open (neither
    元 nor 万元) keeps the figure as printed.
    """
    return (_kept if len(text) + len(number) <= MOST_KEPT else _read)(text, kind, unit, number)


def _read(text: str, kind: str, unit: str, number: str) -> Reading:
    if number:
        value = _exact(tidy(number).lstrip("+-").lower())
        if value is not None:
            return _bounded(-value if tidy(number).startswith("-") else value, "")
    said = tidy(text)
    if not said:
        return _BLANK
    if _NONE.match(said):
        return Reading("slash")
    reading = _figure(said, kind, unit)
    if reading is not None:
        return reading
    remarked = _REMARK.match(said)
    if remarked and remarked.group(1):
        reading = _figure(remarked.group(1).strip(), kind, unit)
        if reading is not None:
            return msgspec.structs.replace(reading, remark=remarked.group(2).strip())
    return Reading("text")


_kept = lru_cache(maxsize=8192)(_read)


def _bounded(value: Decimal, remark: str) -> Reading:
    return Reading("given", value, "", remark) if fits(value) else Reading("text", None, "too_long", remark)


def _figure(said: str, kind: str, unit: str) -> Reading | None:
    """A number with an optional sign and an optional unit; None when ``said`` is anything else."""
    sign, body, word = 1, said, ""
    signed = _SIGNED.match(said)
    if signed:
        word, body = signed.group(1), signed.group(2).strip()
        sign = -1 if word[0] in "-−–—－减" else 1
    body = body.lower()
    value = _exact(re.sub(r"\s+", " ", body))
    stated = ""
    if value is None:
        parts = _UNIT.match(body)
        if not parts:
            return None
        value, stated = _exact(parts.group(1).strip()), parts.group(2)
        if value is None:
            return None
        if unit in _MONEY or stated not in _MONEY:
            converted = _convert(value, stated, unit)
            if converted is None:
                return Reading("text", None, "unit") if stated in _MONEY or stated in _COUNTERS else None
            value = converted
        elif kind != "money":
            return Reading("text", None, "unit")
    if word and word[0] in "增减新" and kind != "signed_count":
        return Reading("text", None, "sign")
    return _bounded(sign * value, "")


def runs_together(text: str) -> bool:
    """Whether a text that is no figure holds two of them: a separator between two cells may have been lost."""
    return len(text) <= 60 and bool(_TWO.search(text)) and not looks_like_value(text)


def looks_like_value(text: str, number: str = "") -> bool:
    """Whether a text would pass as the content of a figure's cell (a number or a mark for none), of any kind."""
    if number:
        return True
    if not text or len(text) > 60:
        return False
    return _looks(text)


@lru_cache(maxsize=8192)
def _looks(text: str) -> bool:
    state = _kept(text, "signed_count", "", "").state
    return state in ("given", "slash") or _kept(text, "money", "万元", "").state == "given"
