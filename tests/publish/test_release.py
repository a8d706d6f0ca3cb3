"""Publishing: content-addressed, immutable, whole or not there, also when killed at any step."""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from upath import UPath

import gongkai
from pipelines.publish import release as release_module
from pipelines.publish.changes import (
    CAME,
    NEW_FILE,
    READ_ANEW,
    SUPPLEMENT,
    TAKEN_BACK,
    WENT,
    Change,
    change_lines,
    changed_cells,
)
from pipelines.publish.history import HistoryError, read_history, read_latest
from pipelines.publish.package import SUMS, build_package, sums_of
from pipelines.publish.release import (
    STAGING,
    ReleaseDamagedError,
    ReleaseError,
    ReleaseWithdrawnError,
    current_release,
    is_release,
    publish,
    release_files,
    release_id,
    withdraw,
)
from pipelines.publish.verify import verify
from pipelines.storage import PARTIAL, sha256
from tests.publish.county import CODE, YEAR, county, form, region

CELL = "proactive.licences.decisions"
Files = dict[str, bytes]


@cache
def built(plus: int = 0) -> Files:
    """A release; with ``plus`` the first body issued so many more licences, and so did the county."""
    tables = county()
    at = (pl.col("cell") == CELL) & pl.lit(value=True)
    for name in ("body_cells", "county_totals"):
        here = at & (pl.col("body") == f"{CODE}-D01") if name == "body_cells" else at
        value = pl.when(here).then(pl.col("value") + plus).otherwise(pl.col("value"))
        tables[name] = tables[name].with_columns(value.cast(tables[name]["value"].dtype).alias("value"))
    return build_package(region(), YEAR, tables, form())


def root(out: Path) -> Path:
    return out / CODE / str(YEAR)


def put(files: Files, out: Any) -> Any:
    return publish(files, out, CODE, YEAR)


def tree(folder: Path) -> dict[str, bytes | str]:
    """Everything in a folder: bytes of files, targets of links."""
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_a_release_is_named_by_its_content_and_put_in_place_whole(tmp_path: Path) -> None:
    published = put(built(), tmp_path)
    assert published.new
    assert (published.previous, published.changes) == ("", ())
    assert published.id == sha256(built()[SUMS])[:16]
    folder = root(tmp_path) / "releases" / published.id
    assert published.path == UPath(folder)
    assert tree(folder) == built()
    assert is_release(UPath(folder))
    assert json.loads((root(tmp_path) / "latest.json").read_bytes()) == {
        "id": published.id,
        "path": f"releases/{published.id}",
        "sha256sums": sha256(built()[SUMS]),
    }
    assert (root(tmp_path) / "latest").readlink() == Path("releases") / published.id
    assert verify(root(tmp_path)).valid


def test_a_releases_files_are_read_only(tmp_path: Path) -> None:
    folder = put(built(), tmp_path).path
    assert {path.stat().st_mode & 0o222 for path in Path(folder).rglob("*") if path.is_file()} == {0}


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    first = put(built(), tmp_path)
    before = tree(tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != ".lock"}
    again = put(built(), tmp_path)
    assert (again.id, again.new, again.changes) == (first.id, False, ())
    assert tree(tmp_path) == before
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != ".lock"} == times


def test_the_same_releases_in_the_same_order_give_the_same_bytes_everywhere(tmp_path: Path) -> None:
    for out in (tmp_path / "a", tmp_path / "b"):
        for plus in (0, 1, 0):
            put(built(plus), out)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_a_new_release_says_what_changed_beside_and_not_inside(tmp_path: Path) -> None:
    first = put(built(), tmp_path)
    second = put(built(3), tmp_path)
    alone = put(built(3), tmp_path / "alone")
    assert (second.new, second.previous) == (True, first.id)
    assert second.id == alone.id
    assert {(change.table, change.body, change.cell) for change in second.changes} == {
        ("county_totals", "", CELL),
        ("body_cells", f"{CODE}-D01", CELL),
    }
    for change in second.changes:
        assert Decimal(change.after or "") - Decimal(change.before or "") == 3
    total, figure = second.changes
    assert (figure.reason_zh, figure.reason_en) == READ_ANEW
    assert total.reason_zh == "第1局（示例）的数字有变化"
    history = read_history(tmp_path, CODE, YEAR)
    assert [(e.sequence, e.event, e.id, e.previous) for e in history.events] == [
        (1, "published", first.id, ""),
        (2, "published", second.id, first.id),
    ]
    assert history.events[1].changes == second.changes
    assert tree(Path(first.path)) == built()


