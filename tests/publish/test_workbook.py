"""The fill-in workbook as a file: layout, locks, marks, checks and their true cached results."""

from __future__ import annotations

from decimal import Decimal
from io import BytesIO
from pathlib import Path

import msgspec
import openpyxl
import pytest
from openpyxl.utils import range_boundaries

from pipelines.layout import (
    FORM_SHEET,
    GUIDE_SHEET,
    MARK_PRODUCT,
    MARK_SHEET,
    MARKS,
    SUPPLEMENT_HEAD,
    SUPPLEMENT_SHEET,
    draw_form,
)
from pipelines.publish.workbook import fill_in_workbook
from pipelines.regions import load_published, load_region
from schemas.form import load_form
from schemas.rules import load_rules

REGIONS = Path(__file__).resolve().parents[2] / "regions"
REGION = load_region(REGIONS, "511725")
OFFICE, TOWN = REGION.body("511725-D01"), REGION.body("511725-T05")
FORM = load_form("2021")
RULES = load_rules("2021")
GOOD = load_published(REGIONS, "511725", 2023)
# Last year's figures from which the published ones follow.
BEFORE = {cell.id: Decimal(0) for cell in FORM.cells} | {
    "proactive.normative_documents.in_force": Decimal(42),
    "requests.carried_out.natural_person": Decimal(4),
    "requests.carried_out.total": Decimal(4),
}


def make(values=None, body=OFFICE, previous=None, region=REGION, indicators=None):
    return fill_in_workbook(FORM, region, body, 2023, values, indicators, previous)


def book(*args, **more):
    """The workbook with its formulas."""
    return openpyxl.load_workbook(BytesIO(make(*args, **more)))


def results(*args, **more):
    """The workbook with the results that are kept beside its formulas."""
    return openpyxl.load_workbook(BytesIO(make(*args, **more)), data_only=True)


def boxes_by_address(sheet):
    """Address of the top-left cell of every drawn box, found from the section titles down."""
    found = {}
    titles = {cell.value: cell.row for (cell,) in sheet.iter_rows(max_col=1) if cell.value}
    spans = {range_boundaries(str(area))[:2]: range_boundaries(str(area)) for area in sheet.merged_cells.ranges}
    for drawing in draw_form(FORM):
        top = titles[f"{drawing.number_zh}、{drawing.title_zh}"] + 1
        lines = {}
        for box in drawing.boxes:
            lines.setdefault(box.row, []).append(box)
        covered = set()
        for line, boxes in sorted(lines.items()):
            column = 1
            for box in boxes:
                while (top + line, column) in covered:
                    column += 1
                left, up, right, down = spans.get((column, top + line), (column, top + line, column, top + line))
                assert down - up + 1 == box.rows, box
                covered |= {(row, col) for row in range(up, down + 1) for col in range(left, right + 1)}
                found[drawing.table, box] = sheet.cell(top + line, column)
                column = right + 1
    return found


def inputs(sheet):
    return {box.cell: cell for (_, box), cell in boxes_by_address(sheet).items() if box.cell}


def checks(sheet):
    """Every result of a check in the sheet of cached results."""
    return [
        str(cell.value)
        for row in sheet.iter_rows(min_row=4)
        for cell in row
        if isinstance(cell.value, str) and cell.value.startswith(("✗", "！", "✓", "差 ", "还有", "未填"))
    ]


def test_the_sheet_is_the_form_as_printed():
    formulas = book()
    for (_, box), cell in boxes_by_address(formulas[FORM_SHEET]).items():
        assert (cell.value or "") == box.text_zh, box
        assert cell.border.left.style == "thin"


def test_only_what_is_filled_in_is_unlocked():
    formulas = book(GOOD)
    sheet = formulas[FORM_SHEET]
    unlocked = {cell.coordinate for row in sheet.iter_rows() for cell in row if not cell.protection.locked}
    merged = {
        sheet.cell(row, column).coordinate
        for area in sheet.merged_cells.ranges
        for row in range(area.min_row, area.max_row + 1)
        for column in range(area.min_col, area.max_col + 1)
    }
    first = {cell.coordinate for cell in inputs(sheet).values()}
    assert len(first) == 203
    assert first <= unlocked <= first | merged
    for name in formulas.sheetnames:
        protection = formulas[name].protection
        assert protection.sheet, name
        assert not protection.password, name
    supplement = formulas[SUPPLEMENT_SHEET]
    free = {cell.column_letter for row in supplement.iter_rows() for cell in row if not cell.protection.locked}
    assert free == {"D"}


