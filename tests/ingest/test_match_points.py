"""Fine points of the matcher that only a changed bound or sign would show: one small case for each."""

from __future__ import annotations

import msgspec
import pytest

from pipelines.ingest.document import Document, Grid, Paragraph, TextCell
from pipelines.ingest.geometry import columns_below, columns_beside, heads_above, slots_at, survey
from pipelines.ingest.labels import (
    _group_characters,
    _spellings,
    ending_of,
    longest_label,
    meanings_of,
    only_in,
    squash,
    table_named,
    vocabulary,
)
from pipelines.ingest.lines import Slot, flatten, stream
from pipelines.ingest.match import Match, Reading, _better, _choose, _lonely, _lossy, find_regions, match
from pipelines.ingest.plan import RowPlan, TablePlan, table_plans
from pipelines.ingest.records import Record, by_lines, by_stream
from pipelines.ingest.windows import begin_of_full
from pipelines.layout import MARK_PRODUCT, draw
from schemas.form import load_form
from tests.ingest.test_records import FIRST, PLAN, SECOND, grid, lines, seen
from tests.ingest.test_windows_align import ROWS, align, cut, record, row, run, suits

FORM = load_form("2021")
REQUESTS: TablePlan = table_plans()["2021", "requests"]
DISPUTES: TablePlan = table_plans()["2021", "disputes"]


# --- labels -------------------------------------------------------------------------------------------------


def test_debris_before_a_label_is_looked_through_up_to_twice_the_longest_label() -> None:
    label = squash(next(each for each in REQUESTS.rows if "保护第三方" in each.label).label)
    debris = next(iter(sorted(_group_characters())))
    most = 2 * longest_label()
    assert ending_of(debris * (most - len(label)) + label)
    assert ending_of(debris * (most - len(label) + 1) + label) == ()


def test_a_label_alone_has_no_debris_before_it() -> None:
    label = squash(next(each for each in REQUESTS.rows if "保护第三方" in each.label).label)
    assert ending_of(label) == ()
    debris = min(_group_characters())
    for known in ("其他处理", "信息处理费"):  # these head a group or a table too
        assert any(meaning.kind == "row" for meaning in meanings_of(known))
        assert ending_of(known) == ()
        assert ending_of(debris + known) == vocabulary()[known]
    for short in ("七总计", "总计"):  # too short to stand for itself
        assert ending_of(debris + short) == ending_of(debris * 4 + short) == ()


def test_a_label_of_one_edition_alone_tells_the_edition() -> None:
    own = {each.label: each.id for each in REQUESTS.rows}
    older = {each.label: each.id for each in table_plans()["2019", "requests"].rows}
    for label in own.keys() & older.keys():
        assert only_in(label, "2021", "requests") is only_in(label, "2019", "requests") is None
    told = [label for label in own if only_in(label, "2021", "requests")]
    assert told
    for label in told:
        assert label not in older
        assert only_in(label, "2021", "requests") == ("row", "requests", own[label])
        assert only_in(label, "2019", "requests") is None
    assert only_in(told[0], "2021", "disputes") is None


def test_the_corner_of_a_table_is_a_word_of_it() -> None:
    for edition in ("2021", "2019"):
        for each in load_form(edition).tables:
            corners = {(m.edition, m.table) for m in meanings_of(each.corner_zh) if m.kind == "corner"}
            assert ((edition, each.id) in corners) is bool(each.corner_zh)
    assert "" not in vocabulary()


def test_a_variant_counts_without_its_number_from_three_signs() -> None:
    assert _spellings("甲", ("（六）乙丙丁",)) == {"甲", "六乙丙丁", "乙丙丁"}
    assert _spellings("甲", ("（六）其他",)) == {"甲", "六其他"}


# --- heads of drawn tables ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "found"), [(200, True), (201, False)])
def test_a_cell_of_more_than_200_signs_is_no_head(length: int, found: bool) -> None:
    text = "科研机构".ljust(length)
    assert bool(survey(Grid(cells=(TextCell(row=0, column=0, text=text),))).heads) is found


COLUMNS = [column.label_zh for column in FORM.table("requests").blocks[0].columns]


