"""Reading returns: computing time a file beside the bare reader alone, files a second in the guarded processes, peers.

    python -m benchmarks.ingest [--quick]

The files are the sample county's returns of 2023 (synthetic), each body's in every format; the PDFs are some of the
documents saved by LibreOffice and are left out where it is absent. All ways read the same files; ours and the bare
reader in one process, in turn, round after round, the peers in processes of their own; the figures are medians of the
rounds. Computing time, not wall time, so that a busy machine does not count; the guarded processes alone are measured
by the clock.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import io
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import docx
import lxml.html
import pdfplumber
import pypdfium2
from lxml import etree
from python_calamine import CalamineWorkbook

from pipelines.ingest.decoding import decode
from pipelines.ingest.read import read_bytes
from pipelines.ingest.sandbox import read_many
from pipelines.regions import load_region
from pipelines.sample.county import REGIONS, make_county, make_indicators
from pipelines.sample.inbox import ENCODINGS, return_file
from schemas.form import edition_for, load_form

REGION, YEAR = "511725", 2023
LIBRARIES = ("python-calamine", "lxml", "pdfplumber", "pypdfium2", "pandas", "python-docx")
Way = Callable[[bytes], object]
WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def files(count: int, pages: int) -> dict[str, list[bytes]]:
    """The returns of ``count`` bodies by format; PDFs of ``pages`` of them."""
    region = load_region(REGIONS, REGION)
    form = load_form(edition_for(YEAR))
    values, indicators = make_county(region, YEAR), make_indicators(region, YEAR)
    bodies = region.roster(YEAR)[:count]
    found = {
        kind: [
            return_file(
                form, region, body, YEAR, kind, values[body.code], indicators[body.code],
                encoding=ENCODINGS[number % len(ENCODINGS)],
            )
            for number, body in enumerate(bodies)
        ]
        for kind in ("xlsx", "docx", "html", "csv")
    }  # fmt: skip
    printed = as_pdf(found["docx"][:pages])
    return {**found, "pdf": printed} if printed else found


def as_pdf(documents: Sequence[bytes]) -> list[bytes]:
    """The documents as LibreOffice prints them; [] where it is absent."""
    program = shutil.which("soffice") or shutil.which("libreoffice")
    if not program or not documents:
        return []
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.docx") for number in range(len(documents))]
        for path, data in zip(paths, documents, strict=True):
            path.write_bytes(data)
        profile = f"-env:UserInstallation={Path(folder, 'profile').as_uri()}"
        command = [program, profile, "--headless", "--convert-to", "pdf", "--outdir", folder, *map(str, paths)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        return [path.with_suffix(".pdf").read_bytes() for path in paths]


# ---------------------------------------------------------------- bare readers: all text of all tables, no sense made
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


def text_pdf(data: bytes) -> object:
    file = pypdfium2.PdfDocument(data)
    return [page.get_textpage().get_text_bounded() for page in file]


# ---------------------------------------------------------------- peers
def python_docx(data: bytes) -> object:
    document = docx.Document(io.BytesIO(data))
    return [[cell.text for cell in row.cells] for table in document.tables for row in table.rows]


def peers() -> dict[tuple[str, str], Way]:
    """By format and name; those of pandas only where it is installed."""
    found: dict[tuple[str, str], Way] = {
        ("pdf", "pypdfium2, text alone"): text_pdf,
        ("docx", "python-docx, tables"): python_docx,
    }
    if importlib.util.find_spec("pandas"):
        import pandas as pd

        found["html", "pandas.read_html"] = lambda data: pd.read_html(io.BytesIO(data))
        engines = [("calamine", "python_calamine"), ("openpyxl", "openpyxl")]
        for engine, module in engines:
            if importlib.util.find_spec(module):
                found["xlsx", f"pandas.read_excel, {engine}"] = lambda data, engine=engine: pd.read_excel(
                    io.BytesIO(data), sheet_name=None, header=None, engine=engine
                )
    return found


BARE: dict[str, tuple[str, Way]] = {
    "xlsx": ("calamine", bare_xlsx),
    "docx": ("zipfile and lxml", bare_docx),
    "html": ("lxml.html", bare_html),
    "csv": ("csv", bare_csv),
    "pdf": ("pdfplumber, text and tables", bare_pdf),
}


def ours(data: bytes) -> object:
    return read_bytes(data, "return")


def ways_of(kind: str) -> dict[str, Way]:
    """Every way of reading a format by its name in the table."""
    title, bare = BARE[kind]
    found: dict[str, Way] = {f"bare: {title}": bare, "gongkai: cells, claims, findings": ours}
    return found | {f"peer: {name}": way for (form, name), way in peers().items() if form == kind}


def measured(kind: str, data: list[bytes], rounds: int) -> dict[str, float]:
    """``measure`` of all ways: the bare reader and ours in one new process, each peer in one of its own.

    A peer's libraries take up a process and slow down whoever shares it, which no reading process of ours does.
    """
    names = list(ways_of(kind))
    taken: dict[str, float] = {}
    for group in (names[:2], *([name] for name in names[2:])):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            taken |= pool.submit(_measure_group, kind, group, data, rounds).result()
    return taken


def _measure_group(kind: str, names: list[str], data: list[bytes], rounds: int) -> dict[str, float]:
    own = {f"bare: {BARE[kind][0]}": BARE[kind][1], "gongkai: cells, claims, findings": ours}
    ways = own if set(names) <= set(own) else ways_of(kind)
    return measure({name: ways[name] for name in names}, data, rounds)


def measure(ways: dict[str, Way], data: list[bytes], rounds: int) -> dict[str, float]:
    """Milliseconds of computing a file, the median of interleaved rounds; the first round warms and is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            begin = time.process_time()
            for one in data:
                way(one)
            if number:
                taken[name].append(1000 * (time.process_time() - begin) / len(data))
    return {name: statistics.median(values) for name, values in taken.items()}


