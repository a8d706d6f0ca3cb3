"""Findings: the catalogue of kinds, the words of a broken rule with its numbers, places for people."""

from __future__ import annotations

import string
from decimal import Decimal
from pathlib import Path

import pytest

from schemas import findings as module
from schemas.declaration import DeclarationError
from schemas.findings import (
    domain_finding,
    load_kinds,
    make_finding,
    number_text,
    place_en,
    place_zh,
    places,
    rule_finding,
)
from schemas.form import load_form
from schemas.rules import load_rules
from tests.facts import dense

FORM = load_form("2021")
RULES = load_rules("2021")


# --- kinds --------------------------------------------------------------------------------------------------


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("kind", load_kinds().values(), ids=list(load_kinds()))
def test_every_kind_says_what_and_in_both_languages(kind: module.FindingKind) -> None:
    assert kind.title_zh
    assert kind.title_en
    assert kind.message_zh.endswith(("。", "}"))  # a whole sentence may be filled in at the end
    assert kind.message_en.endswith((".", "}"))
    base = {name.removesuffix("_zh") for name in names(kind.message_zh)}
    english = {name.removesuffix("_en") for name in names(kind.message_en)}
    assert english <= base  # English tells nothing that Chinese does not
    assert kind.id not in RULES.by_id


@pytest.mark.parametrize("kind", load_kinds().values(), ids=list(load_kinds()))
def test_every_kind_makes_a_finding_and_asks_for_its_words(kind: module.FindingKind) -> None:
    words = dict.fromkeys(names(kind.message_zh) | names(kind.message_en), "某")
    made = make_finding(kind.id, words=words, body="b", cells=("x.y.z",))
    assert (made.rule, made.severity, made.mended_by) == (kind.id, kind.severity, kind.mended_by)
    assert (made.body, made.cells) == ("b", ("x.y.z",))
    assert "{" not in made.message_zh + made.message_en
    for word in words:
        with pytest.raises(KeyError, match=word):
            make_finding(kind.id, words={name: value for name, value in words.items() if name != word})


def test_an_unknown_kind_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="no_such_kind"):
        make_finding("no_such_kind")


def test_figures_in_messages_are_written_for_people() -> None:
    words = {"place": "甲", "place_en": "A", "found": Decimal("1E+3"), "expected": Decimal("1.50"), "difference": 0}
    made = make_finding("reconciliation_mismatch", words=words)
    assert "汇总为 1000，县政府公布为 1.5，相差 0" in made.message_zh


def test_text_of_a_return_is_never_taken_for_a_format() -> None:
    made = make_finding("not_a_number", words={"place": "{raw}", "place_en": "{x}", "raw": "{0.__class__} %s"})
    assert made.message_zh.startswith("{raw} 写的是“{0.__class__} %s”")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda text: text + text[text.index("[[kinds]]") :], ValueError),
        (lambda text: text.replace('severity = "error"', 'severity = "fatal"', 1), DeclarationError),
        (lambda text: text.replace("\nmended_by", "\nmended_bye", 1), DeclarationError),
    ],
    ids=["twice", "severity", "unknown-key"],
)
def test_a_wrong_catalogue_fails_on_load(
    change: object, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path(module.__file__).with_name("findings.toml").read_text(encoding="utf-8")
    (tmp_path / "findings.toml").write_text(change(text), encoding="utf-8")  # type: ignore[operator]
    monkeypatch.setattr(module, "__file__", str(tmp_path / "findings.py"))
    with pytest.raises(error, match=r"findings\.toml"):
        load_kinds.__wrapped__()


# --- figures and places -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (0, "0"),
        (-7, "-7"),
        (100, "100"),
        (Decimal(100), "100"),
        (Decimal("1E+2"), "100"),
        (Decimal("0.5000"), "0.5"),
        (Decimal("0.0000"), "0"),
        (Decimal("-3.10"), "-3.1"),
        (Decimal("12345678901234.5678"), "12345678901234.5678"),
    ],
)
def test_number_text(value: Decimal | int | None, text: str) -> None:
    assert number_text(value) == text


def test_a_place_names_table_row_and_column() -> None:
    cell = FORM.by_id["disputes.litigation_direct.pending"]
    assert place_zh(FORM, cell) == "表四「行政诉讼 未经复议直接起诉｜尚未审结」"
    assert place_en(FORM, cell).startswith("Administrative reconsideration and litigation: ")


def test_places_are_counted_beyond_a_few() -> None:
    cells = tuple(cell.id for cell in FORM.cells[:9])
    zh, en = places(FORM, cells)
    assert zh.count("表二") == 6
    assert zh.endswith("；等另外 3 处")
    assert en.endswith("; and 3 more")
    zh, en = places(FORM, cells[:6])
    assert "另外" not in zh
    assert "more" not in en
    assert places(FORM, cells, most=2)[0].endswith("等另外 7 处")


