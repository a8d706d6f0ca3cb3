"""Fine points that only a changed sign or bound would show: one small case for each."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from pipelines.validate.completeness import as_zero, settle, sums_of
from pipelines.validate.localise_lines import hypotheses
from pipelines.validate.localise_search import cells_of_row, divided, reduced_column, solve, start
from pipelines.validate.localise_sides import repairs, sides_hold
from pipelines.validate.localise_system import Exact, allowed, exact, lay, system, to_figure
from pipelines.validate.slips import Against, line_slip, reason, stands
from schemas.form import load_form
from schemas.rules import derive_rules, load_rules
from tests.facts import FORM, RULES, dense, published
from tests.validate.cases import read_cell, read_file

SYSTEM = system("2021")


def sums(cell: str) -> set[str]:
    return {rule.family for rule in sums_of(FORM, RULES).of[cell]}


def test_only_unconditional_error_equations_are_sums() -> None:
    assert sums("requests.carried_in.total") == {"row_total", "balance"}  # no warning: not opening_balance
    assert sums("processing_fees.notices.amount") == set()  # neither conditional nor an inequality
    assert sums("proactive.rules.issued") == set()  # not where a body may be freed
    assert sums("requests.granted.total") == {"row_total", "outcome_sum"}
    assert sums_of(FORM, RULES).totals["requests.granted.natural_person"] == (
        "requests.granted.total",
        "requests.processed.natural_person",
    )
    assert sums_of(FORM, RULES).tables == {"requests", "disputes"}


def zero_with(left_out: set[str], wrong: dict[str, int]) -> tuple[str, ...]:
    """Whether one blank applicant's cell, really 0, counts as 0 with some cells missing and some wrong."""
    cell = "requests.granted.natural_person"
    values = {name: int(value) for name, value in published().items() if FORM.by_id[name].table == "requests"}
    values["requests.granted.total"] -= values[cell]
    values["requests.processed.natural_person"] -= values[cell]
    values["requests.processed.total"] -= values[cell]
    values["requests.received.natural_person"] -= values.pop(cell)
    values["requests.received.total"] = sum(
        value
        for name, value in values.items()
        if name.startswith("requests.received.") and name != "requests.received.total"
    )
    values |= wrong
    return as_zero([cell], {name: value for name, value in values.items() if name not in left_out}, FORM, RULES)


def test_a_blank_is_zero_only_with_every_total_and_every_sum() -> None:
    assert zero_with(set(), {}) == ("requests.granted.natural_person",)
    assert zero_with({"requests.granted.total"}, {}) == ()
    assert zero_with({"requests.processed.natural_person"}, {}) == ()
    assert zero_with(set(), {"requests.granted.total": 10_000}) == ()
    assert zero_with(set(), {"requests.processed.natural_person": 10_000}) == ()


@pytest.mark.parametrize(("length", "shown"), [(40, "字" * 40), (41, "字" * 40 + "…")])
def test_a_text_is_shortened_beyond_40_characters(length: int, shown: str) -> None:
    cell = "requests.granted.total"
    read = read_file({name: value for name, value in dense().items() if name != cell})
    told = type(read)(
        **{name: getattr(read, name) for name in read.__struct_fields__ if name != "cells"},
        cells=(*read.cells, read_cell(cell, "字" * length, "text")),
    )
    [finding] = settle(told, FORM, RULES).findings
    assert f"“{shown}”" in finding.message_zh


def test_a_table_of_another_edition_hides_no_gap_of_the_next() -> None:
    cell = "requests.granted.total"
    read = read_file({name: value for name, value in dense().items() if name != cell}, form={"proactive": "2019"})
    assert [finding.rule for finding in settle(read, FORM, RULES).findings] == ["edition_mismatch", "missing_cell"]


def test_rules_of_a_form_that_stands_in_no_file_are_reckoned_from_itself() -> None:
    form = load_form("2019")
    rules = derive_rules(form)
    assert sums_of(form, rules) == sums_of(form, load_rules("2019"))
    assert sums_of(form, rules).totals != sums_of(FORM, RULES).totals


