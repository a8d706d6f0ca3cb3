"""Web pages as portals export them, and the HTML that systems save as .xls or .doc, become Documents.

Belongs here: what of a page is shown, in which order, and its tables with their spans. Does not belong here: the form.
"""

from __future__ import annotations

import re
from functools import lru_cache

from lxml import etree

from pipelines.ingest.decoding import decode
from pipelines.ingest.document import Document
from pipelines.ingest.limits import MAX_DEPTH
from pipelines.ingest.readers.container import damaged, hostile
from pipelines.ingest.readers.flow import Flow, is_data
from pipelines.ingest.readers.xmlparts import declares_entities


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SILENT = _names("head script style noscript template iframe object embed svg canvas audio video math button datalist")
_BLOCKS = _names(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hr html legend li main menu nav ol p pre section summary ul option"
)
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|mso-hide\s*:\s*all|font-size\s*:\s*0(?:px|pt|em|%)?\s*(?:;|$)",
    re.IGNORECASE,
)
_BREAKS = _BLOCKS | {"br", "table", "tr", "td", "th"}
_SPACE = re.compile(r"[ \t\r\n\f]+")
_DIGITS = re.compile(r"\s*(\d{1,9})")
_SHORT = 200  # characters of a style that is remembered


def read(data: bytes, name: str) -> Document:
    """Read a page. Raises Declined: text that cannot be decoded, entities declared, spans or depth beyond bounds."""
    text = decode(data, name)
    if "<!ENTITY" in text:
        raise declares_entities(name)
    _look_at_depth(text, name)
    # Decoded before, so the page's own claim about its encoding no longer counts.
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False, remove_comments=True, remove_pis=True)
    root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    if any("epth" in entry.message for entry in parser.error_log):
        raise _too_deep(name)
    if root is None:
        raise damaged(name, "网页没有内容", "the page has no content")
    page = _Page(name)
    title = root.findtext(".//title")
    if title:
        page.flow.paragraph(_SPACE.sub(" ", title).strip(), at="网页标题")
    page.blocks(root, 0)
    page.flush()
    return Document(format="html", items=tuple(page.flow.items))


def _too_deep(name: str) -> Exception:
    return hostile(name, "嵌套层数过多", "its parts are nested too deeply")


def _look_at_depth(text: str, name: str) -> None:
    """Table cells cannot close themselves, so their nesting is known before the parser's own effort with it."""
    depth = 0
    for match in re.finditer(r"<(/?)table\b", text, re.IGNORECASE):
        depth += -1 if match.group(1) else 1
        depth = max(depth, 0)
        if depth > MAX_DEPTH // 4:
            raise _too_deep(name)


def _shown(element: etree._Element) -> bool:
    if element.tag in _SILENT:  # the parser has left out comments and instructions
        return False
    stated = element.keys()
    if not stated:
        return True
    if "hidden" in stated or (element.tag == "input" and element.get("type", "text").lower() == "hidden"):
        return False
    style = element.get("style") if "style" in stated else None
    return not style or not (_hides if len(style) <= _SHORT else _HIDDEN.search)(style)


@lru_cache(maxsize=1024)
def _hides(style: str) -> bool:
    """Whether a style hides its element. Exported pages repeat few styles on every cell."""
    return _HIDDEN.search(style) is not None


def _number(element: etree._Element, name: str) -> int:
    stated = element.get(name)
    match = _DIGITS.match(stated) if stated else None
    return int(match.group(1)) if match else 1


