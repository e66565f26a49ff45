"""Candidates from tracks: to which vertex they belong and how CMS packs that.

The rules are those of CMS's packed candidates (PackedCandidate::fromPV and the assignment of
candidates to vertices in CMSSW), in own words:
3 used in the fit of the primary vertex with tight quality; 2 assigned to it otherwise, and every
electron or muon; 1 assigned to another vertex without being used in its fit, or that vertex has
fewer than 4 degrees of freedom; 0 used in the fit of another vertex. Neutral candidates have 3.
"""

from __future__ import annotations

import math

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.simulation.calorimeter import sinh
from ptmiss.simulation.tracks import CAPACITY
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


def empty_candidates(n: int = CAPACITY) -> np.ndarray:
    """Return room for n candidates."""
    return np.zeros(n, dtype=CANDIDATE)


@njit(cache=True, nogil=True, error_model="numpy")
def associate(d, tracks, n: int, vertices, n_vertices: int) -> None:
    """Give each track that no vertex fit used its vertex and quality (CMS's numbers).

    5 close in z to its nearest vertex; 0 near the beam line though its vertex was not found (counts
    for the primary vertex); 1 nearest in z, whatever the distance. Used in a fit: 7 or 6, kept.
    """
    z_sorted = np.empty(n_vertices)
    for i in range(n_vertices):
        z_sorted[i] = vertices[vertices[i].by_z].z
    for i in range(n):
        if tracks[i].vertex >= 0:
            continue
        k = nearest(z_sorted, n_vertices, tracks[i].z)
        if k < 0:
            tracks[i].vertex = 0
            tracks[i].quality = 0
            continue
        distance = abs(tracks[i].z - z_sorted[k])
        vertex = vertices[k].by_z
        if distance < d.assoc_dz and distance < d.assoc_dz_sigma * tracks[i].z_error:
            tracks[i].vertex = vertex
            tracks[i].quality = 5
        elif (
            abs(tracks[i].d0) < d.assoc_d0
            and abs(tracks[i].d0) < d.assoc_d0_sigma * tracks[i].d0_error
        ):
            tracks[i].vertex = 0
            tracks[i].quality = 0
        else:
            tracks[i].vertex = vertex
            tracks[i].quality = 1


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
    d, tracks, n: int, vertices, n_vertices: int, x_pv, y_pv, z_pv, out, n_out: int
) -> int:  # fmt: skip
    """Append the tracks as candidates, impact parameters taken to the primary vertex."""
    dx, dy = x_pv - d.beam_x, y_pv - d.beam_y
    for i in range(n):
        if n_out >= len(out):
            break
        code = abs(tracks[i].pdg_id)
        out[n_out].pt = tracks[i].pt
        out[n_out].eta = tracks[i].eta
        out[n_out].phi = tracks[i].phi
        out[n_out].mass = PION_MASS if code == 211 else (MUON_MASS if code == 13 else ELECTRON_MASS)
        out[n_out].pdg_id = tracks[i].pdg_id
        out[n_out].charge = tracks[i].charge
        if tracks[i].pt > d.detail_pt:
            c, s = math.cos(tracks[i].phi), math.sin(tracks[i].phi)
            out[n_out].d0 = tracks[i].d0 + dx * s - dy * c
            out[n_out].dz = tracks[i].z - z_pv + (dx * c + dy * s) * sinh(tracks[i].eta)
            out[n_out].d0_error = tracks[i].d0_error
            out[n_out].dz_error = tracks[i].z_error
        else:
            out[n_out].d0 = out[n_out].dz = -1.0
            out[n_out].d0_error = out[n_out].dz_error = -1.0
        vertex = tracks[i].vertex
        degrees = 2.0 * vertices[vertex].tracks - 3.0 if n_vertices > 0 else 0.0
        out[n_out].from_pv = from_pv_of(
            vertex, tracks[i].quality, degrees, code == 11 or code == 13
        )
        out[n_out].from_other_pv = 0
        if vertex == 1 or vertex == 2:
            out[n_out].from_other_pv = 3 if tracks[i].quality == 7 else 2
        out[n_out].quality = tracks[i].quality
        out[n_out].truth = tracks[i].hard
        n_out += 1
    return n_out


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def finish_neutrals(out, begin: int, end: int) -> None:
    """Fill what neutral candidates have by convention: no track, associated to the vertex."""
    for i in range(begin, end):
        out[i].mass = 0.0
        out[i].charge = 0
        out[i].d0 = out[i].dz = out[i].d0_error = out[i].dz_error = -1.0
        out[i].from_pv = 3
        out[i].from_other_pv = 0
        out[i].quality = 7
