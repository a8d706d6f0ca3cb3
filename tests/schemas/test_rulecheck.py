"""The rule set as a whole: what the editions imply is as declared, and each planted fault is named."""

from __future__ import annotations

import random
from fractions import Fraction
from functools import cache

import pytest

from schemas.form import Form, editions, load_form, read_form
from schemas.rulecheck import Report, dependent, examine, last_year_rules, load_declared, problems
from schemas.rulecheck_figures import LARGEST, always_fires, coefficients, figures, never_fires, residual_range
from schemas.rules import RuleSet, derive_rules, load_rules

SOURCE = """
edition = "t"
title_zh = "表"
title_en = "Form"
first_year = 2021
basis = "依据"
regulation = "条例"
[[tables]]
id = "t"
number_zh = "一"
title_zh = "表"
title_en = "Table"
arrangement = "matrix"
[[tables.blocks]]
id = "b"
[[tables.blocks.columns]]
id = "n"
label_zh = "数"
label_en = "Count"
kind = "count"
unit = "件"
"""
DOMAIN = """
[[domains]]
id = "not_negative"
kinds = ["count"]
minimum = 0
severity = "error"
basis = "依据"
title_zh = "不为负"
title_en = "Not negative"
advice_zh = "改"
advice_en = "Mend"
"""


def planted(*rules: dict[str, object], rows: str = "abcd") -> tuple[Form, RuleSet]:
    """A form of one column with rows a, b, c, d and the given rules over them."""
    text = SOURCE
    for row in rows:
        text += f'[[tables.blocks.rows]]\nid = "{row}"\nlabel_zh = "{row}"\nlabel_en = "{row}"\n'
    for number, rule in enumerate(rules):
        given = {"id": f"r{number}", "severity": "error", "expected": [], **rule}
        text += '[[rules]]\nsource = "declared"\nbasis = "依据"\ntitle_zh = "题"\ntitle_en = "Title"\n'
        text += 'advice_zh = "改"\nadvice_en = "Mend"\n'
        for key, value in given.items():
            shown = f'{{ term = "{value[0]}", is = "{value[1]}" }}' if isinstance(value, tuple) else repr(value)
            text += f"{key} = {shown}\n"
    form = read_form(text + DOMAIN, "t.toml")
    return form, derive_rules(form)


def found(*rules: dict[str, object]) -> tuple[Report, tuple[str, ...]]:
    form, derived = planted(*rules)
    report = examine(form, derived)
    return report, problems(report, form.edition, ())


def t(*names: str) -> list[str]:
    return [name[0] + f"t.{name[1:]}.n" if name[0] == "-" else f"t.{name}.n" for name in names]


# --- the editions themselves --------------------------------------------------------------------------------


@cache
def report_of(edition: str) -> Report:
    return examine(load_form(edition), load_rules(edition))


@pytest.mark.parametrize("edition", editions())
def test_the_rules_of_an_edition_are_as_declared(edition: str) -> None:
    assert problems(report_of(edition), edition, load_declared()) == ()


@pytest.mark.parametrize("edition", editions())
def test_the_official_error_rules_imply_exactly_two_of_their_own(edition: str) -> None:
    by_id = load_rules(edition).by_id
    among_errors = {entry.rule for entry in report_of(edition).implied if by_id[entry.rule].severity == "error"}
    assert among_errors == {"requests.outcome_sum.total", "requests.balance.total"}


def test_what_implies_the_two() -> None:
    implied = {entry.rule: entry for entry in report_of("2021").implied}
    balance = implied["requests.balance.total"]
    assert balance.families == ("row_total", "balance")
    assert set(balance.by) == {
        *(f"requests.row_total.{row}" for row in ("received", "carried_in", "processed", "carried_out")),
        *(rule.id for rule in load_rules("2021").rules if rule.family == "balance" and rule.id != balance.rule),
    }
    outcome = implied["requests.outcome_sum.total"]
    assert len(outcome.by) == 6 + 22  # six columns; the row totals of 21 results and of their sum
    assert outcome.families == ("row_total", "outcome_sum")


