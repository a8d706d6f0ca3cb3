"""Findings as rows of the declared ``findings`` table, and back.

Belongs here: the one conversion between Finding and table row, and the order of findings. Does not belong here:
making findings (the stages) or their texts (schemas/findings.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import polars as pl

from schemas.findings import SEVERITIES, Figure, Finding, number_text
from schemas.frames import tidy_types


def _text(value: Figure | str | None) -> str | None:
    if value is None:
        return None
    return value if isinstance(value, str) else number_text(value)


def findings_frame(findings: Sequence[Finding]) -> pl.DataFrame:
    """The findings in the order given, numbered from 1. Region and year must be set on each."""
    rows = [
        {
            "finding": number,
            "region": finding.region,
            "year": finding.year,
            "body": finding.body or None,
            "rule": finding.rule,
            "severity": finding.severity,
            "cells": ";".join(finding.cells) or None,
            "expected": _text(finding.expected),
            "found": _text(finding.found),
            "difference": None if finding.difference is None else Decimal(finding.difference),
            "suspected": finding.suspected or None,
            "proposed": None if finding.proposed is None else Decimal(finding.proposed),
            "message_zh": finding.message_zh,
            "message_en": finding.message_en,
            "mended_by": finding.mended_by,
            "file": finding.file or None,
            "address": finding.address or None,
            "waived": finding.waived or None,
        }
        for number, finding in enumerate(findings, 1)
    ]
    return pl.DataFrame(rows, schema=tidy_types("findings"), orient="row")


def findings_from(frame: pl.DataFrame) -> list[Finding]:
    """The findings of a table, in its order; expected and found come back as the text they are published as."""
    return [
        Finding(
            rule=row["rule"],
            severity=row["severity"],
            message_zh=row["message_zh"],
            message_en=row["message_en"],
            mended_by=row["mended_by"],
            region=row["region"],
            year=row["year"],
            body=row["body"] or "",
            cells=tuple((row["cells"] or "").split(";")) if row["cells"] else (),
            expected=row["expected"],
            found=row["found"],
            difference=row["difference"],
            suspected=row["suspected"] or "",
            proposed=row["proposed"],
            file=row["file"] or "",
            address=row["address"] or "",
            waived=row["waived"] or "",
        )
        for row in frame.iter_rows(named=True)
    ]


def ordered(
    findings: Iterable[Finding], rule_order: Sequence[str] = (), cell_order: Mapping[str, int] | None = None
) -> list[Finding]:
    """Findings by severity, body, file, rule, cells: the same input, the same order.

    ``rule_order``: rules in catalogue order, which come before the others; ``cell_order``: position by cell id.
    """
    cells = cell_order or {}
    position = {rule: number for number, rule in enumerate(rule_order)}
    return sorted(
        findings,
        key=lambda f: (
            SEVERITIES.index(f.severity),
            f.body,
            f.file,
            position.get(f.rule, len(position)),
            f.rule,
            tuple(cells.get(cell, len(cells)) for cell in f.cells),
            f.cells,
            f.message_zh,
        ),
    )


def blocking(findings: Iterable[Finding]) -> list[Finding]:
    """The errors that no approved waiver covers: what stops a submission and, in the end, publication."""
    return [finding for finding in findings if finding.severity == "error" and not finding.waived]
