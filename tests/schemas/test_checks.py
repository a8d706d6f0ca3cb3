"""Every finding that a county's returns can bring belongs to one check, and no check names what there is not."""

from __future__ import annotations

from collections import Counter

from schemas.checks import check_of, load_checks
from schemas.findings import load_kinds
from schemas.form import editions
from schemas.rules import load_rules


def test_every_kind_family_and_domain_is_in_one_check():
    named = Counter(name for check in load_checks() for name in (*check.kinds, *check.families, *check.domains))
    assert [name for name, count in named.items() if count > 1] == []
    kinds = list(load_kinds())
    county = kinds[
        : kinds.index("release_unreadable")
    ]  # after it: releases and the roll-up, which have checks of their own
    rules = [load_rules(edition) for edition in editions()]
    families = {rule.family for each in rules for rule in each.rules}
    domains = {domain.id for each in rules for domain in each.domains}
    assert set(named) == {*county, *families, *domains}


def test_a_rule_of_any_edition_is_found_by_its_id():
    found = check_of()
    for edition in editions():
        assert {found[rule.id] for rule in load_rules(edition).rules} <= {check.id for check in load_checks()}
    assert found["requests.row_total.received"] == "row_totals"
    assert found["missing_cell"] == "figures_complete"
    assert "checksum_differs" not in found
