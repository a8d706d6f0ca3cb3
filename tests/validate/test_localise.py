from __future__ import annotations

from decimal import Decimal

import pytest

from benchmarks.localise_cases import Generator
from pipelines.validate.localise import localise
from pipelines.validate.localise_lines import hypotheses
from pipelines.validate.localise_system import compile_system, lay, system
from schemas.intake import Claim
from tests.facts import FORM, RULES, dense, published
from tests.validate.cases import applied, breaches, is_line_slip, last_year

SYSTEM = system("2021")
REQUESTS = [cell.id for cell in FORM.cells_of("requests")]
DISPUTES = [cell.id for cell in FORM.cells_of("disputes")]


def changes(explanation):
    return {change.cell: change.proposed for change in explanation.changes}


def found(explanation):
    return {change.cell: change.found for change in explanation.changes}


def best(explanations):
    return [changes(explanation) for explanation in explanations if explanation.rank == 1]


@pytest.mark.parametrize("values", [dense(), published()], ids=["dense", "published"])
def test_a_right_return_needs_no_explanation(values):
    assert localise(SYSTEM, values) == ()


def test_each_of_the_175_cells_of_requests_altered_is_named_alone_and_right():
    good = dense()
    for cell in REQUESTS:
        [explanation] = localise(SYSTEM, good | {cell: good[cell] + 1})
        assert changes(explanation) == {cell: good[cell]}
        assert found(explanation) == {cell: good[cell] + 1}
        assert explanation.rank == 1
        assert FORM.by_id[cell].label_zh in explanation.reason
        assert FORM.by_id[cell].label_en in explanation.reason_en


def test_each_of_the_15_cells_of_disputes_altered_is_among_the_explanations():
    good = dense()
    for cell in DISPUTES:
        explanations = localise(SYSTEM, good | {cell: good[cell] + 1})
        assert {cell: good[cell]} in [changes(explanation) for explanation in explanations]
        row = cell.rsplit(".", 1)[0]
        assert all(set(changes(e)) <= {c for c in DISPUTES if c.startswith(row)} for e in explanations)
        assert len(explanations) == 5


def test_each_cell_of_requests_missing_is_solved():
    good = dense()
    for cell in [*REQUESTS, *DISPUTES]:
        [explanation] = localise(SYSTEM, {name: figure for name, figure in good.items() if name != cell})
        assert changes(explanation) == {cell: good[cell]}
        assert found(explanation) == {cell: None}


def test_a_missing_row_is_solved_from_the_columns():
    good = dense()
    row = [cell for cell in REQUESTS if cell.startswith("requests.granted.")]
    [explanation] = localise(SYSTEM, {name: figure for name, figure in good.items() if name not in row})
    assert changes(explanation) == {cell: good[cell] for cell in row}


def test_a_missing_and_a_wrong_cell_of_one_row_are_told_apart():
    good = dense()
    values = good | {"requests.granted.legal_service": 88}
    del values["requests.granted.natural_person"]
    [explanation] = localise(SYSTEM, values)
    assert changes(explanation) == {
        cell: good[cell] for cell in ("requests.granted.legal_service", "requests.granted.natural_person")
    }


def test_two_missing_cells_that_the_rules_do_not_tell_apart_get_no_figure():
    values = dense()
    del values["disputes.reconsideration.upheld"], values["disputes.reconsideration.corrected"]
    assert localise(SYSTEM, values) == ()
    wrong = values | {"requests.granted.natural_person": 88}
    [explanation] = localise(SYSTEM, wrong)
    assert list(changes(explanation)) == ["requests.granted.natural_person"]


def test_a_table_that_was_not_filled_in_is_left_alone():
    values = {cell: figure for cell, figure in dense().items() if not cell.startswith("requests.")}
    assert localise(SYSTEM, values | {"disputes.reconsideration.total": 99}, most=1)[0].rank == 1
    assert localise(SYSTEM, values) == ()


