from __future__ import annotations

import random
from decimal import Decimal

import msgspec
import polars as pl
import pytest

from pipelines.aggregate.body_cells import body_cells, form_cells
from pipelines.aggregate.gate import CHECKS, gate_frame, verdicts
from pipelines.aggregate.indicators import county_indicators
from pipelines.aggregate.reconcile import reconcile
from pipelines.aggregate.totals import county_totals, unbalanced, values_of
from pipelines.findings_table import findings_frame, findings_from
from pipelines.regions import load_region
from pipelines.validate.bulk import SubmissionRow, wide_frame
from schemas.findings import make_finding, rule_finding
from schemas.frames import tidy_types
from schemas.intake import Indicator
from tests.facts import FORM, REGION, REGIONS, RULES, dense, published

COUNTY = load_region(REGIONS, REGION)


def wide(*returns):
    rows = [
        SubmissionRow(
            region=REGION,
            year=2023,
            body=COUNTY.bodies[n].code,
            file=f"f{n}",
            file_sha256=str(n) * 64,
            values=values,
            previous={},
            attributes=frozenset(),
        )
        for n, values in enumerate(returns)
    ]
    return wide_frame(FORM, RULES, rows)


def totals_of(*returns):
    return county_totals(FORM, wide(*returns), REGION, 2023)


def test_totals_are_sums_and_say_how_many_bodies_stand_behind_them():
    some = dense()
    del some["processing_fees.notices.issued"]
    totals = totals_of(dense(), published(), some)
    assert totals.height == 203
    values = values_of(totals)
    assert values["requests.received.total"] == 2 * dense()["requests.received.total"] + 101
    assert values["proactive.administrative_fees.amount"] == 2 * dense()[
        "proactive.administrative_fees.amount"
    ] + Decimal("3135.6")
    behind = dict(zip(totals["cell"], totals["bodies"], strict=True))
    assert behind["processing_fees.notices.issued"] == 2
    assert behind["requests.received.total"] == 3


def test_a_figure_that_nobody_gave_is_null_and_not_zero():
    values = dense()
    del values["processing_fees.notices.amount"]
    totals = totals_of(values)
    assert values_of(totals)["processing_fees.notices.amount"] is None
    empty = totals_of()
    assert empty.height == 203
    assert set(empty["value"]) == {None}


def test_totals_obey_the_rules_of_their_parts_and_a_planted_fault_is_named():
    totals = totals_of(dense(), published())
    assert unbalanced(FORM, RULES, totals, frozenset()) == []
    broken = totals_of(dense() | {"requests.granted.total": 999})
    assert [finding.rule for finding in unbalanced(FORM, RULES, broken, frozenset())] == [
        "requests.row_total.granted",
        "requests.outcome_sum.total",
    ]
    power = totals_of(dense() | {"proactive.rules.issued": 1, "proactive.rules.in_force": 1})
    assert unbalanced(FORM, RULES, power, frozenset({"rule_making_power"})) == []
    assert len(unbalanced(FORM, RULES, power, frozenset())) == 2


def test_reconciliation_is_silent_where_totals_equal_the_published_figures():
    frame, findings = reconcile(FORM, totals_of(published()), published(), REGION, 2023)
    assert findings == []
    assert frame.height == 203
    assert frame["equal"].all()


WITHOUT_RULES = [cell.id for cell in FORM.cells if cell.table not in ("requests", "disputes")]


@pytest.mark.parametrize("cell", WITHOUT_RULES)
def test_each_of_the_other_13_cells_altered_is_caught_by_reconciliation(cell):
    assert len(WITHOUT_RULES) == 13
    altered = published() | {cell: published()[cell] + 1}
    _, findings = reconcile(FORM, totals_of(altered), published(), REGION, 2023)
    assert [(finding.rule, finding.cells, finding.difference) for finding in findings] == [
        ("reconciliation_mismatch", (cell,), 1)
    ]
    assert "相差 1" in findings[0].message_zh


def test_a_figure_without_a_counterpart_is_a_mismatch():
    less = published()
    del less["proactive.licences.decisions"]
    _, findings = reconcile(FORM, totals_of(less), published(), REGION, 2023)
    assert [finding.found for finding in findings] == [None]
    _, findings = reconcile(FORM, totals_of(published()), less, REGION, 2023)
    assert [finding.expected for finding in findings] == [None]


def test_where_nothing_is_published_reconciliation_says_so():
    frame, findings = reconcile(FORM, totals_of(published()), None, REGION, 2024)
    assert frame.is_empty()
    assert [(finding.rule, finding.severity) for finding in findings] == [("reconciliation_skipped", "information")]


def said(indicator, value, raw=None):
    return Indicator(indicator=indicator, value=Decimal(value), raw=raw or str(value), state="given")


def test_indicators_add_up_each_by_its_own_rule():
    office, other = COUNTY.settings.office_body, COUNTY.bodies[1].code
    assert COUNTY.supplement is not None
    first = COUNTY.supplement.indicators[0]
    rules = ("sum", "maximum", "office")
    declared = tuple(msgspec.structs.replace(first, id=f"by_{rule}", add_up=rule) for rule in rules)
    extended = (*COUNTY.supplement.indicators, *declared)
    county = msgspec.structs.replace(COUNTY, supplement=msgspec.structs.replace(COUNTY.supplement, indicators=extended))
    by_rule = {rule: f"by_{rule}" for rule in rules}
    stated = {
        office: [said(name, 3) for name in by_rule.values()],
        other: [said(name, 4, "4余册") for name in by_rule.values()],
    }
    frame = county_indicators(county, 2023, stated)
    rows = {row["indicator"]: row for row in frame.to_dicts()}
    assert (rows[by_rule["sum"]]["value"], rows[by_rule["sum"]]["qualifier"]) == (7, "at_least")
    assert rows[by_rule["maximum"]]["value"] == 4
    assert (rows[by_rule["office"]]["value"], rows[by_rule["office"]]["qualifier"]) == (3, None)
    unsaid = [row for name, row in rows.items() if name not in by_rule.values()]
    assert {row["value"] for row in unsaid} == {None}
    assert {row["bodies"] for row in unsaid} == {0}


