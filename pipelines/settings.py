"""The one configuration: where things are and how much may be used.

Belongs here: reading and checking settings from the environment. Does not belong here: what differs from county to
county (regions/) or secrets of any kind.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

PROJECT = Path(__file__).resolve().parent.parent


class SettingsError(ValueError):
    """A setting is wrong; the text names the variable, what it holds and what it should hold."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where data, releases and regions are, and how many processes read files.

    ``base_url``: the web address under which OUT is served, for catalogue records; "": their addresses are relative.
    """

    data: str
    out: str
    regions: str
    workers: int
    base_url: str = ""


def load_settings(
    environment: Mapping[str, str] | None = None, *, data: str | None = None, out: str | None = None
) -> Settings:
    """Settings from GONGKAI_DATA, GONGKAI_OUT, GONGKAI_REGIONS, GONGKAI_WORKERS and GONGKAI_BASE_URL.

    ``data`` and ``out`` override. Defaults: ``data/``, ``out/`` in the current folder, ``regions/`` of the project, as
    many workers as processors (2 at most), no web address. Raises SettingsError.
    """
    given = os.environ if environment is None else environment
    workers = given.get("GONGKAI_WORKERS", "") or str(min(2, os.cpu_count() or 1))
    if not workers.isdecimal() or int(workers) < 1:
        raise SettingsError(
            f"GONGKAI_WORKERS 是“{workers}”，应为 1 以上的整数。"
            f" GONGKAI_WORKERS is {workers!r}; it should be a whole number of 1 or more."
        )
    regions = given.get("GONGKAI_REGIONS", "") or str(PROJECT / "regions")
    if not Path(regions).is_dir():
        raise SettingsError(
            f"GONGKAI_REGIONS 指向的文件夹“{regions}”不存在。"
            f" GONGKAI_REGIONS names the folder {regions!r}, which does not exist."
        )
    base_url = given.get("GONGKAI_BASE_URL", "")
    if base_url and not re.fullmatch(r"https?://[^\s<>\"{}|\\^`#?]+", base_url):
        raise SettingsError(
            f"GONGKAI_BASE_URL 是“{base_url}”，应为网址，如 https://data.example.org/open。"
            f" GONGKAI_BASE_URL is {base_url!r}; it should be a web address such as https://data.example.org/open."
        )
    return Settings(
        data=data or given.get("GONGKAI_DATA", "") or "data",
        out=out or given.get("GONGKAI_OUT", "") or "out",
        regions=regions,
        workers=int(workers),
        base_url=base_url,
    )
