"""All rules over one block of submissions: which row breaks which rule, and by how much. Exact.

Belongs here: an edition's rules as weights on columns, their residuals over a block. Does not belong here: columns and
their sums (lanes.py), reading tables and telling findings (stream.py), one return (vector.py).

numpy adds integers without saying when a sum leaves their bits. So each rule is evaluated in integers that surely hold
its sum: with |figure| <= size in each column of the block, no partial sum, in whatever order, leaves
-bound .. bound, where bound = sum(|weight| * size) + |constant| is computed in Python's integers; ``kind_for`` chooses
16, 32 or 64 bits by it. Where even 64 do not do, every figure is taken as two halves of 32 bits whose sums cannot leave
64, and the halves are put together as Python's integers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from pipelines.validate.lanes import HALF, LOW, ROOM, Bools, Desk, Ints, Lanes, Signed, kind_for, whole
from schemas.form import Form
from schemas.rules import LAST_YEAR, Rule, RuleSet
from schemas.tables import DECIMAL_SCALE

UNIT = 10**DECIMAL_SCALE  # ten-thousandths in one
MOST = 1 << 28  # a rule's weights together stay below it, so that sums of halves stay within 64 bits
FRACTION = "not_whole"  # the wide frame's count of figures that should be whole and are not
SHORT = 1 << 16  # row numbers below it sort in one sweep


def figure_of(parts: int) -> Decimal | int:
    """A figure from ten-thousandths, an int where it is whole."""
    whole_part, rest = divmod(parts, UNIT)
    return Decimal(parts).scaleb(-DECIMAL_SCALE) if rest else whole_part


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

    ``ids``: of rules, then domains, in catalogue order.
    """

    names: tuple[str, ...]
    money: frozenset[str]
    cells: int
    ids: tuple[str, ...]
    sums: tuple[Sum, ...]
    bounds: tuple[Bound, ...]


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
    return Compiled((*names, FRACTION), frozenset(money), len(form.cells), ids, tuple(sums), tuple(bounds))


class Off(msgspec.Struct, frozen=True):
    """Where one rule or domain is broken in a block: a flag for each row, and a sum for each row.

    The residual in ten-thousandths is ``(total - constant) * factor``, or ``total`` as two halves of 32 bits.
    """

    flags: Bools
    total: Signed
    constant: int
    factor: int
    high: Ints | None = None

    def residuals(self, rows: Ints) -> npt.NDArray[Any]:
        """The residuals of some rows, exact."""
        if self.high is not None:
            return whole(self.total[rows].astype(np.int64), self.high[rows]) * self.factor
        found = self.total[rows].astype(np.int64) - self.constant
        if len(found) and max(int(found.max()), -int(found.min())) > ROOM // self.factor:
            return found.astype(object) * self.factor
        return found * self.factor


def _add(terms: Sequence[tuple[int, int]], columns: Callable[[int], Signed], into: Signed) -> Signed:
    """``sum(weight * column)``, written into ``into`` unless it is one column as it stands."""
    (first, weight), *others = terms
    total = columns(first) if weight == 1 else np.multiply(columns(first), weight, out=into)
    for position, weight in others:
        if weight == 1:
            np.add(total, columns(position), out=into)
        elif weight == -1:
            np.subtract(total, columns(position), out=into)
        else:
            np.add(total, columns(position) * weight, out=into)
        total = into
    return total


COMPARED = {"=": np.not_equal, ">=": np.less, "<=": np.greater}


def _hush(one: Sum, lanes: Lanes, flags: Bools) -> None:
    """Take back the flags of rows in which the rule says nothing: a term missing, condition not met, body freed."""
    block = lanes.block
    for position in one.needs:
        mask = block.missing[position]
        if mask is not None:
            np.greater(flags, mask, out=flags)  # flagged and not missing
    if one.rule.when and lanes.sizes[one.condition]:  # else the condition's figure is 0 everywhere: see _sum
        state = lanes.get(one.condition, kind_for(lanes.sizes[one.condition]) or np.int64)
        flags &= state == 0 if one.rule.when.state == "zero" else state > 0
    if one.rule.unless:
        np.greater(flags, block.freed[one.rule.unless], out=flags)


