"""The officer's board (进度总览): who has handed in, what is wrong, how long is left, what stops publication.

Belongs here: counting and ordering rows of declared tables for one page. Does not belong here: judging returns or the
gate (other stages hand their tables in), the look (templates/).
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec

from pipelines.publish.page import render
from pipelines.publish.receipt_view import SYNTHETIC
from schemas.findings import SEVERITIES, Finding
from schemas.region import Region

STATUSES = {
    "accepted": ("已采用", "accepted", "✓"),
    "waived": ("已豁免", "waived", "○"),
    "refused": ("未通过", "refused", "✕"),
    "missing": ("未报送", "missing", "！"),
}
KINDS = {"office": "办公室", "department": "部门", "township": "乡镇", "subdistrict": "街道"}
SEVERITY_WORDS = {"error": ("错误", "errors"), "warning": ("提醒", "warnings"), "information": ("说明", "information")}
INDEX = "index.html"
# So many bodies and messages a page holds at most, so that a phone opens it (about 1 MB); beyond that the board has
# further pages, and its first page shows where to look.
MOST_BODIES, MOST_MESSAGES = 250, 1500
MOST_OF_ONE = 20  # messages of one body; its receipt has all of them
MOST_OPEN = 200  # bodies with something open on the first page of several
MOST_GENERAL = 300  # messages about no body of the roster
_BAR = 600


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """A date of the following year. ``days``: whole days left, negative when it has passed."""

    title_zh: str
    title_en: str
    day: datetime.date
    days: int

    @property
    def left(self) -> tuple[str, str]:
        """How long is left, in both languages."""
        if self.days > 0:
            return f"还有 {self.days} 天", f"{self.days} day(s) left"
        if self.days == 0:
            return "今天截止", "due today"
        return f"已过 {-self.days} 天", f"{-self.days} day(s) ago"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One body: its return and the findings that still stand, by severity; ``waived`` counts the excused ones."""

    code: str
    name_zh: str
    kind: str
    kind_zh: str
    status: str
    versions: int
    counts: dict[str, int]
    waived: int
    receipt: str
    listed: tuple[Finding, ...]
    more: int
    page: str = ""

    @property
    def open(self) -> bool:
        """Whether somebody still has to do something."""
        return self.status in ("refused", "missing") or bool(self.counts["error"])


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A further page of the board: some bodies in roster order, how many by status, findings by severity."""

    name: str
    lines: tuple[Line, ...]
    counts: dict[str, int]
    severities: dict[str, int]


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the progress bar, in its own units."""

    status: str
    left: int
    width: int


def deadlines(region: Region, year: int, today: datetime.date) -> tuple[Deadline, ...]:
    """The two deadlines of the Regulation's article 49, as the region's settings give them."""

    def due(text: str) -> datetime.date:
        month, day = (int(part) for part in text.split("-"))
        return datetime.date(year + 1, month, day)

    settings = region.settings
    pairs = (
        ("各单位报送并公布年度报告", "Bodies hand in and publish", due(settings.body_deadline)),
        ("本级政府公布年度报告", "The government publishes its report", due(settings.report_deadline)),
    )
    return tuple(Deadline(title_zh=zh, title_en=en, day=day, days=(day - today).days) for zh, en, day in pairs)


def _lines(bodies: Sequence[Mapping[str, object]], findings: Sequence[Finding]) -> tuple[Line, ...]:
    by_body: dict[str, list[Finding]] = {}
    for finding in findings:
        by_body.setdefault(finding.body, []).append(finding)
    lines = []
    for row in bodies:
        code, status, kind = str(row["body"]), str(row["status"]), str(row["kind"])
        own = by_body.get(code, [])
        listed = [finding for finding in own if finding.severity != "information"]
        counts = Counter(finding.severity for finding in own if not finding.waived)
        lines.append(
            Line(
                code=code,
                name_zh=str(row["name_zh"]),
                kind=kind,
                kind_zh=KINDS.get(kind, kind),
                status=status,
                versions=int(str(row["versions"])),
                counts={severity: counts[severity] for severity in SEVERITIES},
                waived=sum(bool(finding.waived) for finding in own),
                receipt=f"receipts/{quote(code, safe='')}.html",
                listed=tuple(listed[:MOST_OF_ONE]),
                more=max(0, len(listed) - MOST_OF_ONE),
            )
        )
    return tuple(lines)


