"""Frames become Arrow tables of exactly the declared schema, and the two file formats hold the same."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.publish.arrow import TYPES, TableMismatchError, arrow_schema, to_arrow
from pipelines.publish.tables import BOM, UNREADABLE, csv_bytes, parquet_bytes, read_csv, read_parquet
from pipelines.settings import PROJECT
from schemas.findings import number_text
from schemas.frames import tidy_types
from schemas.tables import load_tables
from tests.publish.county import NAMES, county, finding, form

TABLES = load_tables()
FINDINGS = TABLES["findings"]


def findings(*rows: dict[str, Any]) -> pl.DataFrame:
    made = [finding(number, "511725-D01") | row for number, row in enumerate(rows, 1)]
    return pl.DataFrame(made, schema=tidy_types("findings"), orient="row")


@pytest.mark.parametrize("table", TABLES.tables, ids=lambda table: table.id)
def test_a_schema_has_the_declared_types_and_texts(table: Any) -> None:
    schema = arrow_schema(table)
    assert schema.names == list(table.names)
    assert schema.metadata[b"schema_version"].decode() == TABLES.schema_version
    assert schema.metadata[b"title_zh"].decode() == table.title_zh
    for field, declared in zip(schema, table.fields, strict=True):
        assert (field.type, field.nullable) == (TYPES[declared.type], declared.null)
        assert field.metadata[b"title_zh"].decode() == declared.title_zh
        assert field.metadata[b"title_en"].decode() == declared.title_en


def test_a_figure_says_in_which_column_its_unit_stands() -> None:
    assert arrow_schema(TABLES["county_totals"]).field("value").metadata[b"unit_column"] == b"unit"
    assert b"unit_column" not in arrow_schema(TABLES["county_totals"]).field("bodies").metadata


def test_columns_come_in_declared_order_and_rows_by_key() -> None:
    frame = county()["county_totals"]
    shuffled = frame.select(reversed(frame.columns)).sample(fraction=1, shuffle=True, seed=4)
    made = to_arrow(shuffled, TABLES["county_totals"])
    assert made.column_names == list(TABLES["county_totals"].names)
    assert made["cell"].to_pylist() == sorted(cell.id for cell in form().cells)
    assert made.equals(to_arrow(frame, TABLES["county_totals"]), check_metadata=True)


def test_cells_stand_as_printed_where_the_form_is_given() -> None:
    frame = county()["body_cells"].sample(fraction=1, shuffle=True, seed=4)
    made = to_arrow(frame, TABLES["body_cells"], cell_order=form().index)
    cells = [cell.id for cell in form().cells]
    assert made["cell"].to_pylist() == cells * 3
    assert made["body"].to_pylist()[::203] == ["511725-D01", "511725-D02", "511725-D03"]


def test_findings_keep_their_order() -> None:
    made = to_arrow(findings({"rule": "b"}, {"rule": "a"}).reverse(), FINDINGS)
    assert made["finding"].to_pylist() == [1, 2]
    assert made["rule"].to_pylist() == ["b", "a"]


def test_metadata_of_other_programs_is_dropped() -> None:
    frame = findings({}).to_arrow().replace_schema_metadata({"pandas": "{}"})
    assert set(to_arrow(frame, FINDINGS).schema.metadata) == set(arrow_schema(FINDINGS).metadata)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda f: f.drop("severity"), "missing \\['severity'\\]"),
        (lambda f: f.with_columns(pl.lit(1).alias("extra")), "not declared \\['extra'\\]"),
        (lambda f: f.with_columns(pl.lit("7").alias("finding")), "findings.finding: found .*string"),
        (lambda f: f.with_columns(pl.lit(0.5).alias("difference")), "findings.difference: found double"),
        (lambda f: f.with_columns(pl.lit(None, pl.String).alias("rule")), "findings.rule: 1 empty"),
        (lambda f: f.with_columns(pl.lit("").alias("rule")), "findings.rule: 1 empty"),
        (lambda f: f.with_columns(pl.lit(2**40).alias("year")), "findings.year"),
        (lambda f: f.with_columns(pl.lit(Decimal("0.12345")).alias("difference")), "findings.difference"),
        (lambda f: f.with_columns(pl.lit(Decimal("123456789012345.5")).alias("difference")), "findings.difference"),
    ],
)
def test_a_frame_that_is_not_the_declared_table_is_refused(spoil: Any, problem: str) -> None:
    with pytest.raises(TableMismatchError, match=problem):
        to_arrow(spoil(findings({})), FINDINGS)


def test_an_empty_text_is_published_as_no_text() -> None:
    assert to_arrow(findings({"waived": ""}), FINDINGS)["waived"].to_pylist() == [None]


def test_a_table_without_rows_is_a_table() -> None:
    made = to_arrow(findings(), FINDINGS)
    assert read_csv(csv_bytes(made), made.schema).num_rows == 0
    assert read_parquet(parquet_bytes(made)).equals(made)


# --- bytes --------------------------------------------------------------------------------------------------


def test_parquet_keeps_schema_and_texts_and_is_cut_into_groups() -> None:
    made = to_arrow(county()["county_totals"], TABLES["county_totals"])
    back = read_parquet(parquet_bytes(made))
    assert back.equals(made, check_metadata=True)
    big = pa.concat_tables([to_arrow(findings(*({} for _ in range(700))), FINDINGS)] * 60)
    facts = pq.read_metadata(io.BytesIO(parquet_bytes(big)))
    assert [facts.row_group(number).num_rows for number in range(facts.num_row_groups)] == [20_000, 20_000, 2_000]
    assert facts.row_group(0).column(0).compression == "SNAPPY"


def test_the_writers_name_and_version_are_not_in_the_file() -> None:
    data = parquet_bytes(to_arrow(findings({}), FINDINGS))
    assert pq.read_metadata(io.BytesIO(data)).created_by.rstrip() == f"gongkai version {TABLES.schema_version}"
    assert b"arrow version" not in data
    assert pa.__version__.encode() not in data
    assert pl.read_parquet(data).equals(findings({}))


def test_csv_has_a_bom_crlf_and_figures_without_trailing_zeros() -> None:
    made = to_arrow(findings({"difference": Decimal("-12.3400"), "proposed": Decimal(100)}), FINDINGS)
    data = csv_bytes(made)
    assert data.startswith(BOM + b"finding,region,")
    assert data.count(b"\r\n") == 2
    assert b",-12.34," in data
    assert b",100," in data


def test_an_empty_text_is_never_written_as_if_it_were_null() -> None:
    made = to_arrow(findings({"message_zh": "x"}), FINDINGS)
    spoilt = made.set_column(12, "message_zh", pa.array([""]))
    with pytest.raises(ValueError, match="message_zh"):
        csv_bytes(spoilt)


def test_a_version_too_long_for_the_footer_is_told() -> None:
    made = to_arrow(findings({}), FINDINGS).replace_schema_metadata({"schema_version": "1.0.0-a-very-long-one"})
    with pytest.raises(ValueError, match="footer"):
        parquet_bytes(made)


def test_booleans_are_words() -> None:
    made = to_arrow(county()["form_cells"], TABLES["form_cells"])
    assert {line.rsplit(b",", 1)[1] for line in csv_bytes(made).splitlines()[1:]} == {b"true", b"false"}


@pytest.mark.parametrize("text", ["=1+1", "+86", "-1", "@x", '=HYPERLINK("http://example.org")'])
def test_a_text_that_looks_like_a_formula_stands_as_it_came(text: str) -> None:
    made = to_arrow(findings({"message_zh": text}), FINDINGS)
    assert read_csv(csv_bytes(made), made.schema)["message_zh"].to_pylist() == [text]


TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
FIGURE = st.none() | st.decimals(
    min_value=-(10**14) + 1, max_value=10**14 - 1, places=4, allow_nan=False, allow_infinity=False
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(TEXT, st.none() | TEXT, FIGURE), min_size=1, max_size=8))
def test_both_formats_give_back_any_table(rows: list[tuple[str, str | None, Decimal | None]]) -> None:
    frame = findings(*({"message_zh": a, "waived": b, "difference": c} for a, b, c in rows))
    made = to_arrow(frame, FINDINGS)
    twin = read_csv(csv_bytes(made), made.schema)
    assert [twin[name].to_pylist() for name in made.column_names] == [c.to_pylist() for c in made.columns]
    assert read_parquet(parquet_bytes(made)).equals(made, check_metadata=True)


def test_a_very_long_text_is_read_back() -> None:
    text = "长" * 700_000  # more than one block of the reader
    made = to_arrow(findings({"message_zh": text}), FINDINGS)
    assert read_csv(csv_bytes(made), made.schema)["message_zh"].to_pylist() == [text]


def test_bytes_that_are_no_parquet_are_told() -> None:
    data = parquet_bytes(to_arrow(findings({}), FINDINGS))
    for broken in (b"", b"PAR1", data[:-20], data[: len(data) // 2], b"\0" * 200):
        with pytest.raises(UNREADABLE):
            read_parquet(broken)


def test_the_same_tables_give_the_same_bytes_in_another_process() -> None:
    script = (
        "from tests.publish.county import *\n"
        "from pipelines.publish.package import SUMS, build_package\n"
        "import sys\n"
        "sys.stdout.buffer.write(build_package(region(), YEAR, county(), form())[SUMS])\n"
    )
    made = [
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=PROJECT,
            env=os.environ | {"PYTHONHASHSEED": seed, "TZ": zone, "LANG": "C"},
            capture_output=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "Asia/Shanghai"), ("2", "UTC"))
    ]
    assert made[0] == made[1]
    assert made[0].count(b"\n") == 2 * len(NAMES) + 2


def written_cell_by_cell(table: pa.Table) -> bytes:
    """The CSV of a table as Python's own writer makes it, one value after another."""

    def text(value: object) -> str:
        if value is None or isinstance(value, bool):
            return "" if value is None else str(value).lower()
        return value if isinstance(value, str) else number_text(value)  # type: ignore[arg-type]

    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\r\n")
    writer.writerow(table.column_names)
    writer.writerows(zip(*([text(value) for value in column.to_pylist()] for column in table.columns), strict=True))
    return BOM + sink.getvalue().encode()


