"""Bars inside tables: a chart that is its own table, so that it reads the same with eyes, by voice and on a phone.

Belongs here: the lengths of bars and the bars as SVG. Does not belong here: which figures are shown (charts_view.py),
colours (web/src/portal.css).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from markupsafe import Markup


def percent(value: Decimal | int, whole: Decimal | int) -> str:
    """``value`` as a share of ``whole`` in per cent with two decimals at most; "0" where there is no whole."""
    if not whole:
        return "0"
    hundredths = int(Decimal(value) * 10_000 / Decimal(whole))
    text = f"{hundredths // 100}.{hundredths % 100:02d}".rstrip("0").rstrip(".")
    return text or "0"


def bar_svg(value: Decimal | int, whole: Decimal | int, tone: str) -> Markup:
    """A bar of the given share of its place. Hidden from screen readers: the figure stands beside it."""
    width = percent(value, whole)
    if value and width == "0":
        width = "0.3"  # more than nothing is seen as more than nothing
    return Markup(  # noqa: S704  numbers and our own class names alone
        f'<svg class="bar" width="100%" height="14" aria-hidden="true" focusable="false">'
        f'<rect class="track" width="100%" height="14" rx="3"/>'
        f'<rect class="{tone}" width="{width}%" height="14" rx="3"/></svg>'
    )


def stack_svg(parts: Sequence[tuple[Decimal | int, str]], whole: Decimal | int) -> Markup:
    """Several (value, tone) as one divided bar over ``whole``."""
    pieces: list[str] = []
    before = Decimal(0)
    for value, tone in parts:
        if value:
            pieces.append(
                f'<rect class="{tone}" x="{percent(before, whole)}%" width="{percent(value, whole)}%" height="18"/>'
            )
        before += value
    return Markup(  # noqa: S704
        f'<svg class="bar stack" width="100%" height="18" aria-hidden="true" focusable="false">'
        f'<rect class="track" width="100%" height="18"/>{"".join(pieces)}</svg>'
    )
