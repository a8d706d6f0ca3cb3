"""Explanations of many returns at once are those of each return by itself: which cells, what figures, what rank."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.country import Country, county, places
from benchmarks.country_slips import PLANTS
from benchmarks.submissions import chunks
from pipelines.validate import localise_stream
from pipelines.validate.kernel import compile_sums
from pipelines.validate.localise import localise
from pipelines.validate.localise_lines_many import Lines
from pipelines.validate.localise_returns import MOST_FIGURE, MOST_RESIDUAL, Layout
from pipelines.validate.localise_sets import CellSets
from pipelines.validate.localise_stream import LOCATED, localiser, locate, located
from pipelines.validate.localise_system import system
from pipelines.validate.stream import block_of, scan_frame, survey
from schemas.form import load_form
from schemas.frames import ATTRIBUTES, wide_types
from schemas.rules import LAST_YEAR, load_rules
from schemas.slips import slip_kinds
from tests.facts import FORM, RULES, dense


@pytest.fixture(autouse=True)
def however_few(monkeypatch):
    """All go the way of many, as few as they are."""
    monkeypatch.setattr(localise_stream, "FEW", 0)


def table(rows, edition="2021"):
    """Submissions with the given figures by column name, all others missing."""
    form, rules = load_form(edition), load_rules(edition)
    types = wide_types(form, rules)
    lines = []
    for number, values in enumerate(rows):
        identity = {"region": "511725", "year": 2023, "body": f"511725-S{number}", "file": f"s{number}.xlsx"}
        identity |= {"file_sha256": f"{number:064x}", "not_whole": 0} | dict.fromkeys(ATTRIBUTES, False)
        lines.append(dict.fromkeys(types) | identity | values)
    return pl.DataFrame(lines, schema=types, orient="row")


def one_by_one(frame, edition="2021", most=5):
    """The lines made of what ``localise`` says of each return, with its reason at the end."""
    form, rules = load_form(edition), load_rules(edition)
    lines = []
    for row in frame.iter_rows(named=True):
        prepared = system(edition, frozenset(name for name in ATTRIBUTES if row[name]))
        values = {cell.id: row[cell.id] for cell in form.cells if row[cell.id] is not None}
        before = {key: row[key + LAST_YEAR] for key in rules.history_keys if row[key + LAST_YEAR] is not None}
        for option, told in enumerate(localise(prepared, values, previous=before, most=most), 1):
            for change in told.changes:
                found = None if change.found is None else Decimal(change.found)
                at = (row["region"], row["file"], option, told.rank, change.cell, found, Decimal(change.proposed))
                lines.append((*at, told.reason))
    return lines


def check(frame, edition="2021", most=5):
    """Both ways give the same lines, and every slip is one that the reason names."""
    told = locate(edition, frame, most=most)
    assert told.schema == LOCATED
    expected = one_by_one(frame, edition, most)
    assert told.drop("slip").rows() == [line[:-1] for line in expected]
    for slip, (*_, reason) in zip(told["slip"], expected, strict=True):
        assert slip_kinds()[slip].zh in reason
    return told


def drawn(rows, edition="2021"):
    """Returns of which one to three figures of five in a hundred are wrong, as benchmarks draw them."""
    form, rules = load_form(edition), load_rules(edition)
    frame = pl.concat([frame for frame, _ in chunks(form, rules, rows)])
    return survey(form, rules, scan_frame(form, rules, frame, broken=True)).broken


def planted(counties, bodies=40, seed=7):
    """Returns with a slip of every kind, and those kinds."""
    country = Country(counties=counties, bodies=bodies, seed=seed, wrong=1.0)
    every = [body for place in places(country) for body in county(country, place)]
    money = {cell.id for cell in FORM.cells if cell.kind == "money"}
    rows = [
        {
            name: Decimal(value) / 100 if value is not None and name in money else value
            for name, value in body.values.items()
        }
        for body in every
    ]
    return table(rows), [body.slip for body in every]


@pytest.mark.parametrize("edition", ["2021", "2019"])
def test_one_to_three_wrong_figures(edition):
    told = check(drawn(12_000, edition), edition)
    changed = told.group_by("file", "option").len()["len"].to_list()
    assert {1, 2, 3} <= set(changed)


def test_slips_as_people_make_them():
    frame, slips = planted(25)
    told = check(frame)
    assert set(slips) == set(PLANTS)
    assert {"missing", "shifted_right", "rows_swapped", "swapped", "part_with_total"} <= set(told["slip"])


def test_most_returns_are_explained_together_and_the_others_not_lost():
    for frame, most_alone in ((drawn(12_000), 0.01), (planted(25)[0], 0.08)):
        prepared = localiser("2021")
        _, alone = prepared.together(block_of(prepared.compiled, frame), 5)
        assert alone.mean() < most_alone


FIGURES = st.one_of(st.none(), st.integers(-2, 12), st.integers(0, 400), st.sampled_from([MOST_RESIDUAL, MOST_FIGURE]))
CELLS = [cell.id for cell in FORM.cells if cell.kind != "money"]
MONEY = [cell.id for cell in FORM.cells if cell.kind == "money"]


@st.composite
def returns(draw):
    """Good figures of which a few were replaced by anything, with or without last year's."""
    rows = []
    for _ in range(draw(st.integers(1, 12))):
        values = dict(dense())
        for name in draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=4)):
            values[name] = draw(FIGURES)
        for name in draw(st.lists(st.sampled_from(MONEY), max_size=1)):
            values[name] = draw(st.one_of(st.none(), st.decimals(-3, 3, places=4)))
        for name in draw(st.lists(st.sampled_from(RULES.history_keys), max_size=4)):
            values[name + LAST_YEAR] = draw(st.integers(0, 9))
        if draw(st.booleans()):
            values |= dict.fromkeys(ATTRIBUTES, True)
        rows.append(values)
    return rows


