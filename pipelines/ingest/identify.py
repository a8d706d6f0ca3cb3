"""Who reports, and for which year, as the document itself says.

Belongs here: the title, the reporting period, the sentence of the maker, the signature. Does not belong here: the
roster (names are matched to bodies in pipelines/validate), the file's name and folder.

The year is the one that the evidence agrees on, weighed: a title and a reporting period count more than a mention.
What a template leaves behind does not count: circular numbers, years of laws, years that an edition of the form in the
file cannot have.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import msgspec

from pipelines.ingest.document import Document, Grid, Paragraph
from pipelines.ingest.labels import plain

# A heading is short; the name of a body is shorter still.
MOST_TITLE, MOST_NAME = 120, 40
_HAN = "一-鿿"
_YEAR = r"(?:20[0-4]\d|二[〇零○0]{1}[一-九〇零][一-九〇零])"
_SPACE = re.compile(r"\s+")
_TITLE = re.compile(
    rf"(?P<before>[{_HAN}()·0-9]*?)(?P<year>{_YEAR})\s*年?度?(?P<middle>[{_HAN}()·]{{0,{MOST_NAME}}}?)"
    rf"(?:政府)?信息公开(?:工作)?(?:年度)?(?:工作)?(?:报告|年报|统计表|情况统计表)"
)
_UNDATED = re.compile(rf"^(?P<before>[{_HAN}()·]{{2,{MOST_NAME}}}?)(?:政府)?信息公开(?:工作)?(?:年度)?(?:工作)?(?:报告|年报|统计表)$")
_PERIOD = re.compile(rf"({_YEAR})年?1月?1日(?:起|开始)?(?:至|到|—+|-+|~)(?:({_YEAR})年?)?(?:12|1?2)月?31日")
_MENTION = re.compile(rf"({_YEAR})\s*年")
_OTHER_YEAR = re.compile(
    rf"(?:结转|上年|上一年|去年|较|比|同比|与|转入)(?:至|到|于)?{_YEAR}年|〔{_YEAR}〕|\[{_YEAR}\]|\({_YEAR}\)"
    rf"|{_YEAR}年\d{{1,2}}月\d{{1,2}}日|{_YEAR}年度?结转|{_YEAR}年(?:\d{{1,2}}月)?(?:修订|施行|发布|印发)"
)
_MAKER = re.compile(rf"由([{_HAN}()]{{3,{MOST_NAME}}}?)(?:组织)?(?:负责)?(?:编制|制作|编写|撰写|发布)")
_COMPILES = re.compile(rf"(?:^|[,。;、])([{_HAN}()]{{3,{MOST_NAME}}}?)(?:现)?(?:编制|公布|制定)(?:了)?(?:本|20\d\d|本年度|20\d\d年)")
_CONTACT = re.compile(rf"与([{_HAN}()]{{3,{MOST_NAME}}}?)(?:联系|办公室联系)")
_FILLED = re.compile(rf"(?:填报|报送|编制|发布|公开)?(?:单位|机构|机关)(?:名称)?[::]\s*([{_HAN}()]{{2,{MOST_NAME}}})")
_SUFFIX = re.compile(
    r"(?:局|委员会|委|办公室|办|厅|部|院|所|站|中心|政府|管委会|街道|街道办事处|镇|乡|苏木|县|区|市|旗|州|省|大队|支队|总队|公司|集团|学校|处|社|会|队)"
    r"(?:\([^()]{1,12}\))?$"
)
# Words that mirror sites put into titles; a body is never called so.
_SPAM = re.compile(
    r"bet|casino|https?|www\.|\.com|娱乐|博彩|彩票|赌|棋牌|注册|登录|官网|官方网站|下载|app|平台入口|百家乐|老虎机|体育|视频|在线观看|免费"
)
_NOT_A_NAME = re.compile(r"^(?:关于|根据|按照|现将|现|附件|公开|公布|发布|转发|印发|年度|本|page|p)+")
_HAN_DIGITS = {character: digit for digit, character in enumerate("〇一二三四五六七八九")} | {"零": 0, "○": 0}


class Identity(msgspec.Struct, frozen=True):
    """``body_name``: what the document calls its reporter, "" if it says none; ``year``: the report year, or None."""

    body_name: str = ""
    year: int | None = None


def _texts(document: Document) -> Iterator[str]:
    for item in document.items:
        if isinstance(item, Paragraph):
            yield item.text
        elif isinstance(item, Grid):
            if item.title:
                yield item.title
            yield from (cell.text for cell in item.cells if cell.text and not cell.number)


def number_of_year(text: str) -> int:
    """``2023`` or ``二〇二三`` as a number."""
    return int("".join(str(_HAN_DIGITS.get(character, character)) for character in text))


def identify(document: Document, earliest: int = 0) -> Identity:
    """Who reports and for which year. ``earliest``: the first year that the editions in the file can be for.

    Marks of our own workbook and columns of a tidy file count before any text. Pure; never raises.
    """
    marks = document.marks
    stated = marks.get("year", "").strip()
    texts = [_SPACE.sub("", plain(text)) for text in _texts(document)]
    lines = [text for text in texts if text]
    year = int(stated) if re.fullmatch(r"20\d\d", stated) else _year(lines, earliest)
    name = marks.get("body_name", "").strip() or _name(lines, [text for text in _texts(document)])
    return Identity(name, year)


def _titles(lines: list[str]) -> Iterator[re.Match[str]]:
    """Titles among the headings: one line, or two that follow one another."""
    for position, line in enumerate(lines):
        if len(line) > MOST_TITLE:
            continue
        found = _TITLE.search(line)
        if found:
            yield found
        elif position + 1 < len(lines) and len(lines[position + 1]) <= MOST_TITLE and "信息公开" in line + lines[position + 1]:
            joined = _TITLE.search(line + lines[position + 1])
            if joined and not _TITLE.search(lines[position + 1]) or joined and not joined.group("middle"):
                if joined and joined.start() < len(line):
                    yield joined


def _year(lines: list[str], earliest: int) -> int | None:
    weight: Counter[int] = Counter()
    first: list[int] = []
    for title in _titles(lines[:400]):
        if _quoted(title):
            continue
        found = number_of_year(title.group("year"))
        if not first:
            weight[found] += 6
        first.append(found)
    for line in lines:
        for period in _PERIOD.finditer(line):
            weight[number_of_year(period.group(2) or period.group(1))] += 5
        rest = _OTHER_YEAR.sub("", line)
        for mention in set(_MENTION.findall(rest)):
            weight[number_of_year(mention)] += 1
    known = [(count, year) for year, count in weight.items() if year >= earliest]
    if not known:
        return None
    known.sort(key=lambda pair: (-pair[0], pair[1]))
    if len(known) > 1 and known[0][0] == known[1][0]:
        return None
    return known[0][1]


def _quoted(title: re.Match[str]) -> bool:
    """Whether the title is quoted from another document: in book-title marks, or behind 关于…的通知."""
    text, start = title.string, title.start()
    return text.rfind("《", 0, start + 1) > text.rfind("》", 0, start + 1) or "通知" in text[title.end() :]


def _clean(name: str) -> str:
    """A name without what stands before it in a heading; "" if what is left is none."""
    said = _NOT_A_NAME.sub("", name).strip("·-—_")
    said = re.sub(r"^(?:20\d\d年?度?|\d+)+", "", said)
    said = re.sub(r"(?:的|年度|年|人民政府网站|门户网站)$", "", said)
    return said if 2 <= len(said) <= MOST_NAME and not _SPAM.search(said) else ""


def _name(lines: list[str], raws: list[str]) -> str:
    """The reporter: from a clean title, else from the sentence of the maker, the signature or a filled-in field."""
    for position, line in enumerate(lines[:60]):
        if len(line) > MOST_TITLE or _SPAM.search(line):
            continue
        found = _TITLE.search(line)
        if found and _quoted(found):
            continue
        if found:
            name = _clean(found.group("before")) or _clean(found.group("middle"))
            if not name and position and not _SPAM.search(lines[position - 1]):
                above = lines[position - 1]
                name = _clean(above) if len(above) <= MOST_NAME and _SUFFIX.search(above) else ""
            if name and _SUFFIX.search(name):
                return name
        undated = _UNDATED.match(line)
        if undated and _SUFFIX.search(_clean(undated.group("before"))):
            return _clean(undated.group("before"))
    votes: Counter[str] = Counter()
    for line in lines:
        for pattern in (_FILLED, _MAKER, _CONTACT, _COMPILES):
            for found in pattern.finditer(line):
                name = _clean(found.group(1))
                if name and _SUFFIX.search(name):
                    votes[name] += 2 if pattern is _FILLED else 1
    for above, below in zip(lines[-8:], lines[-7:], strict=False):
        if re.fullmatch(rf"{_YEAR}年\d{{1,2}}月\d{{1,2}}日", below) and len(above) <= MOST_NAME and _SUFFIX.search(above):
            votes[_clean(above)] += 3
    votes.pop("", None)
    best = votes.most_common(2)
    if not best or (len(best) > 1 and best[0][1] == best[1][1]):
        return ""
    return best[0][0]
