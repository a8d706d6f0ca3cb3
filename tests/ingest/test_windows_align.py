"""Which slots are a row's figures, and which record is which row: small rows, each way to be sure or unsure."""

from __future__ import annotations

import pytest

from pipelines.ingest.align import align, suits, suits_width
from pipelines.ingest.lines import Slot, slot_kind
from pipelines.ingest.plan import RowPlan
from pipelines.ingest.records import Cut, Record
from pipelines.ingest.windows import Patterns, Run, balanced, learn, place


def row(width: int = 4, total: int = 3, groups: tuple[str, ...] = (), label: str = "甲项目") -> RowPlan:
    names = tuple(f"c{n}" for n in range(width))
    return RowPlan(
        id=label,
        block="b",
        label=label,
        columns=names,
        cells=names,
        kinds=("count",) * width,
        units=("",) * width,
        groups=groups,
        total=total,
    )


def run(text: str, *, drawn: bool = False, straight: bool = True, first: int = 0) -> Run:
    """Figures between bars; ``.`` is an empty slot. ``first``: the grid column of the first."""
    slots = []
    for n, said in enumerate(text.split()):
        shown = "" if said == "." else said
        slots.append(Slot(text=shown, at=str(n), kind=slot_kind(shown), column=first + n))
    return Run(tuple(slots), drawn, straight)


def placed(found: tuple[Slot, ...] | None) -> str | None:
    return None if found is None else " ".join(slot.text or "." for slot in found)


NO = Patterns()


# --- windows ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("1 2 3 6", (0,)),
        ("1 2 3", ()),
        (". 1 2 3 6", (1,)),
        ("1 2 3 6 .", (0,)),
        (". 1 2 3 .", (0, 1)),
        (". . 2 . .", (0, 1)),
        (". . . .", (0,)),
        (". . . . .", (0, 1)),
        ("1 . . . 6", ()),
        ("1 . . 6 .", (0,)),
        (". 1 . . 6", (1,)),
    ],
)
def test_windows_hold_everything_that_is_not_empty(text: str, starts: tuple[int, ...]) -> None:
    assert run(text).starts(4) == starts


def test_numbers_of_a_run() -> None:
    assert run(". 1 什么 /").numbers == 3
    assert run(". .").numbers == 0


def test_full_and_blank_rows_need_no_pattern() -> None:
    assert placed(place(run("1 2 3 6"), row(), NO, NO)) == "1 2 3 6"
    assert placed(place(run(". 1 2 3 6 ."), row(), NO, NO)) == "1 2 3 6"
    assert placed(place(run("1 2 3 7", straight=False), row(), NO, NO)) == "1 2 3 7"
    assert placed(place(run(". . . . ."), row(), NO, NO)) == ". . . ."
    assert place(run("1 2 3"), row(), NO, NO) is None


def test_one_window_counts_unless_the_figures_would_add_up_elsewhere() -> None:
    assert placed(place(run("1 . 2 3"), row(), NO, NO)) == "1 . 2 3"
    assert placed(place(run("1 2 3 ."), row(), NO, NO)) is None  # 1 + 2 = 3: a blank in front may have been lost
    assert placed(place(run("1 2 4 ."), row(), NO, NO)) == "1 2 4 ."
    assert placed(place(run("1 2 3 ."), row(total=-1), NO, NO)) == "1 2 3 ."


def test_where_several_windows_are_left_the_sum_may_tell() -> None:
    assert placed(place(run(". 1 2 3 ."), row(), NO, NO)) == ". 1 2 3"
    assert place(run(". 1 2 4 ."), row(), NO, NO) is None
    assert place(run(". 1 2 3 ."), row(total=-1), NO, NO) is None
    assert place(run(". . 0 0 ."), row(), NO, NO) is None  # a total of 0 proves nothing
    assert place(run(". . 5 . ."), row(), NO, NO) is None


def test_two_cells_that_became_one_leave_the_row_open() -> None:
    one, blank = Slot(text="1", at="", kind="value"), Slot(text="", at="", kind="empty")
    for text, certain in (("2 3", False), ("见附件", True)):
        words = Slot(text=text, at="", kind="words")
        found = place(Run((one, words, one, blank)), row(total=-1), NO, NO)
        assert (found is not None) is certain


def test_patterns_tell_where_figures_begin() -> None:
    text = ". 1 2 . 4 ."
    assert placed(place(run("1 2 . 4 . ."), row(), Patterns(behind=0), NO)) == "1 2 . 4"
    assert placed(place(run(text), row(), Patterns(behind=1), NO)) == "1 2 . 4"
    assert placed(place(run(text), row(), Patterns(before_end=1), NO)) == "1 2 . 4"
    assert placed(place(run(text, drawn=True), row(), Patterns(column=1), NO)) == "1 2 . 4"
    assert placed(place(run(text, drawn=True, first=3), row(), Patterns(column=4), NO)) == "1 2 . 4"
    loose = ". . 2 . . ."
    assert placed(place(run(loose), row(), Patterns(behind=1), NO)) == ". 2 . ."
    assert placed(place(run(loose), row(), Patterns(behind=2, before_end=0), NO)) == "2 . . ."
    assert place(run(loose), row(), Patterns(behind=1, before_end=0), NO) is None  # they do not agree
    assert place(run(loose), row(), Patterns(behind=3), NO) is None  # it would leave a figure out
    assert place(run(loose, drawn=True), row(), Patterns(column=9), NO) is None
    assert placed(place(run(loose), row(), Patterns(column=9), NO)) is None
    assert placed(place(run(loose), row(), NO, Patterns(behind=1))) == ". 2 . ."
    assert placed(place(run(loose), row(), Patterns(behind=2), Patterns(behind=1))) == "2 . . ."


