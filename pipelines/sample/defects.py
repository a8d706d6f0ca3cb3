"""Named broken variants of a good return: what goes wrong in life, as files with the findings that must answer them.

Belongs here: turning one good return of the sample into a broken one. Does not belong here: hostile files (zip bombs
and the like are made beside the readers' tests) or judging (pipelines/validate).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path, PurePosixPath

import msgspec

from pipelines.publish.workbook import fill_in_workbook
from pipelines.publish.workbook_checks import Entry
from pipelines.sample import county
from pipelines.sample.documents import docx, same_bytes
from pipelines.sample.inbox import return_file
from pipelines.sample.report import compose
from schemas.form import Cell, Form, edition_for, load_form
from schemas.region import Body, Region
from schemas.rules import Rule, load_rules

Figures = dict[str, Decimal]


class Good(msgspec.Struct, frozen=True, kw_only=True):
    """A good return with its surroundings: figures, indicators, last year's figures, another body's figures."""

    form: Form
    region: Region
    body: Body
    year: int
    values: Figures
    indicators: dict[str, Decimal | str]
    previous: Figures
    other: Body
    other_values: Figures

    def workbook(self, values: dict[str, Entry] | None = None, **changed: object) -> bytes:
        """The return as a workbook, with other figures, body or year where given."""
        fields: dict[str, object] = {
            "form": self.form,
            "region": self.region,
            "body": self.body,
            "year": self.year,
            "values": self.values if values is None else values,
            "indicators": self.indicators,
        }
        return fill_in_workbook(**(fields | changed))  # type: ignore[arg-type]

    def path(self, name: str, body: Body | None = None) -> str:
        """A file name in the body's folder of the inbox."""
        return str(PurePosixPath((body or self.body).code, name))


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """A broken delivery.

    ``files`` by path below the inbox replace the body's good one. ``rules`` are the error rules that its figures break,
    ``kinds`` the kinds of ``findings.toml`` or domains that must appear, ``cells`` the wrong ones.
    """

    name: str
    files: dict[str, bytes]
    rules: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()


def good_return(
    region: Region, body: Body, year: int, seed: int = county.SEED, *, regions: Path = county.REGIONS
) -> Good:
    """The sample's return of a body. Raises SampleError where the sample has no such year."""
    values = county.make_county(region, year, seed, regions=regions)
    others = [b for b in region.roster(year) if b.code not in (body.code, region.settings.office_body)]
    other = max(others, key=lambda b: sum(value > 0 for value in values[b.code].values()))
    return Good(
        form=load_form(edition_for(year)),
        region=region,
        body=body,
        year=year,
        values=values[body.code],
        indicators=county.make_indicators(region, year, seed, regions=regions)[body.code],
        previous=county.make_county(region, year - 1, seed, regions=regions)[body.code],
        other=other,
        other_values=values[other.code],
    )


def _broken_rules(good: Good, values: Figures) -> tuple[str, ...]:
    """The error rules within one year that figures break, by the rules' own naive evaluation."""
    found = []
    for rule in load_rules(good.form.edition).rules:
        residual = None if rule.across_years else rule.residual(values)
        freed = rule.unless and getattr(good.region.settings, rule.unless, False)
        if rule.severity == "error" and not freed and residual is not None and not rule.holds(residual):
            found.append(rule.id)
    return tuple(found)


def _changed(good: Good, name: str, changes: Figures) -> Broken:
    values = good.values | changes
    return Broken(
        name=name,
        files={good.path("统计表.xlsx"): good.workbook(dict(values))},
        rules=_broken_rules(good, values),
        cells=tuple(changes),
    )


def _sums(good: Good) -> list[Rule]:
    """The rules that say what a total is."""
    return [
        rule
        for rule in load_rules(good.form.edition).rules
        if rule.relation == "=" and len(rule.found) == 1 and len(rule.expected) > 1 and not rule.across_years
    ]


