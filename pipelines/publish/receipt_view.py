"""What a receipt (回执) says, before it is drawn: the verdict, each finding in parts, the suggested changes, the marks.

Belongs here: the one content that the page (receipt.py), the terminal (receipt_text.py) and the annotated workbook
(annotate.py) show alike. Does not belong here: HTML, terminals, workbooks, or the texts of findings (schemas/).
Nothing here may import more than schemas/: `gongkai check` starts through it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from schemas.findings import Figure, Finding, load_kinds, number_text, place_en, place_zh
from schemas.form import Form
from schemas.intake import Explanation
from schemas.region import Body, Region
from schemas.rules import Rule, load_rules

Status = Literal["ok", "findings", "unreadable", "accepted", "refused", "missing", "waived"]
Verdict = Literal["passed", "waived", "failed", "unreadable", "missing"]
MarkKind = Literal["suspected", "missing", "involved"]

SYNTHETIC = (
    "单位和数字均为虚构，不代表任何真实机关。",
    "Sample data. Bodies and figures are invented and stand for no real authority.",
)
TIES = (
    "以下几种改法都能使各项相符，请核对原始台账后选择",
    "Each of these changes would make every sum agree; choose after checking the original records",
)
ONE_WAY = (
    "这样改能使各项相符，请先核对原始台账",
    "This change would make every sum agree; check the original records first",
)
OTHER_WAYS = ("可能性较小的改法", "Less likely changes")
_MENDED_BY = {
    "clerk": ("", ""),
    "officer": (
        "这一项由政府信息公开主管部门处理，填报人不用改表。",
        "The disclosure office deals with this; the return need not change.",
    ),
    "operator": (
        "这一项由系统运维人员处理，填报人不用改表。",
        "The operators of the system deal with this; the return need not change.",
    ),
}
_RELATION = {
    "=": ("应等于", "should equal"),
    ">=": ("应不少于", "should be at least"),
    "<=": ("应不多于", "should be at most"),
}


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A cell that a finding or a change speaks of. ``address``: its place in the clerk's own file, "" if unknown."""

    cell: str
    place_zh: str
    place_en: str
    address: str


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One finding in parts. ``number`` is its number on the receipt; figures are texts, "" where there is none."""

    number: int
    finding: Finding
    title_zh: str
    title_en: str
    where_zh: str
    where_en: str
    message_zh: str
    message_en: str
    advice_zh: str
    advice_en: str
    found: str
    expected: str
    expected_zh: str
    expected_en: str
    difference: str
    unit: str
    note_zh: str
    note_en: str
    look: Look | None
    suspected: Look | None
    proposed: str


class ProposedChange(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of a suggestion: what stands there and what would make the sums agree."""

    look: Look
    found: str
    proposed: str


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """One suggestion, never applied by itself."""

    rank: int
    changes: tuple[ProposedChange, ...]
    reason_zh: str
    reason_en: str


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How a cell of the clerk's tables is marked, and the numbers of the findings that lead to it.

    An involved cell carries the numbers of those findings alone that begin with it: a sum of twenty cells would
    otherwise sprinkle its number over the whole table.
    """

    kind: MarkKind
    numbers: tuple[int, ...]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A whole receipt. ``best``: the suggestions of the best rank (ties side by side); ``others``: the rest."""

    verdict: Verdict
    headline_zh: str
    headline_en: str
    next_zh: str
    next_en: str
    reporter_zh: str
    reporter_en: str
    facts: tuple[tuple[str, str, str], ...]
    synthetic_zh: str
    synthetic_en: str
    errors: tuple[Item, ...]
    warnings: tuple[Item, ...]
    waived: tuple[Item, ...]
    information: tuple[Item, ...]
    best: tuple[Proposal, ...]
    others: tuple[Proposal, ...]
    marks: dict[str, Mark]

    @property
    def groups(self) -> tuple[tuple[str, str, str, tuple[Item, ...]], ...]:
        """The groups that are not empty: (id, Chinese title, English title, items), most urgent first."""
        every = (
            ("error", "必须改正", "Must be mended", self.errors),
            ("warning", "请核实", "Please check", self.warnings),
            ("waived", "已经批准豁免", "Waived by approval", self.waived),
            ("information", "说明", "For information", self.information),
        )
        return tuple(group for group in every if group[3])


def look_at(form: Form, cell: str, addresses: Mapping[str, str]) -> Look | None:
    """A person's way to a cell; None where the form has no such cell."""
    known = form.by_id.get(cell)
    if known is None:
        return None
    return Look(
        cell=cell, place_zh=place_zh(form, known), place_en=place_en(form, known), address=addresses.get(cell, "")
    )


