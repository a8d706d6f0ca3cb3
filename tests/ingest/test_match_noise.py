"""Random returns with random accidents: every cell is read exactly or left unread, never wrong."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.ingest.read import read_document
from schemas.form import load_form
from tests.ingest.noise import STYLES, Accidents, drawn_document, figures, random_case, text_document

FEES = "processing_fees."


def wrong_cells(found, said):
    return {
        cell.cell: (cell.raw, said.get(cell.cell))
        for cell in found.cells
        if not cell.cell.startswith(FEES) and (cell.raw or "").strip() != said.get(cell.cell)
    }


def read_case(seed):
    style, form, said, document = random_case(seed)
    found = read_document(document, f"case-{seed}", "0" * 64)
    return style, form, said, found


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(min_value=0, max_value=2**32))
def test_never_a_wrong_cell(seed):
    _, form, said, found = read_case(seed)
    assert wrong_cells(found, said) == {}
    printed = {cell.id for cell in form.cells if not cell.optional}
    unread = printed - {cell.cell for cell in found.cells}
    named = {cell for problem in found.problems for cell in problem.cells}
    if found.cells and all(found.form.get(table) == form.edition for table in ("proactive", "requests", "disputes")):
        assert unread <= named, "a cell that is not read is named in a finding"


@pytest.mark.parametrize("edition", ["2021", "2019"])
@pytest.mark.parametrize("blanks", [0.0, 0.3])
def test_what_is_drawn_whole_is_read_whole(edition, blanks):
    form = load_form(edition)
    for seed in range(8):
        said = figures(form, Random(seed), blanks)
        how = Accidents(padding=seed % 4, spaces=0.3, traditional=seed % 2 == 1, breaks=0.0 if blanks else 0.05)
        found = read_document(drawn_document(form, said, how, Random(seed)), "x", "0" * 64)
        got = {cell.cell: cell.raw or "" for cell in found.cells}
        assert got == {cell: raw for cell, raw in said.items() if not cell.startswith(FEES)}
        assert set(found.form.values()) == {edition}


def test_accidents_cost_little():
    """How much of noisy returns is read: the guard against a matcher that is right because it reads nothing."""
    read, total = Counter(), Counter()
    for seed in range(150):
        style, _, said, found = read_case(seed)
        cells = [cell for cell in said if not cell.startswith(FEES)]
        total[style] += len(cells)
        read[style] += len({cell.cell for cell in found.cells} & set(cells))
    share = {style: read[style] / total[style] for style in total}
    assert share["drawn"] > 0.95
    assert share["pipes"] > 0.9
    assert share["tabs"] > 0.9
    assert min(share.values()) > 0.4, share


@pytest.mark.parametrize("style", STYLES)
def test_full_figures_without_accidents_are_read_in_every_style(style):
    form = load_form("2021")
    said = figures(form, Random(99))
    found = read_document(
        text_document(form, said, Accidents(heads=style != "parted"), Random(1), style), "x", "0" * 64
    )
    tables = ("requests.",) if style == "parted" else ("proactive.", "requests.", "disputes.")
    expected = {cell: raw for cell, raw in said.items() if cell.startswith(tables)}
    assert {cell.cell: cell.raw for cell in found.cells if cell.cell.startswith(tables)} == expected


@pytest.mark.soak
@pytest.mark.parametrize("start", range(0, 40_000, 4_000))
def test_soak_never_a_wrong_cell(start):
    for seed in range(1_000_000 + start, 1_000_000 + start + 4_000):
        _, _, said, found = read_case(seed)
        assert wrong_cells(found, said) == {}, seed
