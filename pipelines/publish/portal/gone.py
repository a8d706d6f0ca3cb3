"""Regions and years, roll-ups too, whose every release was withdrawn: what stays is the record, with the reasons.

Belongs here: finding them and the page that stands where the dataset's pages were. Does not belong here: withdrawn
releases of a dataset that still has one (its page on quality lists them, views.py).
"""

from __future__ import annotations

import json

import msgspec

from pipelines.publish.history import Event, read_history
from pipelines.publish.portal.pages import render
from pipelines.publish.portal.releases import dated_folders
from pipelines.storage import ROLLUP, Place, releases_path
from schemas.descriptor import DESCRIPTOR


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """A region (or the roll-up) and year without a release that counts. The titles are those of the last one."""

    region: str
    year: int
    title: str
    title_en: str
    events: tuple[Event, ...]

    @property
    def page(self) -> str:
        """Where its page is in the site: where the dataset's first page was, so that old links lead there."""
        return f"{self.region}/{self.year}/index.html"


def _titles(out: Place, region: str, year: int, identifier: str) -> tuple[str, str]:
    try:
        descriptor = json.loads((releases_path(out, region, year) / identifier / DESCRIPTOR).read_bytes())
        return str(descriptor["title"]), str(descriptor["title_en"])
    except (OSError, ValueError, KeyError, TypeError):  # the record counts, not the files of what was withdrawn
        return f"{region} {year}", f"{region} {year}"


def gone_datasets(out: Place) -> tuple[Gone, ...]:
    """The regions and years below ``out`` whose every release was withdrawn, in order, then such roll-ups.

    Raises HistoryError.
    """
    found = []
    for region, year in (*dated_folders(out), *dated_folders(out, ROLLUP)):
        history = read_history(out, region, year)
        if history.events and not history.current:
            last = next(event.id for event in reversed(history.events) if event.event == "published")
            title, title_en = _titles(out, region, year, last)
            found.append(Gone(region=region, year=year, title=title, title_en=title_en, events=history.events))
    return tuple(found)


def gone_page(gone: Gone) -> bytes:
    """The page that says so: every release that was published and withdrawn, with reasons. It links to no data."""
    return render("gone.html", root="../../", gone=gone, synthetic=False)
