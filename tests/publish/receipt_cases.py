"""Returns for the tests of what people see: a dense valid one, and the same with mistakes. All figures are invented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from schemas.findings import Finding, domain_finding, make_finding, places, rule_finding
from schemas.form import Form, load_form, rows_of_group
from schemas.intake import Change, Explanation
from schemas.region import Body, Contact, Licence, Region, RegionSettings
from schemas.rules import domain_problem, load_rules

FORM = load_form("2021")
RULES = load_rules("2021")
Values = dict[str, Decimal | int | None]

BODIES = (
    Body(
        code="511725-D01",
        name_zh="县政府办公室（示例）",
        name_en="County Government Office (sample)",
        aliases=(),
        kind="office",
        level="county",
        from_year=2021,
    ),
    Body(
        code="511725-T01",
        name_zh="临江镇（示例）",
        name_en="Linjiang Town (sample)",
        aliases=(),
        kind="township",
        level="township",
        from_year=2021,
    ),
    Body(
        code="511725-D02",
        name_zh="自然资源局（示例）",
        name_en="Natural Resources Bureau (sample)",
        aliases=(),
        kind="department",
        level="county",
        from_year=2021,
    ),
    Body(
        code="511725-T02",
        name_zh="青龙街道（示例）",
        name_en="Qinglong Subdistrict (sample)",
        aliases=(),
        kind="subdistrict",
        level="township",
        from_year=2021,
    ),
)


def region(*, synthetic: bool = True, **changes: str) -> Region:
    settings = RegionSettings(
        code="511725",
        name_zh="渠县",
        name_en="Qu County",
        city_zh="达州市",
        province_zh="四川省",
        level="county",
        office_body="511725-D01",
        rule_making_power=False,
        licence=Licence(name="CC-BY-4.0", title="CC BY 4.0", path="https://creativecommons.org/licenses/by/4.0/"),
        publisher=Contact(
            name_zh="渠县人民政府办公室（示例）", name_en="Office of the People's Government of Qu County"
        ),
        synthetic=synthetic,
        **changes,
    )
    return Region(settings=settings, bodies=BODIES, supplement=None)


def valid_values(form: Form = FORM) -> Values:
    """A dense return that obeys every rule within the year."""
    values: Values = {}
    block = form.table("requests").blocks[0]
    parts = [column.id for column in block.columns if not column.total]
    outcomes = [row.id for row in rows_of_group(block, "outcome")]
    for c, column in enumerate(parts):
        for r, row in enumerate(outcomes):
            values[f"requests.{row}.{column}"] = (3 * r + 5 * c) % 7
        values[f"requests.other_fee_unpaid.{column}"] = 0
        handled = sum(int(values[f"requests.{row}.{column}"] or 0) for row in outcomes)
        values[f"requests.processed.{column}"] = handled
        values[f"requests.carried_out.{column}"] = c
        values[f"requests.carried_in.{column}"] = 2
        values[f"requests.received.{column}"] = handled + c - 2
    for row in block.rows:
        values[f"requests.{row.id}.total"] = sum(int(values[f"requests.{row.id}.{c}"] or 0) for c in parts)
    for r, row in enumerate(form.table("disputes").blocks[0].rows):
        figures = [r + 1, 0, 2, 1]
        for name, figure in zip(("upheld", "corrected", "other_result", "pending"), figures, strict=True):
            values[f"disputes.{row.id}.{name}"] = figure
        values[f"disputes.{row.id}.total"] = sum(figures)
    values |= {f"proactive.rules.{name}": 0 for name in ("issued", "repealed", "in_force")}
    values |= {
        "proactive.normative_documents.issued": 2,
        "proactive.normative_documents.repealed": 1,
        "proactive.normative_documents.in_force": 17,
        "proactive.licences.decisions": 1014,
        "proactive.penalties.decisions": 58,
        "proactive.coercive_measures.decisions": 3,
        "proactive.administrative_fees.amount": Decimal("43.788"),
        "processing_fees.notices.issued": 0,
        "processing_fees.notices.amount": Decimal(0),
        "processing_fees.notices.collected": Decimal(0),
    }
    return {cell.id: values[cell.id] for cell in form.cells}


def raws_of(values: Mapping[str, Decimal | int | None]) -> dict[str, str | None]:
    return {cell: None if value is None else str(value) for cell, value in values.items()}


def findings_of(values: Values, form: Form = FORM, file: str = "return.xlsx") -> list[Finding]:
    """Broken rules, broken domains and missing cells of one return, in the catalogue's order."""
    found: list[Finding] = []
    for rule in load_rules(form.edition).rules:
        residual = rule.residual(values)
        if residual is not None and not rule.holds(residual):
            found.append(rule_finding(form, rule, values, file=file))
    for cell in form.cells:
        value = values[cell.id]
        found += [
            domain_finding(form, domain, cell, value, file=file)
            for domain in load_rules(form.edition).domains_of(cell.kind)
            if value is not None and domain_problem(domain, value)
        ]
    blank = tuple(cell.id for cell in form.cells if values[cell.id] is None)
    if blank:
        zh, en = places(form, blank)
        words = {"count": len(blank), "places": zh, "places_en": en}
        found.append(make_finding("missing_cell", words=words, cells=blank, file=file))
    return found


def explained(*options: tuple[int, Mapping[str, tuple[int, int]], str]) -> list[Explanation]:
    return [
        Explanation(
            rank=rank,
            changes=tuple(Change(cell=cell, found=found, proposed=new) for cell, (found, new) in changes.items()),
            reason=reason,
        )
        for rank, changes, reason in options
    ]


def wrong_cell() -> tuple[Values, list[Finding], Sequence[Explanation]]:
    """One figure with two digits swapped: three rules broken, one explanation."""
    values = valid_values()
    cell = "requests.received.natural_person"
    right = int(values[cell] or 0)
    values[cell] = int(str(right)[::-1])
    reason = f"两个数字写颠倒：{values[cell]} 与 {right}"
    return values, findings_of(values), explained((1, {cell: (int(values[cell] or 0), right)}, reason))


def tied() -> tuple[Values, list[Finding], Sequence[Explanation]]:
    """A wrong row of disputes: nothing tells which of its five cells is wrong."""
    values = valid_values()
    values["disputes.reconsideration.total"] = 14
    options = [
        (1, {"disputes.reconsideration.total": (14, 4)}, "总计多写了一位数字"),
        (1, {"disputes.reconsideration.upheld": (1, 11)}, "少写了一位数字"),
        (2, {"disputes.reconsideration.pending": (1, 11)}, "与其他单位相比不大可能"),
    ]
    return values, findings_of(values), explained(*options)