@pytest.mark.parametrize(("above", "found"), [(3, True), (4, False)])
def test_heads_of_one_row_lie_close_together(above: int, found: bool) -> None:
    rows = [5, 5 - above, 5, 5, 5, 5, 5]
    cells = tuple(
        TextCell(row=at, column=n + 1, text=text) for n, (at, text) in enumerate(zip(rows, COLUMNS, strict=True))
    )
    columns = columns_below(survey(Grid(cells=cells)), REQUESTS, REQUESTS.rows[0], 6)
    assert columns == (tuple(range(1, 8)) if found else None)


def headed(*rows: tuple[int, int]) -> Grid:
    """Lines of all column heads of requests: (row, column of the first head)."""
    return Grid(
        cells=tuple(
            TextCell(row=at, column=first + n, text=text) for at, first in rows for n, text in enumerate(COLUMNS)
        )
    )


def below(drawn: Grid, at: int) -> tuple[int, ...] | None:
    return columns_below(survey(drawn), REQUESTS, REQUESTS.rows[0], at)


def test_the_nearest_heads_above_count() -> None:
    twice = headed((1, 0), (5, 3))
    assert below(twice, 1) is None  # heads on the line itself are not above it
    assert below(twice, 2) == below(twice, 5) == tuple(range(7))
    assert below(twice, 6) == tuple(range(3, 10))
    turned = headed((5, 3), (1, 0))
    assert below(turned, 6) == tuple(range(3, 10))
    assert [heads_above(survey(twice), REQUESTS, REQUESTS.rows[0], at) for at in (1, 2, 5, 6)] == [0, 7, 7, 14]


def test_a_head_that_stands_twice_on_one_line_leaves_the_columns_open() -> None:
    again = TextCell(row=1, column=7, text=COLUMNS[-1])
    assert below(Grid(cells=(*headed((1, 0)).cells, again)), 2) is None
    assert below(headed((1, 0), (1, 7)), 2) is None


def test_what_is_no_head_hides_none_behind_it() -> None:
    strange = ("", "  ", "本".ljust(201))
    cells = (
        *(TextCell(row=0, column=n, text=text) for n, text in enumerate(strange)),
        TextCell(row=0, column=3, text="7", number="7"),
        TextCell(row=0, column=4, text="科研机构"),
    )
    assert {head.column for head in survey(Grid(cells=cells)).heads} == {4}


def test_a_head_in_pieces_covers_the_columns_of_the_narrowest() -> None:
    cells = (TextCell(row=0, column=1, columns=2, text="科研"), TextCell(row=1, column=1, text="机构"))
    [head] = {(head.row, head.column, head.columns) for head in survey(Grid(cells=cells)).heads}
    assert head == (1, 1, 1)
    beside_it = (TextCell(row=0, column=1, text="科研"), TextCell(row=1, column=0, columns=2, text="机构"))
    assert survey(Grid(cells=beside_it)).heads == ()


LABELS = [each.label_zh for each in FORM.table("disputes").blocks[0].rows]
RESULTS = [each.label_zh for each in FORM.table("disputes").blocks[0].columns]


def beside(
    *,
    spans: tuple[int, ...] = (5, 5, 5),
    steps: tuple[int, ...] = (0, 0, 0),
    first: int = 0,
    moved: dict[int, tuple[int, int] | None] | None = None,
) -> Grid:
    """The heads of the table of disputes: three labels from left to right, five heads below each.

    ``moved``: heads by number that stand elsewhere (row, column), or nowhere.
    """
    cells = []
    for n, (label, span, step) in enumerate(zip(LABELS, spans, steps, strict=True)):
        cells.append(TextCell(row=1 + step, column=first + 5 * n, columns=span, text=label))
        for m, text in enumerate(RESULTS):
            place = (moved or {}).get(5 * n + m, (2 + step, first + 5 * n + m))
            if place:
                cells.append(TextCell(row=place[0], column=place[1], text=text))
    return Grid(cells=tuple(cells))


def found_beside(drawn: Grid, at: int = 3) -> tuple[int, ...] | None:
    return columns_beside(survey(drawn), DISPUTES, at)


