"""The published figures of each body: accepted submissions as tidy rows, each leading to its place in a file.

Belongs here: joining settled values with what stands in the file. Does not belong here: choosing the submissions.
"""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from schemas.form import Form
from schemas.frames import tidy_schema, tidy_types


def form_cells(form: Form) -> pl.DataFrame:
    """The ``form_cells`` table: the codelist of an edition in the form's order."""
    rows = [
        {
            "cell": cell.id,
            "edition": form.edition,
            "table": cell.table,
            "row": cell.row,
            "column": cell.column,
            "label_zh": cell.label_zh,
            "label_en": cell.label_en,
            "kind": cell.kind,
            "unit": cell.unit,
            "total": cell.total,
        }
        for cell in form.cells
    ]
    frame = pl.DataFrame(rows, schema=tidy_types("form_cells"), orient="row")
    tidy_schema("form_cells").validate(frame)
    return frame


def body_cells(form: Form, accepted: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """The ``body_cells`` table: every cell of the form for every accepted submission, verbatim text beside the value.

    ``accepted``: the wide frame; ``cells``: the ``cells`` table. A cell that is not in the file has state ``absent``.
    """
    stands = {(row["file"], row["cell"]): row for row in cells.iter_rows(named=True)}
    rows = []
    for row in accepted.iter_rows(named=True):
        for cell in form.cells:
            found = stands.get((row["file"], cell.id))
            value = row[cell.id]
            rows.append(
                {
                    "region": row["region"],
                    "year": row["year"],
                    "body": row["body"],
                    "cell": cell.id,
                    "table": cell.table,
                    "row": cell.row,
                    "column": cell.column,
                    "value": None if value is None else Decimal(value),
                    "unit": cell.unit,
                    "raw": found["raw"] if found else None,
                    "state": found["state"] if found else "absent",
                    "file_sha256": row["file_sha256"],
                    "address": found["address"] if found else None,
                }
            )
    frame = pl.DataFrame(rows, schema=tidy_types("body_cells"), orient="row")
    tidy_schema("body_cells").validate(frame)
    return frame
