"""Text becomes a number, or is kept as said."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.normalise import chinese_number, fits, looks_like_value, read_value


@pytest.mark.parametrize(
    ("text", "kind", "unit", "value"),
    [
        ("0", "count", "件", "0"),
        ("４２", "count", "件", "42"),
        (" 7 ", "count", "件", "7"),
        ("\u30008", "count", "件", "8"),
        ("1,234", "count", "件", "1234"),
        ("1，234，567", "count", "件", "1234567"),
        ("12 345", "count", "件", "12345"),
        ("3件", "count", "件", "3"),
        ("11398889", "count", "件", "11398889"),
        ("-1", "count", "件", "-1"),
        ("18.8710", "money", "万元", "18.8710"),
        ("0.00", "money", "万元", "0.00"),
        ("43.788万元", "money", "万元", "43.788"),
        ("251000元", "money", "万元", "25.1"),
        ("251000元", "money", "元", "251000"),
        ("2万元", "money", "元", "20000"),
        ("1.5亿元", "money", "万元", "15000"),
        ("184719元", "money", "未定", "184719"),
        ("52.15", "money", "未定", "52.15"),
        ("119253.55", "money", "万元", "119253.55"),
        ("+21", "signed_count", "项", "21"),
        ("-1", "signed_count", "项", "-1"),
        ("－8", "signed_count", "项", "-8"),
        ("减4", "signed_count", "项", "-4"),
        ("增3", "signed_count", "项", "3"),
        ("22（其中修订 16 件）", "count", "件", "22"),
        ("55\n（含自然失效 29 件）", "count", "件", "55"),
    ],
)
def test_numbers(text, kind, unit, value):
    reading = read_value(text, kind, unit)
    assert (reading.state, reading.value) == ("given", Decimal(value))


@pytest.mark.parametrize("text", ["/", "／", "-", "－", "—", "——", "无", " 无 ", "没有", "N/A"])
def test_marks_for_none(text):
    assert read_value(text).state == "slash"
    assert read_value(text).value is None


@pytest.mark.parametrize("text", ["", " ", "\u3000", "\n", "\u200b"])
def test_blank(text):
    assert read_value(text).state == "blank"


@pytest.mark.parametrize(
    ("text", "kind", "unit", "doubt"),
    [
        ("见附件", "count", "件", ""),
        ("1,23", "count", "件", ""),
        ("3（2）", "count", "件", ""),
        ("2023-01-05", "count", "件", ""),
        ("减4", "count", "件", "sign"),
        ("3件", "money", "万元", "unit"),
        ("30元", "count", "件", "unit"),
        ("123456789012345", "count", "件", "too_long"),
        ("1.23456", "money", "万元", "too_long"),
        ("2792220.8元", "money", "万元", "too_long"),  # 279.22208 万元 would have to be rounded
    ],
)
def test_words_and_doubts(text, kind, unit, doubt):
    reading = read_value(text, kind, unit)
    assert (reading.state, reading.value, reading.doubt) == ("text", None, doubt)


def test_a_stored_number_counts_not_its_display():
    assert read_value("3,136", "money", "万元", "3135.6").value == Decimal("3135.6")
    assert read_value("", "count", "件", "101").value == Decimal(101)


@given(st.decimals(min_value=0, max_value=10**14 - 1, places=4))
def test_every_fitting_number_comes_back_exactly(value):
    assert fits(value)
    assert read_value(format(value, "f"), "money", "万元").value == value


@given(st.integers(min_value=0, max_value=99_999))
def test_chinese_numerals(number):
    digits = "零一二三四五六七八九"
    places = ("", "十", "百", "千", "万")
    text = ""
    for place, digit in reversed(list(enumerate(int(d) for d in reversed(str(number))))):
        if digit:
            text += digits[digit] + places[place]
        elif text and not text.endswith("零"):
            text += "零"
    assert chinese_number(text.rstrip("零") or "零") == number


@pytest.mark.parametrize(
    ("text", "number"), [("十", 10), ("两", 2), ("三十七", 37), ("二〇二三", 2023), ("件", None), ("", None)]
)
def test_chinese_numerals_as_written(text, number):
    assert chinese_number(text) == number


def test_what_passes_for_a_figure():
    assert looks_like_value("减4")
    assert looks_like_value("/")
    assert not looks_like_value("其他")
    assert not looks_like_value("")
