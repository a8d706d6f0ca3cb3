"""The rules derived from an edition: how many, of which cells, when they hold, and that wrong ones fail on load."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from schemas.form import FORMS, editions, load_form, read_form
from schemas.rules import LAST_YEAR, Rule, RuleSet, Term, derive_rules, domain_problem, in_signs, load_rules
from tests.facts import dense, published

TEXT = (FORMS / "2021.toml").read_text(encoding="utf-8")
RULES = load_rules("2021")
FAMILIES_2021 = {
    "row_total": 28,
    "outcome_sum": 7,
    "balance": 7,
    "no_rule_making_power": 3,
    "fees_collected": 1,
    "fees_need_notice": 1,
    "fee_unpaid_needs_notice": 1,
    "in_force_covers_issued": 2,
    "opening_balance": 7,
    "stock_in_force": 2,
}


def rule(identifier: str) -> Rule:
    return RULES.by_id[identifier]


# --- derivation ---------------------------------------------------------------------------------------------


def test_edition_2021_has_59_rules() -> None:
    assert Counter(each.family for each in RULES.rules) == FAMILIES_2021
    assert sum(FAMILIES_2021.values()) == len(RULES.rules) == len(RULES.by_id) == 59
    assert RULES.families == tuple(FAMILIES_2021)
    assert Counter(each.severity for each in RULES.rules) == {"error": 48, "warning": 11}


def test_edition_2019_has_its_own() -> None:
    counted = Counter(each.family for each in load_rules("2019").rules)
    assert counted == {"row_total": 26, "outcome_sum": 7, "balance": 7, "opening_balance": 7}


def test_row_totals_come_from_the_hierarchy() -> None:
    total = rule("requests.row_total.received")
    assert total.found == (Term("requests.received.total"),)
    assert len(total.expected) == 6
    assert {term.cell.split(".")[1] for term in total.terms} == {"received"}
    assert len(rule("disputes.row_total.litigation_direct").expected) == 4
    rows = {each.id.rsplit(".", 1)[1] for each in RULES.rules if each.family == "row_total"}
    assert rows == {cell.row for cell in load_form("2021").cells if cell.table in ("requests", "disputes")}


def test_outcome_sums_add_21_results() -> None:
    for each in (each for each in RULES.rules if each.family == "outcome_sum"):
        column = each.id.rsplit(".", 1)[1]
        assert each.found == (Term(f"requests.processed.{column}"),)
        assert len(each.expected) == 21
        assert all(term.cell.endswith(f".{column}") and term.sign == 1 for term in each.expected)


def test_rules_across_years() -> None:
    opening = rule("requests.opening_balance.total")
    assert opening.expected == (Term("requests.carried_out.total", last_year=True),)
    assert opening.across_years
    assert not rule("requests.balance.total").across_years
    stock = rule("proactive.stock_in_force.rules")
    assert [term.key for term in stock.expected] == [
        f"proactive.rules.in_force{LAST_YEAR}",
        "proactive.rules.issued",
        "proactive.rules.repealed",
    ]
    assert [term.sign for term in stock.terms] == [1, -1, -1, 1]
    assert stock.cells == ("proactive.rules.in_force", "proactive.rules.issued", "proactive.rules.repealed")
    assert set(RULES.history_keys) == {
        *(cell.id for cell in load_form("2021").cells_of("requests", row="carried_out")),
        "proactive.rules.in_force",
        "proactive.normative_documents.in_force",
    }


def test_conditions_and_exemptions() -> None:
    assert rule("fee_unpaid_needs_notice").cells == (
        "processing_fees.notices.issued",
        "requests.other_fee_unpaid.total",
    )
    freed = [each for each in RULES.rules if each.unless]
    assert {each.unless for each in freed} == {"rule_making_power"}
    assert [each.cells for each in freed] == [
        (f"proactive.rules.{column}",) for column in ("issued", "repealed", "in_force")
    ]


# --- evaluation ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [published(), dense()], ids=["published", "dense"])
def test_every_rule_within_the_year_holds_on_valid_figures(values: dict[str, int | Decimal]) -> None:
    for each in RULES.rules:
        residual = each.residual(values)
        if each.across_years:
            assert residual is None  # last year is not given: the rule says nothing
        else:
            assert residual is not None, each.id
            assert each.holds(residual), each.id


@pytest.mark.parametrize("each", RULES.rules, ids=[each.id for each in RULES.rules])
def test_a_missing_term_silences_a_rule(each: Rule) -> None:
    values = {term.key: 1 for term in each.terms}
    if each.when:
        values.setdefault(each.when.cell, int(each.when.state == "positive"))
        values[each.when.cell] = int(each.when.state == "positive")
    assert each.residual(values) is not None
    for key in values:
        assert each.residual(values | {key: None}) is None


CASES = [
    ("requests.balance.total", {"processed": 9, "carried_out": 2, "received": 10, "carried_in": 1}, 0, True),
    ("requests.balance.total", {"processed": 9, "carried_out": 2, "received": 10, "carried_in": 2}, -1, False),
    ("processing_fees.fees_collected.notices", {"collected": 5, "amount": 5}, 0, True),
    ("processing_fees.fees_collected.notices", {"collected": 6, "amount": 5}, 1, False),
    ("processing_fees.fees_collected.notices", {"collected": 4, "amount": 5}, -1, True),
    ("processing_fees.fees_need_notice.notices", {"issued": 0, "amount": 3}, 3, False),
    ("processing_fees.fees_need_notice.notices", {"issued": 1, "amount": 3}, 0, True),
    ("proactive.in_force_covers_issued.rules", {"repealed": 0, "in_force": 1, "issued": 2}, -1, False),
    ("proactive.in_force_covers_issued.rules", {"repealed": 1, "in_force": 1, "issued": 2}, 0, True),
    ("proactive.no_rule_making_power.issued", {"issued": 1}, 1, False),
    ("proactive.no_rule_making_power.issued", {"issued": 0}, 0, True),
]


@pytest.mark.parametrize(("identifier", "figures", "residual", "holds"), CASES)
def test_residuals(identifier: str, figures: dict[str, int], residual: int, holds: bool) -> None:
    each = rule(identifier)
    keys = [term.key for term in each.terms] + ([each.when.cell] if each.when else [])
    values = {key: figures[name] for key in keys for name in figures if name in key.split(".")}
    assert each.residual(values) == residual
    assert each.holds(residual) is holds


def test_a_condition_positive_is_not_met_by_zero_or_less() -> None:
    each = rule("fee_unpaid_needs_notice")
    for state, residual in ((1, -1), (0, 0), (-1, 0)):
        values = {"requests.other_fee_unpaid.total": state, "processing_fees.notices.issued": 0}
        assert each.residual(values) == residual


def test_figures_stay_exact() -> None:
    each = rule("processing_fees.fees_collected.notices")
    values = {"processing_fees.notices.collected": Decimal("0.3"), "processing_fees.notices.amount": Decimal("0.1")}
    assert each.residual(values) == Decimal("0.2")


@pytest.mark.parametrize(
    ("relation", "good"), [("=", (0,)), (">=", (0, 1)), ("<=", (0, -1))], ids=["equal", "at-least", "at-most"]
)
def test_holds(relation: str, good: tuple[int, ...]) -> None:
    base = RULES.rules[0]
    parts = {name: getattr(base, name) for name in base.__struct_fields__} | {"relation": relation}
    each = Rule(**parts)
    assert tuple(residual for residual in (-1, 0, 1) if each.holds(residual)) == tuple(sorted(good))


# --- signs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identifier", "signs"),
    [
        (
            "disputes.row_total.reconsideration",
            "disputes.reconsideration.total = disputes.reconsideration.upheld + disputes.reconsideration.corrected"
            " + disputes.reconsideration.other_result + disputes.reconsideration.pending",
        ),
        (
            "proactive.stock_in_force.rules",
            "proactive.rules.in_force = proactive.rules.in_force@last_year + proactive.rules.issued"
            " - proactive.rules.repealed",
        ),
        (
            "fee_unpaid_needs_notice",
            "if requests.other_fee_unpaid.total > 0: processing_fees.notices.issued >= 1",
        ),
        (
            "processing_fees.fees_need_notice.notices",
            "if processing_fees.notices.issued = 0: processing_fees.notices.amount = 0",
        ),
        (
            "proactive.no_rule_making_power.issued",
            "proactive.rules.issued = 0 (not for bodies with rule_making_power)",
        ),
    ],
)
def test_in_signs(identifier: str, signs: str) -> None:
    assert in_signs(rule(identifier)) == signs


# --- domains ------------------------------------------------------------------------------------------------


def broken(kind: str, value: int | Decimal, rules: RuleSet = RULES) -> list[str]:
    return [domain.id for domain in rules.domains_of(kind) if domain_problem(domain, value)]


def test_domains_fire_and_are_silent() -> None:
    assert broken("count", 0) == broken("count", 7) == broken("count", Decimal("7.00")) == []
    assert broken("count", Decimal("1.5")) == ["count_whole"]
    assert broken("count", -1) == ["count_not_negative"]
    assert broken("count", Decimal("-0.5")) == ["count_whole", "count_not_negative"]
    assert broken("money", Decimal("0.01")) == []
    assert broken("money", Decimal("-0.01")) == ["money_not_negative"]
    assert broken("signed_count", -3, load_rules("2019")) == []
    assert broken("signed_count", Decimal("0.5"), load_rules("2019")) == ["signed_count_whole"]


# --- wrong rules fail on load -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('found = ["processed", "carried_out"]', 'found = ["processes"]', r"requests\.balance\..* names no cell"),
        ('expected = ["amount"]', 'expected = ["amount@last_yaer"]', "names no cell"),
        ('{ term = "repealed", is', '{ term = "withdrawn", is', "names no cell"),
        ('id = "fees_need_notice"', 'id = "fees_collected"', "fees_collected"),
    ],
)
def test_a_rule_that_names_no_cell_or_is_named_twice(old: str, new: str, problem: str) -> None:
    text = TEXT.replace(old, new, 1)
    assert text != TEXT
    with pytest.raises(ValueError, match=problem):
        derive_rules(read_form(text, "x.toml"))


def test_two_families_that_make_the_same_rule_id() -> None:
    text = TEXT.replace('id = "fees_need_notice"', 'id = "processing_fees.fees_collected.notices"', 1)
    text = text.replace('table = "processing_fees"\neach = "row"\nwhen', "when", 1)
    text = text.replace('term = "issued", is = "zero"', 'term = "processing_fees.notices.issued", is = "zero"', 1)
    text = text.replace('found = ["amount"]', 'found = ["processing_fees.notices.amount"]', 1)
    with pytest.raises(ValueError, match="used twice"):
        derive_rules(read_form(text, "x.toml"))


@pytest.mark.parametrize("edition", editions())
def test_the_same_text_gives_the_same_rules(edition: str) -> None:
    text = (FORMS / f"{edition}.toml").read_text(encoding="utf-8")
    assert derive_rules(read_form(text, "x.toml")).rules == load_rules(edition).rules
