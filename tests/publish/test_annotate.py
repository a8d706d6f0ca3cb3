"""The annotated copy of a clerk's workbook. Workbooks are real xlsx bytes, read back with the library and as a zip."""

from __future__ import annotations

import datetime
import hashlib
import io
import subprocess
import sys
import zipfile

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.comments import Comment

from pipelines.publish import annotate
from pipelines.publish.annotate import AUTHOR, FILLS, RESULT_SHEET, annotated_workbook
from schemas.findings import Finding, make_finding
from tests.publish.receipt_cases import FORM, Values, findings_of, tied, valid_values, wrong_cell

WRONG = "requests.received.natural_person"


def workbook(values: Values) -> tuple[bytes, dict[str, str]]:
    """A clerk's own workbook: a heading, then one cell of the form per line, and where each stands."""
    book = Workbook()
    sheet = book.active
    sheet.title = "统计表"
    sheet.merge_cells("A1:C1")
    sheet["A1"] = "临江镇（示例）2023年度统计表"
    addresses = {}
    for line, (cell, value) in enumerate(values.items(), 3):
        sheet.cell(line, 1, FORM.by_id[cell].label_zh)
        sheet.cell(line, 2, value)
        addresses[cell] = f"统计表!B{line}"
    sheet["D3"] = "=SUM(B3:B5)"
    sheet["D3"].comment = Comment("办公室自己的批注", "张三")
    book.create_sheet("说明")["A1"] = "=1+1"
    book.properties.created = datetime.datetime(2024, 1, 5, 8, 0, 0)  # noqa: DTZ001  the format knows no zone
    target = io.BytesIO()
    book.save(target)
    return target.getvalue(), addresses


def annotated(original: bytes, *args: object) -> bytes:
    result = annotated_workbook(FORM, original, *args)  # type: ignore[arg-type]
    assert result is not None
    return result


def test_suspected_cell_is_filled_and_commented_and_nothing_else_changes() -> None:
    values, findings, explanations = wrong_cell()
    original, addresses = workbook(values)
    before = load_workbook(io.BytesIO(original))
    book = load_workbook(io.BytesIO(annotated(original, findings, explanations, addresses)))
    assert book.sheetnames == [RESULT_SHEET, "统计表", "说明"]
    for sheet in before.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                assert book[sheet.title][cell.coordinate].value == cell.value
    assert book["统计表"]["D3"].comment.text == "办公室自己的批注"
    place = addresses[WRONG].split("!")[1]
    marked = book["统计表"][place]
    assert marked.fill.fgColor.rgb == FILLS["suspected"]
    right = explanations[0].changes[0].proposed
    assert f"{values[WRONG]} → {right}" in marked.comment.text
    assert marked.comment.author == AUTHOR
    involved = book["统计表"][addresses["requests.carried_in.natural_person"].split("!")[1]]
    assert involved.fill.fgColor.rgb == FILLS["involved"]
    untouched = book["统计表"][addresses["proactive.licences.decisions"].split("!")[1]]
    assert untouched.fill.fill_type is None
    assert untouched.comment is None


def test_first_sheet_lists_every_finding_with_a_link_to_its_cell() -> None:
    values, findings, explanations = wrong_cell()
    original, addresses = workbook(values)
    sheet = load_workbook(io.BytesIO(annotated(original, findings, explanations, addresses)))[RESULT_SHEET]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert rows[0][0] == "核查未通过：有 2 处必须改正。"
    listed = [row for row in rows if isinstance(row[0], int)]
    assert [row[7] for row in listed] == [finding.rule for finding in findings]
    assert listed[0][3] + listed[0][4] == findings[0].message_zh
    assert listed[0][5] == addresses[findings[0].cells[0]]
    links = [cell.hyperlink.location for row in sheet.iter_rows() for cell in row if cell.hyperlink]
    assert links == [f"'统计表'!{addresses[finding.cells[0]].split('!')[1]}" for finding in findings]


def test_ties_are_shown_as_equals() -> None:
    values, findings, explanations = tied()
    original, addresses = workbook(values)
    book = load_workbook(io.BytesIO(annotated(original, findings, explanations, addresses)))
    texts = [row[0].value for row in book[RESULT_SHEET].iter_rows()]
    assert "以下几种改法都能使各项相符，请核对原始台账后选择：" in texts
    for cell in ("disputes.reconsideration.total", "disputes.reconsideration.upheld"):
        assert book["统计表"][addresses[cell].split("!")[1]].fill.fgColor.rgb == FILLS["suspected"]
    less_likely = book["统计表"][addresses["disputes.reconsideration.pending"].split("!")[1]]
    assert less_likely.fill.fgColor.rgb == FILLS["involved"]


def test_a_missing_figure_has_its_own_fill() -> None:
    values = valid_values()
    values["proactive.licences.decisions"] = None
    original, addresses = workbook(values)
    book = load_workbook(io.BytesIO(annotated(original, findings_of(values), (), addresses)))
    cell = book["统计表"][addresses["proactive.licences.decisions"].split("!")[1]]
    assert cell.fill.fgColor.rgb == FILLS["missing"]
    assert "缺 1 个数" in cell.comment.text