def test_no_explanation_stands_for_half_of_what_is_broken():
    wild = Generator(12, 0.8).wrong_cells(40).values
    assert localise(SYSTEM, wild) == ()
    assert localise(SYSTEM, wild | {"proactive.rules.issued": 3}) == ()
    values = {cell: figure for cell, figure in dense().items() if not cell.startswith("requests.")}
    whole_row = {cell: 5 for cell in REQUESTS if cell.startswith("requests.other.")}
    assert localise(SYSTEM, values | whole_row | {"proactive.rules.issued": 3}) == ()


def test_ties_share_rank_one_and_none_is_picked():
    row = "disputes.reconsideration."
    figures = {"upheld": 23, "corrected": 34, "other_result": 45, "pending": 56, "total": 159}
    values = dense() | {row + name: figure for name, figure in figures.items()}
    explanations = localise(SYSTEM, values)
    assert [explanation.rank for explanation in explanations] == [1] * 5  # one digit wrong, whichever it is
    assert localise(SYSTEM, values, most=1) == explanations
    likelier = localise(SYSTEM, values | {row + "total": 185})  # 158 with two digits transposed
    assert best(likelier) == [{row + "total": 158}]
    assert [explanation.rank for explanation in likelier] == [1, 2, 2, 2, 2]
    assert localise(SYSTEM, values | {row + "total": 185}, most=3) == likelier[:3]


def test_claims_break_the_tie_of_a_dispute():
    good = dense()
    claims = tuple(
        Claim(cell=cell, value=Decimal(good[cell]), text=f"{FORM.by_id[cell].label_zh} {good[cell]} 件")
        for cell in DISPUTES
    )
    for cell in DISPUTES:
        explanations = localise(SYSTEM, good | {cell: good[cell] + 1}, claims=claims)
        assert best(explanations) == [{cell: good[cell]}]
        assert "一致" in explanations[0].reason
        assert len(explanations) == 5


def test_last_year_breaks_a_tie():
    good = dense()
    part, total = "requests.carried_in.natural_person", "requests.carried_in.total"
    wrong = good | {part: good[part] + 40, total: good[total] + 40}
    truth = {part: good[part], total: good[total]}
    without = localise(SYSTEM, wrong)
    assert len(best(without)) > 1 or best(without) != [truth]
    explanations = localise(SYSTEM, wrong, previous=last_year(good))
    assert best(explanations) == [truth]
    assert "改后与上一年度的数字衔接" in explanations[0].reason
    assert len(explanations) == len(without)


def test_a_negative_figure_is_found_though_all_sums_hold_elsewhere():
    good = dense()
    cell = "requests.granted.natural_person"
    [explanation] = localise(SYSTEM, good | {cell: -good[cell]})
    assert changes(explanation) == {cell: good[cell]}
    assert "负号" in explanation.reason


def test_a_fractional_count_is_solved_to_a_whole_one():
    good = dense()
    cell = "requests.granted.natural_person"
    [explanation] = localise(SYSTEM, good | {cell: Decimal("2.5")})
    assert changes(explanation) == {cell: good[cell]}
    assert found(explanation) == {cell: Decimal("2.5")}


@pytest.mark.parametrize(
    ("cell", "value", "proposed"),
    [
        ("proactive.licences.decisions", -12, 12),
        ("proactive.licences.decisions", Decimal("12.5"), 12),
        ("proactive.administrative_fees.amount", Decimal("-3.25"), Decimal("3.25")),
        ("proactive.rules.issued", 4, 0),
    ],
)
def test_a_figure_outside_its_domain_or_power_gets_the_likeliest_one(cell, value, proposed):
    [explanation] = localise(SYSTEM, dense() | {cell: value})
    assert changes(explanation) == {cell: proposed}


def test_a_body_with_rule_making_power_needs_no_explanation_for_its_rules():
    values = dense() | {"proactive.rules.issued": 4, "proactive.rules.in_force": 9}
    assert localise(system("2021", frozenset({"rule_making_power"})), values) == ()
    assert changes(localise(SYSTEM, values)[0]) == {"proactive.rules.issued": 0, "proactive.rules.in_force": 0}


