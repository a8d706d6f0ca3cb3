"""An edition of the official form as strict, frozen models, and the cells that follow from it.

Belongs here: the shape of ``forms/<edition>.toml``, its consistency, the derived list of cells and their labels.
Does not belong here: rules (rules.py), frames (frames.py), drawing (pipelines/layout.py).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from schemas.declaration import DeclarationError, line_of, read_toml

FORMS = Path(__file__).parent / "forms"
Kind = Literal["count", "money", "signed_count"]
Severity = Literal["error", "warning", "information"]
Arrangement = Literal["bands", "matrix", "side_by_side", "text"]


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Strict base: unknown keys are refused."""


class Column(_Model, frozen=True):
    """One column of a block. ``kind`` and ``unit`` are those of its cells.

    ``remarks``: words that only a remark on a figure of this column has, such as 失效 on documents repealed.
    """

    id: str
    label_zh: str
    label_en: str
    kind: Kind
    unit: str
    short_zh: str = ""
    group: str = ""
    total: bool = False
    variants: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class Group(_Model, frozen=True):
    """A head that spans several rows or columns; ``parent`` nests it."""

    id: str
    label_zh: str
    label_en: str
    parent: str = ""
    variants: tuple[str, ...] = ()


class Row(_Model, frozen=True):
    """One row of a block. ``columns`` limits it to some of the block's columns (all when empty)."""

    id: str
    label_zh: str
    label_en: str
    short_zh: str = ""
    group: str = ""
    total_of: str = ""
    zero_unless: str = ""
    variants: tuple[str, ...] = ()


class Block(_Model, frozen=True):
    """Rows and columns that cross fully, below one printed head."""

    id: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    head_zh: str = ""
    head_en: str = ""
    column_groups: tuple[Group, ...] = ()
    row_groups: tuple[Group, ...] = ()


class Table(_Model, frozen=True):
    """One printed section. ``optional``: its missing cells are a warning, not an error."""

    id: str
    number_zh: str
    title_zh: str
    title_en: str
    arrangement: Arrangement
    blocks: tuple[Block, ...]
    title_variants: tuple[str, ...] = ()
    corner_zh: str = ""
    corner_en: str = ""
    basis: str = ""
    optional: bool = False


class Condition(_Model, frozen=True):
    """A rule speaks only if ``term`` is zero or positive."""

    term: str
    is_: Literal["zero", "positive"] = msgspec.field(name="is")


class RuleDeclaration(_Model, frozen=True):
    """A rule family as written in the edition's file; rules.py expands it."""

    id: str
    source: Literal["hierarchy.row_total", "hierarchy.column_sum", "hierarchy.zero_unless", "declared"]
    severity: Severity
    basis: str
    title_zh: str
    title_en: str
    advice_zh: str
    advice_en: str
    table: str = ""
    block: str = ""
    each: Literal["row", "column", ""] = ""
    found: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    relation: Literal["=", ">=", "<="] = "="
    constant: int = 0
    when: Condition | None = None


class Domain(_Model, frozen=True):
    """What a single figure may be: whole, at least ``minimum``."""

    id: str
    kinds: tuple[Kind, ...]
    severity: Severity
    basis: str
    title_zh: str
    title_en: str
    advice_zh: str
    advice_en: str
    whole: bool = False
    minimum: int | None = None


class FormDeclaration(_Model, frozen=True):
    """The file ``forms/<edition>.toml`` as it stands."""

    edition: str
    title_zh: str
    title_en: str
    first_year: int
    basis: str
    regulation: str
    tables: tuple[Table, ...]
    rules: tuple[RuleDeclaration, ...]
    domains: tuple[Domain, ...]
    last_year: int | None = None


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of the form. ``id`` is ``table.row.column``; ``label_zh`` is a person's way to it."""

    id: str
    table: str
    block: str
    row: str
    column: str
    kind: Kind
    unit: str
    label_zh: str
    label_en: str
    total: bool
    optional: bool