def test_columns_of_rows_beside_one_another() -> None:
    everything = tuple(range(15))
    assert found_beside(beside()) == everything
    assert found_beside(beside(spans=(1, 1, 1))) == everything  # spans lost, but order tells
    assert found_beside(beside(spans=(1, 5, 5))) is None  # half lost: whose are the heads beside the first?
    assert found_beside(beside(steps=(0, 1, 1)), 4) == everything  # the first label stands one line higher
    assert found_beside(beside(spans=(1, 1, 1), steps=(0, 0, 1)), 4) is None
    again = TextCell(row=0, column=0, text=LABELS[0])
    assert found_beside(Grid(cells=(again, *beside().cells))) is None  # a label twice
    assert found_beside(beside(), 2) is None  # the heads stand on the line of figures
    assert found_beside(beside(), 1) is None


def test_heads_in_another_place_leave_the_columns_open() -> None:
    assert found_beside(beside(first=3)) == tuple(range(3, 18))
    assert found_beside(beside(first=3, moved={0: None})) is None
    assert found_beside(beside(moved={0: (4, 0)})) is None  # below the figures
    assert found_beside(beside(moved={0: (2, 1), 1: (2, 0)})) is None  # in another order
    assert found_beside(beside(moved={1: (3, 0)}), 4) is None  # two heads, one column
    elsewhere = TextCell(row=1, column=20, text=RESULTS[0])  # on the line of the labels: of another table
    assert found_beside(Grid(cells=(*beside().cells, elsewhere))) == tuple(range(15))
    below = TextCell(row=2, column=20, text=RESULTS[0])
    assert found_beside(Grid(cells=(*beside().cells, below))) is None  # it may be the head of any row


def test_without_spans_all_heads_stand_on_one_line_below_all_labels() -> None:
    lost = (1, 1, 1)
    heads = [cell for cell in beside(spans=lost).cells if cell.row == 2]

    def ordered(*rows: int, wide: int = 1) -> bool:
        named = enumerate(zip(rows, LABELS, strict=True))
        labels = [TextCell(row=at, column=20 + n, text=text) for n, (at, text) in named]
        last = TextCell(row=2, column=14, columns=wide, text=heads[-1].text)
        return found_beside(Grid(cells=(*labels, *heads[:-1], last)), 5) == tuple(range(15))

    assert ordered(1, 1, 1)
    assert ordered(0, 1, 1)
    assert not ordered(1, 1, 2)
    assert not ordered(1, 1, 3)
    assert not ordered(1, 1, 1, wide=2)  # one head over two columns
    assert found_beside(beside(spans=lost, moved={14: (3, 14)}), 5) is None
    assert found_beside(beside(spans=lost, moved={0: (2, 1), 1: (2, 0)})) is None


def test_two_heads_in_one_column_leave_the_columns_open() -> None:
    heads = headed((1, 0)).cells
    stacked = TextCell(row=2, column=0, text=COLUMNS[1])
    assert below(Grid(cells=(heads[0], stacked, *heads[2:])), 3) is None


def test_figures_in_one_cell_beside_an_empty_one_leave_the_row_open() -> None:
    def slots(*texts: str) -> bool:
        cells = tuple(TextCell(row=0, column=n, text=text) for n, text in enumerate(texts))
        return slots_at(survey(Grid(cells=cells)), tuple(range(len(texts))), 0) is not None

    assert not slots("1 2", "", "3")
    assert slots("1", "", "3")
    assert slots("1 2", "3", "4")


# --- the choice among editions, blank tables, strays --------------------------------------------------------


def table(edition: str, name: str, figure: str = "1") -> Grid:
    """The form's own drawing of a table, with the same text in every cell."""
    return Grid(
        cells=tuple(
            TextCell(
                row=box.row,
                column=box.column,
                rows=box.rows,
                columns=box.columns,
                text=figure if box.role == "cell" else box.text_zh,
                at=box.cell or "",
            )
            for box in draw(load_form(edition), name).boxes
        )
    )


def matched(*items: Grid | Paragraph, year: int | None = None) -> Match:
    document = Document(format="html", items=items)
    return match(document, flatten(document), year)


def test_a_table_alike_in_all_editions_follows_the_year_and_else_the_other_tables() -> None:
    told = (table("2019", "proactive"), table("2019", "disputes"))
    assert matched(*told).form == {"proactive": "2019", "disputes": "2019"}
    assert matched(*told, year=2023).form == {"proactive": "2019", "disputes": "2021"}
    assert matched(table("2021", "proactive"), table("2021", "disputes"), year=2019).form["disputes"] == "2019"


