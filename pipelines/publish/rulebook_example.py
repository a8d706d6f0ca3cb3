"""Worked examples for the rule catalogue: figures made from a rule itself, one set that holds and one that fails.

Belongs here: finding small figures that satisfy or break one rule. Does not belong here: texts (rulebook.py), the
consistency of the rules with one another (schemas/rulecheck.py).
"""

from __future__ import annotations

import msgspec

from schemas.rules import Rule

# Small, all different from 0 and mostly from one another, so that a reader sees which figure went where.
_FIGURES = (3, 1, 4, 2, 5, 6, 7, 8, 9)


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """Figures by ``Term.key`` (and the condition's cell), one set that satisfies the rule and one that breaks it."""

    holds: dict[str, int]
    fails: dict[str, int]


def _state(rule: Rule) -> dict[str, int]:
    """The figure of the condition's cell, so that the rule speaks."""
    return {rule.when.cell: int(rule.when.state == "positive")} if rule.when else {}


def _satisfied(rule: Rule) -> dict[str, int]:
    """Figures whose residual is 0: pattern figures, then the difference laid on a term of the other sign."""
    pinned = _state(rule)
    keys = [term.key for term in rule.terms if term.key not in pinned]
    both = {term.sign for term in rule.terms if term.key not in pinned} == {1, -1}
    values = pinned | {key: _FIGURES[at % len(_FIGURES)] if both else 0 for at, key in enumerate(keys)}
    rest = int(rule.residual(values) or 0)
    for term in rule.terms:
        if rest and term.key not in pinned and term.sign * rest < 0:
            values[term.key] += abs(rest)
            return values
    return values


def example(rule: Rule) -> Example:
    """The example of a rule. Raises ValueError for a rule that nothing satisfies or nothing breaks."""
    holds = _satisfied(rule)
    if not rule.holds(rule.residual(holds) or 0):
        raise ValueError(f"no figures satisfy the rule {rule.id}")
    pinned = _state(rule)
    for step in (1, -1):
        for term in rule.terms:
            fails = holds | {term.key: holds[term.key] + step}
            if term.key in pinned or fails[term.key] < 0:
                continue
            if not rule.holds(rule.residual(fails) or 0):
                return Example(holds=holds, fails=fails)
    raise ValueError(f"no figures break the rule {rule.id}")
