from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptmiss.simulation import constants, pileup
from ptmiss.simulation.detector import detect
from ptmiss.simulation.rng import event_seeds
from ptmiss.simulation.tracks import empty_tracks
from ptmiss.simulation.vertices import empty_vertices, find_vertices, merge_neighbours, nearest
from unit.toy_collisions import collisions, one_list_each, soft_collisions

D = constants.detector({"vertex_floor": 0.0})


def found(z, pt=1.0, error=0.005, d0=0.0, loose=0):
    n = len(z)
    tracks, vertices = empty_tracks().rows[:n], empty_vertices()
    for name, value in {"z": z, "pt": pt, "z_error": error, "d0": d0, "loose": loose}.items():
        tracks[name] = value
    tracks["d0_error"] = 0.01
    state = np.array([1], dtype=np.uint64)
    count = find_vertices(D, state, tracks, np.zeros((1, 2)), vertices)
    return tracks, vertices[:count]


def test_three_tracks_make_a_vertex_at_their_weighted_mean():
    tracks, vertices = found([1.000, 1.002, 1.004], error=np.array([0.005, 0.005, 0.010]))
    expected = (1.000 + 1.002 + 1.004 / 4) / 2.25
    assert vertices["z"] == pytest.approx([expected])
    assert vertices["tracks"].tolist() == [3]
    assert tracks["quality"].tolist() == [7, 7, 7]


def test_two_tracks_make_none():
    tracks, vertices = found([1.0, 1.001])
    assert len(vertices) == 0
    assert tracks["vertex"].tolist() == [-1, -1]


def test_vertices_stand_in_the_order_of_their_sum_of_squares():
    pt = np.array([1.0, 1.0, 1.0, 1.0, 5.0, 1.0, 1.0])
    tracks, vertices = found([-3, -3, -3, -3, 2, 2, 2], pt=pt)
    assert vertices["z"] == pytest.approx([2.0, -3.0])
    assert vertices["sum_pt2"] == pytest.approx([27.0, 4.0])
    assert vertices["by_z"].tolist() == [1, 0]
    assert tracks["vertex"].tolist() == [1] * 4 + [0] * 3
    # one very hard track counts with 10 GeV
    pt[4] = 100.0
    assert found([-3, -3, -3, -3, 2, 2, 2], pt=pt)[1]["sum_pt2"][0] == pytest.approx(102.0)


def test_close_collisions_merge_and_distant_ones_do_not():
    near = np.repeat([0.0, 0.005], 4)
    far = np.repeat([0.0, 0.08], 4)
    assert len(found(near)[1]) == 1
    assert len(found(far)[1]) == 2


def test_a_displaced_track_is_in_no_fit():
    tracks, vertices = found([0.0] * 4, d0=np.array([0.0, 0.0, 0.0, 0.2]))
    assert vertices["tracks"].tolist() == [3]
    assert tracks["vertex"].tolist() == [0, 0, 0, -1]


def test_a_loose_track_is_marked():
    assert found([0.0] * 3, loose=np.array([0, 1, 0]))[0]["quality"].tolist() == [7, 6, 7]


def test_no_tracks_no_vertex():
    assert len(found([])[1]) == 0


def test_merging_keeps_the_weighted_mean():
    z, weight = np.array([0.0, 0.01, 0.5]), np.array([1e4, 3e4, 1e4])
    assert merge_neighbours(z, weight, 9.0, 0.0) == 2
    assert z[:2] == pytest.approx([0.0075, 0.5])
    assert weight[:2] == pytest.approx([4e4, 1e4])


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=30), st.floats(-25, 25))
def test_nearest_is_nearest(values, z):
    points = np.sort(np.array(values))
    k = nearest(points, z)
    assert abs(points[k] - z) == np.abs(points - z).min()


def test_the_wrong_vertex_is_chosen_when_the_hard_collision_is_soft_but_not_when_it_is_hard():
    rates = []
    for pt in (1.0, 30.0):
        tracks = [(211, 1 - 2 * (k % 2), pt, 0.4 * k - 2.0, 0.6 * k) for k in range(10)]
        n = 150
        result = detect(
            constants.detector(),
            collisions([tracks] * n),
            pileup.PileUp(
                soft_collisions(200, 4), one_list_each(200), pileup.gaussian_profile(20.0, 0.0)
            ),
            np.arange(n) % 10,
            event_seeds(2, np.ones(n), np.arange(n)),
        )
        wrong = np.abs(result.event["pv_z"] - result.event["gen_z"]) > 0.1
        rates.append(wrong.mean())
        # vertices merge: fewer than collisions, but most are found
        ratio = result.event["n_pv"].mean() / (1 + result.event["n_pu"].mean())
        assert 0.55 < ratio < 1.0
    assert rates[0] > 0.5
    assert rates[1] < 0.05
