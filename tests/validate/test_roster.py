from __future__ import annotations

import random
from decimal import Decimal

import msgspec
import pytest

from pipelines.regions import load_region
from pipelines.validate.roster import COPY_MINIMUM, Delivery, accept, assign, bodies_rows, copies, roster_of
from schemas.findings import make_finding
from schemas.intake import ReadFile
from tests.facts import FORM, REGION, REGIONS, dense

COUNTY = load_region(REGIONS, REGION)
FIRST, SECOND = COUNTY.bodies[0], COUNTY.bodies[1]


def read(**fields):
    return ReadFile(file=fields.pop("file", "a.xlsx"), sha256="0" * 64, format="xlsx", **fields)


def rules_of(findings):
    return [finding.rule for finding in findings]


@pytest.mark.parametrize(
    ("stated", "folder"),
    [
        ({"body_code": FIRST.code}, None),
        ({"body_name": FIRST.name_zh}, None),
        ({}, FIRST.code),
        ({"body_code": FIRST.code, "body_name": FIRST.name_zh, "year": 2023}, FIRST.code),
    ],
    ids=["code", "name", "folder", "all agree"],
)
def test_a_file_is_assigned_by_its_code_its_title_or_its_folder(stated, folder):
    assert assign(read(**stated), folder, roster_of(COUNTY, 2023)) == (FIRST.code, ())


@pytest.mark.parametrize(
    ("stated", "folder"),
    [
        ({"body_code": FIRST.code}, SECOND.code),
        ({"body_name": FIRST.name_zh}, SECOND.code),
        ({"body_code": FIRST.code, "body_name": SECOND.name_zh}, None),
    ],
)
def test_two_that_disagree_are_an_error_and_the_file_counts_for_none(stated, folder):
    body, findings = assign(read(**stated), folder, roster_of(COUNTY, 2023))
    assert body == ""
    assert rules_of(findings) == ["body_conflict"]
    assert FIRST.name_zh in findings[0].message_zh
    assert SECOND.name_zh in findings[0].message_zh
    assert "a.xlsx" in findings[0].message_zh


@pytest.mark.parametrize("stated", [{}, {"body_code": "511725-X99"}, {"body_name": "某某省某某厅"}])
def test_a_body_that_is_not_on_the_roster_is_an_error(stated):
    body, findings = assign(read(**stated), None, roster_of(COUNTY, 2023))
    assert body == ""
    assert rules_of(findings) == ["unknown_body"]


def test_another_years_return_is_an_error_for_its_body():
    body, findings = assign(read(body_code=FIRST.code, year=2022), None, roster_of(COUNTY, 2023))
    assert body == FIRST.code
    assert rules_of(findings) == ["year_conflict"]
    assert (findings[0].found, findings[0].expected) == ("2022", "2023")


def test_a_body_that_no_longer_reports_is_unknown_for_that_year():
    gone = msgspec.structs.replace(FIRST, to_year=2022)
    county = msgspec.structs.replace(COUNTY, bodies=(gone, *COUNTY.bodies[1:]))
    assert rules_of(assign(read(body_code=FIRST.code), None, roster_of(county, 2023))[1]) == ["unknown_body"]
    assert assign(read(body_code=FIRST.code), None, roster_of(county, 2022)) == (FIRST.code, ())


ERROR = make_finding("missing_cell", words={"count": 1, "places": "x", "places_en": "x"})


def delivery(file="a.xlsx", body=FIRST.code, sequence=1, findings=(), sha256=None, values=None):
    return Delivery(
        file=file, sha256=sha256 or file, sequence=sequence, body=body, values=values or {}, findings=tuple(findings)
    )


def everybody(*first):
    """Deliveries of every body of the roster, the first one's as given."""
    return [*first, *(delivery(file=f"{body.code}.xlsx", body=body.code) for body in COUNTY.roster(2023)[1:])]


def test_a_whole_roster_is_accepted_without_a_word():
    result = accept(everybody(delivery()), COUNTY, 2023, FORM)
    assert result.findings == ()
    assert set(result.status.values()) == {"accepted"}
    assert len(result.accepted) == 66


def test_a_missing_body_is_a_finding():
    result = accept(everybody(), COUNTY, 2023, FORM)
    assert rules_of(result.findings) == ["roster_missing"]
    assert result.findings[0].body == FIRST.code
    assert FIRST.name_zh in result.findings[0].message_zh
    assert result.status[FIRST.code] == "missing"


def test_a_refused_return_leaves_the_body_missing_and_says_why():
    result = accept(everybody(delivery(findings=[ERROR])), COUNTY, 2023, FORM)
    assert rules_of(result.findings) == ["missing_cell", "roster_missing"]
    assert "1 个错误" in result.findings[1].message_zh
    assert result.status[FIRST.code] == "refused"


def test_the_newest_valid_version_counts_and_the_older_is_named():
    old = delivery("old.xlsx", sequence=1, findings=[ERROR])
    result = accept(everybody(old, delivery("new.xlsx", sequence=2)), COUNTY, 2023, FORM)
    assert result.accepted[FIRST.code] == "new.xlsx"
    assert rules_of(result.findings) == ["superseded_submission"]
    assert "old.xlsx" in result.findings[0].message_zh
    assert result.versions[FIRST.code] == 2


