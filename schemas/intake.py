"""What intake hands to the other stages: a read file, its cells as they stand, its claims and its problems.

Belongs here: the frozen records between ingest and validate, and the JSON of ``gongkai extract`` and ``gongkai check``.
Does not belong here: reading (pipelines/ingest) or judging (pipelines/validate).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from schemas.findings import Finding

# given: a number; blank: an empty cell; slash: "/", "-", "—" or 无; text: words; formula: a formula without a result
State = Literal["given", "blank", "slash", "text", "formula"]


class ReadCell(msgspec.Struct, frozen=True, kw_only=True):
    """One cell as it stands in the file. ``raw`` verbatim; ``value`` in the form's unit, None unless state is given.

    ``table``, ``row`` and ``column`` are those of the cell's id; ``at`` is a person's address in the file, such as
    ``统计表!C14`` or ``表格3 第7行第4列``.
    """

    cell: str
    value: Decimal | None
    raw: str | None
    state: State
    at: str = ""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A figure stated in a sentence. ``cell`` is the likeliest cell; ``readings`` all accepted ones, as signed sums."""

    cell: str
    value: Decimal
    text: str
    at: str = ""
    readings: tuple[tuple[str, ...], ...] = ()


class Indicator(msgspec.Struct, frozen=True, kw_only=True):
    """One indicator of the regional supplement as it stands in the file."""

    indicator: str
    value: Decimal | None
    raw: str | None
    state: State
    at: str = ""


class ReadFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file after intake. ``own_workbook``: it is our fill-in workbook, so a blank is missing.

    ``form`` gives the edition of each table found; ``body_code`` is the code inside our workbook, ``body_name`` what
    the title or text calls the reporter; ``year`` the report year that the file states. ``problems`` never stop the
    reading of what could be read.
    """

    file: str
    sha256: str
    format: str
    own_workbook: bool = False
    form: dict[str, str] = {}
    body_code: str = ""
    body_name: str = ""
    year: int | None = None
    cells: tuple[ReadCell, ...] = ()
    claims: tuple[Claim, ...] = ()
    indicators: tuple[Indicator, ...] = ()
    problems: tuple[Finding, ...] = ()

    @property
    def readable(self) -> bool:
        """Whether at least one cell of the form was read."""
        return bool(self.cells)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of an explanation: what stands there and what it would take."""

    cell: str
    found: Decimal | int | None
    proposed: Decimal | int


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A set of changes that would satisfy every error rule: a smallest one, or one slip that changes a whole line.

    Equal ranks are ties. ``reason`` says in Chinese, ``reason_en`` in English, what may have happened.
    """

    rank: int
    changes: tuple[Change, ...]
    reason: str
    reason_en: str = ""
