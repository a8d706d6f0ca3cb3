"""The texts of the report as declarations: a mistake is named with file and line before anything is built."""

from __future__ import annotations

import shutil
from decimal import Decimal

import pytest

from pipelines.publish.report import Stated, load_narrative
from pipelines.publish.report.fill import Figures, MissingFigureError, fill, slot_value
from schemas.declaration import DeclarationError
from schemas.form import load_form
from schemas.narrative import load_report, read_narrative, read_report, read_sentences, read_slot, report_editions
from tests.report import county

GOOD = """reviewed_by = "某某"
reviewed_on = 2024-01-31

[[passages]]
topic = "problems"
before = ["{region}尚有不足。"]
"""


def read(text: str):
    return read_narrative(text, "narrative.toml", county.form(), county.region().supplement)


def test_a_good_narrative_is_read():
    assert read(GOOD).passages[0].before == ("{region}尚有不足。",)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (GOOD.replace("problems", "problem"), 5, "problem"),
        (GOOD.replace("{region}", "{county}"), 6, "county"),
        (GOOD.replace("{region}", "{requests.received.totals}"), 6, "requests.received.totals"),
        (GOOD.replace("{region}", "{indicators.unheard_of}"), 6, "unheard_of"),
        (GOOD.replace("{region}", "{region"), 6, "brace"),
        (GOOD + "colour = 1\n", 7, "colour"),
        (GOOD.replace("2024-01-31", '"soon"'), 2, "date"),
        (GOOD + '\n[[passages]]\ntopic = "problems"\n', 9, "twice"),
        (GOOD + '\n[[sentences]]\nid = "a"\ntopic = "problems"\ntext = "甲"\nclauses = ["乙"]\n', 12, "figure"),
        (GOOD + '\n[[sentences]]\nid = "a"\ntopic = "nowhere"\ntext = "甲"\n', 10, "nowhere"),
    ],
)
def test_a_mistake_names_its_line(text, line, words):
    with pytest.raises(DeclarationError) as caught:
        read(text)
    assert (caught.value.file, caught.value.line) == ("narrative.toml", line)
    assert words in caught.value.problem


@pytest.mark.parametrize(
    "text",
    ["", "a", "requests.received", "requests.refuse*.total", "requests.refused*.totals", "change x", "a.b.c d.e.f",
     "+ requests.received.total", "requests.received.total -", "change requests.received.total@last_year", "nil*.a"],
)  # fmt: skip
def test_what_is_no_slot(text):
    with pytest.raises(ValueError, match=r"."):
        read_slot(county.form(), text)


def test_slots_add_and_subtract():
    figures = Figures(
        form=county.form(),
        region=county.region(),
        year=2023,
        totals=county.totals(),
        indicators={"documents_published": Stated(Decimal(9), True)},
    )
    slot = read_slot(county.form(), "requests.received.total + requests.carried_in.total - requests.carried_out.total")
    assert slot_value(figures, slot) == Decimal(103)
    assert fill(figures, "{indicators.documents_published}件") == "9余件"
    with pytest.raises(MissingFigureError) as caught:
        fill(figures, "{requests.received.total@last_year}{indicators.plans_published}")
    assert caught.value.cells == ("requests.received.total", "indicators.plans_published")
    assert caught.value.previous


def test_the_declared_report_fits_its_form():
    assert "2021" in report_editions()
    for edition in report_editions():
        report = load_report(edition)
        tables = {section.table for section in report.sections if section.table}
        drawn = {table.id for table in load_form(edition).tables if table.arrangement != "text"}
        assert tables == drawn  # every printed table of the form stands in the report


def test_a_report_for_another_form_is_refused():
    from schemas.narrative import REPORTS

    text = (REPORTS / "2021.toml").read_text(encoding="utf-8")
    with pytest.raises(DeclarationError, match="edition"):
        read_report(text.replace('edition = "2021"', 'edition = "1999"'), "2021.toml", county.form())
    with pytest.raises(DeclarationError, match="no table"):
        read_report(text.replace('table = "disputes"', 'table = "quarrels"'), "2021.toml", county.form())
    with pytest.raises(DeclarationError, match="indicator"):
        read_sentences(
            '[[sentences]]\nid = "a"\ntopic = "proactive"\ntext = "{indicators.documents_published}"\n',
            "sentences.toml",
            county.form(),
            None,
        )


def test_files_of_a_region(tmp_path):
    root = tmp_path / "regions"
    region = county.region()
    assert load_narrative(root, region, 2023, county.form()) is None
    shutil.copytree(county.ROOT / county.CODE, root / county.CODE)
    own = len(county.narrative().sentences)
    assert own > 0
    (root / county.CODE / "sentences.toml").unlink()
    found = load_narrative(root, region, 2023, county.form())
    assert found is not None
    assert found.sentences == ()
    (root / county.CODE / "2023" / "narrative.toml").write_bytes("审定".encode("gb18030"))
    with pytest.raises(DeclarationError, match="UTF-8"):
        load_narrative(root, region, 2023, county.form())
