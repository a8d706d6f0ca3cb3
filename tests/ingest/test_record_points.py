"""Records and the rows they are: one small case for each fine point."""

from __future__ import annotations

from pipelines.ingest.document import Document, Paragraph
from pipelines.ingest.lines import flatten, stream
from pipelines.ingest.plan import RowPlan, TablePlan
from pipelines.ingest.records import Record, by_lines, by_stream
from pipelines.ingest.windows import begin_of_full
from tests.ingest.points import DISPUTES, FORM, LABELS, REQUESTS
from tests.ingest.test_records import FIRST, PLAN, SECOND, grid, lines, seen
from tests.ingest.test_windows_align import ROWS, align, cut, record, row, run, suits

# --- records ------------------------------------------------------------------------------------------------

HEADS = [block.head_zh for block in FORM.table("proactive").blocks]


def test_labels_above_the_head_of_another_block_have_no_figures() -> None:
    def orphans(*rows: list[str]) -> int:
        return by_lines(flatten(grid(*rows)), PLAN, PLAN.rows).orphans

    assert orphans([FIRST.label], ["1", "2", "3"]) == 0
    assert orphans([FIRST.label], [HEADS[1]], ["1", "2", "3"]) == 1
    assert orphans([FIRST.label], [SECOND.label], [HEADS[1]], ["1", "2", "3"]) == 2
    assert orphans([FIRST.label, HEADS[1]], ["1", "2", "3"]) == 1
    cut = by_lines(flatten(grid([FIRST.label], [HEADS[1]], ["1", "2", "3"])), PLAN, PLAN.rows)
    assert seen(cut) == [(None, "1 2 3", ())]  # nor do they wait for the next block's
    assert (cut.vague, cut.streamed, cut.piled) == (False, False, False)


def test_labels_are_piled_where_more_stand_alone_than_beside_figures() -> None:
    def piled(*texts: str, vague: bool = True) -> bool:
        return by_stream(stream(flatten(lines(*texts))), PLAN, PLAN.rows, vague=vague).piled

    pile = (FIRST.label, SECOND.label, HEADS[1])
    third, fourth = PLAN.rows[2], PLAN.rows[3]
    assert piled(*pile, third.label, "7")
    assert not piled(*pile, third.label, "7", vague=False)  # elsewhere a blank leaves its cell
    assert not piled(*pile, third.label, "7", HEADS[2], fourth.label, "8")  # as many beside figures


def test_the_last_of_several_labels_in_front_of_figures_is_one_of_them() -> None:
    def streamed(*texts: str, plan: TablePlan = PLAN, vague: bool = True) -> list[Record]:
        return list(by_stream(stream(flatten(lines(*texts))), plan, plan.rows[:2], vague=vague).records)

    figures = ("1", "2", "3")
    [one] = streamed(FIRST.label, SECOND.label, *figures)
    assert (one.row, one.before, one.run.straight) == (None, (0, 1), False)
    [sure] = streamed(FIRST.label, SECOND.label, *figures, vague=False)  # there a blank would leave its cell
    assert (sure.row, sure.before, sure.run.straight) == (1, (0,), True)
    [own] = streamed(SECOND.label, *figures)
    assert (own.row, own.before, own.run.straight) == (1, (), True)
    [bare] = streamed(*figures)
    assert (bare.row, bare.before, bare.run.straight) == (None, (), False)
    head, tail = SECOND.label[:3], SECOND.label[3:]
    [pieces] = streamed(head, tail, *figures)
    assert (pieces.row, pieces.label, pieces.before) == (1, tail, ())
    [parted] = streamed(head, FIRST.label, tail, *figures)  # another label between them
    assert (parted.row, parted.before) == (None, (0,))
    seven = [str(number) for number in range(1, 8)]
    [received] = streamed("总计", REQUESTS.rows[0].label, *seven, plan=REQUESTS)  # the head of a column
    assert (received.row, received.before) == (0, ())


def test_a_run_ends_where_the_next_row_group_or_block_begins() -> None:
    seven = [str(number) for number in range(1, 8)]

    def until(plan: TablePlan, behind: str, *texts: str) -> int | None:
        cut = by_stream(stream(flatten(lines(*texts, behind))), plan, plan.rows, vague=True)
        return cut.records[0].until

    received = (REQUESTS.rows[0].label, *seven)
    group = FORM.table("requests").blocks[0].row_groups[0]
    first = next(n for n, each in enumerate(REQUESTS.rows) if group.id in each.groups)
    assert until(REQUESTS, group.label_zh, *received) == first == 2
    assert until(REQUESTS, REQUESTS.rows[1].label, *received) == 1
    assert until(REQUESTS, "另外的话", *received) is None
    assert until(PLAN, HEADS[2], FIRST.label, "1", "2", "3") == 3


