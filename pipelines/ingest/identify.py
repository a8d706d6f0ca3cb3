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
from functools import lru_cache
from itertools import pairwise

import msgspec

from pipelines.ingest.document import Document, Grid, Paragraph
from pipelines.ingest.running import Running, line_of, running

# A heading is short; the name of a body is shorter still. Titles stand near the beginning.
MOST_TITLE, MOST_NAME, MOST_LINES, MOST_HEADINGS = 120, 40, 400, 60
TITLE_WEIGHT, PERIOD_WEIGHT, SIGNATURE_WEIGHT = 6, 5, 3
_HAN = "一-鿿"
_YEAR = r"(?:20[0-4]\d|二[〇零○][〇零○一二三四五六七八九]{2})"
_REPORT = r"(?:政府)?信息公开(?:工作)?(?:年度)?(?:工作)?(?:报告|年报|统计表|情况统计表)"
_TITLE = re.compile(
    rf"(?P<before>[{_HAN}()·0-9]*?)(?P<year>{_YEAR})\s*年?度?(?P<middle>[{_HAN}()·]{{0,{MOST_NAME}}}?){_REPORT}"
)
_UNDATED = re.compile(rf"^(?P<before>[{_HAN}()·]{{2,{MOST_NAME}}}?){_REPORT}$")
_PERIOD = re.compile(rf"({_YEAR})年?1月?1日(?:起|开始)?(?:至|到|—+|-+|~)(?:({_YEAR})年?)?(?:12|1?2)月?31日")
_MENTION = re.compile(rf"({_YEAR})\s*年")
_OTHER_YEAR = re.compile(
    rf"(?:结转|上年|上一年|去年|较|比|同比|与|转入)(?:至|到|于)?{_YEAR}年|〔{_YEAR}〕|\[{_YEAR}\]|\({_YEAR}\)"
    rf"|{_YEAR}年(?!1月1日|12月31日)\d{{1,2}}月\d{{1,2}}日|{_YEAR}年度?结转|{_YEAR}年(?:\d{{1,2}}月)?(?:修订|施行|发布|印发)"
)
_MAKER = re.compile(rf"由([{_HAN}()]{{3,{MOST_NAME}}}?)(?:组织)?(?:负责)?(?:编制|制作|编写|撰写|发布)")
_COMPILES = re.compile(
    rf"(?:^|[,。;、])([{_HAN}()]{{3,{MOST_NAME}}}?)(?:现)?(?:编制|公布|制定)(?:了)?(?:本|20\d\d|本年度|20\d\d年)"
)
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
_NOT_A_NAME = re.compile(
    r"^(?:关于|根据|按照|现将|现|附件|正文|公开|公布|发布|转发|印发|年度|本|20\d\d年?度?|\d+|[-·_])+"
)
_LEFTOVER = re.compile(r"(?:的|年度|年|门户网站)$")
_JUST_FIGURES = re.compile(r"^[\d.,%/+-]*$")
_DATE = re.compile(rf"{_YEAR}年\d{{1,2}}月\d{{1,2}}日")
_SOURCES = ((_FILLED, 2), (_MAKER, 1), (_CONTACT, 1), (_COMPILES, 1))
_HAN_DIGITS = {character: digit for digit, character in enumerate("〇一二三四五六七八九")} | {"零": 0, "○": 0}


class Identity(msgspec.Struct, frozen=True):
    """``body_name``: what the document calls its reporter, "" if it says none; ``year``: the report year, or None."""

    body_name: str = ""
    year: int | None = None


class Evidence(msgspec.Struct, frozen=True):
    """The name found, the year where a mark states it, and else every year with its weight."""

    name: str = ""
    year: int | None = None
    weights: tuple[tuple[int, int], ...] = ()


def _lines(document: Document) -> list[Running]:
    """Every line of text, the titles of grids and the words in their cells; figures say nothing here."""
    texts: list[str] = []
    for item in document.items:
        if isinstance(item, Paragraph):
            texts += item.text.splitlines()
        elif isinstance(item, Grid):
            texts.append(item.title)
            texts += [cell.text for cell in item.cells if cell.text and not cell.number and not cell.text.isdecimal()]
    return [line for text in texts if (line := line_of(text)).text and not _JUST_FIGURES.match(line.text)]


def number_of_year(text: str) -> int:
    """``2023`` or ``二〇二三`` as a number."""
    return int("".join(str(_HAN_DIGITS.get(character, character)) for character in text))


def identify(document: Document, earliest: int = 0) -> Identity:
    """Who reports and for which year. ``earliest``: the first year that the editions in the file can be for.

    Marks of our own workbook and columns of a tidy file count before any text. Pure; never raises.
    """
    return conclude(evidence(document), earliest)


def conclude(found: Evidence, earliest: int = 0) -> Identity:
    """As identify, from evidence gathered before."""
    year = found.year
    if year is None:
        known = sorted(((weight, year) for year, weight in found.weights if year >= earliest), reverse=True)
        if known and (len(known) == 1 or known[0][0] > known[1][0]):
            year = known[0][1]
    return Identity(found.name, year)


