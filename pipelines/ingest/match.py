"""The ONE place where a document of any origin is laid on the form.

A table is found by its labels, its edition told by the labels that only one edition has, its rows by their labels or
by order and count (align.py), its columns by the heads of a drawn grid (geometry.py) or by counting (windows.py).
A figure is assigned only when one assignment is left; everything else stays unread and a finding says so.

Belongs here: the regions of tables, the choice among editions, cuts and repeated tables, the cells and findings.
Does not belong here: numbers (normalise.py), sentences (claims.py), labels or cell lists (schemas/forms).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from pipelines.ingest.align import align
from pipelines.ingest.detached import restored
from pipelines.ingest.document import Document, Grid
from pipelines.ingest.geometry import Geometry, columns_below, columns_beside, heads_above, slots_at, survey
from pipelines.ingest.labels import only_in, table_named
from pipelines.ingest.lines import Line, Slot, grids_of, stream
from pipelines.ingest.normalise import read_value
from pipelines.ingest.plan import RowPlan, TablePlan, table_plans
from pipelines.ingest.records import Cut, Record, by_lines, by_stream
from pipelines.ingest.torn import mended
from pipelines.ingest.windows import Patterns, balanced, begin_of_full, learn, place
from pipelines.layout import MARK_PRODUCT
from schemas.form import edition_for, editions
from schemas.intake import ReadCell

Cells = dict[str, Slot]


class Reading(msgspec.Struct, frozen=True):
    """One way of reading one table: its cells, rows of figures that no row of the form could be told for, the plan.

    ``clash``: cells that two tables of the file state differently. ``patterns``: where its figures lie.
    """

    plan: TablePlan
    cells: Cells
    stray: int = 0
    clash: tuple[str, ...] = ()
    patterns: Patterns = Patterns()
    found: bool = False


class Match(msgspec.Struct, frozen=True):
    """A document laid on the form. ``readings``: table id -> how it was read; tables without a trace are absent.

    ``certain``: tables whose edition their own labels tell.
    """

    readings: dict[str, Reading]
    certain: frozenset[str] = frozenset()

    @property
    def form(self) -> dict[str, str]:
        """The edition of each table of which something was read."""
        return {table: reading.plan.edition for table, reading in self.readings.items() if reading.cells}

    def cells(self) -> tuple[ReadCell, ...]:
        """Everything read, in the form's order."""
        return tuple(
            read_cell(cell, slot, kind, unit)
            for reading in self.readings.values()
            for row in reading.plan.rows
            for cell, kind, unit in zip(row.cells, row.kinds, row.units, strict=True)
            if (slot := reading.cells.get(cell)) is not None
        )


def read_cell(cell: str, slot: Slot, kind: str, unit: str) -> ReadCell:
    """One slot as a cell of the form; its text verbatim, None for an empty one."""
    if slot.formula:
        return ReadCell(cell=cell, value=None, raw=slot.text or None, state="formula", at=slot.at)
    reading = read_value(slot.text, kind, unit, slot.number)
    raw = slot.text if slot.text.strip() else slot.number
    return ReadCell(cell=cell, value=reading.value, raw=raw or None, state=reading.state, at=slot.at)


def match(document: Document, lines: Sequence[Line], year: int | None) -> Match:
    """Lay a document on the form. ``lines``: the document flattened (lines.py).

    ``year``: the report year if the document states one; it only breaks ties between editions that a table's own labels
    do not tell apart. Never raises.
    """
    regions = find_regions(mended(lines) if document.format == "pdf" else lines)
    grids = grids_of(document)
    surveys: dict[int, Geometry] = {}
    own = document.marks.get("product") == MARK_PRODUCT
    readings: dict[str, Reading] = {}
    told: list[str] = []
    certain: set[str] = set()
    borrowed = Patterns()
    tables = [table for edition, table in table_plans() if edition == editions()[-1]]
    for table in tables:
        region = regions.get(table)
        if not region:
            continue
        order = _preference(table, told, year)
        order = tuple(edition for edition in order if (edition, table) in table_plans())
        desk = Desk(grids, surveys, own, borrowed)
        marks = [_exclusive(region, edition, table) for edition in order]
        likely = [edition for edition, mark in zip(order, marks, strict=True) if mark == max(marks)]
        candidates = [read_region(region, table_plans()[edition, table], desk) for edition in likely]
        best, sure = _choose(candidates)
        if best.found or best.cells:
            readings[table] = best
        if best.cells and sure and len(order) > 1:
            told.append(best.plan.edition)
            certain.add(table)
        if best.patterns.behind is not None:
            borrowed = Patterns(behind=best.patterns.behind)
    return Match(readings, frozenset(certain))


