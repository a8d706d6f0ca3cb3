"""Checks of the rule set itself: rules that contradict, that never speak, that follow from others, cells forced to 0.

Belongs here: what a set of rules means as a whole, each verdict backed by an exact proof where there is one (a
combination over fractions, or figures that the rules' own evaluation confirms). Does not belong here: checking returns
(pipelines/validate). HiGHS is imported only when a check runs.

An equality that follows from others is proved by exact elimination. "Not implied" and "no contradiction" are proved by
figures found by HiGHS and confirmed exactly. What HiGHS says is impossible is impossible for whole figures up to
LARGEST; the rules are sums that may be scaled, so a larger bound changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from schemas.declaration import load_toml
from schemas.form import Form
from schemas.rules import LAST_YEAR, Rule, RuleSet, Term

LARGEST = 1000


class Implication(msgspec.Struct, frozen=True, kw_only=True):
    """``rule`` follows from ``by`` (a smallest set). ``proof``: its residual as a sum of theirs, for equalities."""

    rule: str
    by: tuple[str, ...]
    families: tuple[str, ...]
    proof: dict[str, Fraction]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. ``contradictory``: rule id -> a smallest set of rules that leave it no figures to hold for.

    ``forced``: cells that the error rules force to 0 in every return although no rule says so by itself.
    """

    never_fires: tuple[str, ...]
    always_fires: tuple[str, ...]
    contradictory: dict[str, tuple[str, ...]]
    forced: tuple[str, ...]
    implied: tuple[Implication, ...]


