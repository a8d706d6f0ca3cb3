"""Whether a release is what it says: for whoever publishes it, and for whoever downloaded it.

Belongs here: all checks in their order, and the report. Does not belong here: the checks themselves (checks.py,
figures.py), printing (the front door).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from pipelines.publish.checks import (
    Release,
    check_bytes,
    check_csv,
    check_foreign_keys,
    check_sums,
    check_twins,
    read_descriptor,
    read_tables,
)
from pipelines.publish.figures import check_figures
from pipelines.publish.package import SIGNATURE, SUMS
from pipelines.publish.signature import SignatureError
from pipelines.publish.signature import verify as verify_signature
from pipelines.publish.source import Opened, SourceError, open_release
from pipelines.storage import Place
from schemas.findings import Finding, make_finding


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome. ``valid``: no finding is an error; ``id`` is "" where there was no release to look at.

    ``signed``: it carries a signature; ``signed_by``: whose it is, "" where that was not or could not be checked.
    """

    where: str
    id: str
    files: int
    valid: bool
    findings: tuple[Finding, ...]
    signed: bool = False
    signed_by: str = ""


def check_files(files: Mapping[str, bytes]) -> tuple[Finding, ...]:
    """Every check of a release over its files: before publication, and after download. Pure.

    Sums first; then the descriptor, without which nothing else can be read; then sizes, Parquet, CSV, their equality,
    foreign keys, coverage, totals and rules. A file that one check found wrong does not stop the others.
    """
    findings = [*check_sums(files)]
    descriptor, problems = read_descriptor(files)
    findings += problems
    if descriptor is not None:
        findings += check_bytes(files, descriptor)
        tables, unreadable = read_tables(files, descriptor)
        findings += unreadable
        findings += check_csv(files, descriptor)
        release = Release(files=files, descriptor=descriptor, tables=tables)
        for check in (check_twins, check_foreign_keys, check_figures):
            findings += check(release)
    return tuple(findings)


def check_signature(opened: Opened, signers: Path | None) -> tuple[str, tuple[Finding, ...]]:
    """Who signed a release, "" for nobody known, and what is wrong with the signature.

    With ``signers`` (allowed signers, see ssh-keygen(1)) a release must be signed by one of them; without, a signature
    that stands there is only said to be unchecked.
    """
    if opened.signature is None:
        missing = (make_finding("signature_missing", words={"id": opened.id}, file=SIGNATURE),)
        return "", missing if signers is not None else ()
    if signers is None:
        return "", (make_finding("signature_unchecked", words={"file": SIGNATURE}, file=SIGNATURE),)
    try:
        return verify_signature(opened.files[SUMS], opened.signature, signers), ()
    except SignatureError as error:
        words = {"file": SIGNATURE, "reason_zh": error.chinese.rstrip("。"), "reason_en": error.english.rstrip(".")}
        return "", (make_finding("signature_wrong", words=words, file=SIGNATURE),)


def verify(where: Place, signers: Path | None = None) -> VerifyReport:
    """Check the release at a folder, other storage or a web address; needs nothing but what lies there. Never raises
    for what it finds: a place without a release is a ``release_unreadable``, a withdrawn one a ``release_withdrawn``.

    ``signers``: the file of allowed signers by one of whom it must be signed.
    """
    try:
        opened = open_release(where)
    except SourceError as error:
        words = {"file": error.where, "reason_zh": error.reason_zh, "reason_en": error.reason_en}
        finding = make_finding("release_unreadable", words=words, file=str(error.where))
        return VerifyReport(where=str(where), id="", files=0, valid=False, findings=(finding,))
    findings = list(check_files(opened.files))
    if opened.withdrawn is not None:
        words = {
            "id": opened.id,
            "reason": opened.withdrawn.reason,
            "approved_by": opened.withdrawn.approved_by,
        }
        findings.insert(0, make_finding("release_withdrawn", words=words))
    signed_by, problems = check_signature(opened, signers)
    findings += problems
    return VerifyReport(
        where=opened.where,
        id=opened.id,
        files=len(opened.files),
        valid=not any(finding.severity == "error" for finding in findings),
        findings=tuple(findings),
        signed=opened.signature is not None,
        signed_by=signed_by,
    )
