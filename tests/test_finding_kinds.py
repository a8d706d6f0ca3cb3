"""Every kind of finding, rule family and domain fires by its id with its exact sentence, and is silent on a right twin.

The cases stand in tests/finding_cases, what they must say in expected.toml there. A kind without a case fails here; a
kind that no code makes any more cannot have one, and is to be deleted from the catalogue.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from pipelines.validate.check import check_file
from schemas import findings as catalogue
from schemas.findings import load_kinds
from schemas.form import editions, load_form
from schemas.intake import ReadCell, ReadFile
from schemas.rules import load_rules
from tests.facts import FORM, RULES, dense
from tests.finding_cases import Case, files, releases, returns, rollup
from tests.validate.cases import breaking, last_year, read_file

CASES: dict[str, Case] = returns.CASES | files.CASES | releases.CASES | rollup.CASES


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a finding must say. ``rule``: the rule that stands for its family; ``cell``, ``value``: out of a domain."""

    severity: str
    mended_by: str
    message_zh: str
    rule: str = ""
    edition: str = FORM.edition
    cell: str = ""
    value: str = ""


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kinds: dict[str, Said]
    rules: dict[str, Said]
    domains: dict[str, Said]


EXPECTED = msgspec.toml.decode((Path(__file__).parent / "finding_cases" / "expected.toml").read_bytes(), type=Expected)


def compare(found: Iterable[catalogue.Finding], kind: str, said: Said, message: str = "") -> None:
    """One finding of that kind, exactly as it must be said."""
    told = [(f.rule, f.severity, f.mended_by, f.message_zh) for f in found if f.rule == kind]
    assert told == [(kind, said.severity, said.mended_by, message or said.message_zh)]


# ---------------------------------------------------------------- kinds
@pytest.mark.parametrize("kind", CASES)
def test_each_kind_fires_by_id_with_its_sentence(kind: str, tmp_path: Path) -> None:
    said = EXPECTED.kinds[kind]
    message = said.message_zh.replace("{tmp}", str(tmp_path))
    if "{id}" in message:
        message = message.replace("{id}", releases.identifier())
    compare(CASES[kind].fires(tmp_path), kind, said, message)


@pytest.mark.parametrize("kind", CASES)
def test_each_kind_is_silent_on_a_right_twin(kind: str, tmp_path: Path) -> None:
    assert kind not in {finding.rule for finding in CASES[kind].silent(tmp_path)}


# ---------------------------------------------------------------- rules and domains
@pytest.mark.parametrize("family", EXPECTED.rules)
def test_each_family_of_rules_fires_by_id_with_its_sentence(family: str) -> None:
    said = EXPECTED.rules[family]
    rule = RULES.by_id[said.rule]
    assert rule.family == family
    values, previous = breaking(rule)
    before = read_file(dense() | previous, file="b.xlsx", year=2022)
    compare(check_file(read_file(values), before).findings, said.rule, said)


def zeros(edition: str, changed: dict[str, Decimal]) -> ReadFile:
    """A return of that edition in which nothing happened, but for the cells given."""
    form = load_form(edition)
    values = {cell.id: Decimal(0) for cell in form.cells} | changed
    cells = tuple(
        ReadCell(cell=cell, value=value, raw=str(value), state="given", at=cell) for cell, value in values.items()
    )
    return ReadFile(file="a.xlsx", sha256="0" * 64, format="xlsx", year=form.declaration.first_year, cells=cells)


@pytest.mark.parametrize("domain", EXPECTED.domains)
def test_each_domain_fires_by_id_with_its_sentence(domain: str) -> None:
    said = EXPECTED.domains[domain]
    read = zeros(said.edition, {said.cell: Decimal(said.value)})
    compare(check_file(read, edition=said.edition).findings, domain, said)
    assert check_file(zeros(said.edition, {}), edition=said.edition).findings == ()


def test_every_rule_and_domain_is_silent_on_a_right_return() -> None:
    right = dense()
    before = read_file(right | last_year(right), file="b.xlsx", year=2022)
    judged = check_file(read_file(right), before)
    spoken = {finding.rule for finding in judged.findings}
    assert spoken.isdisjoint(RULES.by_id)
    assert spoken.isdisjoint(domain.id for domain in RULES.domains)
    assert all(
        rule.residual(right | {f"{c}@last_year": v for c, v in last_year(right).items()}) is not None
        for rule in RULES.rules
    ), "silent because it holds, not because something is missing"


# ---------------------------------------------------------------- nothing is left out
def uncovered() -> list[str]:
    """Kinds of the catalogue that have no case, and cases and sentences of no kind."""
    kinds = set(load_kinds())
    return sorted((kinds ^ set(CASES)) | (kinds ^ set(EXPECTED.kinds)))


def test_every_kind_of_the_catalogue_has_a_case() -> None:
    assert uncovered() == []


def test_a_kind_without_a_case_would_be_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = tmp_path / "findings.toml"
    shutil.copy(Path(catalogue.__file__).with_name("findings.toml"), planted)
    with planted.open("a", encoding="utf-8") as file:
        file.write(
            """
[[kinds]]
id = "planted"
severity = "error"
mended_by = "clerk"
title_zh = "示例"
title_en = "Sample"
message_zh = "示例。"
message_en = "Sample."
"""
        )
    load_kinds.cache_clear()
    try:
        monkeypatch.setattr(catalogue, "__file__", str(tmp_path / "findings.py"))
        assert uncovered() == ["planted"]
    finally:
        monkeypatch.undo()
        load_kinds.cache_clear()
    assert uncovered() == []


@pytest.mark.parametrize("edition", editions())
def test_every_family_and_domain_of_every_edition_has_a_case(edition: str) -> None:
    rules = load_rules(edition)
    assert set(rules.families) <= set(EXPECTED.rules)
    assert {domain.id for domain in rules.domains} <= set(EXPECTED.domains)
    if edition == FORM.edition:
        assert set(rules.families) == set(EXPECTED.rules)
        theirs = {domain for domain, said in EXPECTED.domains.items() if said.edition == edition}
        assert {domain.id for domain in rules.domains} == theirs
