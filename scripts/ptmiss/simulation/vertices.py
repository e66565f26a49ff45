"""Vertices in compiled form: found from the tracks' z, so that they merge, split and get lost."""

from __future__ import annotations

import math

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.simulation.constants import Detector
from ptmiss.simulation.rng import normal

VERTEX = np.dtype(
    [(name, np.float64) for name in ["x", "y", "z", "weight", "sum_pt2"]]
    + [("tracks", np.int64), ("by_z", np.int64)]
)
"""A vertex: position in cm, weight in 1/cm^2, sum of pT^2 in GeV^2. Vertices stand in the order of
decreasing sum; `by_z` of entry i is the number of the vertex with the i-th smallest z."""

MAX_VERTICES = 1024


def empty_vertices() -> np.ndarray:
    """Return room for the vertices of one event, of `VERTEX`."""
    return np.zeros(MAX_VERTICES, dtype=VERTEX)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _chi2(z: np.ndarray, weight: np.ndarray, i: int, floor: float) -> float:
    """Return the chi2 of entries i and i + 1 being one."""
    variance = 1.0 / weight[i] + 1.0 / weight[i + 1] + floor * floor
    return float((z[i + 1] - z[i]) * (z[i + 1] - z[i]) / variance)


@njit(cache=True, nogil=True, error_model="numpy")
def merge_neighbours(z: np.ndarray, weight: np.ndarray, chi2_cut: float, floor: float) -> int:
    """Merge neighbours on a line until none is compatible; returns how many clusters remain.

    z (cm, sorted) and weight (1/cm^2) are overwritten with the clusters' means and weights. The
    most compatible pair goes first; chi2 = (z1 - z2)^2 / (1/w1 + 1/w2 + floor^2).
    """
    n = len(z)
    chi2 = np.empty(max(n - 1, 0))  # of each entry and the next; a merger changes two of them
    for i in range(n - 1):
        chi2[i] = _chi2(z, weight, i, floor)
    while n > 1:
        best, where = chi2_cut, -1
        for i in range(n - 1):
            if chi2[i] < best:
                best, where = chi2[i], i
        if where < 0:
            break
        total = weight[where] + weight[where + 1]
        z[where] = (z[where] * weight[where] + z[where + 1] * weight[where + 1]) / total
        weight[where] = total
        for i in range(where + 1, n - 1):
            z[i] = z[i + 1]
            weight[i] = weight[i + 1]
        for i in range(where + 1, n - 2):
            chi2[i] = chi2[i + 1]
        n -= 1
        if where > 0:
            chi2[where - 1] = _chi2(z, weight, where - 1, floor)
        if where < n - 1:
            chi2[where] = _chi2(z, weight, where, floor)
    return n


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def nearest(z_sorted: np.ndarray, z: float) -> int:
    """Return the index of the entry of the sorted `z_sorted` closest to z; -1 if it is empty."""
    n = len(z_sorted)
    k, above = 0, n
    while k < above:
        middle = (k + above) >> 1
        if z_sorted[middle] < z:
            k = middle + 1
        else:
            above = middle
    if k == n:
        return n - 1
    if k == 0:
        return 0
    return k if z_sorted[k] - z < z - z_sorted[k - 1] else k - 1