@pytest.mark.parametrize(
    ("fees", "expected"),
    [
        ({"issued": 0, "amount": 90, "collected": 80}, [{"issued": 1}]),
        ({"issued": 2, "amount": 50, "collected": 80}, [{"amount": 80}, {"collected": 50}]),
        ({"issued": 1, "amount": 0, "collected": 0}, []),
    ],
)
def test_conditional_rules_and_inequalities_are_satisfied_too(fees, expected):
    values = dense() | {f"processing_fees.notices.{name}": figure for name, figure in fees.items()}
    explanations = localise(SYSTEM, values)
    short = [{cell.rsplit(".", 1)[1]: figure for cell, figure in changes(e).items()} for e in explanations]
    assert sorted(short, key=str) == sorted(expected, key=str)


def test_a_change_that_would_break_a_conditional_rule_takes_what_that_rule_needs():
    values = dense()
    for column in ("natural_person", "total"):
        for row in ("processed", "received"):
            values[f"requests.{row}.{column}"] -= values[f"requests.other_fee_unpaid.{column}"]
        values[f"requests.other_fee_unpaid.{column}"] = 0
    others = [c for c in REQUESTS if c.startswith("requests.other_fee_unpaid.") and not c.endswith("total")]
    for cell in others:
        column = cell.rsplit(".", 1)[1]
        for row in ("processed", "received"):
            values[f"requests.{row}.{column}"] -= values[cell]
            if column != "natural_person":
                values[f"requests.{row}.total"] -= values[cell]
        values[cell] = 0
    for name in ("processed", "received"):
        parts = [c for c in REQUESTS if c.startswith(f"requests.{name}.") and not c.endswith("total")]
        values[f"requests.{name}.total"] = sum(values[c] for c in parts)
    values |= {f"processing_fees.notices.{name}": 0 for name in ("issued", "amount", "collected")}
    assert breaches(values) == []
    # one person's unpaid request is entered as a part but not in its total, and nothing in the fees
    column = "natural_person"
    values[f"requests.other_fee_unpaid.{column}"] = 3
    values[f"requests.processed.{column}"] += 3
    values[f"requests.received.{column}"] += 3
    values["requests.processed.total"] += 3
    values["requests.received.total"] += 3
    explanations = localise(SYSTEM, values)
    expected = {"requests.other_fee_unpaid.total": 3, "processing_fees.notices.issued": 1}
    assert expected in [changes(explanation) for explanation in explanations]
    assert all(breaches(applied(values, explanation)) == [] for explanation in explanations)


def test_blank_cells_are_zero_on_trial_and_the_likeliest_to_change():
    good = dense()
    cell = "requests.granted.natural_person"
    values = {name: figure for name, figure in good.items() if name != cell}
    [explanation] = localise(SYSTEM, values, blank=[cell])
    assert changes(explanation) == {cell: good[cell]}
    assert found(explanation) == {cell: None}
    assert "留空" in explanation.reason


def test_a_shifted_row_is_one_slip_and_ranks_first():
    good = dense()
    names = [cell for cell in REQUESTS if cell.startswith("requests.refused_third_party.")]
    values = good | dict(zip(names, [0, *[good[name] for name in names[:-1]]], strict=True))
    explanations = localise(SYSTEM, values)
    assert best(explanations) == [{name: good[name] for name in names if values[name] != good[name]}]
    assert "向右错了一格" in explanations[0].reason
    left = good | dict(zip(names, [*[good[name] for name in names[1:]], 0], strict=True))
    explanations = localise(SYSTEM, left, most=3)
    assert best(explanations) == [{name: good[name] for name in names if left[name] != good[name]}]
    assert "向左错了一格" in explanations[0].reason


