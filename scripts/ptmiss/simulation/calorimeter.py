"""What the calorimeters take up from particles, in compiled form."""

from __future__ import annotations

import math

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.simulation.cells import ECAL, HCAL, HF_EM, HF_HAD, Calorimeters, deposit
from ptmiss.simulation.constants import Detector
from ptmiss.simulation.flight import Ray, arrival
from ptmiss.simulation.rng import gamma_unit_mean, uniform


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def hadron_variance(d: Detector, momentum: float) -> float:
    """Return the squared relative resolution of the barrel and endcap calorimeters for a hadron."""
    stochastic: float = d.hcal_stochastic
    constant: float = d.hcal_constant
    return stochastic * stochastic / momentum + constant * constant


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def absorb_photon(
    d: Detector, state: np.ndarray, calorimeters: Calorimeters, ray: Ray, hard: bool
) -> None:
    """Put a photon or electron into the calorimeter it arrives at, if any.

    In the crowded endcaps some soft photons are taken for part of a hadron's shower: their energy
    counts in the tower.
    """
    at = arrival(d, ray)
    if not at.reached:
        return
    energy = ray.momentum
    a = abs(at.eta)
    if a < d.endcap_eta:
        if a > d.barrel_eta and energy < d.linked_max and uniform(state) < d.linked_share:
            deposit(calorimeters, HCAL, at.eta, at.phi, energy, hard)
        else:
            deposit(calorimeters, ECAL, at.eta, at.phi, energy, hard)
    elif a < d.forward_eta:
        variance = d.hf_em_stochastic**2 / energy + d.hf_em_constant**2
        seen = energy * gamma_unit_mean(state, variance)
        share = d.hf_photon_share
        deposit(calorimeters, HF_HAD, at.eta, at.phi, seen * share, hard)
        deposit(calorimeters, HF_EM, at.eta, at.phi, seen * (1.0 - share), hard)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def absorb_hadron(
    d: Detector,
    state: np.ndarray,
    calorimeters: Calorimeters,
    ray: Ray,
    hard: bool,
    track_momentum: float,
) -> None:
    """Put a hadron into the calorimeter it arrives at, if any.

    track_momentum: of its track, 0 without one; the tower remembers it.
    """
    at = arrival(d, ray)
    if not at.reached:
        return
    momentum = ray.momentum
    a = abs(at.eta)
    if a < d.endcap_eta:
        seen = momentum * gamma_unit_mean(state, hadron_variance(d, momentum))
        k = deposit(calorimeters, HCAL, at.eta, at.phi, seen, hard)
        if track_momentum > 0.0 and k >= 0:
            tower = calorimeters.cells[k]
            tower.track += track_momentum
            if hard:
                tower.track_hard += track_momentum
            tower.variance += hadron_variance(d, track_momentum) * track_momentum * track_momentum
    elif a < d.forward_eta:
        variance = d.hf_had_stochastic**2 / momentum + d.hf_had_constant**2
        seen = momentum * gamma_unit_mean(state, variance)
        share = min(-math.log(1.0 - uniform(state)) * d.hf_em_share, 1.0)
        deposit(calorimeters, HF_HAD, at.eta, at.phi, seen * (1.0 - share), hard)
        deposit(calorimeters, HF_EM, at.eta, at.phi, seen * share, hard)
