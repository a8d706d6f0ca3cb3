"""The choice among editions, tables and readings: one small case for each fine point."""

from __future__ import annotations

import msgspec
import pytest

from pipelines.ingest.document import Document, Grid, Paragraph, TextCell
from pipelines.ingest.labels import (
    table_named,
)
from pipelines.ingest.lines import Slot, flatten
from pipelines.ingest.match import Match, Reading, _better, _choose, _lonely, _lossy, find_regions, match
from pipelines.ingest.plan import table_plans
from pipelines.ingest.records import Record
from pipelines.layout import MARK_PRODUCT, draw
from schemas.form import load_form
from tests.ingest.points import COLUMNS, DISPUTES, FORM, LABELS, REQUESTS, RESULTS
from tests.ingest.test_records import FIRST, PLAN, SECOND, grid, lines
from tests.ingest.test_windows_align import cut, row, run


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
