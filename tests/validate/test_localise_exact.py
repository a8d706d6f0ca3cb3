"""Every explanation satisfies every error rule, none is smaller than need be, none is missed."""

from __future__ import annotations

from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.localise_cases import Generator
from benchmarks.localise_peer import smallest_change
from pipelines.validate.localise import localise
from pipelines.validate.localise_lines import hypotheses
from pipelines.validate.localise_program import smallest_sets
from pipelines.validate.localise_search import admissible, closing_sets, reduced_column, solve, start
from pipelines.validate.localise_system import lay, system
from tests.facts import FORM, RULES, dense
from tests.validate.cases import applied, breaches, is_line_slip

SYSTEM = system("2021")
UNDER_RULES = [cell.id for cell in FORM.cells if cell.table in ("requests", "disputes")]


def check_exact(values):
    """The three promises about one broken return, against the textbook program."""
    explanations = localise(SYSTEM, values)
    assert explanations, "nothing explained"
    for explanation in explanations:
        assert breaches(applied(values, explanation)) == []
        assert all(change.found != change.proposed for change in explanation.changes)
    oracle = smallest_change(RULES, values)
    smallest = [explanation for explanation in explanations if not is_line_slip(explanation)]
    assert {len(explanation.changes) for explanation in smallest} <= {len(oracle)}
    assert all(len(explanation.changes) >= len(oracle) for explanation in explanations)
    sets = [frozenset(change.cell for change in explanation.changes) for explanation in explanations]
    assert len(sets) == len(set(sets))
    if len(oracle) <= 4:
        assert frozenset(oracle) in sets  # whichever one the program met, ours knows it
    assert [explanation.rank for explanation in explanations] == sorted(e.rank for e in explanations)
    return explanations


def kinds_of_error(generator):
    return [
        lambda: generator.wrong_cells(1),
        lambda: generator.wrong_cells(2),
        lambda: generator.wrong_cells(3),
        generator.zero_total,
        generator.leaf_and_total,
        generator.swap_vertical,
        generator.swap_horizontal,
        generator.shifted_row,
        generator.dispute,
    ]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.1, 0.3, 0.8]), st.integers(0, 8))
def test_explanations_are_exact(seed, density, kind):
    check_exact(kinds_of_error(Generator(seed, density))[kind]().values)


@pytest.mark.soak
@pytest.mark.parametrize("density", [0.1, 0.3, 0.8])
@pytest.mark.parametrize("kind", range(9))
def test_explanations_are_exact_in_large_numbers(kind, density):
    make = kinds_of_error(Generator(kind, density))[kind]
    for _ in range(100):
        check_exact(make().values)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10**6),
    st.lists(st.sampled_from(UNDER_RULES), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from(UNDER_RULES), max_size=2, unique=True),
)
def test_explanations_with_missing_cells_satisfy_every_rule_that_can_speak(seed, wrong, missing):
    generator = Generator(seed, 0.5)
    truth = generator.valid()
    values = truth | {cell: generator.wrong(truth[cell]) for cell in wrong}
    values = {cell: figure for cell, figure in values.items() if cell not in missing}
    for explanation in localise(SYSTEM, values):
        assert breaches(applied(values, explanation)) == []
        for change in explanation.changes:
            assert (change.found is None) == (change.cell in missing)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=5, max_size=5))
def test_a_row_of_disputes_against_brute_force(figures):
    row = [cell.id for cell in FORM.cells if cell.id.startswith("disputes.reconsideration.")]
    values = dense() | dict(zip(row, figures, strict=True))
    got = {(change.cell, change.proposed) for explanation in localise(SYSTEM, values) for change in explanation.changes}
    expected = {
        (cell, new) for cell in row for new in range(17) if new != values[cell] and not breaches(values | {cell: new})
    }
    assert got == expected
    assert bool(got) == bool(breaches(values))


FEES = [f"processing_fees.notices.{name}" for name in ("issued", "amount", "collected")]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1), st.integers(0, 3), st.integers(0, 3))
def test_fees_against_brute_force(issued, amount, collected):
    values = dense() | dict(zip(FEES, (issued, amount, collected), strict=True))
    explanations = localise(SYSTEM, values)
    got = {frozenset(change.cell for change in explanation.changes) for explanation in explanations}
    assert all(not breaches(applied(values, explanation)) for explanation in explanations)
    expected = set()
    for size in range(1, 4):
        for cells in combinations(FEES, size):
            trials = product(range(5), repeat=size)
            if any(
                all(values[cell] != new for cell, new in zip(cells, trial, strict=True))
                and not breaches(values | dict(zip(cells, trial, strict=True)))
                for trial in trials
            ):
                expected.add(frozenset(cells))
        if expected:
            break
    assert got == (expected if breaches(values) else set())


