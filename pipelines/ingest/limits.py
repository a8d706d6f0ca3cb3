"""How much a delivered file may ask for: one place for every bound of intake.

Belongs here: the limits of a parsing process, the bounds that readers keep by themselves, the clock of a job.
Does not belong here: enforcing them from outside (sandbox.py).

A return has some 210 cells and its report some ten pages, so every bound is far above what an honest file needs.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pipelines.settings import Settings

MIB = 1024 * 1024


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one file may cost. Sizes in bytes, times in seconds.

    ``wall_seconds`` counts while our own readers work, ``office_seconds`` while LibreOffice converts (a process of its
    own, which does not count towards ``cpu_seconds``).
    """

    file_bytes: int = 48 * MIB
    memory_bytes: int = 512 * MIB
    cpu_seconds: int = 4
    wall_seconds: int = 30
    office_seconds: int = 60
    output_bytes: int = 16 * MIB


DEFAULT_LIMITS = Limits()


def limits_of(settings: Settings) -> Limits:
    """The limits that the settings ask for. The other times grow with the clock, in the relation of the defaults."""
    seconds = settings.limit_seconds
    return Limits(
        file_bytes=settings.limit_file_mebibytes * MIB,
        memory_bytes=settings.limit_memory_mebibytes * MIB,
        cpu_seconds=-(-seconds * DEFAULT_LIMITS.cpu_seconds // DEFAULT_LIMITS.wall_seconds),
        wall_seconds=seconds,
        office_seconds=-(-seconds * DEFAULT_LIMITS.office_seconds // DEFAULT_LIMITS.wall_seconds),
    )


# Containers (zip, office files)
MAX_MEMBERS = 2000
MAX_UNPACKED = 160 * MIB
MAX_PART = 48 * MIB  # one XML part that we really read
SUSPICIOUS_RATIO = 250  # judged only above SUSPICIOUS_FROM: small repetitive parts compress as well
SUSPICIOUS_FROM = 8 * MIB

# Archives of returns
MAX_ARCHIVE_FILES = 300

# Tables
MAX_ROWS = 5000
MAX_COLUMNS = 512
MAX_POSITIONS = 200_000  # positions covered in one document
MAX_TEXT = 8_000_000  # characters of one document
MAX_TEXT_BYTES = 24 * MIB  # of a file that is all text: three bytes a character
MAX_LINES = 50_000
MAX_DEPTH = 200  # nesting of elements
MAX_PAGES = 80


@contextmanager
def clock_held(seconds: float) -> Iterator[None]:
    """Hold the wall clock of the running job while another process works for it, such as a conversion: for ``seconds``
    at most, then the clock runs on from where it stood. Does nothing where no clock runs (see sandbox_worker.py).
    """
    left, _ = signal.getitimer(signal.ITIMER_REAL)
    if left <= 0:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left)
