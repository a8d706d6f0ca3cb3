"""Read files as the declared ``cells`` table.

Belongs here: the conversion. Does not belong here: any judgement of a cell.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from schemas.frames import tidy_schema, tidy_types
from schemas.intake import ReadFile


def cells_frame(reads: Sequence[ReadFile], region: str, year: int) -> pl.DataFrame:
    """Every cell of every read file, files and cells in the order read."""
    rows = [
        {
            "region": region,
            "year": year,
            "file": read.file,
            "file_sha256": read.sha256,
            "edition": read.form.get(cell.cell.split(".", 1)[0], ""),
            "cell": cell.cell,
            "value": cell.value,
            "raw": cell.raw,
            "state": cell.state,
            "address": cell.at or None,
        }
        for read in reads
        for cell in read.cells
    ]
    frame = pl.DataFrame(rows, schema=tidy_types("cells"), orient="row")
    tidy_schema("cells").validate(frame)
    return frame
