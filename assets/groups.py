"""The groups of assets, in the order of the work, who answers for each, and where people read more.

Belongs here: names that the UI sorts into the order of the work, owners, guides, what is for the public. Does not
belong here: which asset is in which group (the assets themselves).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg

# The UI shows groups by name, so the name begins with the place in the order.
INTAKE = "1_intake"
VALIDATION = "2_validation"
AGGREGATION = "3_aggregation"
FEEDBACK = "4_feedback"
PUBLICATION = "5_publication"
DISSEMINATION = "6_dissemination"
ROLLUP = "7_rollup"

OFFICE, OPERATORS = "team:open_government_office", "team:operators"
OWNERS = {
    INTAKE: (OPERATORS,),
    VALIDATION: (OFFICE,),
    AGGREGATION: (OFFICE,),
    FEEDBACK: (OFFICE,),
    PUBLICATION: (OFFICE, OPERATORS),
    DISSEMINATION: (OPERATORS,),
    ROLLUP: (OPERATORS,),
}

GUIDE = "说明 / guide"
GUIDES = {  # in the project's folder
    INTAKE: "docs/first-day.md",
    VALIDATION: "docs/checks.md",
    AGGREGATION: "docs/checks.md",
    FEEDBACK: "docs/county-year.md",
    PUBLICATION: "docs/checks.md",
    DISSEMINATION: "docs/county-year.md",
    ROLLUP: "docs/adding-a-region.md",
}
# What leaves the house; everything else is work in progress and may name people's mistakes.
PUBLIC = frozenset({"release", "official_report", "catalogue", "portal", "portal_push", "rollup", "rollup_portal"})


def _seen(spec: dg.AssetSpec) -> dg.AssetSpec:
    group = spec.group_name or ""
    return spec.replace_attributes(owners=OWNERS[group]).merge_attributes(
        metadata={GUIDE: dg.MetadataValue.path(GUIDES[group])},
        tags={"for": "public" if spec.key.path[-1] in PUBLIC else "office"},
    )


def owned(assets: Sequence[Any]) -> Sequence[Any]:
    """The assets, each with the owners and the guide of its group, and whom it is for."""
    return dg.map_asset_specs(_seen, assets)
