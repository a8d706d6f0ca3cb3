"""Naming the wrong cells of thousands of broken submissions: what ``localise`` says of each, as a table.

Belongs here: which returns are explained together, as columns of numbers, and the table of explanations. Does not
belong here: finding the broken ones (stream.py), the parts of the search (localise_*.py), wording (localise.py).

Most returns have a few wrong figures and lack at most one: those are explained together, component by component. The
others go through ``localise.explain`` one by one. The answers are the same either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from pipelines.validate.kernel import Compiled, compile_sums
from pipelines.validate.lanes import Block, Bools, Ints
from pipelines.validate.localise import MOST_COMBINED, explain
from pipelines.validate.localise_components import ComponentSearch
from pipelines.validate.localise_lines_many import Lines, asked_for
from pipelines.validate.localise_returns import Layout, Returns
from pipelines.validate.localise_system import System, system
from pipelines.validate.localise_ways import Ways, cheapest, crossed, in_form_order, no_changes, ranked, together
from pipelines.validate.slips_many import Pricing
from pipelines.validate.stream import KEPT, RESIDUAL, Scanned, block_of, decimals
from schemas.frames import ATTRIBUTES
from schemas.rules import LAST_YEAR, Rule
from schemas.slips import load_slips

LOT = 10_000  # broken returns explained together
FEW = 200  # fewer are explained sooner one by one
LOCATED: dict[str, pl.DataType] = {
    "region": pl.String(),
    "file": pl.String(),
    "option": pl.Int64(),
    "rank": pl.Int64(),
    "cell": pl.String(),
    "found": RESIDUAL,
    "proposed": RESIDUAL,
    "slip": pl.String(),
}
TOLD: dict[str, pl.DataType] = {"row": pl.Int64()} | {name: LOCATED[name] for name in LOCATED if name not in KEPT}


class _Across:
    """A rule across years as a witness: whether it is broken once changes are made."""

    def __init__(self, prepared: System, compiled: Compiled, rule: Rule) -> None:
        """Raises ValueError for a rule that is no plain sum of counts."""
        if rule.when or any(prepared.form.by_id[term.cell].kind == "money" for term in rule.terms):
            raise ValueError(f"the rule {rule.id} is no plain sum of counts")
        at = {name: position for position, name in enumerate(compiled.names)}
        self._rule = rule
        self._terms = [(at[term.key], term.sign) for term in rule.terms]
        self._signs = np.zeros(compiled.cells + 1, dtype=np.int64)  # the last one stands for no cell
        self._own = [prepared.at[term.cell] for term in rule.terms if not term.last_year]
        for term in rule.terms:
            if not term.last_year:
                self._signs[prepared.at[term.cell]] += term.sign

    def broken(self, block: Block, ways: Ways) -> Bools:
        """Whether the rule is broken, by way; a rule that lacks a figure says nothing."""
        residual = np.full(block.rows, -self._rule.constant)
        for position, sign in self._terms:
            residual += sign * block.columns[position]
        after = residual[ways.rows] + (self._signs[ways.cells] * ways.steps).sum(axis=1)
        broken: Bools = {"=": after != 0, ">=": after < 0, "<=": after > 0}[self._rule.relation]
        for position, _ in self._terms:
            missing = block.missing[position]
            if missing is not None:
                lacks = missing[ways.rows]
                if position in self._own:
                    lacks &= (ways.cells != position).all(axis=1)
                broken &= ~lacks
        return broken


class Localiser:
    """One system prepared for many returns."""

    def __init__(self, prepared: System) -> None:
        self.system = prepared
        self.compiled = compile_sums(prepared.form, prepared.rules)
        self._layout = Layout(prepared)
        pricing = Pricing(self._layout)
        self._lines = Lines(self._layout)
        self._searches = [ComponentSearch(self._layout, pricing, component) for component in prepared.components]
        self._across = [_Across(prepared, self.compiled, rule) for rule in prepared.across_years]

    def prepare(self) -> None:
        """Make now what the first returns would else wait for."""
        for search in self._searches:
            search.prepare()

    def together(self, block: Block, most: int | None) -> tuple[pl.DataFrame, Bools]:
        """The explanations of a block as a table (columns TOLD), and which returns are left for ``explain``."""
        returns, alone = self._layout.lay_out(block)
        lots, counts, sizes = [], [], []
        for search in self._searches:
            found = search.explained(returns, alone)
            alone = alone | found.failed
            lots.append(found.ways)
            counts.append(found.counts)
            sizes.append(found.sizes)
        asked = asked_for(counts, sizes) & ~alone
        lacking = asked & returns.missing.any(axis=0)
        lines = self._lines.ways(returns, asked & ~lacking)
        alone |= lacking
        alone |= np.prod([np.maximum(_number(lot, len(alone)), 1.0) for lot in lots], axis=0) > MOST_COMBINED
        ways = self._combined(np.flatnonzero(~alone), lots, lines)
        ways = ways._replace(cost=ways.cost + self._witnessed(block, ways))
        return self._told(returns, *ranked(ways, most)), alone

    def _combined(self, rows: Ints, lots: list[Ways], lines: list[tuple[frozenset[int], Ways]]) -> Ways:
        """Every way to explain the rows: each component by its own sets, or several by one line slip."""
        plain = no_changes(rows)
        for lot in lots:
            plain = crossed(plain, lot)
        every = [plain.taken((plain.cells >= 0).any(axis=1))]
        for components in dict.fromkeys(components for components, _ in lines):
            choice = together(ways for explained, ways in lines if explained == components)
            choice = choice.taken(np.isin(choice.rows, rows))
            for number, lot in enumerate(lots):
                if number not in components:
                    choice = crossed(choice, lot)
            every.append(choice)
        if len(every) == 1:
            return in_form_order(every[0])
        lined = np.unique(np.concatenate([lot.rows for lot in every[1:]]))
        of_line = np.isin(every[0].rows, lined)
        both = cheapest(in_form_order(together([every[0].taken(of_line), *every[1:]])))
        return together([in_form_order(every[0].taken(~of_line)), both])

    def _witnessed(self, block: Block, ways: Ways) -> Ints:
        """What last year's figures add to the cost."""
        broken = [rule.broken(block, ways) for rule in self._across]
        against: Ints = np.stack(broken).sum(axis=0)
        return np.multiply(load_slips().warning_against, against)

    def _told(self, returns: Returns, ways: Ways, place: Ints, rank: Ints) -> pl.DataFrame:
        way, at = np.nonzero(ways.cells >= 0)
        row, cell = ways.rows[way], ways.cells[way, at]
        unit = self._layout.unit[cell]
        found = returns.columns[cell, row]
        names = pl.Series(self.system.names, dtype=pl.String)
        slips = pl.Series([kind.id for kind in load_slips().kinds], dtype=pl.String)
        stands = pl.DataFrame({"found": decimals(found * unit), "missing": returns.missing[cell, row]})
        return pl.DataFrame(
            {
                "row": row,
                "option": place[way],
                "rank": rank[way],
                "cell": names.gather(pl.Series(cell)),
                "found": stands.select(pl.when(~pl.col("missing")).then("found")).to_series(),
                "proposed": decimals((found + ways.steps[way, at]) * unit),
                "slip": slips.gather(pl.Series(ways.kinds[way, at])),
            }
        )

    def one_by_one(self, broken: pl.DataFrame, rows: Ints, most: int | None) -> pl.DataFrame:
        """The explanations of some rows of the wide frame (columns TOLD), one return after another."""
        names = self.system.names
        history = [name for name in self.compiled.names if name.endswith(LAST_YEAR)]
        figures, before = (broken[rows].select(some).rows() for some in (names, history))
        told: list[tuple[Any, ...]] = []
        for row, own, past in zip(rows.tolist(), figures, before, strict=True):
            values = {name: value for name, value in zip(names, own, strict=True) if value is not None}
            previous = {
                name.removesuffix(LAST_YEAR): value
                for name, value in zip(history, past, strict=True)
                if value is not None
            }
            found = explain(self.system, values, previous=previous, most=most)
            for option, (rank, whole) in enumerate(found.wholes if found else (), 1):
                slips = {cell: slip.kind.id for slip in whole.slips for cell in slip.cells}
                for cell, figure in sorted(whole.changes.items()):
                    stands = None if own[cell] is None else Decimal(own[cell])
                    told.append((row, option, rank, names[cell], stands, Decimal(figure), slips[cell]))
        return pl.DataFrame(told, schema=TOLD, orient="row")