def test_the_hidden_marks_name_body_and_year():
    formulas = book(body=TOWN)
    assert formulas.sheetnames == [FORM_SHEET, SUPPLEMENT_SHEET, GUIDE_SHEET, MARK_SHEET]
    assert formulas[MARK_SHEET].sheet_state == "hidden"
    marks = {row[0].value: row[1].value for row in formulas[MARK_SHEET].iter_rows()}
    assert tuple(marks) == MARKS
    assert marks == {
        "product": MARK_PRODUCT,
        "edition": "2021",
        "region": "511725",
        "year": "2023",
        "body": "511725-T05",
        "body_name": "渠县青石镇人民政府（示例）",
    }


def test_figures_are_written_exactly_and_blanks_stay_blank():
    odd = GOOD | {
        "proactive.administrative_fees.amount": Decimal("0.1000"),
        "proactive.licences.decisions": Decimal(99999999999999),
        "processing_fees.notices.amount": Decimal("12345678901234.5678"),  # more digits than a spreadsheet's number
        "requests.granted.total": None,
        "requests.received.total": "见附件",
    }
    formulas = book(odd)
    found = {name: cell.value for name, cell in inputs(formulas[FORM_SHEET]).items()}
    assert found["proactive.administrative_fees.amount"] == 0.1
    assert found["proactive.licences.decisions"] == 99999999999999
    assert found["processing_fees.notices.amount"] == "12345678901234.5678"
    assert found["requests.granted.total"] is None
    assert found["requests.received.total"] == "见附件"
    same = [cell for cell in FORM.cells if odd[cell.id] == GOOD[cell.id]]
    assert {cell.id: Decimal(str(found[cell.id])) for cell in same} == {cell.id: GOOD[cell.id] for cell in same}
    empty = book()
    assert {cell.value for cell in inputs(empty[FORM_SHEET]).values()} == {None}


def test_every_figure_is_checked_when_it_is_typed():
    formulas = book()
    sheet = formulas[FORM_SHEET]
    rules = {
        area.coord: validation
        for validation in sheet.data_validations.dataValidation
        for area in validation.sqref.ranges
    }
    for name, cell in inputs(sheet).items():
        validation = rules[cell.coordinate]
        assert validation.type == ("whole" if FORM.by_id[name].kind == "count" else "decimal")
        assert (validation.operator, validation.formula1) == ("greaterThanOrEqual", "0")
        assert validation.error.startswith("件数应为整数" if FORM.by_id[name].kind == "count" else "金额不应为负数")
    assert len(rules) == 203


def test_a_good_return_passes_every_check():
    for previous in (None, BEFORE):
        cached = results(GOOD, previous=previous)
        sheet = cached[FORM_SHEET]
        assert set(checks(sheet)) == {"✓"}
        assert sheet["P2"].value == "✓ 表内核对全部通过"


def test_an_empty_return_says_what_is_not_filled():
    cached = results()
    texts = checks(cached[FORM_SHEET])
    assert "还有 7 格未填数字。" in texts
    assert not any(text.startswith(("✗", "差", "！")) for text in texts)
    assert cached[FORM_SHEET]["P2"].value.startswith("不平或有误 0 处，未填完 ")


def without(rule):
    """Published figures, last year's, and a change that breaks at least this rule."""
    values, previous = dict(GOOD), dict(BEFORE)
    if rule.when and rule.when.state == "positive":
        for cell in FORM.cells_of("requests", row="other_fee_unpaid"):
            values[cell.id] = Decimal(1)
        return values, previous
    target = rule.found[0].cell
    if rule.family == "in_force_covers_issued":
        values[target.replace("in_force", "repealed")] = Decimal(0)
        values[target.replace("in_force", "issued")] = values[target] + 3
    else:
        values[target] += 3
    return values, previous


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_a_broken_rule_is_said_beside_its_row_or_column(rule):
    """Each rule of the form has its check, which fires by the rule's own words and numbers.

    The silent twin is test_a_good_return_passes_every_check.
    """
    values, previous = without(rule)
    keyed = values | {f"{cell}@last_year": value for cell, value in previous.items()}
    residual = rule.residual(keyed)
    assert not rule.holds(residual)
    cached = results(values, previous=previous)
    sheet = cached[FORM_SHEET]
    sign = "✗" if rule.severity == "error" else "！"
    texts = [text for text in checks(sheet) if f"{sign} {rule.title_zh}：" in text]
    assert texts
    difference = f"差 {abs(residual)}"
    assert any(difference in text and (rule.scope_zh in text or "现为" in text) for text in texts)
    if rule.severity == "error":
        assert sheet["P2"].value.startswith("✗ 不平或有误")


