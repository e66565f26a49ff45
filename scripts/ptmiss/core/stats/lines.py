"""Weighted fits of low-order polynomials, in closed form, with their covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from ptmiss.core.stats.merging import effective, merge
from ptmiss.core.stats.quantile_map import FAR

_LEAST = 1e-9
"""GeV: least error of a mean, that of a bin whose events are all alike."""


@dataclass(frozen=True)
class Line:
    """A polynomial in n_pv, constant outside [low, high]; it gives GeV.

    coefficients: of 1, n, n^2, shape (order + 1,); covariance: of those.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    low: float
    high: float
    chi2: float
    ndf: int

    @property
    def order(self) -> int:
        """Return the order of the polynomial."""
        return self.coefficients.size - 1

    def __call__(self, n_pv: np.ndarray) -> np.ndarray:
        """Return the value at n_pv, shape as given; 0 where n_pv is not a finite number."""
        return np.asarray(self._powers(n_pv) @ self.coefficients)

    def error(self, n_pv: np.ndarray) -> np.ndarray:
        """Return the standard deviation of the value at n_pv."""
        powers = self._powers(n_pv)
        return np.asarray(np.sqrt(np.einsum("...i,ij,...j->...", powers, self.covariance, powers)))

    def slope(self) -> tuple[float, float]:
        """Return the coefficient of n and its standard deviation."""
        return float(self.coefficients[1]), float(np.sqrt(self.covariance[1, 1]))

    def _powers(self, n_pv: np.ndarray) -> np.ndarray:
        n_pv = np.asarray(n_pv, dtype=np.float64)
        known = np.abs(n_pv) < FAR
        n = np.clip(np.where(known, n_pv, self.low), self.low, self.high)
        return np.asarray(n[..., None] ** np.arange(self.coefficients.size) * known[..., None])


@dataclass(frozen=True)
class Profile:
    """Weighted means in bins of n_pv. edges (bins + 1,), the others (bins,)."""

    edges: np.ndarray
    centre: np.ndarray
    mean: np.ndarray
    error: np.ndarray


def profile(n_pv: np.ndarray, values: np.ndarray, weight: np.ndarray, min_events: float) -> Profile:
    """Return the weighted mean of `values` in bins of n_pv, one wide at least.

    Neighbouring numbers of vertices are joined until each bin has `min_events` effective events, so
    that the error of its mean, from the weighted scatter within it, can be trusted.
    """
    first, last = int(n_pv.min()), int(n_pv.max())
    fine = np.arange(first, last + 2) - 0.5
    number = np.searchsorted(fine, n_pv, side="right") - 1
    bins = merge([(number, weight)], fine.size - 1, min_events)
    edges = fine[[low for low, _ in bins] + [bins[-1][1]]]
    index = np.searchsorted(edges, n_pv, side="right") - 1
    means = [
        _mean(n_pv[index == i], values[index == i], weight[index == i]) for i in range(len(bins))
    ]
    centre, mean, error = np.array(means).T
    return Profile(edges, centre, mean, error)


def _mean(n_pv: np.ndarray, values: np.ndarray, weight: np.ndarray) -> tuple[float, float, float]:
    total = weight.sum()
    mean = float((weight * values).sum() / total)
    # the scatter of the whole bin: of few events of very different weight each one's own is biased
    squares = (values - mean) ** 2
    variance = float((weight * squares).sum() / total)
    if variance <= 0.0:  # a few subtracted events far away outweigh it; an error of 0 would rule
        size = np.abs(weight)
        variance = float((size * squares).sum() / size.sum())
    n = effective(weight)
    return float((weight * n_pv).sum() / total), mean, float(np.sqrt(variance / max(n - 1.0, 1.0)))


def fit(points: Profile, order: int) -> Line:
    """Return the weighted least-squares polynomial through a profile."""
    order = min(order, points.mean.size - 1)
    powers = points.centre[:, None] ** np.arange(order + 1)
    inverse = 1.0 / np.maximum(points.error, _LEAST) ** 2
    covariance = np.linalg.inv(powers.T @ (powers * inverse[:, None]))
    coefficients = covariance @ (powers.T @ (inverse * points.mean))
    if order == 0:  # a single bin has no slope
        coefficients, covariance = np.append(coefficients, 0.0), np.diag([covariance[0, 0], 0.0])
    residual = points.mean - powers @ coefficients[: order + 1]
    return Line(
        coefficients,
        covariance,
        float(points.edges[0] + 0.5),
        float(points.edges[-1] - 0.5),
        float((inverse * residual**2).sum()),
        points.mean.size - order - 1,
    )


def choose(points: Profile, order: int | str, p_value: float) -> Line:
    """Return the straight line, or the parabola where `order` is 2 or the data ask for it.

    order: 1, 2 or "auto", which takes the parabola if the likelihood-ratio test (the drop of chi2
    by one more coefficient) rejects the line at `p_value`.
    """
    line = fit(points, 1)
    if order == 1 or points.mean.size < 4:
        return line
    parabola = fit(points, 2)
    if order == 2 or stats.chi2.sf(line.chi2 - parabola.chi2, 1) < p_value:
        return parabola
    return line
