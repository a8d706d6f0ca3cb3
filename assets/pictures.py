"""Small pictures for the Dagster UI: bars beside their labels and figures, as an image in Markdown.

Belongs here: drawing. Does not belong here: which figures are drawn (views.py). The UI shows no raw SVG, but images
whose address holds the picture itself. The same figures give the same bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

FONTS = "'Noto Sans CJK SC','Microsoft YaHei','PingFang SC',sans-serif"
ROW, LABEL, WIDTH = 24, 250, 470  # pixels; the UI cuts off what is wider, and the longest label takes up to LABEL
LATIN, CHINESE = 7.5, 13.0  # about how wide a character is
TONES = {"good": "#2e7d5b", "bad": "#b3382c", "plain": "#3b6ea5", "past": "#b8c4d0"}
Bar = tuple[str, float, str, str]  # label, length, figure as shown, tone


def bars(title: str, rows: Sequence[Bar]) -> str:
    """``rows`` as bars, in Markdown; "" for no rows. Lengths are at least 0, the longest fills its place."""
    if not rows:
        return ""
    longest = max(length for _, length, _, _ in rows) or 1
    named = round(min(LABEL, max(_width(_short(label)) for label, _, _, _ in rows) + 10))
    space = round(WIDTH - named - max(_width(figure) for _, _, figure, _ in rows) - 10)
    height, width = ROW * len(rows) + 8, WIDTH
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' role="img" aria-label="{escape(title, quote=True)}" font-family="{FONTS}" font-size="12">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>'
    ]
    for number, (label, length, figure, tone) in enumerate(rows):
        top = 4 + ROW * number
        long = round(max(space, 60) * length / longest, 1)
        if length and long < 1:
            long = 1.0
        parts.append(
            f'<text x="{named - 8}" y="{top + 16}" text-anchor="end" fill="#222">{escape(_short(label))}</text>'
            f'<rect x="{named}" y="{top + 4}" width="{long}" height="{ROW - 8}" rx="2" fill="{TONES[tone]}"/>'
            f'<text x="{named + long + 6}" y="{top + 16}" fill="#222">{escape(figure)}</text>'
        )
    picture = base64.b64encode(("".join(parts) + "</svg>").encode()).decode()
    alt = title.replace("[", "(").replace("]", ")").replace("\n", " ")
    return f"![{alt}](data:image/svg+xml;base64,{picture})"


def _width(text: str) -> float:
    return sum(LATIN if character < "\u2000" else CHINESE for character in text)


def _short(label: str) -> str:
    """At most 18 characters; what is left out lies before the end, by which the labels of one table differ."""
    return label if len(label) <= 18 else f"{label[:9]}…{label[-8:]}"