def test_labels_over_one_line_of_figures_name_no_row_of_it() -> None:
    five = [str(number) for number in range(1, 6)]

    def rows_of(*texts: str, plan: TablePlan, rows: tuple[RowPlan, ...]) -> list[tuple[int | None, int]]:
        cut = by_stream(stream(flatten(lines(*texts))), plan, rows, vague=False)
        return [(each.row, len(each.run.slots)) for each in cut.records]

    assert rows_of(*LABELS, *five * 3, plan=DISPUTES, rows=(DISPUTES.joined,)) == [(None, 15)]
    pieces = [LABELS[0][:2], LABELS[0][2:], *five * 3]
    cut = by_lines(flatten(grid(pieces)), DISPUTES, (DISPUTES.joined,))
    assert [(each.row, len(each.run.slots)) for each in cut.records] == [(None, 15)]
    apart = [text for label in LABELS for text in (label, *five)]
    assert rows_of(*apart, plan=DISPUTES, rows=DISPUTES.rows) == [(0, 5), (1, 5), (2, 5)]
    assert rows_of(FIRST.label, "1", "2", "3", plan=PLAN, rows=PLAN.rows[:1]) == [(0, 3)]


def test_figures_in_front_of_a_label_are_another_row_and_one_alone_is_its_number() -> None:
    def read_off(*texts: str) -> list[tuple[int | None, str, tuple[int, ...]]]:
        return seen(by_lines(flatten(grid(list(texts))), PLAN, PLAN.rows[:2]))

    assert read_off("4", "5", "6", SECOND.label, "1", "2", "3") == [(None, "4 5 6", ()), (1, "1 2 3", ())]
    assert read_off("4", "5", SECOND.label, "1", "2", "3") == [(None, "4 5", ()), (1, "1 2 3", ())]
    assert read_off("4", SECOND.label, "1", "2", "3") == [(1, "1 2 3", ())]


def test_a_label_in_as_many_pieces_as_are_allowed() -> None:
    label = SECOND.label
    assert len(label) > 5

    def named(pieces: int) -> list[tuple[int | None, str, tuple[int, ...]]]:
        parts = [label[: len(label) - pieces + 1], *label[len(label) - pieces + 1 :]]
        return seen(by_lines(flatten(grid(*[[part] for part in parts], ["1", "2", "3"])), PLAN, PLAN.rows[:2]))

    assert named(4) == [(None, "1 2 3", (1,))]
    assert named(5) == [(None, "1 2 3", ())]


def test_pieces_of_a_label_before_its_figures() -> None:
    head, tail = SECOND.label[:3], SECOND.label[3:]
    [one] = by_lines(flatten(grid([head, tail, "1", "2", "3"])), PLAN, PLAN.rows[:2]).records
    assert (one.row, one.label, len(one.run.slots)) == (1, tail, 3)
    cut = by_lines(flatten(grid([head], [tail, "1", "2", "3"])), PLAN, PLAN.rows[:2])
    assert seen(cut) == [(None, "1 2 3", (1,))]
    [strange] = by_lines(flatten(grid(["别的", "1", "2", "3"])), PLAN, PLAN.rows[:2]).records
    assert (strange.row, strange.label, strange.before) == (None, "别的", ())


def test_a_remark_in_the_place_of_figures_is_a_row_in_a_drawn_table_alone() -> None:
    drawn = by_lines(flatten(grid([FIRST.label, "见附件", "", ""])), PLAN, PLAN.rows[:2])
    assert seen(drawn) == [(0, "见附件 . .", ())]
    assert by_lines(flatten(lines(f"{FIRST.label}|见附件||")), PLAN, PLAN.rows[:2]).records == ()


def test_a_record_is_bare_in_text_without_separators_alone() -> None:
    figures = f"{FIRST.label} 1 2 3"
    for document, bare in (
        (lines(figures), True),
        (lines(figures.replace(" ", "|")), False),
        (grid(figures.split()), False),
    ):
        [one] = by_lines(flatten(document), PLAN, PLAN.rows[:2]).records
        assert one.bare is bare
    assert not Record(row=None, label="", run=run("1")).bare


