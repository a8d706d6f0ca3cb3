"""How reports state figures in sentences, as strict models of ``claims.toml``, and the cells that a reading names.

Belongs here: the shape of the patterns and the expansion of ``@group``. Does not belong here: finding sentences
(pipelines/ingest/claims.py), judging them (pipelines/validate/claims.py).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from schemas.declaration import DeclarationError, line_of, read_toml
from schemas.form import Block, Form, load_form, rows_of_group

Topic = Literal["requests", "disputes", "documents", ""]


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Strict base: unknown keys are refused."""


class ClaimPattern(_Model, frozen=True):
    """A way of stating a figure. Exactly one of ``cell`` and ``column`` is given; see the head of claims.toml.

    ``subject``: the row (``table.row``) that later patterns with a ``column`` speak of; ``default``: the row they speak
    of when no subject was named.
    """

    id: str
    say: str
    topic: Topic = ""
    near: Literal["clause", "block"] = "block"
    after: str = ""
    cell: str = ""
    column: str = ""
    default: str = ""
    subject: str | None = None
    readings: tuple[tuple[str, ...], ...] = ()
    counters: tuple[str, ...] = ()
    veto: str = ""
    veto_sentence: str = ""


class NothingPattern(_Model, frozen=True):
    """Words that state 0 without a number."""

    id: str
    say: str
    cell: str
    readings: tuple[tuple[str, ...], ...] = ()


class FeePattern(_Model, frozen=True):
    """Words of section six that state cells: ``zero`` says 0 for all of them, ``figure`` gives the number of one."""

    cells: tuple[str, ...]
    zero: str = ""
    figure: str = ""
    after: str = ""
    counters: tuple[str, ...] = ()


class ClaimDeclaration(_Model, frozen=True):
    """The file ``claims.toml``."""

    counters: tuple[str, ...]
    topics: dict[Literal["requests", "disputes", "documents"], str]
    never: tuple[str, str]
    claims: tuple[ClaimPattern, ...]
    nothing: tuple[NothingPattern, ...]
    fees: tuple[FeePattern, ...]


def read_claims(text: str, file: str) -> ClaimDeclaration:
    """The patterns from their TOML text. Raises DeclarationError naming ``file`` and line: an unknown key, an
    expression that is none, an id used twice, a pattern without a cell, a cell that no edition of the form has."""
    declared = read_toml(text, ClaimDeclaration, file)

    def check(path: str, problem: str, holds: bool) -> None:
        if not holds:
            raise DeclarationError(file, line_of(text, path), problem)

    forms = [load_form("2021")]
    seen: set[str] = set()
    for n, claim in enumerate(declared.claims):
        path = f"$.claims[{n}]"
        check(f"{path}.id", f"the id {claim.id!r} is used twice", claim.id not in seen)
        seen.add(claim.id)
        check(path, "a claim names a cell or a column", bool(claim.cell) != bool(claim.column))
        for key in ("say", "after", "veto", "veto_sentence"):
            check(f"{path}.{key}", "not a regular expression", _compiles(getattr(claim, key)))
        for reading in [(claim.cell,), *claim.readings] if claim.cell else claim.readings:
            for term in reading:
                known = any(cells_of_term(form, term) for form in forms)
                check(f"{path}.readings", f"no cell of the form: {term!r}", known)
    for n, nothing in enumerate(declared.nothing):
        check(f"$.nothing[{n}].say", "not a regular expression", _compiles(nothing.say))
        for reading in ((nothing.cell,), *nothing.readings):
            for term in reading:
                known = any(cells_of_term(form, term) for form in forms)
                check(f"$.nothing[{n}]", f"no cell of the form: {term!r}", known)
    for n, fee in enumerate(declared.fees):
        check(f"$.fees[{n}]", "fees state a zero or a figure", bool(fee.zero) != bool(fee.figure))
        check(f"$.fees[{n}]", "not a regular expression", _compiles(fee.zero) and _compiles(fee.figure))
        for cell in fee.cells:
            check(f"$.fees[{n}].cells", f"no cell of the form: {cell!r}", any(cell in form.by_id for form in forms))
    return declared


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


@cache
def load_claims() -> ClaimDeclaration:
    """The patterns of ``schemas/claims.toml``. Raises DeclarationError."""
    path = Path(__file__).with_name("claims.toml")
    return read_claims(path.read_text(encoding="utf-8"), path.name)


def cells_of_term(form: Form, term: str) -> tuple[str, ...]:
    """``-requests.@refused.total`` as signed cell ids of that edition; () where the edition has none of them.

    ``@name`` is every row below a row group, or every column of a column group; where an edition has a row of that
    name instead of a group (``other_handling`` of 2019), it is that row.
    """
    sign = "-" if term.startswith("-") else ""
    table, row, column = term.removeprefix("-").split(".")
    found: list[str] = []
    for declared in form.tables:
        for block in declared.blocks if declared.id == table else ():
            for row_id in _rows(block, row):
                found += [f"{sign}{table}.{row_id}.{name}" for name in _columns(block, column)]
    # a table of several blocks is asked block by block, so a plain name comes back once for each
    return tuple(cell for cell in dict.fromkeys(found) if cell.removeprefix("-") in form.by_id)


def _rows(block: Block, name: str) -> tuple[str, ...]:
    if not name.startswith("@"):
        return (name,)
    below = rows_of_group(block, name[1:])
    return tuple(row.id for row in below) or (name[1:],)


def _columns(block: Block, name: str) -> tuple[str, ...]:
    if not name.startswith("@"):
        return (name,)
    return tuple(column.id for column in block.columns if column.group == name[1:])


def expand(form: Form, reading: tuple[str, ...]) -> tuple[str, ...] | None:
    """A reading as signed cell ids; None where the edition lacks one of its terms."""
    cells: list[str] = []
    for term in reading:
        found = cells_of_term(form, term)
        if not found:
            return None
        cells += found
    return tuple(cells)
