"""Values in bins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def nearest_bin(values: np.ndarray, lower_edges: Sequence[float]) -> np.ndarray:
    """Return the half-open bin of each value, int64, (n,), by the lower edges of the bins.

    The last bin has no end, and what lies below the first belongs to it.
    """
    return np.maximum(np.searchsorted(np.asarray(lower_edges), values, side="right") - 1, 0)
