"""How a reader says no: one finding, carried by one exception from the depth of a parser to the edge of intake.

Belongs here: the exception and the cleaning of file names for messages. Does not belong here: deciding what is wrong.
"""

from __future__ import annotations

import unicodedata

from schemas.findings import Finding, make_finding

MAX_NAME = 120


def safe_name(name: str) -> str:
    """The last part of a file name as it may stand in a message: no path, no control characters, not endless.

    Characters that steer the direction of text (they can make ``fdp.exe`` look like ``exe.pdf``) go too; bytes that
    were no valid name (surrogates) become ``?``.
    """
    last = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    kept = "".join(
        "?" if unicodedata.category(character) == "Cs" else character
        for character in last
        if unicodedata.category(character) not in ("Cc", "Cf", "Zl", "Zp")
    ).strip()
    if kept in ("", ".", ".."):
        return "未命名"
    return kept if len(kept) <= MAX_NAME else f"{kept[: MAX_NAME - 1]}…"


class Declined(Exception):  # noqa: N818  (not an error of ours: the answer to a file that cannot be read)
    """A file that is not read, and why. ``finding`` is complete: kind, words in both languages, file."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message_en)
        self.finding = finding


def decline(kind: str, name: str, **words: object) -> Declined:
    """The exception for a declared kind of finding about the file ``name``. Raises KeyError as make_finding does.

    The message shows the safe name; ``Finding.file`` is the name as given, by which callers find the file again.
    """
    return Declined(make_finding(kind, words={"file": safe_name(name), **words}, file=name))
