"""A file becomes a ReadFile: format, reader, matcher, claims, identity, and what went wrong as findings.

Belongs here: the order of these steps. Does not belong here: any of them.
"""

from __future__ import annotations

from hashlib import sha256

from pipelines.ingest.claims import find_claims, find_fees, said_in
from pipelines.ingest.declined import Declined
from pipelines.ingest.document import Document
from pipelines.ingest.identify import conclude, evidence
from pipelines.ingest.indicators import read_indicators
from pipelines.ingest.limits import DEFAULT_LIMITS, Limits
from pipelines.ingest.lines import flatten
from pipelines.ingest.match import match
from pipelines.ingest.problems import problems_of
from pipelines.ingest.running import paragraphs
from pipelines.ingest.tidy_cells import read_tidy
from pipelines.layout import MARK_PRODUCT
from schemas.form import editions, load_form
from schemas.intake import Claim, ReadFile

# The table that the form states in sentences only; our own workbook draws it as a small grid.
FEES = "processing_fees"


def read_bytes(data: bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> ReadFile:
    """Read one file of any supported format. ``name`` as given; the format is told by content.

    Never raises for bad input: what cannot be read is a finding in ``problems``. MemoryError passes through to the
    sandbox. An archive of several files is declined here (see read_archive).
    """
    from pipelines.ingest.readers.opening import open_document

    digest = sha256(data).hexdigest()
    try:
        document = open_document(data, name, limits)
    except Declined as declined:
        return ReadFile(file=name, sha256=digest, format="unknown", problems=(declined.finding,))
    return read_document(document, name, digest)


def read_archive(data: bytes, name: str) -> list[ReadFile]:
    """Read every file of a zip, each named ``archive/member``. An archive that cannot be opened is one finding."""
    from pipelines.ingest.readers.archive import members

    try:
        return [read_bytes(content, f"{name}/{member}") for member, content in members(data, name)]
    except Declined as declined:
        digest = sha256(data).hexdigest()
        return [ReadFile(file=name, sha256=digest, format="zip", problems=(declined.finding,))]


def read_document(document: Document, name: str, digest: str) -> ReadFile:
    """A document as cells, claims, indicators, identity and problems. Pure; the same document gives the same answer."""
    own = document.marks.get("product") == MARK_PRODUCT
    code = document.marks.get("body", "").strip()
    said = evidence(document)
    identity = conclude(said)
    claims: tuple[Claim, ...] = ()
    if document.tidy:
        cells, form, unknown = read_tidy(document.tidy, identity.year)
        found = None
    else:
        lines = flatten(document)
        found = match(document, lines, identity.year)
        cells, form, unknown = found.cells(), found.form, ()
        identity = conclude(said, earliest_of(form, found.certain))
        if not own:  # the guide in our workbook is no text of the reporter
            text = said_in(paragraphs(lines))
            if FEES not in form and (fees := find_fees(text, identity.year)):
                cells, form = (*cells, *fees), {**form, FEES: editions()[-1]}
            claims = find_claims(text, form, identity.year)
    is_code = code[:6].isdigit()
    return ReadFile(
        file=name,
        sha256=digest,
        format=document.format,
        own_workbook=own,
        form=form,
        body_code=code if is_code else "",
        body_name=identity.body_name or ("" if is_code else code),
        year=identity.year,
        cells=cells,
        claims=claims,
        indicators=read_indicators(document),
        problems=problems_of(name, document, cells, found, unknown),
    )


def earliest_of(form: dict[str, str], certain: frozenset[str]) -> int:
    """The first year that the editions found can be for; only tables that their own labels tell apart count.

    Old editions live on in later years, so an edition bounds the year from below alone.
    """
    years = [load_form(edition).declaration.first_year for table, edition in form.items() if table in certain]
    return max(years, default=min(load_form(edition).declaration.first_year for edition in editions()))
