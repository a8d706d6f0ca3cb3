"""Labels and the heads of drawn tables: one small case for each fine point."""

from __future__ import annotations

import pytest

from pipelines.ingest.document import Grid, TextCell
from pipelines.ingest.geometry import columns_below, columns_beside, heads_above, slots_at, survey
from pipelines.ingest.labels import (
    _group_characters,
    _spellings,
    ending_of,
    longest_label,
    meanings_of,
    only_in,
    squash,
    vocabulary,
)
from pipelines.ingest.plan import table_plans
from schemas.form import load_form
from tests.ingest.points import COLUMNS, DISPUTES, LABELS, REQUESTS, RESULTS

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
