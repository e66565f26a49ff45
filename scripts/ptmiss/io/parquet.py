"""Parquet with page checksums: written whole, verified on reading, streamed in row groups."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from ptmiss.errors import UserError
from ptmiss.io import manifest
from ptmiss.io.atomic import replacing

CORRUPT = (OSError, pa.ArrowException)
"""What Arrow raises on a damaged or truncated file."""


@contextlib.contextmanager
def writing(path: str | os.PathLike[str], schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """Yield a writer of zstd-compressed Parquet with page checksums; the file appears whole.

    Each `write_table` call of the writer makes at least one row group; callers hand over tables
    of the size they want to stream later.
    """
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(
            temporary,
            schema,
            compression="zstd",
            compression_level=-1,  # writing takes a fifth less time, files are a tenth larger
            write_page_checksum=True,
            use_dictionary=False,
            write_statistics=False,
        ) as writer,
    ):
        yield writer


def write(path: str | os.PathLike[str], table: pa.Table, rows_per_group: int = 1 << 16) -> None:
    """Write one table that fits in memory."""
    with writing(path, table.schema) as writer:
        writer.write_table(table, row_group_size=rows_per_group)


@contextlib.contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[pq.ParquetFile]:
    """Yield an open file whose sum and pages are verified; damage is a `UserError` naming it."""
    manifest.check(path)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; run the stage that makes it") from error
    except CORRUPT as error:
        raise UserError(
            f"{path}: not a readable Parquet file ({error}); delete it and run the workflow again"
        ) from error


def row_groups(
    path: str | os.PathLike[str], columns: list[str] | None = None
) -> Iterator[pa.Table]:
    """Yield the row groups of a file one at a time, as tables of these columns (None: all)."""
    with reading(path) as file:
        for i in range(file.num_row_groups):
            yield file.read_row_group(i, columns=columns, use_threads=False)


def column_names(path: str | os.PathLike[str]) -> list[str]:
    """Return the names of a file's columns."""
    with reading(path) as file:
        return list(file.schema_arrow.names)
