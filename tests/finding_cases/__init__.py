"""One case per kind of finding: what makes it fire, and its right twin. What it says stands in ``expected.toml``.

Belongs here: cases that ask the code that makes the finding in earnest. Does not belong here: ``make_finding`` for the
kind in question, or what is compared (tests/test_finding_kinds.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from schemas.findings import Finding

Make = Callable[[Path], Iterable[Finding]]  # from an empty folder that the case may use


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A kind in use. ``fires`` and ``silent`` ask the same code, about something wrong and about its right twin."""

    fires: Make
    silent: Make