def test_a_clean_return_gets_the_sheet_alone() -> None:
    original, addresses = workbook(valid_values())
    book = load_workbook(io.BytesIO(annotated(original, [], (), addresses)))
    assert book[RESULT_SHEET]["A1"].value == "核查通过。"
    assert all(cell.fill.fill_type is None for row in book["统计表"].iter_rows() for cell in row)


def test_merged_and_unknown_addresses() -> None:
    values, findings, explanations = wrong_cell()
    original, _ = workbook(values)
    places = {
        WRONG: "统计表!C1",
        "requests.received.total": "没有!A1",
        "requests.carried_in.natural_person": "统计表!ZZZZ9",
    }
    book = load_workbook(io.BytesIO(annotated(original, findings, explanations, places)))
    assert book["统计表"]["A1"].fill.fgColor.rgb == FILLS["suspected"]
    assert sum(isinstance(row[0].value, int) for row in book[RESULT_SHEET].iter_rows()) == len(findings)


def test_text_from_a_return_becomes_no_formula_and_no_control_character() -> None:
    hostile: list[Finding] = [
        make_finding(
            "not_a_number",
            words={"place": '=HYPERLINK("http://x")\x07\u202e', "raw": "x", "place_en": "y"},
            cells=("proactive.licences.decisions",),
            address="=1+1",
        )
    ]
    original, addresses = workbook(valid_values())
    data = annotated(original, hostile, (), addresses)
    sheet = load_workbook(io.BytesIO(data))[RESULT_SHEET]
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    assert any("⟨U+0007⟩⟨U+202E⟩" in str(cell.value) for row in sheet.iter_rows() for cell in row)
    without = annotated(original, hostile, (), {})
    assert all(cell.data_type != "f" for row in load_workbook(io.BytesIO(without))[RESULT_SHEET] for cell in row)


def test_an_annotated_copy_annotated_again_is_marked_once() -> None:
    values, findings, explanations = wrong_cell()
    original, addresses = workbook(values)
    first = annotated(original, findings, explanations, addresses)
    clean = load_workbook(io.BytesIO(annotated(first, [], (), addresses)))
    assert clean.sheetnames == [RESULT_SHEET, "统计表", "说明"]
    assert all(cell.fill.fill_type is None for row in clean["统计表"].iter_rows() for cell in row)
    comments = [cell.comment.text for row in clean["统计表"].iter_rows() for cell in row if cell.comment]
    assert comments == ["办公室自己的批注"]


@pytest.mark.parametrize(
    "data",
    [b"", b"PK\x03\x04 not really", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old format", b"%PDF-1.7"],
    ids=["empty", "torn", "xls", "pdf"],
)
def test_what_is_no_workbook_gives_none(data: bytes) -> None:
    assert annotated_workbook(FORM, data, [], (), {}) is None


def test_a_zip_without_a_workbook_and_a_damaged_workbook_give_none() -> None:
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.txt", "x")
    assert annotated_workbook(FORM, other.getvalue(), [], (), {}) is None
    original, _ = workbook(valid_values())
    damaged = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(original)) as archive, zipfile.ZipFile(damaged, "w") as target:
        for part in archive.infolist():
            data = archive.read(part)
            target.writestr(part, data[:200] if part.filename.startswith("xl/worksheets/sheet") else data)
    assert annotated_workbook(FORM, damaged.getvalue(), [], (), {}) is None


def test_what_unfolds_too_far_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    original, addresses = workbook(valid_values())
    assert annotated_workbook(FORM, original, [], (), addresses) is not None
    bomb = io.BytesIO(original)
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/blank.bin", bytes(annotate.MOST_BYTES))
    assert len(bomb.getvalue()) < 1_000_000
    assert annotated_workbook(FORM, bomb.getvalue(), [], (), addresses) is None
    monkeypatch.setattr(annotate, "MOST_PARTS", 3)
    assert annotated_workbook(FORM, original, [], (), addresses) is None


SCRIPT = """
import sys, time
from tests.publish.receipt_cases import wrong_cell, FORM
from pipelines.publish.annotate import annotated_workbook
values, findings, explanations = wrong_cell()
original = open(sys.argv[1], "rb").read()
addresses = {cell: f"统计表!B{line}" for line, cell in enumerate(values, 3)}
sys.stdout.buffer.write(annotated_workbook(FORM, original, findings, explanations, addresses))
"""


def test_same_input_same_bytes_at_another_time_and_under_another_hash_seed(tmp_path) -> None:
    values, findings, explanations = wrong_cell()
    original, addresses = workbook(values)
    digest = hashlib.sha256(original).hexdigest()
    here = annotated(original, findings, explanations, addresses)
    path = tmp_path / "return.xlsx"
    path.write_bytes(original)
    command = [sys.executable, "-c", SCRIPT, str(path)]
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ".", "TZ": "Asia/Shanghai"}
        assert subprocess.run(command, env=environment, capture_output=True, check=True).stdout == here
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    with zipfile.ZipFile(io.BytesIO(here)) as archive:
        assert {part.date_time for part in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"2024-01-05T08:00:00Z</dcterms:created>" in archive.read("docProps/core.xml")
