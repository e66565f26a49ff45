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

from ptmiss.core.compiled import njit
from ptmiss.core.stats.search import first_above

LEVELS = (0.16, 0.84)
"""Levels of the quantiles whose half difference is the resolution."""

_CORE, _FINE, _GROWTH, _REACH = 5.0, 0.05, 0.01, 8000.0
_N_CORE = round(_CORE / _FINE)
_N_SIDE = _N_CORE + math.ceil(math.log(_REACH / _CORE) / _GROWTH)
N_FINE = 2 * _N_SIDE
"""Number of cells of the first pass: 0.05 GeV wide up to 5 GeV, then growing by 1 % a cell."""

_LEVELS = np.array(LEVELS)
_SHAPE = (0.0, 0.001, 0.005, 0.02, 0.05, 0.075, 0.1, 0.13, 0.2, 0.25, 0.3, 0.35, 0.45)
_BASE = (*_SHAPE, *(1.0 - level for level in _SHAPE))
_N_WINDOW = 26
TAIL = 3.0
"""A tail is what lies beyond this many resolutions."""

_TAIL_WINDOW = np.array([-3.0, 0.0, 3.0])
N_CELLS = len(_BASE) + _N_WINDOW + 2 * _TAIL_WINDOW.size + 2 + 1
"""Cells of a replica's histogram: between levels, around quantiles, at the tails, outside."""

MOMENTS = ("n", "abs_w", "abs_w_x", "abs_w_x2", "w_x", "w_x2", "w2", "abs_w_m", "abs_w_m_x")
"""Sums kept a cell, int64: number, |w|, |w|x, |w|x^2, wx, wx^2, w^2, |w|m, |w|mx (see `fill`)."""

WEIGHT_BITS = 23
W2_SCALE = 2.0**-12  # keeps the sum of squares of 2**29 events below 2**63


def weight_scale(largest: np.ndarray) -> np.ndarray:
    """Return the power of two that makes a bin's largest |weight| at most 2**23, float64."""
    exponent = np.where(largest > 0.0, np.frexp(largest)[1], 0)
    return np.asarray(np.ldexp(1.0, WEIGHT_BITS - exponent))


@njit(cache=True, nogil=True)
def fine_cells(values: np.ndarray, out: np.ndarray) -> None:
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
def fill_fine(
    bins: np.ndarray,
    cells: np.ndarray,
    weights: np.ndarray,
    scale: np.ndarray,
    hist: np.ndarray,
    squares: np.ndarray,
) -> None:
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


