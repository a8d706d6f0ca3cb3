"""Small invented returns, one for each peculiarity of real ones; figures and names are synthetic."""

from __future__ import annotations

from random import Random

import pytest

from pipelines.ingest.document import Document, Grid, Paragraph, TextCell
from pipelines.ingest.read import read_document
from schemas.form import load_form
from tests.ingest.noise import Accidents, drawn_document, figures, text_document

FORM = load_form("2021")
COLUMNS = [column.id for column in FORM.table("requests").blocks[0].columns]
HEADS = (
    "(本列数据的勾稽关系为:第一项加第二项之和,等于第三项加第四项之和) | 申请人情况 |\n"
    "自然人 | 法人或其他组织 | 总计 |\n商业企业 | 科研机构 | 社会公益组织 | 法律服务机构 | 其他 |\n"
)


def text(lines):
    items = tuple(Paragraph(text=line, at=f"第{n}行") for n, line in enumerate(lines.splitlines(), start=1))
    return read_document(Document(format="text", items=items), "return.txt", "0" * 64)


def grid(*rows, spans=None):
    """A grid of texts; ``spans`` (row, column) -> (rows, columns)."""
    cells, taken = [], set()
    for y, row in enumerate(rows):
        x = 0
        for said in row:
            while (y, x) in taken:
                x += 1
            tall, wide = (spans or {}).get((y, x), (1, 1))
            cells.append(TextCell(row=y, column=x, rows=tall, columns=wide, text=said, at=f"第{y + 1}行第{x + 1}列"))
            taken |= {(y + dy, x + dx) for dy in range(tall) for dx in range(wide)}
            x += wide
    return Grid(cells=tuple(cells))


def document(*items):
    return read_document(Document(format="html", items=items), "return.html", "0" * 64)


def raws(found, prefix):
    return {
        cell.cell.removeprefix(f"{prefix}."): cell.raw for cell in found.cells if cell.cell.startswith(f"{prefix}.")
    }


def row(found, name):
    got = raws(found, f"requests.{name}")
    return [got.get(column, "unread") for column in COLUMNS]


def whole(seed=7, blanks=0.0):
    return figures(FORM, Random(seed), blanks)


def check(found, said):
    got = {cell.cell: cell for cell in found.cells}
    for cell, raw in said.items():
        if not cell.startswith("processing_fees."):
            assert cell in got, cell
            assert (got[cell].raw or "") == raw, cell
    assert not found.problems


# ---------------------------------------------------------------- 1. cell content


def test_1_1_blank_applicants_with_given_totals():
    found = text(
        HEADS
        + "一、本年新收政府信息公开申请数量 | 26 | | | | | | 26 |\n二、上年结转政府信息公开申请数量 | | | | | | | 0 |"
    )
    assert row(found, "received") == ["26", None, None, None, None, None, "26"]
    assert row(found, "carried_in") == [None] * 6 + ["0"]
    states = {cell.state for cell in found.cells if cell.cell.startswith("requests.carried_in") and cell.raw is None}
    assert states == {"blank"}


def test_1_2_a_blank_total_stays_blank_and_moves_nothing():
    rows = [
        ["一、本年新收政府信息公开申请数量", "5", "3", "0", "0", "0", "0", ""],
        ["二、上年结转政府信息公开申请数量", "1", "0", "0", "0", "0", "0", "1"],
        ["四、结转下年度继续办理", "0", "0", "0", "0", "0", "0", "0"],
    ]
    head = ["", "自然人", "商业企业", "科研机构", "社会公益组织", "法律服务机构", "其他", "总计"]
    found = document(grid(head, *rows))
    assert row(found, "received") == ["5", "3", "0", "0", "0", "0", None]
    assert row(found, "carried_in")[-1] == "1"


def test_1_3_single_missing_cells_on_their_own_lines():
    found = text(
        "第二十条第(一)项 | |||\n|\n规章 |\n0 |\n0 |\n|\n|\n行政规范性文件 |\n5 |\n12 |\n"
        "8 |\n|\n第二十条第(五)项 | |||\n本年制发件数"
    )
    assert raws(found, "proactive.rules") == {"issued": "0", "repealed": "0", "in_force": None}
    assert raws(found, "proactive.normative_documents") == {"issued": "5", "repealed": "12", "in_force": "8"}


@pytest.mark.parametrize("mark", ["/", "-", "—", "－", "无"])
def test_1_5_and_1_6_marks_for_none(mark):
    found = text(
        f"本年制发件数 | 本年废止件数 | 现行有效件数\n规章 | {mark} | {mark} | {mark}\n行政规范性文件 | 1 | 0 | 1"
    )
    cells = [cell for cell in found.cells if ".rules." in cell.cell]
    assert [(cell.raw, cell.state, cell.value) for cell in cells] == [(mark, "slash", None)] * 3


