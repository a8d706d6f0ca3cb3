"""One size of the benchmark of scale: a synthetic region carried through every stage after the intake, each measured.

Belongs here: the chain of stages and the clock beside it, run in a process of its own. Does not belong here: the
returns (scale_returns.py), running several sizes and telling of them (scale.py).

    python -m benchmarks.scale_chain BODIES
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.machine import MIB

LOUD = "SCALE_LOUD"  # set: each stage is told as it ends


def _memory(name: str) -> int:
    """Bytes held now (VmRSS) or at most since the last reset (VmHWM); 0 where the system does not tell."""
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(rf"{name}:\s+(\d+) kB", text)
    return int(found[1]) * 1024 if found else 0


class Clock:
    """Seconds of the processor and bytes held at most, by stage."""

    def __init__(self) -> None:
        self.told: dict[str, dict[str, float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what runs inside."""
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)  # what earlier stages gave back is no longer held
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the highest so far
        held, began = _memory("VmRSS"), time.process_time()
        yield
        seconds = time.process_time() - began
        self.told[name] = {"seconds": seconds, "memory": max(0, _memory("VmHWM") - held)}
        if LOUD in os.environ:
            print(f"{name:12} {seconds:8.3f} s {self.told[name]['memory'] / MIB:8.0f} MiB", file=sys.stderr, flush=True)