def test_larger_sets_beside_a_line_slip_are_looked_for_only_if_all_are_asked_for():
    values = Generator(50, 0.8).shifted_row().values
    [line] = localise(SYSTEM, values, most=3)
    every = localise(SYSTEM, values)
    assert every[0] == line
    assert len(every) > 1
    assert all(len(explanation.changes) > 4 for explanation in every)


def test_the_line_of_disputes_shifted_is_one_slip():
    good = dense()
    figures = [good[name] for name in DISPUTES]
    values = good | dict(zip(DISPUTES, [0, *figures[:-1]], strict=True))
    explanations = localise(SYSTEM, values, most=3)
    assert best(explanations) == [{name: good[name] for name in DISPUTES if values[name] != good[name]}]


def test_two_rows_interchanged_are_one_slip():
    good = dense()
    values = dict(good)
    for column in FORM.table("requests").blocks[0].columns:
        a, b = f"requests.processed.{column.id}", f"requests.carried_out.{column.id}"
        values[a], values[b] = good[b], good[a]
    explanations = localise(SYSTEM, values, most=1)
    assert best(explanations) == [{cell: good[cell] for cell in REQUESTS if values[cell] != good[cell]}]
    assert "整行填颠倒" in explanations[0].reason


def test_two_columns_interchanged_are_one_slip():
    good = dense()
    values = dict(good)
    for row in FORM.table("requests").blocks[0].rows:
        a, b = f"requests.{row.id}.other_organization", f"requests.{row.id}.total"
        values[a], values[b] = good[b], good[a]
    explanations = localise(SYSTEM, values, most=1)
    assert best(explanations) == [{cell: good[cell] for cell in REQUESTS if values[cell] != good[cell]}]
    assert "整列填颠倒" in explanations[0].reason


def test_errors_in_independent_parts_are_combined():
    good = dense()
    wrong = good | {"requests.granted.natural_person": 88, "disputes.reconsideration.total": 3}
    wrong["disputes.litigation_direct.total"] = 4
    explanations = localise(SYSTEM, wrong)
    for explanation in explanations:
        assert "requests.granted.natural_person" in changes(explanation)
        assert breaches(applied(wrong, explanation)) == []
    whole = {cell: good[cell] for cell in wrong if wrong[cell] != good[cell]}
    assert whole in [changes(explanation) for explanation in explanations]
    alone = localise(SYSTEM, good | {"disputes.reconsideration.total": 3})
    other = localise(SYSTEM, good | {"disputes.litigation_direct.total": 4})
    assert len(explanations) == len(alone) * len(other)


def test_more_wrong_cells_than_enumeration_reaches_are_left_to_the_program():
    good = dense()
    rows = ("granted", "partly_granted", "refused_state_secret", "refused_third_party", "other", "carried_out")
    columns = [column.id for column in FORM.table("requests").blocks[0].columns]
    wrong = dict(good)
    for number, row in enumerate(rows):
        wrong[f"requests.{row}.{columns[number]}"] += 3**number
    explanations = localise(SYSTEM, wrong)
    assert {cell: good[cell] for cell in wrong if wrong[cell] != good[cell]} in [changes(e) for e in explanations]
    assert all(breaches(applied(wrong, explanation)) == [] for explanation in explanations)


def test_the_order_is_the_same_every_time():
    generator = Generator(5, 0.5)
    for case in [generator.swap_horizontal() for _ in range(5)] + [generator.wrong_cells(3) for _ in range(5)]:
        shuffled = dict(reversed(list(case.values.items())))
        assert localise(SYSTEM, case.values) == localise(SYSTEM, shuffled)


def test_a_form_of_ones_own_is_compiled_the_same():
    own = compile_system(FORM, RULES)
    assert own.rows == SYSTEM.rows
    assert own.columns == SYSTEM.columns
    assert len(own.components) == 1 + 3 + 3 + len(FORM.cells_of("proactive")) - 3


