from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from pipelines.validate.completeness import as_zero, doubtful_cells, figure, settle, sums_of
from schemas.form import load_form
from schemas.intake import ReadCell
from schemas.rules import derive_rules
from tests.facts import FORM, RULES, dense, published
from tests.validate.cases import read_cell, read_file

CELLS = [cell.id for cell in FORM.cells]
LEAF = "requests.granted.natural_person"


def without(cell):
    return {name: value for name, value in dense().items() if name != cell}


def settled(*args, **kwargs):
    return settle(read_file(*args, **kwargs), FORM, RULES)


def kinds(result):
    return [finding.rule for finding in result.findings]


@pytest.mark.parametrize("values", [dense(), published()], ids=["dense", "published"])
@pytest.mark.parametrize("own", [True, False])
def test_a_complete_return_has_no_finding_and_all_its_figures(values, own):
    result = settled(values, own=own)
    assert result.findings == ()
    assert result.values == values
    assert list(result.values) == CELLS
    assert result.assumed == result.missing == result.doubtful == ()


@pytest.mark.parametrize("own", [True, False], ids=["own", "foreign"])
@pytest.mark.parametrize("how", ["absent", "blank"])
def test_each_of_the_203_cells_missing_is_caught(own, how):
    assert len(CELLS) == 203
    for cell in CELLS:
        states = {cell: "blank"} if how == "blank" else {}
        result = settled(without(cell), states=states, own=own)
        optional = FORM.by_id[cell].optional
        [finding] = result.findings
        assert finding.rule == ("missing_optional_cell" if optional else "missing_cell"), cell
        assert finding.severity == ("warning" if optional else "error")
        assert finding.cells == (cell,)
        assert FORM.by_id[cell].label_zh in finding.message_zh
        assert cell not in result.values
        assert result.missing == (cell,)
        assert finding.address == ("" if how == "absent" else f"统计表!{cell}")


ROW = "requests.declined_publication"


def blanks_in_a_row(values, row=ROW, state="blank"):
    """The return with one row all 0 and its parts left blank."""
    names = [cell.id for cell in FORM.cells if cell.id.startswith(row + ".") and not cell.total]
    return {k: v for k, v in values.items() if k not in names}, dict.fromkeys(names, state)


@pytest.mark.parametrize("state", ["blank", "slash"])
def test_blank_parts_count_as_zero_where_totals_are_given_and_sums_hold(state):
    values, states = blanks_in_a_row(published(), state=state)
    result = settled(values, states=states)
    [finding] = result.findings
    assert (finding.rule, finding.severity) == ("blank_read_as_zero", "information")
    assert finding.cells == result.assumed == tuple(states)
    assert "合计已填且各项勾稽关系成立" in finding.message_zh
    assert "6 个" in finding.message_zh
    assert result.values == published()
    assert result.doubtful == ()


def test_in_our_own_workbook_the_same_blanks_are_missing():
    values, states = blanks_in_a_row(published())
    result = settled(values, states=states, own=True)
    assert kinds(result) == ["missing_cell"]
    assert result.findings[0].cells == tuple(states) == result.missing
    assert result.assumed == result.doubtful == ()


def test_a_blank_whose_sum_does_not_hold_is_missing_and_doubtful():
    result = settled(without(LEAF), states={LEAF: "blank"})
    assert kinds(result) == ["missing_cell"]
    assert result.doubtful == (LEAF,)


def test_a_broken_sum_elsewhere_leaves_other_blanks_zero():
    values, states = blanks_in_a_row(published())
    values["disputes.reconsideration.total"] += 1
    assert settled(values, states=states).assumed == tuple(states)


def test_a_blank_total_is_missing_and_its_blank_parts_with_it():
    values, states = blanks_in_a_row(published())
    total = f"{ROW}.total"
    del values[total]
    result = settled(values, states=states | {total: "blank"})
    assert kinds(result) == ["missing_cell"]
    assert result.findings[0].cells == (*states, total)
    assert result.doubtful == tuple(states)


def test_a_column_total_not_given_keeps_its_blanks_unknown():
    values, states = blanks_in_a_row(published())
    total = "requests.processed.natural_person"
    del values[total]
    result = settled(values, states=states)
    assert f"{ROW}.natural_person" not in result.values
    assert result.values[f"{ROW}.commercial_enterprise"] == 0


@pytest.mark.parametrize("own", [True, False])
def test_none_said_in_a_table_without_totals_is_zero(own):
    cell = "proactive.penalties.decisions"
    result = settled(without(cell), states={cell: "slash"}, own=own)
    assert kinds(result) == ["blank_read_as_zero"]
    assert result.assumed == (cell,)
    assert result.values[cell] == 0
    assert "无" in result.findings[0].message_zh
    assert settled(without(cell), states={cell: "blank"}, own=own).missing == (cell,)


def test_a_slash_for_processing_fees_says_nothing_about_them():
    cell = "processing_fees.notices.amount"
    assert kinds(settled(without(cell), states={cell: "slash"})) == ["missing_optional_cell"]


