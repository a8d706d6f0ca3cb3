"""The receipts of a region and year as files: one page per body, and an annotated copy of a workbook.

Belongs here: which of a body's files its receipt is about, and the names of the files. Does not belong here: what a
receipt says or looks like (receipt_view.py, receipt.py, annotate.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
    reads: Iterable[ReadFile],
    files: Collection[str],
    submissions: pl.DataFrame,
    bodies: pl.DataFrame,
    findings: Sequence[Finding],
    explained: Mapping[str, Sequence[Explanation]],
) -> Iterator[BodyReturn]:
    """What each body's receipt is about: in the order of its newest file, then those without one in roster order.

    ``received``, ``submissions``, ``bodies``: the tables of those names; ``reads``: gone through once, one held at a
    time; ``files``: their names; ``findings``: all that count, waivers applied; ``explained``: explanations by file.
    """
    order = dict(zip(received["file"], received["sequence"], strict=True))
    owner = {f.file: f.body for f in findings if f.file and f.body}
    owner |= dict(zip(submissions["file"], submissions["body"], strict=True))
    known = set(files)
    newest: dict[str, str] = {}
    for file, body in owner.items():
        if file in known:
            newest[body] = max(file, newest.get(body, file), key=lambda one: (order[received_as(one, order)], one))
    of = {newest[row["body"]]: row for row in bodies.iter_rows(named=True) if row["body"] in newest}
    rows = {file: number for number, file in enumerate(submissions["file"])}
    about: dict[str, list[Finding]] = {}
    for finding in findings:
        about.setdefault(finding.body, []).append(finding)

    def of_body(entry: Mapping[str, Any], read: ReadFile | None) -> BodyReturn:
        file = read.file if read else None
        row: dict[str, Any] = submissions.row(rows[file], named=True) if file in rows else {}
        return BodyReturn(
            body=entry["body"],
            status=cast(Status, entry["status"]),
            versions=entry["versions"],
            read=read,
            values={cell.cell: row.get(cell.cell, cell.value) for cell in read.cells} if read else {},
            findings=tuple(finding for finding in about.get(entry["body"], ()) if _concerns(finding, file)),
            explanations=tuple(explained.get(file, ())) if file else (),
        )

    for read in reads:
        if read.file in of:
            yield of_body(of[read.file], read)
    for entry in bodies.iter_rows(named=True):
        if entry["body"] not in newest:
            yield of_body(entry, None)


def _concerns(finding: Finding, newest: str | None) -> bool:
    """Whether a finding is for the receipt of a body whose newest file is ``newest``.

    That no return counts follows from what is wrong with the file: it is said only where there is no file.
    """
    if finding.rule == "roster_missing":
        return newest is None
    return finding.file in ("", newest)


def receipt_files(
    data: Place, form: Form, region: Region, year: int, returns: Iterable[BodyReturn]
) -> Iterator[tuple[str, bytes]]:
    """(file name, bytes) of every receipt: ``<body>.html``, and ``<body>.xlsx`` where the newest file is a workbook
    with something wrong in it.
    """
    known = {body.code: body for body in region.bodies}
    for one in returns:
        body = known.get(one.body)
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
