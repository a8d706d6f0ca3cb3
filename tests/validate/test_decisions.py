from __future__ import annotations

import datetime
import random
from decimal import Decimal

import msgspec
import pytest

from pipelines.regions import load_region
from pipelines.validate.collect import collect_findings
from pipelines.validate.completeness import settle
from pipelines.validate.decisions import _covers, correct, stale_waivers, waive
from schemas.findings import make_finding, rule_finding
from schemas.intake import ReadCell, ReadFile
from schemas.region import Correction, Decisions, Waiver
from tests.facts import FORM, REGION, REGIONS, RULES, dense

COUNTY = load_region(REGIONS, REGION)
BODY = COUNTY.bodies[0].code
CELL = "requests.granted.natural_person"
ON = datetime.date(2024, 1, 20)


def correction(found, value=7, body=BODY, cell=CELL):
    return Correction(
        body=body, cell=cell, found=found, value=value, reason="填错", approved_by="办公室", approved_on=ON
    )


def read(value=Decimal(5), raw="5"):
    state = "given" if value is not None else "blank"
    cell = ReadCell(cell=CELL, value=value, raw=raw, state=state, at="统计表!D5")
    return ReadFile(file="a.xlsx", sha256="0" * 64, format="xlsx", cells=(cell,))


def test_a_correction_changes_the_value_never_the_raw_text():
    after, findings = correct(read(), [correction(5)], FORM, COUNTY, BODY)
    assert (after.cells[0].value, after.cells[0].raw, after.cells[0].state) == (Decimal(7), "5", "given")
    assert [finding.rule for finding in findings] == ["correction_applied"]
    assert "填错" in findings[0].message_zh
    assert findings[0].address == "统计表!D5"


def test_a_correction_may_fill_a_blank_or_an_absent_cell():
    after, findings = correct(read(None, None), [correction(None)], FORM, COUNTY, BODY)
    assert after.cells[0].value == 7
    empty = ReadFile(file="a.xlsx", sha256="0" * 64, format="xlsx")
    after, findings = correct(empty, [correction(None)], FORM, COUNTY, BODY)
    assert after.cells[0].value == 7
    assert [finding.rule for finding in findings] == ["correction_applied"]


@pytest.mark.parametrize("stale", [correction(6), correction(None)])
def test_a_correction_whose_found_no_longer_stands_is_a_finding_and_changes_nothing(stale):
    after, findings = correct(read(), [stale], FORM, COUNTY, BODY)
    assert after == read()
    assert [finding.rule for finding in findings] == ["correction_stale"]
    assert findings[0].severity == "error"


def test_a_cell_that_stands_twice_keeps_both_unless_it_is_corrected():
    twice = ReadFile(file="a.xlsx", sha256="0" * 64, format="docx", cells=(*read(5).cells, *read(6, "6").cells))
    assert correct(twice, [], FORM, COUNTY, BODY)[0].cells == twice.cells
    other = correction(None, cell="requests.granted.legal_person.enterprise")
    after, _ = correct(twice, [other], FORM, COUNTY, BODY)
    assert after.cells[:2] == twice.cells
    assert "cell_given_twice" in {finding.rule for finding in settle(after, FORM, RULES).findings}
    after, _ = correct(twice, [correction(6)], FORM, COUNTY, BODY)
    assert [cell.value for cell in after.cells] == [7, 7]


def naively(findings, waivers):
    """Each finding held against every waiver, and each waiver against every finding."""
    first = [next((w for w in waivers if _covers(w, finding)), None) for finding in findings]
    return first, [w for w in waivers if not any(_covers(w, finding) for finding in findings)]


def test_waivers_cover_what_holding_each_against_every_finding_covers():
    draw, stale, covered = random.Random(20230131), 0, 0
    bodies = [body.code for body in COUNTY.bodies[:3]] + [""]
    rules = [RULES.rules[0].id, RULES.rules[1].id]
    for _ in range(200):
        findings = [
            msgspec.structs.replace(
                finding(), rule=draw.choice(rules), body=draw.choice(bodies), found=draw.choice((1, 2))
            )
            for _ in range(draw.randint(0, 8))
        ]
        waivers = [
            msgspec.structs.replace(
                waiver(),
                rule=draw.choice(rules),
                body=draw.choice(bodies),
                cells=draw.choice(((), finding().cells)),
                found=draw.choice((None, 1)),
                reason=str(n),
            )
            for n in range(draw.randint(0, 6))
        ]
        first, left = naively(findings, waivers)
        given = [(one.waived or "").partition("（")[0] for one in waive(findings, waivers)]
        assert given == [w.reason if w else "" for w in first]
        names = {body.code: body.name_zh for body in COUNTY.bodies}
        assert [f.message_zh for f in stale_waivers(findings, waivers, COUNTY)] == [
            make_finding("waiver_stale", words={"name": names.get(w.body, w.body), "rule": w.rule}).message_zh
            for w in left
        ]
        stale, covered = stale + len(left), covered + sum(w is not None for w in first)
    assert min(stale, covered) > 50


def test_a_correction_of_another_body_is_not_applied():
    assert correct(read(), [correction(5, body=COUNTY.bodies[1].code)], FORM, COUNTY, BODY) == (read(), ())


def waiver(rule="requests.row_total.granted", body=BODY, **fields):
    return Waiver(rule=rule, body=body, reason="历史口径", approved_by="主任", approved_on=ON, **fields)


def finding(rule="requests.row_total.granted", body=BODY):
    return rule_finding(FORM, RULES.by_id[rule], dense() | {"requests.granted.total": 3}, body=body)


def test_a_waiver_covers_its_finding_and_says_who_approved_it():
    (covered,) = waive([finding()], [waiver()])
    assert covered.waived == "历史口径（主任，2024-01-20）"
    assert covered.severity == "error"
    assert stale_waivers([finding()], [waiver()], COUNTY) == []


@pytest.mark.parametrize(
    "other",
    [
        waiver(rule="requests.row_total.received"),
        waiver(body=COUNTY.bodies[1].code),
        waiver(cells=("requests.granted.total",)),
        waiver(found=4),
    ],
    ids=["rule", "body", "cells", "found"],
)
def test_a_waiver_that_does_not_match_covers_nothing_and_is_stale(other):
    (kept,) = waive([finding()], [other])
    assert kept.waived == ""
    (stale,) = stale_waivers([kept], [other], COUNTY)
    assert (stale.rule, stale.severity) == ("waiver_stale", "error")


def test_a_waiver_may_name_the_cells_and_the_figure():
    exact = waiver(cells=finding().cells, found=3)
    assert waive([finding()], [exact])[0].waived


def test_the_collection_is_ordered_and_carries_waivers_to_the_totals():
    skipped = make_finding("reconciliation_skipped", words={"year": "2023"})
    totals = finding(body="")
    decisions = Decisions(waiver=(waiver(),))
    collected = collect_findings(
        waive([finding()], decisions.waiver), [skipped], [totals], COUNTY, 2023, decisions, FORM, RULES
    )
    assert [(f.rule, f.body, bool(f.waived)) for f in collected] == [
        ("requests.row_total.granted", "", True),
        ("requests.row_total.granted", BODY, True),
        ("reconciliation_skipped", "", False),
    ]
    assert {(f.region, f.year) for f in collected} == {(REGION, 2023)}


def test_the_collection_names_stale_waivers():
    decisions = Decisions(waiver=(waiver(),))
    collected = collect_findings([], [], [], COUNTY, 2023, decisions, FORM, RULES)
    assert [f.rule for f in collected] == ["waiver_stale"]
