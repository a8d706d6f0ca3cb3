from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.validate.kernel import FRACTION, UNIT, compile_sums, figure_of, judge, tally
from pipelines.validate.lanes import Block, Desk, Lanes
from schemas.frames import ATTRIBUTES
from tests.facts import FORM, RULES, dense

COMPILED = compile_sums(FORM, RULES)
ROWS = 48
MOST_AMOUNT = 10**18 - 1  # of decimal(18,4), in ten-thousandths
# The largest figure of a block: sums of it stay within 16 or 32 bits, or leave 16, 32 or 64 of them.
LARGEST = [0, 3, 1_000, 2**15 - 1, 2**15, 2**26, 2**31, 2**57, 2**61, 2**63 - 1]


def drawn(seed: int, largest: int) -> Block:
    """A block whose columns are, at random, nothing but 0, small, large, negative here and there, with gaps or empty.

    Half of the returns are right ones, so that rules hold as well as break.
    """
    draw = np.random.default_rng(seed)
    right = dense()
    columns, missing = [], []
    for name in COMPILED.names:
        most = min(largest, MOST_AMOUNT if name in COMPILED.money else largest)
        figures = draw.integers(-most - (name not in COMPILED.money), most, ROWS, endpoint=True)
        figures[draw.random(ROWS) < 0.5] = 0
        if name in right:
            figures[: ROWS // 2] = int(right[name] * (UNIT if name in COMPILED.money else 1))
        kind = draw.integers(6)
        if kind == 0:
            figures[:] = 0
        elif kind > 1:
            figures = np.where(figures < 0, 0, figures) if kind == 2 else figures
        gaps = draw.random(ROWS) < draw.choice([0, 0, 0.2, 1], p=[0.4, 0.3, 0.25, 0.05])
        if name == FRACTION:
            figures, gaps = np.where(draw.random(ROWS) < 0.2, 2, 0), np.zeros(ROWS, dtype=bool)
        columns.append(np.where(gaps, 0, figures).astype(np.int64))
        missing.append(gaps if gaps.any() else None)
    return Block(columns, missing, {name: draw.random(ROWS) < 0.5 for name in ATTRIBUTES}, ROWS)


def naive(block, rules=RULES):
    """Each rule by itself on each row, in Python's integers and decimals."""
    found = []
    for row in range(block.rows):
        values = {
            name: None if mask is not None and mask[row] else int(column[row])
            for name, column, mask in zip(COMPILED.names, block.columns, block.missing, strict=True)
        }
        figures = {
            name: figure_of(value) if name in COMPILED.money and value is not None else value
            for name, value in values.items()
        }
        for at, rule in enumerate(rules.rules):
            residual = rule.residual(figures)
            freed = rule.unless and block.freed[rule.unless][row]
            if residual is not None and not freed and not rule.holds(residual):
                found.append((row, at, int(residual * UNIT)))
        for at, domain in enumerate(rules.domains, len(rules.rules)):
            cells = [cell.id for cell in FORM.cells if cell.kind in domain.kinds and not domain.whole]
            count = sum(1 for cell in cells if figures[cell] is not None and figures[cell] < domain.minimum)
            count = values[FRACTION] if domain.whole else count
            if count:
                found.append((row, at, count * UNIT))
    return found


def told(block, desk=None, compiled=COMPILED):
    desk = desk or Desk()
    broken = judge(compiled, Lanes(block, desk), desk)
    return list(zip(broken.rows.tolist(), broken.rules.tolist(), map(int, broken.residuals), strict=True))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.sampled_from(LARGEST), min_size=2, max_size=2))
def test_a_block_is_judged_as_each_rule_by_itself_would(seed, sizes):
    desk = Desk()  # the second block must see nothing of the first
    for number, largest in enumerate(sizes):
        block = drawn(seed + number, largest)
        expected = naive(block)
        assert told(block, desk) == expected
        counts = [sum(1 for _, rule, _ in expected if rule == at) for at in range(len(COMPILED.ids))]
        assert tally(COMPILED, Lanes(block, desk), desk) == counts


def test_a_block_that_breaks_nothing_tells_nothing():
    right = dense()
    figures = [int(right.get(name, 0) * (UNIT if name in COMPILED.money else 1)) for name in COMPILED.names]
    gone = [None if name in right or name == FRACTION else np.ones(2, dtype=bool) for name in COMPILED.names]
    block = Block(
        [np.full(2, figure) for figure in figures], gone, {name: np.zeros(2, dtype=bool) for name in ATTRIBUTES}, 2
    )
    assert told(block) == naive(block) == []
    assert tally(COMPILED, Lanes(block, Desk()), Desk()) == [0] * len(COMPILED.ids)


