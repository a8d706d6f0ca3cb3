"""The order in which a page or document is read: paragraphs and tables one after another.

Belongs here: what web pages and word documents share: collecting items, and telling tables that hold data from
tables that hold the page. Does not belong here: any format.
"""

from __future__ import annotations

from pipelines.ingest.declined import decline
from pipelines.ingest.document import Grid, Paragraph
from pipelines.ingest.limits import MAX_DEPTH, MAX_TEXT
from pipelines.ingest.readers.spans import Budget, Spanned, too_many


class Flow:
    """Items of one document in reading order, with addresses by count: ``第3段``, ``表格2``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.budget = Budget(name)
        self.items: list[Paragraph | Grid] = []
        self._paragraphs = 0
        self._tables = 0
        self._length = 0

    def paragraph(self, text: str, at: str = "") -> None:
        """Add a paragraph; one without any character that shows is left out."""
        if not text.strip():
            return
        self._weigh(len(text))
        self.budget.take(1, 1)
        self._paragraphs += 1
        self.items.append(Paragraph(text=text, at=at or f"第{self._paragraphs}段"))

    def begin_table(self) -> Spanned:
        """Start the next table."""
        self._tables += 1
        return Spanned(f"表格{self._tables}", self.budget)

    def end_table(self, table: Spanned, title: str = "") -> None:
        """Add a finished table."""
        cells = table.done()
        self._weigh(sum(len(cell.text) for cell in cells))
        if cells:
            self.items.append(Grid(cells=cells, at=table.at, title=title))

    def depth(self, depth: int) -> None:
        """Raises Declined for nesting that no honest document has."""
        if depth > MAX_DEPTH:
            raise decline("hostile_file", self.name, reason="嵌套层数过多", reason_en="its parts are nested too deeply")

    def _weigh(self, length: int) -> None:
        self._length += length
        if self._length > MAX_TEXT:
            raise too_many(self.name, self._length, MAX_TEXT, "字", "characters")


def is_data(rows: int, widest: int) -> bool:
    """Whether a nested table of so many rows and cells in its widest row holds data, so that the outer is layout."""
    return rows >= 2 and widest >= 2
