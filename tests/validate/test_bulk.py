from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pandera.errors
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.validate.bulk import (
    SubmissionRow,
    broken_counts,
    broken_list,
    broken_pairs,
    gate,
    residuals,
    wide_frame,
)
from pipelines.validate.stream import RESIDUAL
from schemas.frames import submissions_contract, submissions_schema
from schemas.rules import LAST_YEAR, domain_problem
from tests.facts import FORM, RULES, dense, published

ERRORS = [rule.id for rule in RULES.rules if rule.severity == "error"]


def row(values, file="a.xlsx", previous=None, attributes=frozenset()):
    return SubmissionRow(
        region="511725",
        year=2023,
        body="511725-D01",
        file=file,
        file_sha256="0" * 64,
        values=values,
        previous=previous or {},
        attributes=attributes,
    )


def frame(*rows):
    return wide_frame(FORM, RULES, rows)


def contract_failures(table: pl.DataFrame) -> set[str]:
    """The named Checks of the public contract (one Check per rule) that fail."""
    try:
        submissions_schema("2021").validate(table, lazy=True)
    except pandera.errors.SchemaErrors as problem:
        return {error.check.name for error in problem.schema_errors}
    return set()


@pytest.mark.parametrize("values", [published(), dense()], ids=["published", "dense"])
def test_a_right_return_breaks_nothing(values):
    table = frame(row(values))
    assert broken_pairs(FORM, RULES, table) == []
    assert gate(FORM, RULES, table) == ()
    assert contract_failures(table) == set()


def test_every_error_rule_and_domain_is_a_named_check_of_the_contract():
    names = {check.name for check in submissions_schema("2021").checks}
    domains = {domain.id for domain in RULES.domains if domain.severity == "error"}
    assert names == set(ERRORS) | domains


CELLS_UNDER_RULES = [cell.id for cell in FORM.cells if cell.table in ("requests", "disputes")]


def test_each_of_the_190_cells_of_requests_and_disputes_altered_is_caught_by_a_rule():
    assert len(CELLS_UNDER_RULES) == 190
    good = dense()
    table = frame(*[row(good | {cell: good[cell] + 1}, file=cell) for cell in CELLS_UNDER_RULES])
    caught: dict[str, set[str]] = {}
    for file, rule in broken_pairs(FORM, RULES, table):
        caught.setdefault(file, set()).add(rule)
    for cell in CELLS_UNDER_RULES:
        assert caught.get(cell), cell
        touching = {rule.id for rule in RULES.rules if cell in rule.cells}
        assert caught[cell] <= touching, cell


def broken(rule):
    """A return that breaks `rule`, made from a right one by moving the found side off the expected."""
    values = dense()
    previous: dict[str, Decimal | int] = {}
    if rule.when:
        values[rule.when.cell] = 0 if rule.when.state == "zero" else 5
    for term in rule.terms:
        if term.last_year:
            previous[term.cell] = 1
    target = rule.found[0].cell
    now = {term.key: values.get(term.key) for term in rule.terms if not term.last_year}
    now |= {cell + LAST_YEAR: value for cell, value in previous.items()}
    now |= {rule.when.cell: values[rule.when.cell]} if rule.when else {}
    residual = rule.residual(now)
    assert residual is not None
    step = {"=": 7, ">=": -1, "<=": 1}[rule.relation]
    values[target] += step - residual
    return values, previous


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_each_rule_fires_by_id_and_stays_silent_on_the_right_return(rule):
    values, previous = broken(rule)
    fired = {name for _, name in broken_pairs(FORM, RULES, frame(row(values, previous=previous)))}
    assert rule.id in fired
    if rule.severity == "error":
        assert rule.id in gate(FORM, RULES, frame(row(values, previous=previous)))
    last_year = {
        "requests.carried_out." + cell.column: dense()[f"requests.carried_in.{cell.column}"]
        for cell in FORM.cells_of("requests", row="carried_in")
    }
    good = dense()
    for name in ("rules", "normative_documents"):
        stock = f"proactive.{name}"
        last_year[f"{stock}.in_force"] = good[f"{stock}.in_force"] - good[f"{stock}.issued"] + good[f"{stock}.repealed"]
    silent = {name for _, name in broken_pairs(FORM, RULES, frame(row(good, previous=last_year)))}
    assert silent == set()


def test_a_body_with_rule_making_power_may_report_rules():
    values = dense() | {"proactive.rules.issued": 2, "proactive.rules.in_force": 2}
    assert [name for _, name in broken_pairs(FORM, RULES, frame(row(values)))] == [
        "proactive.no_rule_making_power.issued",
        "proactive.no_rule_making_power.in_force",
    ]
    freed = frame(row(values, attributes=frozenset({"rule_making_power"})))
    assert broken_pairs(FORM, RULES, freed) == []


def test_domains_fire_by_id():
    fraction = frame(row(dense() | {"proactive.licences.decisions": Decimal("1.5")}))
    assert broken_pairs(FORM, RULES, fraction) == [("a.xlsx", "count_whole")]
    assert gate(FORM, RULES, fraction) == ("count_whole",)
    negative = frame(row(dense() | {"proactive.licences.decisions": -1}))
    assert gate(FORM, RULES, negative) == ("count_not_negative",)
    money = frame(row(dense() | {"proactive.administrative_fees.amount": Decimal("-0.5")}))
    assert gate(FORM, RULES, money) == ("money_not_negative",)


def test_a_missing_cell_passes_no_rule_and_breaks_none():
    values = dense()
    del values["requests.granted.natural_person"]
    table = residuals(FORM, RULES, frame(row(values)))
    silent = [name for name in table.columns[1:] if table[name][0] is None]
    assert "requests.row_total.granted" in silent
    assert "requests.outcome_sum.natural_person" in silent
    assert broken_pairs(FORM, RULES, frame(row(values))) == []


