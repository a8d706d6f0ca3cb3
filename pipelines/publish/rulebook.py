"""The rule catalogue (规则目录): every rule of an edition in words and in signs, with an example that fails.

Belongs here: wording formulas, rows and page of the catalogue. Does not belong here: what the rules are (schemas/),
the figures of examples (rulebook_example.py), the look (templates/).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pipelines.publish.page import render
from pipelines.publish.page_text import wrap
from pipelines.publish.rulebook_example import example
from schemas.findings import domain_finding, load_kinds, number_text, place_en, place_zh, rule_finding
from schemas.form import Domain, Form, editions, load_form, short_label
from schemas.rulecheck import load_declared
from schemas.rules import Rule, Term, domain_problem, in_signs, load_rules

SEVERITY_WORDS = {
    "error": ("错误", "error", "不改正就不能发布"),
    "warning": ("提醒", "warning", "请核实并说明原因，不影响发布"),
    "information": ("说明", "information", "只作说明"),
}
MENDED_BY_WORDS = {"clerk": "报送单位", "officer": "政府信息公开主管部门", "operator": "系统运维"}
_RELATIONS = {"=": ("＝", " = "), ">=": ("≥", " ≥ "), "<=": ("≤", " ≤ ")}


def _word(form: Form, rule: Rule, term: Term) -> tuple[str, str]:
    """What tells a term from the rule's others: its column where one row is added up, else its row, else both."""
    cells = [form.by_id[other.cell] for other in rule.terms]
    cell = form.by_id[term.cell]
    block = next(block for block in form.table(cell.table).blocks if block.id == cell.block)
    row = next(row for row in block.rows if row.id == cell.row)
    column = next(column for column in block.columns if column.id == cell.column)
    if len(cells) == 1:
        zh, en = f"{short_label(row)}（{short_label(column)}）", f"{row.label_en} ({column.label_en})"
    elif len({(other.table, other.row) for other in cells}) == 1:
        zh, en = short_label(column), column.label_en
    else:
        zh, en = short_label(row), row.label_en
    return (f"上年度的{zh}", f"last year's {en}") if term.last_year else (zh, en)


def _side(form: Form, rule: Rule, terms: tuple[Term, ...], constant: int) -> tuple[str, str]:
    zh, en = "", ""
    for position, term in enumerate(terms):
        sign = ("－", " - ") if term.sign < 0 else ("＋", " + ") if position else ("", "")
        word = _word(form, rule, term)
        zh, en = zh + sign[0] + word[0], en + sign[1] + word[1]
    if constant or not terms:
        zh, en = (f"{zh}＋{constant}", f"{en} + {constant}") if terms else (str(constant), str(constant))
    return zh, en.strip()


def in_words(form: Form, rule: Rule) -> tuple[str, str]:
    """The rule as a formula over the form's own labels, in Chinese and English."""
    found, expected = _side(form, rule, rule.found, 0), _side(form, rule, rule.expected, rule.constant)
    relation = _RELATIONS[rule.relation]
    zh, en = found[0] + relation[0] + expected[0], found[1] + relation[1] + expected[1]
    if rule.when:
        cell = form.by_id[rule.when.cell]
        state = ("为 0 ", "is 0") if rule.when.state == "zero" else ("大于 0 ", "is above 0")
        zh = f"{place_zh(form, cell)}{state[0]}时：{zh}"
        en = f"When {place_en(form, cell)} {state[1]}: {en}"
    if rule.unless:
        zh, en = f"{zh}（有此权限的机关除外：{rule.unless}）", f"{en} (not for bodies with {rule.unless})"
    return zh, en


def _figures(words: Mapping[str, str], values: Mapping[str, int | Decimal]) -> str:
    """Example figures as ``place figure`` joined by 、. ``words``: what to call each key of ``values``."""
    return "、".join(f"{words[key]} {number_text(value)}" for key, value in values.items())


def _names(form: Form, rule: Rule) -> dict[str, str]:
    """The Chinese name of each figure of a rule's example."""
    names = {term.key: _word(form, rule, term)[0] for term in rule.terms}
    if rule.when:
        names.setdefault(rule.when.cell, place_zh(form, form.by_id[rule.when.cell]))
    return names


def _editions_of(identifier: str) -> list[str]:
    """The editions whose rules or domains include the id."""
    found = []
    for edition in editions():
        rules = load_rules(edition)
        if identifier in rules.by_id or any(domain.id == identifier for domain in rules.domains):
            found.append(edition)
    return found


def _implied(edition: str, identifier: str) -> dict[str, Any] | None:
    """Which families imply the rule and why, as declared and tested; None for a rule that stands by itself."""
    for entry in load_declared():
        if entry.rule == identifier and edition in entry.editions:
            return {"families": list(entry.families), "reason_zh": entry.reason_zh, "reason_en": entry.reason_en}
    return None


def _rule_row(form: Form, rule: Rule) -> dict[str, Any]:
    words = in_words(form, rule)
    case, names = example(rule), _names(form, rule)
    finding = rule_finding(form, rule, case.fails)
    return {
        "id": rule.id,
        "type": "rule",
        "family": rule.family,
        "severity": rule.severity,
        "title_zh": rule.title_zh,
        "title_en": rule.title_en,
        "scope_zh": rule.scope_zh,
        "scope_en": rule.scope_en,
        "words_zh": words[0],
        "words_en": words[1],
        "signs": in_signs(rule),
        "advice_zh": rule.advice_zh,
        "advice_en": rule.advice_en,
        "basis": rule.basis,
        "editions": _editions_of(rule.id),
        "implied": _implied(form.edition, rule.id),
        "mended_by": finding.mended_by,
        "example_holds": case.holds,
        "example_holds_zh": _figures(names, case.holds),
        "example_fails": case.fails,
        "example_fails_zh": _figures(names, case.fails),
        "message_zh": finding.message_zh,
        "message_en": finding.message_en,
    }


