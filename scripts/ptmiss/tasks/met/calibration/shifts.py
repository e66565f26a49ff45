"""Shifts of the quantile map in one bin, from the distribution functions of both sides."""

from __future__ import annotations

import numpy as np

from ptmiss.core.stats.quantile_map import monotone
from ptmiss.tasks.met.calibration.cdf import FORMS, Cdf


def shift_between(simulation: Cdf, data: Cdf, knots: np.ndarray, tail: float) -> np.ndarray:
    """Return the shift at the knots from one distribution to the other, shape (replicas, k).

    tail: probability at either end that is not used: beyond these quantiles the shift is that at
    the quantile, because a fit says nothing there and an empirical function hardly anything.
    """
    (grid_s, below_s), (grid_d, below_d) = simulation, data
    out = np.empty((below_s.shape[0], knots.size))
    for row, f_s, f_d in zip(out, below_s, below_d, strict=True):
        low, high = np.interp([tail, 1.0 - tail], f_s, grid_s)
        u = np.clip(knots, low, high)
        p = np.clip(np.interp(u, grid_s, f_s), tail, 1.0 - tail)
        row[:] = np.interp(p, f_d, grid_d) - u
    return monotone(out, knots)


def shifts_of_bin(
    form: str,
    width: float,
    simulation: tuple[np.ndarray, np.ndarray],
    data: tuple[np.ndarray, np.ndarray],
    knots: np.ndarray,
    tail: float,
) -> np.ndarray:
    """Return the shifts of one bin, shape (replicas, k). Samples: values (n,), weights (r, n)."""
    make = FORMS[form]
    return shift_between(make(*simulation, width), make(*data, width), knots, tail)
