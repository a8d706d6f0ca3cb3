"""Random valid returns in every format with every irregularity of real files: the same cells again, or cells left
unread of which a finding says so, never a wrong value.
"""

from __future__ import annotations

import functools
import subprocess
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from pipelines.ingest.normalise import read_value
from pipelines.ingest.read import read_bytes
from pipelines.publish.workbook import fill_in_workbook
from pipelines.regions import load_region
from schemas.form import edition_for
from schemas.intake import ReadFile
from tests.ingest.papers import IRREGULARITIES, NAMED, TEXTS, WHOLES, WRITERS, Paper, as_docx, as_xlsx, paper
from tests.ingest.writers import office

REGION = load_region(Path(__file__).resolve().parents[2] / "regions", "511725")
# Where totals are left out here and there, a row may be open to two readings; then it is left unread.
MAY_LEAVE = {"blank somewhere"}
# How a paper becomes these formats: written as one that we write ourselves, saved by LibreOffice as the other.
SAVED = {"xls": as_xlsx, "ods": as_xlsx, "pdf": as_docx, "doc": as_docx, "rtf": as_docx, "odt": as_docx}
# LibreOffice has to open these again for us, a file at a time.
SLOW = {"doc", "rtf", "odt"}


def as_form(made: Paper) -> bytes:
    """The paper in our own workbook: plain figures as numbers, all else as typed."""
    values = {
        cell: Decimal(text) if text.isascii() and text.replace(".", "").isdecimal() else text or None
        for cell, text in made.said.items()
    }
    return fill_in_workbook(made.form, REGION, REGION.body("511725-T05"), 2023, values)


def judge(made: Paper, read: ReadFile) -> set[str]:
    """The cells left unread. Fails for a wrong value, a cell the form does not have, one read twice, or an unread cell
    that no finding names.

    A figure that a narrow cell of a page broke over two lines counts as unread: its text is kept, no number is made.
    """
    said = (made.seed, made.form.edition, read.format, made.names)
    texts = {cell.id for cell in made.form.cells if made.form.table(cell.table).arrangement == "text"}
    cells = {cell.cell: cell for cell in read.cells if not (cell.cell in texts and cell.value is None)}
    assert len({cell.cell for cell in read.cells}) == len(read.cells), said
    assert set(cells) <= set(made.truth), said
    broken = {cell for cell, found in cells.items() if found.state == "text" and "\n" in (found.raw or "")}
    for cell, found in cells.items():
        if cell in broken:
            assert "".join((found.raw or "").split()) == "".join(made.said[cell].split()), (said, found)
            continue
        assert found.value == made.truth[cell], (said, cell, found.raw, found.value, made.truth[cell])
        declared = made.form.by_id[cell]
        assert read_value(found.raw or "", declared.kind, declared.unit).value == found.value, (said, found)
        assert (found.state == "given") == (found.value is not None), (said, found)
    unread = set(made.truth) - set(cells)
    if all(finding.rule == "unread_cells" for finding in read.problems):
        named = {cell for finding in read.problems for cell in finding.cells}
        assert unread <= named, (said, sorted(unread - named)[:5])
    return unread | broken


def drawn(seed: str, random: Random) -> Paper:
    """A paper with some irregularities at once."""
    names = tuple(name for name in IRREGULARITIES if random.random() < 0.25)
    return paper(seed, names, random.choice(("2021", "2021", "2019")))


@pytest.mark.parametrize("edition", ["2021", "2019"])
@pytest.mark.parametrize("name", ["", *IRREGULARITIES])
@pytest.mark.parametrize("form", WRITERS)
def test_one_irregularity(form, name, edition):
    if form in NAMED and name and name not in TEXTS:
        return  # a file that names its cells has no tables that anything could befall
    made = paper(f"one {name} {edition}", (name,) if name else (), edition)
    unread = judge(made, read_bytes(WRITERS[form](made), f"paper.{form}"))
    assert not unread or name in MAY_LEAVE, (len(unread), sorted(unread)[:5])


