"""The checks of the fill-in workbook: a rule of the form as a spreadsheet formula, with its true result beside.

Belongs here: where a rule is checked (beside a row, below a column, at the end) and how, as formula and as text.
Does not belong here: sheets, formats, positions (workbook.py), or evaluating rules over returns (pipelines/validate).

A formula is kept together with the text that it must show for the figures as they are written, so that the file
carries true results for programs that do not recalculate. The two are made side by side in this one place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from pipelines.layout import Drawing
from schemas.findings import number_text
from schemas.form import Cell, Domain, Form
from schemas.region import RegionSettings
from schemas.rules import Rule, RuleSet, Term, domain_problem

Entry = Decimal | int | str | None
GOOD = "✓"
BROKEN = "✗"
DOUBTFUL = "！"
SHORT_BROKEN = "差"
UNFILLED = "还有"
SIGNS = {"error": BROKEN, "warning": DOUBTFUL, "information": DOUBTFUL}
RELATIONS = {"=": "应等于", ">=": "应不少于", "<=": "应不多于"}
OPPOSITE = {"=": "<>", ">=": "<", "<=": ">"}


class Check(msgspec.Struct, frozen=True):
    """A formula (without ``=``) and the text it shows for the figures as written; never empty in a finished check."""

    formula: str
    text: str


class Sheet(msgspec.Struct, frozen=True):
    """What a formula may refer to: the address of every cell, the figures as written, last year's figures."""

    addresses: Mapping[str, str]
    values: Mapping[str, Entry]
    last_year: Mapping[str, Decimal | int]

    def number(self, term: Term) -> Decimal | None:
        """The figure of a term, None where its cell holds none."""
        value = self.last_year.get(term.cell) if term.last_year else self.values.get(term.cell)
        return None if value is None or isinstance(value, str) else Decimal(value)

    def figure(self, cell: str) -> Decimal | None:
        """The figure of this year's cell, None where it holds none."""
        return self.number(Term(cell))


class Places(msgspec.Struct, frozen=True):
    """Where each rule is checked: rules of one row by (table, row), of one column by (family, table), the others."""

    rows: dict[tuple[str, str], list[Rule]]
    columns: dict[tuple[str, str], list[Rule]]
    others: list[Rule]


def applicable(rules: RuleSet, settings: RegionSettings, last_year: Mapping[str, Decimal | int]) -> list[Rule]:
    """The rules that bind bodies of the region; those across years only where last year's figures are known."""
    return [
        rule
        for rule in rules.rules
        if not (rule.unless and getattr(settings, rule.unless, False))
        and all(term.cell in last_year for term in rule.terms if term.last_year)
    ]


def place(form: Form, rules: Iterable[Rule]) -> Places:
    """Each rule to the row or column that holds all of its cells of this year."""
    places = Places({}, {}, [])
    for rule in rules:
        cells = [form.by_id[cell] for cell in rule.cells]
        table = cells[0].table
        if {(cell.table, cell.row) for cell in cells} == {(table, cells[0].row)} and len(cells) > 1:
            places.rows.setdefault((table, cells[0].row), []).append(rule)
        elif {(cell.table, cell.column) for cell in cells} == {(table, cells[0].column)} and rule.scope_zh:
            if len(cells) > 1 or rule.across_years:
                places.columns.setdefault((rule.family, table), []).append(rule)
            else:
                places.rows.setdefault((table, cells[0].row), []).append(rule)
        else:
            places.others.append(rule)
    return places


def _sum(terms: Sequence[Term], sheet: Sheet, constant: int = 0) -> tuple[str, Decimal | None]:
    """A signed sum as an expression of the sheet and as a figure."""
    text, total = "", Decimal(constant)
    known = True
    for term in terms:
        value = sheet.number(term)
        operand = number_text(value) if term.last_year else sheet.addresses[term.cell]
        text += ("-" if term.sign < 0 else "+" if text else "") + operand
        known = known and value is not None
        total += term.sign * (value or 0)
    if constant or not text:
        text += f"{'+' if text and constant >= 0 else ''}{constant}"
    return text, total if known else None


