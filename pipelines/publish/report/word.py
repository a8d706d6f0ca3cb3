"""The official report as a Word document.

Belongs here: styles, table XML, page set-up, stable bytes. Does not belong here: what it says (content.py).

Fonts are named as offices have them (宋体, 黑体); a machine without them shows its own Chinese font.
"""

from __future__ import annotations

import datetime
import io
import zipfile
from typing import Any

from pipelines.layout import Box
from pipelines.publish.report.content import Content, Heading, Paragraph, Table

CREATED = datetime.datetime(2021, 1, 1, tzinfo=datetime.UTC)  # any fixed moment: no clock in the bytes
TEXT_FONT, HEAD_FONT, LATIN_FONT = "宋体", "黑体", "Times New Roman"
LINE = 9638  # width of the text in twentieths of a point: A4 less margins of 20 mm
HEAD_SHADE = "F2F2F2"
CELL_SIZE = {"requests": 8.0, "disputes": 9.0}  # points; other tables take CELL_DEFAULT
CELL_DEFAULT = 10.0
LONG_TABLE = 20  # rows
EVEN_HEADS = ("disputes",)  # narrow columns, whose heads of four characters break two and two


def stable_zip(data: bytes) -> bytes:
    """The same zip with fixed times, attributes and order of members: the same content, the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        names = sorted(source.namelist(), key=lambda name: (name != "[Content_Types].xml", name))
        for name in names:
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o600 << 16
            out.writestr(entry, source.read(name), compresslevel=6)
    return target.getvalue()


def _fonts(style: Any, latin: str, chinese: str) -> None:  # noqa: ANN401 - python-docx ships no types for styles
    from docx.oxml.ns import qn

    style.font.name = latin
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    for name in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
        fonts.attrib.pop(qn(name), None)
    fonts.set(qn("w:eastAsia"), chinese)


def _styles(document: Any) -> None:  # noqa: ANN401
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt, RGBColor

    def style(name: str, chinese: str, size: float, before: float, after: float) -> Any:  # noqa: ANN401
        found = document.styles[name]
        _fonts(found, LATIN_FONT, chinese)
        found.font.size, found.font.color.rgb = Pt(size), RGBColor(0, 0, 0)
        found.font.bold = found.font.italic = False
        found.paragraph_format.space_before, found.paragraph_format.space_after = Pt(before), Pt(after)
        return found

    body = style("Normal", TEXT_FONT, 12, 0, 0)
    body.paragraph_format.line_spacing = 1.5
    title = style("Title", HEAD_FONT, 20, 6, 14)
    title.paragraph_format.alignment = WD_ALIGN_PARAGRAPH.CENTER
    border = title.element.pPr.find("{*}pBdr")
    if border is not None:
        title.element.pPr.remove(border)
    style("Heading 1", HEAD_FONT, 15, 14, 6).paragraph_format.keep_with_next = True
    style("Heading 2", HEAD_FONT, 12.5, 8, 2).paragraph_format.keep_with_next = True


def _page(document: Any) -> None:  # noqa: ANN401
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Mm

    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(20)
    section.top_margin = section.bottom_margin = Mm(20)
    number = section.footer.paragraphs[0]
    number.alignment = WD_ALIGN_PARAGRAPH.CENTER
    for kind, text in (("begin", ""), ("", "PAGE"), ("end", "")):
        run = number.add_run()
        if kind:
            mark = OxmlElement("w:fldChar")
            mark.set(qn("w:fldCharType"), kind)
        else:
            mark = OxmlElement("w:instrText")
            mark.text = text
        run._r.append(mark)


def _element(name: str, **attributes: str) -> Any:  # noqa: ANN401 - an lxml element of python-docx
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    element = OxmlElement(f"w:{name}")
    for key, value in attributes.items():
        element.set(qn(f"w:{key}"), value)
    return element


def _cell(table: Table, box: Box, widths: list[int], merge: str, keep: bool) -> Any:  # noqa: ANN401
    """One ``w:tc``; ``merge``: "" for a box of one row, else restart or continue; ``keep`` with the next row."""
    cell, properties = _element("tc"), _element("tcPr")
    width = sum(widths[box.column : box.column + box.columns])
    properties.append(_element("tcW", w=str(width), type="dxa"))
    if box.columns > 1:
        properties.append(_element("gridSpan", val=str(box.columns)))
    if merge:
        properties.append(_element("vMerge", val=merge))
    if box.role == "head":
        properties.append(_element("shd", val="clear", color="auto", fill=HEAD_SHADE))
    if table.drawing.table in EVEN_HEADS and box.role == "head" and box.columns == 1:
        margins = _element("tcMar")
        for side in ("left", "right"):
            margins.append(_element(side, w="110", type="dxa"))
        properties.append(margins)
    properties.append(_element("vAlign", val="center"))
    cell.append(properties)
    paragraph, look = _element("p"), _element("pPr")
    if keep:
        look.append(_element("keepNext"))
    look.append(_element("spacing", before="36", after="36", line="240", lineRule="auto"))
    look.append(_element("jc", val="left" if box.role == "label" else "center"))
    paragraph.append(look)
    text = "" if merge == "continue" else table.text(box)
    if text:
        run, style, content = _element("r"), _element("rPr"), _element("t")
        size = str(round(CELL_SIZE.get(table.drawing.table, CELL_DEFAULT) * 2))
        style.append(_element("sz", val=size))
        style.append(_element("szCs", val=size))
        content.text = text
        run.append(style)
        run.append(content)
        paragraph.append(run)
    cell.append(paragraph)
    return cell


def _table(table: Table) -> Any:  # noqa: ANN401
    """The drawn table as ``w:tbl``, merged as printed, its heads repeated on every page."""
    drawing = table.drawing
    widths = [round(share * LINE) for share in table.shares]
    element, properties = _element("tbl"), _element("tblPr")
    properties.append(_element("tblW", w=str(sum(widths)), type="dxa"))
    properties.append(_element("jc", val="center"))
    borders = _element("tblBorders")
    for side in ("top", "left", "bottom", "right", "insideH", "insideV"):
        borders.append(_element(side, val="single", sz="4", space="0", color="404040"))
    properties.append(borders)
    properties.append(_element("tblLayout", type="fixed"))
    margins = _element("tblCellMar")
    for side in ("left", "right"):
        margins.append(_element(side, w="50", type="dxa"))
    properties.append(margins)
    properties.append(_element("tblCaption", val=table.title))
    element.append(properties)
    grid = _element("tblGrid")
    for width in widths:
        grid.append(_element("gridCol", w=str(width)))
    element.append(grid)
    for number in range(drawing.rows):
        row, look = _element("tr"), _element("trPr")
        look.append(_element("cantSplit"))
        if number < table.heads:
            look.append(_element("tblHeader"))
        row.append(look)
        here = [box for box in drawing.boxes if box.row <= number < box.row + box.rows]
        for box in sorted(here, key=lambda box: box.column):
            merge = "" if box.rows == 1 else "restart" if box.row == number else "continue"
            row.append(_cell(table, box, widths, merge, keep=number + 1 < drawing.rows))
        element.append(row)
    return element


def _notice(document: Any, content: Content) -> None:  # noqa: ANN401
    from docx.shared import Pt, RGBColor

    for text in (content.notice, content.notice_en):
        paragraph = document.add_paragraph()
        paragraph.paragraph_format.line_spacing = 1.2
        paragraph.paragraph_format.space_after = Pt(3)
        run = paragraph.add_run(text)
        run.font.size, run.font.color.rgb = Pt(10), RGBColor(0x8A, 0x4B, 0x08)


def report_docx(content: Content) -> bytes:
    """The document; the same content gives the same bytes."""
    import docx
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt

    document = docx.Document()
    properties = document.core_properties
    properties.title, properties.author, properties.last_modified_by = content.title, content.author, content.author
    properties.comments, properties.keywords, properties.subject = content.notice, "", "政府信息公开工作年度报告"
    properties.created = properties.modified = CREATED.replace(tzinfo=None)
    properties.language, properties.revision = "zh-CN", 1
    _styles(document)
    _page(document)
    document.add_paragraph(content.title, style="Title")
    if content.notice:
        _notice(document, content)
    for block, following in zip(content.blocks, [*content.blocks[1:], None], strict=True):
        if isinstance(block, Heading):
            heading = document.add_heading(block.text, level=block.level)
            # A long table stands whole on a page of its own, as printed in the form.
            long = isinstance(following, Table) and following.drawing.rows > LONG_TABLE
            heading.paragraph_format.page_break_before = True if long else None
        elif isinstance(block, Paragraph):
            paragraph = document.add_paragraph(block.text)
            if block.look == "right":
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
                paragraph.paragraph_format.keep_with_next = True
            else:
                paragraph.paragraph_format.first_line_indent = Pt(24)
                paragraph.alignment = WD_ALIGN_PARAGRAPH.JUSTIFY
        else:
            after = document.add_paragraph()  # a table needs a paragraph behind it
            after.paragraph_format.line_spacing = 0.7
            after._p.addprevious(_table(block))
    buffer = io.BytesIO()
    document.save(buffer)
    return stable_zip(buffer.getvalue())
