"""Records laid on the rows of a table: by the label beside them, else by the official order and a count that fits.

A record whose label is lost belongs to a row only if the rows between its labelled neighbours are exactly as many as
the records there. Belongs here: the choice of rows. Does not belong here: columns (windows.py), reading (match.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from pipelines.ingest.labels import likeness, meanings_of
from pipelines.ingest.plan import RowPlan
from pipelines.ingest.records import Cut, Record

# A label that is no known spelling must be this much like the row's own, or be a part of it.
ALIKE = 0.7


def suits(record: Record, row: RowPlan) -> bool:
    """Whether an unlabelled record could be this row: enough slots, not too many figures, no stranger's label."""
    if record.crumb or len(record.run.slots) < row.width or record.run.numbers > row.width:
        return False
    if not record.label or meanings_of(record.label):
        return True  # no label, or only that of a group or a head
    if record.label.rstrip()[-1:].isdigit() and not row.label[-1:].isdigit():
        return False  # a separator is lost: the first figure has run into the label, and the others are out of place
    if "\ufffd" in record.label and record.run.numbers < row.width:
        return False  # bytes were lost here, and with them perhaps a figure and its separator
    return likeness(record.label, row.label) >= ALIKE


def align(cut: Cut, rows: Sequence[RowPlan], beside: bool = False) -> dict[int, int]:
    """Record position -> row position. A record that no row can be told for is left out.

    Rows that two records claim are given to neither (match.py takes repeated tables apart before).
    """
    return _unbroken(cut, _laid(cut, rows, beside))


def _unbroken(cut: Cut, placed: dict[int, int]) -> dict[int, int]:
    """``placed`` without records that may hold figures of a neighbour whose label was lost.

    A run that was cut into rows stands or falls as a whole. In vague text a run that ends at a label further down than
    the next row may be two rows with blanks that add up to one.
    """
    kept = dict(placed)
    chains: list[list[int]] = []
    for n, record in enumerate(cut.records):
        if record.follows and chains:
            chains[-1].append(n)
        else:
            chains.append([n])
    for chain in chains:
        rows = [placed.get(member, -1) for member in chain]
        if -1 in rows or any(below != above + 1 for above, below in pairwise(rows)):
            for member in chain:
                kept.pop(member, None)
    if cut.vague:
        for n, row in placed.items():
            until = cut.records[n].until
            if until is not None and until != row + 1:
                kept.pop(n, None)
    return kept


def _laid(cut: Cut, rows: Sequence[RowPlan], beside: bool) -> dict[int, int]:
    records = cut.records
    placed = {n: record.row for n, record in enumerate(records) if record.row is not None and not record.crumb}
    if cut.piled:
        return {}
    claims: dict[int, int] = {}
    for row in placed.values():
        claims[row] = claims.get(row, 0) + 1
    placed = {n: row for n, row in placed.items() if claims[row] == 1}
    if len(placed) == len(records):
        return placed
    whole = _whole(records, rows, placed)
    if whole is not None:
        return whole
    placed |= _between(cut, rows, placed)
    placed |= _by_loose_labels(cut, rows, placed, beside)
    return placed


def _whole(records: Sequence[Record], rows: Sequence[RowPlan], placed: dict[int, int]) -> dict[int, int] | None:
    """As many records as rows, and every label beside a record agrees: then order tells them all."""
    if len(records) != len(rows) or any(n != row for n, row in placed.items()):
        return None
    if all(n in placed or suits(record, rows[n]) for n, record in enumerate(records)):
        return {n: n for n in range(len(records))}
    return None


def _between(cut: Cut, rows: Sequence[RowPlan], placed: dict[int, int]) -> dict[int, int]:
    """Gaps between labelled neighbours whose records are exactly as many as the rows there."""
    records = cut.records
    found: dict[int, int] = {}
    anchors = [(-1, -1), *sorted(placed.items()), (len(records), len(rows))]
    for (left, above), (right, below) in pairwise(anchors):
        gap = right - left - 1
        if gap == 0 or below - above - 1 != gap:
            continue
        between = range(above + 1, below)
        if set(between) & set(placed.values()):
            continue
        pairs = list(zip(range(left + 1, right), between, strict=True))
        if all(suits(records[n], rows[row]) for n, row in pairs) and _agrees(cut, pairs):
            found |= dict(pairs)
    return found


def _agrees(cut: Cut, pairs: list[tuple[int, int]]) -> bool:
    """Whether the labels that stand alone near these records are labels of these rows (or of their neighbours)."""
    rows = [row for _, row in pairs]
    near = {row for n, _ in pairs for row in cut.records[n].before}
    return all(rows[0] - 1 <= row <= rows[-1] + 1 for row in near)


def _by_loose_labels(cut: Cut, rows: Sequence[RowPlan], placed: dict[int, int], beside: bool) -> dict[int, int]:
    """Labels that stand alone in front of their records: one label, one record, again and again; or all labels of the
    table in front of all records.

    Any other succession (records first, a label without a record, some labels gone) leaves it open which record a label
    belongs to. Nor does a text tell anything in which other labels stand on the line of their figures: there a label
    alone has none. ``beside``: the labels stand over one line of figures, so only all of them together tell anything.
    """
    found: dict[int, int] = {}
    taken = set(placed.values())
    labels: list[int] = []
    several = beside
    if cut.orphans or (not cut.streamed and any(cut.records[n].grid < 0 for n in placed)):
        return {}
    for n, record in enumerate(cut.records):
        if n in placed:
            if labels:
                return {}
            continue  # labels that stand alone in front of a labelled record have no records of their own
        if record.before:
            if labels:
                return {}
            labels = list(record.before)
            several = several or len(labels) > 1
            if record.bare and not several:
                return {}  # the label's own figures may have been blank, and these another row's
        if not labels:
            return {}
        row = labels.pop(0)
        if record.crumb:
            if several:
                return {}
            continue
        if row >= len(rows) or row in taken or not suits_width(record, rows[row]):
            return {}
        taken.add(row)
        found[n] = row
    ordered = [row for _, row in sorted((placed | found).items())]
    if labels or ordered != sorted(ordered) or (several and len(ordered) != len(rows)):
        return {}
    return found


def suits_width(record: Record, row: RowPlan) -> bool:
    """Whether the record's slots could hold the row's figures."""
    return len(record.run.slots) >= row.width and record.run.numbers <= row.width
