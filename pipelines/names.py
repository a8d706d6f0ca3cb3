"""Which body of a region's roster a name or a title means: a leaf that any stage may import.

Belongs here: comparing names, finding one in a title, and the roster by code and name, made once for many questions.
Does not belong here: reading the roster (regions.py), or judging whose return a file is (pipelines/validate/roster.py).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

import msgspec

from schemas.region import Body, Region

SAMPLE_SUFFIX = "(示例)"  # after NFKC; the sample's names carry it, titles often do not
_CHINESE = re.compile(r"[\u3400-\u9fff]")
# What may follow a body's name in a title; before it, words such as 分局 make it another body's name.
_TITLE_GOES_ON = re.compile(r"关于|政府信息|政务|信息公开|公开|年")
_OTHER_BODY = re.compile(r"(分局|支局|所|站|中心|大队|支队|学校|中学|小学|幼儿园|医院|卫生院|公司)$")


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What the bodies of a region are called: each code, name and alias as it is compared.

    ``lengths``: the different lengths of the names; ``own``: the region's own name as it is compared.
    """

    bodies: Mapping[str, Body]
    lengths: tuple[int, ...]
    own: str


def plain_name(text: str) -> str:
    """``text`` as names are compared: width folded, no white space, without the sample's （示例）."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).replace(SAMPLE_SUFFIX, "")


def names_of(region: Region) -> Names:
    """The names of a region's bodies, of every year."""
    bodies = {plain_name(name): body for body in region.bodies for name in (body.code, body.name_zh, *body.aliases)}
    lengths = tuple(sorted({len(name) for name in bodies}))
    return Names(bodies=bodies, lengths=lengths, own=plain_name(region.settings.name_zh))


def _is_own(title: str, start: int, end: int, full: bool) -> bool:
    """Whether the name from ``start`` to ``end`` of a title is that body's own there.

    It is not where it is the tail of another place's name (an alias that lacks the region's), or the start of a
    branch's.
    """
    following = re.match(r"[\u3400-\u9fff]*", title[end:])
    tail = _TITLE_GOES_ON.split(following[0] if following else "", maxsplit=1)[0]
    before = title[start - 1] if start else ""
    cut_off = not full and _CHINESE.match(before) is not None and before not in "年度"
    return not cut_off and _OTHER_BODY.search(tail) is None


def _inside(names: Names, title: str) -> Iterator[tuple[int, int]]:
    """Where names stand in a title, from their lengths: a title is short, a roster may be long."""
    for length in names.lengths:
        for start in range(len(title) - length + 1):
            if title[start : start + length] in names.bodies:
                yield start, start + length


def find_name(names: Names, text: str) -> Body | None:
    """The body that ``text`` (a name, or a title holding one) means; None where none or more than one is meant.

    White space, letter width and （示例） do not matter. A text that is a name or alias is that body's; otherwise the
    longest name inside it counts. An alias without the region's name (县财政局) must not follow another word, so
    that a neighbouring county's bureau is not taken for this one's; nor is a body's branch (财政局乡镇财政所).
    """
    title = plain_name(text)
    if not title:
        return None
    if title in names.bodies:
        return names.bodies[title]
    spans = set(_inside(names, title))
    outer = [one for one in spans if not any(o[0] <= one[0] and one[1] <= o[1] and o != one for o in spans)]
    found = [(names.bodies[title[start:end]], start, end) for start, end in outer]
    if len({body.code for body, _, _ in found}) != 1:
        return None
    own = [_is_own(title, start, end, title[start:end].startswith(names.own)) for _, start, end in found]
    return found[0][0] if any(own) else None


def find_body(region: Region, text: str) -> Body | None:
    """``find_name`` for a single question. For many, take ``names_of`` once."""
    return find_name(names_of(region), text)