def test_the_front_door_tells_in_short_what_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = put(built(), tmp_path), put(built(3), tmp_path)
    gongkai._release_note(str(tmp_path), CODE, YEAR, first.id)
    assert capsys.readouterr().out == ""
    gongkai._release_note(str(tmp_path), CODE, YEAR, second.id)
    head, total, figure = capsys.readouterr().out.splitlines()
    assert first.id in head
    assert "2 figures" in head
    assert CELL in total
    assert f"{second.changes[1].before} → {second.changes[1].after}" in figure
    assert READ_ANEW[1] in figure


def test_a_body_that_joins_or_leaves_is_a_change_of_each_of_its_figures(tmp_path: Path) -> None:
    put(build_package(region(), YEAR, county(waived=1), form()), tmp_path)
    joined = put(built(), tmp_path)
    new = [change for change in joined.changes if change.body == f"{CODE}-D03"]
    assert len(new) == 203
    assert {change.before for change in new} == {None}
    assert {(change.reason_zh, change.reason_en) for change in new} == {CAME}
    left = put(build_package(region(), YEAR, county(waived=1), form()), tmp_path)
    gone = [change for change in left.changes if change.body == f"{CODE}-D03"]
    assert {change.after for change in gone} == {None}
    waived = "机构撤并（负责人，2024-02-01）"
    assert {(change.reason_zh, change.reason_en) for change in gone} == {
        (f"{WENT[0]}，经批准豁免：{waived}", f"{WENT[1]}; waived: {waived}")
    }
    assert len(gone) == 203
    lines = change_lines(left.changes)
    assert len(lines) == 6
    assert lines[0][0].startswith(f"{left.changes[0].cell}：")
    assert lines[-1] == (f"另有 {len(left.changes) - 5} 处", f"{len(left.changes) - 5} more")


def test_the_cause_of_a_change_is_the_new_file_or_the_approved_correction() -> None:
    one = f"{CODE}-D01"

    def issued_more() -> dict[str, pl.DataFrame]:
        at = pl.col("cell") == CELL
        tables = county()
        more = pl.when(at & (pl.col("body") == one)).then(pl.col("value") + 3).otherwise(pl.col("value"))
        other = pl.when(pl.col("body") == one).then(pl.lit("f" * 64)).otherwise(pl.col("file_sha256"))
        tables["bodies"] = tables["bodies"].with_columns(other.alias("file_sha256"))
        tables["body_cells"] = tables["body_cells"].with_columns(more.alias("value"), other.alias("file_sha256"))
        return tables

    def causes(tables: dict[str, pl.DataFrame]) -> set[tuple[str, str]]:
        changes = changed_cells(built(), build_package(region(), YEAR, tables, form()))
        return {(change.reason_zh, change.reason_en) for change in changes if change.body == one}

    assert causes(issued_more()) == {NEW_FILE}
    tables = issued_more()
    row = dict.fromkeys(tables["findings"].columns) | {"region": CODE, "year": YEAR, "body": one, "cells": CELL}
    row |= {"finding": 1, "rule": "correction_applied", "severity": "information", "mended_by": "officer"}
    row |= {"message_zh": "按批准更正", "message_en": "corrected"}
    tables["findings"] = pl.DataFrame([row], schema=tables["findings"].schema, orient="row")
    assert causes(tables) == {("按批准更正", "corrected")}
    corrected = county() | {"findings": tables["findings"]}
    back = changed_cells(build_package(region(), YEAR, corrected, form()), built(3))
    assert {(change.reason_zh, change.reason_en) for change in back if change.body == one} == {TAKEN_BACK}
    supplement = county()
    supplement["indicators"] = supplement["indicators"].with_columns((pl.col("value") + 1).alias("value"))
    (more,) = changed_cells(built(), build_package(region(), YEAR, supplement, form()))
    assert (more.reason_zh, more.reason_en) == SUPPLEMENT
    assert change_lines([more]) == ((f"documents：12.5 → 13.5，{SUPPLEMENT[0]}", SUPPLEMENT[1]),)