def _counted(cells: Sequence[str], sheet: Sheet) -> str:
    return f"COUNT({','.join(sheet.addresses[cell] for cell in cells)})"


def _shown(expression: str) -> str:
    return f'ROUND({expression},4)&""'


def _violated(rule: Rule, sheet: Sheet) -> tuple[str, str, bool]:
    """Whether all figures are there (expression), whether the rule is broken (expression, and as written)."""
    residual, _ = _sum(rule.terms, sheet, -rule.constant)
    broken = f"ROUND({residual},4){OPPOSITE[rule.relation]}0"
    if rule.when:
        sign = "=" if rule.when.state == "zero" else ">"
        broken = f"AND({sheet.addresses[rule.when.cell]}{sign}0,{broken})"
    complete = f"{_counted(rule.cells, sheet)}<{len(rule.cells)}"
    values: dict[str, int | Decimal | None] = {term.key: sheet.number(term) for term in rule.terms}
    if rule.when:
        values[rule.when.cell] = sheet.figure(rule.when.cell)
    left = rule.residual(values)
    return complete, broken, left is not None and not rule.holds(left)


def rule_part(rule: Rule, sheet: Sheet) -> Check:
    """The sentence of a broken rule with its numbers; nothing while it holds or lacks a figure."""
    unfilled, broken, is_broken = _violated(rule, sheet)
    found, found_value = _sum(rule.found, sheet)
    expected, expected_value = _sum(rule.expected, sheet, rule.constant)
    residual, difference = _sum(rule.terms, sheet, -rule.constant)
    head = f"{SIGNS[rule.severity]} {rule.title_zh}：现为 "
    relation = f"，{RELATIONS[rule.relation]} "
    formula = (
        f'IF({unfilled},"",IF({broken},"{head}"&{_shown(found)}&"{relation}"&{_shown(expected)}'
        f'&"，差 "&{_shown(f"ABS({residual})")}&"。",""))'
    )
    text = ""
    if is_broken:
        text = (
            f"{head}{number_text(found_value)}{relation}{number_text(expected_value)}，"
            f"差 {number_text(abs(difference or Decimal(0)))}。"
        )
    return Check(formula, text)


def unfilled_part(cells: Sequence[str], sheet: Sheet) -> Check:
    """How many of the cells hold no number yet; nothing when all do."""
    counted = _counted(cells, sheet)
    missing = sum(sheet.figure(cell) is None for cell in cells)
    formula = f'IF({counted}<{len(cells)},"{UNFILLED} "&({len(cells)}-{counted})&" 格未填数字。","")'
    return Check(formula, f"{UNFILLED} {missing} 格未填数字。" if missing else "")


def domain_part(domain: Domain, cells: Sequence[str], sheet: Sheet) -> Check:
    """The domain's title when one of the cells lies outside it; nothing otherwise."""
    tests = []
    for cell in cells:
        address = sheet.addresses[cell]
        if domain.whole:
            tests.append(f"N({address})<>INT(N({address}))")
        if domain.minimum is not None:
            tests.append(f"N({address})<{domain.minimum}")
    figures = [figure for cell in cells if (figure := sheet.figure(cell)) is not None]
    sentence = f"{SIGNS[domain.severity]} {domain.title_zh}。"
    is_broken = any(domain_problem(domain, figure) for figure in figures)
    return Check(f'IF(OR({",".join(tests)}),"{sentence}","")', sentence if is_broken else "")


def joined(parts: Sequence[Check]) -> Check:
    """The sentences of all parts one after another, or the sign that all is well."""
    together = "&".join(part.formula for part in parts)
    text = "".join(part.text for part in parts)
    return Check(f'IF({together}="","{GOOD}",{together})', text or GOOD)


