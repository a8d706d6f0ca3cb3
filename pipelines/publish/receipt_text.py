"""The receipt (回执) on a terminal: what `gongkai check FILE` prints for people.

Belongs here: laying the content of receipt_view.py out as plain text, aligned for Chinese and Latin. Does not belong
here: the content itself, JSON. This module stays light: `gongkai check` must start in a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pipelines.publish.page_text import one_line, pad, width, wrap
from pipelines.publish.receipt_view import (
    ONE_WAY,
    OTHER_WAYS,
    TIES,
    Item,
    Look,
    Mark,
    Proposal,
    Status,
    Verdict,
    View,
    build_view,
)
from schemas.findings import Figure, Finding, number_text
from schemas.form import Block, Form, Table, short_label
from schemas.intake import Explanation
from schemas.region import Body, Region

MARK: dict[Verdict, str] = {"passed": "√", "waived": "√", "failed": "×", "unreadable": "×", "missing": "×"}
_COLOURS = {"√": "32;1", "×": "31;1", "error": "31;1", "warning": "33;1", "waived": "36;1", "information": "2"}
_LABEL_COLUMNS = 28


class _Writer:
    """Lines of at most ``columns``; ``paint`` colours a line where colours are wanted."""

    def __init__(self, columns: int, colour: bool) -> None:
        self.columns, self.colour = columns, colour
        self.lines: list[str] = []

    def paint(self, text: str, name: str) -> str:
        return f"\x1b[{_COLOURS[name]}m{text}\x1b[0m" if self.colour else text

    def say(self, text: str, first: str = "", rest: str | None = None, paint: str = "") -> None:
        blanks = " " * width(first) if rest is None else rest
        for line in wrap(text, self.columns, first, blanks) if text else ():
            self.lines.append(self.paint(line, paint) if paint else line)

    def gap(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")


def _at(look: Look) -> str:
    return f"（文件中 {look.address}）" if look.address else ""


def _item(out: _Writer, item: Item, group: str) -> None:
    out.say(item.where_zh, f"{item.number:>2}. ", paint=group)
    out.say(item.message_zh, "    ")
    if item.suspected:
        change = f"，似应为 {item.proposed}，请核对原始台账" if item.proposed else ""
        out.say(f"疑似写错的一格：{item.suspected.place_zh}{_at(item.suspected)}{change}。", "    ")
    elif item.look and item.look.address:
        out.say(f"文件中的位置：{item.look.address}", "    ")
    elif item.finding.address:
        out.say(f"文件中的位置：{item.finding.address}", "    ")
    out.say(item.advice_zh, "    怎么办：")
    out.say(item.note_zh, "    ")
    if item.finding.waived:
        out.say(item.finding.waived, "    豁免理由：")
    out.say(f"{item.message_en}{item.advice_en}", "    ")
    out.say(f"[{item.finding.rule}]", "    ")
    out.gap()


def _proposal(out: _Writer, proposal: Proposal) -> None:
    first = "  · "
    for change in proposal.changes:
        found = change.found or "（空）"
        out.say(f"{change.look.place_zh}{_at(change.look)}：{found} → {change.proposed}", first)
        first = "    "
    out.say(proposal.reason_zh, "    理由：")
    out.say(proposal.reason_en, "    ")


def _proposals(out: _Writer, view: View) -> None:
    if not view.best:
        return
    title = TIES if len(view.best) > 1 else ONE_WAY
    out.say(f"{title[0]}：")
    out.say(f"{title[1]}:")
    for proposal in view.best:
        _proposal(out, proposal)
    if view.others:
        out.gap()
        out.say(f"{OTHER_WAYS[0]}（{OTHER_WAYS[1]}）：")
        for proposal in view.others:
            _proposal(out, proposal)
    out.gap()


def _shown(cell: str, values: Mapping[str, Figure | None], raws: Mapping[str, str | None]) -> str:
    value = values.get(cell)
    if value is not None:
        return number_text(value)
    return one_line(raws.get(cell) or "")[:12] or "缺"


def _excerpt(
    table: Table,
    block: Block,
    marks: Mapping[str, Mark],
    values: Mapping[str, Figure | None],
    raws: Mapping[str, str | None],
) -> Iterator[str]:
    """The rows of a block that hold a marked cell, with suspected cells between ``▶`` and ``◀``."""
    heads = ["", *(short_label(column) for column in block.columns)]
    lines: list[list[str]] = []
    for row in block.rows:
        cells = [f"{table.id}.{row.id}.{column.id}" for column in block.columns]
        if not any(cell in marks and marks[cell].kind != "involved" for cell in cells):
            continue
        label = short_label(row)
        while width(label) > _LABEL_COLUMNS:
            label = label[:-2] + "…"
        line = [label]
        for cell in cells:
            text = _shown(cell, values, raws)
            marked = cell in marks and marks[cell].kind != "involved"
            line.append(f"▶{text}◀" if marked else f"{text} ")
        lines.append(line)
    if not lines:
        return
    columns = [max(width(line[at]) for line in [heads, *lines]) for at in range(len(heads))]
    yield f"  表{table.number_zh} {table.title_zh}"
    for line in [heads, *lines]:
        yield "    " + "  ".join(pad(text, columns[at], right=at > 0) for at, text in enumerate(line)).rstrip()
    yield ""


def _picture(
    out: _Writer, form: Form, view: View, values: Mapping[str, Figure | None], raws: Mapping[str, str | None]
) -> None:
    excerpts = [
        line
        for table in form.tables
        for block in table.blocks
        for line in _excerpt(table, block, view.marks, values, raws)
    ]
    if excerpts and values:
        out.say("表中有疑问的几行（▶ ◀ 之间为疑似写错或缺数的一格）：")
        out.lines += excerpts


def receipt_text(
    form: Form,
    region: Region | None,
    year: int | None,
    body: Body | None,
    findings: Sequence[Finding],
    explanations: Sequence[Explanation],
    values: Mapping[str, Figure | None],
    raws: Mapping[str, str | None],
    file: str,
    status: Status,
    versions: int = 1,
    *,
    addresses: Mapping[str, str] | None = None,
    columns: int = 80,
    colour: bool = False,
) -> str:
    """The receipt as plain text, lines of at most ``columns`` (tables excepted), ending in a newline.

    Parameters are those of receipt.receipt_page. Text from files is made visible: no escape sequence reaches the
    terminal except, with ``colour``, our own.
    """
    view = build_view(
        form,
        region,
        year,
        body,
        findings,
        explanations,
        values,
        file=file,
        status=status,
        versions=versions,
        addresses=addresses or {},
    )
    out = _Writer(columns, colour)
    mark = MARK[view.verdict]
    out.say(f"{view.reporter_zh}：{view.headline_zh}", f"{mark} ", paint=mark)
    out.say(view.headline_en, "  ")
    out.say(view.next_zh, "  ")
    out.say(view.next_en, "  ")
    out.say(view.synthetic_zh, "  【示例数据】")
    out.gap()
    for label, _, text in view.facts:
        out.say(text, f"  {label}：")
    out.gap()
    _proposals(out, view)
    for group, title_zh, title_en, items in view.groups:
        out.say(f"{title_zh}（{title_en}，{len(items)}）", paint=group)
        for item in items:
            _item(out, item, group)
    _picture(out, form, view, values, raws)
    return "\n".join(out.lines).rstrip() + "\n"
