"""Sentences: what they claim about cells, in every accepted reading, and what looks like a claim and is none."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pipelines.ingest.claims import find_claims, find_fees, said_in
from pipelines.ingest.document import Document, Paragraph
from pipelines.ingest.lines import flatten
from pipelines.ingest.running import paragraphs
from schemas.claims import cells_of_term, expand, load_claims, read_claims
from schemas.declaration import DeclarationError
from schemas.form import load_form

T = "requests.{}.total"


def claims(*lines, year=2023, form=None):
    document = Document(
        format="docx", items=tuple(Paragraph(text=line, at=f"第{n}段") for n, line in enumerate(lines, 1))
    )
    return find_claims(said_in(paragraphs(flatten(document))), form or {}, year)


def stated(*lines, year=2023):
    return {claim.cell: claim.value for claim in claims(*lines, year=year)}


def fees(*lines, year=2023):
    document = Document(
        format="docx", items=tuple(Paragraph(text=line, at=f"第{n}段") for n, line in enumerate(lines, 1))
    )
    return {cell.cell.rsplit(".", 1)[1]: cell.value for cell in find_fees(said_in(paragraphs(flatten(document))), year)}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("全区受理政府信息公开申请 21 件，均已答复。", {T.format("received"): 21}),
        (
            "全县共收到政府信息公开申请 14 件，依法按期办结 13 件。",
            {T.format("received"): 14, T.format("processed"): 13},
        ),
        (
            "收到政府信息公开申请46件,结转上年度3件,本年度办结44件,剩余5件结转下年度。",
            {
                T.format("received"): 46,
                T.format("carried_in"): 3,
                T.format("processed"): 44,
                T.format("carried_out"): 5,
            },
        ),
        (
            (
                "办结 2022 年度结转政府信息公开申请 4 件，新受理政府信息公开申请共计 101 件，"
                "已办结 99 件，结转 2024 年度继续办理 2 件。"
            ),
            {
                T.format("carried_in"): 4,
                T.format("received"): 101,
                T.format("processed"): 99,
                T.format("carried_out"): 2,
            },
        ),
        (
            (
                "依申请公开中，予以公开11件、部分公开2件、不予公开3件、无法提供4件、不予处理5件、"
                "作其他处理（含主动撤回）6件、转下年度办理7件。"
            ),
            {
                T.format("granted"): 11,
                T.format("partly_granted"): 2,
                T.format("refused_state_secret"): 3,
                T.format("unavailable_not_held"): 4,
                T.format("declined_petition"): 5,
                T.format("other"): 6,
                T.format("carried_out"): 7,
            },
        ),
        (
            "共收到8份政府信息公开申请，均为自然人申请。无下年度结转。",
            {T.format("received"): 8, T.format("carried_out"): 0},
        ),
        ("收到政府信息公开申请一件。", {T.format("received"): 1}),
        ("新收政府信息公开申请1,234件。", {T.format("received"): 1234}),
        (
            "行政规范性文件1件,行政许可决定30件,行政处罚16件,行政强制6件。",
            {
                "proactive.normative_documents.issued": 1,
                "proactive.licences.decisions": 30,
                "proactive.penalties.decisions": 16,
                "proactive.coercive_measures.decisions": 6,
            },
        ),
        (
            "制发行政规范性文件 3 件，废止 24 件，现行有效 21 件。",
            {
                "proactive.normative_documents.issued": 3,
                "proactive.normative_documents.repealed": 24,
                "proactive.normative_documents.in_force": 21,
            },
        ),
        (
            (
                "引发行政复议 5 件，结果维持 2 件，结果纠正 3 件；引发行政诉讼 7 件，"
                "结果维持 5 件，尚未审结 1 件，其他结果 1 件。"
            ),
            {
                "disputes.reconsideration.total": 5,
                "disputes.reconsideration.upheld": 2,
                "disputes.reconsideration.corrected": 3,
                "disputes.litigation_direct.total": 7,
                "disputes.litigation_direct.upheld": 5,
                "disputes.litigation_direct.pending": 1,
                "disputes.litigation_direct.other_result": 1,
            },
        ),
        (
            "发生行政复议3件,未发生政府信息公开行政诉讼案件。",
            {"disputes.reconsideration.total": 3, "disputes.litigation_direct.total": 0},
        ),
        ("全县共办理复议、诉讼相关案件 74 件。", {"disputes.reconsideration.total": 74}),
        (
            "未收到政府信息公开申请，未发生行政复议、行政诉讼，未制发行政规范性文件。",
            {
                T.format("received"): 0,
                "disputes.reconsideration.total": 0,
                "disputes.litigation_direct.total": 0,
                "proactive.normative_documents.issued": 0,
            },
        ),
        ("行政事业性收费金额265500元。", {"proactive.administrative_fees.amount": Decimal("26.55")}),
        ("行政許可128條。", {"proactive.licences.decisions": 128}),
    ],
)
def test_what_sentences_claim(sentence, expected):
    assert stated(sentence) == expected


@pytest.mark.parametrize(
    "sentence",
    [
        "受理群众来信1295件。",
        "办理挖掘城市道路申请件77件，检查140余次。",
        "网站发布信息105条，其中行政许可信息76条、行政处罚信息2条。",
        "行政许可事项目录42项。",
        "组织依申请公开答复业务会商研判1次。",
        "审查规范性文件12件，清理规范性文件30件。",
        "刊登市政府规章、行政规范性文件等 243 件。",
        "全年未发生因依申请公开被行政复议纠错或行政诉讼败诉情形。",
        "收到政府信息公开申请较上年减少1件。",
        "2022年收到政府信息公开申请5件。",
        "收到政府信息公开申请约50件，办结100余件。",
        "收取信息处理费共计380元，其中民政局1件，收取380元。",
        "办理人大代表建议12件、政协提案9件。",
    ],
)
def test_traps_claim_nothing(sentence):
    assert stated(sentence) == {}


def test_all_readings_are_given():
    (received,) = claims("共收到政府信息公开申请29件。")
    assert received.readings == (
        ("requests.received.total",),
        ("requests.received.total", "requests.carried_in.total"),
    )
    (processed,) = claims("依申请公开已办结9件。")
    assert ("requests.processed.total", "-requests.carried_in.total") in processed.readings
    (refused,) = claims("依申请公开中不予公开9件。")
    assert len(refused.readings[0]) == 8


def test_litigation_is_the_two_rows_added():
    (claim,) = claims("引发行政诉讼 7 件。")
    assert claim.readings[0] == (
        "disputes.litigation_direct.total",
        "disputes.litigation_after_reconsideration.total",
    )


def test_withdrawals_beside_make_the_rest_unknowable():
    found = stated("受理政府信息公开申请62件。其中,无法提供15件,申请人主动撤销申请6件,其他处理3件。")
    assert T.format("other") not in found
    assert found[T.format("unavailable_not_held")] == 15


def test_the_sentence_is_quoted_verbatim_with_its_place():
    (claim,) = claims("一、总体情况", "工作有序。全区受理政府信息公\n开申请 21 件；均已答复。")
    assert claim.text == "全区受理政府信息公\n开申请 21 件；"
    assert claim.at == "第2段"


def test_sentences_broken_over_lines_are_one():
    assert stated("（二）依申请公开。市政府共受理政府信息公开申请 12", "95 件，办结 11 件。") == {
        T.format("received"): 1295,
        T.format("processed"): 11,
    }


def test_the_topic_holds_for_the_paragraph_but_not_beyond():
    assert T.format("granted") in stated("收到政府信息公开申请9件。其中，予以公开9件。")
    assert stated("收到政府信息公开申请9件。", "（三）管理。", "（四）平台。予以公开9件。") == {T.format("received"): 9}


def test_readings_follow_the_edition():
    (claim,) = claims("依申请公开中，其他处理6件。", form={"requests": "2019"})
    assert claim.readings == (("requests.other_handling.total",),)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("未发出收费通知，未收取信息处理费。", {"issued": 0, "amount": 0, "collected": 0}),
        ("未发出政府信息处理费收费通知，未收取信息处理费。", {"issued": 0, "amount": 0, "collected": 0}),
        ("本年度本机关未收取信息公开处理费。", {"collected": 0}),
        ("全年收取政府信息公开信息处理费 0 元。", {"collected": 0}),
        (
            "发出收费通知3件，通知的总金额1500元，实际收取的总金额1200元。",
            {"issued": 3, "amount": 1500, "collected": 1200},
        ),
        ("发出3件收费通知。", {"issued": 3}),
        ("收取信息处理费共计380元。", {}),
        ("信息处理费共计400元。", {}),
        ("无其他需要报告的事项。", {}),
    ],
)
def test_processing_fees(sentence, expected):
    assert fees("六、其他需要报告的事项", sentence) == expected


def test_fees_stated_in_two_ways_are_not_read():
    assert fees("发出收费通知3件。", "发出收费通知2件，通知的总金额90元。") == {"amount": 90}


def test_group_terms():
    form = load_form("2021")
    assert len(cells_of_term(form, "requests.@refused.total")) == 8
    assert len(cells_of_term(form, "requests.received.@legal_person")) == 5
    assert cells_of_term(form, "-disputes.reconsideration.pending") == ("-disputes.reconsideration.pending",)
    assert expand(load_form("2019"), ("requests.other.total",)) is None


def test_every_declared_pattern_is_met_by_some_sentence():
    met = {claim.cell for claim in claims(*EXAMPLES, year=2023)}
    missing = []
    for pattern in load_claims().claims:
        if pattern.cell:
            first = cells_of_term(load_form("2021"), pattern.cell)[0]
            if first not in met:
                missing.append(pattern.id)
    assert missing == []


EXAMPLES = (
    "收到依申请公开9件，自然人申请5件，法人或其他组织申请3件，上年结转1件，结转至下年度2件，已办结8件。",
    "依申请公开中，予以公开1件，部分公开1件，不予公开1件，无法提供1件，不予处理1件，其他处理1件。",
    (
        "依申请公开中，本机关不掌握1件，没有现成信息1件，信访举报投诉类申请1件，"
        "重复申请1件，过程性信息1件，内部事务信息1件，行政查询事项1件，商业企业申请1件。"
    ),
    (
        "行政复议1件，行政诉讼1件。制发规章1件，行政规范性文件1件，行政许可1件，"
        "行政处罚1件，行政强制1件，行政事业性收费1万元。"
    ),
)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ('say = "(?:', 'say = "((?:'),
        ('cell = "requests.carried_in.total"', 'cell = "requests.carried_on.total"'),
        ('id = "received"', 'id = "received_new"'),
        ('near = "clause"', 'nearby = "clause"'),
    ],
)
def test_a_wrong_declaration_names_its_line(change, problem):
    from pathlib import Path

    import schemas.claims

    text = Path(schemas.claims.__file__).with_name("claims.toml").read_text(encoding="utf-8")
    assert change in text
    with pytest.raises(DeclarationError) as caught:
        read_claims(text.replace(change, problem, 1), "claims.toml")
    assert caught.value.line > 1
