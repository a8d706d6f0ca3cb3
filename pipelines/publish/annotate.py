"""A copy of the clerk's own workbook with what the checks found written into it.

Belongs here: fills, comments and the sheet of findings in an xlsx copy. Does not belong here: what a finding says
(receipt_view.py, schemas/), reading returns (pipelines/ingest), our own fill-in workbook.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pipelines.publish.page_text import visible, width
from pipelines.publish.receipt_view import ONE_WAY, TIES, Item, Status, View, build_view
from schemas.findings import Finding
from schemas.form import Form
from schemas.intake import Explanation

if TYPE_CHECKING:
    from openpyxl.cell import Cell
    from openpyxl.cell.cell import MergedCell
    from openpyxl.workbook import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

RESULT_SHEET = "核查结果"
AUTHOR = "核查 gongkai"
FILLS = {"suspected": "FFF4B6B0", "missing": "FFFFE2A0", "involved": "FFFDF1EF"}
HEADINGS = ("序号", "级别", "在哪里", "问题", "怎么办", "单元格", "English", "规则编号")
_WIDTHS = (6, 10, 26, 56, 34, 14, 46, 24)
_ADDRESS = re.compile(r"[A-Z]{1,3}[1-9][0-9]{0,6}")
# An annotated copy is made in memory, so the original may unfold to this much and no more.
MOST_BYTES = 64 * 1024 * 1024
MOST_PARTS = 2000
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LONGEST = 32000  # a cell of a workbook holds 32 767 characters
_LONGEST_COMMENT = 2000


def _fits(original: bytes) -> bool:
    """Whether the bytes are a zip that unfolds to a bearable size (zipfile never reads past the declared size)."""
    try:
        with zipfile.ZipFile(io.BytesIO(original)) as archive:
            parts = archive.infolist()
            return len(parts) <= MOST_PARTS and sum(part.file_size for part in parts) <= MOST_BYTES
    except zipfile.BadZipFile:
        return False


def _open(original: bytes) -> Workbook | None:
    from openpyxl import load_workbook

    if not _fits(original):
        return None
    try:
        return load_workbook(io.BytesIO(original))
    except Exception:  # noqa: BLE001  the library raises whatever a damaged part makes it raise; None is the answer
        return None


def _target(book: Workbook, address: str) -> Cell | None:
    """The cell at ``Sheet!C14``, the first of its merged range where it is merged; None where there is none."""
    from openpyxl.cell.cell import MergedCell
    from openpyxl.worksheet.worksheet import Worksheet

    name, _, place = address.rpartition("!")
    sheet = book[name] if name in book.sheetnames else None
    if not isinstance(sheet, Worksheet) or not _ADDRESS.fullmatch(place):
        return None
    try:
        cell = sheet[place]
    except ValueError:
        return None
    if isinstance(cell, MergedCell):
        home = next(area for area in sheet.merged_cells.ranges if place in area)
        cell = sheet.cell(home.min_row, home.min_col)
    return cell  # type: ignore[no-any-return]


def _clear(book: Workbook) -> None:
    """Take off what an earlier annotation left, so that a copy that came back is not marked twice."""
    from openpyxl.styles import PatternFill

    if RESULT_SHEET not in book.sheetnames:
        return
    book.remove(book[RESULT_SHEET])
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.comment is not None and cell.comment.author == AUTHOR:
                    cell.comment = None
                if cell.fill.fill_type == "solid" and cell.fill.fgColor.rgb in FILLS.values():
                    cell.fill = PatternFill()


def _lines(view: View, cell: str) -> Iterator[str]:
    """What the comment on a cell says, most useful first."""
    mark = view.marks[cell]
    for proposal in view.best:
        for change in proposal.changes:
            if change.look.cell == cell:
                title = TIES[0] if len(view.best) > 1 else ONE_WAY[0]
                yield f"{title}：{change.found or '（空）'} → {change.proposed}。{proposal.reason_zh}"
    for _, _, _, items in view.groups:
        for item in items:
            if item.number in mark.numbers:
                yield f"{item.number}. {item.message_zh}{item.advice_zh}"


def _mark(book: Workbook, view: View, addresses: Mapping[str, str]) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import PatternFill

    texts: dict[tuple[str, str], list[str]] = {}
    for cell, mark in view.marks.items():
        target = _target(book, addresses.get(cell, ""))
        if target is None:
            continue
        empty = mark.kind == "involved" and target.value in (None, "")
        target.fill = PatternFill("solid", fgColor=FILLS["missing" if empty else mark.kind])
        texts.setdefault((target.parent.title, target.coordinate), []).extend(_lines(view, cell))
    for (sheet, place), lines in texts.items():
        if not lines:
            continue
        target = book[sheet][place]
        before = [target.comment.text, ""] if target.comment else []
        text = visible("\n".join([*before, *lines]))[:_LONGEST_COMMENT]
        target.comment = Comment(text, AUTHOR, height=160, width=380)


def _write(cell: Cell | MergedCell, text: str | int) -> None:
    """Text stays text: what begins with ``=`` must not become a formula of our own making."""
    if isinstance(text, str):
        text = visible(text)[:_LONGEST]
        cell.value = text
        cell.data_type = "s"
    else:
        cell.value = text


def _rows(view: View) -> Iterator[tuple[str, Item]]:
    for _, title, _, items in view.groups:
        for item in items:
            yield title, item


def _sheet(book: Workbook, view: View, addresses: Mapping[str, str]) -> None:
    """The first sheet: the verdict, the suggestions, one line per finding with a link to its cell."""
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter, quote_sheetname
    from openpyxl.worksheet.hyperlink import Hyperlink
    from openpyxl.worksheet.properties import PageSetupProperties

    sheet: Worksheet = book.create_sheet(RESULT_SHEET, 0)
    line = 1

    def say(text: str, *, bold: bool = False, size: int = 11) -> None:
        nonlocal line
        cell = sheet.cell(line, 1)
        _write(cell, text)
        cell.font = Font(bold=bold, size=size)
        line += 1

    say(view.headline_zh, bold=True, size=16)
    say(view.next_zh)
    say(f"{view.headline_en} {view.next_en}")
    if view.synthetic_zh:
        say(f"示例数据：{view.synthetic_zh}")
    say("本表由核查程序加在最前面，报送时可以删除；您填写的各张表中的数字没有改动。")
    if view.best:
        line += 1
        say(f"{(TIES if len(view.best) > 1 else ONE_WAY)[0]}：", bold=True)
        for proposal in view.best:
            changes = "；".join(
                f"{change.look.place_zh}：{change.found or '（空）'} → {change.proposed}" for change in proposal.changes
            )
            say(f"· {changes}（{proposal.reason_zh}）")
    line += 1
    for column, (heading, wide) in enumerate(zip(HEADINGS, _WIDTHS, strict=True), 1):
        cell = sheet.cell(line, column)
        _write(cell, heading)
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", fgColor="FFE8EFF8")
        sheet.column_dimensions[get_column_letter(column)].width = wide
    for title, item in _rows(view):
        line += 1
        address = item.look.address if item.look else ""
        texts: tuple[str | int, ...] = (
            item.number,
            title,
            item.where_zh,
            item.message_zh,
            item.advice_zh or item.note_zh,
            address or item.finding.address,
            f"{item.message_en}{item.advice_en}",
            item.finding.rule,
        )
        for column, text in enumerate(texts, 1):
            cell = sheet.cell(line, column)
            _write(cell, text)
            cell.alignment = Alignment(wrap_text=True, vertical="top")
        # Programs do not fit the height of rows that another program wrote; 16 points a line.
        tallest = max(-(-width(str(text)) // (wide - 2)) for text, wide in zip(texts, _WIDTHS, strict=True))
        sheet.row_dimensions[line].height = 16.0 * min(25, tallest) + 4
        target = _target(book, address)
        if target is not None:
            link = sheet.cell(line, 6)
            location = f"{quote_sheetname(target.parent.title)}!{target.coordinate}"
            link.hyperlink = Hyperlink(ref=link.coordinate, location=location)
            link.font = Font(color="FF1F4A80", underline="single")
    sheet.sheet_view.showGridLines = False
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    book.active = 0
    for other in book.worksheets:
        other.sheet_view.tabSelected = other is sheet


def _times(original: bytes) -> dict[bytes, bytes]:
    """When the original says it was created and changed; a fixed date where it does not say."""
    with zipfile.ZipFile(io.BytesIO(original)) as archive:
        core = archive.read("docProps/core.xml") if "docProps/core.xml" in archive.namelist() else b""
    times = {}
    for name in (b"created", b"modified"):
        found = re.search(rb"<dcterms:%s[^>]*>(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)<" % name, core)
        times[name] = found.group(1) if found else b"1980-01-01T00:00:00Z"
    return times


def _stable(saved: bytes, times: Mapping[bytes, bytes]) -> bytes:
    """The saved workbook without the clock: fixed times in the zip, the original's own in its properties."""
    result = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(saved)) as archive,
        zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as stable,
    ):
        for part in archive.infolist():
            data = archive.read(part)
            if part.filename == "docProps/core.xml":
                for name, time in times.items():
                    data = re.sub(rb"(<dcterms:%s[^>]*>)[^<]*" % name, rb"\g<1>" + time, data)
            stable.writestr(zipfile.ZipInfo(part.filename, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return result.getvalue()


def annotated_workbook(
    form: Form,
    original: bytes,
    findings: Sequence[Finding],
    explanations: Sequence[Explanation],
    addresses: Mapping[str, str],
) -> bytes | None:
    """A copy of the xlsx ``original`` with suspected cells filled and commented, and a first sheet of the findings.

    ``addresses``: cell id -> ``Sheet!C14``; a cell without one stands on the first sheet alone. No figure, formula or
    sheet of the original changes; formulas are computed anew when the copy is opened. None for bytes that are no
    workbook, that unfold beyond ``MOST_BYTES``, or that cannot be written again. Same arguments, same bytes.
    """
    book = _open(original)
    if book is None:
        return None
    status: Status = "findings" if findings else "ok"
    values = {change.cell: change.found for explanation in explanations for change in explanation.changes}
    known = {cell: values.get(cell, 0) for finding in findings for cell in finding.cells}
    view = build_view(
        form,
        None,
        None,
        None,
        findings,
        explanations,
        known,
        file="",
        status=status,
        versions=1,
        addresses=addresses,
    )
    try:
        _clear(book)
        _mark(book, view, addresses)
        _sheet(book, view, addresses)
        book.calculation.fullCalcOnLoad = True
        saved = io.BytesIO()
        book.save(saved)
    except Exception:  # noqa: BLE001  a part that the library read but cannot write: there is no copy, nothing else fails
        return None
    return _stable(saved.getvalue(), _times(original))
