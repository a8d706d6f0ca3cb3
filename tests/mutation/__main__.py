"""The gate: a seeded sample (or all) of the mutants of the declared modules, and how many the tests notice.

Exit code 0: the share noticed reaches the threshold, and no entry of the list of equivalents is out of date; 1: not so;
2: a mistake in the call, or tests that fail without any change.
"""

from __future__ import annotations

import argparse
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.mutants import mutants, sample
from tests.mutation.runner import BaselineError, Job, Target, Tried, baseline, preload, run

ROOT = Path(__file__).resolve().parents[2]
DECLARED = Path(__file__).with_name("targets.toml")
Equivalent = tuple[str, str, str, str, str]  # module and the key of a mutant


@dataclass(frozen=True)
class Plan:
    """The file of targets: what is tested by what, how many are drawn with which seed, what share must be noticed."""

    seed: int
    sample: int
    threshold: int
    targets: tuple[Target, ...]
    equivalents: dict[Equivalent, str]


def load_plan(path: Path, root: Path) -> Plan:
    """Read a file of targets. Raises ValueError for an equivalent without a reason or of no declared module."""
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    targets = tuple(Target(each["module"], tuple(each["tests"]), root) for each in found["targets"])
    modules = {target.module for target in targets}
    equivalents: dict[Equivalent, str] = {}
    for each in found.get("equivalents", ()):
        key = (each["module"], each["function"], each["text"], each["before"], each["after"])
        if each["module"] not in modules or not each["reason"].strip():
            raise ValueError(f"{path.name}: an equivalent needs a reason and a declared module: {key}")
        equivalents[key] = each["reason"]
    return Plan(found["seed"], found["sample"], found["threshold"], targets, equivalents)


def choose(plan: Plan, count: int | None) -> tuple[list[Job], list[Equivalent]]:
    """The mutants to try, and equivalents that are no mutant any more. ``count``: per module, None for all."""
    chosen: list[Job] = []
    stale = dict(plan.equivalents)
    for target in plan.targets:
        source = target.path.read_text(encoding="utf-8")
        found = mutants(source)
        for mutant in found:
            stale.pop((target.module, *mutant.key), None)
        real = [mutant for mutant in found if (target.module, *mutant.key) not in plan.equivalents]
        drawn = real if count is None else sample(target.module, real, count, plan.seed)
        chosen += [Job(target, source, mutant) for mutant in drawn]
    return chosen, list(stale)


def _place(tried: Tried) -> str:
    path = tried.target.path.relative_to(tried.target.root)
    return f"{path}:{tried.mutant.line}: {tried.mutant.before}  ->  {tried.mutant.after}"


def report(tries: Sequence[Tried], threshold: int) -> bool:
    """Print the shares by module; whether the share reaches the threshold."""
    print(f"\n{'module':40} {'mutants':>8} {'noticed':>8} {'share':>7}")
    for module in dict.fromkeys(tried.target.module for tried in tries):
        own = [tried for tried in tries if tried.target.module == module]
        noticed = sum(tried.verdict != "survived" for tried in own)
        print(f"{module:40} {len(own):8} {noticed:8} {100 * noticed // len(own):6}%")
    noticed = sum(tried.verdict != "survived" for tried in tries)
    clocks = sum(tried.verdict == "timeout" for tried in tries)
    good = bool(tries) and 100 * noticed >= threshold * len(tries)
    share = f"{1000 * noticed // max(1, len(tries)) / 10}%"
    print(f"{'all':40} {len(tries):8} {noticed:8} {share:>7}   ({clocks} by their time limit)")
    print(f"threshold {threshold}%: {'reached' if good else 'NOT REACHED: strengthen the tests of the places above'}")
    return good


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gate; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--all", action="store_true", help="every mutant, not only the sample")
    parser.add_argument("--sample", type=int, metavar="N", help="draw N mutants of each module")
    parser.add_argument("--module", action="append", default=[], help="only modules whose name contains this")
    parser.add_argument("--seconds", type=float, help="begin no further mutant after so long")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--targets", type=Path, default=DECLARED, help="another file of targets")
    parser.add_argument("--root", type=Path, default=ROOT, help="where its modules and tests stand")
    options = parser.parse_args(arguments)
    plan = load_plan(options.targets, options.root.resolve())
    count = None if options.all else options.sample or plan.sample
    jobs, stale = choose(plan, count)
    if options.module:
        jobs = [job for job in jobs if any(part in job.target.module for part in options.module)]
    begun = time.monotonic()
    preload()
    try:
        usual = {target: baseline(target) for target in dict.fromkeys(job.target for job in jobs)}
    except BaselineError as error:
        print(error, file=sys.stderr)
        return 2
    late = begun + options.seconds if options.seconds else None
    tries = []
    for tried in run(jobs, usual, options.processes, lambda: late is not None and time.monotonic() > late):
        tries.append(tried)
        if tried.verdict == "survived":
            print(f"SURVIVED {_place(tried)}", flush=True)
    good = report(tries, plan.threshold)
    if len(tries) < len(jobs):
        print(f"{len(jobs) - len(tries)} of {len(jobs)} not tried: time was up")
    for key in stale:
        print(f"OUT OF DATE: this equivalent is no mutant any more: {' | '.join(key)}")
    print(f"{time.monotonic() - begun:.0f} s")
    return 0 if good and not stale else 1


if __name__ == "__main__":
    sys.exit(main())