class Form(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A loaded edition: its declaration and what follows from it, in the form's own order."""

    edition: str
    declaration: FormDeclaration
    cells: tuple[Cell, ...]
    by_id: dict[str, Cell]
    index: dict[str, int]

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables in printed order."""
        return self.declaration.tables

    def table(self, identifier: str) -> Table:
        """The table with that id. Raises KeyError."""
        for table in self.declaration.tables:
            if table.id == identifier:
                return table
        raise KeyError(identifier)

    def cells_of(self, table: str, block: str = "", row: str = "", column: str = "") -> tuple[Cell, ...]:
        """The cells of a table, narrowed by block, row or column where given."""
        return tuple(
            cell
            for cell in self.cells
            if cell.table == table
            and block in ("", cell.block)
            and row in ("", cell.row)
            and column in ("", cell.column)
        )


def plain_label(label: str) -> str:
    """``label`` without its leading number (``一、``, ``（三）``, ``2.``)."""
    import re

    return re.sub(r"^\s*([一二三四五六七八九十]+、|（[一二三四五六七八九十]+）|\d+[.．、])\s*", "", label)


def short_label(part: Row | Column) -> str:
    """The label as used inside a sentence."""
    return part.short_zh or plain_label(part.label_zh)


def group_path(groups: tuple[Group, ...], identifier: str) -> tuple[Group, ...]:
    """The groups from the outermost to ``identifier``; empty when ``identifier`` is empty."""
    by_id = {group.id: group for group in groups}
    path: list[Group] = []
    while identifier:
        path.insert(0, by_id[identifier])
        identifier = by_id[identifier].parent
    return tuple(path)


def rows_of_group(block: Block, group: str) -> tuple[Row, ...]:
    """The rows below ``group`` at any depth that are not themselves totals."""
    return tuple(
        row
        for row in block.rows
        if not row.total_of and any(g.id == group for g in group_path(block.row_groups, row.group))
    )


def _cells(declaration: FormDeclaration) -> tuple[Cell, ...]:
    cells: list[Cell] = []
    for table in declaration.tables:
        for block in table.blocks:
            for row in block.rows:
                groups = group_path(block.row_groups, row.group)
                row_zh = "".join(f"{group.label_zh} " for group in groups) + row.label_zh
                row_en = "".join(f"{group.label_en} / " for group in groups) + row.label_en
                for column in block.columns:
                    span = group_path(block.column_groups, column.group)
                    column_zh = "".join(f"{group.label_zh}—" for group in span) + column.label_zh
                    cells.append(
                        Cell(
                            id=f"{table.id}.{row.id}.{column.id}",
                            table=table.id,
                            block=block.id,
                            row=row.id,
                            column=column.id,
                            kind=column.kind,
                            unit=column.unit,
                            label_zh=f"{row_zh}｜{column_zh}",
                            label_en=f"{row_en} | {column.label_en}",
                            total=column.total or bool(row.total_of),
                            optional=table.optional,
                        )
                    )
    return tuple(cells)


def _mistakes(declaration: FormDeclaration) -> list[tuple[str, str]]:
    """Inconsistencies as (path, problem)."""
    found: list[tuple[str, str]] = []

    def repeated(path: str, identifiers: list[str]) -> None:
        seen: set[str] = set()
        for position, identifier in enumerate(identifiers):
            if identifier in seen:
                found.append((f"{path}[{position}].id", f"the id {identifier!r} is used twice"))
            seen.add(identifier)

    repeated("$.tables", [table.id for table in declaration.tables])
    repeated("$.rules", [rule.id for rule in declaration.rules])
    repeated("$.domains", [domain.id for domain in declaration.domains])
    for t, table in enumerate(declaration.tables):
        cells: set[tuple[str, str]] = set()
        for b, block in enumerate(table.blocks):
            path = f"$.tables[{t}].blocks[{b}]"
            repeated(f"{path}.rows", [row.id for row in block.rows])
            repeated(f"{path}.columns", [column.id for column in block.columns])
            row_groups = {group.id for group in block.row_groups}
            column_groups = {group.id for group in block.column_groups}
            for r, row in enumerate(block.rows):
                for key, value in (("group", row.group), ("total_of", row.total_of)):
                    if value and value not in row_groups:
                        found.append((f"{path}.rows[{r}].{key}", f"no row group {value!r}"))
                own = [(row.id, column.id) for column in block.columns]
                for twice in (cell for cell in own if cell in cells):  # in an earlier block of the table
                    name = f"{table.id}.{twice[0]}.{twice[1]}"
                    found.append((f"{path}.rows[{r}].id", f"the cell {name!r} is declared twice"))
                cells.update(own)
            for c, column in enumerate(block.columns):
                if column.group and column.group not in column_groups:
                    found.append((f"{path}.columns[{c}].group", f"no column group {column.group!r}"))
            for name, groups in (("row_groups", block.row_groups), ("column_groups", block.column_groups)):
                for g, group in enumerate(groups):
                    earlier = {other.id for other in groups[:g]}
                    if group.parent and group.parent not in earlier:
                        found.append((f"{path}.{name}[{g}].parent", f"no group {group.parent!r} before this one"))
    for r, rule in enumerate(declaration.rules):
        if rule.source == "declared" and not rule.found:
            found.append((f"$.rules[{r}]", "a declared rule names at least one found term"))
        if rule.table and rule.table not in {table.id for table in declaration.tables}:
            found.append((f"$.rules[{r}].table", f"no table {rule.table!r}"))
    return found


def read_form(text: str, file: str) -> Form:
    """An edition from its TOML text. Raises DeclarationError naming ``file`` and line."""
    declaration = read_toml(text, FormDeclaration, file)
    mistakes = _mistakes(declaration)
    if mistakes:
        path, problem = mistakes[0]
        raise DeclarationError(file, line_of(text, path), problem)
    cells = _cells(declaration)
    by_id = {cell.id: cell for cell in cells}
    return Form(
        edition=declaration.edition,
        declaration=declaration,
        cells=cells,
        by_id=by_id,
        index={cell.id: position for position, cell in enumerate(cells)},
    )


@cache
def load_form(edition: str) -> Form:
    """The edition declared in ``schemas/forms/<edition>.toml``. Raises KeyError when there is none."""
    path = FORMS / f"{edition}.toml"
    if not path.is_file():
        raise KeyError(edition)
    return read_form(path.read_text(encoding="utf-8"), path.name)


@cache
def editions() -> tuple[str, ...]:
    """The editions that stand in ``schemas/forms``, oldest first."""
    return tuple(sorted(path.stem for path in FORMS.glob("*.toml")))


def edition_for(year: int) -> str:
    """The edition in force for a report year. Raises KeyError for a year that no edition covers."""
    for edition in reversed(editions()):
        declaration = load_form(edition).declaration
        if declaration.first_year <= year <= (declaration.last_year or year):
            return edition
    raise KeyError(year)
