"""What holds for the whole suite: `soak` tests run only on demand, and no test is skipped unnoticed.

A skipped (or expectedly failing) test looks like a passing one in the last line of a run. So every skip is
printed by name, and a skip that `expected_skips.txt` does not name fails the session. No fixture of one stage
belongs here; those stand beside that stage's tests.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

EXPECTED_SKIPS = Path(__file__).with_name("expected_skips.txt")
SEPARATOR = " # when: "


def read_expected_skips(path: Path) -> dict[str, str]:
    """Glob pattern of a node id -> when it may be skipped. A line that gives no reason is a usage error."""
    expected: dict[str, str] = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        pattern, _, reason = line.partition(SEPARATOR)
        if not pattern.strip() or not reason.strip():
            raise pytest.UsageError(f"{path.name}:{number}: expected 'NODE-ID-PATTERN{SEPARATOR}REASON': {line!r}")
        expected[pattern.strip()] = reason.strip()
    return expected


def is_expected(nodeid: str, patterns: dict[str, str]) -> bool:
    """Only `*` and `?` are special: the brackets of a parametrised node id mean themselves."""
    return any(fnmatchcase(nodeid, pattern.replace("[", "[[]")) for pattern in patterns)


class SkipGate:
    """Collects every skip that reaches the reporting process, under pytest-xdist the controller."""

    def __init__(self, expected: dict[str, str]) -> None:
        self.expected = expected
        self.skips: dict[str, str] = {}

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped:
            return
        if hasattr(report, "wasxfail"):
            reason = f"expected failure: {report.wasxfail}"
        elif isinstance(report.longrepr, tuple):
            reason = str(report.longrepr[2])
        else:
            reason = str(report.longrepr)
        self.skips[report.nodeid] = reason.removeprefix("Skipped: ")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)  # a whole module that skips itself is never seen as a test

    @property
    def unexpected(self) -> list[str]:
        return sorted(nodeid for nodeid in self.skips if not is_expected(nodeid, self.expected))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.unexpected and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.skips:
            return
        terminalreporter.section("skipped tests")
        for nodeid, reason in sorted(self.skips.items()):
            word = "expected" if is_expected(nodeid, self.expected) else "UNEXPECTED"
            terminalreporter.write_line(f"{word}: {nodeid}: {reason}")
        if self.unexpected:
            terminalreporter.write_line(
                f"{len(self.unexpected)} unexpected skip(s) fail this session: install what the test needs "
                f"(`make system`), or name the test and its reason in tests/{EXPECTED_SKIPS.name}",
                red=True,
            )


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # a worker of pytest-xdist reports to its controller
        config.pluginmanager.register(SkipGate(read_expected_skips(EXPECTED_SKIPS)), "skip-gate")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "soak" in config.option.markexpr:
        return
    soak = [item for item in items if item.get_closest_marker("soak")]
    if soak:
        config.hook.pytest_deselected(items=soak)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]
