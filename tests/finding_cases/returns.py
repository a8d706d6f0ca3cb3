"""Kinds of finding about one return and about the roster: figures, text, years, bodies, versions, decisions."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from decimal import Decimal
from functools import cache

from pipelines.aggregate.reconcile import reconcile
from pipelines.ingest.read import read_bytes
from pipelines.regions import load_region
from pipelines.sample.defects import DEFECTS, Good, good_file, good_return
from pipelines.validate.check import check_file
from pipelines.validate.collect import collect_findings
from pipelines.validate.decisions import correct
from pipelines.validate.roster import Delivery, accept, assign, copies, roster_of
from pipelines.validate.submissions import judge_submissions, settle_submissions
from schemas.findings import Finding, make_finding
from schemas.intake import Claim, ReadCell, ReadFile
from schemas.region import Correction, Decisions, Waiver
from tests.aggregate.test_aggregate import totals_of
from tests.facts import FORM, REGION, REGIONS, RULES, dense
from tests.finding_cases import Case
from tests.validate.cases import read_cell, read_file

YEAR = 2023
LEAF = "requests.granted.natural_person"
FEE = "processing_fees.notices.amount"
LICENCES = "proactive.licences.decisions"
COUNTY = load_region(REGIONS, REGION)
FIRST, SECOND = COUNTY.bodies[0], COUNTY.bodies[1]
ZEROS = {cell.id: 0 for cell in FORM.cells}


def without(*cells: str) -> dict[str, int]:
    return {cell: value for cell, value in dense().items() if cell not in cells}


def checked(
    values: dict[str, int | Decimal], last_year: dict[str, int | Decimal] | None = None, year: int = 2022, **fields
) -> tuple[Finding, ...]:
    """One return as it is read from a file of another program, with last year's beside it where given."""
    before = None if last_year is None else read_file(last_year, file="去年.xlsx", year=year)
    return check_file(read_file(values, **fields), before).findings


@cache
def good() -> Good:
    return good_return(COUNTY, next(body for body in COUNTY.bodies if body.code == "511725-D05"), YEAR)


def handed_in(files: dict[str, bytes]) -> list[Finding]:
    """Files as they arrive in folders of the inbox: read, assigned, checked."""
    found: list[Finding] = []
    for path, data in files.items():
        folder, _, name = path.rpartition("/")
        read = read_bytes(data, name)
        found += assign(read, folder or None, roster_of(COUNTY, YEAR))[1]
        found += check_file(read).findings
    return found


def defect(name: str) -> list[Finding]:
    return handed_in(DEFECTS[name](good()).files)


def right(kind: str = "xlsx") -> list[Finding]:
    return handed_in({good().path(f"报表.{kind}"): good_file(good(), kind)})


def stated(cell: str, value: int) -> Claim:
    return Claim(cell=cell, value=Decimal(value), text=f"全年新收 {value} 件", at="第3段", readings=((cell,),))


def twice(value: int) -> ReadFile:
    read = read_file(dense())
    return ReadFile(file="a.xlsx", sha256="0" * 64, format="xlsx", cells=(*read.cells, read_cell(LEAF, value)))


# ---------------------------------------------------------------- the roster
WRONG = make_finding("empty_file", words={"file": "新表.xlsx"})


def delivery(file: str, body: str = FIRST.code, sequence: int = 1, wrong: bool = False, **fields) -> Delivery:
    fields = {"values": {}, "findings": (WRONG,) if wrong else (), "sha256": file} | fields
    return Delivery(file=file, sequence=sequence, body=body, **fields)


def roster(*first: Delivery) -> Iterable[Finding]:
    """A county in which every other body has handed in a right return."""
    others = [delivery(f"{body.code}.xlsx", body.code) for body in COUNTY.roster(YEAR) if body.code != FIRST.code]
    return accept([*first, *others], COUNTY, YEAR, FORM).findings


def copied(values: dict[str, int], body: str = SECOND.code, previous: dict[str, dict[str, int]] | None = None):
    pair = [delivery("a.xlsx", values=dense()), delivery("b.xlsx", body, values=values)]
    return copies(pair, previous or {}, COUNTY)


def judged(has_history: bool) -> Iterable[Finding]:
    read = read_file(dense(), body_code=FIRST.code)
    settled = settle_submissions([read], {"a.xlsx": None}, COUNTY, YEAR, FORM, RULES, Decisions(), {})
    return judge_submissions(settled.frame, [read], COUNTY, YEAR, FORM, RULES, {}, has_history=has_history).findings


