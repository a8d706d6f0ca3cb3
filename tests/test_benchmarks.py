"""The benchmarks' report: figures and aims as data, what a failure leaves standing, and one section really run."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import msgspec
import pytest

from benchmarks import __main__ as command
from benchmarks import machine, validate
from benchmarks.report import (
    REPORT,
    RESULTS,
    SECTIONS,
    Aim,
    Entry,
    Kept,
    Results,
    Taken,
    load_entries,
    load_results,
    report,
    results_bytes,
    section_text,
    table_text,
)
from benchmarks.rounds import Worker
from benchmarks.section import Figures, Section, Shown, deliver, median_ratio, slope, table

ENTRIES = load_entries()
HERE = machine.Machine(
    processors=2, model="a processor", memory_gib=8, kernel="Linux 6", file_system="ext4", python="3.11.7"
)
OLD = Taken(date="2026-01-02 03:04 UTC", commit="0123456789ab", load=0.01, machine=HERE)
# Modules of the standard library stand for sections that come to nothing: one refuses its arguments, one tells nothing.
REFUSING = Entry(name="refusing", module="json.tool", title="Refusing", seconds=5, quick=5)
SILENT = Entry(name="silent", module="this", title="Silent", seconds=5, quick=5)


def section(**values: float) -> Section:
    figures = Figures()
    rows = [[name, figures(f"{name}.seconds", value, "{:.2f} s")] for name, value in values.items()]
    return Section(figures.values, (table("Both.", ("way", "time"), rows),), libraries={"polars": "2.1.0"})


def results(**sections: Kept) -> Results:
    return Results(run=OLD, sections=sections)


def kept(**values: float) -> Kept:
    return Kept(section=section(**values), taken=OLD, stretch=machine.Stretch(63.0, 0.02))


# --- figures, tables, aims ------------------------------------------------------------------------------------


def test_a_figure_is_given_once_and_is_a_number() -> None:
    figures = Figures()
    assert figures("a", 0.123456789, "{:.1f}") == Shown("a", "{:.1f}")
    assert figures.values == {"a": 0.123457}
    with pytest.raises(ValueError, match="the figure a is given twice"):
        figures("a", 1.0)
    with pytest.raises(ValueError, match="the figure b is nan"):
        figures("b", float("nan"))


def test_a_table_is_as_wide_as_its_head_and_shows_what_is_given(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 cells below 2 heads"):
        table("", ("a", "b"), [("x",)])
    wrong = Section({}, (table("", ("a", "b"), [("x", Shown("gone", "{}"))]),))
    with pytest.raises(ValueError, match="shows the figure gone"):
        deliver(wrong, tmp_path / "section.json")
    assert not (tmp_path / "section.json").exists()
    deliver(section(ours=1.0), tmp_path / "section.json")
    assert msgspec.json.decode((tmp_path / "section.json").read_bytes(), type=Section) == section(ours=1.0)


def test_slope_and_ratio() -> None:
    assert slope({10: 3.0, 100: 30.0, 1000: 300.0}) == pytest.approx(1)
    assert slope({10: 3.0, 100: 300.0}) == pytest.approx(2)
    assert median_ratio([2.0, 30.0, 9.0], [1.0, 10.0, 1.0]) == 3.0
    for points in ({}, {10: 1.0}, {10: 1.0, 100: 0.0}):
        with pytest.raises(ValueError, match="no slope"):
            slope(points)


@pytest.mark.parametrize(
    ("aim", "found", "verdict"),
    [
        (Aim(figure="x", about="", most=2.0), 2.0, "kept"),
        (Aim(figure="x", about="", most=2.0), 2.001, "missed"),
        (Aim(figure="x", about="", least=2.0), 2.0, "kept"),
        (Aim(figure="x", about="", least=2.0), 1.999, "missed"),
        (Aim(figure="y", about="", most=2.0), 1.0, "not measured"),
    ],
)
def test_whether_an_aim_is_kept(aim: Aim, found: float, verdict: str) -> None:
    assert aim.verdict({"x": found}) == verdict


def test_the_aim_stands_beside_its_figure() -> None:
    shown = section(floor=1.0, ours=1.5, peer=9.0)
    aims = {aim.figure: aim for aim in (Aim(figure="ours.seconds", about="", most=1.25),)}
    lines = table_text(shown.tables[0], shown.figures, aims).splitlines()
    assert lines[2:] == [
        "| way | time | aim |",
        "| --- | ---: | --- |",
        "| floor | 1.00 s |  |",
        "| ours | 1.50 s | time at most 1.25 s: **missed** |",
        "| peer | 9.00 s |  |",
    ]
    assert "aim" not in table_text(shown.tables[0], shown.figures, {})


# --- sections.toml --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_section_is_a_module_that_measures(entry: Entry) -> None:
    module = importlib.import_module(entry.module)
    assert callable(module.measure)
    assert callable(module.main)


ONE = '[[sections]]\nname = "a"\nmodule = "m"\ntitle = "A"\nseconds = 1\nquick = 1\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (ONE + ONE, "sections of one name"),
        (ONE + 'aims = [{ figure = "x", about = "" }]', "one of most and least"),
        (ONE + 'aims = [{ figure = "x", about = "", most = 1, least = 1 }]', "one of most and least"),
        (ONE + 'aims = [{ figure = "x", about = "", limit = 1 }]', "unknown field"),
        (ONE.replace("seconds = 1\n", ""), "missing required field"),
    ],
)
def test_a_wrong_table_of_sections_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / SECTIONS.name
    path.write_text(ONE, encoding="utf-8")
    assert [entry.name for entry in load_entries(path)] == ["a"]
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=problem):
        load_entries(path)


# --- the report -----------------------------------------------------------------------------------------------


def test_the_report_tells_where_when_and_how_busy() -> None:
    entry = msgspec.structs.replace(SILENT, aims=(Aim(figure="ours.seconds", about="ours in time", most=1.0),))
    text = report([entry], results(silent=kept(ours=1.5)))
    assert "2 processors (a processor), 8 GiB of memory" in text
    assert "2026-01-02 03:04 UTC, commit `0123456789ab`" in text
    assert "not idle" not in text
    assert "It took 63 s; other programs took 2% of the processors meanwhile." in text
    assert "Measured: polars 2.1.0." in text
    assert "1 aims: 1 missed." in text
    assert "| silent | ours in time | at most 1 | 1.5 | **missed** |" in text
    busy = msgspec.structs.replace(OLD, load=1.9)
    assert "**1.90: the machine was not idle**" in report([entry], Results(run=busy, sections={}))
    disturbed = msgspec.structs.replace(kept(ours=1.5), stretch=machine.Stretch(63.0, 0.4))
    assert "the machine was not idle: other programs took 40%" in report([entry], results(silent=disturbed))
    quick = msgspec.structs.replace(OLD, quick=True)
    hasty = msgspec.structs.replace(kept(ours=0.5), taken=quick)
    text = report([entry], Results(run=quick, sections={"silent": hasty}))
    assert "A quick run" in text
    assert "| ours | 0.50 s |\n" in text
    assert "1 aims: 1 not measured." in text, "the aims speak of other sizes"


def test_the_data_have_a_line_for_each_figure_and_read_back_the_same(tmp_path: Path) -> None:
    written = results(silent=kept(ours=1.5, floor=1.0))
    path = tmp_path / RESULTS.name
    path.write_bytes(results_bytes(written))
    assert load_results(path) == written
    other = results_bytes(results(silent=kept(ours=1.6, floor=1.0)))
    changed = [a for a, b in zip(results_bytes(written).splitlines(), other.splitlines(), strict=True) if a != b]
    assert changed == [b'"ours.seconds": 1.5']
    assert written.figure("silent.ours.seconds") == 1.5
    assert written.figure("silent.ours") is written.figure("refusing.ours") is None
    assert load_results(tmp_path / "absent.json") is None


def test_the_report_of_the_project_follows_from_its_data() -> None:
    stored, text = load_results(RESULTS), REPORT.read_text(encoding="utf-8")
    if stored is None:  # before the first run of the command the report must not pass for one
        assert "Written by `make benchmarks`" not in text
        return
    assert text == report(ENTRIES, stored)
    assert not stored.run.quick
    for entry in ENTRIES:
        known = stored.sections.get(entry.name, Kept())
        if known.section and not known.failure and not known.section.left_out:
            assert [aim.figure for aim in entry.aims if aim.figure not in known.section.figures] == []


# --- running --------------------------------------------------------------------------------------------------


def test_a_section_that_fails_leaves_the_old_one_standing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    entries = [REFUSING, SILENT]
    command.put(tmp_path, entries, results(refusing=kept(ours=1.5), gone=kept(ours=1.0)))
    found = command.measure(entries, entries, False, tmp_path)
    assert found == load_results(tmp_path / RESULTS.name)
    assert set(found.sections) == {"refusing", "silent"}, "a section that is no more is forgotten"
    said = capfd.readouterr().out
    assert re.search(r"^\[1/2\] refusing: FAILED: .* in \d+ s, about 5 s left$", said, re.MULTILINE)
    assert re.search(r"^\[2/2\] silent: FAILED: it told nothing", said, re.MULTILINE)
    text = (tmp_path / REPORT.name).read_text(encoding="utf-8")
    assert text == report(entries, found)
    old, new = text.split("## Refusing")[1].split("## Silent")
    assert "**Failed** on" in old
    assert "Of an earlier run: 2026-01-02 03:04 UTC, commit `0123456789ab`" in old
    assert "| ours | 1.50 s |" in old
    assert "**Failed** on" in new
    assert "| way |" not in new


def test_a_section_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PATIENCE", 0)
    monkeypatch.setattr(command, "SLOWER", 0)
    assert command.run_module(SILENT, False)[0] == "it took longer than 0 s"


def test_a_quick_run_is_not_written_into_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    for place in (["--write"], ["--into", str(machine.ROOT / "data" / "bench")]):
        with pytest.raises(SystemExit) as ended:
            command.main(["--quick", *place])
        assert ended.value.code == 2
        assert "outside the project" in capsys.readouterr().err


def test_no_place_of_this_machine_is_told() -> None:
    assert command.plain(f"{machine.ROOT}/benchmarks: {Path.home()}") == "./benchmarks: ~"


def test_one_section_is_really_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--quick", "--only", "localise", "--into", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^\[1/1\] localise: measured in \d+ s$", said, re.MULTILINE)
    found = load_results(tmp_path / RESULTS.name)
    assert found is not None
    assert found.run.quick
    assert list(found.sections) == ["localise"]
    told = found.sections["localise"].section
    assert told is not None
    [entry] = [each for each in ENTRIES if each.name == "localise"]
    assert {aim.figure for aim in entry.aims} <= told.figures.keys()
    assert {cell.figure for each in told.tables for row in each.rows for cell in row if isinstance(cell, Shown)} <= (
        told.figures.keys()
    )
    text = (tmp_path / REPORT.name).read_text(encoding="utf-8")
    assert text == report(ENTRIES, found)
    assert section_text(told, (), "") in text
    assert text.count("Not measured yet.") == len(ENTRIES) - 1
    for line in text.splitlines():
        assert line.count("|") == 0 or line.startswith("| ")
        assert str(machine.ROOT) not in line


# --- the rules over many submissions --------------------------------------------------------------------------


def test_submissions_are_measured_by_every_variant_of_ours(tmp_path: Path) -> None:
    told = tmp_path / "section.json"
    validate.main(["--rows", "300", "900", "--rounds", "1", "--only", "stream_bounded", "--json", str(told)])
    found = msgspec.json.decode(told.read_bytes(), type=Section)
    assert {f"{rows}.{name}.x_floor" for rows in (300, 900) for name in (*validate.ALWAYS, "stream_bounded")} <= (
        found.figures.keys()
    )
    assert "growth.stream_bounded.slope_300_900" in found.figures
    assert found.figures["300.floor.x_floor"] == 1.0


COUNTS = {"outcome_sum": 2, "row_total": 1}
AGREED = {
    "floor": {"rows": 10},
    "counts": {"counts": COUNTS},
    "long_list": {"counts": COUNTS, "pairs": "ab", "list": 3},
    "peer": {"counts": COUNTS, "pairs": "ab", "list": 3},
    "gate": {"gate": ["row_total"]},
}


@pytest.mark.parametrize(
    ("name", "told", "problem"),
    [
        ("floor", {"rows": 9}, "floor read 9 of 10"),
        ("peer", {"counts": {"row_total": 1}}, "peer counts otherwise"),
        ("peer", {"pairs": "cd", "list": 3}, "peer lists otherwise"),
        ("peer", {"pairs": "ab", "list": 2}, "peer lists more or less"),
        ("gate", {"gate": ["outcome_sum"]}, "the gate names other rules"),
    ],
)
def test_variants_that_find_something_else_end_the_benchmark(name: str, told: dict, problem: str) -> None:
    validate.agree(AGREED, {"row_total"}, 10)
    with pytest.raises(SystemExit, match=problem):
        validate.agree({**AGREED, name: told}, {"row_total"}, 10)


def test_a_variant_that_would_not_fit_into_memory_is_left_out_with_the_reason() -> None:
    gib = 1024**3
    before = {100: [{"counts": {"peak": 2 * gib, "imported": gib}, "gate": {"peak": 4 * gib, "imported": gib}}]}
    assert validate.fitting(["counts", "gate"], {}, 100, gib) == (["counts", "gate"], [])
    assert validate.fitting(["counts", "gate"], before, 400, 13 * gib) == (["counts", "gate"], [])
    names, reasons = validate.fitting(["counts", "gate", "left"], before, 400, 12 * gib)
    assert names == ["counts"]
    assert len(reasons) == 1, "one that was left out before is not told again"
    late = validate.fitting(["counts", "stream_localise"], {}, 2 * validate.MILLION, gib)
    assert late[0] == ["counts"]
    assert late[1][0].endswith("2,000,000 submissions: to save time")
    assert validate.fitting(["stream_localise"], {}, validate.MILLION, gib) == (["stream_localise"], [])
    assert "pandera on the residuals, 400 submissions: expected to need 13 GiB" in reasons[0]


# --- the machine ----------------------------------------------------------------------------------------------


def test_without_the_peers_environment_a_section_says_how_to_make_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine, "PEERS", tmp_path / "none")
    assert machine.peers() is None
    with pytest.raises(FileNotFoundError, match="make setup-peers"):
        machine.interpreter(True)
    told = tmp_path / "section.json"
    validate.main(["--rows", "200", "--rounds", "1", "--only", "dataframely_list", "--json", str(told)])
    found = msgspec.json.decode(told.read_bytes(), type=Section)
    assert found.left_out == ("dataframely, peers are not installed: make setup-peers",)


def test_a_process_that_serves_rounds_and_one_that_cannot(tmp_path: Path) -> None:
    (tmp_path / "return.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    python = machine.interpreter(False)
    with Worker(python, "benchmarks.ingest_ways", "csv", folder=tmp_path, root=machine.ROOT) as worker:
        assert [set(worker.round()) for _ in range(2)] == [{"bare", "gongkai"}] * 2
    with (
        Worker(python, "benchmarks.ingest_ways", "papyrus", folder=tmp_path, root=machine.ROOT) as worker,
        pytest.raises(SystemExit, match="ingest_ways papyrus ended with 1"),
    ):
        worker.round()


def test_how_busy_others_were_is_a_share() -> None:
    watch = machine.Watch()
    sum(range(200_000))
    found = watch.stop()
    assert found.seconds >= 0
    assert found.others is None or 0 <= found.others <= 1
    assert machine.file_system(Path("/")) != ""
    assert machine.available_memory() > 0
