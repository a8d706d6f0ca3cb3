"""Naming the wrong cell: how often it is right and how long it takes, beside HiGHS alone on the same cases.

For each kind of error and each density of figures: how often there is one explanation and it is the truth, how often
the truth has rank one (alone or tied), median milliseconds; and, on some of the same cases, how often the one set that
HiGHS picks is the truth, and its milliseconds. Then all wrong returns of a large county's worth of submissions. All
returns and errors are synthetic, from the generator in localise_cases.py with fixed seeds: the shares say how well
errors of these kinds are found, not how often people make them.

    python -m benchmarks.localise [--quick] [--json FILE]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import polars as pl

from benchmarks.localise_cases import Broken, Generator
from benchmarks.localise_peer import smallest_change
from benchmarks.machine import libraries
from benchmarks.section import Cell, Figures, Section, main, median_ratio, table
from pipelines.validate.localise import localise
from pipelines.validate.localise_stream import localiser, locate
from pipelines.validate.localise_system import system
from schemas.form import load_form
from schemas.frames import ATTRIBUTES, wide_types
from schemas.rules import load_rules

DENSITIES = ((0.25, "sparse"), (0.8, "dense"))
SUBMISSIONS, DIRTY = 200_000, 0.05
EDITION = "2021"


def kinds(generator: Generator) -> Iterator[tuple[str, str, Callable[[], Broken]]]:
    """Key, name and how to draw one."""
    yield "one_cell", "1 cell of requests", lambda: generator.wrong_cells(1)
    yield "zero_total", "a total left at 0", generator.zero_total
    yield "two_cells", "2 cells of requests", lambda: generator.wrong_cells(2)
    yield "three_cells", "3 cells of requests", lambda: generator.wrong_cells(3)
    yield "swapped_column", "neighbours swapped, one above the other", generator.swap_vertical
    yield "swapped_row", "neighbours swapped, side by side", generator.swap_horizontal
    yield "shifted_row", "row shifted by one cell", generator.shifted_row
    yield "dispute_text", "1 cell of disputes, text", generator.dispute
    yield "dispute_no_text", "1 cell of disputes, no text", lambda: generator.dispute(claims=False)
    yield "part_and_total", "a part and its total", generator.leaf_and_total


def accuracy(
    figures: Figures, key: str, generator: Generator, make: Callable[[], Broken], count: int, peer: int
) -> list[Cell]:
    """Shares (unique and true, true at rank one, alone there), ms; the peer's share and ms on ``peer`` of the cases."""
    compiled = system(generator.form.edition)
    unique = first = alone = picked = 0
    own, theirs, ratios = [], [], []
    for number in range(count):
        broken = make()
        begin = time.perf_counter()
        explanations = localise(compiled, broken.values, claims=broken.claims, most=5)
        own.append(1000 * (time.perf_counter() - begin))
        sets = [(e.rank, {change.cell: change.proposed for change in e.changes}) for e in explanations]
        best = [changes for rank, changes in sets if rank == 1]
        unique += len(sets) == 1 and sets[0][1] == broken.changes
        first += broken.changes in best
        alone += best == [broken.changes]
        if number < peer:
            begin = time.perf_counter()
            picked += smallest_change(generator.rules, broken.values) == broken.changes
            theirs.append(1000 * (time.perf_counter() - begin))
            ratios.append(theirs[-1] / own[-1])
    return [
        figures(f"{key}.unique", unique / count, "{:.1%}"),
        figures(f"{key}.rank_one", first / count, "{:.1%}"),
        figures(f"{key}.alone", alone / count, "{:.1%}"),
        figures(f"{key}.ms", statistics.median(own), "{:.3f}"),
        figures(f"{key}.highs_true", picked / peer, "{:.1%}"),
        figures(f"{key}.highs_ms", statistics.median(theirs), "{:.1f}"),
        figures(f"{key}.highs_x_ours", statistics.median(ratios), "{:,.0f}"),
    ]


def frame_of(returns: Sequence[Broken]) -> pl.DataFrame:
    """Wrong returns as rows of the wide frame; the region of each is its number."""
    form, rules = load_form(EDITION), load_rules(EDITION)
    types = wide_types(form, rules)
    same = dict.fromkeys(types) | {"year": 2023, "body": "", "file": "", "file_sha256": "", "not_whole": 0}
    same |= dict.fromkeys(ATTRIBUTES, False)
    rows = [same | {"region": str(number)} | broken.values for number, broken in enumerate(returns)]
    return pl.DataFrame(rows, schema=types, orient="row")


def mass(figures: Figures, count: int, rounds: int) -> list[list[Cell]]:
    """Seconds for all wrong returns of many submissions, together and one by one, in turn; both find the same."""
    rows: list[list[Cell]] = []
    localiser(EDITION)
    for density, word in DENSITIES:
        broken = frame_of(list(Generator(3, density).dirty(count)))
        each = system(EDITION)
        values = [{name: row[name] for name in each.names} for row in broken.iter_rows(named=True)]
        taken: dict[str, list[float]] = {"together": [], "one_by_one": []}
        single = 0.0
        for _ in range(rounds):
            begin = time.perf_counter()
            found = locate(EDITION, broken)
            taken["together"].append(time.perf_counter() - begin)
            begin = time.perf_counter()
            answers = [localise(each, own, most=5) for own in values]
            taken["one_by_one"].append(time.perf_counter() - begin)
            told = [
                (str(at), c.cell, c.proposed) for at, answer in enumerate(answers) for e in answer for c in e.changes
            ]
            if told != found.select("region", "cell", "proposed").rows():
                raise SystemExit("together and one by one find different cells")
            single = sum(len(answer) == 1 for answer in answers) / count
        for way, seconds in taken.items():
            key = f"mass.{word}.{way}"
            rows.append([
                word,
                way.replace("_", " "),
                figures(f"{key}.seconds", statistics.median(seconds), "{:.2f}"),
                figures(f"{key}.returns_s", count / statistics.median(seconds), "{:,.0f}"),
                figures(f"{key}.single", single, "{:.1%}"),
            ])  # fmt: skip
        figures(f"mass.{word}.gain", median_ratio(taken["one_by_one"], taken["together"]), "{:.1f}")
    return rows


def measure(quick: bool) -> Section:
    """The whole section."""
    count, peer, wrong, rounds = (10, 1, 100, 1) if quick else (1000, 20, int(SUBMISSIONS * DIRTY), 3)
    figures, rows = Figures(), []
    for density, word in DENSITIES:
        generator = Generator(7, density)
        for key, name, make in kinds(generator):
            rows.append([word, name, *accuracy(figures, f"{word}.{key}", generator, make, count, peer)])
    heads = ("figures", "error", "unique", "rank one", "alone", "ms", "HiGHS true", "HiGHS ms", "HiGHS x ours")
    many = f"The {wrong:,} wrong returns of {int(wrong / DIRTY):,} submissions (1 to 3 wrong cells). Rounds: {rounds}."
    return Section(
        figures=figures.values,
        tables=(
            table(f"{count:,} cases of each kind, {peer} of them also by HiGHS, in turn.", heads, rows),
            table(many, ("figures", "way", "seconds", "returns a second", "one explanation"),
                  mass(figures, wrong, rounds)),
        ),
        notes=(
            "Unique: one explanation, the truth. Rank one: the truth among the best; alone: nothing beside it there. "
            "Sparse: a quarter of the parts above 0, dense: four fifths. HiGHS solves the textbook program of the "
            "smallest change and gives one answer.",
        ),
        libraries=libraries("highspy", "numpy"),
    )  # fmt: skip


if __name__ == "__main__":
    main(measure, __doc__)
