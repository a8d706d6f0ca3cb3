"""The mutation gate itself: it fires on tests that notice nothing and is silent on tests that notice everything."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mutation.__main__ import DECLARED, ROOT, load_plan
from tests.mutation.mutants import mutants, mutated, sample

MODULE = '''
"""A module to be spoilt."""

LIMIT: int = 3


def grade(value: int, least: int = 2) -> str:
    if value < least or not value:
        return "low"
    while value > LIMIT:
        value -= LIMIT
    return "high" if value == LIMIT else "middle"
'''
GOOD_TEST = """
import pytest

from planted.graded import grade

CASES = [(0, 1, "low"), (0, 0, "low"), (1, 2, "low"), (1, 1, "middle"), (2, 1, "middle"), (3, 1, "high")]


@pytest.mark.parametrize(("value", "least", "word"), [*CASES, (4, 1, "middle"), (6, 1, "high"), (8, 1, "middle")])
def test_grade(value, least, word):
    assert grade(value, least) == word


def test_the_least_is_two():
    assert grade(1) == "low"
    assert grade(2) == "middle"
"""
USELESS_TEST = """
from planted.graded import grade


def test_grade():
    assert grade
"""
DECLARATION = """
seed = 1
sample = 100
threshold = 90

[[targets]]
module = "planted.graded"
tests = ["{tests}"]
"""


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A small project: one module, a test that notices, one that does not, one that fails unchanged."""
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted" / "__init__.py").touch()
    (tmp_path / "planted" / "graded.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "test_good.py").write_text(GOOD_TEST, encoding="utf-8")
    (tmp_path / "test_useless.py").write_text(USELESS_TEST, encoding="utf-8")
    (tmp_path / "test_broken.py").write_text("def test_broken(): assert False", encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return tmp_path


def gate(planted: Path, tests: str, *options: str, more: str = "") -> subprocess.CompletedProcess[str]:
    declared = planted / "targets.toml"
    declared.write_text(DECLARATION.format(tests=tests) + more, encoding="utf-8")
    before = {path: path.read_bytes() for path in planted.rglob("*") if path.is_file()}
    command = [sys.executable, "-m", "tests.mutation", "--targets", str(declared), "--root", str(planted), *options]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert {path: path.read_bytes() for path in planted.rglob("*") if path.is_file()} == before
    return result


def equivalent(reason: str, after: str = "value >= LIMIT", before: str = "value > LIMIT") -> str:
    words = {"module": "planted.graded", "function": "grade", "text": "while value > LIMIT:"}
    words |= {"before": before, "after": after, "reason": reason}
    return "[[equivalents]]\n" + "".join(f'{key} = "{value}"\n' for key, value in words.items())


def test_the_gate_fires_on_a_useless_selection_and_names_the_places(planted: Path) -> None:
    result = gate(planted, "test_useless.py")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "SURVIVED planted/graded.py:8: value < least  ->  value <= least" in result.stdout
    assert "NOT REACHED" in result.stdout


def test_the_gate_is_silent_on_tests_that_notice(planted: Path) -> None:
    result = gate(planted, "test_good.py")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "SURVIVED" not in result.stdout
    assert "100.0%" in result.stdout
    assert "0 by their time limit" not in result.stdout  # a loop without an end is ended


def test_a_selection_that_fails_unchanged_or_is_empty_is_refused(planted: Path) -> None:
    for tests in ("test_broken.py", "test_absent.py"):
        result = gate(planted, tests)
        assert result.returncode == 2
        assert "unchanged" in result.stderr


def test_an_equivalent_is_left_out_and_one_out_of_date_fails(planted: Path) -> None:
    result = gate(planted, "test_useless.py", more=equivalent("never asked"))
    assert "value >= LIMIT" not in result.stdout
    result = gate(planted, "test_good.py", "--sample", "1", more=equivalent("once true", after="value > BOUND"))
    assert result.returncode == 1
    assert "OUT OF DATE" in result.stdout


def test_an_equivalent_needs_a_reason(planted: Path) -> None:
    declared = planted / "targets.toml"
    declared.write_text(DECLARATION.format(tests="test_good.py") + equivalent(" "), encoding="utf-8")
    with pytest.raises(ValueError, match="needs a reason"):
        load_plan(declared, planted)


def test_time_that_is_up_is_said(planted: Path) -> None:
    result = gate(planted, "test_good.py", "--seconds", "0.001", "--processes", "1")
    assert result.returncode == 1  # nothing was tried, so nothing is known
    assert "not tried: time was up" in result.stdout


def test_every_kind_of_change_is_made() -> None:
    source = (
        "def f(a, b, c=2):\n"
        "    if a and b is None:\n        g(a)\n        return a + b\n"
        "    for x in [y for y in b if y]:\n        if not x:\n            continue\n        break\n"
        "    c += min(-1, True)\n    return any(c)\n"
    )
    made = {f"{each.before} -> {each.after}" for each in mutants(source)}
    assert made >= {
        "2 -> 3", "2 -> 1", "a and b is None -> a or b is None", "b is None -> b is not None", "g(a) -> pass",
        "return a + b -> return None", "a + b -> a - b", "y -> not y", "not x -> not not x", "continue -> break",
        "break -> continue", "c += min(-1, True) -> c -= min(-1, True)", "-1 -> +1", "True -> False",
        "min(-1, True) -> max(-1, True)", "any(c) -> all(c)",
    }  # fmt: skip
    assert len({each.number for each in mutants(source)}) == len(mutants(source))


def test_annotations_decorators_and_documentation_stay() -> None:
    source = '@cache(size=3)\ndef f(a: "int" = None) -> T[1]:\n    """Two of 2."""\n    x: T[4] = zip(a, strict=True)\n'
    assert mutants(source) == ()


def test_a_mutant_is_what_its_description_says() -> None:
    import ast

    for each in mutants(MODULE):
        text = ast.unparse(mutated(MODULE, each.number))
        assert text != ast.unparse(ast.parse(MODULE))
        assert each.after in text
    with pytest.raises(IndexError):
        mutated(MODULE, 10_000)


def test_the_sample_is_seeded_and_steady() -> None:
    found = mutants(MODULE)
    drawn = sample("m", found, 6, 7)
    assert drawn == sample("m", found, 6, 7)
    assert len(set(drawn)) == 6
    assert drawn != sample("m", found, 6, 8)
    moved = mutants('"""Longer."""\n\nOTHER = 9\n' + MODULE)  # an edit elsewhere: the choice among the old ones stays
    keys = {each.key for each in found}
    again = sample("m", [each for each in moved if each.key in keys], 6, 7)
    assert [each.key for each in again] == [each.key for each in drawn]


def test_the_declared_targets_exist_once_each() -> None:
    plan = load_plan(DECLARED, ROOT)
    assert max(Counter(target.module for target in plan.targets).values()) == 1
    for target in plan.targets:
        assert target.path.is_file()
        assert all((ROOT / tests.split("::")[0]).exists() for tests in target.tests), target.tests
    assert plan.threshold >= 90
