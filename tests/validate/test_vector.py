from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.settings import PROJECT
from pipelines.validate.vector import compile_rules, compiled, evaluate, pick
from schemas.rules import LAST_YEAR, domain_problem
from tests.facts import FORM, RULES, dense, published
from tests.validate.cases import breaking, last_year

COMPILED = compiled("2021")


@pytest.mark.parametrize("values", [dense(), published()], ids=["dense", "published"])
def test_a_right_return_is_clean(values):
    verdict = evaluate(COMPILED, values, last_year(values))
    assert verdict.clean
    assert verdict.broken == verdict.domains == ()


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_each_rule_speaks_when_it_is_broken(rule):
    values, previous = breaking(rule)
    verdict = evaluate(COMPILED, values, previous)
    assert not verdict.clean
    found = {broken.id: residual for broken, residual in verdict.broken}
    assert found[rule.id] == {"=": 7, ">=": -1, "<=": 1}[rule.relation]


@pytest.mark.parametrize("rule", [r for r in RULES.rules if r.unless], ids=lambda rule: rule.id)
def test_an_attribute_frees_a_body_from_a_rule(rule):
    values, previous = breaking(rule)
    freed = evaluate(COMPILED, values, previous, frozenset({rule.unless}))
    assert rule.id not in {broken.id for broken, _ in freed.broken}
    other = evaluate(COMPILED, values, previous, frozenset({"something_else"}))
    assert rule.id in {broken.id for broken, _ in other.broken}


def test_without_last_year_rules_across_years_are_silent():
    values, previous = breaking(RULES.by_id["requests.opening_balance.total"])
    across = {rule.id for rule in RULES.rules if rule.across_years}

    def spoken(last):
        return {rule.id for rule, _ in evaluate(COMPILED, values, last).broken} & across

    assert spoken(None) == spoken({}) == set()
    assert spoken({"requests.carried_out.natural_person": 300}) == {"requests.opening_balance.natural_person"}
    assert spoken(previous) == {"requests.opening_balance.total"}


@st.composite
def returns(draw):
    """A right return, then some cells moved, removed, made negative or fractional; some of last year's figures."""
    values = dict(draw(st.sampled_from([published(), dense()])))
    for cell in draw(st.lists(st.sampled_from(sorted(values)), max_size=8, unique=True)):
        change = draw(st.sampled_from(["drop", "add", "fraction", "zero", "large"]))
        if change == "drop":
            del values[cell]
        else:
            step = draw(st.integers(-30, 30))
            large = 10**13 * 9 + step
            values[cell] = {
                "add": values[cell] + step,
                "fraction": values[cell] + Decimal(step) / 10000,
                "zero": 0,
                "large": large,
            }[change]
    keys = sorted(RULES.history_keys)
    previous = draw(st.dictionaries(st.sampled_from(keys), st.integers(-2, 50), max_size=len(keys)))
    attributes = draw(st.sampled_from([frozenset(), frozenset({"rule_making_power"})]))
    return values, previous, attributes


@settings(max_examples=150, deadline=None)
@given(returns())
def test_the_compiled_rules_equal_the_naive_evaluation(case):
    values, previous, attributes = case
    known = values | {cell + LAST_YEAR: value for cell, value in previous.items()}
    expected = []
    for rule in RULES.rules:
        residual = rule.residual(known)
        if residual is not None and not rule.holds(residual) and rule.unless not in attributes:
            expected.append((rule.id, residual))
    verdict = evaluate(COMPILED, values, previous, attributes)
    assert [(rule.id, residual) for rule, residual in verdict.broken] == expected
    problems = [
        (domain.id, cell.id, values[cell.id])
        for domain in RULES.domains
        for cell in FORM.cells
        if cell.id in values and cell.kind in domain.kinds and domain_problem(domain, values[cell.id])
    ]
    assert [(domain.id, cell, value) for domain, cell, value in verdict.domains] == problems


def test_money_is_exact_to_the_last_of_its_digits():
    values = dense()
    values["processing_fees.notices.amount"] = Decimal("99999999999999.9998")
    values["processing_fees.notices.collected"] = Decimal("99999999999999.9999")
    [(rule, residual)] = evaluate(COMPILED, values).broken
    assert rule.id == "processing_fees.fees_collected.notices"
    assert residual == Decimal("0.0001")


def test_a_return_with_nothing_known_breaks_nothing():
    assert evaluate(COMPILED, {}).clean


def test_pick_takes_any_number_of_positions():
    assert pick([])([5, 6, 7]) == ()
    assert pick([2])([5, 6, 7]) == (7,)
    assert pick([2, 0])([5, 6, 7]) == (7, 5)


def test_compiling_is_deterministic_and_cached():
    again = compile_rules(FORM, RULES)
    assert [rule[0].id for rule in again.rules] == [rule.id for rule in RULES.rules]
    assert again.names == COMPILED.names
    assert again.last_year == RULES.history_keys
    assert compiled("2021") is COMPILED
    with pytest.raises(KeyError):
        compiled("1999")


def test_judging_one_return_imports_nothing_heavy():
    code = (
        "import sys, pipelines.validate.check as c; from schemas.intake import ReadFile;"
        "c.check_file(ReadFile(file='a', sha256='', format='csv'));"
        "print([m for m in ('numpy','polars','pandera','highspy','pyarrow','dagster','frictionless','lxml')"
        " if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, check=True)
    assert run.stdout.strip() == "[]"
