"""Is pTmiss still modulated in phi, or its mean still moving with the number of vertices?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ptmiss.core.stats.lines import Line, fit, profile

_STEP = 0.05
_SMALLEST = 5e-324


@dataclass(frozen=True)
class Offsets:
    """The lines subtracted from px and py; None for no correction."""

    lines: tuple[Line, Line] | None

    def subtract(self, met: np.ndarray, n_pv: np.ndarray) -> np.ndarray:
        """Return pTmiss (2, n) less the lines."""
        if self.lines is None:
            return met
        return np.asarray(met - np.stack([line(n_pv) for line in self.lines]))

    def spread(self, statistic: Callable[[np.ndarray], np.ndarray], n_pv: np.ndarray) -> np.ndarray:
        """Return the covariance (k, k) of a statistic that the errors of the lines make.

        statistic: the statistic (k,) as a function of what is added to pTmiss (2, n).
        """
        nominal = statistic(np.zeros((2, n_pv.size)))
        total = np.zeros((nominal.size, nominal.size))
        if self.lines is None:
            return total
        for axis, line in enumerate(self.lines):
            # along each direction in which the line can move, one tenth of a standard deviation
            variances, directions = np.linalg.eigh(line.covariance)
            powers = np.clip(n_pv, line.low, line.high)[:, None] ** np.arange(line.order + 1)
            for variance, direction in zip(np.maximum(variances, 0.0), directions.T, strict=True):
                added = np.zeros((2, n_pv.size))
                added[axis] = _STEP * np.sqrt(variance) * (powers @ direction)
                change = (statistic(added) - nominal) / _STEP
                total += np.outer(change, change)
        return total


def phi_p_value(met: np.ndarray, n_pv: np.ndarray, weight: np.ndarray, offsets: Offsets) -> float:
    """Return the probability of as large a first harmonic of phi(pTmiss) if phi is flat.

    The first harmonic is what an offset makes. Its covariance is that of the events and of the
    lines that were subtracted.
    """
    met = offsets.subtract(met, n_pv)

    def harmonic(added: np.ndarray) -> np.ndarray:
        x, y = met + added
        size = np.maximum(np.hypot(x, y), 1e-9)
        sums = np.array([(weight * x / size).sum(), (weight * y / size).sum()])
        return np.asarray(sums / weight.sum())

    x, y = met / np.maximum(np.hypot(*met), 1e-9)
    vector = harmonic(np.zeros_like(met))
    pull = np.stack([x - vector[0], y - vector[1]]) * weight / weight.sum()
    covariance = pull @ pull.T + offsets.spread(harmonic, n_pv)
    try:
        return float(stats.chi2.sf(vector @ np.linalg.solve(covariance, vector), 2))
    except np.linalg.LinAlgError:  # an offset beyond all events: they lie in one direction
        return 0.0


def slope(
    met: np.ndarray,
    n_pv: np.ndarray,
    weight: np.ndarray,
    offsets: Offsets,
    axis: int,
    min_events: float,
) -> tuple[float, float]:
    """Return the slope of the mean of px or py versus n_pv and its standard deviation, GeV."""
    met = offsets.subtract(met, n_pv)
    line = fit(profile(n_pv, met[axis], weight, min_events), 1)

    def again(added: np.ndarray) -> np.ndarray:
        moved = fit(profile(n_pv, met[axis] + added[axis], weight, min_events), 1)
        return moved.coefficients[1:2]

    value, error = line.slope()
    return value, float(np.sqrt(error**2 + offsets.spread(again, n_pv)[0, 0]))


def sigmas(p_value: float) -> float:
    """Return how many standard deviations of a Gaussian have this two-sided probability.

    38 at most: a float holds no smaller probability, and records hold no infinity.
    """
    return float(stats.norm.isf(max(p_value / 2.0, _SMALLEST)))


def two_sided(value: float, error: float) -> float:
    """Return the probability of a value as far from 0; 1 where there is no error."""
    return float(2.0 * stats.norm.sf(abs(value) / error)) if error > 0.0 else 1.0
