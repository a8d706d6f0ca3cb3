"""The roster: whose return a file is, which version counts, who is missing.

Belongs here: assigning a read file to a body, choosing the accepted version, coverage, copies of other returns. Does
not belong here: rules over figures, or reading the roster (pipelines/regions.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from hashlib import sha256

import msgspec

from pipelines.findings_table import blocking
from pipelines.names import Names, find_name, names_of
from schemas.findings import Finding, make_finding, number_text, place_en, place_zh
from schemas.form import Cell, Form
from schemas.intake import ReadFile
from schemas.region import Body, Region

Figures = Mapping[str, Decimal | int]
# Small returns are alike by nature (a township with one document in force); only returns with at least this many
# figures above zero are compared.
COPY_MINIMUM = 6
SHOWN_DIFFERENCES = 6


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a body: ``sequence`` is its order of first sight, ``values`` its settled figures."""

    file: str
    sha256: str
    sequence: int
    body: str
    values: Figures
    findings: tuple[Finding, ...]


class Roster(msgspec.Struct, frozen=True, kw_only=True):
    """Who reports for a year, made once for all files: the bodies by code, those of other years too, and their names.

    ``reporting``: the codes of those that report for ``year``.
    """

    year: int
    bodies: Mapping[str, Body]
    reporting: frozenset[str]
    names: Names


