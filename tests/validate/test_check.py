from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from pipelines.validate.check import check_file, edition_of, in_order, judge_values, suspect
from pipelines.validate.localise_system import system
from schemas.findings import make_finding
from schemas.form import editions
from schemas.intake import Change, Claim, Explanation, ReadFile
from tests.facts import FORM, RULES, dense, published
from tests.validate.cases import breaking, last_year, read_file

LEAF = "requests.granted.natural_person"
ROW = "disputes.reconsideration."


def rules_of(checked, severity=None):
    return [finding.rule for finding in checked.findings if severity in (None, finding.severity)]


def of(checked, rule):
    [finding] = [finding for finding in checked.findings if finding.rule == rule]
    return finding


@pytest.mark.parametrize("values", [dense(), published()], ids=["dense", "published"])
def test_a_right_return_is_ok(values):
    previous = read_file(values | last_year(values), file="b.xlsx", year=2022)
    checked = check_file(read_file(values), previous)
    assert checked.status == "ok"
    assert rules_of(checked, "error") == rules_of(checked, "warning") == []
    assert checked.explanations == ()
    assert checked.edition == "2021"


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_each_rule_has_a_finding_with_its_numbers_when_broken(rule):
    values, previous = breaking(rule)
    before = read_file(dense() | previous, file="b.xlsx", year=2022)
    finding = of(check_file(read_file(values), before), rule.id)
    assert finding.severity == rule.severity
    assert rule.title_zh in finding.message_zh
    assert rule.advice_zh in finding.message_zh
    assert rule.title_en[1:] in finding.message_en
    assert finding.difference == {"=": 7, ">=": -1, "<=": 1}[rule.relation]
    assert str(finding.found) in finding.message_zh
    assert finding.file == "a.xlsx"
    assert finding.address.startswith("统计表!")


@pytest.mark.parametrize(
    ("cell", "value", "rule"),
    [
        ("proactive.licences.decisions", Decimal("2.5"), "count_whole"),
        ("proactive.licences.decisions", Decimal(-2), "count_not_negative"),
        ("proactive.administrative_fees.amount", Decimal("-0.01"), "money_not_negative"),
    ],
)
def test_each_domain_has_a_finding_when_broken(cell, value, rule):
    checked = check_file(read_file(dense() | {cell: value}))
    finding = of(checked, rule)
    assert finding.cells == (cell,)
    assert finding.suspected == cell
    assert finding.proposed is not None
    assert checked.status == "findings"


def test_a_broken_sum_names_the_wrong_cell_and_its_figure():
    checked = check_file(read_file(dense() | {LEAF: 99}))
    assert rules_of(checked, "error") == ["requests.row_total.granted", "requests.outcome_sum.natural_person"]
    for finding in checked.findings[:2]:
        assert (finding.suspected, finding.proposed) == (LEAF, dense()[LEAF])
        assert finding.address == f"统计表!{LEAF}"
    assert [explanation.rank for explanation in checked.explanations] == [1]


def test_a_tie_names_no_cell():
    figures = {"upheld": 23, "corrected": 34, "other_result": 45, "pending": 56, "total": 159}
    checked = check_file(read_file(dense() | {ROW + name: figure for name, figure in figures.items()}))
    assert of(checked, "disputes.row_total.reconsideration").suspected == ""
    assert len(checked.explanations) == 5


def test_a_tie_in_one_part_does_not_blur_another():
    figures = {"upheld": 23, "corrected": 34, "other_result": 45, "pending": 56, "total": 159}
    checked = check_file(read_file(dense() | {LEAF: 99} | {ROW + name: figure for name, figure in figures.items()}))
    assert of(checked, "requests.row_total.granted").suspected == LEAF
    assert of(checked, "disputes.row_total.reconsideration").suspected == ""


