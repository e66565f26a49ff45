"""Weighted histograms of every replica at once, and quantiles from them.

An observable of one estimator in one bin of an axis is a distribution. Its histogram is kept for
the measurement and for every replica. Cells are chosen by quantiles of the distribution itself
(first pass over the events) and are narrow where a replica's 16 and 84 % quantiles can fall, so
that some fifty cells give quantiles whose error is far below the statistical one.

All sums are exact: weights are rounded to 2**-23 of the largest weight in the bin and products to
integers, so that no result depends on the order in which events come.
"""

from __future__ import annotations

import math

import numpy as np

from ptmiss.compiled import njit

LEVELS = (0.16, 0.84)
"""Levels of the quantiles whose half difference is the resolution."""

_CORE, _FINE, _GROWTH, _REACH = 5.0, 0.05, 0.01, 8000.0
_N_CORE = round(_CORE / _FINE)
_N_SIDE = _N_CORE + math.ceil(math.log(_REACH / _CORE) / _GROWTH)
N_FINE = 2 * _N_SIDE
"""Number of cells of the first pass: 0.05 GeV wide up to 5 GeV, then growing by 1 % a cell."""

_SHAPE = (0.0, 0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.35, 0.45)
_BASE = (*_SHAPE, *(1.0 - level for level in _SHAPE))
_WINDOW = np.linspace(-5.0, 5.0, 13)
N_CELLS = len(_BASE) + len(LEVELS) * _WINDOW.size + 2 + 1
"""Cells of a replica's histogram: between chosen levels, around both quantiles, and outside."""

MOMENTS = ("n", "abs_w", "abs_w_x", "abs_w_x2", "w_x", "w_x2", "w2")
"""Sums kept a cell, int64: number, |w|, |w|x, |w|x^2, wx, wx^2, w^2 (see `fill`)."""

WEIGHT_BITS = 23
W2_SCALE = 2.0**-12  # keeps the sum of squares of 2**29 events below 2**63


def weight_scale(largest: np.ndarray) -> np.ndarray:
    """Return the power of two that makes a bin's largest |weight| at most 2**23, float64."""
    exponent = np.where(largest > 0.0, np.frexp(largest)[1], 0)
    return np.ldexp(1.0, WEIGHT_BITS - exponent)


@njit(cache=True, nogil=True)
def fine_cells(values, out):
    """Write the cell of the first pass of each value into `out`, int32; -1 if not finite."""
    for i in range(values.size):
        x = values[i]
        if not np.isfinite(x):
            out[i] = -1
            continue
        size = abs(x)
        core = size < _CORE
        k = int(size / _FINE) if core else _N_CORE + int(math.log(size / _CORE) / _GROWTH)
        k = min(k, _N_SIDE - 1)
        out[i] = _N_SIDE + k if x >= 0.0 else _N_SIDE - 1 - k


def fine_edges() -> np.ndarray:
    """Return the edges of the cells of the first pass in GeV, shape (N_FINE + 1,)."""
    steps = np.arange(_N_SIDE - _N_CORE + 1)
    upper = np.concatenate([np.arange(_N_CORE) * _FINE, _CORE * np.exp(_GROWTH * steps)])
    return np.concatenate([-upper[:0:-1], upper])


_FINE_EDGES = fine_edges()


@njit(cache=True, nogil=True)
def fill_fine(bins, cells, weights, scale, hist, squares):
    """Add events to the histograms of the first pass.

    bins (n,): bin of each event or -1; cells (n,): see `fine_cells`; scale (bins,): see
    `weight_scale`; hist (bins, N_FINE) int64: sum of |w|; squares (bins,) int64: sum of w^2.
    """
    for i in range(bins.size):
        b = bins[i]
        if b < 0 or cells[i] < 0:
            continue
        a = abs(np.rint(weights[i] * scale[b]))
        hist[b, cells[i]] += np.int64(a)
        squares[b] += np.int64(np.rint(a * a * W2_SCALE))


def choose_edges(hist: np.ndarray, squares: float, rms_range: float) -> np.ndarray:
    """Return the edges of a replica's histogram in GeV, rising, shape (N_CELLS - 1,).

    hist (N_FINE,), squares: see `fill_fine`. The statistical error of the level p of a quantile is
    sqrt(p (1 - p) / n) with n the effective number of events: windows of five of these around both
    levels are cut into narrow cells. +-rms_range are edges too.
    """
    total = float(hist.sum())
    levels = np.empty(0)
    if total > 0.0:
        n_effective = total * total * W2_SCALE / max(float(squares), 1.0)
        windows = [p + _WINDOW * math.sqrt(p * (1.0 - p) / n_effective) for p in LEVELS]
        levels = np.clip(np.concatenate([_BASE, *windows]), 0.0, 1.0)
        occupied = np.flatnonzero(hist)
        first, last = occupied[0], occupied[-1] + 1
        edges = _FINE_EDGES[first : last + 1]
        cumulative = np.concatenate([[0.0], np.cumsum(hist[first:last]) / total])
        chosen = np.interp(levels, cumulative, edges)
        chosen[levels == 0.0], chosen[levels == 1.0] = edges[0], edges[-1]
    else:
        chosen = np.zeros(N_CELLS - 3)
    return np.sort(np.concatenate([chosen, [-rms_range, rms_range]]))


