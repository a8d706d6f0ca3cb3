"""Text becomes a number or is kept as said: every form of writing one, and what must never become one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pipelines.ingest.normalise import Reading, chinese_number, fits, looks_like_value, read_value, runs_together, tidy


def given(text: str, **how: str) -> Decimal | None:
    """The number read, which must be certain."""
    reading = read_value(text, **how)
    assert reading.state == "given", reading
    assert reading.doubt == ""
    return reading.value


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("29", 29),
        ("２９", 29),
        (" 29\u3000", 29),
        ("\u200b29\ufeff", 29),
        ("007", 7),
        ("1,234", 1234),
        ("1，234，567", 1234567),
        ("1 234", 1234),
        ("1'234.5", Decimal("1234.5")),
        ("1’234", 1234),
        ("1\u3000 234", 1234),
        ("3.", 3),
        (".5", Decimal("0.5")),
        ("3.50", Decimal("3.5")),
        ("1e3", 1000),
        ("1.5E+2", 150),
        ("25e-1", Decimal("2.5")),
        ("+21", 21),
        ("-1", -1),
        ("－1", -1),
        ("−1", -1),
        ("–1", -1),
        ("— 1", -1),
        ("＋ 7", 7),
        ("5件", 5),
        ("5 件次", 5),
        ("5人次", 5),
        ("5项", 5),
    ],
)
def test_numbers(text: str, number: int | Decimal) -> None:
    assert given(text) == number


@pytest.mark.parametrize(
    "text", ["/", "//", "\\", "-", "--", "----", "—", "——", "－", "―", "无", "暂无", "无。", "N/A", "na", "不涉及"]
)
def test_marks_for_none(text: str) -> None:
    assert read_value(text) == Reading("slash")


@pytest.mark.parametrize("text", ["", " ", "\u3000", "\u200b", "\ufeff \n"])
def test_blanks(text: str) -> None:
    assert read_value(text) == Reading("blank")


@pytest.mark.parametrize(
    "text",
    [
        "约29",
        "29余",
        "-----",
        "二十",
        "1,23",
        "12,3456",
        "1.2.3",
        "1 2",
        "12 34",
        "5-6",
        "5%",
        "--5",
        "1e100",
        "e5",
        "元",
        "无件",
        "5（5）",
        "5 [6]",
        "(5)",
        "（其中5）",
        "5年",
        "见附件",
        "１／２",
    ],
)
def test_what_is_no_number_stays_text(text: str) -> None:
    assert read_value(text) == Reading("text")


@pytest.mark.parametrize(
    ("text", "value", "remark"),
    [
        ("22（其中修订 16 件）", 22, "其中修订 16 件"),
        ("22(含上年)", 22, "含上年"),
        ("22【其中 废止3】", 22, "其中 废止3"),
        ("22 [ 另有一件 ] ", 22, "另有一件"),
        ("-3\n（更正）", -3, "更正"),
    ],
)
def test_a_remark_is_kept_beside_the_number(text: str, value: int, remark: str) -> None:
    assert read_value(text) == Reading("given", Decimal(value), "", remark)


def test_a_remark_on_no_number_is_text() -> None:
    assert read_value("若干（其中修订）") == Reading("text")
    assert read_value("（其中修订）") == Reading("text")


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("43.788万元", "万元", "43.788"),
        ("251000元", "万元", "25.1"),
        ("251000.00 元", "万元", "25.1"),
        ("3.5万元", "元", "35000"),
        ("3.5万", "元", "35000"),
        ("2亿元", "万元", "20000"),
        ("2亿", "元", "200000000"),
        ("5千元", "元", "5000"),
        ("5百元", "元", "500"),
        ("5元整", "元", "5"),
        ("5人民币", "元", "5"),
        ("1,234元", "元", "1234"),
        ("3.5", "万元", "3.5"),
    ],
)
def test_a_unit_that_the_cell_states_is_converted(text: str, unit: str, value: str) -> None:
    assert given(text, kind="money", unit=unit) == Decimal(value)


def test_a_unit_that_the_form_leaves_open_keeps_the_figure() -> None:
    assert given("3万元", kind="money", unit="") == 3
    assert given("3元", kind="money", unit="") == 3


@pytest.mark.parametrize(
    ("text", "kind", "unit"),
    [
        ("5件", "money", "万元"),
        ("5元", "count", ""),
        ("5万元", "count", ""),
        ("5万元", "count", "件"),
        ("5万", "count", "件"),
        ("5件", "money", "元"),
    ],
)
def test_a_unit_that_the_cell_cannot_have_is_a_doubt(text: str, kind: str, unit: str) -> None:
    assert read_value(text, kind, unit) == Reading("text", None, "unit")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("增3", 3),
        ("减4", -4),
        ("增加 3", 3),
        ("减少4件", -4),
        ("新增12", 12),
        ("+3", 3),
        ("-3", -3),
        ("减 1,234", -1234),
    ],
)
def test_words_of_change_in_a_cell_of_change(text: str, value: int) -> None:
    assert given(text, kind="signed_count") == value


@pytest.mark.parametrize("text", ["增3", "减4", "新增12"])
def test_words_of_change_elsewhere_are_a_doubt(text: str) -> None:
    assert read_value(text) == Reading("text", None, "sign")


def test_signs_need_no_cell_of_change() -> None:
    assert given("-4", kind="count") == -4
    assert given("+4", kind="money", unit="元") == 4


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("9" * 14, True),
        ("9" * 15, False),
        ("1" + "0" * 14, False),
        ("0.1234", True),
        ("0.12345", False),
        ("0.12340", True),
        ("-" + "9" * 14, True),
        ("-1" + "0" * 14, False),
        ("00000" + "9" * 14, True),
    ],
)
def test_a_figure_has_at_most_14_and_4_digits(text: str, good: bool) -> None:
    assert fits(Decimal(text)) is good
    reading = read_value(text)
    assert reading == (Reading("given", Decimal(text)) if good else Reading("text", None, "too_long"))


def test_conversion_is_exact_to_the_last_digit() -> None:
    assert given("99999999999999.0001元", kind="money", unit="元") == Decimal("99999999999999.0001")
    assert read_value("99999999999999.0001元", "money", "万元").doubt == "too_long"


@pytest.mark.parametrize(
    ("number", "value"),
    [("3135.6", "3135.6"), ("-2", "-2"), ("+2", "2"), ("1.5E3", "1500"), ("1e-2", "0.01"), ("0", "0"), ("－2", "-2")],
)
def test_a_stored_number_counts_whatever_is_shown(number: str, value: str) -> None:
    assert read_value("shown otherwise", number=number) == Reading("given", Decimal(value))


def test_a_stored_number_that_is_none_or_too_long() -> None:
    assert read_value("7", number="2023-01-01") == Reading("given", Decimal(7))
    assert read_value("7", number="9" * 15) == Reading("text", None, "too_long")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("零", 0),
        ("两", 2),
        ("十", 10),
        ("十二", 12),
        ("三十七", 37),
        ("一百", 100),
        ("一百零五", 105),
        ("两百一十", 210),
        ("三千零四十", 3040),
        ("一万零五", 10005),
        ("十万", 100_000),
        ("一亿二千万", 120_000_000),
        ("二万三千亿", 2_300_000_000_000),
        ("一亿零三万零四", 100_030_004),
        ("二〇二三", 2023),
        ("一二三四五六七八", 12345678),
        ("一二三四五六七八九", None),
        ("", None),
        ("三十7", None),
        ("若干", None),
    ],
)
def test_chinese_numbers(text: str, number: int | None) -> None:
    assert chinese_number(text) == number


def test_tidy() -> None:
    assert tidy("\u3000Ａ１：\u200b \ufeff") == "A1:"


@pytest.mark.parametrize(
    ("text", "number", "looks"),
    [
        ("29", "", True),
        ("增3", "", True),
        ("3万元", "", True),
        ("5元", "", True),
        ("/", "", True),
        ("无", "", True),
        ("", "", False),
        ("", "5", True),
        ("规章", "", False),
        ("二十", "", False),
        ("0" * 59 + "1", "", True),
        ("0" * 60 + "1", "", False),
    ],
)
def test_what_looks_like_a_value(text: str, number: str, looks: bool) -> None:
    assert looks_like_value(text, number) is looks


@pytest.mark.parametrize(
    ("text", "two"),
    [
        *((text, True) for text in ("1 2", "1/2", "1 、 2", "1,23", "1 " + "甲" * 57 + "2")),
        *((text, False) for text in ("12", "1.2", "1,234", "1件", "件1", "见附件", "1 " + "甲" * 58 + "2")),
    ],
)
def test_two_figures_in_one_text(text: str, two: bool) -> None:
    assert runs_together(text) is two
