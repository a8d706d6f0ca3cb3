"""Carrying read files through the stages: one pass over them, in their order."""

from decimal import Decimal

import pytest

from pipelines.regions import load_region
from pipelines.validate.submissions import judge_submissions, settle_submissions
from schemas.intake import ReadCell, ReadFile
from schemas.region import Decisions
from tests.facts import FORM, REGION, REGIONS, RULES, dense

COUNTY = load_region(REGIONS, REGION)


def read(number, values):
    cells = tuple(
        ReadCell(cell=cell, value=Decimal(value), raw=str(value), state="given") for cell, value in values.items()
    )
    body = COUNTY.bodies[number].code
    return ReadFile(file=f"{body}.xlsx", sha256="0" * 64, format="xlsx", own_workbook=True, body_code=body, cells=cells)


def settled(reads):
    folders = {one.file: None for one in reads}
    return settle_submissions(iter(reads), folders, COUNTY, 2023, FORM, RULES, Decisions(), {}).frame


def judged(frame, reads):
    return judge_submissions(frame, iter(reads), COUNTY, 2023, FORM, RULES, {}, has_history=True)


def test_read_files_are_gone_through_once_and_those_without_a_row_are_passed_over():
    stray = ReadFile(file="A.xlsx", sha256="0" * 64, format="xlsx")
    wrong = dense() | {"requests.received.total": dense()["requests.received.total"] + 1}
    reads = [read(0, dense()), stray, read(1, wrong), read(2, dense())]
    found = judged(settled(reads), reads)
    assert list(found.explained) == [(one.body_code, one.file) for one in reads if one is not stray]
    assert {f.body for f in found.findings if f.severity == "error"} == {COUNTY.bodies[1].code}
    assert [f.body for f in found.findings if f.rule == "same_as_other_body"] == [COUNTY.bodies[2].code]


def test_a_submission_that_no_read_file_answers_is_never_passed_over_in_silence():
    reads = [read(0, dense()), read(1, dense())]
    with pytest.raises(ValueError, match="not in the order"):
        judged(settled(reads), reversed(reads))
    with pytest.raises(ValueError, match=reads[1].file):
        judged(settled(reads), reads[:1])
