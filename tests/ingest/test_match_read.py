"""A file from bytes to a read file: tidy data, archives, the supplement, what is no return, editions as data."""

from __future__ import annotations

import io
import subprocess
import sys
import time
import zipfile
from decimal import Decimal
from random import Random

import pytest

from pipelines.ingest.document import Document, Grid, TextCell
from pipelines.ingest.indicators import read_indicators
from pipelines.ingest.read import read_archive, read_bytes, read_document
from pipelines.ingest.tidy_cells import read_tidy
from pipelines.layout import SUPPLEMENT_HEAD
from schemas.form import edition_for, load_form
from schemas.rules import load_rules
from tests.ingest.noise import Accidents, drawn_document, figures, text_document

TIDY = "region,year,body,cell,value\n511725,2023,511725-D02,{},{}\n"


def test_tidy_data_names_its_cells():
    found = read_bytes(TIDY.format("requests.received.total", "101").encode(), "a.csv")
    assert [(cell.cell, cell.value, cell.raw, cell.state) for cell in found.cells] == [
        ("requests.received.total", 101, "101", "given")
    ]
    assert (found.body_code, found.year, found.form) == ("511725-D02", 2023, {"requests": "2021"})
    assert not found.own_workbook
    assert found.problems == ()


def test_ids_that_no_edition_has_are_reported():
    found = read_bytes(
        (TIDY.format("requests.received.total", "1") + "511725,2023,511725-D02,requests.x.y,2\n").encode(), "a.csv"
    )
    assert [problem.rule for problem in found.problems] == ["unknown_cell"]
    assert "requests.x.y" in found.problems[0].message_zh
    nothing = read_bytes(TIDY.format("requests.x.y", "2").encode(), "a.csv")
    assert [problem.rule for problem in nothing.problems] == ["not_a_return"]
    assert "requests.x.y" in nothing.problems[0].message_en


def test_the_edition_of_tidy_data_is_that_of_its_ids():
    old = (("proactive.rules.produced", "1", "a"), ("requests.other_handling.total", "2", "b"))
    cells, form, unknown = read_tidy(old, 2023)
    assert form == {"proactive": "2019", "requests": "2019"}
    assert [cell.value for cell in cells] == [1, 2]
    assert unknown == ()
    assert read_tidy((("disputes.reconsideration.total", "2", "b"),), 2020)[1] == {"disputes": "2019"}
    assert read_tidy((("disputes.reconsideration.total", "2", "b"),), None)[1] == {"disputes": "2021"}


def test_a_cell_given_twice_is_handed_on_twice():
    cells, _, _ = read_tidy((("requests.other.total", "2", "a"), ("requests.other.total", "3", "b")), 2023)
    assert [cell.value for cell in cells] == [2, 3]


def test_an_archive_gives_a_read_file_for_each_member():
    blob = io.BytesIO()
    with zipfile.ZipFile(blob, "w") as archive:
        archive.writestr("甲.csv", TIDY.format("requests.received.total", "1"))
        archive.writestr("乙.txt", "只是一封信。")
    first, second = read_archive(blob.getvalue(), "all.zip")
    assert (first.file, first.cells[0].value) == ("all.zip/甲.csv", 1)
    assert (second.file, second.problems[0].rule) == ("all.zip/乙.txt", "not_a_return")
    assert read_bytes(blob.getvalue(), "all.zip").problems[0].rule == "several_files"
    (broken,) = read_archive(blob.getvalue()[:40], "all.zip")
    assert broken.problems
    assert not broken.readable


@pytest.mark.parametrize("data", [b"", b"\x00\x01\x02", b"%PDF-1.4", "只是一封信。".encode(), b"<html><p>x</p></html>"])
def test_bad_input_is_a_finding_never_an_exception(data):
    found = read_bytes(data, "x")
    assert not found.readable
    assert len(found.problems) == 1
    assert found.problems[0].severity == "error"


def test_a_missing_table_is_said_to_be_missing():
    form = load_form("2021")
    document = drawn_document(form, figures(form, Random(1)), Accidents(), Random(1))
    items = [item for item in document.items if not (isinstance(item, Grid) and item.columns == 15)]
    found = read_document(Document(format="html", items=tuple(items)), "x", "0" * 64)
    (problem,) = found.problems
    assert problem.rule == "unread_cells"
    assert "没有这张表" in problem.message_zh
    assert len(problem.cells) == 15


def test_the_supplement_is_read_by_its_head():
    rows = [
        SUPPLEMENT_HEAD,
        ("trainings_held", "组织培训", "次", "2"),
        ("materials", "印发资料", "册", "1000余"),
        ("x", "", "", ""),
    ]
    cells = tuple(
        TextCell(row=y, column=x, text=said, at=f"{y},{x}") for y, row in enumerate(rows) for x, said in enumerate(row)
    )
    document = Document(format="xlsx", items=(Grid(cells=cells),), tidy=(("indicators.y", "7", "第2行"),))
    found = {one.indicator: (one.value, one.raw, one.state) for one in read_indicators(document)}
    assert found == {
        "y": (Decimal(7), "7", "given"),
        "trainings_held": (Decimal(2), "2", "given"),
        "materials": (Decimal(1000), "1000余", "given"),
        "x": (None, None, "blank"),
    }
    assert read_indicators(Document(format="xlsx", items=(Grid(cells=cells[4:]),))) == ()


def test_edition_2019_is_the_form_of_its_years():
    form, rules = load_form("2019"), load_rules("2019")
    assert (edition_for(2019), edition_for(2020), edition_for(2021)) == ("2019", "2019", "2021")
    sizes = {table.id: len(form.cells_of(table.id)) for table in form.tables}
    assert sizes == {"proactive": 22, "requests": 161, "disputes": 15}
    assert {rule.family for rule in rules.rules} == {"row_total", "outcome_sum", "balance", "opening_balance"}
    kinds = {cell.kind for cell in form.cells if cell.column == "items_change"}
    assert kinds == {"signed_count"}
    said = figures(form, Random(3))
    values = {cell: Decimal(raw) for cell, raw in said.items()}
    assert all(not rule.residual(values) for rule in rules.rules if not rule.across_years)


def test_a_typical_return_is_read_fast():
    """30 ms on an idle machine; the bound here leaves room for a busy one."""
    form = load_form("2021")
    said = figures(form, Random(1))
    documents = [
        drawn_document(form, said, Accidents(), Random(1)),
        text_document(form, said, Accidents(), Random(1), "pipes"),
    ]
    for document in documents:
        read_document(document, "x", "0" * 64)
        best = min(_seconds(document) for _ in range(5))
        assert best < 0.15


def _seconds(document):
    start = time.process_time()
    read_document(document, "x", "0" * 64)
    return time.process_time() - start


def test_reading_loads_no_heavy_library():
    heavy = ("polars", "numpy", "pandera", "pyarrow", "dagster", "frictionless", "openpyxl", "docx", "pdfplumber")
    script = (
        "import sys; from pipelines.ingest.read import read_bytes; "
        f"read_bytes({TIDY.format('requests.received.total', '1').encode()!r}, 'a.csv'); "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