def test_what_changed_between_two_versions_is_said():
    old = delivery("old.xlsx", sequence=1, values=dense())
    new = delivery("new.xlsx", sequence=2, values=dense() | {"proactive.licences.decisions": 12})
    (said,) = accept(everybody(old, new), COUNTY, 2023, FORM).findings
    before = dense()["proactive.licences.decisions"]
    assert f"数字改动 1 处：表二「行政许可｜本年处理决定数量」{before} → 12。" in said.message_zh
    same = accept(everybody(old, delivery("new.xlsx", sequence=2, values=dense())), COUNTY, 2023, FORM)
    assert "两个版本的数字相同" in same.findings[0].message_zh
    many = delivery("new.xlsx", sequence=2, values={cell: value + 1 for cell, value in dense().items()})
    assert "等另外 197 处" in accept(everybody(old, many), COUNTY, 2023, FORM).findings[0].message_zh


def test_a_newer_wrong_version_keeps_its_errors_and_the_older_counts():
    new = delivery("new.xlsx", sequence=2, findings=[ERROR])
    result = accept(everybody(delivery("old.xlsx"), new), COUNTY, 2023, FORM)
    assert result.accepted[FIRST.code] == "old.xlsx"
    assert rules_of(result.findings) == ["missing_cell", "rejected_version"]


def test_different_files_that_arrived_together_are_a_tie():
    result = accept(everybody(delivery("a.xlsx"), delivery("b.xlsx")), COUNTY, 2023, FORM)
    assert rules_of(result.findings) == ["version_tie", "roster_missing"]
    assert FIRST.code not in result.accepted


def test_the_same_bytes_twice_are_no_tie():
    pair = [delivery("a.xlsx", sha256="s"), delivery("b.xlsx", sha256="s")]
    result = accept(everybody(*pair), COUNTY, 2023, FORM)
    assert result.findings == ()
    assert result.accepted[FIRST.code] == "a.xlsx"


def test_findings_of_files_that_count_for_nobody_are_kept():
    stray = make_finding("unknown_body", words={"file": "x", "found": "y"}, file="x")
    result = accept([*everybody(delivery()), delivery("x", body="", findings=[stray])], COUNTY, 2023, FORM)
    assert rules_of(result.findings) == ["unknown_body"]


def test_rows_of_the_roster_say_what_became_of_each_return():
    result = accept(everybody(), COUNTY, 2023, FORM)
    waived = tuple(msgspec.structs.replace(finding, waived="停业") for finding in result.findings)
    rows = bodies_rows(COUNTY, 2023, msgspec.structs.replace(result, findings=waived), {f"{SECOND.code}.xlsx": "abc"})
    assert [row["status"] for row in rows[:2]] == ["waived", "accepted"]
    assert rows[1]["file_sha256"] == "abc"
    assert len(rows) == 66


def test_a_copy_of_another_return_or_of_last_years_is_suspicious():
    values = dense()
    pair = [delivery(values=values), delivery("b.xlsx", body=SECOND.code, values=dict(values))]
    assert rules_of(copies(pair, {}, COUNTY)) == ["same_as_other_body"]
    assert rules_of(copies(pair[:1], {FIRST.code: values}, COUNTY)) == ["same_as_last_year"]


def test_returns_with_few_figures_or_another_figure_are_no_copies():
    few = dict.fromkeys(list(dense())[: COPY_MINIMUM - 1], 1)
    assert copies([delivery(values=few), delivery("b", body=SECOND.code, values=few)], {}, COUNTY) == []
    other = dense() | {"proactive.licences.decisions": 12345}
    assert copies([delivery(values=dense()), delivery("b", body=SECOND.code, values=other)], {}, COUNTY) == []
    assert copies([delivery(values=dense()), delivery("b", values=dense())], {FIRST.code: other}, COUNTY) == []


def pairwise(deliveries, previous, region):
    """Each return beside every return before it: who is like whom, as (rule, body, file, name of the other)."""
    names = {body.code: body.name_zh for body in region.bodies}
    found = []
    for number, one in enumerate(deliveries):
        if sum(value != 0 for value in one.values.values()) < COPY_MINIMUM:
            continue
        others = [other for other in deliveries[:number] if other.body != one.body and other.values == one.values]
        if others:
            found.append(("same_as_other_body", one.body, one.file, names[others[0].body]))
        if previous.get(one.body) == one.values:
            found.append(("same_as_last_year", one.body, one.file, ""))
    return found


def test_copies_are_those_that_comparing_every_pair_finds():
    draw = random.Random(20230131)
    cells = list(dense())[: COPY_MINIMUM + 1]
    seen = set()
    for _ in range(200):
        pool = [{cell: draw.choice((0, 1, Decimal("1.0"), 2)) for cell in cells} for _ in range(3)]
        pool += [dict.fromkeys(cells, value) for value in (1, Decimal("1.0000"), 3)]  # equal, however written
        bodies = [draw.choice(COUNTY.bodies[:5]).code for _ in range(draw.randint(2, 9))]
        given = [delivery(f"{n}.xlsx", body=body, values=draw.choice(pool)) for n, body in enumerate(bodies)]
        previous = {body: draw.choice(pool) for body in set(bodies)}
        found = copies(iter(given), previous, COUNTY)
        expected = pairwise(given, previous, COUNTY)
        assert [(f.rule, f.body, f.file) for f in found] == [one[:3] for one in expected]
        assert all(name in finding.message_zh for finding, (*_, name) in zip(found, expected, strict=True))
        seen |= {finding.rule for finding in found}
    assert seen == {"same_as_other_body", "same_as_last_year"}


def test_an_unreadable_file_says_why_and_not_whose_it_might_be():
    problem = make_finding("empty_file", words={"file": "a.xlsx"})
    assert assign(read(problems=(problem,)), None, roster_of(COUNTY, 2023)) == ("", ())
    assert assign(read(problems=(problem,)), FIRST.code, roster_of(COUNTY, 2023)) == (FIRST.code, ())