def test_body_cells_lead_every_figure_to_a_place_in_a_file():
    cell = {
        "region": REGION,
        "year": 2023,
        "file": "f0",
        "file_sha256": "0" * 64,
        "edition": "2021",
        "cell": "requests.granted.natural_person",
        "value": Decimal(29),
        "raw": "２９",
        "state": "given",
        "address": "统计表!D20",
    }
    cells = pl.DataFrame([cell], schema=tidy_types("cells"), orient="row")
    frame = body_cells(FORM, wide(published()), cells)
    assert frame.height == 203
    rows = {row["cell"]: row for row in frame.to_dicts()}
    granted = rows["requests.granted.natural_person"]
    assert (granted["value"], granted["raw"], granted["address"]) == (29, "２９", "统计表!D20")
    assert rows["requests.received.total"]["state"] == "absent"


def test_body_cells_are_what_looking_up_cell_after_cell_gives(monkeypatch):
    monkeypatch.setattr("pipelines.aggregate.body_cells.BODIES", 2)
    draw = random.Random(20230131)
    values = [published(), dense(), dict(list(dense().items())[::2])]
    accepted = wide(*values)[[2, 0, 1]]  # in the order of the roster, not of the files
    types = tidy_types("cells")
    rows = [
        dict.fromkeys(types)
        | {"region": REGION, "year": 2023, "file": f"f{draw.randint(0, 5)}", "file_sha256": "0" * 64, "edition": "2021"}
        | {
            "cell": draw.choice(FORM.cells).id,
            "raw": draw.choice((None, "7", "/")),
            "state": "given",
            "address": str(n),
        }
        for n in range(900)
    ]
    cells = pl.DataFrame(rows, schema=types, orient="row")
    assert cells.select("file", "cell").is_duplicated().any()  # the last one counts, as it did
    stands = {(row["file"], row["cell"]): row for row in rows}
    expected = []
    for row in accepted.iter_rows(named=True):
        for cell in FORM.cells:
            found = stands.get((row["file"], cell.id), {"raw": None, "state": "absent", "address": None})
            value = None if row[cell.id] is None else Decimal(row[cell.id])
            said = (found["raw"], found["state"], row["file_sha256"], found["address"])
            places = (cell.table, cell.row, cell.column)
            expected.append((row["region"], row["year"], row["body"], cell.id, *places, value, cell.unit, *said))
    assert body_cells(FORM, accepted, cells).rows() == expected
    assert body_cells(FORM, accepted.clear(), cells).is_empty()


def test_the_codelist_is_the_form():
    frame = form_cells(FORM)
    assert frame["cell"].to_list() == [cell.id for cell in FORM.cells]


MISSING = make_finding(
    "missing_cell", words={"count": 1, "places": "甲", "places_en": "A"}, body="511725-D02", file="f"
)
ABSENT = make_finding(
    "roster_missing", words={"name": "乙", "year": "2023", "why_zh": "", "why_en": ""}, body="511725-D03"
)
TOTALS = rule_finding(FORM, RULES.by_id["requests.row_total.granted"], dense() | {"requests.granted.total": 3})
MISMATCH = reconcile(FORM, totals_of(published() | {"proactive.licences.decisions": 1}), published(), REGION, 2023)[1][
    0
]


@pytest.mark.parametrize(
    ("finding", "check"),
    [
        (MISSING, "no_unwaived_errors"),
        (ABSENT, "roster_covered"),
        (TOTALS, "totals_balanced"),
        (MISMATCH, "totals_reconciled"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_kind_of_error_stops_its_own_check_and_says_why(finding, check):
    given = {verdict.check: verdict for verdict in verdicts([finding], [])}
    assert [name for name, verdict in given.items() if not verdict.passed] == [check]
    assert finding.message_zh in given[check].reason_zh
    assert gate_frame(list(given.values())).height == len(CHECKS)


def test_the_schema_stops_the_gate_unless_a_waiver_covers_the_rule():
    given = {verdict.check: verdict for verdict in verdicts([], ["requests.row_total.granted"])}
    assert not given["rules_hold"].passed
    assert "requests.row_total.granted" in given["rules_hold"].reason_zh
    waived = msgspec.structs.replace(TOTALS, body="511725-D02", waived="批准")
    assert all(verdict.passed for verdict in verdicts([waived], ["requests.row_total.granted"]))


def test_a_clean_year_passes_every_check():
    assert [verdict.check for verdict in verdicts([], []) if verdict.passed] == list(CHECKS)


def test_findings_survive_their_table():
    original = msgspec.structs.replace(
        MISMATCH, suspected="proactive.licences.decisions", proposed=Decimal(101458), address="x", file="f", waived="w"
    )
    (back,) = findings_from(findings_frame([original]))
    assert back.cells == original.cells
    assert (back.expected, back.found) == ("101458", "1")
    assert (back.difference, back.proposed, back.waived) == (original.difference, 101458, "w")
