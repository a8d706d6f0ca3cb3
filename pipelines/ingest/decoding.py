"""Bytes become text: which encoding, and whether the text that comes out is what its writer wrote.

Belongs here: encodings of text, csv, json and web pages; recognising garbled Chinese. Does not belong here: formats.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from pipelines.ingest.declined import decline

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,30})", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"^\s*<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]{2,30})[\"']")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_USUAL = re.compile(r"[\t\r\n -~\u2010-\u206f\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
_SAMPLE = 200_000
_BAD_SHARE = 2000  # one undecodable byte in so many is a slip of a web page, more is another encoding
_ENOUGH = 12  # signs of garbling below which nothing is said


def _declared(data: bytes) -> str:
    head = data[:4096]
    match = _CHARSET.search(head) or _XML_ENCODING.search(head)
    if not match:
        return ""
    name = match.group(1).decode("ascii").lower()
    # Chinese pages that say gb2312 or gbk use characters beyond them; GB18030 contains both.
    name = "gb18030" if name in ("gb2312", "gbk", "gb_2312-80", "cp936", "x-gbk") else name
    try:
        codecs.lookup(name).decode(b"")  # a codec that is no text encoding (such as hex) raises here
    except (LookupError, ValueError, AttributeError):
        return ""
    return name if isinstance(codecs.decode(b"", name), str) else ""


def _utf16_without_mark(data: bytes) -> str:
    if len(data) % 2:
        return ""
    for name in ("utf-16-le", "utf-16-be"):
        # Read the wrong way round, digits and spaces become rare signs of far-away scripts.
        head = data[:4000].decode(name, "replace")
        if sum(bool(_USUAL.match(character)) for character in head) * 10 > len(head) * 9:
            return name
    return ""


def _breaks_off(data: bytes, fault: UnicodeDecodeError) -> bool:
    """Whether the only fault is that the last character is not whole."""
    return fault.end >= len(data) and len(data) - fault.start < 4


@lru_cache(maxsize=1)  # one file is asked for several times
def encoding_of(data: bytes) -> str:
    """The encoding of a text, "" where it is none: mark, UTF-8, what a page declares, GB18030.

    UTF-8 goes before the declaration: Chinese in another encoding is practically never valid UTF-8, while pages saved
    from a browser often keep a declaration that no longer holds.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            return name
    if b"\0" in data[:4000]:
        return _utf16_without_mark(data)
    declared = _declared(data)
    for name in ("utf-8", declared, "gb18030"):
        if name:
            try:
                data.decode(name)
            except UnicodeDecodeError as fault:
                if name == "utf-8" and _breaks_off(data, fault) and _CHINESE.search(data[: fault.start].decode(name)):
                    return name  # any short beginning of UTF-8 would pass for GB18030 as well
                continue
            return name
    for name in (declared or "utf-8", "gb18030"):
        if data.decode(name, "replace").count("\ufffd") * _BAD_SHARE <= len(data):
            return name
    return ""


def decode(data: bytes, name: str) -> str:
    """The text, line ends as they stand. Raises Declined if no encoding fits or the text breaks off in a character.

    A handful of undecodable bytes in a long text become U+FFFD, which no figure can contain unnoticed.
    """
    encoding = encoding_of(data)
    if not encoding:
        raise decline("damaged_file", name, reason="无法辨认文字编码", reason_en="its text encoding cannot be told")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as fault:
        if _breaks_off(data, fault):
            raise decline(
                "damaged_file",
                name,
                reason="文字在末尾中断，文件可能没有传完",
                reason_en="the text breaks off at its end",
            ) from fault
        return data.decode(encoding, "replace")


def _undone(text: str, wrong: str, right: str) -> tuple[int, int]:
    """(Chinese characters, failures) after the wrong decoding of ``text`` is undone and the right one applied."""
    again = text.encode(wrong, "replace").decode(right, "replace")
    return len(_CHINESE.findall(again)), again.count("\ufffd") + again.count("?") - text.count("?")


def garbled(text: str) -> tuple[str, str] | None:
    """Why the text is not what its writer wrote, in Chinese and English; None if it looks sound.

    Recognised: UTF-8 read as GBK or as Latin-1, GBK read as Latin-1, every character replaced by ``?`` or U+FFFD.
    """
    sample = text[:_SAMPLE]
    chinese = len(_CHINESE.findall(sample))
    odd = len(sample) - len(sample.encode("ascii", "ignore"))
    lost = sample.count("\ufffd")
    if lost >= _ENOUGH and lost * 3 > chinese:
        return "大量字符已丢失（显示为“�”）", "many characters were lost (shown as U+FFFD)"
    marks = sample.count("?")
    if marks >= _ENOUGH and chinese * 10 < marks and re.search(r"\?{4}", sample):
        return "汉字都变成了“?”", "every Chinese character became “?”"
    if odd < _ENOUGH:
        return None
    restored, failures = _undone(sample, "gb18030", "utf-8")
    if restored >= _ENOUGH and restored * 4 > odd and failures < restored:
        return "UTF-8 文字被当作 GBK 读取后又保存", "UTF-8 text was read as GBK and saved again"
    if chinese * 10 < odd:
        for right in ("utf-8", "gb18030"):
            for wrong in ("latin-1", "cp1252"):
                restored, failures = _undone(sample, wrong, right)
                if restored >= _ENOUGH and failures * 4 < restored:
                    return "中文编码被当作西文读取后又保存", "Chinese bytes were read as Western text and saved again"
    return None
