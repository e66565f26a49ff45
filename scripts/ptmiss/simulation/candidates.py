"""Candidates from tracks: to which vertex they belong and how CMS packs that.

The rules are those of CMS's packed candidates (PackedCandidate::fromPV and the assignment of
candidates to vertices in CMSSW), in own words:
3 used in the fit of the primary vertex with tight quality; 2 assigned to it otherwise, and every
electron or muon; 1 assigned to another vertex without being used in its fit, or that vertex has
fewer than 4 degrees of freedom; 0 used in the fit of another vertex. Neutral candidates have 3.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.simulation.angles import sinh
from ptmiss.simulation.constants import Detector
from ptmiss.simulation.vertices import nearest

CANDIDATE = np.dtype(
    [
        *(
            (name, np.float32)
            for name in ["pt", "eta", "phi", "mass", "d0", "d0_error", "dz", "dz_error", "truth"]
        ),
        *((name, np.int32) for name in ["pdg_id", "charge", "from_pv", "from_other_pv", "quality"]),
    ]
)
"""A candidate (GeV, cm). from_other_pv: the larger fromPV with respect to the next two vertices."""

PION_MASS, MUON_MASS, ELECTRON_MASS = 0.13957, 0.10566, 0.000511  # GeV


class Point(NamedTuple):
    """A place in the detector, cm."""

    x: float
    y: float
    z: float


@njit(cache=True, nogil=True, error_model="numpy")
def associate(d: Detector, tracks: np.ndarray, vertices: np.ndarray) -> None:
    """Give each track that no vertex fit used its vertex and quality (CMS's numbers).

    5 close in z to its nearest vertex; 0 near the beam line though its vertex was not found (counts
    for the primary vertex); 1 nearest in z, whatever the distance. Used in a fit: 7 or 6, kept.
    """
    z_sorted = np.empty(len(vertices))
    for i in range(len(vertices)):
        z_sorted[i] = vertices[vertices[i].by_z].z
    for i in range(len(tracks)):
        track = tracks[i]
        if track.vertex >= 0:
            continue
        k = nearest(z_sorted, track.z)
        if k < 0:
            track.vertex = 0
            track.quality = 0
            continue
        distance = abs(track.z - z_sorted[k])
        vertex = vertices[k].by_z
        if distance < d.assoc_dz and distance < d.assoc_dz_sigma * track.z_error:
            track.vertex = vertex
            track.quality = 5
        elif abs(track.d0) < d.assoc_d0 and abs(track.d0) < d.assoc_d0_sigma * track.d0_error:
            track.vertex = 0
            track.quality = 0
        else:
            track.vertex = vertex
            track.quality = 1


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def from_pv_of(vertex: int, quality: int, degrees: float, is_lepton: bool) -> int:
    """Return fromPV of a charged candidate; degrees: of freedom of its vertex's fit."""
    if vertex == 0 and quality == 7:
        return 3
    if vertex == 0 or is_lepton:
        return 2
    if quality < 6 or degrees < 4.0:
        return 1
    return 0


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def track_candidates(
    d: Detector, tracks: np.ndarray, vertices: np.ndarray, pv: Point, out: np.ndarray
) -> int:
    """Fill the beginning of `out` with the tracks as candidates; returns how many fit in.

    Impact parameters are taken to the primary vertex `pv`.
    """
    dx, dy = pv.x - d.beam_x, pv.y - d.beam_y
    n = min(len(tracks), len(out))
    for i in range(n):
        track = tracks[i]
        candidate = out[i]
        code = abs(track.pdg_id)
        candidate.pt = track.pt
        candidate.eta = track.eta
        candidate.phi = track.phi
        candidate.mass = PION_MASS if code == 211 else (MUON_MASS if code == 13 else ELECTRON_MASS)
        candidate.pdg_id = track.pdg_id
        candidate.charge = track.charge
        if track.pt > d.detail_pt:
            c, s = math.cos(track.phi), math.sin(track.phi)
            candidate.d0 = track.d0 + dx * s - dy * c
            candidate.dz = track.z - pv.z + (dx * c + dy * s) * sinh(track.eta)
            candidate.d0_error = track.d0_error
            candidate.dz_error = track.z_error
        else:
            candidate.d0 = candidate.dz = candidate.d0_error = candidate.dz_error = -1.0
        vertex = track.vertex
        degrees = 2.0 * vertices[vertex].tracks - 3.0 if len(vertices) > 0 else 0.0
        is_lepton = code == 11 or code == 13
        candidate.from_pv = from_pv_of(vertex, track.quality, degrees, is_lepton)
        candidate.from_other_pv = 0
        if vertex == 1 or vertex == 2:
            candidate.from_other_pv = 3 if track.quality == 7 else 2
        candidate.quality = track.quality
        candidate.truth = track.hard
    return n