@pytest.mark.parametrize("name", ["", *TEXTS])
def test_our_own_workbook(name):
    made = paper(f"own {name}", (name,) if name else ())
    read = read_bytes(as_form(made), "paper.xlsx")
    assert read.own_workbook
    assert not judge(made, read)


def many(first: int, count: int) -> str:
    """Read ``count`` papers in every format that we write; say how many cells were read of how many."""
    there, gone, files = Counter[str](), Counter[str](), 0
    for number in range(first, first + count):
        random = Random(f"many {number}")
        made = drawn(f"many {number}", random)
        for form, write in WRITERS.items():
            unread = judge(made, read_bytes(write(made), f"paper.{form}"))
            there[form] += len(made.truth)
            gone[form] += len(unread)
            files += 1
    assert sum(gone.values()) < 0.1 * sum(there.values())  # unread is honest, but it must stay the exception
    shares = ", ".join(f"{form} {1 - gone[form] / there[form]:.1%}" for form in there)
    return f"{files} files, no wrong value; read: {shares}"


def test_many_irregularities_at_once(capsys):
    said = many(0, 40)
    with capsys.disabled():
        print(f"\n{said}")


@pytest.mark.soak
@pytest.mark.parametrize("first", range(1000, 6000, 500))
def test_very_many_irregularities_at_once(first, capsys):
    said = many(first, 500)
    with capsys.disabled():
        print(f"\n{said}")


def converted(form: str, papers: list[Paper], folder: Path) -> list[bytes]:
    """Papers saved by LibreOffice in another format, all in one go."""
    write = SAVED[form]
    source = "xlsx" if write is as_xlsx else "docx"
    paths = [folder / f"{number}.{source}" for number in range(len(papers))]
    for made, path in zip(papers, paths, strict=True):
        path.write_bytes(write(made))
    program = office()
    assert program is not None
    profile = f"-env:UserInstallation={(folder.parent / 'profile').as_uri()}"
    subprocess.run(
        [program, profile, "--headless", "--convert-to", form, "--outdir", str(folder), *map(str, paths)],
        check=True,
        capture_output=True,
        timeout=60 + 10 * len(papers),
    )
    return [path.with_suffix(f".{form}").read_bytes() for path in paths]


@functools.cache
def saved(first: int, count: int) -> dict[str, list[tuple[Paper, bytes]]]:
    """By format: papers and their files; where reading is quick, one has nothing irregular."""
    if office() is None:
        pytest.skip("LibreOffice is not installed")
    found: dict[str, list[tuple[Paper, bytes]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for form in SAVED:
            size = count // 4 if form in SLOW else count
            papers = [
                drawn(f"saved {form} {number}", Random(f"{form} {number}")) for number in range(first, first + size)
            ]
            if form not in SLOW:
                papers.append(paper(f"saved {form} {first}", ()))
            place = Path(folder, form)
            place.mkdir()
            found[form] = list(zip(papers, converted(form, papers, place), strict=True))
    return found


def read_saved(form: str, first: int, count: int) -> None:
    for made, data in saved(first, count)[form]:
        read = read_bytes(data, f"paper.{form}")
        assert read.format == form
        unread = judge(made, read)
        assert made.names or not unread, (len(unread), sorted(unread)[:5])


@pytest.mark.parametrize("form", SAVED)
def test_saved_by_another_program(form):
    read_saved(form, 0, 4)


@pytest.mark.soak
@pytest.mark.parametrize("first", [100, 200])
@pytest.mark.parametrize("form", SAVED)
def test_many_saved_by_another_program(form, first):
    read_saved(form, first, 60)


def test_the_catalogue_is_whole():
    """Each kind of irregularity changes the file it befalls (else the matrix would test nothing)."""
    for name in IRREGULARITIES:
        plain, changed = paper("same", ()), paper("same", (name,))
        assert (plain.said, plain.parts) != (changed.said, changed.parts), name
    assert set(WHOLES) < set(IRREGULARITIES)
    assert edition_for(2023) == "2021"
