"""The synthetic county's files: four formats, the same bytes every time, and the same cells read back from each."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections import Counter
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pytest

from pipelines.ingest.read import read_bytes
from pipelines.names import find_body
from pipelines.regions import load_region
from pipelines.sample.county import make_county, make_indicators
from pipelines.sample.inbox import make_returns, return_file, write_sample
from schemas.form import load_form

ROOT = Path(__file__).resolve().parents[2]
REGION = load_region(ROOT / "regions", "511725")
FORM = load_form("2021")
NOTE = "示例数据，非真实报送"


@pytest.fixture(scope="module")
def files():
    return make_returns(REGION, 2023)


def plain_text(data: bytes) -> str:
    """All text of a file, whatever its format; the parts of a zip one after another."""
    if data[:2] == b"PK":
        with zipfile.ZipFile(BytesIO(data)) as package:
            return "".join(package.read(n).decode("utf-8") for n in package.namelist() if n.endswith(".xml"))
    return data.decode("gb18030" if b'charset="gb18030"' in data else "utf-8")


def test_the_formats_arrive_as_in_life(files):
    assert Counter(name.rsplit(".", 1)[1] for name in files) == {"xlsx": 48, "docx": 8, "html": 6, "csv": 4}
    flat = [name for name in files if "/" not in name]
    assert 0 < len(flat) < len(files) / 2
    assert {"xlsx", "docx", "html"} <= {name.rsplit(".", 1)[1] for name in flat}
    for name, body in zip(files, REGION.bodies, strict=True):
        assert "/" not in name or name.startswith(f"{body.code}/")
    office = next(name for name in files if name.startswith("511725-D01/"))
    assert office.endswith(".xlsx")


def test_every_file_says_that_it_is_a_sample(files):
    for name, data in files.items():
        assert NOTE in plain_text(data), name


@pytest.mark.parametrize("year", [2022, 2023])
def test_every_file_reads_back_exactly(year):
    """Cells, indicators, body and year, through the real intake."""
    county, indicators = make_county(REGION, year), make_indicators(REGION, year)
    for (name, data), body in zip(make_returns(REGION, year).items(), REGION.bodies, strict=True):
        read = read_bytes(data, name)
        assert [problem.rule for problem in read.problems if problem.severity == "error"] == [], name
        assert {cell.cell: cell.value for cell in read.cells} == county[body.code], name
        assert len(read.cells) == len(FORM.cells), name
        stated = {key: Decimal(str(value).removesuffix("余")) for key, value in indicators[body.code].items()}
        assert {i.indicator: i.value for i in read.indicators} == stated, name
        assert read.year == year, name
        assert read.body_code == body.code or find_body(REGION, read.body_name) == body, name
        assert read.own_workbook == name.endswith(".xlsx"), name


@pytest.mark.parametrize("code", ["511725-D01", "511725-D20", "511725-T05"])
def test_the_four_formats_carry_the_same_cells(code):
    body, values = REGION.body(code), make_county(REGION, 2023)[code]
    indicators = make_indicators(REGION, 2023)[code]
    for kind in ("xlsx", "docx", "html", "csv"):
        data = return_file(FORM, REGION, body, 2023, kind, values, indicators)
        assert {cell.cell: cell.value for cell in read_bytes(data, f"a.{kind}").cells} == values, kind


def test_what_the_narrative_claims_is_what_the_cells_say(files):
    county = make_county(REGION, 2023)
    claims = 0
    for (name, data), body in zip(files.items(), REGION.bodies, strict=True):
        for claim in read_bytes(data, name).claims:
            claims += 1
            sums = [
                sum(-county[body.code][t[1:]] if t[0] == "-" else county[body.code][t.lstrip("+")] for t in reading)
                for reading in claim.readings or ((claim.cell,),)
            ]
            assert claim.value in sums, (name, claim)
    assert claims > 50  # documents and pages state figures in sentences


def test_an_unknown_format_is_refused():
    with pytest.raises(ValueError, match="no sample format 'pdf'"):
        return_file(FORM, REGION, REGION.bodies[0], 2023, "pdf", {}, {})


def test_another_process_gives_the_same_bytes(files):
    """Not this process's hash seed, time zone or clock decides a byte."""
    script = (
        "import hashlib, sys; from pathlib import Path; from pipelines.regions import load_region;"
        "from pipelines.sample.inbox import make_returns;"
        "files = make_returns(load_region(Path('regions'), '511725'), 2023);"
        "print(hashlib.sha256(b''.join(n.encode() + d for n, d in files.items())).hexdigest())"
    )
    import hashlib

    here = hashlib.sha256(b"".join(name.encode() + data for name, data in files.items())).hexdigest()
    environment = {"PYTHONHASHSEED": "7", "TZ": "Asia/Shanghai", "PYTHONPATH": str(ROOT)}
    there = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert there.stdout.strip() == here


def test_the_sample_is_written_once_where_asked(tmp_path, files):
    written = write_sample(tmp_path, REGION, years=(2023,), if_absent=True)
    inbox = tmp_path / "inbox" / "511725" / "2023"
    assert {str(Path(path).relative_to(inbox)): path.read_bytes() for path in written} == files
    assert write_sample(tmp_path, REGION, years=(2023,), if_absent=True) == []
