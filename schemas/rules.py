"""The accounting rules (勾稽关系) of an edition: signed sums of cells, derived from the form and from its declarations.

Belongs here: what a rule is, how the families in the edition's file expand to rules, the rule as signs and as words.
Does not belong here: evaluating rules over returns (pipelines/validate), texts of findings that are no rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Literal

import msgspec

from schemas.form import (
    Block,
    Column,
    Domain,
    Form,
    Row,
    RuleDeclaration,
    Severity,
    Table,
    load_form,
    rows_of_group,
    short_label,
)

LAST_YEAR = "@last_year"
Relation = Literal["=", ">=", "<="]


class Term(msgspec.Struct, frozen=True):
    """A cell with a sign. ``last_year``: the same body's figure of the year before."""

    cell: str
    sign: int = 1
    last_year: bool = False

    @property
    def key(self) -> str:
        """The column of the wide frame that holds this term's value."""
        return self.cell + (LAST_YEAR if self.last_year else "")


class When(msgspec.Struct, frozen=True):
    """The rule speaks only if ``cell`` is zero or positive."""

    cell: str
    state: Literal["zero", "positive"]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """``sum(found) RELATION sum(expected) + constant``; the residual is ``found - expected - constant``.

    ``unless`` names a body attribute that frees it from the rule; ``scope_zh``/``scope_en`` name the row or column.
    A rule with a missing term says nothing: completeness speaks there.
    """

    id: str
    family: str
    found: tuple[Term, ...]
    expected: tuple[Term, ...]
    relation: Relation
    constant: int
    when: When | None
    unless: str
    severity: Severity
    basis: str
    title_zh: str
    title_en: str
    advice_zh: str
    advice_en: str
    scope_zh: str
    scope_en: str

    @property
    def terms(self) -> tuple[Term, ...]:
        """All terms of the residual, signs as they stand in it."""
        return self.found + tuple(Term(t.cell, -t.sign, t.last_year) for t in self.expected)

    @property
    def cells(self) -> tuple[str, ...]:
        """This year's cells of the rule, the found side first, then the condition's."""
        names = [term.cell for term in self.terms if not term.last_year]
        if self.when and self.when.cell not in names:
            names.append(self.when.cell)
        return tuple(names)

    @property
    def across_years(self) -> bool:
        """Whether the rule needs last year's figures."""
        return any(term.last_year for term in self.terms)

    def holds(self, residual: int | Decimal) -> bool:
        """Whether a residual satisfies the relation."""
        if self.relation == "=":
            return residual == 0
        return residual >= 0 if self.relation == ">=" else residual <= 0

    def residual(self, values: Mapping[str, int | Decimal | None]) -> int | Decimal | None:
        """``found - expected - constant`` for values by ``Term.key``; None when a term is missing.

        A rule whose condition is not met answers a residual of 0. This is the naive evaluation that the compiled
        passes are tested against.
        """
        if self.when:
            state = values.get(self.when.cell)
            if state is None:
                return None
            if (state == 0) if self.when.state == "positive" else (state != 0):
                return 0
            if self.when.state == "positive" and state < 0:
                return 0
        total: int | Decimal = -self.constant
        for term in self.terms:
            value = values.get(term.key)
            if value is None:
                return None
            total += term.sign * value
        return total


class RuleSet(msgspec.Struct, frozen=True, kw_only=True):
    """Every rule of an edition in a fixed order, and the domains of single figures."""

    edition: str
    rules: tuple[Rule, ...]
    domains: tuple[Domain, ...]
    by_id: dict[str, Rule]

    @property
    def families(self) -> tuple[str, ...]:
        """Family ids in declared order."""
        return tuple(dict.fromkeys(rule.family for rule in self.rules))

    @property
    def history_keys(self) -> tuple[str, ...]:
        """The cells of last year that some rule needs, in the form's order of first use."""
        return tuple(dict.fromkeys(term.cell for rule in self.rules for term in rule.terms if term.last_year))

    def domains_of(self, kind: str) -> tuple[Domain, ...]:
        """The domains that bind a figure of that kind."""
        return tuple(domain for domain in self.domains if kind in domain.kinds)


def _rule(declaration: RuleDeclaration, identifier: str, **parts: object) -> Rule:
    fields: dict[str, object] = {
        "found": (),
        "expected": (),
        "relation": declaration.relation,
        "constant": declaration.constant,
        "when": None,
        "unless": "",
        "scope_zh": "",
        "scope_en": "",
    }
    fields.update(parts)
    return Rule(
        id=identifier,
        family=declaration.id,
        severity=declaration.severity,
        basis=declaration.basis,
        title_zh=declaration.title_zh,
        title_en=declaration.title_en,
        advice_zh=declaration.advice_zh,
        advice_en=declaration.advice_en,
        **fields,  # type: ignore[arg-type]
    )


def _blocks(form: Form) -> Iterator[tuple[Table, Block]]:
    for table in form.tables:
        for block in table.blocks:
            yield table, block