def test_a_release_without_a_table_published_none_of_its_figures() -> None:
    before = {name: data for name, data in built().items() if name != "data/indicators.parquet"}
    (change,) = changed_cells(before, built())
    why_zh, why_en = SUPPLEMENT
    assert change == Change(
        table="indicators", cell="documents", before=None, after="12.5", reason_zh=why_zh, reason_en=why_en
    )


def test_going_back_to_earlier_data_moves_latest_and_is_recorded(tmp_path: Path) -> None:
    first, second = put(built(), tmp_path), put(built(1), tmp_path)
    back = put(built(), tmp_path)
    assert (back.id, back.new, back.previous) == (first.id, True, second.id)
    assert [e.id for e in read_history(tmp_path, CODE, YEAR).events] == [first.id, second.id, first.id]
    assert current_release(tmp_path, CODE, YEAR) == UPath(first.path)


# --- refusals -----------------------------------------------------------------------------------------------


def test_files_that_their_sums_do_not_cover_are_refused(tmp_path: Path) -> None:
    for files in (
        built() | {"README.md": b"altered"},
        built() | {"extra": b""},
        {name: data for name, data in built().items() if name != "README.md"},
        {name: data for name, data in built().items() if name != SUMS},
    ):
        with pytest.raises(ReleaseError, match=SUMS):
            put(files, tmp_path)
    assert not root(tmp_path).exists()


@pytest.mark.parametrize("damage", ["altered", "missing", "added"])
def test_a_damaged_release_is_an_error_and_is_not_rewritten(tmp_path: Path, damage: str) -> None:
    folder = Path(put(built(), tmp_path).path)
    (folder / "README.md").chmod(0o644)
    if damage == "altered":
        (folder / "README.md").write_bytes(b"altered")
    elif damage == "missing":
        (folder / "README.md").unlink()
    else:
        (folder / "data" / "note.txt").write_bytes(b"")
    before = tree(tmp_path)
    with pytest.raises(ReleaseDamagedError, match=r"note\.txt" if damage == "added" else r"README\.md"):
        put(built(), tmp_path)
    assert tree(tmp_path) == before


def test_a_lost_or_damaged_previous_release_stops_the_next_with_a_clear_word(tmp_path: Path) -> None:
    first = put(built(), tmp_path)
    shutil.rmtree(first.path)
    with pytest.raises(ReleaseDamagedError, match="withdraw"):
        put(built(1), tmp_path)
    withdraw(tmp_path, CODE, YEAR, first.id, "丢失", "张三")
    assert put(built(1), tmp_path).new


@pytest.mark.parametrize("name", ["history.json", "latest.json"])
def test_a_damaged_record_stops_everything_with_a_clear_word(tmp_path: Path, name: str) -> None:
    published = put(built(), tmp_path)
    (root(tmp_path) / name).write_bytes(b'{"region": 5')
    with pytest.raises(HistoryError, match=name):
        put(built(1), tmp_path)
    with pytest.raises(HistoryError, match=name):
        withdraw(tmp_path, CODE, YEAR, published.id, "错误", "张三")


# --- withdrawal ---------------------------------------------------------------------------------------------


def test_a_withdrawal_brings_the_release_before_back(tmp_path: Path) -> None:
    first, second = put(built(), tmp_path), put(built(1), tmp_path)
    assert withdraw(tmp_path, CODE, YEAR, second.id, " 总数有误 ", "张三") == UPath(first.path)
    latest = read_latest(tmp_path, CODE, YEAR)
    assert latest is not None
    assert latest.id == first.id
    assert (root(tmp_path) / "latest").readlink() == Path("releases") / first.id
    event = read_history(tmp_path, CODE, YEAR).events[-1]
    assert (event.event, event.id, event.reason, event.approved_by) == ("withdrawn", second.id, "总数有误", "张三")
    assert tree(Path(second.path)) == built(1)


