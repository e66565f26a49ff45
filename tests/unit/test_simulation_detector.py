from __future__ import annotations

import math

import numpy as np
import pytest

from ptmiss.simulation import constants, pileup
from ptmiss.simulation.detector import detect
from ptmiss.simulation.flight import Ray, arrival
from ptmiss.simulation.rng import event_seeds
from unit.toy_collisions import NO_PILEUP, collisions, one_list_each, perfect, soft_collisions

LIBRARY = soft_collisions(200, 2)
LISTS = one_list_each(200)


def run(d, hard, profile=NO_PILEUP, seeds=None, folds=None):
    n = len(hard.offsets) - 1
    seeds = event_seeds(1, np.ones(n), np.arange(n)) if seeds is None else seeds
    folds = np.zeros(n, dtype=int) if folds is None else folds
    return detect(d, hard, pileup.PileUp(LIBRARY, LISTS, profile), folds, seeds)


def test_a_photon_gives_one_candidate_with_its_momentum():
    found = run(perfect(), collisions([[(22, 0, 10.0, 0.5, 1.0)]])).candidates
    assert found["pdg_id"].tolist() == [22]
    assert found["pt"][0] == pytest.approx(10.0, abs=1e-4)
    assert found["eta"][0] == pytest.approx(0.5, abs=1e-5)
    assert found["phi"][0] == pytest.approx(1.0, abs=1e-5)
    assert found["truth"][0] == 1.0
    assert found["from_pv"][0] == 3
    assert found["dz_error"][0] == -1.0


def test_a_photon_is_seen_from_the_vertex_that_was_chosen():
    # photon and tracks start at z = 10 cm; who looks from the origin sees another direction
    d = perfect(beam_z=10.0, dz_constant=1e-4, dz_slope=0.0)
    tracks = [(211, 1, 20.0, 0.1 * k, 0.5 * k) for k in range(5)]
    found = run(d, collisions([[(22, 0, 10.0, 0.8, -1.0), *tracks]])).candidates
    photon = found["pdg_id"] == 22
    assert found["eta"][photon] == pytest.approx(0.8, abs=1e-3)
    assert found["pt"][photon] == pytest.approx(10.0, rel=1e-3)


def test_two_photons_in_one_cell_are_one_candidate():
    pair = [(22, 0, 5.0, 0.501, 1.001), (22, 0, 5.0, 0.502, 1.002)]
    found = run(perfect(), collisions([pair])).candidates
    assert found["pt"].tolist() == pytest.approx([10.0], abs=1e-3)


def test_a_muon_is_its_track_and_leaves_the_calorimeter_empty():
    found = run(perfect(), collisions([[(13, -1, 40.0, -1.0, 2.0)]])).candidates
    assert found["pdg_id"].tolist() == [13]
    assert found["charge"].tolist() == [-1]
    assert found["pt"][0] == pytest.approx(40.0, rel=1e-6)
    assert found["mass"][0] == pytest.approx(0.10566)


def test_a_pion_is_counted_once():
    found = run(perfect(), collisions([[(211, 1, 20.0, 0.3, 0.1)]])).candidates
    assert found["pdg_id"].tolist() == [211]
    assert found["pt"][0] == pytest.approx(20.0, rel=1e-6)


def test_a_pion_without_track_becomes_a_neutral_hadron():
    found = run(perfect(track_plateau=0.0), collisions([[(211, 1, 20.0, 0.3, 0.1)]])).candidates
    assert found["pdg_id"].tolist() == [130]
    assert found["pt"][0] == pytest.approx(20.0, rel=0.03)


def test_a_neutron_beside_a_pion_is_the_excess():
    # 60 GeV so that the pion bends by less than a tower
    both = [(211, 1, 60.0, 0.3, 0.10), (2112, 0, 30.0, 0.31, 0.11)]
    found = run(perfect(hcal_cell=0.3), collisions([both])).candidates
    assert sorted(found["pdg_id"].tolist()) == [130, 211]
    assert found["pt"][found["pdg_id"] == 130] == pytest.approx(30.0, rel=0.05)


def test_neutrinos_leave_nothing():
    found = run(perfect(), collisions([[(14, 0, 50.0, 0.0, 0.0), (1000022, 0, 90.0, 0.0, 1.0)]]))
    assert found.candidates.counts.tolist() == [0]
    assert found.event["n_pv"].tolist() == [0]


def test_forward_hadrons_and_photons_go_to_the_forward_calorimeter():
    d = perfect(hf_had_stochastic=1e-3, hf_had_constant=1e-3, hf_em_stochastic=1e-3,
                hf_em_constant=1e-3)  # fmt: skip
    found = run(d, collisions([[(211, 1, 10.0, 4.0, 0.0)], [(22, 0, 10.0, -4.0, 0.0)]])).candidates
    assert set(found["pdg_id"].tolist()) <= {1, 2}
    for i in range(2):
        total = found["pt"][found.offsets[i] : found.offsets[i + 1]].sum()
        assert total == pytest.approx(10.0, rel=0.1)  # the tower's middle is not the particle


