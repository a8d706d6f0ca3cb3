"""A roll-up's release: what is read of a county's release, files per province, verification, what changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from upath import UPath

from pipelines.aggregate.rollup import Frames
from pipelines.publish.package import SUMS, PackageError, sums_of
from pipelines.publish.package_checks import check_package
from pipelines.publish.release import current_release, publish, withdraw
from pipelines.publish.rollup_changes import rollup_changes
from pipelines.publish.rollup_checks import PartFacts
from pipelines.publish.rollup_memory import recall, remember, stamps_of
from pipelines.publish.rollup_package import part_files
from pipelines.publish.rollup_source import (
    READ,
    Counting,
    Seen,
    counting_release,
    intact,
    released_regions,
    released_totals,
)
from pipelines.publish.rollup_verified import RollupCheck, check_rollup_files
from pipelines.publish.verify import check_files, verify
from pipelines.storage import ROLLUP, latest_path
from schemas.descriptor import descriptor_problems
from schemas.rollup import COUNTRY, ReleasedTotals, Unusable
from tests.aggregate.country import COUNTIES, YEAR, clean, figures, known, package, released, roll_up
from tests.facts import FORM
from tests.portal.published import publish_county
from tests.publish.county import county

CODE = "510121"
FEW = ("510121", "510122", "510221", "410121")
CELL = "proactive.licences.decisions"


# ---------------------------------------------------------------- reading a county's release
@pytest.fixture
def out(tmp_path: Path) -> Path:
    publish_county(tmp_path, waived=1, code=CODE)
    return tmp_path


def read(out: Path) -> ReleasedTotals | Unusable:
    counting = counting_release(out, CODE, YEAR)
    assert isinstance(counting, Counting)
    return released_totals(out, counting, YEAR)[0]


def spoil(out: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    folder = current_release(out, CODE, YEAR)
    assert folder is not None
    path = Path(str(folder)) / name
    path.chmod(0o644)
    path.write_bytes(change(path.read_bytes()))


def test_the_totals_are_those_of_the_release_that_counts(out: Path) -> None:
    found = read(out)
    assert isinstance(found, ReleasedTotals)
    tables = county(3, 1, 1)
    assert found.values == dict(tables["county_totals"].select("cell", "value").rows())
    assert set(found.bodies.values()) == {2}
    assert (found.expected, found.accepted, found.edition) == (3, 2, "2021")
    assert found.waived == ("roster_missing",)
    assert found.licence == "CC-BY-4.0"
    assert released_regions(out, YEAR) == (CODE,)
    assert released_regions(out, YEAR - 1) == ()


def test_only_what_latest_names_counts(out: Path) -> None:
    first = read(out)
    second = publish_county(out, seed=2, code=CODE)
    assert read(out).release == second.id != first.release
    withdraw(out, CODE, YEAR, second.id, "测试", "测试员")
    assert read(out) == first
    withdraw(out, CODE, YEAR, first.release, "测试", "测试员")
    assert counting_release(out, CODE, YEAR) is None
    assert released_regions(out, YEAR) == ()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("data/county_totals.parquet", "differs from its SHA-256"),
        ("data/findings.parquet", "differs from its SHA-256"),
        ("datapackage.json", "differs from its SHA-256"),
        (SUMS, "differs from its SHA-256"),
    ],
)
def test_a_changed_byte_is_seen(out: Path, name: str, reason: str) -> None:
    spoil(out, name, lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    found = read(out)
    assert isinstance(found, Unusable)
    assert reason in found.reason_en


def test_a_missing_file_and_an_unreadable_pointer_are_seen(out: Path) -> None:
    folder = current_release(out, CODE, YEAR)
    assert folder is not None
    (Path(str(folder)) / "data" / "county_totals.parquet").unlink()
    found = read(out)
    assert isinstance(found, Unusable)
    assert "is missing" in found.reason_en
    latest_path(out, CODE, YEAR).write_bytes(b"{")
    assert isinstance(counting_release(out, CODE, YEAR), Unusable)


def test_a_release_that_was_compared_is_known_by_its_stamps_until_a_file_moves(out: Path) -> None:
    counting = counting_release(out, CODE, YEAR)
    assert isinstance(counting, Counting)
    folder = UPath(str(current_release(out, CODE, YEAR)))
    assert stamps_of(folder, READ) is None  # written just now: another write might leave the same times
    stamps = stamps_of(folder, READ, settled=0)
    assert stamps is not None
    seen = Seen(sums_sha256=counting.sums_sha256, stamps=stamps)
    assert stamps_of(folder, ("no such file",), settled=0) is None
    spoil(out, READ[-1], lambda data: data)  # the same bytes, written again
    assert stamps_of(folder, READ, settled=0) != stamps
    assert intact(out, counting, YEAR, seen)[0]
    spoil(out, READ[-1], lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    assert intact(out, counting, YEAR, seen) == (False, None)


def test_storage_that_gives_no_tags_is_always_read() -> None:
    folder = UPath("memory://releases-without-tags/a")
    for name in READ:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    assert stamps_of(folder, READ) is None


def resealed(out: Path, name: str, data: bytes) -> ReleasedTotals | Unusable:
    """The release with another file in it, sealed anew."""
    folder = current_release(out, CODE, YEAR)
    assert folder is not None
    files = {
        path.relative_to(Path(str(folder))).as_posix(): path.read_bytes()
        for path in Path(str(folder)).rglob("*")
        if path.is_file()
    }
    files[name] = data
    publish({**files, SUMS: sums_of(files)}, out, CODE, YEAR)
    return read(out)


def test_a_sealed_release_of_another_region_or_without_sense_is_not_used(out: Path) -> None:
    other = publish_county(out, code="510122").path
    strange = resealed(out, "datapackage.json", (other / "datapackage.json").read_bytes())
    assert isinstance(strange, Unusable)
    assert "names 510122" in strange.reason_en
    assert isinstance(resealed(out, "datapackage.json", b"[]"), Unusable)


def test_totals_of_another_region_under_a_right_descriptor_are_not_used(out: Path) -> None:
    other = publish_county(out, code="510122").path
    strange = resealed(out, "data/county_totals.parquet", (other / "data/county_totals.parquet").read_bytes())
    assert isinstance(strange, Unusable)
    assert "another region" in strange.reason_en


# ---------------------------------------------------------------- the package
def test_a_clean_roll_up_is_valid_and_the_same_again() -> None:
    files = package(clean())
    assert check_files(files) == ()
    assert package(clean(tuple(reversed(COUNTIES)))) == files
    descriptor = json.loads(files["datapackage.json"])
    assert descriptor["x-rollup"] == {"provinces": ["37", "41", "51"]}
    assert descriptor["x-coverage"]["regions_counted"] == 12
    assert descriptor["licenses"] == [{"name": "CC0-1.0"}]
    assert descriptor["x-synthetic"] is True
    assert "示例" in descriptor["title"]
    assert len(descriptor["resources"]) == 2 * (1 + 3 * 5 + 3)


def test_a_licence_without_a_name_is_known_by_its_address() -> None:
    address = "https://example.org/licence"
    standing = {CODE: released(CODE, licence=address), "510122": released("510122")}
    files = package(roll_up([known(code) for code in standing], standing))
    assert check_files(files) == ()
    assert json.loads(files["datapackage.json"])["licenses"] == [{"name": "CC0-1.0"}, {"path": address}]
    assert address in files["README.md"].decode()


def test_a_roll_up_is_published_verified_and_says_what_changed(tmp_path: Path) -> None:
    first = publish(package(clean()), tmp_path, ROLLUP, YEAR)
    assert first.new
    assert verify(tmp_path / ROLLUP / str(YEAR)).valid
    changed = figures(CODE) | {CELL: figures(CODE)[CELL] + 7}
    standing = {code: released(code) for code in COUNTIES}
    standing[CODE] = released(CODE, changed, release="f" * 16)
    parts = roll_up([known(code) for code in COUNTIES], standing)
    second = publish(package(parts), tmp_path, ROLLUP, YEAR)
    assert second.new
    assert [(change.body, change.cell) for change in second.changes] == [(c, CELL) for c in (COUNTRY, "51", "5101")]
    assert {Decimal(c.after or 0) - Decimal(c.before or 0) for c in second.changes} == {Decimal(7)}
    assert {change.reason_en for change in second.changes} == {f"another release of {CODE} counts"}
    assert not publish(package(parts), tmp_path, ROLLUP, YEAR).new


def test_the_same_figures_in_another_release_change_no_total() -> None:
    standing = {code: released(code) for code in COUNTIES} | {CODE: released(CODE, release="f" * 16)}
    assert rollup_changes(package(clean()), package(roll_up([known(code) for code in COUNTIES], standing))) == ()


def test_a_province_that_came_shows_all_its_totals() -> None:
    few = [code for code in COUNTIES if not code.startswith("37")]
    changes = rollup_changes(package(clean(few)), package(clean()))
    assert {change.body for change in changes} == {COUNTRY, "37", "3701"}


def test_what_is_kept_is_used_for_the_same_things_only_and_only_whole(tmp_path: Path) -> None:
    files, path = part_files("51", clean()["51"], FORM), UPath(tmp_path / "51.msgpack")
    assert recall(path, "key", dict[str, bytes]) is None
    remember(path, "key", files)
    assert recall(path, "key", dict[str, bytes]) == files
    assert recall(path, "other", dict[str, bytes]) is None
    assert recall(path, "key", dict[str, Seen]) is None
    kept = path.read_bytes()
    for damaged in (b"", kept[:-3], b"x" + kept[1:], kept[:-1] + bytes([kept[-1] ^ 1])):
        path.write_bytes(damaged)
        assert recall(path, "key", dict[str, bytes]) is None


def test_a_frame_that_is_not_as_declared_is_refused() -> None:
    parts = clean()
    spoilt = {**parts["51"], "rollup_totals": parts["51"]["rollup_totals"].drop("bodies")}
    with pytest.raises(PackageError, match="bodies"):
        part_files("51", spoilt, FORM)


# ---------------------------------------------------------------- verification
def tampered(part: str, table: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> dict[str, bytes]:
    """A roll-up of which one table was changed before it was sealed."""
    parts: dict[str, Frames] = clean(FEW)
    parts[part] = {**parts[part], table: change(parts[part][table])}
    return package(parts)


def plus(column: str, **where: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        here = pl.all_horizontal(pl.col(name) == value for name, value in where.items())
        raised = (pl.col(column) + 1).cast(frame.schema[column])
        return frame.with_columns(pl.when(here).then(raised).otherwise(column).alias(column))

    return change


def say(column: str, value: str | None, **where: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        here = pl.all_horizontal(pl.col(name) == text for name, text in where.items())
        said = pl.lit(value, frame.schema[column])
        return frame.with_columns(pl.when(here).then(said).otherwise(column).alias(column))

    return change


TOTAL = "requests.received.total"


FALSE = [
    ("51", "rollup_totals", plus("value", place="5101", cell=CELL), {"rollup_not_sum"}),
    ("51", "rollup_totals", plus("value", place="51", cell=TOTAL), {"rollup_not_sum", "rollup_unbalanced"}),
    ("51", "rollup_totals", plus("regions", place="51", cell=CELL), {"rollup_not_sum"}),
    ("51", "rollup_totals", plus("bodies", place="51", cell=CELL), {"rollup_not_sum"}),
    ("51", "rollup_totals", say("not_stated", CODE, place="51", cell=CELL), {"rollup_not_sum"}),
    ("51", "rollup_totals", lambda frame: frame.filter(pl.col("place") != "5102"), {"rollup_not_sum"}),
    ("51", "region_totals", plus("value", region=CODE, cell=CELL), {"rollup_not_sum"}),
    (COUNTRY, "rollup_totals", plus("value", place=COUNTRY, cell=CELL), {"rollup_not_sum"}),
    ("51", "rollup_places", plus("regions_counted", place="5101"), {"rollup_coverage_wrong"}),
    ("51", "rollup_places", say("missing", CODE, place="5101"), {"rollup_coverage_wrong"}),
    ("51", "rollup_places", say("parent", "41", place="5101"), {"rollup_coverage_wrong"}),
    ("51", "rollup_regions", say("within", "51", region=CODE), {"rollup_coverage_wrong", "rollup_not_sum"}),
    ("51", "rollup_regions", say("edition", "2019", region=CODE), {"rollup_coverage_wrong"}),
    ("51", "rollup_regions", say("outcome", "missing", region=CODE), {"rollup_coverage_wrong", "rollup_not_sum"}),
    ("51", "rollup_totals", say("cell", "no.such.cell", place="51", cell=CELL), {"foreign_key_broken"}),
]


@pytest.mark.parametrize(("part", "table", "change", "kinds"), FALSE)
def test_what_is_not_so_is_seen(part: str, table: str, change: Callable, kinds: set[str]) -> None:
    files = tampered(part, table, change)
    found = check_files(files)
    assert kinds <= {finding.rule for finding in found}
    # Where every province was found true before it was changed, the same is found (of each kind more may be shown).
    again = check_rollup_files(files, recall=found_true())
    assert set(again.findings) >= set(found)
    assert {finding.rule for finding in again.findings} == {finding.rule for finding in found}
    assert again.kept == {"41", "51"} - {part}
    assert not again.clean.keys() & {part, COUNTRY}


class Kept:
    """What is remembered of provinces, as the roll-up keeps it on disk."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], PartFacts] = {}

    def keep(self, check: RollupCheck) -> None:
        self.found |= {(part, one.key): one.facts for part, one in check.clean.items()}

    def __call__(self, part: str, key: str) -> PartFacts | None:
        return self.found.get((part, key))


