"""Hand-made collisions for the detector's tests: no generator, everything follows from numbers."""

from __future__ import annotations

import numpy as np

from ptmiss.core.ragged import offsets_of
from ptmiss.simulation import constants, incoming, pileup

PERFECT = {
    "beam_width": 0.0,
    "beam_length": 0.0,
    "track_plateau": 1.0,
    "track_muon": 1.0,
    "track_endcap": 1.0,
    "track_turn_on": 1e-6,
    "track_pt_constant": 0.0,
    "track_pt_slope": 0.0,
    "tail_fraction": 0.0,
    "loose_fraction": 0.0,
    "fake_fraction": 0.0,
    "muon_id": 1.0,
    "conversion": 0.0,
    "conversion_eta": 0.0,
    "linked_share": 0.0,
    "ecal_stochastic": 0.0,
    "ecal_noise": 0.0,
    "ecal_constant": 0.0,
    "ecal_noise_cells": 0.0,
    "hcal_stochastic": 1e-3,
    "hcal_constant": 1e-3,
    "hcal_noise_cells": 0.0,
    "hf_noise_cells": 0.0,
    "hf_modulation": 0.0,
    "hf_scale": 1.0,
    "oot_collisions": 0.0,
}
"""A detector without smearing, losses and noise."""

NO_PILEUP = pileup.gaussian_profile(0.0, 0.0)


def perfect(**changes: float) -> constants.Detector:
    return constants.detector({**PERFECT, **changes})


def collisions(events: list[list[tuple]]) -> incoming.Incoming:
    """One list a collision of (pdg_id, charge, pt, eta, phi)."""
    flat = [particle for event in events for particle in event]
    columns = {
        name: np.array([particle[i] for particle in flat], dtype=kind)
        for i, (name, kind) in enumerate(
            [("pdg_id", "i4"), ("charge", "i1"), ("pt", "f4"), ("eta", "f4"), ("phi", "f4")]
        )
    }
    columns |= {name: np.zeros(len(flat), dtype="f4") for name in ("vx", "vy", "vz")}
    return incoming.prepare(offsets_of(np.array([len(event) for event in events])), columns)


def soft_collisions(n: int, seed: int) -> incoming.Incoming:
    """Isotropic soft collisions: about 50 pions, 25 photons and 6 neutrons each."""
    rng = np.random.default_rng(seed)
    events = []
    for _ in range(n):
        size = rng.poisson(81)
        kinds = rng.choice(4, size, p=[0.31, 0.31, 0.31, 0.07])
        pdg_id = np.array([211, -211, 22, 2112])[kinds]
        charge = np.array([1, -1, 0, 0])[kinds]
        pt = rng.gamma(2.0, 0.3, size)
        eta, phi = rng.uniform(-5, 5, size), rng.uniform(-np.pi, np.pi, size)
        events.append(list(zip(pdg_id, charge, pt, eta, phi, strict=True)))
    return collisions(events)


def one_list_each(n: int) -> pileup.FoldLists:
    """Collision k belongs to fold k % 10."""
    return pileup.fold_lists([np.arange(f, n, 10) for f in range(10)])
