"""The named broken variants: each is broken in the way it says, and in no other way."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.ingest.read import read_bytes
from pipelines.regions import load_region
from pipelines.sample.defects import DEFECTS, good_file, good_return
from schemas.findings import load_kinds
from schemas.rules import load_rules

REGION = load_region(Path(__file__).resolve().parents[2] / "regions", "511725")
GOOD = {code: good_return(REGION, REGION.body(code), 2023) for code in ("511725-D01", "511725-T20")}
RULES = load_rules("2021")


def broken_rules(values):
    return {r.id for r in RULES.rules if (x := r.residual(values)) is not None and not r.holds(x)}


@pytest.mark.parametrize("code", GOOD)
@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_named_and_the_same_every_time(name, code):
    broken = DEFECTS[name](GOOD[code])
    assert broken.name == name
    assert broken == DEFECTS[name](GOOD[code])
    assert good_file(GOOD[code]) not in broken.files.values() or name in ("second_return", "wrong_folder")
    known = {*load_kinds(), *(domain.id for domain in RULES.domains)}
    assert set(broken.kinds) <= known
    assert broken.rules or broken.kinds or name == "swapped_digits"  # a slip that no sum can tell


@pytest.mark.parametrize("code", GOOD)
@pytest.mark.parametrize(
    "name", ["broken_sum", "broken_total", "swapped_digits", "rule_made", "negative_count", "fractional_count"]
)
def test_wrong_figures_break_exactly_the_rules_that_they_name(name, code):
    broken = DEFECTS[name](GOOD[code])
    (data,) = broken.files.values()
    read = {cell.cell: cell.value for cell in read_bytes(data, "a.xlsx").cells}
    errors = {rule for rule in broken_rules(read) if RULES.by_id[rule].severity == "error"}
    assert errors == set(broken.rules)
    assert {cell for cell in read if read[cell] != GOOD[code].values[cell]} == set(broken.cells)
    assert broken_rules(GOOD[code].values) == set()


@pytest.mark.parametrize(
    ("name", "state"),
    [("missing_cell", "blank"), ("text_in_number_cell", "text"), ("formula_without_value", "formula")],
)
def test_a_cell_that_holds_no_number_reads_as_what_it_is(name, state):
    broken = DEFECTS[name](GOOD["511725-T20"])
    (data,) = broken.files.values()
    states = {cell.cell: cell.state for cell in read_bytes(data, "a.xlsx").cells if cell.state != "given"}
    assert states == {broken.cells[0]: state}


@pytest.mark.parametrize("name", ["unreadable_bytes", "empty_file", "another_document"])
def test_a_file_that_is_no_return_is_told_by_intake(name):
    broken = DEFECTS[name](GOOD["511725-T20"])
    ((path, data),) = broken.files.items()
    read = read_bytes(data, path)
    assert not read.readable
    assert {problem.rule for problem in read.problems} == set(broken.kinds)
