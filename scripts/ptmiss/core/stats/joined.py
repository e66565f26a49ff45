"""Quantiles and RMS of distributions put together, each divided by a response of its own."""

from __future__ import annotations

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.core.stats.search import first_above

_STEPS = 40
_PRECISION = 1e-4  # GeV


@njit(cache=True, nogil=True)
def _below(edges: np.ndarray, cumulative: np.ndarray, x: float) -> float:
    """Return the sum of weights below x, linear within a cell; edges (m,), cumulative (m + 1,)."""
    low = first_above(edges, 0, edges.size, x)
    if low == 0:
        return 0.0
    if low == edges.size:
        return float(cumulative[edges.size])
    before, after = cumulative[low - 1], cumulative[low]
    left, right = edges[low - 1], edges[low]
    return float(before + (after - before) * (x - left) / (right - left))


@njit(cache=True, nogil=True)
def mixed_quantiles(
    edges: np.ndarray, hist: np.ndarray, responses: np.ndarray, levels: np.ndarray
) -> np.ndarray:
    """Return quantiles of x / response over several bins together, shape (levels, r), in GeV.

    edges (k, cells - 1), hist (k, cells, r) in one unit, responses (k, r). NaN where a response is
    not positive or a replica is empty. Found by bisection, near the measurement's quantile first.
    """
    n_bins, n_cells, width = hist.shape
    out = np.full((levels.size, width), np.nan)
    cumulative = np.zeros((n_bins, n_cells))
    for r in range(width):
        total, low, high, good = 0.0, 0.0, 0.0, True
        for k in range(n_bins):
            inside = 0.0
            for c in range(n_cells):
                inside += hist[k, c, r]
                cumulative[k, c] = inside
            total += inside
            response = responses[k, r]
            good = good and response > 0.0
            if response > 0.0:
                low = min(low, edges[k, 0] / response)
                high = max(high, edges[k, n_cells - 2] / response)
        if not good or not total > 0.0:
            continue
        for q in range(levels.size):
            aim = levels[q] * total
            left, right = low, high
            for step in range(_STEPS):
                middle = 0.5 * (left + right)
                if r and step < 2 and not np.isnan(out[q, 0]):
                    middle = out[q, 0] + (0.5 - step) * 0.2 * abs(out[q, 0])
                if not left < middle < right or right - left < _PRECISION:
                    continue
                share = 0.0
                for k in range(n_bins):
                    share += _below(edges[k], cumulative[k], middle * responses[k, r])
                if share < aim:
                    left = middle
                else:
                    right = middle
            out[q, r] = 0.5 * (left + right)
    return out


def mixed_rms(
    total: np.ndarray, x: np.ndarray, x2: np.ndarray, responses: np.ndarray
) -> np.ndarray:
    """Return the RMS about the mean of x / response over several bins together, shape (r,).

    total, x, x2: sums of w, wx, wx^2 of each bin, (k, r); responses (k, r).
    """
    response = np.where(responses > 0.0, responses, np.nan)
    whole = total.sum(axis=0)
    whole = np.where(whole > 0.0, whole, np.nan)
    mean = (x / response).sum(axis=0) / whole
    square = (x2 / response**2).sum(axis=0) / whole
    return np.asarray(np.sqrt(np.maximum(square - mean * mean, 0.0)))
