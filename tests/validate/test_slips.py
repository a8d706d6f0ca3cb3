from __future__ import annotations

from decimal import Decimal

import pytest

from pipelines.validate.localise_system import lay, system
from pipelines.validate.slips import (
    Against,
    Witnesses,
    is_digit_less,
    is_digits_swapped,
    is_one_digit,
    line_slip,
    reason,
    single_slip,
    slips_of,
    stands,
)
from schemas.intake import Claim
from schemas.slips import load_slips, slip_kinds
from tests.facts import dense

SYSTEM = system("2021")


@pytest.mark.parametrize(
    ("found", "proposed", "swapped"),
    [
        ("12", "21", True),
        ("1234", "1324", True),
        ("123", "321", False),
        ("11", "11", False),
        ("12", "13", False),
        ("12", "210", False),
        ("1234", "2143", False),
    ],
)
def test_digits_swapped(found, proposed, swapped):
    assert is_digits_swapped(found, proposed) is swapped


@pytest.mark.parametrize(
    ("shorter", "longer", "less"),
    [
        ("12", "123", True),
        ("13", "123", True),
        ("23", "123", True),
        ("12", "12", False),
        ("1", "123", False),
        ("21", "123", False),
    ],
)
def test_digit_less(shorter, longer, less):
    assert is_digit_less(shorter, longer) is less


@pytest.mark.parametrize(
    ("found", "proposed", "one"), [("12", "13", True), ("12", "12", False), ("12", "34", False), ("1", "12", False)]
)
def test_one_digit(found, proposed, one):
    assert is_one_digit(found, proposed) is one


@pytest.mark.parametrize(
    ("found", "proposed", "total", "beside", "blank", "kind"),
    [
        (None, 5, False, (), False, "missing"),
        (None, 5, False, (), True, "blank_not_filled"),
        (0, 5, False, (), False, "not_filled"),
        (0, 5, True, (), False, "total_not_filled"),
        (-5, 5, False, (), False, "sign"),
        (-5, 4, False, (), False, "other"),
        (-1, 1, False, (), False, "sign"),
        (21, 12, False, (), False, "digits_swapped"),
        (12, 123, False, (), False, "digit_dropped"),
        (112, 12, False, (), False, "digit_added"),
        (17, 12, False, (), False, "one_digit"),
        (7, 2, False, (), False, "small_figure"),
        (99, 12, False, (), False, "other"),
        (99, 12, True, (), False, "total_not_updated"),
        (21, 12, True, (), False, "digits_swapped"),
        (99, 12, False, (99, 3), False, "like_neighbour"),
        (7, 0, False, (), False, "filled_by_mistake"),
        (7, 0, True, (), False, "total_not_updated"),
        (Decimal("1.5"), 2, False, (), False, "other"),
    ],
)
def test_the_likeliest_kind_of_one_wrong_figure(found, proposed, total, beside, blank, kind):
    assert single_slip(found, proposed, total, beside, blank).id == kind


def read(changes, values=None, blank=frozenset()):
    values = values or dense()
    laid = lay(SYSTEM, values, blank)
    here = stands(SYSTEM, laid)
    positions = {SYSTEM.at[cell]: figure for cell, figure in changes.items()}
    return here, positions, slips_of(SYSTEM, here, positions)


def test_two_neighbours_with_each_others_figure_are_one_slip():
    values = dense() | {"requests.granted.natural_person": 31, "requests.partly_granted.natural_person": 45}
    changes = {"requests.granted.natural_person": 45, "requests.partly_granted.natural_person": 31}
    _, _, [slip] = read(changes, values)
    assert slip.kind.id == "swapped_neighbours"
    assert slip.cost == load_slips().base + slip_kinds()["swapped_neighbours"].cost


def test_cells_further_apart_in_one_column_are_swapped_too():
    values = dense() | {"requests.granted.natural_person": 31, "requests.other.natural_person": 45}
    changes = {"requests.granted.natural_person": 45, "requests.other.natural_person": 31}
    assert [slip.kind.id for slip in read(changes, values)[2]] == ["swapped"]
    apart = dense() | {"requests.granted.natural_person": 31, "requests.other.legal_service": 45}
    changes = {"requests.granted.natural_person": 45, "requests.other.legal_service": 31}
    assert len(read(changes, apart)[2]) == 2


def test_a_part_whose_total_was_reckoned_from_it_is_one_slip():
    values = dense()
    part, total = "requests.granted.natural_person", "requests.granted.total"
    _, _, [slip] = read({part: values[part] + 20, total: values[total] + 20})
    assert slip.kind.id == "part_with_total"
    single = read({part: values[part] + 20})[2][0]
    assert slip.cost == single.cost + slip_kinds()["part_with_total"].cost
    assert len(read({part: values[part] + 20, total: values[total] + 21})[2]) == 2


