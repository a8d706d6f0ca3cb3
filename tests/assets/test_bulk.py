"""Hundreds of files of mixed formats through Dagster: killed and gone on with, on a Dask cluster, and told on the way.

The files are synthetic (benchmarks/bulk_files.py), a file a body; nothing is published.
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from assets.headless import FOLLOW, _followed
from benchmarks.bulk_files import YEAR, region_code, write_mixed
from pipelines.ingest.kept import PART
from pipelines.storage import kept_readings_path
from tests.assets.runs import outcome

FILES = 200
REGION = region_code()
# Checks without publishing; readings are stored in small parts and told after every file.
RUN = """
import sys
from functools import partial
from assets.headless import run_region_year
from pipelines.ingest import intake, kept, progress
kept.PART_READINGS = 20
intake.Progress = partial(progress.Progress, every=0)
done = run_region_year(sys.argv[1], sys.argv[2], int(sys.argv[3]), "check_only",
                       lambda what, state: print(state, what, flush=True))
sys.exit(0 if done.status == "checked" else f"{done.status}: {done.reasons}")
"""
READ = re.compile(r"said 已读 ([0-9,]+)/([0-9,]+) 份")


class Bulk:
    """A folder of data, releases and regions with a mixed inbox."""

    def __init__(self, root: Path, files: int = FILES) -> None:
        self.data, self.out, self.regions = root / "data", root / "out", root / "regions"
        self.out.mkdir(parents=True)
        write_mixed(self.data, self.regions, files, office=False)

    @property
    def inbox(self) -> Path:
        return self.data / "inbox" / REGION / str(YEAR)

    def start(self, **settings: str) -> subprocess.Popen[str]:
        home = self.data / "dagster"
        home.mkdir(exist_ok=True)
        places = {"GONGKAI_DATA": str(self.data), "GONGKAI_OUT": str(self.out), "GONGKAI_REGIONS": str(self.regions)}
        return subprocess.Popen(
            [sys.executable, "-c", RUN, str(self.data), REGION, str(YEAR)],
            env=os.environ | places | {"DAGSTER_HOME": str(home)} | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, **settings: str) -> str:
        with self.start(**settings) as process:
            said, _ = process.communicate()
        assert process.returncode == 0, said
        return said


def read_in(said: str) -> int:
    """How many files a run really read, as it says itself."""
    counts = [int(done.replace(",", "")) for done, _ in READ.findall(said)]
    assert counts == list(range(1, len(counts) + 1)), "one line a file"
    return len(counts)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Bulk, dict[str, str], str]:
    bulk = Bulk(tmp_path_factory.mktemp("undisturbed"))
    said = bulk.run()
    return bulk, outcome(bulk), said


def test_every_file_is_told_once_on_the_terminal_and_the_second_run_reads_next_to_nothing(undisturbed):
    bulk, found, said = undisturbed
    assert read_in(said) == FILES
    assert "finished board" in said
    again = bulk.run()
    assert read_in(again) < FILES // 50, "damaged files alone"
    assert outcome(bulk) == found


def test_a_killed_run_goes_on_where_it_was(undisturbed, tmp_path):
    _, found, _ = undisturbed
    bulk = Bulk(tmp_path)
    with bulk.start() as process:
        assert process.stdout is not None
        for line in process.stdout:
            if (match := READ.match(line)) and int(match[1]) >= FILES // 2:
                break
        os.killpg(process.pid, signal.SIGKILL)
        process.stdout.read()
    done = int(match[1]) if match else 0
    assert not (bulk.data / "tables" / "readings").exists(), "it was killed while it read"
    assert [path for path in kept_readings_path(bulk.data, REGION, YEAR).iterdir() if path.name.endswith(PART)]
    said = bulk.run()
    assert read_in(said) <= FILES - done + 20 + FILES // 50, "at most one part and the damaged files are read again"
    assert outcome(bulk) == found
    print(f"\nkilled after {done} of {FILES} files; the next run read {read_in(said)}")


def test_on_a_dask_cluster_of_two_the_same_bytes(undisturbed, tmp_path):
    _, found, _ = undisturbed
    bulk = Bulk(tmp_path)
    bulk.run(GONGKAI_EXECUTOR="dask", GONGKAI_EXECUTOR_PROCESSES="2")
    assert outcome(bulk) == found


# ---------------------------------------------------------------- what is told where the steps run elsewhere
@dg.op(name="readings")
def told(context: dg.OpExecutionContext) -> None:
    """Says what the step that reads files says, and more than a terminal should show."""
    context.log.info("已读 1/2 份")
    context.log.debug("nothing for a terminal")
    context.log.warning("损坏")


@dg.op(name="elsewhere")
def untold(context: dg.OpExecutionContext) -> None:
    context.log.info("of a step that reads no files")


@dg.job(executor_def=dg.in_process_executor)
def telling() -> None:
    told()
    untold()


def test_what_a_step_says_in_the_records_of_a_run_reaches_the_terminal(tmp_path, monkeypatch):
    monkeypatch.setattr("assets.headless.FOLLOW_SECONDS", 0.05)
    said: list[tuple[str, str]] = []
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        mark = {FOLLOW: "this run"}
        with _followed(instance, mark, lambda what, state: said.append((state, what))):
            assert dg.execute_job(dg.reconstructable(telling), instance=instance, tags=mark).success
    assert sorted(said) == sorted(
        [
            *((state, step) for state in ("started", "finished") for step in ("readings", "elsewhere")),
            *(("said", text) for text in ("已读 1/2 份", "损坏")),
        ]
    )
