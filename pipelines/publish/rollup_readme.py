"""The README.md inside a roll-up's release: Chinese first, English beside.

Belongs here: the sentences. Does not belong here: the descriptor (schemas/rollup_descriptor.py), a region's own README
(readme.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.form import Form
from schemas.rollup import COUNTRY, FORM_CELLS, PROVINCE_TABLES
from schemas.tables import load_tables

_READING = """## 怎样读 How to read the figures

- 每个汇总数旁边有 `regions`（几个地区给出了这个数）、`bodies`（几个单位）和 `not_stated`（计入但没有填报此格的地区）。
  Beside each total stand `regions` and `bodies` (how many gave the figure) and `not_stated` (counted regions that did
  not).
- 空值表示没有地区给出，不等于 0。An empty value means that no region gave the figure; it is not 0.
- 声明已含下级的地区（`totals` 为 `includes_lower`）不与下级重复相加，差别见 `rollup_findings`。A region whose totals
  include those below it is not added to them again; where they differ, `rollup_findings` says so.
- 表式版本不同的地区不相加。Regions of another edition of the form are not added.
- `region_totals` 照录各地区已发布的汇总数，`rollup_regions` 指明所用的版本。`region_totals` holds each region's
  totals as released, `rollup_regions` names the release.

## 怎样核对 How to verify

```
sha256sum -c SHA256SUMS
gongkai verify .
```

第二条命令还核对 CSV 与 Parquet 是否一致、每个汇总数是否等于各地区之和、覆盖情况和全部勾稽关系。
The second command also checks that CSV equals Parquet, that every total is the sum of its regions, coverage, and every
accounting rule.
"""


def _cell(text: object) -> str:
    return " ".join(str(text).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _row(*cells: object) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def rollup_readme(
    descriptor: Mapping[str, Any],
    form: Form,
    places: Sequence[Mapping[str, Any]],
    findings: Sequence[Mapping[str, Any]],
) -> str:
    """The README of a roll-up; ``places`` and ``findings``: the rows of those tables. No date, no software version."""
    note = descriptor.get("x-synthetic-note")
    shown = [place for place in places if len(place["place"]) == 2]
    country = [place for place in shown if place["place"] == COUNTRY]
    lines = [f"# {descriptor['title']}", "", descriptor["title_en"], ""]
    if note:
        lines += [f"> **{_cell(note['zh'])}**", ">", f"> **{_cell(note['en'])}**", ""]
    lines += [
        "## 覆盖情况 Coverage",
        "",
        _row("地域 Place", "应有地区 Known", "计入 Counted", "单位 Bodies", "缺 Missing"),
        "| --- | --- | --- | --- | --- |",
    ]
    for place in [*country, *(place for place in shown if place["place"] != COUNTRY)]:
        missing = (place["missing"] or "").split(";") if place["missing"] else []
        named = "、".join(missing[:10]) + (f" …（{len(missing)}）" if len(missing) > 10 else "")
        name = f"{place['name_zh']} {place['name_en'] or place['place']}"
        lines.append(_row(name, place["regions_known"], place["regions_counted"], place["bodies_accepted"], named))
    counts = {severity: sum(row["severity"] == severity for row in findings) for severity in ("warning", "information")}
    lines += [
        "",
        f"提醒 {counts['warning']} 条，说明 {counts['information']} 条，见 `rollup_findings`。"
        f" {counts['warning']} warning(s), {counts['information']} note(s): see `rollup_findings`.",
        "",
        "## 文件 Files",
        "",
        "每个省一个目录 `data/<省代码>/`，全国在 `data/CN/`。One folder per province, `data/<code>/`; the country is in"
        " `data/CN/`.",
        "",
        _row("数据表 Table", "说明 Title"),
        "| --- | --- |",
    ]
    for name in (FORM_CELLS, *PROVINCE_TABLES):
        table = load_tables()[name]
        lines.append(_row(name, f"{table.title_zh} {table.title_en}"))
    licences = "、".join(text for one in descriptor.get("licenses", ()) for text in one.values())
    return "\n".join(
        [
            *lines,
            "",
            _READING,
            "## 依据与许可 Basis and licence",
            "",
            f"- 表式 Form: {form.declaration.basis}，{form.edition} 年版 edition {form.edition}",
            f"- 数据结构版本 Schema version: {descriptor['version']}",
            f"- 各地区数据的许可 Licences of the regions: {licences or '—'}",
            "",
        ]
    )
