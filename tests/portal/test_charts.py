"""The charts: what is drawn follows from the form, heights from the figures, and nothing untrue is drawn."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise

import pytest
from lxml import etree

from pipelines.publish.portal.bars import bar_svg, percent, stack_svg
from pipelines.publish.portal.charts_view import flow_chart, parts_chart, shares_chart, shown, tones_of, year_charts
from pipelines.publish.portal.flow import NARROW, WIDE, Frame, Node, flow_svg
from schemas.charts import charts_of, load_charts
from schemas.form import editions, load_form
from schemas.rules import load_rules
from tests.publish.county import a_return

CHARTS = charts_of("2021")
TONES = tones_of(CHARTS)
SVG = "{http://www.w3.org/2000/svg}"


def nodes(*values: int) -> list[Node]:
    return [Node(label_zh=f"项{n}", label_en=f"Item {n}", value=v, tone="tone-0") for n, v in enumerate(values)]


def middle(value: int) -> Node:
    return Node(label_zh="应办", label_en="To handle", value=value, tone="tone-middle")


def draw(inflow: list[int], outflow: list[int], frame: Frame = WIDE) -> etree._Element:
    svg = flow_svg(nodes(*inflow), nodes(*outflow), middle(sum(inflow)), frame, title="题", description="述")
    return etree.fromstring(str(svg))


@pytest.mark.parametrize("edition", editions())
def test_every_chart_of_every_edition_names_cells_of_that_edition(edition: str) -> None:
    charts, form = charts_of(edition), load_form(edition)
    assert charts.flow is not None
    parts = [*charts.flow.inflow, *charts.flow.outflow]
    parts += [part for chart in charts.parts for part in chart.parts]
    parts += [part for chart in charts.shares for row in chart.rows for part in row.parts]
    assert {cell for part in parts for cell in part.cells} <= set(form.by_id)
    assert {chart.total for chart in charts.parts} <= set(form.by_id)


def test_every_declared_chart_is_drawn_for_the_current_edition() -> None:
    declared = load_charts()
    assert [chart.declaration.id for chart in CHARTS.parts] == [chart.id for chart in declared.parts]
    assert [chart.declaration.id for chart in CHARTS.shares] == [chart.id for chart in declared.shares]
    assert (CHARTS.headline, CHARTS.compare) == (declared.headline, declared.compare)


def test_a_cell_that_an_edition_lacks_is_left_out() -> None:
    older = {named.cell for named in charts_of("2019").compare}
    assert "requests.received.total" in older
    assert "proactive.administrative_fees.amount" not in older


def test_both_sides_of_the_flow_are_the_balance_rule_with_its_total_taken_apart() -> None:
    flow = CHARTS.flow
    assert flow is not None
    rule = load_rules("2021").by_id["requests.balance.total"]
    assert {cell for part in flow.inflow for cell in part.cells} == {term.cell for term in rule.expected}
    outcomes = {part for chart in CHARTS.parts if chart.declaration.id == "outcomes" for part in chart.parts}
    rows = {cell for part in outcomes for cell in part.cells} | {"requests.carried_out.total"}
    assert {cell for part in flow.outflow for cell in part.cells} == rows


@pytest.mark.parametrize("seed", range(5))
def test_the_parts_of_every_chart_add_up_to_its_total(seed: int) -> None:
    values = a_return(seed)
    for chart in CHARTS.parts:
        assert sum(values[cell] for part in chart.parts for cell in part.cells) == values[chart.total]
    for shares in CHARTS.shares:
        for row in shares.rows:
            assert sum(values[cell] for part in row.parts for cell in part.cells) == values[row.total]


@pytest.mark.parametrize("frame", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize(
    ("inflow", "outflow"),
    [([101, 4], [29, 56, 3, 13, 0, 2, 2]), ([1], [1]), ([7, 0], [0, 7]), ([99_999, 1], [1, 99_999])],
)
def test_heights_are_proportional_and_fill_the_middle(inflow: list[int], outflow: list[int], frame: Frame) -> None:
    svg = draw(inflow, outflow, frame)
    bars = [(float(bar.get("x", "")), float(bar.get("height", ""))) for bar in svg.iter(f"{SVG}rect")]
    total = sum(inflow)
    for x, values in ((frame.left, inflow), (frame.right, outflow)):
        heights = [height for at, height in bars if at == x]
        given = [value for value in values if value]
        assert len(heights) == len(given)
        for height, value in zip(heights, given, strict=True):
            assert height == pytest.approx(max(1, value * frame.height / total), abs=0.02)
    assert [height for at, height in bars if at == frame.middle] == [frame.height]


@pytest.mark.parametrize("frame", [WIDE, NARROW], ids=["wide", "narrow"])
def test_labels_never_overlap_and_stay_inside(frame: Frame) -> None:
    svg = draw([1000, 1], [993, 1, 1, 1, 1, 1, 1, 1, 1], frame)
    right = [
        float(text.get("y", ""))
        for text in svg.iter(f"{SVG}text")
        if text.get("class") == "zh" and float(text.get("x", "")) > frame.right
    ]
    assert len(right) == 9
    assert all(lower - upper >= frame.line - 0.02 for upper, lower in pairwise(right))
    assert 0 < right[0] < right[-1] < float(svg.get("viewBox", "").split()[3]) - 14


def test_a_flow_that_does_not_add_up_is_not_drawn() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        draw([5], [4])
    with pytest.raises(ValueError, match="do not add up"):
        draw([0], [0])


def test_the_flow_says_its_figures_to_a_screen_reader_and_nothing_else_can_get_in() -> None:
    hostile = Node(label_zh='<script>"x"&', label_en="a\u202eb", value=3, tone="tone-0")
    svg = etree.fromstring(str(flow_svg([hostile], [hostile], middle(3), WIDE, title="<t>", description="&d")))
    assert svg.get("role") == "img"
    ids = svg.get("aria-labelledby", "").split()
    assert [svg.xpath(f'//*[@id="{i}"]')[0].text for i in ids] == ["<t>", "&d"]
    assert {element.tag.removeprefix(SVG) for element in svg.iter()} == {
        "svg", "title", "desc", "path", "rect", "text", "tspan",
    }  # fmt: skip
    words = "".join(svg.itertext())
    assert '<script>"x"&' in words
    assert "a⟨U+202E⟩b" in words


def test_the_same_figures_give_the_same_drawing() -> None:
    assert etree.tostring(draw([101, 4], [60, 45])) == etree.tostring(draw([101, 4], [60, 45]))


def test_a_missing_or_broken_figure_leaves_the_flow_out() -> None:
    flow = CHARTS.flow
    assert flow is not None
    values = a_return(1)
    assert flow_chart(flow, values, TONES) is not None
    assert flow_chart(flow, values | {"requests.received.total": None}, TONES) is None
    assert flow_chart(flow, values | {"requests.received.total": Decimal(1)}, TONES) is None
    assert flow_chart(flow, values | {"requests.received.total": Decimal(-1)}, TONES) is None
    assert flow_chart(flow, dict.fromkeys(values, Decimal(0)), TONES) is None


def test_parts_show_what_is_above_zero_and_name_the_rest() -> None:
    outcomes = next(chart for chart in CHARTS.parts if chart.declaration.id == "outcomes")
    values = {cell: Decimal(0) for part in outcomes.parts for cell in part.cells}
    values |= {"requests.granted.total": Decimal(3), "requests.refused_third_party.total": Decimal(1)}
    chart = parts_chart(outcomes, values | {outcomes.total: Decimal(4)}, TONES)
    assert [(line.label_zh, line.value, line.share) for line in chart.lines] == [
        ("予以公开", "3", "75%"),
        ("保护第三方合法权益", "1", "25%"),
    ]
    assert chart.lines[1].note_zh == "不予公开"
    assert len(chart.nothing) == 19
    assert 'width="100%" height="14" rx="3"/></svg>' in chart.lines[0].bar


def test_an_unknown_part_is_shown_as_not_given_never_as_zero() -> None:
    applicants = next(chart for chart in CHARTS.parts if chart.declaration.id == "applicants")
    values: dict[str, Decimal | None] = dict.fromkeys((part.cells[0] for part in applicants.parts), Decimal(0))
    first = applicants.parts[0].cells[0]
    chart = parts_chart(applicants, values | {first: None, applicants.total: None}, TONES)
    assert [line.value for line in chart.lines] == ["—"]
    assert chart.total == "—"


def test_shares_are_drawn_on_one_scale() -> None:
    disputes = CHARTS.shares[0]
    values = {cell: Decimal(0) for row in disputes.rows for part in row.parts for cell in part.cells}
    values |= {row.total: Decimal(0) for row in disputes.rows}
    values |= {"disputes.reconsideration.upheld": Decimal(1), "disputes.reconsideration.total": Decimal(1)}
    values |= {"disputes.litigation_direct.pending": Decimal(4), "disputes.litigation_direct.total": Decimal(4)}
    lines = shares_chart(disputes, values).lines
    assert ['width="25%"' in line.bar for line in lines] == [True, False, False]
    assert lines[1].note_zh == "尚未审结 4"


def test_years_are_compared_where_editions_share_the_cell_and_its_unit() -> None:
    new, old = load_form("2021"), load_form("2019")
    figures = {"requests.received.total": Decimal(10), "proactive.administrative_fees.amount": Decimal("1.5")}
    charts = year_charts([(2020, old, figures), (2021, new, figures), (2022, new, figures)])
    years = {chart.id: [line.label_en for line in chart.lines] for chart in charts}
    assert years["requests-received-total"] == ["2020", "2021", "2022"]
    assert years["proactive-administrative_fees-amount"] == ["2021", "2022"]
    assert year_charts([(2022, new, figures)]) == ()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        ("0", "0"),
        ("3135.6000", "3,135.6"),
        ("1234567", "1,234,567"),
        ("-0.5", "-0.5"),
        ("-1234", "-1,234"),
    ],
)
def test_figures_for_people(value: str | None, text: str) -> None:
    assert shown(None if value is None else Decimal(value)) == text


def test_bars_show_more_than_nothing_as_something() -> None:
    assert percent(Decimal(1), Decimal(3)) == "33.33"
    assert percent(0, 0) == "0"
    assert 'width="0.3%"' in bar_svg(1, 1_000_000, "tone-0")
    assert re.findall(r'width="([\d.]+)%"', bar_svg(0, 5, "tone-0")) == ["100", "100", "0"]
    stack = stack_svg([(1, "tone-0"), (0, "tone-1"), (3, "tone-2")], 4)
    assert re.findall(r'class="(tone-\d)" x="([\d.]+)%" width="([\d.]+)%"', stack) == [
        ("tone-0", "0", "25"),
        ("tone-2", "25", "75"),
    ]