def _bar(counts: Mapping[str, int], total: int) -> tuple[Segment, ...]:
    segments, before = [], 0
    for status in STATUSES:
        left, right = before * _BAR // total, (before + counts[status]) * _BAR // total
        segments.append(Segment(status=status, left=left, width=right - left))
        before += counts[status]
    return tuple(segments)


def _pages(lines: Sequence[Line]) -> tuple[Page, ...]:
    """The further pages; none where the first holds everything."""
    parts: list[list[Line]] = [[]]
    messages = 0
    for line in lines:
        if parts[-1] and (len(parts[-1]) == MOST_BODIES or messages + len(line.listed) > MOST_MESSAGES):
            parts.append([])
            messages = 0
        parts[-1].append(line)
        messages += len(line.listed)
    if len(parts) == 1:
        return ()
    digits = len(str(len(parts)))
    return tuple(_page(f"bodies-{number:0{digits}}.html", part) for number, part in enumerate(parts, 1))


def _page(name: str, lines: Sequence[Line]) -> Page:
    return Page(
        name=name,
        lines=tuple(msgspec.structs.replace(line, page=name) for line in lines),
        counts=_statuses(lines),
        severities={severity: sum(line.counts[severity] for line in lines) for severity in SEVERITIES},
    )


def _statuses(lines: Sequence[Line]) -> dict[str, int]:
    counts = Counter(line.status for line in lines)
    unknown = set(counts) - set(STATUSES)
    if unknown:
        raise KeyError(f"unknown status: {sorted(unknown)}")
    return {status: counts[status] for status in STATUSES}


def board_pages(
    region: Region,
    year: int,
    bodies: Sequence[Mapping[str, object]],
    findings: Sequence[Finding],
    gate: Sequence[Mapping[str, object]],
    today: datetime.date,
) -> dict[str, bytes]:
    """The board as UTF-8 HTML pages by file name, ``index.html`` first; further ones where there are many bodies.

    Each page needs nothing else; it works without script, filters and sorts with it. ``bodies`` and ``gate`` are rows
    of the declared tables ``bodies`` and ``verdicts``; ``findings`` all of the year, waived ones included. ``today`` is
    the only clock. Receipts stand beside the pages as ``receipts/<body>.html``. A status that is not one of STATUSES
    raises KeyError.
    """
    lines = _lines(bodies, findings)
    counts = _statuses(lines)
    pages = _pages(lines)
    listed = {line.code for line in lines}
    still = [line for page in pages for line in page.lines if line.open]
    general = [finding for finding in findings if finding.body not in listed]
    severities = Counter(finding.severity for finding in findings if not finding.waived)
    settings = region.settings
    common = {
        "settings": settings,
        "year": year,
        "today": today,
        "statuses": STATUSES,
        "severity_words": SEVERITY_WORDS,
        "kinds": {line.kind: line.kind_zh for line in lines},
        "synthetic_zh": (settings.synthetic_note_zh or SYNTHETIC[0]) if settings.synthetic else "",
        "synthetic_en": (settings.synthetic_note_en or SYNTHETIC[1]) if settings.synthetic else "",
    }
    first = {
        "deadlines": deadlines(region, year, today),
        "lines": still[:MOST_OPEN] if pages else lines,
        "expected": len(lines),
        "pages": pages,
        "more_open": max(0, len(still) - MOST_OPEN),
        "counts": counts,
        "bar": _bar(counts, len(lines)) if lines else (),
        "bar_width": _BAR,
        "severities": {severity: severities[severity] for severity in SEVERITIES},
        "waived": sum(bool(finding.waived) for finding in findings),
        "versions": sum(line.versions for line in lines),
        "general": general[:MOST_GENERAL],
        "more_general": max(0, len(general) - MOST_GENERAL),
        "gate": gate,
        "stopped": [row for row in gate if not row["passed"]],
    }
    made = {INDEX: render("board.html", common | first, script="board.js")}
    for before, page, after in zip((None, *pages), pages, (*pages[1:], None), strict=False):
        around = {"page": page, "before": before, "after": after, "number": len(made), "count": len(pages)}
        made[page.name] = render(
            "board_part.html", common | around | {"lines": page.lines, "pages": ()}, script="board.js"
        )
    return made