class Acceptance(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the roster: accepted file, status and number of files by body, and the findings that count."""

    accepted: dict[str, str]
    status: dict[str, str]
    versions: dict[str, int]
    findings: tuple[Finding, ...]


def roster_of(region: Region, year: int) -> Roster:
    """The roster of a region and year."""
    return Roster(
        year=year,
        bodies={body.code: body for body in region.bodies},
        reporting=frozenset(body.code for body in region.roster(year)),
        names=names_of(region),
    )


def assign(read: ReadFile, folder_body: str | None, roster: Roster) -> tuple[str, tuple[Finding, ...]]:
    """The body of a file ("" when it counts for none) and the findings about whose and which year's it is.

    The code in our workbook, the roster name or alias in its title and its sub-folder must agree as far as they are
    there. A file that states another report year counts for none.
    """
    fields = {"file": read.file}
    by_name = find_name(roster.names, read.body_name) if read.body_name else None
    stated = [code for code in (read.body_code, by_name.code if by_name else "") if code]
    named = dict.fromkeys([*stated, *([folder_body] if folder_body else [])])
    if len(named) > 1:
        first, *_, last = named
        words = {"file": read.file, "found": _name(roster, first), "expected": _name(roster, last)}
        return "", (make_finding("body_conflict", words=words, found=first, expected=last, **fields),)
    code = next(iter(named), "")
    if code not in roster.reporting:
        if read.problems and not read.readable:
            return "", ()  # why it could not be read says more than whose it might have been
        found = code or read.body_name or "（未写明）"
        words = {"file": read.file, "found": _name(roster, found)}
        return "", (make_finding("unknown_body", words=words, found=found, **fields),)
    if read.year is not None and read.year != roster.year:
        stated_year, year = str(read.year), str(roster.year)
        words = {"file": read.file, "found": stated_year, "expected": year}
        finding = make_finding("year_conflict", words=words, found=stated_year, expected=year, body=code, **fields)
        return code, (finding,)
    return code, ()


def _name(roster: Roster, code: str) -> str:
    body = roster.bodies.get(code)
    return f"{body.name_zh}（{code}）" if body else code


def _differences(older: Delivery, newer: Delivery, form: Form) -> dict[str, str]:
    """What figures differ between two versions, in words; "" in both languages where one of them has none."""
    if not older.values or not newer.values:
        return {"differences_zh": "", "differences_en": ""}
    changed = [cell for cell in form.cells if older.values.get(cell.id) != newer.values.get(cell.id)]
    if not changed:
        return {"differences_zh": "两个版本的数字相同。", "differences_en": "Their figures are the same."}

    def said(cell: Cell) -> str:
        before, after = (number_text(version.values.get(cell.id)) or "—" for version in (older, newer))
        return f"{before} → {after}"

    more = len(changed) - SHOWN_DIFFERENCES
    shown = changed[:SHOWN_DIFFERENCES]
    zh = "；".join(f"{place_zh(form, cell)}{said(cell)}" for cell in shown) + (
        f"；等另外 {more} 处" if more > 0 else ""
    )
    en = "; ".join(f"{place_en(form, cell)} {said(cell)}" for cell in shown) + (
        f"; and {more} more" if more > 0 else ""
    )
    return {
        "differences_zh": f"数字改动 {len(changed)} 处：{zh}。",
        "differences_en": f"{len(changed)} figure(s) changed: {en}.",
    }


def _accept(body: Body, versions: Sequence[Delivery], form: Form) -> tuple[Delivery | None, list[Finding]]:
    """The accepted version of one body, if any, and the findings about its versions; those of the files that count."""
    latest = max(version.sequence for version in versions)
    newest = [version for version in versions if version.sequence == latest]
    older = sorted((v for v in versions if v.sequence < latest), key=lambda v: -v.sequence)
    fields = {"body": body.code}
    if len({version.sha256 for version in newest}) > 1:
        files = "、".join(version.file for version in newest)
        words = {"name": body.name_zh, "count": len(newest), "files": files}
        return None, [
            *(finding for version in newest for finding in version.findings),
            make_finding("version_tie", words=words, file=newest[0].file, **fields),
        ]
    chosen: Delivery | None = None
    counting: list[Delivery] = []
    for version in [newest[0], *older]:
        counting.append(version)
        if not blocking(version.findings):
            chosen = version
            break
    if chosen is None:
        return None, [*newest[0].findings]
    findings = [finding for version in counting for finding in version.findings]
    if chosen is not newest[0]:
        words = {"name": body.name_zh, "newer": newest[0].file, "file": chosen.file}
        words |= _differences(chosen, newest[0], form)
        findings.append(make_finding("rejected_version", words=words, file=newest[0].file, **fields))
    superseded = [v for v in older if v.sequence < chosen.sequence and v.sha256 != chosen.sha256]
    if superseded:
        words = {
            "name": body.name_zh,
            "count": len(versions),
            "file": chosen.file,
            "older": "、".join(version.file for version in superseded),
            **_differences(superseded[0], chosen, form),
        }
        findings.append(make_finding("superseded_submission", words=words, file=chosen.file, **fields))
    return chosen, findings


def accept(deliveries: Sequence[Delivery], region: Region, year: int, form: Form) -> Acceptance:
    """Choose one version per body: the newest that has no unwaived error; a tie for newest is an error.

    The errors of a newer, wrong version still count (publication waits for its author), those of a superseded version
    do not. Findings about files of no body always count.
    """
    accepted: dict[str, str] = {}
    status: dict[str, str] = {}
    versions: dict[str, int] = {}
    findings: list[Finding] = [f for delivery in deliveries if not delivery.body for f in delivery.findings]
    by_body: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        by_body.setdefault(delivery.body, []).append(delivery)
    for body in region.roster(year):
        own = by_body.get(body.code, [])
        versions[body.code] = len(own)
        chosen: Delivery | None = None
        why_zh = why_en = ""
        if own:
            chosen, about = _accept(body, own, form)
            findings += about
            errors = len(blocking(about))
            why_zh, why_en = f"（收到的文件有 {errors} 个错误）", f" (the file received has {errors} error(s))"
        if chosen:
            accepted[body.code] = chosen.file
            status[body.code] = "accepted"
            continue
        status[body.code] = "refused" if own else "missing"
        words = {"name": body.name_zh, "year": str(year), "why_zh": why_zh, "why_en": why_en}
        findings.append(make_finding("roster_missing", words=words, body=body.code))
    return Acceptance(accepted=accepted, status=status, versions=versions, findings=tuple(findings))


def _signature(values: Figures) -> bytes:
    """What figures are, in 32 bytes: equal for equal figures alone, whether of our own workbook or of any other."""
    return sha256("\n".join(f"{cell} {number_text(values[cell])}" for cell in sorted(values)).encode()).digest()


def copies(deliveries: Iterable[Delivery], previous: Mapping[str, Figures], region: Region) -> list[Finding]:
    """Returns identical to another body's, or to the same body's of last year, if they have figures enough to tell."""
    first_two: dict[bytes, list[str]] = {}  # by signature, the first bodies that gave it: who else is asked, no more
    findings: list[Finding] = []
    names = {body.code: body.name_zh for body in region.bodies}
    for delivery in deliveries:
        if not delivery.body or sum(value != 0 for value in delivery.values.values()) < COPY_MINIMUM:
            continue
        signature = _signature(delivery.values)
        gave = first_two.setdefault(signature, [])
        other = next((body for body in gave if body != delivery.body), None)
        if len(gave) < 2 and delivery.body not in gave:
            gave.append(delivery.body)
        fields = {"body": delivery.body, "file": delivery.file}
        if other is not None:
            words = {"name": names[delivery.body], "other": names[other]}
            findings.append(make_finding("same_as_other_body", words=words, **fields))
        if delivery.body in previous and signature == _signature(previous[delivery.body]):
            findings.append(make_finding("same_as_last_year", words={"name": names[delivery.body]}, **fields))
    return findings


def bodies_rows(
    region: Region, year: int, acceptance: Acceptance, sha256: Mapping[str, str]
) -> list[dict[str, object]]:
    """Rows of the ``bodies`` table: the roster in its order and what became of each return.

    ``sha256``: by file. A body whose ``roster_missing`` is waived has the status ``waived``.
    """
    waived = {f.body for f in acceptance.findings if f.rule == "roster_missing" and f.waived}
    rows: list[dict[str, object]] = []
    for body in region.roster(year):
        file = acceptance.accepted.get(body.code)
        rows.append(
            {
                "region": region.settings.code,
                "year": year,
                "body": body.code,
                "name_zh": body.name_zh,
                "kind": body.kind,
                "level": body.level,
                "status": "waived" if body.code in waived else acceptance.status[body.code],
                "file_sha256": sha256.get(file) if file else None,
                "versions": acceptance.versions[body.code],
            }
        )
    return rows
