"""A published table as bytes and back: Parquet, and its CSV twin.

Belongs here: the two file formats, byte for byte the same for the same table. Does not belong here: the tables'
types (arrow.py), which files make a release (package.py), judging files (checks.py).

The CSV is the faithful twin of the Parquet file: UTF-8 with a BOM (spreadsheet programs in Chinese need it), RFC 4180
with CRLF, figures without trailing zeros, empty for null, ``true`` and ``false``. Text stands exactly as it came: a
text that begins with ``=``, ``+``, ``-`` or ``@`` is not altered, because then CSV and Parquet would differ and the
verbatim text would not be verbatim. The release's README tells people to import such columns as text.
"""

from __future__ import annotations

import io

import polars as pl
import polars.selectors
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

CSV_ROWS = 100_000  # so many are written at a time: no more of them stand in memory as text
ROW_GROUP = 20_000  # small enough that a browser can fetch one group of a large table
BOM = b"\xef\xbb\xbf"
# What reading damaged or hostile bytes may raise.
UNREADABLE = (pa.ArrowException, OSError, ValueError, MemoryError)


def parquet_bytes(table: pa.Table) -> bytes:
    """``table`` as a Parquet file: Snappy, row groups of 20,000, the same bytes for the same table.

    The footer's ``created_by`` names the table's schema version instead of the library's, so that a mended library
    that writes the same pages writes the same file.
    """
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        compression="snappy",
        row_group_size=ROW_GROUP,
        version="2.6",
        data_page_version="1.0",
        use_dictionary=True,
        write_statistics=True,
        store_schema=True,
    )
    return _unsigned(sink.getvalue(), (table.schema.metadata or {}).get(b"schema_version", b"0"))


def _unsigned(data: bytes, version: bytes) -> bytes:
    """``data`` with the writer's name in the footer replaced by ours, of the same length."""
    writer = pq.read_metadata(io.BytesIO(data)).created_by.encode()
    ours = (b"gongkai version " + version).ljust(len(writer))
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    if len(ours) != len(writer) or data.count(writer, footer) != 1:
        raise ValueError(f"the Parquet footer does not name its writer as expected: {writer!r}")
    place = data.rindex(writer)
    return data[:place] + ours + data[place + len(writer) :]


def read_parquet(data: bytes) -> pa.Table:
    """The table in a Parquet file, every value validated. Raises one of UNREADABLE for bytes that are none.

    From Arrow's own buffer: a reader of a Python file object may still hold it when the process ends, and aborts then.
    """
    table = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    table.validate(full=True)
    return table


def _as_text(table: pa.Table) -> pl.DataFrame:
    """The columns as they stand in the CSV: figures without trailing zeros, ``true`` and ``false``."""
    figures = pl.selectors.decimal()
    return pl.DataFrame(table).with_columns(
        figures.cast(pl.String).str.strip_chars_end("0").str.strip_chars_end("."),
        pl.selectors.boolean().cast(pl.String),
    )


def csv_bytes(table: pa.Table, rows: int = CSV_ROWS) -> bytes:
    """``table`` of two columns or more as its CSV twin (see above), ``rows`` written at a time.

    Raises ValueError for an empty text, which CSV cannot tell from null.
    """
    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_string(field.type) and pc.any(pc.equal(column, "")).as_py():
            raise ValueError(f"{field.name}: an empty text cannot be told from null in CSV")
    sink = io.BytesIO()
    sink.write(BOM)
    for start in range(0, max(table.num_rows, 1), rows):
        part = _as_text(table.slice(start, rows))
        part.write_csv(sink, include_header=not start, line_terminator="\r\n", quote_style="necessary", null_value="")
    return sink.getvalue()


def read_csv(data: bytes, schema: pa.Schema) -> pa.Table:
    """A CSV file read by the types of ``schema``. Raises one of UNREADABLE."""
    return pa.csv.read_csv(
        io.BytesIO(data),
        # one block: a text longer than a block would otherwise be refused
        read_options=pa.csv.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types={field.name: field.type for field in schema},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            true_values=["true"],
            false_values=["false"],
        ),
    )