def _row_totals(form: Form, declaration: RuleDeclaration) -> Iterator[Rule]:
    for table, block in _blocks(form):
        totals = [column for column in block.columns if column.total]
        for row in block.rows if totals else ():
            parts = tuple(Term(f"{table.id}.{row.id}.{column.id}") for column in block.columns if not column.total)
            for total in totals:
                yield _rule(
                    declaration,
                    f"{table.id}.{declaration.id}.{row.id}",
                    found=(Term(f"{table.id}.{row.id}.{total.id}"),),
                    expected=parts,
                    scope_zh=short_label(row),
                    scope_en=row.label_en,
                )


def _column_sums(form: Form, declaration: RuleDeclaration) -> Iterator[Rule]:
    for table, block in _blocks(form):
        for total in (row for row in block.rows if row.total_of):
            parts = rows_of_group(block, total.total_of)
            for column in block.columns:
                yield _rule(
                    declaration,
                    f"{table.id}.{declaration.id}.{column.id}",
                    found=(Term(f"{table.id}.{total.id}.{column.id}"),),
                    expected=tuple(Term(f"{table.id}.{row.id}.{column.id}") for row in parts),
                    scope_zh=short_label(column),
                    scope_en=column.label_en,
                )


def _zero_unless(form: Form, declaration: RuleDeclaration) -> Iterator[Rule]:
    for table, block in _blocks(form):
        for row in (row for row in block.rows if row.zero_unless):
            for column in block.columns:
                yield _rule(
                    declaration,
                    f"{table.id}.{declaration.id}.{column.id}",
                    found=(Term(f"{table.id}.{row.id}.{column.id}"),),
                    unless=row.zero_unless,
                    scope_zh=f"{short_label(row)}（{short_label(column)}）",
                    scope_en=f"{row.label_en} ({column.label_en})",
                )


def _term(text: str, pattern: str) -> Term:
    sign = -1 if text.startswith("-") else 1
    name = text.lstrip("-")
    last_year = name.endswith(LAST_YEAR)
    name = name.removesuffix(LAST_YEAR)
    return Term(name if name.count(".") == 2 else pattern.format(name), sign, last_year)


def _declared(form: Form, declaration: RuleDeclaration) -> Iterator[Rule]:
    places: list[tuple[str, str, Row | Column | None]] = []
    if declaration.each:
        table = form.table(declaration.table)
        for block in table.blocks:
            if declaration.block not in ("", block.id):
                continue
            if declaration.each == "row":
                places += [(f"{table.id}.{declaration.id}.{r.id}", f"{table.id}.{r.id}.{{}}", r) for r in block.rows]
            else:
                places += [(f"{table.id}.{declaration.id}.{c.id}", f"{table.id}.{{}}.{c.id}", c) for c in block.columns]
    else:
        places = [(declaration.id, "{}", None)]
    for identifier, pattern, place in places:
        when = declaration.when
        yield _rule(
            declaration,
            identifier,
            found=tuple(_term(text, pattern) for text in declaration.found),
            expected=tuple(_term(text, pattern) for text in declaration.expected),
            when=When(_term(when.term, pattern).cell, when.is_) if when else None,
            scope_zh=short_label(place) if place else "",
            scope_en=place.label_en if place else "",
        )


_SOURCES = {
    "hierarchy.row_total": _row_totals,
    "hierarchy.column_sum": _column_sums,
    "hierarchy.zero_unless": _zero_unless,
    "declared": _declared,
}


def derive_rules(form: Form) -> RuleSet:
    """Expand an edition's rule families. Raises ValueError for a term that names no cell or an id used twice."""
    rules: list[Rule] = []
    for declaration in form.declaration.rules:
        rules += _SOURCES[declaration.source](form, declaration)
    by_id = {rule.id: rule for rule in rules}
    if len(by_id) != len(rules):
        raise ValueError(f"{form.edition}: a rule id is used twice")
    for rule in rules:
        for term in rule.terms:
            if term.cell not in form.by_id:
                raise ValueError(f"{form.edition}: rule {rule.id} names no cell of the form: {term.cell}")
        if rule.when and rule.when.cell not in form.by_id:
            raise ValueError(f"{form.edition}: rule {rule.id} names no cell of the form: {rule.when.cell}")
    return RuleSet(edition=form.edition, rules=tuple(rules), domains=form.declaration.domains, by_id=by_id)


@cache
def load_rules(edition: str) -> RuleSet:
    """The rules of an edition that stands in ``schemas/forms``."""
    return derive_rules(load_form(edition))


def in_signs(rule: Rule) -> str:
    """The rule as signs over cell ids, such as ``a = b + c``."""

    def side(terms: tuple[Term, ...], constant: int = 0) -> str:
        text = "".join(
            (" - " if term.sign < 0 else " + " if position else "") + term.key for position, term in enumerate(terms)
        )
        if constant or not terms:
            text = f"{text} + {constant}" if terms else str(constant)
        return text.strip()

    condition = f"if {rule.when.cell} {'= 0' if rule.when.state == 'zero' else '> 0'}: " if rule.when else ""
    freed = f" (not for bodies with {rule.unless})" if rule.unless else ""
    return f"{condition}{side(rule.found)} {rule.relation} {side(rule.expected, rule.constant)}{freed}"


def domain_problem(domain: Domain, value: int | Decimal) -> bool:
    """Whether ``value`` breaks the domain."""
    if domain.whole and value != int(value):
        return True
    return domain.minimum is not None and value < domain.minimum
