"""The fill-in workbook in a real spreadsheet program: it opens, prints, and calculates what we wrote beside.

Needs LibreOffice (`make system`).
"""

from __future__ import annotations

import random
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest

from pipelines.layout import FORM_SHEET, GUIDE_SHEET
from pipelines.publish.workbook import fill_in_workbook
from pipelines.regions import load_published, load_region
from schemas.form import load_form

pytestmark = pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice (soffice) is not installed")

REGIONS = Path(__file__).resolve().parents[2] / "regions"
REGION = load_region(REGIONS, "511725")
FORM = load_form("2021")
GOOD = load_published(REGIONS, "511725", 2023)
# LibreOffice recalculates a workbook when it opens it only if told to.
ALWAYS_RECALCULATE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" oor:op="fuse">
<value>0</value></prop></item>
</oor:items>
"""


def noise(seed):
    """A return of random small figures, blanks and words: every branch of the checks is met somewhere."""
    dice = random.Random(seed)
    kinds = [Decimal(0), Decimal(1), Decimal(2), Decimal(3), Decimal("1.5"), Decimal(-1), None, "无"]
    likely = [8, 8, 4, 2] + ([1, 1, 1, 1] if seed % 2 else [0, 0, 0, 0])
    return {cell.id: dice.choices(kinds, likely)[0] for cell in FORM.cells}


def variants():
    broken = GOOD | {"requests.granted.natural_person": Decimal(31), "disputes.reconsideration.total": Decimal(4)}
    before = {cell.id: Decimal(n % 3) for n, cell in enumerate(FORM.cells)}
    given = {"empty": (None, None), "good": (GOOD, None), "broken": (broken, before)}
    given |= {f"noise{seed}": (noise(seed), before if seed % 3 else None) for seed in range(6)}
    body = REGION.body("511725-D01")
    return {
        name: fill_in_workbook(FORM, REGION, body, 2023, values, previous=previous)
        for name, (values, previous) in given.items()
    }


def soffice(folder, target, *files):
    profile = folder / "profile"
    command = ["soffice", "--headless", f"-env:UserInstallation={profile.as_uri()}", "--convert-to", target]
    subprocess.run(
        [*command, "--outdir", str(folder / "out"), *map(str, files)], check=True, capture_output=True, timeout=240
    )
    return folder / "out"


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """(folder of our workbooks, folder of the same after LibreOffice opened, recalculated and saved them)."""
    folder = tmp_path_factory.mktemp("office")
    settings = folder / "profile" / "user"
    settings.mkdir(parents=True)
    (settings / "registrymodifications.xcu").write_text(ALWAYS_RECALCULATE, encoding="utf-8")
    (folder / "ours").mkdir()
    files = []
    for name, data in variants().items():
        files.append(folder / "ours" / f"{name}.xlsx")
        files[-1].write_bytes(data)
    soffice(folder, "xlsx", *files)
    soffice(folder, "pdf", folder / "ours" / "broken.xlsx")
    return folder / "ours", folder / "out"


def texts(path, formulas=False):
    sheet = openpyxl.load_workbook(path, data_only=not formulas)[FORM_SHEET]
    return {cell.coordinate: cell.value for row in sheet.iter_rows() for cell in row if cell.value is not None}


def test_the_program_calculates_exactly_what_we_wrote_beside_each_formula(opened):
    ours, theirs = opened
    compared, seen = 0, set()
    for path in sorted(ours.glob("*.xlsx")):
        cached, calculated = texts(path), texts(theirs / path.name)
        for place, formula in texts(path, formulas=True).items():
            if isinstance(formula, str) and formula.startswith("="):
                assert calculated[place] == cached[place], (path.name, place, formula)
                compared += 1
                seen.add(str(cached[place])[:2])
    assert compared > 500
    assert {"✓", "✗ ", "！ ", "差 ", "还有", "未填"} <= seen


def test_a_planted_broken_sum_shows_its_text(opened):
    shown = texts(opened[1] / "broken.xlsx").values()
    assert "✗ 一行的总计应等于各项之和：现为 29，应等于 31，差 2。" in shown
    assert "✗ 一行的总计应等于各项之和：现为 4，应等于 5，差 1。" in shown
    assert "✗ 办理结果总计应等于各项办理结果之和：自然人差 2；" in shown
    assert not any(str(text).startswith("✗") for text in texts(opened[1] / "good.xlsx").values())


def test_the_form_prints_on_one_page_with_its_words(opened):
    import pdfplumber

    with pdfplumber.open(opened[1] / "broken.pdf") as pdf:
        first = "".join((pdf.pages[0].extract_text() or "").split())
        second = "".join((pdf.pages[1].extract_text() or "").split())
        assert round(pdf.pages[0].width) == 595
    for words in ("二、主动公开政府信息情况", "四、政府信息公开行政复议、行政诉讼情况", "六、信息处理费"):
        assert words in first
    assert "自动核对（打印时不含本列）" not in first
    assert "总体情况指标" in second or GUIDE_SHEET in second
