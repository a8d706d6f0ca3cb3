"""The checks that a person sees, each a group of kinds of finding (checks.toml).

Belongs here: which finding belongs to which check. Does not belong here: kinds (findings.py), rules (rules.py), or what
the UI shows of a check (assets).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from schemas.declaration import load_toml
from schemas.form import editions
from schemas.rules import RuleSet, load_rules


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One check: its name, titles, and the kinds of finding, families of rules and domains that it shows."""

    id: str
    title_zh: str
    title_en: str
    kinds: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()


class _Checks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    checks: tuple[Check, ...]


@cache
def load_checks() -> tuple[Check, ...]:
    """The checks in the order in which they are shown. Raises DeclarationError."""
    return load_toml(Path(__file__).with_suffix(".toml"), _Checks).checks


@cache
def check_of() -> Mapping[str, str]:
    """The id of the check by what a finding names as its rule: a kind, a rule of any edition, or a domain."""
    found: dict[str, str] = {}
    families: dict[str, str] = {}
    for check in load_checks():
        found |= dict.fromkeys((*check.kinds, *check.domains), check.id)
        families |= dict.fromkeys(check.families, check.id)
    for edition in editions():
        found |= {rule.id: families[rule.family] for rule in load_rules(edition).rules if rule.family in families}
    return found


def looked_for(rules: RuleSet) -> Mapping[str, tuple[str, ...]]:
    """By check: what it looks for under ``rules``: its rules and domains of that edition, and its kinds."""
    domains = {domain.id for domain in rules.domains}
    return {
        check.id: (
            *(rule.id for rule in rules.rules if rule.family in check.families),
            *(domain for domain in check.domains if domain in domains),
            *check.kinds,
        )
        for check in load_checks()
    }
