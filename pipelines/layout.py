"""The drawn form: every table of an edition as boxes on a grid, with heads merged as printed.

Belongs here: where a label or a cell stands in the printed form, whoever draws it (workbook, document, page, report,
receipt), and the names that mark our own fill-in workbook. Does not belong here: colours, fonts and file formats.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.form import Block, Form, Row, Table, group_path

# The sheets and the hidden marks of the fill-in workbook; intake recognises a workbook of ours by MARK_SHEET.
FORM_SHEET = "统计表"
SUPPLEMENT_SHEET = "总体情况指标"
GUIDE_SHEET = "填表说明"
MARK_SHEET = "gongkai"
# The head of the supplement wherever it is drawn (sheet, document, page); a row is known by its indicator's id. In the
# tidy form, an indicator is the cell SUPPLEMENT_PREFIX + id.
SUPPLEMENT_HEAD = ("指标代码", "指标", "单位", "数值")
SUPPLEMENT_PREFIX = "indicators."
MARKS = ("product", "edition", "region", "year", "body", "body_name")
MARK_PRODUCT = "gongkai-return"

Role = Literal["head", "label", "cell"]


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """One box of the drawing, 0-based; ``text_zh``/``text_en`` for heads and labels, ``cell`` for figures."""

    row: int
    column: int
    rows: int = 1
    columns: int = 1
    role: Role
    text_zh: str = ""
    text_en: str = ""
    cell: str = ""


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """A table as printed: boxes that cover ``rows`` x ``columns`` without gap or overlap, in reading order."""

    table: str
    number_zh: str
    title_zh: str
    title_en: str
    rows: int
    columns: int
    boxes: tuple[Box, ...]


def _drawing(table: Table, boxes: list[Box]) -> Drawing:
    return Drawing(
        table=table.id,
        number_zh=table.number_zh,
        title_zh=table.title_zh,
        title_en=table.title_en,
        rows=max(box.row + box.rows for box in boxes),
        columns=max(box.column + box.columns for box in boxes),
        boxes=tuple(sorted(boxes, key=lambda box: (box.row, box.column))),
    )


def _cell_id(table: Table, row: str, column: str) -> str:
    return f"{table.id}.{row}.{column}"


def _bands(table: Table) -> Drawing:
    """Blocks one below another: a head over the whole width, the column labels, the rows."""
    width = max(len(block.columns) for block in table.blocks)
    boxes: list[Box] = []
    at = 0
    for block in table.blocks:
        spans = [width // len(block.columns)] * len(block.columns)
        spans[-1] += width - sum(spans)
        if block.head_zh:
            boxes.append(
                Box(row=at, column=0, columns=width + 1, role="head", text_zh=block.head_zh, text_en=block.head_en)
            )
            at += 1
        boxes.append(
            Box(row=at, column=0, role="head", text_zh=table.corner_zh or "项目", text_en=table.corner_en or "Item")
        )
        left = 1
        for column, span in zip(block.columns, spans, strict=True):
            boxes.append(
                Box(row=at, column=left, columns=span, role="head", text_zh=column.label_zh, text_en=column.label_en)
            )
            left += span
        at += 1
        for row in block.rows:
            boxes.append(Box(row=at, column=0, role="label", text_zh=row.label_zh, text_en=row.label_en))
            left = 1
            for column, span in zip(block.columns, spans, strict=True):
                boxes.append(
                    Box(row=at, column=left, columns=span, role="cell", cell=_cell_id(table, row.id, column.id))
                )
                left += span
            at += 1
    return _drawing(table, boxes)


def _runs(block: Block, rows: tuple[Row, ...], depth: int) -> list[tuple[int, int, str]]:
    """Runs of neighbouring rows that share the group at ``depth``: (first, length, group id)."""
    runs: list[tuple[int, int, str]] = []
    for position, row in enumerate(rows):
        path = group_path(block.row_groups, row.group)
        identifier = path[depth].id if len(path) > depth else ""
        if identifier and runs and runs[-1][2] == identifier and sum(runs[-1][:2]) == position:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1, identifier)
        elif identifier:
            runs.append((position, 1, identifier))
    return runs


def _depth(block: Block) -> int:
    return max(len(group_path(block.row_groups, row.group)) for row in block.rows)


def _matrix(table: Table) -> Drawing:
    """Rows down, columns across; row groups to the left, column groups above."""
    block = table.blocks[0]
    groups = {group.id: group for group in block.row_groups + block.column_groups}
    labels = _depth(block) + 1
    span_head = any(column.group for column in block.columns)
    heads = 1 + bool(block.head_zh) + span_head
    boxes = [
        Box(row=0, column=0, rows=heads, columns=labels, role="head", text_zh=table.corner_zh, text_en=table.corner_en)
    ]
    at = 0
    if block.head_zh:
        boxes.append(
            Box(
                row=0,
                column=labels,
                columns=len(block.columns),
                role="head",
                text_zh=block.head_zh,
                text_en=block.head_en,
            )
        )
        at = 1
    seen: set[str] = set()
    for position, column in enumerate(block.columns):
        if column.group and column.group not in seen:
            seen.add(column.group)
            group = groups[column.group]
            width = sum(other.group == column.group for other in block.columns)
            boxes.append(
                Box(
                    row=at,
                    column=labels + position,
                    columns=width,
                    role="head",
                    text_zh=group.label_zh,
                    text_en=group.label_en,
                )
            )
        boxes.append(
            Box(
                row=at + bool(column.group),
                column=labels + position,
                rows=1 if column.group or not span_head else 2,
                role="head",
                text_zh=column.label_zh,
                text_en=column.label_en,
            )
        )
    for depth in range(labels - 1):
        for first, length, identifier in _runs(block, block.rows, depth):
            group = groups[identifier]
            boxes.append(
                Box(
                    row=heads + first,
                    column=depth,
                    rows=length,
                    role="label",
                    text_zh=group.label_zh,
                    text_en=group.label_en,
                )
            )
    for position, row in enumerate(block.rows):
        depth = len(group_path(block.row_groups, row.group))
        boxes.append(
            Box(
                row=heads + position,
                column=depth,
                columns=labels - depth,
                role="label",
                text_zh=row.label_zh,
                text_en=row.label_en,
            )
        )
        boxes += [
            Box(row=heads + position, column=labels + c, role="cell", cell=_cell_id(table, row.id, column.id))
            for c, column in enumerate(block.columns)
        ]
    return _drawing(table, boxes)


def _side_by_side(table: Table) -> Drawing:
    """The rows beside one another on one line of figures, their labels above."""
    block = table.blocks[0]
    groups = {group.id: group for group in block.row_groups}
    width = len(block.columns)
    heads = _depth(block) + 1
    boxes: list[Box] = []
    for depth in range(heads - 1):
        for first, length, identifier in _runs(block, block.rows, depth):
            group = groups[identifier]
            boxes.append(
                Box(
                    row=depth,
                    column=first * width,
                    columns=length * width,
                    role="head",
                    text_zh=group.label_zh,
                    text_en=group.label_en,
                )
            )
    for position, row in enumerate(block.rows):
        depth = len(group_path(block.row_groups, row.group))
        boxes.append(
            Box(
                row=depth,
                column=position * width,
                rows=heads - depth,
                columns=width,
                role="head",
                text_zh=row.label_zh,
                text_en=row.label_en,
            )
        )
        for c, column in enumerate(block.columns):
            left = position * width + c
            boxes.append(Box(row=heads, column=left, role="head", text_zh=column.label_zh, text_en=column.label_en))
            boxes.append(Box(row=heads + 1, column=left, role="cell", cell=_cell_id(table, row.id, column.id)))
    return _drawing(table, boxes)


def draw(form: Form, table: str) -> Drawing:
    """The drawing of one table. A table that the form states in text is drawn as a small grid. Raises KeyError."""
    declared = form.table(table)
    if declared.arrangement == "matrix":
        return _matrix(declared)
    if declared.arrangement == "side_by_side":
        return _side_by_side(declared)
    return _bands(declared)


def draw_form(form: Form) -> tuple[Drawing, ...]:
    """The drawings of all tables in printed order."""
    return tuple(draw(form, table.id) for table in form.tables)