@settings(max_examples=60, deadline=None)
@given(returns(), st.sampled_from([1, 5, None]))
def test_any_figures_wrong_missing_or_impossible(rows, most):
    check(table(rows), most=most)


@pytest.mark.soak
@settings(max_examples=3000, deadline=None)
@given(returns(), st.sampled_from([1, 5, None]))
def test_any_figures_wrong_missing_or_impossible_in_large_numbers(rows, most):
    check(table(rows), most=most)


def test_what_is_handed_over_by_a_pass_is_explained_in_order_whatever_the_lots(monkeypatch):
    frame = pl.concat([frame for frame, _ in chunks(FORM, RULES, 6000)])
    broken = survey(FORM, RULES, scan_frame(FORM, RULES, frame, broken=True)).broken
    whole = locate("2021", broken)
    assert whole["file"].unique(maintain_order=True).to_list() == broken["file"].to_list()
    for lot in (1, 70, 10_000):
        monkeypatch.setattr(localise_stream, "LOT", lot)
        passed = scan_frame(FORM, RULES, frame, batch_rows=1000, broken=True)
        assert pl.concat(located("2021", passed)).equals(whole)


def test_a_few_go_one_by_one_to_the_same_answers(monkeypatch):
    broken = drawn(1500)
    many = locate("2021", broken)
    monkeypatch.setattr(localise_stream, "FEW", broken.height + 1)
    monkeypatch.delattr(localise_stream.Localiser, "together")
    assert locate("2021", broken).equals(many)


def test_a_clean_pass_has_nothing_to_explain():
    clean = scan_frame(FORM, RULES, table([dict(dense())]), broken=True)
    assert list(located("2021", clean)) == []
    assert locate("2021", table([])).schema == LOCATED
    assert locate("2021", table([dict(dense())])).is_empty()


def test_a_component_with_too_many_equations_is_refused_and_searched_by_itself(monkeypatch):
    prepared = system("2021")
    large = max(prepared.components, key=lambda component: len(component.rows))
    monkeypatch.setattr("pipelines.validate.localise_sets.BITS", len(large.rows) - 1)
    with pytest.raises(ValueError, match="more than"):
        CellSets(prepared, large)
    monkeypatch.setattr("pipelines.validate.localise_components.BITS", len(large.rows) - 1)
    small = drawn(2000)
    alone = localise_stream.Localiser(prepared)
    told, left = alone.together(block_of(alone.compiled, small), 5)
    usual, usually_left = localiser("2021").together(block_of(alone.compiled, small), 5)
    answered = np.flatnonzero(~(left | usually_left))
    assert len(answered) > 50
    assert told.filter(pl.col("row").is_in(answered)).equals(usual.filter(pl.col("row").is_in(answered)))


def test_a_line_is_not_asked_about_a_return_that_lacks_a_figure():
    layout = Layout(system("2021"))
    missing = {name: value for name, value in dense().items() if name != "requests.granted.total"}
    returns_, _ = layout.lay_out(block_of(compile_sums(FORM, RULES), table([missing, dense()])))
    lines = Lines(layout)
    assert lines.ways(returns_, np.array([False, True])) == []
    with pytest.raises(ValueError, match="lacks a figure"):
        lines.ways(returns_, np.array([True, True]))
