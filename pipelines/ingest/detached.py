"""Figures that have lost their rows: one of every row of a block stands apart, with a remark that betrays its column.

Tools that turn pages into text do this to a column whose cells hold a remark and so run over two lines: the rows keep
one figure too few, and the column's figures stand before them in order. Belongs here: putting them back where only one
way is left. Does not belong here: rows (align.py) or windows of whole rows (windows.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.ingest.lines import Slot
from pipelines.ingest.normalise import read_value
from pipelines.ingest.plan import RowPlan
from pipelines.ingest.records import Cut, Record


def restored(cut: Cut, placed: Mapping[int, int], rows: Sequence[RowPlan]) -> dict[str, Slot]:
    """The cells of every block of which each row lacks one figure and as many remarked figures stand apart."""
    apart = [n for n in range(len(cut.records)) if n not in placed and _remark(cut.records[n]) is not None]
    if not apart:
        return {}
    found: dict[str, Slot] = {}
    for block in dict.fromkeys(row.block for row in rows):
        members = [n for n, row in enumerate(rows) if row.block == block]
        short = [n for n in sorted(placed) if placed[n] in members and _lacks_one(cut.records[n], rows[placed[n]])]
        if [placed[n] for n in short] != members or len(apart) != len(members):
            continue
        column = _column([_remark(cut.records[n]) or "" for n in apart], rows[members[0]])
        if column is None:
            continue
        for n, lost in zip(short, apart, strict=True):
            slots = list(cut.records[n].run.slots)
            slots.insert(column, cut.records[lost].run.slots[0])
            found |= dict(zip(rows[placed[n]].cells, slots, strict=True))
    return found


def _remark(record: Record) -> str | None:
    """The remark of a record that is one remarked figure without a label; None for any other."""
    slots = record.run.slots
    if record.row is not None or record.label or len(slots) != 1:
        return None
    reading = read_value(slots[0].text)
    return reading.remark if reading.state == "given" and reading.remark else None


def _lacks_one(record: Record, row: RowPlan) -> bool:
    return record.run.numbers == len(record.run.slots) == row.width - 1 > 0


def _column(remarks: Sequence[str], row: RowPlan) -> int | None:
    """The one column of which the remarks speak; None if they speak of none or of several."""
    spoken = {
        column
        for column, words in enumerate(row.remarks)
        for remark in remarks
        if any(word in remark for word in words)
    }
    return spoken.pop() if len(spoken) == 1 else None
