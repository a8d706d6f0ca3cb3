"""What a table of an edition looks like to the matcher: its rows of figures in printed order, and where heads say so.

Belongs here: row plans derived from the form. Does not belong here: any text of the form (schemas/forms) or of a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import msgspec

from schemas.form import Form, Kind, editions, group_path, load_form


class RowPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One row of figures. ``cells``, ``kinds``, ``units`` and ``remarks`` run over its columns.

    ``groups``: the row groups it lies in. ``total`` is the position of the column that sums the others, -1 where there
    is none.
    """

    id: str
    block: str
    label: str
    columns: tuple[str, ...]
    cells: tuple[str, ...]
    kinds: tuple[Kind, ...]
    units: tuple[str, ...]
    remarks: tuple[tuple[str, ...], ...] = ()
    groups: tuple[str, ...] = ()
    total: int = -1

    @property
    def width(self) -> int:
        """How many figures the row has."""
        return len(self.cells)


class TablePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One table of an edition: its rows in order. ``beside``: the form prints the rows beside one another.

    ``joined``: all rows as one line of figures, as a table that stands side by side prints them. ``size``: how many
    cells the table has. ``positions``: where each row stands among the rows.
    """

    edition: str
    table: str
    rows: tuple[RowPlan, ...]
    beside: bool
    joined: RowPlan
    size: int
    positions: dict[str, int]


def _joined(rows: Sequence[RowPlan]) -> RowPlan:
    return RowPlan(
        id="",
        block=rows[0].block,
        label="",
        columns=tuple(f"{row.id}.{column}" for row in rows for column in row.columns),
        cells=tuple(cell for row in rows for cell in row.cells),
        kinds=tuple(kind for row in rows for kind in row.kinds),
        units=tuple(unit for row in rows for unit in row.units),
    )


@cache
def table_plans() -> dict[tuple[str, str], TablePlan]:
    """The plans of every table by (edition, table); one stated in text may be drawn as a small grid."""
    plans: dict[tuple[str, str], TablePlan] = {}
    for edition in editions():
        form = load_form(edition)
        for table in form.tables:
            plans[edition, table.id] = _plan(form, table.id)
    return plans


def _plan(form: Form, identifier: str) -> TablePlan:
    table = form.table(identifier)
    rows = []
    for block in table.blocks:
        totals = [position for position, column in enumerate(block.columns) if column.total]
        for row in block.rows:
            cells = form.cells_of(identifier, block=block.id, row=row.id)
            rows.append(
                RowPlan(
                    id=row.id,
                    block=block.id,
                    label=row.label_zh,
                    columns=tuple(cell.column for cell in cells),
                    cells=tuple(cell.id for cell in cells),
                    kinds=tuple(cell.kind for cell in cells),
                    units=tuple(cell.unit for cell in cells),
                    remarks=tuple(column.remarks for column in block.columns),
                    groups=tuple(group.id for group in group_path(block.row_groups, row.group)),
                    total=totals[0] if totals else -1,
                )
            )
    return TablePlan(
        edition=form.edition,
        table=identifier,
        rows=tuple(rows),
        beside=table.arrangement == "side_by_side",
        joined=_joined(rows),
        size=sum(row.width for row in rows),
        positions={row.id: position for position, row in enumerate(rows)},
    )
