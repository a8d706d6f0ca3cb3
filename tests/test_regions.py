"""The reader of regions: the sample region loads whole; every mistake names its file and line."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.regions import (
    load_decisions,
    load_published,
    load_published_indicators,
    load_region,
    region_codes,
)
from schemas.declaration import DeclarationError
from schemas.form import load_form
from schemas.rules import load_rules

REGIONS = Path(__file__).resolve().parents[1] / "regions"
CODE = "511725"


@pytest.fixture(scope="module")
def region():
    return load_region(REGIONS, CODE)


@pytest.fixture
def root(tmp_path):
    """A copy of the sample region, free to be spoilt."""
    shutil.copytree(REGIONS / CODE, tmp_path / "regions" / CODE)
    return tmp_path / "regions"


def spoil(root: Path, file: str, old: str, new: str) -> int:
    """Replace the first ``old`` and answer its line."""
    path = root / CODE / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def test_the_sample_region_loads_whole(region):
    assert region_codes(REGIONS) == (CODE,)
    assert [body.code for body in region.bodies] == [f"{CODE}-D{n:02}" for n in range(1, 30)] + [
        f"{CODE}-T{n:02}" for n in range(1, 38)
    ]
    assert all(body.name_zh.endswith("（示例）") for body in region.bodies)
    assert region.settings.office_body == f"{CODE}-D01"
    assert [body.code for body in region.bodies if body.kind == "office"] == [f"{CODE}-D01"]
    assert region.settings.synthetic
    assert region.settings.synthetic_note_zh.startswith("示例数据，非真实报送")
    assert len(region.supplement.indicators) == 16
    assert region.roster(2023) == region.bodies


def test_the_published_figures_are_complete_and_obey_the_error_rules():
    published = load_published(REGIONS, CODE, 2023)
    form = load_form("2021")
    assert list(published) == [cell.id for cell in form.cells]
    assert published["proactive.administrative_fees.amount"] == Decimal("3135.6")
    for rule in load_rules("2021").rules:
        residual = rule.residual(published)
        assert residual is None or rule.holds(residual), rule.id
    assert load_published(REGIONS, CODE, 2022) is None


def test_the_published_indicators_name_every_indicator_once(region):
    published = load_published_indicators(REGIONS, CODE, 2023)
    assert [p.indicator for p in published] == [i.id for i in region.supplement.indicators]
    assert [p.indicator for p in published if p.qualifier == "at_least"] == ["materials_distributed"]
    assert load_published_indicators(REGIONS, CODE, 2022) is None


def test_no_decisions_are_no_mistake():
    decisions = load_decisions(REGIONS, CODE, 2023)
    assert (decisions.waiver, decisions.correction) == ((), ())


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("region.toml", 'name_zh = "渠县"', 'name = "渠县"', "unknown field `name`"),
        ("region.toml", 'code = "511725"', 'code = "511724"', "folder is '511725'"),
        ("region.toml", 'office_body = "511725-D01"', 'office_body = "511725-D77"', "not in bodies.csv"),
        ("bodies.csv", "code,name_zh", "id,name_zh", "unknown column: id"),
        ("bodies.csv", "511725-D03,", "511725-D02,", "'511725-D02' is used on line 3 already"),
        ("bodies.csv", "511725-D03,", "511724-D03,", "should start with the region's code"),
        ("bodies.csv", "渠县教育局（示例）", "渠县财政局", "'渠县财政局（示例）' is used on line 4 already"),
        ("bodies.csv", "县教育局,department,county,2019,", "县教育局,department,county,19,", "expected a year"),
        (
            "bodies.csv",
            "县教育局,department,county,2019,",
            "县教育局,department,county,2019,2018",
            "is before from_year",
        ),
        ("bodies.csv", "县教育局,department,", "县教育局,bureau,", "'bureau'"),
        ("bodies.csv", "县教育局,department,county,2019,", "县教育局,department,county", "6 values, expected 8"),
        ("bodies.csv", "渠县教育局（示例）,", ",", "name_zh must not be empty"),
        ("region.toml", 'level = "county"', 'level = "city"', "so the code has 4 digits"),
        ("region.toml", 'level = "', 'totals = "includes_lower"\nlevel = "', "no region lies below a county"),
        ("region.toml", 'level = "', 'totals = "all"\nlevel = "', "'all'"),
        ("supplement.toml", 'add_up = "office"', 'add_up = "mean"', "'mean'"),
        ("supplement.toml", 'id = "plans_published"', 'id = "documents_published"', "used twice"),
    ],
)
def test_a_mistake_in_a_region_names_file_and_line(root, file, old, new, problem):
    line = spoil(root, file, old, new)
    with pytest.raises(DeclarationError) as caught:
        load_region(root, CODE)
    assert problem in caught.value.problem
    assert caught.value.file == f"regions/{CODE}/{file}"
    known_later = {"渠县财政局": line + 5}  # the second of two equal names is the one reported
    assert caught.value.line == known_later.get(new, line)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("cell,value", "cell,figure", "unknown column: figure"),
        ("proactive.rules.repealed,0", "proactive.rules.cancelled,0", "no cell 'proactive.rules.cancelled'"),
        ("proactive.rules.repealed,0", "proactive.rules.issued,0", "given twice"),
        ("decisions,101458", 'decisions,"101,458"', "expected a number"),
        ("decisions,101458", "decisions,1e5", "expected a number"),
        ("decisions,101458", "decisions,", "expected a number"),
    ],
)
def test_a_mistake_in_the_published_figures_names_its_line(root, old, new, problem):
    line = spoil(root, "2023/published.csv", old, new)
    with pytest.raises(DeclarationError) as caught:
        load_published(root, CODE, 2023)
    assert problem in caught.value.problem
    assert (caught.value.file, caught.value.line) == (f"regions/{CODE}/2023/published.csv", line)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("plans_published,7,", "plans,7,", "no indicator 'plans'"),
        ("plans_published,7,", "documents_published,7,", "given twice"),
        ("1000,at_least", "1000,about", "'about'"),
        ("1000,at_least", "1000余,", "expected a number"),
    ],
)
def test_a_mistake_in_the_published_indicators_names_its_line(root, old, new, problem):
    line = spoil(root, "2023/indicators.csv", old, new)
    with pytest.raises(DeclarationError) as caught:
        load_published_indicators(root, CODE, 2023)
    assert problem in caught.value.problem
    assert caught.value.line == line


DECISIONS = """
[[waiver]]
rule = "requests.row_total.granted"
body = "511725-T05"
cells = ["requests.granted.total"]
reason = "核实无误"
approved_by = "办公室"
approved_on = 2024-02-01

