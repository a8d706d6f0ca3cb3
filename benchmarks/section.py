"""The form of a benchmark: what one module measured, as figures with keys and tables that show them.

A benchmark is a module with ``measure(quick: bool) -> Section`` that ends in ``main(measure, __doc__)``, and an entry
of sections.toml; nothing else knows it. Every figure has a key and is kept in results.json under ``SECTION.key``; a
table shows figures by their keys, so that the report and the data cannot differ. Whether an aim is kept is not said
here: aims are data (sections.toml), and the report works them out.

    def measure(quick: bool) -> Section:
        figures = Figures()
        row = ("gongkai", figures("gongkai.seconds", 0.512, "{:.2f} s"))
        return Section(figures.values, (table("Reading.", ("way", "time"), [row]),), libraries=libraries("polars"))

Belongs here: that form, the command line of one module, medians and slopes. Does not belong here: what the machine is
(machine.py), the report (report.py), running several (__main__.py).
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

ROUND = "{:.6g}"  # as many digits of a figure are kept; the last ones are noise already


class Shown(msgspec.Struct, frozen=True, array_like=True):
    """A cell of a table that shows a figure: its key within the section, and how it is written."""

    figure: str
    form: str


Cell = str | Shown


class Table(msgspec.Struct, frozen=True):
    """A table with the words above it. The first columns are words; a column of figures has a ``Shown`` in some row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Section(msgspec.Struct, frozen=True):
    """What one benchmark measured: figures by key, tables, and paragraphs that say what was done.

    ``left_out`` names what could not be measured here, with the reason; ``libraries`` the versions that were measured.
    """

    figures: Mapping[str, float]
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    libraries: Mapping[str, str] = msgspec.field(default_factory=dict)


class Figures:
    """Keeps each figure under its key and answers the cell that shows it. Raises ValueError for a key given twice."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def __call__(self, key: str, value: float, form: str = "{:.2f}") -> Shown:
        if key in self.values:
            raise ValueError(f"the figure {key} is given twice")
        if not math.isfinite(value):
            raise ValueError(f"the figure {key} is {value}")
        self.values[key] = float(ROUND.format(value))
        return Shown(key, form)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Table:
    """A table of any sequences. Raises ValueError for a row of another length than the head."""
    made = Table(title, tuple(columns), tuple(tuple(row) for row in rows))
    for row in made.rows:
        if len(row) != len(made.columns):
            raise ValueError(f"{len(row)} cells below {len(made.columns)} heads: {row}")
    return made


def slope(points: Mapping[int, float]) -> float:
    """How a figure grows with size: the slope of the line through the logarithms of both; 1 is linear.

    Raises ValueError for fewer than two sizes or a figure that is not above 0.
    """
    if len(points) < 2 or min(points.values()) <= 0:
        raise ValueError(f"no slope through {dict(points)}")
    sizes, figures = ([math.log(value) for value in values] for values in (points, points.values()))
    return statistics.linear_regression(sizes, figures).slope


def median_ratio(ours: Sequence[float], floor: Sequence[float]) -> float:
    """The median of what each round says, so that a slow minute slows both sides of a ratio."""
    return statistics.median(own / other for own, other in zip(ours, floor, strict=True))


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """The command line that every benchmark has; one with more to choose adds it."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes and few rounds: does everything still work?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the section there instead of showing it")
    return parser


def deliver(section: Section, to: Path | None) -> None:
    """Write the section as JSON, or show it as Markdown."""
    for row in (row for each in section.tables for row in each.rows):
        for cell in row:
            if isinstance(cell, Shown) and cell.figure not in section.figures:
                raise ValueError(f"a table shows the figure {cell.figure}, which is not given")
    if to:
        to.write_bytes(msgspec.json.encode(section))
        return
    from benchmarks.report import section_text

    sys.stdout.write(section_text(section, (), "") + "\n")


def main(measure: Callable[[bool], Section], doc: str | None, argv: Sequence[str] | None = None) -> None:
    """The command of a benchmark: ``python -m benchmarks.NAME [--quick] [--json FILE]``."""
    given = arguments(doc).parse_args(argv)
    deliver(measure(given.quick), given.json)