@cache
def found_true() -> Kept:
    """What is remembered of a clean roll-up of FEW."""
    kept = Kept()
    kept.keep(check_rollup_files(package(clean(FEW))))
    return kept


def test_a_province_that_was_found_true_is_not_checked_again() -> None:
    files, kept = package(clean(FEW)), Kept()
    first = check_rollup_files(files, "program", kept)
    assert (first.findings, first.kept, set(first.clean)) == ((), frozenset(), {"41", "51"})
    kept.keep(first)
    second = check_rollup_files(files, "program", kept)
    assert (second.findings, second.kept, second.clean) == ((), frozenset({"41", "51"}), {})
    other = check_rollup_files(files, "another program", kept)
    assert other.kept == frozenset()
    assert {part: one.facts for part, one in other.clean.items()} == {p: one.facts for p, one in first.clean.items()}


@pytest.mark.parametrize("name", ["data/51/rollup_totals.csv", "data/51/region_totals.parquet", "data/form_cells.csv"])
def test_a_byte_of_a_known_province_is_still_seen(name: str) -> None:
    """The files are not those that the descriptor states, so nothing that was kept for them is used."""
    files, kept = package(clean(FEW)), found_true()
    changed = files | {name: files[name][:-1] + bytes([files[name][-1] ^ 1])}
    check = check_rollup_files(changed, recall=kept)
    assert set(check.findings) == set(check_files(changed))
    assert "checksum_differs" in {finding.rule for finding in check.findings}
    assert (check.kept, check.clean) == (frozenset(), {})