def test_a_remark_below_a_drawn_table_belongs_to_none_of_its_cells() -> None:
    remark = Paragraph(text="（其中修订1件）")
    document = Document(format="html", items=(*grid(["5"]).items, remark))
    assert [slot.text for line in flatten(document) for slot in line.slots] == ["5", "（其中修订1件）"]
    text = Document(format="text", items=(Paragraph(text="5"), remark))
    assert [slot.text for line in flatten(text) for slot in line.slots] == ["5（其中修订1件）"]


# --- rows and windows ---------------------------------------------------------------------------------------


def test_labels_near_a_record_may_be_those_of_its_neighbours() -> None:
    for near, told in ((0, True), (1, True), (2, True), (3, False)):
        found = align(cut(record(0), record(None, before=(near,)), record(2)), ROWS)
        assert (1 in found) is told, near
    for near, told in ((0, False), (1, True), (3, True)):
        found = align(cut(record(1), record(None, before=(near,)), record(3)), ROWS)
        assert (1 in found) is told, near


def test_a_gap_whose_rows_stand_elsewhere_hides_no_other() -> None:
    more = [*ROWS, row(label="戊经费开支"), row(label="己人员编制")]
    loose = record(None)
    found = align(cut(record(0), loose, record(2), loose, record(4), record(1)), more)
    assert found == {0: 0, 2: 2, 3: 3, 4: 4, 5: 1}


def test_a_run_cut_into_rows_falls_with_its_first_part_too() -> None:
    short = record(None, text="1 2 3")
    assert align(cut(short, record(0, follows=True)), ROWS) == {}
    assert align(cut(short, record(0)), ROWS) == {1: 0}
    assert align(cut(record(0), record(1, follows=True), record(3)), ROWS) == {0: 0, 1: 1, 2: 3}
    assert align(cut(record(0), record(2, follows=True), record(3)), ROWS) == {2: 3}


def test_a_label_of_a_row_beyond_those_looked_for_places_nothing() -> None:
    assert align(cut(record(None, before=(4,)), streamed=True), ROWS) == {}


def test_labels_left_over_before_a_labelled_record_leave_all_open() -> None:
    two = record(None, before=(1, 2))
    assert align(cut(two, record(3), streamed=True), ROWS) == {1: 3}
    assert align(cut(two, record(None), record(3), streamed=True), ROWS) == {2: 3}  # one of the four is missing
    assert align(cut(record(None, before=(1,)), record(3), streamed=True), ROWS) == {0: 1, 1: 3}
    assert align(cut(two, record(None, before=(3,)), streamed=True), ROWS) == {}


def test_where_labels_stand_beside_figures_in_text_a_label_alone_has_none() -> None:
    alone = record(None, before=(3,), grid=0)
    assert align(cut(record(0, grid=0), alone), ROWS) == {0: 0, 1: 3}
    assert align(cut(record(0), alone), ROWS) == {0: 0}
    assert align(cut(record(0, grid=0), record(1), alone), ROWS) == {0: 0, 1: 1}
    assert align(cut(record(0), alone, streamed=True), ROWS) == {0: 0, 1: 3}


def test_labels_with_digits_and_with_lost_signs() -> None:
    assert suits(record(None, label="预算2023"), row(label="预算2023"))
    assert not suits(record(None, label="预算执行3"), row(label="预算执行"))
    assert suits(record(None, label="甲项目\ufffd"), row(label="甲项目内"))
    assert not suits(record(None, label="甲项目\ufffd", text="1 . 3 4"), row(label="甲项目内"))


def test_a_crumb_takes_its_label_away() -> None:
    crumb, whole = record(None, before=(1,), text="1", crumb=True), record(None, before=(2,))
    assert align(cut(crumb, whole, streamed=True), ROWS) == {1: 2}
    assert align(cut(record(None, before=(1, 2), text="1", crumb=True), record(None), streamed=True), ROWS) == {}


def test_four_in_five_full_rows_tell_where_figures_begin() -> None:
    def begin(*columns: int) -> int | None:
        return begin_of_full((run("1 2 3 6", drawn=True, first=first), row()) for first in columns)

    assert begin(1, 1, 1, 1, 2) == 1
    assert begin(1, 1, 1, 2) is None
    assert begin(1, 1, 1) == 1
    assert begin(1, 1) is None
