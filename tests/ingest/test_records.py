"""Lines and streams cut into records: what the labels name, what stands alone, and what is no record."""

from __future__ import annotations

from pipelines.ingest.document import Document, Grid, Paragraph, TextCell
from pipelines.ingest.lines import Slot, flatten, stream
from pipelines.ingest.match import Reading, _better, _crowded, _lonely, _lossy, _said
from pipelines.ingest.plan import table_plans
from pipelines.ingest.records import Cut, Record, by_lines, by_stream
from pipelines.ingest.windows import Run
from tests.ingest.test_windows_align import row, run

PLAN = table_plans()["2021", "proactive"]
BLOCK = [each for each in PLAN.rows if each.block == PLAN.rows[0].block]
FIRST, SECOND = BLOCK[0], BLOCK[1]


def grid(*rows: list[str]) -> Document:
    cells = tuple(TextCell(row=y, column=x, text=text) for y, texts in enumerate(rows) for x, text in enumerate(texts))
    return Document(format="html", items=(Grid(cells=cells),))


def lines(*texts: str) -> Document:
    return Document(format="text", items=tuple(Paragraph(text=text) for text in texts))


def seen(cut: Cut) -> list[tuple[int | None, str, tuple[int, ...]]]:
    return [(each.row, " ".join(s.text or "." for s in each.run.slots), each.before) for each in cut.records]


def test_a_row_of_a_grid_is_a_record() -> None:
    cut = by_lines(flatten(grid([FIRST.label, "1", "2", "3"], [SECOND.label, "", "5", ""])), PLAN, BLOCK)
    assert seen(cut) == [(0, "1 2 3", ()), (1, ". 5 .", ())]
    first = cut.records[0]
    assert (first.grid, first.line, first.label, first.crumb, first.follows, first.until) == (
        (0, 0, FIRST.label, False, False, None)
    )
    assert cut.records[1].line == 1
    assert first.run.drawn
    assert first.run.straight


def test_a_label_with_blanks_alone_is_a_row_only_where_they_fill_it() -> None:
    assert seen(by_lines(flatten(grid([FIRST.label, "", "", ""])), PLAN, BLOCK)) == [(0, ". . .", ())]
    short = by_lines(flatten(grid([FIRST.label, "", ""], ["1", "2", "3"])), PLAN, BLOCK)
    assert seen(short) == [(None, "1 2 3", (0,))]  # the label stands alone in front of figures


def test_labels_wait_for_their_figures() -> None:
    cut = by_lines(flatten(grid([FIRST.label], [SECOND.label], ["1", "2", "3"], ["4", "5", "6"])), PLAN, BLOCK)
    assert seen(cut) == [(None, "1 2 3", (0, 1)), (None, "4 5 6", ())]
    assert not cut.records[0].run.straight


def test_a_label_in_pieces_is_one_label() -> None:
    head, tail = SECOND.label[:3], SECOND.label[3:]
    assert seen(by_lines(flatten(grid([head], [tail], ["1", "2", "3"])), PLAN, BLOCK)) == [(None, "1 2 3", (1,))]
    prose = by_lines(flatten(lines(head, "一、别的事情", tail, "1 2 3")), PLAN, BLOCK)
    assert seen(prose) == [(None, "1 2 3", ())]  # a heading between them parts them


def test_a_crumb_shows_only_that_something_stood_there() -> None:
    cut = by_lines(flatten(grid([FIRST.label, "1"])), PLAN, BLOCK)
    assert [(each.row, each.crumb) for each in cut.records] == [(0, True)]
    assert by_lines(flatten(grid(["", ""])), PLAN, BLOCK).records == ()


def test_a_stream_runs_from_label_to_label() -> None:
    slots = stream(flatten(lines(FIRST.label, "1", "2", "3", SECOND.label, "4", "5", "6")))
    cut = by_stream(slots, PLAN, BLOCK, vague=True)
    assert seen(cut) == [(0, "1 2 3", ()), (1, "4 5 6", ())]
    assert cut.records[0].until == 1
    assert (cut.vague, cut.streamed, cut.piled) == (True, True, False)
    assert {(each.grid, each.line) for each in cut.records} == {(-1, -1)}


def test_figures_without_labels_are_cut_by_the_width_of_rows() -> None:
    cut = by_stream(stream(flatten(lines("1", "2", "3", "4", "5", "6"))), PLAN, BLOCK, vague=True)
    assert [(text, each.follows) for (_, text, _), each in zip(seen(cut), cut.records, strict=True)] == [
        ("1 2 3", False),
        ("4 5 6", True),
    ]
    odd = by_stream(stream(flatten(lines("1", "2", "3", "4", "5"))), PLAN, BLOCK, vague=True)
    assert [text for _, text, _ in seen(odd)] == ["1 2 3 4 5"]


# --- choices of the matcher ---------------------------------------------------------------------------------


def test_figures_that_stand_alone_or_close_together() -> None:
    (alone,), (pair,) = flatten(grid(["5"])), flatten(grid(["5", "6"]))
    assert _lonely(alone)
    assert not _lonely(pair)
    assert not _lonely(flatten(grid(["规章"]))[0])
    (one,), (two,), (barred,) = (flatten(lines(text)) for text in ("5", "5 6", "5|6"))
    assert _lonely(one)
    assert _lonely(two)
    assert [_crowded(line) for line in (alone, pair, one, two, barred)] == [False, False, False, True, False]
    assert not _crowded(flatten(lines("规章 5"))[0])


def test_runs_that_are_too_short_make_a_table_lossy() -> None:
    def cut(named: int | None, text: str, crumb: bool = False) -> Cut:
        return Cut((Record(row=named, label="", run=run(text), crumb=crumb),))

    rows = [row(), row()]
    assert _lossy(cut(0, "1 2 . 6"), rows)
    assert not _lossy(cut(0, "1 2 3 6"), rows)
    assert not _lossy(cut(0, ". . . ."), rows)
    assert not _lossy(cut(None, "1 2 . 6"), rows)
    assert _lossy(cut(None, "1", crumb=True), rows)


def test_of_two_readings_the_fuller_counts_and_what_differs_counts_in_neither() -> None:
    def reading(**cells: str) -> Reading:
        return Reading(PLAN, {name: run(text).slots[0] for name, text in cells.items()}, found=True)

    full, part = reading(a="1", b="2"), reading(a="1")
    assert _better(full, part) is full
    assert _better(part, full) is full
    assert _better(full, Reading(PLAN, {})) is full
    assert _better(Reading(PLAN, {}), full) is full
    other = _better(full, reading(a="7"))
    assert (set(other.cells), other.clash) == ({"b"}, ("a",))
    twin = reading(a="1", b="2")
    assert _better(full, twin) is full  # of equals the first
    assert _said(run("5").slots[0]) == "5"
    assert Run(()).numbers == 0
    empty, found = Reading(PLAN, {}), Reading(PLAN, {}, found=True)
    assert _better(found, empty) is found
    assert _better(empty, found) is found


def test_what_is_not_said_of_a_record_is_so() -> None:
    bare = Record(row=None, label="", run=run("1"))
    assert (bare.before, bare.grid, bare.line, bare.until, bare.follows, bare.crumb) == ((), -1, -1, None, False, False)
    cut = Cut(())
    assert (cut.vague, cut.streamed, cut.orphans, cut.piled) == (False, False, 0, False)
    assert Slot(text="", at="", kind="empty").columns == 1
    assert Slot(text="", at="", kind="empty").column == 0
