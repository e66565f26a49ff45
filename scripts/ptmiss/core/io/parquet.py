"""Parquet with page checksums: written whole, verified on reading, streamed in row groups."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ptmiss.core.errors import UserError
from ptmiss.core.io import manifest
from ptmiss.core.io.atomic import replacing
from ptmiss.core.io.regular import require_regular
from ptmiss.core.paths import PathLike

_REMEDY = "delete it and run the workflow again"

CORRUPT = (OSError, pa.ArrowException, UnicodeError, MemoryError, OverflowError)
"""What Arrow raises on a damaged or truncated file."""


@contextlib.contextmanager
def writing(path: PathLike, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
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


def write(path: PathLike, table: pa.Table, rows_per_group: int = 1 << 16) -> None:
    """Write one table that fits in memory."""
    with writing(path, table.schema) as writer:
        writer.write_table(table, row_group_size=rows_per_group)


@contextlib.contextmanager
def reading(path: PathLike) -> Iterator[pq.ParquetFile]:
    """Yield an open file whose sum and pages are verified; damage is a `UserError` naming it.

    Names of columns and the texts that describe the file are UTF-8.
    """
    require_regular(path, _REMEDY)
    manifest.check(path)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            _check_names(file.schema_arrow)
            yield file
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; run the stage that makes it") from error
    except MemoryError as error:  # nobody can tell the two
        raise UserError(
            f"{path}: too little memory to read it, or its sizes are damaged; give the job more"
            " memory, and if that does not help make the file again"
        ) from error
    except CORRUPT as error:
        raise UserError(
            f"{path}: not a readable Parquet file ({_message(error)}); {_REMEDY}"
        ) from error


def _check_names(schema: pa.Schema) -> None:
    """Raise `UnicodeDecodeError` for names or descriptions that are no text, `ArrowInvalid` for a
    name that two columns have."""
    names = [field.name for field in schema]
    if len(set(names)) < len(names):
        raise pa.ArrowInvalid("two columns have the same name")
    for pair in (schema.metadata or {}).items():
        for value in pair:
            value.decode()


def _message(error: Exception) -> str:
    """Return the first 200 characters of what Arrow says; some messages quote a whole schema."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def row_groups(
    path: PathLike, columns: list[str] | None = None, layout: pa.Schema | None = None
) -> Iterator[pa.Table]:
    """Yield the row groups of a file one at a time, as tables of these columns (None: all).

    layout: see `checked`.
    """
    with reading(path) as file:
        for i in range(file.num_row_groups):
            yield read_group(file, path, i, columns, layout)


def read_group(
    file: pq.ParquetFile,
    path: PathLike,
    number: int,
    columns: list[str] | None = None,
    layout: pa.Schema | None = None,
) -> pa.Table:
    """Return one row group of an open file; see `row_groups`."""
    try:
        table = file.read_row_group(number, columns=columns, use_threads=False)
    except CORRUPT as error:
        raise UserError(
            f"{path}: not a readable Parquet file ({_message(error)}); {_REMEDY}"
        ) from error
    return checked(table, path, columns, layout)


def checked(
    table: pa.Table,
    path: PathLike,
    columns: list[str] | None = None,
    layout: pa.Schema | None = None,
) -> pa.Table:
    """Return the table if its readers can rely on it: all lists of a row are equally long.

    Parameters
    ----------
    table
        As it was read.
    path
        The file, for messages.
    columns
        Those that have to be there; None for those of `layout`.
    layout
        Fields of some columns: those are of the same kind (any precision will do) and hold no null
        where the field allows none.

    Raises
    ------
    UserError
        If the file is another one.
    """
    wanted = columns or (layout.names if layout else ())
    odd = [name for name in wanted if name not in table.schema.names]
    if odd:
        raise UserError(
            f"{path}: column {', '.join(odd)} missing, so this is another file; {_REMEDY}"
        )
    for field in layout or ():
        if field.name in table.schema.names:
            _check_column(table.column(field.name), field, path)
    _check_lengths(table, path)
    return table


def _check_column(column: pa.ChunkedArray, field: pa.Field, path: PathLike) -> None:
    if not _alike(column.type, field.type):
        raise UserError(
            f"{path}: column {field.name} has type {column.type}, expected {field.type}; {_REMEDY}"
        )
    nulls = column.null_count if not field.nullable else 0
    if pa.types.is_list(field.type) and not field.type.value_field.nullable:
        nulls += sum(chunk.flatten().null_count for chunk in column.chunks)
    if nulls:
        raise UserError(f"{path}: column {field.name} has {nulls} empty values; {_REMEDY}")


def _alike(stored: pa.DataType, expected: pa.DataType) -> bool:
    types = pa.types
    if types.is_list(expected):
        return bool(types.is_list(stored)) and _alike(stored.value_type, expected.value_type)
    for kind in (types.is_floating, types.is_integer):
        if kind(expected):
            return bool(kind(stored))
    return bool(stored == expected)


def _check_lengths(table: pa.Table, path: PathLike) -> None:
    first = None
    for name, column in zip(table.schema.names, table.columns, strict=True):
        if not pa.types.is_list(column.type):
            continue
        if first is not None and not _equally_long(column, first):
            raise UserError(
                f"{path}: column {name} has other numbers of candidates than the columns before it;"
                f" {_REMEDY}"
            )
        first = column


def _equally_long(left: pa.ChunkedArray, right: pa.ChunkedArray) -> bool:
    if left.num_chunks == right.num_chunks == 1:
        # as a reader gets them: nothing has to be computed
        first, second = left.chunk(0), right.chunk(0)
        if first.null_count == second.null_count == 0 and first.offsets.equals(second.offsets):
            return True
    lengths = [pc.list_value_length(lists).combine_chunks() for lists in (left, right)]
    return bool(lengths[0].equals(lengths[1]))


def float64(table: pa.Table, name: str) -> np.ndarray:
    """Return a column of numbers as float64, (n,); null becomes NaN."""
    column = table[name].combine_chunks().cast(pa.float64())
    values: np.ndarray = column.to_numpy(zero_copy_only=False)
    return values


def column_names(path: PathLike) -> list[str]:
    """Return the names of a file's columns."""
    with reading(path) as file:
        return list(file.schema_arrow.names)