def test_two_suspects_of_one_finding_are_not_named():
    finding = of(check_file(read_file(dense() | {LEAF: 99})), "requests.row_total.granted")
    plain = msgspec.structs.replace(finding, suspected="", proposed=None)
    changes = tuple(Change(cell=cell, found=1, proposed=2) for cell in (LEAF, "requests.granted.total"))
    both = Explanation(rank=1, changes=changes, reason="")
    assert suspect([plain], [both], system("2021")) == [plain]
    assert suspect([plain], [], system("2021")) == [plain]


def test_a_missing_cell_gets_the_figure_that_follows():
    values = {cell: figure for cell, figure in dense().items() if cell != LEAF}
    for states, own in (({}, False), ({LEAF: "blank"}, True), ({LEAF: "blank"}, False)):
        finding = of(check_file(read_file(values, states=states, own=own)), "missing_cell")
        assert (finding.suspected, finding.proposed) == (LEAF, dense()[LEAF])


def test_findings_stand_errors_first_in_form_order():
    values = dense() | {LEAF: 99, "proactive.rules.issued": 1, "disputes.reconsideration.total": 99}
    claims = (Claim(cell="requests.received.total", value=Decimal(9), text="收到 9 件"),)
    problem = make_finding(
        "unread_cells", words={"file": "a", "table": "t", "table_en": "t", "reason_zh": "r", "reason_en": "r"}
    )
    read = read_file(values, claims=claims, problems=(problem,))
    checked = check_file(read)
    assert rules_of(checked)[:5] == [
        "unread_cells",
        "proactive.no_rule_making_power.issued",
        "requests.row_total.granted",
        "requests.outcome_sum.natural_person",
        "disputes.row_total.reconsideration",
    ]
    severities = [finding.severity for finding in checked.findings]
    assert severities == sorted(severities, key=["error", "warning", "information"].index)
    turned = msgspec.structs.replace(read, cells=tuple(reversed(read.cells)))
    assert check_file(turned) == checked
    assert in_order(reversed(checked.findings), FORM, RULES) == checked.findings


def test_an_unreadable_file_has_its_problems_alone():
    problem = make_finding("damaged_file", words={"file": "a", "reason": "坏", "reason_en": "bad"})
    checked = check_file(ReadFile(file="a", sha256="", format="xlsx", problems=(problem,)))
    assert checked.status == "unreadable"
    assert rules_of(checked) == ["damaged_file"]
    assert checked.findings[0].file == "a"


def test_status_is_ok_with_information_alone():
    cell = "proactive.penalties.decisions"
    values = {name: figure for name, figure in dense().items() if name != cell}
    checked = check_file(read_file(values, states={cell: "slash"}))
    assert rules_of(checked, "information") == ["blank_read_as_zero"]
    assert checked.status == "ok"
    values = {name: figure for name, figure in dense().items() if not name.startswith("processing_fees")}
    assert check_file(read_file(values)).status == "findings"


def test_few_explanations_unless_all_are_asked_for():
    values = dense()
    for column in ("natural_person", "legal_service"):
        values[f"requests.other.{column}"] += 1 if column == "legal_service" else -1
    few = check_file(read_file(values)).explanations
    every = check_file(read_file(values), explain_all=True).explanations
    best = [explanation for explanation in every if explanation.rank == 1]
    assert len(every) > 10
    assert few == every[: max(10, len(best))]


# ------------------------------------------------------------------ editions and years
@pytest.mark.parametrize(
    ("fields", "asked", "edition"),
    [
        ({"year": 2023}, None, "2021"),
        ({"year": 2020}, None, "2019"),
        ({"year": 2020}, "2021", "2021"),
        ({"year": None, "form": {"requests": "2019", "disputes": "2019", "proactive": "2021"}}, None, "2019"),
        ({"year": 1990, "form": {"requests": "2019"}}, None, "2019"),
        ({"year": None}, None, editions()[-1]),
        ({"year": None, "form": {"requests": "1066"}}, None, editions()[-1]),
    ],
)
def test_the_edition_a_file_is_judged_by(fields, asked, edition):
    assert edition_of(read_file(dense(), **fields), asked) == edition


