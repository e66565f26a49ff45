"""What surrounds a candidate: exact small numbers, all pairs, and what nothing may depend on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.events.objects.neighbours import NAMES, neighbour_features
from unit.reference_neighbours import reference
from unit.toy_pileup import toy_events

PHOTON = {"pdg_id": 22, "charge": 0, "from_pv": 3}
HADRON = {"pdg_id": 130, "charge": 0, "from_pv": 3}
FORWARD = {"pdg_id": 1, "charge": 0, "from_pv": 3}
TRACK = {"pdg_id": 211, "charge": 1, "from_pv": 3}
PILEUP = {"pdg_id": -211, "charge": -1, "from_pv": 1}
MUON = {"pdg_id": 13, "charge": -1, "from_pv": 3}


def event(*candidates: dict[str, float]) -> Ragged:
    """One event, float64; what a candidate does not say of pt, eta, phi, dz is 1, 0, 0, 0."""
    usual = {"pt": 1.0, "eta": 0.0, "phi": 0.0, "dz": 0.0}
    rows = [usual | candidate for candidate in candidates]
    columns = {name: np.array([float(row[name]) for row in rows]) for name in (*usual, *PHOTON)}
    return Ragged(np.array([0, len(rows)]), columns)


def found(candidates: Ragged, pinned: list[int] | None = None) -> dict[str, np.ndarray]:
    """Return the features by name, without compression: e^(feature / 0.4) - 1, with its sign."""
    mask = np.zeros(candidates.offsets[-1], dtype=bool)
    mask[pinned or []] = True
    features = neighbour_features(candidates, mask).astype(np.float64)
    plain = np.sign(features) * np.expm1(np.abs(features) / 0.4)
    return dict(zip(NAMES, plain.T, strict=True))


def changed(candidates: Ragged, **columns: np.ndarray) -> Ragged:
    return Ragged(candidates.offsets, candidates.columns | columns)


def leptons(candidates: Ragged) -> np.ndarray:
    return np.abs(candidates["pdg_id"]) == 13


def test_there_are_18_of_a_candidate():
    features = neighbour_features(event(TRACK, PHOTON), np.zeros(2, dtype=bool))
    assert (features.shape, features.dtype) == ((2, 18), np.float32)
    assert len(set(NAMES)) == 18


def test_a_photon_and_a_track():
    sums = found(event(PHOTON | {"pt": 1.0}, TRACK | {"pt": 1.5, "eta": 0.03, "phi": 0.04}))
    filled = {name: values for name, values in sums.items() if values.any()}
    assert {*filled} == {
        *(f"{kind}_{radius}" for kind in ("charged_pv", "photon") for radius in ("01", "02", "04")),
        "near_charged_pv",
        "near_all",
    }
    for radius in ("01", "02", "04"):
        np.testing.assert_allclose(filled[f"charged_pv_{radius}"], [1.5 / 0.5, 0], rtol=1e-5)
        np.testing.assert_allclose(filled[f"photon_{radius}"], [0, 1.0 / 0.5], rtol=1e-5)
    np.testing.assert_allclose(filled["near_charged_pv"], [(1.5 / 0.05) ** 2, 0], rtol=1e-5)
    np.testing.assert_allclose(filled["near_all"], [900, (1.0 / 0.05) ** 2], rtol=1e-5)


def test_the_compression():
    features = neighbour_features(event(PHOTON, HADRON | {"pt": 2.0}), np.zeros(2, dtype=bool))
    assert features[0, NAMES.index("neutral_01")] == np.float32(0.4 * math.log(5.0))
    assert features[0, NAMES.index("near_all")] == np.float32(0.4 * math.log(40001.0))


def test_discs_hold_the_smaller_ones():
    steps = [(0.03, 0.04), (0.09, 0.12), (0.15, 0.2), (0.3, 0.4)]  # dR 0.05, 0.15, 0.25, 0.5
    for kind, name in ((PILEUP, "charged_pu"), (PHOTON, "photon"), (FORWARD, "neutral")):
        around = [kind | {"pt": 2.0**k, "eta": x, "phi": y} for k, (x, y) in enumerate(steps)]
        sums = found(event(PHOTON, *around))
        discs = [sums[f"{name}_{radius}"][0] for radius in ("01", "02", "04")]
        np.testing.assert_allclose(discs, [2, 6, 14], rtol=1e-5)
        near = 20.0**2 + (2 / 0.15) ** 2 + 16.0**2
        np.testing.assert_allclose(sums["near_all"][0], near, rtol=1e-5)
        assert sums["near_charged_pv"][0] == 0


def test_from_pv_tells_only_charged_ones_apart():
    sums = found(event(PHOTON, *(TRACK | {"from_pv": k, "pt": 2.0**k} for k in range(4))))
    np.testing.assert_allclose(sums["charged_pv_01"][0], 2 * (4 + 8), rtol=1e-5)
    np.testing.assert_allclose(sums["charged_pu_01"][0], 2 * (1 + 2), rtol=1e-5)
    sums = found(event(PHOTON, HADRON | {"from_pv": 0}, PHOTON | {"from_pv": 0}))
    assert sums["charged_pu_04"][0] == 0
    np.testing.assert_allclose(sums["neutral_04"][0], 2, rtol=1e-5)


def test_nearer_than_a_hundredth_is_a_hundredth():
    for d_eta in (0.0, 0.004, 0.01):
        sums = found(event(PHOTON, TRACK | {"eta": d_eta}))
        np.testing.assert_allclose(sums["near_charged_pv"][0], 1e4, rtol=1e-5)


def test_azimuth_has_no_border():
    sums = found(event(PHOTON | {"phi": math.pi - 0.02}, TRACK | {"phi": 0.03 - math.pi}))
    np.testing.assert_allclose(sums["near_charged_pv"][0], 20.0**2, rtol=1e-5)
    sums = found(event(PHOTON | {"phi": 20 * math.pi + 0.01}, TRACK | {"phi": -0.04}))
    np.testing.assert_allclose(sums["near_charged_pv"][0], 20.0**2, rtol=1e-5)


def test_the_vertex_of_a_track():
    tracks = (
        TRACK | {"pt": 2.0, "phi": 0.0, "dz": 1.0},
        PILEUP | {"pt": 3.0, "phi": math.pi / 2, "dz": 1.03, "eta": 2.0},
        TRACK | {"pt": 4.0, "phi": math.pi, "dz": 0.96, "eta": -2.0},
        TRACK | {"pt": 50.0, "phi": 1.0, "dz": 1.1},
        PHOTON | {"pt": 70.0, "dz": 1.0},
    )
    sums = found(event(*tracks))
    of_first = [
        sums[f"vertex_{name}"][0] * unit
        for name, unit in (("pt", 0.5), ("pt2", 0.25), ("along", 0.5), ("across", 0.5))
    ]
    np.testing.assert_allclose(of_first, [7, 25, -4, 3], rtol=1e-5)
    # the outer two do not see each other: 0.07 cm
    np.testing.assert_allclose(sums["vertex_pt"] * 0.5, [7, 2, 2, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(sums["vertex_along"] * 0.5, [-4, 0, -2, 0, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(sums["vertex_across"] * 0.5, [3, 2, 0, 0, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("dz", "counts"), [(0.0499, True), (0.05, False), (-0.0501, False)])
def test_how_far_a_vertex_reaches(dz, counts):
    sums = found(event(TRACK, TRACK | {"dz": dz}))
    assert (sums["vertex_pt"] > 0).tolist() == [counts, counts]


def test_a_very_hard_track_elsewhere_takes_no_digits():
    one, other = TRACK | {"dz": 0.0, "pt": 1e-3}, TRACK | {"dz": 0.01, "pt": 1e-3}
    sums = found(event(TRACK | {"dz": -0.2, "pt": 1e6}, one, other))
    np.testing.assert_allclose(sums["vertex_pt"][1:], 2e-3, rtol=1e-5)
    np.testing.assert_allclose(sums["vertex_pt2"][1:], 4e-6, rtol=1e-4)
    assert all(sums[f"vertex_{name}"][0] == 0 for name in ("pt", "pt2", "along", "across"))


def _odd_events(seed: int, counts: list[int]) -> tuple[Ragged, np.ndarray]:
    """Events with all that is awkward, in float32 as in a skim."""
    rng = np.random.default_rng(seed)
    n = sum(counts)
    pt = rng.exponential(1.0, n) * 10 ** rng.uniform(-3, 3, n)
    eta = np.where(rng.random(n) < 0.5, rng.uniform(-6, 6, n), rng.normal(5.1, 0.3, n))
    phi = np.where(rng.random(n) < 0.5, rng.uniform(-np.pi, np.pi, n), rng.normal(np.pi, 0.2, n))
    phi -= 2 * np.pi * np.round(phi / (2 * np.pi)) * (rng.random(n) < 0.9)
    dz = np.where(rng.random(n) < 0.3, 0.0, rng.normal(0, 0.1, n))
    columns = {"pt": pt, "eta": eta, "phi": phi, "dz": dz}
    for values in (columns["eta"], columns["phi"]):
        values[1::7] = values[: len(values[1::7]) * 7 : 7]  # at the place of the one before
    pt[rng.random(n) < 0.05] = 0.0
    for values in columns.values():
        values[rng.random(n) < 0.02] = rng.choice([np.nan, np.inf, -np.inf])
    columns = {name: values.astype(np.float32) for name, values in columns.items()}
    kind = rng.integers(0, 5, n)
    columns["charge"] = np.array([0, 0, 0, 1, -1], dtype=np.int8)[kind]
    columns["pdg_id"] = np.array([22, 130, 1, 211, -13], dtype=np.int16)[kind]
    columns["from_pv"] = rng.integers(0, 4, n).astype(np.uint8)
    return Ragged(offsets_of(np.array(counts, dtype=np.int64)), columns), rng.random(n) < 0.05


@settings(max_examples=25)
@given(st.integers(0, 100_000), st.lists(st.sampled_from([0, 1, 2, 40, 250]), max_size=5))
def test_all_pairs_give_the_same(seed, counts):
    candidates, pinned = _odd_events(seed, counts)
    features = neighbour_features(candidates, pinned)
    assert np.isfinite(features).all()
    np.testing.assert_allclose(features, reference(candidates, pinned), rtol=0, atol=1e-5)


def test_all_pairs_of_pileup_give_the_same():
    candidates = toy_events(3, [29.5, 0.0, 12.0], n_tracks=55)
    pinned = leptons(candidates)
    features = neighbour_features(candidates, pinned)
    np.testing.assert_allclose(features, reference(candidates, pinned), rtol=0, atol=1e-5)
    assert np.all(np.max(np.abs(features), axis=0) > 0.5)


def test_a_dense_event_is_finished_and_right():
    rng = np.random.default_rng(1)
    n = 1500  # in one cell and at one vertex, as tracks without detail are
    candidates = event(*(TRACK for _ in range(n)))
    candidates = changed(
        candidates, eta=rng.uniform(0, 0.2, n), phi=rng.uniform(0, 0.2, n), pt=rng.random(n)
    )
    features = neighbour_features(candidates, np.zeros(n, dtype=bool))
    expected = reference(candidates, np.zeros(n, dtype=bool))
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-5)


def test_no_events_and_empty_events():
    assert neighbour_features(event(), np.zeros(0, dtype=bool)).shape == (0, 18)
    nothing = Ragged(np.zeros(1, dtype=np.int64), event().columns)
    assert neighbour_features(nothing, np.zeros(0, dtype=bool)).shape == (0, 18)


def test_a_candidate_alone_has_nothing():
    assert not neighbour_features(event(TRACK), np.zeros(1, dtype=bool)).any()


EVENTS = st.tuples(st.integers(0, 10_000), st.floats(0.0, 8.0))


def in_float64(toy: tuple[int, float]) -> tuple[Ragged, np.ndarray]:
    candidates = toy_events(toy[0], [toy[1]])
    wide = {k: candidates[k].astype(np.float64) for k in ("pt", "eta", "phi", "dz")}
    return changed(candidates, **wide), leptons(candidates)


@settings(max_examples=10)
@given(EVENTS, st.floats(-20.0, 20.0))
def test_a_rotation_about_the_beam_does_not_matter(toy, angle):
    candidates, pinned = in_float64(toy)
    turned = changed(candidates, phi=candidates["phi"] + angle)
    np.testing.assert_allclose(
        neighbour_features(turned, pinned), neighbour_features(candidates, pinned), atol=2e-6
    )


@settings(max_examples=10)
@given(EVENTS, st.booleans(), st.booleans())
def test_reflections_do_not_matter(toy, transverse, beam):
    candidates, pinned = in_float64(toy)
    mirrored = candidates
    if transverse:
        mirrored = changed(mirrored, phi=-mirrored["phi"])
    if beam:
        mirrored = changed(mirrored, eta=-mirrored["eta"], dz=-mirrored["dz"])
    np.testing.assert_allclose(
        neighbour_features(mirrored, pinned), neighbour_features(candidates, pinned), atol=2e-6
    )


@settings(max_examples=10)
@given(EVENTS, st.integers(0, 1000))
def test_the_order_of_candidates_does_not_matter(toy, seed):
    candidates = toy_events(toy[0], [toy[1]])
    pinned = leptons(candidates)
    n = len(pinned)
    candidates = changed(candidates, dz=np.where(np.arange(n) % 3 == 0, 0, candidates["dz"]))
    order = np.random.default_rng(seed).permutation(n)
    shuffled = changed(candidates, **{k: v[order] for k, v in candidates.columns.items()})
    features = neighbour_features(candidates, pinned)
    # bit for bit: sums are taken in an order of their own
    assert np.array_equal(neighbour_features(shuffled, pinned[order]), features[order])


@settings(max_examples=10)
@given(EVENTS, st.integers(0, 1000))
def test_a_pinned_lepton_is_counted_nowhere(toy, seed):
    candidates = toy_events(toy[0], [toy[1]])
    pinned = leptons(candidates)
    assert pinned.sum() == 2
    rng = np.random.default_rng(seed)
    moved = {
        name: np.where(pinned, rng.normal(scale, 1.0, len(pinned)), candidates[name])
        for name, scale in (("pt", 30), ("eta", 0), ("phi", 0), ("dz", 0))
    }
    moved |= {"charge": np.where(pinned, 0, candidates["charge"])}
    features = neighbour_features(candidates, pinned)
    again = neighbour_features(changed(candidates, **moved), pinned)
    assert np.array_equal(again[~pinned], features[~pinned])
    without = candidates.keep_candidates(~pinned)
    nobody = np.zeros(len(without["pt"]), dtype=bool)
    assert np.array_equal(neighbour_features(without, nobody), features[~pinned])


def test_a_pinned_lepton_has_features_of_its_own():
    sums = found(event(MUON | {"pt": 40.0}, MUON | {"pt": 30.0}, TRACK), pinned=[0, 1])
    np.testing.assert_allclose(sums["charged_pv_01"], [2, 2, 0], rtol=1e-5)
    np.testing.assert_allclose(sums["vertex_along"], [2, 2, 0], rtol=1e-5)


def test_events_do_not_see_each_other():
    candidates = toy_events(5, [3.0, 0.0, 6.0, 1.0])
    pinned = leptons(candidates)
    together = neighbour_features(candidates, pinned)
    for k in range(4):
        rows = slice(candidates.offsets[k], candidates.offsets[k + 1])
        alone = candidates.keep_events(np.arange(4) == k)
        assert np.array_equal(neighbour_features(alone, pinned[rows]), together[rows])


@pytest.mark.parametrize(
    "values",
    [{name: odd} for name in ("pt", "eta", "phi") for odd in (math.nan, math.inf, -math.inf)]
    + [{"pt": 0.0}, {"pt": -1.0}],
    ids=str,
)
def test_a_useless_candidate_gets_nothing_and_changes_nothing(values):
    candidates = event(TRACK, PILEUP, PHOTON, HADRON)
    features = neighbour_features(candidates, np.zeros(4, dtype=bool))
    more = event(TRACK, PILEUP, PHOTON, HADRON, TRACK | values)
    again = neighbour_features(more, np.zeros(5, dtype=bool))
    assert np.array_equal(again[:4], features)
    assert not again[4].any()


@pytest.mark.parametrize("dz", [math.nan, math.inf, -math.inf])
def test_a_track_without_a_place_is_at_no_vertex(dz):
    sums = found(event(TRACK, TRACK | {"dz": dz}, TRACK | {"pt": 2.0}))
    np.testing.assert_allclose(sums["vertex_pt"], [4, 0, 2], rtol=1e-5)
    np.testing.assert_allclose(sums["charged_pv_01"], [6, 6, 4], rtol=1e-5)


def test_enormous_eta_is_harmless():
    far = event(TRACK | {"eta": 3e38}, PHOTON | {"eta": 3e38}, TRACK | {"eta": 5.3}, PHOTON)
    sums = found(far)
    np.testing.assert_allclose(sums["photon_01"], [2, 0, 0, 0], rtol=1e-5)


def test_another_number_of_flags_is_refused():
    with pytest.raises(ValueError, match="pinned has 3 entries for 2 candidates"):
        neighbour_features(event(TRACK, TRACK), np.zeros(3, dtype=bool))
