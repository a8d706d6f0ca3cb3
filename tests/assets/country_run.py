"""Runs the project's own jobs over a country in a process of its own: the partitions are those of its regions folder.

Belongs here: what test_rollup.py starts. Settings come from the environment (GONGKAI_DATA, GONGKAI_OUT,
GONGKAI_REGIONS), as in a deployment; Dagster's records stay in memory.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import dagster as dg

from assets.definitions import defs
from assets.partitions import partition_key
from pipelines.regions import region_codes
from pipelines.settings import PROJECT, load_settings
from pipelines.storage import local, place

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def main(year: int) -> None:
    """Publish every region, then roll up; print which of them succeeded as JSON."""
    root = local(place(load_settings().regions))
    assert root not in (None, PROJECT / "regions")
    ended: dict[str, bool] = {}
    with dg.DagsterInstance.ephemeral() as instance:
        for job, key in [*(("publish", code) for code in region_codes(Path(str(root)))), ("roll_up", "")]:
            result = defs.resolve_job_def(job).execute_in_process(
                partition_key=partition_key(key, year) if key else str(year),
                instance=instance,
                raise_on_error=False,
                run_config=QUIET,
            )
            ended[key or job] = result.success
    print(json.dumps(ended))


if __name__ == "__main__":
    main(int(sys.argv[1]))
