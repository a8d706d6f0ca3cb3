"""The charts of a dataset and of a region, ready for the templates: words, exact figures, bars.

Belongs here: putting a release's figures into the declared charts. Does not belong here: which charts there are
(schemas/charts.toml), geometry (flow.py, bars.py), HTML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec
import pyarrow.compute as pc
from markupsafe import Markup

from pipelines.publish.portal.bars import bar_svg, percent, stack_svg
from pipelines.publish.portal.flow import NARROW, WIDE, Node, flow_svg
from pipelines.publish.portal.releases import Dataset
from schemas.charts import Charts, Flow, NamedCell, Part, Parts, Shares, charts_of
from schemas.findings import number_text
from schemas.form import Form

Figure = Decimal | None
TOP = 12  # bodies shown before the rest is folded away
MOST = 500  # bodies shown at all; the explorer has the others
TONES = 8  # tone-0 .. tone-7 of the style sheet


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a chart's table: words, the exact figure, its bar, and where it leads."""

    label_zh: str
    label_en: str
    value: str
    bar: Markup = Markup("")
    share: str = ""
    link: str = ""
    note_zh: str = ""
    note_en: str = ""


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A chart as a table of bars; ``nothing``: the parts that are 0; ``rest``: lines that are folded away.

    ``more``: how many lines are not on the page at all, and where they are.
    """

    id: str
    title_zh: str
    title_en: str
    unit: str
    lines: tuple[Line, ...]
    total: str = ""
    nothing: tuple[tuple[str, str], ...] = ()
    rest: tuple[Line, ...] = ()
    more: int = 0
    more_link: str = ""
    legend: tuple[tuple[str, str, str], ...] = ()


class FlowChart(msgspec.Struct, frozen=True, kw_only=True):
    """The flow in both shapes, and the same figures as a table."""

    title_zh: str
    title_en: str
    unit: str
    drawings: tuple[Markup, ...]
    inflow: tuple[Line, ...]
    outflow: tuple[Line, ...]
    total: str


def shown(value: Figure) -> str:
    """A figure for people: thousands apart, no trailing zeros; an em dash where it was not given."""
    if value is None:
        return "—"
    whole, _, rest = number_text(value).partition(".")
    return f"{int(whole):,}" + (f".{rest}" if rest else "") if not whole.startswith("-0") else number_text(value)


def _sum(totals: Mapping[str, Figure], cells: Sequence[str]) -> Figure:
    values = [value for cell in cells if (value := totals.get(cell)) is not None]
    return sum(values, Decimal(0)) if values else None


def trace_link(cell: str) -> str:
    """Where the bodies behind a county figure are shown."""
    return f"trace.html#cell={cell}"


def _part_line(part: Part, value: Figure, whole: Decimal, tone: str) -> Line:
    return Line(
        label_zh=part.label_zh,
        label_en=part.label_en,
        value=shown(value),
        bar=bar_svg(value or Decimal(0), whole, tone),
        share=f"{percent(value or 0, whole)}%" if whole else "",
        link=trace_link(part.cells[0]) if len(part.cells) == 1 else "",
    )


def tones_of(charts: Charts) -> dict[str, str]:
    """The colour of each part, the same wherever it appears: those of the flow's right side first."""
    names = [part.id for part in charts.flow.outflow] if charts.flow else []
    return {name: f"tone-{position % TONES}" for position, name in enumerate(names)}


