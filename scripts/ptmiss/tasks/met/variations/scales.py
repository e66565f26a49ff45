"""How uncertain the momentum of a jet, a lepton or another candidate is: functions of settings."""

from __future__ import annotations

import math

import numpy as np

from ptmiss.core.hashing import event_hash
from ptmiss.core.stats.binning import nearest_bin
from ptmiss.tasks.met.settings.vary import CaloScale, JetResolution, JetScale, TrackScale


def jet_scale(pt: np.ndarray, eta: np.ndarray, table: JetScale) -> np.ndarray:
    """Return the relative uncertainty of the energy scale of jets, (n_jets,)."""
    where = nearest_bin(np.abs(eta), table.abs_eta), nearest_bin(pt, table.pt)
    return np.asarray(np.array(table.relative)[where])


def jet_smearing(pt: np.ndarray, eta: np.ndarray, table: JetResolution) -> np.ndarray:
    """Return the relative width that makes the resolution of jets worse by its uncertainty.

    A jet smeared by a Gaussian of this width has the resolution (1 + relative) times as large:
    width = resolution x sqrt((1 + relative)^2 - 1). Stochastic smearing, as for jets without a
    generated partner (CMS, arXiv:1607.03663).
    """
    where = nearest_bin(np.abs(eta), table.abs_eta)
    noise, stochastic, constant, relative = (
        np.array(getattr(table, name))[where]
        for name in ("noise", "stochastic", "constant", "relative")
    )
    resolution = np.sqrt((noise / pt) ** 2 + stochastic**2 / pt + constant**2)
    return np.asarray(resolution * np.sqrt((1.0 + relative) ** 2 - 1.0))


def track_scale(pt: np.ndarray, eta: np.ndarray, scale: TrackScale) -> np.ndarray:
    """Return the relative uncertainty of charged candidates, (n,); sin(theta) = 1 / cosh(eta)."""
    return np.asarray(np.sqrt((scale.linear * pt) ** 2 + scale.constant**2 * np.cosh(eta)))


def calo_scale(pt: np.ndarray, eta: np.ndarray, mass: np.ndarray, scale: CaloScale) -> np.ndarray:
    """Return the relative uncertainty of calorimeter candidates, (n,); without energy `most`."""
    where = nearest_bin(np.abs(eta), scale.abs_eta)
    stochastic, constant, most = (
        np.array(getattr(scale, name))[where] for name in ("stochastic", "constant", "most")
    )
    energy = np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2)
    with np.errstate(divide="ignore"):
        return np.asarray(np.minimum(np.sqrt(stochastic**2 / energy + constant**2), most))


def normal(identity: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return a normal random number for each (event, number), float64, (n,).

    identity: a hash of the event; number: such as the rank of a jet. The same pair has
    the same number on every machine, in any file and order. Box and Muller, Ann. Math. Stat. 29
    (1958) 610, from two hashes.
    """
    number = np.asarray(number, dtype=np.uint64)
    first, second = (
        ((event_hash(identity, number, np.full_like(number, k)) >> np.uint64(11)) + 0.5) * 2.0**-53
        for k in (1, 2)
    )
    return np.asarray(np.sqrt(-2.0 * np.log(first)) * np.cos(2.0 * math.pi * second))
