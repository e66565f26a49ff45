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
from ptmiss.events.columns import NEIGHBOURS, NEIGHBOURS_VERSION
from ptmiss.events.objects.grid import Grid, fill_grid, grid_shape, new_grid

NAMES: tuple[str, ...] = tuple(NEIGHBOURS)
"""Of the features, in the order of columns."""

VERSION = NEIGHBOURS_VERSION
"""Of their definition."""

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
    counted = np.logical_not(np.asarray(pinned, dtype=np.bool_))
    _fill(_Points(pt, eta, phi, dz, kind, counted), candidates.offsets, result)
    return result


class _Work(NamedTuple):
    """Space for one event, kept from event to event: one row of `sums` for each place of the grid.

    places: eta, phi, pT in the order of the grid, shape (3, n_places); sums: pT in shells of the
    four kinds, then (pT / dR)^2 of each, (n_places, 16); near, d_r2: places of neighbours and the
    square of their distance.
    """

    places: np.ndarray
    sums: np.ndarray
    near: np.ndarray
    d_r2: np.ndarray


class _Points(NamedTuple):
    """Candidates, shape (n_candidates,) each: float64, the kind (int8), which count (bool)."""

    pt: np.ndarray
    eta: np.ndarray
    phi: np.ndarray
    dz: np.ndarray
    kind: np.ndarray
    counted: np.ndarray


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(points: _Points, offsets: np.ndarray, result: np.ndarray) -> None:
    # result: zeros
    pt, eta, angle, dz, kind, counted = points
    phi, usable = np.empty_like(angle), np.empty(len(pt), dtype=np.bool_)
    for i in range(len(pt)):
        usable[i] = math.isfinite(pt[i] + eta[i] + angle[i]) and pt[i] > 0.0
        if usable[i]:
            phi[i] = angle[i] - 2.0 * math.pi * math.floor(angle[i] / (2.0 * math.pi) + 0.5)
    located = _Points(pt, eta, phi, dz, kind, counted)
    grid, work = new_grid(_RADIUS, 0), _work(0)
    for event in range(len(offsets) - 1):
        begin, end = offsets[event], offsets[event + 1]
        inside = begin + np.flatnonzero(usable[begin:end])
        if len(grid.order) < 2 * len(inside):
            grid, work = new_grid(_RADIUS, 2 * len(inside)), _work(4 * len(inside))
        fill_grid(inside, eta, phi, pt, _RADIUS, grid)
        _cones(located, grid, work, result)
        tracks = _tracks(located, grid, len(inside))
        _vertices(located, tracks, result)
        for i in inside:
            if not counted[i] and kind[i] < _PHOTON and math.isfinite(dz[i]):
                _vertex_of(i, located, tracks, result)


@njit(cache=True, nogil=True)
def _work(n_places: int) -> _Work:
    near = np.empty(n_places + 1, dtype=np.int64)
    return _Work(np.empty((3, n_places)), np.empty((n_places, 16)), near, np.empty(n_places + 1))


@njit(cache=True, nogil=True, error_model="numpy")
def _cones(points: _Points, grid: Grid, work: _Work, result: np.ndarray) -> None:
    # Each pair is looked at once, from the one that comes first: the rest of its cell, the next one
    # in the row, three in the row below.
    pt, eta, _, _, kind, counted = points
    starts, order, turned, home = grid
    places, sums, near, d_r2 = work
    n_rows, n_columns = grid_shape(_RADIUS)
    for at in range(starts[-1]):
        i = order[at]
        places[0, at], places[1, at] = eta[i], turned[at]
        # a pinned lepton adds 0, which changes no digit of any sum
        places[2, at] = pt[i] if counted[i] else 0.0
        sums[at] = 0.0
    for row in range(n_rows):
        first, last = row * n_columns + 1, (row + 1) * n_columns - 1  # without the copies
        for cell in range(first, last):
            for own in range(starts[cell], starts[cell + 1]):
                n = _find(own, own + 1, starts[cell + 2], 0, work)
                if row + 1 < n_rows:
                    below = cell + n_columns - 1
                    n = _find(own, starts[below], starts[below + 3], n, work)
                for k in range(n):
                    at = near[k]
                    other = home[at]
                    shell = int(d_r2[k] >= 0.1 * 0.1) + int(d_r2[k] >= 0.2 * 0.2)
                    weight = 1.0 / max(d_r2[k], _MIN_DR2)
                    p, q = places[2, own], places[2, at]
                    kind_p, kind_q = kind[order[own]], kind[order[at]]
                    sums[own, 3 * kind_q + shell] += q
                    sums[own, 12 + kind_q] += q * q * weight
                    sums[other, 3 * kind_p + shell] += p
                    sums[other, 12 + kind_p] += p * p * weight
        for own in range(starts[first], starts[last]):
            _write_cones(sums[own], result[order[own]])


@njit(cache=True, nogil=True)
def _find(own: int, start: int, stop: int, n: int, work: _Work) -> int:
    # appends neighbours to the n known. No branch: a third are, which no processor can predict
    places, _, near, d_r2 = work
    for at in range(start, stop):
        d_eta = places[0, at] - places[0, own]
        d_phi = places[1, at] - places[1, own]
        near[n] = at
        d_r2[n] = d_eta * d_eta + d_phi * d_phi
        n += int(d_r2[n] < _RADIUS * _RADIUS)
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _write_cones(sums: np.ndarray, result: np.ndarray) -> None:
    for kind in range(4):
        total = 0.0
        for shell in range(3):
            total += sums[3 * kind + shell]
            result[3 * kind + shell] = _compressed(total / _UNIT)
    result[12] = _compressed(sums[12 + _CHARGED_PV])
    result[13] = _compressed(sums[12] + sums[13] + sums[14] + sums[15])


@njit(cache=True, nogil=True, error_model="numpy")
def _compressed(x: float) -> float:
    # a third of the sums are empty, and a logarithm costs as much as ten neighbours
    return math.copysign(_FACTOR * math.log(1.0 + abs(x)), x) if x != 0.0 else 0.0


@njit(cache=True, nogil=True)
def _tracks(points: _Points, grid: Grid, n_members: int) -> np.ndarray:
    # the tracks by dz; of those with one dz the order is that of the grid, not of the candidates
    _, _, _, dz, kind, counted = points
    starts, order, _, _ = grid
    n_rows, n_columns = grid_shape(_RADIUS)
    tracks = np.empty(n_members, dtype=np.int64)
    n = 0
    for row in range(n_rows):
        first = row * n_columns + 1  # without the copies
        for at in range(starts[first], starts[first + n_columns - 2]):
            i = order[at]
            if counted[i] and kind[i] < _PHOTON and math.isfinite(dz[i]):
                tracks[n] = i
                n += 1
    return tracks[:n][np.argsort(dz[tracks[:n]], kind="mergesort")]


@njit(cache=True, nogil=True, error_model="numpy")
def _vertices(points: _Points, tracks: np.ndarray, result: np.ndarray) -> None:
    pt, _, phi, dz, _, _ = points
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
    pt, _, phi, dz, _, _ = points
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