def _part(good: Good) -> Cell:
    """The largest figure of the return that is no total but part of one."""
    parts = {term.cell for rule in _sums(good) for term in rule.expected if not good.form.by_id[term.cell].total}
    return max((good.form.by_id[cell] for cell in sorted(parts)), key=lambda cell: good.values[cell.id])


def broken_sum(good: Good) -> Broken:
    """One part of a total is one too high: its row and its column no longer add up."""
    cell = _part(good).id
    return _changed(good, "broken_sum", {cell: good.values[cell] + 1})


def broken_total(good: Good) -> Broken:
    """A total alone is wrong, its parts are right."""
    rules = load_rules(good.form.edition).rules
    cell = min(
        (rule.found[0].cell for rule in _sums(good)),
        key=lambda cell: sum(cell in rule.cells for rule in rules),  # in one rule alone, where there is such a total
    )
    return _changed(good, "broken_total", {cell: good.values[cell] + 1})


def swapped_digits(good: Good) -> Broken:
    """Two digits of a figure are swapped, as typing hands do; a part of a sum where one has two different digits."""
    parts = {term.cell for rule in _sums(good) for term in rule.expected}
    typed = {
        cell.id: digits
        for cell in good.form.cells
        if good.values[cell.id] == int(good.values[cell.id]) and len(set(digits := str(int(good.values[cell.id])))) > 1
    }
    cell = max(typed, key=lambda cell: (cell in parts, good.values[cell]), default="")
    if not cell:  # a quiet body's figures have one digit each; there a digit too many is what happens
        part = _part(good).id
        return _changed(good, "swapped_digits", {part: good.values[part] * 10 + 1})
    digits = typed[cell]
    at = next(i for i in range(len(digits) - 1) if digits[i] != digits[i + 1])
    return _changed(
        good, "swapped_digits", {cell: Decimal(digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :])}
    )


def rule_made(good: Good) -> Broken:
    """A body without rule-making power reports a rule."""
    rule = next(rule for rule in load_rules(good.form.edition).rules if rule.unless)
    return _changed(good, "rule_made", {rule.found[0].cell: Decimal(1)})


def _with_entry(good: Good, name: str, kind: str, entry: Entry) -> Broken:
    cell = next(cell.id for cell in good.form.cells if not cell.optional and not cell.total)
    entries: dict[str, Entry] = {**good.values, cell: entry}
    return Broken(name=name, files={good.path("统计表.xlsx"): good.workbook(entries)}, kinds=(kind,), cells=(cell,))


def missing_cell(good: Good) -> Broken:
    """A required cell of the workbook is left blank."""
    return _with_entry(good, "missing_cell", "missing_cell", None)


def text_in_number_cell(good: Good) -> Broken:
    """Words stand where a number belongs."""
    return _with_entry(good, "text_in_number_cell", "not_a_number", "见附件")


def negative_count(good: Good) -> Broken:
    """A count below zero."""
    domain = next(d for d in good.form.declaration.domains if d.minimum is not None and not d.whole)
    cell = next(cell.id for cell in good.form.cells if cell.kind in domain.kinds and not cell.total)
    return msgspec.structs.replace(_changed(good, "negative_count", {cell: Decimal(-1)}), kinds=(domain.id,))


def fractional_count(good: Good) -> Broken:
    """A count that is not whole."""
    domain = next(d for d in good.form.declaration.domains if d.whole)
    cell = _part(good).id
    broken = _changed(good, "fractional_count", {cell: good.values[cell] + Decimal("0.5")})
    return msgspec.structs.replace(broken, kinds=(domain.id,))


def second_return(good: Good) -> Broken:
    """Two different returns of one body arrive together: nobody can tell which one counts."""
    other = good.workbook(dict(_good_but_different(good)))
    return Broken(
        name="second_return",
        files={good.path("统计表.xlsx"): good.workbook(), good.path("统计表（修改）.xlsx"): other},
        kinds=("version_tie",),
    )


