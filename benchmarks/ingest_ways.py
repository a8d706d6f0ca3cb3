"""How a return is read: by us, and by the library that we use, alone (the floor); both in one process, in turn.

    python -m benchmarks.ingest_ways FORMAT FOLDER

Belongs here: bare readers (all text of all tables, no sense made) and ours. Does not belong here: peers
(ingest_peers.py), rounds (rounds.py), the table (ingest.py).
"""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from pathlib import Path

import lxml.html
import pdfplumber
from lxml import etree
from python_calamine import CalamineWorkbook

from benchmarks.rounds import Way, serve
from pipelines.ingest.decoding import decode
from pipelines.ingest.read import read_bytes

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def bare_xlsx(data: bytes) -> object:
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]


def bare_docx(data: bytes) -> object:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        root = etree.fromstring(file.read("word/document.xml"))
    return [["".join(cell.itertext(f"{WORD}t")) for cell in row.iter(f"{WORD}tc")] for row in root.iter(f"{WORD}tr")]


def bare_html(data: bytes) -> object:
    root = lxml.html.fromstring(decode(data, "page").encode(), parser=lxml.html.HTMLParser(encoding="utf-8"))
    return [[cell.text_content() for cell in row.iter("td", "th")] for row in root.iter("tr")]


def bare_csv(data: bytes) -> object:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def bare_pdf(data: bytes) -> object:
    with pdfplumber.open(io.BytesIO(data)) as file:
        return [(page.extract_text(), page.extract_tables()) for page in file.pages]


def ours(data: bytes) -> object:
    return read_bytes(data, "return")


# By format: what the bare reader is called, the distribution it is of, how.
BARE: dict[str, tuple[str, str, Way]] = {
    "xlsx": ("calamine", "python-calamine", bare_xlsx),
    "docx": ("zipfile and lxml", "lxml", bare_docx),
    "html": ("lxml.html", "lxml", bare_html),
    "csv": ("csv", "", bare_csv),
    "pdf": ("pdfplumber, text and tables", "pdfplumber", bare_pdf),
}


if __name__ == "__main__":
    kind, folder = sys.argv[1:]
    serve({"bare": BARE[kind][2], "gongkai": ours}, Path(folder))
