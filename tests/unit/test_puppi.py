from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.events.objects.puppi.calibration import calibrate, inverse_erf, median_and_spread
from ptmiss.events.objects.puppi.identity import (
    LEPTON,
    NEUTRAL,
    PILEUP,
    PRIMARY,
    Tracks,
    identities,
)
from ptmiss.events.objects.puppi.neighbours import Points, alphas
from ptmiss.events.objects.puppi.parameters import PHASE2, RUN2_V14, RUN2_V15, TUNES, records
from ptmiss.events.objects.puppi.weights import both_flavours, puppi_weights
from unit.reference_puppi import reference_weights
from unit.toy_pileup import from_rows, toy_events

# rows of an event: pt, eta, phi, mass, pdg_id, charge, from_pv, dz
PION = 0.13957


def event(*candidates: tuple) -> np.ndarray:
    return np.array(candidates, dtype=np.float64).reshape(-1, 8).T


def track(pt, eta, phi, from_pv, dz=0.0):
    return (pt, eta, phi, PION, 211, 1, from_pv, dz)


def photon(pt, eta, phi):
    return (pt, eta, phi, 0.0, 22, 0, 3, 0.0)


def hadron(pt, eta, phi):
    return (pt, eta, phi, 0.0, 130, 0, 3, 0.0)


def weights_of(*candidates, n_pv=0, tune=RUN2_V15, no_lepton=False):
    return puppi_weights(from_rows(event(*candidates)), np.array([n_pv]), tune, no_lepton).tolist()


# a pile-up track far from everything: with it, PUPPI has a calibration
LONE_PILEUP = track(1.0, -1.0, 3.0, 0)


# --- the definition -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def toys() -> tuple[Ragged, np.ndarray]:
    rng = np.random.default_rng(3)
    n_pileup = np.concatenate([np.zeros(4), rng.uniform(0.2, 16.0, 92), [25.0, 30.0, 35.0, 40.0]])
    return toy_events(17, n_pileup.tolist()), np.maximum(0.75 * n_pileup, 1).astype(int)


def test_equals_the_reference_on_a_hundred_events(toys):
    candidates, n_pv = toys
    weights = puppi_weights(candidates, n_pv, RUN2_V15)
    assert weights.dtype == np.float32
    expected = reference_weights(candidates, n_pv, RUN2_V15)
    np.testing.assert_allclose(weights, expected, atol=1e-5, rtol=0)
    # the comparison is about computed weights, not only 0 and 1
    assert np.sum((weights > 0) & (weights < 1)) > 2000


@pytest.mark.parametrize("tune", TUNES.values(), ids=TUNES)
@pytest.mark.parametrize("no_lepton", [False, True])
def test_equals_the_reference_for_each_tune(toys, tune, no_lepton):
    some = np.arange(100) % 10 == 1
    candidates, n_pv = toys[0].keep_events(some), toys[1][some]
    rng = np.random.default_rng(5)
    other = rng.integers(0, 4, candidates.offsets[-1]).astype(np.uint8)
    candidates = Ragged(candidates.offsets, candidates.columns | {"from_other_pv": other})
    np.testing.assert_allclose(
        puppi_weights(candidates, n_pv, tune, no_lepton),
        reference_weights(candidates, n_pv, tune, no_lepton),
        atol=1e-5,
        rtol=0,
    )