@pytest.mark.parametrize("edition", editions())
def test_every_proof_is_an_identity(edition: str) -> None:
    """The implied residual equals the combination for any figures whatever, exactly."""
    rules = load_rules(edition)
    by_id = rules.by_id | {rule.id: rule for rule in last_year_rules(rules)}
    generator = random.Random(20231231)
    proofs = [entry for entry in report_of(edition).implied if entry.proof]
    assert len(proofs) == 3
    for entry in proofs:
        assert set(entry.proof) == set(entry.by)
        names = (entry.rule, *entry.by)
        values = {term.key: generator.randint(-50, 50) for name in names for term in by_id[name].terms}
        combined = sum((factor * by_id[name].residual(values) for name, factor in entry.proof.items()), Fraction(0))
        residual = by_id[entry.rule].residual(values)
        assert residual != 0
        assert combined == residual


def test_a_rule_that_is_not_implied_can_be_broken_alone() -> None:
    form, rules = load_form("2021"), load_rules("2021")
    errors = [rule for rule in rules.rules if rule.severity == "error" and not rule.unless]
    implied = {entry.rule for entry in report_of("2021").implied}
    rule = rules.by_id["processing_fees.fees_collected.notices"]
    others = [other for other in errors if other is not rule and other.id not in implied]
    values = figures(form, rules, others, breaking=rule)
    assert values is not None
    assert values["processing_fees.notices.collected"] > values["processing_fees.notices.amount"]
    assert all(0 <= value <= LARGEST for value in values.values())


# --- each gate fires and is silent --------------------------------------------------------------------------


def test_sound_rules_are_silent() -> None:
    report, said = found(
        {"found": t("a"), "expected": t("b", "c")},
        {"found": t("d"), "relation": "<=", "expected": t("a")},
    )
    assert said == ()
    assert report == Report(never_fires=(), always_fires=(), contradictory={}, forced=(), implied=())


def test_a_rule_that_never_fires_is_named() -> None:
    report, said = found({"found": t("a", "b"), "relation": ">=", "expected": t("a")})
    assert report.never_fires == ("r0",)
    assert "r0" in said[0]
    assert "永远不会报错" in said[0]


def test_a_rule_that_always_fires_is_named() -> None:
    report, said = found({"found": t("a"), "relation": "<=", "expected": t("a"), "constant": -1})
    assert report.always_fires == ("r0",)
    assert any("永远无法满足" in line for line in said)


def test_rules_that_contradict_are_named_with_the_smallest_set() -> None:
    report, said = found(
        {"found": t("d"), "expected": t("c")},
        {"found": t("a"), "relation": ">=", "expected": t("b"), "constant": 1},
        {"found": t("b"), "relation": ">=", "expected": t("a")},
    )
    assert list(report.contradictory.values()) == [("r1", "r2")]
    assert any("矛盾" in line and "r1, r2" in line for line in said)


@pytest.mark.parametrize(
    ("state", "found_cell", "relation", "constant"),
    [("positive", "b", ">=", 5), ("zero", "b", ">=", 5)],
)
def test_a_condition_that_can_never_be_met_is_named(state: str, found_cell: str, relation: str, constant: int) -> None:
    wanted: dict[str, object] = {
        "found": t(found_cell),
        "relation": relation,
        "constant": constant,
        "when": ("t.a.n", state),
    }
    capped: dict[str, object] = {"found": t("b"), "relation": "<=", "constant": 4}
    report, said = found(wanted, capped)
    assert report.contradictory == {"r0": ("r0", "r1")}
    assert any("矛盾" in line for line in said)
    quiet, said = found(wanted, capped | {"constant": 5})
    assert quiet.contradictory == {}
    assert said == ()


def test_cells_forced_to_zero_are_named() -> None:
    report, said = found(
        {"found": t("a"), "expected": t("b")},
        {"found": t("a"), "expected": t("b", "c")},
    )
    assert report.forced == ("t.c.n",)
    assert any("迫使 t.c.n 为 0" in line for line in said)


def test_an_implied_equality_is_named_with_its_proof() -> None:
    report, said = found(
        {"found": t("a"), "expected": t("b")},
        {"found": t("b"), "expected": t("c")},
        {"found": t("a"), "expected": t("c")},
    )
    (entry,) = report.implied
    assert (entry.rule, entry.by, entry.families) == ("r2", ("r0", "r1"), ("r0", "r1"))
    assert entry.proof == {"r0": Fraction(1), "r1": Fraction(1)}
    assert any("r2" in line and "未声明" in line for line in said)