def test_disputes_left_wholly_blank_are_read_by_their_place() -> None:
    [reading] = matched(table("2021", "disputes", "")).readings.values()
    assert list(reading.cells) == list(DISPUTES.joined.cells)
    assert {slot.text for slot in reading.cells.values()} == {""}
    assert {cell.state for cell in matched(table("2021", "disputes", "")).cells()} == {"blank"}
    twice = matched(table("2021", "disputes", ""), table("2021", "disputes", ""))
    assert [dict(each.cells) for each in twice.readings.values()] in ([], [{}])  # which of the two is meant?


def test_rows_that_no_row_of_the_form_can_be_told_for_are_counted() -> None:
    figures = [str(number) for number in range(1, 8)]

    def stray(*rows: list[str]) -> int:
        first, second = ([REQUESTS.rows[n].label, *figures] for n in (0, 1))
        [reading] = matched(*grid(["", *COLUMNS], first, second, *rows).items).readings.values()
        return reading.stray

    assert stray() == 0
    assert stray(["别的什么事项", *figures]) == 1
    assert stray(["别的什么事项", *figures], ["又一件别的事", *figures]) == 2
    assert stray(["别的什么事项", "4"]) == 0  # a crumb is no row of figures
    assert stray(["别的什么事项", *[""] * 7]) == 0  # nor are blanks
    whole = [[FIRST.label, "1", "2", "3"], [SECOND.label, "4", "5", "6"]]
    [narrow] = matched(*grid(["信息内容", *ABOVE], *whole, ["别的什么事项", "4"]).items).readings.values()
    assert narrow.stray == 1  # where rows of one figure are, one is enough


def reading(cells: dict[str, str], edition: str = "2021", name: str = "proactive") -> Reading:
    slots = {cell: Slot(text=text, at="", kind="value") for cell, text in cells.items()}
    return Reading(table_plans()[edition, name], slots, found=True)


def test_of_open_editions_the_one_that_the_table_fills_is_meant() -> None:
    older, newer = table_plans()["2019", "proactive"], table_plans()["2021", "proactive"]
    full = {cell: "1" for each in newer.rows for cell in each.cells}
    other = {older.rows[0].cells[0]: "1"}
    assert len(other) < older.size
    assert _choose([reading(other, "2019"), reading(full)]) == (reading(full), True)
    assert _choose([reading({}), reading({}, "2019")]) == (reading({}), False)


def test_of_open_editions_the_cells_count_that_all_read_alike() -> None:
    a, b, c = DISPUTES.rows[0].cells[:3]
    assert DISPUTES.rows[0].cells == table_plans()["2019", "disputes"].rows[0].cells
    newer, older = reading({a: "1", b: "2"}, name="disputes"), reading({a: "1", b: "3", c: "4"}, "2019", "disputes")
    chosen, sure = _choose([newer, older])
    assert not sure
    assert chosen.cells == reading({a: "1"}).cells


def test_a_row_that_has_other_cells_in_another_edition_is_not_alike() -> None:
    older = table_plans()["2019", "proactive"]
    assert FIRST.cells != next(each for each in older.rows if each.id == FIRST.id).cells
    chosen, sure = _choose([reading({FIRST.cells[0]: "1"}), reading({}, "2019")])
    assert (chosen.cells, sure) == ({}, False)


def test_a_blank_line_above_the_figures_of_disputes_takes_nothing_away() -> None:
    figures = [str(number) for number in range(1, 16)]
    blank = table("2021", "disputes", "")
    at = max(cell.row for cell in blank.cells)
    more = tuple(TextCell(row=at + 1, column=n, text=text) for n, text in enumerate(figures))
    assert [cell.raw for cell in matched(Grid(cells=(*blank.cells, *more))).cells()] == figures


@pytest.mark.parametrize(("own", "column", "kept"), [(True, 9, 7), (False, 9, 0), (True, 1, 0)])
def test_a_figure_outside_its_columns_refutes_the_heads_but_to_the_right_in_our_own_workbook(
    own: bool, column: int, kept: int
) -> None:
    """Our workbook may say something of its own beside the form; elsewhere such a figure may have been pushed out."""
    heads = [TextCell(row=0, column=n, text=text) for n, text in enumerate(COLUMNS, 2)]
    label = TextCell(row=1, column=0, text=REQUESTS.rows[0].label)
    figures = [TextCell(row=1, column=n, text=text) for n, text in enumerate(("1", "", "", "", "", "", "1"), 2)]
    cells = (*heads, label, *figures, TextCell(row=1, column=column, text="1"))
    marks = {"product": MARK_PRODUCT} if own else {}
    document = Document(format="xlsx", items=(Grid(cells=cells),), marks=marks)
    assert len(match(document, flatten(document), 2023).cells()) == kept