class DeclaredImplication(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One accepted implication of ``rulecheck.toml``."""

    editions: tuple[str, ...]
    rule: str
    families: tuple[str, ...]
    reason_zh: str
    reason_en: str


class _Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    implied: tuple[DeclaredImplication, ...]


@cache
def load_declared() -> tuple[DeclaredImplication, ...]:
    """The accepted implications. Raises DeclarationError."""
    return load_toml(Path(__file__).with_name("rulecheck.toml"), _Declared).implied


# ---------------------------------------------------------------- one rule by itself


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


# ---------------------------------------------------------------- exact elimination


def dependent(rules: Iterable[Rule]) -> dict[str, dict[str, Fraction]]:
    """The unconditional equalities that earlier ones imply: id -> the combination of earlier residuals that it equals.

    Exact: Gaussian elimination over fractions, in the order given.
    """
    pivots: list[tuple[str, dict[str, Fraction], dict[str, Fraction]]] = []
    found: dict[str, dict[str, Fraction]] = {}
    for rule in rules:
        if rule.relation != "=" or rule.when:
            continue
        row = {key: Fraction(factor) for key, factor in coefficients(rule).items()} | {"": Fraction(-rule.constant)}
        made: dict[str, Fraction] = {}
        for key, pivot, recipe in pivots:
            factor = row.get(key, Fraction(0))
            if factor:
                row = _minus(row, pivot, factor)
                made = _minus(made, recipe, -factor)
        lead = next((key for key, factor in row.items() if key and factor), None)
        if lead is None:
            if not row.get("", 0):
                found[rule.id] = {name: factor for name, factor in made.items() if factor}
            continue
        scale = 1 / row[lead]
        recipe = {name: -factor * scale for name, factor in made.items()} | {rule.id: scale}
        pivots.append((lead, {key: factor * scale for key, factor in row.items()}, recipe))
    return found


def _minus(left: dict[str, Fraction], right: dict[str, Fraction], factor: Fraction) -> dict[str, Fraction]:
    keys = dict.fromkeys((*left, *right))
    return {
        key: value
        for key in keys
        if (value := left.get(key, Fraction(0)) - factor * right.get(key, Fraction(0))) or not key
    }


# ---------------------------------------------------------------- figures that satisfy rules


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


# ---------------------------------------------------------------- the whole set


def _last_year(rule: Rule) -> Rule:
    """The same rule over last year's figures."""

    def moved(terms: tuple[Term, ...]) -> tuple[Term, ...]:
        return tuple(Term(term.cell, term.sign, last_year=True) for term in terms)

    return msgspec.structs.replace(rule, id=rule.id + LAST_YEAR, found=moved(rule.found), expected=moved(rule.expected))


def last_year_rules(rules: RuleSet) -> tuple[Rule, ...]:
    """Last year's copies of the error rules that speak only of figures that some rule takes from last year."""
    history = set(rules.history_keys)
    return tuple(
        _last_year(rule)
        for rule in rules.rules
        if rule.severity == "error"
        and not (rule.when or rule.unless or rule.across_years)
        and all(term.cell in history for term in rule.terms)
    )


def _smallest(
    form: Form, rules: RuleSet, others: Sequence[Rule], breaking: Rule | None = None, speaking: Rule | None = None
) -> tuple[Rule, ...]:
    """A smallest part of ``others`` that still leaves no figures for the goal (deletion filter)."""
    kept = list(others)
    for rule in list(kept):
        fewer = [other for other in kept if other is not rule]
        if figures(form, rules, fewer, breaking=breaking, speaking=speaking) is None:
            kept = fewer
    return tuple(kept)


def _implication(form: Form, rules: RuleSet, rule: Rule, others: Sequence[Rule]) -> Implication:
    proof = dependent([*others, rule]).get(rule.id, {})
    by = (
        [other for other in others if other.id in proof]
        if proof
        else list(_smallest(form, rules, others, breaking=rule))
    )
    order = rules.families
    families = sorted({other.family for other in by}, key=order.index)
    return Implication(rule=rule.id, by=tuple(other.id for other in by), families=tuple(families), proof=proof)


def implied(form: Form, rules: RuleSet) -> tuple[Implication, ...]:
    """The rules that follow from the others, the latest first, so that what is left implies nothing of itself.

    Error rules are weighed against error rules of the same year alone; warnings against all rules of both years. A
    rule with ``unless`` supports no implication, because some bodies are free of it.
    """
    found: list[Implication] = []
    errors = [rule for rule in rules.rules if rule.severity == "error"]
    softer = [rule for rule in rules.rules if rule.severity != "error"]
    for layer, base in ((errors, []), (softer, [*errors, *last_year_rules(rules)])):
        kept = [*base, *layer]
        for rule in reversed(layer):
            others = [other for other in kept if other is not rule and not other.unless]
            if figures(form, rules, others, breaking=rule) is None:
                found.append(_implication(form, rules, rule, others))
                kept = [other for other in kept if other is not rule]
    return tuple(found)


def contradictory(form: Form, rules: RuleSet) -> dict[str, tuple[str, ...]]:
    """Rules whose condition cannot be met, or that cannot hold, while the others hold: id -> a smallest such set."""
    found: dict[str, tuple[str, ...]] = {}
    everything = list(rules.rules)
    if figures(form, rules, everything) is None:
        conflict = _smallest(form, rules, everything)
        return {conflict[0].id: tuple(rule.id for rule in conflict)}
    for rule in everything:
        if rule.when and figures(form, rules, everything, speaking=rule) is None:
            conflict = _smallest(form, rules, everything, speaking=rule)
            found[rule.id] = tuple(other.id for other in conflict)
    return found


def forced_to_zero(form: Form, rules: RuleSet) -> tuple[str, ...]:
    """Cells that can never be above 0 for a body that is free of every ``unless`` rule."""
    hold = [rule for rule in rules.rules if rule.severity == "error" and not rule.unless and not rule.across_years]
    cells = [cell.id for cell in form.cells]
    if figures(form, rules, hold, positive=cells) is not None:
        return ()
    return tuple(cell for cell in cells if figures(form, rules, hold, positive=[cell]) is None)


def examine(form: Form, rules: RuleSet) -> Report:
    """Every check of the rule set. Takes seconds."""
    always = tuple(rule.id for rule in rules.rules if always_fires(form, rules, rule))
    never = tuple(rule.id for rule in rules.rules if never_fires(form, rules, rule))
    clash = contradictory(form, rules)
    sound = not clash and not always
    return Report(
        never_fires=never,
        always_fires=always,
        contradictory=clash,
        forced=forced_to_zero(form, rules) if sound else (),
        implied=implied(form, rules) if sound else (),
    )


def problems(report: Report, edition: str, declared: Sequence[DeclaredImplication]) -> tuple[str, ...]:
    """What is wrong with the rule set, one sentence each: empty when all is as declared."""
    known: Mapping[str, DeclaredImplication] = {entry.rule: entry for entry in declared if edition in entry.editions}
    implied_now = {entry.rule: entry for entry in report.implied}
    found = [f"规则 {rule} 永远不会报错。 Rule {rule} can never fire." for rule in report.never_fires]
    found += [f"规则 {rule} 永远无法满足。 Rule {rule} can never be satisfied." for rule in report.always_fires]
    found += [
        f"规则 {rule} 与这些规则矛盾：{', '.join(others)}。 Rule {rule} contradicts them."
        for rule, others in report.contradictory.items()
    ]
    found += [f"各规则合起来迫使 {cell} 为 0。 The rules together force {cell} to 0." for cell in report.forced]
    for rule, entry in implied_now.items():
        families = ", ".join(entry.families)
        if rule not in known:
            found.append(f"规则 {rule} 可由 {families} 推出，但未声明。 Rule {rule} follows from them, undeclared.")
        elif known[rule].families != entry.families:
            stated = ", ".join(known[rule].families)
            found.append(f"规则 {rule} 由 {families} 推出，声明的是 {stated}。 Rule {rule}: declared otherwise.")
    found += [
        f"声明规则 {rule} 可由其他规则推出，实际不能。 Rule {rule} is declared as implied and is not."
        for rule in known
        if rule not in implied_now
    ]
    return tuple(found)