def where(form: Form, cells: Sequence[str]) -> tuple[str, str]:
    """The smallest place that holds all ``cells``: a cell, a row, a column, a table, several, or the whole return."""
    known = [form.by_id[cell] for cell in cells if cell in form.by_id]
    if not known:
        return "整份报表", "The whole return"
    if len(known) == 1:
        return place_zh(form, known[0]), place_en(form, known[0])
    tables = [form.table(table) for table in dict.fromkeys(cell.table for cell in known)]
    if len(tables) > 1:
        return "、".join(f"表{table.number_zh}" for table in tables), "; ".join(table.title_en for table in tables)
    table, first = tables[0], known[0]
    (row_zh, _, column_zh), (row_en, _, column_en) = (
        label.partition(bar) for label, bar in ((first.label_zh, "｜"), (first.label_en, " | "))
    )
    if len({cell.row for cell in known}) == 1:
        return f"表{table.number_zh}「{row_zh}」一行", f"{table.title_en}: row “{row_en}”"
    if len({cell.column for cell in known}) == 1:
        return f"表{table.number_zh}「{column_zh}」一列", f"{table.title_en}: column “{column_en}”"
    return f"表{table.number_zh}「{table.title_zh}」", table.title_en


def _texts(form: Form, rule_id: str) -> tuple[str, str, str, str, Rule | None]:
    """Title and advice of a rule, a domain or a kind, in both languages; the rule itself where it is one."""
    rules = load_rules(form.edition)
    rule = rules.by_id.get(rule_id)
    declared = rule or next((domain for domain in rules.domains if domain.id == rule_id), None)
    if declared:
        return declared.title_zh, declared.title_en, declared.advice_zh, declared.advice_en, rule
    kind = load_kinds().get(rule_id)
    return (kind.title_zh, kind.title_en, "", "", None) if kind else ("", "", "", "", None)


def _figure(value: Figure | str | None) -> str:
    return value if isinstance(value, str) else number_text(value)


def _item(form: Form, number: int, finding: Finding, addresses: Mapping[str, str]) -> Item:
    title_zh, title_en, advice_zh, advice_en, rule = _texts(form, finding.rule)
    place = where(form, finding.cells)
    relation = _RELATION[rule.relation] if rule else ("应为", "should be")
    note = _MENDED_BY[finding.mended_by]
    cell = form.by_id.get(finding.cells[0]) if finding.cells else None
    return Item(
        number=number,
        finding=finding,
        title_zh=title_zh,
        title_en=title_en,
        where_zh=place[0],
        where_en=place[1],
        message_zh=finding.message_zh.removesuffix(advice_zh),
        message_en=finding.message_en.removesuffix(advice_en),
        advice_zh=advice_zh if finding.message_zh.endswith(advice_zh) else "",
        advice_en=advice_en if finding.message_en.endswith(advice_en) else "",
        found=_figure(finding.found),
        expected=_figure(finding.expected),
        expected_zh=relation[0],
        expected_en=relation[1],
        difference=_figure(finding.difference),
        unit=cell.unit if cell else "",
        note_zh=note[0],
        note_en=note[1],
        look=look_at(form, finding.suspected or (finding.cells[0] if finding.cells else ""), addresses),
        suspected=look_at(form, finding.suspected, addresses),
        proposed=number_text(finding.proposed),
    )


def _proposals(
    form: Form, explanations: Iterable[Explanation], addresses: Mapping[str, str]
) -> tuple[tuple[Proposal, ...], tuple[Proposal, ...]]:
    ordered = sorted(explanations, key=lambda explanation: explanation.rank)  # stable: ties keep their order
    proposals = [
        Proposal(
            rank=explanation.rank,
            changes=tuple(
                ProposedChange(look=look, found=number_text(change.found), proposed=number_text(change.proposed))
                for change in explanation.changes
                if (look := look_at(form, change.cell, addresses))
            ),
            reason_zh=explanation.reason,
            reason_en=explanation.reason_en,
        )
        for explanation in ordered
    ]
    best = tuple(proposal for proposal in proposals if proposal.rank == proposals[0].rank)
    return best, tuple(proposals[len(best) :])


def _marks(items: Sequence[Item], best: Iterable[Proposal], values: Mapping[str, Figure | None]) -> dict[str, Mark]:
    """Suspected cells first, then cells without a figure, then the other cells of errors and warnings."""
    suspected = {item.finding.suspected for item in items}
    suspected |= {change.look.cell for proposal in best for change in proposal.changes}
    suspected.discard("")
    marks: dict[str, Mark] = {}
    for cell in dict.fromkeys([cell for item in items for cell in item.finding.cells] + sorted(suspected)):
        kind: MarkKind = "involved"
        if cell in suspected or values.get(cell) is None:
            kind = "suspected" if cell in suspected else "missing"
        numbers = [
            item.number
            for item in items
            if cell == item.finding.suspected
            or cell in (item.finding.cells[:1] if kind == "involved" else item.finding.cells)
        ]
        marks[cell] = Mark(kind=kind, numbers=tuple(numbers))
    return marks