def row_check(cells: Sequence[Cell], rules: Sequence[Rule], rule_set: RuleSet, sheet: Sheet) -> Check:
    """The check of one row of the form: what is not filled, what cannot be, which sum is broken."""
    identifiers = [cell.id for cell in cells]
    domains = [
        domain_part(domain, [cell.id for cell in cells if cell.kind in domain.kinds], sheet)
        for domain in rule_set.domains
        if any(cell.kind in domain.kinds for cell in cells)
    ]
    return joined([unfilled_part(identifiers, sheet), *domains, *(rule_part(rule, sheet) for rule in rules)])


def column_check(rule: Rule, sheet: Sheet) -> Check:
    """The short check below one column: well, by how much it is broken, or still unfilled."""
    unfilled, broken, is_broken = _violated(rule, sheet)
    residual, difference = _sum(rule.terms, sheet, -rule.constant)
    formula = f'IF({unfilled},"未填",IF({broken},"{SHORT_BROKEN} "&{_shown(f"ABS({residual})")},"{GOOD}"))'
    if any(sheet.figure(cell) is None for cell in rule.cells):
        return Check(formula, "未填")
    return Check(formula, f"{SHORT_BROKEN} {number_text(abs(difference or Decimal(0)))}" if is_broken else GOOD)


def columns_check(rules: Sequence[Rule], checks: Sequence[tuple[str, Check]]) -> Check:
    """The sentence beside a line of column checks. ``checks``: address and check of each rule's cell."""
    parts, text = [], ""
    for rule, (address, check) in zip(rules, checks, strict=True):
        parts.append(f'IF(LEFT({address},1)="{SHORT_BROKEN}","{rule.scope_zh}"&{address}&"；","")')
        text += f"{rule.scope_zh}{check.text}；" if check.text.startswith(SHORT_BROKEN) else ""
    together = "&".join(parts)
    well = ",".join(f'{address}="{GOOD}"' for address, _ in checks)
    head = f"{SIGNS[rules[0].severity]} {rules[0].title_zh}："
    formula = f'IF({together}="",IF(AND({well}),"{GOOD}","{UNFILLED}未填的列。"),"{head}"&{together})'
    if text:
        return Check(formula, head + text)
    return Check(formula, GOOD if all(c.text == GOOD for _, c in checks) else f"{UNFILLED}未填的列。")


def summary(area: str, checks: Sequence[Check]) -> Check:
    """One sentence over all row checks and sentences in ``area``: all well, or how many lines are not."""
    broken = sum(BROKEN in check.text for check in checks)
    unfilled = sum(check.text.startswith(UNFILLED) for check in checks)
    doubtful = sum(DOUBTFUL in check.text for check in checks)
    counts = [f'COUNTIF({area},"{pattern}")' for pattern in (f"*{BROKEN}*", f"{UNFILLED}*", f"*{DOUBTFUL}*")]
    formula = (
        f'IF({counts[0]}+{counts[1]}+{counts[2]}=0,"{GOOD} 表内核对全部通过",'
        f'IF({counts[0]}>0,"{BROKEN} ","")&"不平或有误 "&{counts[0]}&" 处，未填完 "&{counts[1]}&" 处，'
        f'请说明 "&{counts[2]}&" 处")'
    )
    text = f"{GOOD} 表内核对全部通过"
    if broken + unfilled + doubtful:
        mark = f"{BROKEN} " if broken else ""
        text = f"{mark}不平或有误 {broken} 处，未填完 {unfilled} 处，请说明 {doubtful} 处"
    return Check(formula, text)


def stands_alone(drawing: Drawing, cells: Sequence[str]) -> bool:
    """Whether no other figures are drawn on the line of these cells, so that their check fits beside it."""
    lines = {box.row for box in drawing.boxes if box.cell in cells}
    return all(box.cell in cells for box in drawing.boxes if box.role == "cell" and box.row in lines)
