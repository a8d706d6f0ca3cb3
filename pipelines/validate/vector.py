"""All rules over one return, compiled once: exact, well under a millisecond, without numpy.

Belongs here: an edition's rules as positions, and which of them one return breaks. Does not belong here: many returns
at once (bulk.py), wording (schemas/findings.py), naming the wrong cell (localise.py).

Figures stay what they are: counts are ints, money is Decimal with at most 14 + 4 digits, and Python adds both exactly
within the 28 digits of its decimal context, so nothing is scaled or rounded. Each side of a rule is one ``itemgetter``
and one ``sum``, both in C; importing numpy would cost more than thousands of such passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from operator import itemgetter
from typing import Any

import msgspec

from schemas.form import Domain, Form, load_form
from schemas.rules import Rule, RuleSet, domain_problem, load_rules

Figure = Decimal | int
Pick = Callable[[Sequence[Any]], tuple[Any, ...]]


class Compiled(msgspec.Struct, frozen=True):
    """An edition's rules as positions in one list: this year's cells, then last year's that some rule needs.

    ``rules``: per rule its positive and negative terms, its constant, the position and state of its condition, and
    the bits of all positions that it needs. ``domains``: per domain the positions it binds.
    """

    names: tuple[str, ...]
    last_year: tuple[str, ...]
    rules: tuple[tuple[Rule, Pick, Pick, int, int, int], ...]
    domains: tuple[tuple[Domain, tuple[int, ...], Pick], ...]


class Verdict(msgspec.Struct, frozen=True):
    """What one return breaks, in catalogue order: rules with their residuals, domains with cell and figure."""

    broken: tuple[tuple[Rule, Figure], ...]
    domains: tuple[tuple[Domain, str, Figure], ...]

    @property
    def clean(self) -> bool:
        """Whether nothing is broken."""
        return not self.broken and not self.domains


def pick(positions: Sequence[int]) -> Pick:
    """The figures at ``positions`` as a tuple, whatever their number."""
    if not positions:
        return lambda values: ()
    if len(positions) == 1:
        only = positions[0]
        return lambda values: (values[only],)
    return itemgetter(*positions)


def compile_rules(form: Form, rules: RuleSet) -> Compiled:
    """Compile a form's rules. Positions follow the form's order, then ``history_keys``."""
    names = tuple(cell.id for cell in form.cells)
    at = {name: position for position, name in enumerate(names)}
    last = {name: len(names) + position for position, name in enumerate(rules.history_keys)}
    compiled = []
    for rule in rules.rules:
        terms = [(last[term.cell] if term.last_year else at[term.cell], term.sign) for term in rule.terms]
        condition = at[rule.when.cell] if rule.when else -1
        needs = 0
        for position in [*(position for position, _ in terms), *([condition] if rule.when else [])]:
            needs |= 1 << position
        compiled.append(
            (
                rule,
                pick([position for position, sign in terms if sign > 0]),
                pick([position for position, sign in terms if sign < 0]),
                rule.constant,
                condition,
                needs,
            )
        )
    domains = []
    for domain in rules.domains:
        bound = tuple(at[cell.id] for cell in form.cells if cell.kind in domain.kinds)
        domains.append((domain, bound, pick(bound)))
    return Compiled(names, tuple(last), tuple(compiled), tuple(domains))


@cache
def compiled(edition: str) -> Compiled:
    """The compiled rules of a declared edition. Raises KeyError for an unknown one."""
    return compile_rules(load_form(edition), load_rules(edition))


def _speaks(rule: Rule, state: Figure) -> bool:
    """Whether a rule's condition is met by the figure of its condition's cell."""
    if rule.when is None:
        return True
    return state == 0 if rule.when.state == "zero" else state > 0


def evaluate(
    compiled: Compiled,
    values: Mapping[str, Figure],
    previous: Mapping[str, Figure] | None = None,
    attributes: frozenset[str] = frozenset(),
) -> Verdict:
    """The rules and domains that one return breaks.

    ``values`` and ``previous`` (last year's) are known figures by cell id; a rule with a missing term says nothing.
    ``attributes`` of the body free it from the rules that are declared ``unless`` one of them. Equal to
    ``Rule.residual`` rule by rule.
    """
    get = values.get
    figures: list[Any] = [get(name) for name in compiled.names]
    figures += [previous.get(name) for name in compiled.last_year] if previous else [None] * len(compiled.last_year)
    missing = 0
    if None in figures:
        for position, figure in enumerate(figures):
            if figure is None:
                missing |= 1 << position
    broken = []
    for rule, plus, minus, constant, condition, needs in compiled.rules:
        if needs & missing or (rule.unless and rule.unless in attributes):
            continue
        residual = sum(plus(figures)) - sum(minus(figures)) - constant
        if residual and not rule.holds(residual) and (condition < 0 or _speaks(rule, figures[condition])):
            broken.append((rule, residual))
    return Verdict(tuple(broken), _out_of_domain(compiled, figures))


def _out_of_domain(compiled: Compiled, figures: Sequence[Any]) -> tuple[tuple[Domain, str, Figure], ...]:
    found = []
    for domain, bound, pick in compiled.domains:
        known = [figure for figure in pick(figures) if figure is not None]
        if not known or (not domain.whole and domain.minimum is not None and min(known) >= domain.minimum):
            continue
        if domain.whole and domain.minimum is None and set(map(type, known)) == {int}:
            continue
        for position in bound:
            figure = figures[position]
            if figure is not None and domain_problem(domain, figure):
                found.append((domain, compiled.names[position], figure))
    return tuple(found)
