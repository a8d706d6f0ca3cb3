"""Naming the wrong cell: how often it is right and how long it takes, beside HiGHS alone on the same cases.

    python -m benchmarks.localise [--quick]

For each kind of error and each density of figures: how often there is one explanation and it is the truth, how often
the truth has rank one (alone or tied), median milliseconds; and, on some of the same cases, how often the one set that
HiGHS picks is the truth, and its milliseconds. Then all dirty returns of a large county's worth of submissions. All
returns and errors are synthetic, from the generator in localise_cases.py with fixed seeds: the shares say how well
errors of these kinds are found, not how often people make them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

from benchmarks.localise_cases import Broken, Generator
from benchmarks.localise_peer import smallest_change
from pipelines.validate.localise import Case, localise, localise_many
from pipelines.validate.localise_system import system

DENSITIES = ((0.25, "sparse"), (0.8, "dense"))
SUBMISSIONS, DIRTY = 200_000, 0.05


def kinds(generator: Generator) -> Iterator[tuple[str, str, Callable[[], Broken]]]:
    """Name, the aim that is set for it, and how to draw one."""
    yield "1 cell of requests", "unique 100 %, <= 0.1 ms", lambda: generator.wrong_cells(1)
    yield "a total left at 0", "", generator.zero_total
    yield "2 cells of requests", "rank one >= 99 %", lambda: generator.wrong_cells(2)
    yield "3 cells of requests", "rank one >= 99 %", lambda: generator.wrong_cells(3)
    yield "neighbours swapped, column", "rank one >= 95 %", generator.swap_vertical
    yield "neighbours swapped, row", "rank one >= 95 %", generator.swap_horizontal
    yield "row shifted by one cell", "rank one >= 80 %", generator.shifted_row
    yield "1 cell of disputes, text", "rank one >= 90 %", generator.dispute
    yield "1 cell of disputes, no text", "", lambda: generator.dispute(claims=False)
    yield "a part and its total", "", generator.leaf_and_total


def measure(generator: Generator, make: Callable[[], Broken], count: int, peer: int) -> tuple[float, ...]:
    """Shares (unique and true, true at rank one, alone there), ms; the peer's share and ms."""
    compiled = system(generator.form.edition)
    unique = first = alone = picked = 0
    own, theirs = [], []
    for number in range(count):
        broken = make()
        begin = time.perf_counter()
        explanations = localise(compiled, broken.values, claims=broken.claims, most=5)
        own.append(time.perf_counter() - begin)
        sets = [(e.rank, {change.cell: change.proposed for change in e.changes}) for e in explanations]
        best = [changes for rank, changes in sets if rank == 1]
        unique += len(sets) == 1 and sets[0][1] == broken.changes
        first += broken.changes in best
        alone += best == [broken.changes]
        if number < peer:
            begin = time.perf_counter()
            picked += smallest_change(generator.rules, broken.values) == broken.changes
            theirs.append(time.perf_counter() - begin)
    return (
        unique / count,
        first / count,
        alone / count,
        1000 * statistics.median(own),
        picked / peer,
        1000 * statistics.median(theirs),
    )


def accuracy(count: int, peer: int) -> None:
    """Print the table of kinds."""
    print(f"{count} cases each, {peer} of them also by HiGHS; figures made up, seeds fixed\n")
    print(f"{'':35}{'unique':>8}{'rank one':>10}{'alone':>8}{'ms':>8} |{'HiGHS true':>11}{'ms':>7} | aim")
    for density, word in DENSITIES:
        generator = Generator(7, density)
        for name, aim, make in kinds(generator):
            u, f, a, ms, picked, theirs = measure(generator, make, count, peer)
            print(
                f"{word + ': ' + name:35}{u:8.1%}{f:10.1%}{a:8.1%}{ms:8.3f} |{picked:11.1%}{theirs:7.1f} | {aim}",
                flush=True,
            )


def mass(count: int) -> None:
    """Print the time for all dirty returns of many submissions."""
    print(f"\nthe dirty {DIRTY:.0%} of {int(count / DIRTY):,} submissions (1 to 3 wrong cells), aim < 5 s")
    for density, word in DENSITIES:
        generator = Generator(3, density)
        names = [cell.id for cell in generator.form.cells]
        cases = [Case(tuple(broken.values[name] for name in names)) for broken in generator.dirty(count)]
        for processes in (1, 2):
            begin = time.perf_counter()
            answers = localise_many("2021", cases, processes=processes)
            seconds = time.perf_counter() - begin
            single = sum(len(answer) == 1 for answer in answers) / count
            print(f"{word}, {processes} process(es): {seconds:.2f} s, one explanation for {single:.1%}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small seeded count, some seconds")
    quick = parser.parse_args().quick
    accuracy(*((100, 5) if quick else (1000, 50)))
    mass(int(SUBMISSIONS * DIRTY) // (20 if quick else 1))


if __name__ == "__main__":
    main()