def test_a_check_turns_red_and_a_warning_amber():
    formulas = book(GOOD, previous=BEFORE)
    colours = {}
    for rules in formulas[FORM_SHEET].conditional_formatting._cf_rules.values():
        for rule in rules:
            colours.setdefault((rule.type, rule.text), set()).add(rule.dxf.font.color.rgb if rule.dxf.font else None)
    assert colours["beginsWith", "✗"] == {"FF9C0006"}
    assert colours["beginsWith", "！"] == {"FF7F6000"}
    assert colours["beginsWith", "差"] == {"FF9C0006", "FF7F6000"}  # sums within the year, stocks across years
    assert ("containsBlanks", None) in colours


def test_a_region_with_rule_making_power_is_not_told_to_have_none():
    settings = msgspec.structs.replace(REGION.settings, rule_making_power=True)
    city = msgspec.structs.replace(REGION, settings=settings)
    values = GOOD | {"proactive.rules.issued": Decimal(1), "proactive.rules.in_force": Decimal(1)}
    assert any("没有规章制定权" in text for text in checks(results(values)[FORM_SHEET]))
    assert set(checks(results(values, region=city)[FORM_SHEET])) == {"✓"}


def test_figures_that_cannot_be_are_said_too():
    values = GOOD | {
        "proactive.licences.decisions": Decimal("1.5"),
        "proactive.administrative_fees.amount": Decimal(-1),
    }
    texts = checks(results(values)[FORM_SHEET])
    assert "✗ 件数应为整数。" in texts
    assert "✗ 金额不应为负数。" in texts


def test_the_supplement_asks_each_body_for_its_own_indicators():
    cached = results(body=TOWN, indicators={"open_day_participants": Decimal(12), "open_day_bodies": "1余"})
    rows = [[cell.value for cell in row] for row in cached[SUPPLEMENT_SHEET].iter_rows(min_row=3)]
    assert tuple(rows[0]) == SUPPLEMENT_HEAD
    asked = [i for i in REGION.supplement.indicators if TOWN.kind in i.reported_by]
    assert [row[:3] for row in rows[1:]] == [[i.id, i.label_zh, i.unit] for i in asked]
    assert {row[0]: row[3] for row in rows[1:]} == {
        "open_day_bodies": "1余",
        "open_day_participants": 12,
        "highlights_recommended": None,
        "new_media_accounts_closed": None,
    }


def test_a_region_without_supplement_gets_no_such_sheet():
    plain = msgspec.structs.replace(REGION, supplement=None)
    formulas = book(region=plain)
    assert formulas.sheetnames == [FORM_SHEET, GUIDE_SHEET, MARK_SHEET]


def test_a_real_regions_workbook_does_not_call_itself_a_sample():
    settings = msgspec.structs.replace(REGION.settings, synthetic=False)
    for region, said in ((REGION, True), (msgspec.structs.replace(REGION, settings=settings), False)):
        formulas = book(region=region)
        texts = [str(c.value) for name in formulas.sheetnames for row in formulas[name].iter_rows() for c in row]
        assert any("示例数据，非真实报送" in text for text in texts) is said


def test_the_guide_explains_every_rule_in_both_languages():
    formulas = book()
    rows = [(a.value, b.value) for a, b in formulas[GUIDE_SHEET].iter_rows()]
    assert all(zh and en for zh, en in rows)
    for rule in RULES.rules:
        if not rule.across_years:
            assert any(zh.startswith(rule.title_zh) and en.startswith(rule.title_en) for zh, en in rows)


def test_the_page_is_one_sheet_of_a4():
    sheet = book()[FORM_SHEET]
    assert (sheet.page_setup.paperSize, sheet.page_setup.orientation) == (9, "portrait")
    assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) in ((1, 1), (None, None))
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert sheet.print_area.startswith(f"'{FORM_SHEET}'!$A$1:$O$")


def test_the_same_input_gives_the_same_bytes():
    first = fill_in_workbook(FORM, REGION, OFFICE, 2023, GOOD, {"gazette_issues": 4}, BEFORE)
    assert (
        fill_in_workbook(FORM, REGION, OFFICE, 2023, dict(reversed(GOOD.items())), {"gazette_issues": 4}, BEFORE)
        == first
    )
    assert fill_in_workbook(FORM, REGION, OFFICE, 2023, GOOD, {"gazette_issues": 5}, BEFORE) != first


def test_a_cell_that_is_not_of_the_form_is_refused():
    with pytest.raises(KeyError, match=r"requests\.received\.sum"):
        fill_in_workbook(FORM, REGION, OFFICE, 2023, {"requests.received.sum": Decimal(1)})
