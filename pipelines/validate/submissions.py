"""Read files become submissions: whose they are, corrected as approved, complete or not, then judged by the rules.

Belongs here: carrying one region-year's read files through assignment, corrections, completeness and rules. Does not
belong here: each of those steps (roster.py, decisions.py, completeness.py, bulk.py, check.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec
import polars as pl

from pipelines.validate.bulk import SubmissionRow, broken_pairs, wide_frame
from pipelines.validate.check import judge_values
from pipelines.validate.completeness import settle
from pipelines.validate.decisions import correct
from pipelines.validate.roster import assign
from schemas.findings import Finding
from schemas.form import Form
from schemas.intake import ReadFile
from schemas.region import Decisions, Region
from schemas.rules import LAST_YEAR, RuleSet

Figures = Mapping[str, Decimal | int]


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """The wide frame of every file that has a body and a table, and the findings of assignment and completeness.

    ``bodies`` gives the body of each file ("" where it counts for none).
    """

    frame: pl.DataFrame
    bodies: dict[str, str]
    findings: tuple[Finding, ...]


def attributes_of(region: Region) -> frozenset[str]:
    """The attributes of a region's bodies that free them from rules."""
    return frozenset({"rule_making_power"} if region.settings.rule_making_power else ())


def _placed(findings: Sequence[Finding], region: Region, year: int, body: str, file: str) -> list[Finding]:
    """Findings with region, year, body and file set where the maker of the finding could not know them."""
    return [
        msgspec.structs.replace(f, region=region.settings.code, year=year, body=f.body or body, file=f.file or file)
        for f in findings
    ]


def settle_submissions(
    reads: Sequence[ReadFile],
    folders: Mapping[str, str | None],
    region: Region,
    year: int,
    form: Form,
    rules: RuleSet,
    decisions: Decisions,
    previous: Mapping[str, Figures],
) -> Settled:
    """Assign, correct and complete every read file. ``folders``: sub-folder by file; ``previous``: by body."""
    rows: list[SubmissionRow] = []
    bodies: dict[str, str] = {}
    findings: list[Finding] = []
    for original in reads:
        read = original
        body, about = assign(read, folders.get(read.file), region, year)
        bodies[read.file] = body
        found: list[Finding] = [*about, *read.problems]
        if body and read.readable:
            read, corrected = correct(read, decisions.correction, form, region, body)
            settled = settle(read, form, rules)
            found += [*corrected, *settled.findings]
            rows.append(
                SubmissionRow(
                    region=region.settings.code,
                    year=year,
                    body=body,
                    file=read.file,
                    file_sha256=read.sha256,
                    values=settled.values,
                    previous=previous.get(body, {}),
                    attributes=attributes_of(region),
                )
            )
        findings += _placed(found, region, year, body, read.file)
    return Settled(frame=wide_frame(form, rules, rows), bodies=bodies, findings=tuple(findings))


def figures_of(form: Form, row: Mapping[str, object]) -> tuple[dict[str, Decimal | int], dict[str, Decimal | int]]:
    """This year's and last year's known figures by cell id, from one row of the wide frame."""
    now: dict[str, Decimal | int] = {}
    before: dict[str, Decimal | int] = {}
    for cell in form.cells:
        value, last = row.get(cell.id), row.get(cell.id + LAST_YEAR)
        if isinstance(value, Decimal | int):
            now[cell.id] = value
        if isinstance(last, Decimal | int):
            before[cell.id] = last
    return now, before


def judge_submissions(
    frame: pl.DataFrame, reads: Sequence[ReadFile], region: Region, year: int, form: Form, rules: RuleSet
) -> list[Finding]:
    """The findings of every rule over the wide frame; only files that break one go to wording and localisation."""
    by_file = {read.file: read for read in reads}
    broken = {file for file, _ in broken_pairs(form, rules, frame)}
    findings: list[Finding] = []
    for row in frame.iter_rows(named=True):
        read = by_file[row["file"]]
        now, before = figures_of(form, row)
        fractional = {
            cell.cell: cell.value
            for cell in read.cells
            if cell.value is not None and cell.cell in form.by_id and cell.cell not in now
        }
        found = judge_values(
            now | fractional,
            form,
            rules,
            previous=before,
            attributes=attributes_of(region),
            claims=read.claims,
            cells=read.cells,
            dirty=row["file"] in broken,
        )
        findings += _placed(found.findings, region, year, row["body"], row["file"])
    return findings


def body_cells(
    frame: pl.DataFrame, accepted: Mapping[str, str], reads: Sequence[ReadFile], form: Form
) -> list[dict[str, object]]:
    """Rows of the ``body_cells`` table: every cell of every accepted submission, verbatim text beside the value."""
    by_file = {read.file: read for read in reads}
    rows: list[dict[str, object]] = []
    for row in frame.iter_rows(named=True):
        if accepted.get(row["body"]) != row["file"]:
            continue
        read = {cell.cell: cell for cell in by_file[row["file"]].cells}
        for cell in form.cells:
            stands = read.get(cell.id)
            value = row[cell.id]
            rows.append(
                {
                    "region": row["region"],
                    "year": row["year"],
                    "body": row["body"],
                    "cell": cell.id,
                    "table": cell.table,
                    "row": cell.row,
                    "column": cell.column,
                    "value": None if value is None else Decimal(value),
                    "unit": cell.unit,
                    "raw": stands.raw if stands else None,
                    "state": stands.state if stands else "absent",
                    "file_sha256": row["file_sha256"],
                    "address": (stands.at or None) if stands else None,
                }
            )
    return rows
