"""A report as the bytes of a Word document, of a portal's web page, or of a tidy csv.

Belongs here: these three file formats as they arrive in life. Does not belong here: what a report says (report.py) or
the fill-in workbook (pipelines/publish/workbook.py). The same report gives the same bytes.
"""

from __future__ import annotations

import csv
import datetime
import html
import io
import zipfile
from collections.abc import Mapping
from decimal import Decimal

from docx import Document
from docx.document import Document as DocxDocument
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Cm, Emu, Pt
from docx.table import Table, _Cell

from pipelines.layout import SUPPLEMENT_PREFIX, Drawing
from pipelines.sample.report import Heading, Plain, Report
from schemas.findings import number_text

CREATED = datetime.datetime(2021, 1, 1, tzinfo=datetime.UTC)
ZIP_MOMENT = (1980, 1, 1, 0, 0, 0)
TABLE_SIZE = 8
PRINT_WIDTH = Cm(17)  # of A4 between the margins
TIDY_COLUMNS = ("region", "year", "body", "cell", "value", "note")


def same_bytes(package: bytes) -> bytes:
    """The same zip package with fixed times and order, so that it depends on its content alone."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            member = zipfile.ZipInfo(name, ZIP_MOMENT)
            member.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(member, source.read(name))
    return out.getvalue()


def _write(cell: _Cell, text: str, *, centred: bool) -> None:
    paragraph = cell.paragraphs[0]
    run = paragraph.add_run(text)
    run.font.size = Pt(TABLE_SIZE)
    if centred:
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER


def _widths(table: Table, grid: list[tuple[_Cell, ...]], drawing: Drawing) -> None:
    """Room for the words: label columns wider than figure columns, the innermost the widest."""
    labels = min(box.column for box in drawing.boxes if box.role == "cell")
    weights = [2] * (labels - 1) + [5] * min(labels, 1) + [2] * (drawing.columns - labels)
    if labels > 1:
        weights[labels:] = [1] * (drawing.columns - labels)
    table.autofit = False
    for position, (column, weight) in enumerate(zip(table.columns, weights, strict=True)):
        width = Emu(PRINT_WIDTH * weight // sum(weights))
        column.width = width
        for row in grid:
            row[position].width = width


def _docx_drawing(document: DocxDocument, drawing: Drawing, figures: Mapping[str, str]) -> None:
    table = document.add_table(drawing.rows, drawing.columns, style="Table Grid")
    grid = [row.cells for row in table.rows]
    _widths(table, grid, drawing)
    for box in drawing.boxes:
        cell = grid[box.row][box.column]
        if box.rows > 1 or box.columns > 1:
            cell = cell.merge(grid[box.row + box.rows - 1][box.column + box.columns - 1])
        _write(cell, figures[box.cell] if box.cell else box.text_zh, centred=box.role != "label" or box.rows > 1)


def docx(report: Report) -> bytes:
    """The report as a Word document with merged heads as printed."""
    document = Document()
    normal = document.styles["Normal"]
    normal.font.name = "宋体"
    normal.font.size = Pt(12)
    normal.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), "宋体")
    for section in document.sections:
        section.page_width, section.page_height = Cm(21), Cm(29.7)
        section.left_margin = section.right_margin = Cm(2)
    title = document.add_paragraph()
    title.alignment = WD_ALIGN_PARAGRAPH.CENTER
    run = title.add_run(report.title)
    run.bold, run.font.size = True, Pt(18)
    document.add_paragraph(f"（{report.note}）")
    for part in report.parts:
        if isinstance(part, Heading):
            paragraph = document.add_paragraph()
            paragraph.paragraph_format.space_before = Pt(8)
            paragraph.add_run(part.text).bold = True
        elif isinstance(part, str):
            paragraph = document.add_paragraph(part)
            paragraph.paragraph_format.first_line_indent = Pt(24)
        elif isinstance(part, Plain):
            table = document.add_table(len(part.rows), len(part.rows[0]), style="Table Grid")
            for row, texts in zip(table.rows, part.rows, strict=True):
                for cell, text in zip(row.cells, texts, strict=True):
                    _write(cell, text, centred=False)
        else:
            _docx_drawing(document, part, report.figures)
    properties = document.core_properties
    properties.title, properties.author, properties.comments = report.title, "Gongkai", report.note
    properties.created = properties.modified = CREATED
    out = io.BytesIO()
    document.save(out)
    return same_bytes(out.getvalue())


def _html_cell(text: str, rows: int = 1, columns: int = 1) -> str:
    spans = (f' rowspan="{rows}"' if rows > 1 else "") + (f' colspan="{columns}"' if columns > 1 else "")
    inner = f"<span>{html.escape(text)}</span>" if text else "&nbsp;"
    return f'<td{spans}><p class="MsoNormal" align="center">{inner}<o:p></o:p></p></td>'


def _html_drawing(drawing: Drawing, figures: Mapping[str, str]) -> str:
    lines = ['<table class="MsoNormalTable" border="1" cellspacing="0">', "<tbody>"]
    for row in range(drawing.rows):
        boxes = [box for box in drawing.boxes if box.row == row]
        cells = [_html_cell(figures[b.cell] if b.cell else b.text_zh, b.rows, b.columns) for b in boxes]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return "\n".join([*lines, "</tbody>", "</table>"])


def page(report: Report, encoding: str = "utf-8") -> bytes:
    """The report as a page of a portal's content system: a box of particulars, then text and tables from Word."""
    body: list[str] = []
    for part in report.parts:
        if isinstance(part, Heading):
            body.append(f'<p class="MsoNormal"><b>{html.escape(part.text)}</b></p>')
        elif isinstance(part, str):
            body.append(f'<p class="MsoNormal">&emsp;&emsp;<span>{html.escape(part)}</span><o:p></o:p></p>')
        elif isinstance(part, Plain):
            rows = "\n".join(f"<tr>{''.join(map(_html_cell, row))}</tr>" for row in part.rows)
            body.append(f'<table border="1"><tbody>\n{rows}\n</tbody></table>')
        else:
            body.append(_html_drawing(part, report.figures))
    box = "".join(f"<tr><td>{html.escape(a)}</td><td>{html.escape(b)}</td></tr>" for a, b in report.portal)
    title, note, content = html.escape(report.title), html.escape(report.note), "\n".join(body)
    text = f"""<!DOCTYPE html>
<html lang="zh-CN">
<head>
<meta charset="{encoding}">
<title>{title}</title>
<style>.MsoNormal {{ margin: 0 }} td {{ padding: 2px 6px }}</style>
<script>var page = {{ "channel": 1 }};</script>
</head>
<body>
<div class="header"><a href="#">首页</a> &gt; <a href="#">政府信息公开</a></div>
<table class="xxgk-head"><tbody>{box}</tbody></table>
<h1>{title}</h1>
<p class="note">{note}</p>
<div id="zoom">
{content}
</div>
<div class="footer">{html.escape(report.portal_site)}</div>
</body>
</html>
"""
    return text.encode(encoding)


def tidy(
    region: str,
    year: int,
    body: str,
    values: Mapping[str, Decimal],
    indicators: Mapping[str, Decimal | str],
    note: str,
) -> bytes:
    """The return as a tidy csv with a byte order mark, as spreadsheets save it; indicators follow the form's cells."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(TIDY_COLUMNS)
    figures: dict[str, Decimal | str] = dict(values)
    figures |= {f"{SUPPLEMENT_PREFIX}{name}": value for name, value in indicators.items()}
    for cell, value in figures.items():
        text = value if isinstance(value, str) else number_text(value)
        writer.writerow((region, year, body, cell, text, note))
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8")