def _choose(candidates: Sequence[Reading]) -> tuple[Reading, bool]:
    """The reading to believe, and whether the table itself tells its edition.

    ``candidates``: readings by the editions that have the most labels of their own in it. A single one is decided;
    else the one edition that the table fills completely; else only the cells count that every edition reads alike,
    under the edition that comes first.
    """
    if len(candidates) == 1:
        return candidates[0], True
    full = [reading for reading in candidates if len(reading.cells) == reading.plan.size]
    if len(full) == 1:
        return full[0], True
    some = [reading for reading in candidates if reading.cells]
    if not some:
        return candidates[0], False
    return msgspec.structs.replace(some[0], cells=_alike(some[0], candidates)), False


def _alike(first: Reading, tied: Sequence[Reading]) -> Cells:
    """The cells that may be believed although the edition is open: rows that are the same row in every edition."""
    rows = [{row.id: row.cells for row in other.plan.rows} for other in tied]
    same = {row.id for row in first.plan.rows if all(other.get(row.id) == row.cells for other in rows)}
    return {
        cell: slot
        for row in first.plan.rows
        if row.id in same
        for cell in row.cells
        if (slot := first.cells.get(cell)) is not None and all(other.cells.get(cell, slot) == slot for other in tied)
    }


def _preference(table: str, told: Sequence[str], year: int | None) -> tuple[str, ...]:
    """Editions, the likeliest first: that of the document's other tables, that of its year, the newest.

    A table that is the same in every edition follows the year alone.
    """
    plans = [plan for (_, name), plan in table_plans().items() if name == table]
    alike = len({tuple(row.cells for row in plan.rows) for plan in plans}) == 1
    first = [] if alike and year is not None else list(dict.fromkeys(reversed(told)))
    if year is not None:
        with suppress(KeyError):
            first.append(edition_for(year))
    return tuple(dict.fromkeys([*first, *reversed(editions())]))


def find_regions(lines: Sequence[Line]) -> dict[str, tuple[Line, ...]]:
    """The lines of each table: from a label that only that table has to one of another table or another section."""
    regions: dict[str, list[Line]] = {}
    current = ""
    for line in lines:
        labels = (slot.text for slot in line.slots if slot.kind == "label")
        tables = Counter(table for label in labels if (table := table_named(label)))
        if tables:
            [(current, _)] = tables.most_common(1)  # of equals the first
        elif line.section:
            current = ""
        if current:
            regions.setdefault(current, []).append(line)
    return {table: tuple(found) for table, found in regions.items()}


def _exclusive(region: Sequence[Line], edition: str, table: str) -> int:
    """How many different labels of the region belong to this edition alone."""
    labels = {slot.text for line in region for slot in line.slots if slot.kind == "label"}
    return len({only_in(text, edition, table) for text in labels} - {None})


class Desk(msgspec.Struct, frozen=True):
    """What reading a region needs of the document: its grids, their surveys so far, whether the workbook is ours."""

    grids: Sequence[Grid]
    surveys: dict[int, Geometry]
    own: bool
    borrowed: Patterns

    def geometry(self, grid: int) -> Geometry:
        """The survey of a grid, made once."""
        if grid not in self.surveys:
            self.surveys[grid] = survey(self.grids[grid])
        return self.surveys[grid]


