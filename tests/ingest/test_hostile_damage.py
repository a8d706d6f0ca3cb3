"""Honest files damaged at random: whatever comes, it is an answer of the reader and never a fault of the program."""

from __future__ import annotations

import random

import pytest

from pipelines.ingest.sandbox import read_many
from tests.ingest import hostile, writers

MAKERS = {
    "xlsx": hostile.xlsx,
    "docx": hostile.docx_file,
    "html": lambda: writers.as_html(tables=writers.drawings()[:1]),
    "pdf": lambda: hostile.pdf(
        b"BT /F 10 Tf 50 700 Td (Rules 0) Tj ET 50 690 100 20 re S", "/Font<</F<</Type/Font>>>>"
    ),
    "doc": lambda: hostile.compound("WordDocument", "1Table"),
    "xls": lambda: hostile.compound("Workbook"),
    "csv": lambda: writers.as_csv(writers.drawings()[0]),
    "json": lambda: b'{"cells": [{"cell": "requests.received.total", "value": 101, "raw": "101"}]}',
    "txt": writers.as_tabs,
    "ods": lambda: hostile.ods(
        '<table:table-row><table:table-cell office:value-type="float" office:value="1"/></table:table-row>'
    ),
}
# Formats whose inner parts are worth damaging behind a container that still opens.
PARTS = {
    "xlsx": (hostile.SHEET, "xl/workbook.xml", "xl/sharedStrings.xml"),
    "docx": (hostile.MAIN,),
    "ods": ("content.xml",),
}


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, cut out, doubled or cut off."""
    content = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        if not content:
            break
        at = chance.randrange(len(content))
        match chance.randrange(5):
            case 0:
                content[at] = chance.randrange(256)
            case 1:
                del content[at : at + chance.randint(1, 40)]
            case 2:
                content[at:at] = content[at : at + chance.randint(1, 40)]
            case 3:
                content[at : at + 4] = b"\xff\xff\xff\x7f"
            case _:
                if chance.random() < 0.2:
                    del content[at:]
    return bytes(content)


def damage(form: str, count: int, seed: int) -> list[tuple[str, bytes]]:
    chance = random.Random(f"{form} {seed}")
    whole = MAKERS[form]()
    files = []
    for number in range(count):
        if form in PARTS and number % 2:
            data = hostile.with_part(whole, chance.choice(PARTS[form]), lambda part: damaged(part, chance))
        else:
            data = damaged(whole, chance)
        files.append((f"{number}.{form}", data))
    return files


def run(form: str, count: int, seed: int) -> None:
    for read in read_many(damage(form, count, seed), "tests.ingest.works:open_only", workers=1):
        kinds = [finding.rule for finding in read.problems]
        assert len(kinds) <= 1
        assert "reader_fault" not in kinds, (read.file, seed)


# doc and xls are left to the soak: LibreOffice tries each damaged one, which takes seconds.
@pytest.mark.parametrize("form", [form for form in MAKERS if form not in ("doc", "xls")])
def test_random_damage(form):
    run(form, 40, 0)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("form", MAKERS)
def test_much_random_damage(form, seed):
    run(form, 10 if form in ("doc", "xls") else 300, seed)