def test_blank_disputes_are_found_among_other_tables_of_one_sheet_and_with_words_in_them_not() -> None:
    blank = table("2021", "disputes", "")
    above = table("2021", "requests")
    lower = [msgspec.structs.replace(cell, row=cell.row + above.rows + 1) for cell in blank.cells]
    both = matched(Grid(cells=(*above.cells, *lower)))
    assert len(both.readings["disputes"].cells) == 15
    assert len(both.readings["requests"].cells) == REQUESTS.size
    first = next(cell for cell in blank.cells if cell.at == DISPUTES.joined.cells[0])
    said = TextCell(row=first.row, column=first.column, text="另行报送", at=first.at)
    worded = Grid(cells=tuple(said if cell is first else cell for cell in blank.cells))
    assert all(not each.cells for each in matched(worded).readings.values())


def test_of_several_tables_the_fullest_counts_wherever_it_stands() -> None:
    third = PLAN.rows[2]
    whole = [[FIRST.label, "1", "2", "3"], [SECOND.label, "4", "5", "6"], [third.label, "7"]]
    heads = ["信息内容", *ABOVE]
    assert read(grid(heads, [FIRST.label, "1", "2", "9"], *whole)) == {*FIRST.cells, *SECOND.cells, *third.cells}
    twice = matched(*grid(heads, *whole, *whole[:1], [SECOND.label, "4", "0", "6"]).items, year=2023)
    [found] = twice.readings.values()
    assert found.clash == (SECOND.cells[1],)
    assert set(found.cells) == {*FIRST.cells, SECOND.cells[0], SECOND.cells[2], *third.cells}


def test_a_line_of_text_with_a_figure_in_it_may_end_anywhere() -> None:
    [line] = flatten(lines(f"{FIRST.label} 5"))
    assert [slot.kind for slot in line.slots] == ["label", "value"]
    assert _lonely(line)


def test_one_run_that_is_too_short_makes_a_table_lossy() -> None:
    rows = [row(), row()]
    full, short, single = (
        Record(row=0, label="", run=run("1 2 3 6")),
        Record(row=1, label="", run=run("1 2")),
        Record(row=1, label="", run=run("1")),
    )
    assert not _lossy(cut(full), rows)
    assert _lossy(cut(full, short), rows)
    assert _lossy(cut(full, single), rows)


def test_rows_in_text_hide_no_heads_of_the_drawn_rows_behind_them() -> None:
    drawn = grid(["信息内容", *ABOVE, ""], [SECOND.label, "", "5", "", ""])
    document = Document(format="html", items=(Paragraph(text=f"|{FIRST.label}|1|2|3|"), *drawn.items))
    title = Paragraph(text=FORM.table("proactive").title_zh)
    document = Document(format="html", items=(title, *document.items))
    assert read(document) == {*FIRST.cells, *SECOND.cells}


def test_a_row_that_no_heads_place_hides_no_heads_of_the_next() -> None:
    heads, second = ["信息内容", *ABOVE, ""], [SECOND.label, "", "5", "", ""]
    assert read(grid([FIRST.label, "1", "2", "3"], heads, second)) >= set(SECOND.cells)  # above the heads
    assert read(grid(heads, [FIRST.label, "1 2", "", "3", ""], second)) == set(SECOND.cells)  # two figures in one cell
    assert read(grid(heads, second)) == set(SECOND.cells)


def test_a_row_with_fewer_cells_than_heads_is_not_placed_by_them() -> None:
    seven = ["1", "", "", "", "", "1", "7"]
    assert len(read(grid(["", *COLUMNS], [REQUESTS.rows[0].label, *seven]))) == 7
    assert read(grid(["", *COLUMNS], [REQUESTS.rows[0].label, *seven[:-1]])) == set()


def test_what_is_not_said_of_a_reading_is_so() -> None:
    bare = Reading(PLAN, {})
    assert (bare.stray, bare.clash, bare.found) == (0, (), False)
    twin = Reading(PLAN, {})
    assert _better(bare, twin) is bare  # of equals the first


