"""Returns drawn at random as files of every format, with the irregularities of real files, each with its truth.

Belongs here: a paper (figures, their texts, tables as rows of pieces), what can befall it, and writing it in a format.
Does not belong here: reading, or judging what was read (test_matrix.py). All figures are invented.
"""

from __future__ import annotations

import csv
import html
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from xml.sax.saxutils import escape

import xlsxwriter

from pipelines.layout import draw
from schemas.form import Form, load_form
from tests.ingest.noise import NONES, TWINS, figures

NOTE = "示例数据，非真实报送"
FULL_WIDTH = str.maketrans("0123456789.", "０１２３４５６７８９．")


@dataclass(frozen=True)
class Piece:
    """One cell as a page would write it: its text and how far it reaches."""

    text: str
    rows: int = 1
    columns: int = 1
    role: str = "pad"


Rows = list[list[Piece]]
Placed = tuple[int, int, Piece]


@dataclass
class Paper:
    """A return. ``truth`` by cell (None: left blank or marked as none), ``said`` its texts, ``parts`` in order."""

    seed: str
    form: Form
    names: tuple[str, ...]
    truth: dict[str, Decimal | None]
    said: dict[str, str]
    parts: list[str | Rows] = field(default_factory=list)


# ---------------------------------------------------------------- what can befall the texts of figures
def _chosen(said: dict[str, str], random: Random, share: float, fits: Callable[[str], bool]) -> list[str]:
    return [cell for cell, text in said.items() if fits(text) and random.random() < share]


def _is_zero(text: str) -> bool:
    return text == "0"


def _blank_zeros(said, form, random):
    for cell in _chosen(said, random, 1.0, _is_zero):
        if not form.by_id[cell].total:
            said[cell] = ""


def _blank_some(said, form, random):
    for cell in _chosen(said, random, 0.2, bool):
        said[cell] = ""


def _marks(said, form, random):
    mark = random.choice(NONES)
    for cell in _chosen(said, random, 1.0, _is_zero):
        said[cell] = mark


def _stray_spaces(said, form, random):
    for cell in _chosen(said, random, 0.4, bool):
        said[cell] = random.choice((" {}", "{} ", "  {}", "\u3000{}", "{}\u00a0")).format(said[cell])


def _full_width(said, form, random):
    for cell in _chosen(said, random, 0.5, lambda text: text.strip().replace(".", "").isdecimal()):
        said[cell] = said[cell].translate(FULL_WIDTH)


def _units(said, form, random):
    for cell in _chosen(said, random, 0.3, lambda text: text.replace(".", "").isdecimal()):
        unit = form.by_id[cell].unit
        if form.by_id[cell].kind == "money":
            yuan = unit == "万元" and random.random() < 0.5
            same = unit if unit in ("元", "万元") else "元"  # a unit that the form leaves open keeps the figure
            said[cell] = f"{format(Decimal(said[cell]) * 10_000, 'f')}元" if yuan else f"{said[cell]}{same}"
        else:
            said[cell] = f"{said[cell]}{random.choice(('件', '件', ' 件'))}"


def _remarks(said, form, random):
    for cell in _chosen(said, random, 0.1, lambda text: text.isdecimal() and text != "0"):
        said[cell] = f"{said[cell]}{random.choice(('（其中修订 1 件）', '(含自然失效 1 件)'))}"


def _separators(said, form, random):
    for cell in _chosen(said, random, 1.0, lambda text: text.isdecimal() and len(text) > 3):
        said[cell] = f"{int(said[cell]):,}"


TEXTS: dict[str, Callable[[dict[str, str], Form, Random], None]] = {
    "blank zeros": _blank_zeros,
    "blank somewhere": _blank_some,
    "marks for none": _marks,
    "separators": _separators,
    "units": _units,
    "remarks": _remarks,
    "full width": _full_width,
    "stray spaces": _stray_spaces,
}


# ---------------------------------------------------------------- what can befall a drawn table
def _broken_heads(rows: Rows, random: Random) -> Rows:
    """Heads over several lines or with a space inside."""
    mark = random.choice(("\n", " "))
    return [
        [
            replace(piece, text=mark.join((piece.text[:2], piece.text[2:])))
            if piece.role == "head" and len(piece.text) == 4
            else piece
            for piece in row
        ]
        for row in rows
    ]


