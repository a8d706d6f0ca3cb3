"""The flow chart: where figures come from and where they go, as SVG of our own, the same bytes for the same figures.

Belongs here: the geometry of the flow. Does not belong here: which cells it shows (schemas/charts.py), colours and
fonts (web/src/portal.css; a chart only names classes), other charts (bars.py).

All lengths are whole hundredths of a pixel, so that no rounding differs between machines. Every height is exactly
proportional to its figure; labels alone are moved apart where they would overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec
from markupsafe import Markup, escape

from pipelines.publish.page_text import visible

UNIT = 100


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One end of the flow: its words, its whole figure (>= 0), the class that gives its colour."""

    label_zh: str
    label_en: str
    value: int
    tone: str


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """Where things stand, in pixels: the drawing's width, the height of the bars, the x of the three columns."""

    name: str
    width: int
    height: int
    left: int
    middle: int
    right: int
    bar: int
    line: int  # the least distance of two labels
    labels_inside: bool  # the inflow's labels stand on the ribbons instead of left of them
    wrap: int  # English words wrap after so many letters


WIDE = Frame(
    name="wide",
    width=960,
    height=300,
    left=206,
    middle=474,
    right=742,
    bar=14,
    line=40,
    labels_inside=False,
    wrap=48,
)
NARROW = Frame(
    name="narrow",
    width=360,
    height=340,
    left=2,
    middle=146,
    right=200,
    bar=10,
    line=46,
    labels_inside=True,
    wrap=24,
)


def _px(hundredths: int) -> str:
    whole, rest = divmod(abs(hundredths), UNIT)
    text = f"{whole}.{rest:02d}".rstrip("0").rstrip(".")
    return f"-{text}" if hundredths < 0 and text != "0" else text


def _spread(centres: Sequence[int], line: int, top: int, bottom: int) -> list[int]:
    """``centres`` (ascending) moved as little as needed so that neighbours are ``line`` apart inside top..bottom."""
    placed: list[int] = []
    for centre in centres:
        placed.append(max(centre, placed[-1] + line if placed else top))
    limit = bottom
    for position in range(len(placed) - 1, -1, -1):
        placed[position] = min(placed[position], limit)
        limit = placed[position] - line
    return placed


