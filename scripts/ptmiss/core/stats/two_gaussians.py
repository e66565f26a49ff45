"""Two Gaussians fitted to weighted events, and how the fit moves with replicas of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from iminuit import Minuit
from scipy.special import ndtr

_NAMES = ("fraction", "mean", "width", "step", "ratio")
_START = (0.7, 0.0, 0.85, 0.0, 1.7)
_LIMITS = ((0.3, 0.97), (-1.5, 1.5), (0.2, 1.5), (-1.5, 1.5), (1.1, 4.0))
_STEP = 1e-4
"""Of numerical derivatives: the parameters are of order one."""
_MANY = 2000
"""Events beyond which a fit sees a histogram of `_CELLS` cells instead of each event."""
_CELLS = 800


@dataclass(frozen=True)
class Mixture:
    """Two Gaussians in z = (x - centre) / scale.

    parameters, shape (5,): share of the first, its mean and width, how far the mean of the second
    lies beside it, and how much wider the second is.
    """

    parameters: np.ndarray
    centre: float
    scale: float

    def below(self, x: np.ndarray, parameters: np.ndarray | None = None) -> np.ndarray:
        """Return the probability below x, shape (n,)."""
        chosen = self.parameters if parameters is None else parameters
        fraction, mean, width, step, ratio = chosen
        z = (x - self.centre) / self.scale
        tail = ndtr((z - mean - step) / (width * ratio))
        return np.asarray(fraction * ndtr((z - mean) / width) + (1.0 - fraction) * tail)

    def moved(self, x: np.ndarray, weights: np.ndarray, grid: np.ndarray) -> np.ndarray:
        """Return the probability below `grid` for replicas of the weights, (replicas, g).

        One Newton step from the fit, to first order: a replica's score divided by the information
        of the events (one-step estimators: van der Vaart, Asymptotic Statistics, 1998, ch. 5.7).
        Hundreds of fits cost as much as one; in directions that the events do not fix, such as the
        share of two Gaussians of nearly equal width, nothing moves. x: (n,) the fitted events;
        weights: (replicas, n), their weights.
        """
        z = (x - self.centre) / self.scale
        score = _slopes(lambda p: np.log(_density(z, *p) + 1e-300), self.parameters)
        free = [
            k
            for k, (value, ends) in enumerate(zip(self.parameters, _LIMITS, strict=True))
            if min(value - ends[0], ends[1] - value) > 10.0 * _STEP
        ]
        score = score[:, free]
        sums = weights.sum(axis=1, keepdims=True)
        mean = weights.mean(axis=0)
        information = (score * mean[:, None]).T @ score / mean.sum()
        # the score is zero at an exact fit
        pull = weights @ score / sums - mean @ score / mean.sum()
        steps = pull @ np.linalg.pinv(information, rcond=1e-5, hermitian=True)
        slopes = _slopes(lambda p: self.below(grid, p), self.parameters)[:, free]
        return np.asarray(self.below(grid) + steps @ slopes.T)


def fit(values: np.ndarray, weights: np.ndarray) -> Mixture:
    """Return the two Gaussians that fit best. values, weights: (n,), of a positive sum.

    Maximum likelihood with weights (MINUIT), all of share, means and widths free, as for the
    published quantile correction of CMS (arXiv:2509.12012).
    """
    x, w = _compressed(values, weights)
    w = w / w.sum() * x.size
    centre = float((w * x).sum() / w.sum())
    scale = math.sqrt(max(float((w * (x - centre) ** 2).sum() / w.sum()), 1e-12))
    z = (x - centre) / scale  # of order one, so that one set of limits serves all

    def cost(*parameters: float) -> float:
        return -2.0 * float((w * np.log(_density(z, *parameters) + 1e-12)).sum())

    minuit = Minuit(cost, *_START, name=_NAMES)
    minuit.errordef = Minuit.LIKELIHOOD
    minuit.limits = list(_LIMITS)
    minuit.strategy, minuit.tol = 0, 1.0
    minuit.migrad(ncall=2000)
    return Mixture(np.array(minuit.values), centre, scale)


def _density(
    z: np.ndarray, fraction: float, mean: float, width: float, step: float, ratio: float
) -> np.ndarray:
    wide = width * ratio
    first = np.exp(-0.5 * ((z - mean) / width) ** 2) / width
    second = np.exp(-0.5 * ((z - mean - step) / wide) ** 2) / wide
    return fraction * first + (1.0 - fraction) * second


def _slopes(function: Callable[[np.ndarray], np.ndarray], parameters: np.ndarray) -> np.ndarray:
    """Return derivatives of `function`, which gives (n,), by each parameter, (n, parameters)."""
    steps = _STEP * np.eye(parameters.size)
    columns = [function(parameters + one) - function(parameters - one) for one in steps]
    return np.stack(columns, axis=1) / (2.0 * _STEP)


def _compressed(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if values.size <= _MANY:
        return values, weights
    sums, edges = np.histogram(values, _CELLS, weights=weights)
    filled = sums != 0.0
    return 0.5 * (edges[1:] + edges[:-1])[filled], sums[filled]