def test_a_single_pattern_yields_to_a_sum_in_another_place() -> None:
    assert place(run("1 2 3 . ."), row(), Patterns(behind=0), NO) is None
    assert placed(place(run("1 2 3 . ."), row(), Patterns(behind=0, before_end=1), NO)) == "1 2 3 ."


def test_with_its_label_lost_a_row_needs_its_column_and_its_end() -> None:
    loose = run(". . 2 . . .", drawn=True, straight=False)
    assert placed(place(loose, row(), Patterns(column=1, before_end=1), NO)) == ". 2 . ."
    assert place(loose, row(), Patterns(column=1, before_end=0), NO) is None
    assert place(loose, row(), Patterns(column=1), NO) is None
    assert place(loose, row(), Patterns(behind=1, before_end=1), NO) is None
    assert place(run(". . 2 . . .", straight=False), row(), Patterns(column=1, before_end=1), NO) is None


def learnt(*texts: str, drawn: bool = True, straight: bool = True) -> tuple[int | None, int | None, int | None]:
    """Where figures begin by the grid, behind the label and before the end."""
    found = learn([(run(text, drawn=drawn, straight=straight, first=2), row()) for text in texts], 1)
    return found.column, found.behind, found.before_end


def test_three_rows_that_agree_make_a_pattern() -> None:
    nothing = (None, None, None)
    assert learnt(". 1 2 3 6", ". 1 2 3 6", ". 1 2 3 6") == (3, 1, 0)
    assert learnt(". 1 2 3 6", ". 1 2 3 6") == nothing
    assert learnt("1 2 3 6 .", "1 2 3 6 .", "1 2 3 6 .") == (2, 0, 1)
    assert learnt("1 2 3 6 .", ". 1 2 3 6", "1 2 3 6 .") == nothing
    assert learnt("1 2 3 6", "1 2 3 6 .", "1 2 3 6") == (2, 0, None)
    assert learnt("1 2 3 6", "1 2 3 6", ". 1 2 3 .", ". . . .") == nothing  # two windows, or nothing to see
    assert learnt(*["1 2 3 6"] * 3, drawn=False) == (None, 0, 0)
    assert learnt(*["1 2 3 6"] * 3, straight=False) == (2, None, 0)


def test_a_column_counts_only_if_two_levels_of_rows_agree() -> None:
    plain, grouped = row(), row(groups=("g",))
    full = run("1 2 3 6", drawn=True)
    assert learn([(full, plain)] * 3, 2).column is None
    assert learn([(full, plain), (full, plain), (full, grouped)], 2).column == 0
    assert learn([(full, plain), (full, plain), (full, grouped)], 3).column == 0
    assert learn([(full, plain)] * 3, 1).column == 0


def test_balance_of_a_full_run() -> None:
    assert balanced(run("1 2 3 6"), row())
    assert not balanced(run("1 2 3 7"), row())
    assert not balanced(run("1 2 3 6 ."), row())
    assert not balanced(run("1 2 3 ."), row())
    assert balanced(run("1 . 3 4"), row())
    assert balanced(run("1 2"), row(total=-1))


# --- rows ---------------------------------------------------------------------------------------------------

ROWS = [row(label=label) for label in ("甲项目内容", "乙事项说明", "丙情况统计", "丁材料汇总")]


def record(named: int | None, *, label: str = "", text: str = "1 2 3 6", **more: object) -> Record:
    return Record(row=named, label=label, run=run(text), **more)  # type: ignore[arg-type]


def cut(*records: Record, **more: object) -> Cut:
    return Cut(tuple(records), **more)  # type: ignore[arg-type]


def test_labels_place_their_records() -> None:
    assert align(cut(record(2), record(0)), ROWS) == {0: 2, 1: 0}
    assert align(cut(record(2), record(0), record(2)), ROWS) == {1: 0}  # two claim one row: given to neither
    assert align(cut(record(2), record(0, crumb=True)), ROWS) == {0: 2}


def test_as_many_records_as_rows_are_told_by_order() -> None:
    loose = record(None)
    assert align(cut(loose, loose, loose, loose), ROWS) == {0: 0, 1: 1, 2: 2, 3: 3}
    assert align(cut(loose, record(1), loose, loose), ROWS) == {0: 0, 1: 1, 2: 2, 3: 3}
    assert align(cut(loose, record(2), loose, loose), ROWS) == {1: 2}
    assert align(cut(loose, loose, loose), ROWS) == {}
    assert align(cut(loose, record(None, text="1 2 3"), loose, loose), ROWS) == {}
    assert align(cut(loose, record(None, label="陌生的文字"), loose, loose), ROWS) == {}
    assert align(cut(loose, record(None, label="乙事项"), loose, loose), ROWS) == {0: 0, 1: 1, 2: 2, 3: 3}


