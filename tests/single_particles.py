"""Whether single particles come out of the detector as its table of constants says."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ptmiss.simulation import constants
from ptmiss.simulation.detector import detect
from ptmiss.simulation.incoming import prepare
from ptmiss.simulation.pileup import PileUp, fold_lists, gaussian_profile
from ptmiss.simulation.rng import event_seeds

NOTHING_BESIDE = {
    "ecal_noise_cells": 0.0,
    "hcal_noise_cells": 0.0,
    "hf_noise_cells": 0.0,
    "fake_fraction": 0.0,
}
"""Constants without noise and fakes, so that a candidate is the particle's own."""


class Particle(NamedTuple):
    """What is sent through the detector; charge in e, pt in GeV."""

    pdg_id: int
    charge: int
    pt: float
    eta: float


class Closure(NamedTuple):
    """A measured number with its error, and what the table says."""

    measured: float
    error: float
    expected: float


def sums_of(d: constants.Detector, particle: Particle, n: int) -> np.ndarray:
    """Return the summed pT of the candidates that a particle gives, each of n times, float64."""
    columns = {name: np.full(n, value) for name, value in particle._asdict().items()}
    columns["phi"] = np.linspace(-3.0, 3.0, n)
    columns |= {name: np.zeros(n) for name in ("vx", "vy", "vz")}
    nothing = prepare(np.zeros(1), {name: np.zeros(0) for name in columns})
    candidates = detect(
        d,
        prepare(np.arange(n + 1), columns),
        PileUp(nothing, fold_lists([np.zeros(0)] * 10), gaussian_profile(0.0, 0.0)),
        np.zeros(n, dtype=np.int64),
        event_seeds(1, np.ones(n), np.arange(n)),
    ).candidates
    own = np.ones(len(candidates["pt"]), dtype=bool)
    if particle.charge:
        own = candidates["pdg_id"] == particle.pdg_id
    sums = np.zeros(n)
    event = np.repeat(np.arange(n), candidates.counts)
    np.add.at(sums, event[own], candidates["pt"][own].astype(np.float64))
    return sums


def efficiency(sums: np.ndarray, expected: float) -> Closure:
    """Return the share of particles that gave a candidate."""
    error = math.sqrt(max(expected * (1 - expected), 1e-6) / len(sums))
    return Closure(float((sums > 0).mean()), error, expected)


def resolution(sums: np.ndarray, pt: float, expected: float) -> Closure:
    """Return half of the central 68 % of the relative momentum."""
    ratio = sums[sums > 0] / pt
    low, high = np.quantile(ratio, [0.15865, 0.84135])
    # a quantile's error, for a normal distribution, is 1.5 widths over the root of n
    return Closure(float((high - low) / 2), expected * 1.1 / math.sqrt(len(ratio)), expected)


def closure(n: int = 4000) -> dict[str, Closure]:
    """Return what n single particles of each kind show: name -> (measured, error, expected)."""
    d = constants.detector(NOTHING_BESIDE)
    result = {}
    pion = sums_of(d, Particle(211, 1, 5.0, 0.5), n)
    soft = sums_of(d, Particle(211, 1, 0.4, 0.5), n)
    for pt, sums in ((5.0, pion), (0.4, soft)):
        share = d.track_plateau * (1 - math.exp(-(pt - d.track_min_pt) / d.track_turn_on))
        result[f"pion {pt:g} GeV: track efficiency"] = efficiency(sums, share)
    width = (d.track_pt_constant + d.track_pt_slope * 5.0) * (1 + d.track_pt_eta * 0.25)
    result["pion 5 GeV: pT resolution"] = resolution(pion, 5.0, width)
    muon = sums_of(d, Particle(13, -1, 40.0, 1.0), n)
    result["muon 40 GeV: efficiency"] = efficiency(muon, d.track_muon * d.muon_id)
    width = (d.track_pt_constant + d.track_pt_slope * 40.0) * (1 + d.track_pt_eta)
    result["muon 40 GeV: pT resolution"] = resolution(muon, 40.0, width)
    # without tracks the vertex is unknown, and its spread would add to the calorimeters' width
    off = dict.fromkeys(("conversion", "conversion_eta", "beam_length"), 0.0)
    d = constants.detector({**NOTHING_BESIDE, **off})
    energy = 20.0 * math.cosh(0.3)
    terms = d.ecal_stochastic / math.sqrt(energy), d.ecal_noise / energy, d.ecal_constant
    photon = sums_of(d, Particle(22, 0, 20.0, 0.3), n)
    result["photon 20 GeV: resolution"] = resolution(photon, 20.0, math.hypot(*terms))
    energy = 100.0 * math.cosh(0.3)
    width = math.hypot(d.hcal_stochastic / math.sqrt(energy), d.hcal_constant)
    neutron = sums_of(d, Particle(2112, 0, 100.0, 0.3), n)
    result["neutron 100 GeV: resolution"] = resolution(neutron, 100.0, width)
    return result
