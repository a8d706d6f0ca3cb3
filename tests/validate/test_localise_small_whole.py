"""Whole returns on a cut of the form so small that everything can be tried."""

from __future__ import annotations

import random

import pytest

from pipelines.validate.localise import localise, parts_of
from pipelines.validate.localise_system import lay
from tests.validate import small
from tests.validate.cases import is_line_slip

CUT = small.cut_system()


def named(explanation):
    return frozenset(CUT.at[change.cell] for change in explanation.changes)


@pytest.mark.parametrize("seed", range(24))
def test_a_return_is_explained_by_all_smallest_sets_of_changes(seed):
    """One to three wrong figures anywhere, some of them impossible: compared with trying everything."""
    values, draw = small.right(seed), random.Random(seed)
    assert small.broken_rules(CUT.rules, CUT.form, values) == []
    assert localise(CUT, values) == ()
    for cell in draw.sample(CUT.names, 1 + seed % 3):
        values[cell] = draw.randint(-1, 9)
    explanations = localise(CUT, values)
    for explanation in explanations:
        after = values | {change.cell: change.proposed for change in explanation.changes}
        assert small.broken_rules(CUT.rules, CUT.form, after) == []
        assert all(change.found == values[change.cell] != change.proposed for change in explanation.changes)
    smallest = {named(explanation) for explanation in explanations if not is_line_slip(explanation)}
    expected = small.explanations(CUT, values, 3)
    assert smallest == (expected if frozenset() not in expected else set())


def test_the_parts_of_one_component_are_the_explanations_of_what_is_broken_in_it_alone():
    good = small.right(3)
    wrong = good | {"requests.granted.natural_person": 9, "requests.carried_out.total": 8}
    parts = parts_of(CUT, lay(CUT, wrong), 0)
    explained = [{CUT.at[change.cell]: change.proposed for change in each.changes} for each in localise(CUT, wrong)]
    assert sorted(str(part.changes) for part in parts) == sorted(map(str, explained))
    assert all(part.components == {0} and part.cost > 0 for part in parts)
    assert parts_of(CUT, lay(CUT, good), 0) == []
