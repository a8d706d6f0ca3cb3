"""What a finding is, the catalogue of its kinds, and how a finding is worded.

Belongs here: the frozen Finding, the kinds of ``findings.toml``, the sentence of a broken rule with its numbers.
Does not belong here: deciding whether something is a finding (pipelines/).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from schemas.declaration import load_toml
from schemas.form import Cell, Domain, Form, Severity
from schemas.rules import Rule, Term

MendedBy = Literal["clerk", "officer", "operator"]
Figure = Decimal | int
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "information")


class FindingKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One kind of finding as declared; messages hold ``{name}`` places."""

    id: str
    severity: Severity
    mended_by: MendedBy
    title_zh: str
    title_en: str
    message_zh: str
    message_en: str


class _Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kinds: tuple[FindingKind, ...]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding. ``rule`` is a rule id of the form or a kind of ``findings.toml``.

    ``expected``, ``found`` and ``difference`` are figures in the cell's unit, or words where no figure is meant;
    ``file`` and ``address`` lead to the place; ``waived`` is the reason of an approved waiver, "" where there is none.
    """

    rule: str
    severity: Severity
    message_zh: str
    message_en: str
    mended_by: MendedBy = "clerk"
    region: str = ""
    year: int | None = None
    body: str = ""
    cells: tuple[str, ...] = ()
    expected: Figure | str | None = None
    found: Figure | str | None = None
    difference: Figure | None = None
    suspected: str = ""
    proposed: Figure | None = None
    file: str = ""
    address: str = ""
    waived: str = ""


@cache
def load_kinds() -> dict[str, FindingKind]:
    """The declared kinds by id. Raises DeclarationError; an id used twice raises ValueError."""
    kinds = load_toml(Path(__file__).with_name("findings.toml"), _Catalogue).kinds
    by_id = {kind.id: kind for kind in kinds}
    if len(by_id) != len(kinds):
        raise ValueError("findings.toml: an id is used twice")
    return by_id


def number_text(value: Figure | None) -> str:
    """A figure for people and tables: no exponent, no trailing zeros; "" for None."""
    if value is None:
        return ""
    text = format(Decimal(value), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text or "0"


def make_finding(kind_id: str, *, words: Mapping[str, object] | None = None, **fields: object) -> Finding:
    """A finding of a declared kind: ``words`` fill the message, ``fields`` are those of Finding.

    Raises KeyError for an unknown kind or a word that the message needs and that is not given.
    """
    kind = load_kinds()[kind_id]
    given = {
        name: number_text(value) if isinstance(value, (Decimal, int)) else value
        for name, value in (words or {}).items()
    }
    return Finding(
        rule=kind.id,
        severity=kind.severity,
        mended_by=kind.mended_by,
        message_zh=kind.message_zh.format_map(given),
        message_en=kind.message_en.format_map(given),
        **fields,  # type: ignore[arg-type]
    )


def place_zh(form: Form, cell: Cell) -> str:
    """A person's way to a cell: table, row, column."""
    return f"表{form.table(cell.table).number_zh}「{cell.label_zh}」"


def place_en(form: Form, cell: Cell) -> str:
    """The English twin of place_zh."""
    return f"{form.table(cell.table).title_en}: {cell.label_en}"


def places(form: Form, cells: tuple[str, ...], most: int = 6) -> tuple[str, str]:
    """At most ``most`` places in Chinese and English, and how many more there are."""
    known = [form.by_id[cell] for cell in cells]
    more = len(known) - most
    zh = "；".join(place_zh(form, cell) for cell in known[:most]) + (f"；等另外 {more} 处" if more > 0 else "")
    en = "; ".join(place_en(form, cell) for cell in known[:most]) + (f"; and {more} more" if more > 0 else "")
    return zh, en


