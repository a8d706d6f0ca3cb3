"""The files of a roll-up's release: one set per province and one for the country, sealed together.

Belongs here: frames -> bytes of a part, and the package of all parts. Does not belong here: adding up
(pipelines/aggregate/rollup.py), judging (rollup_checks.py). A part's bytes depend on its own frames alone, so that a
province in which nothing changed keeps its files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.publish.arrow import TableMismatchError, ToArrow, to_arrow
from pipelines.publish.package import README, PackageError, json_bytes, sums_of
from pipelines.publish.rollup_readme import rollup_readme
from pipelines.publish.tables import csv_bytes, parquet_bytes, read_parquet
from pipelines.storage import sha256
from schemas.descriptor import DESCRIPTOR, FileFacts
from schemas.form import Form
from schemas.rollup import COUNTRY, FORM_CELLS
from schemas.rollup_descriptor import part_path, part_tables, rollup_descriptor
from schemas.tables import load_tables

Files = dict[str, bytes]
COVERAGE = ("regions_known", "regions_counted", "regions_within", "bodies_expected", "bodies_accepted")


def part_files(part: str, frames: Mapping[str, ToArrow], form: Form) -> Files:
    """The Parquet and CSV files of a part by path. Raises PackageError for a frame that is not as declared."""
    files: Files = {}
    for name in part_tables(part):
        try:
            table = to_arrow(frames[name], load_tables()[name], cell_order=form.index)
        except TableMismatchError as error:
            raise PackageError(str(error)) from None
        files[part_path(name, part, "parquet")] = parquet_bytes(table)
        files[part_path(name, part, "csv")] = csv_bytes(table)
    return files


def part_rows(files: Mapping[str, bytes], table: str, part: str) -> list[dict[str, Any]]:
    """The rows of a part's table."""
    rows: list[dict[str, Any]] = read_parquet(files[part_path(table, part, "parquet")]).to_pylist()
    return rows


def build_rollup(
    year: int,
    form: Form,
    form_cells: ToArrow,
    parts: Mapping[str, Mapping[str, bytes]],
    synthetic: Sequence[str] = (),
) -> Files:
    """Every file of a roll-up's release by path, sorted, ``SHA256SUMS`` included.

    ``parts``: the files of each province and of the country, from part_files; ``synthetic``: the codes of the regions
    whose data are samples. Pure: the same parts, the same bytes. Raises PackageError, KeyError without the country.
    """
    order = (*sorted(part for part in parts if part != COUNTRY), COUNTRY)
    files: Files = {}
    codes = to_arrow(form_cells, load_tables()[FORM_CELLS], cell_order=form.index)
    files[part_path(FORM_CELLS, COUNTRY, "parquet")] = parquet_bytes(codes)
    files[part_path(FORM_CELLS, COUNTRY, "csv")] = csv_bytes(codes)
    for part in order:
        files |= parts[part]
    places = {part: part_rows(files, "rollup_places", part) for part in order}
    [country] = places[COUNTRY]
    regions = [row for part in order if part != COUNTRY for row in part_rows(files, "rollup_regions", part)]
    findings = [row for part in order for row in part_rows(files, "rollup_findings", part)]
    licences = sorted({name for row in regions if row["licence"] for name in row["licence"].split("; ")})
    note = None
    if synthetic:
        note = (
            f"示例数据：参与汇总的地区中有 {len(synthetic)} 个是示例，非真实报送。",
            f"Sample data: {len(synthetic)} of the regions are samples, not real returns.",
        )
    facts = {path: FileFacts(bytes=len(data), sha256=sha256(data)) for path, data in files.items()}
    coverage = {name: country[name] for name in COVERAGE}
    described = rollup_descriptor(year, form, order, coverage, licences, note, facts)
    files[DESCRIPTOR] = json_bytes(described)
    files[README] = rollup_readme(described, form, [row for part in order for row in places[part]], findings).encode()
    files["SHA256SUMS"] = sums_of(files)
    return dict(sorted(files.items()))
