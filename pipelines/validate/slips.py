"""How likely an explanation is: which slips it supposes, and what witnesses say of it.

Belongs here: recognising slips in changes, the cost of an explanation, the reason told to people. Does not belong
here: finding the sets of changes (localise*.py), the kinds and weights (schemas/slips.toml).

**How ranks are compared.** An explanation costs ``base`` for every slip it needs, plus the cost of each slip's kind,
plus ``claim_against`` for every figure in the text that fits no reading once the changes are made, ``claim_unlikely``
for every one that only a less likely reading fits, and ``warning_against`` for every rule across years that does not
hold then. The sum decides, so an explanation that needs one slip outranks one that needs two, whatever number of cells
they change: a line shifted by one cell is ONE slip although many cells change, two cells swapped are one slip, a wrong
part whose total was reckoned from it is one slip. Equal sums are ties and get equal ranks: nothing is chosen among
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import combinations

import msgspec

from pipelines.validate.claims import fitting, shortened
from pipelines.validate.localise_system import Laid, System, to_figure
from schemas.findings import number_text, place_en, place_zh, places
from schemas.intake import Claim
from schemas.rules import LAST_YEAR, Rule
from schemas.slips import SlipKind, load_slips, slip_kinds

Figure = Decimal | int


def is_digits_swapped(found: str, proposed: str) -> bool:
    """Whether one differs from the other by two neighbouring digits transposed."""
    if len(found) != len(proposed):
        return False
    differing = [position for position, (a, b) in enumerate(zip(found, proposed, strict=True)) if a != b]
    if len(differing) != 2 or differing[1] != differing[0] + 1:
        return False
    first, second = differing
    return found[first] == proposed[second] and found[second] == proposed[first]


def is_digit_less(shorter: str, longer: str) -> bool:
    """Whether ``shorter`` is ``longer`` with one digit left out."""
    if len(longer) != len(shorter) + 1:
        return False
    return any(longer[:position] + longer[position + 1 :] == shorter for position in range(len(longer)))


def is_one_digit(found: str, proposed: str) -> bool:
    """Whether both have the same length and differ in one digit."""
    return len(found) == len(proposed) and sum(a != b for a, b in zip(found, proposed, strict=True)) == 1


def _by_digits(found: Figure, proposed: Figure) -> str:
    """The kind of slip in the digits of two figures above 0, "" where there is none."""
    stands, right = format(found, "f"), format(proposed, "f")
    if is_digits_swapped(stands, right):
        return "digits_swapped"
    if is_digit_less(stands, right):
        return "digit_dropped"
    if is_digit_less(right, stands):
        return "digit_added"
    return "one_digit" if is_one_digit(stands, right) else ""


def single_slip(
    found: Figure | None, proposed: Figure, total: bool, beside: Sequence[Figure], blank: bool = False
) -> SlipKind:
    """The likeliest kind of slip that made ``found`` out of ``proposed`` (None: the cell has no figure).

    ``total``: the cell is a total. ``beside``: the figures of neighbouring cells. ``blank``: it stands empty.
    """
    kinds = slip_kinds()
    if found is None:
        return kinds["blank_not_filled"] if blank else kinds["missing"]
    if found == 0:
        return kinds["total_not_filled"] if total else kinds["not_filled"]
    if found < 0:
        return kinds["sign"] if proposed == -found else kinds["other"]
    if found != int(found):
        return kinds["other"]
    small = 0 < proposed < 10 and found < 10
    likely = []  # of equal cost the first is told
    if not small and proposed > 0 and (name := _by_digits(found, proposed)):
        likely.append(kinds[name])
    if total:
        likely.append(kinds["total_not_updated"])
    if found in beside:
        likely.append(kinds["like_neighbour"])
    likely.append(kinds["small_figure" if small else "filled_by_mistake" if proposed == 0 else "other"])
    return min(likely, key=lambda kind: kind.cost)


class Slip(msgspec.Struct, frozen=True):
    """One slip of an explanation: its kind, the cells it changed (positions) and what it costs."""

    kind: SlipKind
    cells: tuple[int, ...]
    cost: int


class Stands(msgspec.Struct, frozen=True):
    """What stands in the return, as far as slips look at it: figures by position (None: no figure), blank cells."""

    figures: tuple[Figure | None, ...]
    blank: frozenset[int]


def stands(system: System, laid: Laid) -> Stands:
    """What stands in a return laid on the system."""
    figures: list[Figure | None] = [figure if type(figure) is int else to_figure(figure) for figure in laid.figures]
    for position in laid.unknown | laid.blank:
        figures[position] = None
    return Stands(tuple(figures), laid.blank)


def slip_cost(kind: SlipKind) -> int:
    """What an explanation with a slip of this kind costs: the weight of a slip and the kind's own."""
    return 0 if kind.id == "missing" else load_slips().base + kind.cost


def _single(system: System, here: Stands, cell: int, proposed: Figure) -> Slip:
    around = [figure for other in system.neighbours[cell] if (figure := here.figures[other]) is not None]
    kind = single_slip(here.figures[cell], proposed, system.total[cell], around, cell in here.blank)
    return Slip(kind, (cell,), slip_cost(kind))


def in_one_line(system: System, a: int, b: int) -> bool:
    """Whether two cells stand in one row or one column of a block."""
    one, other = system.form.cells[a], system.form.cells[b]
    return (one.table, one.block) == (other.table, other.block) and (one.row == other.row or one.column == other.column)


def _swap(system: System, here: Stands, changes: Mapping[int, Figure], a: int, b: int) -> Slip | None:
    """The two cells got each other's figure, within one row or column."""
    if here.figures[a] != changes[b] or here.figures[b] != changes[a] or not in_one_line(system, a, b):
        return None
    kind = slip_kinds()["swapped_neighbours" if b in system.neighbours[a] else "swapped"]
    return Slip(kind, (a, b), slip_cost(kind))


