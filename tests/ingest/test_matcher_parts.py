"""The parts of the matcher one by one: labels, plans, lines of text, heads of drawn tables, windows of figures."""

from __future__ import annotations

import pytest

from pipelines.ingest import labels, lines, normalise
from pipelines.ingest.document import Document, Grid, Paragraph, TextCell
from pipelines.ingest.geometry import columns_below, columns_beside, slots_at, survey
from pipelines.ingest.labels import (
    ending_of,
    forms_of,
    likeness,
    longest_label,
    meanings_of,
    plain,
    squash,
    vocabulary,
)
from pipelines.ingest.lines import Line, Slot, flatten, grids_of, slot_kind, stream
from pipelines.ingest.plan import TablePlan, table_plans
from pipelines.layout import draw
from schemas.form import load_form

PLANS = table_plans()
REQUESTS: TablePlan = PLANS["2021", "requests"]
DISPUTES: TablePlan = PLANS["2021", "disputes"]
PROACTIVE: TablePlan = PLANS["2021", "proactive"]


# --- labels -------------------------------------------------------------------------------------------------


def test_labels_are_compared_without_space_marks_script_and_pinyin() -> None:
    assert squash("規範性 文件（guī）：") == squash("规范性文件") == "规范性文件"
    assert plain("ＡＢ（fèi）规") == "ab规"
    assert squash("（一）予以公开 12%") == "一予以公开12"


def test_spellings_from_the_whole_to_the_bare() -> None:
    assert forms_of("1.其他（不含上年）") == ("1其他不含上年", "1其他", "其他不含上年", "其他")
    assert forms_of("三、其他") == ("三其他", "其他")
    assert forms_of("其他") == ("其他",)
    assert forms_of("——") == ()


def rows_meant(text: str) -> set[str]:
    return {meaning.id for meaning in meanings_of(text) if meaning.kind == "row"}


def test_every_label_of_every_plan_means_its_row() -> None:
    for plan in PLANS.values():
        for row in plan.rows:
            assert any(
                (meaning.edition, meaning.table, meaning.kind, meaning.id, meaning.block)
                == (plan.edition, plan.table, "row", row.id, row.block)
                for meaning in meanings_of(row.label)
            ), row.label


def test_titles_corners_heads_and_groups_are_words_too() -> None:
    kinds = {meaning.kind for meanings in vocabulary().values() for meaning in meanings}
    assert kinds >= {"title", "row", "column", "row_group", "column_group"}
    assert all(len(set(meanings)) == len(meanings) for meanings in vocabulary().values())
    assert longest_label() == max(map(len, vocabulary()))


def test_other_texts_mean_nothing() -> None:
    assert meanings_of("") == meanings_of("本年度没有") == ()
    label = REQUESTS.rows[0].label
    assert meanings_of(label)
    assert meanings_of(label + " " * (400 - len(label)))
    assert meanings_of(label + " " * (401 - len(label))) == ()


def test_the_end_of_a_text_may_be_a_rows_label() -> None:
    group = next(text for text in vocabulary() if vocabulary()[text][0].kind == "row_group" and len(text) > 4)
    row = next(row for row in REQUESTS.rows if "保护第三方" in row.label)
    found = ending_of(group + row.label)
    assert {meaning.id for meaning in found if meaning.kind == "row"} == {row.id}
    assert ending_of("度 4." + row.label[-9:]) == ending_of("度" + row.label[-9:])
    assert ending_of("咱们" + row.label) == ()  # strange words stand before it
    assert ending_of(row.label[:4]) == ()
    assert ending_of(group * 60 + row.label) == ()


def test_likeness() -> None:
    assert likeness("予以公开", "（一）予以公开") == 1.0
    assert likeness("（一）予以公开", "予以公开") == 1.0
    assert likeness("", "予以公开") == likeness("予以公开", "—") == 0.0
    assert likeness("甲乙", "丙丁戊") == 0.0
    assert likeness("甲乙丙丁", "甲乙戊己庚") == 0.5


# --- plans --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edition", ["2021", "2019"])
def test_plans_hold_every_cell_of_the_form_once_in_order(edition: str) -> None:
    form = load_form(edition)
    cells = [cell for (own, _), plan in PLANS.items() if own == edition for row in plan.rows for cell in row.cells]
    assert cells == [cell.id for cell in form.cells]
    for plan in PLANS.values():
        assert plan.size == sum(len(row.cells) for row in plan.rows)
        for position, row in enumerate(plan.rows):
            assert plan.positions[row.id] == position
            assert row.width == len(row.columns) == len(row.kinds) == len(row.units)