def test_a_missing_figure_costs_nothing_and_a_blank_one_little():
    cell = "requests.granted.natural_person"
    values = {name: figure for name, figure in dense().items() if name != cell}
    assert read({cell: 7}, values)[2][0].cost == 0
    [slip] = read({cell: 7}, values, frozenset({SYSTEM.at[cell]}))[2]
    assert slip.kind.id == "blank_not_filled"
    assert slip.cost == load_slips().base + slip.kind.cost


def test_a_line_slip_costs_one_slip_whatever_the_number_of_cells():
    slip = line_slip("shifted_right", (1, 2, 3, 4, 5, 6, 7))
    assert slip.cost == load_slips().base + slip_kinds()["shifted_right"].cost
    assert slip.cost < 2 * load_slips().base


def claim(value, *readings):
    return Claim(cell=readings[0][0].lstrip("-"), value=Decimal(value), text=f"{value} 件", readings=readings)


def test_witnesses_weigh_claims_by_the_reading_that_fits():
    a, b = "disputes.litigation_direct.total", "disputes.litigation_after_reconsideration.total"
    values = {a: 3, b: 4}
    weights = load_slips()

    def cost(*claims, previous=None):
        return Witnesses(claims, previous or {}, SYSTEM.across_years).cost(values)

    assert cost(claim(7, (a, b), (a,))) == 0
    assert cost(claim(3, (a, b), (a,))) == weights.claim_unlikely
    assert cost(claim(5, (a, b), (a,))) == weights.claim_against
    assert cost(claim(-1, (a, f"-{b}"))) == 0
    assert cost(claim(5, ("requests.granted.total",))) == 0  # no figure to compare with
    assert cost(claim(5, (a,)), claim(6, (a,))) == 2 * weights.claim_against
    last = {"requests.carried_out.total": 3}
    assert Witnesses((), last, SYSTEM.across_years).cost({"requests.carried_in.total": 4}) == weights.warning_against
    assert Witnesses((), last, SYSTEM.across_years).cost({"requests.carried_in.total": 3}) == 0


def test_a_reason_names_place_figures_slip_and_witnesses():
    cell = "disputes.reconsideration.total"
    here, positions, slips = read({cell: 31}, dense() | {cell: 13})
    one, other = claim(31, (cell,)), claim(13, (cell,))
    rule = SYSTEM.across_years[0]
    zh, en = reason(SYSTEM, here, positions, slips, Against(), Against())
    assert zh == "表四「行政复议｜总计」由 13 改为 31（相邻两位数字写颠倒了）。"
    assert en.endswith("from 13 to 31 (two neighbouring digits transposed).")
    zh, en = reason(SYSTEM, here, positions, slips, Against((one,)), Against((other,)))
    assert "改后与文字“31 件”一致；但改后与文字“13 件”不一致" in zh
    assert "then the text “31 件” agrees; but then the text “13 件” disagrees" in en
    zh, en = reason(SYSTEM, here, positions, slips, Against(rules=(rule,)), Against())
    assert zh.endswith("；改后与上一年度的数字衔接。")
    assert en.endswith("; then it agrees with last year's figures.")
    zh, en = reason(SYSTEM, here, positions, slips, Against(), Against(rules=(rule,)))
    assert zh.endswith("；但改后与上一年度的数字不衔接。")
    assert en.endswith("; but then it disagrees with last year's figures.")


@pytest.mark.parametrize(("length", "shown"), [(30, "字" * 30), (31, "字" * 30 + "…")])
def test_a_long_sentence_is_shortened_in_a_reason(length, shown):
    cell = "disputes.reconsideration.total"
    here, positions, slips = read({cell: 31}, dense() | {cell: 13})
    said = Claim(cell=cell, value=Decimal(31), text="字" * length, readings=((cell,),))
    for before, after in ((Against((said,)), Against()), (Against(), Against((said,)))):
        zh, en = reason(SYSTEM, here, positions, slips, before, after)
        assert f"“{shown}”" in zh
        assert f"“{shown}”" in en


def test_a_line_slip_is_told_by_its_line():
    cells = SYSTEM.lines[5].cells
    here, _, _ = read({})
    zh, en = reason(SYSTEM, here, {}, [line_slip("shifted_left", cells)], Against(), Against())
    assert "等另外 5 处：这一行的数整体向左错了一格。" in zh
    assert "and 5 more: the figures of this line stand one cell too far left." in en