def _part_with_total(system: System, here: Stands, changes: Mapping[int, Figure], a: int, b: int) -> Slip | None:
    """One of the two is the total of a sum, the other its part, and both differ by the same."""
    for total, part in ((a, b), (b, a)):
        if here.figures[total] is None or here.figures[part] is None or (total, part) not in system.total_of_part:
            continue
        if changes[total] - (here.figures[total] or 0) == changes[part] - (here.figures[part] or 0):
            kind = slip_kinds()["part_with_total"]
            return Slip(kind, (part, total), _single(system, here, part, changes[part]).cost + kind.cost)
    return None


def slips_of(system: System, here: Stands, changes: Mapping[int, Figure]) -> tuple[Slip, ...]:
    """The cheapest reading of a set of changes as slips: pairs that are one slip first, then cell by cell."""
    left = sorted(changes)
    slips = []
    for recognise in (_swap, _part_with_total):
        for a, b in combinations(tuple(left), 2):
            if a in left and b in left and (slip := recognise(system, here, changes, a, b)):
                slips.append(slip)
                left = [cell for cell in left if cell not in (a, b)]
    slips += [_single(system, here, cell, changes[cell]) for cell in left]
    return tuple(slips)


def line_slip(kind: str, cells: Sequence[int]) -> Slip:
    """The slip of a structured hypothesis: one slip, however many cells."""
    found = slip_kinds()[kind]
    return Slip(found, tuple(cells), slip_cost(found))


class Against(msgspec.Struct, frozen=True):
    """What speaks against figures: claims that no reading fits, claims that only a less likely reading fits, rules."""

    unfit: tuple[Claim, ...] = ()
    unlikely: tuple[Claim, ...] = ()
    rules: tuple[Rule, ...] = ()


class Witnesses(msgspec.Struct, frozen=True):
    """What else is known of the figures: claims of the text, last year's figures, the rules across years."""

    claims: tuple[Claim, ...]
    previous: Mapping[str, Figure]
    across_years: tuple[Rule, ...]

    def against(self, values: Mapping[str, Figure]) -> Against:
        """What speaks against these figures."""
        unfit, unlikely = [], []
        for claim in self.claims:
            reading = fitting(claim, values, self.previous)
            if reading == -1:
                unfit.append(claim)
            elif reading:
                unlikely.append(claim)
        rules: list[Rule] = []
        if self.previous:
            known = {**values, **{cell + LAST_YEAR: value for cell, value in self.previous.items()}}
            rules = [rule for rule in self.across_years if _breaks(rule, known)]
        return Against(tuple(unfit), tuple(unlikely), tuple(rules))

    def cost(self, values: Mapping[str, Figure]) -> int:
        """What speaks against these figures, weighed."""
        found, declared = self.against(values), load_slips()
        return (
            declared.claim_against * len(found.unfit)
            + declared.claim_unlikely * len(found.unlikely)
            + declared.warning_against * len(found.rules)
        )


def _breaks(rule: Rule, known: Mapping[str, Figure]) -> bool:
    residual = rule.residual(known)
    return residual is not None and not rule.holds(residual)


def reason(
    system: System,
    here: Stands,
    changes: Mapping[int, Figure],
    slips: Sequence[Slip],
    before: Against,
    after: Against,
) -> tuple[str, str]:
    """An explanation in plain Chinese and in English: each slip, then what witnesses say.

    ``before`` and ``after``: what speaks against the figures without and with the changes.
    """
    zh, en = [], []
    for slip in slips:
        told_zh, told_en = _told(system, here, changes, slip)
        zh.append(told_zh)
        en.append(told_en)
    for claim in before.unfit:
        if claim not in after.unfit:
            zh.append(f"改后与文字“{shortened(claim.text, 30)}”一致")
            en.append(f"then the text “{shortened(claim.text, 30)}” agrees")
    for claim in after.unfit:
        if claim not in before.unfit:
            zh.append(f"但改后与文字“{shortened(claim.text, 30)}”不一致")
            en.append(f"but then the text “{shortened(claim.text, 30)}” disagrees")
    healed = [rule for rule in before.rules if rule not in after.rules]
    if healed:
        zh.append("改后与上一年度的数字衔接")
        en.append("then it agrees with last year's figures")
    if any(rule not in before.rules for rule in after.rules):
        zh.append("但改后与上一年度的数字不衔接")
        en.append("but then it disagrees with last year's figures")
    return "；".join(zh) + "。", "; ".join(en) + "."


def _told(system: System, here: Stands, changes: Mapping[int, Figure], slip: Slip) -> tuple[str, str]:
    """One slip in words: the places with what stands there and what belongs there, then the kind."""
    form = system.form
    cells = [form.cells[cell] for cell in slip.cells]
    if len(cells) > 2:
        names_zh, names_en = places(form, tuple(cell.id for cell in cells), 2)
        return f"{names_zh}：{slip.kind.zh}", f"{names_en}: {slip.kind.en}"
    zh, en = [], []
    for position, cell in zip(slip.cells, cells, strict=True):
        found, proposed = here.figures[position], number_text(changes[position])
        stands_zh = "空" if found is None else number_text(found)
        stands_en = "blank" if found is None else number_text(found)
        zh.append(f"{place_zh(form, cell)}由 {stands_zh} 改为 {proposed}")
        en.append(f"{place_en(form, cell)} from {stands_en} to {proposed}")
    return f"{'、'.join(zh)}（{slip.kind.zh}）", f"{', '.join(en)} ({slip.kind.en})"
