"""The rule catalogue: complete, in words and signs, with examples that the rules themselves confirm."""

from __future__ import annotations

import json

import pytest
from lxml import html

from pipelines.publish.page_text import width
from pipelines.publish.rulebook import in_words, rulebook_page, rulebook_rows, rulebook_text
from pipelines.publish.rulebook_example import example
from schemas.findings import load_kinds
from schemas.form import editions, load_form
from schemas.rules import Rule, Term, load_rules

RULES = [(edition, rule) for edition in editions() for rule in load_rules(edition).rules]


@pytest.mark.parametrize(("edition", "rule"), RULES, ids=[f"{edition}-{rule.id}" for edition, rule in RULES])
def test_every_example_holds_and_fails_as_it_says(edition: str, rule: Rule) -> None:
    case = example(rule)
    for values, good in ((case.holds, True), (case.fails, False)):
        assert set(values) == {term.key for term in rule.terms} | ({rule.when.cell} if rule.when else set())
        assert all(value >= 0 for value in values.values())
        residual = rule.residual(values)
        assert residual is not None
        assert rule.holds(residual) is good
    assert len([key for key in case.holds if case.holds[key] != case.fails[key]]) == 1
    if rule.when:
        assert case.fails[rule.when.cell] == (0 if rule.when.state == "zero" else 1)


@pytest.mark.parametrize("edition", editions())
def test_the_catalogue_is_complete_and_can_be_written_as_json(edition: str) -> None:
    rows = rulebook_rows(edition)
    rules = load_rules(edition)
    assert [row["id"] for row in rows if row["type"] == "rule"] == [rule.id for rule in rules.rules]
    assert [row["id"] for row in rows if row["type"] == "domain"] == [domain.id for domain in rules.domains]
    assert [row["id"] for row in rows if row["type"] == "kind"] == list(load_kinds())
    assert json.loads(json.dumps(rows)) == rows
    for row in rows:
        assert row["message_zh"]
        assert "{" not in row["message_zh"] + row["message_en"]
        assert row["severity"] in ("error", "warning", "information")
        if row["type"] != "kind":
            assert edition in row["editions"]
            assert row["basis"]
            assert row["example_holds_zh"] != row["example_fails_zh"]


def words(edition: str, rule: str) -> str:
    return in_words(load_form(edition), load_rules(edition).by_id[rule])[0]


def test_formulas_in_words() -> None:
    assert words("2021", "requests.balance.total") == "办理结果总计＋结转下年度＝本年新收＋上年结转"
    assert words("2021", "disputes.row_total.reconsideration") == "总计＝结果维持＋结果纠正＋其他结果＋尚未审结"
    stock = words("2021", "proactive.stock_in_force.rules")
    assert stock == "现行有效＝上年度的现行有效＋制发－废止"
    power = words("2021", "proactive.no_rule_making_power.issued")
    assert power == "规章（制发）＝0（有此权限的机关除外：rule_making_power）"
    condition = words("2021", "fee_unpaid_needs_notice")
    assert condition.endswith("｜总计」大于 0 时：信息处理费（发出收费通知的件数）≥1")
    assert words("2021", "processing_fees.fees_need_notice.notices").endswith("为 0 时：信息处理费（通知的总金额）＝0")
    english = in_words(load_form("2021"), load_rules("2021").by_id["processing_fees.fees_collected.notices"])[1]
    assert english == "Amount collected (yuan) ≤ Amount notified (yuan)"


def test_one_row_in_full() -> None:
    (row,) = [row for row in rulebook_rows("2021") if row["id"] == "requests.balance.natural_person"]
    assert row["family"] == "balance"
    assert row["signs"] == (
        "requests.processed.natural_person + requests.carried_out.natural_person"
        " = requests.received.natural_person + requests.carried_in.natural_person"
    )
    assert row["editions"] == ["2019", "2021"]
    assert row["example_holds_zh"] == "办理结果总计 5、结转下年度 1、本年新收 4、上年结转 2"
    assert row["example_fails_zh"] == "办理结果总计 6、结转下年度 1、本年新收 4、上年结转 2"
    assert "办理结果总计 6＋结转下年度 1＝7，应等于 本年新收 4＋上年结转 2＝6，相差 1" in row["message_zh"]


@pytest.mark.parametrize("edition", editions())
def test_rules_that_others_imply_say_so(edition: str) -> None:
    implied = {row["id"]: row["implied"]["families"] for row in rulebook_rows(edition) if row.get("implied")}
    assert implied["requests.balance.total"] == ["row_total", "balance"]
    assert implied["requests.outcome_sum.total"] == ["row_total", "outcome_sum"]
    assert "requests.balance.natural_person" not in implied
    root = html.document_fromstring(rulebook_page(edition).decode("utf-8"))
    said = root.xpath("//details[p[starts-with(., '这一条可由其他规则推出')]]/@id")
    assert set(said) == {f"r-{identifier}" for identifier in implied}


def test_domains_have_examples() -> None:
    rows = {row["id"]: row for row in rulebook_rows("2021") if row["type"] == "domain"}
    assert list(rows["count_whole"]["example_fails"].values()) == [1.5]
    assert list(rows["count_not_negative"]["example_fails"].values()) == [-1]
    assert rows["money_not_negative"]["signs"] == "value >= 0 for money"
    assert rows["count_not_negative"]["words_zh"] == "每个数≥0"


@pytest.mark.parametrize("edition", editions())
def test_the_page_shows_every_rule_once_and_its_links_lead_somewhere(edition: str) -> None:
    data = rulebook_page(edition)
    assert rulebook_page(edition) == data
    root = html.document_fromstring(data.decode("utf-8"))
    identifiers = root.xpath("//@id")
    assert len(identifiers) == len(set(identifiers))
    rules = load_rules(edition)
    assert {f"r-{rule.id}" for rule in (*rules.rules, *rules.domains)} <= set(identifiers)
    assert set(load_kinds()) <= set(identifiers)
    assert {link[1:] for link in root.xpath("//a/@href")} <= set(identifiers)
    assert root.xpath("//script | //@style | //@src") == []


def test_the_text_for_a_terminal_fits_and_names_every_id() -> None:
    shown = rulebook_text("2021", columns=80)
    assert max(map(width, shown.splitlines())) <= 80
    flat = "".join(shown.split())
    assert all(row["id"] in flat for row in rulebook_rows("2021"))
    assert "[错误]" in shown
    assert "[提醒]" in shown


def test_an_unknown_edition_is_a_key_error() -> None:
    for made in (rulebook_rows, rulebook_page, rulebook_text):
        with pytest.raises(KeyError):
            made("1999")


def planted(**parts: object) -> Rule:
    rule = load_rules("2021").rules[0]
    changed = {name: getattr(rule, name) for name in rule.__struct_fields__} | parts
    return Rule(**changed)  # type: ignore[arg-type]


def test_rules_without_an_example_are_refused() -> None:
    a, b = Term("requests.received.total"), Term("requests.granted.total")
    with pytest.raises(ValueError, match="satisfy"):
        example(planted(found=(a, b), expected=(), constant=-1))
    with pytest.raises(ValueError, match="break"):
        example(planted(found=(a,), expected=(), relation=">="))