# ---------------------------------------------------------------- decisions and totals
ON = datetime.date(2024, 1, 20)


def corrected(found: int, body: str = FIRST.code) -> Iterable[Finding]:
    read = ReadFile(
        file="a.xlsx",
        sha256="0" * 64,
        format="xlsx",
        cells=(ReadCell(cell=LEAF, value=Decimal(5), raw="5", state="given", at="统计表!D5"),),
    )
    decided = Correction(
        body=body, cell=LEAF, found=found, value=7, reason="抄错一行", approved_by="张三（示例）", approved_on=ON
    )
    return correct(read, [decided], FORM, COUNTY, FIRST.code)[1]


def waived(*findings: Finding) -> Iterable[Finding]:
    waiver = Waiver(rule="empty_file", body=FIRST.code, reason="停业", approved_by="张三（示例）", approved_on=ON)
    return collect_findings(findings, [], [], COUNTY, YEAR, Decisions(waiver=(waiver,)), FORM, RULES)


def reconciled(published: dict[str, Decimal] | None) -> Iterable[Finding]:
    return reconcile(FORM, totals_of(dense()), published, REGION, YEAR)[1]


PUBLISHED = {cell: Decimal(value) for cell, value in dense().items()}
UNKNOWN = "cell,value\r\nrequests.received.total,3\r\nrequests.received.sum,3\r\n"
KNOWN = "cell,value\r\nrequests.received.total,3\r\n"
OLDER = "<table><tr><td>主动公开信息数<td>12<tr><td>当面申请数<td>3<tr><td>网络申请数<td>4</table>"
PROACTIVE = (
    "二、主动公开政府信息情况\n第二十条第（一）项\n信息内容\t本年制发件数\t本年废止件数\t现行有效件数\n"
    "规章\t0\t0\t0\n行政规范性文件\t3\t1\t7\n"
)


def page(text: str, name: str = "年报.html") -> Iterable[Finding]:
    return read_bytes(f"<html><head><meta charset=utf-8></head><body>{text}</body></html>".encode(), name).problems


