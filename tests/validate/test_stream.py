from __future__ import annotations

from collections import Counter
from decimal import Decimal

import numpy as np
import pandera.errors
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.validate import batches, kernel, lanes, stream
from pipelines.validate.bulk import broken_counts, broken_list
from pipelines.validate.stream import Total, scan_frame, scan_submissions, survey
from schemas.frames import ATTRIBUTES, wide_types
from schemas.rules import LAST_YEAR
from tests.facts import FORM, RULES, dense

TYPES = wide_types(FORM, RULES)
MONEY = {cell.id for cell in FORM.cells if cell.kind == "money"}
KEYS = [name for name in TYPES if name in FORM.by_id or name.endswith(LAST_YEAR)]
MOST = 2**63 - 1
# Among them the edges at which sums of 16, 32 and 64 bits have just room or no more.
EDGES = [2**15 - 1, 2**15, 6_000, 2**31 - 1, -(2**31), 2**28, 2**40, 2**57, -(2**57), 2**62, MOST, -MOST - 1]
COUNTS = st.one_of(st.none(), st.integers(-3, 9), st.sampled_from(EDGES))
AMOUNTS = st.one_of(
    st.none(), st.decimals(-5, 5, places=4), st.sampled_from([Decimal("99999999999999.9999"), -Decimal(10**14 - 1)])
)


def line(number, values, region="511725", not_whole=0, power=False):
    identity = {
        "region": region,
        "year": 2023,
        "body": f"{region}-S{number}",
        "file": f"s{number}.xlsx",
        "file_sha256": f"{number:064x}",
        "not_whole": not_whole,
    }
    return identity | dict.fromkeys(ATTRIBUTES, power) | {name: values.get(name) for name in KEYS}


def table(lines):
    return pl.DataFrame(lines, schema=TYPES, orient="row")


@st.composite
def lines(draw):
    """Submissions: right ones with some figures moved, or nothing but a few figures of any size."""
    drawn = []
    for number in range(draw(st.integers(1, 7))):
        values = dict(draw(st.sampled_from([dense(), dense(), {}])))
        for name in draw(st.lists(st.sampled_from(KEYS), max_size=12)):
            values[name] = draw(AMOUNTS if name in MONEY else COUNTS)
        if draw(st.integers(0, 5)) == 0:  # a whole rule of very large figures, whose sum leaves 64 bits
            for term in draw(st.sampled_from(RULES.rules)).terms:
                if term.key not in MONEY:
                    values[term.key] = term.sign * 2**62
        region = draw(st.sampled_from(["511725", "511702", "110101"]))
        drawn.append(line(number, values, region, draw(st.sampled_from([0, 0, 2])), draw(st.booleans())))
    return drawn


def naive(drawn):
    """Every rule by itself over Python's integers and decimals: what the stream is held against."""
    found = []
    for row in drawn:
        for rule in RULES.rules:
            residual = rule.residual(row)
            if residual is not None and not rule.holds(residual) and not (rule.unless and row[rule.unless]):
                found.append((row["region"], row["file"], rule.id, Decimal(residual)))
        for domain in RULES.domains:
            below = [
                cell.id
                for cell in FORM.cells
                if not domain.whole and cell.kind in domain.kinds and (row[cell.id] or 0) < domain.minimum
            ]
            count = row["not_whole"] if domain.whole else len(below)
            if count:
                found.append((row["region"], row["file"], domain.id, Decimal(count)))
    return found


def naive_totals(drawn):
    totals: dict[str, Total] = {}
    for row in drawn:
        figures = [row[cell.id] for cell in FORM.cells]
        units = [10_000 if cell.id in MONEY else 1 for cell in FORM.cells]
        one = Total(
            1,
            tuple(int((figure or 0) * unit) for figure, unit in zip(figures, units, strict=True)),
            tuple(int(figure is not None) for figure in figures),
        )
        totals[row["region"]] = totals[row["region"]] + one if row["region"] in totals else one
    return totals


def scanned(frame, batch_rows=3, **options):
    return survey(FORM, RULES, scan_frame(FORM, RULES, frame, batch_rows=batch_rows, **options))


