"""What several tests of the matcher share: the declared labels, and the plans of two tables."""

from __future__ import annotations

from pipelines.ingest.plan import TablePlan, table_plans
from schemas.form import load_form

FORM = load_form("2021")
REQUESTS: TablePlan = table_plans()["2021", "requests"]
DISPUTES: TablePlan = table_plans()["2021", "disputes"]
COLUMNS = [column.label_zh for column in FORM.table("requests").blocks[0].columns]
LABELS = [each.label_zh for each in FORM.table("disputes").blocks[0].rows]
RESULTS = [each.label_zh for each in FORM.table("disputes").blocks[0].columns]