def test_1_7_and_1_8_units_count_only_where_the_cell_states_them():
    lines = "本年制发件数\n第二十条第（八）项\n本年收费金额（单位：万元）\n行政事业性收费 | {} |"
    (fee,) = text(lines.format("251000元")).cells
    assert (fee.raw, str(fee.value)) == ("251000元", "25.1000")
    (fee,) = text(lines.format("119253.55")).cells
    assert str(fee.value) == "119253.55"


def test_1_10_signed_changes_of_2019():
    found = text(
        "第二十条第(五)项 |\n信息内容 | 上一年项目数量 | 本年增/减 | 处理决定数量 |\n"
        "行政许可 | 22 | +1 | 23 |\n其他对外管理服务事项 | 8 | 减4 | 4 |\n"
        "第二十条第(九)项 |\n信息内容 | 采购项目数量 | 采购总金额 |\n政府集中采购 | 2 | 184719元 |"
    )
    assert found.form == {"proactive": "2019"}
    values = {cell.cell: cell.value for cell in found.cells}
    assert values["proactive.licences.items_change"] == 1
    assert values["proactive.other_services.items_change"] == -4
    assert values["proactive.procurement.amount"] == 184719


def test_1_11_words_beside_a_number_keep_the_number():
    found = document(
        grid(
            ["信息内容", "本年制发件数", "本年废止件数", "现行有效件数"],
            ["规章", "2", "1（其中修订 1 件）", "9"],
            ["行政规范性文件", "3", "见附件", "4"],
        )
    )
    cells = {cell.cell: cell for cell in found.cells}
    assert (cells["proactive.rules.repealed"].raw, cells["proactive.rules.repealed"].value) == ("1（其中修订 1 件）", 1)
    remark = cells["proactive.normative_documents.repealed"]
    assert (remark.raw, remark.state, remark.value) == ("见附件", "text", None)


def test_1_11_remarked_figures_that_lost_their_rows():
    found = text(
        "第二十条第（一）项\n信息内容 | 本年制发件数 | 本年废止件数 | 现行有效件数\n7\n"
        "（其中修订 6 件）\n9\n（含自然失效 2 件）\n"
        "| 规章 | 2 | 35 |\n| 行政规范性文件 | 4 | 89 |"
    )
    assert raws(found, "proactive.rules") == {"issued": "2", "repealed": "7（其中修订 6 件）", "in_force": "35"}
    assert raws(found, "proactive.normative_documents")["repealed"] == "9（含自然失效 2 件）"


def test_1_11_without_a_telling_remark_they_stay_unread():
    found = text(
        "本年制发件数\n7\n（其中修订 6 件）\n9\n（含修订 2 件）\n| 规章 | 2 | 35 |\n| 行政规范性文件 | 4 | 89 |"
    )
    assert not found.cells


# ---------------------------------------------------------------- 2. labels and heads


def drawn(said=None, **how):
    said = said or whole()
    return read_document(drawn_document(FORM, said, Accidents(**how), Random(3)), "x.html", "0" * 64), said


def test_the_drawn_form_is_read_whole():
    check(*drawn())


def test_2_1_heads_and_labels_broken_by_white_space():
    check(*drawn(spaces=1.0))


def test_2_2_heads_over_two_rows_and_lost_row_spans():
    found = text(
        "自然人 | 法人或其他组织 | 总计 |\n商业 | 科研 | 社会公益组织 | 法律服务机构 | 其他 |\n企业 | 机构 |\n"
        "一、本年新收政府信息公开申请数量 | 1 | | | | | | 1 |\n"
        "三、本年度办理结果 | (一)予以公开 | | | | | | | 0 |\n| (三)不予公开 | 1.属于国家秘密 | | | | | | | 0 |\n"
    )
    assert row(found, "received") == ["1", None, None, None, None, None, "1"]
    assert row(found, "refused_state_secret") == [None] * 6 + ["0"]


def test_2_3_to_2_5_explained_shortened_and_other_labels():
    found = document(
        grid(
            ["信息内容", "本年 制发件数", "本年废止件数", "现行有效件数（历史累计）"],
            ["规章（设区的市、自治州人民政府应提供相关数据）", "0", "0", "0"],
            ["规范性文件", "3", "1", "7"],
        )
    )
    assert found.form == {"proactive": "2021"}
    assert raws(found, "proactive.normative_documents") == {"issued": "3", "repealed": "1", "in_force": "7"}