def _sum(one: Sum, lanes: Lanes, desk: Desk) -> Off | None:
    """Where a rule is broken in a block; None where it is not at all."""
    sizes = lanes.sizes
    if not lanes.absent.isdisjoint(one.needs):
        return None  # one of its terms is missing everywhere
    if one.rule.when and one.rule.when.state == "positive" and not sizes[one.condition]:
        return None
    terms = [term for term in one.terms if sizes[term[0]]]  # columns of nothing but 0 add nothing
    rows = lanes.block.rows
    if not terms and one.rule.holds(-one.constant):
        return None
    bound = abs(one.constant) + sum(abs(weight) * sizes[position] for position, weight in terms)
    kind = kind_for(bound)
    flags = desk.array("flags", np.bool_, rows)
    if kind is None:
        off = _wide(one, terms, lanes, flags)
    elif terms:
        total = _add(terms, lambda position: lanes.get(position, kind), desk.array("total", kind, rows))
        COMPARED[one.rule.relation](total, one.constant, out=flags)
        off = Off(flags, total, one.constant, one.factor)
    else:
        flags.fill(True)
        off = Off(flags, np.zeros(rows, dtype=np.int64), one.constant, one.factor)
    _hush(one, lanes, flags)
    return off


def _wide(one: Sum, terms: Sequence[tuple[int, int]], lanes: Lanes, flags: Bools) -> Off:
    """The same for figures of any size: the halves are summed apart, what the low one carries goes to the high one.

    A half is below 2**32 and the weights together below 2**28 (``MOST``), so that no sum of halves leaves 64 bits.
    """
    columns, rows = lanes.block.columns, lanes.block.rows
    low, high = np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int64)
    low = _add(terms, lambda position: columns[position] & LOW, low) - (one.constant & LOW)
    high = _add(terms, lambda position: columns[position] >> HALF, high) - (one.constant >> HALF)
    high += low >> HALF
    low &= LOW
    signed = np.where(high != 0, high, low)  # low is 0 or more now: the sign is the high half's, else the low one's
    COMPARED[one.rule.relation](signed, 0, out=flags)
    return Off(flags, low, 0, one.factor, high)


def _outside(bound: Bound, lanes: Lanes, desk: Desk) -> Off | None:
    """Where figures lie outside the domain: the sum is how many. None where there is none."""
    block = lanes.block
    count: Signed
    if bound.whole:
        last = len(block.columns) - 1
        if not lanes.sizes[last]:
            return None
        count = block.columns[last]
    else:
        # Where no minimum lies above 0, only columns with a figure below 0 can break one.
        asked = [
            (position, minimum)
            for position, minimum in zip(bound.positions, bound.minima, strict=True)
            if position not in lanes.absent and (minimum > 0 or position in lanes.negative)
        ]
        if not asked:
            return None
        few = np.uint8 if len(asked) <= 255 else np.int64  # no count is larger than how many columns are asked
        count, below = desk.array("count", few, block.rows), desk.array("below", np.bool_, block.rows)
        count.fill(0)
        for position, minimum in asked:
            kind = kind_for(max(lanes.sizes[position], abs(minimum))) or np.int64
            np.less(lanes.get(position, kind), minimum, out=below)
            mask = block.missing[position]
            if mask is not None:
                np.greater(below, mask, out=below)
            np.add(count, below.view(np.uint8), out=count)
    return Off(np.not_equal(count, 0, out=desk.array("flags", np.bool_, block.rows)), count, 0, UNIT)


def _each(compiled: Compiled, lanes: Lanes, desk: Desk) -> Iterator[tuple[int, Off]]:
    """The rules and domains that a block may break, by position in ``ids``; each is to be used before the next."""
    for at, one in enumerate(compiled.sums):
        if (off := _sum(one, lanes, desk)) is not None:
            yield at, off
    for at, bound in enumerate(compiled.bounds, len(compiled.sums)):
        if (off := _outside(bound, lanes, desk)) is not None:
            yield at, off


def tally(compiled: Compiled, lanes: Lanes, desk: Desk) -> list[int]:
    """How many rows of a block break each of ``ids``."""
    counts = [0] * len(compiled.ids)
    for at, off in _each(compiled, lanes, desk):
        counts[at] = int(np.count_nonzero(off.flags))
    return counts


def judge(compiled: Compiled, lanes: Lanes, desk: Desk) -> Broken:
    """Every rule and domain over a block."""
    pieces: list[tuple[int, Ints, npt.NDArray[Any]]] = []
    for at, off in _each(compiled, lanes, desk):
        rows = np.flatnonzero(off.flags)
        if len(rows):
            pieces.append((at, rows, off.residuals(rows)))
    if not pieces:
        none = np.empty(0, dtype=np.int64)
        return Broken(none, none, none)
    found = np.concatenate([rows for _, rows, _ in pieces])
    rules = np.repeat([at for at, _, _ in pieces], [len(rows) for _, rows, _ in pieces])
    keys = found.astype(np.uint16) if lanes.block.rows <= SHORT else found
    order = np.argsort(keys, kind="stable")  # the pieces stand in catalogue order, and so do they within a row
    return Broken(found[order], rules[order], np.concatenate([residuals for _, _, residuals in pieces])[order])