class _Page:
    """Walks a page. Text of the current paragraph gathers in ``line`` until a block begins or ends."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.flow = Flow(name)
        self.line: list[str] = []

    def flush(self) -> None:
        self.flow.paragraph(_tidy("".join(self.line)))
        self.line.clear()

    def blocks(self, element: etree._Element, depth: int) -> None:
        """The content of an element as paragraphs and tables."""
        self.flow.depth(depth)
        self.line.append(_SPACE.sub(" ", element.text or ""))
        for child in element:
            if _shown(child):
                tag = str(child.tag)
                if tag == "table":
                    self.flush()
                    self.table(child, depth + 1)
                elif tag in _BLOCKS or tag in ("tr", "td", "th", "tbody"):
                    self.flush()
                    self.blocks(child, depth + 1)
                    self.flush()
                elif tag == "br":
                    self.line.append("\n")
                elif tag == "input":
                    self.line.append(_entered(child))
                else:
                    self.blocks(child, depth + 1)
            self.line.append(_SPACE.sub(" ", child.tail or ""))

    def table(self, table: etree._Element, depth: int) -> None:
        rows = _rows(table)
        cells = [cell for row in rows for cell in row]
        nested = next(table.iterdescendants("table"), None) is not None
        if len(cells) <= 1 or (nested and any(_holds_data(cell) for cell in cells)):
            # A table that only arranges the page: its cells are read one after another.
            for cell in cells:
                self.blocks(cell, depth + 1)
                self.flush()
            return
        grid = self.flow.begin_table()
        for row in rows:
            grid.row()
            for cell in row:
                # rowspan="0" reaches to the end of the table
                rows_spanned = _number(cell, "rowspan") or 65534
                grid.cell(_cell_text(cell, self, depth + 1), rows_spanned, _number(cell, "colspan"))
        caption = next((child for child in table if child.tag == "caption" and _shown(child)), None)
        self.flow.end_table(grid, _cell_text(caption, self, depth + 1) if caption is not None else "")


def _entered(element: etree._Element) -> str:
    kind = element.get("type", "text").lower()
    return element.get("value", "") if kind in ("text", "number", "tel") else ""


def _rows(table: etree._Element) -> list[list[etree._Element]]:
    """The rows of a table and their shown cells; cells without a row around them make one."""
    rows: list[list[etree._Element]] = []
    feet: list[list[etree._Element]] = []

    def gather(parent: etree._Element, into: list[list[etree._Element]], loose: bool, depth: int) -> None:
        for child in parent:
            tag = child.tag
            if not _shown(child) or tag in ("table", "caption", "colgroup"):
                continue
            if tag == "tr":
                into.append([])
                gather(child, into, False, depth + 1)
                loose = True
            elif tag in ("td", "th"):
                if loose:
                    into.append([])
                    loose = False
                into[-1].append(child)
            elif depth < MAX_DEPTH:
                gather(child, feet if tag == "tfoot" else into, loose or tag in ("tbody", "thead", "tfoot"), depth + 1)

    gather(table, rows, True, 0)
    return rows + feet


def _holds_data(cell: etree._Element) -> bool:
    for inner in cell.iter("table"):
        rows = _rows(inner)
        if is_data(len(rows), max((len(row) for row in rows), default=0)):
            return True
    return False


def _cell_text(cell: etree._Element, page: _Page, depth: int) -> str:
    if not len(cell):  # some hold nothing but their text
        page.flow.depth(depth)
        return _SPACE.sub(" ", cell.text or "").strip(" ")
    parts: list[str] = []
    _gather_text(cell, parts, page, depth)
    return _tidy("".join(parts))


def _gather_text(element: etree._Element, parts: list[str], page: _Page, depth: int) -> None:
    """The text of an element and all in it. A line end stands where a block or line ends, none for those of the source;
    other white space is left to ``_tidy``.
    """
    if depth > MAX_DEPTH:
        page.flow.depth(depth)
    text = element.text
    if text:
        parts.append(text.replace("\n", " "))
    for child in element:
        if _shown(child):
            tag = child.tag
            breaks = tag in _BREAKS
            if breaks:
                parts.append("\n")
            if tag == "input":
                parts.append(_entered(child))
            else:
                _gather_text(child, parts, page, depth + 1)
            if breaks and tag != "br":
                parts.append("\n")
        tail = child.tail
        if tail:
            parts.append(tail.replace("\n", " "))


def _tidy(text: str) -> str:
    """Lines without the white space of the page's source at their ends; empty lines go. No-break spaces stay."""
    bare = text.strip("\n")
    if bare.isalnum():
        return bare  # nothing white in it
    if "\n" not in bare:
        return _SPACE.sub(" ", bare).strip(" ")
    lines = (_SPACE.sub(" ", line).strip(" ") for line in bare.split("\n") if line)
    return "\n".join(line for line in lines if line)