def test_withdrawing_the_only_release_leaves_none(tmp_path: Path) -> None:
    first = put(built(), tmp_path)
    assert withdraw(tmp_path, CODE, YEAR, first.id, "错误", "张三") is None
    assert current_release(tmp_path, CODE, YEAR) is None
    assert not (root(tmp_path) / "latest").is_symlink()
    assert not (root(tmp_path) / "latest.json").exists()
    assert put(built(1), tmp_path).previous == ""


def test_withdrawing_an_older_release_leaves_latest_alone(tmp_path: Path) -> None:
    first, second = put(built(), tmp_path), put(built(1), tmp_path)
    assert withdraw(tmp_path, CODE, YEAR, first.id, "错误", "张三") == UPath(second.path)


def test_withdrawn_data_are_not_published_again(tmp_path: Path) -> None:
    first, second = put(built(), tmp_path), put(built(1), tmp_path)
    withdraw(tmp_path, CODE, YEAR, second.id, "总数有误", "张三")
    with pytest.raises(ReleaseWithdrawnError, match="总数有误"):
        put(built(1), tmp_path)
    assert current_release(tmp_path, CODE, YEAR) == UPath(first.path)


@pytest.mark.parametrize(
    ("identifier", "reason", "name", "problem"),
    [
        ("0123456789abcdef", "错误", "张三", "没有发布过"),
        ("", "错误", "张三", "没有发布过"),
        (None, " ", "张三", "原因"),
        (None, "错误", "", "批准人"),
    ],
)
def test_a_senseless_withdrawal_is_refused(
    tmp_path: Path, identifier: str | None, reason: str, name: str, problem: str
) -> None:
    first = put(built(), tmp_path)
    before = tree(tmp_path)
    with pytest.raises(ReleaseError, match=problem):
        withdraw(tmp_path, CODE, YEAR, first.id if identifier is None else identifier, reason, name)
    assert tree(tmp_path) == before


def test_a_second_withdrawal_is_refused(tmp_path: Path) -> None:
    first = put(built(), tmp_path)
    withdraw(tmp_path, CODE, YEAR, first.id, "错误", "张三")
    with pytest.raises(ReleaseError, match="已经撤回"):
        withdraw(tmp_path, CODE, YEAR, first.id, "错误", "张三")


# --- killed at any step -------------------------------------------------------------------------------------

STEPS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.chmod", "shutil.rmtree")


def killed_at(step: int, act: Callable[[], object]) -> bool:
    """Run ``act`` in a child that dies without warning just before its ``step``-th file operation; whether it died."""
    child = os.fork()
    if child == 0:
        seen = 0

        def count(event: str, _: tuple[object, ...]) -> None:
            nonlocal seen
            if event in STEPS:
                seen += 1
                if seen == step:
                    os._exit(137)

        try:
            sys.addaudithook(count)
            act()
        finally:  # whatever happens, the child never goes on as a second test run
            if error := sys.exception():
                traceback.print_exception(error)
            os._exit(1 if error else 0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 137), "the child failed by itself"
    return code == 137


def leftovers(out: Path) -> list[str]:
    return [path.name for path in out.rglob("*") if path.name.startswith(STAGING) or path.name.endswith(PARTIAL)]


def sound(out: Path) -> None:
    """Whatever is visible is whole: every release folder, and what ``latest`` names."""
    releases = root(out) / "releases"
    for folder in releases.iterdir() if releases.exists() else ():
        if not folder.name.startswith("."):
            assert release_id(release_files(UPath(folder))) == folder.name
            assert sums_of(release_files(UPath(folder))) == (folder / SUMS).read_bytes()
    latest = read_latest(out, CODE, YEAR)
    history = read_history(out, CODE, YEAR)
    if latest is not None:
        assert is_release(UPath(releases / latest.id))
        assert latest.id in {event.id for event in history.events}
    link = root(out) / "latest"
    if link.is_symlink():
        assert is_release(UPath(link.resolve()))


def wanted(out: Path, *acts: Callable[[Path], object]) -> dict[str, bytes | str]:
    for act in acts:
        act(out)
    return tree(out)


def first(out: Path) -> object:
    return put(built(), out)


def second(out: Path) -> object:
    return put(built(1), out)


def withdrawal(out: Path) -> object:
    return withdraw(out, CODE, YEAR, release_id(built(1)), "错误", "张三")


