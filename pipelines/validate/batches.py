"""The wide frame in batches, in its order and in bounded memory, the next ones read while one is worked on.

Belongs here: how a frame or Parquet files are cut, and threads. Does not belong here: what is done with a batch
(stream.py).

Threads read whole row groups of Parquet files; while one batch is worked on, all threads but one read on. Whoever asks
for batches judges them in its own thread, because judging runs too much Python between numpy's loops for two threads to
do it at once: they would wait for one another. Decoding runs none.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

Source = pl.DataFrame | pl.LazyFrame | Path | Sequence[Path]
BATCH_ROWS = 20_000
ROWS_AHEAD = 16 * BATCH_ROWS  # rows read at once; where a single row group has more, polars reads and cuts the file


def files_of(paths: Path | Iterable[Path]) -> list[Path]:
    """The Parquet files of a folder in order of name, one file, or the given files in the given order.

    Raises FileNotFoundError where there is none.
    """
    one = [paths] if isinstance(paths, Path) else list(paths)
    files = sorted(paths.glob("*.parquet")) if isinstance(paths, Path) and paths.is_dir() else one
    if not files:
        raise FileNotFoundError(f"没有可检查的 Parquet 文件：{paths} (no Parquet file to check)")
    return files


def usual_threads() -> int:
    """How many batches are read at once where nothing else is asked for: one per processor, from 2 to 4."""
    return min(max(os.cpu_count() or 1, 2), 4)


def batches_of(
    source: Source, columns: Sequence[str], rows: int = BATCH_ROWS, threads: int | None = None
) -> Iterator[pl.DataFrame]:
    """Some columns of a frame or of Parquet files (as ``files_of``), in their order, in batches of ``rows`` rows.

    A batch ends where a run of whole row groups does, so some have fewer. ``threads``: how many such runs are read at
    once, as ``usual_threads``; a lazy frame is left to polars.

    Raises FileNotFoundError where there is no file, ValueError where ``rows`` or ``threads`` is below 1.
    """
    threads = usual_threads() if threads is None else threads
    for name, number in (("batch_rows", rows), ("threads", threads)):
        if number < 1:
            raise ValueError(f"{name} 至少为 1 ({name} is at least 1)")
    if isinstance(source, pl.DataFrame):
        batches = source.select(columns).iter_slices(rows)
    elif isinstance(source, pl.LazyFrame):
        batches = _cut(source.select(columns), rows)
    else:
        batches = _of_files(files_of(source), columns, rows, threads)
    return _filled(batches)


def _filled(batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Those that have rows. A loop would hold one that is done with while the next is waited for; filter does not."""
    yield from filter(len, batches)


def _cut(frame: pl.LazyFrame, rows: int) -> Iterator[pl.DataFrame]:
    return frame.collect_batches(chunk_size=rows, maintain_order=True)


def _groups(file: Path, rows: int) -> list[tuple[int, int]] | None:
    """First row and size of runs of row groups of at most ``rows`` rows together, or of one; None: one is too large."""
    metadata = pq.read_metadata(file)
    runs: list[tuple[int, int]] = []
    start = 0
    for group in range(metadata.num_row_groups):
        size = metadata.row_group(group).num_rows
        if size > ROWS_AHEAD:
            return None
        if runs and runs[-1][1] + size <= rows:
            runs[-1] = (runs[-1][0], runs[-1][1] + size)
        else:
            runs.append((start, size))
        start += size
    return runs


def _together(files: Sequence[Path], rows: int) -> Iterator[tuple[list[Path], list[tuple[int, int]] | None]]:
    """The files with their runs (``_groups``); small ones that follow one another are read as one run.

    A file costs its opening, which would be most of the work for regions of some dozens of submissions.
    """
    small: list[Path] = []
    held = 0
    for file in files:
        groups = _groups(file, rows)
        size = rows if groups is None or len(groups) > 1 else sum(count for _, count in groups)
        if small and held + size > rows:
            yield small, [(0, held)]
            small, held = [], 0
        if size < rows:
            small.append(file)
            held += size
        else:
            yield [file], groups
    if small:
        yield small, [(0, held)]


class _Ahead:
    """What is being read, in order: at most ``threads`` runs of row groups, of at most ``ROWS_AHEAD`` rows together."""

    def __init__(self, pool: ThreadPoolExecutor, threads: int, rows: int) -> None:
        self._pool, self._threads, self._rows = pool, threads, rows
        self._runs: deque[tuple[int, Future[pl.DataFrame]]] = deque()

    def read(self, frame: pl.LazyFrame, start: int, size: int) -> Iterator[pl.DataFrame]:
        """Begin to read a run, where there is room for it: what is handed out comes first, so that there is."""
        while self._runs and sum(held for held, _ in self._runs) + size > ROWS_AHEAD:
            yield from self.first()
        self._runs.append((size, self._pool.submit(frame.slice(start, size).collect)))
        if len(self._runs) >= self._threads:
            yield from self.first()

    def first(self) -> Iterator[pl.DataFrame]:
        """The oldest run, in batches."""
        yield from self._runs.popleft()[1].result().iter_slices(self._rows)

    def rest(self) -> Iterator[pl.DataFrame]:
        """All that is left."""
        while self._runs:
            yield from self.first()

    def drop(self) -> None:
        """Begin nothing any more."""
        for _, run in self._runs:
            run.cancel()


def _of_files(files: Sequence[Path], columns: Sequence[str], rows: int, threads: int) -> Iterator[pl.DataFrame]:
    with ThreadPoolExecutor(threads, "read") as pool:
        ahead = _Ahead(pool, threads, rows)
        try:
            for some, groups in _together(files, rows):
                frame = pl.scan_parquet(some, glob=False).select(columns)
                if groups is None:
                    yield from ahead.rest()
                    yield from _cut(frame, rows)
                for start, size in groups or ():
                    yield from ahead.read(frame, start, size)
            yield from ahead.rest()
        finally:
            ahead.drop()
