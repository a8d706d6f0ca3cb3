"""The house rules that tools enforce (imports, locks, skips, one command). Each gate is seen to fire."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = {contract["id"]: contract["name"] for contract in PYPROJECT["tool"]["importlinter"]["contracts"]}


# --- import contracts ---------------------------------------------------------------------------------------


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=120)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the three packages with the real contracts, free to be spoilt."""
    for package in ("schemas", "pipelines", "assets"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_import_contracts_hold_on_the_real_tree() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(CONTRACTS)} kept, 0 broken" in result.stdout


@pytest.mark.parametrize(
    ("contract", "module", "statement"),
    [
        ("dagster", "pipelines/ingest/planted.py", "import dagster"),
        ("dagster", "schemas/planted.py", "from dagster import asset"),
        ("layers", "schemas/planted.py", "import pipelines.publish"),
        ("layers", "pipelines/planted.py", "import assets"),
        ("front-door", "assets/planted.py", "import gongkai"),
        ("stages", "pipelines/validate/planted.py", "def late():\n    import pipelines.ingest"),
        ("sample", "assets/planted.py", "import pipelines.sample"),
    ],
)
def test_a_planted_import_breaks_its_contract(tree: Path, contract: str, module: str, statement: str) -> None:
    (tree / module).write_text(f"{statement}\n", encoding="utf-8")
    result = lint_imports(tree)
    assert result.returncode == 1, result.stdout + result.stderr
    broken = {name for name in CONTRACTS.values() if f"{name} BROKEN" in result.stdout}
    assert broken == {CONTRACTS[contract]}


# --- locks --------------------------------------------------------------------------------------------------

PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[a-z0-9, ._-]+\])?==(?P<version>[^\s;]+)(\s*;\s*(?P<marker>.+))?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def read_lock(text: str) -> tuple[dict[str, str], list[str]]:
    """Pinned version by name, and what is wrong with the lock, one line each."""
    pins: dict[str, str] = {}
    problems: list[str] = []
    for line in text.replace("\\\n", " ").splitlines():
        if line.lstrip().startswith("#") or not line.strip():
            continue
        requirement, *hashes = re.split(r"\s+(?=--hash)", line.strip())
        pin = PIN.fullmatch(requirement.strip())
        if pin is None:
            problems.append(f"not a pinned name: {requirement}")
            continue
        name = canonicalize_name(pin["name"])
        if name in pins:
            problems.append(f"pinned twice: {name}")
        pins[name] = pin["version"]
        if not hashes or not all(HASH.fullmatch(item) for item in hashes):
            problems.append(f"no sha256 hash: {name}")
    problems += [f"address or path: {found}" for found in re.findall(r"\S*(?:://|(?<=\s)/)\S*", text)]
    return pins, problems


def lock(name: str) -> str:
    return (ROOT / "locks" / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("run", {"setuptools", "wheel", "dagster"}),  # the first two build the project itself
        ("dev", {"setuptools", "wheel", "dagster"}),
        ("deploy", {"setuptools", "wheel", "dagster", "dagster-postgres", "dagster-dask", "s3fs"}),
        ("ckan", {"ckan", "flask", "sqlalchemy"}),  # the portal that tests/ckan pushes to
        ("peers", {"dataframely", "pandas", "python-docx"}),  # what benchmarks/ compares with
    ],
)
def test_every_locked_requirement_is_pinned_and_hashed(name: str, needed: set[str]) -> None:
    pins, problems = read_lock(lock(name))
    assert problems == []
    assert needed <= pins.keys()


def test_the_development_lock_is_a_superset_of_the_run_lock() -> None:
    run, dev = read_lock(lock("run"))[0], read_lock(lock("dev"))[0]
    deploy = read_lock(lock("deploy"))[0]
    assert run.items() < deploy.items() < dev.items(), "the image has the versions that the tests run with"


def test_peers_share_the_versions_of_what_the_project_uses_too() -> None:
    run, peers = read_lock(lock("run"))[0], read_lock(lock("peers"))[0]
    assert {name: version for name, version in peers.items() if run.get(name, version) != version} == {}
    assert {"polars", "pandera"} <= run.keys() & peers.keys()


@pytest.mark.parametrize(
    ("name", "extras"),
    [("run", ()), ("deploy", ("s3", "postgres", "dask")), ("dev", PYPROJECT["project"]["optional-dependencies"])],
    ids=["run", "deploy", "dev"],
)
def test_the_locks_satisfy_what_the_project_declares(name: str, extras: tuple[str, ...]) -> None:
    declared = list(PYPROJECT["project"]["dependencies"])
    for extra in extras:
        declared += PYPROJECT["project"]["optional-dependencies"][extra]
    pins = read_lock(lock(name))[0]
    unmet = [
        line
        for line in declared
        if not (need := Requirement(line)).specifier.contains(pins.get(canonicalize_name(need.name), "0.dev0"))
    ]
    assert unmet == [], "pyproject.toml changed: run `make lock`"