def _heads_on_two_rows(rows: Rows, random: Random) -> Rows:
    """商业 above 企业, each in a cell of its own; the other heads of the row reach one row further."""
    last = next((n for n, row in enumerate(rows) if any(piece.role == "cell" for piece in row)), 0) - 1
    if last < 0 or not any(piece.role == "head" and len(piece.text) == 4 for piece in rows[last]):
        return rows
    if any(piece.role == "head" and piece.columns > 1 for piece in rows[last]):
        return rows
    above: Rows = [
        [replace(piece, rows=piece.rows + 1) if y + piece.rows > last else piece for piece in row]
        for y, row in enumerate(rows[:last])
    ]
    first = [
        replace(piece, text=piece.text[:2]) if len(piece.text) == 4 else replace(piece, rows=piece.rows + 1)
        for piece in rows[last]
    ]
    second = [replace(piece, text=piece.text[2:]) for piece in rows[last] if len(piece.text) == 4]
    return [*above, first, second, *rows[last + 1 :]]


def _padding(rows: Rows, random: Random) -> Rows:
    more = random.choice((1, 2, 8))
    return [[*row, *[Piece("")] * more] for row in rows]


def _lost_row_spans(rows: Rows, random: Random) -> Rows:
    """A cell that reaches down is missing from the rows below, which move to the left."""
    return [[replace(piece, rows=1) for piece in row] for row in rows]


def _page_row(rows: Rows, random: Random) -> Rows:
    """The number of a page between two rows, as a row of the table."""
    places = [n for n, row in enumerate(rows) if n and any(piece.role == "cell" for piece in row)]
    at = random.choice(places)
    wide = sum(piece.columns for piece in rows[0])
    upper: Rows = [[replace(piece, rows=min(piece.rows, at - y)) for piece in row] for y, row in enumerate(rows[:at])]
    rest: Rows = [
        [Piece("", piece.rows - (at - y), piece.columns) for piece in row if y + piece.rows > at]
        for y, row in enumerate(rows[:at])
    ]
    below = [*[piece for row in rest for piece in row], *rows[at]]
    return [*upper, [Piece(f"- {random.randint(2, 9)} -", 1, wide)], below, *rows[at + 1 :]]


def _traditional(rows: Rows, random: Random) -> Rows:
    return [[replace(p, text=p.text.translate(TWINS)) if p.role != "cell" else p for p in row] for row in rows]


TABLES: dict[str, Callable[[Rows, Random], Rows]] = {
    "broken heads": _broken_heads,
    "heads on two rows": _heads_on_two_rows,
    "traditional": _traditional,
    "page row": _page_row,
    "lost row spans": _lost_row_spans,
    "padding": _padding,
}
# What befalls the whole: a table of particulars first, titles missing, titles with other numbers, a sentence between,
# a table that goes on as another one behind the number of a page.
WHOLES = ("other table", "no titles", "wrong numbers", "sentences", "new page")
IRREGULARITIES = (*TEXTS, *TABLES, *WHOLES)


def paper(seed: str, names: tuple[str, ...], edition: str = "2021") -> Paper:
    """A valid return with these irregularities. The same seed gives the same paper."""
    random = Random(seed)
    form = load_form(edition)
    said = figures(form, random)
    for cell in said:
        if form.by_id[cell].kind == "money" and said[cell] != "0":
            said[cell] = f"{random.randint(1, 9000)}.{random.randint(1, 99):02}"
    said = {cell: text for cell, text in said.items() if form.table(form.by_id[cell].table).arrangement != "text"}
    if random.random() < 0.5:  # counts of four and more digits, also the sums' (a factor keeps every sum)
        factor = random.choice((137, 1009))
        said = {cell: str(int(t) * factor) if t.isdecimal() else t for cell, t in said.items()}
    truth: dict[str, Decimal | None] = {cell: Decimal(text) for cell, text in said.items()}
    for name in ("blank zeros", "blank somewhere", "marks for none"):
        if name in names:
            TEXTS[name](said, form, random)
    truth = {cell: value if said[cell] and said[cell] not in NONES else None for cell, value in truth.items()}
    for name in TEXTS:
        if name in names and name not in ("blank zeros", "blank somewhere", "marks for none"):
            TEXTS[name](said, form, random)
    made = Paper(seed, form, names, truth, said)
    made.parts = _parts(made, random)
    return made


def redrawn(made: Paper, said: dict[str, str]) -> Paper:
    """The same paper with other figures, all given as plain numbers."""
    other = replace(made, said=said, truth={cell: Decimal(text) for cell, text in said.items()})
    other.parts = _parts(other, Random(made.seed))
    return other


