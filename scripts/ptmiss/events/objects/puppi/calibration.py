"""Median and spread of alpha for pile-up, event by event."""

from __future__ import annotations

import math

import numpy as np

from ptmiss.core.compiled import njit

_EMPTY_VARIANCE = 1e-5


@njit(cache=True, nogil=True, error_model="numpy")
def inverse_erf(y: float) -> float:
    """Return x with erf(x) = y for 0 <= y < 1, to about 1e-14; infinite at y = 1."""
    if y >= 1.0:
        return math.inf
    # start: Winitzki's approximation, good to 2e-3; each Halley step triples the digits
    a = 0.147
    log_term = math.log1p(-y * y)
    b = 2.0 / (math.pi * a) + 0.5 * log_term
    x = math.sqrt(max(math.sqrt(b * b - log_term / a) - b, 0.0))
    for _ in range(4):
        slope = 2.0 / math.sqrt(math.pi) * math.exp(-x * x)
        if slope == 0.0:
            break
        step = (math.erf(x) - y) / slope
        x -= step / (1.0 + x * step)
    return x


@njit(cache=True, nogil=True, error_model="numpy")
def median_and_spread(pileup: np.ndarray, primary: np.ndarray) -> tuple[float, float]:
    """Return median and spread of alpha of pile-up, corrected for primary candidates below.

    pileup, primary: alpha of the charged candidates in the calibration range, shapes (n,), (m,);
    an alpha of exactly 0 means no neighbours. n must be at least 1.

    The median is the middle one of the values that follow the last 0 in rising order, that 0
    counted along, as in the CMS implementation. The spread is the root mean square about the median
    of the non-zero values at or below it. Both are lowered by sqrt(q x spread), q the quantile of
    chi2 (1 degree of freedom) at f = k / (k + n / 2), k the number of primary values at or below
    the median: with little pile-up, the low side holds collision particles.
    """
    n = len(pileup)
    n_low = 0
    n_zero = 0
    for value in pileup:
        n_low += value < 0.0
        n_zero += value == 0.0
    last_zero = n_low + n_zero - 1 if n_zero > 0 else 0
    middle = last_zero + (n - last_zero) // 2
    median = np.partition(pileup, middle)[middle]

    squares = 0.0
    n_below = 0
    # in rising order, so that the sum does not depend on the order of the candidates
    for value in np.sort(pileup):
        if value > median:
            break
        if value != 0.0:
            squares += (value - median) ** 2
            n_below += 1
    variance = squares / n_below if n_below > 0 else 0.0
    if variance == 0.0:
        variance = _EMPTY_VARIANCE
    spread = math.sqrt(variance)

    k = 0
    for value in primary:
        k += value <= median
    if k > 0:
        # quantile of chi2 with 1 degree of freedom: 2 inverse_erf(f)^2
        shift = math.sqrt(2.0 * spread) * inverse_erf(k / (k + 0.5 * n))
        median -= shift
        spread -= shift
    return median, spread


@njit(cache=True, nogil=True, error_model="numpy")
def calibrate(
    alpha: np.ndarray, pileup: np.ndarray, primary: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return median and spread of each event, NaN without pile-up, float64, shape (n_events,).

    alpha: shape (n_candidates,); pileup, primary: which of them calibrate, bool.
    """
    n_events = len(offsets) - 1
    medians = np.full(n_events, np.nan)
    spreads = np.full(n_events, np.nan)
    for event in range(n_events):
        inside = slice(offsets[event], offsets[event + 1])
        of_pileup = alpha[inside][pileup[inside]]
        if len(of_pileup) > 0:
            of_primary = alpha[inside][primary[inside]]
            medians[event], spreads[event] = median_and_spread(of_pileup, of_primary)
    return medians, spreads
