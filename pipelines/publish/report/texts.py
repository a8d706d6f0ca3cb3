"""Reader of what a region says in its report: its own sentences and the reviewed text of a year, strictly.

Belongs here: finding and reading ``regions/<region>/sentences.toml`` and ``<year>/narrative.toml``. Does not belong
here: their shape (schemas/narrative.py).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from schemas.declaration import DeclarationError
from schemas.form import Form
from schemas.narrative import Narrative, read_narrative, read_sentences
from schemas.region import Region


def _text(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"不是 UTF-8 编码，请另存为 UTF-8。Not UTF-8 ({error.reason}); save it as UTF-8."
        raise DeclarationError(name, 1, problem) from None


def load_narrative(root: Path, region: Region, year: int, form: Form) -> Narrative | None:
    """The reviewed text of a region and year with the region's own sentences; None where nobody wrote any text.

    ``root`` is the regions folder. Raises DeclarationError naming file and line.
    """
    code = region.settings.code
    path = root / code / str(year) / "narrative.toml"
    if not path.is_file():
        return None
    name = f"{root.name}/{code}/{year}/narrative.toml"
    narrative = read_narrative(_text(path, name), name, form, region.supplement)
    own = root / code / "sentences.toml"
    if not own.is_file():
        return narrative
    own_name = f"{root.name}/{code}/sentences.toml"
    sentences = read_sentences(_text(own, own_name), own_name, form, region.supplement).sentences
    return msgspec.structs.replace(narrative, sentences=sentences + narrative.sentences)
