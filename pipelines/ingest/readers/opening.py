"""Any file becomes a Document: the format is recognised, its reader is loaded, the text is looked at once.

Belongs here: the table of readers and the answers to what a parsing library throws. Does not belong here: parsing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module

from pipelines.ingest.declined import Declined, decline
from pipelines.ingest.decoding import garbled
from pipelines.ingest.detect import recognise
from pipelines.ingest.document import Document, Format, Grid, Paragraph
from pipelines.ingest.limits import DEFAULT_LIMITS, Limits

_PACKAGE = "pipelines.ingest.readers"
# Modules, not functions: a reader and the library behind it are loaded when a file asks for it.
_READERS: dict[Format, str] = {
    "xlsx": "workbook",
    "xlsb": "workbook",
    "xls": "workbook",
    "ods": "opendocument",
    "docx": "word",
    "doc": "legacy",
    "wps": "legacy",
    "rtf": "legacy",
    "odt": "legacy",
    "html": "web",
    "pdf": "pdf",
    "text": "text",
    "csv": "tidy",
    "json": "tidy",
}
_CONVERTING = frozenset({"legacy", "workbook"})  # may ask LibreOffice, so they are told the limits
Reader = Callable[[bytes, str], Document]


def reader_of(kind: Format, limits: Limits = DEFAULT_LIMITS) -> Reader:
    """The reader of a format, keeping to ``limits``. Raises KeyError for ``zip`` (see archive.py) and ``unknown``."""
    module = _READERS[kind]
    read: Callable[..., Document] = import_module(f"{_PACKAGE}.{module}").read
    return partial(read, limits=limits) if module in _CONVERTING else read


def open_document(data: bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> Document:
    """Read a file of any supported format. ``name`` serves messages only; of ``limits`` what a conversion may
    take counts here, the rest holds for the whole process.

    Raises Declined with one finding for everything that is not read: empty, encrypted, scanned, foreign, damaged,
    hostile, garbled, too large, an archive of several files (kind ``several_files``; take them with archive.members).
    MemoryError passes through: the sandbox answers it.
    """
    kind = recognise(data, name)
    if kind == "zip":
        raise decline("several_files", name)
    try:
        document = reader_of(kind, limits)(data, name)
    except (Declined, MemoryError):
        raise
    except RecursionError as fault:
        raise decline(
            "hostile_file", name, reason="嵌套层数过多", reason_en="its parts are nested too deeply"
        ) from fault
    except Exception as fault:  # the libraries raise whatever a broken file brings about in them
        raise decline(
            "damaged_file",
            name,
            reason=f"内部结构有误（{type(fault).__name__}）",
            reason_en="its inner structure is broken",
        ) from fault
    reason = garbled(_sample(document))
    if reason:
        raise decline("mojibake", name, reason=reason[0], reason_en=reason[1])
    return document


def _sample(document: Document, most: int = 20_000) -> str:
    parts: list[str] = []
    length = 0
    for item in document.items:
        texts: tuple[str, ...] = ()
        if isinstance(item, Paragraph):
            texts = (item.text,)
        elif isinstance(item, Grid):
            texts = tuple(cell.text for cell in item.cells)
        for text in texts:
            parts.append(text)
            length += len(text)
        if length > most:
            break
    return "\n".join(parts)
