"""What is measured of an estimator in one event: differences to what a perfect one would say."""

from __future__ import annotations

import math

import numpy as np

from ptmiss.tasks.met.performance.recoil import along_and_across, recoil
from ptmiss.tasks.met.performance.stream import Chunk
from ptmiss.tasks.met.settings.performance import PerformanceSettings

RECOIL = ("par", "perp")
"""u_par - q_t and u_perp: need a boson."""

TRUTH = ("x", "y", "met", "along")
"""pTmiss minus the true one: components, magnitude, and along the true one: need the truth."""

REAL = ("phi", "ratio", "scaled")
"""Angle to the true pTmiss, |pTmiss| over the true one, and |pTmiss| divided by the median of that
ratio, minus the true one: need true pTmiss that is not zero by selection."""

LEVERS = {"par": "qt", "along": "gen_met"}
"""Observables that give a response, and the variable that it is relative to."""

UNITS = {"phi": 40.0, "ratio": 50.0}
"""Factors that bring radians and ratios to the size of GeV, for which the histograms are made."""

LEVELS = {"ratio": (0.5,)}
"""Quantiles that are wanted, where they are not those of a width."""

_MAGNITUDE_AXES = ("all", "gen_ht", "gen_met")
AXES_OF = {"ratio": _MAGNITUDE_AXES, "scaled": _MAGNITUDE_AXES}
"""Axes of observables that are not of all axes."""


def names(has_boson: bool, has_truth: bool, boson_has_neutrino: bool = False) -> tuple[str, ...]:
    """Return the observables that a sample has."""
    real = has_truth and (boson_has_neutrino or not has_boson)
    recoil_names = RECOIL if has_boson else ()
    return recoil_names + (TRUTH if has_truth else ()) + (REAL if real else ())


def limit(name: str, settings: PerformanceSettings) -> float:
    """Return the range +- within which the RMS of an observable is taken."""
    return math.pi * UNITS["phi"] + 1.0 if name == "phi" else settings.rms_range


def variables(chunk: Chunk) -> dict[str, np.ndarray]:
    """Return what events are binned in, each (n,), GeV where it is a momentum; NaN: missing."""
    return {
        "n_pv": chunk.n_pv,
        "qt": np.hypot(*chunk.boson),
        "gen_ht": chunk.gen_ht,
        "gen_met": np.hypot(*chunk.true_met),
    }


def magnitude(chunk: Chunk, estimator: int) -> np.ndarray:
    """Return |pTmiss| of an estimator in GeV, shape (n,); NaN where it is not finite."""
    with np.errstate(invalid="ignore"):
        size = np.hypot(*chunk.met[estimator])
    return np.where(np.isfinite(chunk.met[estimator]).all(axis=0), size, np.nan)


def ratio(chunk: Chunk, estimator: int, settings: PerformanceSettings) -> np.ndarray:
    """Return (|pTmiss| / true - 1) in units of 1 / UNITS["ratio"], within `median_range`.

    NaN outside of it and where the true pTmiss is not above `response_gen_met`, shape (n,).
    """
    gen_met = np.hypot(*chunk.true_met)
    good = gen_met > settings.response_gen_met
    value = magnitude(chunk, estimator) / np.where(good, gen_met, np.nan)
    low, high = settings.median_range
    inside = (value >= low) & (value < high)
    return np.where(inside, UNITS["ratio"] * (value - 1.0), np.nan)


def observe(
    chunk: Chunk, estimator: int, wanted: tuple[str, ...], settings: PerformanceSettings
) -> np.ndarray:
    """Return the observables of one estimator, shape (len(wanted), n), in GeV but for `UNITS`.

    NaN where the estimate is not finite or the event lacks what the observable needs; `along` and
    `phi` also where the true pTmiss is not above `response_gen_met`. `scaled` is the bare
    |pTmiss|, because the factor depends on the bin.
    """
    good = np.isfinite(chunk.met[estimator]).all(axis=0)
    x, y = np.where(good, chunk.met[estimator], np.nan)
    out = {}
    if "par" in wanted:
        unseen = chunk.true_met if chunk.boson_has_neutrino else (0.0, 0.0)
        u_par, u_perp, q_t = recoil(x, y, *chunk.boson, *unseen)
        out["par"], out["perp"] = u_par - q_t, u_perp
    if "x" in wanted:
        true_x, true_y = chunk.true_met
        gen_met = np.hypot(true_x, true_y)
        real = gen_met > settings.response_gen_met
        size = np.hypot(x, y)
        along, across = along_and_across(x, y, true_x, true_y)
        out["x"], out["y"] = x - true_x, y - true_y
        out["met"] = size - gen_met
        out["along"] = np.where(real, along - gen_met, np.nan)
        if "phi" in wanted:
            out["phi"] = np.where(real, UNITS["phi"] * np.arctan2(across, along), np.nan)
            out["ratio"] = ratio(chunk, estimator, settings)
            out["scaled"] = size
    return np.array([out[name] for name in wanted]).reshape(len(wanted), x.size)