@pytest.mark.parametrize("tune", TUNES.values(), ids=TUNES)
def test_both_flavours_are_those_of_two_calls_to_the_last_bit(toys, tune):
    some = np.arange(100) % 4 == 1
    candidates, n_pv = toys[0].keep_events(some), toys[1][some]
    # electrons in jets and pile-up beside the muons, and events without any lepton
    rng = np.random.default_rng(6)
    pdg_id = candidates["pdg_id"].copy()
    tracks = np.flatnonzero(np.abs(pdg_id) == 211)
    pdg_id[rng.choice(tracks, len(tracks) // 50, replace=False)] = 11
    bare = np.repeat(np.arange(candidates.n_events) % 3 == 0, candidates.counts)
    pdg_id[bare & np.isin(np.abs(pdg_id), (11, 13))] = 211
    candidates = Ragged(candidates.offsets, candidates.columns | {"pdg_id": pdg_id})
    standard, no_lepton = both_flavours(candidates, n_pv, tune)
    np.testing.assert_array_equal(standard, puppi_weights(candidates, n_pv, tune))
    np.testing.assert_array_equal(no_lepton, puppi_weights(candidates, n_pv, tune, True))
    neutral = candidates["charge"] == 0
    assert (standard != no_lepton)[neutral].sum() > 100


SPECIAL = {
    "empty": event(),
    "one photon": event(photon(5.0, 0.3, 1.0)),
    "one pile-up track": event(LONE_PILEUP),
    "all primary": event(*(track(1.0 + k, 0.1 * k, 0.2 * k, 3) for k in range(20))),
    "all pile-up": event(*(track(1.0 + k, 0.1 * k, 0.2 * k, 0) for k in range(20))),
    "no pile-up": event(
        *(track(1.0 + k, 0.1 * k, 0.2 * k, 3) for k in range(20)),
        *(photon(0.3 + 0.3 * k, 0.1 * k, -0.2 * k) for k in range(40)),
    ),
    "high-pT neutral": event(LONE_PILEUP, hadron(150.0, 0.0, 0.0), hadron(250.0, 4.0, 1.0)),
    "forward only": event(*(hadron(1.0 + k, 3.0 + 0.04 * k, 0.1 * k) for k in range(40))),
    "forward with pile-up": event(
        *(hadron(1.0 + k, 3.0 + 0.04 * k, 0.1 * k) for k in range(40)),
        *(track(0.6 + 0.01 * k, 0.04 * k, 0.1 * k, 0) for k in range(40)),
    ),
    "beyond the regions": event(hadron(5.0, 10.5, 0.0), track(5.0, -11.0, 0.0, 3), LONE_PILEUP),
}


@pytest.mark.parametrize("name", SPECIAL)
@pytest.mark.parametrize("n_pv", [0, 30])
def test_equals_the_reference_on_special_events(name, n_pv):
    candidates = from_rows(SPECIAL[name])
    np.testing.assert_allclose(
        puppi_weights(candidates, np.array([n_pv]), RUN2_V15),
        reference_weights(candidates, np.array([n_pv]), RUN2_V15),
        atol=1e-5,
        rtol=0,
    )


def test_no_events():
    empty = from_rows(event()).keep_events(np.array([False]))
    assert puppi_weights(empty, np.zeros(0, dtype=int), RUN2_V15).shape == (0,)


def test_wrong_number_of_vertex_counts():
    with pytest.raises(ValueError, match="n_pv has 2 entries for 1 events"):
        puppi_weights(from_rows(event()), np.array([1, 2]), RUN2_V15)


# --- exact small cases ----------------------------------------------------------------------------


def test_charged_candidates_get_their_vertex():
    assert weights_of(track(3.0, 0.5, 0.0, 3), track(3.0, 0.5, 2.0, 0)) == [1.0, 0.0]


def test_without_pileup_only_the_cut_on_neutrals_acts():
    # central: 0.2 GeV + 0.015 GeV x 20 vertices = 0.5 GeV
    assert weights_of(photon(0.49, 1, 0), photon(0.51, 1, 1), n_pv=20) == [0.0, 1.0]
    # 2.5 to 3: 1.7 + 0.08 x 20 = 3.3 GeV; beyond: 2.0 + 0.08 x 20 = 3.6 GeV
    assert weights_of(photon(3.2, 2.7, 0), photon(3.4, -2.7, 1), n_pv=20) == [0.0, 1.0]
    assert weights_of(hadron(3.5, 4, 0), hadron(3.7, -4, 1), n_pv=20) == [0.0, 1.0]


def test_a_neutral_by_hand():
    # pile-up tracks at dR = 0.1, 0.2 and 0.3 from one primary track each of 1 GeV
    pairs = [(0.1, 0.0), (0.2, 1.0), (0.3, 2.0)]
    tracks = [track(1.0, 0.0, phi, 3) for _, phi in pairs]
    tracks += [track(5.0, 0.0, phi + d, 0) for d, phi in pairs]
    near = photon(4.0, 0.05, 0.0)
    alphas = sorted(math.log(1 / d**2) for d, _ in pairs)
    median = alphas[1]
    spread = math.sqrt((alphas[0] - median) ** 2 / 2)
    # the primary tracks have no primary neighbour: alpha 0, below the median, so k = 3 of n = 3
    shift = math.sqrt(stats.chi2.ppf(3 / (3 + 1.5), 1) * spread)
    z = (math.log(1 / 0.05**2) - (median - shift)) / (spread - shift)
    assert weights_of(*tracks, near)[-1] == pytest.approx(stats.chi2.cdf(z * z, 1), abs=1e-6)


@pytest.mark.parametrize(
    ("pt", "weight"), [(21.0, 0.0), (22.0, 2 / 180), (110.0, 0.5), (200.0, 1.0), (500.0, 1.0)]
)
def test_high_pt_neutrals_are_kept(pt, weight):
    assert weights_of(LONE_PILEUP, hadron(pt, 1.0, 0.0))[1] == pytest.approx(weight, abs=1e-6)


def test_photons_are_protected_in_lepton_free_puppi_only():
    photons = [photon(25.0, 2.4, 0.0), photon(25.0, 2.6, 1.0), photon(19.0, 0.0, 2.0)]
    ramp = pytest.approx(5 / 180, abs=1e-6)
    assert weights_of(LONE_PILEUP, *photons) == [0.0, ramp, ramp, 0.0]
    assert weights_of(LONE_PILEUP, *photons, no_lepton=True) == [0.0, 1.0, ramp, 0.0]


def test_lepton_free_puppi_ignores_leptons():
    muon = (30.0, 0.05, 0.0, 0.10566, 13, -1, 0, 0.0)
    tracks = [track(1.0, -2.0 + 0.2 * k, 0.3 * k, 3 * (k % 2)) for k in range(20)]
    without = weights_of(*tracks, photon(3.0, 0.0, 0.0), no_lepton=True)
    with_muon = weights_of(*tracks, photon(3.0, 0.0, 0.0), muon, no_lepton=True)
    assert with_muon == [*without, 1.0]
    assert weights_of(muon) == [0.0]


def alpha_of_first(points, members, cone=0.4, rapidity=None):
    pt, eta, phi = np.array(points, dtype=np.float64).T
    rapidity = eta if rapidity is None else np.array(rapidity)
    wanted = np.arange(len(pt)) == 0
    offsets = offsets_of(np.array([len(pt)]))
    found = alphas(Points(pt, eta, phi, rapidity), np.array(members), wanted, offsets, cone)
    assert np.isnan(found[1:]).all()
    return found[0]


def test_alpha_counts_members_within_the_cone():
    points = [(7.0, 0.0, 0.0), (2.0, 0.1, 0.0), (3.0, -0.1, 0.0), (9.0, 0.401, 0.0)]
    assert alpha_of_first(points, [True, True, False, True]) == pytest.approx(math.log(4 / 0.01))
    assert alpha_of_first(points, [True] * 4) == pytest.approx(math.log(13 / 0.01))
    assert alpha_of_first(points, [True, False, False, True]) == 0.0


def test_alpha_leaves_out_what_is_nearer_than_a_hundredth():
    assert alpha_of_first([(7.0, 0.0, 0.0), (2.0, 0.0, 0.0099)], [True, True]) == 0.0
    near = alpha_of_first([(7.0, 0.0, 0.0), (2.0, 0.0, 0.0101)], [True, True])
    assert near == pytest.approx(math.log(4 / 0.0101**2))


def test_alpha_across_the_seam_of_phi():
    for a, b in [(3.1, -3.1), (-3.1, 3.1), (math.pi, -math.pi + 0.05), (-math.pi, 3.0)]:
        d = 2 * math.pi - abs(a - b)
        found = alpha_of_first([(1.0, 0.0, a), (2.0, 0.0, b)], [True, True])
        assert found == pytest.approx(math.log(4 / d**2))


def test_cone_in_rapidity_and_distance_in_eta():
    points = [(1.0, 0.0, 0.0), (2.0, 0.5, 0.0)]
    assert alpha_of_first(points, [True, True]) == 0.0
    found = alpha_of_first(points, [True, True], rapidity=[0.0, 0.39])
    assert found == pytest.approx(math.log(4 / 0.25))


def test_borders_belong_to_the_outer_region():
    # without pile-up the cut tells the region: 0.2, 1.7 and 2.0 GeV at no vertex
    etas = [0.0, 2.49, 2.5, 2.99, 3.0, 9.99, 10.0]
    kept = [weights_of(hadron(1.0, eta, 0.0))[0] for eta in etas]
    assert kept == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    kept = [weights_of(hadron(1.8, eta, 0.0))[0] for eta in etas]
    assert kept == [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    kept = [weights_of(hadron(2.1, eta, 0.0))[0] for eta in etas]
    assert kept == [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]


def test_beyond_all_regions_even_a_primary_track_is_lost():
    assert weights_of(track(3.0, 10.0, 0.0, 3), photon(3.0, -12.0, 0.0)) == [0.0, 0.0]


# --- identity -------------------------------------------------------------------------------------


def identity(tune, no_lepton=False, other=None, **values):
    full = {"pt": 1.0, "eta": 0.0, "dz": 0.0, "pdg_id": 211, "charge": 1, "from_pv": 0} | values
    other = np.zeros(0, np.uint8) if other is None else np.array([other], np.uint8)
    columns = [np.array([value]) for value in full.values()]
    return identities(Tracks(*columns, other), records(tune.association), no_lepton)[0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"charge": 0, "from_pv": 3, "pdg_id": 22}, NEUTRAL),
        ({"from_pv": 3}, PRIMARY),
        ({"from_pv": 0, "pt": 50.0}, PILEUP),
        ({"from_pv": 1, "eta": 2.39, "dz": 0.0}, NEUTRAL),
        ({"from_pv": 2, "eta": -2.4, "dz": -0.29}, PRIMARY),
        ({"from_pv": 2, "eta": -2.4, "dz": -0.3}, PILEUP),
        ({"from_pv": 1, "eta": 2.4, "dz": math.nan}, PILEUP),
        ({"from_pv": 1, "pt": 20.0}, NEUTRAL),
        ({"from_pv": 1, "pt": 20.1, "eta": 2.4, "dz": 5.0}, PRIMARY),
        ({"from_pv": 3, "pdg_id": -13}, PRIMARY),
    ],
)
def test_identity(values, expected):
    assert identity(RUN2_V15, **values) == expected