def flow_chart(flow: Flow, totals: Mapping[str, Figure], tones: Mapping[str, str]) -> FlowChart | None:
    """The flow of a dataset; None where a figure is missing or there is nothing to show."""
    sides: list[list[tuple[Part, Figure]]] = [
        [(part, _sum(totals, part.cells)) for part in side] for side in (flow.inflow, flow.outflow)
    ]
    if any(value is None or value != int(value) or value < 0 for side in sides for _, value in side):
        return None
    sums = [sum((value or Decimal(0) for _, value in side), Decimal(0)) for side in sides]
    if sums[0] != sums[1] or not sums[0]:
        return None

    def nodes(side: Sequence[tuple[Part, Figure]], tone: str) -> list[Node]:
        return [
            Node(
                label_zh=part.label_zh,
                label_en=part.label_en,
                value=int(value or 0),
                tone=tone or tones.get(part.id, "tone-7"),
            )
            for part, value in side
        ]

    def words(side: Sequence[tuple[Part, Figure]]) -> tuple[str, str]:
        return (
            "、".join(f"{part.label_zh} {shown(value)} {flow.unit}" for part, value in side),
            ", ".join(f"{part.label_en} {shown(value)}" for part, value in side),
        )

    declared = flow.declaration
    (in_zh, in_en), (out_zh, out_en) = words(sides[0]), words(sides[1])
    whole = sums[0]
    middle = Node(label_zh=declared.in_zh, label_en=declared.in_en, value=int(whole), tone="tone-middle")
    description = f"{in_zh}；共 {shown(whole)} {flow.unit}；{out_zh}。 {in_en}; {shown(whole)} in all; {out_en}."
    drawings = tuple(
        flow_svg(
            nodes(sides[0], "tone-in"),
            nodes(sides[1], ""),
            middle,
            frame,
            title=f"{declared.title_zh} {declared.title_en}",
            description=description,
        )
        for frame in (WIDE, NARROW)
    )
    inflow, outflow = (
        tuple(_part_line(part, value, whole, tones.get(part.id, "tone-in")) for part, value in side) for side in sides
    )
    return FlowChart(
        title_zh=declared.title_zh,
        title_en=declared.title_en,
        unit=flow.unit,
        drawings=drawings,
        inflow=inflow,
        outflow=outflow,
        total=shown(whole),
    )


def parts_chart(parts: Parts, totals: Mapping[str, Figure], tones: Mapping[str, str]) -> Chart:
    """The parts of a total, those above 0 as bars against the largest, the others named below."""
    values = [(part, _sum(totals, part.cells)) for part in parts.parts]
    total = totals.get(parts.total) or Decimal(0)
    longest = max((value or Decimal(0) for _, value in values), default=Decimal(0))
    groups = list(dict.fromkeys(part.group for part in parts.parts))
    lines = []
    for part, value in values:
        if not value and value is not None:
            continue
        tone = tones.get(part.group) or f"tone-{groups.index(part.group) % TONES}"
        line = _part_line(part, value, total, tone)
        above_zh = "" if part.group_zh in ("", part.label_zh) else part.group_zh
        lines.append(
            msgspec.structs.replace(
                line,
                bar=bar_svg(value or Decimal(0), longest, tone),
                note_zh=above_zh,
                note_en=part.group_en if above_zh else "",
            )
        )
    declared = parts.declaration
    return Chart(
        id=declared.id,
        title_zh=declared.title_zh,
        title_en=declared.title_en,
        unit=parts.unit,
        lines=tuple(lines),
        total=shown(totals.get(parts.total)),
        nothing=tuple((part.label_zh, part.label_en) for part, value in values if value == 0),
    )


def shares_chart(shares: Shares, totals: Mapping[str, Figure]) -> Chart:
    """Totals side by side as divided bars on one scale."""
    whole = max((totals.get(row.total) or Decimal(0) for row in shares.rows), default=Decimal(0))
    lines = []
    for row in shares.rows:
        parts = [(part, _sum(totals, part.cells)) for part in row.parts]
        given = [(part, value) for part, value in parts if value]
        pieces = [(value or Decimal(0), f"tone-{position % TONES}") for position, (_, value) in enumerate(parts)]
        lines.append(
            Line(
                label_zh=row.label_zh,
                label_en=row.label_en,
                value=shown(totals.get(row.total)),
                bar=stack_svg(pieces, whole),
                link=trace_link(row.total),
                note_zh="，".join(f"{part.label_zh} {shown(value)}" for part, value in given),
                note_en=", ".join(f"{part.label_en} {shown(value)}" for part, value in given),
            )
        )
    legend = tuple(
        (f"tone-{position % TONES}", part.label_zh, part.label_en) for position, part in enumerate(shares.rows[0].parts)
    )
    declared = shares.declaration
    return Chart(
        id=declared.id,
        title_zh=declared.title_zh,
        title_en=declared.title_en,
        unit=shares.unit,
        lines=tuple(lines),
        legend=legend,
    )


