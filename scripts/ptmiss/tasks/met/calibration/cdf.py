"""Distribution functions from weighted events: empirical, kernel-smoothed, two Gaussians.

Each is a grid of values and the probability below them, straight between grid points, so that the
map from one distribution to another is an interpolation and its inverse another one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr

from ptmiss.core.errors import UserError
from ptmiss.core.stats.two_gaussians import fit

_RAMP = 1e-6
"""Share of a uniform distribution over the points: F then rises everywhere and has an inverse."""

_GRID = 240
Cdf = tuple[np.ndarray, np.ndarray]
"""Grid (g,) and F, shape (replicas, g): 0 to 1, rising."""


def empirical(values: np.ndarray, weights: np.ndarray, _: float) -> Cdf:
    """Return the unbinned distribution function; an event counts half at its own value.

    values: (n,); weights: (replicas, n), may be negative where the sum is positive. Where negative
    weights would make F fall it stays level.
    """
    order = np.argsort(values, kind="stable")
    w = weights[:, order]
    return values[order], _rising(np.cumsum(w, axis=1) - 0.5 * w, _totals(w))


def kernel(values: np.ndarray, weights: np.ndarray, width: float) -> Cdf:
    """Return the distribution function of events smeared by a Gaussian of `width` GeV."""
    grid = np.linspace(values.min() - 4.0 * width, values.max() + 4.0 * width, _GRID)
    below = ndtr((grid - values[:, None]) / width)
    return grid, _rising(weights @ below, _totals(weights))


def gaussians(values: np.ndarray, weights: np.ndarray, _: float) -> Cdf:
    """Return the distribution function of two Gaussians fitted to the events.

    The first row of weights is fitted (see `mixture.fit`), the others move that fit.
    """
    _totals(weights)
    grid = np.linspace(values.min(), values.max(), _GRID)
    mixture = fit(values, weights[0])
    rows = [mixture.below(grid)[None]]
    if len(weights) > 1:
        rows.append(mixture.moved(values, weights[1:], grid))
    return grid, _rising(np.concatenate(rows), np.ones(len(weights)))


FORMS: dict[str, Callable[[np.ndarray, np.ndarray, float], Cdf]] = {
    "empirical": empirical,
    "kernel": kernel,
    "gaussians": gaussians,
}
"""The forms a distribution function can have."""


def _rising(cumulated: np.ndarray, total: np.ndarray) -> np.ndarray:
    below = np.clip(np.maximum.accumulate(cumulated / total[:, None], axis=1), 0.0, 1.0)
    return (1.0 - _RAMP) * below + _RAMP * np.linspace(0.0, 1.0, below.shape[1])


def _totals(weights: np.ndarray) -> np.ndarray:
    total = weights.sum(axis=1)
    if (total <= 0.0).any():
        raise UserError(
            "calibration: the events of a bin have no positive sum of weights; raise"
            " calibration.min_events or add events"
        )
    return np.asarray(total)