def test_an_unknown_edition_is_refused():
    with pytest.raises(KeyError):
        check_file(read_file(dense()), edition="1066")


def test_a_file_of_another_year_is_no_last_year():
    values, previous = breaking(RULES.by_id["requests.opening_balance.total"])
    wrong = read_file(dense() | previous, file="b.xlsx", year=2021)
    checked = check_file(read_file(values), wrong)
    finding = of(checked, "previous_year_mismatch")
    assert (finding.found, finding.expected) == ("2021", "2022")
    assert "b.xlsx" in finding.message_zh
    assert "requests.opening_balance.total" not in rules_of(checked)
    unknown = msgspec.structs.replace(wrong, year=None)
    assert "requests.opening_balance.total" in rules_of(check_file(read_file(values), unknown))


def test_attributes_free_a_body_from_rules():
    values = dense() | {"proactive.rules.issued": 1, "proactive.rules.in_force": 1}
    assert "proactive.no_rule_making_power.issued" in rules_of(check_file(read_file(values)))
    free = check_file(read_file(values), attributes=frozenset({"rule_making_power"}))
    assert rules_of(free, "error") == []


# ------------------------------------------------------------------ text beside tables
def claim(cell, value, *readings):
    return Claim(cell=cell, value=Decimal(value), text=f"共 {value} 件", at="第3段", readings=readings)


def test_a_claim_disagrees_only_if_no_reading_fits():
    values = dense()
    new, old = "requests.received.total", "requests.carried_in.total"
    both = ((new,), (new, old))
    fitting = [
        claim(new, values[new], *both),
        claim(new, values[new] + values[old], *both),
        claim(new, values[new] - values[old], (new, f"-{old}")),
        claim(new, values[new]),
    ]
    assert rules_of(check_file(read_file(values, claims=tuple(fitting))), "warning") == []
    checked = check_file(read_file(values, claims=(claim(new, 7, *both, (new, f"-{old}")),)))
    finding = of(checked, "claim_mismatch")
    assert finding.severity == "warning"
    assert finding.cells == (new, old)
    for shown in (values[new], values[new] + values[old], values[new] - values[old]):
        assert f"＝{shown}" in finding.message_zh
        assert f"= {shown}" in finding.message_en
    assert (finding.expected, finding.found, finding.difference) == (7, values[new], values[new] - 7)
    assert finding.address == "第3段"


def test_a_claim_about_a_missing_figure_says_nothing():
    values = {cell: figure for cell, figure in dense().items() if cell != LEAF}
    assert "claim_mismatch" not in rules_of(check_file(read_file(values, claims=(claim(LEAF, 99),))))
    mixed = claim(LEAF, 99, (LEAF,), ("requests.granted.total",))
    assert "（缺数）" in of(check_file(read_file(values, claims=(mixed,))), "claim_mismatch").message_zh


def test_a_claim_about_last_year_is_compared_with_it():
    values = dense()
    about = claim("requests.received.total", 5, ("requests.received.total@last_year",))
    before = read_file(dense() | {"requests.received.total": 6}, file="b.xlsx", year=2022)
    finding = of(check_file(read_file(values, claims=(about,)), before), "claim_mismatch")
    assert "上年度表三" in finding.message_zh
    assert "claim_mismatch" not in rules_of(check_file(read_file(values, claims=(about,))))


def test_all_zeros_beside_figures_in_the_text():
    zeros = {cell.id: 0 for cell in FORM.cells}
    claims = (
        claim("requests.received.total", 3),
        claim("requests.granted.total", 2),
        claim("requests.carried_out.total", 0),
    )
    finding = of(check_file(read_file(zeros, claims=claims)), "zeros_beside_figures")
    assert finding.severity == "information"
    assert finding.cells == ("requests.received.total", "requests.granted.total")
    assert "2 个不为 0" in finding.message_zh
    assert "zeros_beside_figures" not in rules_of(check_file(read_file(zeros, claims=claims[2:])))
    some = zeros | {"requests.received.total": 3}
    assert "zeros_beside_figures" not in rules_of(check_file(read_file(some, claims=claims)))


