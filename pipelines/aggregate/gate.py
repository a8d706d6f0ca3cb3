"""The publication gate: which checks must pass before anything is released, and why one does not.

Belongs here: the verdicts. Does not belong here: making findings, or the checks of a built package (publish).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import polars as pl

from pipelines.findings_table import blocking
from schemas.findings import Finding
from schemas.frames import tidy_schema, tidy_types

SHOWN = 5
# Errors that have a check of their own; every other unwaived error stops `no_unwaived_errors`.
OWN_CHECK = {"roster_missing": "roster_covered", "reconciliation_mismatch": "totals_reconciled"}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One check of the gate. Reasons are empty when it passed."""

    check: str
    passed: bool
    reason_zh: str = ""
    reason_en: str = ""


CHECKS = {
    "no_unwaived_errors": ("没有未豁免的错误", "no error is left unwaived"),
    "roster_covered": ("名录单位全部报送", "every body of the roster has an accepted return"),
    "rules_hold": ("采用的报表符合全部规则", "the accepted returns obey every error rule (pandera)"),
    "totals_balanced": ("汇总数勾稽平衡", "the totals obey the accounting rules"),
    "totals_reconciled": ("汇总数与公布数一致", "the totals equal the published figures"),
}


def _verdict(check: str, findings: Sequence[Finding]) -> Verdict:
    more = len(findings) - SHOWN
    zh = [f"{f.body + '：' if f.body else ''}{f.message_zh}" for f in findings[:SHOWN]]
    en = [f"{f.body + ': ' if f.body else ''}{f.message_en}" for f in findings[:SHOWN]]
    if more > 0:
        zh.append(f"另有 {more} 个")
        en.append(f"and {more} more")
    return Verdict(check=check, passed=not findings, reason_zh="\n".join(zh), reason_en="\n".join(en))


def _check_of(finding: Finding) -> str:
    """The check that an error stops: a rule broken without body and file is one of the totals."""
    if finding.rule in OWN_CHECK:
        return OWN_CHECK[finding.rule]
    return "no_unwaived_errors" if finding.body or finding.file or not finding.cells else "totals_balanced"


def verdicts(findings: Sequence[Finding], schema_broken: Sequence[str]) -> list[Verdict]:
    """The gate's verdicts in the order of CHECKS.

    ``findings``: all of them, waivers applied; ``schema_broken``: error rules that the pandera schema finds broken
    among accepted submissions. A rule that an approved waiver covers does not stop the schema's verdict either.
    """
    waived = {finding.rule for finding in findings if finding.waived}
    by_check: dict[str, list[Finding]] = {check: [] for check in CHECKS}
    for finding in blocking(findings):
        by_check[_check_of(finding)].append(finding)
    out = [_verdict(check, by_check[check]) for check in CHECKS]
    names = [rule for rule in schema_broken if rule not in waived]
    schema = Verdict(check="rules_hold", passed=not names, reason_zh="、".join(names), reason_en=", ".join(names))
    return [schema if verdict.check == "rules_hold" else verdict for verdict in out]


def gate_frame(given: Sequence[Verdict]) -> pl.DataFrame:
    """The verdicts as the ``verdicts`` table."""
    rows = [
        {
            "check": verdict.check,
            "title_zh": CHECKS[verdict.check][0],
            "title_en": CHECKS[verdict.check][1],
            "passed": verdict.passed,
            "reason_zh": verdict.reason_zh or None,
            "reason_en": verdict.reason_en or None,
        }
        for verdict in given
    ]
    frame = pl.DataFrame(rows, schema=tidy_types("verdicts"), orient="row")
    tidy_schema("verdicts").validate(frame)
    return frame