def test_text_is_not_a_number_one_finding_each_with_what_it_says():
    cells = [LEAF, "disputes.reconsideration.total"]
    values = {k: v for k, v in dense().items() if k not in cells}
    read = read_file(values)
    words = tuple(ReadCell(cell=cell, value=None, raw="约" * 60, state="text", at="B2") for cell in cells)
    result = settle(msgspec.structs.replace(read, cells=read.cells + words), FORM, RULES)
    assert kinds(result) == ["not_a_number", "not_a_number"]
    assert [finding.cells for finding in result.findings] == [(cell,) for cell in cells]
    assert result.findings[0].found == "约" * 60
    assert "约" * 40 + "…" in result.findings[0].message_zh
    assert "约" * 41 not in result.findings[0].message_zh
    assert result.findings[0].address == "B2"
    assert result.missing == tuple(cells)


def test_formulas_without_a_result_are_one_finding_per_table():
    cells = [LEAF, "requests.granted.total", "disputes.reconsideration.total"]
    values = {k: v for k, v in dense().items() if k not in cells}
    result = settled(values, states=dict.fromkeys(cells, "formula"))
    assert kinds(result) == ["formula_without_value"] * 2
    assert result.findings[0].cells == tuple(cells[:2])


def test_two_figures_for_one_cell_are_an_error_and_neither_counts():
    read = read_file(dense())
    twice = msgspec.structs.replace(read, cells=(*read.cells, read_cell(LEAF, 99)))
    result = settle(twice, FORM, RULES)
    assert kinds(result) == ["cell_given_twice"]
    assert result.findings[0].cells == (LEAF,)
    assert LEAF not in result.values
    same = msgspec.structs.replace(read, cells=(*read.cells, read_cell(LEAF, dense()[LEAF])))
    assert settle(same, FORM, RULES).findings == ()


def test_a_table_of_another_edition_is_one_error():
    read = read_file(without(LEAF), form={"proactive": "2021", "requests": "1999"})
    result = settle(read, FORM, RULES)
    [finding] = result.findings
    assert (finding.rule, finding.severity) == ("edition_mismatch", "error")
    assert (finding.found, finding.expected) == ("1999", "2021")
    assert "2023 年度应使用 2021 年版" in finding.message_zh
    assert LEAF in result.missing


def test_a_table_that_is_the_same_in_both_editions_is_no_mismatch():
    theirs = {cell.id for cell in load_form("2019").cells_of("disputes")}
    assert theirs == {cell.id for cell in FORM.cells_of("disputes")}
    assert settle(read_file(dense(), form={"disputes": "2019"}), FORM, RULES).findings == ()
    assert kinds(settle(read_file(dense(), form={"requests": "2019"}), FORM, RULES)) == ["edition_mismatch"]


def test_one_finding_lists_the_places_of_a_table():
    result = settle(read_file({}, states={"requests.other.total": "text"}), FORM, RULES)
    listed = {finding.rule: finding for finding in result.findings if finding.rule.startswith("missing")}
    assert len([f for f in result.findings if f.rule == "missing_cell"]) == 3
    assert "等另外" in listed["missing_cell"].message_zh
    assert listed["missing_optional_cell"].cells == tuple(c.id for c in FORM.cells if c.optional)
    assert result.values == {}


def test_a_given_cell_without_a_number_is_missing():
    read = read_file(without(LEAF))
    odd = ReadCell(cell=LEAF, value=None, raw="", state="given")
    assert settle(msgspec.structs.replace(read, cells=(*read.cells, odd)), FORM, RULES).missing == (LEAF,)


def test_figures_keep_their_kind():
    count, money = FORM.by_id[LEAF], FORM.by_id["processing_fees.notices.amount"]
    assert figure(count, Decimal("3.0")) == 3
    assert type(figure(count, Decimal("3.0"))) is int
    assert figure(count, Decimal("2.5")) == Decimal("2.5")
    assert type(figure(money, Decimal(3))) is Decimal


def test_the_totals_of_a_cell_follow_from_the_rules():
    sums = sums_of(FORM, RULES)
    assert set(sums.totals[LEAF]) == {"requests.granted.total", "requests.processed.natural_person"}
    assert sums.totals["requests.received.natural_person"] == ("requests.received.total",)
    assert sums.tables == {"requests", "disputes"}
    assert as_zero([LEAF], without(LEAF), FORM, RULES) == ()


def test_a_form_that_stands_in_no_file_is_settled_by_its_own_rules():
    own = msgspec.structs.replace(FORM, edition="made up")
    result = settle(read_file(dense()), own, derive_rules(own))
    assert result.values == dense()


def test_doubtful_cells_are_blank_parts_of_totals():
    cells = [
        read_cell(LEAF, None, "blank"),
        read_cell("requests.granted.total", None, "blank"),
        read_cell("proactive.licences.decisions", None, "blank"),
        read_cell("requests.other.natural_person", None, "slash"),
        read_cell("requests.other.legal_service", None, "text"),
        read_cell("requests.no_such.cell", None, "blank"),
    ]
    assert doubtful_cells(cells, {}, FORM, RULES) == (LEAF, "requests.other.natural_person")
    assert doubtful_cells(cells, {LEAF: 0}, FORM, RULES) == ("requests.other.natural_person",)
