"""The official report as PDF: A4, tagged (PDF/UA-1), set by typst.

Belongs here: finding a Chinese font, handing the report to the template, stable bytes. Does not belong here: the page
design (report.typ) or what the report says (content.py).

The bytes depend on the report, the font and the typesetter, never on a clock or a host. Where no Chinese font is
installed there is no PDF: empty boxes would look like a report.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from pipelines.publish.report.content import Content, Heading, Paragraph, Table
from pipelines.publish.report.fill import Note

TEMPLATE = Path(__file__).with_name("report.typ")
# In order of preference: 宋体-like faces for the text, 黑体-like ones for headings.
SERIF = (
    "Noto Serif CJK SC", "Noto Serif SC", "Source Han Serif SC", "Source Han Serif CN", "Songti SC", "SimSun",
    "NSimSun", "STSong", "FandolSong", "AR PL UMing CN",
)  # fmt: skip
SANS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN", "SimHei", "Microsoft YaHei",
    "PingFang SC", "STHeiti", "FandolHei", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei",
)  # fmt: skip
_MAKER = re.compile(rb"(?<=/Creator\()Typst [0-9.]+(?=\))|(?<=<xmp:CreatorTool>)Typst [0-9.]+(?=<)")


class Fonts(msgspec.Struct, frozen=True, kw_only=True):
    """The families of text and headings; ``folders``: searched besides those of the system."""

    text: str
    heading: str
    folders: tuple[str, ...] = ()


def _loaded(folders: Sequence[str], system: bool) -> Any:  # noqa: ANN401 - typst's own collection of fonts
    import typst

    return typst.Fonts(include_system_fonts=system, include_embedded_fonts=False, font_paths=list(folders))


def find_fonts(folders: Sequence[str] = (), *, system: bool = True) -> Fonts | None:
    """The best Chinese fonts among ``folders`` and (unless ``system`` is False) those installed; None without any."""
    families = set(_loaded(folders, system).families())
    serif = next((name for name in SERIF if name in families), "")
    sans = next((name for name in SANS if name in families), "")
    if not serif and not sans:
        return None
    return Fonts(text=serif or sans, heading=sans or serif, folders=tuple(folders))


NO_FONT = Note(
    kind="no_font",
    place="report.pdf",
    message_zh="本机没有安装中文字体，未生成 PDF；HTML 和 DOCX 已生成。"
    "请安装一种中文字体（如 Debian 的 fonts-noto-cjk）后重新生成。",
    message_en="No Chinese font is installed, so there is no PDF; HTML and DOCX were made. Install one (such as "
    "fonts-noto-cjk on Debian) and build again.",
)


def _block(block: Heading | Paragraph | Table) -> dict[str, object]:
    if isinstance(block, Heading):
        return {"kind": "heading", "level": block.level, "text": block.text}
    if isinstance(block, Paragraph):
        return {"kind": "paragraph", "text": block.text, "look": block.look}
    boxes = [
        {
            "row": box.row,
            "column": box.column,
            "rows": box.rows,
            "columns": box.columns,
            "role": box.role,
            "text": block.text(box),
        }
        for box in block.drawing.boxes
    ]
    return {
        "kind": "table",
        "table": block.drawing.table,
        "title": block.title,
        "heads": block.heads,
        "shares": list(block.shares),
        "boxes": boxes,
    }


def report_pdf(content: Content, fonts: Fonts) -> bytes:
    """The PDF, tagged as PDF/UA-1. The same content and font files give the same bytes."""
    import typst

    data = {
        "title": content.title,
        "author": content.author,
        "notice": content.notice,
        "notice_en": content.notice_en,
        "text_font": fonts.text,
        "heading_font": fonts.heading,
        "blocks": [_block(block) for block in content.blocks],
    }
    compiler = typst.Compiler(TEMPLATE.read_bytes(), font_paths=_loaded(fonts.folders, True))
    given = {"report": json.dumps(data, ensure_ascii=False)}
    pdf = compiler.compile(format="pdf", sys_inputs=given, pdf_standards=["ua-1"])
    if not isinstance(pdf, bytes):
        raise TypeError("typst gave no single PDF")
    # The typesetter writes its version into the file; blanks in its place keep every offset as it is.
    return _MAKER.sub(lambda match: b"Typst".ljust(len(match[0])), pdf)
