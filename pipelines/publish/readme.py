"""The README.md inside a release, for whoever downloads it: Chinese first, English beside.

Belongs here: the sentences. Does not belong here: the descriptor (schemas/descriptor.py), the project's own README.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from schemas.descriptor import Coverage, release_title, resource_path
from schemas.form import Form
from schemas.region import Region
from schemas.tables import TableSchema, load_tables


def _cell(text: object) -> str:
    """``text`` as it may stand in a cell of a Markdown table."""
    return " ".join(str(text).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _row(*cells: object) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _head(*cells: str) -> list[str]:
    return [_row(*cells), f"|{' --- |' * len(cells)}"]


def _notice(region: Region) -> list[str]:
    settings = region.settings
    if not settings.synthetic:
        return []
    note_zh = settings.synthetic_note_zh or "本数据为示例数据，不是真实报送。"
    note_en = settings.synthetic_note_en or "These are sample data, not real returns."
    return [f"> **示例数据** {_cell(note_zh)}", ">", f"> **Sample data** {_cell(note_en)}", ""]


def _coverage(region: Region, coverage: Coverage) -> list[str]:
    lines = [
        "## 报送情况 Coverage",
        "",
        f"应报送 {coverage.expected} 个单位，采用 {coverage.accepted} 个。"
        f"{'' if coverage.waived else '没有豁免报送的单位。'}",
        f"{coverage.accepted} of {coverage.expected} bodies on the roster are in these figures.",
        "",
    ]
    if coverage.waived:
        lines += ["经批准豁免报送，不在汇总数中 Waived, not in the totals:", ""]
        for code in coverage.waived:
            body = region.body(code)
            lines.append(f"- {code} {_cell(body.name_zh)} / {_cell(body.name_en)}" if body else f"- {code}")
        lines.append("")
    return lines


def _decisions(findings: pa.Table) -> list[str]:
    rows = findings.to_pylist()
    waived = [row for row in rows if row["waived"]]
    corrected = [row for row in rows if row["rule"] == "correction_applied"]
    lines = [
        "## 批准的例外 Approved exceptions",
        "",
        f"豁免 {len(waived)} 项，更正 {len(corrected)} 项。"
        f" {len(waived)} finding(s) waived, {len(corrected)} figure(s) corrected.",
        "",
    ]
    if waived:
        lines += _head("单位 Body", "规则 Rule", "问题 Finding", "理由 Reason")
        lines += [_row(row["body"] or "", row["rule"], row["message_zh"], row["waived"]) for row in waived]
        lines.append("")
    if corrected:
        lines += _head("单位 Body", "单元格 Cell", "更正 Correction")
        lines += [_row(row["body"] or "", row["cells"] or "", row["message_zh"]) for row in corrected]
        lines.append("")
    return lines


def _files(tables: Mapping[str, pa.Table], declared: tuple[TableSchema, ...]) -> list[str]:
    lines = ["## 文件 Files", "", *_head("数据表 Table", "说明 Title", "行数 Rows", "Parquet", "CSV")]
    for table in declared:
        links = [f"[{path}]({path})" for path in (resource_path(table.id, "parquet"), resource_path(table.id, "csv"))]
        lines.append(_row(table.id, f"{table.title_zh} {table.title_en}", tables[table.id].num_rows, *links))
    return [
        *lines,
        "",
        "每一列的中英文名称、类型和取值范围见 `datapackage.json`。",
        "`datapackage.json` holds every column's name, type and allowed values.",
        "",
    ]


_READING = """## 怎样读 How to read the figures

- 空值表示没有填报，不等于 0。An empty value means “not given”; it is not 0.
- `form_cells` 中 `total` 为真的单元格是合计，不要再与分项相加。Cells marked `total` are sums; adding them to
  their parts counts twice.
- `body_cells` 中的 `file_sha256` 和 `address` 指明每个数字在原文件中的位置，`raw` 是原文。Each figure of a body
  leads to the file (SHA-256) and the place in it; `raw` is the text as it stands there.
- CSV 与 Parquet 内容完全相同：UTF-8（带 BOM），空单元格为空值。The CSV files hold exactly what the Parquet files
  hold.
- **CSV 中的文字照原样保留，以 `=`、`+`、`-`、`@` 开头的也不改动。** 用 Excel 或 WPS 查看时，请用“数据－从文本/CSV
  导入”，把 `raw` 等文字列设为“文本”。**Texts stand as they came, also those that begin with `=`, `+`, `-` or
  `@`.** In a spreadsheet program import the file and set text columns such as `raw` to “text”.

## 怎样核对 How to verify

```
sha256sum -c SHA256SUMS
gongkai verify .
```

第一条命令核对文件是否完整；第二条再核对 CSV 与 Parquet 是否一致、外键、汇总数是否等于各单位之和以及全部勾稽关系。
The first command checks the bytes; the second also checks that CSV equals Parquet, foreign keys, that the totals
are the sums of the bodies, and every accounting rule.
"""


def release_readme(region: Region, year: int, form: Form, coverage: Coverage, tables: Mapping[str, pa.Table]) -> str:
    """The README of a release; ``tables`` are the released tables by id. No date, host or software version."""
    declared = load_tables()
    title_zh, title_en = release_title(region, year, form)
    settings = region.settings
    contact = [text for text in (settings.publisher.email, settings.publisher.telephone) if text]
    licence = (
        f"[{settings.licence.title}]({settings.licence.path})" if settings.licence.path else settings.licence.title
    )
    lines = [
        f"# {title_zh}",
        "",
        title_en,
        "",
        *_notice(region),
        *_coverage(region, coverage),
        *_decisions(tables["findings"]),
        *_files(tables, declared.released),
        _READING,
        "## 依据与许可 Basis and licence",
        "",
        f"- 表式 Form: {form.declaration.basis}，{form.edition} 年版 edition {form.edition}",
        f"- 法规 Regulation: {form.declaration.regulation}",
        f"- 数据结构版本 Schema version: {declared.schema_version}",
        f"- 许可 Licence: {licence}",
        f"- 发布 Publisher: {settings.publisher.name_zh} {settings.publisher.name_en} {' '.join(contact)}".rstrip(),
    ]
    return "\n".join(lines) + "\n"