def chain(bodies: int, clock: Clock, folder: Path) -> dict[str, int]:
    """Every stage after the intake for a region of ``bodies``; answers what was made, in bytes and numbers."""
    import dagster  # noqa: F401 - what a run has loaded before its first stage
    import polars as pl

    from assets.publication import _checks
    from assets.views import coverage_view, findings_view, markdown, totals_view
    from benchmarks.scale_returns import make_returns
    from pipelines.aggregate.body_cells import body_cells, form_cells
    from pipelines.aggregate.gate import gate_frame
    from pipelines.aggregate.gate import verdicts as reach_verdicts
    from pipelines.aggregate.indicators import county_indicators
    from pipelines.aggregate.reconcile import reconcile
    from pipelines.aggregate.totals import county_totals, last_totals, unbalanced
    from pipelines.explanations_table import explanations_frame, explanations_from
    from pipelines.findings_table import findings_frame, findings_from, ordered
    from pipelines.ingest.cells import cells_frame
    from pipelines.publish.beside import write_catalogue, write_report
    from pipelines.publish.board import board_pages
    from pipelines.publish.package import build_package
    from pipelines.publish.package_checks import check_package
    from pipelines.publish.portal import build_site
    from pipelines.publish.receipts import body_returns, receipt_files
    from pipelines.publish.release import publish
    from pipelines.publish.trace import trace
    from pipelines.publish.verify import verify
    from pipelines.validate.bulk import gate
    from pipelines.validate.collect import collect_findings
    from pipelines.validate.roster import bodies_rows
    from pipelines.validate.submissions import (
        accept_submissions,
        attributes_of,
        history_of,
        judge_submissions,
        settle_submissions,
    )
    from schemas.frames import tidy_schema, tidy_types
    from schemas.region import Decisions

    made = make_returns(folder, bodies)
    gc.freeze()  # a run decodes its readings one by one: the collector must not go through them all again and again
    region, year, form, rules, reads = made.region, made.year, made.form, made.rules, made.reads
    code, decisions, received = region.settings.code, Decisions(), made.received
    cells = cells_frame(reads, code, year)
    out = folder / "out"
    facts: dict[str, int] = {"files": len(reads)}

    with clock.stage("history"):
        history = history_of(form, made.previous)
    folders = dict(zip(received["file"], received["folder_body"], strict=True))
    with clock.stage("settle"):
        settled = settle_submissions(reads, folders, region, year, form, rules, decisions, history)
    with clock.stage("judge"):
        judged = judge_submissions(settled.frame, reads, region, year, form, rules, history, has_history=True)
    with clock.stage("findings"):
        intake = findings_frame(ordered(settled.findings))
        together = [*findings_from(intake), *judged.findings]
        found = findings_frame(ordered(together, [rule.id for rule in rules.rules], form.index))
        explained = explanations_frame(judged.explained, code, year)
        explanations_from(explained)
    with clock.stage("accept"):
        given = findings_from(found)
        accepted, result = accept_submissions(settled.frame, given, received, region, year, form, decisions)
        sha256 = dict(zip(received["file"], received["file_sha256"], strict=True))
        roster = pl.DataFrame(bodies_rows(region, year, result, sha256), schema=tidy_types("bodies"), orient="row")
        tidy_schema("bodies").validate(roster)
        counted = findings_frame(result.findings)
    with clock.stage("body_cells"):
        figures = body_cells(form, accepted, cells)
    with clock.stage("totals"):
        totals = county_totals(form, accepted, code, year)
        last_totals(form, made.previous)
        stated = {read.file: read.indicators for read in reads}
        files = zip(accepted["body"], accepted["file"], strict=True)
        indicators = county_indicators(region, year, {body: stated[file] for body, file in files})
        _, mismatches = reconcile(form, totals, None, code, year)
    with clock.stage("collect"):
        broken = unbalanced(form, rules, totals, attributes_of(region))
        counts = findings_from(counted)
        collected = collect_findings(counts, mismatches, broken, region, year, decisions, form, rules)
        findings = findings_frame(collected)
    with clock.stage("views"):
        names = {body.code: body.name_zh for body in region.bodies}
        shown = {"body": "单位", "rank": "名次", "cell": "单元格", "reason": "理由"}
        views: list[dict[str, Any]] = [
            findings_view(intake),
            findings_view(found),
            findings_view(counted, names),
            findings_view(findings, names),
            coverage_view(roster),
            {"": markdown(explained, shown)},
            {"": markdown(accepted, {"body": "单位", "file": "文件"})},
            totals_view(totals, last_totals(form, made.previous), {cell.id: cell.label_zh for cell in form.cells}),
            *(dict(result.metadata or {}) for result in _checks(findings, rules, names)),
        ]
    facts["views"] = sum(len(str(getattr(one, "value", one))) for view in views for one in view.values())
    with clock.stage("gate"):
        verdicts = gate_frame(reach_verdicts(collected, gate(form, rules, accepted)))
    with clock.stage("receipts"):
        returns = body_returns(
            received,
            reads,
            [read.file for read in reads],
            settled.frame,
            roster,
            collected,
            explanations_from(explained),
        )
        facts["receipts"] = sum(len(data) for _, data in receipt_files(folder / "data", form, region, year, returns))
    del returns
    with clock.stage("board"):
        today = date(year + 1, 1, 20)
        pages = board_pages(region, year, roster.to_dicts(), collected, verdicts.to_dicts(), today)
        facts["board"] = max(map(len, pages.values()))
    tables = {
        "form_cells": form_cells(form),
        "bodies": roster,
        "body_cells": figures,
        "county_totals": totals,
        "findings": findings,
        "indicators": indicators,
    }
    with clock.stage("package"):
        package = build_package(region, year, tables, form)
    facts["package"] = sum(map(len, package.values()))
    with clock.stage("check"):
        wrong = check_package(package)
    facts["problems"] = sum(map(len, wrong.values()))
    with clock.stage("publish"):
        publish(package, out, code, year)
    with clock.stage("beside"):
        write_report(out, folder / "regions", region, year)
        write_catalogue(out, region, year, "")
    with clock.stage("portal"):
        build_site(out, folder / "portal")
    facts["page"] = max(path.stat().st_size for path in (folder / "portal").rglob("*.html"))
    with clock.stage("verify"):
        verify(out / code / str(year))
    with clock.stage("trace"):
        trace(out / code / str(year), form.cells[0].id)
    without = accepted["body"][-1]
    again = build_package(region, year, tables | {"body_cells": figures.filter(pl.col("body") != without)}, form)
    with clock.stage("changed"):
        publish(again, out, code, year)
    with clock.stage("floor"):
        figures.write_parquet(folder / "floor.parquet")
        pl.read_parquet(folder / "floor.parquet")
    facts["figures"] = figures.height
    facts["findings"] = findings.height
    return facts


def one_size(bodies: int) -> None:
    """Run the chain and print what was measured as JSON."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        facts = chain(bodies, clock, Path(folder))
    print(json.dumps({"stages": clock.told, "facts": facts}))


if __name__ == "__main__":
    one_size(int(sys.argv[1]))
