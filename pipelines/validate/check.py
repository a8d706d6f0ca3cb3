"""One return judged: completeness, rules, history, narrative, plausibility, and which cell is likely wrong.

Belongs here: putting the judgements of one file together in a stable order, for the command line and for the dirty
files of the bulk pass. Does not belong here: each judgement itself (completeness.py, vector.py, claims.py,
plausibility.py, localise.py), reading files, many files at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from pipelines.validate.claims import claim_findings
from pipelines.validate.completeness import Settled, doubtful_cells, settle
from pipelines.validate.localise import localise
from pipelines.validate.localise_system import System, system
from pipelines.validate.plausibility import plausibility_findings
from pipelines.validate.vector import Verdict, compiled, evaluate
from schemas.findings import SEVERITIES, Finding, domain_finding, make_finding, rule_finding
from schemas.form import Form, edition_for, editions, load_form
from schemas.intake import Claim, Explanation, ReadCell, ReadFile
from schemas.rules import LAST_YEAR, RuleSet, load_rules

Figure = Decimal | int
Status = Literal["ok", "findings", "unreadable"]
MOST_EXPLANATIONS = 10  # shown unless all are asked for; those of rank one are always shown


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of known figures, in order, and the explanations of what is broken, best first."""

    findings: tuple[Finding, ...]
    explanations: tuple[Explanation, ...]


class CheckedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file as judged: findings in order (errors, warnings, information; each in form order) and explanations."""

    file: str
    edition: str
    findings: tuple[Finding, ...]
    explanations: tuple[Explanation, ...]
    readable: bool = True

    @property
    def status(self) -> Status:
        """``unreadable`` where no cell was read, ``findings`` where there is an error or a warning, else ``ok``."""
        if not self.readable:
            return "unreadable"
        return "findings" if any(f.severity != "information" for f in self.findings) else "ok"


def in_order(findings: Iterable[Finding], form: Form, rules: RuleSet) -> tuple[Finding, ...]:
    """Errors, then warnings, then information; within each those about the whole file first, then form order."""
    catalogue = {rule.id: position for position, rule in enumerate(rules.rules)}
    last = len(form.cells)

    def key(finding: Finding) -> tuple[int, int, int, str, tuple[str, ...], str]:
        first = min((form.index.get(cell, last) for cell in finding.cells), default=-1)
        return (
            SEVERITIES.index(finding.severity),
            first,
            catalogue.get(finding.rule, -1),
            finding.rule,
            finding.cells,
            finding.message_zh,
        )

    return tuple(sorted(findings, key=key))


def _rule_findings(
    verdict: Verdict, values: Mapping[str, Figure], previous: Mapping[str, Figure], form: Form
) -> list[Finding]:
    known: dict[str, Figure | None] = dict(values)
    known |= {cell + LAST_YEAR: value for cell, value in previous.items()}
    found = [rule_finding(form, rule, known) for rule, _ in verdict.broken]
    return found + [domain_finding(form, domain, form.by_id[cell], value) for domain, cell, value in verdict.domains]


def judge_values(
    values: Mapping[str, Figure],
    form: Form,
    rules: RuleSet,
    *,
    previous: Mapping[str, Figure] | None = None,
    attributes: frozenset[str] = frozenset(),
    claims: Sequence[Claim] = (),
    cells: Sequence[ReadCell] = (),
    dirty: bool = True,
    own_workbook: bool = False,
    explain_all: bool = False,
) -> Judged:
    """Judge the known figures of one return.

    ``previous``: last year's figures by cell id. ``cells``: the cells as read, for the addresses of findings and for
    what stands blank. ``dirty=False`` says that another pass already found every rule to hold. Findings about what is
    missing are not made here: completeness.py makes them.
    """
    last_year = previous or {}
    verdict = evaluate(compiled(form.edition), values, last_year, attributes) if dirty else Verdict((), ())
    located: tuple[Explanation, ...] = ()
    laid_out = system(form.edition, attributes)
    if _worth_locating(verdict, values, form):
        blank = () if own_workbook else doubtful_cells(cells, values, form, rules)
        most = None if explain_all else MOST_EXPLANATIONS
        located = localise(laid_out, values, previous=last_year, claims=claims, blank=blank, most=most)
    findings = [
        *suspect(_rule_findings(verdict, values, last_year, form), located, laid_out),
        *claim_findings(claims, values, last_year, form),
        *plausibility_findings(values, last_year, claims, form),
    ]
    return Judged(findings=in_order(_addressed(findings, cells), form, rules), explanations=located)


def _worth_locating(verdict: Verdict, values: Mapping[str, Figure], form: Form) -> bool:
    """Whether an error rule or domain is broken, or a figure is missing that others may give."""
    if any(rule.severity == "error" for rule, _ in verdict.broken):
        return True
    if any(domain.severity == "error" for domain, _, _ in verdict.domains):
        return True
    return any(not cell.optional and cell.id not in values for cell in form.cells)


def suspect(findings: Iterable[Finding], located: Sequence[Explanation], laid_out: System) -> list[Finding]:
    """Error findings with the cell they are due to and its proposed figure, where the best explanations agree on it.

    Only the changes in the finding's own part of the form count: a tie elsewhere does not blur what is plain here.
    """
    best = [explanation for explanation in located if explanation.rank == 1]
    return [_suspect(finding, best, laid_out) for finding in findings]


def _suspect(finding: Finding, best: Sequence[Explanation], laid_out: System) -> Finding:
    if finding.severity != "error" or not finding.cells or not best:
        return finding
    parts = {laid_out.component_of[laid_out.at[cell]] for cell in finding.cells if cell in laid_out.at}
    proposals = {
        tuple(change for change in explanation.changes if laid_out.component_of[laid_out.at[change.cell]] in parts)
        for explanation in best
    }
    if len(proposals) != 1:
        return finding
    [changes] = proposals
    own = [change for change in changes if change.cell in finding.cells]
    if len(own) != 1 or (finding.suspected and finding.suspected != own[0].cell):
        return finding
    return msgspec.structs.replace(finding, suspected=own[0].cell, proposed=own[0].proposed)


def _addressed(findings: Iterable[Finding], cells: Sequence[ReadCell]) -> list[Finding]:
    """Findings with the address in the file of the cell they suspect or speak of, where they have none."""
    at = {cell.cell: cell.at for cell in cells if cell.at}
    out = []
    for finding in findings:
        place = at.get(finding.suspected) or (at.get(finding.cells[0]) if finding.cells else None)
        out.append(msgspec.structs.replace(finding, address=place) if place and not finding.address else finding)
    return out


def edition_of(read: ReadFile, edition: str | None = None) -> str:
    """The edition to judge a file by: the one asked for, its year's, the one most of its tables follow, the newest."""
    if edition:
        return edition
    if read.year is not None:
        try:
            return edition_for(read.year)
        except KeyError:
            pass
    known = editions()
    followed = Counter(found for found in read.form.values() if found in known)
    if followed:
        return max(followed, key=lambda found: (followed[found], found))
    return known[-1]