def guarded(data: list[bytes], rounds: int) -> float:
    """Files a second by the clock in two guarded processes, each started for the round."""
    speeds = []
    for number in range(rounds):
        begin = time.perf_counter()
        reads = read_many([(f"{number}-{n}", one) for n, one in enumerate(data)], workers=2)
        speeds.append(len(data) / (time.perf_counter() - begin))
        if not all(read.readable for read in reads):
            raise SystemExit("a return of the sample was not read")
    return statistics.median(speeds)


def aim(kind: str, own: float, bare: float) -> str:
    """The aim set for a format, and whether it is kept."""
    if kind == "pdf":
        return f"{own / bare:.2f} x bare, at most 1.5: {'kept' if own <= 1.5 * bare else 'missed'}"
    if kind == "csv":
        return f"{own - bare:+.1f} ms"
    return f"{own - bare:+.1f} ms, at most 5: {'kept' if own - bare <= 5 else 'missed'}"


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few files and rounds, some seconds")
    quick = parser.parse_args().quick
    count, pages, rounds = (8, 2, 3) if quick else (24, 4, 5)
    found = files(count, pages)
    there = [
        name for name in LIBRARIES if importlib.util.find_spec(name.replace("-", "_").replace("python_docx", "docx"))
    ]
    print(f"{platform.python_version()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, {rounds} rounds")
    print(", ".join(f"{name} {version(name)}" for name in there))
    for name, present in (("pandas", importlib.util.find_spec("pandas")), ("LibreOffice", "pdf" in found)):
        if not present:
            print(f"{name} is not installed: its rows are left out")
    print("\n| format | way | ms a file | files a second | beside the bare reader |")
    print("| --- | --- | ---: | ---: | --- |")
    for kind, data in found.items():
        taken = measured(kind, data, max(2, rounds // 3) if kind == "pdf" else rounds)
        floor = taken[f"bare: {BARE[kind][0]}"]
        for name, ms in taken.items():
            note = aim(kind, ms, floor) if name.startswith("gongkai") else ""
            print(f"| {kind} | {name} | {ms:.1f} | {1000 / ms:.0f} | {note} |", flush=True)
        print(f"| {kind} | gongkai, two guarded processes, by the clock | | {guarded(data, 3):.0f} | |", flush=True)


if __name__ == "__main__":
    main()