def shifted(values: dict[str, int], row: str) -> dict[str, int]:
    """The row's figures one cell to the right, as when a clerk begins one cell too late; the last is lost."""
    names = [cell.id for cell in FORM.cells_of("requests", row=row)]
    moved = [0, *[values[name] for name in names[:-1]]]
    return values | dict(zip(names, moved, strict=True))


@pytest.mark.parametrize(("notices", "explained"), [(5, True), (0, False)])
def test_a_line_slip_must_satisfy_conditional_rules_too(notices: int, explained: bool) -> None:
    """Without any notice of a fee no request can have ended for want of payment."""
    values = dense()
    for name in ("amount", "collected"):
        values[f"processing_fees.notices.{name}"] = 0
    values["processing_fees.notices.issued"] = notices
    kinds = {each.kind for each in hypotheses(SYSTEM, lay(SYSTEM, shifted(values, "other_fee_unpaid")))}
    assert ("shifted_right" in kinds) is explained


def test_figures_of_money_are_laid_exactly() -> None:
    values = dense() | {"processing_fees.notices.amount": Decimal("0.3")}
    laid = lay(SYSTEM, values)
    position = SYSTEM.at["processing_fees.notices.amount"]
    assert laid.figures[position] * 10 == 3
    assert position not in laid.bad
    whole = lay(SYSTEM, values | {"requests.granted.total": Decimal("1.5")})
    assert whole.bad == {SYSTEM.at["requests.granted.total"]}


@pytest.mark.parametrize(
    ("above", "below", "quotient"),
    [(6, 1, 6), (6, -1, -6), (6, 2, 3), (6, -2, -3), (1, 2, Fraction(1, 2)), (Fraction(3, 2), Fraction(1, 2), 3)],
)
def test_division_is_exact_and_whole_where_it_can_be(above: Exact, below: Exact, quotient: Exact) -> None:
    assert divided(above, below) == quotient
    assert type(divided(above, below)) is type(quotient)


def test_figures_come_back_from_exact_numbers() -> None:
    assert to_figure(7) == 7
    assert to_figure(Fraction(14, 2)) == 7
    assert type(to_figure(Fraction(14, 2))) is int
    assert to_figure(Fraction(-3, 2)) == Decimal("-1.5")
    assert exact(Decimal("2.0")) == 2
    assert type(exact(Decimal("2.0"))) is int
    assert exact(Decimal("2.5")) == Fraction(5, 2)


# --- the system of equations --------------------------------------------------------------------------------


def around(cell: str) -> set[str]:
    return {SYSTEM.names[other] for other in SYSTEM.neighbours[SYSTEM.at[cell]]}


def test_neighbours_are_beside_above_and_below_within_the_block() -> None:
    assert around("requests.received.natural_person") == {
        "requests.received.commercial_enterprise",
        "requests.carried_in.natural_person",
    }
    assert around("requests.carried_out.total") == {
        "requests.carried_out.other_organization",
        "requests.processed.total",
    }
    assert around("requests.granted.commercial_enterprise") == {
        "requests.granted.natural_person",
        "requests.granted.research_institution",
        "requests.carried_in.commercial_enterprise",
        "requests.partly_granted.commercial_enterprise",
    }


def test_lines_stand_as_on_paper() -> None:
    lines = {tuple(SYSTEM.names[cell] for cell in line.cells): line.parts for line in SYSTEM.lines}
    received = tuple(cell.id for cell in FORM.cells_of("requests", row="received"))
    assert lines[received] == tuple(SYSTEM.at[cell] for cell in received[:-1])  # a total closes the line
    disputes = tuple(cell.id for cell in FORM.cells_of("disputes"))
    assert lines[disputes] == ()  # printed side by side: one line with totals within
    assert all(len(cells) > 2 for cells in lines)


def test_pairs_of_neighbouring_rows_and_columns() -> None:
    rows = {tuple(SYSTEM.names[cell] for cell in pair[0]) for pair in SYSTEM.row_pairs}
    assert ("requests.received.natural_person", "requests.carried_in.natural_person") in rows
    assert ("requests.received.natural_person", "requests.granted.natural_person") not in rows
    columns = {tuple(SYSTEM.names[cell] for cell in pair[0]) for pair in SYSTEM.column_pairs}
    assert ("requests.received.other_organization", "requests.received.total") in columns
    assert sum(len(pair) == 25 for pair in SYSTEM.column_pairs) == 6


