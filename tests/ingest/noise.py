"""Returns as they arrive, drawn at random: the form's own layout with the accidents of real files done to it.

Belongs here: valid figures, and ways to draw them as documents, each with the truth that a reader must find or leave
unread. All figures are invented.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from pipelines.ingest.document import Document, Grid, Paragraph, TextCell
from pipelines.layout import Box, Drawing, draw
from schemas.form import Form, load_form, rows_of_group

Truth = dict[str, str]
# What stands for a figure that the writer left out.
BLANK = ""
NONES = ("/", "-", "—", "无")
TWINS = str.maketrans(
    "规范发废现数处决许强执项开费额单万报办结构请机关业务组织会总计继续转况标类内过动为这区进级审复议诉讼维纠经后国属护权据无确认获个书讯询",
    "規範發廢現數處決許強執項開費額單萬報辦結構請機關業務組織會總計繼續轉況標類內過動為這區進級審復議訴訟維糾經後國屬護權據無確認獲個書訊詢",
)


def figures(form: Form, random: Random, blanks: float = 0.0) -> Truth:
    """A return that obeys the sums, as text by cell; ``blanks``: the share of figures left out (as "" or a mark)."""
    values: dict[str, int] = {}
    for table in form.tables:
        for block in table.blocks:
            for row in block.rows:
                for column in block.columns:
                    some = random.random() < 0.4
                    values[f"{table.id}.{row.id}.{column.id}"] = random.randint(1, 40) if some else 0
    request = next(table for table in form.tables if table.id == "requests").blocks[0]
    for column in request.columns:
        if column.total:
            continue
        parts = sum(values[f"requests.{row.id}.{column.id}"] for row in rows_of_group(request, "outcome"))
        out = values[f"requests.carried_out.{column.id}"]
        carried = random.randint(0, parts + out)
        values[f"requests.processed.{column.id}"] = parts
        values[f"requests.carried_in.{column.id}"] = carried
        values[f"requests.received.{column.id}"] = parts + out - carried
    for table in form.tables:
        for block in table.blocks:
            for total in (column for column in block.columns if column.total):
                for row in block.rows:
                    values[f"{table.id}.{row.id}.{total.id}"] = sum(
                        values[f"{table.id}.{row.id}.{column.id}"] for column in block.columns if not column.total
                    )
    said = {cell: str(value) for cell, value in values.items()}
    mark = random.choice((BLANK, BLANK, BLANK, *NONES))
    for cell in said:
        if random.random() < blanks:
            said[cell] = mark
    return said


@dataclass
class Accidents:
    """What happens to a drawing. Shares are per box or per row."""

    drop_row_spans: bool = False  # a cell that reaches down is missing from the rows below, which move left
    drop_column_spans: bool = False
    fill_spans: bool = False  # every position of a merged box is a cell of its own, empty but for the first
    padding: int = 0  # at most so many empty cells behind a row
    even_padding: bool = True  # the same number behind every row
    lost_labels: float = 0.0
    cut_labels: float = 0.0
    breaks: float = 0.0  # the table goes on as another grid behind a page number
    spaces: float = 0.0
    traditional: bool = False
    titles: bool = True
    other_tables: bool = False
    heads: bool = True


def accidents(random: Random) -> Accidents:
    """Some accidents, often none of a kind."""
    spans = random.choice(("kept", "kept", "rows", "columns", "both", "filled"))
    return Accidents(
        drop_row_spans=spans in ("rows", "both"),
        drop_column_spans=spans in ("columns", "both"),
        fill_spans=spans == "filled",
        padding=random.choice((0, 0, 1, 3, 9)),
        even_padding=random.random() < 0.7,
        lost_labels=random.choice((0.0, 0.0, 0.05, 0.3)),
        cut_labels=random.choice((0.0, 0.0, 0.05)),
        breaks=random.choice((0.0, 0.0, 0.05)),
        spaces=random.choice((0.0, 0.3)),
        traditional=random.random() < 0.2,
        titles=random.random() < 0.8,
        other_tables=random.random() < 0.2,
        heads=random.random() < 0.9,
    )


@dataclass
class Row:
    """One drawn row: (text, rows, columns, role) of each box that begins in it."""

    boxes: list[tuple[str, int, int, str]] = field(default_factory=list)


def _label(text: str, how: Accidents, random: Random, role: str) -> str:
    if role == "label" and random.random() < how.lost_labels:
        return ""
    if role == "label" and len(text) > 8 and random.random() < how.cut_labels:
        text = text[: len(text) - random.randint(1, 3)]
    if how.traditional:
        text = text.translate(TWINS)
    if random.random() < how.spaces and len(text) > 1:
        place = random.randint(1, len(text) - 1)
        text = text[:place] + random.choice((" ", "\n", "\u3000")) + text[place:]
    return text


def _rows(drawing: Drawing, said: Truth, how: Accidents, random: Random) -> list[Row]:
    rows = [Row() for _ in range(drawing.rows)]
    for box in drawing.boxes:
        if not how.heads and box.role == "head":
            continue
        text = said[box.cell] if box.role == "cell" else _label(box.text_zh, how, random, box.role)
        rows[box.row].boxes.append((text, box.rows, box.columns, box.role))
    return [row for row in rows if row.boxes]


def grids(drawing: Drawing, said: Truth, how: Accidents, random: Random) -> list[Grid | Paragraph]:
    """A drawing as one grid, or several where it breaks over pages."""
    if how.fill_spans:
        return _filled(drawing, said, how, random)
    rows = _rows(drawing, said, how, random)
    parts: list[list[Row]] = [[]]
    seen_label = False
    for row in rows:
        seen_label = seen_label or any(role == "cell" for *_, role in row.boxes)
        if seen_label and parts[-1] and random.random() < how.breaks:
            parts.append([])
        parts[-1].append(row)
    found: list[Grid | Paragraph] = []
    pad = random.randint(0, how.padding)
    for number, part in enumerate(parts):
        if number:
            found.append(Paragraph(text=f"- {number + 1} -", at=f"第{number}页"))
        found.append(_grid(part, how, random, pad))
    return found


def _grid(rows: list[Row], how: Accidents, random: Random, pad: int) -> Grid:
    cells: list[TextCell] = []
    taken: set[tuple[int, int]] = set()
    for y, row in enumerate(rows):
        x = 0
        boxes = list(row.boxes)
        extra = pad if how.even_padding else random.randint(0, how.padding)
        boxes += [("", 1, 1, "pad")] * extra
        for text, height, width, _ in boxes:
            while (y, x) in taken:
                x += 1
            tall = 1 if how.drop_row_spans else min(height, len(rows) - y)
            wide = 1 if how.drop_column_spans else width
            cells.append(TextCell(row=y, column=x, rows=tall, columns=wide, text=text, at=f"第{y + 1}行第{x + 1}列"))
            taken |= {(y + dy, x + dx) for dy in range(tall) for dx in range(wide)}
            x += wide
    return Grid(cells=tuple(cells))


def _filled(drawing: Drawing, said: Truth, how: Accidents, random: Random) -> list[Grid | Paragraph]:
    def text_of(box: Box) -> str:
        return said[box.cell] if box.role == "cell" else _label(box.text_zh, how, random, box.role)

    cells = [
        TextCell(row=box.row + dy, column=box.column + dx, text=text_of(box) if dx == dy == 0 else "", at="格")
        for box in drawing.boxes
        if how.heads or box.role != "head"
        for dy in range(box.rows)
        for dx in range(box.columns)
    ]
    return [Grid(cells=tuple(sorted(cells, key=lambda cell: (cell.row, cell.column))))]


METADATA = Grid(
    cells=tuple(
        TextCell(row=y, column=x, text=text, at="表头")
        for y, row in enumerate(
            (("名称", "示例单位年度报告"), ("索引号", "000000001/2024-00001"), ("公开日期", "2024-01-20"))
        )
        for x, text in enumerate(row)
    )
)


def drawn_document(form: Form, said: Truth, how: Accidents, random: Random) -> Document:
    """The whole return as grids with headings between."""
    items: list[Grid | Paragraph] = [METADATA] if how.other_tables else []
    items.append(Paragraph(text="一、总体情况", at="第1段"))
    for table in form.tables:
        if table.arrangement == "text":
            continue
        if how.titles:
            items.append(Paragraph(text=f"{table.number_zh}、{table.title_zh}", at="标题"))
        items += grids(draw(form, table.id), said, how, random)
    items.append(Paragraph(text="五、存在的主要问题及改进情况", at="末段"))
    return Document(format="html", items=tuple(items))


def text_document(form: Form, said: Truth, how: Accidents, random: Random, style: str) -> Document:
    """The same as text: ``pipes`` or ``tabs`` or ``spaces`` (a row a line), ``stream`` (a cell a line, blanks lost),
    ``barred`` (a cell a line, bars between), ``parted`` (first all labels of a table, then all figures)."""
    lines: list[str] = ["一、总体情况", "本单位认真落实有关要求。"]
    for table in form.tables:
        if table.arrangement == "text":
            continue
        if how.titles:
            lines.append(f"{table.number_zh}、{table.title_zh}")
        rows = _rows(draw(form, table.id), said, how, random)
        lines += _styled(rows, how, random, style)
    lines += ["五、存在的主要问题及改进情况", "今后继续努力。"]
    return Document(
        format="text", items=tuple(Paragraph(text=line, at=f"第{n}行") for n, line in enumerate(lines, start=1))
    )


def _styled(rows: list[Row], how: Accidents, random: Random, style: str) -> list[str]:
    flat = [[" ".join(text.split()) for text, *_ in row.boxes] for row in rows]
    if style == "pipes":
        return ["| " + " | ".join(row + [""] * random.randint(0, how.padding)) + " |" for row in flat]
    if style == "tabs":
        return ["\t".join(row + [""] * random.randint(0, how.padding)) for row in flat]
    if style == "spaces":
        return [" ".join(text for text in row if text) for row in flat]
    if style == "stream":
        return [text for row in flat for text in row if text]
    if style == "barred":
        return [piece for row in flat for text in row for piece in ([text, "|"] if text else ["|"])]
    labels = [text for row in rows for text, _, _, role in row.boxes if role != "cell" and text]
    values = [" ".join(text for text, _, _, role in row.boxes if role == "cell") for row in rows]
    return [" ".join(label.split()) for label in labels] + [value for value in values if value.strip()]


STYLES = ("pipes", "tabs", "spaces", "stream", "barred", "parted")


def random_case(seed: int) -> tuple[str, Form, Truth, Document]:
    """A whole case from one number: its style, edition, truth and document."""
    random = Random(seed)
    form = load_form(random.choice(("2021", "2021", "2019")))
    said = figures(form, random, random.choice((0.0, 0.0, 0.05, 0.3, 0.7)))
    how = accidents(random)
    style = random.choice(("drawn", "drawn", "drawn", *STYLES))
    if style == "drawn":
        return style, form, said, drawn_document(form, said, how, random)
    return style, form, said, text_document(form, said, how, random, style)