CASES: dict[str, Case] = {
    "missing_cell": Case(
        fires=lambda _: defect("missing_cell"),
        silent=lambda _: right(),
    ),
    "missing_optional_cell": Case(
        fires=lambda _: checked(without(FEE)),
        silent=lambda _: checked(dense()),
    ),
    "not_a_number": Case(
        fires=lambda _: defect("text_in_number_cell"),
        silent=lambda _: right(),
    ),
    "formula_without_value": Case(
        fires=lambda _: defect("formula_without_value"),
        silent=lambda _: right(),
    ),
    "blank_read_as_zero": Case(
        fires=lambda _: checked(without(LICENCES), states={LICENCES: "slash"}),
        silent=lambda _: checked(without(LICENCES), states={LICENCES: "blank"}),
    ),
    "cell_given_twice": Case(
        fires=lambda _: check_file(twice(99)).findings,
        silent=lambda _: check_file(twice(dense()[LEAF])).findings,
    ),
    "claim_mismatch": Case(
        fires=lambda _: checked(dense(), claims=(stated("requests.received.total", 9),)),
        silent=lambda _: checked(
            dense(), claims=(stated("requests.received.total", dense()["requests.received.total"]),)
        ),
    ),
    "zeros_beside_figures": Case(
        fires=lambda _: checked(ZEROS, claims=(stated("requests.received.total", 9),)),
        silent=lambda _: checked(dense(), claims=(stated("requests.received.total", 9),)),
    ),
    "amount_maybe_yuan": Case(
        fires=lambda _: checked(dense() | {"proactive.administrative_fees.amount": Decimal("119253.55")}),
        silent=lambda _: checked(dense() | {"proactive.administrative_fees.amount": Decimal("11.93")}),
    ),
    "digit_added_or_lost": Case(
        fires=lambda _: checked(dense() | {LICENCES: 1130}, dense() | {LICENCES: 113}),
        silent=lambda _: checked(dense() | {LICENCES: 150}, dense() | {LICENCES: 113}),
    ),
    "results_without_requests": Case(
        fires=lambda _: checked(ZEROS | {"disputes.reconsideration.upheld": 2, "disputes.reconsideration.total": 2}),
        silent=lambda _: checked(dense()),
    ),
    "previous_year_mismatch": Case(
        fires=lambda _: checked(dense(), dense(), year=2021),
        silent=lambda _: checked(dense(), dense(), year=2022),
    ),
    # ------------------------------------------------------------ what a file holds
    "not_a_return": Case(
        fires=lambda _: defect("another_document"),
        silent=lambda _: right("html"),
    ),
    "unread_cells": Case(
        fires=lambda _: [f for f in read_bytes(PROACTIVE.encode(), "年报.txt").problems if "主动公开" in f.message_zh],
        silent=lambda _: right("docx"),
    ),
    "older_system": Case(
        fires=lambda _: page(OLDER, "旧表.html"),
        silent=lambda _: page("<p>会议通知</p>"),
    ),
    "unknown_cell": Case(
        fires=lambda _: read_bytes(UNKNOWN.encode(), "年报.csv").problems,
        silent=lambda _: read_bytes(KNOWN.encode(), "年报.csv").problems,
    ),
    "edition_mismatch": Case(
        fires=lambda _: checked(dense(), form={"requests": "2019"}),
        silent=lambda _: checked(dense(), form={"requests": "2021"}),
    ),
    "unknown_body": Case(
        fires=lambda _: defect("unknown_body"),
        silent=lambda _: right("docx"),
    ),
    "body_conflict": Case(
        fires=lambda _: defect("wrong_folder"),
        silent=lambda _: right(),
    ),
    "year_conflict": Case(
        fires=lambda _: defect("wrong_year"),
        silent=lambda _: right(),
    ),
    # ------------------------------------------------------------ the roster
    "roster_missing": Case(
        fires=lambda _: roster(delivery("新表.xlsx", wrong=True)),
        silent=lambda _: roster(delivery("新表.xlsx")),
    ),
    "superseded_submission": Case(
        fires=lambda _: roster(
            delivery("旧表.xlsx", values=dense()),
            delivery("新表.xlsx", sequence=2, values=dense() | {LICENCES: 4}),
        ),
        silent=lambda _: roster(delivery("旧表.xlsx", sha256="0"), delivery("新表.xlsx", sequence=2, sha256="0")),
    ),
    "rejected_version": Case(
        fires=lambda _: roster(
            delivery("旧表.xlsx", values=dense()),
            delivery("新表.xlsx", sequence=2, wrong=True, values=dense() | {LICENCES: 4}),
        ),
        silent=lambda _: roster(delivery("旧表.xlsx", wrong=True), delivery("新表.xlsx", sequence=2)),
    ),
    "version_tie": Case(
        fires=lambda _: roster(delivery("甲.xlsx"), delivery("乙.xlsx")),
        silent=lambda _: roster(delivery("甲.xlsx", sha256="0"), delivery("乙.xlsx", sha256="0")),
    ),
    "same_as_other_body": Case(
        fires=lambda _: copied(dense()),
        silent=lambda _: copied(dense() | {LICENCES: 12345}),
    ),
    "same_as_last_year": Case(
        fires=lambda _: copied(ZEROS, previous={FIRST.code: dense()}),
        silent=lambda _: copied(ZEROS, previous={FIRST.code: dense() | {LICENCES: 12345}}),
    ),
    "no_previous_year": Case(
        fires=lambda _: judged(has_history=False),
        silent=lambda _: judged(has_history=True),
    ),
    # ------------------------------------------------------------ decisions and totals
    "reconciliation_mismatch": Case(
        fires=lambda _: reconciled(PUBLISHED | {LICENCES: PUBLISHED[LICENCES] + 2}),
        silent=lambda _: reconciled(PUBLISHED),
    ),
    "reconciliation_skipped": Case(
        fires=lambda _: reconciled(None),
        silent=lambda _: reconciled(PUBLISHED),
    ),
    "correction_applied": Case(
        fires=lambda _: corrected(found=5),
        silent=lambda _: corrected(found=5, body=SECOND.code),
    ),
    "correction_stale": Case(
        fires=lambda _: corrected(found=6),
        silent=lambda _: corrected(found=5),
    ),
    "waiver_stale": Case(
        fires=lambda _: waived(),
        silent=lambda _: waived(make_finding("empty_file", words={"file": "a.xlsx"}, body=FIRST.code)),
    ),
}