def bodies_chart(named: NamedCell, dataset: Dataset, figures: Mapping[str, Figure], names: Mapping[str, str]) -> Chart:
    """One figure for every body, the largest first; ``figures`` by body code."""
    order = sorted(figures, key=lambda body: (-(figures[body] or Decimal(0)), body))
    longest = max((figures[body] or Decimal(0) for body in order), default=Decimal(0))
    lines = tuple(
        Line(
            label_zh=names.get(body, body),
            label_en=body,
            value=shown(figures[body]),
            bar=bar_svg(figures[body] or Decimal(0), longest, "tone-in"),
            link=f"data.html#table=body_cells&f.body={body}&f.cell={named.cell}",
        )
        for body in order[:MOST]
    )
    nothing = sum(1 for body in order if figures[body] == 0)
    visible = lines[: min(TOP, max(len(order) - nothing, 1))]
    return Chart(
        id=named.cell.replace(".", "-"),
        title_zh=named.label_zh,
        title_en=named.label_en,
        unit=dataset.form.by_id[named.cell].unit,
        lines=visible,
        rest=lines[len(visible) :],
        more=len(order) - len(lines),
        more_link=f"data.html#table=body_cells&f.cell={named.cell}",
        total=shown(dataset.totals().get(named.cell)),
    )


def body_charts(dataset: Dataset, charts: Charts) -> tuple[Chart, ...]:
    """The declared figures compared between the accepted bodies."""
    table = dataset.tables["body_cells"]
    wanted: dict[str, dict[str, Figure]] = {}
    for named in charts.compare:
        rows = table.filter(pc.equal(table["cell"], named.cell))
        wanted[named.cell] = dict(zip(rows["body"].to_pylist(), rows["value"].to_pylist(), strict=True))
    names = {row["body"]: row["name_zh"] for row in dataset.rows("bodies")}
    return tuple(bodies_chart(named, dataset, wanted[named.cell], names) for named in charts.compare)


def year_charts(series: Sequence[tuple[int, Form, Mapping[str, Figure]]]) -> tuple[Chart, ...]:
    """The declared figures over the years, for those that at least two editions in use have in common.

    ``series``: year, the form of that year, its totals, oldest first. A year whose edition lacks the cell is left out.
    """
    charts: list[Chart] = []
    compared = dict.fromkeys(named for _, form, _ in series for named in charts_of(form.edition).compare)
    for named in compared:
        points = [(year, form, totals.get(named.cell)) for year, form, totals in series if named.cell in form.by_id]
        if len(points) < 2 or len({form.by_id[named.cell].unit for _, form, _ in points}) > 1:
            continue
        longest = max((value or Decimal(0) for _, _, value in points), default=Decimal(0))
        lines = tuple(
            Line(
                label_zh=f"{year} 年",
                label_en=str(year),
                value=shown(value),
                bar=bar_svg(value or Decimal(0), longest, "tone-in"),
                link=f"{year}/{trace_link(named.cell)}",
            )
            for year, _, value in points
        )
        charts.append(
            Chart(
                id=named.cell.replace(".", "-"),
                title_zh=named.label_zh,
                title_en=named.label_en,
                unit=points[0][1].by_id[named.cell].unit,
                lines=lines,
            )
        )
    return tuple(charts)