def test_the_program_finds_what_enumeration_finds():
    for density in (0.3, 0.8):
        generator = Generator(3, density)
        for _ in range(6):
            values = generator.wrong_cells(2).values
            laid = lay(SYSTEM, values)
            component = SYSTEM.components[SYSTEM.component_of[SYSTEM.at["requests.granted.total"]]]
            enumerated = {
                frozenset(SYSTEM.at[change.cell] for change in explanation.changes)
                for explanation in localise(SYSTEM, values)
                if not is_line_slip(explanation)
            }
            program = smallest_sets(SYSTEM, laid, sorted(component.equated), (), ())
            assert {frozenset(changes) for changes in program} <= enumerated
            if len(enumerated) < 10:
                assert len(program) == len(enumerated)


def test_the_program_solves_unknown_cells_and_changes_impossible_ones():
    good = dense()
    values = good | {"requests.other.natural_person": -5}
    del values["requests.granted.total"]
    laid = lay(SYSTEM, values)
    unknown, bad = SYSTEM.at["requests.granted.total"], SYSTEM.at["requests.other.natural_person"]
    component = SYSTEM.components[SYSTEM.component_of[unknown]]
    [changes] = smallest_sets(SYSTEM, laid, sorted(component.equated), [unknown], [bad], most=1)
    assert changes == {unknown: good["requests.granted.total"], bad: good["requests.other.natural_person"]}


def test_the_program_gives_up_when_its_effort_is_spent():
    values = dense() | {"requests.granted.natural_person": 99}
    laid = lay(SYSTEM, values)
    component = SYSTEM.components[SYSTEM.component_of[SYSTEM.at["requests.granted.total"]]]
    assert smallest_sets(SYSTEM, laid, sorted(component.equated), (), (), most_steps=0) == []
    many = Generator(12, 0.8).wrong_cells(40).values
    assert localise(SYSTEM, many) == localise(SYSTEM, many)


def test_eliminated_cells_vanish_from_the_reduced_equations():
    values = dense() | {"requests.granted.natural_person": 99, "requests.processed.total": 3}
    laid = lay(SYSTEM, values)
    cells = [SYSTEM.at["requests.granted.natural_person"], SYSTEM.at["requests.processed.total"]]
    state = start(SYSTEM, dict(laid.residuals), cells)
    assert state.residuals == {}
    assert [reduced_column(SYSTEM, cell, state.owner) for cell in cells] == [{}, {}]
    assert closing_sets(SYSTEM, state, 0) == [frozenset()]
    assert closing_sets(SYSTEM, start(SYSTEM, dict(laid.residuals), []), 0) == []
    conflicting = lay(SYSTEM, values | {"requests.granted.total": 1})
    assert solve(SYSTEM, conflicting, cells[:1]) is None
    assert solve(SYSTEM, laid, cells) == {cell: dense()[SYSTEM.names[cell]] for cell in cells}


def test_a_cell_that_stands_in_three_equations_closes_them_alone():
    cell = SYSTEM.at["requests.processed.legal_service"]
    assert len(SYSTEM.columns[cell]) == SYSTEM.widest == 3
    laid = lay(SYSTEM, dense() | {"requests.processed.legal_service": 3})
    assert closing_sets(SYSTEM, start(SYSTEM, dict(laid.residuals), []), 1) == [frozenset({cell})]


def test_a_cell_that_stays_as_it_is_is_no_change():
    laid = lay(SYSTEM, dense())
    cell = SYSTEM.at["requests.granted.total"]
    stands = laid.figures[cell]
    assert not admissible(SYSTEM, laid, {cell: stands}, [cell])
    assert admissible(SYSTEM, laid, {cell: stands}, [])
    assert admissible(SYSTEM, laid, {cell: stands + 1}, [cell])
    assert not admissible(SYSTEM, laid, {cell: -1}, [cell])


@pytest.mark.parametrize(("issued", "found"), [(1, ["shifted_right"]), (0, [])])
def test_a_line_slip_must_satisfy_conditional_rules_too(issued, found):
    values = {cell.id: 0 for cell in FORM.cells}
    for row in ("other_fee_unpaid", "processed", "received"):
        values |= {f"requests.{row}.natural_person": 2, f"requests.{row}.total": 2}
    values["processing_fees.notices.issued"] = 1
    assert breaches(values) == []
    row = "requests.other_fee_unpaid."
    values |= {row + "natural_person": 0, row + "commercial_enterprise": 2}
    laid = lay(SYSTEM, values | {"processing_fees.notices.issued": issued})
    assert [hypothesis.kind for hypothesis in hypotheses(SYSTEM, laid)] == found


def test_a_ring_of_cells_has_no_single_solution():
    """Four cells at the corners of a rectangle hold one another up: only what is certain is given."""
    corners = [f"requests.{row}.{column}" for row in ("granted", "other") for column in ("natural_person", "total")]
    values = {cell: figure for cell, figure in dense().items() if cell not in corners}
    laid = lay(SYSTEM, values)
    positions = [SYSTEM.at[cell] for cell in corners]
    assert solve(SYSTEM, laid, positions) == {}
    single = SYSTEM.at["disputes.reconsideration.total"]
    assert list(solve(SYSTEM, laid, [*positions, single])) == [single]
    assert localise(SYSTEM, values) == ()