def test_2_7_a_lost_label_is_told_by_order_and_count():
    found = text(
        "第二十条第(一)项\n信息内容 | 本年制发件数 | 本年废止件数 | 现行有效件数\n"
        " | 1 | 0 | 1\n行政规范性文件 | 3 | 2 | 9\n第二十条第(五)项"
    )
    assert raws(found, "proactive.rules") == {"issued": "1", "repealed": "0", "in_force": "1"}


def test_2_7_two_lost_labels_for_one_row_stay_unread():
    said = ["0"] * 7
    rows = [
        ["一、本年新收政府信息公开申请数量", *said],
        ["", *said],
        ["", *said],
        ["三、本年度办理结果（一）予以公开", *said],
    ]
    found = document(
        grid(["", "自然人", "商业企业", "科研机构", "社会公益组织", "法律服务机构", "其他", "总计"], *rows)
    )
    assert row(found, "carried_in") == ["unread"] * 7
    assert row(found, "granted") == said


def test_2_11_a_row_that_the_form_does_not_have():
    found = document(
        grid(
            ["信息内容", "本年新制作数量", "本年新公开数量", "对外公开总数量"],
            ["规章", "0", "0", "0"],
            ["规范性文件", "2", "2", "19"],
            ["其他主动公开文件", "186", "86", "255"],
        )
    )
    assert "186" not in {cell.raw for cell in found.cells}
    assert raws(found, "proactive.normative_documents")["public_total"] == "19"


def test_2_11_a_foreign_row_never_takes_a_missing_rows_place():
    found = document(
        grid(
            ["信息内容", "本年制发件数", "本年废止件数", "现行有效件数"],
            ["规章", "0", "0", "0"],
            ["其他主动公开文件", "186", "86", "255"],
        )
    )
    assert "186" not in {cell.raw for cell in found.cells}


# ---------------------------------------------------------------- 3. structure


@pytest.mark.parametrize("style", ["pipes", "tabs", "spaces", "stream", "barred"])
def test_3_1_and_3_2_styles_of_text(style):
    said = whole()
    found = read_document(text_document(FORM, said, Accidents(), Random(1), style), "x.txt", "0" * 64)
    got = {cell.cell: cell.raw for cell in found.cells}
    assert got == {cell: raw for cell, raw in said.items() if not cell.startswith("processing_fees.")}


def test_3_1_counting_is_the_guard_where_blanks_vanish():
    lines = ["一、本年新收政府信息公开申请数量", *"300003", "二、上年结转政府信息公开申请数量", *"1000001"]
    found = text("自然人\n总计\n" + "\n".join(lines) + "\n三、本年度办理结果")
    assert row(found, "received") == ["unread"] * 7
    assert row(found, "carried_in") == list("1000001")
    assert any(problem.rule == "unread_cells" for problem in found.problems)


def test_3_2_label_on_a_line_of_its_own():
    found = text(
        "信息内容 |\n本年制发件数 |\n本年废止件数 |\n现行有效件数 |\n规章 |\n0 | 0 | 0 |\n行政规范性文件 |\n1 | 2 | 3 |"
    )
    assert raws(found, "proactive.normative_documents") == {"issued": "1", "repealed": "2", "in_force": "3"}


def test_3_3_a_blank_breaks_the_row_over_lines():
    found = text(
        HEADS
        + (
            "一、本年新收政府信息公开申请数量 | 25 |\n|\n|\n|\n|\n| 25 |\n二、"
            "上年结转政府信息公开申请数量 |\n|\n|\n|\n|\n|\n| 0 |"
        )
    )
    assert row(found, "received") == ["25", None, None, None, None, None, "25"]
    assert row(found, "carried_in") == [None] * 6 + ["0"]


@pytest.mark.parametrize(
    "how",
    [
        {"drop_row_spans": True},
        {"drop_column_spans": True},
        {"drop_row_spans": True, "drop_column_spans": True, "padding": 9},
        {"fill_spans": True},
        {"padding": 17},
        {"heads": False},
        {"titles": False},
        {"other_tables": True},
        {"traditional": True},
        {"breaks": 0.3},
    ],
    ids="+".join,
)
def test_3_4_to_3_17_structure(how):
    check(*drawn(**how))


def test_3_8_wrong_and_repeated_section_numbers():
    said = whole()
    drawing = drawn_document(FORM, said, Accidents(), Random(3))
    items = [Paragraph(text="一、总体情况"), Paragraph(text="三、主动公开政府信息情况"), *drawing.items]
    check(read_document(Document(format="html", items=tuple(items)), "x", "0" * 64), said)


