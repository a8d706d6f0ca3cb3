"""What the report says: figures by construction, missing ones left out and noted, nothing made up."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec
import pytest

from pipelines.publish.report.content import NO_TEXT, Content, Heading, Paragraph, Table, compose_report
from schemas.findings import number_text
from schemas.narrative import Narrative, Passage
from tests.report import county


def compose(**changes) -> Content:
    given = {
        "form": county.form(),
        "region": county.region(),
        "year": county.YEAR,
        "totals": county.totals(),
        "indicators": county.indicators(),
        "narrative": county.narrative(),
    } | changes
    return compose_report(**given)


def prose(content: Content) -> str:
    return "\n".join(block.text for block in content.blocks if isinstance(block, Paragraph))


def kinds(content: Content) -> list[str]:
    return [note.kind for note in content.notes]


def test_sections_and_tables_in_the_order_of_the_form():
    content = compose()
    sections = [block.text for block in content.blocks if isinstance(block, Heading) and block.level == 1]
    assert [text.partition("、")[0] for text in sections[:6]] == list("一二三四五六")
    tables = [block for block in content.blocks if isinstance(block, Table)]
    assert [table.drawing.table for table in tables] == ["proactive", "requests", "disputes", "indicators"]
    totals = county.totals()
    printed = {cell: text for table in tables[:3] for cell, text in table.texts.items()}
    assert printed == {cell: number_text(value) for cell, value in totals.items() if cell in printed}
    assert len(printed) == 200  # the three fee cells are stated in section six
    for table in tables:
        assert sum(table.shares) == pytest.approx(1, abs=0.002)
        assert all(box.columns <= table.drawing.columns for box in table.drawing.boxes)


def test_every_number_in_the_prose_is_a_figure_of_the_data_or_a_fixed_word():
    content = compose()
    known = {number_text(value) for value in county.totals().values()}
    known |= {number_text(stated.value) for stated in county.indicators().values()}
    known |= {"2023", "2021", "30", "1", "12", "31", "6"}  # years, the circular, the period, IPv6
    # sums that sentences state: refused, declined, unavailable, litigation
    known |= {"3", "13", "2", "7", "5"}
    found = set(re.findall(r"\d+(?:\.\d+)?", prose(content)))
    assert found <= known
    assert {"101458", "5014", "391", "3135.6", "103", "1000"} <= found
    assert "typed_figure" not in kinds(content)


def test_sums_of_groups_are_worked_out():
    text = prose(compose())
    assert "不予公开3件，无法提供13件，其他处理2件" in text  # nothing declined: its clause is left out
    assert "因政府信息公开引发行政诉讼7件，结果维持5件，其他结果1件，尚未审结1件。" in text
    assert "印发各类资料1000余册" in text
    assert "渠县2023年未发出政府信息处理费收费通知，未收取信息处理费。" in text


def test_a_missing_figure_leaves_its_sentence_out_and_its_box_blank():
    totals = county.totals() | {"proactive.penalties.decisions": None}
    content = compose(totals=totals)
    assert "行政许可" not in prose(content)
    table = next(block for block in content.blocks if isinstance(block, Table))
    assert table.texts["proactive.penalties.decisions"] == ""
    assert table.texts["proactive.licences.decisions"] == "101458"
    note = next(note for note in content.notes if note.kind == "missing_figure")
    assert note.place == "decisions"
    assert "行政处罚" in note.message_zh
    assert "proactive.penalties.decisions" in note.message_en


def test_a_missing_part_of_a_list_takes_the_whole_sentence():
    totals = county.totals() | {"disputes.litigation_direct.pending": None}
    text = prose(compose(totals=totals))
    assert "行政诉讼" not in text
    assert "行政复议5件" in text


def test_fees_that_nobody_gave_are_not_said_to_be_zero():
    totals = county.totals()
    for cell in county.form().cells_of("processing_fees"):
        totals[cell.id] = None
    content = compose(totals=totals)
    assert "信息处理费" not in prose(content)
    assert [note.place for note in content.notes if note.kind == "missing_figure"] != []


def test_fees_that_were_charged_are_stated():
    fees = {"issued": "3", "amount": "380.50", "collected": "380"}
    totals = county.totals() | {f"processing_fees.notices.{name}": Decimal(text) for name, text in fees.items()}
    text = prose(compose(totals=totals))
    assert "收费通知3件，通知的总金额380.5元，实际收取的总金额380元。" in text
    assert "未收取" not in text


def test_no_disputes_are_said_in_words():
    totals = county.totals()
    for cell in county.form().cells_of("disputes"):
        totals[cell.id] = Decimal(0)
    text = prose(compose(totals=totals))
    assert "未发生因政府信息公开引发的行政复议。未发生因政府信息公开引发的行政诉讼。" in text


@pytest.mark.parametrize(("before", "words"), [("98", "增加3件"), ("104", "减少3件"), ("101", "持平")])
def test_the_change_since_last_year(before, words):
    content = compose(previous=county.totals() | {"requests.received.total": Decimal(before)})
    assert f"新收申请数量比上年{words}。" in prose(content)
    assert "no_previous_year" not in kinds(content)


def test_without_last_year_nothing_is_compared():
    content = compose()
    assert "比上年" not in prose(content)
    assert kinds(content) == ["no_previous_year"]


def test_without_reviewed_text_the_report_says_so():
    content = compose(narrative=None)
    assert NO_TEXT in prose(content)
    assert "no_text" in kinds(content)
    assert "行政许可101458件" in prose(content)  # the standard sentences need no reviewed text


def test_a_figure_typed_by_hand_is_noted():
    narrative = county.narrative()
    typed = Passage(topic="supervision", before=("全年培训 12 次。",))
    passages = tuple(typed if passage.topic == typed.topic else passage for passage in narrative.passages)
    content = compose(narrative=msgspec.structs.replace(narrative, passages=passages))
    note = next(note for note in content.notes if note.kind == "typed_figure")
    assert note.place == "supervision"
    assert "12" in note.message_zh
    assert "typed_figure" not in kinds(compose())


def test_a_synthetic_report_says_so_and_a_real_one_does_not():
    content = compose()
    assert content.title.endswith("（示例）")
    assert "示例" in content.notice
    assert "Demonstration" in content.notice_en
    region = county.region()
    settings = msgspec.structs.replace(region.settings, synthetic=False)
    real = compose(region=msgspec.structs.replace(region, settings=settings))
    assert real.title == "渠县2023年政府信息公开工作年度报告"
    assert real.notice == ""


def test_signature_and_date_only_where_given():
    narrative: Narrative = county.narrative()
    import datetime

    dated = msgspec.structs.replace(narrative, dated=datetime.date(2024, 3, 5))
    right = [b.text for b in compose(narrative=dated).blocks if isinstance(b, Paragraph) and b.look == "right"]
    assert right == [county.region().settings.publisher.name_zh, "2024年3月5日"]


def test_a_region_without_supplement_has_no_annex():
    region = msgspec.structs.replace(county.region(), supplement=None)
    bare = msgspec.structs.replace(county.narrative(), sentences=())
    content = compose(region=region, indicators={}, narrative=bare)
    assert [b.drawing.table for b in content.blocks if isinstance(b, Table)][-1] == "disputes"
    assert kinds(content) == ["no_previous_year"]


def test_hostile_characters_become_visible():
    narrative = county.narrative()
    passages = (Passage(topic="problems", before=("\x07<script>alert()</script>\u202e",)),)
    text = prose(compose(narrative=msgspec.structs.replace(narrative, passages=passages)))
    assert "⟨U+0007⟩<script>" in text
    assert "\u202e" not in text
