"""Where a value lies among rising edges, for kernels."""

from __future__ import annotations

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
