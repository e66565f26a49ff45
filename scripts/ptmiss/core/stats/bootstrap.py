"""The Poisson bootstrap: how often each event counts in each replica, decided by its identity.

A replica gives every event a Poisson(1) number of copies (Chamandy et al., "Estimating uncertainty
for massive data streams", 2012). The number follows from a counter-based generator whose state is
a hash of (run, luminosity block, event) and the seed. The same event therefore has the same copies
in every estimator, file and variation, so that differences between estimators are paired, and no
result depends on the order of files, on how events are cut into parts, or on the number of cores.
"""

from __future__ import annotations

import math

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.core.hashing import event_hash
from ptmiss.core.splitmix import GOLDEN, mix

_S16, _LOW = np.uint64(16), np.uint64(0xFFFF)


def _poisson_table() -> np.ndarray:
    """Return Poisson(1) as a function of a uniform 16-bit number, uint8, shape (65536,)."""
    cdf = np.cumsum([math.exp(-1.0) / math.factorial(k) for k in range(12)])
    limits = np.round(cdf * 65536.0)
    return np.searchsorted(limits, np.arange(65536), side="right").astype(np.uint8)


POISSON = _poisson_table()
"""Inverse distribution function of Poisson(1) on 16 bits: mean and variance are 1 within 1e-4."""


def streams(run: np.ndarray, lumi: np.ndarray, event: np.ndarray, seed: int) -> np.ndarray:
    """Return the generator state of each event, uint64, shape (n,)."""
    return states_of(event_hash(run, lumi, event), seed)


def states_of(identity: np.ndarray, seed: int) -> np.ndarray:
    """Return the generator state of events with these hashes, uint64, shape (n,)."""
    return event_hash(identity, np.full_like(identity, seed), np.zeros_like(identity))


@njit(cache=True, nogil=True)
def _copies(state: np.ndarray, table: np.ndarray, out: np.ndarray) -> None:
    width = out.shape[1]
    for i in range(state.size):
        s = state[i]
        out[i, 0] = 1
        r = 1
        while r < width:
            s = s + GOLDEN
            z = mix(s)
            for _ in range(4):
                if r < width:
                    out[i, r] = table[z & _LOW]
                    z = z >> _S16
                    r += 1


def copies(state: np.ndarray, replicas: int) -> np.ndarray:
    """Return how often each event counts, uint8, shape (n, 1 + replicas).

    Column 0 is the measurement itself (each event once), the others are the replicas. The numbers
    of a replica do not depend on how many replicas there are. Generator: SplitMix64 (Steele, Lea,
    Flood, OOPSLA 2014), four numbers of 16 bits from each step.
    """
    out = np.empty((state.size, 1 + replicas), dtype=np.uint8)
    _copies(np.ascontiguousarray(state, dtype=np.uint64), POISSON, out)
    return out


def intervals(values: np.ndarray, coverage: float = 0.68) -> np.ndarray:
    """Return the central bootstrap interval of each row, shape (n, 2).

    values (n, 1 + replicas): measurement first, then replicas. Replicas without a value (a bin that
    a replica happens to empty) are left out; with fewer than half of them left there is no interval
    and both bounds are NaN.
    """
    replicas = values[:, 1:]
    n_replicas = replicas.shape[1]
    out = np.full((values.shape[0], 2), np.nan)
    if n_replicas == 0:
        return out
    ordered = np.sort(np.where(np.isfinite(replicas), replicas, np.nan), axis=1)  # NaN comes last
    good = n_replicas - np.count_nonzero(np.isnan(ordered), axis=1)
    rows = np.flatnonzero((good > 0) & (good >= n_replicas / 2))
    tail = 0.5 * (1.0 - coverage)
    for side, level in enumerate((tail, 1.0 - tail)):
        place = level * (good[rows] - 1)
        below = np.floor(place).astype(np.int64)
        above = np.minimum(below + 1, good[rows] - 1)
        low, high = ordered[rows, below], ordered[rows, above]
        out[rows, side] = low + (high - low) * (place - below)
    return out


def interval(values: np.ndarray, coverage: float = 0.68) -> tuple[float, float]:
    """Return the central bootstrap interval of one quantity, see `intervals`."""
    low, high = intervals(values[None, :], coverage)[0]
    return float(low), float(high)


def gain(sigma: np.ndarray, over: np.ndarray) -> np.ndarray:
    """Return 1 - sigma / over in the measurement and each replica (paired), shape (1 + replicas,).

    sigma, over: resolutions of two estimators from the same events and replicas. NaN where `over`
    is not positive.
    """
    good = np.isfinite(over) & (over > 0.0)
    return np.where(good, 1.0 - sigma / np.where(good, over, 1.0), np.nan)


def share(start: np.ndarray, sigma: np.ndarray, end: np.ndarray) -> np.ndarray | None:
    """Return which share of the way from `start` to `end` a resolution has covered (paired).

    All of shape (1 + replicas,). None where the way is not longer than nothing at 95 %: a share of
    nothing says nothing. Replicas without a way are NaN.
    """
    way = start - end
    low, _ = interval(way, 0.95)
    if not (way[0] > 0.0 and low > 0.0):
        return None
    good = np.isfinite(way) & (way > 0.0)
    return np.where(good, (start - sigma) / np.where(good, way, 1.0), np.nan)
