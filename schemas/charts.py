"""Which figures are drawn, as strict models of ``charts.toml``, and their parts as an edition of the form has them.

Belongs here: what a chart shows, derived from the form's own hierarchy and rules. Does not belong here: how it looks
(pipelines/publish/portal).

A chart whose rule, row or cell an edition does not have is left out for that edition: ``charts_of`` then gives None or
fewer charts, never a chart with a gap.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from schemas.declaration import load_toml
from schemas.form import Block, Form, Row, group_path, load_form, plain_label, rows_of_group, short_label
from schemas.rules import load_rules


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Strict base: unknown keys are refused."""


class NamedCell(_Model, frozen=True):
    """A cell with the few words that stand for it where its full place in the form is too long."""

    cell: str
    label_zh: str
    label_en: str


class FlowDeclaration(_Model, frozen=True):
    """A flow along the rules of family ``rule`` in one ``column`` of ``table``."""

    rule: str
    table: str
    column: str
    title_zh: str
    title_en: str
    in_zh: str
    in_en: str


class PartsDeclaration(_Model, frozen=True):
    """The parts of a total: the columns of ``row``, or the rows of ``group`` in ``column``."""

    id: str
    table: str
    title_zh: str
    title_en: str
    row: str = ""
    group: str = ""
    column: str = ""


class SharesDeclaration(_Model, frozen=True):
    """Every row of ``table`` as one total, divided into its columns."""

    id: str
    table: str
    title_zh: str
    title_en: str


