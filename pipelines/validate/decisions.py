"""Approved decisions applied visibly: corrections change a value, waivers cover a finding, both go stale openly.

Belongs here: applying ``decisions.toml``. Does not belong here: reading it (pipelines/regions.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec

from schemas.findings import Finding, make_finding, number_text, place_en, place_zh
from schemas.form import Form
from schemas.intake import ReadCell, ReadFile
from schemas.region import Correction, Region, Waiver

NO_FIGURE = "—"
T = TypeVar("T", Finding, Waiver)


def _figure(value: Decimal | int | float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def correct(
    read: ReadFile, corrections: Iterable[Correction], form: Form, region: Region, body: str
) -> tuple[ReadFile, tuple[Finding, ...]]:
    """``read`` with the body's corrections applied: values change, raw text stays; each one is a finding.

    A correction whose ``found`` is not what stands in the return changes nothing and is a ``correction_stale``.
    """
    own = [correction for correction in corrections if correction.body == body]
    if not own:
        return read, ()
    cells = {cell.cell: cell for cell in read.cells}
    changed: dict[str, ReadCell] = {}
    name = next((b.name_zh for b in region.bodies if b.code == body), body)
    findings: list[Finding] = []
    for correction in own:
        cell = changed.get(correction.cell, cells.get(correction.cell))
        stands = cell.value if cell else None
        expected, value = _figure(correction.found), _figure(correction.value)
        known = form.by_id.get(correction.cell)
        words = {
            "name": name,
            "place": place_zh(form, known) if known else correction.cell,
            "place_en": place_en(form, known) if known else correction.cell,
            "reason": correction.reason,
            "approved_by": correction.approved_by,
            "approved_on": correction.approved_on.isoformat(),
        }
        fields = {"body": body, "cells": (correction.cell,), "file": read.file, "address": cell.at if cell else ""}
        if stands != expected or known is None or value is None:
            words |= {"expected": _said(expected), "found": _said(stands)}
            findings.append(
                make_finding("correction_stale", words=words, expected=_said(expected), found=_said(stands), **fields)
            )
            continue
        words |= {"expected": number_text(value), "found": _said(stands)}
        findings.append(make_finding("correction_applied", words=words, expected=value, found=_said(stands), **fields))
        changed[correction.cell] = ReadCell(
            cell=correction.cell,
            value=value,
            raw=cell.raw if cell else None,
            state="given",
            at=cell.at if cell else "",
        )
    stood = {cell.cell for cell in read.cells}
    after = [changed.get(cell.cell, cell) for cell in read.cells]
    after += [cell for name, cell in changed.items() if name not in stood]
    return msgspec.structs.replace(read, cells=tuple(after)), tuple(findings)


def _said(value: Decimal | None) -> str:
    return NO_FIGURE if value is None else number_text(value)


def _covers(waiver: Waiver, finding: Finding) -> bool:
    if finding.rule != waiver.rule or finding.body != waiver.body:
        return False
    if waiver.cells and not set(finding.cells) <= set(waiver.cells):
        return False
    return waiver.found is None or str(waiver.found) == _found(finding)


def _found(finding: Finding) -> str:
    return finding.found if isinstance(finding.found, str) else number_text(finding.found)


def _by_subject(findings: Iterable[T], subject: Callable[[T], tuple[str, str]]) -> dict[tuple[str, str], list[T]]:
    found: dict[tuple[str, str], list[T]] = {}
    for one in findings:
        found.setdefault(subject(one), []).append(one)
    return found


def waive(findings: Iterable[Finding], waivers: Sequence[Waiver]) -> list[Finding]:
    """The findings, those that a waiver covers carrying its reason and approval; of several waivers the first's."""
    about = _by_subject(waivers, lambda waiver: (waiver.rule, waiver.body))
    out: list[Finding] = []
    for finding in findings:
        waiver = next((w for w in about.get((finding.rule, finding.body), ()) if _covers(w, finding)), None)
        if waiver and not finding.waived:
            reason = f"{waiver.reason}（{waiver.approved_by}，{waiver.approved_on.isoformat()}）"
            out.append(msgspec.structs.replace(finding, waived=reason))
        else:
            out.append(finding)
    return out


def stale_waivers(findings: Sequence[Finding], waivers: Sequence[Waiver], region: Region) -> list[Finding]:
    """One ``waiver_stale`` for each waiver that covers no finding."""
    names = {body.code: body.name_zh for body in region.bodies}
    about = _by_subject(findings, lambda finding: (finding.rule, finding.body))
    return [
        make_finding(
            "waiver_stale",
            words={"name": names.get(waiver.body, waiver.body), "rule": waiver.rule},
            body=waiver.body if waiver.body in names else "",
        )
        for waiver in waivers
        if not any(_covers(waiver, finding) for finding in about.get((waiver.rule, waiver.body), ()))
    ]