@pytest.mark.parametrize("descriptor", [b"", b"[]", b"{}", b'{"x-rollup": {"provinces": ["51"]}, "resources": [1]}'])
def test_a_descriptor_that_is_none_is_said_by_parts_too(descriptor: bytes) -> None:
    files = package(clean(FEW)) | {"datapackage.json": descriptor}
    assert set(check_rollup_files(files).findings) == set(check_files(files))


def test_what_is_wrong_with_a_resource_of_an_unknown_province_is_still_said() -> None:
    files, kept = package(clean(FEW)), found_true()
    descriptor = json.loads(files["datapackage.json"])
    [one] = [each for each in descriptor["resources"] if each["name"] == "rollup_totals_51"]
    one["title"] = 7
    spoilt = files | {"datapackage.json": json.dumps(descriptor).encode()}
    spoilt = {**spoilt, SUMS: sums_of(spoilt)}
    found = check_files(spoilt)
    assert {finding.rule for finding in found} == {"descriptor_invalid"}
    assert check_rollup_files(spoilt, recall=kept).findings == found


def test_a_region_below_that_is_added_twice_is_seen() -> None:
    """A province said to include its counties, yet both are in its total."""
    regions = [known("51", "includes_lower"), *(known(code) for code in FEW)]
    standing = {code: released(code) for code in FEW} | {"51": released("51")}
    parts = roll_up(regions, standing)
    assert check_files(package(parts)) == ()
    counted = parts["51"]["rollup_regions"].with_columns(within=pl.lit(None, pl.String), outcome=pl.lit("counted"))
    parts["51"] = {**parts["51"], "rollup_regions": counted}
    assert {"rollup_coverage_wrong", "rollup_not_sum"} <= {finding.rule for finding in check_files(package(parts))}