def along_x(pt, sinh_eta, charge, x=0.0):
    momentum = pt * math.hypot(1.0, sinh_eta)
    return Ray(pt, math.asinh(sinh_eta), 0.0, sinh_eta, 1.0, 0.0, momentum, x, 0.0, 0.0, charge)


def test_soft_charged_particles_curl_before_the_barrel():
    d = constants.detector()
    radius = 129.0  # cm, so the least pT is 0.3 x 3.8 T x 1.29 m / 2 = 0.735 GeV
    least = 0.003 * 3.8 * radius / 2
    for pt, expected in ((least * 1.01, True), (least * 0.99, False)):
        assert arrival(d, along_x(pt, 0.05, 1)).reached is expected
    assert arrival(d, along_x(0.3, 0.05, 0)).reached


@pytest.mark.parametrize("x", [0.0, 3.0])
@pytest.mark.parametrize("charge", [1, -1])
def test_the_field_bends_a_charged_particle_by_half_its_arc(charge, x):
    d = constants.detector()
    pt = 5.0
    chord = 129.0 - x
    half_arc = math.asin(chord / (2 * pt / 0.0114))
    reached, eta, phi = arrival(d, along_x(pt, 0.5, charge, x))
    assert reached
    px, py = x + chord * math.cos(half_arc), -charge * chord * math.sin(half_arc)
    assert phi == pytest.approx(math.atan2(py, px), abs=1e-9)
    arc = 2 * pt / 0.0114 * half_arc
    assert math.sinh(eta) == pytest.approx(0.5 * arc / math.hypot(px, py), rel=1e-9)


def test_events_do_not_depend_on_their_neighbours_or_on_the_size_of_a_chunk():
    d = constants.detector()
    n = 12
    hard = [[(13, -1, 40.0, 0.1 * k, 1.0), (22, 0, 5.0, 0.2 * k, -1.0)] for k in range(n)]
    seeds = event_seeds(9, np.ones(n), np.arange(n))
    folds = np.arange(n) % 10
    profile = pileup.gaussian_profile(10.0, 3.0)
    together = run(d, collisions(hard), profile, seeds, folds).candidates
    for first, last in ((0, 5), (5, n)):
        part = run(
            d, collisions(hard[first:last]), profile, seeds[first:last], folds[first:last]
        ).candidates
        begin, end = together.offsets[first], together.offsets[last]
        assert (part.counts == together.counts[first:last]).all()
        for name, values in part.columns.items():
            assert (values == together[name][begin:end]).all(), name


def test_other_seeds_give_other_events():
    hard = collisions([[(22, 0, 10.0, 0.5, 1.0)]])
    d = constants.detector()
    a, b = (
        run(d, hard, pileup.gaussian_profile(10.0, 0.0), np.array([s], dtype=np.uint64)).candidates
        for s in (1, 2)
    )
    assert len(a["pt"]) != len(b["pt"]) or (a["pt"] != b["pt"]).any()


def test_truth_tells_the_hard_collision_from_pile_up():
    hard = collisions([[(22, 0, 10.0, 0.5, 1.0)]] * 20)
    found = run(constants.detector(), hard, pileup.gaussian_profile(20.0, 0.0)).candidates
    assert found["truth"].min() >= 0
    assert found["truth"].max() <= 1
    # 20 photons of 10 GeV in all that noise; conversions, thresholds and smearing take some
    share = (found["pt"] * found["truth"]).sum() / 200
    assert 0.8 < share < 1.1
    alone = run(constants.detector(), collisions([[]] * 20), pileup.gaussian_profile(20.0, 0.0))
    assert alone.candidates["truth"].max() == 0


def test_the_forward_modulation_shifts_the_sum_along_its_direction():
    d = constants.detector({"hf_modulation": 0.2, "hf_modulation_phi": 0.5})
    found = run(d, collisions([[]] * 60), pileup.gaussian_profile(30.0, 0.0)).candidates
    x = (found["pt"] * np.cos(found["phi"])).sum() / 60
    y = (found["pt"] * np.sin(found["phi"])).sum() / 60
    along, across = x * math.cos(0.5) + y * math.sin(0.5), y * math.cos(0.5) - x * math.sin(0.5)
    assert along > 5.0
    assert abs(across) < along


def test_unknown_constants_are_refused():
    with pytest.raises(ValueError, match="no such detector constant: b_field"):
        constants.detector({"b_field": 4.0})


def test_every_constant_has_unit_and_origin():
    assert len(set(constants.NAMES)) == len(constants.TABLE)
    for constant in constants.TABLE:
        assert constant.reference
        assert constant.meaning


def test_arguments_of_different_length_are_refused():
    with pytest.raises(ValueError, match="one entry per event"):
        run(perfect(), collisions([[]]), folds=np.zeros(2, dtype=int))
