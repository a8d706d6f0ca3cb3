"""Dagster's records during a run in this process: the SQLite files are kept open, so that an event costs one write.

Belongs here: holding the files. Does not belong here: where they are kept and how they are set up (instance.py).

Dagster opens and closes a connection for each event. SQLite empties its write-ahead log whenever the last connection
to a file is closed, so each event is written and forced to disk several times over. A further connection, which only
stays open, leaves the log standing until the run ends. What is promised stays the same: each event is on disk before
the next is handled, and what a killed run leaves in the log is read by whoever opens the file next.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path


@contextmanager
def held_open(home: Path, run_id: str) -> Iterator[Callable[[], None]]:
    """Hold the records below ``home`` (DAGSTER_HOME) and, once it is there, the file of the run itself.

    Yields what is to be called after an event of the run, for its file is made with the first. Records that are kept
    elsewhere have no such files; then nothing is held. A file that cannot be held is no fault: it only costs time.
    """
    folder = home / "history" / "runs"
    own = folder / f"{run_id}.db"
    held: set[Path] = set()
    with ExitStack() as open_files:

        def hold(path: Path) -> None:
            if path in held or not path.is_file():
                return
            held.add(path)
            with suppress(sqlite3.Error):
                address = f"{path.resolve().as_uri()}?mode=rw"
                connection = sqlite3.connect(address, uri=True, check_same_thread=False)
                open_files.enter_context(closing(connection))
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # held only once it was read

        hold(home / "history" / "runs.db")
        hold(folder / "index.db")
        yield lambda: hold(own)
