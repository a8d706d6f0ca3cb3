"""The report's files: read back by our own readers, the same bytes twice, safe and accessible."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import msgspec
import pdfplumber
import pytest
from lxml import html

from pipelines.ingest.read import read_bytes
from pipelines.publish.report import Report, build_report, find_fonts
from pipelines.publish.report.build import DOCX, HTML, PDF
from schemas.narrative import Passage
from tests.report import county


@cache
def sample() -> Report:
    return build(county.region())


def build(region, **changes) -> Report:
    given = {"totals": county.totals(), "indicators": county.indicators(), "narrative": county.narrative()} | changes
    return build_report(county.form(), region, county.YEAR, **given)


def pdf_of(report: Report) -> bytes:
    if PDF not in report.files:
        pytest.skip("no Chinese font is installed, so no PDF is made")
    return report.files[PDF]


@pytest.mark.parametrize("name", [HTML, DOCX])
def test_read_back_with_every_cell(name):
    assert_same_cells(sample().files[name], name)


def test_pdf_is_read_back_with_every_cell():
    assert_same_cells(pdf_of(sample()), PDF)


def assert_same_cells(data: bytes, name: str) -> None:
    read = read_bytes(data, name)
    totals = county.totals()
    assert {cell.cell: cell.value for cell in read.cells} == totals
    assert len(totals) == 203
    assert read.year == county.YEAR
    stated = {given.indicator: given.value for given in read.indicators}
    assert stated == {name: given.value for name, given in county.indicators().items()}


@pytest.mark.parametrize("name", [HTML, DOCX])
def test_every_figure_in_a_sentence_agrees_with_the_tables(name):
    totals = county.totals()
    claims = read_bytes(sample().files[name], name).claims
    assert len(claims) > 20
    for claim in claims:
        fits = [r for r in claim.readings or ((claim.cell,),) if reading_value(r, totals) == claim.value]
        assert fits, (claim.cell, claim.value, claim.readings)


def reading_value(reading, totals):
    return sum((-1 if term.startswith("-") else 1) * totals[term.lstrip("+-")] for term in reading)


def test_the_same_bytes_twice():
    assert build(county.region()).files == sample().files


def test_the_same_bytes_in_another_process():
    """Neither hash order nor the clock enters: a second process with another seed and time zone agrees."""
    script = (
        "import hashlib\nfrom tests.report.test_files import sample\n"
        "print({n: hashlib.sha256(d).hexdigest() for n, d in sorted(sample().files.items())})"
    )
    environment = os.environ | {"PYTHONHASHSEED": "4711", "TZ": "Asia/Shanghai"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=county.ROOT.parent, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    here = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(sample().files.items())}
    assert done.stdout.strip() == str(here)


def test_a_changed_figure_changes_every_file():
    totals = county.totals()
    totals["requests.granted.natural_person"] += 1
    changed = build(county.region(), totals=totals).files
    assert all(changed[name] != data for name, data in sample().files.items())


def test_without_a_chinese_font_there_is_no_pdf_and_a_note(tmp_path):
    report = build_report(
        county.form(),
        county.region(),
        county.YEAR,
        county.totals(),
        county.indicators(),
        county.narrative(),
        fonts=lambda: find_fonts([str(tmp_path)], system=False),
    )
    assert sorted(report.files) == [DOCX, HTML]
    note = report.notes[-1]
    assert (note.kind, note.place) == ("no_font", PDF)
    assert "字体" in note.message_zh
    assert "font" in note.message_en


def test_page_is_self_contained_and_marks_every_cell():
    page = html.fromstring(sample().files[HTML])
    cells = {td.get("data-cell"): td.text_content() for td in page.iter("td")}
    form_cells = {cell: text for cell, text in cells.items() if cell in county.form().by_id}
    assert len(form_cells) == 200
    assert form_cells["requests.processed.total"] == "103"
    assert not page.xpath("//script | //img | //link | //iframe | //*[@style] | //@*[starts-with(., 'http')]")
    assert page.xpath("string(//html/@lang)") == "zh-CN"
    assert page.xpath("string(//meta[@http-equiv]/@content)").startswith("default-src 'none'; style-src 'sha256-")
    assert len(page.xpath("//table[.//thead and .//tbody]")) == 4


def test_hostile_names_stay_text():
    region = county.region()
    hostile = '<script>x</script>#panic("x")`$\\'
    publisher = msgspec.structs.replace(region.settings.publisher, name_zh=hostile)
    settings = msgspec.structs.replace(region.settings, publisher=publisher)
    narrative = msgspec.structs.replace(
        county.narrative(), passages=(Passage(topic="problems", before=("#include \"/etc/passwd\" \x00 = 1</w:t>",)),)
    )  # fmt: skip
    report = build(msgspec.structs.replace(region, settings=settings), narrative=narrative)
    page = html.fromstring(report.files[HTML])
    assert not page.xpath("//script")
    assert hostile in page.text_content()
    with zipfile.ZipFile(io.BytesIO(report.files[DOCX])) as file:
        document = file.read("word/document.xml").decode()
    assert "&lt;script&gt;" in document
    assert "⟨U+0000⟩ = 1&lt;/w:t&gt;" in document
    with pdfplumber.open(io.BytesIO(pdf_of(report))) as pdf:
        text = "".join(page.extract_text() for page in pdf.pages)
    assert "#panic" in text
    assert "#include" in text


def test_document_has_fixed_properties_and_merges():
    with zipfile.ZipFile(io.BytesIO(sample().files[DOCX])) as file:
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        core = file.read("docProps/core.xml").decode()
        document = file.read("word/document.xml").decode()
    assert core.count("2021-01-01T00:00:00Z") == 2
    assert "python-docx" not in core
    assert document.count("<w:tbl>") == 4
    assert document.count("w:tblHeader") == 2 + 3 + 3 + 1  # the heads of each table, repeated on every page


def test_pdf_is_a4_tagged_and_names_no_version():
    data = pdf_of(sample())
    assert b"/StructTreeRoot" in data
    assert b"<pdfuaid:part>1</pdfuaid:part>" in data
    assert b"Typst 0" not in data
    assert b"CreationDate" not in data
    with pdfplumber.open(io.BytesIO(data)) as pdf:
        assert {(round(page.width), round(page.height)) for page in pdf.pages} == {(595, 842)}
        texts = [page.extract_text() for page in pdf.pages]
    assert pdf.metadata["Title"] == "渠县2023年政府信息公开工作年度报告（示例）"
    whole = [text for text in texts if "一、本年新收政府信息公开申请数量" in text]
    assert len(whole) == 1
    assert "四、结转下年度继续办理" in whole[0]  # table three stands on one page


def test_fonts_are_looked_for_in_folders_too(tmp_path):
    assert find_fonts([str(tmp_path)], system=False) is None
    found = find_fonts()
    if found is None:
        pytest.skip("no Chinese font is installed, so no PDF is made")
    noto = Path("/usr/share/fonts/opentype/noto")
    if noto.is_dir():
        given = find_fonts([str(noto)], system=False)
        assert given is not None
        assert given.text == "Noto Serif CJK SC"
        assert given.folders == (str(noto),)
