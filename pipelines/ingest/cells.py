"""Read files as the declared ``cells`` table.

Belongs here: the conversion. Does not belong here: any judgement of a cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

import polars as pl

from schemas.frames import tidy_schema, tidy_types
from schemas.intake import ReadFile

BATCH = 500  # read files that are decoded at a time


def cells_frame(reads: Iterable[ReadFile], region: str, year: int) -> pl.DataFrame:
    """Every cell of every read file, files and cells in the order read; some hundred files are held at a time.

    The contract is checked on as many at a time too: its key begins with the file, so it holds for the whole where it
    holds for each part and no file stands in two. Raises pandera's SchemaErrors.
    """
    coming, schema = iter(reads), tidy_schema("cells")
    frames, files, twice = list[pl.DataFrame](), set[str](), False
    while batch := list(islice(coming, BATCH)):
        frames.append(_frame(batch, region, year))
        schema.validate(frames[-1])
        names = {read.file for read in batch}
        twice = twice or not files.isdisjoint(names)
        files |= names
    frame = pl.concat(frames) if frames else pl.DataFrame(schema=tidy_types("cells"))
    if twice:
        schema.validate(frame)
    return frame


def _frame(reads: Sequence[ReadFile], region: str, year: int) -> pl.DataFrame:
    """The cells of some files. What is the same for all cells of a file, or names a cell, is held once."""
    cells = [cell for read in reads for cell in read.cells]
    lengths = [len(read.cells) for read in reads]
    editions = [read.form.get(cell.cell.split(".", 1)[0], "") for read in reads for cell in read.cells]
    columns = {
        "region": pl.repeat(region, len(cells), dtype=pl.String, eager=True),
        "year": pl.repeat(year, len(cells), dtype=pl.Int32, eager=True),
        "file": _spread([read.file for read in reads], lengths),
        "file_sha256": _spread([read.sha256 for read in reads], lengths),
        "edition": editions,
        "cell": _shared([cell.cell for cell in cells]),
        "value": [cell.value for cell in cells],
        "raw": [cell.raw for cell in cells],
        "state": [cell.state for cell in cells],
        "address": [cell.at or None for cell in cells],
    }
    return pl.DataFrame(columns, schema=tidy_types("cells"))


def _spread(values: Sequence[str], lengths: Sequence[int]) -> pl.Series:
    positions = [position for position, length in enumerate(lengths) for _ in range(length)]
    return pl.Series(values, dtype=pl.String).gather(positions)


def _shared(values: Sequence[str]) -> pl.Series:
    known = {value: position for position, value in enumerate(dict.fromkeys(values))}
    return pl.Series(list(known), dtype=pl.String).gather([known[value] for value in values])
