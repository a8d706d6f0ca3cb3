"""What a file is, told by its content and never by its name.

Belongs here: signatures, the members of containers, the shape of texts. Does not belong here: reading.
"""

from __future__ import annotations

import csv
import re
from collections import Counter

from pipelines.ingest.declined import Declined, decline
from pipelines.ingest.decoding import decode, encoding_of
from pipelines.ingest.document import Format
from pipelines.ingest.limits import MAX_TEXT_BYTES, MIB
from pipelines.ingest.readers.container import Container, hostile
from pipelines.ingest.readers.ole import MAGIC as OLE
from pipelines.ingest.readers.ole import WORKBOOKS, root_streams, word_is_encrypted, workbook_is_encrypted
from schemas.findings import Finding

_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")
# Signatures of what people send and nobody here reads: Chinese and English name.
_FOREIGN = (
    (b"Rar!\x1a\x07", "RAR 压缩包", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "7z 压缩包", "a 7z archive"),
    (b"\x1f\x8b", "gzip 压缩包", "a gzip archive"),
    (b"MZ", "Windows 程序", "a Windows program"),
    (b"\x7fELF", "程序", "a program"),
    (b"AT&TFORM", "DjVu 文件", "a DjVu file"),
    (b"Founder CEB", "方正 CEB 文件", "a Founder CEB file"),
    (b"PAR1", "Parquet 数据文件", "a Parquet data file"),
    (b"SQLite format 3", "SQLite 数据库", "an SQLite database"),
    (b"MIME-Version:", "单个文件网页（mht）", "a web archive (mht)"),
)
_WORD_PART = re.compile(r"word/document\d*\.xml")
# Searches on foreign text are single passes: a pattern that can go back over what it matched invites hostile input.
_HTML_START = re.compile(
    r"<(?:!doctype\s+html|html|head|body|table|div|p|meta|span|center|article|h[1-6])\b", re.IGNORECASE
)
_TABLE = re.compile(r"<table\b", re.IGNORECASE)
_TABLE_CELL = re.compile(r"<t[dh]\b", re.IGNORECASE)
_MARKUP = re.compile(r"<[!?a-zA-Z]")
_JSON_START = re.compile(r'\s*(?:\{\s*["}]|\[\s*[\[{"\]\d-])')
_WORD_XML = re.compile(r"<\?mso-application\s+progid=\"Word|<w:wordDocument\b|<pkg:package\b")
_SHEET_XML = re.compile(r"<\?mso-application\s+progid=\"Excel|urn:schemas-microsoft-com:office:spreadsheet")
_OFFICE = ("mso-application", "w:wordDocument", "pkg:package", "urn:schemas-microsoft-com")  # one is in either
_HEAD = 20_000


def detect(data: bytes, name: str) -> Format | Finding:
    """The format of a file, or the finding that says why it is none that can be read. Never raises.

    ``name`` serves messages only. Encrypted files, pictures and foreign formats are findings of their own kinds.
    """
    try:
        return recognise(data, name)
    except Declined as declined:
        return declined.finding


def recognise(data: bytes, name: str) -> Format:
    """As detect. Raises Declined instead of returning a finding."""
    if not data.strip(b"\0 \t\r\n\xef\xbb\xbf"):
        raise decline("empty_file", name)
    if data.startswith(OLE):
        return _compound(data, name)
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped(Container(data, name), name)
    if b"%PDF-" in data[:1024]:
        return "pdf"
    if data.lstrip().startswith(b"{\\rtf"):
        return "rtf"
    if data.startswith(_PICTURES) or data[8:12] == b"WEBP" or data[4:12] in (b"ftypheic", b"ftypmif1"):
        raise decline("scanned_document", name)
    for signature, zh, en in _FOREIGN:
        if data.startswith(signature):
            raise decline("unsupported_format", name, found=zh, found_en=en)
    if len(data) > MAX_TEXT_BYTES:
        raise decline(
            "too_large",
            name,
            found=f"{len(data) // MIB} MiB 的文字",
            found_en=f"{len(data) // MIB} MiB of text",
            limit=f"{MAX_TEXT_BYTES // MIB} MiB",
            limit_en=f"{MAX_TEXT_BYTES // MIB} MiB",
        )
    if not encoding_of(data):
        raise decline("unsupported_format", name, found="无法识别的文件", found_en="a file of unknown format")
    return _textual(decode(data, name), name)