def test_a_line_belongs_to_the_table_of_most_of_its_labels() -> None:
    first = next(each.label for each in PLAN.rows if table_named(each.label) == "proactive")
    others = [each.label for each in REQUESTS.rows if table_named(each.label) == "requests"][:2]
    assert set(find_regions(flatten(grid([first, *others])))) == {"requests"}
    assert set(find_regions(flatten(grid([first, *others[:1]])))) == {"proactive"}  # of equals the first


ABOVE = [column.label_zh for column in FORM.table("proactive").blocks[0].columns]  # they tell the edition


def read(document: Document) -> set[str]:
    return {cell.cell for cell in match(document, flatten(document), 2023).cells()}


def test_where_lines_are_rows_somewhere_their_ends_mean_something_everywhere() -> None:
    first = (*ABOVE, FIRST.label, "1", "2", "3", SECOND.label)
    assert read(lines(*first, "4", "5", "6", PLAN.rows[2].label)) == {*FIRST.cells, *SECOND.cells}
    assert read(lines(*first, "4 5 6", PLAN.rows[2].label)) <= set(SECOND.cells)


def test_blanks_leave_a_trace_in_the_cells_of_a_drawn_table() -> None:
    """In running text the last run may have lost a blank and taken up a strange figure; in a grid it cannot have."""
    texts = (*ABOVE, FIRST.label, "1", "2", "3", SECOND.label, "4", "5", "6")
    assert read(grid(*[[text] for text in texts])) == {*FIRST.cells, *SECOND.cells}
    assert read(lines(*texts)) == set(FIRST.cells)


def test_a_second_table_counts_from_half_as_many_figures() -> None:
    whole = [["信息内容", *ABOVE], [FIRST.label, "1", "2", "3"], [SECOND.label, "4", "5", "6"]]
    again = [FIRST.label, "1", "2", "9"]
    assert read(grid(*whole, again)) == {*FIRST.cells[:2], *SECOND.cells}  # 3 of 6: which of the two is right?
    third = PLAN.rows[2]
    assert read(grid(*whole, [third.label, "7"], again)) == {*FIRST.cells, *SECOND.cells, *third.cells}  # 3 of 7


def test_a_table_of_one_edition_alone_tells_nothing_of_the_others() -> None:
    fees = FORM.table("processing_fees").blocks[0]
    drawn = grid(["", *[column.label_zh for column in fees.columns]], [fees.rows[0].label_zh, "1", "2", "3"])
    found = matched(*drawn.items)
    assert found.form == {"processing_fees": "2021"}
    assert found.certain == frozenset()
    assert matched(table("2021", "requests")).certain == {"requests"}


def test_the_one_line_of_disputes_that_is_long_enough_is_meant() -> None:
    figures = [str(number) for number in range(1, 16)]

    def disputes(*rows: list[str]) -> list[str]:
        items = (Paragraph(text="行政复议、行政诉讼情况"), *grid(*rows).items)
        return [cell.raw or "" for cell in matched(*items, year=2023).cells()]

    title = [[FORM.table("disputes").title_zh]]
    assert disputes(*title, figures) == figures
    assert disputes(*title, ["备注", "1", "2"], figures) == figures
    assert disputes(*title, figures, figures[::-1]) == []  # which of the two?


def test_labels_one_below_another_and_then_all_figures_are_one_line() -> None:
    """In a grid of one column too, whose last label must not be taken for the row of all the figures."""
    figures = [str(number) for number in range(1, 16)]
    texts = [FORM.table("disputes").title_zh, *LABELS, *RESULTS * 3, *figures]
    for document in (grid(*[[text] for text in texts]), lines(*texts)):
        assert [cell.raw for cell in match(document, flatten(document), 2023).cells()] == figures


def test_a_table_of_one_row_is_read_below_its_heads_too() -> None:
    fees = FORM.table("processing_fees").blocks[0]
    heads = ["", *[column.label_zh for column in fees.columns], "备注"]
    found = matched(*grid(heads, [fees.rows[0].label_zh, "", "2", "", ""]).items)
    assert [(cell.cell.rsplit(".", 1)[-1], cell.raw) for cell in found.cells()] == [
        ("issued", None),
        ("amount", "2"),
        ("collected", None),
    ]


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
