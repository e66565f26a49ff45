"""Histograms of all replicas with fixed edges, the same in every bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ptmiss.core.stats import histograms
from ptmiss.tasks.met.performance.resolution import Value

_N, _W2 = histograms.MOMENTS.index("n"), histograms.MOMENTS.index("w2")


@dataclass(frozen=True)
class Cells:
    """Histograms of all replicas with the same edges (k,) in every bin, see `histograms.fill`.

    hist (bins, k + 1, 1 + replicas), moments (bins, k + 1, 9).
    """

    edges: np.ndarray
    hist: np.ndarray
    moments: np.ndarray

    @classmethod
    def of(cls, edges: np.ndarray, n_bins: int, replicas: int) -> Cells:
        """Return empty ones."""
        shape = (n_bins, edges.size + 1)
        moments = np.zeros((*shape, len(histograms.MOMENTS)), dtype=np.int64)
        return cls(np.tile(edges, (n_bins, 1)), np.zeros((*shape, 1 + replicas)), moments)

    def value(self, number: int, values: np.ndarray, fewest: int) -> Value:
        """Return what was found in a bin; nothing where it has too few effective events."""
        squares = float(self.moments[number, :, _W2].sum()) / histograms.W2_SCALE
        total = float(self.hist[number, :, 0].sum())
        enough = squares > 0.0 and total * total / squares >= fewest
        n_events = int(self.moments[number, :, _N].sum())
        return Value(values if enough and np.isfinite(values[0]) else None, n_events)


Task = tuple[Cells, np.ndarray, tuple[int, int], np.ndarray]
"""Histograms, each event's bin, the bins from which to which, and the values to add."""


@dataclass(frozen=True)
class Weighted:
    """Weights of some events, their scale, and their copies in all replicas."""

    weight: np.ndarray
    scale: np.ndarray
    copies: np.ndarray

    def add(self, task: Task) -> None:
        """Add these events to histograms."""
        cells, index, (first, last), values = task
        histograms.fill(
            index,
            first,
            last - first,
            values,
            np.empty(0),
            self.weight,
            np.repeat(self.scale, cells.hist.shape[0]),
            self.copies,
            cells.edges,
            1.0,
            cells.hist,
            cells.moments,
        )