@njit(cache=True, nogil=True, error_model="numpy")
def find_vertices(
    d: Detector, state: np.ndarray, tracks: np.ndarray, collisions: np.ndarray, vertices: np.ndarray
) -> int:
    """Find the vertices of one event and the tracks in their fits; returns how many.

    The vertices are numbered by decreasing sum of pT^2, leptons included; a track counts with at
    most `vertex_pt_cap`, so that one mismeasured track does not make a vertex first.

    Parameters
    ----------
    d, state
        The detector, and the event's random numbers.
    tracks
        Of `TRACK`, all those of the event. `vertex` and `quality` get the vertex whose fit used the
        track and 7 (6 for a loose track), or -1 and 0.
    collisions
        Where each collision happened, x and y in cm, shape (n_collisions, 2).
    vertices
        Of `VERTEX`, filled from the beginning.
    """
    seeds = np.empty(len(tracks), dtype=np.int64)
    n_seeds = 0
    for i in range(len(tracks)):
        track = tracks[i]
        track.vertex = -1
        track.quality = 0
        good = abs(track.d0) < d.vertex_d0_sigma * track.d0_error
        if good and track.pt > d.vertex_seed_pt and abs(track.eta) < d.vertex_eta:
            seeds[n_seeds] = i
            n_seeds += 1
    if n_seeds == 0:
        return 0
    sorted_seeds = seeds[:n_seeds][np.argsort(tracks["z"][seeds[:n_seeds]])]
    z = _clusters(d, tracks["z"][sorted_seeds], 1.0 / tracks["z_error"][sorted_seeds] ** 2)
    # clusters with too few tracks go first, then each track joins the nearest one left
    for _ in range(2):
        counts = np.zeros(len(z), dtype=np.int64)
        for i in sorted_seeds:
            k = nearest(z, tracks[i].z)
            if k >= 0 and abs(tracks[i].z - z[k]) < d.vertex_fit_sigma * tracks[i].z_error:
                counts[k] += 1
        z = z[counts >= d.vertex_min_tracks][:MAX_VERTICES]
    _fit(d, state, tracks, z, collisions, vertices)
    return len(z)


@njit(cache=True, nogil=True, error_model="numpy")
def _clusters(d: Detector, z: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return where sorted z (cm, with weights 1/cm^2) cluster; those far apart never merge."""
    means = np.empty(len(z))
    n_means = 0
    begin = 0
    for i in range(1, len(z) + 1):
        if i < len(z) and z[i] - z[i - 1] < d.vertex_gap:
            continue
        group = z[begin:i].copy()
        n = merge_neighbours(group, weight[begin:i].copy(), d.vertex_chi2, d.vertex_floor)
        means[n_means : n_means + n] = group[:n]
        n_means += n
        begin = i
    return means[:n_means]


@njit(cache=True, nogil=True, error_model="numpy")
def _fit(
    d: Detector,
    state: np.ndarray,
    tracks: np.ndarray,
    z: np.ndarray,
    collisions: np.ndarray,
    vertices: np.ndarray,
) -> None:
    """Fit a vertex at each cluster z (sorted, cm) with the tracks near it; see `find_vertices`."""
    n_vertices = len(z)
    sums = np.zeros((n_vertices, 5))  # weight, weight z, pT^2, x, y
    counts = np.zeros(n_vertices, dtype=np.int64)
    used = np.full(len(tracks), -1, dtype=np.int64)
    for i in range(len(tracks)):
        track = tracks[i]
        if abs(track.eta) > d.vertex_eta:
            continue
        if abs(track.d0) > d.vertex_d0_sigma * track.d0_error:
            continue
        k = nearest(z, track.z)
        if k < 0 or abs(track.z - z[k]) > d.vertex_fit_sigma * track.z_error:
            continue
        used[i] = k
        w = 1.0 / track.z_error**2
        counts[k] += 1
        sums[k, 0] += w
        sums[k, 1] += w * track.z
        sums[k, 2] += min(track.pt, d.vertex_pt_cap) ** 2
        c = track.collision
        sums[k, 3] += w * (collisions[c, 0] if c >= 0 else d.beam_x)
        sums[k, 4] += w * (collisions[c, 1] if c >= 0 else d.beam_y)
    order = np.argsort(-sums[:, 2], kind="mergesort")
    number = np.empty(n_vertices, dtype=np.int64)
    for rank in range(n_vertices):
        k = order[rank]
        number[k] = rank
        w = sums[k, 0]
        spread = d.vertex_xy / math.sqrt(counts[k])
        vertex = vertices[rank]
        vertex.x = sums[k, 3] / w + spread * normal(state)
        vertex.y = sums[k, 4] / w + spread * normal(state)
        vertex.z = sums[k, 1] / w
        vertex.weight = w
        vertex.tracks = counts[k]
        vertex.sum_pt2 = sums[k, 2]
    # ranks by z: what the association walks through
    by_z = np.argsort(vertices["z"][:n_vertices], kind="mergesort")
    for i in range(n_vertices):
        vertices[i].by_z = by_z[i]
    for i in range(len(tracks)):
        if used[i] >= 0:
            tracks[i].vertex = number[used[i]]
            tracks[i].quality = 6 if tracks[i].loose == 1 else 7
