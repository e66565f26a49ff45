"""Where a value lies among rising edges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ptmiss.core.compiled import njit


@njit(cache=True, nogil=True)
def first_above(edges: np.ndarray, first: int, last: int, x: float) -> int:
    """Return the place of the first of edges[first:last] above x, `last` where none is."""
    low, high = first, last
    while low < high:
        middle = (low + high) // 2
        if x >= edges[middle]:
            low = middle + 1
        else:
            high = middle
    return low


def nearest_bin(values: np.ndarray, lower_edges: Sequence[float]) -> np.ndarray:
    """Return the half-open bin of each value, int64, (n,), by the lower edges of the bins.

    The last bin has no end, and what lies below the first belongs to it.
    """
    return np.maximum(np.searchsorted(np.asarray(lower_edges), values, side="right") - 1, 0)
