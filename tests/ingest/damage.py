"""Honest files spoilt at random, format by format, and what text stands in a file by means other than our readers.

Belongs here: mutations and the independent look at a mutated file. Does not belong here: reading (test_fuzz.py).
"""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
import zlib
from random import Random

import lxml.html
import pypdfium2
from lxml import etree
from python_calamine import CalamineError, CalamineWorkbook

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_TAG = re.compile(rb"<[^<>]{1,200}>")
_TAGS = re.compile(r"<[^<>]*>")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_CODED = re.compile(r"&#(\d{1,7});|_x([0-9A-Fa-f]{4})_")


def mutated(data: bytes, form: str, random: Random) -> bytes:
    """The file with a few accidents: of its bytes, or of what its format has inside."""
    if data.startswith(b"PK") and random.random() < 0.8:
        return _inside(data, random)
    if form == "html" and random.random() < 0.5:
        return _tags(data, random)
    return _bytes(data, random)


def _bytes(data: bytes, random: Random) -> bytes:
    content = bytearray(data)
    for _ in range(random.randint(1, 3)):
        if not content:
            break
        at = random.randrange(len(content))
        most = random.choice((4, 40, 400))
        match random.choice(("flip", "flip", "cut", "twice", "moved", "giant", "off")):
            case "flip":
                content[at] ^= 1 << random.randrange(8)
            case "cut":
                del content[at : at + random.randint(1, most)]
            case "twice":
                content[at:at] = content[at : at + random.randint(1, most)]
            case "moved":
                piece = bytes(content[at : at + random.randint(1, most)])
                del content[at : at + len(piece)]
                to = random.randint(0, len(content))
                content[to:to] = piece
            case "giant":
                content[at:at] = b"9" * random.choice((15, 60, 4000))
            case _:
                if random.random() < 0.3:
                    del content[at:]
    return bytes(content)


def _tags(data: bytes, random: Random) -> bytes:
    """Some tags lost, doubled or exchanged for one another."""
    pieces = _TAG.split(data)
    tags = _TAG.findall(data)
    for _ in range(random.randint(1, 12)):
        one, other = random.randrange(len(tags)), random.randrange(len(tags))
        match random.randrange(3):
            case 0:
                tags[one], tags[other] = tags[other], tags[one]
            case 1:
                tags[one] = b""
            case _:
                tags[one] += tags[one]
    return b"".join(piece + tag for piece, tag in zip(pieces, [*tags, b""], strict=True))


def _inside(data: bytes, random: Random) -> bytes:
    """A package that still opens, with a part spoilt, lost or in the place of another."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    names = sorted(parts)
    parted = ("sheet", "document", "content", "Strings")
    weighty = [name for name in names if any(part in name for part in parted)]
    one = random.choice(weighty or names)
    match random.choice(("spoilt", "spoilt", "tags", "swapped", "lost")):
        case "spoilt":
            parts[one] = _bytes(parts[one], random)
        case "tags":
            parts[one] = _tags(parts[one], random)
        case "swapped":
            other = random.choice(names)
            parts[one], parts[other] = parts[other], parts[one]
        case _:
            del parts[random.choice(names)]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return out.getvalue()


def standing(data: bytes) -> str:
    """All text of a file without white space, found without any reader of ours."""
    texts: list[str] = []
    if data.startswith(b"PK"):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as file:
                texts = [file.read(name).decode("utf-8", "replace") for name in file.namelist()]
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, zlib.error):
            return ""
        texts += _sheets(data)
    elif data.startswith(OLE):
        texts = _sheets(data)
    elif b"%PDF" in data[:1024]:
        try:
            with_text = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError:
            return ""
        for number in range(len(with_text)):
            page = with_text[number].get_textpage()
            texts.append(page.get_text_bounded())
    else:
        texts = [data.replace(b"\0", b"").decode("utf-8", "replace")]
        if b"<" in data:
            with contextlib.suppress(etree.LxmlError, ValueError):
                texts.append(lxml.html.document_fromstring(texts[0].encode()).text_content())
    whole = "\n".join(_TAGS.sub("", text) for text in texts)
    return "".join(_CODED.sub(lambda found: chr(int(found[1]) if found[1] else int(found[2], 16)), whole).split())


def _sheets(data: bytes) -> list[str]:
    found: list[str] = []
    with contextlib.suppress(CalamineError, ValueError, KeyError):
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        for name in book.sheet_names:
            found += [str(value) for row in book.get_sheet_by_name(name).to_python() for value in row]
    return found


def stands(raw: str, text: str) -> bool:
    """Whether a figure's raw text stands in a file's text, as written or as the same stored number."""
    said = "".join(raw.split())
    if said in text:
        return True
    if not re.fullmatch(r"-?[\d.]+", said):
        return False
    return any(float(found) == abs(float(said)) for found in _NUMBER.findall(text) if len(found) < 300)