def read_region(region: tuple[Line, ...], plan: TablePlan, desk: Desk) -> Reading:
    """The best reading of a region: row by row where lines are rows, as a stream otherwise."""
    ways: list[tuple[RowPlan, ...]] = [(plan.joined,), plan.rows] if plan.beside else [plan.rows]
    best = Reading(plan, {})
    for rows in ways:
        reading = _read_cut(by_lines(region, plan, rows), plan, rows, desk)
        best = _better(best, reading)
        if len(best.cells) == plan.size:
            return best
    if plan.beside and not best.cells:
        best = _better(best, _blank(region, plan, desk))
    if not any(_lonely(line) for line in region) or any(_crowded(line) for line in region):
        return best
    slots = stream(region)
    vague = any(not line.raw and line.grid < 0 and line.slots and line.slots[0].kind == "value" for line in region)
    for rows in ways:
        best = _better(best, _read_cut(by_stream(slots, plan, rows, vague), plan, rows, desk))
    return best


def _blank(region: tuple[Line, ...], plan: TablePlan, desk: Desk) -> Reading:
    """The line of figures below the heads of a table that stands beside itself, if it is drawn and wholly blank.

    Such a line has neither a label nor a figure by which it could be known; its place below the heads tells.
    """
    found: list[Cells] = []
    for grid in dict.fromkeys(line.grid for line in region if line.grid >= 0):
        geometry = desk.geometry(grid)
        rows = [
            head.row
            for head in geometry.heads
            if head.meaning.table == plan.table and head.meaning.edition == plan.edition
        ]
        columns = columns_beside(geometry, plan, max(rows) + 1) if rows else None
        slots = slots_at(geometry, columns, max(rows) + 1) if columns else None
        if slots and all(slot is not None and slot.kind == "empty" for slot in slots):
            found.append({cell: slot for cell, slot in zip(plan.joined.cells, slots, strict=True) if slot is not None})
    return Reading(plan, found[0]) if len(found) == 1 else Reading(plan, {})


def _lonely(line: Line) -> bool:
    """Whether a figure stands where the ends of lines may mean nothing: in running text, or alone in a grid's row."""
    figures = any(slot.kind == "value" for slot in line.slots)
    return figures and (line.grid < 0 or len(line.slots) == 1)


def _crowded(line: Line) -> bool:
    """Whether a line of text without separators has several figures: then its end ends a row."""
    return line.grid < 0 and not line.raw and sum(slot.kind == "value" for slot in line.slots) > 1


def _better(one: Reading, other: Reading) -> Reading:
    """The reading with more cells; where both read a cell and differ, neither may be believed for it."""
    if not one.cells and not other.cells:
        return one if one.found >= other.found else other
    first, second = (one, other) if len(one.cells) >= len(other.cells) else (other, one)
    differ = [
        cell for cell in first.cells if cell in second.cells and first.cells[cell].text != second.cells[cell].text
    ]
    if not differ:
        return first
    kept = {cell: slot for cell, slot in first.cells.items() if cell not in differ}
    return msgspec.structs.replace(first, cells=kept, clash=tuple(dict.fromkeys([*first.clash, *differ])))


def _read_cut(cut: Cut, plan: TablePlan, rows: Sequence[RowPlan], desk: Desk) -> Reading:
    """Read every table of the cut and put them together; cells on which two disagree are left out."""
    parts = [_read_instance(part, plan, rows, desk) for part in _instances(cut)]
    best, *others = sorted(parts, key=lambda part: -len(part.cells))
    cells, clash = dict(best.cells), list(best.clash)
    for other in others:
        if 2 * len(other.cells) >= len(best.cells):  # a few figures in another setting are no second return
            differ = [cell for cell, slot in other.cells.items() if cell in cells and _said(slot) != _said(cells[cell])]
            clash += differ
            cells = {cell: slot for cell, slot in cells.items() if cell not in differ}
    return msgspec.structs.replace(best, cells=cells, clash=tuple(clash))


def _said(slot: Slot) -> str:
    return slot.number or slot.text.strip()


