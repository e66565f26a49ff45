"""Datasets: events with computed features, in a form that streams faster than training reads.

A row is an event. Its candidates stand in two binary columns, one float32 matrix and one uint8
matrix, because a list column a feature takes ten times longer to decode (18.7k against 2.0k
events/s in zstd, one core), which would slow training down.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ptmiss.core.errors import UserError
from ptmiss.core.io import parquet
from ptmiss.core.ragged import offsets_of
from ptmiss.learn.features import CATEGORIES, CONTINUOUS, TABLES

SCHEMA = pa.schema(
    [
        pa.field("key", pa.uint64(), nullable=False),
        pa.field("sample", pa.uint8(), nullable=False),
        pa.field("weight", pa.float32(), nullable=False),
        pa.field("truth_px", pa.float32(), nullable=False),
        pa.field("truth_py", pa.float32(), nullable=False),
        pa.field("pinned_px", pa.float32(), nullable=False),
        pa.field("pinned_py", pa.float32(), nullable=False),
        pa.field("n_candidates", pa.int32(), nullable=False),
        pa.field("continuous", pa.large_binary(), nullable=False),
        pa.field("categories", pa.large_binary(), nullable=False),
    ]
)
"""key: position in the shuffled order; sample: index into the summary's list; truth: true missing
momentum, pinned: sum of pinned leptons, both in units of 50 GeV; continuous, categories: rows of
`features.CONTINUOUS` (little-endian float32) and `features.CATEGORIES` (uint8)."""


@dataclass(frozen=True)
class Events:
    """Events of a dataset.

    offsets int64 (n + 1,); continuous float32 (n_candidates, 8); categories uint8
    (n_candidates, 3); truth, pinned float32 (n, 2) in units of 50 GeV; weight float32 (n,);
    sample uint8 (n,); key uint64 (n,).
    """

    offsets: np.ndarray
    continuous: np.ndarray
    categories: np.ndarray
    truth: np.ndarray
    pinned: np.ndarray
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


PER_EVENT = ("truth", "pinned", "weight", "sample", "key")


def to_table(events: Events) -> pa.Table:
    """Return events as a table of `SCHEMA`."""
    columns = {
        "key": events.key,
        "sample": events.sample,
        "weight": events.weight,
        "truth_px": events.truth[:, 0],
        "truth_py": events.truth[:, 1],
        "pinned_px": events.pinned[:, 0],
        "pinned_py": events.pinned[:, 1],
        "n_candidates": np.diff(events.offsets).astype(np.int32),
    }
    arrays = [pa.array(np.ascontiguousarray(values)) for values in columns.values()]
    arrays.append(_rows(events.continuous, events.offsets, np.dtype("<f4")))
    arrays.append(_rows(events.categories, events.offsets, np.dtype("u1")))
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def from_table(table: pa.Table) -> Events:
    """Return the events of a table of `SCHEMA`."""

    def column(name: str) -> np.ndarray:
        return table.column(name).to_numpy()

    counts = column("n_candidates").astype(np.int64)
    pair = [
        np.stack([column(f"{name}_px"), column(f"{name}_py")], axis=1)
        for name in ("truth", "pinned")
    ]
    return Events(
        offsets_of(counts),
        _matrix(table.column("continuous"), np.dtype("<f4"), len(CONTINUOUS)),
        _matrix(table.column("categories"), np.dtype("u1"), len(CATEGORIES)),
        *pair,
        column("weight"),
        column("sample"),
        column("key"),
    )


def groups(path: str | os.PathLike[str]) -> Iterator[Events]:
    """Yield the row groups of a dataset in their stored order."""
    with parquet.reading(path) as file:
        for number in range(file.num_row_groups):
            yield read_group(file, path, number)


def read_group(file: pq.ParquetFile, path: str | os.PathLike[str], number: int) -> Events:
    """Return the events of a row group of an open dataset; `UserError` for what is none."""
    table = parquet.read_group(file, path, number, SCHEMA.names, SCHEMA)
    counts = table.column("n_candidates").to_numpy()
    for name, width in (("continuous", 4 * len(CONTINUOUS)), ("categories", len(CATEGORIES))):
        lengths = pc.binary_length(table.column(name)).to_numpy()
        if not np.array_equal(lengths, counts.astype(np.int64) * width):
            raise UserError(
                f"{path}: {name} is not {width} bytes for each candidate, so this is not a dataset;"
                " run the stage preprocess again"
            )
    events = from_table(table.cast(SCHEMA))
    if (events.categories >= np.array(TABLES) + 1).any():
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


def _matrix(column: pa.ChunkedArray, kind: np.dtype, width: int) -> np.ndarray:
    parts = []
    for chunk in column.chunks:
        _, starts, data = chunk.buffers()
        first = np.frombuffer(starts, dtype=np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
        if data is not None and len(chunk):
            parts.append(np.frombuffer(data, dtype=np.uint8)[first[0] : first[-1]].view(kind))
    if not parts:
        return np.empty((0, width), dtype=kind)
    flat = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return flat.reshape(-1, width)
