"""Events with a varying number of candidates: flat arrays and offsets, never padding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Ragged:
    """Columns of candidates, one flat array each, and where each event begins.

    offsets: int64, shape (n_events + 1,), starting at 0; event i owns [offsets[i], offsets[i+1]).
    columns: name -> array of shape (n_candidates,).
    """

    offsets: np.ndarray
    columns: dict[str, np.ndarray]

    def __post_init__(self) -> None:
        n = int(self.offsets[-1])
        for name, values in self.columns.items():
            if len(values) != n:
                raise ValueError(f"column {name} has {len(values)} entries, the offsets say {n}")

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.offsets) - 1

    @property
    def counts(self) -> np.ndarray:
        """Candidates per event, int64, shape (n_events,)."""
        return np.diff(self.offsets)

    def keep_events(self, mask: np.ndarray) -> Ragged:
        """Return the events where `mask` (shape (n_events,)) is true."""
        counts = self.counts
        flat = np.repeat(mask, counts)
        return Ragged(
            offsets_of(counts[mask]), {name: values[flat] for name, values in self.columns.items()}
        )

    def keep_candidates(self, mask: np.ndarray) -> Ragged:
        """Return all events with the candidates where `mask` (shape (n_candidates,)) is true."""
        counts = segment_sum(mask.astype(np.int64), self.offsets)
        return Ragged(
            offsets_of(counts), {name: values[mask] for name, values in self.columns.items()}
        )


def offsets_of(counts: np.ndarray) -> np.ndarray:
    """Return the offsets, shape (n + 1,), int64, of events with these counts, shape (n,)."""
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def event_index(offsets: np.ndarray) -> np.ndarray:
    """Return for each candidate the index of its event, int64, shape (n_candidates,)."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def segment_sum(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Sum `values` (n_candidates,) within each event; an empty event gives exactly 0.

    Floats are summed in float64, whatever their type, because thousands of float32 momenta of
    both signs lose digits that matter at the 1e-4 GeV level. Returns shape (n_events,).
    """
    dtype = np.float64 if np.issubdtype(values.dtype, np.floating) else values.dtype
    sums = np.zeros(len(offsets) - 1, dtype=dtype)
    filled = np.diff(offsets) > 0
    if filled.any():
        # reduceat over the filled events only: it would repeat a neighbour's value for empty ones
        sums[filled] = np.add.reduceat(values, offsets[:-1][filled], dtype=dtype)
    return sums


def from_arrow(table: pa.Table | pa.RecordBatch, names: list[str]) -> Ragged:
    """Take list columns out of an Arrow table; all must have the same number of entries a row.

    Lists of booleans become uint8-backed numpy bool arrays; all others are taken without a copy
    where the table consists of one chunk.
    """
    offsets: np.ndarray | None = None
    columns: dict[str, np.ndarray] = {}
    for name in names:
        column = table.column(name)
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if isinstance(array, pa.ChunkedArray):  # zero chunks stay chunked in some versions
            array = pa.concat_arrays(array.chunks)
        start = array.offsets[0].as_py() if len(array) else 0
        own = array.offsets.to_numpy(zero_copy_only=False).astype(np.int64) - start
        if len(array) == 0:
            own = np.zeros(1, dtype=np.int64)
        if offsets is None:
            offsets = own
        elif not np.array_equal(offsets, own):
            raise ValueError(f"column {name} has other candidate counts than {names[0]}")
        columns[name] = array.flatten().to_numpy(zero_copy_only=False)
    return Ragged(np.zeros(1, dtype=np.int64) if offsets is None else offsets, columns)


def to_arrow(values: np.ndarray, offsets: np.ndarray, value_type: pa.DataType) -> pa.ListArray:
    """Return flat values and offsets as an Arrow list array of `value_type`."""
    kind = pa.list_(pa.field("item", value_type, nullable=False))
    return pa.ListArray.from_arrays(
        pa.array(offsets.astype(np.int32)), pa.array(values, type=value_type), type=kind
    )