def test_independent_parts_are_combined_up_to_a_number_the_likeliest_kept(monkeypatch):
    wrong = dense() | {"disputes.reconsideration.total": 30, "disputes.litigation_direct.total": 40}
    monkeypatch.setattr("pipelines.validate.localise.MOST_COMBINED", 25)
    every = localise(SYSTEM, wrong)
    assert len(every) == 25
    monkeypatch.setattr("pipelines.validate.localise.MOST_COMBINED", 24)
    fewer = localise(SYSTEM, wrong)
    assert len(fewer) == 10  # of the five ways of one part the two likeliest are left
    assert set(map(str, best(fewer))) <= set(map(str, best(every)))


def test_one_figure_in_an_empty_row_is_no_shifted_row():
    values = dict.fromkeys(dense(), 0)
    [explanation] = localise(SYSTEM, values | {"requests.granted.natural_person": 12})
    assert changes(explanation) == {"requests.granted.natural_person": 0}
    assert not is_line_slip(explanation)


def test_a_claim_over_two_parts_of_the_form_speaks_for_either():
    """The text gives the sum of two rows of disputes, of which one is broken and the other is right."""
    good = dense()
    first, second = "disputes.litigation_direct.total", "disputes.litigation_after_reconsideration.total"
    stated = Claim(cell=first, value=Decimal(good[first] + good[second]), text="行政诉讼", readings=((first, second),))
    wrong = good | {first: good[first] + 2}
    assert len(best(localise(SYSTEM, wrong))) > 1
    explanations = localise(SYSTEM, wrong, claims=[stated])
    assert best(explanations) == [{first: good[first]}]
    assert "改后与文字“行政诉讼”一致" in explanations[0].reason
    elsewhere = good | {"disputes.reconsideration.total": good["disputes.reconsideration.total"] + 2}
    assert localise(SYSTEM, elsewhere, claims=[stated]) == localise(SYSTEM, elsewhere)


def test_a_blank_cell_is_nought_to_witnesses_too():
    good = dense()
    blank, before = "requests.carried_in.natural_person", "requests.carried_out.natural_person"
    values = {cell: figure for cell, figure in good.items() if cell != blank}
    [explanation] = localise(SYSTEM, values, blank=[blank], previous={before: 0})
    assert changes(explanation) == {blank: good[blank]}
    assert "但改后与上一年度的数字不衔接" in explanation.reason
    [explanation] = localise(SYSTEM, values, blank=[blank], previous={before: good[blank]})
    assert "；改后与上一年度的数字衔接" in explanation.reason


def test_a_figure_missing_elsewhere_hides_no_line_slip():
    good = dense()
    names = [cell for cell in REQUESTS if cell.startswith("requests.refused_third_party.")]
    shifted = good | dict(zip(names, [0, *[good[name] for name in names[:-1]]], strict=True))
    truth = {name: good[name] for name in names if shifted[name] != good[name]}
    lost = "disputes.reconsideration.total"
    without = {cell: figure for cell, figure in shifted.items() if cell != lost}
    assert best(localise(SYSTEM, without, most=1)) == [truth | {lost: good[lost]}]
    assert [each.kind for each in hypotheses(SYSTEM, lay(SYSTEM, without))] == ["shifted_right"]
    within = {cell: figure for cell, figure in shifted.items() if cell != "requests.granted.total"}
    assert hypotheses(SYSTEM, lay(SYSTEM, within)) == []


def test_one_figure_before_equal_ones_is_no_shifted_row():
    """Undoing a shift would change that one figure too; one wrong figure is the plainer reading."""
    values = dict.fromkeys(dense(), 0)
    columns = [column.id for column in FORM.table("requests").blocks[0].columns]
    for row in ("granted", "processed", "received"):
        values |= {f"requests.{row}.{column}": 1 for column in columns[:-1]} | {f"requests.{row}.total": 6}
    assert breaches(values) == []
    [explanation] = localise(SYSTEM, values | {"requests.granted.natural_person": 57})
    assert changes(explanation) == {"requests.granted.natural_person": 1}
    assert not is_line_slip(explanation)
