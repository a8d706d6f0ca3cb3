"""Lines or a stream cut into records: the label texts of a row and the slots of its figures.

Two ways to cut. By lines, a row of a grid (or a line with bars) is one record; by stream, a record runs from one label
to the next whatever the line ends, for text that has one cell a line. Belongs here: the cutting, and what rows the
labels name. Does not belong here: choosing among rows (align.py), choosing among slots (windows.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from pipelines.ingest.lines import Line, Slot, label_meanings, may_be, row_named
from pipelines.ingest.plan import RowPlan, TablePlan
from pipelines.ingest.windows import Run

# So many pieces may spell one label, each on a line of its own.
MOST_PIECES = 4


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One row of figures as it stands.

    ``row``: the position of the row that the label beside it names, None where there is no such label. ``label``: the
    text beside it. ``before``: rows whose labels stand alone between the record before and this one, in order.
    ``grid`` and ``line``: where it lies in a grid, -1 in text. ``until``: in a stream, the row that the label behind it
    names or begins, or their number where the table ends, None for words. ``follows``: it was cut off the record before
    without a label between.
    ``crumb``: too short for any row of the table; it only shows that something stood there. ``bare``: a line of text
    without separators, in which a blank leaves no trace.
    """

    row: int | None
    label: str
    run: Run
    before: tuple[int, ...] = ()
    grid: int = -1
    line: int = -1
    until: int | None = None
    follows: bool = False
    crumb: bool = False
    bare: bool = False


class Cut(msgspec.Struct, frozen=True):
    """All records of a table in reading order.

    ``streamed``: cut by labels, not by lines. ``vague``: an empty cell leaves no trace in such text, so a count of
    figures may deceive. ``orphans``: how many labels have no figures before the next block begins; ``piled``: most have
    none, so that the one in front of some figures may be the last of a pile.
    """

    records: tuple[Record, ...]
    vague: bool = False
    streamed: bool = False
    orphans: int = 0
    piled: bool = False


class _Cutter:
    """Collects labels and runs for one table of one edition."""

    def __init__(self, plan: TablePlan, rows: Sequence[RowPlan]) -> None:
        self.plan = plan
        self.joined = plan.beside and len(rows) == 1  # one line of figures under several labels: none names it
        self.widths = tuple(sorted({row.width for row in rows}))
        self.records: list[Record] = []
        self.before: list[int] = []
        self.orphans = 0
        self.texts: list[str] = []

    def row_of(self, text: str) -> int | None:
        """The row that a text names in this table."""
        row = row_named(text, self.plan.edition, self.plan.table)
        return self.plan.positions[row] if row else None

    def alone(self, row: int | None, text: str) -> int | None:
        """``row`` for a label without figures; None if the same text heads a column (其他, 总计) and may mean that."""
        return None if may_be(text, "column", self.plan.table) else row

    def blank(self, row: int, text: str, slots: Sequence[Slot]) -> bool:
        """Whether a label with nothing but empty slots behind it is a row left blank: heads look the same."""
        empty = all(slot.kind == "empty" for slot in slots) and len(slots) >= self.plan.rows[row].width
        return empty and not self.plan.beside and self.alone(row, text) is not None

    def words(self, slot: Slot) -> None:
        """A label or words without figures yet. Several pieces may spell one row's label."""
        if may_be(slot.text, "head", self.plan.table):
            self.orphans += len(self.before)  # a new block begins: labels without figures above it have none
            self.before.clear()
        row = self.alone(self.row_of(slot.text), slot.text)
        self.texts.append(slot.text)
        for pieces in range(2, min(MOST_PIECES, len(self.texts)) + 1):
            if row is None:
                row = self.row_of("".join(self.texts[-pieces:]))
        if row is not None:
            self.before.append(row)
            self.texts.clear()

    def begins(self, text: str) -> int | None:
        """The first row behind a label: its own, or the first of its group or block."""
        for meaning in label_meanings(text):
            if meaning.table != self.plan.table or meaning.edition != self.plan.edition:
                continue
            if meaning.kind == "row":
                return self.plan.positions[meaning.id]
            if meaning.kind == "row_group":
                return next(n for n, row in enumerate(self.plan.rows) if meaning.id in row.groups)
            if meaning.kind == "head":
                return next(n for n, row in enumerate(self.plan.rows) if row.block == meaning.id)
        return None

    def add(
        self,
        row: int | None,
        label: str,
        run: Run,
        *,
        grid: int = -1,
        line: int = -1,
        until: int | None = None,
        follows: bool = False,
        bare: bool = False,
    ) -> None:
        """A run of figures with the label beside it."""
        if not run.numbers and row is None:
            return
        crumb = False
        if len(run.slots) < self.widths[0]:
            if not run.numbers:
                return
            crumb = True
        self.records.append(
            Record(
                row=row,
                label=label,
                run=run,
                before=tuple(self.before),
                grid=grid,
                line=line,
                until=until,
                follows=follows,
                crumb=crumb,
                bare=bare,
            )
        )
        self.before.clear()
        self.texts.clear()

    def done(self, *, vague: bool = False, streamed: bool = False) -> Cut:
        labelled = sum(record.row is not None for record in self.records)
        piled = vague and self.orphans > labelled
        return Cut(tuple(self.records), vague, streamed, self.orphans, piled)


