"""The integer program on systems so small that everything can be tried: it finds that, and nothing else."""

from __future__ import annotations

import random

import pytest

from pipelines.validate.localise_program import Program, smallest_sets
from pipelines.validate.localise_system import lay
from tests.validate import small

CUT = small.cut_system()
TIED = 2  # these seeds break two rows and columns so that several sets explain it


def spoilt(seed, wrong=3, missing=0):
    """A return on the cut form with some wrong and some missing counts under equations."""
    values, draw = small.right(seed), random.Random(seed)
    cells = [CUT.names[cell] for cell in sorted(CUT.components[0].equated)]
    for cell in draw.sample(cells, wrong):
        values[cell] = draw.randint(0, 9)
    for cell in draw.sample(cells, missing):
        del values[cell]
    return lay(CUT, values)


def by_program(laid, free=(), sure=(), **limits):
    return smallest_sets(CUT, laid, sorted(CUT.components[0].equated), free, sure, **limits)


@pytest.mark.parametrize("seed", [2, 127, 133, 190, 364, 396])
def test_the_program_answers_with_all_smallest_possible_sets(seed):
    laid = spoilt(seed)
    found = by_program(laid)
    expected = small.possible_sets(CUT, laid, sorted(CUT.components[0].equated), [], [], 3)
    assert sorted(found, key=sorted) == found
    assert {frozenset(changes.items()) for changes in found} == {frozenset(changes.items()) for changes in expected}


@pytest.mark.parametrize("seed", range(8))
def test_the_program_solves_what_is_missing_and_moves_what_is_impossible(seed):
    values, draw = small.right(seed), random.Random(seed)
    cells = [CUT.names[cell] for cell in sorted(CUT.components[0].equated)]
    gone, wrong, negative = draw.sample(cells, 3)
    values |= {wrong: draw.randint(0, 9), negative: -1 - seed}
    del values[gone]
    laid, free, sure = lay(CUT, values), [CUT.at[gone]], [CUT.at[negative]]
    expected = small.possible_sets(CUT, laid, sorted(CUT.components[0].equated), free, sure, 2)
    found = by_program(laid, free, sure)
    assert {frozenset(changes.items()) for changes in found} == {frozenset(changes.items()) for changes in expected}


def test_a_figure_may_change_by_more_than_the_sums_are_out():
    """The part and its row's total have the same impossible figure, so that the row's sum holds all the same."""
    good = small.right(2)
    part, total = "requests.granted.commercial_enterprise", "requests.granted.total"
    assert good["requests.granted.natural_person"] == 0 < good[part] == good[total]
    laid = lay(CUT, good | {part: -90, total: -90})
    assert laid.bad == {CUT.at[part], CUT.at[total]}
    assert by_program(laid, sure=laid.bad) == [{CUT.at[part]: good[part], CUT.at[total]: good[total]}]


def test_four_impossible_figures_in_a_ring_are_not_proposed():
    """They hold one another up: what belongs there nobody knows, however many sets are asked for."""
    corners = [f"requests.{row}.{col}" for row in ("granted", "other_fee_unpaid") for col in small.COLUMNS[:2]]
    laid = lay(CUT, small.right(0) | dict.fromkeys(corners, -1))
    assert by_program(laid, sure=laid.bad) == []


def test_no_more_sets_are_given_than_asked_for_and_ten_by_default():
    row = small.of_rows([{0: 1} | dict.fromkeys(range(1, 13), -1)])
    laid = small.laid(row, 57, *[5] * 12)
    expected = [{0: 60}] + [{part: 2} for part in range(1, 13)]
    cells = list(range(13))
    assert smallest_sets(row, laid, cells, (), (), most=20) == expected
    for most in (1, 2, 12, 13):
        assert len(smallest_sets(row, laid, cells, (), (), most=most)) == most
    assert len(smallest_sets(row, laid, cells, (), ())) == 10


def test_effort_is_counted_over_all_sets_together():
    laid = spoilt(TIED)
    program = Program(CUT, laid, sorted(CUT.components[0].equated), frozenset(), frozenset())
    spent, sets = [], []
    for _ in range(4):
        chosen, steps = program.next_set()
        spent.append(steps)
        sets.append(chosen)
        program.no_larger(3)
        program.exclude(chosen)
    assert len(set(sets)) == 4
    assert max(spent) > 1
    for number in range(1, 4):
        assert len(by_program(laid, most_steps=sum(spent[:number]))) == number
        assert len(by_program(laid, most_steps=sum(spent[:number]) + 1)) == number + 1
    assert by_program(laid, most_steps=0) == []


def test_excluded_sets_and_larger_ones_do_not_come_again():
    row = small.of_rows([{0: 1, 1: -1, 2: -1}])
    laid = small.laid(row, 6, 1, 2)
    program = Program(row, laid, [0, 1, 2], frozenset(), frozenset())
    answers = set()
    for _ in range(3):
        chosen, _ = program.next_set()
        answers.add(chosen)
        program.exclude(chosen)
    assert answers == {frozenset({0}), frozenset({1}), frozenset({2})}
    assert program.next_set()[0] is None  # two of the three would do, but one of them would too


def test_no_set_takes_a_figure_below_nought():
    row = small.of_rows([{0: 1, 1: -1, 2: -1}])
    laid = small.laid(row, 0, 1, 2)
    program = Program(row, laid, [0, 1, 2], frozenset(), frozenset())
    assert program.next_set() == (frozenset({0}), 1)  # one step at the least, though it was solved at once
    program.exclude(frozenset({0}))
    assert program.next_set()[0] == {1, 2}  # neither alone: there is not so much to take away


def test_sets_beyond_a_size_are_not_answered():
    laid = spoilt(TIED)
    program = Program(CUT, laid, sorted(CUT.components[0].equated), frozenset(), frozenset())
    program.no_larger(3)
    assert len(program.next_set()[0]) == 3
    program.no_larger(2)
    assert program.next_set()[0] is None


def test_the_solver_works_the_same_on_every_machine():
    """Neither the number of processors nor the clock nor chance has a say, and nothing is printed."""
    solver = Program(CUT, spoilt(TIED), [0], frozenset(), frozenset())._solver
    names = ("threads", "random_seed", "time_limit", "mip_feasibility_tolerance", "output_flag")
    said = {name: solver.getOptionValue(name)[1] for name in names}
    assert said == {
        "threads": 1,
        "random_seed": 0,
        "time_limit": float("inf"),
        "mip_feasibility_tolerance": 1e-9,
        "output_flag": False,
    }


def test_the_solver_prints_nothing(capfd):
    assert by_program(spoilt(TIED), most=1)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("large", [10**6, 10**10, 10**12, 10**15])
def test_no_answer_leaves_a_sum_broken_however_large_a_figure_is(large):
    """Beside a figure of so many digits the solver takes 1 for nothing; exact arithmetic does not."""
    good = small.right(1)
    wrong = {"requests.granted.natural_person": good["requests.granted.natural_person"] + large}
    wrong["requests.carried_out.commercial_enterprise"] = good["requests.carried_out.commercial_enterprise"] + 1
    laid = lay(CUT, good | wrong)
    answers = by_program(laid)
    for changes in answers:
        after = good | wrong | {CUT.names[cell]: figure for cell, figure in changes.items()}
        assert lay(CUT, after).residuals == {}
    if large == 10**6:
        assert {CUT.at[cell]: good[cell] for cell in wrong} in answers
