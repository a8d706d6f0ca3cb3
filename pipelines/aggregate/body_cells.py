"""The published figures of each body: accepted submissions as tidy rows, each leading to its place in a file.

Belongs here: joining settled values with what stands in the file. Does not belong here: choosing the submissions.
"""

from __future__ import annotations

import polars as pl

from schemas.form import Form
from schemas.frames import tidy_schema, tidy_types

BODIES = 500


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
    types = tidy_types("body_cells")
    order = form_cells(form).select("cell", "table", "row", "column", "unit").with_row_index("place")
    said = cells.select("file", "cell", "raw", "state", "address")
    said = said.filter(pl.col("file").is_in(accepted["file"].implode())).unique(["file", "cell"], keep="last")
    ids = [cell.id for cell in form.cells]
    known = ["region", "year", "body", "file", "file_sha256"]
    figures = accepted.select(*known, pl.col(ids).cast(types["value"])).with_row_index("at")

    def joined(part: pl.DataFrame) -> pl.DataFrame:
        return (
            part.unpivot(on=ids, index=["at", *known], variable_name="cell", value_name="value")
            .join(order, on="cell")
            .join(said, on=["file", "cell"], how="left")
            .sort("at", "place")
            .with_columns(pl.col("state").fill_null("absent"))
            .select([pl.col(name).cast(kind) for name, kind in types.items()])
        )

    # some bodies at a time: what the joins hold beside their result stays small
    frame = pl.concat([joined(figures.slice(start, BODIES)) for start in range(0, max(figures.height, 1), BODIES)])
    tidy_schema("body_cells").validate(frame)
    return frame
