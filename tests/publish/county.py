"""A small synthetic county for the tests of publication: seeded returns that obey every rule of the form.

All figures are invented. The tables are those that the earlier stages hand over (polars frames).
"""

from __future__ import annotations

import random
from decimal import Decimal
from functools import cache
from typing import Any

import polars as pl

from schemas.form import Form, load_form
from schemas.frames import tidy_types
from schemas.region import Body, Contact, Licence, Region, RegionSettings
from schemas.rules import load_rules

CODE, YEAR, EDITION = "511725", 2023, "2021"
Values = dict[str, Decimal]


def form() -> Form:
    return load_form(EDITION)


@cache
def region(count: int = 3) -> Region:
    bodies = [
        Body(
            code=f"{CODE}-D{number:02}" if number <= 29 else f"{CODE}-T{number - 29:02}",
            name_zh=f"第{number}局（示例）",
            name_en=f"Bureau {number} (sample)",
            aliases=(),
            kind="office" if number == 1 else "department" if number <= 29 else "township",
            level="county",
            from_year=2020,
        )
        for number in range(1, count + 1)
    ]
    settings = RegionSettings(
        code=CODE,
        name_zh="渠县",
        name_en="Quxian",
        city_zh="达州市",
        province_zh="四川省",
        level="county",
        office_body=bodies[0].code,
        rule_making_power=False,
        licence=Licence(
            name="CC-BY-4.0",
            title="Creative Commons Attribution 4.0",
            path="https://creativecommons.org/licenses/by/4.0/",
        ),
        publisher=Contact(name_zh="渠县公开办（示例）", name_en="Sample office", email="office@example.org"),
        synthetic=True,
        synthetic_note_zh="各单位数据均为虚构。",
        synthetic_note_en="The bodies' figures are invented.",
    )
    return Region(settings=settings, bodies=tuple(bodies), supplement=None)


def a_return(seed: int) -> Values:
    """One return: parts drawn at random, every total and balance worked out from them."""
    draw = random.Random(seed)
    made = form()
    values: Values = {}
    for cell in made.cells:
        if cell.kind == "money":
            values[cell.id] = Decimal(draw.randrange(0, 999_999)) / 100
        else:
            values[cell.id] = Decimal(draw.choice((0, 0, 0, 1, 2, 3, 17, 101)))
    values["proactive.rules.issued"] = values["proactive.rules.repealed"] = Decimal(0)
    values["proactive.rules.in_force"] = Decimal(0)
    values["proactive.normative_documents.in_force"] = values["proactive.normative_documents.issued"] + 5
    values["processing_fees.notices.issued"] = Decimal(3)
    values["processing_fees.notices.collected"] = min(
        values["processing_fees.notices.collected"], values["processing_fees.notices.amount"]
    )
    totals = {
        f"{table.id}.{column.id}"
        for table in made.tables
        for block in table.blocks
        for column in block.columns
        if column.total
    }
    requests = [cell for cell in made.cells_of("requests") if f"{cell.table}.{cell.column}" not in totals]
    for column in dict.fromkeys(cell.column for cell in requests):
        at = {cell.row: cell.id for cell in requests if cell.column == column}
        outside = ("received", "carried_in", "carried_out", "processed")
        values[at["processed"]] = sum((values[at[row]] for row in at if row not in outside), Decimal(0))
        handled = values[at["processed"]] + values[at["carried_out"]]
        values[at["carried_in"]] = min(values[at["carried_in"]], handled)
        values[at["received"]] = handled - values[at["carried_in"]]
    for cell in made.cells:
        if f"{cell.table}.{cell.column}" in totals:
            parts = made.cells_of(cell.table, cell.block, cell.row)
            values[cell.id] = sum((values[part.id] for part in parts if part.column != cell.column), Decimal(0))
    return values


def broken_rules(values: Values) -> list[str]:
    """The error rules that a return breaks: none, or the tests' own county would be wrong."""
    residuals = {rule: rule.residual(values) for rule in load_rules(EDITION).rules if not rule.across_years}
    return [rule.id for rule, value in residuals.items() if value is not None and not rule.holds(value)]


def file_hash(number: int) -> str:
    return f"{number:064x}"


def county(count: int = 3, seed: int = 1, waived: int = 0) -> dict[str, pl.DataFrame]:
    """The released tables of a county; the last ``waived`` bodies have no return and an approved waiver."""
    place = region(count)
    accepted = place.bodies[: count - waived]
    returns = {body.code: a_return(seed * 1000 + number) for number, body in enumerate(accepted)}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in NAMES}
    where = {"region": CODE, "year": YEAR}
    for cell in form().cells:
        labels = {"label_zh": cell.label_zh, "label_en": cell.label_en, "kind": cell.kind, "total": cell.total}
        parts = {"cell": cell.id, "table": cell.table, "row": cell.row, "column": cell.column, "unit": cell.unit}
        rows["form_cells"].append(parts | labels | {"edition": EDITION})
        figures = [values[cell.id] for values in returns.values()]
        total = sum(figures, Decimal(0)) if figures else None
        rows["county_totals"].append(where | parts | {"value": total, "bodies": len(figures)})
        for number, (body, values) in enumerate(returns.items()):
            stands = {"value": values[cell.id], "raw": str(values[cell.id]), "state": "given"}
            source = {"file_sha256": file_hash(number), "address": "统计表!C14"}
            rows["body_cells"].append(where | parts | stands | source | {"body": body})
    for number, body in enumerate(place.bodies):
        given = body.code in returns
        names = {"body": body.code, "name_zh": body.name_zh, "kind": body.kind, "level": body.level}
        became = {"status": "accepted" if given else "waived", "file_sha256": file_hash(number) if given else None}
        rows["bodies"].append(where | names | became | {"versions": int(given)})
        if not given:
            rows["findings"].append(finding(len(rows["findings"]) + 1, body.code))
    rows["indicators"].append(
        where
        | {"indicator": "documents", "label_zh": "文件", "label_en": "Documents", "value": Decimal("12.5")}
        | {"unit": "件", "add_up": "sum", "qualifier": None, "bodies": len(returns)}
    )
    return {name: pl.DataFrame(rows[name], schema=tidy_types(name), orient="row") for name in NAMES}


NAMES = ("form_cells", "bodies", "body_cells", "county_totals", "findings", "indicators")


def finding(number: int, body: str) -> dict[str, Any]:
    return dict.fromkeys(tidy_types("findings")) | {
        "finding": number,
        "region": CODE,
        "year": YEAR,
        "body": body,
        "rule": "roster_missing",
        "severity": "error",
        "message_zh": "没有可采用的报表。",
        "message_en": "No accepted return.",
        "mended_by": "officer",
        "waived": "机构撤并（负责人，2024-02-01）",
    }