# --- words of a broken rule ---------------------------------------------------------------------------------


def wrong(rule: str, **changes: int | Decimal | None) -> module.Finding:
    values = {**dense(), **{name.replace("__", "."): value for name, value in changes.items()}}
    return rule_finding(FORM, RULES.by_id[rule], values, body="b")


def test_a_row_total_names_its_columns() -> None:
    found = wrong(
        "disputes.row_total.reconsideration",
        disputes__reconsideration__upheld=1,
        disputes__reconsideration__corrected=0,
        disputes__reconsideration__other_result=2,
        disputes__reconsideration__pending=0,
        disputes__reconsideration__total=4,
    )
    assert found.message_zh == (
        "表四「行政复议」一行的总计应等于各项之和。"
        "现在：总计 4，应等于 结果维持 1＋结果纠正 0＋其他结果 2＋尚未审结 0＝3，相差 1。"
        "请核对这一行的各个数字，改正写错的一格，再核对总计。"
    )
    assert "Now Total 4 should equal Upheld 1 + Corrected 0 + Other result 2 + Pending 0 = 3" in found.message_en
    assert (found.found, found.expected, found.difference) == (4, 3, 1)
    assert found.cells == RULES.by_id[found.rule].cells
    assert (found.severity, found.body) == ("error", "b")


def test_a_balance_names_its_rows_and_both_sums() -> None:
    found = wrong(
        "requests.balance.total",
        requests__processed__total=103,
        requests__carried_out__total=3,
        requests__received__total=101,
        requests__carried_in__total=4,
    )
    assert (
        "现在：办理结果总计 103＋结转下年度 3＝106，应等于 本年新收 101＋上年结转 4＝105，相差 1。" in found.message_zh
    )


def test_zeros_of_a_long_sum_are_counted_not_listed() -> None:
    rule = RULES.by_id["requests.outcome_sum.total"]
    values = {term.cell: 0 for term in rule.terms} | {"requests.granted.total": 5}
    found = rule_finding(FORM, rule, values)
    assert "应等于 予以公开 5＋其余 20 项均为 0＝5" in found.message_zh
    assert "Granted 5 + the other 20 all 0 = 5" in found.message_en
    nothing = rule_finding(FORM, rule, values | {"requests.granted.total": 0, "requests.processed.total": 1})
    assert "应等于 其余 21 项均为 0＝0" in nothing.message_zh


def test_last_year_a_minus_and_inequalities() -> None:
    keys = [term.key for term in RULES.by_id["proactive.stock_in_force.normative_documents"].terms]
    found = rule_finding(
        FORM, RULES.by_id["proactive.stock_in_force.normative_documents"], dict(zip(keys, (9, 8, 3, 1), strict=True))
    )
    assert "现在：现行有效 9，应等于 上年度的现行有效 8＋制发 3－废止 1＝10，相差 -1。" in found.message_zh
    assert "last year's" in found.message_en
    at_most = wrong(
        "processing_fees.fees_collected.notices",
        processing_fees__notices__collected=Decimal("5.50"),
        processing_fees__notices__amount=5,
    )
    assert "实际收取的总金额 5.5，应不多于 通知的总金额 5，相差 0.5" in at_most.message_zh
    at_least = wrong("fee_unpaid_needs_notice", processing_fees__notices__issued=0)
    assert "发出收费通知的件数 0，应不少于 1，相差 -1" in at_least.message_zh
    assert "should be at least 1" in at_least.message_en


@pytest.mark.parametrize("rule", RULES.rules, ids=[rule.id for rule in RULES.rules])
def test_every_rule_has_words_with_its_numbers(rule: object) -> None:
    values = {term.key: 3 for term in rule.terms}  # type: ignore[attr-defined]
    found = rule_finding(FORM, rule, values)  # type: ignore[arg-type]
    assert found.message_zh.startswith("表")
    assert found.message_zh.endswith(rule.advice_zh)  # type: ignore[attr-defined]
    assert found.message_en.endswith(rule.advice_en)  # type: ignore[attr-defined]
    assert f"相差 {number_text(found.difference)}" in found.message_zh
    assert found.found - found.expected == found.difference  # type: ignore[operator]


def test_a_figure_outside_its_domain() -> None:
    domains = {domain.id: domain for domain in RULES.domains}
    cell = FORM.by_id["requests.received.total"]
    found = domain_finding(FORM, domains["count_whole"], cell, Decimal("1.5"), body="b")
    assert found.message_zh == (
        "表三「一、本年新收政府信息公开申请数量｜总计」现在是 1.5：件数应为整数。请改填整数，不带小数。"
    )
    assert (found.rule, found.cells, found.suspected, found.found) == (
        "count_whole",
        (cell.id,),
        cell.id,
        Decimal("1.5"),
    )