def test_the_descriptor_must_have_every_part_that_it_names() -> None:
    files = package(clean())
    descriptor = json.loads(files["datapackage.json"])
    assert descriptor_problems(descriptor) == ()
    for change, problem in (
        ({"x-rollup": {"provinces": ["41", "51"]}}, "no resource of a roll-up"),
        ({"x-rollup": {"provinces": ["37", "41", "51", "61"]}}, "the resource is missing"),
        ({"x-rollup": {"provinces": ["51", "37", "41"]}}, "sorted codes"),
        ({"x-rollup": {"provinces": "51"}}, "sorted codes"),
        ({"x-rollup": {"provinces": ["../51"]}}, "sorted codes"),
    ):
        assert any(problem in one for one in descriptor_problems(descriptor | change)), change
    descriptor["resources"][2]["schema"]["fields"][0].pop("constraints")
    assert any("is not the one that version" in one for one in descriptor_problems(descriptor))


def test_a_lacking_table_is_never_a_silent_pass() -> None:
    files = package(clean(FEW))
    del files["data/51/region_totals.parquet"]
    assert "figures_not_checked" in {finding.rule for finding in check_files(files)}
    assert "figures_true" in {check for check, found in check_package(files).items() if found}


def test_a_release_of_a_region_marked_as_a_roll_up_does_not_pass(out: Path) -> None:
    folder = current_release(out, CODE, YEAR)
    assert folder is not None
    descriptor = json.loads((Path(str(folder)) / "datapackage.json").read_bytes()) | {"x-rollup": {"provinces": []}}
    assert descriptor_problems(descriptor)
    assert descriptor_problems(descriptor | {"x-rollup": None})
