"""Which file a body's receipt is about, however many versions there are and in whatever order they were read."""

from __future__ import annotations

import polars as pl

from pipelines.publish.receipts import body_returns
from schemas.findings import make_finding
from schemas.frames import tidy_types, wide_types
from schemas.intake import ReadCell, ReadFile
from tests.facts import FORM, RULES

CELL = FORM.cells[0].id


def row(body: str, status: str, versions: int) -> dict[str, object]:
    stated = {"region": "511725", "year": 2023, "body": body, "name_zh": body, "kind": "department", "level": "county"}
    return {**stated, "status": status, "file_sha256": None, "versions": versions}


def test_each_body_has_the_receipt_of_its_newest_file_and_those_without_one_come_last() -> None:
    files = {"z1.xlsx": ("A", 1), "a2.xlsx": ("A", 3), "b.zip": ("", 2), "c.docx": ("C", 4), "stray.pdf": ("", 5)}
    inventory = [
        {"region": "511725", "year": 2023, "file": file, "folder_body": None, "sequence": sequence, "bytes": 1,
         "file_sha256": file, "special": None}
        for file, (_, sequence) in files.items()
    ]  # fmt: skip
    names = ["a2.xlsx", "b.zip/1.xlsx", "b.zip/2.xlsx", "c.docx", "stray.pdf", "z1.xlsx"]
    cell = ReadCell(cell=CELL, value=None, raw="7", state="text")
    reads = [ReadFile(file=name, sha256="0" * 64, format="xlsx", cells=(cell,)) for name in names]
    owned = {"z1.xlsx": ("A", 5), "a2.xlsx": ("A", 6), "b.zip/1.xlsx": ("B", 8), "b.zip/2.xlsx": ("B", 9)}
    types = wide_types(FORM, RULES)
    wide = [
        dict.fromkeys(types) | {"region": "511725", "year": 2023, "body": body, "file": file, CELL: value}
        for file, (body, value) in owned.items()
    ]
    found = [
        make_finding("empty_file", words={"file": "c.docx"}, body="C", file="c.docx"),  # a file without a row
        make_finding("empty_file", words={"file": "z1.xlsx"}, body="A", file="z1.xlsx"),  # of the older version
        make_finding("roster_missing", words={"name": "D", "year": "2023", "why_zh": "", "why_en": ""}, body="D"),
        make_finding("roster_missing", words={"name": "C", "year": "2023", "why_zh": "", "why_en": ""}, body="C"),
    ]
    roster = [row("A", "accepted", 2), row("B", "accepted", 2), row("D", "missing", 0), row("C", "refused", 1)]
    returns = body_returns(
        pl.DataFrame(inventory, schema=tidy_types("received_files"), orient="row"),
        iter(reads),
        names,
        pl.DataFrame(wide, schema=types, orient="row"),
        pl.DataFrame(roster, schema=tidy_types("bodies"), orient="row"),
        found,
        {},
    )
    told = [
        (one.body, one.read.file if one.read else None, one.values.get(CELL), [f.rule for f in one.findings])
        for one in returns
    ]
    assert told == [
        ("A", "a2.xlsx", 6, []),
        ("B", "b.zip/2.xlsx", 9, []),  # of two members of one archive the later name
        ("C", "c.docx", None, ["empty_file"]),
        ("D", None, None, ["roster_missing"]),
    ]