def test_an_implied_inequality_is_named_with_the_smallest_set() -> None:
    report, _ = found(
        {"found": t("c"), "expected": t("d")},
        {"found": t("a"), "expected": t("b", "c")},
        {"found": t("a"), "relation": ">=", "expected": t("b"), "severity": "warning"},
    )
    assert [(entry.rule, entry.by, entry.proof) for entry in report.implied] == [("r2", ("r1",), {})]


def test_declarations_that_no_longer_fit_are_named() -> None:
    report = report_of("2021")
    declared = load_declared()
    first, *rest = [entry for entry in declared if "2021" in entry.editions]
    assert any("未声明" in line and first.rule in line for line in problems(report, "2021", rest))
    other = type(first)(**{**{f: getattr(first, f) for f in first.__struct_fields__}, "families": ("balance",)})
    assert any("声明的是 balance" in line for line in problems(report, "2021", [other, *rest]))
    stale = type(first)(**{**{f: getattr(first, f) for f in first.__struct_fields__}, "rule": "requests.balance.x"})
    assert any("实际不能" in line for line in problems(report, "2021", [first, *rest, stale]))


# --- the parts ----------------------------------------------------------------------------------------------


def test_coefficients_add_equal_terms_and_drop_what_cancels() -> None:
    _, rules = planted({"found": t("a", "a", "b"), "expected": t("b", "-c")})
    assert coefficients(rules.rules[0]) == {"t.a.n": 2, "t.c.n": 1}


@pytest.mark.parametrize(
    ("rule", "low", "high"),
    [
        ({"found": t("a")}, 0, None),
        ({"found": t("a"), "expected": t("b")}, None, None),
        ({"found": t("-a"), "constant": 2}, None, -2),
        ({"found": t("a", "b"), "when": ("t.a.n", "zero")}, 0, None),
        ({"found": t("a", "b"), "when": ("t.a.n", "positive")}, 1, None),
        ({"found": t("a"), "when": ("t.a.n", "zero")}, 0, 0),
    ],
)
def test_residual_range(rule: dict[str, object], low: int | None, high: int | None) -> None:
    form, rules = planted(rule)
    assert residual_range(form, rules, rules.rules[0]) == (low, high)


@pytest.mark.parametrize(
    ("rule", "never", "always"),
    [
        ({"found": t("a"), "when": ("t.a.n", "zero")}, True, False),
        ({"found": t("a"), "when": ("t.a.n", "positive")}, False, True),
        ({"found": t("a"), "relation": "<="}, False, False),
        ({"found": t("-a"), "relation": "<="}, True, False),
        ({"found": t("-a"), "relation": ">=", "constant": 1}, False, True),
        ({"found": t("a"), "constant": -1}, False, True),
    ],
)
def test_rules_by_themselves(rule: dict[str, object], never: bool, always: bool) -> None:
    form, rules = planted(rule)
    assert never_fires(form, rules, rules.rules[0]) is never
    assert always_fires(form, rules, rules.rules[0]) is always


def test_dependent_is_exact_and_ignores_conditional_rules() -> None:
    _, rules = planted(
        {"found": t("a", "a"), "expected": t("b")},
        {"found": t("b"), "expected": t("c", "c", "c")},
        {"found": t("a", "a", "a", "a"), "expected": t("c", "c", "c", "c", "c", "c")},
        {"found": t("a", "a"), "expected": t("c", "c", "c"), "when": ("t.d.n", "zero")},
        {"found": t("a"), "relation": ">=", "expected": t("b")},
    )
    assert dependent(rules.rules) == {"r2": {"r0": Fraction(2), "r1": Fraction(2)}}


def test_a_condition_zero_over_a_figure_that_may_be_negative_is_refused() -> None:
    text = SOURCE.replace('kind = "count"', 'kind = "signed_count"')
    for row in "ab":
        text += f'[[tables.blocks.rows]]\nid = "{row}"\nlabel_zh = "{row}"\nlabel_en = "{row}"\n'
    text += (
        '[[rules]]\nid = "r0"\nsource = "declared"\nseverity = "error"\nbasis = "b"\ntitle_zh = "t"\ntitle_en = "t"\n'
        'advice_zh = "a"\nadvice_en = "a"\nfound = ["t.a.n"]\nwhen = { term = "t.b.n", is = "zero" }\n'
    )
    form = read_form(text + DOMAIN, "t.toml")
    rules = derive_rules(form)
    with pytest.raises(ValueError, match="cannot be negative"):
        figures(form, rules, rules.rules)