def test_3_11_a_page_number_is_no_figure():
    found = text(
        "自然人\n总计\n一、本年新收政府信息公开申请数量 1 0 0 0 0 0 1\n- 3 -\n— 5 —\n二、"
        "上年结转政府信息公开申请数量 2 0 0 0 0 0 2\n"
    )
    assert row(found, "received") == list("1000001")
    assert row(found, "carried_in") == list("2000002")


def test_3_12_figures_of_a_wrapped_label_between_its_parts():
    said = whole(11)
    lines = []
    for plan in FORM.table("requests").blocks[0].rows:
        values = " ".join(said[f"requests.{plan.id}.{column}"] for column in COLUMNS)
        if plan.id == "declined_reconfirmation":
            lines += [plan.label_zh[:12], values, plan.label_zh[12:]]
        elif plan.id == "refused_state_secret":
            lines += [values, plan.label_zh]
        else:
            lines.append(f"{plan.label_zh} {values}")
    found = text("\n".join(lines))
    assert {cell.cell: cell.raw for cell in found.cells} == {k: v for k, v in said.items() if k.startswith("requests.")}


def test_3_13_rows_without_labels():
    said = whole(12)
    rows = []
    for n, plan in enumerate(FORM.table("requests").blocks[0].rows):
        label = "" if n % 3 else plan.label_zh
        rows.append([label, *(said[f"requests.{plan.id}.{column}"] for column in COLUMNS)])
    found = document(Paragraph(text="三、收到和处理政府信息公开申请情况"), grid(*rows))
    assert raws(found, "requests") == {
        k.removeprefix("requests."): v for k, v in said.items() if k.startswith("requests.")
    }


def test_3_13_all_labels_first_then_all_figures():
    said = whole(13)
    found = read_document(text_document(FORM, said, Accidents(heads=False), Random(1), "parted"), "x", "0" * 64)
    assert raws(found, "requests") == {
        k.removeprefix("requests."): v for k, v in said.items() if k.startswith("requests.")
    }


def test_3_14_disputes_on_one_line_or_as_three_tables():
    line = text(
        "四、政府信息公开行政复议、行政诉讼情况\n行政复议 行政诉讼\n"
        "结果 结果 其他 尚未 总\n维持 纠正 结果 审结 计\n1 0 0 0 1 0 2 0 0 2 0 0 3 0 3\n"
        "五、存在的主要问题"
    )
    expected = {"reconsideration": "10001", "litigation_direct": "02002", "litigation_after_reconsideration": "00303"}
    head = ["结果维持", "结果纠正", "其他结果", "尚未审结", "总计"]
    three = document(
        Paragraph(text="四、政府信息公开行政复议、行政诉讼情况"),
        Paragraph(text="行政复议"),
        grid(head, list("10001")),
        Paragraph(text="未经复议直接起诉"),
        grid(head, list("02002")),
        Paragraph(text="复议后起诉"),
        grid(head, list("00303")),
    )
    for found in (line, three):
        for name, figures_ in expected.items():
            assert "".join(raws(found, f"disputes.{name}").values()) == figures_


def test_3_16_headings_without_tables_are_no_zeros():
    found = text(
        "二、主动公开政府信息情况\n三、收到和处理政府信息公开申请情况\n四、"
        "政府信息公开行政复议、行政诉讼情况\n五、存在的主要问题"
    )
    assert not found.cells
    assert [problem.rule for problem in found.problems] == ["not_a_return"]


def test_two_tables_that_agree_count_once_and_two_that_differ_not_at_all():
    rows = [
        ["信息内容", "本年制发件数", "本年废止件数", "现行有效件数"],
        ["规章", "0", "0", "0"],
        ["行政规范性文件", "3", "1", "7"],
    ]
    other = [*rows[:2], ["行政规范性文件", "4", "1", "7"]]
    same = document(grid(*rows), Paragraph(text="附："), grid(*rows))
    assert raws(same, "proactive.normative_documents") == {"issued": "3", "repealed": "1", "in_force": "7"}
    differ = document(grid(*rows), Paragraph(text="附："), grid(*other))
    assert raws(differ, "proactive.normative_documents") == {"repealed": "1", "in_force": "7"}
    assert "两种读法" in next(p.message_zh for p in differ.problems if "主动公开" in p.message_zh)


# ---------------------------------------------------------------- 4. editions, 6. copies