def _good_but_different(good: Good) -> Figures:
    """Other figures that obey every rule: a figure in no sum is one higher."""
    bound = {cell for rule in load_rules(good.form.edition).rules for cell in rule.cells}
    free = next(cell.id for cell in good.form.cells if cell.id not in bound)
    return good.values | {free: good.values[free] + 1}


def unreadable_bytes(good: Good) -> Broken:
    """A workbook cut off half-way, as broken transfers leave it."""
    data = good.workbook()
    return Broken(
        name="unreadable_bytes", files={good.path("统计表.xlsx"): data[: len(data) // 2]}, kinds=("damaged_file",)
    )


def empty_file(good: Good) -> Broken:
    """A file of no bytes."""
    return Broken(name="empty_file", files={good.path("统计表.xlsx"): b""}, kinds=("empty_file",))


def unknown_body(good: Good) -> Broken:
    """A return flat in the inbox whose title names a body that is not on the roster."""
    stranger = msgspec.structs.replace(good.body, code="", name_zh="邻县海洋渔业局（示例）", aliases=())
    report = compose(good.form, good.region, stranger, good.year, good.values, good.indicators)
    return Broken(name="unknown_body", files={"年报.docx": docx(report)}, kinds=("unknown_body", "roster_missing"))


def wrong_folder(good: Good) -> Broken:
    """The body's workbook lies in another body's folder."""
    return Broken(
        name="wrong_folder",
        files={good.path("统计表.xlsx", good.other): good.workbook()},
        kinds=("body_conflict", "roster_missing"),
    )


def wrong_year(good: Good) -> Broken:
    """Last year's workbook is handed in again."""
    data = good.workbook(dict(good.previous), year=good.year - 1)
    return Broken(name="wrong_year", files={good.path("统计表.xlsx"): data}, kinds=("year_conflict",))


def nothing_handed_in(good: Good) -> Broken:
    """The body hands in nothing."""
    return Broken(name="nothing_handed_in", files={}, kinds=("roster_missing",))


def figures_of_another(good: Good) -> Broken:
    """The body hands in another body's figures under its own name."""
    data = good.workbook(dict(good.other_values))
    return Broken(name="figures_of_another", files={good.path("统计表.xlsx"): data}, kinds=("same_as_other_body",))


def another_document(good: Good) -> Broken:
    """A readable page that is no return at all."""
    page = "<html><body><h1>会议通知</h1><p>定于下周一召开例会，请准时参加。</p></body></html>"
    return Broken(
        name="another_document", files={good.path("通知.html"): page.encode("utf-8")}, kinds=("not_a_return",)
    )


def formula_without_value(good: Good) -> Broken:
    """A total is a formula that no program has calculated yet, as some exports write them."""
    cell = next(rule.found[0].cell for rule in _sums(good))
    marker = Decimal(987654321)
    data = good.workbook({**good.values, cell: marker})
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "xl/worksheets/sheet1.xml":
                content = content.replace(f"<v>{marker}</v>".encode(), b"<f>SUM(1,2)</f>")
            target.writestr(name, content)
    return Broken(
        name="formula_without_value",
        files={good.path("统计表.xlsx"): same_bytes(out.getvalue())},
        kinds=("formula_without_value",),
        cells=(cell,),
    )


DEFECTS: dict[str, Callable[[Good], Broken]] = {
    make.__name__: make
    for make in (
        broken_sum,
        broken_total,
        swapped_digits,
        rule_made,
        missing_cell,
        text_in_number_cell,
        negative_count,
        fractional_count,
        second_return,
        unreadable_bytes,
        empty_file,
        unknown_body,
        wrong_folder,
        wrong_year,
        nothing_handed_in,
        figures_of_another,
        another_document,
        formula_without_value,
    )
}


def good_file(good: Good, kind: str = "xlsx") -> bytes:
    """The good return itself in one of the sample's formats."""
    return return_file(good.form, good.region, good.body, good.year, kind, good.values, good.indicators, good.previous)