def _last_year(read: ReadFile, previous: ReadFile | None, form: Form) -> tuple[dict[str, Figure], tuple[Finding, ...]]:
    """Last year's figures, by its own edition; none with a warning where the file is of another year."""
    if previous is None:
        return {}, ()
    if read.year is not None and previous.year is not None and previous.year != read.year - 1:
        words = {"file": previous.file, "found": str(previous.year), "expected": str(read.year - 1)}
        return {}, (
            make_finding(
                "previous_year_mismatch",
                words=words,
                found=str(previous.year),
                expected=str(read.year - 1),
                file=read.file,
            ),
        )
    edition = edition_of(previous)
    settled = settle(previous, load_form(edition), load_rules(edition))
    return {cell: value for cell, value in settled.values.items() if cell in form.by_id}, ()


def _placed(findings: Iterable[Finding], read: ReadFile) -> list[Finding]:
    return [
        msgspec.structs.replace(
            finding,
            file=finding.file or read.file,
            year=finding.year if finding.year is not None else read.year,
            body=finding.body or read.body_code,
        )
        for finding in findings
    ]


def check_file(
    read: ReadFile,
    previous: ReadFile | None = None,
    edition: str | None = None,
    attributes: frozenset[str] = frozenset(),
    explain_all: bool = False,
) -> CheckedFile:
    """Judge one read file, with last year's where given. Raises KeyError for an unknown ``edition``.

    ``attributes``: the body's attributes that free it from rules. ``explain_all``: every explanation, not the best few.
    """
    chosen = edition_of(read, edition)
    form, rules = load_form(chosen), load_rules(chosen)
    if not read.readable:
        findings = in_order(_placed(read.problems, read), form, rules)
        return CheckedFile(file=read.file, edition=chosen, findings=findings, explanations=(), readable=False)
    settled: Settled = settle(read, form, rules)
    last_year, about_last_year = _last_year(read, previous, form)
    judged = judge_values(
        settled.values,
        form,
        rules,
        previous=last_year,
        attributes=attributes,
        claims=read.claims,
        cells=read.cells,
        own_workbook=read.own_workbook,
        explain_all=explain_all,
    )
    complete = suspect(settled.findings, judged.explanations, system(chosen, attributes))
    found = [*read.problems, *complete, *about_last_year, *judged.findings]
    return CheckedFile(
        file=read.file,
        edition=chosen,
        findings=in_order(_placed(found, read), form, rules),
        explanations=judged.explanations,
    )
