"""All findings of a region and year in one list, waivers applied, decisions that no longer match among them.

Belongs here: bringing the findings of the stages together and ordering them. Does not belong here: making them.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipelines.findings_table import ordered
from pipelines.validate.decisions import stale_waivers, waive
from schemas.findings import Finding
from schemas.form import Form
from schemas.region import Decisions, Region
from schemas.rules import RuleSet


def collect_findings(
    counted: Sequence[Finding],
    reconciliation: Sequence[Finding],
    totals_broken: Sequence[Finding],
    region: Region,
    year: int,
    decisions: Decisions,
    form: Form,
    rules: RuleSet,
) -> list[Finding]:
    """Every finding that counts, in a fixed order.

    A rule that the totals break only because an approved waiver lets a body break it carries that waiver's reason.
    """
    waived = {finding.rule: finding.waived for finding in counted if finding.waived}
    totals = [msgspec.structs.replace(f, waived=waived.get(f.rule, "")) for f in totals_broken]
    together = waive([*counted, *reconciliation, *totals], decisions.waiver)
    together += stale_waivers(together, decisions.waiver, region)
    placed = [msgspec.structs.replace(f, region=region.settings.code, year=year) for f in together]
    order = [rule.id for rule in rules.rules]
    return ordered(placed, order, form.index)
