"""The same tables written in every format, for tests that read them back. Synthetic throughout.

A table is a Drawing of the form (pipelines/layout.py); its boxes hold labels or invented figures.
"""

from __future__ import annotations

import functools
import html
import io
import shutil
import subprocess
import tempfile
from pathlib import Path

import docx
import pytest
import xlsxwriter

from pipelines.layout import Drawing, draw
from schemas.form import load_form

NOTE = "示例数据，非真实报送"
Facts = dict[tuple[int, int], str]


@functools.cache
def drawings() -> tuple[Drawing, ...]:
    form = load_form("2021")
    return tuple(draw(form, table) for table in ("proactive", "requests", "disputes"))


def text_of(drawing: Drawing, position: int) -> str:
    """The text in a box: its label, or a figure that tells the box from the others."""
    box = drawing.boxes[position]
    if box.role != "cell":
        return box.text_zh
    return f"{position}.5" if box.cell.endswith(".amount") else str(position)


def facts(drawing: Drawing) -> Facts:
    """Every position and the text that covers it."""
    return {
        (row, column): text_of(drawing, number)
        for number, box in enumerate(drawing.boxes)
        for row in range(box.row, box.row + box.rows)
        for column in range(box.column, box.column + box.columns)
    }


def anchors(drawing: Drawing) -> list[list[str]]:
    """Rows of texts with "" where a span from the left or from above goes on."""
    rows = [[""] * drawing.columns for _ in range(drawing.rows)]
    for number, box in enumerate(drawing.boxes):
        rows[box.row][box.column] = text_of(drawing, number)
    return rows


def as_xlsx(tables: tuple[Drawing, ...] | None = None) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        for drawing in tables or drawings():
            sheet = book.add_worksheet(drawing.title_zh[:31])
            for number, box in enumerate(drawing.boxes):
                text = text_of(drawing, number)
                value: str | float = float(text) if box.role == "cell" else text
                if box.rows * box.columns > 1:
                    last = (box.row + box.rows - 1, box.column + box.columns - 1)
                    sheet.merge_range(box.row, box.column, *last, "")
                sheet.write(box.row, box.column, value)
    return out.getvalue()


def as_docx(tables: tuple[Drawing, ...] | None = None) -> bytes:
    document = docx.Document()
    document.add_paragraph(NOTE)
    for drawing in tables or drawings():
        document.add_paragraph(drawing.title_zh)
        table = document.add_table(drawing.rows, drawing.columns, style="Table Grid")
        grid = [list(row.cells) for row in table.rows]
        for number, box in enumerate(drawing.boxes):
            cell = grid[box.row][box.column]
            if box.rows * box.columns > 1:
                cell = cell.merge(grid[box.row + box.rows - 1][box.column + box.columns - 1])
            cell.text = text_of(drawing, number)
    document.add_paragraph(NOTE)  # as Word does: LibreOffice's doc loses a table that ends a document
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def html_table(drawing: Drawing) -> str:
    lines = ["<table border='1'>"]
    for row in range(drawing.rows):
        lines.append("<tr>")
        for number, box in enumerate(drawing.boxes):
            if box.row == row:
                spans = f" rowspan={box.rows} colspan='{box.columns}'"
                lines.append(f"<td{spans}><p><span>{html.escape(text_of(drawing, number))}</span></p></td>")
        lines.append("</tr>")
    return "\n".join([*lines, "</table>"])


def as_html(encoding: str = "utf-8", tables: tuple[Drawing, ...] | None = None) -> bytes:
    body = "\n".join(f"<h2>{drawing.title_zh}</h2>\n{html_table(drawing)}" for drawing in tables or drawings())
    page = f"<html><head><meta charset='{encoding}'><title>{NOTE}</title></head><body>{body}</body></html>"
    return page.encode(encoding)


def as_csv(drawing: Drawing, encoding: str = "utf-8") -> bytes:
    lines = [",".join(f'"{text}"' if "," in text else text for text in row) for row in anchors(drawing)]
    return "\r\n".join(lines).encode(encoding)


def as_tabs(tables: tuple[Drawing, ...] | None = None) -> bytes:
    lines: list[str] = []
    for drawing in tables or drawings():
        lines += [drawing.title_zh, "", *("\t".join(row) for row in anchors(drawing)), ""]
    return "\n".join(lines).encode()


def as_markdown(tables: tuple[Drawing, ...] | None = None) -> bytes:
    lines: list[str] = []
    for drawing in tables or drawings():
        rows = anchors(drawing)
        pipes = [f"| {' | '.join(row)} |" for row in rows]
        lines += [f"## {drawing.title_zh}", "", pipes[0], "|" + "---|" * drawing.columns, *pipes[1:], ""]
    return "\n".join(lines).encode()


def office() -> str | None:
    return shutil.which("soffice") or shutil.which("libreoffice")


@functools.cache
def converted(source: str, target: str, pages: str = "all") -> bytes:
    """A file of ours saved by LibreOffice in another format. Skips the test where LibreOffice is not installed."""
    program = office()
    if program is None:
        pytest.skip("LibreOffice is not installed")
    tables = drawings() if pages == "all" else tuple(d for d in drawings() if d.table in pages.split("+"))
    data = as_xlsx(tables) if source == "xlsx" else as_docx(tables)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"facts.{source}")
        path.write_bytes(data)
        subprocess.run(
            [
                program,
                f"-env:UserInstallation={Path(folder, 'profile').as_uri()}",
                "--headless",
                *("--convert-to", target, "--outdir", folder, str(path)),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
        return Path(folder, f"facts.{target}").read_bytes()
