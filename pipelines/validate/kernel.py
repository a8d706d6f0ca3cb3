"""All rules over one block of submissions held as integer columns: which row breaks which rule, by how much. Exact.

Belongs here: an edition's rules as weights on columns, a block's residuals, its sums by region. Does not belong here:
reading tables and telling findings (stream.py), one return (vector.py).

Every figure is an int64: a count as it is, an amount of money in ten-thousandths, as decimal(18,4) stores it. numpy
adds such columns without saying when a sum leaves 64 bits, so a block is first asked how large its figures are; where
a sum could leave them, every figure is taken as two halves of 32 bits whose sums cannot, and the halves are put
together as Python's integers. Nothing is rounded and nothing wraps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from schemas.form import Form
from schemas.rules import LAST_YEAR, Rule, RuleSet
from schemas.tables import DECIMAL_SCALE

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
UNIT = 10**DECIMAL_SCALE  # ten-thousandths in one
HALF = 32
LOW = (1 << HALF) - 1
ROOM = 1 << 62  # what sums of figures stay below in the fast path; the constant of a rule has as much again
MOST = 1 << 28  # a rule's weights together stay below it, so that sums of halves stay within 64 bits
FRACTION = "not_whole"  # the wide frame's count of figures that should be whole and are not


class Sum(msgspec.Struct, frozen=True):
    """A rule as weights: ``sum(weight * column) - constant``, times ``factor`` the residual in ten-thousandths."""

    rule: Rule
    terms: tuple[tuple[int, int], ...]
    constant: int
    factor: int
    condition: int  # the position of the condition's column; -1 for none
    needs: tuple[int, ...]  # the positions of all its figures, the condition's among them


class Bound(msgspec.Struct, frozen=True):
    """A domain: the positions it binds and their smallest figures; ``whole`` asks the column ``not_whole`` instead."""

    whole: bool
    positions: tuple[int, ...]
    minima: tuple[int, ...]


class Compiled(msgspec.Struct, frozen=True):
    """An edition's rules on positions of ``names``: the form's cells, last year's cells, ``not_whole``.

    ``ids``: of rules, then domains, in catalogue order. ``limit``: figures whose size stays below it cannot make any
    rule's sum leave 64 bits.
    """

    names: tuple[str, ...]
    money: frozenset[str]
    cells: int
    ids: tuple[str, ...]
    sums: tuple[Sum, ...]
    bounds: tuple[Bound, ...]
    limit: int


class Block(msgspec.Struct, frozen=True):
    """Columns by position of ``Compiled.names``, 0 where ``missing`` (None: nowhere) says that there is no figure.

    ``freed``: per body attribute whether the body of the row has it.
    """

    columns: Sequence[Ints]
    missing: Sequence[Bools | None]
    freed: Mapping[str, Bools]
    rows: int

    def cut(self, start: int, stop: int) -> Block:
        """The rows from ``start`` to before ``stop``."""
        return Block(
            [column[start:stop] for column in self.columns],
            [None if mask is None else mask[start:stop] for mask in self.missing],
            {name: flags[start:stop] for name, flags in self.freed.items()},
            min(stop, self.rows) - start,
        )

    def take(self, rows: Ints) -> Block:
        """The given rows alone, in their order."""
        return Block(
            [column[rows] for column in self.columns],
            [None if mask is None else mask[rows] for mask in self.missing],
            {name: flags[rows] for name, flags in self.freed.items()},
            len(rows),
        )


class Broken(msgspec.Struct, frozen=True):
    """What a block breaks, in row order, then catalogue order: row, position in ``Compiled.ids``, residual.

    Residuals are in ten-thousandths; an array of Python integers where one of them may leave 64 bits.
    """

    rows: Ints
    rules: Ints
    residuals: npt.NDArray[Any]


def compile_sums(form: Form, rules: RuleSet) -> Compiled:
    """The rules of an edition as weights. Raises ValueError where weights alone would leave 64 bits."""
    names = [cell.id for cell in form.cells] + [cell + LAST_YEAR for cell in rules.history_keys]
    at = {name: position for position, name in enumerate(names)}
    money = {cell.id for cell in form.cells if cell.kind == "money"}
    money |= {cell + LAST_YEAR for cell in rules.history_keys if cell in money}
    sums = []
    for rule in rules.rules:
        unit = UNIT if any(term.key in money for term in rule.terms) else 1
        terms = tuple((at[term.key], term.sign * (1 if term.key in money else unit)) for term in rule.terms)
        condition = at[rule.when.cell] if rule.when else -1
        needs = {position for position, _ in terms} | ({condition} if rule.when else set())
        sums.append(Sum(rule, terms, rule.constant * unit, UNIT // unit, condition, tuple(sorted(needs))))
    bounds = []
    for domain in rules.domains:
        bound = [cell.id for cell in form.cells if cell.kind in domain.kinds] if not domain.whole else []
        minima = tuple((domain.minimum or 0) * (UNIT if name in money else 1) for name in bound)
        bounds.append(Bound(domain.whole, tuple(at[name] for name in bound), minima))
    most = max(sum(abs(weight) for _, weight in one.terms) for one in sums)
    if most >= MOST or any(abs(one.constant) >= ROOM for one in sums):
        raise ValueError(f"the rules of {form.edition} have weights or constants too large for exact sums")
    ids = (*(rule.id for rule in rules.rules), *(domain.id for domain in rules.domains))
    return Compiled(
        (*names, FRACTION), frozenset(money), len(form.cells), ids, tuple(sums), tuple(bounds), ROOM // most
    )


class Reach(msgspec.Struct, frozen=True):
    """How large a block's figures are: every one lies in ``-size .. size``; ``negative``: rows with one below 0."""

    size: int
    negative: Ints


