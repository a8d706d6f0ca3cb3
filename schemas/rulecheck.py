"""Checks of the rule set itself: rules that contradict, that never speak, that follow from others, cells forced to 0.

Belongs here: what a set of rules means as a whole, each verdict backed by an exact proof where there is one (a
combination over fractions, or figures that the rules' own evaluation confirms). Does not belong here: checking returns
(pipelines/validate), looking for figures (rulecheck_figures.py).

An equality that follows from others is proved by exact elimination. "Not implied" and "no contradiction" are proved by
figures found by HiGHS and confirmed exactly. What HiGHS says is impossible is impossible for whole figures up to
rulecheck_figures.LARGEST; the rules are sums that may be scaled, so a larger bound changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import msgspec

from schemas.declaration import load_toml
from schemas.form import Form
from schemas.rulecheck_figures import always_fires, coefficients, figures, never_fires
from schemas.rules import LAST_YEAR, Rule, RuleSet, Term


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
