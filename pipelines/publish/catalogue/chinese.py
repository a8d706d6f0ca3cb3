"""The Chinese catalogue record: core metadata of GB/T 21063.3 and the elements of DB51/T 2847, with the item list.

Belongs here: the value of each declared element. Does not belong here: which elements there are
(schemas/catalogue.toml) or how a page shows them (portal).
"""

from __future__ import annotations

from typing import Any

import msgspec

from pipelines.publish.catalogue.facts import CatalogueError, Facts
from schemas.catalogue import Fact, load_catalogue


class Element(msgspec.Struct, frozen=True, kw_only=True):
    """One element of the record. ``link``: a web address that the value leads to, "" for none."""

    id: str
    name_zh: str
    name_en: str
    standards: tuple[str, ...]
    required: bool
    value_zh: str
    value_en: str = ""
    link: str = ""


def _values(facts: Facts) -> dict[Fact, tuple[str, str, str]]:
    """Chinese text, English text and link by fact."""
    contact = "，".join(text for text in (facts.email, facts.telephone) if text)
    formats = "、".join(dict.fromkeys({"csv": "CSV", "parquet": "Parquet"}[file.format] for file in facts.files))
    licence = facts.licence_title or facts.licence_name
    return {
        "title": (facts.title_zh, facts.title_en, ""),
        "identifier": (facts.identifier, "", ""),
        "metadata_identifier": (f"{facts.identifier}-metadata", "", ""),
        "description": (facts.description_zh, facts.description_en, ""),
        "publisher": (facts.publisher_zh, facts.publisher_en, facts.website),
        "contact": (contact, "", f"mailto:{facts.email}" if facts.email else ""),
        "keywords": ("、".join(facts.keywords), "", ""),
        "address": (facts.base, "", facts.base),
        "formats": (formats, "", ""),
        "region": (f"{facts.place_zh}（{facts.code}）", facts.region_en, ""),
        "period": (f"{facts.year}年1月1日至12月31日", f"{facts.year}-01-01 to {facts.year}-12-31", ""),
        "licence": (licence, facts.licence_name, facts.licence_url),
        "issued": (facts.issued.isoformat() if facts.issued else "", "", ""),
        "basis": ("；".join(facts.sources), "", ""),
        "coverage": (
            f"应报送{facts.expected}个，采用{facts.accepted}个",
            f"{facts.accepted} of {facts.expected} bodies",
            "",
        ),
    }


def catalogue_elements(facts: Facts, *, complete: bool = True) -> tuple[Element, ...]:
    """The elements of the record in declared order, those without a value left out.

    Raises CatalogueError where a required one has no value, unless the record need not be ``complete``.
    """
    values = _values(facts)
    elements = []
    for declared in load_catalogue().elements:
        fixed = (declared.text_zh, declared.text_en, "")
        zh, en, link = values[declared.source] if declared.source else fixed
        if not zh and declared.required and complete:
            raise CatalogueError(f"必填项“{declared.name_zh}”没有值。The required element {declared.id!r} has no value")
        if zh:
            elements.append(
                Element(
                    id=declared.id,
                    name_zh=declared.name_zh,
                    name_en=declared.name_en,
                    standards=declared.standards,
                    required=declared.required,
                    value_zh=zh,
                    value_en=en,
                    link=link,
                )
            )
    return tuple(elements)


def chinese_record(facts: Facts) -> dict[str, Any]:
    """``catalogue.json``: the elements, and for every table its files and its items (信息项) with their types."""
    types = load_catalogue().item_types
    tables = []
    for file in facts.csv:
        items = [
            {
                "名称": field["title"],
                "英文名称": field["name"],
                "数据类型": types[field["type"]],
                "说明": field["title_en"] + (f"：{field['description']}" if field.get("description") else ""),
                "是否必填": bool(field.get("constraints", {}).get("required", False)),
                "是否主键": field["name"] in file.primary_key,
            }
            for field in file.fields
        ]
        files = [
            {
                "地址": facts.address(other.path),
                "格式": other.format,
                "字节数": other.bytes,
                "SHA-256": other.sha256,
            }
            for other in facts.files
            if other.table == file.table
        ]
        tables.append(
            {"名称": file.title_zh, "英文名称": file.table, "摘要": file.description, "文件": files, "信息项": items}
        )
    return {
        "标准": ["GB/T 21063.3-2007", "DB51/T 2847-2021"],
        "示例数据": facts.synthetic,
        **({"发布版本": facts.release} if facts.release else {}),
        "元数据": [
            {
                "元素": element.id,
                "名称": element.name_zh,
                "英文名称": element.name_en,
                "必选": element.required,
                "依据": list(element.standards),
                "值": element.value_zh,
                **({"英文值": element.value_en} if element.value_en else {}),
                **({"链接": element.link} if element.link else {}),
            }
            for element in catalogue_elements(facts)
        ],
        "数据表": tables,
    }