def reach(block: Block) -> Reach:
    """The size of a block's figures: no figure is larger, though none need be as large.

    Figures or-ed bit by bit are 0 or more exactly where none of them is negative, and then at least the largest.
    """
    every = np.zeros(block.rows, dtype=np.int64)
    for column in block.columns:
        np.bitwise_or(every, column, out=every)
    size, negative = int(every.max(initial=0)), np.flatnonzero(every < 0)
    if len(negative):
        for column in block.columns:
            few = column[negative]
            size = max(size, int(few.max()), -int(few.min()))
    return Reach(size, negative)


def _add(terms: Sequence[tuple[int, int]], columns: Sequence[Ints], into: Ints) -> Ints:
    """``sum(weight * column)``, written into ``into``."""
    (first, weight), *others = terms
    np.multiply(columns[first], weight, out=into)
    for position, weight in others:
        if weight == 1:
            np.add(into, columns[position], out=into)
        elif weight == -1:
            np.subtract(into, columns[position], out=into)
        else:
            np.add(into, columns[position] * weight, out=into)
    return into


def _off(relation: str, residual: Ints) -> Ints:
    """The rows whose residual breaks the relation."""
    if relation == "=":
        return np.flatnonzero(residual)
    return np.flatnonzero(residual < 0 if relation == ">=" else residual > 0)


def _speaking(one: Sum, block: Block, rows: Ints) -> Ints:
    """Those of ``rows`` in which the rule speaks: no term missing, condition met, body not freed."""
    for position in one.needs:
        mask = block.missing[position]
        if mask is not None and len(rows):
            rows = rows[~mask[rows]]
    if one.rule.when:
        state = block.columns[one.condition][rows]
        rows = rows[state == 0 if one.rule.when.state == "zero" else state > 0]
    if one.rule.unless:
        rows = rows[~block.freed[one.rule.unless][rows]]
    return rows


def _silent(one: Sum, block: Block) -> bool:
    """Whether the rule says nothing in the whole block because one of its terms is missing everywhere."""
    masks = (block.missing[position] for position in one.needs)
    return any(mask is not None and mask.all() for mask in masks)


def _narrow(one: Sum, block: Block, into: Ints) -> tuple[Ints, npt.NDArray[Any]]:
    """Rows that break the rule and their residuals, where no sum can leave 64 bits."""
    residual = _add(one.terms, block.columns, into)
    if one.constant:
        residual -= one.constant
    rows = _speaking(one, block, _off(one.rule.relation, residual))
    found = residual[rows]
    if one.factor != 1 and len(found) and max(int(found.max()), -int(found.min())) > ROOM // one.factor:
        return rows, found.astype(object) * one.factor
    return rows, found * one.factor


def _whole(low: Ints, high: Ints) -> npt.NDArray[Any]:
    """Halves put together as Python's integers."""
    whole: npt.NDArray[Any] = (high.astype(object) << HALF) + low.astype(object)
    return whole


def _wide(one: Sum, block: Block, lows: Sequence[Ints], highs: Sequence[Ints]) -> tuple[Ints, npt.NDArray[Any]]:
    """The same for figures of any size: the halves are summed apart, what the low one carries goes to the high one."""
    low = _add(one.terms, lows, np.empty(block.rows, dtype=np.int64)) - (one.constant & LOW)
    high = _add(one.terms, highs, np.empty(block.rows, dtype=np.int64)) - (one.constant >> HALF)
    high += low >> HALF
    low &= LOW
    signed = np.where(high != 0, high, low)  # low is 0 or more now: the sign is the high half's, else the low one's
    rows = _speaking(one, block, _off(one.rule.relation, signed))
    return rows, _whole(low[rows], high[rows]) * one.factor


