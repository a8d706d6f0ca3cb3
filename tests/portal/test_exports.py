"""The portal's own downloads: the same figures as the release, exact, and nothing that a program could run."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from decimal import Decimal
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from pipelines.publish.portal.exports import json_table, workbook_bytes, zip_bytes
from pipelines.publish.portal.releases import Dataset, read_dataset
from pipelines.publish.verify import verify
from tests.portal.published import publish_county
from tests.publish.county import CODE, YEAR

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    '=HYPERLINK("http://example.org")',
    "<script>",
    "a\u202eb",
    "http://example.org",
]
LONG = Decimal("12345678901234.5678")


def hostile(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Texts that programs like to run, and a figure longer than a spreadsheet program can hold."""
    cells = tables["body_cells"]
    raw = FORMULAS + cells["raw"].to_list()[len(FORMULAS) :]
    values = [LONG, *cells["value"].to_list()[1:]]
    tables["body_cells"] = cells.with_columns(
        pl.Series("raw", raw), pl.Series("value", values, dtype=cells.schema["value"])
    )
    return tables


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    out = tmp_path_factory.mktemp("hostile")
    publish_county(out, change=hostile)
    return read_dataset(out, CODE, YEAR)


@pytest.fixture(scope="module")
def book(dataset: Dataset) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(workbook_bytes(dataset)))


def test_the_workbook_holds_every_table_cell_by_cell(dataset: Dataset, book: openpyxl.Workbook) -> None:
    assert book.sheetnames == ["说明 README", *dataset.tables]
    for name, table in dataset.tables.items():
        sheet = book[name]
        assert [cell.value.split("\n")[1] for cell in sheet[1]] == table.column_names
        rows = list(sheet.iter_rows(min_row=2, values_only=True))
        expected = [tuple(row.values()) for row in table.to_pylist()]
        assert len(rows) == len(expected)
        for found, want in zip(rows, expected, strict=True):
            for value, exact in zip(found, want, strict=True):
                if isinstance(exact, Decimal) and isinstance(value, str):
                    assert Decimal(value) == exact == LONG
                elif isinstance(exact, Decimal):
                    assert Decimal(str(value)) == exact
                else:
                    assert value == exact


def test_texts_in_the_workbook_are_never_formulas_and_stay_text(book: openpyxl.Workbook) -> None:
    found = {}
    for row in book["body_cells"].iter_rows(min_row=2):
        for cell in row:
            assert cell.data_type != "f", cell.coordinate
            if cell.value in FORMULAS:
                found[cell.value] = (cell.data_type, bool(cell._style.quotePrefix), cell.hyperlink)
    assert found == dict.fromkeys(FORMULAS, ("s", True, None))


def test_the_workbook_says_that_the_data_are_a_sample(book: openpyxl.Workbook) -> None:
    words = [cell for row in book["说明 README"].iter_rows(values_only=True) for cell in row]
    assert "示例数据" in words
    assert "各单位数据均为虚构。" in words


def test_json_is_the_table_with_exact_figures(dataset: Dataset) -> None:
    for table in dataset.tables.values():
        found = json.loads(json_table(table), parse_float=Decimal, parse_int=Decimal)
        expected = [
            {k: Decimal(v) if isinstance(v, int) and not isinstance(v, bool) else v for k, v in row.items()}
            for row in table.to_pylist()
        ]
        assert found == expected
    assert str(LONG).encode() in json_table(dataset.tables["body_cells"])


def test_the_zip_is_the_release_and_verifies(out: Path, tmp_path: Path) -> None:
    dataset = read_dataset(out, CODE, YEAR)
    archive = zipfile.ZipFile(io.BytesIO(zip_bytes(dataset.current, "folder")))
    assert archive.testzip() is None
    assert {name: archive.read(name) for name in archive.namelist()} == {
        f"folder/{name}": data for name, data in dataset.current.files.items()
    }
    archive.extractall(tmp_path)
    assert verify(str(tmp_path / "folder")).valid


def test_the_same_release_gives_the_same_bytes(dataset: Dataset) -> None:
    for make in (workbook_bytes, lambda one: zip_bytes(one.current, "x")):
        assert hashlib.sha256(make(dataset)).digest() == hashlib.sha256(make(dataset)).digest()
