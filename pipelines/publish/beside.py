"""What lies beside the releases of a region and year: report and catalogue records of the one that counts.

Belongs here: making them from a release's own files and keeping the folders to that. Does not belong here: what they
hold (report/, catalogue/). They lie beside the releases, not in them: the report's PDF depends on the fonts of the
machine, and the records on its web address, while a release depends on its content alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import msgspec
from upath import UPath

from pipelines.publish.catalogue import catalogue_records
from pipelines.publish.catalogue.facts import release_address
from pipelines.publish.release import current_release, release_files
from pipelines.publish.report.build import build_report, stated_indicators
from pipelines.publish.report.texts import load_narrative
from pipelines.publish.tables import read_parquet
from pipelines.storage import Place, catalogue_path, remove_others, report_path, write_atomic
from schemas.descriptor import DESCRIPTOR, resource_path
from schemas.form import load_form
from schemas.narrative import report_editions
from schemas.region import Region


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What was written where, of which release ("" where none counts); ``notes``: what was left out and why."""

    folder: UPath
    release: str
    files: tuple[str, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()


def _put(folder: UPath, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Write the files and remove whatever else an earlier release left there."""
    for name, data in files.items():
        write_atomic(folder / name, data)
    remove_others(folder, files)
    return tuple(files)


def write_report(out: Place, regions: Path, region: Region, year: int) -> Beside:
    """The official annual report of the release that counts, in ``OUT/<region>/<year>/report``.

    Without a release, or for an edition without the text of a report, none is left there. Raises HistoryError,
    DeclarationError, OSError.
    """
    code = region.settings.code
    folder, current = report_path(out, code, year), current_release(out, code, year)
    if current is None:
        _put(folder, {})
        return Beside(folder=folder, release="")
    files = release_files(current)
    form = load_form(json.loads(files[DESCRIPTOR])["x-form-edition"])
    if form.edition not in report_editions():
        _put(folder, {})
        said = (f"{form.edition} 年版表式没有报告文字，未生成。", f"Edition {form.edition} has no text of a report.")
        return Beside(folder=folder, release=current.name, notes=(said,))
    totals = read_parquet(files[resource_path("county_totals", "parquet")])
    report = build_report(
        form,
        region,
        year,
        dict(zip(totals["cell"].to_pylist(), totals["value"].to_pylist(), strict=True)),
        stated_indicators(read_parquet(files[resource_path("indicators", "parquet")]).to_pylist()),
        load_narrative(regions, region, year, form),
        release=current.name,
    )
    notes = tuple((note.message_zh, note.message_en) for note in report.notes)
    return Beside(folder=folder, release=current.name, files=_put(folder, report.files), notes=notes)


def write_catalogue(out: Place, region: Region, year: int, base_url: str) -> Beside:
    """The catalogue records of the release that counts, in ``OUT/<region>/<year>/catalogue``; none without a release.

    ``base_url``: the web address of ``out``, "" for relative addresses. Raises HistoryError, OSError.
    """
    code = region.settings.code
    folder, current = catalogue_path(out, code, year), current_release(out, code, year)
    if current is None:
        _put(folder, {})
        return Beside(folder=folder, release="")
    descriptor = json.loads((current / DESCRIPTOR).read_bytes())
    records = catalogue_records(descriptor, region, release_address(base_url, code, year), release=current.name)
    return Beside(folder=folder, release=current.name, files=_put(folder, records))