def _outside(bound: Bound, block: Block, negative: Ints) -> tuple[Ints, npt.NDArray[Any]]:
    """Rows with figures outside the domain, and how many, in ten-thousandths. ``negative``: as in Reach."""
    if bound.whole:
        fractions = block.columns[-1]
        rows = np.flatnonzero(fractions)
        return rows, fractions[rows] * UNIT
    # Where no minimum lies above 0, only rows with a figure below 0 can break one.
    rows = negative if max(bound.minima, default=0) <= 0 else np.arange(block.rows)
    count = np.zeros(len(rows), dtype=np.int64)
    if len(rows):
        for position, minimum in zip(bound.positions, bound.minima, strict=True):
            below = block.columns[position][rows] < minimum
            mask = block.missing[position]
            count += below if mask is None else below & ~mask[rows]
    outside = np.flatnonzero(count)
    return rows[outside], count[outside] * UNIT


def _suspects(compiled: Compiled, block: Block, reached: Reach) -> Ints:
    """Rows that may break something; a row left out breaks nothing. Only where no sum can leave 64 bits.

    Residuals of equalities or-ed bit by bit are 0 exactly where every one of them is, and those of inequalities, turned
    so that below 0 is wrong, are negative exactly where one of them is. A missing figure counts as 0 here, in rules
    that say nothing there: that may raise suspicion, never allay it.
    """
    wrong, below = np.zeros(block.rows, dtype=np.int64), np.zeros(block.rows, dtype=np.int64)
    into = np.empty(block.rows, dtype=np.int64)
    for one in compiled.sums:
        if _silent(one, block):
            continue
        residual = _add(one.terms, block.columns, into)
        if one.constant:
            residual -= one.constant
        if one.rule.when or one.rule.unless:  # where such a rule says nothing its residual may well not be 0
            wrong[_speaking(one, block, _off(one.rule.relation, residual))] = 1
        elif one.rule.relation == "=":
            np.bitwise_or(wrong, residual, out=wrong)
        else:
            if one.rule.relation == "<=":
                np.negative(residual, out=residual)
            np.bitwise_or(below, residual, out=below)
    wrong[reached.negative] = 1
    for bound in compiled.bounds:
        if bound.whole or max(bound.minima, default=0) > 0:  # else only a figure below 0 can break it
            wrong[_outside(bound, block, reached.negative)[0]] = 1
    return np.flatnonzero((wrong != 0) | (below < 0))


def judge(compiled: Compiled, block: Block, reached: Reach) -> Broken:
    """Every rule and domain over a block. ``reached`` is ``reach(block)``.

    A quick screen leaves the rows that may break something; only those are judged rule by rule.
    """
    if reached.size >= compiled.limit:
        lows = [column & LOW for column in block.columns]
        highs = [column >> HALF for column in block.columns]
        return _gathered(compiled, block, reached.negative, [_wide(one, block, lows, highs) for one in compiled.sums])
    suspects = _suspects(compiled, block, reached)
    few = block.take(suspects)
    into = np.empty(few.rows, dtype=np.int64)
    negative = np.searchsorted(suspects, reached.negative)  # every row with a negative figure is a suspect
    found = _gathered(compiled, few, negative, [_narrow(one, few, into) for one in compiled.sums])
    return Broken(suspects[found.rows], found.rules, found.residuals)


def _gathered(compiled: Compiled, block: Block, negative: Ints, found: list[tuple[Ints, npt.NDArray[Any]]]) -> Broken:
    """What the rules found, and the domains, in row order, then catalogue order."""
    found = found + [_outside(bound, block, negative) for bound in compiled.bounds]
    rows = np.concatenate([rows for rows, _ in found])
    rules = np.repeat(np.arange(len(found)), [len(rows) for rows, _ in found])
    order = np.argsort(rows, kind="stable")  # the pieces stand in catalogue order, and so do they within a row
    return Broken(rows[order], rules[order], np.concatenate([residuals for _, residuals in found])[order])


def add_up(columns: Sequence[Ints], starts: Ints, rows: int, size: int) -> npt.NDArray[Any]:
    """Sums of each column over runs of rows that begin at ``starts``: runs x columns, exact.

    ``size`` bounds the figures as in Reach. Python's integers where a sum could leave 64 bits.
    """
    if size * rows < ROOM:
        sums = np.empty((len(columns), len(starts)), dtype=np.int64)
        for position, column in enumerate(columns):
            np.add.reduceat(column, starts, out=sums[position])
        return sums.T
    lows = np.array([np.add.reduceat(column & LOW, starts) for column in columns])
    highs = np.array([np.add.reduceat(column >> HALF, starts) for column in columns])
    return _whole(lows, highs).T
