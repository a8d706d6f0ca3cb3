"""Whatever happens to a run, running again gives what an undisturbed run gives, and originals never change.

Killed at any moment, the disk full, nothing to be written, a file delivered or taken away meanwhile, two runs of one
partition at once, a stored table damaged: real processes on a small county.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pipelines.publish.verify import verify
from tests.assets.conftest import CODES, GOOD, YEAR, County, good
from tests.assets.runs import command, environment, outcome, run
from tests.facts import REGION

STEPS = 21  # about as many as a run reports


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, str]:
    county = County(tmp_path_factory.mktemp("undisturbed"))
    done = run(county)
    assert done.returncode == 0, done.stderr
    return outcome(county)


def killed(county: County, steps: int, delay: float) -> int:
    """Start a run, kill it with all its children ``delay`` seconds after it has reported so many steps."""
    with subprocess.Popen(
        command(county),
        env=environment(county),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        seen = 0
        while seen < steps and process.stderr.readline():
            seen += 1
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGKILL)
        process.stderr.read()
    return process.returncode


def whole_or_absent(county: County) -> bool:
    """Whether what ``latest`` names, if anything, is a whole release."""
    root = county.out / REGION / str(YEAR)
    return not (root / "latest.json").exists() or verify(root).valid


def kill_and_run_again(root: Path, seed: int, undisturbed: dict[str, str], kills: int) -> str:
    """Kills at points drawn by ``seed``, one after the other, then a run to the end; "" or what differs."""
    draw = random.Random(seed)
    county = County(root)
    originals = {path: path.read_bytes() for path in county.inbox.rglob("*") if path.is_file()}
    for _ in range(kills):
        killed(county, draw.randrange(STEPS + 1), draw.random() * 0.4)
        if not whole_or_absent(county):
            return "a release that is not whole counts"
    done = run(county)
    if done.returncode:
        return done.stderr[-2000:]
    if any(path.read_bytes() != data for path, data in originals.items()):
        return "an original changed"
    found = outcome(county)
    return "; ".join(sorted(name for name in found.keys() | undisturbed if found.get(name) != undisturbed.get(name)))


def many(root: Path, seeds: range, undisturbed: dict[str, str], kills: int = 1) -> None:
    wrong = {}
    for seed in seeds:
        folder = root / str(seed)
        folder.mkdir()
        if said := kill_and_run_again(folder, seed, undisturbed, kills):
            wrong[seed] = said
        shutil.rmtree(folder)
    print(f"\n{len(seeds)} counties, each killed {kills} times and run again: {len(wrong)} with another outcome")
    assert wrong == {}


def test_a_killed_run_leaves_nothing_that_the_next_does_not_mend(tmp_path, undisturbed, capsys):
    with capsys.disabled():
        many(tmp_path, range(5), undisturbed)


@pytest.mark.soak
def test_many_killed_runs(tmp_path, undisturbed, capsys):
    with capsys.disabled():
        many(tmp_path, range(1000, 1060), undisturbed)
        many(tmp_path, range(2000, 2020), undisturbed, kills=4)


def test_two_runs_of_a_partition_at_once_take_turns(county, undisturbed):
    both = [
        subprocess.Popen(
            command(county),
            env=environment(county) | {"DAGSTER_HOME": str(county.data / f"home{number}")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(2)
    ]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("Nothing new" in text for text in said) == 1
    found = {name: digest for name, digest in outcome(county).items() if not name.startswith("data/home")}
    assert found == undisturbed


def test_a_file_that_comes_or_goes_while_a_run_reads_is_taken_by_the_next(county, undisturbed, tmp_path):
    late = county.inbox / CODES[1]
    kept = tmp_path / "kept"
    shutil.move(late, kept)
    with subprocess.Popen(
        command(county), env=environment(county), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        for number, _ in enumerate(process.stderr):
            if number == 1:  # the inbox has just been looked at
                shutil.copytree(kept, late)
                shutil.rmtree(county.inbox / CODES[2])
    assert process.returncode == 1  # one body was missing when the run looked
    assert not (county.out / REGION / str(YEAR) / "latest.json").exists()
    county.add({good(CODES[2]).path(GOOD): good(CODES[2]).workbook()})
    done = run(county)
    assert done.returncode == 0, done.stderr
    released = {name: digest for name, digest in undisturbed.items() if "/releases/" in name}
    assert released.items() <= outcome(county).items()


# A disk of its own, small at first, in a namespace that ends with the script: $1 its place, $2 its size, $3 where what
# stood there is copied in the end; then the command.
FULL = """
set -u
place=$1 size=$2 copy=$3; shift 3
cp -a "$place" "$copy-before"
mount -t tmpfs -o size=$size tmpfs "$place" && cp -a "$copy-before/." "$place" || exit 77
"$@" > "$copy-first" 2>&1
echo $? >> "$copy-first"
mount -o remount,size=400m "$place"
"$@"; code=$?
cp -a "$place" "$copy"
exit $code
"""


READ_ONLY = 'mount -t tmpfs -o ro tmpfs "$1"; shift; exec "$@"'


def needs_a_disk_of_its_own() -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("a small disk cannot be mounted here (unshare -rm)")


@pytest.mark.parametrize(
    ("which", "size"), [("out", "150k"), ("data", "600k"), pytest.param("out", "900k", marks=pytest.mark.soak)]
)
def test_a_full_disk_is_said_and_the_next_run_is_clean(county, undisturbed, tmp_path, which, size):
    needs_a_disk_of_its_own()
    place = getattr(county, which)
    place.mkdir(exist_ok=True)
    home = tmp_path / "home"  # Dagster's own records are on another disk: this is about the county's data
    home.mkdir()
    script = tmp_path / "full.sh"
    script.write_text(FULL, encoding="utf-8")
    copy = tmp_path / "copy"
    done = subprocess.run(
        ["unshare", "-rm", "sh", str(script), str(place), size, str(copy), *command(county)],
        env=environment(county) | {"DAGSTER_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    first = (tmp_path / "copy-first").read_text(encoding="utf-8")
    assert first.splitlines()[-1] == "2", first
    assert "磁盘已满" in first
    assert "Traceback" not in first
    assert done.returncode == 0, done.stderr
    shutil.rmtree(place)
    copy.rename(place)
    assert outcome(county) == undisturbed


def test_a_place_that_cannot_be_written_is_said(county, undisturbed, tmp_path):
    needs_a_disk_of_its_own()
    county.out.mkdir()
    home = tmp_path / "home"
    home.mkdir()
    closed = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 77; shift; exec "$@"'
    for which in (county.data, county.out):
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", closed, "sh", str(which), *command(county)],
            env=environment(county) | {"DAGSTER_HOME": str(home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, done.stdout + done.stderr
        assert "磁盘只读" in done.stderr
        assert "Traceback" not in done.stderr
    assert run(county).returncode == 0
    assert outcome(county) == undisturbed


def test_damaged_tables_of_an_earlier_run_are_made_anew(county, undisturbed):
    assert run(county).returncode == 0
    tables = sorted(path for path in (county.data / "tables").rglob("*") if path.is_file())
    for number, path in enumerate(tables):  # nothing in it, not what it should be, cut off
        whole = path.read_bytes()
        path.write_bytes((b"", b"PAR1 is not enough", whole[: len(whole) // 2])[number % 3])
    done = run(county)
    assert done.returncode == 0, done.stderr
    stored = [path for path in tables if "kept_readings" not in path.parts]  # those are told in Dagster's log
    assert [path for path in stored if f"“{path}”已损坏" not in done.stderr] == []
    assert outcome(county) == undisturbed