PIECES = (*"ab,\"'\r\n\t ;=+-@0.#\\|公😀\u2028\x00\x0b\x85\ufeff", "null", "NaN", '""')
TEXTS = st.none() | st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
FIGURES = st.none() | st.integers(-(10**17), 10**17).map(lambda whole: Decimal(whole).scaleb(-4)) | st.integers(-9, 9)
LINES = st.tuples(TEXTS, TEXTS, FIGURES, st.none() | st.integers(-(2**63), 2**63 - 1), st.none() | st.booleans())


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, max_size=7), st.integers(1, 4))
def test_csv_is_what_writing_value_by_value_gives_whatever_the_texts(lines: list[Any], rows: int) -> None:
    types = {"a": pa.string(), 'b,"': pa.string(), "v": TYPES["decimal"], "i": pa.int64(), "t": pa.bool_()}
    columns = zip(*lines, strict=True) if lines else [[] for _ in types]
    table = pa.table(
        {name: pa.array(list(column), kind) for (name, kind), column in zip(types.items(), columns, strict=True)}
    )
    assert csv_bytes(table, rows) == written_cell_by_cell(table)


@settings(max_examples=100, deadline=None)
@given(st.permutations(list("abcde")), st.lists(st.sampled_from("abcdefg"), max_size=12))
def test_cells_stand_as_in_the_form_and_unknown_ones_behind(order: list[str], cells: list[str]) -> None:
    positions = {cell: number for number, cell in enumerate(order)}
    rows = [{"region": "1", "year": 1, "body": str(n % 3), "cell": cell} for n, cell in enumerate(cells)]
    frame = pl.DataFrame([dict.fromkeys(tidy_types("body_cells"), "x") | row | {"value": None} for row in rows],
                         schema=tidy_types("body_cells"), orient="row")  # fmt: skip
    made = to_arrow(frame, TABLES["body_cells"], cell_order=positions).select(["body", "cell"]).to_pylist()
    key = [(row["body"], positions.get(row["cell"], len(positions)), row["cell"]) for row in rows]
    assert [(row["body"], row["cell"]) for row in made] == [(body, cell) for body, _, cell in sorted(key)]
