"""The passage of particles through tracker and calorimeters, in compiled form."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.simulation.angles import wrapped
from ptmiss.simulation.calorimeter import absorb_hadron, absorb_photon
from ptmiss.simulation.cells import Calorimeters
from ptmiss.simulation.constants import Detector
from ptmiss.simulation.flight import Ray, collinear
from ptmiss.simulation.incoming import (
    CHARGED_HADRON,
    ELECTRON,
    MUON,
    NEUTRAL_HADRON,
    PHOTON,
    UNSEEN,
)
from ptmiss.simulation.rng import normal, uniform
from ptmiss.simulation.tracks import Tracks, add_track, efficiency


class Signals(NamedTuple):
    """What the particles of one event leave behind."""

    tracks: Tracks
    calorimeters: Calorimeters


class Collision(NamedTuple):
    """One of the collisions of an event.

    number: 0 for the hard one; x, y, z: where, cm; rotation: added to phi; flip: 1 or -1,
    multiplies eta and z; in_time: whether the tracker sees it, the calorimeters see all.
    """

    number: int
    x: float
    y: float
    z: float
    rotation: float
    flip: float
    in_time: bool


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def is_tracked(d: Detector, state: np.ndarray, ray: Ray, kind: int, collision: Collision) -> bool:
    """Draw whether a charged particle gives a track; kind: see `incoming`."""
    return collision.in_time and uniform(state) < efficiency(d, ray, kind)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def follow_muon(
    d: Detector, state: np.ndarray, signals: Signals, ray: Ray, collision: Collision
) -> None:
    """Follow a muon: a track, which may be taken for a hadron's, and nothing else."""
    if not is_tracked(d, state, ray, MUON, collision):
        return
    pdg_id = 211 * ray.charge
    if ray.pt > d.muon_min_pt and abs(ray.eta) < d.muon_eta and uniform(state) < d.muon_id:
        pdg_id = -13 * ray.charge
    add_track(d, state, signals.tracks, ray, pdg_id, collision.number)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def follow_electron(
    d: Detector, state: np.ndarray, signals: Signals, ray: Ray, collision: Collision
) -> None:
    """Follow an electron through bremsstrahlung to its track or into the calorimeters."""
    has_track = is_tracked(d, state, ray, ELECTRON, collision)
    hard = collision.number == 0
    # bremsstrahlung: a power of a uniform number, wider with more material (Bethe, Heitler)
    t = min(d.brem_x0 + d.brem_x0_eta * ray.eta * ray.eta, 1.6)
    kept = uniform(state) ** (t * 0.5)
    if has_track and ray.pt > d.electron_min_pt and uniform(state) < d.electron_id:
        # photons along the tangent are collected: the energy comes from the calorimeter
        width = d.ecal_constant + d.ecal_stochastic / math.sqrt(ray.momentum) + 0.02 * (1.0 - kept)
        seen = ray.pt * max(1.0 + width * normal(state), 0.1)
        row = add_track(d, state, signals.tracks, ray, -11 * ray.charge, collision.number)
        signals.tracks.rows[row].pt = seen
        return
    if kept < 0.999:
        photon = collinear(ray, 1.0 - kept, 0)
        absorb_photon(d, state, signals.calorimeters, photon, hard)
    if has_track:
        slower = collinear(ray, max(kept, 0.05), ray.charge)
        add_track(d, state, signals.tracks, slower, 211 * ray.charge, collision.number)
    elif kept > 1e-3:
        slower = collinear(ray, kept, ray.charge)
        absorb_photon(d, state, signals.calorimeters, slower, hard)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def follow_charged_hadron(
    d: Detector, state: np.ndarray, signals: Signals, ray: Ray, collision: Collision
) -> None:
    """Follow a charged hadron to its track and into the calorimeter."""
    track_momentum = 0.0
    if is_tracked(d, state, ray, CHARGED_HADRON, collision):
        row = add_track(d, state, signals.tracks, ray, 211 * ray.charge, collision.number)
        track_momentum = signals.tracks.rows[row].pt * (ray.momentum / ray.pt)
    absorb_hadron(d, state, signals.calorimeters, ray, collision.number == 0, track_momentum)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def convert_photon(
    d: Detector, state: np.ndarray, signals: Signals, ray: Ray, collision: Collision
) -> None:
    """Turn a photon into an electron pair somewhere in the tracker and follow both."""
    radius = 3.0 + 100.0 * uniform(state)
    share = uniform(state)
    for i in range(2):
        part = share if i == 0 else 1.0 - share
        if part * ray.momentum < 0.03:
            continue
        electron = Ray(
            ray.pt * part,
            ray.eta,
            ray.phi,
            ray.sinh_eta,
            ray.cos_phi,
            ray.sin_phi,
            ray.momentum * part,
            ray.x + radius * ray.cos_phi,
            ray.y + radius * ray.sin_phi,
            ray.z + radius * ray.sinh_eta,
            1 - 2 * i,
        )
        follow_electron(d, state, signals, electron, collision)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def follow_photon(
    d: Detector, state: np.ndarray, signals: Signals, ray: Ray, collision: Collision
) -> None:
    """Follow a photon into the calorimeter, or into its conversion."""
    if not collision.in_time and uniform(state) > d.oot_photons:
        return
    chance = min(d.conversion + d.conversion_eta * ray.eta * ray.eta, 0.55)
    if abs(ray.eta) < d.track_eta and uniform(state) < chance:
        if ray.pt >= d.conversion_lost:
            convert_photon(d, state, signals, ray, collision)
        return
    absorb_photon(d, state, signals.calorimeters, ray, collision.number == 0)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def follow_collision(
    d: Detector, state: np.ndarray, signals: Signals, particles: np.ndarray, collision: Collision
) -> None:
    """Send the particles of one collision (of `incoming.PARTICLE`) through the detector."""
    c, s = math.cos(collision.rotation), math.sin(collision.rotation)
    far = d.forward_eta + 0.2
    for i in range(len(particles)):
        particle = particles[i]
        kind = particle.kind
        eta = float(particle.eta) * collision.flip
        if kind == UNSEEN or abs(eta) > far:
            continue
        cos_0, sin_0 = float(particle.cos_phi), float(particle.sin_phi)
        vx, vy = float(particle.vx), float(particle.vy)
        ray = Ray(
            pt=float(particle.pt),
            eta=eta,
            phi=wrapped(float(particle.phi) + collision.rotation),
            sinh_eta=float(particle.sinh_eta) * collision.flip,
            cos_phi=cos_0 * c - sin_0 * s,
            sin_phi=sin_0 * c + cos_0 * s,
            momentum=float(particle.momentum),
            x=collision.x + vx * c - vy * s,
            y=collision.y + vy * c + vx * s,
            z=collision.z + float(particle.vz) * collision.flip,
            charge=min(max(particle.charge, -1), 1),
        )
        if kind == PHOTON:
            follow_photon(d, state, signals, ray, collision)
        elif kind == NEUTRAL_HADRON:
            absorb_hadron(d, state, signals.calorimeters, ray, collision.number == 0, 0.0)
        elif kind == CHARGED_HADRON:
            follow_charged_hadron(d, state, signals, ray, collision)
        elif kind == ELECTRON:
            follow_electron(d, state, signals, ray, collision)
        elif kind == MUON:
            follow_muon(d, state, signals, ray, collision)