@njit(cache=True, nogil=True)
def place_of(hist: np.ndarray, levels: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return where the cumulative sum of a first-pass histogram reaches rising levels, in GeV.

    hist (N_FINE,), levels (k,), edges: `fine_edges`; shape (k,), zeros for an empty histogram.
    """
    out = np.zeros(levels.size)
    total, last = 0.0, 0
    for c in range(hist.size):
        total += hist[c]
        if hist[c] > 0:
            last = c
    if total == 0.0:
        return out
    before, c = 0.0, 0
    for k in range(levels.size):
        aim = levels[k] * total
        while c < last and (hist[c] == 0 or before + hist[c] < aim):
            before += hist[c]
            c += 1
        share = min(max((aim - before) / hist[c], 0.0), 1.0)
        out[k] = edges[c] + share * (edges[c + 1] - edges[c])
    return out


def choose_edges(
    hist: np.ndarray, squares: float, limit: float, levels: tuple[float, ...] = LEVELS
) -> np.ndarray:
    """Return the edges of a replica's histogram in GeV, rising, shape (N_CELLS - 1,).

    hist (N_FINE,), squares: see `fill_fine`. The statistical error of the level p of a quantile is
    sqrt(p (1 - p) / n) with n the effective number of events: windows of five of these around the
    levels are cut into narrow cells. Edges are also +-limit, and at `TAIL` resolutions.
    """
    total = float(hist.sum())
    out = np.zeros(N_CELLS - 1)
    out[-2:] = -limit, limit
    if total > 0.0:
        error = math.sqrt(max(float(squares), 1.0) / W2_SCALE) / total
        window = np.linspace(-5.0, 5.0, _N_WINDOW // len(levels))
        windows = [p + window * (math.sqrt(p * (1.0 - p)) * error) for p in levels]
        wanted = np.sort(np.concatenate([_BASE, *windows]))
        out[: wanted.size] = place_of(hist, np.minimum(np.maximum(wanted, 0.0), 1.0), _FINE_EDGES)
        low, high = place_of(hist, _LEVELS, _FINE_EDGES)
        # the statistical error of the half width of a Gaussian is 1.1 / sqrt(n) of it
        tail = TAIL * (high - low) / 2.0 * np.maximum(1.0 + 1.1 * error * _TAIL_WINDOW, 0.0)
        out[wanted.size : -2] = *-tail, *tail
    out.sort()
    return out


@njit(cache=True, nogil=True)
def _add(  # noqa: PLR0913 (compiled)
    target: np.ndarray,
    order: np.ndarray,
    first: int,
    last: int,
    weights: np.ndarray,
    factor: float,
    copies: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Add weight times copies of some events to the replicas of a cell, exactly.

    Events of the same weight, which most are, are counted before they are multiplied: that is three
    times quicker.
    """
    width = target.size
    unit = np.rint(weights[order[first]] * factor)
    same = last - first > 3
    for j in range(first + 1, last):
        same = same and np.rint(weights[order[j]] * factor) == unit
    if not same:
        for j in range(first, last):
            w = np.rint(weights[order[j]] * factor)
            row = copies[order[j]]
            for r in range(width):
                target[r] += w * row[r]
        return
    start = first
    while start < last:
        stop = min(start + 4096, last)  # an event has fewer than 16 copies: 16 bits suffice
        counts[:] = 0
        for j in range(start, stop):
            row = copies[order[j]]
            for r in range(width):
                counts[r] += row[r]
        for r in range(width):
            target[r] += unit * counts[r]
        start = stop


@njit(cache=True, nogil=True)
def fill(  # noqa: PLR0913 (compiled)
    bins: np.ndarray,
    offset: int,
    n_bins: int,
    values: np.ndarray,
    partner: np.ndarray,
    weights: np.ndarray,
    scale: np.ndarray,
    copies: np.ndarray,
    edges: np.ndarray,
    limit: float,
    hist: np.ndarray,
    moments: np.ndarray,
) -> None:
    """Add events to the histograms of all replicas.

    bins (n,): bin of each event, -1 for none, all within offset .. offset + n_bins;
    values (n,): the observable x, not finite where there is none; partner (n,): another number m of
    the event, at most 1024, of size 0 if there is none; weights (n,); scale: see `weight_scale`;
    copies (n, r): see `bootstrap.copies`; edges (bins, cells - 1), a value belongs to the cell
    above an edge that it equals; limit: values are cut to +-limit in squares and products;
    hist (bins, cells, r) float64: sum of integer weights; moments (bins, cells, 9): MOMENTS.
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
        low = first_above(row, 0, n_cells - 1, x)
        keys[i] = (b - offset) * n_cells + low
        starts[keys[i] + 1] += 1
        w = np.rint(weights[i] * scale[b])
        near = min(max(x, -8192.0), 8192.0)
        inside = min(max(x, -limit), limit)
        cell = moments[b, low]
        cell[0] += 1
        cell[1] += np.int64(abs(w))
        cell[2] += np.int64(np.rint(abs(w) * near))
        cell[3] += np.int64(np.rint(abs(w) * inside * inside))
        cell[4] += np.int64(np.rint(w * near))
        cell[5] += np.int64(np.rint(w * inside * inside))
        cell[6] += np.int64(np.rint(w * w * W2_SCALE))
        if partner.size:
            m = min(partner[i], 1024.0)
            cell[7] += np.int64(np.rint(abs(w) * m))
            cell[8] += np.int64(np.rint(abs(w) * m * inside))
    order = _by_key(keys, starts)
    counts = np.zeros(width, dtype=np.uint16)
    for k in range(n_bins * n_cells):
        first, last = starts[k], starts[k + 1]
        if first < last:
            b = offset + k // n_cells
            _add(hist[b, k % n_cells], order, first, last, weights, scale[b], copies, counts)


@njit(cache=True, nogil=True)
def _by_key(keys: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Make `starts` (counts, shifted by one) the first place of each key; return events by key."""
    for k in range(starts.size - 1):
        starts[k + 1] += starts[k]
    order = np.empty(starts[-1], dtype=np.int32)
    place = starts.copy()
    for i in range(keys.size):
        if keys[i] >= 0:
            order[place[keys[i]]] = i
            place[keys[i]] += 1
    return order


@njit(cache=True, nogil=True)
def fill_levers(  # noqa: PLR0913 (compiled)
    bins: np.ndarray,
    levers: np.ndarray,
    weights: np.ndarray,
    scale: np.ndarray,
    copies: np.ndarray,
    sign: float,
    out: np.ndarray,
) -> None:
    """Add sign times weight times lever (q_t or true pTmiss) of events to each replica.

    bins (n,), -1 for none; levers (n,), not finite where there is none; out (bins, r) float64.
    """
    width = out.shape[1]
    for i in range(bins.size):
        b = bins[i]
        if b < 0 or not np.isfinite(levers[i]):
            continue
        v = sign * np.rint(np.rint(weights[i] * scale[b]) * min(levers[i], 8192.0))
        row, total = copies[i], out[b]
        for r in range(width):
            total[r] += v * row[r]


@njit(cache=True, nogil=True)
def sums(hist: np.ndarray, first: np.ndarray, second: np.ndarray, out: np.ndarray) -> None:
    """Write the sums of h, h * first and h * second over the cells, per replica.

    hist (cells, r); first, second (cells,); out (3, r). In the order of the cells, so that the
    result does not depend on the machine.
    """
    out[:] = 0.0
    for c in range(hist.shape[0]):
        for r in range(hist.shape[1]):
            h = hist[c, r]
            out[0, r] += h
            out[1, r] += h * first[c]
            out[2, r] += h * second[c]


@njit(cache=True, nogil=True)
def quantiles(edges: np.ndarray, hist: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return the quantiles of each replica by linear interpolation, shape (levels, r), in GeV.

    edges (cells - 1,), hist (cells, r). NaN where a replica's sum is not positive. With negative
    weights the cumulative sum may fall; the first crossing of the level counts.
    """
    n_cells, width = hist.shape
    below = np.empty((n_cells, width))
    total = np.zeros(width)
    for c in range(n_cells):
        for r in range(width):
            total[r] += hist[c, r]
            below[c, r] = total[r]
    out = np.full((levels.size, width), np.nan)
    for q in range(levels.size):
        cell = np.zeros(width, dtype=np.int64)
        before = np.ones(width, dtype=np.int64)  # 1 until the level is reached
        for c in range(n_cells):
            for r in range(width):
                before[r] &= below[c, r] < levels[q] * total[r]
                cell[r] += before[r]
        for r in range(width):
            c = cell[r]
            if total[r] > 0.0 and c < n_cells:
                low, high = edges[max(c - 1, 0)], edges[min(c, n_cells - 2)]
                start = below[c - 1, r] if c else 0.0
                share = (levels[q] * total[r] - start) / hist[c, r]
                out[q, r] = low + min(max(share, 0.0), 1.0) * (high - low)
    return out


@njit(cache=True, nogil=True)
def tail_share(edges: np.ndarray, hist: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Return the share of values beyond +-bound in each replica, shape (r,).

    edges (cells - 1,), hist (cells, r), bound (r,) in GeV; linear within a cell, NaN where a
    replica's sum is not positive.
    """
    n_cells, width = hist.shape
    outside, total = np.zeros(width), np.zeros(width)
    for c in range(n_cells):
        outermost = c == 0 or c == n_cells - 1
        low = edges[max(c - 1, 0)]
        high = edges[min(c, n_cells - 2)]
        span = max(high - low, 1e-12)
        for r in range(width):
            share = 1.0
            if not outermost:
                below = min(max((-bound[r] - low) / span, 0.0), 1.0)
                share = below + min(max((high - bound[r]) / span, 0.0), 1.0)
            total[r] += hist[c, r]
            outside[r] += share * hist[c, r]
    out = np.full(width, np.nan)
    for r in range(width):
        if total[r] > 0.0:
            out[r] = outside[r] / total[r]
    return out
