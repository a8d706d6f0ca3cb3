"""XML parts of containers parsed without network, entities or endless depth.

Belongs here: safe parsing and names without namespace. Does not belong here: what an element means.
"""

from __future__ import annotations

from functools import lru_cache

from lxml import etree

from pipelines.ingest.declined import Declined
from pipelines.ingest.readers.container import damaged, hostile


def refuse_declarations(part: bytes, name: str) -> None:
    """Raises Declined for a part that declares a document type: office formats forbid it, attacks need it."""
    if b"<!DOCTYPE" in part or b"<!ENTITY" in part:
        raise declares_entities(name)


def declares_entities(name: str) -> Declined:
    """The answer to external entities and to entities that multiply."""
    return hostile(name, "文件声明了外部实体", "it declares entities")


def parse(part: bytes, name: str) -> etree._Element:
    """The root element of an XML part. Raises Declined: broken, nested too deeply, with a document type."""
    refuse_declarations(part, name)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(part, parser)
    except etree.XMLSyntaxError as fault:
        if "epth" in str(fault):
            raise hostile(name, "嵌套层数过多", "its parts are nested too deeply") from fault
        raise damaged(name, "内部 XML 不完整", "its inner XML is incomplete") from fault
    if root.getroottree().docinfo.internalDTD is not None:  # in an encoding that hid it from the first look
        raise declares_entities(name)
    return root


@lru_cache(maxsize=512)  # of names that anybody may make up, however long
def bare(tag: object) -> str:
    """A tag or attribute name without its namespace (transitional and strict office files differ in it alone)."""
    return str(tag).rpartition("}")[2]


def local(element: etree._Element) -> str:
    """The name of an element without its namespace."""
    return bare(element.tag)


def attribute(element: etree._Element, name: str) -> str:
    """The value of an attribute whatever its namespace, "" where it is absent."""
    for key, value in element.items():
        if bare(key) == name:
            return str(value)
    return ""
