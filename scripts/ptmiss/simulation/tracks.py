"""Tracks in compiled form: which particles give one, how well it is measured, and fakes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.simulation.angles import TWO_PI, sinh, wrapped
from ptmiss.simulation.constants import Detector
from ptmiss.simulation.flight import Ray
from ptmiss.simulation.incoming import ELECTRON, MUON
from ptmiss.simulation.rng import normal, poisson, uniform

TRACK = np.dtype(
    [(name, np.float64) for name in ["pt", "eta", "phi", "d0", "z", "d0_error", "z_error"]]
    + [
        (name, np.int64)
        for name in ["charge", "pdg_id", "loose", "hard", "collision", "quality", "vertex"]
    ]
)
"""A track: d0 and z (cm) at the closest approach to the beam line; `collision` -1 for
fakes, 0 for the hard one; `quality` and `vertex` are filled by the association."""

CAPACITY = 32_768
"""Tracks and candidates of one event that there is room for; ten times the largest ever seen."""


class Tracks(NamedTuple):
    """The tracks of one event: the first n[0] of `rows` (of `TRACK`)."""

    rows: np.ndarray
    n: np.ndarray


def empty_tracks() -> Tracks:
    """Return room for the tracks of one event."""
    return Tracks(np.zeros(CAPACITY, dtype=TRACK), np.zeros(1, dtype=np.int64))


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def efficiency(d: Detector, ray: Ray, kind: int) -> float:
    """Return the probability that a charged particle gives a track; kind: see `incoming`."""
    radius = math.sqrt((ray.x - d.beam_x) ** 2 + (ray.y - d.beam_y) ** 2)
    abs_eta = abs(ray.eta)
    if ray.pt < d.track_min_pt or abs_eta > d.track_eta_end or radius > d.track_radius:
        return 0.0
    turn_on = 1.0 - math.exp(-(ray.pt - d.track_min_pt) / d.track_turn_on)
    probability: float = turn_on * (1.0 - radius / d.track_radius)
    if kind == MUON:
        probability *= d.track_muon
    else:
        probability *= d.track_plateau
        if abs_eta > 1.6:
            probability *= d.track_endcap
        if kind == ELECTRON:
            probability *= d.track_electron
    if abs_eta > d.track_eta:
        probability *= d.track_forward
    return probability


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def add_track(
    d: Detector, state: np.ndarray, tracks: Tracks, ray: Ray, pdg_id: int, collision: int
) -> int:
    """Measure a track and append it; returns its row.

    d0 and z are those of the straight tangent, so they lack the curvature of particles produced
    far from the beam line. Where no room is left the last row is overwritten: such an event is
    refused as a whole.
    """
    row = min(tracks.n[0], len(tracks.rows) - 1)
    tracks.n[0] = row + 1
    eta2 = ray.eta * ray.eta
    width = (d.track_pt_constant + d.track_pt_slope * ray.pt) * (1.0 + d.track_pt_eta * eta2)
    pt = ray.pt / max(1.0 + width * normal(state), 0.2)  # curvature is what is measured
    d0_error = math.sqrt(d.d0_constant**2 + (d.d0_slope / ray.pt) ** 2) * (1.0 + d.d0_eta * eta2)
    z_error = math.sqrt(d.dz_constant**2 + (d.dz_slope / ray.pt) ** 2) * (1.0 + d.dz_eta * eta2)
    tail = d.tail_factor if uniform(state) < d.tail_fraction else 1.0
    dx, dy = ray.x - d.beam_x, ray.y - d.beam_y
    along, across = dx * ray.cos_phi + dy * ray.sin_phi, dy * ray.cos_phi - dx * ray.sin_phi
    track = tracks.rows[row]
    track.pt = pt
    track.eta = ray.eta + 4e-4 * normal(state)
    track.phi = wrapped(ray.phi + 4e-4 * normal(state))
    track.charge = ray.charge
    track.pdg_id = pdg_id
    track.d0 = across + tail * d0_error * normal(state)
    track.z = ray.z - along * ray.sinh_eta + tail * z_error * normal(state)
    track.d0_error = d0_error
    track.z_error = z_error
    track.loose = 1 if uniform(state) < d.loose_fraction else 0
    track.hard = 1 if collision == 0 else 0
    track.collision = collision
    return int(row)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def add_fakes(d: Detector, state: np.ndarray, tracks: Tracks) -> None:
    """Append fake tracks: random directions, a steep spectrum, poor impact parameters."""
    for _ in range(poisson(state, d.fake_fraction * tracks.n[0])):
        pt = d.fake_scale * (1.0 - uniform(state)) ** (-1.0 / (d.fake_power - 1.0))
        eta = d.track_eta * (2.0 * uniform(state) - 1.0)
        phi = TWO_PI * uniform(state) - math.pi
        charge = 1 if uniform(state) < 0.5 else -1
        z = d.beam_z + 1.5 * d.beam_length * normal(state)
        ray = Ray(
            pt=min(pt, 50.0),
            eta=eta,
            phi=phi,
            sinh_eta=sinh(eta),
            cos_phi=math.cos(phi),
            sin_phi=math.sin(phi),
            momentum=0.0,  # of no interest: nothing of it arrives anywhere
            x=d.beam_x,
            y=d.beam_y,
            z=z,
            charge=charge,
        )
        track = tracks.rows[add_track(d, state, tracks, ray, 211 * charge, -1)]
        track.d0_error *= 3.0
        track.z_error *= 3.0
        track.d0 = 0.3 * normal(state)