def _number(ways: Ways, rows: int) -> Ints:
    return np.bincount(ways.rows, minlength=rows)


@cache
def localiser(edition: str, attributes: frozenset[str] = frozenset()) -> Localiser:
    """A declared edition prepared for bodies with certain attributes. Raises KeyError for an unknown edition."""
    return Localiser(system(edition, attributes))


def locate(edition: str, broken: pl.DataFrame, *, most: int | None = 5) -> pl.DataFrame:
    """The explanations of every row of ``Scanned.broken``, columns LOCATED: a line for each figure to change.

    ``option`` numbers a return's explanations from 1, best first; equal ``rank`` are ties; ``found`` is null where the
    return has no figure; ``slip`` is the kind of slip (``schemas/slips.toml``) that the change undoes. Explanations,
    their order and their number (``most``) are those of ``localise`` without claims. A return that nothing explains has
    no line. The order is that of ``broken``.
    """
    parts = [pl.DataFrame(schema=TOLD)]
    freed = broken.select(pl.col(ATTRIBUTES).fill_null(value=False)).with_row_index("row")
    for attributes, same in freed.group_by(ATTRIBUTES, maintain_order=True):
        held = frozenset(name for name, has in zip(ATTRIBUTES, attributes, strict=True) if has)
        prepared, at = localiser(edition, held), same["row"].cast(pl.Int64)
        if len(at) < FEW:
            parts.append(prepared.one_by_one(broken, at.to_numpy(), most))
            continue
        table, alone = prepared.together(block_of(prepared.compiled, broken[at]), most)
        parts.append(table.with_columns(at.gather(table["row"]).alias("row")))
        parts.append(prepared.one_by_one(broken, at.to_numpy()[alone], most))
    every = pl.concat(parts).sort("row", "option", maintain_order=True)
    return broken.select(KEPT)[every["row"]].hstack(every.drop("row"))