def test_more_rows_than_16_bits_number_stand_in_their_order():
    rows = 2**16 + 1  # the last row is number 0 in 16 bits
    right = dense()
    at = {name: position for position, name in enumerate(COMPILED.names)}
    figures = [int(right.get(name, 0) * (UNIT if name in COMPILED.money else 1)) for name in COMPILED.names]
    columns = [np.full(rows, figure) for figure in figures]
    gone = [None if name in right or name == FRACTION else np.ones(rows, dtype=bool) for name in COMPILED.names]
    for row in (1, rows - 1):
        columns[at["requests.granted.total"]][row] += 1
        columns[at["requests.received.total"]][row] += 1
    block = Block(columns, gone, {name: np.zeros(rows, dtype=bool) for name in ATTRIBUTES}, rows)
    found = told(block)
    assert [row for row, _, _ in found] == [1] * (len(found) // 2) + [rows - 1] * (len(found) // 2)
    assert [found_rule for _, found_rule, _ in found[: len(found) // 2]] == sorted({rule for _, rule, _ in found})


def only(*rules):
    return msgspec.structs.replace(RULES, rules=rules, by_id={rule.id: rule for rule in rules})


def with_rules(*rules):
    return compile_sums(FORM, only(*rules))


@pytest.mark.parametrize("largest", [0, 3, 2**26, 2**57, 2**63 - 1])
@pytest.mark.parametrize("relation", ["=", ">=", "<="])
def test_counts_and_money_meet_in_one_rule(relation, largest):
    rule = next(rule for rule in RULES.rules if rule.family == "fees_collected")
    counts = tuple(term for term in RULES.rules[0].terms if not term.last_year)[:3]
    mixed = msgspec.structs.replace(rule, found=(*counts[:2], *rule.found), expected=counts[2:], relation=relation)
    assert set(COMPILED.money) & {term.cell for term in mixed.terms}
    history = [rule for rule in RULES.rules if rule.across_years]  # so that the columns are the same
    rules = only(mixed, *history)
    compiled = compile_sums(FORM, rules)
    assert compiled.names == COMPILED.names
    found = []
    for seed in range(8):
        block = drawn(seed, largest)
        found += naive(block, rules)
        assert told(block, compiled=compiled) == naive(block, rules)
    assert {at for _, at, _ in found} >= ({0} if largest else set())


def test_a_constant_alone_can_break_a_rule():
    rule = next(rule for rule in RULES.rules if rule.when and rule.when.state == "positive" and rule.constant)
    compiled = with_rules(rule)
    at = compiled.names.index(rule.when.cell)
    columns = [np.zeros(3, dtype=np.int64) for _ in compiled.names]
    columns[at][1] = 5  # the condition is met there, and what it calls for is 0 everywhere
    block = Block(columns, [None] * len(columns), {name: np.zeros(3, dtype=bool) for name in ATTRIBUTES}, 3)
    assert told(block, compiled=compiled) == [(1, 0, -rule.constant * UNIT)]
    columns[at][:] = 0
    assert told(block, compiled=compiled) == []


def test_domains_whose_least_figure_is_not_0_are_kept_too():
    [counts] = [domain for domain in RULES.domains if not domain.whole and "money" not in domain.kinds][:1]
    one = msgspec.structs.replace(RULES, rules=RULES.rules[:1], domains=(msgspec.structs.replace(counts, minimum=1),))
    compiled = compile_sums(FORM, one)
    columns = [np.ones(3, dtype=np.int64) for _ in compiled.names]
    gone = [None] * len(columns)
    bound = compiled.bounds[0].positions
    columns[bound[0]][:] = [0, 1, 0]
    gone[bound[0]] = np.array([False, False, True])
    columns[bound[1]][:] = [0, 2, 1]
    columns[-1][:] = 0
    block = Block(columns, gone, {name: np.zeros(3, dtype=bool) for name in ATTRIBUTES}, 3)
    assert [found for found in told(block, compiled=compiled) if found[1] == 1] == [(0, 1, 2 * UNIT)]


@pytest.mark.parametrize("constant", [1 << 62, -(1 << 62)])
def test_rules_too_large_for_exact_sums_are_refused(constant):
    with pytest.raises(ValueError, match="exact sums"):
        with_rules(msgspec.structs.replace(RULES.rules[0], constant=constant))


def test_weights_too_large_for_exact_sums_are_refused():
    money = next(rule for rule in RULES.rules if rule.family == "fees_collected")
    heavy = msgspec.structs.replace(money, found=money.found + RULES.rules[0].found * (1 << 15))
    with pytest.raises(ValueError, match="exact sums"):
        with_rules(RULES.rules[0], heavy)


def test_a_figure_from_ten_thousandths():
    assert [str(figure_of(parts)) for parts in (0, 20_000, 5, -15_000)] == ["0", "2", "0.0005", "-1.5000"]