@pytest.mark.parametrize(
    ("planted", "problem"),
    [
        ("six==1.17.0\n", "no sha256 hash: six"),
        ("six==1.17.0 \\\n    --hash=md5:00\n", "no sha256 hash: six"),
        (f"six>=1.17.0 \\\n    --hash=sha256:{'0' * 64}\n", "not a pinned name: six>=1.17.0"),
        (f"dagster==1.0 \\\n    --hash=sha256:{'0' * 64}\n", "pinned twice: dagster"),
        ("--index-url https://example.org/simple\n", "address or path: https://example.org/simple"),
        ("# made from /home/someone/pyproject.toml\n", "address or path: /home/someone/pyproject.toml"),
    ],
)
def test_a_defect_planted_in_a_lock_is_seen(planted: str, problem: str) -> None:
    assert problem in read_lock(lock("run") + planted)[1]


# --- skips --------------------------------------------------------------------------------------------------

SKIPS = """
import pytest

def test_passes(): pass

@pytest.mark.skip(reason="no database here")
def test_database(): pass

@pytest.mark.parametrize("kind", ["a", "b"])
def test_kinds(kind):
    if kind == "b":
        pytest.skip("no kind b here")
"""
UNEXPECTED = "UNEXPECTED: test_skips.py::test_database: no database here"


@pytest.fixture(params=[(), ("-n", "2")], ids=["one process", "two workers"])
def workers(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return request.param


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A small suite under this suite's own conftest, run in its own process as `make test` would."""
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"))
    pytester.makeini("[pytest]\nmarkers = soak: long")
    return pytester


def expect(suite: pytest.Pytester, *lines: str) -> None:
    (suite.path / "expected_skips.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def test_an_unexpected_skip_fails_the_session_by_name(suite: pytest.Pytester, workers: tuple[str, ...]) -> None:
    suite.makepyfile(test_skips=SKIPS)
    expect(suite, "# a comment", "", "test_skips.py::test_kinds[[]b] # when: brackets mean themselves")
    result = suite.runpytest_subprocess(*workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=2, skipped=2)
    result.stdout.fnmatch_lines([UNEXPECTED, "UNEXPECTED: test_skips.py::test_kinds[[]b]: no kind b here"])
    result.stdout.fnmatch_lines(["2 unexpected skip(s) fail this session*"])


def test_an_expected_skip_passes_and_is_printed(suite: pytest.Pytester, workers: tuple[str, ...]) -> None:
    suite.makepyfile(test_skips=SKIPS)
    expect(suite, "test_skips.py::test_database # when: no database", "*::test_kinds[b] # when: no kind b")
    result = suite.runpytest_subprocess(*workers)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["expected: test_skips.py::test_database: no database here"])
    result.stdout.no_fnmatch_line("*UNEXPECTED*")


def test_a_clean_suite_says_nothing(suite: pytest.Pytester, workers: tuple[str, ...]) -> None:
    suite.makepyfile("def test_passes(): pass")
    result = suite.runpytest_subprocess(*workers)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*skip*")


def test_a_module_that_skips_itself_and_an_expected_failure_count(
    suite: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    suite.makepyfile(
        test_module="import pytest\npytest.importorskip('no_such_module_here')",
        test_xfail="import pytest\n@pytest.mark.xfail(reason='known')\ndef test_known(): assert False",
    )
    expect(suite)
    result = suite.runpytest_subprocess(*workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines_random(
        [
            "UNEXPECTED: test_module.py: could not import 'no_such_module_here'*",
            "UNEXPECTED: test_xfail.py::test_known: expected failure: known",
        ]
    )


def test_an_expected_skip_without_a_reason_is_refused(suite: pytest.Pytester) -> None:
    suite.makepyfile("def test_passes(): pass")
    expect(suite, "*")
    result = suite.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*expected_skips.txt:1: expected 'NODE-ID-PATTERN # when: REASON'*"])


@pytest.mark.parametrize(
    ("arguments", "ran"), [((), "test_short"), (("-m", "soak"), "test_long")], ids=["by default", "-m soak"]
)
def test_soak_tests_run_only_on_demand(
    suite: pytest.Pytester, workers: tuple[str, ...], arguments: tuple[str, ...], ran: str
) -> None:
    suite.makepyfile("import pytest\n@pytest.mark.soak\ndef test_long(): pass\ndef test_short(): pass")
    result = suite.runpytest_subprocess("-v", *workers, *arguments)
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1, deselected=0 if workers else 1)
    result.stdout.fnmatch_lines([f"*{ran}*"])


# --- one command --------------------------------------------------------------------------------------------


def test_an_old_python_is_refused_with_one_clear_line(tmp_path: Path) -> None:
    old = tmp_path / "python-old"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2"\nexit 1\n', encoding="utf-8")
    old.chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)
    result = subprocess.run(
        ["make", "--no-print-directory", "run", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 2
    assert "Gongkai needs Python 3.11 or newer" in result.stderr
    assert "Python 3.9.2" in result.stderr
    assert not (tmp_path / ".venv").exists()


def test_help_names_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    result = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = re.findall(r"^  ([a-z-]+) ", result.stdout, re.MULTILINE)
    assert sorted(listed) == sorted(phony[1].split())


def test_ci_runs_the_same_targets() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert re.findall(r"^make (.*)$", script.read_text(encoding="utf-8"), re.MULTILINE) == ["system", "test"]
