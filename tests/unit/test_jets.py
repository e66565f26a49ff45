from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.events.objects.jets import clean_of_leptons, cluster, count_jets
from unit.toy_pileup import toy_events


def jets_of(*events, **options) -> Ragged:
    """Cluster events given as lists of (pt, eta, phi, mass)."""
    flat = np.array([p for event in events for p in event], dtype=np.float64).reshape(-1, 4).T
    columns = dict(zip(("pt", "eta", "phi", "mass"), flat, strict=True))
    offsets = offsets_of(np.array([len(event) for event in events]))
    return cluster(Ragged(offsets, columns), **options)


def momentum(pt, eta, phi, mass):
    p_z = pt * np.sinh(eta)
    return np.array([pt * np.cos(phi), pt * np.sin(phi), p_z, np.sqrt(pt**2 + p_z**2 + mass**2)])


def plain_anti_kt(particles, radius, min_pt):
    """Anti-kT as its definition reads (arXiv:0802.1189), sums of four-momenta."""
    left, jets = [momentum(*p) for p in particles], []

    def rapidity(p):
        return 0.5 * np.log((p[3] + p[2]) / (p[3] - p[2]))

    while left:
        kt2 = [p[0] ** 2 + p[1] ** 2 for p in left]
        best, pair = math.inf, None
        for i, p in enumerate(left):
            if 1 / kt2[i] < best:
                best, pair = 1 / kt2[i], (i,)
            for j in range(i):
                d_phi = np.arctan2(p[1], p[0]) - np.arctan2(left[j][1], left[j][0])
                d_phi = min(abs(d_phi), 2 * np.pi - abs(d_phi))
                d2 = (rapidity(p) - rapidity(left[j])) ** 2 + d_phi**2
                distance = min(1 / kt2[i], 1 / kt2[j]) * d2 / radius**2
                if distance < best:
                    best, pair = distance, (i, j)
        if len(pair) == 1:
            jets.append(left.pop(pair[0]))
        else:
            i, j = pair
            left.append(left[i] + left[j])
            left.pop(i)
            left.pop(j)
    return sorted((pt for p in jets if (pt := math.hypot(p[0], p[1])) >= min_pt), reverse=True)


def test_near_particles_merge_and_far_ones_do_not():
    a, b, c = (30.0, 0.0, 0.0, 0.1), (20.0, 0.2, 0.2, 0.1), (25.0, 1.0, 2.0, 0.1)
    jets = jets_of([a, b, c])
    assert jets.counts.tolist() == [2]
    total = momentum(*a) + momentum(*b)
    pt = math.hypot(total[0], total[1])
    assert jets["pt"] == pytest.approx([pt, 25.0], rel=1e-6)
    assert jets["eta"] == pytest.approx([math.asinh(total[2] / pt), 1.0], rel=1e-6)
    assert jets["phi"] == pytest.approx([math.atan2(total[1], total[0]), 2.0], rel=1e-6)
    mass = math.sqrt(total[3] ** 2 - total[:3] @ total[:3])
    assert jets["mass"] == pytest.approx([mass, 0.1], rel=1e-4)


def test_jets_come_in_order_of_falling_momentum_event_by_event():
    jets = jets_of(
        [(15.0, 0.0, 0.0, 0.0), (40.0, 1.0, 1.0, 0.0), (20.0, 2.0, 2.0, 0.0)],
        [],
        [(12.0, 0.0, 0.0, 0.0), (90.0, 0.0, 2.0, 0.0)],
    )
    assert jets.offsets.tolist() == [0, 3, 3, 5]
    assert jets["pt"].tolist() == pytest.approx([40.0, 20.0, 15.0, 90.0, 12.0], rel=1e-6)
    assert all(values.dtype == np.float32 for values in jets.columns.values())


def test_no_candidates_and_no_events():
    assert jets_of([], []).offsets.tolist() == [0, 0, 0]
    assert jets_of().offsets.tolist() == [0]
    assert set(jets_of().columns) == {"pt", "eta", "phi", "mass"}


