"""Kinds of finding about a file that is not read: what it is, what is wrong with it, what reading it did."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from pipelines.ingest.limits import Limits
from pipelines.ingest.read import read_bytes
from pipelines.ingest.readers import legacy
from pipelines.ingest.sandbox import read_many, read_one
from schemas.findings import Finding
from tests.finding_cases import Case
from tests.ingest import hostile

LENGTH, ORDEAL = "tests.ingest.works:length", "tests.ingest.works:ordeal"
RTF = b"{\\rtf1\\ansi hello}"


def opened(name: str) -> Iterable[Finding]:
    """One of the hostile files, read as intake reads it."""
    _, make = hostile.CASES[name]
    return read_bytes(make(), name).problems


def text(content: bytes, name: str = "年报.txt") -> Iterable[Finding]:
    return read_bytes(content, name).problems


def workbook(_: Path) -> Iterable[Finding]:
    """The hostile workbooks' right twin."""
    read = read_bytes(hostile.xlsx(), "年报.xlsx")
    assert read.format != "unknown"
    return read.problems


def report(_: Path) -> Iterable[Finding]:
    """The hostile texts' right twin."""
    read = read_bytes(hostile.REPORT.encode(), "年报.txt")
    assert read.format != "unknown"
    return read.problems


def ordeal(what: str) -> Iterable[Finding]:
    """A file whose parser does what the file says, in a process of its own."""
    limits = Limits(cpu_seconds=1, wall_seconds=2, office_seconds=1)
    return read_many([(f"{what}.doc", what.encode())], ORDEAL, workers=1, limits=limits)[0].problems


def sized(length: int) -> Iterable[Finding]:
    return read_one(("年报.xls", bytes(length)), LENGTH, limits=Limits(file_bytes=3 * hostile.MIB)).problems


def archive(*names: str) -> Iterable[Finding]:
    return read_one(("年报.zip", hostile.zipped(dict.fromkeys(names, b"abc"))), LENGTH).problems


def path(place: Path) -> Iterable[Finding]:
    return read_many([place], LENGTH, workers=1).pop().problems


def folder(here: Path) -> Path:
    (here / "表格").mkdir()
    return here / "表格"


def plain(here: Path) -> Path:
    (here / "年报.txt").write_bytes(b"abc")
    return here / "年报.txt"


def growing(here: Path, more: bytes) -> Iterable[Finding]:
    """A file to which ``more`` is added as soon as its first bytes are read."""
    place, reading = plain(here), os.read

    def read(descriptor: int, length: int) -> bytes:
        part = reading(descriptor, length)
        if part == b"abc" and more:
            with place.open("ab") as file:
                file.write(more)
        return part

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.ingest.taking.os.read", read)
        return path(place)


def without_office(data: bytes, name: str) -> Iterable[Finding]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(legacy, "program", lambda: None)
        return read_bytes(data, name).problems


TWO = "body,cell,value\r\n511725-D01,requests.received.total,1\r\n{},requests.granted.total,2\r\n"


CASES: dict[str, Case] = {
    "empty_file": Case(
        fires=lambda _: opened("blank.txt"),
        silent=report,
    ),
    "too_large": Case(
        fires=lambda _: sized(3 * hostile.MIB + 200_000),
        silent=lambda _: sized(3 * hostile.MIB),
    ),
    "encrypted_file": Case(
        fires=lambda _: opened("locked.xlsx"),
        silent=workbook,
    ),
    "scanned_document": Case(
        fires=lambda _: opened("scan.pdf"),
        silent=lambda _: read_bytes(hostile.docx_file(), "年报.docx").problems,
    ),
    "unsupported_format": Case(
        fires=lambda _: opened("official.ofd"),
        silent=workbook,
    ),
    "damaged_file": Case(
        fires=lambda _: opened("cut.xlsx"),
        silent=workbook,
    ),
    "hostile_file": Case(
        fires=lambda _: opened("entity.xlsx"),
        silent=workbook,
    ),
    "needs_libreoffice": Case(
        fires=lambda _: without_office(RTF, "年报.rtf"),
        silent=lambda _: without_office(hostile.docx_file(), "年报.docx"),
    ),
    "mojibake": Case(
        fires=lambda _: opened("questions.txt"),
        silent=report,
    ),
    "resource_limit": Case(
        fires=lambda _: ordeal("hang"),
        silent=lambda _: ordeal("print"),
    ),
    "reader_fault": Case(
        fires=lambda _: ordeal("raise"),
        silent=lambda _: ordeal("print"),
    ),
    "changed_while_reading": Case(
        fires=lambda here: growing(here, b"more"),
        silent=lambda here: growing(here, b""),
    ),
    "not_a_file": Case(
        fires=lambda here: path(folder(here)),
        silent=lambda here: path(plain(here)),
    ),
    "file_not_opened": Case(
        fires=lambda here: path(here / "没有.xlsx"),
        silent=lambda here: path(plain(here)),
    ),
    "several_files": Case(
        fires=lambda _: archive("甲.txt", "乙.txt"),
        silent=lambda _: archive("甲.txt"),
    ),
    "mixed_returns": Case(
        fires=lambda _: text(TWO.format("511725-D02").encode(), "年报.csv"),
        silent=lambda _: text(TWO.format("511725-D01").encode(), "年报.csv"),
    ),
}
