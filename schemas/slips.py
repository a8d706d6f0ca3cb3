"""The kinds of slip people make, as declared in ``slips.toml``: how likely each is and how it is told.

Belongs here: the frozen models of that file. Does not belong here: recognising a slip (pipelines/validate/slips.py).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from schemas.declaration import load_toml


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Strict base: unknown keys are refused."""


class SlipKind(_Model, frozen=True):
    """One kind. ``cells``: how many cells it changes, 0 for a whole line. ``cost``: the lower, the likelier."""

    id: str
    cost: int
    zh: str
    en: str
    cells: int = 1


class Slips(_Model, frozen=True):
    """The file ``slips.toml``: the kinds and the weights of slips and witnesses."""

    base: int
    claim_against: int
    claim_unlikely: int
    warning_against: int
    kinds: tuple[SlipKind, ...]


@cache
def load_slips() -> Slips:
    """The declared kinds. Raises DeclarationError."""
    return load_toml(Path(__file__).with_name("slips.toml"), Slips)


@cache
def slip_kinds() -> dict[str, SlipKind]:
    """The kinds by id. Raises ValueError for an id used twice."""
    kinds = {kind.id: kind for kind in load_slips().kinds}
    if len(kinds) != len(load_slips().kinds):
        raise ValueError("slips.toml: an id is used twice")
    return kinds
