"""The groups of assets, in the order of the work, and who answers for each.

Belongs here: names that the UI sorts into the order of the work, owners. Does not belong here: which asset is in which
group (the assets themselves).
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


def owned(assets: Sequence[Any]) -> Sequence[Any]:
    """The assets, each with the owners of its group."""
    return dg.map_asset_specs(lambda spec: spec.replace_attributes(owners=OWNERS[spec.group_name or ""]), assets)
