"""The search on systems so small that everything can be tried: it finds that, and nothing else."""

from __future__ import annotations

import random

import pytest

from pipelines.validate.localise_search import (
    closing_sets,
    needs_more,
    solve,
    start,
)
from pipelines.validate.localise_system import compile_system, lay
from tests.facts import FORM, RULES, dense
from tests.validate import small

WHOLE = compile_system(FORM, RULES)
CUT = small.cut_system()


def broken(seed, wrong=2):
    """A drawn system, and figures of which some were changed after everything was right (nought everywhere)."""
    system, draw = small.drawn(seed), random.Random(seed)
    figures = [0] * 7
    for cell in draw.sample(range(7), wrong):
        figures[cell] = draw.randint(1, 9)
    return system, small.laid(system, *figures), draw


def test_the_search_meets_all_smallest_sets_and_no_others():
    for seed in range(150):
        system, laid, draw = broken(seed, wrong=1 + seed % 3)
        free = draw.sample(range(7), seed % 3)
        expected = small.smallest(system, laid.residuals, free, 3)
        size = len(next(iter(expected)))
        state = start(system, dict(laid.residuals), free)
        for fewer in range(size):
            assert closing_sets(system, state, fewer) == []
        found = closing_sets(system, state, size)
        assert len(found) == len(set(found))
        assert set(found) == expected


@pytest.mark.parametrize("seeds", [range(60), (810, 923, 1309, 1331, 1360)], ids=["many", "long columns"])
def test_the_search_meets_them_where_eliminating_a_cell_lengthens_columns(seeds):
    for seed in seeds:
        system, laid, free = small.scattered(seed)
        expected = small.smallest(system, laid.residuals, free, 4)
        size = len(next(iter(expected)))
        state = start(system, dict(laid.residuals), free)
        assert [closing_sets(system, state, fewer) for fewer in range(size)] == [[]] * size
        assert set(closing_sets(system, state, size)) == expected


def test_equations_without_a_common_cell_take_a_change_each():
    for system in (WHOLE, CUT, *(small.scattered(seed)[0] for seed in range(20))):
        sets = [{row for row in range(len(system.rows)) if bits >> row & 1} for bits in system.strangers]
        assert sorted(row for rows in sets for row in rows) == list(range(len(system.rows)))
        for rows in sets:
            cells = [cell for row in rows for cell, _ in system.rows[row]]
            assert len(set(cells)) == len(cells)
    right = dense()
    wrong = {f"disputes.{row}.total": 99 for row in ("reconsideration", "litigation_direct")}
    wrong |= {"disputes.litigation_after_reconsideration.total": 99}
    state = start(WHOLE, dict(lay(WHOLE, right | wrong).residuals), [])
    assert [needs_more(WHOLE, state, left) for left in (0, 1, 2, 3, 4)] == [True, True, True, False, False]


def test_more_changes_are_called_for_only_where_fewer_cannot_do():
    said = 0
    for seed in range(100):
        system, laid, free = small.scattered(seed)
        state = start(system, dict(laid.residuals), free)
        size = len(next(iter(small.smallest(system, laid.residuals, free, 4))))
        calls = [left for left in range(5) if needs_more(system, state, left)]
        assert all(left < size for left in calls)
        said += len(calls)
    assert said > 50


def test_a_larger_set_is_met_if_each_of_its_cells_is_needed():
    for seed in range(60):
        system, laid, _ = broken(seed)
        state = start(system, dict(laid.residuals), [])
        for size in (2, 3):
            found = set(closing_sets(system, state, size))
            for cells in small.sets_of(system, size):
                steps = small.solutions(system, laid.residuals, sorted(cells))
                if cells in found:
                    assert steps is not None
                elif steps is not None:
                    assert len(steps) < size or 0 in steps.values()


def test_chosen_cells_get_the_figure_that_the_equations_leave_them():
    for seed in range(300):
        system, laid, draw = broken(seed, wrong=seed % 3)
        cells = draw.sample(range(7), draw.randint(1, 7))
        own = {row for cell in cells for row, _ in system.columns[cell]}
        theirs = {row: residual for row, residual in laid.residuals.items() if row in own}
        steps = small.solutions(system, theirs, cells)
        solved = solve(system, laid, cells)
        assert solved == (None if steps is None else {cell: laid.figures[cell] + step for cell, step in steps.items()})
        assert all(type(figure) is int or figure.denominator > 1 for figure in (solved or {}).values())


def test_cells_that_follow_one_from_another_take_no_elimination(monkeypatch):
    """Which is nearly always so, and much quicker."""
    monkeypatch.setattr("pipelines.validate.localise_search._eliminate_all", lambda *_: pytest.fail("eliminated"))
    right = dense()
    far = [f"requests.{name}" for name in ("granted.natural_person", "other.legal_service", "carried_out.total")]
    row = [cell.id for cell in FORM.cells_of("requests", row="granted")]
    column = [f"requests.{name}.natural_person" for name in ("granted", "processed", "received", "carried_in")]
    for cells in (
        row,
        column[:1],
        column[:2],
        column[:3],
        column[:2] + row[1:2],
        far,
        ["disputes.reconsideration.upheld"],
    ):
        wrong = {cell: right[cell] + 3 + n for n, cell in enumerate(cells)}
        positions = [WHOLE.at[cell] for cell in cells]
        assert solve(WHOLE, lay(WHOLE, right | wrong), positions) == {WHOLE.at[cell]: right[cell] for cell in cells}