def test_a_plan_knows_totals_groups_and_arrangement() -> None:
    assert {row.total for row in REQUESTS.rows} == {6}
    assert {row.total for row in DISPUTES.rows} == {4}
    assert {row.total for row in PROACTIVE.rows} == {-1}
    assert DISPUTES.beside
    assert not REQUESTS.beside
    assert REQUESTS.rows[0].groups == ()
    assert len(next(row for row in REQUESTS.rows if row.id == "refused_state_secret").groups) == 2
    with pytest.raises(KeyError):
        REQUESTS.positions["absent"]


def test_rows_beside_one_another_join_to_one_line() -> None:
    joined = DISPUTES.joined
    assert joined.width == DISPUTES.size == 15
    assert joined.cells == tuple(cell for row in DISPUTES.rows for cell in row.cells)
    assert joined.columns[0] == f"{DISPUTES.rows[0].id}.{DISPUTES.rows[0].columns[0]}"
    assert len(joined.kinds) == len(joined.units) == 15
    assert joined.total == -1


# --- lines of text ------------------------------------------------------------------------------------------


def shape(text: str) -> list[list[tuple[str, str]]]:
    """A text as its lines of (text, kind)."""
    document = Document(
        format="text", items=tuple(Paragraph(text=line, at=str(n)) for n, line in enumerate(text.split("\n")))
    )
    return [[(slot.text, slot.kind) for slot in line.slots] for line in flatten(document)]


@pytest.mark.parametrize(
    ("text", "number", "formula", "kind"),
    [
        ("12", "", False, "value"),
        ("/", "", False, "value"),
        ("", "", False, "empty"),
        (" \u3000", "", False, "empty"),
        ("", "5", False, "value"),
        ("", "", True, "value"),
        ("予以公开", "", False, "label"),
        ("不是标签", "", False, "words"),
    ],
)
def test_kinds_of_slots(text: str, number: str, formula: bool, kind: str) -> None:
    assert slot_kind(text, number, formula) == kind


def test_bars_and_tabs_divide_and_a_frame_is_no_cell() -> None:
    assert shape("| 规章 | 1 |  | 3 |") == [[("规章", "label"), ("1", "value"), ("", "empty"), ("3", "value")]]
    assert shape("规章｜1│2") == [[("规章", "label"), ("1", "value"), ("2", "value")]]
    assert shape("\t1\t\t3\t") == [[(t, "value" if t else "empty") for t in ("", "1", "", "3", "")]]
    assert shape("|---|:---:|\n| 1 | 2 |") == [[("1", "value"), ("2", "value")]]
    assert shape("┼────┼────┼") == []


def test_figures_apart_by_spaces() -> None:
    assert shape("1 2 3") == [[("1", "value"), ("2", "value"), ("3", "value")]]
    assert shape("规章 1 2") == [[("规章", "label"), ("1", "value"), ("2", "value")]]
    assert shape("什么什么 1 2 3") == [[("什么什么", "words"), ("1", "value"), ("2", "value"), ("3", "value")]]
    assert shape("什么什么 1 2") == [[("什么什么 1 2", "words")]]
    assert shape("什" * 60 + " 1 2 3")[0][1:] == [("1", "value"), ("2", "value"), ("3", "value")]
    assert len(shape("什" * 61 + " 1 2 3")[0]) == 1


@pytest.mark.parametrize("text", ["- 3 -", "—12—", "第 3 页", "第3页 共9页", "page 3", "p. 3", "3/9", "", "-----"])
def test_page_numbers_and_rules_are_left_out(text: str) -> None:
    assert shape(text) == []


def test_a_remark_joins_the_single_figure_above_it() -> None:
    assert shape("5\n（其中修订2件）") == [[("5（其中修订2件）", "value")]]
    assert shape("5 6\n（其中修订2件）")[1] == [("（其中修订2件）", "words")]
    assert shape("规章\n（其中修订2件）")[1] == [("（其中修订2件）", "words")]
    assert shape("|5\n（其中修订2件）")[1] == [("（其中修订2件）", "words")]
    assert shape("（其中修订2件）") == [[("（其中修订2件）", "words")]]
    assert shape("5\n（三）其他")[0] == [("5", "value")]


def flags(text: str) -> tuple[bool, bool]:
    (line,) = flatten(Document(format="text", items=(Paragraph(text=text),)))
    return line.prose, line.section


@pytest.mark.parametrize(
    ("text", "prose", "section"),
    [
        ("一、甲乙丙丁", False, True),
        ("# 五、甲乙丙丁", False, True),
        ("一、甲乙丙丁。", True, False),
        ("一、甲乙丙丁；", True, False),
        ("甲乙丙丁", False, False),
        ("甲乙。丙丁", True, False),
        ("甲" * 60, False, False),
        ("甲" * 61, True, False),
        ("一、" + "甲" * 58, False, True),
        ("一、" + "甲" * 59, True, False),
    ],
)
def test_prose_and_sections(text: str, prose: bool, section: bool) -> None:
    assert flags(text) == (prose, section)