def _instances(cut: Cut) -> list[Cut]:
    """The records of each table where a file has several: a labelled row that comes again begins the next."""
    parts: list[list[Record]] = [[]]
    seen: set[int] = set()
    for record in cut.records:
        if record.row is not None and record.row in seen:
            parts.append([])
            seen.clear()
        if record.row is not None:
            seen.add(record.row)
        parts[-1].append(record)
    return [msgspec.structs.replace(cut, records=tuple(part)) for part in parts]


def _read_instance(cut: Cut, plan: TablePlan, rows: Sequence[RowPlan], desk: Desk) -> Reading:
    """One table: rows by align, columns by the drawn heads where they hold, by windows where they do not."""
    placed = align(cut, rows, plan.beside)
    joined = plan.beside and len(rows) == 1
    if joined and not placed:
        fitting = [n for n, record in enumerate(cut.records) if len(record.run.slots) >= rows[0].width]
        placed = {fitting[0]: 0} if len(fitting) == 1 else {}
    drawn = _drawn(cut, placed, plan, rows, desk)
    depths = len({len(row.groups) for row in rows})
    runs = {n: (cut.records[n].run, rows[row]) for n, row in placed.items()}
    patterns = learn((run for n, run in runs.items() if n not in drawn), depths)
    patterns = msgspec.structs.replace(patterns, full=begin_of_full(runs.values()))
    cells: Cells = {}
    lossy = cut.vague and _lossy(cut, rows)
    for n, row in placed.items():
        if lossy and not balanced(cut.records[n].run, rows[row]):
            continue
        slots: Sequence[Slot | None] | None = drawn.get(n)
        if slots is None:
            slots = place(cut.records[n].run, rows[row], patterns, desk.borrowed)
        for cell, slot in zip(rows[row].cells, slots or (), strict=False):
            if slot is not None and slot.rows == 1:  # a figure merged over rows is nobody's
                cells[cell] = slot
    if not joined:
        cells |= restored(cut, placed, rows)
    stray = sum(n not in placed and record.run.numbers > 0 and not record.crumb for n, record in enumerate(cut.records))
    return Reading(plan, cells, stray, (), patterns, bool(cut.records))


def _lossy(cut: Cut, rows: Sequence[RowPlan]) -> bool:
    """Whether some run is too short: blanks have vanished, so other runs may have been filled up by strange figures."""
    return any(
        record.crumb or (record.row is not None and 0 < record.run.numbers < rows[record.row].width)
        for record in cut.records
    )


def _drawn(
    cut: Cut, placed: Mapping[int, int], plan: TablePlan, rows: Sequence[RowPlan], desk: Desk
) -> dict[int, tuple[Slot | None, ...]]:
    """The slots of records below the heads of their grid. One figure outside the columns refutes the heads of its
    block in that grid: then none of them count."""
    found: dict[int, tuple[Slot | None, ...]] = {}
    refuted: set[tuple[int, str]] = set()
    known: dict[tuple[int, str, tuple[str, ...], int], tuple[int, ...] | None] = {}
    for n, position in placed.items():
        record, row = cut.records[n], rows[position]
        if record.grid < 0:
            continue
        geometry = desk.geometry(record.grid)
        if plan.beside and len(rows) == 1:
            columns = columns_beside(geometry, plan, record.line)
        else:
            key = (record.grid, row.block, row.columns, heads_above(geometry, plan, row, record.line))
            if key not in known:
                known[key] = columns_below(geometry, plan, row, record.line)
            columns = known[key]
        if columns is None:
            continue
        slots = slots_at(geometry, columns, record.line)
        if slots is None or any(slot is None for slot in slots):
            continue
        spread = {slot.column for slot in slots if slot is not None}
        outside = [slot.column for slot in record.run.slots if slot.kind == "value" and slot.column not in spread]
        if outside and not (desk.own and min(outside) > max(spread)):
            refuted.add((record.grid, row.block))
        found[n] = slots
    return {n: slots for n, slots in found.items() if (cut.records[n].grid, rows[placed[n]].block) not in refuted}
