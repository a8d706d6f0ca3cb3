"""Whether a release's figures are true to one another: totals are the sums of the bodies and obey the rules.

Belongs here: recomputing what was published from what was published with it. Does not belong here: computing totals
for the first time (pipelines/aggregate), the form of files (checks.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.publish.arrow import TYPES
from pipelines.publish.checks import Release
from pipelines.publish.rollup_checks import check_rollup
from schemas.findings import Finding, domain_finding, make_finding, rule_finding
from schemas.form import load_form
from schemas.rollup import KIND
from schemas.rules import domain_problem, load_rules
from schemas.tables import load_tables

Sum = tuple[Decimal | None, int]
NEEDED = {
    "form_cells": ("cell", "edition", "label_zh", "label_en"),
    "bodies": ("body", "status"),
    "body_cells": ("body", "cell", "value"),
    "county_totals": ("cell", "value", "bodies"),
    "findings": ("body", "rule", "difference", "waived"),
}


def accepted_bodies(bodies: pa.Table) -> list[str]:
    """The codes of the bodies whose return was accepted, in the table's order."""
    accepted: list[str] = bodies.filter(pc.equal(bodies["status"], "accepted"))["body"].to_pylist()
    return accepted


def sums_of_bodies(body_cells: pa.Table, accepted: list[str]) -> dict[str, Sum]:
    """By cell: the exact sum over accepted bodies (None where none gave a figure) and how many gave one."""
    counted = body_cells.filter(pc.is_in(body_cells["body"], value_set=pa.array(accepted, pa.string())))
    grouped = counted.group_by("cell", use_threads=False).aggregate([("value", "sum"), ("value", "count")])
    columns = (grouped[name].to_pylist() for name in ("cell", "value_sum", "value_count"))
    return {cell: (total if count else None, count) for cell, total, count in zip(*columns, strict=True)}


def _missing(release: Release) -> list[str]:
    """The columns that the checks below read and that are not there, or not of the declared type."""
    declared = load_tables()
    lacking = []
    for name, columns in NEEDED.items():
        table = release.tables.get(name)
        types = {field.name: TYPES[field.type] for field in declared[name].fields}
        lacking += [
            f"{name}.{column}"
            for column in columns
            if table is None or column not in table.column_names or table.schema.field(column).type != types[column]
        ]
    return lacking


def check_figures(release: Release) -> tuple[Finding, ...]:
    """Coverage, totals and rules; a figures_not_checked where the tables do not allow it, never a silent pass."""
    if KIND in release.descriptor:
        return check_rollup(release)
    lacking = _missing(release)
    if lacking:
        words = {"missing": ", ".join(lacking), "version": release.descriptor.get("version")}
        return (make_finding("figures_not_checked", words=words, **_about(release)),)
    return *check_coverage(release), *check_totals(release), *check_rules(release)


def _about(release: Release) -> dict[str, Any]:
    return {"region": release.region, "year": release.year}


def check_coverage(release: Release) -> tuple[Finding, ...]:
    """Every accepted body has every cell of the form in ``body_cells``, as a figure or as an open blank."""
    bodies, body_cells, form_cells = (release.tables[name] for name in ("bodies", "body_cells", "form_cells"))
    expected = set(form_cells["cell"].to_pylist())
    cells: dict[str, set[str]] = {}
    for body, cell in zip(body_cells["body"].to_pylist(), body_cells["cell"].to_pylist(), strict=True):
        cells.setdefault(body, set()).add(cell)
    findings = []
    for body in accepted_bodies(bodies):
        found = len(cells.get(body, set()) & expected)
        if found != len(expected):
            words = {"name": body, "found": found, "expected": len(expected)}
            findings.append(make_finding("figures_missing", words=words, body=body, found=found, **_about(release)))
    return tuple(findings)