def test_a_part_knows_its_totals() -> None:
    at = SYSTEM.at
    assert (at["requests.granted.total"], at["requests.granted.other_organization"]) in SYSTEM.total_of_part
    assert (
        at["requests.processed.other_organization"],
        at["requests.granted.other_organization"],
    ) in SYSTEM.total_of_part
    assert (at["requests.granted.other_organization"], at["requests.granted.total"]) not in SYSTEM.total_of_part
    assert (at["requests.processed.total"], at["requests.received.total"]) not in SYSTEM.total_of_part


def test_what_is_unknown_blank_or_impossible() -> None:
    values = dense()
    del values["requests.granted.other_organization"], values["requests.granted.total"]
    blank = SYSTEM.at["requests.granted.other_organization"]
    laid = lay(SYSTEM, values, frozenset({blank}))
    assert laid.unknown == {SYSTEM.at["requests.granted.total"]}
    assert laid.blank == {blank}
    assert laid.bad == frozenset()
    negative = lay(SYSTEM, dense() | {"requests.granted.other_organization": -1})
    assert negative.bad == {SYSTEM.at["requests.granted.other_organization"]}
    assert allowed(SYSTEM, blank, 0)
    assert not allowed(SYSTEM, blank, Fraction(1, 2))
    assert allowed(SYSTEM, SYSTEM.at["processing_fees.notices.amount"], Fraction(1, 2))
    assert not allowed(SYSTEM, SYSTEM.at["processing_fees.notices.amount"], Fraction(-1, 2))


# --- search and sides ---------------------------------------------------------------------------------------


def solved(wrong: dict[str, int], cells: list[str]) -> dict[str, Exact] | None:
    found = solve(SYSTEM, lay(SYSTEM, dense() | wrong), [SYSTEM.at[cell] for cell in cells])
    return None if found is None else {SYSTEM.names[cell]: figure for cell, figure in found.items()}


def test_chosen_cells_are_solved_or_refused() -> None:
    good = dense()
    cell, other = "requests.granted.other_organization", "requests.refused_law_prohibits.natural_person"
    assert solved({cell: 90}, [cell]) == {cell: good[cell]}
    assert solved({cell: 90, other: 70}, [other, cell]) == {cell: good[cell], other: good[other]}
    assert solved({cell: 90}, ["requests.granted.natural_person"]) is None
    assert solved({cell: 90}, [cell, other]) == {cell: good[cell], other: good[other]}


def test_a_ring_is_refused_where_its_sums_do_not_agree() -> None:
    """Four cells in two rows and two columns: a ring has many solutions, or none at all."""
    columns = [cell.column for cell in FORM.cells_of("requests", row="granted")][:2]
    ring = [f"requests.{row}.{column}" for row in ("granted", "partly_granted") for column in columns]
    good = dense()
    assert solved({ring[0]: good[ring[0]] + 5}, ring) == {}  # right as it stands or turned round: open
    assert solved({"requests.received.total": good["requests.received.total"] + 1}, ring) == {}
    assert solved({"requests.granted.total": good["requests.granted.total"] + 1}, ring) is None


FEES = next(part for part in SYSTEM.components if SYSTEM.at["processing_fees.notices.amount"] in part.private)


def fees(issued: int, amount: int, collected: int, unpaid: int = 0) -> dict[str, int]:
    values = dense()
    for name, figure in (("issued", issued), ("amount", amount), ("collected", collected)):
        values[f"processing_fees.notices.{name}"] = figure
    return (
        values
        | {cell.id: 0 for cell in FORM.cells_of("requests", row="other_fee_unpaid")}
        | {"requests.other_fee_unpaid.total": unpaid}
    )


@pytest.mark.parametrize(
    ("figures", "holds"),
    [
        ((1, 5, 5), True),
        ((1, 5, 4), True),
        ((1, 5, 6), False),
        ((0, 0, 0), True),
        ((0, 1, 0), False),
        ((0, 0, 0, 1), False),
        ((1, 0, 0, 1), True),
        ((0, 0, 0, 0), True),
    ],
)
def test_conditional_rules_and_inequalities(figures: tuple[int, ...], holds: bool) -> None:
    assert sides_hold(FEES, lay(SYSTEM, fees(*figures)), {}) is holds


