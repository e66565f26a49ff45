"""What is measured of an estimator in one event: differences to what a perfect one would say."""

from __future__ import annotations

import numpy as np

from ptmiss.performance.recoil import along_and_across, recoil
from ptmiss.performance.stream import Chunk

RECOIL = ("par", "perp")
"""u_par - q_t and u_perp: need a boson."""

TRUTH = ("x", "y", "met", "along")
"""pTmiss minus the true one: components, magnitude, and along the true one: need the truth."""

LEVERS = {"par": "qt", "along": "gen_met"}
"""Observables that give a response, and the variable that it is relative to."""


def names(has_boson: bool, has_truth: bool) -> tuple[str, ...]:
    """Return the observables that a sample has."""
    return (RECOIL if has_boson else ()) + (TRUTH if has_truth else ())


def variables(chunk: Chunk) -> dict[str, np.ndarray]:
    """Return what events are binned in, each (n,), GeV where it is a momentum; NaN: missing."""
    return {
        "n_pv": chunk.n_pv,
        "qt": np.hypot(*chunk.boson),
        "gen_ht": chunk.gen_ht,
        "gen_met": np.hypot(*chunk.true_met),
    }


def observe(
    chunk: Chunk, estimator: int, wanted: tuple[str, ...], response_gen_met: float
) -> np.ndarray:
    """Return the observables of one estimator in GeV, shape (len(wanted), n).

    NaN where the estimate is not finite or the event lacks what the observable needs; `along` also
    where the true pTmiss is not above `response_gen_met`.
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
        along, _ = along_and_across(x, y, true_x, true_y)
        out["x"], out["y"] = x - true_x, y - true_y
        out["met"] = np.hypot(x, y) - gen_met
        out["along"] = np.where(gen_met > response_gen_met, along - gen_met, np.nan)
    return np.array([out[name] for name in wanted]).reshape(len(wanted), x.size)