def test_gaps_between_labelled_neighbours() -> None:
    loose = record(None)
    assert align(cut(record(0), loose, record(2)), ROWS) == {0: 0, 1: 1, 2: 2}
    assert align(cut(record(0), loose, record(3)), ROWS) == {0: 0, 2: 3}  # one record for two rows
    assert align(cut(record(0), loose, loose, record(3)), ROWS) == {0: 0, 1: 1, 2: 2, 3: 3}
    assert align(cut(record(1), loose, loose), ROWS) == {0: 1, 1: 2, 2: 3}
    assert align(cut(loose, record(1)), ROWS) == {0: 0, 1: 1}
    far = record(None, before=(3,))
    assert 1 not in align(cut(record(0), far, record(2)), ROWS)  # the label near it is of another row
    near = record(None, before=(1,))
    assert align(cut(record(0), near, record(2)), ROWS) == {0: 0, 1: 1, 2: 2}


def test_labels_that_stand_alone_in_front_of_their_records() -> None:
    one, other = record(None, before=(1,)), record(None, before=(3,))
    assert align(cut(one, other, streamed=True), ROWS) == {0: 1, 1: 3}
    assert align(cut(other, one, streamed=True), ROWS) == {}  # out of order
    assert align(cut(one, record(None), streamed=True), ROWS) == {}  # a record without a label
    assert align(cut(one, one, streamed=True), ROWS) == {}
    assert align(cut(one, other, streamed=True, orphans=1), ROWS) == {}
    assert align(cut(record(None, before=(9,)), streamed=True), ROWS) == {}
    assert align(cut(record(None, before=(1,), text="1 2"), streamed=True), ROWS) == {}
    assert align(cut(record(0), other, streamed=True), ROWS) == {0: 0, 1: 3}
    assert align(cut(record(0), other), ROWS) == {0: 0}  # elsewhere labels stand on the line of their figures
    assert align(cut(other, record(0), streamed=True), ROWS) == {1: 0}


def test_all_labels_in_front_of_all_records() -> None:
    loose = record(None)
    assert align(cut(record(None, before=(0, 1, 2, 3)), loose, loose, loose, streamed=True), ROWS) == {
        0: 0,
        1: 1,
        2: 2,
        3: 3,
    }
    assert align(cut(record(None, before=(1, 2)), loose, streamed=True), ROWS) == {}  # some labels are gone
    assert align(cut(record(None, before=(0, 1, 2)), loose, streamed=True), ROWS) == {}


def test_rows_beside_one_another_need_all_their_labels() -> None:
    assert align(cut(record(None, before=(1,)), streamed=True), ROWS, beside=True) == {}
    assert align(cut(record(None, before=(0,)), streamed=True), ROWS[:1], beside=True) == {0: 0}


def test_a_run_cut_into_rows_stands_or_falls_as_a_whole() -> None:
    follows = record(None, follows=True)
    whole = cut(record(0), follows, follows, record(3))
    assert align(whole, ROWS) == {0: 0, 1: 1, 2: 2, 3: 3}
    broken = cut(record(0), record(None, follows=True, text="1 2 3"), follows, record(3))
    assert align(broken, ROWS) == {3: 3}


def test_vague_text_needs_the_next_rows_label_behind() -> None:
    assert align(cut(record(0, until=1), vague=True), ROWS) == {0: 0}
    assert align(cut(record(0, until=2), vague=True), ROWS) == {}
    assert align(cut(record(0, until=2)), ROWS) == {0: 0}
    assert align(cut(record(3), vague=True), ROWS) == {0: 3}


@pytest.mark.parametrize(
    ("label", "text", "fits"),
    [
        ("", "1 2 3 6", True),
        ("", ". 1 2 3 6", True),
        ("", "1 2 3", False),
        ("", "1 2 3 4 5", False),
        ("甲项目", "1 2 3 6", True),
        ("甲项目内容7", "1 2 3 6", False),
        ("乙事项", "1 2 3 6", False),
        ("总计", "1 2 3 6", True),
    ],
)
def test_what_suits_a_row(label: str, text: str, fits: bool) -> None:
    assert suits(record(None, label=label, text=text), ROWS[0]) is fits
    assert not suits(record(None, label=label, text=text, crumb=True), ROWS[0])


def test_what_suits_the_width_of_a_row() -> None:
    for text, fits in (("1 2 3 6", True), (". 1 2 3 6", True), ("1 2 3", False), ("1 2 3 4 5", False)):
        assert suits_width(record(None, text=text), ROWS[0]) is fits


@pytest.mark.parametrize(("label", "fits"), [("一二三四五六七戊己庚", True), ("一二三四五六丁戊己庚", False)])
def test_a_label_is_alike_from_seven_tenths(label: str, fits: bool) -> None:
    assert suits(record(None, label=label), row(label="一二三四五六七八九十")) is fits
