"""Files that attack, break off, lie or are simply something else. Made on the spot, synthetic throughout.

``CASES`` maps a name to (kind of the one finding expected, maker). Makers are quick and return the bytes.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import docx
import xlsxwriter

from tests.ingest import writers

MIB = 1024 * 1024
ENTITY = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
LAUGHS = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))
LAUGHS = f"<!DOCTYPE x [<!ENTITY l0 'ha'>{LAUGHS}]>"


# ---------------------------------------------------------------- containers
def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_part(data: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    parts = members(data)
    parts[part] = change(parts.get(part, b""))
    return zipped(parts)


def xlsx() -> bytes:
    return writers.as_xlsx(writers.drawings()[:1])


def docx_file() -> bytes:
    return writers.as_docx(writers.drawings()[:1])


SHEET = "xl/worksheets/sheet1.xml"
MAIN = "word/document.xml"


def declared(text: str) -> Callable[[bytes], bytes]:
    return lambda part: part.replace(b"?>", b"?>" + text.encode(), 1)


def lying_size() -> bytes:
    """The directory says 100 bytes where 64 MiB come out."""
    data = zipped({SHEET: bytes(64 * MIB), "xl/workbook.xml": b"<workbook/>"})
    return data.replace(struct.pack("<I", 64 * MIB), struct.pack("<I", 100))


def encrypted_zip() -> bytes:
    data = bytearray(zipped({"return.xlsx": b"secret"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    return bytes(data)


def many_members() -> bytes:
    return zipped({f"{n}.txt": b"" for n in range(3000)}, zipfile.ZIP_STORED)


def linked_member() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("return.xlsx")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return out.getvalue()


def compound(*streams: str, content: bytes = b"") -> bytes:
    """A minimal OLE compound file: header, one FAT sector, one directory sector, the content as the first stream."""
    content = content.ljust(4096, b"\0")
    sectors = len(content) // 512
    header = bytearray(512)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    struct.pack_into("<HHHHH", header, 24, 0x3E, 3, 0xFFFE, 9, 6)
    struct.pack_into("<IIIIIIIII", header, 44, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0, 0)
    struct.pack_into("<108I", header, 80, *[0xFFFFFFFF] * 108)
    fat = [0xFFFFFFFD, 0xFFFFFFFE, *range(3, 2 + sectors), 0xFFFFFFFE]
    entries = [_entry("Root Entry", 5, child=1)]
    for number, stream in enumerate(streams, start=1):
        right = number + 1 if number < len(streams) else 0xFFFFFFFF
        entries.append(_entry(stream, 2, right=right, start=2, size=len(content)))
    directory = b"".join(entries).ljust(512, b"\0")
    return bytes(header) + struct.pack("<128I", *fat, *[0xFFFFFFFF] * (128 - len(fat))) + directory + content


def _entry(
    name: str, kind: int, child: int = 0xFFFFFFFF, right: int = 0xFFFFFFFF, start: int = 0, size: int = 0
) -> bytes:
    entry = bytearray(128)
    text = name.encode("utf-16-le")
    entry[: len(text)] = text
    struct.pack_into("<HBBIII", entry, 64, len(text) + 2, kind, 1, 0xFFFFFFFF, right, child)
    struct.pack_into("<IQ", entry, 116, start, size)
    return bytes(entry)


def encrypted_doc() -> bytes:
    return compound("WordDocument", content=struct.pack("<HHHHHH", 0xA5EC, 0xC1, 0, 0, 0, 0x0100))


def encrypted_xls() -> bytes:
    """A workbook stream that says after its beginning that the rest is encrypted (FILEPASS)."""
    bof = struct.pack("<HHHHHHII", 0x809, 16, 0x600, 5, 0x0DBB, 0x07CC, 0, 6)
    return compound("Workbook", content=bof + struct.pack("<HHH", 0x2F, 54, 1) + bytes(52))


# ---------------------------------------------------------------- spreadsheets
def far_apart() -> bytes:
    cells = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    return with_part(xlsx(), SHEET, lambda part: _sheet_data(part, cells))


def _sheet_data(part: bytes, rows: str) -> bytes:
    start, end = part.index(b"<sheetData>") + 11, part.index(b"</sheetData>")
    return part[:start] + rows.encode() + part[end:]


def tall_sheet() -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for row in range(100_000):
            sheet.write_row(row, 0, (row, row))
    return out.getvalue()


def deep_sheet() -> bytes:
    return with_part(xlsx(), SHEET, lambda part: _sheet_data(part, "<row>" * 5000 + "</row>" * 5000))


def ods(rows: str) -> bytes:
    content = (
        '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>'
        f'<table:table table:name="统计表">{rows}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    kind = b"application/vnd.oasis.opendocument.spreadsheet"
    return zipped({"mimetype": kind, "content.xml": content.encode()})


def repeated_ods() -> bytes:
    cell = '<table:table-cell office:value-type="float" office:value="1" table:number-columns-repeated="16384"/>'
    return ods(f'<table:table-row table:number-rows-repeated="1048576">{cell}</table:table-row>')


def encrypted_ods() -> bytes:
    manifest = b"<manifest:manifest><manifest:encryption-data/></manifest:manifest>"
    kind = b"application/vnd.oasis.opendocument.spreadsheet"
    return zipped({"mimetype": kind, "META-INF/manifest.xml": manifest, "content.xml": b"\x9f\x01"})


# ---------------------------------------------------------------- documents and pages
def wide_word() -> bytes:
    return with_part(
        docx_file(), MAIN, lambda part: part.replace(b'<w:gridSpan w:val="4"/>', b'<w:gridSpan w:val="99999999"/>', 1)
    )


def deep_word() -> bytes:
    return with_part(
        docx_file(),
        MAIN,
        lambda part: part.replace(b"<w:body>", b"<w:body>" + b"<w:sdt><w:sdtContent>" * 4000, 1).replace(
            b"</w:body>", b"</w:sdtContent></w:sdt>" * 4000 + b"</w:body>"
        ),
    )


def pictured_word() -> bytes:
    document = docx.Document()
    out = io.BytesIO()
    document.add_paragraph("见附图")
    document.save(out)
    return with_part(out.getvalue(), "word/media/image1.png", lambda _: b"\x89PNG\r\n\x1a\n")


def page(body: str) -> bytes:
    return f"<html><head><meta charset='utf-8'></head><body>{body}</body></html>".encode()


def long_page() -> bytes:
    return page("<table>" + "<tr><td>行</td><td>1</td></tr>" * 100_000 + "</table>")


# ---------------------------------------------------------------- pdf
def pdf(content: bytes = b"", resources: str = "", objects: dict[int, bytes] | None = None, trailer: str = "") -> bytes:
    """A minimal PDF of one page. ``objects``: further objects, or others in place of 1 to 4."""
    every = {
        1: b"<</Type/Catalog/Pages 2 0 R>>",
        2: b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        3: f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<<{resources}>>>>".encode(),
        4: b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        **(objects or {}),
    }
    out, places = bytearray(b"%PDF-1.4\n"), {}
    for number, text in every.items():
        places[number] = len(out)
        out += b"%d 0 obj" % number + text + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 1\n0000000000 65535 f \n"
    for number, place in places.items():
        out += b"%d 1\n%010d 00000 n \n" % (number, place)
    out += f"trailer<</Size {len(every) + 1}/Root 1 0 R{trailer}>>\nstartxref\n{start}\n%%EOF".encode()
    return bytes(out)


def scanned_pdf() -> bytes:
    image = b"<</Type/XObject/Subtype/Image/Width 8/Height 8/ColorSpace/DeviceGray/BitsPerComponent 8/Length 64>>"
    image += b"stream\n" + bytes(64) + b"\nendstream"
    return pdf(b"q 500 0 0 700 40 40 cm /I Do Q", "/XObject<</I 5 0 R>>", {5: image})


def encrypted_pdf() -> bytes:
    lock = b"<</Filter/Standard/V 1/R 2/P -44/O<%s>/U<%s>>>" % (b"ab" * 32, b"cd" * 32)
    return pdf(b"BT ET", objects={5: lock}, trailer="/Encrypt 5 0 R/ID[<00><00>]")


def bomb_pdf() -> bytes:
    """A page whose drawing unpacks to 600 MiB."""
    packer, block = zlib.compressobj(1), bytes(16 * MIB)
    parts = [packer.compress(block) for _ in range(38)]
    packed = b"".join([*parts, packer.flush()])
    return pdf(objects={4: b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(packed), packed)})


def looping_pdf() -> bytes:
    return pdf(objects={2: b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2/Parent 2 0 R>>"})


def many_pages() -> bytes:
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>"
    kids = " ".join(f"{number} 0 R" for number in range(5, 105)).encode()
    pages = {2: b"<</Type/Pages/Kids[" + kids + b"]/Count 100>>"}
    return pdf(objects=pages | dict.fromkeys(range(5, 105), page))


# ---------------------------------------------------------------- text
REPORT = (
    "示例县政府信息公开工作年度报告\n一、总体情况\n本年新收政府信息公开申请三件，办结三件，"
    "均在法定期限内答复。\n二、主动公开政府信息情况\n规章\t0\t0\t0\n行政规范性文件\t3\t24\t21\n"
)


def misread(wrong: str, right: str = "utf-8") -> bytes:
    return REPORT.encode(right).decode(wrong, "replace").encode("utf-8")


def questioned() -> bytes:
    return "".join("?" if character > "~" else character for character in REPORT).encode()


def many_comments() -> bytes:
    """A beginning that a careless pattern would try in exponentially many ways."""
    return b"<!---->" * 3000 + b"<x"


Maker = Callable[[], bytes]
CASES: dict[str, tuple[str, Maker]] = {
    # nothing there
    "empty.xlsx": ("empty_file", lambda: b""),
    "blank.txt": ("empty_file", lambda: b" \r\n\t\r\n"),
    "mark-only.csv": ("empty_file", lambda: b"\xef\xbb\xbf"),
    "zeros.doc": ("empty_file", lambda: bytes(5000)),
    "no-members.zip": ("empty_file", lambda: zipped({})),
    "no-cells.xlsx": ("empty_file", lambda: with_part(xlsx(), SHEET, lambda part: _sheet_data(part, ""))),
    "no-text.docx": ("empty_file", lambda: with_part(docx_file(), MAIN, lambda _: b"<document><body/></document>")),
    "head-only.csv": ("empty_file", lambda: b"cell,value\r\n"),
    "no-text.pdf": ("empty_file", lambda: pdf(b"")),
    # bombs and lies
    "bomb.xlsx": ("hostile_file", lambda: with_part(xlsx(), SHEET, lambda _: bytes(64 * MIB))),
    "bomb.zip": ("hostile_file", lambda: zipped({"a.txt": bytes(200 * MIB)})),
    "lying.xlsx": ("damaged_file", lying_size),
    "members.zip": ("hostile_file", many_members),
    "link.zip": ("hostile_file", linked_member),
    "bomb.pdf": ("resource_limit", bomb_pdf),
    # entities
    "entity.xlsx": ("hostile_file", lambda: with_part(xlsx(), SHEET, declared(ENTITY))),
    "entity.docx": ("hostile_file", lambda: with_part(docx_file(), MAIN, declared(ENTITY))),
    "entity.html": ("hostile_file", lambda: ENTITY.encode() + page("<p>&e;</p>")),
    "entity-utf16.docx": (
        "hostile_file",
        lambda: with_part(docx_file(), MAIN, lambda _: f"{ENTITY}<document>&e;</document>".encode("utf-16")),
    ),
    "laughs.xlsx": ("hostile_file", lambda: with_part(xlsx(), "xl/sharedStrings.xml", declared(LAUGHS))),
    "laughs.docx": ("hostile_file", lambda: with_part(docx_file(), MAIN, declared(LAUGHS))),
    "laughs.ods": (
        "hostile_file",
        lambda: with_part(ods(""), "content.xml", lambda part: LAUGHS.encode() + part),
    ),
    "laughs.html": ("hostile_file", lambda: LAUGHS.encode() + page("<p>&l9;</p>")),
    # sizes
    "far-apart.xlsx": ("too_large", far_apart),
    "tall.xlsx": ("too_large", tall_sheet),
    "repeated.ods": ("too_large", repeated_ods),
    "tall.csv": ("too_large", lambda: b"a,b,c\r\n" * 100_000),
    "tall-tidy.csv": ("too_large", lambda: b"cell,value\r\n" + b"requests.received.total,1\r\n" * 100_000),
    "tall.txt": ("too_large", lambda: "行\t1\n".encode() * 100_000),
    "tall.html": ("too_large", long_page),
    "paragraphs.html": ("too_large", lambda: page("<p>段" * 300_000)),
    "huge.txt": ("too_large", lambda: "长".encode() * (9 * MIB)),
    "pages.pdf": ("too_large", many_pages),
    # spans
    "colspan.html": ("hostile_file", lambda: page("<table><tr><td colspan=99999999>1<td>2</table>")),
    "rowspan.html": (
        "too_large",
        lambda: page("<table>" + "<tr>" + "<td rowspan=99999999 colspan=25>1" * 20 + "<tr><td>2" * 3000 + "</table>"),
    ),
    "gridspan.docx": ("hostile_file", wide_word),
    # nesting
    "deep-div.html": ("hostile_file", lambda: page("<div>" * 100_000)),
    "deep-table.html": ("hostile_file", lambda: page("<table><tr><td>" * 20_000)),
    "deep-span.html": ("hostile_file", lambda: page("<table><tr><td>1<td>" + "<span>" * 100_000 + "2</table>")),
    "deep.docx": ("hostile_file", deep_word),
    "deep.xlsx": ("damaged_file", deep_sheet),
    "deep.json": ("hostile_file", lambda: b"[" * 200_000 + b"]" * 200_000),
    "loop.pdf": ("empty_file", looping_pdf),
    "comments.html": ("unsupported_format", many_comments),
    # locked
    "locked.xlsx": ("encrypted_file", lambda: compound("EncryptionInfo", "EncryptedPackage")),
    "locked.doc": ("encrypted_file", encrypted_doc),
    "locked.xls": ("encrypted_file", encrypted_xls),
    "locked.ods": ("encrypted_file", encrypted_ods),
    "locked.pdf": ("encrypted_file", encrypted_pdf),
    "locked.zip": ("encrypted_file", encrypted_zip),
    # broken off
    "cut.xlsx": ("damaged_file", lambda: xlsx()[:-400]),
    "cut.docx": ("damaged_file", lambda: docx_file()[:9000]),
    "cut.xls": ("damaged_file", lambda: compound("Workbook")[:700]),
    "cut.pdf": ("damaged_file", lambda: b"%PDF-1.7\n1 0 obj<</Type/Cat"),
    "cut.txt": ("damaged_file", lambda: REPORT.encode()[: len("示例县政府".encode()) - 1]),
    "cut.json": ("damaged_file", lambda: b'{"cells": [{"cell": "requests.received.total", "va'),
    "bad-sum.xlsx": ("damaged_file", lambda: xlsx().replace(b"PK\x01\x02", b"PK\x01\x02", 1)[:2000] + bytes(64)),
    # pictures
    "scan.pdf": ("scanned_document", scanned_pdf),
    "scan.docx": ("scanned_document", pictured_word),
    "scan.xlsx": ("scanned_document", lambda: b"\x89PNG\r\n\x1a\n" + bytes(100)),
    "photo.pdf": ("scanned_document", lambda: b"\xff\xd8\xff\xe0" + bytes(100)),
    # garbled
    "utf8-as-gbk.txt": ("mojibake", lambda: misread("gb18030")),
    "utf8-as-latin.txt": ("mojibake", lambda: misread("latin-1")),
    "gbk-as-latin.txt": ("mojibake", lambda: misread("latin-1", "gb18030")),
    "gbk-as-utf8.txt": ("mojibake", lambda: misread("utf-8", "gb18030")),
    "questions.txt": ("mojibake", questioned),
    "questions.html": ("mojibake", lambda: page("<p>" + questioned().decode() + "</p>")),
    # something else
    "archive.rar": ("unsupported_format", lambda: b"Rar!\x1a\x07\x00" + bytes(64)),
    "archive.7z": ("unsupported_format", lambda: b"7z\xbc\xaf\x27\x1c" + bytes(64)),
    "program.xlsx": ("unsupported_format", lambda: b"MZ\x90\x00" + bytes(range(256))),
    "slides.pptx": ("unsupported_format", lambda: zipped({"[Content_Types].xml": b"", "ppt/presentation.xml": b""})),
    "official.ofd": ("unsupported_format", lambda: zipped({"OFD.xml": b"<OFD/>"})),
    "noise.bin": ("unsupported_format", lambda: bytes((n * 89 + n // 7) % 256 for n in range(5000))),
    "data.xml": ("unsupported_format", lambda: b"<?xml version='1.0'?><data><row/></data>"),
    "several.zip": ("several_files", lambda: zipped({"a.txt": b"x\ty", "b.txt": b"y\tx"})),
    # several returns in one
    "mixed.csv": (
        "mixed_returns",
        lambda: b"body,cell,value\r\n511725-D01,requests.received.total,1\r\n511725-D02,requests.received.total,2\r\n",
    ),
}
