"""The official report as one self-contained page.

Belongs here: the page. Does not belong here: what it says (content.py). No script, no outside file; a policy inside the
page forbids both.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pipelines.publish.report.content import Content, Heading, Paragraph, Table

HERE = Path(__file__).parent


def _rows(table: Table) -> list[list[dict[str, Any]]]:
    """The boxes of a table by row, as the template wants them."""
    rows: list[list[dict[str, Any]]] = [[] for _ in range(table.drawing.rows)]
    for box in table.drawing.boxes:
        rows[box.row].append({"box": box, "text": table.text(box), "scope": "col" if box.role == "head" else "row"})
    return rows


def _widths(content: Content) -> Iterator[str]:
    """The column widths as rules of the style sheet: the page's policy forbids them on the elements."""
    for table in content.blocks:
        if isinstance(table, Table):
            for position, share in enumerate(table.shares, 1):
                yield f"table.{table.drawing.table} col:nth-child({position}) {{ width: {share * 100:.2f}%; }}\n"


@cache
def _template() -> Any:  # noqa: ANN401 - jinja2 is imported only where a page is made
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html")


def report_html(content: Content) -> bytes:
    """The page in UTF-8. Every figure's cell carries its id in ``data-cell``."""
    style = (HERE / "report.css").read_text(encoding="utf-8") + "".join(_widths(content))
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    blocks = [
        {
            "kind": "heading" if isinstance(block, Heading) else "table" if isinstance(block, Table) else "paragraph",
            "block": block,
            "rows": _rows(block) if isinstance(block, Table) else [],
            "look": block.look if isinstance(block, Paragraph) else "",
        }
        for block in content.blocks
    ]
    text: str = _template().render(content=content, blocks=blocks, style=style, digest=digest)
    return (text.rstrip("\n") + "\n").encode("utf-8")