def test_a_grid_gives_lines_of_its_rows_from_left_to_right() -> None:
    cells = (
        TextCell(row=1, column=1, text="5", number="5", at="B2"),
        TextCell(row=1, column=0, text="规章", at="A2"),
        TextCell(row=0, column=0, text="", columns=2),
        TextCell(row=1, column=2, text="", formula=True),
        TextCell(row=1, column=3, text=" ", columns=4),
    )
    document = Document(format="xlsx", items=(Paragraph(text="前"), Grid(cells=cells, at="表"), Grid(cells=cells)))
    lines = flatten(document)
    assert [(line.grid, line.row) for line in lines] == [(-1, -1), (0, 0), (0, 1), (1, 0), (1, 1)]
    assert [(slot.text, slot.kind, slot.column, slot.at) for slot in lines[2].slots[:3]] == [
        ("规章", "label", 0, "A2"),
        ("5", "value", 1, "B2"),
        ("", "value", 2, "表"),
    ]
    assert len(grids_of(document)) == 2


def streamed(*texts: str) -> list[str]:
    document = Document(format="text", items=tuple(Paragraph(text=text) for text in texts))
    return [slot.text for slot in stream(flatten(document))]


def test_a_stream_ends_nothing_at_line_ends() -> None:
    assert streamed("规章", "1", "2") == ["规章", "1", "2"]
    assert streamed("规章|", "1", "|", "|", "3") == ["规章", "1", "", "3"]
    assert streamed("|", "1", "|", "2") == ["1", "2"]
    assert streamed("|1", "（其中修订1件）|2") == ["1（其中修订1件）", "2"]
    assert streamed("|1|", "（其中修订1件）|2") == ["1", "（其中修订1件）", "2"]
    assert streamed("1|", "一、甲乙", "|2") == ["1", "一、甲乙", "2"]


def test_a_stream_keeps_the_cells_of_grids() -> None:
    slot = Slot(text="", at="", kind="empty")
    line = Line(slots=(slot, slot), grid=0, row=0)
    assert stream((line, line)) == (slot,) * 4


# --- heads of drawn tables ----------------------------------------------------------------------------------


def drawn(table: str, left_out: tuple[str, ...] = ()) -> Grid:
    """The form's own drawing of a table as a grid; figures are their cell ids' numbers."""
    drawing = draw(load_form("2021"), table)
    return Grid(
        cells=tuple(
            TextCell(
                row=box.row,
                column=box.column,
                rows=box.rows,
                columns=box.columns,
                text=str(number) if box.role == "cell" else box.text_zh,
                at=box.cell or "",
            )
            for number, box in enumerate(drawing.boxes)
            if box.text_zh not in left_out or box.role == "cell"
        )
    )


def line_of(grid: Grid, cell: str) -> int:
    return next(each.row for each in grid.cells if each.at == cell)


def test_each_row_finds_its_columns_below_the_heads() -> None:
    for plan in (REQUESTS, PROACTIVE):
        grid = drawn(plan.table)
        geometry = survey(grid)
        for row in plan.rows:
            at = line_of(grid, row.cells[0])
            columns = columns_below(geometry, plan, row, at)
            assert columns is not None, row.id
            slots = slots_at(geometry, columns, at)
            assert slots is not None
            assert [slot.at for slot in slots if slot] == list(row.cells)
            assert columns_below(geometry, plan, row, 0) is None  # no head stands above the first line


def test_rows_beside_one_another_find_theirs() -> None:
    grid = drawn("disputes")
    at = line_of(grid, DISPUTES.joined.cells[0])
    geometry = survey(grid)
    columns = columns_beside(geometry, DISPUTES, at)
    assert columns == tuple(range(15))
    assert [slot.at for slot in slots_at(geometry, columns, at) or () if slot] == list(DISPUTES.joined.cells)
    assert columns_beside(geometry, DISPUTES, 0) is None
    assert columns_beside(geometry, REQUESTS, at) is None
    assert columns_beside(geometry, PLANS["2019", "disputes"], at) == columns  # the same table in both


def test_a_lost_head_refutes_the_columns() -> None:
    grid = drawn("requests", left_out=("科研机构",))
    row = REQUESTS.rows[0]
    assert columns_below(survey(grid), REQUESTS, row, line_of(grid, row.cells[0])) is None


def test_heads_of_another_order_are_refused() -> None:
    grid = drawn("requests")
    width = max(cell.column for cell in grid.cells)
    mirrored = Grid(
        cells=tuple(
            TextCell(row=cell.row, column=width - cell.column, rows=cell.rows, text=cell.text) for cell in grid.cells
        )
    )
    row = REQUESTS.rows[0]
    assert columns_below(survey(mirrored), REQUESTS, row, line_of(grid, row.cells[0])) is None