def test_threshold_and_radius():
    pair = [(9.0, 0.0, 0.0, 0.0), (8.0, 0.0, 0.5, 0.0)]
    assert jets_of(pair).counts.tolist() == [0]
    assert jets_of(pair, min_pt=8.5).counts.tolist() == [1]
    assert jets_of(pair, radius=0.6).counts.tolist() == [1]


def test_useless_candidates_are_ignored():
    good = [(30.0, 0.0, 0.0, 0.0)]
    odd = [(0.0, 999.9, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0), (-5.0, 0.0, 0.0, 0.0)]
    for bad in (np.nan, np.inf):
        odd += [tuple(bad if k == j else 1.0 for k in range(4)) for j in range(4)]
    jets = jets_of(odd, good + odd, odd)
    assert jets.counts.tolist() == [0, 1, 0]
    assert jets["pt"].tolist() == [30.0]


PARTICLES = st.lists(
    st.tuples(
        st.floats(0.5, 80.0), st.floats(-3.0, 3.0), st.floats(-math.pi, math.pi), st.just(0.14)
    ),
    max_size=8,
)


@settings(max_examples=25)
@given(st.lists(PARTICLES, max_size=3))
def test_equals_plain_anti_kt(events):
    jets = jets_of(*events, min_pt=5.0)
    for k, event in enumerate(events):
        found = jets["pt"][jets.offsets[k] : jets.offsets[k + 1]]
        assert found == pytest.approx(plain_anti_kt(event, 0.4, 5.0), rel=1e-5)


def test_all_momentum_is_in_jets():
    toy = toy_events(3, [5.0, 10.0])
    columns = [toy[name].astype(np.float64) for name in ("pt", "eta", "phi", "mass")]
    jets = cluster(toy, min_pt=0.0)
    for k in range(2):
        part, all_jets = (slice(r.offsets[k], r.offsets[k + 1]) for r in (toy, jets))
        expected = momentum(*(c[part] for c in columns)).sum(axis=1)
        sums = (jets[name][all_jets].astype(np.float64) for name in ("pt", "eta", "phi", "mass"))
        assert momentum(*sums).sum(axis=1)[:2] == pytest.approx(expected[:2], abs=1e-2)


def test_clustering_prints_nothing():
    # in a fresh process: the banner would come with the first jet of a process
    code = (
        "import numpy as np; from ptmiss.events.objects.jets import cluster;"
        "from ptmiss.core.ragged import Ragged; one = np.ones(1);"
        "cluster(Ragged(np.array([0, 1]), dict(pt=50 * one, eta=one, phi=one, mass=one)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""


def at(*events) -> Ragged:
    """Objects given as lists of (eta, phi)."""
    flat = np.array([p for event in events for p in event], dtype=np.float64).reshape(-1, 2).T
    offsets = offsets_of(np.array([len(event) for event in events]))
    return Ragged(offsets, {"eta": flat[0], "phi": flat[1], "pt": np.full(flat.shape[1], 50.0)})


def test_jets_near_leptons_are_found():
    jets = at([(0.0, 0.0), (1.0, 3.1), (2.0, 0.0)], [(0.0, 0.0)], [])
    leptons = at([(0.0, 0.39), (1.0, -3.1)], [(0.0, 0.41)], [(0.0, 0.0)])
    assert clean_of_leptons(jets, leptons).tolist() == [False, False, True, True]
    assert clean_of_leptons(jets, leptons, radius=0.5).tolist() == [False, False, True, False]


def test_jets_and_leptons_of_other_events():
    with pytest.raises(ValueError, match="jets of 1 events, leptons of 2"):
        clean_of_leptons(at([]), at([], []))


def test_counting_cuts():
    jets = at([(0.0, 0.0), (2.99, 1.0), (-3.0, 2.0), (1.0, -2.0)], [], [(0.5, 0.5)])
    jets.columns["pt"][:] = [20.1, 60.0, 60.0, 20.0, 80.0]
    counts = count_jets(jets, at([], [], [(0.5, 0.5)]))
    assert counts.dtype == np.uint8
    assert counts.tolist() == [2, 0, 0]


def test_counts_do_not_wrap_around():
    assert count_jets(at([(0.0, 0.0)] * 300), at([])).tolist() == [255]
