"""Vertices in compiled form: found from the tracks' z, so that they merge, split and get lost."""

from __future__ import annotations

import math

import numpy as np

from ptmiss.core.compiled import njit
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
def _chi2(z, weight, i: int, floor: float) -> float:
    """Return the chi2 of entries i and i + 1 being one."""
    difference = z[i + 1] - z[i]
    return difference * difference / (1.0 / weight[i] + 1.0 / weight[i + 1] + floor * floor)


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
def nearest(z_sorted: np.ndarray, n: int, z: float) -> int:
    """Return the index of the entry of the sorted z_sorted[:n] closest to z; -1 if n is 0."""
    if n == 0:
        return -1
    k, above = 0, n
    while k < above:
        middle = (k + above) >> 1
        if z_sorted[middle] < z:
            k = middle + 1
        else:
            above = middle
    if k == 0:
        return 0
    if k == n:
        return n - 1
    return k if z_sorted[k] - z < z - z_sorted[k - 1] else k - 1


@njit(cache=True, nogil=True, error_model="numpy")
def find_vertices(d, tracks, n: int, collision_x, collision_y, state, vertices) -> int:
    """Find the vertices of one event and the tracks in their fits; returns how many.

    tracks: the first n are used; `vertex` and `quality` get the vertex whose fit used the track
    and 7 (6 for a loose track), or -1 and 0. collision_x, collision_y: where each collision
    happened (cm). The vertices are numbered by decreasing sum of pT^2, leptons included; a track
    counts with at most `vertex_pt_cap`, so that one mismeasured track does not make a vertex first.
    """
    seeds = np.empty(n, dtype=np.int64)
    n_seeds = 0
    for i in range(n):
        tracks[i].vertex = -1
        tracks[i].quality = 0
        good = abs(tracks[i].d0) < d.vertex_d0_sigma * tracks[i].d0_error
        if good and tracks[i].pt > d.vertex_seed_pt and abs(tracks[i].eta) < d.vertex_eta:
            seeds[n_seeds] = i
            n_seeds += 1
    if n_seeds == 0:
        return 0
    sorted_seeds = seeds[:n_seeds][np.argsort(tracks["z"][seeds[:n_seeds]])]
    z = tracks["z"][sorted_seeds]
    weight = 1.0 / tracks["z_error"][sorted_seeds] ** 2
    found_z = np.empty(n_seeds)
    n_found = 0
    begin = 0
    for i in range(1, n_seeds + 1):
        if i < n_seeds and z[i] - z[i - 1] < d.vertex_gap:
            continue
        group = z[begin:i].copy()
        left = merge_neighbours(group, weight[begin:i].copy(), d.vertex_chi2, d.vertex_floor)
        for j in range(left):
            found_z[n_found] = group[j]
            n_found += 1
        begin = i
    # clusters with too few tracks go first, then each track joins the nearest one left
    for _ in range(2):
        counts = np.zeros(n_found, dtype=np.int64)
        for i in sorted_seeds:
            k = nearest(found_z, n_found, tracks[i].z)
            if k >= 0 and abs(tracks[i].z - found_z[k]) < d.vertex_fit_sigma * tracks[i].z_error:
                counts[k] += 1
        kept = 0
        for k in range(n_found):
            if counts[k] >= d.vertex_min_tracks:
                found_z[kept] = found_z[k]
                kept += 1
        n_found = min(kept, MAX_VERTICES)
    return _fit(d, tracks, n, found_z, n_found, collision_x, collision_y, state, vertices)


@njit(cache=True, nogil=True, error_model="numpy")
def _fit(d, tracks, n, found_z, n_found, collision_x, collision_y, state, vertices) -> int:
    sums = np.zeros((n_found, 5))  # weight, weight z, pT^2, x, y
    counts = np.zeros(n_found, dtype=np.int64)
    used = np.full(n, -1, dtype=np.int64)
    for i in range(n):
        if abs(tracks[i].eta) > d.vertex_eta:
            continue
        if abs(tracks[i].d0) > d.vertex_d0_sigma * tracks[i].d0_error:
            continue
        k = nearest(found_z, n_found, tracks[i].z)
        if k < 0 or abs(tracks[i].z - found_z[k]) > d.vertex_fit_sigma * tracks[i].z_error:
            continue
        used[i] = k
        w = 1.0 / tracks[i].z_error ** 2
        counts[k] += 1
        sums[k, 0] += w
        sums[k, 1] += w * tracks[i].z
        sums[k, 2] += min(tracks[i].pt, d.vertex_pt_cap) ** 2
        c = tracks[i].collision
        sums[k, 3] += w * (collision_x[c] if c >= 0 else d.beam_x)
        sums[k, 4] += w * (collision_y[c] if c >= 0 else d.beam_y)
    order = np.argsort(-sums[:, 2], kind="mergesort")
    number = np.empty(n_found, dtype=np.int64)
    for rank in range(n_found):
        k = order[rank]
        number[k] = rank
        w = sums[k, 0]
        spread = d.vertex_xy / math.sqrt(counts[k])
        vertices[rank].x = sums[k, 3] / w + spread * normal(state)
        vertices[rank].y = sums[k, 4] / w + spread * normal(state)
        vertices[rank].z = sums[k, 1] / w
        vertices[rank].weight = w
        vertices[rank].tracks = counts[k]
        vertices[rank].sum_pt2 = sums[k, 2]
    # ranks by z: what the association walks through
    by_z = np.argsort(vertices["z"][:n_found], kind="mergesort")
    for i in range(n_found):
        vertices[i].by_z = by_z[i]
    for i in range(n):
        if used[i] >= 0:
            tracks[i].vertex = number[used[i]]
            tracks[i].quality = 6 if tracks[i].loose == 1 else 7
    return n_found
