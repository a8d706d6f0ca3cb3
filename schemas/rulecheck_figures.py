"""Figures for rules: the coefficients and range of one rule, and whole figures that satisfy or break several.

Belongs here: what one rule can be, and looking for figures by HiGHS, confirmed by the rules' own evaluation. Does not
belong here: verdicts on a set of rules (rulecheck.py). HiGHS is imported only when figures are looked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from schemas.form import Form
from schemas.rules import LAST_YEAR, Rule, RuleSet

LARGEST = 1000


def coefficients(rule: Rule) -> dict[str, int]:
    """The residual as coefficients by ``Term.key``, equal terms added; a cell that cancels out is left out."""
    total: dict[str, int] = {}
    for term in rule.terms:
        total[term.key] = total.get(term.key, 0) + term.sign
    return {key: factor for key, factor in total.items() if factor}


def _lowest(form: Form, rules: RuleSet, key: str) -> int | None:
    """The least that a figure may be by its domains; None without a bound."""
    kind = form.by_id[key.removesuffix(LAST_YEAR)].kind
    bounds = [domain.minimum for domain in rules.domains_of(kind) if domain.minimum is not None]
    return max(bounds) if bounds else None


def residual_range(form: Form, rules: RuleSet, rule: Rule) -> tuple[int | None, int | None]:
    """The least and greatest residual where the rule speaks, for any figures inside their domains; None: unbounded."""
    low: int | None = -rule.constant
    high: int | None = -rule.constant
    for key, factor in coefficients(rule).items():
        least, most = _lowest(form, rules, key), None
        if rule.when and rule.when.cell == key:
            least, most = (0, 0) if rule.when.state == "zero" else (1, None)
        bottom, top = (least, most) if factor > 0 else (most, least)
        low = None if low is None or bottom is None else low + factor * bottom
        high = None if high is None or top is None else high + factor * top
    return low, high


def never_fires(form: Form, rules: RuleSet, rule: Rule) -> bool:
    """Whether no figures inside their domains break the rule."""
    low, high = residual_range(form, rules, rule)
    if rule.relation == "=":
        return low == high == 0
    return (low is not None and low >= 0) if rule.relation == ">=" else (high is not None and high <= 0)


def always_fires(form: Form, rules: RuleSet, rule: Rule) -> bool:
    """Whether no figures inside their domains satisfy the rule where it speaks."""
    low, high = residual_range(form, rules, rule)
    below = high is not None and high < 0
    above = low is not None and low > 0
    return (below or above) if rule.relation == "=" else below if rule.relation == ">=" else above


class _Model:
    """Whole figures between their domain's minimum and LARGEST that satisfy rules, for HiGHS."""

    def __init__(self, form: Form, rules: RuleSet) -> None:
        self.form, self.rules = form, rules
        self.columns: dict[str, int] = {}
        self.bounds: list[tuple[int, int]] = []
        self.rows: list[tuple[float, float, dict[int, int]]] = []

    def column(self, key: str) -> int:
        if key not in self.columns:
            least = _lowest(self.form, self.rules, key)
            self.columns[key] = len(self.bounds)
            self.bounds.append((-LARGEST if least is None else least, LARGEST))
        return self.columns[key]

    def _switch(self) -> int:
        self.bounds.append((0, 1))
        return len(self.bounds) - 1

    def at_least(self, key: str, least: int) -> None:
        column = self.column(key)
        self.bounds[column] = (max(least, self.bounds[column][0]), self.bounds[column][1])

    def exactly(self, key: str, value: int) -> None:
        self.bounds[self.column(key)] = (value, value)

    def require(self, rule: Rule) -> None:
        """The rule holds: its condition is not met, or its relation is satisfied."""
        row = {self.column(key): factor for key, factor in coefficients(rule).items()}
        inf = float("inf")
        low = -inf if rule.relation == "<=" else rule.constant
        high = inf if rule.relation == ">=" else rule.constant
        if not rule.when:
            self.rows.append((low, high, row))
            return
        switch, cell = self._switch(), self.column(rule.when.cell)
        slack = LARGEST * (sum(map(abs, row.values())) + 1) + abs(rule.constant)
        if rule.when.state == "zero":  # the switch may be 1 (rule asleep) only where the cell is 1 or more
            if self.bounds[cell][0] < 0:
                raise ValueError(f"rule {rule.id}: a condition “zero” needs a figure that cannot be negative")
            self.rows.append((0, inf, {cell: 1, switch: -1}))
            asleep = slack
        else:  # the switch must be 1 (rule awake) where the cell is 1 or more
            self.rows.append((-inf, 0, {cell: 1, switch: -LARGEST}))
            low, high, asleep = low - slack, high + slack, -slack
        self.rows.append((low, inf, row | {switch: asleep}))
        self.rows.append((-inf, high, row | {switch: -asleep}))

    def speak(self, rule: Rule) -> None:
        """The rule's condition is met."""
        if rule.when and rule.when.state == "zero":
            self.exactly(rule.when.cell, 0)
        elif rule.when:
            self.at_least(rule.when.cell, 1)

    def violate(self, rule: Rule, sign: int) -> None:
        """The residual is at least 1 (sign 1) or at most -1 (sign -1), with the condition met."""
        self.speak(rule)
        row = {self.column(key): factor for key, factor in coefficients(rule).items()}
        inf = float("inf")
        self.rows.append((rule.constant + 1, inf, row) if sign > 0 else (-inf, rule.constant - 1, row))

    def solve(self) -> dict[str, int] | None:
        """Figures by key, or None where there are none."""
        if any(not low <= 0 <= high for low, high, row in self.rows if not row):
            return None  # every term of a rule cancels out and its constant stays
        if not self.columns:
            return {}
        import highspy

        solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        for option in ("output_flag", "log_to_console"):
            solver.setOptionValue(option, False)
        solver.setOptionValue("threads", 1)
        for number, (low, high) in enumerate(self.bounds):
            solver.addVar(low, high)
            solver.changeColIntegrality(number, highspy.HighsVarType.kInteger)
        for bottom, top, row in self.rows:
            solver.addRow(bottom, top, len(row), list(row), [float(factor) for factor in row.values()])
        solver.run()
        status = solver.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            return None
        if status != highspy.HighsModelStatus.kOptimal:
            raise RuntimeError(f"HiGHS stopped with {status}")
        values = solver.getSolution().col_value
        return {key: round(values[column]) for key, column in self.columns.items()}


def figures(
    form: Form,
    rules: RuleSet,
    hold: Iterable[Rule],
    *,
    breaking: Rule | None = None,
    speaking: Rule | None = None,
    positive: Sequence[str] = (),
) -> dict[str, int] | None:
    """Whole figures for which all of ``hold`` hold, confirmed by the rules' own evaluation; None where there are none.

    ``breaking`` is broken by them, the condition of ``speaking`` is met, the cells of ``positive`` are 1 or more.
    """
    kept = list(hold)
    signs = {"=": (1, -1), ">=": (-1,), "<=": (1,)}[breaking.relation] if breaking else (0,)
    for sign in signs:
        model = _Model(form, rules)
        for rule in kept:
            model.require(rule)
        if speaking:
            model.speak(speaking)
        for cell in positive:
            model.at_least(cell, 1)
        if breaking:
            model.violate(breaking, sign)
        values = model.solve()
        if values is None:
            continue
        for rule in (*kept, *([breaking] if breaking else [])):
            if rule.holds(rule.residual(values) or 0) == (rule is breaking):
                raise RuntimeError(f"the solver's figures do not stand up to the rule {rule.id}")
        return values
    return None