def _parts(made: Paper, random: Random) -> list[str | Rows]:
    names = made.names
    parts: list[str | Rows] = [f"示例单位2023年政府信息公开工作年度报告（{NOTE}）"]
    if "other table" in names:
        parts.insert(
            0,
            [
                [Piece("名称"), Piece("年度报告")],
                [Piece("索引号"), Piece("000000001/2024-00001")],
                [Piece("公开日期"), Piece("2024-01-20")],
            ],
        )
    parts += ["一、总体情况", "本单位认真落实有关要求。"]
    for number, table in enumerate(made.form.tables):
        if table.arrangement == "text":
            continue
        if "no titles" not in names:
            numeral = "一二三四五"[number] if "wrong numbers" in names else table.number_zh
            parts.append(f"{numeral}、{table.title_zh}")
        if "sentences" in names:
            parts.append("该部分以表格形式报告。表格如下：")
        rows = _drawn(made, table.id)
        for name, change in TABLES.items():
            if name in names:
                rows = change(rows, random)
        parts += _paged(rows, random) if "new page" in names else [rows]
    return [*parts, "五、存在的主要问题及改进情况", "今后继续努力。"]


def _drawn(made: Paper, table: str) -> Rows:
    drawing = draw(made.form, table)
    rows: Rows = [[] for _ in range(drawing.rows)]
    for box in drawing.boxes:
        text = made.said[box.cell] if box.cell else box.text_zh
        rows[box.row].append(Piece(text, box.rows, box.columns, box.role))
    return rows


def _paged(rows: Rows, random: Random) -> list[str | Rows]:
    changed = _page_row(rows, random)
    at = next((n for n, row in enumerate(changed) if len(row) == 1 and row[0].text.startswith("- ")), 0)
    return [changed[:at], changed[at][0].text, changed[at + 1 :]] if at else [changed]


# ---------------------------------------------------------------- writing
def placed(rows: Rows) -> list[Placed]:
    """Where every piece lands when cells above reach into its row, as a page is laid out."""
    taken: set[tuple[int, int]] = set()
    found: list[Placed] = []
    for y, row in enumerate(rows):
        x = 0
        for piece in row:
            while (y, x) in taken:
                x += 1
            tall = min(piece.rows, len(rows) - y)
            wide = next((n for n in range(1, piece.columns) if (y, x + n) in taken), piece.columns)
            found.append((y, x, replace(piece, rows=tall, columns=wide)))
            taken |= {(y + dy, x + dx) for dy in range(tall) for dx in range(wide)}
            x += wide
    return found


def _anchors(rows: Rows) -> list[list[str]]:
    where = placed(rows)
    wide = max(x + piece.columns for _, x, piece in where)
    lines = [[""] * wide for _ in rows]
    for y, x, piece in where:
        lines[y][x] = piece.text
    return lines


def as_html(made: Paper) -> bytes:
    body: list[str] = []
    for part in made.parts:
        if isinstance(part, str):
            body.append(f"<p>{html.escape(part)}</p>")
            continue
        body.append('<table border="1"><tbody>')
        for row in part:
            cells = [
                f'<td rowspan="{p.rows}" colspan="{p.columns}"><p><span>'
                + (html.escape(p.text).replace("\n", "<br>").replace("\u00a0", "&nbsp;") or "&nbsp;")
                + "</span></p></td>"
                for p in row
            ]
            body.append(f"<tr>{''.join(cells)}</tr>")
        body.append("</tbody></table>")
    return ("<!DOCTYPE html><html><head><meta charset='utf-8'></head><body>" + "\n".join(body)).encode()


def as_xlsx(made: Paper) -> bytes:
    """One sheet, or one a table; plain figures as numbers, all else as text."""
    out = io.BytesIO()
    random = Random(made.seed + "xlsx")
    several, numbers = random.random() < 0.4, random.random() < 0.7
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet, at = book.add_worksheet(), 0
        for part in made.parts:
            if isinstance(part, str):
                sheet.write_string(at, 0, part)
                at += 1
                continue
            for y, x, piece in placed(part):
                if piece.rows * piece.columns > 1:
                    sheet.merge_range(at + y, x, at + y + piece.rows - 1, x + piece.columns - 1, "")
                plain = piece.role == "cell" and piece.text.isascii() and piece.text.replace(".", "").isdecimal()
                if plain and numbers:
                    sheet.write_number(at + y, x, float(piece.text))
                elif piece.text:
                    sheet.write_string(at + y, x, piece.text)
            at += len(part)
            if several:
                sheet, at = book.add_worksheet(), 0
    return out.getvalue()


