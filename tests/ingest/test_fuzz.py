"""Spoilt files by the thousand: an answer to each, no fault of the program, no figure that the file does not state."""

from __future__ import annotations

import functools
import re
import tempfile
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from random import Random

import msgspec
import pytest

from pipelines.ingest.declined import Declined
from pipelines.ingest.document import Grid
from pipelines.ingest.labels import squash
from pipelines.ingest.normalise import read_value
from pipelines.ingest.read import read_bytes
from pipelines.ingest.readers.opening import open_document
from pipelines.ingest.sandbox import read_many
from schemas.form import Form
from schemas.intake import ReadCell, ReadFile
from tests.ingest.damage import mutated, standing, stands
from tests.ingest.papers import WRITERS, Paper, paper, redrawn
from tests.ingest.test_matrix import SAVED, as_form, converted
from tests.ingest.writers import office

# Files of each format among a hundred.
SHARES = {
    "html": 26, "xlsx": 18, "docx": 20, "form": 4, "csv": 10, "tabs": 7, "pipes": 7, "tidy": 4, "json": 4,
}  # fmt: skip
LIMITED = "resource_limit"


@functools.cache
def unlike(number: int, edition: str) -> Paper:
    """A paper in which every figure is another number, so that one in a strange place gives itself away."""
    random = Random(f"unlike {number}")
    made = paper(f"unlike {number}", (), edition)
    numbers = random.sample(range(10_000, 99_999), len(made.said))
    said = {cell: str(figure) for cell, figure in zip(made.said, numbers, strict=True)}
    return redrawn(made, said)


@functools.cache
def honest(form: str, number: int) -> tuple[Paper, bytes]:
    made = unlike(number, "2019" if number % 4 == 3 and form != "form" else "2021")
    return made, as_form(made) if form == "form" else WRITERS[form](made)


def labels(form: Form, cell: str) -> tuple[str, str]:
    declared = form.by_id[cell]
    table = form.table(declared.table)
    block = next(block for block in table.blocks if block.id == declared.block)
    row = next(row.label_zh for row in block.rows if row.id == declared.row)
    column = next(column.label_zh for column in block.columns if column.id == declared.column)
    return squash(row), squash(column)


@functools.cache
def places(form: str, number: int) -> dict[str, str]:
    """The grid column of every cell in an honest file."""
    _, data = honest(form, number)
    return {cell.cell: column_of(cell.at) for cell in read_bytes(data, "x").cells}


def column_of(at: str) -> str:
    """``第3列`` of ``表格2 第7行第3列``, ``C`` of ``Sheet1!C7``."""
    found = re.search(r"第\d+列|(?<=!)[A-Z]+", at)
    return found[0] if found else ""


def in_its_place(data: bytes, form: Form, cell: ReadCell, usual: str) -> bool:
    """Whether the spoilt file itself shows the figure in that row and column: in the usual column, or below the label
    of its column, and beside the label of its row.
    """
    try:
        items = open_document(data, "x").items
    except Declined:
        return False
    row, column = labels(form, cell.cell)
    for grid in (item for item in items if isinstance(item, Grid)):
        filled = grid.filled()
        for at, found in filled.items():
            if found.at == cell.at and found.text.strip() == (cell.raw or "").strip():
                beside = [other.text for (y, _), other in filled.items() if y == at[0]]
                above = [other.text for (y, x), other in filled.items() if x == at[1] and y < at[0]]
                shown = {squash(text) for text in (*beside, *above)}
                aside = form.table(form.by_id[cell.cell].table).arrangement == "side_by_side"
                below = column_of(cell.at) == usual or any(column in squash(text) for text in above)
                if below and (aside or any(row in text for text in shown)):
                    return True
    return False