def test_identity_of_leptons():
    assert identity(RUN2_V15, no_lepton=True, pdg_id=-11, from_pv=0) == LEPTON
    assert identity(RUN2_V15, no_lepton=True, pdg_id=13, charge=-1, from_pv=3) == LEPTON
    assert identity(RUN2_V15, no_lepton=True, pdg_id=211, from_pv=0) == PILEUP


def test_tracks_of_the_next_vertices_are_recovered_by_v15_only():
    assert identity(RUN2_V15, other=2, dz=0.19) == PRIMARY
    assert identity(RUN2_V15, other=3, dz=-0.21) == PILEUP
    assert identity(RUN2_V15, other=1, dz=0.0) == PILEUP
    assert identity(RUN2_V15, other=None, dz=0.0) == PILEUP
    assert identity(RUN2_V14, other=3, dz=0.0) == PILEUP


def test_phase2_uses_dz_only_beyond_four():
    assert identity(PHASE2, from_pv=1, eta=3.9, dz=1.0) == NEUTRAL
    assert identity(PHASE2, from_pv=1, eta=4.0, dz=0.11) == PILEUP


# --- calibration ----------------------------------------------------------------------------------

NOTHING = np.zeros(0)


@pytest.mark.parametrize("y", [0.0, 1e-12, 1e-3, 0.3, 0.5, 0.9, 0.999, 1 - 1e-9])
def test_inverse_erf(y):
    assert inverse_erf(y) == pytest.approx(special.erfinv(y), rel=1e-9)


