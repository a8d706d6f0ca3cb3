"""Synthetic broken returns with known truth: realistic returns, and the errors that people make in them.

Belongs here: the generator that the benchmark and the tests share, seeded and the same for the same seed. Does not
belong here: anything that judges. All figures are made up.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from schemas.form import Form, load_form
from schemas.intake import Claim
from schemas.rules import RuleSet, load_rules

Values = dict[str, int]


@dataclass(frozen=True)
class Broken:
    """A return as handed in, the truth it came from, and what the text says."""

    values: Values
    truth: Values
    claims: tuple[Claim, ...] = ()

    @property
    def changes(self) -> dict[str, int]:
        return {cell: figure for cell, figure in self.truth.items() if self.values[cell] != figure}


class Generator:
    """Draws returns of one edition and breaks them.

    ``density``: the chance that a part is above 0. Where most cells are filled (a city's total), figures are larger.
    """

    def __init__(self, seed: int, density: float, edition: str = "2021") -> None:
        self.random = random.Random(seed)
        self.density = density
        self.size = 6 if density > 0.5 else 1
        self.form: Form = load_form(edition)
        self.rules: RuleSet = load_rules(edition)
        self.block = self.form.table("requests").blocks[0]
        self.columns = [column.id for column in self.block.columns if not column.total]
        self.rows = [row.id for row in self.block.rows]
        self.outcomes = [row.id for row in self.block.rows if row.group and not row.total_of]

    # ------------------------------------------------------------ a right return
    def count(self, scale: int) -> int:
        """0, or a count that is small more often than large, about ``scale`` at the most."""
        if self.random.random() >= self.density:
            return 0
        return 1 + int(scale * self.size * self.random.random() ** 3)

    def valid(self) -> Values:
        """A return that obeys every rule; natural persons file most requests, as in life."""
        values = {cell.id: self.count(200) for cell in self.form.cells}
        for column in self.form.table("proactive").blocks[0].columns:
            values[f"proactive.rules.{column.id}"] = 0
        values["processing_fees.notices.issued"] = 2
        values["processing_fees.notices.amount"] = values["processing_fees.notices.collected"] = 300
        for position, column in enumerate(self.columns):
            scale = 60 if position == 0 else 12
            for row in self.rows:
                values[f"requests.{row}.{column}"] = self.count(scale)
            processed = sum(values[f"requests.{row}.{column}"] for row in self.outcomes)
            inflow = processed + values[f"requests.carried_out.{column}"]
            carried_in = min(values[f"requests.carried_in.{column}"], inflow)
            values[f"requests.carried_in.{column}"] = carried_in
            values[f"requests.processed.{column}"] = processed
            values[f"requests.received.{column}"] = inflow - carried_in
        for column in self.form.table("disputes").blocks[0].columns:
            for row in self.form.table("disputes").blocks[0].rows:
                values[f"disputes.{row.id}.{column.id}"] = self.count(9)
        for rule in self.rules.rules:
            if rule.family == "row_total":
                values[rule.found[0].cell] = sum(values[term.cell] for term in rule.expected)
        return values

    # ------------------------------------------------------------ wrong figures
    def wrong(self, figure: int) -> int:
        """What a person may write instead of ``figure``: never the same."""
        digits = str(figure)
        ways: list[Callable[[], str]] = [lambda: str(self.random.randrange(0, max(10, 2 * figure)))]
        if figure > 9:
            at = self.random.randrange(len(digits) - 1)
            ways.append(lambda: digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :])
            ways.append(lambda: digits[:at] + digits[at + 1 :])
        if figure:
            spot = self.random.randrange(len(digits))
            ways.append(lambda: digits[:spot] + digits[spot] + digits[spot:])
            ways.append(lambda: digits[:spot] + str(self.random.randrange(10)) + digits[spot + 1 :])
        while True:
            wrong = int(self.random.choice(ways)())
            if wrong != figure:
                return wrong

    def cells(self, table: str) -> list[str]:
        return [cell.id for cell in self.form.cells_of(table)]

    def wrong_cells(self, number: int, table: str = "requests") -> Broken:
        """``number`` cells of a table, each with a wrong figure."""
        truth = self.valid()
        chosen = self.random.sample(self.cells(table), number)
        return Broken(truth | {cell: self.wrong(truth[cell]) for cell in chosen}, truth)

    def zero_total(self) -> Broken:
        """A total above 0 left at 0."""
        while True:
            truth = self.valid()
            totals = [cell.id for cell in self.form.cells_of("requests") if cell.total and truth[cell.id]]
            if totals:
                return Broken(truth | {self.random.choice(totals): 0}, truth)

    def leaf_and_total(self) -> Broken:
        """A wrong part, and its row's total reckoned from it."""
        truth = self.valid()
        row, column = self.random.choice(self.outcomes), self.random.choice(self.columns)
        leaf, total = f"requests.{row}.{column}", f"requests.{row}.total"
        wrong = self.wrong(truth[leaf])
        return Broken(truth | {leaf: wrong, total: truth[total] + wrong - truth[leaf]}, truth)

    def _swapped(self, pairs: Callable[[], tuple[str, str]]) -> Broken:
        while True:
            truth = self.valid()
            for _ in range(50):
                a, b = pairs()
                if truth[a] != truth[b]:
                    return Broken(truth | {a: truth[b], b: truth[a]}, truth)

    def swap_vertical(self) -> Broken:
        """Two cells, one above the other, got each other's figure."""

        def pair() -> tuple[str, str]:
            at = self.random.randrange(len(self.rows) - 1)
            column = self.random.choice([*self.columns, "total"])
            return f"requests.{self.rows[at]}.{column}", f"requests.{self.rows[at + 1]}.{column}"

        return self._swapped(pair)

    def swap_horizontal(self) -> Broken:
        """Two cells side by side got each other's figure."""

        def pair() -> tuple[str, str]:
            columns = [*self.columns, "total"]
            at = self.random.randrange(len(columns) - 1)
            row = self.random.choice(self.rows)
            return f"requests.{row}.{columns[at]}", f"requests.{row}.{columns[at + 1]}"

        return self._swapped(pair)

    def shifted_row(self) -> Broken:
        """A row pasted one cell too far right or left; the total moves with it or stays, as it happens."""
        while True:
            truth = self.valid()
            row = self.random.choice(self.rows)
            names = [f"requests.{row}.{column}" for column in [*self.columns, "total"]]
            if self.random.random() < 0.5:
                names = names[:-1]
            figures = [truth[name] for name in names]
            moved = [0, *figures[:-1]] if self.random.random() < 0.5 else [*figures[1:], 0]
            values = truth | dict(zip(names, moved, strict=True))
            if self._breaks(values):
                return Broken(values, truth)

    def _breaks(self, values: Values) -> bool:
        for rule in self.rules.rules:
            residual = rule.residual(values)
            if rule.severity == "error" and residual is not None and not rule.holds(residual):
                return True
        return False

    # ------------------------------------------------------------ the disputes table and its sentences
    def dispute(self, claims: bool = True) -> Broken:
        """One wrong cell in ``disputes``; the text states the true figures, litigation's two rows added together."""
        truth = self.valid()
        chosen = self.random.choice(self.cells("disputes"))
        values = truth | {chosen: self.wrong(truth[chosen])}
        return Broken(values, truth, self.dispute_claims(truth) if claims else ())

    def dispute_claims(self, truth: Values) -> tuple[Claim, ...]:
        block = self.form.table("disputes").blocks[0]
        grouped: dict[str, list[str]] = {}
        for row in block.rows:
            grouped.setdefault(row.group or row.id, []).append(row.id)
        claims = []
        for name, rows in grouped.items():
            for column in block.columns:
                cells = tuple(f"disputes.{row}.{column.id}" for row in rows)
                stated = sum(truth[cell] for cell in cells)
                readings = (cells, *((cell,) for cell in cells)) if len(cells) > 1 else (cells,)
                text = f"{name} {column.label_zh} {stated} 件"
                claims.append(Claim(cell=cells[0], value=Decimal(stated), text=text, readings=readings))
        return tuple(claims)

    # ------------------------------------------------------------ a mass of returns
    def dirty(self, count: int) -> Iterator[Broken]:
        """Returns as a bulk pass would hand them on: one, two or three wrong cells anywhere under rules."""
        under_rules = self.cells("requests") + self.cells("disputes")
        for _ in range(count):
            truth = self.valid()
            chosen = self.random.sample(under_rules, self.random.choice((1, 1, 2, 3)))
            yield Broken(truth | {cell: self.wrong(truth[cell]) for cell in chosen}, truth)