def test_an_unknown_figure_silences_its_rules_until_it_is_proposed() -> None:
    values = fees(1, 5, 6)
    amount = SYSTEM.at["processing_fees.notices.amount"]
    del values["processing_fees.notices.amount"]
    laid = lay(SYSTEM, values)
    assert sides_hold(FEES, laid, {})
    assert not sides_hold(FEES, laid, {amount: 5})
    assert sides_hold(FEES, laid, {amount: 6})


def test_the_fewest_further_changes() -> None:
    def repaired(figures: tuple[int, ...], most: int = 3) -> list[dict[str, Exact]]:
        laid = lay(SYSTEM, fees(*figures))
        return [
            {SYSTEM.names[cell].rsplit(".", 1)[1]: figure for cell, figure in trial.items()}
            for trial in repairs(SYSTEM, FEES, laid, {}, most)
        ]

    assert repaired((1, 5, 5)) == [{}]
    assert repaired((1, 5, 6)) == [{"amount": 6}, {"collected": 5}]
    assert repaired((0, 5, 0)) == [{"issued": 1}, {"amount": 0}]
    assert repaired((1, 5, 6), 0) == []
    assert repaired((0, 5, 5)) == [{"issued": 1}]


@pytest.mark.parametrize(
    "eliminated",
    [
        ["requests.processed.total"],
        ["requests.received.natural_person", "requests.received.total"],
        ["requests.processed.natural_person", "requests.granted.natural_person", "requests.processed.total"],
        ["requests.granted.total", "requests.carried_in.total", "requests.carried_out.total", "requests.other.total"],
    ],
)
def test_reduced_equations_read_by_row_and_by_column_are_the_same(eliminated: list[str]) -> None:
    laid = lay(SYSTEM, dense() | {"requests.granted.total": 1000})
    state = start(SYSTEM, laid.residuals, [SYSTEM.at[cell] for cell in eliminated])
    rows = {row for cell in range(len(SYSTEM.names)) for row in reduced_column(SYSTEM, cell, state.owner)}
    by_row = {(row, cell): factor for row in rows for cell, factor in cells_of_row(SYSTEM, row, state)}
    by_column = {
        (row, cell): factor
        for cell in range(len(SYSTEM.names))
        for row, factor in reduced_column(SYSTEM, cell, state.owner).items()
    }
    assert by_row == by_column
    assert 0 not in by_row.values()
    assert not {SYSTEM.at[cell] for cell in eliminated} & {cell for _, cell in by_row}
    assert len(rows) == len(SYSTEM.rows) - len(eliminated)
    for row in rows:  # what is left of a residual is what the reduced equation says of the figures
        total = sum(factor * laid.figures[cell] for (own, cell), factor in by_row.items() if own == row)
        assert total == state.residuals.get(row, 0)


def test_two_rings_are_refused_where_one_of_them_does_not_agree() -> None:
    columns = [cell.column for cell in FORM.cells_of("requests", row="granted")]
    rings = [
        f"requests.{row}.{column}"
        for rows, pair in (
            (("granted", "partly_granted"), columns[:2]),
            (("declined_petition", "declined_repeated"), columns[2:4]),
        )
        for row in rows
        for column in pair
    ]
    good = dense()
    wrong = {"requests.granted.total": good["requests.granted.total"] + 1}
    assert solved({}, rings) == {}
    assert solved(wrong, rings) is None


def test_three_cells_are_told_as_a_line_and_two_one_by_one() -> None:
    here = stands(SYSTEM, lay(SYSTEM, dense()))
    three = SYSTEM.lines[0].cells[:3]
    told, _ = reason(SYSTEM, here, {}, [line_slip("shifted_left", three)], Against(), Against())
    assert "等另外 1 处" in told
    changes = dict.fromkeys(three[:2], 9)
    told, _ = reason(SYSTEM, here, changes, [line_slip("rows_swapped", three[:2])], Against(), Against())
    assert told.count("改为 9") == 2
