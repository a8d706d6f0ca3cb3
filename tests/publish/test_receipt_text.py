"""The receipt on a terminal, and the text helpers below it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.publish.page_text import one_line, pad, visible, width, wrap
from pipelines.publish.receipt_text import receipt_text
from schemas.findings import Finding, make_finding
from tests.publish.receipt_cases import (
    BODIES,
    FORM,
    Values,
    findings_of,
    raws_of,
    region,
    tied,
    valid_values,
    wrong_cell,
)


def receipt(values: Values, findings: list[Finding], explanations: object = (), **changes: object) -> str:
    arguments: dict[str, object] = {
        "form": FORM,
        "region": region(),
        "year": 2023,
        "body": BODIES[1],
        "findings": findings,
        "explanations": explanations,
        "values": values,
        "raws": raws_of(values),
        "file": "临江镇.xlsx",
        "status": "findings" if findings else "ok",
    }
    return receipt_text(**{**arguments, **changes})  # type: ignore[arg-type]


def test_the_same_content_as_the_page() -> None:
    values, findings, explanations = wrong_cell()
    shown = receipt(values, findings, explanations, addresses={"requests.received.natural_person": "统计表!C14"})
    flat = "".join(shown.split())
    assert shown.startswith("× 临江镇（示例）：核查未通过：有 2 处必须改正。\n")
    for finding in findings:
        advice = finding.message_zh.rsplit("。请", 1)
        assert "".join(advice[0].split()) in flat
        assert "".join(finding.message_en.split()) in flat
        assert f"    [{finding.rule}]\n" in shown
    assert "这样改能使各项相符，请先核对原始台账" in flat
    assert "（文件中统计表!C14）：6→60" in flat
    assert "示例数据" in shown


def test_ties_and_less_likely_changes() -> None:
    shown = "".join(receipt(*tied()).split())
    assert "以下几种改法都能使各项相符，请核对原始台账后选择：" in shown
    ways = [shown.index(way) for way in ("总计」：14→4", "结果维持」：1→11", "可能性较小的改法", "尚未审结」：1→11")]
    assert ways == sorted(ways)


def test_a_clean_return() -> None:
    shown = receipt(valid_values(), [])
    assert shown.startswith("√ 临江镇（示例）：核查通过。\n")
    assert "必须改正" not in shown
    assert "▶" not in shown


def test_the_excerpt_is_aligned_and_marks_the_suspected_cell() -> None:
    lines = receipt(*wrong_cell()).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("  表三 "))
    head, row = lines[at + 1 : at + 3]
    assert "▶6◀" in row
    ends = [width(head[: head.index(name) + len(name)]) for name in ("自然人", "商业企业", "总计")]
    assert [width(row[: row.index(figure) + len(figure)]) for figure in ("▶6◀", "56", "363")] == [
        ends[0],
        ends[1] - 1,  # a figure without a mark leaves the mark's place free
        ends[2] - 1,
    ]
    assert lines[at + 3 :] == []  # rows without a doubtful cell are left out


def test_a_missing_figure_shows_what_stands_there() -> None:
    values = valid_values()
    values["proactive.licences.decisions"] = None
    raws = raws_of(values) | {"proactive.licences.decisions": "见附件\n\x1b[2J"}
    shown = receipt(values, findings_of(values), raws=raws)
    assert "▶见附件 ⟨U+001B⟩◀" in shown
    assert "▶缺◀" in receipt(values, findings_of(values))


def test_lines_fit_and_hostile_text_neither_steers_nor_forges() -> None:
    evil = "正常\n√ 临江镇：核查通过\x1b[31m\u202e"
    finding = make_finding("not_a_number", words={"place": evil, "raw": evil, "place_en": evil}, address=evil)
    for columns in (40, 80, 120):
        shown = receipt(valid_values(), [finding], file=evil, columns=columns)
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert not any(line.startswith("√") for line in shown.splitlines())
        assert max(width(line) for line in shown.splitlines()) <= columns


def test_colour_is_ours_alone_and_off_by_default() -> None:
    values, findings, explanations = wrong_cell()
    plain = receipt(values, findings, explanations)
    coloured = receipt(values, findings, explanations, colour=True)
    assert "\x1b" not in plain
    assert coloured.startswith("\x1b[31;1m× 临江镇")
    for code in ("\x1b[31;1m", "\x1b[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == plain


def test_a_waived_finding_and_a_note_for_others() -> None:
    words = {"name": "临江镇", "year": 2023, "why_zh": "", "why_en": ""}
    finding = make_finding("roster_missing", words=words, waived="撤并（示例）")
    shown = receipt({}, [finding], status="waived", raws={})
    assert "豁免理由：撤并（示例）" in shown
    assert "填报人不用改表" in "".join(shown.split())


def test_importing_it_pulls_nothing_heavy() -> None:
    code = (
        "import sys, pipelines.publish.receipt_text\n"
        "heavy = {'polars', 'pandera', 'pyarrow', 'jinja2', 'dagster', 'frictionless', 'numpy', 'openpyxl', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- the helpers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("渠县 2023", "渠县 2023"),
        ("a\r\nb\tc\u3000d\u00a0e", "a\nb\tc\u3000d\u00a0e"),
        ("a\rb", "a⟨U+000D⟩b"),
        ("\u202e\u2066\ufeff\u200d\u2028\x7f", "⟨U+202E⟩⟨U+2066⟩⟨U+FEFF⟩⟨U+200D⟩⟨U+2028⟩⟨U+007F⟩"),
        ("\udc80\ue000", "⟨U+DC80⟩⟨U+E000⟩"),
    ],
)
def test_visible(given_text: str, shown: str) -> None:
    assert visible(given_text) == shown


@given(st.text())
def test_visible_text_can_always_be_encoded_and_printed(given_text: str) -> None:
    shown = visible(given_text)
    shown.encode("utf-8")
    assert all(c.isprintable() or c.isspace() for c in shown)
    assert "\n" not in one_line(given_text)
    assert visible(shown) == shown


def test_width_and_pad() -> None:
    assert (width("县a"), width("“县”"), width("")) == (3, 4, 0)
    assert pad("县", 4) == "县  "
    assert pad("县", 4, right=True) == "  县"
    assert pad("县县县", 4) == "县县县"


def test_wrap_keeps_words_and_punctuation_together() -> None:
    assert wrap("一二三四五六。七八", 12, "> ", "  ") == ["> 一二三四五", "  六。七八"]
    assert wrap("见（甲乙丙）一二", 8) == ["见（甲乙", "丙）一二"]
    assert wrap("total figures agree", 10) == ["total", "figures", "agree"]
    assert wrap("a" * 20, 10) == ["a" * 10, "a" * 10]
    assert wrap("", 10, "- ") == ["- "]


@given(st.text(), st.integers(10, 60))
def test_wrapped_lines_fit_and_lose_nothing(given_text: str, columns: int) -> None:
    lines = wrap(given_text, columns)
    assert all(width(line) <= columns for line in lines)
    assert "".join("".join(lines).split()) == "".join(one_line(given_text).split())
