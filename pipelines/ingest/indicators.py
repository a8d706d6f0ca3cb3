"""The regional supplement as it stands in a file: rows below its head, each named by the indicator's id.

Belongs here: finding the head and reading the figures, vague ones (1000余) as the number they state. Does not belong
here: which indicators a region declares (schemas/region.py), adding up (pipelines/aggregate).
"""

from __future__ import annotations

import re
from decimal import Decimal

from pipelines.ingest.document import Document, Grid, TextCell
from pipelines.ingest.labels import squash
from pipelines.ingest.normalise import Reading, read_value, tidy
from pipelines.layout import SUPPLEMENT_HEAD, SUPPLEMENT_PREFIX
from schemas.intake import Indicator

_ID = re.compile(r"^[a-z][a-z0-9_]*$")
# ``1000余``, ``1000多``, ``1000以上``, ``>1000``, each perhaps with a counter behind it.
_VAGUE = re.compile(r"^[>≥]?\s*(\d[\d,]*(?:\.\d+)?)\s*(?:余|多|以上)?\s*[^\d\s,.]{0,3}$")


def read_indicators(document: Document) -> tuple[Indicator, ...]:
    """The indicators of a document in reading order, () where it has none. The first of an id counts."""
    found: dict[str, Indicator] = {}
    for cell, raw, at in document.tidy:
        if cell.startswith(SUPPLEMENT_PREFIX):
            identifier = cell.removeprefix(SUPPLEMENT_PREFIX)
            found.setdefault(identifier, _indicator(identifier, raw, "", at))
    for item in document.items:
        if isinstance(item, Grid):
            for indicator in _of_grid(item):
                found.setdefault(indicator.indicator, indicator)
    return tuple(found.values())


def _of_grid(grid: Grid) -> list[Indicator]:
    head = _head(grid)
    if head is None:
        return []
    filled = grid.filled()
    row, columns = head
    found: list[Indicator] = []
    for below in range(row + 1, grid.rows):
        name = filled.get((below, columns[0]))
        figure = filled.get((below, columns[-1]))
        if name is None or not _ID.match(name.text.strip()):
            continue
        cell = figure or TextCell(row=below, column=columns[-1], text="")
        found.append(_indicator(name.text.strip(), cell.text, cell.number, cell.at))
    return found


def _head(grid: Grid) -> tuple[int, tuple[int, ...]] | None:
    """The row of the supplement's head and the columns of its parts."""
    wanted = [squash(text) for text in SUPPLEMENT_HEAD]
    rows: dict[int, dict[str, int]] = {}
    for cell in grid.cells:
        text = cell.text
        if text and not cell.number and not text.isdecimal() and (said := squash(text)) in wanted:
            rows.setdefault(cell.row, {}).setdefault(said, cell.column)
    for row in sorted(rows):
        if all(text in rows[row] for text in wanted):
            return row, tuple(rows[row][text] for text in wanted)
    return None


def _indicator(identifier: str, raw: str, number: str, at: str) -> Indicator:
    reading = read_value(raw, "count", "", number)
    if reading.state == "text":
        vague = _VAGUE.match(tidy(raw))
        if vague:
            reading = Reading("given", Decimal(vague.group(1).replace(",", "")))
    said = raw if raw.strip() else number
    return Indicator(indicator=identifier, value=reading.value, raw=said or None, state=reading.state, at=at)
