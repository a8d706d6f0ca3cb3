"""The synthetic county in figures: returns of every body that add up to what the county really published.

Belongs here: inventing figures, deterministically, from the form's own rules. Does not belong here: files (inbox.py)
or any list of cells (all from the form).

How a year is drawn. A rule that equates sums (new + carried in = results + carried over) is a flow: its left side
counts how cases came, its right side what became of them. Pairing the two and giving each case to one body makes
every body's return obey the rule by itself, and the county's sums stay exactly as published. Rules across years are
flows too, from last year's stock to this year's. Figures in no flow are shared out; totals follow from their parts.
A year that was not published but whose next year was (the prior year) is drawn backwards: what the next year opens
with is fixed, the rest is invented.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from pipelines.regions import load_published, load_published_indicators
from pipelines.settings import PROJECT
from schemas.findings import number_text
from schemas.form import Form, edition_for, load_form
from schemas.region import Body, Region
from schemas.rules import Rule, RuleSet, load_rules

REGIONS = PROJECT / "regions"
SEED = 20230131
Figures = dict[str, Decimal]
# How much of a county's work each kind of body does; the office carries the county's own requests.
FLOW_WEIGHT = {"office": 900, "department": 60, "subdistrict": 25, "township": 8}
SHARE_WEIGHT = {"office": 4, "department": 100, "subdistrict": 12, "township": 5}
IDLE = {"office": 0.0, "department": 0.45, "subdistrict": 0.5, "township": 0.7}  # share of bodies without such cases
PRIOR_SCALE = (0.8, 1.05)  # an invented year against the year after it
PRIOR_OPENING = 0.04  # share of an invented year's cases that came from the year before
MONEY_STEP = Decimal("0.01")


class SampleError(ValueError):
    """The sample cannot be drawn for that region and year; the text says why."""


class _Flow(msgspec.Struct, frozen=True):
    """A rule as cases: keys of how they came and of what became of them; last year's keys end in ``@last_year``."""

    rule: Rule
    came: tuple[str, ...]
    became: tuple[str, ...]


class _Plan(msgspec.Struct, frozen=True):
    """What the form's rules say about drawing: its leaves, its flows, how totals follow."""

    leaves: tuple[str, ...]
    flows: tuple[_Flow, ...]
    history: tuple[_Flow, ...]
    totals: tuple[tuple[str, tuple[str, ...]], ...]
    conditions: frozenset[str]  # leaves of touchy cells: never invented above 0


def _plan(form: Form, rules: RuleSet) -> _Plan:
    plain = [rule for rule in rules.rules if rule.relation == "=" and rule.when is None and not rule.constant]
    defining: dict[str, tuple[str, ...]] = {}
    for rule in plain:
        cell = rule.found[0].cell
        if len(rule.found) == 1 and len(rule.expected) > 1 and form.by_id[cell].total and not rule.across_years:
            defining.setdefault(cell, tuple(term.cell for term in rule.expected))

    def leaves_of(key: str) -> tuple[str, ...]:
        return sum((leaves_of(part) for part in defining[key]), ()) if key in defining else (key,)

    flows: list[_Flow] = []
    for rule in plain:
        if not rule.expected or all(form.by_id[term.cell].total for term in rule.terms):
            continue  # the rule over the total column follows from the others
        if len(rule.found) == 1 and rule.found[0].cell in defining and not rule.across_years:
            continue
        left = [t.key for t in rule.found if t.sign > 0] + [t.key for t in rule.expected if t.sign < 0]
        right = [t.key for t in rule.expected if t.sign > 0] + [t.key for t in rule.found if t.sign < 0]
        became = tuple(leaf for key in left for leaf in leaves_of(key))
        flows.append(_Flow(rule, tuple(leaf for key in right for leaf in leaves_of(key)), became))
    order: list[tuple[str, tuple[str, ...]]] = []
    while len(order) < len(defining):  # parts before the totals that are made of them
        done = {cell for cell, _ in order}
        order += [
            (cell, parts)
            for cell, parts in defining.items()
            if cell not in done and all(part in done or part not in defining for part in parts)
        ]
    return _Plan(
        tuple(cell.id for cell in form.cells if cell.id not in defining),
        tuple(flow for flow in flows if not flow.rule.across_years),
        tuple(flow for flow in flows if flow.rule.across_years),
        tuple(order),
        frozenset(leaf for cell in _touchy(rules) for leaf in leaves_of(cell)),
    )


