"""Which candidates each variation moves, and by how much."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ptmiss.core.errors import UserError
from ptmiss.core.hashing import event_hash
from ptmiss.core.ragged import Ragged
from ptmiss.tasks.met.settings.vary import CaloScale, JetResolution, JetScale, TrackScale, chosen
from ptmiss.tasks.met.variations import names, scales
from ptmiss.tasks.met.variations.clusters import cluster
from ptmiss.tasks.met.variations.shift import GROUPS, moved, shifts
from toys import make_toy
from variation_toys import DIRECTION, ELECTRON, MUON, SOFT, candidates, flat, settings

AWAY = DIRECTION - 3.0
ALL_SOURCES = {"jes": 0.02, "jer": 0.2, "unclustered": 0.1, "electron": 0.04, "muon": 0.01}
PHOTON, PION, HF = {"pdg_id": 22}, {"pdg_id": 211, "charge": 1}, {"pdg_id": 2, "eta": 4.0}
EVENT = [
    {},  # a jet of one candidate
    {**MUON, "phi": AWAY},
    {**ELECTRON, "phi": AWAY, "eta": 1.5},
    {**SOFT, **PHOTON, "eta": -2.0},
    {**SOFT, **PION, "eta": -1.0},
    {**SOFT, "eta": 2.0},
    {**SOFT, **HF},
]


def identity(n: int) -> np.ndarray:
    ones = np.ones(n, dtype=np.uint64)
    return event_hash(ones, ones, np.arange(n, dtype=np.uint64))


def factors(events: Ragged, variation: str, made) -> np.ndarray:
    members, factor = made.factor(variation)
    found = np.ones(len(events["cand_pt"]))
    found[members] = factor
    return found


@pytest.mark.parametrize(
    ("source", "moving", "size"),
    [
        ("jes", 0, 0.02), ("lepton_scale", 1, 0.01), ("lepton_scale", 2, 0.04),
        ("unclustered_photon", 3, 0.1), ("unclustered_charged", 4, 0.1 * np.cosh(1.0) ** 0.5),
        ("unclustered_neutral", 5, 0.1), ("unclustered_forward", 6, 0.1),
    ],
)  # fmt: skip
def test_each_source_moves_its_own_candidates_and_no_other(source, moving, size) -> None:
    events = candidates(EVENT)
    made = shifts(events, identity(1), flat(**ALL_SOURCES))
    for way, sign in names.SIGNS.items():
        found = factors(events, f"{source}_{way}", made)
        assert found[moving] == pytest.approx(1.0 + sign * size, rel=1e-12)
        others = {1, 2} if source == "lepton_scale" else {moving}
        assert np.all(found[[i for i in range(len(EVENT)) if i not in others]] == 1.0)


def test_a_jet_of_one_candidate_by_2_percent() -> None:
    events = candidates([{"mass": 1.0}])
    where, factor = shifts(events, identity(1), flat(jes=0.02)).factor("jes_up")
    after = moved(events, where, factor)
    assert after["cand_pt"].tolist() == [51.0]
    assert after["cand_mass"][0] == pytest.approx(1.02)
    assert after["cand_puppi"].tolist() == [1.0]
    assert after["cand_pt"].dtype == np.float32
    assert events["cand_pt"].tolist() == [50.0]


def test_candidates_of_a_jet_share_its_change_and_those_without_weight_are_not_in_it() -> None:
    near = {"pt": 10.0, "phi": DIRECTION + 0.1, "charge": 1, "pdg_id": 211}
    events = candidates([{}, near, {**near, "puppi": 0.0}, {**near, **MUON}])
    made = shifts(events, identity(1), flat(**ALL_SOURCES))
    assert [GROUPS[k] for k in made.group] == [
        "clustered", "clustered", "unclustered_charged", "lepton_scale",
    ]  # fmt: skip
    found = factors(events, "jer_up", made)
    assert found[0] == found[1] != 1.0
    assert found[2] == found[3] == 1.0


def test_a_jet_below_the_threshold_is_no_jet() -> None:
    soft = [{"pt": 14.9}, {"pt": 15.2, "phi": AWAY}, {"pt": 40.0, "eta": 3.0, "puppi": 0.25}]
    jets = cluster(candidates(soft), 0.4, 15.0)
    assert jets.member.tolist() == [-1, 0, -1]
    assert jets.pt == pytest.approx([15.2])


def test_jets_and_members_over_events_with_none() -> None:
    other = {"pt": 20.0, "phi": AWAY, "eta": 2.0}
    events = candidates([], [{**SOFT, "eta": -2.0}, other, {}], [], [{}], [SOFT], [])
    jets = cluster(events, 0.4, 15.0)
    assert jets.event[jets.member[1]] == jets.event[jets.member[2]] == 1
    assert jets.event[jets.member[3]] == 3
    assert jets.member[[0, 4]].tolist() == [-1, -1]
    assert jets.pt[jets.member[1]] == pytest.approx(20.0)
    assert jets.rank[jets.member[[1, 2, 3]]].tolist() == [1, 0, 0]
    assert cluster(candidates([], []), 0.4, 15.0).pt.shape == (0,)
    assert cluster(candidates(), 0.4, 15.0).member.shape == (0,)


def test_jets_have_the_momenta_of_their_members() -> None:
    toy = make_toy(8, 3, selected=True, pileup=5.0)
    events = columns_of(toy)
    jets = cluster(events, 0.7, 4.0)
    assert len(jets.pt) > 8
    weighted = (events["cand_pt"] * events["cand_puppi"]).astype(np.float64)
    for i in range(len(jets.pt)):
        rows = jets.member == i
        p_x = np.sum(weighted[rows] * np.cos(events["cand_phi"][rows]))
        p_y = np.sum(weighted[rows] * np.sin(events["cand_phi"][rows]))
        assert np.hypot(p_x, p_y) == pytest.approx(jets.pt[i], rel=1e-5)


def columns_of(toy) -> Ragged:
    columns = {f"cand_{name}": values for name, values in toy.candidates.items()}
    hard = (np.abs(columns["cand_pdg_id"]) == 13) & (columns["cand_pt"] > 10)
    return Ragged(toy.offsets, {**columns, "cand_pinned": hard})


@pytest.fixture(scope="module")
def toy_events() -> Ragged:
    return columns_of(make_toy(12, 5, selected=True, pileup=8.0))


@pytest.mark.parametrize("variation", names.VARIATIONS)
def test_every_candidate_is_in_one_group_and_up_mirrors_down(variation: str, toy_events) -> None:
    made = shifts(toy_events, identity(12), settings())
    assert sum(len(np.flatnonzero(made.group == k)) for k in range(len(GROUPS))) == len(made.group)
    up, down = (factors(toy_events, variation[: variation.rindex("_")] + way, made)
                for way in ("_up", "_down"))  # fmt: skip
    inside = (up > 0.0) & (down > 0.0)
    np.testing.assert_allclose((up + down)[inside], 2.0, rtol=1e-12)
    source = names.parse(variation)[0]
    assert (up != 1.0).any()
    assert np.all(made.group[up != 1.0] == made.group[made.members(source)[0]])


def test_without_any_uncertainty_nothing_moves(toy_events) -> None:
    made = shifts(toy_events, identity(12), flat())
    for variation in names.VARIATIONS:
        members, factor = made.factor(variation)
        after = moved(toy_events, members, factor)
        assert np.array_equal(after["cand_pt"], toy_events["cand_pt"][members])


def test_smearing_is_the_same_in_any_order_of_events_and_candidates(toy_events) -> None:
    who = identity(12)
    first = factors(toy_events, "jer_up", shifts(toy_events, who, settings(jet_pt=4.0)))
    rng = np.random.default_rng(1)
    events = rng.permutation(12)
    rows = np.concatenate(
        [rng.permutation(np.arange(*toy_events.offsets[e : e + 2])) for e in events]
    )
    offsets = np.append(0, np.cumsum(toy_events.counts[events]))
    again = Ragged(offsets, {name: x[rows] for name, x in toy_events.columns.items()})
    second = factors(again, "jer_up", shifts(again, who[events], settings(jet_pt=4.0)))
    np.testing.assert_allclose(second, first[rows], rtol=1e-6)
    assert len(np.unique(first)) > 12
    third = factors(toy_events, "jer_up", shifts(toy_events, who[::-1], settings(jet_pt=4.0)))
    assert not np.allclose(third, first)


@examples(max_examples=15)
@given(angle=st.floats(-6.0, 6.0), variation=st.sampled_from(names.VARIATIONS))
def test_a_rotated_event_has_rotated_shifts(angle: float, variation: str) -> None:
    toy_events = columns_of(make_toy(3, 7, selected=True, pileup=3.0))
    turned = {**toy_events.columns, "cand_phi": toy_events["cand_phi"].astype(np.float64) + angle}
    made = [shifts(Ragged(toy_events.offsets, columns), identity(3), settings())
            for columns in (toy_events.columns, turned)]  # fmt: skip
    before, after = (factors(toy_events, variation, one) for one in made)
    np.testing.assert_allclose(after, before, rtol=1e-5)


def test_a_momentum_does_not_turn_round() -> None:
    events = candidates(*[[{}]] * 50)
    made = shifts(events, identity(50), flat(jer=1.0))
    found = factors(events, "jer_up", made)
    assert found.min() == 0.0
    assert found.max() > 1.5


def test_candidates_that_are_not_finite_do_not_disturb_the_others() -> None:
    broken = [{**SOFT, "pt": float("nan")}, {**SOFT, "eta": float("inf")}, {"phi": float("nan")}]
    events = candidates([*EVENT, *broken])
    made = shifts(events, identity(1), flat(**ALL_SOURCES))
    alone = shifts(candidates(EVENT), identity(1), flat(**ALL_SOURCES))
    for variation in names.VARIATIONS:
        found = factors(events, variation, made)[: len(EVENT)]
        assert np.array_equal(found, factors(candidates(EVENT), variation, alone))


def test_unknown_and_weight_variations_are_refused() -> None:
    with pytest.raises(UserError, match="'jec_up': not known; allowed: jes_up"):
        names.parse("jec_up")
    with pytest.raises(UserError, match="'pileup_up': changes the weights"):
        names.parse("pileup_up")
    with pytest.raises(UserError, match="not known"):
        names.parse("nominal")


def test_files_and_variations_belong_together() -> None:
    assert names.paired(["jes_up"], ["a"]) == {"jes_up": "a"}
    with pytest.raises(UserError, match="1 files for 2 variations"):
        names.paired(["jes_up", "jes_down"], ["a"])
    with pytest.raises(UserError, match="each once"):
        names.paired(["jes_up", "jes_up"], ["a", "b"])


def test_scale_of_tracks_3_4_5() -> None:
    scale = TrackScale(linear=0.0003, constant=0.004)
    found = scales.track_scale(np.array([10.0]), np.array([0.0]), scale)
    assert found == pytest.approx([0.005], rel=1e-12)


def test_scale_of_calorimeters_depends_on_energy_and_has_a_limit() -> None:
    scale = CaloScale(
        abs_eta=(0.0, 1.3), stochastic=(0.3, 1.0), constant=(0.04, 0.04), most=(0.25, 0.3)
    )
    pt, eta, mass = np.array([60.0, 0.5, 5.0]), np.array([0.0, 0.0, -2.0]), np.array([80.0, 0, 0])
    found = scales.calo_scale(pt, eta, mass, scale)
    assert found[0] == pytest.approx(0.05)  # 0.3 / sqrt(100) and 0.04
    assert found[1] == 0.25
    assert found[2] == pytest.approx(np.sqrt(1.0 / (5.0 * np.cosh(2.0)) + 0.0016))


def test_tables_of_jets_are_read_by_eta_and_pt() -> None:
    table = JetScale(abs_eta=(0.0, 2.5), pt=(15.0, 30.0), relative=((0.1, 0.2), (0.3, 0.4)))
    pt, eta = np.array([14.0, 30.0, 29.0, 500.0]), np.array([-1.0, 2.4, -2.5, 5.0])
    assert scales.jet_scale(pt, eta, table).tolist() == [0.1, 0.2, 0.3, 0.4]
    width = JetResolution(
        abs_eta=(0.0,), noise=(0.0,), stochastic=(3.0,), constant=(0.4,), relative=(0.25,)
    )
    found = scales.jet_smearing(np.array([100.0]), np.array([0.0]), width)
    assert found == pytest.approx([0.375])  # 0.5 x sqrt(1.25^2 - 1)


def test_random_numbers_are_normal_and_belong_to_the_event() -> None:
    who = identity(20_000)
    found = scales.normal(who, np.zeros(20_000))
    assert abs(found.mean()) < 0.03
    assert found.std() == pytest.approx(1.0, abs=0.02)
    assert np.mean(np.abs(found) < 1.0) == pytest.approx(0.6827, abs=0.015)
    other = scales.normal(who, np.ones(20_000))
    assert abs(np.corrcoef(found, other)[0, 1]) < 0.03
    assert np.array_equal(scales.normal(who[5:9], np.zeros(4)), found[5:9])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"samples": ["a", "a"]}, "once"),
        ({"lepton_scale": {"electron": -0.1, "muon": 0.0}}, "greater than or equal to 0"),
        ({"jes": {"abs_eta": [0.5], "pt": [15.0], "relative": [[0.1]]}}, "first edge must be 0"),
        ({"jes": {"abs_eta": [0.0, 2.0], "pt": [15.0], "relative": [[0.1]]}}, "1 entries for 2"),
        ({"jes": {"abs_eta": [0.0], "pt": [15.0, 9.0], "relative": [[0.1, 0.1]]}}, "above the one"),
        ({"jes": {"abs_eta": [0.0], "pt": [15.0], "relative": [[0.1, 0.1]]}}, "needs 1 entries"),
        ({"folds": "train"}, "test"),
    ],
)
def test_settings_that_cannot_be(changes, says) -> None:
    with pytest.raises(UserError, match=says):
        settings(**changes)


def test_wanted_names_that_exist_or_else_all() -> None:
    assert chosen(["b", "x", "a"], ["a", "b", "c"]) == ["a", "b"]
    assert chosen(["x"], ["a", "b"]) == ["a", "b"]
    assert chosen([], ["a", "b"]) == []
