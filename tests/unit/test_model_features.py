from __future__ import annotations

import numpy as np
import pytest

from ptmiss.core.ragged import Ragged
from ptmiss.tasks.met import features as ft

RULES = ft.FeatureRules(dz_limit=100.0, unknown_codes=True, use_puppi=True)


def candidates(**changes):
    """Three candidates in two events: a charged pion, a photon, a muon."""
    columns = {
        "cand_pt": np.array([25.0, 5.0, 50.0], np.float32),
        "cand_eta": np.array([0.5, -1.0, 2.0], np.float32),
        "cand_phi": np.array([0.0, np.pi / 2, np.pi], np.float32),
        "cand_mass": np.array([0.14, 0.0, 0.106], np.float32),
        "cand_d0": np.array([0.01, 0.0, -0.02], np.float32),
        "cand_dz": np.array([0.1, 0.0, -150.0], np.float32),
        "cand_puppi": np.array([1.0, 0.25, 1.0], np.float32),
        "cand_charge": np.array([1, 0, -1], np.int8),
        "cand_pdg_id": np.array([211, 22, 13], np.int16),
        "cand_from_pv": np.array([0, 3, 2], np.uint8),
    }
    columns.update(changes)
    return Ragged(np.array([0, 2, 3]), columns)


def test_values_order_and_scales_are_exact():
    made = ft.features(candidates(), RULES)
    expected = [
        # d0, dz, eta, mass, pt/50, puppi, px/50, py/50
        [0.01, 0.1, 0.5, 0.14, 0.5, 1.0, 0.5, 0.0],
        [0.0, 0.0, -1.0, 0.0, 0.1, 0.25, 0.0, 0.1],
        [-0.02, -100.0, 2.0, 0.106, 1.0, 1.0, -1.0, 0.0],
    ]
    assert made.continuous.dtype == np.float32
    np.testing.assert_allclose(made.continuous, np.array(expected, np.float32), atol=1e-7)
    assert made.categories.dtype == np.int32
    assert made.categories.tolist() == [[2, 10, 0], [1, 8, 3], [0, 7, 2]]
    assert made.repairs["clipped_dz"] == 1
    assert sum(made.repairs.values()) == 1
    assert made.offsets.tolist() == [0, 2, 3]


def test_codes_are_those_of_cmssw():
    pdg_ids = np.array([-211, -13, -11, 0, 1, 2, 11, 13, 22, 130, 211], np.int16)
    n = len(pdg_ids)
    zero = np.zeros(n, np.float32)
    columns = dict.fromkeys(ft.COLUMNS, zero)
    columns["cand_charge"] = np.resize(np.array([-1, 0, 1], np.int8), n)
    columns["cand_pdg_id"] = pdg_ids
    columns["cand_from_pv"] = np.resize(np.array([0, 1, 2, 3], np.uint8), n)
    codes = ft.features(Ragged(np.array([0, n]), columns), RULES).categories
    assert codes[:, 1].tolist() == list(range(11))
    assert codes[:3, 0].tolist() == [0, 1, 2]
    assert codes[:4, 2].tolist() == [0, 1, 2, 3]


UNKNOWN = {
    "cand_charge": np.array([2, 0, -1], np.int8),
    "cand_pdg_id": np.array([321, 2112, -2212], np.int16),
    "cand_from_pv": np.array([7, 3, 2], np.uint8),
}


def test_unknown_categories_get_their_own_code_and_are_counted():
    made = ft.features(candidates(**UNKNOWN), RULES)
    assert made.categories.tolist() == [[3, 11, 4], [1, 11, 3], [0, 11, 2]]
    assert made.repairs["unknown_charge"] == 1
    assert made.repairs["unknown_pdg_id"] == 3
    assert made.repairs["unknown_from_pv"] == 1
    assert ft.layout(RULES, 10.0).table_rows == (4, 12, 5)


def test_a_drop_in_without_unknown_rows_falls_back_to_known_codes():
    rules = ft.FeatureRules(100.0, unknown_codes=False, use_puppi=True)
    made = ft.features(candidates(**UNKNOWN), rules)
    # charge 2 -> 0; kaon of unknown charge -> neutral hadron; anti-proton -> pi-; fromPV 7 -> 0
    assert made.categories.tolist() == [[1, 9, 0], [1, 9, 3], [0, 0, 2]]
    assert made.repairs["unknown_pdg_id"] == 3
    assert ft.layout(rules, 10.0).table_rows == (3, 11, 4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e38])
def test_broken_values_become_zero_alone_but_momenta_together(bad):
    broken = np.array([bad, 1.0, 1.0], np.float32)
    for name, position in (("cand_d0", ft.D0), ("cand_mass", ft.MASS), ("cand_eta", ft.ETA)):
        made = ft.features(candidates(**{name: broken}), RULES)
        assert made.continuous[0, position] == 0.0
        assert made.continuous[0, ft.PT] == 0.5
        assert made.repairs[f"broken_{name[5:]}"] == 1
    for name in ("cand_pt", "cand_phi"):
        if name == "cand_phi" and bad == 1e38:
            continue  # finite: an angle, however odd
        made = ft.features(candidates(**{name: broken}), RULES)
        assert made.continuous[0, [ft.PT, ft.PX, ft.PY]].tolist() == [0.0, 0.0, 0.0]
        assert made.repairs["broken_momentum"] == 1
        assert np.isfinite(made.continuous).all()


def test_the_puppi_weight_can_be_left_out_without_another_layout():
    with_it = ft.features(candidates(), RULES).continuous
    rules = ft.FeatureRules(100.0, unknown_codes=True, use_puppi=False)
    without = ft.features(candidates(), rules).continuous
    assert np.count_nonzero(with_it[:, ft.PUPPI]) == 3
    assert np.count_nonzero(without[:, ft.PUPPI]) == 0
    others = [i for i in range(8) if i != ft.PUPPI]
    assert np.array_equal(without[:, others], with_it[:, others])


def test_pinned_are_hard_prompt_leptons_only():
    n = 6
    columns = {name: np.zeros(n, np.float32) for name in ft.COLUMNS}
    columns["cand_pt"] = np.array([20, 20, 20, 10, 20, 20], np.float32)
    columns["cand_charge"] = np.ones(n, np.int8)
    columns["cand_pdg_id"] = np.array([13, -11, 13, 13, 211, 11], np.int16)
    columns["cand_from_pv"] = np.array([3, 2, 1, 3, 3, 9], np.uint8)
    made = ft.features(Ragged(np.array([0, n]), columns), RULES)
    # muon; positron; of another vertex; not above 10 GeV; a pion; of an unknown vertex
    pinned = ft.is_pinned(made.continuous, made.categories, 10.0)
    assert pinned.tolist() == [True, True, False, False, False, False]


def test_no_candidates_give_empty_features():
    columns = {name: np.zeros(0, np.float32) for name in ft.COLUMNS}
    made = ft.features(Ragged(np.array([0, 0]), columns), RULES)
    assert made.continuous.shape == (0, 8)
    assert made.categories.shape == (0, 3)
    assert set(made.repairs.values()) == {0}


def test_rules_survive_a_round_trip():
    assert ft.FeatureRules(**RULES.as_dict()) == RULES