# ------------------------------------------------------------------ what looks unlikely
AMOUNT = "proactive.administrative_fees.amount"


@pytest.mark.parametrize(
    ("value", "before", "asked"),
    [
        ("119253.55", None, True),
        ("9999", None, False),
        ("10000", None, True),
        ("119253.55", "11.5", True),
        ("119253.55", "100000", False),
        ("34", "11.5", False),
        ("33", "0.0011", True),
        ("36", "0.0011", False),
        ("36", "0.0012", True),
        ("36", "0.011", False),
        ("119253.55", "0", True),
    ],
)
def test_an_amount_in_yuan_is_asked_about(value, before, asked):
    values = dense() | {AMOUNT: Decimal(value)}
    previous = None
    if before is not None:
        previous = read_file(dense() | {AMOUNT: Decimal(before)}, file="b.xlsx", year=2022)
    checked = check_file(read_file(values), previous)
    assert ("amount_maybe_yuan" in rules_of(checked)) is asked
    if asked:
        finding = of(checked, "amount_maybe_yuan")
        assert finding.severity == "information"
        assert finding.proposed == (Decimal(value) / 10000).quantize(Decimal("0.0001"))
        assert finding.suspected == AMOUNT


@pytest.mark.parametrize(
    ("value", "before", "asked"),
    [
        (1000, 100, True),
        (100, 1000, True),
        (99, 10, False),
        (100, 10, True),
        (800, 100, True),
        (799, 100, False),
        (1250, 100, True),
        (1251, 100, False),
        (1000, 0, False),
        (500, 480, False),
    ],
)
def test_a_figure_ten_times_last_years_is_asked_about(value, before, asked):
    cell = "proactive.licences.decisions"
    previous = read_file(dense() | {cell: before}, file="b.xlsx", year=2022)
    checked = check_file(read_file(dense() | {cell: value}), previous)
    asked_about = [f.cells for f in checked.findings if f.rule == "digit_added_or_lost"]
    assert asked_about == ([(cell,)] if asked else [])


def test_results_without_requests_are_asked_about():
    values = {cell.id: 0 for cell in FORM.cells}
    values |= {ROW + "upheld": 2, ROW + "total": 2}
    finding = of(check_file(read_file(values)), "results_without_requests")
    assert finding.found == 2
    for name in ("received", "carried_in"):
        some = values | {f"requests.{name}.{c}": 1 for c in ("natural_person", "total")}
        assert "results_without_requests" not in rules_of(check_file(read_file(some)))
    none = values | {ROW + "upheld": 0, ROW + "total": 0}
    assert "results_without_requests" not in rules_of(check_file(read_file(none)))


# ------------------------------------------------------------------ the entry for the bulk pass
def test_judging_values_skips_the_rules_where_another_pass_found_them_to_hold():
    broken = dense() | {LEAF: 99}
    assert len(judge_values(broken, FORM, RULES).findings) == 2
    judged = judge_values(broken, FORM, RULES, dirty=False)
    assert judged.findings == judged.explanations == ()
    claims = (claim("requests.received.total", 7),)
    assert [f.rule for f in judge_values(dense(), FORM, RULES, dirty=False, claims=claims).findings] == [
        "claim_mismatch"
    ]


def test_judging_values_solves_what_is_missing_even_if_no_rule_speaks():
    values = {cell: figure for cell, figure in dense().items() if cell != LEAF}
    judged = judge_values(values, FORM, RULES, dirty=False)
    assert [change.cell for change in judged.explanations[0].changes] == [LEAF]
    optional = {c: v for c, v in dense().items() if not c.startswith("processing_fees")}
    assert judge_values(optional, FORM, RULES).explanations == ()
