"""The receipts of a region and year as files: one page per body, and an annotated copy of a workbook.

Belongs here: which of a body's files its receipt is about, and the names of the files. Does not belong here: what a
receipt says or looks like (receipt_view.py, receipt.py, annotate.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec
import polars as pl

from pipelines.deliveries import received_as
from pipelines.publish.annotate import annotated_workbook
from pipelines.publish.receipt import receipt_page
from pipelines.publish.receipt_view import Status
from pipelines.storage import Place, received_path
from schemas.findings import Figure, Finding
from schemas.form import Form
from schemas.intake import Explanation, ReadFile
from schemas.region import Region


class BodyReturn(msgspec.Struct, frozen=True, kw_only=True):
    """What a receipt is about: the body's newest file (None where there is none) and what was found in it."""

    body: str
    status: Status
    versions: int
    read: ReadFile | None
    values: Mapping[str, Figure | None]
    findings: tuple[Finding, ...]
    explanations: tuple[Explanation, ...]


def body_returns(
    received: pl.DataFrame,
    reads: Sequence[ReadFile],
    submissions: pl.DataFrame,
    bodies: pl.DataFrame,
    findings: Sequence[Finding],
    explained: Mapping[str, Sequence[Explanation]],
) -> list[BodyReturn]:
    """What each body's receipt is about, in roster order.

    ``received``, ``submissions``, ``bodies``: the tables of those names; ``findings``: all that count, waivers
    applied; ``explained``: explanations by file.
    """
    order = dict(zip(received["file"], received["sequence"], strict=True))
    rows = {row["file"]: row for row in submissions.iter_rows(named=True)}
    owner = {f.file: f.body for f in findings if f.file and f.body} | {file: row["body"] for file, row in rows.items()}
    by_file = {read.file: read for read in reads}
    returns = []
    for entry in bodies.iter_rows(named=True):
        files = [file for file, body in owner.items() if body == entry["body"] and file in by_file]
        newest = max(files, key=lambda file: (order[received_as(file, order)], file), default=None)
        read = by_file[newest] if newest else None
        row: dict[str, Any] = rows.get(newest, {}) if newest else {}
        values = {cell.cell: row.get(cell.cell, cell.value) for cell in read.cells} if read else {}
        returns.append(
            BodyReturn(
                body=entry["body"],
                status=cast(Status, entry["status"]),
                versions=entry["versions"],
                read=read,
                values=values,
                findings=tuple(f for f in findings if f.body == entry["body"] and _concerns(f, newest)),
                explanations=tuple(explained.get(newest, ())) if newest else (),
            )
        )
    return returns


def _concerns(finding: Finding, newest: str | None) -> bool:
    """Whether a finding is for the receipt of a body whose newest file is ``newest``.

    That no return counts follows from what is wrong with the file: it is said only where there is no file.
    """
    if finding.rule == "roster_missing":
        return newest is None
    return finding.file in ("", newest)


def receipt_files(
    data: Place, form: Form, region: Region, year: int, returns: Sequence[BodyReturn]
) -> Iterator[tuple[str, bytes]]:
    """(file name, bytes) of every receipt: ``<body>.html``, and ``<body>.xlsx`` where the newest file is a workbook
    with something wrong in it.
    """
    for one in returns:
        body = region.body(one.body)
        read = one.read
        addresses = {cell.cell: cell.at for cell in read.cells if cell.at} if read else {}
        raws = {cell.cell: cell.raw for cell in read.cells} if read else {}
        page = receipt_page(
            form,
            region,
            year,
            body,
            one.findings,
            one.explanations,
            one.values,
            raws,
            read.file if read else "",
            one.status,
            one.versions,
            addresses=addresses,
        )
        yield f"{one.body}.html", page
        wrong = any(finding.severity != "information" for finding in one.findings)
        original = received_path(data, read.sha256) if read and wrong and read.format == "xlsx" else None
        if original is not None and original.exists():
            copy = annotated_workbook(form, original.read_bytes(), one.findings, one.explanations, addresses)
            if copy is not None:
                yield f"{one.body}.xlsx", copy
