"""Cells that a tidy file names by their ids.

Belongs here: which edition the ids belong to, ids that no edition knows. Does not belong here: csv and json themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.ingest.lines import Slot
from pipelines.ingest.match import read_cell
from pipelines.layout import SUPPLEMENT_PREFIX
from schemas.form import Form, edition_for, editions, load_form
from schemas.intake import ReadCell

Triple = tuple[str, str, str]


def read_tidy(
    tidy: Sequence[Triple], year: int | None
) -> tuple[tuple[ReadCell, ...], dict[str, str], tuple[Triple, ...]]:
    """(cells in the file's order, edition by table, triples whose id no edition has).

    A table's edition is the one that knows the most of its ids; of several, that of the year, else the newest. The
    supplement's indicators are neither cells nor unknown.
    """
    named = [triple for triple in tidy if not triple[0].startswith(SUPPLEMENT_PREFIX)]
    form: dict[str, str] = {}
    for table in dict.fromkeys(cell.split(".", 1)[0] for cell, _, _ in named):
        ids = {cell for cell, _, _ in named if cell.split(".", 1)[0] == table}
        order = _order(year)
        known = {edition: len(ids & set(load_form(edition).by_id)) for edition in order}
        best = max(order, key=lambda edition: (known[edition], -order.index(edition)))
        if known[best]:
            form[table] = best
    cells: list[ReadCell] = []
    unknown: list[Triple] = []
    for cell, raw, at in named:
        edition = form.get(cell.split(".", 1)[0])
        declared = _form(edition).by_id.get(cell) if edition else None
        if declared is None:
            unknown.append((cell, raw, at))
            continue
        slot = Slot(text=raw, at=at, kind="value" if raw.strip() else "empty")
        cells.append(read_cell(cell, slot, declared.kind, declared.unit))
    return tuple(cells), form, tuple(unknown)


def _form(edition: str) -> Form:
    return load_form(edition)


def _order(year: int | None) -> list[str]:
    newest = list(reversed(editions()))
    if year is None:
        return newest
    try:
        return list(dict.fromkeys([edition_for(year), *newest]))
    except KeyError:
        return newest