def located(edition: str, scanned: Iterable[Scanned], *, most: int | None = 5) -> Iterator[pl.DataFrame]:
    """``locate`` for what a pass hands over (``scan_submissions(..., broken=True)``), some thousands at a time.

    One lot is explained while the pass goes on to the next; the tables come in the order of the lots.
    """
    with ThreadPoolExecutor(1, "locate") as beside:
        ahead: Future[pl.DataFrame] | None = None
        for lot in _lots(scanned, lambda: beside.submit(localiser(edition).prepare)):
            begun = beside.submit(locate, edition, lot, most=most)
            if ahead is not None:
                yield ahead.result()
            ahead = begun
        if ahead is not None:
            yield ahead.result()


def _lots(scanned: Iterable[Scanned], first: Callable[[], object]) -> Iterator[pl.DataFrame]:
    """The broken submissions, LOT or a little more at a time; ``first`` is called once there are many of them."""
    waiting: list[pl.DataFrame] = []
    many = False
    for one in scanned:
        if one.broken is not None and one.broken.height:
            waiting.append(one.broken)
            if not many and sum(part.height for part in waiting) >= FEW:
                many = True
                first()
        if sum(part.height for part in waiting) >= LOT:
            yield pl.concat(waiting)
            waiting.clear()
    if waiting:
        yield pl.concat(waiting)
