"""Tracks in compiled form: who is found, how well, and what else charged particles do.

Kernels that create no array are compiled with `_nrt=False`: counting references to the arrays they
are handed, atomically at each call, took half of an event's time.
"""

from __future__ import annotations

import math

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.simulation.calorimeter import (
    TWO_PI,
    absorb_hadron,
    absorb_photon,
    arrival,
    sinh,
    wrapped,
)
from ptmiss.simulation.incoming import CHARGED_HADRON, ELECTRON, MUON, NEUTRAL_HADRON, PHOTON
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


def empty_tracks() -> np.ndarray:
    """Return room for the tracks of one event, shape (CAPACITY,), of `TRACK`."""
    return np.zeros(CAPACITY, dtype=TRACK)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def efficiency(d, kind: int, pt: float, abs_eta: float, radius: float) -> float:
    """Return the probability that a charged particle is found as a track.

    radius: transverse distance of its production point from the beam line, cm.
    """
    if pt < d.track_min_pt or abs_eta > d.track_eta_end or radius > d.track_radius:
        return 0.0
    turn_on = 1.0 - math.exp(-(pt - d.track_min_pt) / d.track_turn_on)
    found = turn_on * (1.0 - radius / d.track_radius)
    if kind == MUON:
        found *= d.track_muon
    else:
        found *= d.track_plateau
        if abs_eta > 1.6:
            found *= d.track_endcap
        if kind == ELECTRON:
            found *= d.track_electron
    if abs_eta > d.track_eta:
        found *= d.track_forward
    return found


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def add_track(
    d, tracks, n: int, state, pt, phi, eta, x, y, z, charge, pdg_id, hard, collision,
    sinh_eta, c, s,
) -> int:  # fmt: skip
    """Measure a track and append it; returns the new number of tracks.

    pt, phi, eta: at production; x, y, z: production point in cm; sinh_eta, c, s: of eta and phi.
    d0 and z are those of the straight tangent, so they lack the curvature of particles produced
    far from the beam line.
    """
    if n >= len(tracks):
        return n
    eta2 = eta * eta
    width = (d.track_pt_constant + d.track_pt_slope * pt) * (1.0 + d.track_pt_eta * eta2)
    measured = pt / max(1.0 + width * normal(state), 0.2)  # curvature is what is measured
    d0_error = math.sqrt(d.d0_constant**2 + (d.d0_slope / pt) ** 2) * (1.0 + d.d0_eta * eta2)
    z_error = math.sqrt(d.dz_constant**2 + (d.dz_slope / pt) ** 2) * (1.0 + d.dz_eta * eta2)
    off = d.tail_factor if uniform(state) < d.tail_fraction else 1.0
    dx, dy = x - d.beam_x, y - d.beam_y
    tracks[n].pt = measured
    tracks[n].eta = eta + 4e-4 * normal(state)
    tracks[n].phi = wrapped(phi + 4e-4 * normal(state))
    tracks[n].charge = charge
    tracks[n].pdg_id = pdg_id
    tracks[n].d0 = dy * c - dx * s + off * d0_error * normal(state)
    tracks[n].z = z - (dx * c + dy * s) * sinh_eta + off * z_error * normal(state)
    tracks[n].d0_error = d0_error
    tracks[n].z_error = z_error
    tracks[n].loose = 1 if uniform(state) < d.loose_fraction else 0
    tracks[n].hard = 1 if hard else 0
    tracks[n].collision = collision
    return n + 1


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def add_fakes(d, tracks, n: int, state) -> int:
    """Append fake tracks: random directions, a steep spectrum, poor impact parameters."""
    for _ in range(poisson(state, d.fake_fraction * n)):
        pt = d.fake_scale * (1.0 - uniform(state)) ** (-1.0 / (d.fake_power - 1.0))
        eta = d.track_eta * (2.0 * uniform(state) - 1.0)
        phi = TWO_PI * uniform(state) - math.pi
        charge = 1 if uniform(state) < 0.5 else -1
        z = d.beam_z + 1.5 * d.beam_length * normal(state)
        before = n
        n = add_track(
            d, tracks, n, state, min(pt, 50.0), phi, eta, d.beam_x, d.beam_y, z, charge,
            211 * charge, False, -1, sinh(eta), math.cos(phi), math.sin(phi),
        )  # fmt: skip
        if n > before:
            tracks[before].d0_error *= 3.0
            tracks[before].z_error *= 3.0
            tracks[before].d0 = 0.3 * normal(state)
    return n


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def charged_particle(
    d, tracks, n: int, ecal, hcal, hf_had, hf_em, state, kind, pt, phi, eta, sinh_eta, cos_phi,
    sin_phi, momentum, x, y, z, charge, hard, collision, in_time,
) -> int:  # fmt: skip
    """Follow a charged particle through tracker and calorimeters; returns the number of tracks."""
    sign = 1 if charge > 0 else -1
    found = False
    if in_time:
        radius = math.sqrt((x - d.beam_x) ** 2 + (y - d.beam_y) ** 2)
        found = uniform(state) < efficiency(d, kind, pt, abs(eta), radius)
    if kind == MUON:
        if found:
            known = pt > d.muon_min_pt and abs(eta) < d.muon_eta and uniform(state) < d.muon_id
            code = -13 * sign if known else 211 * sign
            n = add_track(
                d, tracks, n, state, pt, phi, eta, x, y, z, sign, code, hard, collision, sinh_eta,
                cos_phi, sin_phi,
            )  # fmt: skip
        return n
    if kind == ELECTRON:
        # bremsstrahlung: a power of a uniform number, wider with more material (Bethe, Heitler)
        t = min(d.brem_x0 + d.brem_x0_eta * eta * eta, 1.6)
        kept = uniform(state) ** (t * 0.5)
        if found and pt > d.electron_min_pt and uniform(state) < d.electron_id:
            # photons along the tangent are collected: the energy comes from the calorimeter
            width = d.ecal_constant + d.ecal_stochastic / math.sqrt(momentum) + 0.02 * (1.0 - kept)
            seen = pt * max(1.0 + width * normal(state), 0.1)
            before = n
            n = add_track(
                d, tracks, n, state, pt, phi, eta, x, y, z, sign, -11 * sign, hard, collision,
                sinh_eta, cos_phi, sin_phi,
            )  # fmt: skip
            if n > before:
                tracks[before].pt = seen
            return n
        reached, e, p = arrival(d, x, y, z, pt, phi, sinh_eta, cos_phi, sin_phi, 0)
        if reached and kept < 0.999:
            absorb_photon(d, ecal, hcal, hf_had, hf_em, state, e, p, momentum * (1.0 - kept), hard)
        if found:
            return add_track(
                d, tracks, n, state, pt * max(kept, 0.05), phi, eta, x, y, z, sign, 211 * sign,
                hard, collision, sinh_eta, cos_phi, sin_phi,
            )  # fmt: skip
        reached, e, p = arrival(d, x, y, z, pt * kept, phi, sinh_eta, cos_phi, sin_phi, sign)
        if reached and kept > 1e-3:
            absorb_photon(d, ecal, hcal, hf_had, hf_em, state, e, p, momentum * kept, hard)
        return n
    track_momentum = 0.0
    if found:
        before = n
        n = add_track(
            d, tracks, n, state, pt, phi, eta, x, y, z, sign, 211 * sign, hard, collision,
            sinh_eta, cos_phi, sin_phi,
        )  # fmt: skip
        if n > before:
            track_momentum = tracks[before].pt * (momentum / pt)
    reached, e, p = arrival(d, x, y, z, pt, phi, sinh_eta, cos_phi, sin_phi, sign)
    if reached:
        absorb_hadron(d, hcal, hf_had, hf_em, state, e, p, momentum, hard, track_momentum)
    return n


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def convert_photon(
    d, tracks, n: int, ecal, hcal, hf_had, hf_em, state, pt, phi, eta, sinh_eta, cos_phi, sin_phi,
    momentum, x, y, z, hard, collision, in_time,
) -> int:  # fmt: skip
    """Turn a photon into an electron pair somewhere in the tracker and follow both."""
    radius = 3.0 + 100.0 * uniform(state)
    x1, y1, z1 = x + radius * cos_phi, y + radius * sin_phi, z + radius * sinh_eta
    share = uniform(state)
    for i in range(2):
        part = share if i == 0 else 1.0 - share
        if part * momentum < 0.03:
            continue
        n = charged_particle(
            d, tracks, n, ecal, hcal, hf_had, hf_em, state, ELECTRON, pt * part, phi, eta,
            sinh_eta, cos_phi, sin_phi, momentum * part, x1, y1, z1, 1 - 2 * i, hard, collision,
            in_time,
        )  # fmt: skip
    return n


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def detect_collision(
    d, particles, begin: int, end: int, rotation: float, flip: float, x0, y0, z0,
    hard: bool, collision: int, in_time: bool, tracks, n: int, ecal, hcal, hf_had, hf_em, state,
) -> int:  # fmt: skip
    """Send the particles [begin, end) of one collision through the detector.

    rotation: added to phi; flip: 1 or -1, multiplies eta and z; x0, y0, z0: where it happened, cm.
    in_time false: calorimeters only. Returns the new number of tracks.
    """
    c, s = math.cos(rotation), math.sin(rotation)
    far = d.forward_eta + 0.2
    for i in range(begin, end):
        particle = particles[i]
        kind = particle.kind
        eta = float(particle.eta) * flip
        if kind == 0 or abs(eta) > far:
            continue
        pt = float(particle.pt)
        sinh_eta = float(particle.sinh_eta) * flip
        cos_0, sin_0 = float(particle.cos_phi), float(particle.sin_phi)
        cos_phi = cos_0 * c - sin_0 * s
        sin_phi = sin_0 * c + cos_0 * s
        phi = wrapped(float(particle.phi) + rotation)
        vx, vy = float(particle.vx), float(particle.vy)
        x = x0 + vx * c - vy * s
        y = y0 + vy * c + vx * s
        z = z0 + float(particle.vz) * flip
        momentum = float(particle.momentum)
        if kind == PHOTON:
            if not in_time and uniform(state) > d.oot_photons:
                continue
            chance = min(d.conversion + d.conversion_eta * eta * eta, 0.55)
            if abs(eta) < d.track_eta and uniform(state) < chance:
                if pt < d.conversion_lost:
                    continue
                n = convert_photon(
                    d, tracks, n, ecal, hcal, hf_had, hf_em, state, pt, phi, eta, sinh_eta,
                    cos_phi, sin_phi, momentum, x, y, z, hard, collision, in_time,
                )  # fmt: skip
                continue
            reached, e, p = arrival(d, x, y, z, pt, phi, sinh_eta, cos_phi, sin_phi, 0)
            if reached:
                absorb_photon(d, ecal, hcal, hf_had, hf_em, state, e, p, momentum, hard)
        elif kind == NEUTRAL_HADRON:
            reached, e, p = arrival(d, x, y, z, pt, phi, sinh_eta, cos_phi, sin_phi, 0)
            if reached:
                absorb_hadron(d, hcal, hf_had, hf_em, state, e, p, momentum, hard, 0.0)
        elif kind in (CHARGED_HADRON, ELECTRON, MUON):
            n = charged_particle(
                d, tracks, n, ecal, hcal, hf_had, hf_em, state, kind, pt, phi, eta, sinh_eta,
                cos_phi, sin_phi, momentum, x, y, z, particle.charge, hard, collision, in_time,
            )  # fmt: skip
    return n