@pytest.mark.parametrize(
    ("before", "act"),
    [((), first), ((first,), second), ((first, second), first), ((first, second), withdrawal)],
    ids=["first release", "second release", "back to the first", "withdrawal"],
)
def test_killed_anywhere_nothing_half_is_visible_and_the_next_run_mends_it(
    tmp_path: Path, before: tuple[Callable[[Path], object], ...], act: Callable[[Path], object]
) -> None:
    expected = wanted(tmp_path / "whole", *before, act)
    start = tmp_path / "start"
    wanted(start, *before)
    step = 1
    while True:
        out = tmp_path / f"step-{step}"
        if start.exists():
            shutil.copytree(start, out, symlinks=True)
        died = killed_at(step, lambda out=out: act(out))
        sound(out)
        if not died:
            break
        try:
            act(out)
        except ReleaseError:
            assert act is withdrawal  # it had gone through before the kill
        assert tree(out) == expected, step
        assert leftovers(out) == []
        shutil.rmtree(out)
        step += 1
    assert step > 5
    assert tree(out) == expected


def test_a_killed_withdrawal_is_finished_by_the_next_publication_of_the_same_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = put(built(), tmp_path), put(built(1), tmp_path)

    def killed(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(release_module, "_point", killed)
        with pytest.raises(KeyboardInterrupt):
            withdraw(tmp_path, CODE, YEAR, second.id, "错误", "张三")
    assert current_release(tmp_path, CODE, YEAR) == UPath(second.path)
    with pytest.raises(ReleaseWithdrawnError):
        put(built(1), tmp_path)
    assert current_release(tmp_path, CODE, YEAR) == UPath(first.path)


def test_two_publications_at_once_take_turns(tmp_path: Path) -> None:
    children = []
    for plus in (0, 1, 2):
        built(plus)
    for plus in (0, 1, 2):
        child = os.fork()
        if child == 0:
            try:
                for _ in range(4):
                    put(built(plus), tmp_path)
            finally:
                if error := sys.exception():
                    traceback.print_exception(error)
                os._exit(1 if error else 0)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]
    sound(tmp_path)
    assert leftovers(tmp_path) == []
    events = read_history(tmp_path, CODE, YEAR).events
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert {event.id for event in events} == {release_id(built(plus)) for plus in (0, 1, 2)}
    assert all(event.previous == (events[number - 1].id if number else "") for number, event in enumerate(events))


def test_a_file_system_without_links_goes_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    assert put(built(), tmp_path).new
    assert not (root(tmp_path) / "latest").exists()
    assert verify(root(tmp_path)).valid


# --- other storage ------------------------------------------------------------------------------------------


@pytest.fixture
def memory() -> UPath:
    place = UPath("memory://release-test")
    if place.exists():
        place.fs.rm(place.path, recursive=True)
    return place


def test_other_storage_has_the_same_releases(memory: UPath, tmp_path: Path) -> None:
    for plus in (0, 1, 1):
        remote, local = put(built(plus), memory), put(built(plus), tmp_path)
        assert (remote.id, remote.new, remote.previous, remote.changes) == (
            local.id,
            local.new,
            local.previous,
            local.changes,
        )
    here = memory / CODE / str(YEAR)
    for name in ("history.json", "latest.json"):
        assert (here / name).read_bytes() == (root(tmp_path) / name).read_bytes()
    assert release_files(remote.path) == built(1)
    assert withdraw(memory, CODE, YEAR, remote.id, "错误", "张三") == here / "releases" / release_id(built())
    assert withdraw(memory, CODE, YEAR, release_id(built()), "错误", "张三") is None


def test_on_other_storage_a_release_without_its_sums_is_none_and_is_replaced(memory: UPath) -> None:
    releases = memory / CODE / str(YEAR) / "releases"
    for name in (release_id(built()), "0123456789abcdef"):
        (releases / name / "README.md").write_bytes(b"half")
        assert not is_release(releases / name)
    assert put(built(), memory).new
    assert [path.name for path in releases.iterdir()] == [release_id(built())]
    assert verify(releases / release_id(built())).valid


def test_changes_are_frozen_data() -> None:
    change = Change(table="county_totals", cell=CELL, before=None, after="1")
    with pytest.raises(AttributeError):
        change.after = "2"  # type: ignore[misc]
