"""A small inbox is read while the program that runs the steps is still being loaded.

Belongs here: when that is worth it, and doing it beside everything else. Does not belong here: reading (intake.py),
keeping what was read (kept.py).

Nothing hangs on it: the steps look at the inbox themselves and take what they find read. What goes wrong here is met
again by the step whose work it is, which then says so.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from itertools import islice
from logging import getLogger

import msgspec
import polars as pl

from pipelines.ingest.inbox import receive
from pipelines.ingest.intake import read_received
from pipelines.ingest.limits import Limits
from pipelines.storage import inbox_path, kept_readings_path, local

MOST_FILES = 300  # of a year; more take so long that their progress should be seen, and loading no longer matters
_TURN = 0.0005  # seconds; loading keeps the interpreter busy, and whoever hands files on must not queue for it


def read_ahead(data: str, region: str, years: Sequence[int], workers: int, limits: Limits) -> threading.Thread | None:
    """Read the inboxes of ``years``, in this order, beside what else this process does; None where it is not worth it.

    Read are inboxes on this machine's disk that are small and of which nothing was read before: where kept readings
    stand there is little to read, and only a step may tell of damage to them. The thread need not be waited for.
    """
    worth = [year for year in years if _is_worth_it(data, region, year)]
    if not worth:
        return None
    thread = threading.Thread(target=_read, args=(data, region, worth, workers, limits), name="ahead", daemon=True)
    thread.start()
    return thread


def _is_worth_it(data: str, region: str, year: int) -> bool:
    folder, kept = local(inbox_path(data, region, year)), kept_readings_path(data, region, year)
    if folder is None or not folder.is_dir() or kept.exists():
        return False
    return 0 < sum(1 for _ in islice(folder.rglob("*"), MOST_FILES + 1)) <= MOST_FILES


def _read(data: str, region: str, years: Sequence[int], workers: int, limits: Limits) -> None:
    silent = getLogger(__name__)
    silent.disabled = True  # how far it is, is told by the step
    turn = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        for year in years:
            seen = receive(data, region, year)
            rows = [{"region": region, "year": year, **msgspec.structs.asdict(each)} for each in seen]
            read_received(data, pl.DataFrame(rows, orient="row", infer_schema_length=None), workers, limits, silent)
    except Exception as fault:  # noqa: BLE001 - the step meets it again and tells it
        silent.debug("%s", fault)
    finally:
        sys.setswitchinterval(turn)
