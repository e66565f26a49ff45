"""Datasets: events with computed features, in a form that streams faster than training reads.

A row is an event. Its constituents stand in two binary columns, one float32 matrix and one uint8
matrix, because a list column a feature takes ten times longer to decode (18.7k against 2.0k
events/s in zstd, one core), which would slow training down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ptmiss.core.errors import UserError
from ptmiss.core.io import parquet
from ptmiss.core.paths import PathLike
from ptmiss.core.ragged import offsets_of
from ptmiss.learn.task import DatasetLayout


def schema(layout: DatasetLayout) -> pa.Schema:
    """Return the columns of a dataset.

    key: position in the shuffled order; sample: index into the summary's list; the targets, in
    units of their scales; continuous, categories: rows of the features (little-endian float32) and
    of codes (uint8).
    """
    kinds = {
        "key": pa.uint64(),
        "sample": pa.uint8(),
        "weight": pa.float32(),
        **{target.name: pa.float32() for target in layout.targets},
        "n_candidates": pa.int32(),
        "continuous": pa.large_binary(),
        "categories": pa.large_binary(),
    }
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in kinds.items()])


@dataclass(frozen=True)
class Events:
    """Events of a dataset.

    offsets int64 (n + 1,); continuous float32 (n_candidates, F), features and labels; categories
    uint8 (n_candidates, C); targets float32 (n, T) in units of their scales; weight float32 (n,);
    sample uint8 (n,); key uint64 (n,).
    """

    offsets: np.ndarray
    continuous: np.ndarray
    categories: np.ndarray
    targets: np.ndarray
    weight: np.ndarray
    sample: np.ndarray
    key: np.ndarray

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.weight)

    @property
    def nbytes(self) -> int:
        """Memory of all arrays."""
        return sum(getattr(self, field.name).nbytes for field in fields(self))

    def take(self, order: np.ndarray) -> Events:
        """Return the events with these indices, in this order."""
        counts = np.diff(self.offsets)[order]
        offsets = offsets_of(counts)
        # index of each candidate: start of its event, plus its number in the event
        rows = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][order] - offsets[:-1], counts)
        return Events(
            offsets,
            self.continuous[rows],
            self.categories[rows],
            *(getattr(self, name)[order] for name in PER_EVENT),
        )


PER_EVENT = ("targets", "weight", "sample", "key")


def to_table(events: Events, layout: DatasetLayout) -> pa.Table:
    """Return events as a table of `schema(layout)`."""
    columns = {
        "key": events.key,
        "sample": events.sample,
        "weight": events.weight,
        **{target.name: events.targets[:, i] for i, target in enumerate(layout.targets)},
        "n_candidates": np.diff(events.offsets).astype(np.int32),
    }
    arrays = [pa.array(np.ascontiguousarray(values)) for values in columns.values()]
    arrays.append(_rows(events.continuous, events.offsets, np.dtype("<f4")))
    arrays.append(_rows(events.categories, events.offsets, np.dtype("u1")))
    return pa.Table.from_arrays(arrays, schema=schema(layout))


def from_table(table: pa.Table, layout: DatasetLayout) -> Events:
    """Return the events of a table of `schema(layout)`."""

    def column(name: str) -> np.ndarray:
        return np.asarray(table.column(name).to_numpy())

    counts = column("n_candidates").astype(np.int64)
    n, features = int(counts.sum()), layout.features
    return Events(
        offsets_of(counts),
        _matrix(table.column("continuous"), np.dtype("<f4"), (n, layout.width)),
        _matrix(table.column("categories"), np.dtype("u1"), (n, len(features.categories))),
        np.stack([column(target.name) for target in layout.targets], axis=1),
        column("weight"),
        column("sample"),
        column("key"),
    )


def groups(path: PathLike, layout: DatasetLayout) -> Iterator[Events]:
    """Yield the row groups of a dataset in their stored order."""
    with parquet.reading(path) as file:
        for number in range(file.num_row_groups):
            yield read_group(file, path, number, layout)


def read_group(file: pq.ParquetFile, path: PathLike, number: int, layout: DatasetLayout) -> Events:
    """Return the events of a row group of an open dataset; `UserError` for what is none."""
    expected, features = schema(layout), layout.features
    table = parquet.read_group(file, path, number, expected.names, expected)
    counts = table.column("n_candidates").to_numpy()
    widths = {"continuous": 4 * layout.width, "categories": len(features.categories)}
    for name, width in widths.items():
        lengths = pc.binary_length(table.column(name)).to_numpy()
        if not np.array_equal(lengths, counts.astype(np.int64) * width):
            raise UserError(
                f"{path}: {name} is not {width} bytes for each candidate, so this is not a dataset;"
                " run the stage preprocess again"
            )
    events = from_table(table.cast(expected), layout)
    if (events.categories >= np.array(features.table_rows)).any():
        raise UserError(f"{path}: a category has no such code; run the stage preprocess again")
    return events


def _rows(matrix: np.ndarray, offsets: np.ndarray, kind: np.dtype) -> pa.Array:
    values = np.ascontiguousarray(matrix, dtype=kind)
    width = values.shape[1] * kind.itemsize
    starts = pa.py_buffer((offsets * width).astype(np.int64))
    # an Arrow array keeps its buffers alive; no copy is made
    return pa.Array.from_buffers(
        pa.large_binary(), len(offsets) - 1, [None, starts, pa.py_buffer(values)]
    )


def _matrix(column: pa.ChunkedArray, kind: np.dtype, shape: tuple[int, int]) -> np.ndarray:
    parts = []
    for chunk in column.chunks:
        _, starts, data = chunk.buffers()
        first = np.frombuffer(starts, dtype=np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
        if data is not None and len(chunk):
            parts.append(np.frombuffer(data, dtype=np.uint8)[first[0] : first[-1]].view(kind))
    if not parts:
        return np.empty(shape, dtype=kind)
    flat = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return flat.reshape(shape)