def _docx_cell(text: str, columns: int, merge: str) -> str:
    lines = text.split("\n")
    runs = "<w:br/>".join(f'<w:t xml:space="preserve">{escape(line)}</w:t>' for line in lines)
    down = f'<w:vMerge w:val="{merge}"/>' if merge else ""
    return (
        f'<w:tc><w:tcPr><w:tcW w:w="{columns * 700}" w:type="dxa"/><w:gridSpan w:val="{columns}"/>{down}</w:tcPr>'
        f'<w:p><w:r><w:rPr><w:sz w:val="10"/></w:rPr>{runs}</w:r></w:p></w:tc>'
    )


def _docx_table(rows: Rows) -> str:
    where = placed(rows)
    wide = max(x + piece.columns for _, x, piece in where)
    lines: list[list[tuple[int, str]]] = [[] for _ in rows]
    for y, x, piece in where:
        merge = "restart" if piece.rows > 1 else ""
        lines[y].append((x, _docx_cell(piece.text, piece.columns, merge)))
        for below in range(1, piece.rows):
            lines[y + below].append((x, _docx_cell("", piece.columns, "continue")))
    grid = '<w:gridCol w:w="700"/>' * wide
    edges = "".join(
        f'<w:{edge} w:val="single" w:sz="4"/>' for edge in ("top", "left", "bottom", "right", "insideH", "insideV")
    )
    body = "".join(f"<w:tr>{''.join(cell for _, cell in sorted(line))}</w:tr>" for line in lines)
    properties = f'<w:tblPr><w:tblBorders>{edges}</w:tblBorders><w:tblLayout w:type="fixed"/></w:tblPr>'
    return f"<w:tbl>{properties}<w:tblGrid>{grid}</w:tblGrid>{body}</w:tbl>"


def as_docx(made: Paper) -> bytes:
    body = "".join(
        f'<w:p><w:r><w:t xml:space="preserve">{escape(part)}</w:t></w:r></w:p>'
        if isinstance(part, str)
        else _docx_table(part)
        for part in made.parts
    )
    space = "http://schemas.openxmlformats.org"
    margins = '<w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="900" w:right="700" w:bottom="900" w:left="700"/>'
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    relations = "application/vnd.openxmlformats-package.relationships+xml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{space}/package/2006/content-types">'
        f'<Default Extension="rels" ContentType="{relations}"/>'
        f'<Override PartName="/word/document.xml" ContentType="{main}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{space}/package/2006/relationships"><Relationship Id="r1" '
        f'Type="{space}/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{space}/wordprocessingml/2006/main"><w:body>{body}'
        f"<w:sectPr>{margins}</w:sectPr></w:body></w:document>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in parts.items():
            file.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}')
    return out.getvalue()


def _lines(made: Paper) -> list[list[str]]:
    return [line for part in made.parts for line in ([[part]] if isinstance(part, str) else _anchors(part))]


def as_csv(made: Paper) -> bytes:
    """As a spreadsheet saves it: every row as wide as the widest."""
    lines = _lines(made)
    wide = max(map(len, lines))
    out = io.StringIO(newline="")
    csv.writer(out).writerows([*line, *[""] * (wide - len(line))] for line in lines)
    return out.getvalue().encode(Random(made.seed + "csv").choice(("utf-8-sig", "gb18030")))


def _one_line(text: str) -> str:
    return text.replace("\n", " ")


def as_tabs(made: Paper) -> bytes:
    return "\n".join("\t".join(map(_one_line, line)) for line in _lines(made)).encode()


def as_pipes(made: Paper) -> bytes:
    lines: list[str] = []
    for part in made.parts:
        if isinstance(part, str):
            lines += ["", part, ""]
            continue
        rows = [f"| {' | '.join(map(_one_line, row))} |" for row in _anchors(part)]
        lines += [rows[0], "|" + "---|" * len(_anchors(part)[0]), *rows[1:]]
    return "\n".join(lines).encode()


def as_tidy(made: Paper) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(("year", "cell", "value"))
    writer.writerows(("2023" if made.form.edition == "2021" else "2019", *pair) for pair in made.said.items())
    return out.getvalue().encode("utf-8-sig")


def as_json(made: Paper) -> bytes:
    cells = [{"cell": cell, "value": None, "raw": text or None} for cell, text in made.said.items()]
    return json.dumps({"year": 2023 if made.form.edition == "2021" else 2019, "cells": cells}).encode()


WRITERS: dict[str, Callable[[Paper], bytes]] = {
    "xlsx": as_xlsx,
    "docx": as_docx,
    "html": as_html,
    "csv": as_csv,
    "tabs": as_tabs,
    "pipes": as_pipes,
    "tidy": as_tidy,
    "json": as_json,
}
# These name their cells themselves, so only what befalls texts can befall them.
NAMED = ("tidy", "json", "form")