@njit(cache=True, nogil=True)
def fill(
    bins, offset, n_bins, values, lever, weights, scale, copies, edges, limit, hist, levers, moments
):
    """Add events to the histograms of all replicas.

    bins (n,): bin of each event, -1 for none, all within offset .. offset + n_bins;
    values (n,): the observable, not finite where there is none; lever (n,): the denominator of a
    response (q_t or true pTmiss), of size 0 if there is none; weights (n,); scale: see
    `weight_scale`; copies (n, r): see `bootstrap.copies`; edges (bins, N_CELLS - 1);
    limit: values are cut to +-limit in squares; hist (bins, N_CELLS, r) float64: sum of integer
    weights; levers (bins, r) float64: sum of w times lever; moments (bins, N_CELLS, 7): MOMENTS.
    """
    n, n_cells, width = bins.size, hist.shape[1], hist.shape[2]
    keys = np.empty(n, dtype=np.int32)
    starts = np.zeros(n_bins * n_cells + 1, dtype=np.int32)
    for i in range(n):
        b = bins[i]
        x = values[i]
        if b < 0 or not np.isfinite(x):
            keys[i] = -1
            continue
        row = edges[b]
        low, high = 0, n_cells - 1
        while low < high:
            middle = (low + high) // 2
            if x >= row[middle]:
                low = middle + 1
            else:
                high = middle
        keys[i] = (b - offset) * n_cells + low
        starts[keys[i] + 1] += 1
        w = np.rint(weights[i] * scale[b])
        near = min(max(x, -8192.0), 8192.0)
        square = min(abs(x), limit) ** 2
        cell = moments[b, low]
        cell[0] += 1
        cell[1] += np.int64(abs(w))
        cell[2] += np.int64(np.rint(abs(w) * near))
        cell[3] += np.int64(np.rint(abs(w) * square))
        cell[4] += np.int64(np.rint(w * near))
        cell[5] += np.int64(np.rint(w * square))
        cell[6] += np.int64(np.rint(w * w * W2_SCALE))
    for k in range(n_bins * n_cells):
        starts[k + 1] += starts[k]
    order = np.empty(starts[n_bins * n_cells], dtype=np.int32)
    place = starts.copy()
    for i in range(n):
        if keys[i] >= 0:
            order[place[keys[i]]] = i
            place[keys[i]] += 1
    for k in range(n_bins * n_cells):
        if starts[k] == starts[k + 1]:
            continue
        b = offset + k // n_cells
        target = hist[b, k % n_cells]
        for j in range(starts[k], starts[k + 1]):
            i = order[j]
            w = np.rint(weights[i] * scale[b])
            row = copies[i]
            if lever.size:
                v = np.rint(w * min(lever[i], 8192.0))
                total = levers[b]
                for r in range(width):
                    target[r] += w * row[r]
                    total[r] += v * row[r]
            else:
                for r in range(width):
                    target[r] += w * row[r]


@njit(cache=True, nogil=True)
def quantiles(edges, hist, levels):
    """Return the quantiles of each replica by linear interpolation, shape (levels, r), in GeV.

    edges (N_CELLS - 1,), hist (N_CELLS, r). NaN where a replica's sum is not positive. With
    negative weights the cumulative sum may fall; the first crossing of the level counts.
    """
    n_cells, width = hist.shape
    total = np.zeros(width)
    for c in range(n_cells):
        for r in range(width):
            total[r] += hist[c, r]
    out = np.full((levels.size, width), np.nan)
    for q in range(levels.size):
        before = np.zeros(width)
        found = np.zeros(width, dtype=np.bool_)
        for c in range(n_cells):
            low = edges[max(c - 1, 0)]
            high = edges[min(c, n_cells - 2)]
            for r in range(width):
                h = hist[c, r]
                aim = levels[q] * total[r]
                if not found[r] and h > 0.0 and total[r] > 0.0 and before[r] + h >= aim:
                    found[r] = True
                    share = min(max((aim - before[r]) / h, 0.0), 1.0)
                    out[q, r] = low + share * (high - low)
                before[r] += h
    return out