[[correction]]
body = "511725-T05"
cell = "requests.granted.total"
found = 3
value = 4
reason = "电话核实"
approved_by = "办公室"
approved_on = 2024-02-01
"""


def test_decisions_are_read(root):
    (root / CODE / "2023" / "decisions.toml").write_text(DECISIONS, encoding="utf-8")
    decisions = load_decisions(root, CODE, 2023)
    assert decisions.waiver[0].cells == ("requests.granted.total",)
    assert decisions.correction[0].value == 4


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('"requests.row_total.granted"', '"requests.row_total.given"', 3),
        ('body = "511725-T05"', 'body = "511725-T99"', 4),
        ('["requests.granted.total"]', '["requests.granted.sum"]', 5),
        ('cell = "requests.granted.total"', 'cell = "requests.granted.sum"', 12),
        ("reason =", "why =", 6),
        ("approved_on = 2024-02-01", 'approved_on = "soon"', 8),
    ],
)
def test_a_mistake_in_a_decision_names_its_line(root, old, new, line):
    (root / CODE / "2023" / "decisions.toml").write_text(DECISIONS.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        load_decisions(root, CODE, 2023)
    assert caught.value.line == line


def test_a_region_that_does_not_exist_is_named_with_those_that_do():
    with pytest.raises(DeclarationError, match=r"no region '511724'; there are: 511725"):
        load_region(REGIONS, "511724")
    with pytest.raises(DeclarationError, match="no region"):
        load_region(REGIONS, "../511725")


def test_a_file_in_another_encoding_is_named(root):
    path = root / CODE / "bodies.csv"
    path.write_bytes(path.read_text(encoding="utf-8").encode("gb18030"))
    with pytest.raises(DeclarationError, match="save it as UTF-8"):
        load_region(root, CODE)


def test_a_table_saved_by_a_spreadsheet_with_a_byte_order_mark_is_read(root, region):
    path = root / CODE / "bodies.csv"
    text = path.read_text(encoding="utf-8").replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode("utf-8"))
    assert load_region(root, CODE) == region