def _touchy(rules: RuleSet) -> set[str]:
    """Cells that above 0 break a rule or call for something elsewhere."""
    forbidden = {term.cell for rule in rules.rules if rule.unless for term in rule.found}
    return forbidden | {rule.when.cell for rule in rules.rules if rule.when and rule.when.state == "positive"}


class _Dice:
    """Random draws that are the same everywhere: only ``random()`` of the standard generator, which is pledged."""

    def __init__(self, *seed: object) -> None:
        self._source = random.Random("/".join(map(str, seed)))  # noqa: S311 - invented figures, no secret

    def chance(self) -> float:
        return self._source.random()

    def below(self, limit: int) -> int:
        return int(self.chance() * limit)

    def shuffled(self, items: Sequence[str]) -> list[str]:
        out = list(items)
        for last in range(len(out) - 1, 0, -1):
            other = self.below(last + 1)
            out[last], out[other] = out[other], out[last]
        return out

    def pick(self, weights: Mapping[str, int]) -> str:
        at = self.below(sum(weights.values()))
        for name, weight in weights.items():
            if at < weight:
                return name
            at -= weight
        raise AssertionError("weights are positive")


def _share(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """``total`` whole units by weight, exactly; the largest remainders take what is left over."""
    whole = sum(weights.values())
    parts = {name: total * weight // whole for name, weight in weights.items()}
    left = total - sum(parts.values())
    by_remainder = sorted(weights, key=lambda name: (-(total * weights[name] % whole), name))
    for name in by_remainder[:left]:
        parts[name] += 1
    return parts


class _County:
    """A county's year while it is drawn. Keys of last year's cells end in ``@last_year``."""

    def __init__(self, region: Region, year: int, form: Form, seed: int) -> None:
        self.form, self.rules = form, load_rules(form.edition)
        self.plan = _plan(form, self.rules)
        self.bodies = region.roster(year)
        self.office = region.settings.office_body
        self.seed, self.code = seed, region.settings.code
        self.dice = _Dice(seed, self.code, year)
        inclined = _Dice(seed, self.code, "requests")  # the same bodies are busy in every year
        self.busy = {
            body.code: FLOW_WEIGHT[body.kind] * (1 + inclined.below(9)) // 5
            for body in self.bodies
            if inclined.chance() >= IDLE[body.kind]
        }
        self.figures: dict[str, Figures] = {body.code: {} for body in self.bodies}

    def add(self, body: str, key: str, count: int) -> None:
        self.figures[body][key] = self.figures[body].get(key, Decimal(0)) + count

    def known(self, key: str) -> bool:
        return all(key in figures for figures in self.figures.values())

    def open(self, keys: Sequence[str]) -> None:
        """Every body has a figure for these keys, 0 where nothing is added."""
        for key in keys:
            for body in self.figures:
                self.add(body, key, 0)

    def cases(self, flow: _Flow, came: Mapping[str, int], became: Mapping[str, int]) -> None:
        """Pair how cases came with what became of them and give each to a body."""
        self.open((*flow.came, *flow.became))
        origins = [key for key in flow.came for _ in range(came[key])]
        fates = [key for key in flow.became for _ in range(became[key])]
        if len(origins) != len(fates):
            raise SampleError(f"the published figures break the rule {flow.rule.id}")
        for origin, fate in zip(self.dice.shuffled(origins), fates, strict=True):
            body = self.dice.pick(self.busy)
            self.add(body, origin, 1)
            self.add(body, fate, 1)

    def share(self, cell: str, total: Decimal) -> None:
        """A figure in no flow, shared out: cases among the busy bodies, other work by kind, many with none."""
        self.open((cell,))
        declared = self.form.by_id[cell]
        table = self.form.table(declared.table)
        if table.optional:  # bound by conditions within one return: one body carries it whole
            self.figures[self.office][cell] = total
            return
        step = MONEY_STEP if declared.kind == "money" else Decimal(1)
        units = total / step
        if units != int(units):
            raise SampleError(f"{cell}: {total} is no multiple of {step}")
        if len(table.blocks) == 1:  # cases such as disputes: few, and where requests are
            for _ in range(int(units)):
                self.add(self.dice.pick(self.busy), cell, 1)
            return
        lasting = _Dice(self.seed, self.code, cell)  # whoever does such work does it every year
        weights = {
            body.code: SHARE_WEIGHT[body.kind] * (1 + lasting.below(100)) * (80 + self.dice.below(40))
            for body in self.bodies
            if lasting.chance() >= IDLE[body.kind]
        }
        for body, count in _share(int(units), weights).items():
            self.figures[body][cell] = Decimal(number_text(count * step))

    def finish(self) -> dict[str, Figures]:
        """Totals from their parts; every rule that does not need last year holds in every return, or SampleError."""
        for body, figures in self.figures.items():
            for cell, parts in self.plan.totals:
                figures[cell] = sum((figures[part] for part in parts), Decimal(0))
            for rule in self.rules.rules:
                residual = rule.residual(figures)
                if residual is not None and not rule.holds(residual):
                    raise SampleError(f"{body}: the invented figures break the rule {rule.id}")
        return self.figures


def _published_year(county: _County, published: Mapping[str, Decimal]) -> None:
    """The year that the county published: every body's figures, and what they say about last year's stocks."""
    missing = [cell for cell in county.plan.leaves if cell not in published]
    if missing:
        raise SampleError(f"the published figures lack {missing[0]}")
    whole = {cell: int(value) for cell, value in published.items()}
    for flow in county.plan.flows:
        county.cases(flow, whole, whole)
    for flow in county.plan.history:
        keys = (*flow.came, *flow.became)
        (opening,) = [key for key in keys if key not in whole]
        here, there = (flow.came, flow.became) if opening in flow.came else (flow.became, flow.came)
        if all(county.known(key) for key in keys if key != opening):
            for figures in county.figures.values():
                rest = sum((figures[key] for key in here if key != opening), Decimal(0))
                figures[opening] = sum((figures[key] for key in there), Decimal(0)) - rest
        else:
            stock = sum(whole[key] for key in there) - sum(whole[key] for key in here if key != opening)
            counts = whole | {opening: stock}
            county.cases(flow, counts, counts)
    for cell in county.plan.leaves:
        if not county.known(cell):
            county.share(cell, published[cell])


def _prior_year(county: _County, following: Mapping[str, Figures], published: Mapping[str, Decimal]) -> None:
    """The year before: its closing stocks are what the published year opened with, all else is invented."""
    mark = "@last_year"
    closing = {
        key.removesuffix(mark): {body: following[body][key] for body in following}
        for key in next(iter(following.values()))
        if key.endswith(mark)
    }
    dice = county.dice

    def scaled(total: Decimal) -> int:
        low, high = PRIOR_SCALE
        return int(int(total) * (low + (high - low) * dice.chance()))

    for flow in (*county.plan.flows, *county.plan.history):
        if any(county.known(key) for key in (*flow.came, *flow.became)):
            continue  # follows from a flow drawn before
        county.open((*flow.came, *flow.became))
        kept = [key for key in flow.became if key in closing]
        free = [key for key in flow.became if key not in closing]
        weights = {key: _likelihood(county, key, published) for key in free if key not in county.plan.conditions}
        volume = sum(int(published[key]) for key in flow.became)
        invented = (scaled(Decimal(volume)) or dice.below(4)) if weights else 0
        cases = [(dice.pick(county.busy), dice.pick(weights)) for _ in range(invented)]
        cases += [(body, key) for key in kept for body, count in closing[key].items() for _ in range(int(count))]
        later = [key for key in flow.came if key.endswith(mark) or _opens(county.rules, key)]
        fresh = [key for key in flow.came if key not in later]
        stock = any(key.endswith(mark) for key in later)
        for body, fate in cases:
            old = dice.chance() < (1 - PRIOR_OPENING if stock else PRIOR_OPENING)
            county.add(body, (later if old and later else fresh)[0], 1)
            county.add(body, fate, 1)
    for cell in county.plan.leaves:
        if not county.known(cell):
            county.share(cell, Decimal(scaled(published[cell])))


def _likelihood(county: _County, key: str, published: Mapping[str, Decimal]) -> int:
    """How likely a case ends in a leaf: as in the published year, over all columns of its row; rarely otherwise."""
    cell = county.form.by_id[key]
    return 1 + 5 * sum(int(published[other.id]) for other in county.form.cells_of(cell.table, row=cell.row))


def _opens(rules: RuleSet, key: str) -> bool:
    """Whether the cell is an opening stock: some rule equates it with last year's closing one."""
    return any(
        rule.across_years and len(rule.found) == 1 == len(rule.expected) and rule.found[0].cell == key
        for rule in rules.rules
    )


def make_county(
    region: Region, year: int, seed: int = SEED, *, regions: Path = REGIONS
) -> dict[str, dict[str, Decimal]]:
    """Every body's figures of a year by body code and cell id, complete and free of any broken rule.

    For a year with published figures they add up to exactly those; for the year before it they are invented and close
    with what the next year opens with. Raises SampleError for another year, or figures that cannot be drawn.
    """
    county, _ = _drawn(region, year, seed, regions)
    return county


def _drawn(region: Region, year: int, seed: int, regions: Path) -> tuple[dict[str, Figures], dict[str, Figures]]:
    """The year's figures by cell, and the same with last year's stocks under their own keys."""
    form = load_form(edition_for(year))
    county = _County(region, year, form, seed)
    published = load_published(regions, region.settings.code, year)
    if published is not None:
        _published_year(county, published)
    else:
        following = load_published(regions, region.settings.code, year + 1)
        if following is None:
            problem = f"neither {year} nor {year + 1} has published figures to draw from"
            raise SampleError(f"{region.settings.code}: {problem}")
        _, opened = _drawn(region, year + 1, seed, regions)
        _prior_year(county, opened, following)
    figures = county.finish()
    cells = [cell.id for cell in form.cells]
    return {body: {cell: figures[body][cell] for cell in cells} for body in figures}, figures


def make_indicators(
    region: Region, year: int, seed: int = SEED, *, regions: Path = REGIONS
) -> dict[str, dict[str, Decimal | str]]:
    """Every body's indicators of the supplement, adding up to the published ones by each indicator's own rule.

    A figure that the county published as "more than" is text such as ``1000余``. The year before a published one gets
    invented figures; a region without supplement or published indicators gets none.
    """
    code = region.settings.code
    found = load_published_indicators(regions, code, year)
    invented = found is None
    stated = found if found is not None else load_published_indicators(regions, code, year + 1)
    figures: dict[str, dict[str, Decimal | str]] = {body.code: {} for body in region.roster(year)}
    if region.supplement is None or stated is None:
        return figures
    published = {indicator.indicator: indicator for indicator in stated}
    dice = _Dice(seed, code, year, "indicators")
    for declared in region.supplement.indicators:
        if declared.id not in published:
            continue
        asked = [body for body in region.roster(year) if body.kind in declared.reported_by]
        value = published[declared.id].value
        if invented and declared.unit != "%" and value != len(asked):
            value = Decimal(int(value * 9 // 10))
        if declared.add_up == "office":
            vague = published[declared.id].qualifier == "at_least"
            figures[region.settings.office_body][declared.id] = f"{number_text(value)}余" if vague else value
        elif declared.add_up == "maximum":
            for body in asked:
                figures[body.code][declared.id] = value
        else:
            for name, count in _indicator_shares(int(value), asked, dice).items():
                figures[name][declared.id] = Decimal(count)
    return figures


def _indicator_shares(total: int, asked: Sequence[Body], dice: _Dice) -> dict[str, int]:
    if total == len(asked):  # one each: a count of the bodies themselves
        return {body.code: 1 for body in asked}
    return _share(total, {body.code: 20 + dice.below(60) for body in asked})