def evidence(document: Document) -> Evidence:
    """What a document says of its reporter and year, before the editions of its tables are known."""
    stated = document.marks.get("year", "").strip()
    name = document.marks.get("body_name", "").strip()
    known = int(stated) if re.fullmatch(r"20\d\d", stated) else None
    if known is not None and (name or document.marks.get("body")):
        return Evidence(name, known)
    lines = _lines(document)
    titles = list(_titles(lines))
    return Evidence(name or _name(lines, titles), known, _years(lines, titles))


class _Title(msgspec.Struct, frozen=True):
    """A title found: its line (two lines where it runs over), the match, and the line above."""

    line: Running
    match: re.Match[str]
    above: Running | None


@lru_cache(maxsize=8192)
def _title_in(text: str) -> re.Match[str] | None:
    """The title in a line or two, which are short. Most are the form's labels, the same in every file."""
    return _TITLE.search(text)


def _titles(lines: list[Running]) -> Iterator[_Title]:
    """Titles among the headings: on one line, or running over two that follow one another."""
    for position, line in enumerate(lines[:MOST_LINES]):
        if len(line.text) > MOST_TITLE:
            continue
        above = lines[position - 1] if position else None
        title = line
        match = _title_in(line.text)
        if match is None and position + 1 < len(lines) and len(lines[position + 1].text) <= MOST_TITLE:
            if _title_in(line.text + lines[position + 1].text) is None:
                continue
            joined = running(f"{line.raw}\n{lines[position + 1].raw}")
            match = _TITLE.search(joined.text)
            # Both lines must have a part in it, else it is the next line's own title.
            if match is None or match.start() >= len(line.text) or _TITLE.search(lines[position + 1].text):
                continue
            title = joined
        if match is not None and not _quoted(match):
            yield _Title(title, match, above)


def _quoted(title: re.Match[str]) -> bool:
    """Whether the title is quoted from another document: in book-title marks, or behind 关于…的通知."""
    text, start = title.string, title.start()
    return text.rfind("《", 0, start + 1) > text.rfind("》", 0, start + 1) or "通知" in text[title.end() :]


def _years(lines: list[Running], titles: list[_Title]) -> tuple[tuple[int, int], ...]:
    """Every year that the text speaks for, with its weight."""
    weight: Counter[int] = Counter()
    for title in titles[:1]:
        weight[number_of_year(title.match.group("year"))] += TITLE_WEIGHT
    for line in lines:
        if "年" not in line.text and "日" not in line.text:
            continue  # neither expression can match
        for period in _PERIOD.finditer(line.text):
            weight[number_of_year(period.group(2) or period.group(1))] += PERIOD_WEIGHT
        for mention in set(_MENTION.findall(_OTHER_YEAR.sub("", line.text))):
            weight[number_of_year(mention)] += 1
    return tuple(sorted(weight.items()))


def _clean(line: Running, start: int, end: int) -> str:
    """The original words of a name without what stands before it in a heading; "" if what is left is none."""
    text = line.text[start:end]
    skipped = _NOT_A_NAME.match(text)
    start += skipped.end() if skipped else 0
    left = _LEFTOVER.search(line.text[start:end])
    end -= len(left.group()) if left else 0
    said = line.text[start:end]
    if not 2 <= len(said) <= MOST_NAME or _SPAM.search(said) or not _SUFFIX.search(said):
        return ""
    return re.sub(r"\s+", "", line.said(start, end))


def _name(lines: list[Running], titles: list[_Title]) -> str:
    """The reporter: from a clean title, else from the sentence of the maker, the signature or a filled-in field."""
    for title in titles:
        if _SPAM.search(title.line.text):
            continue
        name = _clean(title.line, *title.match.span("before")) or _clean(title.line, *title.match.span("middle"))
        if not name and title.above is not None and not _SPAM.search(title.above.text):
            name = _clean(title.above, 0, len(title.above.text))
        if name:
            return name
    for line in lines[:MOST_HEADINGS]:
        undated = _UNDATED.match(line.text)
        if undated and (name := _clean(line, *undated.span("before"))):
            return name
    return _voted(lines)


def _voted(lines: list[Running]) -> str:
    """The name that the most sentences of a maker, fields and signatures agree on; "" on a tie."""
    votes: Counter[str] = Counter()
    for line in lines:
        for pattern, weight in _SOURCES:
            for found in pattern.finditer(line.text):
                votes[_clean(line, *found.span(1))] += weight
    for above, below in pairwise(lines[-8:]):
        if _DATE.fullmatch(below.text):
            votes[_clean(above, 0, len(above.text))] += SIGNATURE_WEIGHT
    votes.pop("", None)
    best = votes.most_common(2)
    return best[0][0] if best and (len(best) == 1 or best[0][1] > best[1][1]) else ""
