"""How assets are stored: Parquet tables, read files as packs, packages as zip; always atomically.

Belongs here: bytes of stored assets. Does not belong here: computing anything, or the files of a release
(pipelines/publish).
"""

from __future__ import annotations

import io
import zipfile
from typing import Any

import dagster as dg
import polars as pl
from upath import UPath

from assets.lineage import column_lineage, column_schema
from assets.stored import (
    BAD_PACKAGE,
    StoredError,
    read_table,
    readings_are_whole,
    replace_stored,
    table_bytes,
    tell_damaged,
)
from pipelines.ingest.packed import Readings, open_pack, write_pack
from pipelines.storage import writing

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


class ParquetIOManager(dg.UPathIOManager):
    """A polars frame as one Parquet file per partition."""

    extension = ".parquet"

    def dump_to_path(self, context: dg.OutputContext, obj: pl.DataFrame, path: UPath) -> None:
        """Write the frame."""
        replace_stored(context, path, table_bytes(obj))

    def load_from_path(self, context: dg.InputContext, path: UPath) -> pl.DataFrame:
        """Read the frame. Raises StoredError where it is damaged."""
        return read_table(path)

    def get_metadata(self, context: dg.OutputContext, obj: pl.DataFrame) -> dict[str, dg.MetadataValue[Any]]:
        """Rows, columns and where they come from, as Dagster's own metadata names."""
        asset = context.asset_key.path[-1]
        lineage = column_lineage(asset, obj)
        found: dict[str, dg.MetadataValue[Any]] = {
            "dagster/row_count": dg.MetadataValue.int(obj.height),
            "dagster/column_schema": dg.MetadataValue.table_schema(column_schema(asset, obj)),
        }
        if lineage is not None:
            found["dagster/column_lineage"] = dg.MetadataValue.column_lineage(lineage)
        return found


class ReadingsIOManager(dg.UPathIOManager):
    """Read files as one pack per partition (pipelines/ingest/packed.py), decoded as they are asked for."""

    extension = ".readings"

    def dump_to_path(self, context: dg.OutputContext, obj: Readings, path: UPath) -> None:
        """Write the read files, one after the other."""
        if not readings_are_whole(path):
            tell_damaged(context, path)
        with writing(path) as write:
            write_pack(obj, write)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> Readings:
        """Open the read files."""
        return open_pack(path)


class PackageIOManager(dg.UPathIOManager):
    """The files of a package, by name, as one uncompressed zip per partition; the same files, the same bytes."""

    extension = ".zip"

    def dump_to_path(self, context: dg.OutputContext, obj: dict[str, bytes], path: UPath) -> None:
        """Write the files."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(obj):
                archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), obj[name])
        replace_stored(context, path, buffer.getvalue(), package=True)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> dict[str, bytes]:
        """Read the files. Raises StoredError where they are damaged."""
        try:
            with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
                return {name: archive.read(name) for name in archive.namelist()}
        except BAD_PACKAGE as fault:
            raise StoredError(path) from fault
