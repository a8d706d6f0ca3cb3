"""What a reading depends on beside the file itself: the reader's own key.

Belongs here: naming the sources, declarations and libraries that decide what is read from given bytes. Does not belong
here: which readings are kept (kept.py).
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from pipelines.ingest.limits import Limits

ROOT = Path(__file__).parents[2]
# Everything below these folders, and these files. A test holds this to what the readers import.
FOLDERS = ("pipelines/ingest", "schemas")
FILES = ("pipelines/layout.py",)
ENDINGS = frozenset({".py", ".toml"})
LIBRARIES = ("lxml", "msgspec", "pdfminer.six", "pdfplumber", "pypdfium2", "python-calamine")


def sources(root: Path = ROOT) -> Iterator[Path]:
    """The files that decide what is read, in a fixed order."""
    yield from (root / name for name in FILES)
    for folder in FOLDERS:
        yield from sorted(path for path in (root / folder).rglob("*") if path.suffix in ENDINGS)


@cache
def _program(root: Path) -> str:
    digest = hashlib.sha256()
    for path in sources(root):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def _installed(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def _office() -> str:
    """Which LibreOffice converts here: its own note of its build, else where it is; "" where there is none."""
    from pipelines.ingest.readers.legacy import program

    found = program()
    if found is None:
        return ""
    folder = Path(found).resolve().parent
    for note in (folder / "versionrc", folder.parent / "Resources" / "versionrc"):
        if note.is_file():
            return hashlib.sha256(note.read_bytes()).hexdigest()
    return str(folder)


def reader_key(limits: Limits, root: Path = ROOT) -> str:
    """The key of what reads: 32 hex digits that change with the program, its declarations, the parsing libraries,
    LibreOffice or the limits. A reading made under another key is not used.
    """
    parts = [
        _program(root),
        platform.python_implementation(),
        platform.python_version(),
        *(f"{library} {_installed(library)}" for library in LIBRARIES),
        _office(),
        msgspec.json.encode(limits, order="deterministic").decode(),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