def faults(made: Paper, data: bytes, read: ReadFile, usual: dict[str, str]) -> list[str]:
    """What must not be: see the module's docstring."""
    said = msgspec.json.encode([read.problems, read.cells]).decode()
    found = [word for word in ("Traceback", '.py"', ".py:", "reader_fault") if word in said]
    text = ""
    before = {value: cell for cell, value in made.truth.items() if value is not None}
    for cell in read.cells:
        declared = made.form.by_id.get(cell.cell)
        if cell.value is None or (declared and cell.value == made.truth.get(cell.cell, Decimal(0))):
            continue
        if declared and read_value(cell.raw or "", declared.kind, declared.unit).value != cell.value:
            found.append(f"{cell.cell}: {cell.raw!r} is no {cell.value}")
        text = text or standing(data)
        if not stands(cell.raw or "", text):
            found.append(f"{cell.cell}: {cell.raw!r} stands nowhere in the file")
        elif cell.value in before and before[cell.value] != cell.cell and cell.at and not read.problems:
            if not column_of(cell.at):
                continue  # a tidy file names its cells: whatever stands beside the name is the figure
            if declared is None or not in_its_place(data, made.form, cell, usual.get(cell.cell, "")):
                found.append(f"{cell.cell}: has the figure of {before[cell.value]}")
    return found


def fuzz(count: int, seed: int, forms: dict[str, list[tuple[Paper, bytes]]] | None = None) -> str:
    """Spoil and read ``count`` files; ``forms``: more formats, with their honest files. Says what came of it."""
    cases: list[tuple[Paper, str, bytes, dict[str, str]]] = []
    wanted = [form for form, share in SHARES.items() for _ in range(share)]
    for number in range(count):
        random = Random(f"{seed} {number}")
        if forms:
            form = random.choice(sorted(forms))
            made, data = random.choice(forms[form])
            usual: dict[str, str] = {}
        else:
            form = wanted[number % len(wanted)]
            which = random.randrange(6)
            made, data = honest(form, which)
            usual = places(form, which)
        cases.append((made, f"{seed}-{number}.{form}", mutated(data, form, random), usual))
    began = time.monotonic()
    reads = read_many([(name, data) for _, name, data, _ in cases], workers=2)
    seconds = time.monotonic() - began
    kinds = Counter(finding.rule for read in reads for finding in read.problems[:1])
    bad = [
        (name, fault)
        for (made, name, data, usual), read in zip(cases, reads, strict=True)
        for fault in faults(made, data, read, usual)
    ]
    assert not bad, (len(bad), bad[:8])
    assert [read.file for read in reads] == [name for _, name, _, _ in cases]
    assert kinds[LIMITED] * 100 <= count, kinds
    whole = sum(not read.problems for read in reads)
    figures = sum(len(read.cells) for read in reads)
    return f"{count} spoilt files in {seconds:.1f} s: {whole} read whole, {figures} figures, findings {dict(kinds)}"


def test_spoilt_files(capsys):
    said = fuzz(480, 0)
    with capsys.disabled():
        print(f"\n{said}")


@functools.cache
def others(forms: tuple[str, ...], count: int) -> dict[str, list[tuple[Paper, bytes]]]:
    """Honest files that LibreOffice saves for us."""
    if office() is None:
        pytest.skip("LibreOffice is not installed")
    papers = [unlike(number, "2021") for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, list[tuple[Paper, bytes]]] = {}
        for form in forms:
            place = Path(folder, form)
            place.mkdir()
            found[form] = list(zip(papers, converted(form, papers, place), strict=True))
    return found


def test_spoilt_pages_of_another_program(capsys):
    said = fuzz(20, 0, others(("pdf",), 1))
    with capsys.disabled():
        print(f"\n{said}")


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 20))
def test_very_many_spoilt_files(seed, capsys):
    said = fuzz(1000, seed)
    with capsys.disabled():
        print(f"\n{said}")


@pytest.mark.soak
@pytest.mark.parametrize("form", SAVED)
def test_many_spoilt_files_of_another_program(form, capsys):
    said = fuzz(60 if form in ("doc", "rtf", "odt") else 300, 1, others((form,), 3))
    with capsys.disabled():
        print(f"\n{said}")
