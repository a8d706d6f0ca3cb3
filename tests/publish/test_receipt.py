"""The receipt of one body as a page: what it says, what it never lets through, how it looks in a browser."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from decimal import Decimal

import msgspec
import pytest
from lxml import html

from pipelines.publish.page import render
from pipelines.publish.receipt import receipt_page
from pipelines.publish.receipt_view import where
from schemas.findings import Finding, make_finding
from schemas.intake import Explanation
from tests.publish.receipt_cases import (
    BODIES,
    FORM,
    Values,
    explained,
    findings_of,
    raws_of,
    region,
    tied,
    valid_values,
    wrong_cell,
)

WRONG = "requests.received.natural_person"


def page(
    values: Values | None = None,
    findings: list[Finding] | None = None,
    explanations: tuple[Explanation, ...] | list[Explanation] = (),
    **changes: object,
) -> bytes:
    values = valid_values() if values is None else values
    arguments: dict[str, object] = {
        "form": FORM,
        "region": region(),
        "year": 2023,
        "body": BODIES[1],
        "findings": findings or [],
        "explanations": explanations,
        "values": values,
        "raws": raws_of(values),
        "file": "临江镇.xlsx",
        "status": "findings" if findings else "ok",
    }
    return receipt_page(**{**arguments, **changes})  # type: ignore[arg-type]


def tree(data: bytes) -> html.HtmlElement:
    return html.document_fromstring(data.decode("utf-8"))


def text(element: html.HtmlElement) -> str:
    return re.sub(r"\s+", " ", element.text_content()).strip()


def one(root: html.HtmlElement, path: str) -> html.HtmlElement:
    (element,) = root.xpath(path)
    return element


def cell(root: html.HtmlElement, identifier: str) -> html.HtmlElement:
    return one(root, f"//td[@id='c-{identifier}']")


# --- what it says -------------------------------------------------------------------------------------------


def test_a_clean_return_passes_in_one_sentence_and_shows_its_tables() -> None:
    root = tree(page())
    assert one(root, "//p[@class='headline']").text_content() == "✓核查通过。"
    assert root.xpath("//li[contains(@class, 'finding')]") == []
    shown = {element.get("id").removeprefix("c-") for element in root.xpath("//td[@id]")}
    assert shown == set(FORM.by_id)
    assert text(cell(root, "proactive.administrative_fees.amount")) == "43.788"
    assert root.xpath("//td[@class]") == []


def test_a_finding_says_where_what_should_be_why_and_what_to_do() -> None:
    values, findings, explanations = wrong_cell()
    root = tree(page(values, findings, explanations))
    assert "有 2 处必须改正" in text(one(root, "//p[@class='headline']"))
    first = root.xpath("//li[@id='f-1']")[0]
    assert text(first.find("h3")) == "1表三「一、本年新收政府信息公开申请数量」一行"
    rule = findings[0]
    advice = text(one(first, ".//p[@class='advice']")).removeprefix("怎么办")
    assert text(one(first, ".//p[@class='message']")) + advice == rule.message_zh
    figures = {text(div.find("dt")): text(div.find("dd")) for div in first.xpath(".//dl/div")}
    assert figures == {"现在": str(rule.found), "应等于": str(rule.expected), "相差": str(rule.difference)}
    assert text(one(first, ".//p[@class='en']")) == rule.message_en
    parts = [element.get("class") for element in first.iter("p")]
    assert parts[-1] == "rule"  # the id comes last, after everything a person needs
    assert rule.rule in text(one(first, ".//p[@class='rule']"))
    assert rule.rule not in text(one(root, "//main")).split("规则编号")[0]


def test_suspected_cells_are_marked_not_by_colour_alone_and_linked_both_ways() -> None:
    values, findings, explanations = wrong_cell()
    root = tree(page(values, findings, explanations))
    marked = cell(root, WRONG)
    assert marked.get("class") == "suspected"
    assert one(marked, ".//span[@class='sign']").text == "▲"
    assert [link.get("href") for link in marked.xpath(".//sup/a")] == ["#f-1", "#f-2"]
    assert f"#c-{WRONG}" in [link.get("href") for link in root.xpath("//section[@class='proposals']//a")]
    assert cell(root, "requests.carried_in.natural_person").get("class") == "involved"
    assert cell(root, "requests.carried_in.legal_service").get("class") is None


def test_every_link_leads_to_an_element_of_the_page() -> None:
    values, findings, explanations = tied()
    root = tree(page(values, findings, explanations))
    identifiers = root.xpath("//@id")
    assert len(identifiers) == len(set(identifiers))
    links = root.xpath("//a/@href")
    assert links
    assert {link.removeprefix("#") for link in links} <= set(identifiers)


def test_ties_stand_as_equals_and_less_likely_changes_are_folded() -> None:
    values, findings, explanations = tied()
    root = tree(page(values, findings, explanations))
    section = one(root, "//section[@class='proposals']")
    assert "以下几种改法都能使各项相符，请核对原始台账后选择" in text(section)
    changes = [text(change) for change in section.xpath("./ul[@class='ties']/li/p[@class='change']")]
    assert changes == ["表四「行政复议｜总计」：14 → 4", "表四「行政复议｜结果维持」：1 → 11"]
    assert "尚未审结" in text(one(section, "./details"))
    assert one(section, "./details").get("open") is None
    assert cell(root, "disputes.reconsideration.upheld").get("class") == "suspected"
    assert cell(root, "disputes.reconsideration.pending").get("class") == "involved"


def test_a_single_suggestion_is_not_called_a_tie_and_nothing_is_called_corrected() -> None:
    values, findings, explanations = wrong_cell()
    shown = text(tree(page(values, findings, explanations)))
    assert "这样改能使各项相符，请先核对原始台账" in shown
    assert "以下几种改法" not in shown
    assert "已更正" not in shown
    assert "不改动报表中的任何数字" in shown


def test_information_is_folded_warnings_and_errors_are_not() -> None:
    values = valid_values()
    values["proactive.normative_documents.repealed"] = 0
    values["proactive.normative_documents.in_force"] = 1
    words = {"name": "临江镇", "count": 2, "file": "b.xlsx", "older": "a.xlsx"}
    words |= {"differences_zh": "", "differences_en": ""}
    findings = [make_finding("superseded_submission", words=words), *findings_of(values)]
    root = tree(page(values, findings))
    assert text(one(root, "//p[@class='headline']")) == "✓核查通过；有 1 处请核实。"
    folded = one(root, "//details[contains(@class, 'information')]")
    assert folded.get("open") is None
    assert "a.xlsx" in text(folded)
    assert "填报人不用改表" in text(folded)
    assert root.xpath("//section[@class='group warning']//li[@id='f-1']")
    assert not root.xpath("//section[contains(@class, 'error')]")


def test_a_waived_error_passes_and_gives_its_reason() -> None:
    values, findings, _ = wrong_cell()
    waived = [msgspec.structs.replace(finding, waived="台账遗失，经批准（示例）") for finding in findings]
    root = tree(page(values, waived, status="accepted"))
    assert text(one(root, "//p[@class='headline']")) == "✓予以采用：2 处不符已经批准豁免。"
    assert "豁免理由：台账遗失，经批准（示例）" in text(one(root, "//section[@class='group waived']"))
    half = [waived[0], findings[1]]
    assert "有 1 处必须改正" in text(one(tree(page(values, half)), "//p[@class='headline']"))


@pytest.mark.parametrize(
    ("status", "headline"),
    [
        ("unreadable", "✕文件无法读取，未能核查。"),
        ("missing", "✕尚未收到可以采用的报表。"),
        ("refused", "✕核查未通过。"),
        ("waived", "✓予以采用：已经批准豁免。"),
        ("accepted", "✓核查通过。"),
    ],
)
def test_the_verdict_of_each_status(status: str, headline: str) -> None:
    root = tree(page({}, [], status=status, raws={}))
    assert text(one(root, "//p[@class='headline']")) == headline
    assert root.xpath("//table") == []  # nothing was read: no empty picture


def test_sample_data_say_so_and_real_data_do_not() -> None:
    assert "示例数据" in text(one(tree(page()), "//p[@class='synthetic']"))
    own = region(synthetic_note_zh="本县为演示。", synthetic_note_en="For show.")
    assert "本县为演示。" in text(one(tree(page(region=own)), "//p[@class='synthetic']"))
    assert tree(page(region=region(synthetic=False))).xpath("//p[@class='synthetic']") == []


def test_a_lone_file_without_region_or_body() -> None:
    root = tree(page(region=None, year=None, body=None, file="某报表.xlsx"))
    assert text(root.find(".//h1")) == "某报表.xlsx"
    assert "未识别" not in text(root)
    assert "未识别" in text(tree(page(body=None)))


def test_addresses_in_the_file_stand_beside_places() -> None:
    values, findings, explanations = wrong_cell()
    shown = text(tree(page(values, findings, explanations, addresses={WRONG: "统计表!C14"}, versions=3)))
    assert "（文件中 统计表!C14）" in shown
    assert "3 个" in shown


def test_the_suspected_cell_of_a_finding_and_its_proposal() -> None:
    values, findings, _ = wrong_cell()
    named = [msgspec.structs.replace(findings[0], suspected=WRONG, proposed=60), findings[1]]
    root = tree(page(values, named))
    sentence = text(one(root, "//li[@id='f-1']//p[@class='suspected']"))
    assert sentence.startswith("疑似写错的一格：表三「一、本年新收政府信息公开申请数量｜自然人」")
    assert "似应为 60，请核对原始台账" in sentence
    assert cell(root, WRONG).get("class") == "suspected"


def test_the_picture_shows_wording_blanks_and_missing_figures() -> None:
    values = valid_values()
    values["proactive.licences.decisions"] = None
    values["disputes.reconsideration.upheld"] = None
    raws = raws_of(values)
    raws["proactive.licences.decisions"] = "见<附件>"
    raws["proactive.penalties.decisions"] = "５８ 件"
    raws["proactive.coercive_measures.decisions"] = ""
    raws["proactive.administrative_fees.amount"] = "43.7880"
    root = tree(page(values, findings_of(values), raws=raws))
    assert "见<附件>" in text(cell(root, "proactive.licences.decisions"))
    assert cell(root, "proactive.licences.decisions").get("class") == "missing"
    assert "？" in text(cell(root, "disputes.reconsideration.upheld"))
    assert text(cell(root, "proactive.penalties.decisions")) == "58原文 ５８ 件"
    assert text(cell(root, "proactive.coercive_measures.decisions")) == "3原文 空格"
    assert text(cell(root, "proactive.administrative_fees.amount")) == "43.788"
    long = page(values, raws=raws | {"proactive.licences.decisions": "很长" * 100})
    assert len(text(cell(tree(long), "proactive.licences.decisions"))) == 40


@pytest.mark.parametrize(
    ("cells", "zh", "en"),
    [
        ((), "整份报表", "The whole return"),
        (("no.such.cell",), "整份报表", "The whole return"),
        (("proactive.licences.decisions",), "表二「行政许可｜本年处理决定数量」", "Administrative licences"),
        (("requests.received.total", "requests.received.other_organization"), "表三「一、本年新收", "row"),
        (("requests.received.total", "requests.granted.total"), "表三「总计」一列", "column “Total”"),
        (("requests.received.total", "requests.granted.natural_person"), "表三「收到和处理政府信息公开", "Requests"),
        (("requests.received.total", "processing_fees.notices.issued"), "表三、表六", "; Processing fees"),
    ],
)
def test_the_smallest_place_that_holds_all_cells(cells: tuple[str, ...], zh: str, en: str) -> None:
    place = where(FORM, cells)
    assert place[0].startswith(zh)
    assert en in place[1]


# --- what it never lets through -----------------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script>\"'&\u202egpj.\u200b\x00\x1b[31m\ud800"


def test_hostile_text_anywhere_is_shown_and_never_obeyed() -> None:
    values, findings, _ = wrong_cell()
    evil = make_finding(
        "not_a_number",
        words={"place": HOSTILE, "raw": HOSTILE, "place_en": HOSTILE},
        cells=("proactive.licences.decisions",),
        address=HOSTILE,
        found=HOSTILE,
        expected=HOSTILE,
    )
    body = msgspec.structs.replace(BODIES[1], name_zh=HOSTILE, name_en=HOSTILE, code=HOSTILE)
    values["proactive.licences.decisions"] = None
    data = page(
        values,
        [evil, msgspec.structs.replace(evil, waived=HOSTILE), *findings],
        explained((1, {WRONG: (1, 2)}, HOSTILE)),
        body=body,
        file=HOSTILE,
        raws=dict.fromkeys(values, HOSTILE),
        addresses=dict.fromkeys(values, HOSTILE),
        region=region(synthetic_note_zh=HOSTILE, synthetic_note_en=HOSTILE),
    )
    root = tree(data)
    assert root.xpath("//script") == []
    assert root.xpath("//@*[starts-with(name(), 'on')]") == []
    decoded = data.decode("utf-8")
    assert not set("\u202e\u200b\x00\x1b\ud800") & set(decoded)
    assert decoded.count("⟨U+202E⟩gpj.⟨U+200B⟩⟨U+0000⟩⟨U+001B⟩[31m⟨U+D800⟩") > 10
    assert text(root.find(".//h1")).startswith("<script>alert(1)</script>\"'&⟨U+202E⟩")


def test_nothing_is_fetched_and_the_policy_names_exactly_this_style() -> None:
    values, findings, explanations = wrong_cell()
    data = page(values, findings, explanations).decode("utf-8")
    root = html.document_fromstring(data)
    policy = one(root, "//meta[@http-equiv='Content-Security-Policy']").get("content")
    digest = base64.b64encode(hashlib.sha256(one(root, "//style").text.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; script-src 'none'; base-uri 'none'; form-action 'none'"
    )
    assert root.xpath("//@style | //@src | //link | //img | //iframe | //object") == []
    assert not re.search(r"url\(|@import|https?:", data)


def test_a_name_that_the_template_lacks_is_an_error() -> None:
    with pytest.raises(Exception, match="undefined"):
        render("receipt.html", {})


SCRIPT = """
import sys
from tests.publish.test_receipt import page, wrong_cell
sys.stdout.buffer.write(page(*wrong_cell()))
"""


def test_same_input_same_bytes_under_another_hash_seed() -> None:
    here = page(*wrong_cell())
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": "."}
        done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, check=True)
        assert done.stdout == here


def test_money_is_shown_exactly() -> None:
    values = valid_values()
    values["processing_fees.notices.amount"] = Decimal("120.50")
    root = tree(page(values, findings_of(values)))
    assert "120.5" in text(one(root, "//li[@id='f-1']//dl"))