def _words(form: Form, rule: Rule, term: Term, chinese: bool) -> str:
    """The part of a cell's name that differs within the rule: its row where rows are added, else its column."""
    cell = form.by_id[term.cell]
    table = form.table(cell.table)
    block = next(block for block in table.blocks if block.id == cell.block)
    row = next(row for row in block.rows if row.id == cell.row)
    column = next(column for column in block.columns if column.id == cell.column)
    tables = {form.by_id[t.cell].table for t in rule.terms}
    rows = {form.by_id[t.cell].row for t in rule.terms}
    part = column if len(rows) == 1 and len(tables) == 1 and len(rule.terms) > 1 else row
    if len(rule.terms) == 1:
        part = column
    from schemas.form import short_label

    text = short_label(part) if chinese else part.label_en
    if term.last_year:
        text = f"上年度的{text}" if chinese else f"last year's {text}"
    return text


def _side(form: Form, rule: Rule, terms: tuple[Term, ...], values: Mapping[str, Figure | None], chinese: bool) -> str:
    """One side of a rule written out with its numbers; zeros of long sums are left out and counted."""
    shown = [term for term in terms if len(terms) <= 4 or values.get(term.key)]
    parts: list[str] = []
    for position, term in enumerate(shown):
        sign = "－" if term.sign < 0 else "＋" if position else ""
        sign = sign if chinese else {"－": " - ", "＋": " + ", "": ""}[sign]
        number = number_text(values.get(term.key))
        parts.append(f"{sign}{_words(form, rule, term, chinese)} {number}")
    hidden = len(terms) - len(shown)
    if hidden:
        if chinese:
            parts.append(f"{'＋' if parts else ''}其余 {hidden} 项均为 0")
        else:
            parts.append(f"{' + ' if parts else ''}the other {hidden} all 0")
    return "".join(parts)


def rule_finding(form: Form, rule: Rule, values: Mapping[str, Figure | None], **fields: object) -> Finding:
    """The finding of a broken rule, its sum written out with its numbers. ``values`` are by ``Term.key``."""
    found = sum((term.sign * (values[term.key] or 0) for term in rule.found), 0)
    expected = sum((term.sign * (values[term.key] or 0) for term in rule.expected), 0) + rule.constant
    difference = found - expected
    relation_zh = {"=": "应等于", ">=": "应不少于", "<=": "应不多于"}[rule.relation]
    relation_en = {"=": "should equal", ">=": "should be at least", "<=": "should be at most"}[rule.relation]
    table = form.table(form.by_id[rule.found[0].cell].table)

    def side(terms: tuple[Term, ...], total: Figure, chinese: bool) -> str:
        if not terms:
            return number_text(total)
        text = _side(form, rule, terms, values, chinese)
        return f"{text}{'＝' if chinese else ' = '}{number_text(total)}" if len(terms) > 1 else text

    scope_zh = f"「{rule.scope_zh}」" if rule.scope_zh else ""
    scope_en = f" ({rule.scope_en})" if rule.scope_en else ""
    message_zh = (
        f"表{table.number_zh}{scope_zh}{rule.title_zh}。"
        f"现在：{side(rule.found, found, True)}，{relation_zh} {side(rule.expected, expected, True)}，"
        f"相差 {number_text(difference)}。{rule.advice_zh}"
    )
    message_en = (
        f"{table.title_en}{scope_en}: {rule.title_en[0].lower()}{rule.title_en[1:]}. "
        f"Now {side(rule.found, found, False)} {relation_en} {side(rule.expected, expected, False)}, "
        f"difference {number_text(difference)}. {rule.advice_en}"
    )
    return Finding(
        rule=rule.id,
        severity=rule.severity,
        message_zh=message_zh,
        message_en=message_en,
        cells=rule.cells,
        expected=expected,
        found=found,
        difference=difference,
        **fields,  # type: ignore[arg-type]
    )


def domain_finding(form: Form, domain: Domain, cell: Cell, value: Figure, **fields: object) -> Finding:
    """The finding of a figure outside its domain."""
    return Finding(
        rule=domain.id,
        severity=domain.severity,
        message_zh=f"{place_zh(form, cell)}现在是 {number_text(value)}：{domain.title_zh}。{domain.advice_zh}",
        message_en=f"{place_en(form, cell)} is {number_text(value)}: {domain.title_en}. {domain.advice_en}",
        cells=(cell.id,),
        found=value,
        suspected=cell.id,
        **fields,  # type: ignore[arg-type]
    )
