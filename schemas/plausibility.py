"""What is possible but unlikely in a return, as declared in ``plausibility.toml``.

Belongs here: the frozen models of that file. Does not belong here: applying them (pipelines/validate/plausibility.py).
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec

from schemas.declaration import load_toml


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Strict base: unknown keys are refused."""


class PositiveBesideZero(_Model, frozen=True):
    """``positive`` cells add up to more than 0 while every ``zero`` cell is 0: a finding of ``kind``."""

    kind: str
    edition: str
    positive: tuple[str, ...]
    zero: tuple[str, ...]


class Limits(_Model, frozen=True):
    """The limits of the checks against the unit and against last year's figure."""

    large_unit: str
    per_large_unit: int
    surely_large: int
    like_last_year: int
    tenfold_from: int | float
    tenfold_to: int | float
    least_figure: int

    @property
    def tenfold(self) -> tuple[Decimal, Decimal]:
        """The range of ratios that look like a digit added, exact."""
        return Decimal(str(self.tenfold_from)), Decimal(str(self.tenfold_to))


class Plausibility(_Model, frozen=True):
    """The file ``plausibility.toml``."""

    checks: tuple[PositiveBesideZero, ...]
    limits: Limits


@cache
def load_plausibility() -> Plausibility:
    """The declared checks. Raises DeclarationError."""
    return load_toml(Path(__file__).with_name("plausibility.toml"), Plausibility)
