"""What was measured, kept as data (results.json) and told in words (RESULTS.md), which follow from the data alone.

Belongs here: the record of a run, the table of sections and aims (sections.toml), whether an aim is kept, Markdown.
Does not belong here: measuring, running modules (__main__.py).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from benchmarks.machine import IDLE, OTHERS, Machine, Stretch, said
from benchmarks.section import Cell, Section, Shown, Table

HERE = Path(__file__).parent
SECTIONS, RESULTS, REPORT = HERE / "sections.toml", HERE / "results.json", HERE / "RESULTS.md"
Verdict = Literal["kept", "missed", "not measured"]


class Aim(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A bound set for a figure of a section: at most or at least."""

    figure: str
    about: str
    most: float | None = None
    least: float | None = None

    def __post_init__(self) -> None:
        if (self.most is None) == (self.least is None):
            raise ValueError(f"the aim for {self.figure} needs one of most and least")

    def verdict(self, figures: Mapping[str, float]) -> Verdict:
        """Whether it is kept by what was measured."""
        if (found := figures.get(self.figure)) is None:
            return "not measured"
        kept = found <= self.most if self.most is not None else found >= (self.least or 0)
        return "kept" if kept else "missed"

    def bound(self, form: str = "{:g}") -> str:
        """The bound in words, written as its figure is."""
        side, value = ("at most", self.most) if self.most is not None else ("at least", self.least or 0.0)
        return f"{side} {form.format(value).strip()}"


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A section of the report: the module that measures it, about how long that takes, what is aimed at."""

    name: str
    module: str
    title: str
    seconds: int
    quick: int
    aims: tuple[Aim, ...] = ()


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """When and where a run began: ``load`` is the system's load of the last minute, before anything was started."""

    date: str
    commit: str
    load: float
    machine: Machine
    quick: bool = False


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The newest attempt at a section came to nothing."""

    date: str
    commit: str
    reason: str


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The newest success of a section with the run it is of, and the failure that came after it, if one did."""

    section: Section | None = None
    taken: Taken | None = None
    stretch: Stretch | None = None
    failure: Failure | None = None


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """The newest run, and what is known of each section by its name."""

    run: Taken
    sections: dict[str, Kept]

    def figure(self, key: str) -> float | None:
        """A figure by ``SECTION.key``; None where it was not measured."""
        name, _, rest = key.partition(".")
        kept = self.sections.get(name)
        return kept.section.figures.get(rest) if kept and kept.section else None


def load_entries(path: Path = SECTIONS) -> tuple[Entry, ...]:
    """The table of sections. Raises msgspec.ValidationError or ValueError for a wrong one."""
    entries = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), dict[str, tuple[Entry, ...]])["sections"]
    names = [entry.name for entry in entries]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"sections of one name: {sorted(repeated)}")
    return entries


def load_results(path: Path) -> Results | None:
    """What earlier runs measured; None where there was none."""
    return msgspec.json.decode(path.read_bytes(), type=Results) if path.exists() else None


def _lines(value: object, depth: int) -> str:
    """JSON with a line for each figure, table and note, and no more."""
    if depth and isinstance(value, dict) and value:
        inner = [f"{json.dumps(key)}: {_lines(each, depth - 1)}" for key, each in value.items()]
        return "{\n" + ",\n".join(inner) + "\n}"
    if depth and isinstance(value, list) and value:
        return "[\n" + ",\n".join(_lines(each, 0) for each in value) + "\n]"
    return json.dumps(value, ensure_ascii=False)


def results_bytes(results: Results) -> bytes:
    """The file results.json: keys in order, a line for each figure, so that a change of one is a change of a line."""
    return (_lines(msgspec.to_builtins(results, order="sorted"), 5) + "\n").encode()


# ---------------------------------------------------------------- words
def _cell(cell: Cell, figures: Mapping[str, float]) -> str:
    return cell.form.format(figures[cell.figure]) if isinstance(cell, Shown) else cell


def _numeric(cell: Cell) -> bool:
    return isinstance(cell, Shown) or not cell or re.match(r"[+-]?\d", cell) is not None


def _aims(table: Table, row: Sequence[Cell], figures: Mapping[str, float], aims: Mapping[str, Aim]) -> str:
    """What is aimed at for the figures of a row."""
    told = []
    for head, cell in zip(table.columns, row, strict=True):
        if isinstance(cell, Shown) and (aim := aims.get(cell.figure)):
            told.append(f"{head} {aim.bound(cell.form)}: {_marked(aim.verdict(figures))}")
    return "; ".join(told)


def _marked(verdict: Verdict) -> str:
    return f"**{verdict}**" if verdict == "missed" else verdict


