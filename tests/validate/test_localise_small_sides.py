"""Conditional rules and inequalities where everything can be tried."""

from __future__ import annotations

import random
from fractions import Fraction

from pipelines.validate.localise_sides import repairs
from pipelines.validate.localise_system import to_figure
from schemas.rules import Term
from tests.validate import small

AMOUNT = Term(small.fee("amount"))


def repaired(system, figures, most=3):
    """The repairs of every component put together, as sets of cells with their figures."""
    laid = small.laid(system, *map(to_figure, figures))
    ways = [[]]
    for component in system.components:
        own = list(repairs(system, component, laid, {}, most))
        ways = [[*way, trial] for way in ways for trial in own]
    return [{cell: figure for trial in way for cell, figure in trial.items()} for way in ways]


def test_rules_that_are_no_sums_are_repaired_with_the_fewest_changes():
    for seed in range(120):
        draw = random.Random(seed)
        system = small.of_sides([small.drawn_side(draw) for _ in range(draw.randint(1, 3))])
        figures = [Fraction(draw.randint(-2, 10), 2) for _ in range(3)]
        found = repaired(system, figures)
        assert {frozenset(trial) for trial in found} == small.repairable(system, figures)
        for trial in found:
            after = [trial.get(cell, figures[cell]) for cell in range(3)]
            values = {name: to_figure(figure) for name, figure in zip(system.names, after, strict=True)}
            assert all(rule.holds(rule.residual(values)) for rule in system.rules.rules)
            assert small.repairable(system, after) == {frozenset()}


def test_the_likeliest_figure_is_proposed():
    system = small.of_sides([{"found": (Term(small.fee("collected")),), "relation": "<=", "expected": (AMOUNT,)}])
    assert repaired(system, [1, 50, 80]) == [{1: 80}, {2: 50}]  # of two as likely the nearer
    assert repaired(system, [1, 31, 62]) == [{1: 62}, {2: 0}]  # filled in by mistake, rather than both digits wrong
    whole = small.of_sides([{"found": (Term(small.fee("issued")),), "relation": ">=", "expected": (AMOUNT,)}])
    assert repaired(whole, [0, Fraction(5, 2), 0])[0] == {0: 3}  # the next whole count


def test_no_more_repairs_than_are_allowed():
    system = small.of_sides([{"found": (Term(small.fee("collected")),), "relation": "<=", "expected": (AMOUNT,)}])
    assert repaired(system, [1, 5, 6], most=0) == []
    assert len(repaired(system, [1, 5, 6], most=1)) == 2
    assert repaired(system, [1, 5, 5], most=0) == [{}]