def test_the_wide_frame_refuses_what_is_not_of_the_contract():
    table = frame(row(dense()))
    assert submissions_contract("2021").validate(table).equals(table)
    with pytest.raises(pandera.errors.SchemaError):
        submissions_contract("2021").validate(table.drop("requests.granted.total"))
    with pytest.raises(pandera.errors.SchemaError):
        frame(row(dense()), row(dense()))  # the same file twice


@st.composite
def returns(draw):
    """A right return, then a few cells moved, removed or made fractional."""
    values = dict(draw(st.sampled_from([published(), dense()])))
    for cell in draw(st.lists(st.sampled_from(sorted(values)), max_size=5)):
        change = draw(st.sampled_from(["drop", "add", "negative", "fraction", "zero"]))
        if change == "drop":
            values.pop(cell, None)
        elif cell in values:
            new = {"add": values[cell] + draw(st.integers(-9, 9)), "negative": -1, "zero": 0}
            values[cell] = new.get(change, values[cell] + Decimal("0.5"))
    previous = draw(
        st.dictionaries(st.sampled_from(RULES.history_keys), st.integers(0, 30), max_size=len(RULES.history_keys))
    )
    return values, previous


def naive(values, previous) -> set[str]:
    """Each rule by itself, in plain Python: what the compiled passes are held against."""
    whole = {cell: value for cell, value in values.items() if FORM.by_id[cell].kind == "money" or value == int(value)}
    now = whole | {cell + LAST_YEAR: value for cell, value in previous.items()}
    found = set()
    for rule in RULES.rules:
        residual = rule.residual(now)
        if residual is not None and not rule.holds(residual):
            found.add(rule.id)
    for domain in RULES.domains:
        for cell, value in values.items():
            kept = domain.whole or cell in whole
            if FORM.by_id[cell].kind in domain.kinds and kept and domain_problem(domain, value):
                found.add(domain.id)
    return found


@settings(max_examples=8, deadline=None)
@given(st.lists(returns(), min_size=1, max_size=4))
def test_pandera_the_compiled_pass_and_the_naive_evaluation_flag_the_same_pairs(cases):
    table = frame(*[row(values, file=f"f{n}", previous=last) for n, (values, last) in enumerate(cases)])
    compiled = set(broken_pairs(FORM, RULES, table))
    assert compiled == {(f"f{n}", rule) for n, (values, last) in enumerate(cases) for rule in naive(values, last)}
    errors = set(ERRORS) | {domain.id for domain in RULES.domains}
    for n in range(len(cases)):
        one = table.filter(pl.col("file") == f"f{n}")
        expected = {rule for file, rule in compiled if file == f"f{n}" and rule in errors}
        assert contract_failures(one) == expected
        assert set(gate(FORM, RULES, one)) == expected


WRAPS = RULES.by_id["requests.outcome_sum.natural_person"]


@pytest.mark.parametrize("figure", [2**62, -(2**62), 2**60])
def test_gate_and_contract_are_not_fooled_by_sums_that_64_bits_call_0(figure):
    parts = [term.key for term in WRAPS.terms if term.sign == WRAPS.terms[-1].sign][: 2**64 // abs(figure)]
    assert len(parts) * figure % 2**64 == 0
    wide = frame(row(dict.fromkeys((term.key for term in WRAPS.terms), 0) | dict.fromkeys(parts, figure)))
    for table in (wide, wide.lazy()):
        assert WRAPS.id in gate(FORM, RULES, table)
    assert WRAPS.id in contract_failures(wide)
    held = residuals(FORM, RULES, wide)[WRAPS.id][0]
    assert held == (2**63 - 1 if figure < 0 else 1 - 2**63)


def test_amounts_whose_difference_no_column_holds_are_told_with_their_sign():
    most, rule = Decimal("99999999999999.9999"), RULES.by_id["processing_fees.fees_collected.notices"]
    collected, notices = rule.found[0].key, rule.expected[0].key
    wide = frame(row(dense() | {collected: most, notices: -most}))
    assert residuals(FORM, RULES, wide)[rule.id][0] == most
    assert rule.id in gate(FORM, RULES, wide)
    assert rule.id in contract_failures(wide)


def test_the_long_list_says_by_how_much_in_frame_order_then_catalogue_order():
    leaf = "requests.granted.natural_person"
    table = frame(
        row(dense() | {leaf: dense()[leaf] + 3}, file="z.xlsx"),
        row(dense(), file="m.xlsx"),
        row(dense() | {"processing_fees.notices.collected": Decimal("90.5")}, file="b.xlsx"),
        row(dense() | {"proactive.licences.decisions": -1, "proactive.penalties.decisions": -2}, file="a.xlsx"),
    )
    for given_as in (table, table.lazy()):
        found = broken_list(FORM, RULES, given_as)
        assert found.schema == {"file": pl.String, "rule": pl.String, "residual": RESIDUAL}
        assert found.rows() == [
            ("z.xlsx", "requests.row_total.granted", -3),
            ("z.xlsx", "requests.outcome_sum.natural_person", -3),
            ("b.xlsx", "processing_fees.fees_collected.notices", Decimal("0.5")),
            ("a.xlsx", "count_not_negative", 2),
        ]
        counts = broken_counts(FORM, RULES, given_as)
        assert list(counts) == [*RULES.by_id, *(domain.id for domain in RULES.domains)]
        assert {rule: count for rule, count in counts.items() if count} == Counter(found["rule"])
    assert broken_list(FORM, RULES, table.clear()).rows() == []
