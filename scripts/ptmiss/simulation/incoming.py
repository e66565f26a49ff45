"""Generated particles in the form the kernels take: directions worked out once, not per overlay."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ptmiss.simulation.particles import is_hadron, is_invisible

UNSEEN, PHOTON, ELECTRON, MUON, CHARGED_HADRON, NEUTRAL_HADRON = range(6)
"""What a particle is to the detector."""

_FLOATS = ("pt", "eta", "phi", "sinh_eta", "cos_phi", "sin_phi", "momentum", "vx", "vy", "vz")

PARTICLE = np.dtype([*((name, np.float32) for name in _FLOATS), ("kind", "i1"), ("charge", "i1")])
"""One particle: a record, so that a collision drawn at random is one stretch of memory."""


class Incoming(NamedTuple):
    """Collisions: offsets int64 (n + 1,) into an array of `PARTICLE` (GeV, cm, rad)."""

    offsets: np.ndarray
    particles: np.ndarray


def kinds(pdg_id: np.ndarray, charge: np.ndarray) -> np.ndarray:
    """Return what each particle is to the detector, int8, from PDG code and charge (units of e).

    Neutral particles other than photons and hadrons are not seen; anything else with a charge is
    treated as a charged hadron.
    """
    code = np.abs(pdg_id)
    out = np.where(charge != 0, CHARGED_HADRON, NEUTRAL_HADRON).astype(np.int8)
    out[is_invisible(pdg_id) | ((charge == 0) & ~is_hadron(code))] = UNSEEN
    out[code == 22] = PHOTON
    out[code == 11] = ELECTRON
    out[code == 13] = MUON
    return out


def prepare(offsets: np.ndarray, columns: dict[str, np.ndarray]) -> Incoming:
    """Return particles for the kernels.

    offsets: shape (n + 1,), one entry per collision; columns: flat arrays `pt eta phi pdg_id
    charge vx vy vz` (GeV, rad, cm). The calorimeters measure momentum: masses are not used.
    """
    eta = columns["eta"].astype(np.float64)
    phi = columns["phi"].astype(np.float64)
    pt = columns["pt"].astype(np.float64)
    # what stays in the beam pipe may come with any eta; its momentum is of no interest
    capped = np.clip(eta, -20.0, 20.0)
    single = {
        "pt": pt,
        "eta": eta,
        "phi": phi,
        "sinh_eta": np.sinh(capped),
        "cos_phi": np.cos(phi),
        "sin_phi": np.sin(phi),
        "momentum": pt * np.cosh(capped),
        "vx": columns["vx"],
        "vy": columns["vy"],
        "vz": columns["vz"],
    }
    particles = np.empty(len(pt), dtype=PARTICLE)
    for name, values in single.items():
        particles[name] = values
    particles["charge"] = columns["charge"]
    particles["kind"] = kinds(columns["pdg_id"], columns["charge"])
    return Incoming(np.ascontiguousarray(offsets, dtype=np.int64), particles)