def _heights(values: Sequence[int], total: int, height: int) -> list[int]:
    """Heights by share of ``height``; they add up to it exactly, whatever the rounding."""
    edges, sofar = [0], 0
    for value in values:
        sofar += value
        edges.append(sofar * height // total)
    return [lower - upper for upper, lower in pairwise(edges)]


def _ribbon(x0: int, y0: int, x1: int, y1: int, height: int, tone: str) -> str:
    """A band of even height from the left edge (x0, y0) to the right edge (x1, y1)."""
    bend = (x0 + x1) // 2
    height = max(height, UNIT)  # a figure of 1 among 100,000 is still seen
    upper, lower = (y0, y1), (y0 + height, y1 + height)
    points = (
        f"M{_px(x0)} {_px(upper[0])}"
        f"C{_px(bend)} {_px(upper[0])} {_px(bend)} {_px(upper[1])} {_px(x1)} {_px(upper[1])}"
        f"V{_px(lower[1])}"
        f"C{_px(bend)} {_px(lower[1])} {_px(bend)} {_px(lower[0])} {_px(x0)} {_px(lower[0])}Z"
    )
    return f'<path class="ribbon {tone}" d="{points}"/>'


def _bar(x: int, y: int, width: int, height: int, tone: str) -> str:
    return (
        f'<rect class="node {tone}" x="{_px(x)}" y="{_px(y)}" width="{_px(width)}" height="{_px(max(height, UNIT))}"/>'
    )


def _wrapped(text: str, letters: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= letters:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _label(x: int, y: int, node: Node, anchor: str, wrap: int) -> str:
    """Two languages and the figure, centred about ``y``."""
    zh, lines = escape(visible(node.label_zh)), _wrapped(visible(node.label_en), wrap)
    english = "".join(
        f'<text class="en" lang="en" x="{_px(x)}" y="{_px(y + (14 + 13 * number) * UNIT)}" text-anchor="{anchor}">'
        f"{escape(line)}</text>"
        for number, line in enumerate(lines)
    )
    return (
        f'<text class="zh" x="{_px(x)}" y="{_px(y - UNIT)}" text-anchor="{anchor}">'
        f'<tspan class="label">{zh}</tspan> <tspan class="figure">{node.value:,}</tspan></text>{english}'
    )


def _side(nodes: Sequence[Node], heights: Sequence[int], gap: int) -> list[int]:
    """The top of each node when they stand below one another with ``gap`` between them."""
    tops: list[int] = []
    y = 0
    for _, height in zip(nodes, heights, strict=True):
        tops.append(y)
        y += height + gap
    return tops


def flow_svg(
    inflow: Sequence[Node], outflow: Sequence[Node], middle: Node, frame: Frame, *, title: str, description: str
) -> Markup:
    """The flow as inline SVG. Nodes of value 0 are left out (their labels belong into the table beside the chart).

    ``title`` and ``description`` are what a screen reader says. Raises ValueError where the two sides do not add up to
    the middle: such a picture would not be true.
    """
    sources = [node for node in inflow if node.value]
    sinks = [node for node in outflow if node.value]
    total = middle.value
    if not total or sum(node.value for node in sources) != total or sum(node.value for node in sinks) != total:
        raise ValueError("the two sides of the flow do not add up to its middle")
    height, line, bar = frame.height * UNIT, frame.line * UNIT, frame.bar * UNIT
    left, centre, right = frame.left * UNIT, frame.middle * UNIT, frame.right * UNIT
    gap = 14 * UNIT
    into, out = (_heights([node.value for node in side], total, height) for side in (sources, sinks))
    source_tops, sink_tops = _side(sources, into, gap), _side(sinks, out, gap)
    needed = max(source_tops[-1] + into[-1], sink_tops[-1] + out[-1], (len(sinks) - 1) * line)
    offset = 34 * UNIT  # room for the middle's label
    top = offset + (needed - height) // 2  # the middle stands half-way
    shapes: list[str] = []
    labels: list[str] = []

    sofar = top
    start = offset + (needed - source_tops[-1] - into[-1]) // 2
    centres = [start + y + tall // 2 for y, tall in zip(source_tops, into, strict=True)]
    places = _spread(centres, line, offset + 8 * UNIT, offset + needed - 8 * UNIT)
    for node, y, tall, place in zip(sources, source_tops, into, places, strict=True):
        shapes.append(_ribbon(left + bar, start + y, centre, sofar, tall, node.tone))
        shapes.append(_bar(left, start + y, bar, tall, node.tone))
        x, anchor = (left + bar + 8 * UNIT, "start") if frame.labels_inside else (left - 10 * UNIT, "end")
        labels.append(_label(x, place, node, anchor, frame.wrap))
        sofar += tall

    sofar = top
    start = offset + (needed - sink_tops[-1] - out[-1]) // 2
    centres = [start + y + tall // 2 for y, tall in zip(sink_tops, out, strict=True)]
    places = _spread(centres, line, offset + 8 * UNIT, offset + needed)
    for node, y, tall, place, at in zip(sinks, sink_tops, out, places, centres, strict=True):
        shapes.append(_ribbon(centre + bar, sofar, right, start + y, tall, node.tone))
        shapes.append(_bar(right, start + y, bar, tall, node.tone))
        edge = right + bar
        if abs(place - at) > 4 * UNIT:
            shapes.append(
                f'<path class="leader" d="M{_px(edge + 2 * UNIT)} {_px(at)}L{_px(edge + 10 * UNIT)} {_px(place)}"/>'
            )
        labels.append(_label(edge + 14 * UNIT, place, node, "start", frame.wrap - 4))
        sofar += tall

    shapes.append(_bar(centre, top, bar, height, middle.tone))
    labels.append(
        f'<text class="zh" x="{_px(centre + bar // 2)}" y="{_px(top - 20 * UNIT)}" text-anchor="middle">'
        f'<tspan class="label">{escape(visible(middle.label_zh))}</tspan> '
        f'<tspan class="figure">{total:,}</tspan></text>'
        f'<text class="en" lang="en" x="{_px(centre + bar // 2)}" y="{_px(top - 6 * UNIT)}" text-anchor="middle">'
        f"{escape(visible(middle.label_en))}</text>"
    )
    tall = (offset + needed) // UNIT + 44
    identifier = f"flow-{frame.name}"
    return Markup(  # noqa: S704  every text above is escaped
        f'<svg class="flow {frame.name}" viewBox="0 0 {frame.width} {tall}" role="img" '
        f'aria-labelledby="{identifier}-title {identifier}-desc" xmlns="http://www.w3.org/2000/svg">'
        f'<title id="{identifier}-title">{escape(visible(title))}</title>'
        f'<desc id="{identifier}-desc">{escape(visible(description))}</desc>'
        f"{''.join(shapes)}{''.join(labels)}</svg>"
    )