def test_inverse_erf_of_one():
    assert inverse_erf(1.0) == math.inf


@pytest.mark.parametrize(
    ("pileup", "median", "variance"),
    [
        ([5.0, 1.0, 3.0, 2.0, 4.0], 3.0, 5 / 3),
        ([4.0, 1.0, 3.0, 2.0], 3.0, 5 / 3),  # the upper of the two in the middle
        ([0.0, 4.0, 0.0, 1.0, 3.0, 2.0], 2.0, 1 / 2),  # zeros: position 1 + (6 - 1) // 2
        ([-1.0, 0.0, 1.0, 2.0, 3.0], 2.0, (9 + 1) / 3),  # values below the zero still spread
        ([0.0, 0.0, 0.0], 0.0, 1e-5),
        ([7.0], 7.0, 1e-5),
    ],
)
def test_median_and_spread(pileup, median, variance):
    found = median_and_spread(np.array(pileup), NOTHING)
    assert found == pytest.approx((median, math.sqrt(variance)), rel=1e-12)


def test_primary_candidates_below_the_median_lower_both():
    pileup, primary = np.array([5.0, 1.0, 3.0, 2.0, 4.0]), np.array([3.0, 3.1, 0.0])
    spread = math.sqrt(5 / 3)
    shift = math.sqrt(stats.chi2.ppf(2 / (2 + 2.5), 1) * spread)
    found = median_and_spread(pileup, primary)
    assert found == pytest.approx((3 - shift, spread - shift), rel=1e-12)


def test_primary_candidates_above_the_median_change_nothing():
    pileup = np.array([1.0, 2.0, 3.0])
    assert median_and_spread(pileup, np.array([2.1])) == median_and_spread(pileup, NOTHING)


def test_events_without_pileup_have_no_calibration():
    alpha = np.array([1.0, 2.0, 3.0, 9.0, 9.0])
    pileup = np.array([False, True, True, True, False])
    offsets = offsets_of(np.array([1, 3, 0, 1]))
    medians, spreads = calibrate(alpha, pileup, np.zeros(5, dtype=bool), offsets)
    assert np.array_equal(medians, [np.nan, 3.0, np.nan, np.nan], equal_nan=True)
    assert np.array_equal(np.isnan(spreads), np.isnan(medians))
    assert spreads[1] == pytest.approx(math.sqrt(1 / 2))
