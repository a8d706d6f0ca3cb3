"""Read files become submissions: whose they are, corrected as approved, complete or not, then judged by the rules.

Belongs here: carrying one region-year's read files through assignment, corrections, completeness and rules. Does not
belong here: each of those steps (roster.py, decisions.py, completeness.py, bulk.py, check.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import polars as pl

from pipelines.deliveries import received_as
from pipelines.validate.bulk import SubmissionRow, broken_pairs, wide_frame
from pipelines.validate.check import judge_values
from pipelines.validate.completeness import settle
from pipelines.validate.decisions import correct, waive
from pipelines.validate.roster import Acceptance, Delivery, accept, assign, copies, roster_of
from schemas.findings import Finding, make_finding
from schemas.form import Form
from schemas.intake import Explanation, ReadFile
from schemas.region import Correction, Decisions, Region
from schemas.rules import RuleSet

Figures = Mapping[str, Decimal | int]


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """The wide frame of every file that has a body and a table, and the findings of assignment and completeness.

    ``bodies`` gives the body of each file ("" where it counts for none).
    """

    frame: pl.DataFrame
    bodies: dict[str, str]
    findings: tuple[Finding, ...]


class JudgedSubmissions(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of all submissions, and what would mend each broken one, by (body, file)."""

    findings: tuple[Finding, ...]
    explained: dict[tuple[str, str], tuple[Explanation, ...]]


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
    reads: Iterable[ReadFile],
    folders: Mapping[str, str | None],
    region: Region,
    year: int,
    form: Form,
    rules: RuleSet,
    decisions: Decisions,
    previous: Mapping[str, Figures],
) -> Settled:
    """Assign, correct and complete every read file.

    ``folders``: sub-folder by received file (None for a flat one), which holds for the members of an archive too;
    ``previous``: last year's figures by body.
    """
    rows: list[SubmissionRow] = []
    bodies: dict[str, str] = {}
    findings: list[Finding] = []
    roster, corrections = roster_of(region, year), corrections_of(decisions)
    for original in reads:
        read = original
        body, about = assign(read, folders[received_as(read.file, folders)], roster)
        bodies[read.file] = body
        found: list[Finding] = [*about, *read.problems]
        if body and read.readable:
            read, corrected = correct(read, corrections.get(body, ()), form, region, body)
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


def corrections_of(decisions: Decisions) -> dict[str, tuple[Correction, ...]]:
    """The approved corrections of each body, in their order."""
    found: dict[str, tuple[Correction, ...]] = {}
    for correction in decisions.correction:
        found[correction.body] = (*found.get(correction.body, ()), correction)
    return found


def figures_of(form: Form, row: Mapping[str, object]) -> dict[str, Decimal | int]:
    """The known figures by cell id of one row of the wide frame."""
    figures: dict[str, Decimal | int] = {}
    for cell in form.cells:
        value = row.get(cell.id)
        if isinstance(value, Decimal | int):
            figures[cell.id] = value
    return figures


def history_of(form: Form, accepted: pl.DataFrame) -> dict[str, dict[str, Decimal | int]]:
    """Last year's figures by body, from last year's accepted submissions; only cells that ``form`` has too."""
    return {row["body"]: figures_of(form, row) for row in accepted.iter_rows(named=True)}


def _together(frame: pl.DataFrame, reads: Iterable[ReadFile]) -> Iterator[tuple[dict[str, Any], ReadFile]]:
    """Each row of the wide frame with its read file; both stand in the same order, and a file may have no row."""
    rows = frame.iter_rows(named=True)
    row = next(rows, None)
    for read in reads:
        if row is not None and row["file"] == read.file:
            yield row, read
            row = next(rows, None)
    if row is not None:
        raise ValueError(f"{row['file']}: the submissions are not in the order of the read files")