@settings(max_examples=40, deadline=None)
@given(lines())
def test_the_stream_equals_the_naive_evaluation_for_figures_of_any_size(drawn):
    frame = table(drawn)
    expected = naive(drawn)
    told = scanned(frame)
    assert told.findings.rows() == expected
    assert told.findings.schema == stream.FINDINGS
    assert {rule: count for rule, count in told.counts.items() if count} == Counter(rule for _, _, rule, _ in expected)
    assert told.rows == len(drawn)
    totals = naive_totals(drawn)
    assert told.totals == totals
    assert list(told.totals) == list(totals)
    assert broken_list(FORM, RULES, frame).rows() == [(file, rule, residual) for _, file, rule, residual in expected]
    assert broken_counts(FORM, RULES, frame.lazy()) == told.counts


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines(), st.integers(1, 9), st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 2, 1000]))
def test_files_batches_and_threads_of_any_number_say_the_same_in_the_same_order(
    tmp_path, drawn, batch_rows, cut, threads, large
):
    frame = table(drawn)
    for old in tmp_path.glob("*.parquet"):
        old.unlink()
    for number, begin in enumerate(range(0, len(drawn), cut)):
        frame[begin : begin + cut].write_parquet(tmp_path / f"part-{number:03}.parquet", row_group_size=1 + number % 3)
    whole = scanned(frame, batch_rows=1000, broken=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(batches, "ROWS_AHEAD", large)  # files above it are cut by polars, the others by row groups
        told = scan_submissions(FORM, RULES, tmp_path, batch_rows=batch_rows, threads=threads, broken=True)
        parts = survey(FORM, RULES, told)
    assert broken_counts(FORM, RULES, tmp_path) == whole.counts
    assert broken_list(FORM, RULES, tmp_path).equals(whole.findings.select("file", "rule", "residual"))
    assert parts.findings.equals(whole.findings)
    assert (parts.counts, parts.totals, parts.rows) == (whole.counts, whole.totals, whole.rows)
    assert list(parts.totals) == list(whole.totals)
    assert parts.broken.equals(whole.broken)


@pytest.mark.parametrize("run", [3, 20], ids=["regions scattered", "regions together"])
def test_blocks_smaller_than_a_batch_say_the_same(monkeypatch, run):
    drawn = [line(n, dense() | {KEYS[n]: n, KEYS[5]: None}, ["511725", "511702"][n // run % 2]) for n in range(40)]
    whole = scanned(table(drawn), batch_rows=40)
    monkeypatch.setattr(stream, "BLOCK_ROWS", 7)
    parts = scanned(table(drawn), batch_rows=40)
    assert parts.findings.equals(whole.findings)
    assert parts.counts == broken_counts(FORM, RULES, table(drawn))
    assert parts.totals == whole.totals == naive_totals(drawn)


WRAPS = "requests.outcome_sum.natural_person"


def wrapping():
    """A return whose residual of one rule is exactly 2**64: 0 in 64 bits."""
    values = dict.fromkeys((term.key for term in RULES.by_id[WRAPS].terms), 0)
    four = [term for term in RULES.by_id[WRAPS].terms if term.sign == RULES.by_id[WRAPS].terms[-1].sign][:4]
    assert len(four) == 4
    return values | {term.key: 2**62 for term in four}, 4 * four[0].sign * 2**62


def test_a_sum_that_64_bits_would_call_0_is_told_exactly(monkeypatch):
    values, residual = wrapping()
    drawn = [line(1, values)]
    with np.errstate(over="ignore"):
        assert sum(np.array([2**62] * 4)) == 0  # this is what a plain int64 sum says
    told = scanned(table(drawn))
    assert (WRAPS, residual) in told.findings.select("rule", "residual").rows()
    assert broken_counts(FORM, RULES, table(drawn))[WRAPS] == 1
    # The planted defect: without the guard the same return passes this rule.
    monkeypatch.setattr(kernel, "kind_for", lambda bound: np.int64)
    assert WRAPS not in scanned(table(drawn)).findings["rule"].to_list()


@pytest.mark.parametrize(("figure", "kind"), [(2**14, np.int16), (2**30, np.int32)])
def test_sums_that_narrow_integers_would_call_0_are_told_exactly(monkeypatch, figure, kind):
    values = dict.fromkeys((term.key for term in RULES.by_id[WRAPS].terms), 0)
    four = [term.key for term in RULES.by_id[WRAPS].terms if term.sign < 0][:4]
    drawn = [line(1, values | dict.fromkeys(four, figure))]
    assert np.array(4 * figure).astype(kind) == 0
    assert scanned(table(drawn)).findings.rows() == naive(drawn)
    # The planted defect: integers chosen by each figure, not by what a sum of them may reach.
    monkeypatch.setattr(kernel, "kind_for", lambda bound: lanes.kind_for(bound // 4))
    with np.errstate(over="ignore"):
        assert scanned(table(drawn)).findings.rows() != naive(drawn)


def test_totals_beyond_64_bits_are_exact():
    drawn = [line(n, {"requests.granted.natural_person": MOST}) for n in range(5)]
    at = [cell.id for cell in FORM.cells].index("requests.granted.natural_person")
    assert scanned(table(drawn), batch_rows=5).totals["511725"].sums[at] == 5 * MOST


@pytest.mark.parametrize(
    ("name", "defect"),
    [
        ("_sum", lambda one, lanes, desk: None),
        ("_hush", lambda one, lanes, flags: None),
        ("COMPARED", {"=": np.greater, ">=": np.less, "<=": np.greater}),
        ("_outside", lambda bound, lanes, desk: None),
    ],
)
def test_a_planted_defect_of_the_kernel_differs_from_the_naive_evaluation(monkeypatch, name, defect):
    good = dense()
    missing = dict(good)
    del missing["requests.granted.natural_person"]
    leaf = "requests.granted.legal_service"
    drawn = [
        line(1, good | {leaf: good[leaf] + 3}),
        line(2, missing | {"proactive.licences.decisions": -1}),
        line(3, good | {"proactive.rules.issued": 2}, power=True),
    ]
    assert scanned(table(drawn)).findings.rows() == naive(drawn)
    monkeypatch.setattr(kernel, name, defect)
    assert scanned(table(drawn)).findings.rows() != naive(drawn)


def test_broken_holds_the_submissions_that_break_an_error_rule_and_no_other():
    good = dense()
    drawn = [line(1, good), line(2, good | {"requests.granted.total": good["requests.granted.total"] + 1})]
    drawn.append(line(3, good | {"requests.carried_out.total" + LAST_YEAR: 999}))  # a warning only
    told = scanned(table(drawn), broken=True)
    assert set(told.findings["file"]) == {"s2.xlsx", "s3.xlsx"}
    assert told.broken["file"].to_list() == ["s2.xlsx"]
    assert scanned(table(drawn)).broken is None


def test_what_a_batch_leaves_behind_does_not_hold_the_texts_of_the_whole_batch():
    good = dense()
    wrong = good | {"requests.granted.total": good["requests.granted.total"] + 1}
    drawn = [line(n, wrong if n == 7 else good) | {"file": f"511725/2023/{n:090}.xlsx"} for n in range(200)]
    told = scanned(table(drawn), batch_rows=200, broken=True)
    assert told.broken["file"].to_list() == [drawn[7]["file"]]
    for frame in (told.findings, told.broken):
        buffers = frame["file"].to_arrow(compat_level=pl.CompatLevel.newest()).buffers()
        assert sum(buffer.size for buffer in buffers if buffer) < 20 * len(drawn[7]["file"])


def test_what_is_not_of_the_contract_is_refused_before_any_row_is_read(tmp_path):
    frame = table([line(1, dense())])
    frame.write_parquet(tmp_path / "a.parquet")
    leaf = "requests.granted.total"
    for other in (frame.drop(leaf), frame.with_columns(pl.col(leaf).cast(pl.Int32)), frame.select(reversed(TYPES))):
        other.write_parquet(tmp_path / "b.parquet")
        with pytest.raises(pandera.errors.SchemaError):
            scan_submissions(FORM, RULES, tmp_path)
    with pytest.raises(FileNotFoundError):
        scan_submissions(FORM, RULES, tmp_path / "nothing", batch_rows=5)
    with pytest.raises(FileNotFoundError):
        scan_submissions(FORM, RULES, [])
    with pytest.raises(ValueError, match="batch_rows"):
        scan_submissions(FORM, RULES, tmp_path / "a.parquet", batch_rows=0)
    with pytest.raises(ValueError, match="threads"):
        scan_submissions(FORM, RULES, tmp_path / "a.parquet", threads=0)
    assert next(scan_submissions(FORM, RULES, tmp_path / "a.parquet")).rows == 1


def test_a_submission_without_region_is_refused():
    with pytest.raises(ValueError, match="region"):
        scanned(table([line(1, dense()) | {"region": None}]))
