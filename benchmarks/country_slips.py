"""Planting the slips that people make (schemas/slips.toml) in a good return, so that a rule really breaks.

Belongs here: what each kind of slip does to the figures of one return. Does not belong here: recognising slips
(pipelines/validate/slips.py) or drawing good returns (submissions.py). No cell is named: neighbours, rows and totals
come from the form and its rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from schemas.form import Form, load_form
from schemas.rules import load_rules
from schemas.slips import load_slips

Row = Mapping[str, int | None]
Changes = dict[str, int | None]
Plant = Callable[["_Sheet", Row, np.random.Generator], Changes]
TRIES = 200


class PlantError(ValueError):
    """No slip was found that breaks a rule of a return."""


class _Sheet:
    """The form as it is filled in: cells beside one another, totals with their parts."""

    def __init__(self, form: Form) -> None:
        rules = load_rules(form.edition)
        self.error_rules = [r for r in rules.rules if r.severity == "error" and not r.across_years and not r.unless]
        sums = [r for r in self.error_rules if r.relation == "=" and len(r.found) == 1 and len(r.expected) > 1]
        self.parts = {r.found[0].cell: [term.cell for term in r.expected] for r in sums}
        bound = {cell for rule in self.error_rules for cell in rule.cells}
        self.cells = [cell.id for cell in form.cells if cell.id in bound]
        self.lines: list[list[str]] = []
        self.columns: list[list[str]] = []
        for table in form.tables:
            for block in table.blocks:
                ids = [[f"{table.id}.{row.id}.{column.id}" for column in block.columns] for row in block.rows]
                if all(cell in form.by_id for line in ids for cell in line):
                    self.lines += [line for line in ids if len(line) > 1]
                    self.columns += [list(column) for column in zip(*ids, strict=True) if len(column) > 1]
        self.lines = [line for line in self.lines if bound & set(line)]
        self.columns = [column for column in self.columns if bound & set(column)]


@cache
def _sheet(edition: str) -> _Sheet:
    return _Sheet(load_form(edition))


def _one(options: list[str], draw: np.random.Generator) -> str:
    return options[int(draw.integers(len(options)))] if options else ""


def _typed(row: Row, sheet: _Sheet, least: int) -> list[str]:
    return [cell for cell in sheet.cells if (row[cell] or 0) >= least]


def _digits(least: int, change: Callable[[str, np.random.Generator], str]) -> Plant:
    """A slip in the digits of one figure of at least ``least``."""

    def plant(sheet: _Sheet, row: Row, draw: np.random.Generator) -> Changes:
        cell = _one(_typed(row, sheet, least), draw)
        return {cell: int(change(str(row[cell]), draw) or "0")} if cell else {}

    return plant


def _swap_digits(text: str, draw: np.random.Generator) -> str:
    at = int(draw.integers(len(text) - 1))
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _drop_digit(text: str, draw: np.random.Generator) -> str:
    at = int(draw.integers(len(text)))
    return text[:at] + text[at + 1 :]


def _add_digit(text: str, draw: np.random.Generator) -> str:
    at = 1 + int(draw.integers(len(text)))
    return text[:at] + str(int(draw.integers(10))) + text[at:]


def _change_digit(text: str, draw: np.random.Generator) -> str:
    at = int(draw.integers(len(text)))
    return text[:at] + str((int(text[at]) + 1 + int(draw.integers(9))) % 10) + text[at + 1 :]


def _sign(sheet: _Sheet, row: Row, draw: np.random.Generator) -> Changes:
    cell = _one(_typed(row, sheet, 1), draw)
    return {cell: -(row[cell] or 0)} if cell else {}


def _blank(sheet: _Sheet, row: Row, draw: np.random.Generator) -> Changes:
    return {_one(sheet.cells, draw): None}


def _zero(sheet: _Sheet, row: Row, draw: np.random.Generator) -> Changes:
    cell = _one([cell for cell in _typed(row, sheet, 1) if cell not in sheet.parts], draw)
    return {cell: 0} if cell else {}


def _zero_total(sheet: _Sheet, row: Row, draw: np.random.Generator) -> Changes:
    cell = _one([cell for cell in _typed(row, sheet, 1) if cell in sheet.parts], draw)
    return {cell: 0} if cell else {}


def _old_total(sheet: _Sheet, row: Row, draw: np.random.Generator) -> Changes:
    total = _one([cell for cell in _typed(row, sheet, 1) if cell in sheet.parts], draw)
    part = _one([cell for cell in sheet.parts.get(total, ()) if row[cell]], draw)
    return {total: (row[total] or 0) - (row[part] or 0)} if part else {}


def _any_figure(low: int, high: int, wanted: Callable[[int], bool]) -> Plant:
    """Another figure from ``low`` to ``high`` where one stands for which ``wanted`` holds."""

    def plant(sheet: _Sheet, row: Row, draw: np.random.Generator) -> Changes:
        cell = _one([cell for cell in sheet.cells if wanted(row[cell] or 0)], draw)
        return {cell: int(draw.integers(low, high + 1))} if cell else {}

    return plant


def _pair(sheet: _Sheet, draw: np.random.Generator) -> tuple[str, str]:
    line = sheet.lines[int(draw.integers(len(sheet.lines)))]
    at = int(draw.integers(len(line) - 1))
    return line[at], line[at + 1]


def _like_neighbour(sheet: _Sheet, row: Row, draw: np.random.Generator) -> Changes:
    one, other = _pair(sheet, draw)
    return {one: row[other]}


def _swap_neighbours(sheet: _Sheet, row: Row, draw: np.random.Generator) -> Changes:
    one, other = _pair(sheet, draw)
    return {one: row[other], other: row[one]}


def _swap(sheet: _Sheet, row: Row, draw: np.random.Generator) -> Changes:
    line = sheet.lines[int(draw.integers(len(sheet.lines)))]
    one, other = _one(line, draw), _one(line, draw)
    return {one: row[other], other: row[one]}


def _part_with_total(sheet: _Sheet, row: Row, draw: np.random.Generator) -> Changes:
    total = _one(sorted(sheet.parts), draw)
    part, more = _one(sheet.parts[total], draw), int(draw.integers(1, 10))
    return {part: (row[part] or 0) + more, total: (row[total] or 0) + more}


def _shift(step: int) -> Plant:
    def plant(sheet: _Sheet, row: Row, draw: np.random.Generator) -> Changes:
        line = sheet.lines[int(draw.integers(len(sheet.lines)))]
        moved = [0, *(row[cell] for cell in line[:-1])] if step > 0 else [*(row[cell] for cell in line[1:]), 0]
        return dict(zip(line, moved, strict=True))

    return plant


def _swap_lines(lines: Callable[[_Sheet], list[list[str]]]) -> Plant:
    def plant(sheet: _Sheet, row: Row, draw: np.random.Generator) -> Changes:
        there = lines(sheet)
        at = int(draw.integers(len(there) - 1))
        one, other = there[at], there[at + 1]
        if len(one) != len(other):
            return {}
        return dict(zip([*one, *other], [row[cell] for cell in [*other, *one]], strict=True))

    return plant


PLANTS: dict[str, Plant] = {
    "missing": _blank,
    "blank_not_filled": _blank,
    "sign": _sign,
    "digits_swapped": _digits(10, _swap_digits),
    "digit_dropped": _digits(10, _drop_digit),
    "digit_added": _digits(1, _add_digit),
    "one_digit": _digits(1, _change_digit),
    "total_not_filled": _zero_total,
    "total_not_updated": _old_total,
    "like_neighbour": _like_neighbour,
    "not_filled": _zero,
    "small_figure": _any_figure(1, 9, lambda value: 0 < value < 10),
    "filled_by_mistake": _any_figure(1, 99, lambda value: value == 0),
    "other": _any_figure(10, 9999, lambda value: value > 0),
    "swapped_neighbours": _swap_neighbours,
    "swapped": _swap,
    "part_with_total": _part_with_total,
    "shifted_right": _shift(1),
    "shifted_left": _shift(-1),
    "rows_swapped": _swap_lines(lambda sheet: sheet.lines),
    "columns_swapped": _swap_lines(lambda sheet: sheet.columns),
}


def breaks(edition: str, row: Row) -> bool:
    """Whether a return breaks an error rule, lacks a figure that one needs, or holds a figure below 0."""
    sheet = _sheet(edition)
    if any(value is None or value < 0 for value in row.values()):
        return True
    residuals = ((rule, rule.residual(row)) for rule in sheet.error_rules)
    return any(residual is not None and not rule.holds(residual) for rule, residual in residuals)


def plant_slip(edition: str, row: Row, draw: np.random.Generator) -> tuple[str, Changes]:
    """A slip that makes a good return wrong: the id of its kind and the cells that it changes, None where left blank.

    The likelier a kind (the lower its cost), the more often it is tried. ``row``: whole numbers by cell id, money in
    hundredths. Raises PlantError where nothing breaks the return.
    """
    kinds = load_slips().kinds
    weights = np.array([1 / (1 + kind.cost) for kind in kinds])
    for _ in range(TRIES):
        kind = kinds[int(draw.choice(len(kinds), p=weights / weights.sum()))].id
        planted = PLANTS[kind](_sheet(edition), row, draw)
        changes = {cell: value for cell, value in planted.items() if value != row[cell]}
        if changes and breaks(edition, {**row, **changes}):
            return kind, changes
    raise PlantError("no slip breaks this return")
