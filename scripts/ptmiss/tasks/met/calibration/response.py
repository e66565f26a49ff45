"""Response of the recoil as a smooth, rising function of q_t, and its plateau."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import isotonic_regression

from ptmiss.tasks.met.calibration.quantile import FAR


@dataclass(frozen=True)
class Curve:
    """Response against q_t in GeV: cubic between nodes, rising, constant outside them.

    nodes: (n,); coefficients: (4, n - 1), of (q_t - node)^3 ... ^0 in each interval.
    """

    nodes: np.ndarray
    coefficients: np.ndarray

    def __call__(self, q_t: np.ndarray) -> np.ndarray:
        """Return the response at q_t, shape as given; 1 where q_t is not a finite number."""
        q_t = np.asarray(q_t, dtype=np.float64)
        known = np.abs(q_t) < FAR
        q = np.clip(np.where(known, q_t, 0.0), self.nodes[0], self.nodes[-1])
        if self.nodes.size == 1:
            return np.where(known, self.coefficients[3, 0], 1.0)
        i = np.clip(np.searchsorted(self.nodes, q, side="right") - 1, 0, self.nodes.size - 2)
        x = q - self.nodes[i]
        a, b, c, d = self.coefficients[:, i]
        return np.where(known, ((a * x + b) * x + c) * x + d, 1.0)


def curve(nodes: np.ndarray, values: np.ndarray, errors: np.ndarray) -> Curve:
    """Return the rising curve nearest to measured responses.

    Isotonic regression with the measurements' precision makes them rise; monotone cubic
    interpolation (PCHIP; Fritsch and Carlson, SIAM J. Numer. Anal. 17 (1980) 238) joins them
    without steps or overshoot.
    """
    rising = isotonic_regression(values, weights=1.0 / np.maximum(errors, 1e-9) ** 2).x
    if nodes.size == 1:
        return Curve(nodes, np.array([[0.0], [0.0], [0.0], [rising[0]]]))
    return Curve(nodes, np.ascontiguousarray(PchipInterpolator(nodes, rising).c))


def ratios(u_par: np.ndarray, q_t: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return <u_par>/<q_t> for each row of weights (replicas, n): a ratio of means."""
    return (weights @ u_par) / (weights @ q_t)
