from __future__ import annotations

import polars as pl
import pytest

from pipelines.publish.verify import verify
from pipelines.sample.defects import DEFECTS
from pipelines.storage import releases_path
from tests.assets.conftest import CODES, GOOD, YEAR, County, good, materialised, stopped_by
from tests.facts import REGION

BODY = "511725-D05"


def kinds(county: County, body: str | None = BODY) -> set[str]:
    findings = county.table("findings")
    rows = findings if body is None else findings.filter(pl.col("body") == body)
    return set(rows["rule"])


def test_a_good_partition_publishes_and_the_release_verifies(county):
    result = county.run()
    assert result.success
    assert stopped_by(result) == set()
    (release,) = county.releases()
    report = verify(releases_path(str(county.out), REGION, YEAR) / release)
    assert report.valid, report.findings
    assert county.table("bodies")["status"].to_list() == ["accepted"] * len(CODES)
    assert county.table("reconciliation")["equal"].all()


def test_the_same_input_gives_the_same_bytes_and_nothing_new(county, tmp_path):
    assert county.run().success
    first = county.releases()
    before = county.bytes_of(first[0])
    assert county.run().success
    assert county.releases() == first
    assert county.bytes_of(first[0]) == before
    (tmp_path / "again").mkdir()
    again = County(tmp_path / "again")
    assert again.run().success
    assert again.releases() == first
    assert again.bytes_of(first[0]) == before


@pytest.mark.parametrize("name", DEFECTS)
def test_a_bad_return_is_named_stops_publication_and_harms_nobody_else(county, name):
    broken = DEFECTS[name](good(BODY))
    county.deliver(BODY, broken.files)
    result = county.run()
    assert stopped_by(result), name
    assert county.releases() == []
    assert "release" not in materialised(result)
    assert set(broken.rules) <= kinds(county)
    assert set(broken.kinds) <= kinds(county, None)
    others = county.table("bodies").filter(pl.col("body") != BODY)
    assert set(others["status"]) == {"accepted"}, name
    told = county.table("findings").filter(pl.col("rule").is_in([*broken.rules, *broken.kinds]))
    assert all(message.strip() for message in told["message_zh"])


@pytest.mark.parametrize("name", ["broken_sum", "unreadable_bytes", "nothing_handed_in"])
def test_after_the_file_is_mended_the_next_run_publishes(county, name):
    county.deliver(BODY, DEFECTS[name](good(BODY)).files)
    assert stopped_by(county.run())
    county.deliver(BODY, {good(BODY).path(GOOD): good(BODY).workbook()})
    assert stopped_by(county.run()) == set()
    assert len(county.releases()) == 1


def test_a_second_return_of_a_body_is_an_error_until_one_is_newer(county):
    county.deliver(BODY, DEFECTS["second_return"](good(BODY)).files)
    assert "roster_covered" in stopped_by(county.run())
    assert "version_tie" in kinds(county)


def test_the_newer_of_two_versions_counts_and_both_originals_are_kept(county):
    wrong = DEFECTS["broken_sum"](good(BODY)).files
    county.deliver(BODY, wrong)
    county.run()
    county.add({good(BODY).path("更正.xlsx"): good(BODY).workbook()})
    assert county.run().success
    row = county.table("bodies").filter(pl.col("body") == BODY).to_dicts()[0]
    assert (row["status"], row["versions"]) == ("accepted", 2)
    assert "superseded_submission" in kinds(county)
    kept = [path.read_bytes() for path in (county.data / "received").iterdir()]
    assert set(wrong.values()) <= set(kept)