def test_4_1_editions_may_differ_from_table_to_table():
    old = load_form("2019")
    new, said = drawn_document(FORM, whole(), Accidents(), Random(1)), figures(old, Random(2))
    from pipelines.ingest.document import Paragraph as Heading

    items = list(new.items)
    start = next(n for n, i in enumerate(items) if isinstance(i, Heading) and i.text.startswith("三、"))
    end = next(n for n, i in enumerate(items) if isinstance(i, Heading) and i.text.startswith("四、"))
    older = list(drawn_document(old, said, Accidents(), Random(1)).items)
    o_start = next(n for n, i in enumerate(older) if isinstance(i, Heading) and i.text.startswith("三、"))
    o_end = next(n for n, i in enumerate(older) if isinstance(i, Heading) and i.text.startswith("四、"))
    mixed = Document(format="html", items=(*items[:start], *older[o_start:o_end], *items[end:]))
    found = read_document(mixed, "x", "0" * 64)
    assert (found.form["proactive"], found.form["requests"]) == ("2021", "2019")
    assert raws(found, "requests") == {
        k.removeprefix("requests."): v for k, v in said.items() if k.startswith("requests.")
    }


def test_4_without_any_telling_label_the_edition_stays_open():
    found = text("二、主动公开政府信息情况\n行政许可\n0\n17\n34\n三、收到和处理政府信息公开申请情况")
    assert not found.cells


def test_the_system_before_2019_is_declined_by_name():
    found = document(grid(["主动公开信息数", "12"], ["当面申请数", "3"], ["网络申请数", "4"], ["申请办结数", "7"]))
    assert [problem.rule for problem in found.problems] == ["older_system"]


def test_6_3_to_6_5_traditional_pinyin_and_other_words():
    found = text(
        "第二十條第(一)項(xiàng) |\n"
        "信息內(nèi)容 | 本年制發(fā)件數(shù) | 本年廢止件數(shù) | 現(xiàn)行有效件數(shù) |\n"
        "規(guī)章 | 0 | 0 | 0 |\n規範性檔案 | 1 | 0 | 1 |"
    )
    assert found.form == {"proactive": "2021"}
    assert raws(found, "proactive.normative_documents") == {"issued": "1", "repealed": "0", "in_force": "1"}


def test_a_formula_without_a_result_is_said_to_be_one():
    rows = (
        TextCell(row=1, column=0, text="行政规范性文件"),
        *tuple(TextCell(row=1, column=n, text="", formula=n == 2, number="" if n == 2 else "4") for n in (1, 2, 3)),
    )
    heads = tuple(
        TextCell(row=0, column=n, text=said)
        for n, said in enumerate(("信息内容", "本年制发件数", "本年废止件数", "现行有效件数"))
    )
    found = document(Grid(cells=heads + rows))
    states = {cell.cell.rsplit(".", 1)[1]: (cell.state, cell.raw) for cell in found.cells}
    assert states == {"issued": ("given", "4"), "repealed": ("formula", None), "in_force": ("given", "4")}


def test_figures_merged_over_rows_are_not_read():
    found = document(
        grid(
            ["信息内容", "本年制发件数", "本年废止件数", "现行有效件数"],
            ["规章", "5", "0", "0"],
            ["行政规范性文件", "1", "7"],
            spans={(1, 1): (2, 1)},
        )
    )
    assert "proactive.rules.issued" not in {cell.cell for cell in found.cells}
    assert "proactive.normative_documents.issued" not in {cell.cell for cell in found.cells}


def test_the_same_document_gives_the_same_answer():
    made = drawn_document(FORM, whole(5, 0.3), Accidents(padding=3, lost_labels=0.3), Random(4))
    assert read_document(made, "x", "0" * 64) == read_document(made, "x", "0" * 64)


def test_3_1_the_last_label_of_a_stream_may_stand_over_two_rows_of_figures():
    rows = FORM.table("requests").blocks[0].rows
    lines = ["自然人", "总计"]
    for plan in rows[:-3]:
        lines += [plan.label_zh, *"1000001"]
    lines += [rows[-3].label_zh, *"200", *"3030"]  # two blanks lost, and the labels of the rows that follow
    found = text("\n".join(lines) + "\n四、政府信息公开行政复议、行政诉讼情况")
    assert row(found, rows[-3].id) == ["unread"] * 7
    assert row(found, rows[-4].id) == list("1000001")


def test_3_1_a_lost_blank_and_a_lost_label_move_no_figure_up():
    found = text(
        "第二十条第（一）项\n本年制发件数\n第二十条第（六）项\n信息内容\n本年处理决定数量\n行政处罚\n0\n"
        "第二十条第（八）项\n信息内容\n本年收费金额（单位：万元）\n行政事业性收费\n三、收到和处理政府信息公开申请情况"
    )
    assert not found.cells  # the 0 may be that of 行政强制, whose label is gone
