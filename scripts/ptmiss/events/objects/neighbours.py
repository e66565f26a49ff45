"""18 numbers about the neighbours of a candidate: in cones around it, and at its vertex.

Within dR of 0.1, 0.2 and 0.4 (pseudorapidity and azimuth): sums of pT of charged candidates from
the primary vertex (from_pv >= 2), other charged ones, photons and other neutral ones; within 0.4
sums of (pT / max(dR, 0.01))^2, as in PUPPI's alpha. For tracks, which are all charged candidates,
over the other tracks whose dz differs by less than 0.05 cm: sums of pT and of pT^2, and their
vector sum along and across the track, in the transverse plane.

No sum counts the candidate itself, nor a pinned lepton: a network that saw those would learn from
the leptons of Z events that nothing is missing. All is unchanged by rotations about the beam and by
reflections of the transverse plane and of the beam (eta and dz).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.core.ragged import Ragged
from ptmiss.events.columns import NEIGHBOURS
from ptmiss.events.objects.grid import Grid, cell_of, fill_grid, grid_shape, new_grid

NAMES: tuple[str, ...] = tuple(NEIGHBOURS)
"""Of the features, in the order of columns."""

VERSION = 1
"""Of their definition: rises with every change of a number."""

INPUTS = ("pt", "eta", "phi", "dz", "charge", "pdg_id", "from_pv")
"""Columns of candidates that the features are made of, besides which ones are pinned."""

_CHARGED_PV, _CHARGED_PU, _PHOTON, _NEUTRAL = range(4)
_RADIUS = 0.4
_MIN_DR2 = 1e-4
_SAME_VERTEX = 0.05  # cm
_UNIT = 0.5  # GeV
_FACTOR = 0.4  # of all features, so that most lie between 0 and 3


def neighbour_features(candidates: Ragged, pinned: np.ndarray) -> np.ndarray:
    """Return the features `NAMES` of each candidate, float32, shape (n_candidates, 18).

    A sum S of pT enters as 0.4 ln(1 + S / 0.5 GeV), one of pT^2 as 0.4 ln(1 + S / 0.25 GeV^2), one
    of (pT / dR)^2 as 0.4 ln(1 + S / GeV^2), a projection x as 0.4 sign(x) ln(1 + |x| / 0.5 GeV).
    Neutral candidates have 0 in the last four. A candidate without pT, or whose pT, eta or phi is
    not finite, counts for nothing and has zeros; a track whose dz is not finite is at no vertex. A
    track without detail has dz 0 in a skim and counts as one at the primary vertex. Sums are taken
    in float64, in an order of their own: the order of candidates changes nothing.

    Parameters
    ----------
    candidates
        Columns `INPUTS`: pt (GeV), eta, phi (any period), dz (cm), charge, pdg_id, from_pv.
    pinned
        Which are prompt leptons, bool, shape (n_candidates,). They are counted in no sum; their own
        features are those of any other candidate.

    Raises
    ------
    ValueError
        If `pinned` does not have one entry per candidate.
    """
    pt, eta, phi, dz = (np.asarray(candidates[x], dtype=np.float64) for x in INPUTS[:4])
    if len(pinned) != len(pt):
        raise ValueError(f"pinned has {len(pinned)} entries for {len(pt)} candidates")
    kind = np.where(candidates["pdg_id"] == 22, np.int8(_PHOTON), np.int8(_NEUTRAL))
    from_pv = np.where(candidates["from_pv"] >= 2, np.int8(_CHARGED_PV), np.int8(_CHARGED_PU))
    kind = np.where(candidates["charge"] != 0, from_pv, kind)
    result = np.zeros((len(pt), len(NAMES)), dtype=np.float32)
    members = np.logical_not(np.asarray(pinned, dtype=np.bool_))
    _fill(_Points(pt, eta, phi, dz, kind), members, candidates.offsets, result)
    return result


class _Points(NamedTuple):
    """Candidates, shape (n_candidates,) each: float64, and the kind, int8."""

    pt: np.ndarray
    eta: np.ndarray
    phi: np.ndarray
    dz: np.ndarray
    kind: np.ndarray


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(points: _Points, members: np.ndarray, offsets: np.ndarray, result: np.ndarray) -> None:
    # members: what may be counted; result: zeros
    pt, eta, angle, dz, kind = points
    phi, usable = np.empty_like(angle), np.empty(len(pt), dtype=np.bool_)
    for i in range(len(pt)):
        usable[i] = math.isfinite(pt[i] + eta[i] + angle[i]) and pt[i] > 0.0
        if usable[i]:
            phi[i] = angle[i] - 2.0 * math.pi * math.floor(angle[i] / (2.0 * math.pi) + 0.5)
    located = _Points(pt, eta, phi, dz, kind)
    grid, places = new_grid(_RADIUS, 0), np.empty((3, 0))
    for event in range(len(offsets) - 1):
        begin, end = offsets[event], offsets[event + 1]
        inside = begin + np.flatnonzero(members[begin:end] & usable[begin:end])
        if len(grid.order) < 2 * len(inside):
            grid, places = new_grid(_RADIUS, 2 * len(inside)), np.empty((3, 4 * len(inside)))
        fill_grid(inside, eta, phi, pt, _RADIUS, grid)
        for at in range(grid.starts[-1]):
            places[0, at] = eta[grid.order[at]]
            places[1, at] = grid.turned[at]
            places[2, at] = pt[grid.order[at]]
        _cones(located, begin + np.flatnonzero(usable[begin:end]), grid, places, result)
        tracks = _tracks(located, grid, len(inside))
        _vertices(located, tracks, result)
        for i in range(begin, end):
            if usable[i] and not members[i] and kind[i] < _PHOTON and math.isfinite(dz[i]):
                _vertex_of(i, located, tracks, result)


@njit(cache=True, nogil=True, error_model="numpy")
def _cones(
    points: _Points, wanted: np.ndarray, grid: Grid, places: np.ndarray, result: np.ndarray
) -> None:
    # places: eta, phi, pT in the order of the grid
    _, eta, phi, _, kind = points
    starts, order, _ = grid
    n_rows, n_columns = grid_shape(_RADIUS)
    in_shell, near = np.empty((4, 3)), np.empty(4)
    for i in wanted:
        in_shell[:] = 0.0
        near[:] = 0.0
        row, column = cell_of(eta[i], phi[i], _RADIUS, n_rows, n_columns)
        for r in range(max(row - 1, 0), min(row + 2, n_rows)):
            first = r * n_columns + column - 1
            for at in range(starts[first], starts[first + 3]):
                d_eta = places[0, at] - eta[i]
                d_phi = places[1, at] - phi[i]
                d_r2 = d_eta * d_eta + d_phi * d_phi
                if d_r2 < _RADIUS * _RADIUS and order[at] != i:
                    shell = int(d_r2 >= 0.1 * 0.1) + int(d_r2 >= 0.2 * 0.2)
                    p = places[2, at]
                    in_shell[kind[order[at]], shell] += p
                    near[kind[order[at]]] += p * p / max(d_r2, _MIN_DR2)
        for k in range(4):
            total = 0.0
            for shell in range(3):
                total += in_shell[k, shell]
                result[i, 3 * k + shell] = _compressed(total / _UNIT)
        result[i, 12] = _compressed(near[_CHARGED_PV])
        result[i, 13] = _compressed(near.sum())


@njit(cache=True, nogil=True, error_model="numpy")
def _compressed(x: float) -> float:
    # a third of the sums are empty, and a logarithm costs as much as ten neighbours
    return math.copysign(_FACTOR * math.log(1.0 + abs(x)), x) if x != 0.0 else 0.0


@njit(cache=True, nogil=True)
def _tracks(points: _Points, grid: Grid, n_members: int) -> np.ndarray:
    # the tracks by dz; of those with one dz the order is that of the grid, not of the candidates
    dz, kind = points.dz, points.kind
    starts, order, _ = grid
    n_rows, n_columns = grid_shape(_RADIUS)
    tracks = np.empty(n_members, dtype=np.int64)
    n = 0
    for row in range(n_rows):
        first = row * n_columns + 1  # without the copies
        for at in range(starts[first], starts[first + n_columns - 2]):
            if kind[order[at]] < _PHOTON and math.isfinite(dz[order[at]]):
                tracks[n] = order[at]
                n += 1
    return tracks[:n][np.argsort(dz[tracks[:n]], kind="mergesort")]


@njit(cache=True, nogil=True, error_model="numpy")
def _vertices(points: _Points, tracks: np.ndarray, result: np.ndarray) -> None:
    pt, _, phi, dz, _ = points
    n = len(tracks)
    z, terms, sums = dz[tracks], np.empty((n, 4)), np.zeros((n, 4))
    for k, i in enumerate(tracks):
        terms[k, 0] = pt[i]
        terms[k, 1] = pt[i] * pt[i]
        terms[k, 2] = pt[i] * math.cos(phi[i])
        terms[k, 3] = pt[i] * math.sin(phi[i])
    _add_earlier(z, terms, sums)
    _add_earlier(-z[::-1], terms[::-1], sums[::-1])
    for k, i in enumerate(tracks):
        direction = terms[k, 2] / pt[i], terms[k, 3] / pt[i]
        _write_vertex(sums[k], direction, result[i])


@njit(cache=True, nogil=True)
def _add_earlier(z: np.ndarray, terms: np.ndarray, sums: np.ndarray) -> None:
    # Adds to each track the terms of those before it that are near in z, which rises. No sum is a
    # difference of others, which would lose digits where one track is very hard: a window is what
    # is left of older tracks, of which the sums to their last one are known, and the newer ones.
    n, n_terms = terms.shape
    older, newer = np.zeros((n + 1, n_terms)), np.zeros(n_terms)
    low = pivot = 0
    for k in range(n):
        while z[k] - z[low] >= _SAME_VERTEX:
            low += 1
        if low >= pivot:
            older[k] = 0.0
            for j in range(k - 1, low - 1, -1):
                for t in range(n_terms):
                    older[j, t] = older[j + 1, t] + terms[j, t]
            pivot = k
            newer[:] = 0.0
        for t in range(n_terms):
            sums[k, t] += older[low, t] + newer[t]
            newer[t] += terms[k, t]


@njit(cache=True, nogil=True, error_model="numpy")
def _vertex_of(i: int, points: _Points, tracks: np.ndarray, result: np.ndarray) -> None:
    # of a pinned lepton: one that stood among the others would change how their sums are rounded
    pt, _, phi, dz, _ = points
    sums = np.zeros(4)
    for j in tracks:
        if abs(dz[j] - dz[i]) < _SAME_VERTEX:
            sums[0] += pt[j]
            sums[1] += pt[j] * pt[j]
            sums[2] += pt[j] * math.cos(phi[j])
            sums[3] += pt[j] * math.sin(phi[j])
    _write_vertex(sums, (math.cos(phi[i]), math.sin(phi[i])), result[i])


@njit(cache=True, nogil=True, error_model="numpy")
def _write_vertex(sums: np.ndarray, direction: tuple[float, float], result: np.ndarray) -> None:
    c, s = direction
    result[14] = _compressed(sums[0] / _UNIT)
    result[15] = _compressed(sums[1] / (_UNIT * _UNIT))
    result[16] = _compressed((sums[2] * c + sums[3] * s) / _UNIT)
    result[17] = _compressed(abs(sums[3] * c - sums[2] * s) / _UNIT)