def table_text(table: Table, figures: Mapping[str, float], aims: Mapping[str, Aim]) -> str:
    """A table in Markdown; where a figure has an aim, a last column says so and whether it is kept."""
    right = [at > 0 and all(_numeric(row[at]) for row in table.rows) for at in range(len(table.columns))]
    rows = [[_cell(cell, figures) for cell in row] for row in table.rows]
    heads, rules = list(table.columns), ["---:" if number else "---" for number in right]
    told = [_aims(table, row, figures, aims) for row in table.rows]
    if any(told):
        heads, rules = [*heads, "aim"], [*rules, "---"]
        rows = [[*row, aim] for row, aim in zip(rows, told, strict=True)]
    lines = [f"| {' | '.join(cells)} |" for cells in (heads, rules, *rows)]
    return "\n".join([table.title, "", *lines])


def section_text(section: Section, aims: Sequence[Aim], title: str) -> str:
    """A section in Markdown, without where and when it was measured."""
    by_figure = {aim.figure: aim for aim in aims}
    parts = [f"## {title}"] if title else []
    parts += section.notes
    if section.libraries:
        parts.append(f"Measured: {said(section.libraries)}.")
    parts += [f"Left out: {reason}." for reason in section.left_out]
    parts += [table_text(each, section.figures, by_figure) for each in section.tables]
    return "\n\n".join(parts)


def _busy(load: float, processors: int) -> bool:
    return load > IDLE * processors


def _where(taken: Taken) -> list[str]:
    """The machine of a run as a list."""
    here = taken.machine
    load = f"{taken.load:.2f}"
    if _busy(taken.load, here.processors):
        load = f"**{load}: the machine was not idle**, so times may be too long; ratios suffer less"
    return [
        f"- Machine: {here.processors} processors ({here.model}), {here.memory_gib} GiB of memory",
        f"- System: {here.kernel}; temporary files on {here.file_system}",
        f"- Load when the run began: {load}",
        f"- Python {here.python}; the libraries measured are named in each section",
        f"- {taken.date}, commit `{taken.commit}`" + (" (with changes not committed)" if "+" in taken.commit else ""),
    ]


def _origin(kept: Kept, run: Taken) -> Iterator[str]:
    """When a section was measured, as far as the head of the report does not say it."""
    if kept.failure:
        yield f"**Failed** on {kept.failure.date} at commit `{kept.failure.commit}`: {kept.failure.reason}"
    if kept.taken is None or kept.stretch is None:
        return
    if kept.taken != run:
        here = "the same machine" if kept.taken.machine == run.machine else f"{kept.taken.machine.model}"
        busy = ", **not idle**" if _busy(kept.taken.load, kept.taken.machine.processors) else ""
        yield (
            f"Of an earlier run: {kept.taken.date}, commit `{kept.taken.commit}`, {here}, load "
            f"{kept.taken.load:.2f} when it began{busy}."
        )
    others = kept.stretch.others
    words = "" if others is None else f"; other programs took {others:.0%} of the processors meanwhile"
    if others is not None and others > OTHERS:
        words = f"; **the machine was not idle: other programs took {others:.0%} of the processors meanwhile**"
    yield f"It took {kept.stretch.seconds:.0f} s{words}."


def _judged(kept: Kept | None) -> Section | None:
    """The section that aims are held against: none of a quick run, whose sizes are others than the aims speak of."""
    return kept.section if kept and kept.taken and not kept.taken.quick else None


def summary(entries: Sequence[Entry], results: Results) -> str:
    """All aims in one table, and how many are kept."""
    verdicts: list[Verdict] = []
    lines = ["| section | aim | bound | measured | |", "| --- | --- | ---: | ---: | --- |"]
    for entry in entries:
        section = _judged(results.sections.get(entry.name))
        figures = section.figures if section else {}
        for aim in entry.aims:
            verdicts.append(aim.verdict(figures))
            found = f"{figures[aim.figure]:.4g}" if aim.figure in figures else ""
            lines.append(f"| {entry.name} | {aim.about} | {aim.bound()} | {found} | {_marked(verdicts[-1])} |")
    words = ", ".join(
        f"{verdicts.count(each)} {each}" for each in ("kept", "missed", "not measured") if each in verdicts
    )
    return "\n".join(["## All aims", "", f"{len(verdicts)} aims: {words}.", "", *lines])


def report(entries: Sequence[Entry], results: Results) -> str:
    """The file RESULTS.md."""
    quick = [
        "**A quick run: small sizes, few rounds. These figures say that everything works, no more; aims are not "
        "judged.**"
    ]
    parts = [
        "# Results",
        "Written by `make benchmarks` from `results.json`; no line is typed by hand. Times are medians of interleaved "
        "rounds, ratios are medians of each round's ratio. All returns measured are synthetic.",
        *(quick if results.run.quick else []),
        "\n".join(_where(results.run)),
    ]
    for entry in entries:
        kept = results.sections.get(entry.name)
        head = f"## {entry.title}\n\n`python -m {entry.module}`"
        if kept is None:
            parts += [head, "Not measured yet."]
            continue
        parts += [head, *_origin(kept, results.run)]
        if kept.section:
            parts.append(section_text(kept.section, entry.aims if _judged(kept) else (), ""))
    return "\n\n".join([*parts, summary(entries, results)]) + "\n"