class ChartDeclarations(_Model, frozen=True):
    """The file ``charts.toml``. ``units``: a unit's English word."""

    units: dict[str, str]
    headline: tuple[NamedCell, ...]
    flow: FlowDeclaration
    parts: tuple[PartsDeclaration, ...]
    shares: tuple[SharesDeclaration, ...]
    compare: tuple[NamedCell, ...]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a chart: the sum of ``cells``. ``group`` and its labels: the head of the form above it."""

    id: str
    label_zh: str
    label_en: str
    cells: tuple[str, ...]
    group: str = ""
    group_zh: str = ""
    group_en: str = ""


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """Where figures come from and where they go; both sides have the same sum wherever the rule holds."""

    declaration: FlowDeclaration
    inflow: tuple[Part, ...]
    outflow: tuple[Part, ...]
    unit: str


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """A total and its parts. ``total`` is the cell of the total itself."""

    declaration: PartsDeclaration
    parts: tuple[Part, ...]
    total: str
    unit: str


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """One total of a shares chart with its parts."""

    id: str
    label_zh: str
    label_en: str
    total: str
    parts: tuple[Part, ...]


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """Totals side by side; the parts of each stand in the same order."""

    declaration: SharesDeclaration
    rows: tuple[Share, ...]
    unit: str


class Charts(msgspec.Struct, frozen=True, kw_only=True):
    """The charts of one edition of the form."""

    headline: tuple[NamedCell, ...]
    flow: Flow | None
    parts: tuple[Parts, ...]
    shares: tuple[Shares, ...]
    compare: tuple[NamedCell, ...]


@cache
def load_charts() -> ChartDeclarations:
    """The declared charts. Raises DeclarationError."""
    return load_toml(Path(__file__).with_name("charts.toml"), ChartDeclarations)


def _block(form: Form, table: str, *, row: str = "", column: str = "", group: str = "") -> Block | None:
    """The block of ``table`` that has the named row, column and row group; None where the edition has none."""
    declared = next((found for found in form.tables if found.id == table), None)
    for block in declared.blocks if declared else ():
        if (
            (not row or any(found.id == row for found in block.rows))
            and (not column or any(found.id == column for found in block.columns))
            and (not group or any(found.id == group for found in block.row_groups))
        ):
            return block
    return None


def _row_part(table: str, row: Row, column: str, block: Block, below: str = "") -> Part:
    """A row as one part. ``below``: its head is the outermost row group inside this one."""
    path = [group for group in group_path(block.row_groups, row.group) if group.id != below]
    head = path[0] if path else None
    return Part(
        id=row.id,
        label_zh=short_label(row),
        label_en=_plain_en(row.label_en),
        cells=(f"{table}.{row.id}.{column}",),
        group=head.id if head else row.id,
        group_zh=plain_label(head.label_zh) if head else short_label(row),
        group_en=_plain_en(head.label_en if head else row.label_en),
    )


def _plain_en(label: str) -> str:
    """An English label without its number and without a long remark in brackets at its end."""
    import re

    return re.sub(r"^\s*(\(\d+\)|\d+\.)\s*|\s*\([^()]{15,}\)$", "", label)


def _outer_parts(table: str, block: Block, group: str, column: str) -> tuple[Part, ...]:
    """The direct children of a row group: its rows, and each group inside it as the sum of its rows."""
    merged: dict[str, Part] = {}
    for row in rows_of_group(block, group):
        part = _row_part(table, row, column, block, below=group)
        earlier = merged.get(part.group)
        merged[part.group] = Part(
            id=part.group,
            label_zh=part.group_zh,
            label_en=part.group_en,
            cells=(*(earlier.cells if earlier else ()), *part.cells),
        )
    return tuple(merged.values())


def _flow(form: Form, declared: FlowDeclaration) -> Flow | None:
    rule = next(
        (
            rule
            for rule in load_rules(form.edition).rules
            if rule.family == declared.rule
            and all(form.by_id[cell].table == declared.table for cell in rule.cells)
            and all(form.by_id[cell].column == declared.column for cell in rule.cells)
        ),
        None,
    )
    block = _block(form, declared.table, column=declared.column)
    if rule is None or block is None:
        return None
    rows = {row.id: row for row in block.rows}

    def side(cells: tuple[str, ...]) -> tuple[Part, ...]:
        parts: list[Part] = []
        for row in (rows[form.by_id[cell].row] for cell in cells):
            if row.total_of:
                parts += _outer_parts(declared.table, block, row.total_of, declared.column)
            else:
                part = _row_part(declared.table, row, declared.column, block)
                parts.append(msgspec.structs.replace(part, group=""))
        return tuple(parts)

    return Flow(
        declaration=declared,
        inflow=side(tuple(term.cell for term in rule.expected)),
        outflow=side(tuple(term.cell for term in rule.found)),
        unit=form.by_id[rule.found[0].cell].unit,
    )


def _parts(form: Form, declared: PartsDeclaration) -> Parts | None:
    block = _block(form, declared.table, row=declared.row, column=declared.column, group=declared.group)
    if block is None:
        return None
    if declared.row:
        parts = tuple(
            Part(
                id=column.id,
                label_zh=short_label(column),
                label_en=column.label_en,
                cells=(f"{declared.table}.{declared.row}.{column.id}",),
                group=column.group or column.id,
            )
            for column in block.columns
            if not column.total
        )
        total = next((column.id for column in block.columns if column.total), "")
        cell = f"{declared.table}.{declared.row}.{total}"
    else:
        parts = tuple(
            _row_part(declared.table, row, declared.column, block, below=declared.group)
            for row in rows_of_group(block, declared.group)
        )
        total = next((row.id for row in block.rows if row.total_of == declared.group), "")
        cell = f"{declared.table}.{total}.{declared.column}"
    if cell not in form.by_id:
        return None
    return Parts(declaration=declared, parts=parts, total=cell, unit=form.by_id[cell].unit)


def _shares(form: Form, declared: SharesDeclaration) -> Shares | None:
    block = _block(form, declared.table)
    total = next((column.id for column in block.columns if column.total), "") if block else ""
    if block is None or not total:
        return None
    rows = []
    for row in block.rows:
        heads = group_path(block.row_groups, row.group)
        rows.append(
            Share(
                id=row.id,
                label_zh="".join(f"{plain_label(head.label_zh)}：" for head in heads) + short_label(row),
                label_en=row.label_en,
                total=f"{declared.table}.{row.id}.{total}",
                parts=tuple(
                    Part(
                        id=column.id,
                        label_zh=short_label(column),
                        label_en=column.label_en,
                        cells=(f"{declared.table}.{row.id}.{column.id}",),
                    )
                    for column in block.columns
                    if not column.total
                ),
            )
        )
    return Shares(declaration=declared, rows=tuple(rows), unit=form.by_id[rows[0].total].unit)


@cache
def charts_of(edition: str) -> Charts:
    """The charts that an edition of the form has. Raises KeyError for an edition that is not declared."""
    form, declared = load_form(edition), load_charts()
    return Charts(
        headline=tuple(named for named in declared.headline if named.cell in form.by_id),
        flow=_flow(form, declared.flow),
        parts=tuple(found for one in declared.parts if (found := _parts(form, one))),
        shares=tuple(shares for one in declared.shares if (shares := _shares(form, one))),
        compare=tuple(named for named in declared.compare if named.cell in form.by_id),
    )
