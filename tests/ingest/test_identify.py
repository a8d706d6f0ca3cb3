"""Who reports and for which year, whatever a template, a mirror site or another year leaves in the text."""

from __future__ import annotations

import pytest

from pipelines.ingest.document import Document, Grid, Paragraph, TextCell
from pipelines.ingest.identify import identify


def said(*lines: str, marks: dict[str, str] | None = None) -> Document:
    return Document(format="docx", items=tuple(Paragraph(text=line) for line in lines), marks=marks or {})


@pytest.mark.parametrize(
    ("lines", "name", "year"),
    [
        (("渠县教育局（示例）2023年政府信息公开工作年度报告",), "渠县教育局（示例）", 2023),
        (("示例县民政局", "2021年信息公开工作年度报告", "一、总体情况"), "示例县民政局", 2021),
        (("示例区人民政府", "2023 年政府信息公开工作年度报告"), "示例区人民政府", 2023),
        (("2025 年示例市人民政府办公厅政府信息公开", "工作年度报告"), "示例市人民政府办公厅", 2025),
        (("Page 8 - 示例市信访局2022年政府信息公开工作年度报告",), "示例市信访局", 2022),
        (("示 例 县 2023 年 政府信息公开工作年度报告",), "示例县", 2023),
        (("示例镇二〇二三年政府信息公开工作年度报告",), "示例镇", 2023),
        (("撫遠市自然資源局2022年政府信息公開工作年度報告",), "撫遠市自然資源局", 2022),
    ],
)
def test_titles(lines, name, year):
    found = identify(said(*lines))
    assert (found.body_name, found.year) == (name, year)


def test_marks_of_our_workbook_come_first():
    document = said(
        "别处2020年政府信息公开工作年度报告", marks={"year": "2023", "body": "511725-D01", "body_name": "示例局"}
    )
    found = identify(document)
    assert (found.body_name, found.year) == ("示例局", 2023)


def test_years_that_are_not_the_report_year():
    found = identify(
        said(
            "示例县财政局2023年政府信息公开工作年度报告",
            "根据《条例》和国办公开办涵〔2019〕60号的要求编制。2019年修订的《条例》自2019年5月15日起施行。",
            "较2022年增加3件，结转2024年度继续办理2件，2022年度结转4件。",
        )
    )
    assert found.year == 2023


def test_a_year_that_the_form_cannot_have_is_a_template_remain():
    document = said("示例局2016年度政府信息公开工作年度报告", "数据统计期限为2021年1月1日至2021年12月31日。")
    assert identify(document, earliest=2021).year == 2021
    assert identify(said("示例局2016年度政府信息公开工作年度报告"), earliest=2021).year is None


@pytest.mark.parametrize("period", ["20221月1日起至202212月31日", "202211日至20221231日", "2022年1月1日—12月31日"])
def test_periods_with_lost_characters(period):
    assert identify(said(f"统计期限自{period}止。")).year == 2022


def test_two_years_with_equal_evidence_are_no_year():
    assert identify(said("2022年工作有序开展。", "2023年工作有序开展。")).year is None


def test_a_title_with_injected_words_names_nobody():
    found = identify(
        said(
            "最新娱乐官网下载-示例县水利局2022年政府信息公开工作年度报告",
            "本报告由示例县水务局编制。",
        )
    )
    assert found.body_name == "示例县水务局"
    assert found.year == 2022


def test_a_quoted_title_is_not_the_reporter():
    found = identify(
        said(
            "根据《国务院办公厅2021年政府信息公开工作年度报告格式》",
            "示例乡人民政府2023年政府信息公开工作年度报告",
        )
    )
    assert found.body_name == "示例乡人民政府"


def test_signature_and_filled_in_field():
    assert identify(said("一、总体情况", "示例县统计局", "2024年1月12日")).body_name == "示例县统计局"
    grid = Grid(cells=(TextCell(row=0, column=0, text="填报单位：示例县气象局"),))
    assert identify(Document(format="xlsx", items=(grid,))).body_name == "示例县气象局"


def test_nothing_is_said():
    found = identify(said("一、总体情况", "工作有序开展。"))
    assert (found.body_name, found.year) == ("", None)