def _verdict(status: Status, errors: int, waived: int) -> Verdict:
    if status in ("unreadable", "missing"):
        return status
    if errors or status == "refused":
        return "failed"
    return "waived" if waived or status == "waived" else "passed"


def _headline(verdict: Verdict, errors: int, warnings: int, waived: int) -> tuple[str, str, str, str]:
    """The verdict in one sentence and what to do next, in both languages."""
    check = (f"另有 {warnings} 处请核实。", f" {warnings} more point(s) to check.") if warnings else ("", "")
    if verdict == "passed":
        more = (f"；有 {warnings} 处请核实", f"; {warnings} point(s) to check") if warnings else ("", "")
        following = (
            (
                "请核实下列各处：数字有误的改正后重新报送；数字无误的写明原因。",
                "Check the points below: mend what is wrong, or state the reason.",
            )
            if warnings
            else ("不用再做什么。", "Nothing more to do.")
        )
        return f"核查通过{more[0]}。", f"Passed{more[1]}.", *following
    if verdict == "waived":
        count = (
            (f"：{waived} 处不符已经批准豁免", f": {waived} point(s) waived by approval")
            if waived
            else (
                "：已经批准豁免",
                ": waived by approval",
            )
        )
        return (
            f"予以采用{count[0]}。{check[0]}",
            f"Accepted{count[1]}.{check[1]}",
            "不用再做什么。",
            "Nothing more to do.",
        )
    if verdict == "unreadable":
        return (
            "文件无法读取，未能核查。",
            "The file could not be read and was not checked.",
            "请按下面的说明处理后重新报送。",
            "Follow the notes below and hand it in again.",
        )
    if verdict == "missing":
        return (
            "尚未收到可以采用的报表。",
            "No return has been accepted yet.",
            "请尽快报送。",
            "Please hand it in soon.",
        )
    count = (f"：有 {errors} 处必须改正", f": {errors} point(s) must be mended") if errors else ("", "")
    return (
        f"核查未通过{count[0]}。{check[0]}",
        f"Not passed{count[1]}.{check[1]}",
        "请对照原始台账逐处核对，改正后重新报送。",
        "Check each point against the original records, mend it, and hand the return in again.",
    )


def build_view(
    form: Form,
    region: Region | None,
    year: int | None,
    body: Body | None,
    findings: Sequence[Finding],
    explanations: Sequence[Explanation],
    values: Mapping[str, Figure | None],
    *,
    file: str,
    status: Status,
    versions: int,
    addresses: Mapping[str, str],
) -> View:
    """The content of one body's receipt. ``versions``: files received from the body for the year.

    ``addresses`` lead from cell to place in the file. Findings keep their order within each severity.
    """
    open_errors = [finding for finding in findings if finding.severity == "error" and not finding.waived]
    warnings = [finding for finding in findings if finding.severity == "warning" and not finding.waived]
    waived = [finding for finding in findings if finding.severity != "information" and finding.waived]
    information = [finding for finding in findings if finding.severity == "information"]
    numbered = [
        _item(form, number, finding, addresses)
        for number, finding in enumerate(open_errors + warnings + waived + information, 1)
    ]
    parts: list[tuple[Item, ...]] = []
    for group in (open_errors, warnings, waived, information):
        parts.append(tuple(numbered[: len(group)]))
        numbered = numbered[len(group) :]
    errors, warned, excused, told = parts
    best, others = _proposals(form, explanations, addresses)
    verdict = _verdict(status, len(errors), sum(item.finding.severity == "error" for item in excused))
    headline = _headline(verdict, len(errors), len(warned), len(excused))
    settings = region.settings if region else None
    synthetic = bool(settings and settings.synthetic)
    facts = [
        ("报送单位", "Body", f"{body.name_zh}（{body.code}）" if body else "未识别" if region else ""),
        ("地区", "Region", f"{settings.name_zh}（{settings.code}）" if settings else ""),
        ("报告年度", "Report year", str(year) if year else ""),
        ("表式", "Form", f"{form.declaration.title_zh}（{form.edition} 年版）"),
        ("文件", "File", file),
        ("收到文件", "Files received", f"{versions} 个" if versions > 1 else ""),
    ]
    return View(
        verdict=verdict,
        headline_zh=headline[0],
        headline_en=headline[1],
        next_zh=headline[2],
        next_en=headline[3],
        reporter_zh=body.name_zh if body else file,
        reporter_en=body.name_en if body else "",
        facts=tuple(fact for fact in facts if fact[2]),
        synthetic_zh=((settings.synthetic_note_zh if settings else "") or SYNTHETIC[0]) if synthetic else "",
        synthetic_en=((settings.synthetic_note_en if settings else "") or SYNTHETIC[1]) if synthetic else "",
        errors=errors,
        warnings=warned,
        waived=excused,
        information=told,
        best=best,
        others=others,
        marks=_marks((*errors, *warned, *excused), best, values),
    )