def _domain_words(domain: Domain) -> tuple[str, str, str]:
    """A domain in Chinese, English and signs."""
    zh, en, signs = [], [], []
    if domain.whole:
        zh, en, signs = ["每个数都是整数"], ["every figure is whole"], ["value = int(value)"]
    if domain.minimum is not None:
        zh.append(f"每个数≥{domain.minimum}")
        en.append(f"every figure ≥ {domain.minimum}")
        signs.append(f"value >= {domain.minimum}")
    return "，".join(zh), ", ".join(en), " and ".join(signs)


def _domain_row(form: Form, domain: Domain) -> dict[str, Any]:
    words = _domain_words(domain)
    cell = next(cell for cell in form.cells if cell.kind in domain.kinds)
    holds = domain.minimum if domain.minimum is not None else 1
    fails = Decimal("1.5") if domain.whole else Decimal(holds - 1)
    if domain_problem(domain, holds) or not domain_problem(domain, fails):
        raise ValueError(f"no example of the domain {domain.id}")
    finding, names = domain_finding(form, domain, cell, fails), {cell.id: place_zh(form, cell)}
    return {
        "id": domain.id,
        "type": "domain",
        "family": domain.id,
        "severity": domain.severity,
        "title_zh": domain.title_zh,
        "title_en": domain.title_en,
        "scope_zh": "",
        "scope_en": "",
        "words_zh": words[0],
        "words_en": words[1],
        "signs": f"{words[2]} for {', '.join(domain.kinds)}",
        "advice_zh": domain.advice_zh,
        "advice_en": domain.advice_en,
        "basis": domain.basis,
        "editions": _editions_of(domain.id),
        "implied": None,
        "mended_by": finding.mended_by,
        "example_holds": {cell.id: holds},
        "example_holds_zh": _figures(names, {cell.id: holds}),
        "example_fails": {cell.id: float(fails)},
        "example_fails_zh": _figures(names, {cell.id: fails}),
        "message_zh": finding.message_zh,
        "message_en": finding.message_en,
    }


def _kind_rows() -> list[dict[str, Any]]:
    """The kinds of findings that are no rules; the places that are filled in later show as ``…``."""
    return [
        {
            "id": kind.id,
            "type": "kind",
            "family": kind.id,
            "severity": kind.severity,
            "title_zh": kind.title_zh,
            "title_en": kind.title_en,
            "editions": list(editions()),
            "mended_by": kind.mended_by,
            "message_zh": re.sub(r"\{\w+\}", "…", kind.message_zh),
            "message_en": re.sub(r"\{\w+\}", "…", kind.message_en),
        }
        for kind in load_kinds().values()
    ]


def rulebook_rows(edition: str) -> list[dict[str, Any]]:
    """Every rule, then every domain, then every kind of finding, as JSON-ready rows in declared order.

    ``example_*`` hold figures by cell (``@last_year`` marks last year's); ``message_*`` what a broken one is told.
    Rows of type ``kind`` have no formula and no example. Raises KeyError for an unknown edition.
    """
    form, rules = load_form(edition), load_rules(edition)
    return [
        *(_rule_row(form, rule) for rule in rules.rules),
        *(_domain_row(form, domain) for domain in rules.domains),
        *_kind_rows(),
    ]


def rulebook_page(edition: str) -> bytes:
    """The catalogue of an edition as one UTF-8 HTML page that needs nothing else. Raises KeyError."""
    form = load_form(edition)
    rows = rulebook_rows(edition)
    families: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["type"] == "rule":
            families.setdefault(row["family"], []).append(row)
    return render(
        "rulebook.html",
        {
            "declaration": form.declaration,
            "cells": len(form.cells),
            "families": families,
            "domains": [row for row in rows if row["type"] == "domain"],
            "kinds": [row for row in rows if row["type"] == "kind"],
            "severity_words": SEVERITY_WORDS,
            "mended_by_words": MENDED_BY_WORDS,
        },
    )


def rulebook_text(edition: str, columns: int = 80) -> str:
    """The catalogue as plain text for a terminal. Raises KeyError."""
    declaration = load_form(edition).declaration
    lines = wrap(f"{declaration.title_zh}：规则目录（{edition} 年版，{declaration.basis}）", columns)
    for row in rulebook_rows(edition):
        lines.append("")
        word = SEVERITY_WORDS[row["severity"]][0]
        scope = f"「{row['scope_zh']}」" if row.get("scope_zh") else ""
        lines += wrap(f"{row['id']}  [{word}] {scope}{row['title_zh']}", columns)
        if "words_zh" in row:
            lines += wrap(row["words_zh"], columns, "  ", "  ")
            lines += wrap(row["signs"], columns, "  ", "    ")
            lines += wrap(row["basis"], columns, "  依据：", "        ")
        lines += wrap(row["message_zh"], columns, "  例：", "      ")
        lines += wrap(row["title_en"], columns, "  ", "  ")
    return "\n".join(lines) + "\n"