def _compound(data: bytes, name: str) -> Format:
    streams = root_streams(data)
    if "EncryptedPackage" in streams:
        raise decline("encrypted_file", name)
    if "WordDocument" in streams:
        if word_is_encrypted(data):
            raise decline("encrypted_file", name)
        return "doc"
    if not streams.isdisjoint(WORKBOOKS):
        if workbook_is_encrypted(data):
            raise decline("encrypted_file", name)
        return "xls"
    if streams & {"CONTENTS", "MatOST"}:
        return "wps"
    if "PowerPoint Document" in streams:
        raise decline("unsupported_format", name, found="幻灯片（ppt）", found_en="a presentation (ppt)")
    if not streams:
        raise decline(
            "damaged_file",
            name,
            reason="文件目录不完整，可能没有传完",
            reason_en="its directory is incomplete; it may be cut off",
        )
    raise decline("unsupported_format", name, found="无法识别的 Office 文件", found_en="an unknown office file")


def _zipped(container: Container, name: str) -> Format:
    names = container.names
    if not names:
        raise decline("empty_file", name)
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "xl/workbook.bin" in names:
        return "xlsb"
    if any(_WORD_PART.fullmatch(part) for part in names):
        return "docx"
    if "OFD.xml" in names:
        raise decline("unsupported_format", name, found="OFD 版式文件", found_en="an OFD file")
    if "mimetype" in names and container.infos["mimetype"].file_size < 200:
        kind = container.read("mimetype").decode("ascii", "replace").strip()
        if kind.startswith("application/vnd.oasis.opendocument."):
            return _open_document(container, kind, name)
        if kind == "application/epub+zip":
            raise decline("unsupported_format", name, found="电子书（epub）", found_en="an e-book (epub)")
    if "[Content_Types].xml" in names:
        found = ("幻灯片（pptx）", "a presentation (pptx)") if "ppt/presentation.xml" in names else ("", "")
        zh, en = found if found[0] else ("无法识别的 Office 文件", "an unknown office file")
        raise decline("unsupported_format", name, found=zh, found_en=en)
    if container.encrypted():
        raise decline("encrypted_file", name)
    return "zip"


def _open_document(container: Container, kind: str, name: str) -> Format:
    if "META-INF/manifest.xml" in container and b"encryption-data" in container.read("META-INF/manifest.xml"):
        raise decline("encrypted_file", name)
    part = kind.rsplit(".", 1)[-1]
    if part.startswith("spreadsheet"):
        return "ods"
    if part.startswith("text"):
        return "odt"
    raise decline("unsupported_format", name, found=f"OpenDocument {part}", found_en=f"an OpenDocument {part}")


def _textual(text: str, name: str) -> Format:
    head = text[:_HEAD]
    if head.lstrip().startswith("<"):
        if "<!ENTITY" in text:
            raise hostile(name, "文件声明了外部实体", "it declares entities")
        office = any(word in head for word in _OFFICE)
        if office and _WORD_XML.search(head):
            return "doc"
        if office and _SHEET_XML.search(head) and "<html" not in head.lower():
            return "xls"
    if _HTML_START.match(head, _first_tag(head)) or _has_table(text[:500_000]):
        return "html"
    if _MARKUP.match(head.lstrip()):
        raise decline("unsupported_format", name, found="XML 一类的文件", found_en="an XML file or the like")
    if _JSON_START.match(head):
        return "json"
    if sum(character < " " and character not in "\t\r\n\f\v" for character in head) * 100 > len(head):
        raise decline("unsupported_format", name, found="无法识别的文件", found_en="a file of unknown format")
    return "csv" if separator(text) else "text"


def _first_tag(head: str) -> int:
    """Where the first tag stands, behind white space, comments and an XML declaration."""
    position = 0
    while True:
        while position < len(head) and head[position].isspace():
            position += 1
        if head.startswith("<!--", position):
            end = head.find("-->", position)
        elif head.startswith("<?", position):
            end = head.find(">", position)
        else:
            return position
        if end < 0:
            return position
        position = head.index(">", end) + 1


def _has_table(text: str) -> bool:
    table = _TABLE.search(text)
    return bool(table and _TABLE_CELL.search(text, table.end()))


def separator(text: str) -> str:
    """The separator of a text that is a csv: every row has as many fields as most others. "" for running text.

    Tabs alone do not make a csv, for a report copied as text has tabs in its tables; they count under a tidy header.
    """
    lines = [line for line in text[:_HEAD].splitlines()[:60] if line.strip()]
    if not lines:
        return ""
    for mark in (",", "\t", ";", "，"):
        fields = {field.strip().strip('"').lower() for field in lines[0].lstrip("\ufeff").split(mark)}
        if {"cell", "value"} <= fields:
            return mark
    if len(lines) < 3 or "," not in "".join(lines[:20]):
        return ""
    try:
        widths = [len(row) for row in csv.reader(lines[: 60 if len(text) <= _HEAD else -1])]
    except csv.Error:
        return ""
    width, count = Counter(widths).most_common(1)[0]
    return "," if width > 1 and count * 10 >= len(widths) * 8 else ""