def judge_submissions(
    frame: pl.DataFrame,
    reads: Iterable[ReadFile],
    region: Region,
    year: int,
    form: Form,
    rules: RuleSet,
    previous: Mapping[str, Figures],
    *,
    has_history: bool,
) -> JudgedSubmissions:
    """Every rule over the wide frame; only files that break one go to wording and localisation.

    ``reads``: those that the frame was made from, in the same order; they are gone through once.
    ``has_history`` False adds the information that there are no figures of last year at all.
    """
    broken = {file for file, _ in broken_pairs(form, rules, frame)}
    attributes = attributes_of(region)
    findings: list[Finding] = []
    explained: dict[tuple[str, str], tuple[Explanation, ...]] = {}

    def deliveries() -> Iterator[Delivery]:
        """Each return judged and then handed to the search for copies, one at a time."""
        for row, read in _together(frame, reads):
            body = row["body"]
            figures = figures_of(form, row)
            # a count that is not whole is null in the wide frame; it is judged as it stands
            figures |= {
                cell.cell: cell.value
                for cell in read.cells
                if cell.value is not None and cell.cell in form.by_id and cell.cell not in figures
            }
            judged = judge_values(
                figures,
                form,
                rules,
                previous=previous.get(body, {}),
                attributes=attributes,
                claims=read.claims,
                cells=read.cells,
                dirty=row["file"] in broken,
                own_workbook=read.own_workbook,
            )
            findings.extend(_placed(judged.findings, region, year, body, row["file"]))
            explained[body, row["file"]] = judged.explanations
            yield Delivery(
                file=row["file"], sha256=row["file_sha256"], sequence=0, body=body, values=figures, findings=()
            )

    alike = copies(deliveries(), previous, region)
    findings += _placed(alike, region, year, "", "")
    if not has_history:
        missing = make_finding("no_previous_year", words={"year": str(year - 1)})
        findings += _placed([missing], region, year, "", "")
    return JudgedSubmissions(findings=tuple(findings), explained=explained)


def accept_submissions(
    frame: pl.DataFrame,
    findings: Sequence[Finding],
    received: pl.DataFrame,
    region: Region,
    year: int,
    form: Form,
    decisions: Decisions,
) -> tuple[pl.DataFrame, Acceptance]:
    """The wide frame of accepted submissions in roster order, and what became of the roster, waivers applied.

    ``received``: the ``received_files`` table. A file without a wide row (unreadable, of no body) is judged by its
    findings alone: it belongs to the body that its findings name.
    """
    waived = waive(findings, decisions.waiver)
    body_of = {f.file: f.body for f in waived if f.file} | dict(zip(frame["file"], frame["body"], strict=True))
    rows = {row["file"]: row for row in received.iter_rows(named=True)}
    digests = dict(zip(frame["file"], frame["file_sha256"], strict=True))
    files = Counter(body_of.values())  # only where a body has several are their figures compared
    compared = frame.filter(pl.col("body").is_in([body for body, count in files.items() if count > 1]))
    values = {row["file"]: figures_of(form, row) for row in compared.iter_rows(named=True)}
    by_file: dict[str, list[Finding]] = {}
    for finding in waived:
        by_file.setdefault(finding.file, []).append(finding)
    deliveries = []
    for file in sorted(body_of):  # a file that says nothing and of which nothing is said has delivered nothing
        row = rows[received_as(file, rows)]
        deliveries.append(
            Delivery(
                file=file,
                sha256=digests.get(file, row["file_sha256"]),
                sequence=row["sequence"],
                body=body_of[file],
                values=values.get(file, {}),
                findings=tuple(by_file.get(file, ())),
            )
        )
    result = accept(deliveries, region, year, form)
    general = by_file.get("", [])
    counted = waive([*result.findings, *general], decisions.waiver)
    counted = [msgspec.structs.replace(f, region=region.settings.code, year=year) for f in counted]
    order = {body.code: position for position, body in enumerate(region.bodies)}
    chosen = frame.filter(pl.col("file").is_in(list(result.accepted.values())))
    chosen = chosen.sort(pl.col("body").replace_strict(order, default=len(order), return_dtype=pl.Int64))
    return chosen, msgspec.structs.replace(result, findings=tuple(counted))