def test_a_head_spelt_by_cells_below_one_another() -> None:
    texts = ["商", "业企", "业"]
    cells = tuple(TextCell(row=n, column=4, text=text) for n, text in enumerate(texts))
    found = {(head.meaning.id, head.row, head.column) for head in survey(Grid(cells=cells)).heads}
    assert {place[1:] for place in found} == {(2, 4)}
    four = tuple(TextCell(row=n, column=4, text=text) for n, text in enumerate(["商", "业", "企", "业"]))
    assert survey(Grid(cells=four)).heads == ()
    cut = (*cells[:2], TextCell(row=2, column=4, text="3"), TextCell(row=3, column=4, text="业"))
    assert survey(Grid(cells=cut)).heads == ()


def test_slots_at_columns() -> None:
    cells = (
        TextCell(row=0, column=0, columns=2, text="1", at="a"),
        TextCell(row=0, column=2, text="", number="2", at="b"),
        TextCell(row=0, column=3, rows=2, text="3", at="c"),
    )
    geometry = survey(Grid(cells=cells))
    slots = slots_at(geometry, (0, 2, 9), 0)
    assert slots is not None
    assert [slot and (slot.at, slot.kind, slot.column, slot.columns, slot.number) for slot in slots] == [
        ("a", "value", 0, 2, ""),
        ("b", "value", 2, 1, "2"),
        None,
    ]
    assert slots_at(geometry, (0, 1), 0) is None  # two columns in one cell
    assert slots_at(geometry, (2, 3), 0) is None  # a figure that reaches down
    assert slots_at(geometry, (8, 9), 0) == (None, None)


@pytest.mark.parametrize("edition", ["2021", "2019"])
def test_every_variant_of_a_label_means_it(edition: str) -> None:
    for table in load_form(edition).tables:
        for block in table.blocks:
            for kind, parts in (("row", block.rows), ("column", block.columns), ("row_group", block.row_groups)):
                for part in parts:
                    for label in (part.label_zh, *part.variants):
                        found = {(each.edition, each.table, each.kind, each.id) for each in meanings_of(label)}
                        assert (edition, table.id, kind, part.id) in found, label


def test_a_variant_counts_without_its_number_if_enough_is_left() -> None:
    assert "other_fee_unpaid" in rows_meant("逾期不缴费")
    groups = {each.id for each in vocabulary()["其他"] if each.kind == "row_group"}
    assert "other_handling" not in groups  # （六）其他 without its number would be any 其他


def test_the_last_four_signs_may_be_a_label_behind_debris() -> None:
    key, meanings = next(
        (key, meanings)
        for key, meanings in sorted(vocabulary().items())
        if len(key) == 4 and any(each.kind == "row" for each in meanings)
    )
    group = next(text for text, meanings in vocabulary().items() if meanings[0].kind == "row_group" and len(text) > 4)
    assert ending_of(group + key) == meanings


def test_disputes_need_every_column_below_its_row() -> None:
    grid = drawn("disputes")
    at = line_of(grid, DISPUTES.joined.cells[0])
    heads = [cell for cell in grid.cells if cell.at == "" and cell.column == 0 and cell.row > 0]
    assert heads
    without = Grid(cells=tuple(cell for cell in grid.cells if cell is not heads[-1]))
    assert columns_beside(survey(without), DISPUTES, at) is None


def test_a_figure_over_two_rows_is_no_figure_of_one() -> None:
    cells = (TextCell(row=0, column=0, text="1", at="a"), TextCell(row=0, column=1, rows=2, text="2", at="b"))
    geometry = survey(Grid(cells=cells))
    assert slots_at(geometry, (0, 5), 0) is not None
    assert slots_at(geometry, (0, 1), 0) is None


def test_long_texts_are_not_remembered() -> None:
    """Anybody may send any text; what a process keeps of them stays small."""
    kept = (labels._plain, labels._squash, labels._forms_of, labels._meanings_of, labels._ending_of)
    kept += (lines._row_named, lines._may_be, lines._kind_kept, normalise._kept)
    before = [each.cache_info().currsize for each in kept]
    text = "本年新收政府信息公开申请数量" + " " * labels.SHORT
    for said in (text, "1" + " " * labels.SHORT):
        for ask in (squash, forms_of, meanings_of, ending_of, lines.slot_kind, normalise.read_value):
            ask(said)
        lines.may_be(said, "row", "requests")
        lines.row_named(said, "2021", "requests")
    assert [each.cache_info().currsize for each in kept] == before