def by_lines(lines: Iterable[Line], plan: TablePlan, rows: Sequence[RowPlan]) -> Cut:
    """Every line of a grid or text as a record of its own, two when two labels with figures stand on it."""
    cutter = _Cutter(plan, rows)
    for line in lines:
        if line.prose or line.section:
            cutter.texts.clear()
            continue
        slots = line.slots
        named = [(n, cutter.row_of(slot.text)) for n, slot in enumerate(slots) if slot.kind == "label"]
        labels = [] if cutter.joined else [(n, row) for n, row in named if row is not None]
        if labels:
            _labelled(line, labels, cutter)
        else:
            _unlabelled(line, cutter)
    return cutter.done()


def _labelled(line: Line, labels: list[tuple[int, int]], cutter: _Cutter) -> None:
    slots = line.slots
    ahead = slots[: labels[0][0]]
    if sum(slot.kind == "value" for slot in ahead) > 1:
        _emit(line, None, "", ahead, cutter)
    else:  # a single figure in front is a serial number
        for slot in ahead:
            if slot.kind in ("label", "words"):
                cutter.words(slot)
    ends = [n for n, _ in labels[1:]] + [len(slots)]
    for (start, row), end in zip(labels, ends, strict=True):
        body = slots[start + 1 : end]
        figures = any(slot.kind == "value" for slot in body)
        blank = cutter.blank(row, slots[start].text, body)
        remarks = any(slot.kind == "words" for slot in body) and line.grid >= 0
        if figures or remarks or (blank and end == len(slots)):
            _emit(line, row, slots[start].text, body, cutter)
        else:
            cutter.words(slots[start])
            for slot in body:
                if slot.kind in ("label", "words"):
                    cutter.words(slot)


def _unlabelled(line: Line, cutter: _Cutter) -> None:
    """A line without a known row label: words in front, figures behind."""
    slots = line.slots
    first = next((n for n, slot in enumerate(slots) if slot.kind == "value"), None)
    if first is None:
        for slot in slots:
            if slot.kind in ("label", "words"):
                cutter.words(slot)
        return
    text = ""
    start = 0
    for n, slot in enumerate(slots[:first]):
        if slot.kind in ("label", "words"):
            cutter.words(slot)
            text, start = slot.text, n + 1
    pieces = [slot.text for slot in slots[:first] if slot.kind in ("label", "words")]
    row = cutter.row_of("".join(pieces)) if len(pieces) > 1 and not cutter.joined else None
    _emit(line, row, text, slots[start:], cutter)


def _emit(line: Line, row: int | None, label: str, slots: Sequence[Slot], cutter: _Cutter) -> None:
    # Only its own label shows where a row's figures begin; between a group's label and them another may be lost.
    own = row is not None or (bool(label) and not label_meanings(label))
    run = Run(tuple(slots), drawn=line.grid >= 0, straight=own)
    cutter.add(row, label, run, grid=line.grid, line=line.row, bare=line.grid < 0 and not line.raw)


def by_stream(slots: Sequence[Slot], plan: TablePlan, rows: Sequence[RowPlan], vague: bool) -> Cut:
    """Runs between labels, line ends ignored. A long run of figures alone is cut into rows of equal width.

    ``vague``: the text has no separators, so empty cells have vanished from it.
    """
    cutter = _Cutter(plan, rows)
    pending: list[Slot] = []
    row: int | None = None
    label = ""

    def close(behind: int | None) -> None:
        nonlocal row, label
        named, text = row, label
        row, label = None, ""
        if not any(slot.kind == "value" for slot in pending):
            if named is not None and cutter.blank(named, text, pending):
                cutter.add(named, text, Run(tuple(pending)), until=behind)
            elif named is not None and cutter.alone(named, text) is not None:
                cutter.before.append(named)
            pending.clear()
            return
        parts = _chopped(pending, cutter.widths)
        if (vague or len(parts) > 1) and named is not None and cutter.before:
            cutter.before.append(named)  # the last of several labels that stand in front of their rows
            named, text = None, ""
        for n, part in enumerate(parts):
            run = Run(tuple(part), straight=named is not None or bool(text))
            cutter.add(named, text, run, until=behind if n == len(parts) - 1 else None, follows=n > 0)
            named, text = None, ""
        pending.clear()

    for slot in slots:
        if slot.kind in ("value", "empty"):
            pending.append(slot)
            continue
        found = cutter.row_of(slot.text)
        close(cutter.begins(slot.text))
        if found is not None and not cutter.joined:
            row, label = found, slot.text
            cutter.texts.clear()
        else:
            known = len(cutter.before)
            cutter.words(slot)
            label = slot.text if slot.kind == "words" else ""
            if (
                len(cutter.before) > known and not cutter.joined
            ):  # the pieces so far spell a row's label: figures may follow directly
                row, label = cutter.before.pop(), slot.text
    close(len(plan.rows))  # the table ends here: whatever rows are left had no labels
    return cutter.done(vague=vague, streamed=True)


def _chopped(slots: list[Slot], widths: tuple[int, ...]) -> list[list[Slot]]:
    """A run of several full rows without labels between them, as rows; only where all rows have one width."""
    figures = [slot for slot in slots if slot.kind != "empty"]
    width = widths[0]
    full = all(slot.kind == "empty" for slot in slots[len(figures) :])
    if full and len(widths) == 1 and len(figures) > width and len(figures) % width == 0:
        return [figures[n : n + width] for n in range(0, len(figures), width)]
    return [slots]
