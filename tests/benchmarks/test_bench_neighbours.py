"""Features of neighbours against the same numbers from scipy's tree and vectorised sums."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from scipy.spatial import cKDTree

from ptmiss.core.ragged import Ragged
from ptmiss.events.objects.neighbours import neighbour_features
from unit.toy_pileup import toy_events

pytestmark = pytest.mark.benchmark_ratio

N_EVENTS = 60
PILEUP_COLLISIONS = 29.5


def with_a_tree(candidates: Ragged, pinned: np.ndarray) -> np.ndarray:
    """All features as one writes them with scipy and numpy: a loop over events, none inside."""
    result = np.zeros((len(pinned), 18))
    for begin, end in zip(candidates.offsets[:-1], candidates.offsets[1:], strict=True):
        rows = slice(begin, end)
        pt, eta, phi, dz = (
            candidates[x][rows].astype(np.float64) for x in ("pt", "eta", "phi", "dz")
        )
        charged, counted = candidates["charge"][rows] != 0, ~pinned[rows]
        from_pv, photon = candidates["from_pv"][rows] >= 2, candidates["pdg_id"][rows] == 22
        kind = np.where(charged, np.where(from_pv, 0, 1), np.where(photon, 2, 3))
        n = len(pt)

        period = 2 * np.pi
        places = np.stack([eta, np.remainder(phi, period)], axis=1)
        places[places[:, 1] >= period, 1] = 0.0
        tree = cKDTree(places, boxsize=[0.0, period])
        pairs = tree.query_pairs(0.4, output_type="ndarray")
        i, j = np.concatenate([pairs, pairs[:, ::-1]]).T
        i, j = i[counted[j]], j[counted[j]]
        d_phi = np.remainder(phi[i] - phi[j] + np.pi, period) - np.pi
        d_r = np.hypot(eta[i] - eta[j], d_phi)
        shell = np.searchsorted([0.1, 0.2], d_r, side="right")
        sums = np.bincount(12 * i + 3 * kind[j] + shell, pt[j], 12 * n).reshape(n, 4, 3)
        near = (pt[j] / np.maximum(d_r, 0.01)) ** 2
        columns = [np.cumsum(sums, axis=2).reshape(n, 12) / 0.5]
        columns.append(np.bincount(i, near * (kind[j] == 0), n)[:, None])
        columns.append(np.bincount(i, near, n)[:, None])

        tracks = np.flatnonzero(charged & counted)
        tracks = tracks[np.argsort(dz[tracks])]
        z = dz[tracks]
        p_x, p_y = pt * np.cos(phi), pt * np.sin(phi)
        terms = np.stack([pt, pt**2, p_x, p_y], axis=1)
        to = np.concatenate([np.zeros((1, 4)), np.cumsum(terms[tracks], axis=0)])
        low, high = np.searchsorted(z, dz - 0.05, "right"), np.searchsorted(z, dz + 0.05, "left")
        total = (to[high] - to[low] - terms * counted[:, None]) * charged[:, None]
        along = (total[:, 2] * p_x + total[:, 3] * p_y) / pt
        across = (total[:, 3] * p_x - total[:, 2] * p_y) / pt
        vertex = [total[:, 0] / 0.5, total[:, 1] / 0.25, along / 0.5, np.abs(across) / 0.5]
        columns.append(np.stack(vertex, axis=1))
        plain = np.concatenate(columns, axis=1)
        result[rows] = 0.4 * np.sign(plain) * np.log1p(np.abs(plain))
    return result


def seconds(candidates: Ragged, function=neighbour_features, repeats: int = 7) -> float:
    """Processor time of the quickest of some calls: a busy machine can only add to it."""
    pinned = np.abs(candidates["pdg_id"]) == 13
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function(candidates, pinned)
        times.append(time.process_time() - start)
    return min(times)


def test_cells_are_quicker_than_a_tree(benchmark):
    candidates = toy_events(1, [PILEUP_COLLISIONS] * N_EVENTS, n_tracks=55)
    pinned = np.abs(candidates["pdg_id"]) == 13
    assert 1600 < np.mean(candidates.counts) < 2000
    features = neighbour_features(candidates, pinned)
    np.testing.assert_allclose(with_a_tree(candidates, pinned), features, atol=1e-5)

    benchmark.pedantic(neighbour_features, args=(candidates, pinned), rounds=3)
    cells = seconds(candidates)
    tree = seconds(candidates, with_a_tree, 3)
    benchmark.extra_info["ms_per_event"] = 1e3 * cells / N_EVENTS
    benchmark.extra_info["ms_per_event_tree"] = 1e3 * tree / N_EVENTS
    benchmark.extra_info["candidates_per_event"] = float(np.mean(candidates.counts))
    benchmark.extra_info["ratio"] = tree / cells
    text = f"{1e3 * cells / N_EVENTS:.2f} ms/event, {tree / cells:.1f} x tree"
    print(text)
    assert tree / cells > 4.0, text


def test_cost_is_linear_in_candidates_of_one_density(benchmark):
    """Half the detector has half the candidates at the density of the whole."""
    whole = toy_events(1, [PILEUP_COLLISIONS] * N_EVENTS, n_tracks=55)
    half = whole.keep_candidates(whole["eta"] > 0)
    pinned = np.abs(half["pdg_id"]) == 13
    benchmark.pedantic(neighbour_features, args=(half, pinned), rounds=3)
    times = seconds(half), seconds(whole)
    growth = len(whole["pt"]) / len(half["pt"])
    exponent = math.log(times[1] / times[0]) / math.log(growth)
    benchmark.extra_info["ms_per_event"] = [1e3 * t / N_EVENTS for t in times]
    benchmark.extra_info["exponent"] = exponent
    text = f"{1e3 * times[1] / N_EVENTS:.2f} ms/event, {1e3 * times[0] / N_EVENTS:.2f} of half"
    print(f"{text}: exponent {exponent:.2f}")
    assert exponent < 1.3, f"{text}: exponent {exponent:.2f}"
