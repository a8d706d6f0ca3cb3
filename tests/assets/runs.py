"""``gongkai run`` of the small county as a process of its own, and what stands on disk when it is over."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tests.assets.conftest import YEAR, County
from tests.facts import REGION

# Dagster's own records, locks and the board's page with its date are no outcome.
PASSING = ("dagster/", "locks/", f"board/{REGION}/{YEAR}/index.html", ".")


def command(county: County, *more: str) -> list[str]:
    """The command line."""
    places = ("--data", str(county.data), "--out", str(county.out))
    return [sys.executable, "-m", "gongkai", "run", "--region", REGION, "--year", str(YEAR), *places, *more]


def environment(county: County, **settings: str) -> dict[str, str]:
    """The variables of this process with those of the county and ``settings``."""
    home = county.data / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    return os.environ | {"GONGKAI_REGIONS": str(county.regions), "DAGSTER_HOME": str(home)} | settings


def run(county: County, *more: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run to its end."""
    return subprocess.run(
        command(county, *more), env=environment(county, **settings), capture_output=True, text=True, check=False
    )


def outcome(county: County) -> dict[str, str]:
    """SHA-256 by path of everything below DATA and OUT that a run leaves."""
    found: dict[str, str] = {}
    for root in (county.data, county.out):
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_file() and not name.startswith(PASSING) and not path.name.startswith("."):
                found[f"{root.name}/{name}"] = _digest(path)
    return found


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
