"""Published reports whose true figures are known: every cell read is right, raw text and value.

The reports are not part of this repository. They are looked for in the folder that GONGKAI_REFERENCE names, else in
``shared/reference`` beside the project; where they are absent these tests are skipped by name.
"""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.ingest.read import read_bytes
from pipelines.validate.claims import claim_findings
from schemas.form import load_form

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "reference"
REFERENCE = Path(os.environ.get("GONGKAI_REFERENCE", str(BESIDE)))
CASES = sorted(path.name.removesuffix(".truth.json") for path in (REFERENCE / "real").glob("*.truth.json"))
# Where a report's own text and table differ: the one claim of the case that no reading fits.
DISAGREE = {"changchun_tyjr_2023": ["requests.received.total"]}

pytestmark = pytest.mark.skipif(not CASES, reason="the folder of published reports is not there")


def read(name):
    (path,) = [
        path
        for path in (REFERENCE / "real").glob(f"{name}.*")
        if not path.name.endswith(".truth.json") and path.suffix in (".txt", ".md", ".html", ".pdf")
    ]
    truth = json.loads((REFERENCE / "real" / f"{name}.truth.json").read_text(encoding="utf-8"))
    return read_bytes(path.read_bytes(), path.name), truth


@pytest.mark.parametrize("name", CASES or ["none"])
def test_a_report_is_read_as_it_is(name):
    found, truth = read(name)
    got = {cell.cell: cell for cell in found.cells}
    wrong = {
        cell: (got[cell].raw, got[cell].value, true)
        for cell, true in truth["cells"].items()
        if cell in got
        and (
            got[cell].raw != true["raw"]
            or got[cell].value != (None if true["value"] is None else Decimal(str(true["value"])))
        )
    }
    assert wrong == {}
    assert [cell for cell in truth["cells"] if cell not in got] == []
    whole = {"table2": "proactive", "table3": "requests", "table4": "disputes"}
    for table in (whole[part] for part in truth["complete"]):
        extra = [cell for cell in got if cell.startswith(f"{table}.") and cell not in truth["cells"]]
        assert extra == [], "a table known in full has no further cells"


@pytest.mark.parametrize("name", CASES or ["none"])
def test_no_sentence_is_misread(name):
    """A claim that no reading fits is the report's own mistake, or ours: all of the report's own are known."""
    found, _ = read(name)
    form = load_form("2021")
    values = {cell.cell: cell.value for cell in found.cells if cell.value is not None and cell.cell in form.by_id}
    broken = claim_findings(found.claims, values, {}, form)
    assert [finding.cells[0] for finding in broken] == DISAGREE.get(name, [])


def test_editions_are_told_table_by_table():
    found, _ = read("hongze_2023")
    assert (found.form["proactive"], found.form["requests"]) == ("2021", "2019")
    assert (found.body_name, found.year) == ("洪泽区人民政府", 2023)


def test_the_published_report_of_the_sample_county():
    path = REFERENCE / "quxian-2023.txt"
    truth = json.loads(path.with_name("quxian-2023.truth.json").read_text(encoding="utf-8"))
    found = read_bytes(path.read_bytes(), path.name)
    assert {cell.cell: cell.value for cell in found.cells} == {
        cell: Decimal(str(value)) for cell, value in truth.items()
    }
    assert (found.body_name, found.year, found.problems) == ("渠县", 2023, ())
    form = load_form("2021")
    values = {cell.cell: cell.value for cell in found.cells if cell.value is not None}
    assert len(found.claims) >= 15
    assert claim_findings(found.claims, values, {}, form) == []
