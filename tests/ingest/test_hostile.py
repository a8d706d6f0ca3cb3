"""Hostile, broken and foreign files: one clear finding each, in bounded time and memory, and nothing else disturbed."""

from __future__ import annotations

import resource

import pytest

from pipelines.ingest.sandbox import read_many
from schemas.findings import load_kinds
from tests.ingest.hostile import CASES

WORK = "tests.ingest.works:open_only"
SECONDS = 5.0  # of computing, which unlike time does not depend on what else the machine does


@pytest.fixture(scope="module")
def outcomes():
    """All cases through one process, an honest file between them, with the computing time of each."""
    honest = ("honest.csv", b"cell,value\r\nrequests.received.total,3\r\n")
    found = {}
    for name, (_, make) in CASES.items():
        data = make()
        started = _computed()
        read, after = read_many([(name, data), honest], WORK, workers=1)
        found[name] = read, after, _computed() - started
    return found


def _computed() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("name", CASES)
def test_one_clear_finding(outcomes, name):
    read, after, seconds = outcomes[name]
    kind, _ = CASES[name]
    assert [finding.rule for finding in read.problems] == [kind]
    (finding,) = read.problems
    assert finding.severity == load_kinds()[kind].severity == "error"
    assert name in finding.message_zh
    assert name in finding.message_en
    assert read.file == name
    assert not read.cells
    assert seconds < SECONDS
    assert (after.format, after.problems) == ("csv", ()), "the next file is read as if nothing had been"


def test_memory_stays_bounded(outcomes):
    """The largest of all parsing processes, by the system's own account."""
    assert outcomes
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    assert peak < 640 * 1024 * 1024
