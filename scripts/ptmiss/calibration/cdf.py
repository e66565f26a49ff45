"""Distribution functions from weighted events: empirical, kernel-smoothed, two Gaussians.

Each is a grid of values and the probability below them, straight between grid points, so that the
map from one distribution to another is an interpolation and its inverse another one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from iminuit import Minuit
from scipy.special import ndtr

from ptmiss.errors import UserError

_RAMP = 1e-6
"""Share of a uniform distribution over the points: F then rises everywhere and has an inverse."""

_GRID = 240
_MANY = 2000
"""Events beyond which a fit sees a histogram of `_CELLS` cells instead of each event."""
_CELLS = 800

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
    """Return the distribution function of two Gaussians fitted to the events, replica by replica.

    Maximum likelihood with weights (MINUIT), all of fraction, means and widths free, as for the
    published quantile correction of CMS (arXiv:2509.12012).
    """
    _totals(weights)
    grid = np.linspace(values.min(), values.max(), _GRID)
    rows = [_two_gaussians(values, w)(grid) for w in weights]
    return grid, _rising(np.array(rows), np.ones(len(rows)))


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
    return total


def _two_gaussians(values: np.ndarray, weights: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the fitted distribution function of one set of weights (n,)."""
    x, w = _compressed(values, weights)
    w = w / w.sum() * x.size
    centre = float((w * x).sum() / w.sum())
    scale = math.sqrt(max(float((w * (x - centre) ** 2).sum() / w.sum()), 1e-12))
    z = (x - centre) / scale  # of order one, so that one set of limits serves all

    def density(fraction: float, mean: float, width: float, step: float, ratio: float):
        wide = width * ratio
        first = np.exp(-0.5 * ((z - mean) / width) ** 2) / width
        second = np.exp(-0.5 * ((z - mean - step) / wide) ** 2) / wide
        return fraction * first + (1.0 - fraction) * second

    def cost(*parameters: float) -> float:
        return -2.0 * float((w * np.log(density(*parameters) + 1e-12)).sum())

    minuit = Minuit(
        cost, 0.7, 0.0, 0.85, 0.0, 1.7, name=("fraction", "mean", "width", "step", "ratio")
    )
    minuit.errordef = Minuit.LIKELIHOOD
    minuit.limits = [(0.3, 0.97), (-1.5, 1.5), (0.2, 1.5), (-1.5, 1.5), (1.1, 4.0)]
    minuit.strategy, minuit.tol = 0, 1.0
    minuit.migrad(ncall=2000)
    fraction, mean, width, step, ratio = minuit.values

    def below(grid: np.ndarray) -> np.ndarray:
        t = (grid - centre) / scale
        tail = ndtr((t - mean - step) / (width * ratio))
        return fraction * ndtr((t - mean) / width) + (1.0 - fraction) * tail

    return below


def _compressed(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if values.size <= _MANY:
        return values, weights
    sums, edges = np.histogram(values, _CELLS, weights=weights)
    filled = sums != 0.0
    return 0.5 * (edges[1:] + edges[:-1])[filled], sums[filled]