def test_a_missing_body_may_be_waived_and_the_release_says_so(county):
    county.deliver(BODY, {})
    county.publish_figures({code: good(code).values for code in CODES if code != BODY})
    assert stopped_by(county.run()) == {"roster_covered"}
    county.decide(
        f'[[waiver]]\nrule = "roster_missing"\nbody = "{BODY}"\nreason = "机构撤销"\n'
        'approved_by = "县政府办公室"\napproved_on = 2024-02-01\n'
    )
    result = county.run()
    assert stopped_by(result) == set()
    (release,) = county.releases()
    files = county.bytes_of(release)
    assert "机构撤销" in files["data/findings.csv"].decode("utf-8-sig")
    assert county.table("bodies").filter(pl.col("body") == BODY)["status"].to_list() == ["waived"]
    assert "机构撤销" in files["README.md"].decode() or BODY in files["README.md"].decode()


def test_a_correction_changes_the_value_keeps_the_raw_text_and_goes_stale_openly(county):
    body = good(BODY)
    cell = "proactive.licences.decisions"
    wrong = body.values[cell] + 1
    county.deliver(BODY, {body.path("统计表.xlsx"): body.workbook({**body.values, cell: wrong})})
    assert stopped_by(county.run()) == {"totals_reconciled"}
    decision = (
        f'[[correction]]\nbody = "{BODY}"\ncell = "{cell}"\nfound = {wrong}\nvalue = {body.values[cell]}\n'
        'reason = "多记一件"\napproved_by = "县政府办公室"\napproved_on = 2024-02-01\n'
    )
    county.decide(decision)
    assert county.run().success
    row = county.table("body_cells").filter((pl.col("body") == BODY) & (pl.col("cell") == cell)).to_dicts()[0]
    assert (row["value"], row["raw"]) == (body.values[cell], str(wrong))
    county.deliver(BODY, {body.path("统计表.xlsx"): body.workbook()})
    assert "no_unwaived_errors" in stopped_by(county.run())
    assert "correction_stale" in kinds(county)


def test_last_years_figures_are_read_from_last_years_inbox_without_publishing(county):
    inbox = county.data / "inbox" / REGION / "2022"
    for code in CODES:
        last = good(code)
        (inbox / code).mkdir(parents=True)
        (inbox / code / "统计表.xlsx").write_bytes(last.workbook(dict(last.previous), year=2022))
    assert county.run().success
    assert "no_previous_year" not in kinds(county, None)
    assert county.table("previous_year").height == len(CODES)
    assert not (county.out / REGION / "2022").exists()


def test_a_break_with_last_year_is_a_warning_and_does_not_stop(county):
    inbox = county.data / "inbox" / REGION / "2022"
    last = dict(good(BODY).previous)
    for name in ("carried_out", "received"):
        for column in ("natural_person", "total"):
            last[f"requests.{name}.{column}"] += 3
    (inbox / BODY).mkdir(parents=True)
    (inbox / BODY / "统计表.xlsx").write_bytes(good(BODY).workbook(last, year=2022))
    assert county.run().success
    assert "requests.opening_balance.total" in kinds(county)


def test_without_last_year_the_release_says_so(county):
    assert county.run().success
    assert "no_previous_year" in kinds(county, None)


def test_without_published_figures_reconciliation_is_skipped_openly(county):
    (county.regions / REGION / str(YEAR) / "published.csv").unlink()
    assert county.run().success
    assert "reconciliation_skipped" in kinds(county, None)


def test_a_figure_that_differs_from_the_published_report_stops_publication(county):
    county.publish_figures({code: good(code).values | {"proactive.penalties.decisions": 1} for code in CODES})
    assert stopped_by(county.run()) == {"totals_reconciled"}
    findings = county.table("findings").filter(pl.col("rule") == "reconciliation_mismatch")
    assert findings["cells"].to_list() == ["proactive.penalties.decisions"]


@pytest.mark.parametrize(("editions", "made"), [(("2021",), True), ((), False)])
def test_an_edition_without_report_text_leaves_the_report_out_and_fails_nothing(county, monkeypatch, editions, made):
    monkeypatch.setattr("pipelines.publish.beside.report_editions", lambda: editions)
    assert county.run().success
    assert (county.out / REGION / str(YEAR) / "report" / "report.html").exists() is made