def check_totals(release: Release) -> tuple[Finding, ...]:
    """Each county total is the exact sum of the accepted bodies' figures and ``bodies`` counts them: totals_not_sum.

    A cell of the form that has no total, or a total that is no cell of the form, is one too.
    """
    totals, form_cells = release.tables["county_totals"], release.tables["form_cells"]
    sums = sums_of_bodies(release.tables["body_cells"], accepted_bodies(release.tables["bodies"]))
    columns = [totals[name].to_pylist() for name in ("cell", "value", "bodies")]
    stated = {cell: (value, count) for cell, value, count in zip(*columns, strict=True)}
    labels = {
        cell: (zh, en)
        for cell, zh, en in zip(
            *(form_cells[name].to_pylist() for name in ("cell", "label_zh", "label_en")), strict=True
        )
    }
    findings = []
    for cell in [*labels, *(cell for cell in stated if cell not in labels)]:
        found, expected = stated.get(cell), sums.get(cell, (None, 0))
        if found == expected:
            continue
        value, count = found if found is not None else (None, 0)
        label_zh, label_en = labels.get(cell, (cell, cell))
        words = {
            "place": f"「{label_zh}」",
            "place_en": label_en,
            "found": "空 (empty)" if value is None else value,
            "found_bodies": count,
            "expected": "空 (empty)" if expected[0] is None else expected[0],
            "expected_bodies": expected[1],
        }
        difference = None if value is None or expected[0] is None else value - expected[0]
        findings.append(
            make_finding(
                "totals_not_sum",
                words=words,
                cells=(cell,),
                found=value,
                expected=expected[0],
                difference=difference,
                **_about(release),
            )
        )
    return tuple(findings)


def check_rules(release: Release) -> tuple[Finding, ...]:
    """The county totals obey every error rule and domain of their edition: else rules_broken_in_totals.

    A rule that approved waivers let some bodies break is broken in the totals by just as much: that, and no more, is
    a rules_waived_in_totals, which is information.
    Rules across years need last year's figures, which a release does not hold; they bind each return before. Rules
    that an attribute of the region frees (rule-making power) are silent if the descriptor states the attribute. An
    edition that this program does not know is a rules_not_checked, never a silent pass.
    """
    totals, form_cells = release.tables["county_totals"], release.tables["form_cells"]
    values: Mapping[str, Decimal | None] = dict(
        zip(totals["cell"].to_pylist(), totals["value"].to_pylist(), strict=True)
    )
    region = release.descriptor.get("x-region")
    attributes = {name for name, held in region.items() if held is True} if isinstance(region, dict) else set()
    found: list[Finding] = []
    unchecked: list[Finding] = []
    for edition in sorted(set(form_cells["edition"].to_pylist())):
        try:
            form, rules = load_form(edition), load_rules(edition)
        except KeyError:
            unchecked.append(make_finding("rules_not_checked", words={"edition": edition}, **_about(release)))
            continue
        for rule in rules.rules:
            if rule.severity != "error" or rule.across_years or rule.unless in attributes:
                continue
            residual = rule.residual(values)
            if residual is not None and not rule.holds(residual):
                found.append(rule_finding(form, rule, values))
        for cell in form.cells:
            value = values.get(cell.id)
            found += [
                domain_finding(form, domain, cell, value)
                for domain in rules.domains_of(cell.kind)
                if value is not None and domain.severity == "error" and domain_problem(domain, value)
            ]
    return *unchecked, *(_broken(release, finding) for finding in found)


def _waivers(release: Release, rule: str) -> list[dict[str, Any]]:
    findings = release.tables["findings"]
    return [row for row in findings.filter(pc.equal(findings["rule"], rule)).to_pylist() if row["waived"]]


def _excused(waivers: list[dict[str, Any]], difference: Decimal | int | None) -> bool:
    """Whether waived findings account for exactly this difference: one of the totals, or the bodies' together."""
    if difference is None:
        return bool(waivers)  # a single figure outside its domain has no difference
    if any(row["body"] is None and row["difference"] == difference for row in waivers):
        return True
    parts = [row["difference"] for row in waivers if row["body"] is not None]
    return bool(parts) and None not in parts and sum(parts, Decimal(0)) == difference


def _broken(release: Release, finding: Finding) -> Finding:
    about = {
        "cells": finding.cells,
        "found": finding.found,
        "expected": finding.expected,
        "difference": finding.difference,
        **_about(release),
    }
    waivers = _waivers(release, finding.rule)
    if _excused(waivers, finding.difference):
        words = {"rule": finding.rule, "reason": waivers[0]["waived"]}
        return make_finding("rules_waived_in_totals", words=words, **about)
    words = {"rule": finding.rule, "text_zh": finding.message_zh, "text_en": finding.message_en}
    return make_finding("rules_broken_in_totals", words=words, **about)
