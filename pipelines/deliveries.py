"""Files of a delivery: an archive stands for its members.

Belongs here: which received file a read file came in. Does not belong here: whose it is or what is in it.
"""

from __future__ import annotations

from collections.abc import Collection


def received_as(file: str, received: Collection[str]) -> str:
    """The received file that ``file`` is or is a member of (``archive/member``). Raises KeyError for neither."""
    parts = file.split("/")
    for length in range(len(parts), 0, -1):
        candidate = "/".join(parts[:length])
        if candidate in received:
            return candidate
    raise KeyError(file)
