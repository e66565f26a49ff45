"""Hard collisions from Pythia: seeds, weights, windows, decays and the ancestry of leptons."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ptmiss.core.errors import UserError
from ptmiss.simulation.cards import Card, load_card
from ptmiss.simulation.generator import Generated, generate
from ptmiss.simulation.particles import is_hadron, is_invisible
from ptmiss.simulation.pythia import start
from ptmiss.simulation.record import Record, next_batch, prompt
from ptmiss.simulation.seeds import PYTHIA_MAX_SEED, pythia_seed
from ptmiss.simulation.truth import gen_met

PROCESSES = Path(__file__).resolve().parents[2] / "resources" / "processes"
N = 40


@cache
def card(name: str) -> Card:
    return load_card(PROCESSES / f"{name}.yaml")


@cache
def sample(name: str, cut: int = 0, seed: int = 17, n: int = N) -> Generated:
    return generate(card(name), card(name).slices[cut], n, seed)


def test_equal_seeds_give_equal_arrays_and_others_do_not() -> None:
    first, other = sample("zmumu"), sample("zmumu", seed=18)
    again = generate(card("zmumu"), card("zmumu").slices[0], N, 17)
    for name in first.particles.columns:
        np.testing.assert_array_equal(first.particles[name], again.particles[name])
    np.testing.assert_array_equal(first.weight, again.weight)
    np.testing.assert_array_equal(first.boson_pt, again.boson_pt)
    assert not np.array_equal(first.boson_pt, other.boson_pt)


def test_the_energy_is_that_of_the_beams() -> None:
    hotter = card("zmumu").model_copy(
        update={"pythia": (*card("zmumu").pythia, "Beams:eCM = 13600.")}
    )
    assert generate(hotter, hotter.slices[0], 2, 17).sqrt_s == 13.6
    assert generate(card("zmumu"), card("zmumu").slices[0], 2, 17).sqrt_s == 13.0


def test_columns_have_the_agreed_types() -> None:
    kinds = {name: values.dtype.name for name, values in sample("zmumu").particles.columns.items()}
    floats = dict.fromkeys(("pt", "eta", "phi", "mass", "vx", "vy", "vz"), "float32")
    assert kinds == floats | {"pdg_id": "int32", "charge": "int8", "prompt": "uint8"}


def test_momentum_is_conserved_and_charge_is_that_of_two_protons() -> None:
    particles = sample("zmumu").particles
    pt, phi, eta = (particles[name].astype(np.float64) for name in ("pt", "phi", "eta"))
    mass = particles["mass"].astype(np.float64)
    energy = np.sqrt(pt**2 * np.cosh(eta) ** 2 + mass**2)
    for values, total, tolerance in (
        (pt * np.cos(phi), 0.0, 0.01),
        (pt * np.sin(phi), 0.0, 0.01),
        (energy, 13_000.0, 10.0),
    ):
        sums = np.add.reduceat(values, particles.offsets[:-1])
        np.testing.assert_allclose(sums, total, atol=tolerance)
    charge = np.add.reduceat(particles["charge"].astype(int), particles.offsets[:-1])
    assert (charge == 2).all()


def test_every_zmumu_event_has_two_prompt_muons_that_make_the_boson() -> None:
    generated = sample("zmumu")
    particles = generated.particles
    muons = particles.keep_candidates((particles["prompt"] == 1) & (abs(particles["pdg_id"]) == 13))
    assert (muons.counts == 2).all()
    px = np.add.reduceat(muons["pt"] * np.cos(muons["phi"]), muons.offsets[:-1])
    py = np.add.reduceat(muons["pt"] * np.sin(muons["phi"]), muons.offsets[:-1])
    # photons radiated by the muons are what is missing
    missing = np.hypot(
        px - generated.boson_pt * np.cos(generated.boson_phi),
        py - generated.boson_pt * np.sin(generated.boson_phi),
    )
    assert np.median(missing) < 0.5


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_events_lie_in_their_window_and_weights_sum_to_its_cross_section(cut: int) -> None:
    window = card("zmumu").slices[cut]
    generated = sample("zmumu", cut)
    assert generated.particles.n_events == len(generated.weight) == N
    assert (generated.boson_pt >= window.low).all()
    assert window.high is None or (generated.boson_pt < window.high).all()
    expected = generated.cross_section_pb * N / generated.n_tried
    assert generated.weight.sum() == pytest.approx(expected, rel=1e-12)


def test_parts_of_a_slice_share_its_cross_section() -> None:
    whole = sample("zmumu")
    third = generate(card("zmumu"), card("zmumu").slices[0], N, 17, parts_of_slice=3)
    np.testing.assert_allclose(third.weight * 3, whole.weight, rtol=1e-12)


def test_weights_of_an_unsliced_sample_sum_to_its_cross_section() -> None:
    generated = sample("ttbar")
    # leading order with alpha_s(M_Z) = 0.118
    assert 350 < generated.weight.sum() < 520
    assert generated.n_tried == N
    assert np.isnan(generated.boson_pt).all()
    assert np.isnan(generated.boson_phi).all()


def test_biased_sampling_gives_weights_that_still_sum_to_the_cross_section() -> None:
    generated = sample("qcd")
    assert generated.weight.max() > 10 * generated.weight.min() > 0
    assert generated.weight.sum() == pytest.approx(generated.cross_section_pb, rel=1e-12)


def test_invisible_higgs_is_invisible() -> None:
    generated = sample("vbf_hinv")
    met = np.hypot(*gen_met(generated.particles))
    # a decay channel that silently gets no width leaves below 1 GeV
    assert met.mean() > 50
    np.testing.assert_allclose(np.median(met / generated.boson_pt), 1.0, atol=0.05)


def test_the_neutralinos_are_stable_and_two() -> None:
    for name, low in (("tchizz", 100), ("t2tt_4bd", 10)):
        particles = sample(name, n=20).particles
        lightest = particles.keep_candidates(abs(particles["pdg_id"]) == 1000022)
        assert (lightest.counts == 2).all(), name
        assert np.hypot(*gen_met(particles)).mean() > low, name


def test_every_pair_of_higgs_bosons_goes_to_bbtautau() -> None:
    pythia = start("test", card("hh_bbtautau").pythia, 3)
    record = Record.of(next_batch(pythia, 20, "test"))
    mothers = np.abs(record.pdg_id[record.mother])
    kind = np.abs(record.pdg_id)
    first = np.repeat(record.offsets[:-1], np.diff(record.offsets))
    for boson, daughter in ((25, 5), (36, 15)):
        decayed = (mothers == boson) & (kind != boson)
        assert set(kind[decayed]) == {daughter}
        assert len(np.unique(first[decayed])) == 20


def test_prompt_follows_the_ancestry_to_the_first_hadron_or_tau() -> None:
    # 0 system, 1-2 beams, 3 Z, 4 mu, 5 tau, 6 mu from tau, 7 B, 8 tau, 9 e, 10 B, 11 e, 12 pion
    pdg_id = np.array([90, 2212, 2212, 23, 13, -15, -13, 511, 15, 11, 521, 11, 211])
    mother = np.array([0, 0, 0, 1, 3, 3, 5, 2, 7, 8, 2, 10, 10])
    two = np.tile(pdg_id, 2), np.concatenate([mother, mother + 13])
    index = np.array([4, 6, 9, 11, 12, 17, 19, 22, 24, 25])
    result = prompt(*two, index, np.array([0, 13, 26]))
    assert result.tolist() == [1, 2, 0, 0, 0] * 2


def test_kinds_of_particles() -> None:
    codes = np.array([13, 21, 22, 23, 111, 2212, 100443, 1000022, 2000001, 9902210])
    assert is_hadron(codes).tolist() == [False] * 4 + [True] * 3 + [False] * 2 + [True]
    assert (
        is_invisible(np.array([12, -14, 16, 1000022, 13, 22])).tolist() == [True] * 4 + [False] * 2
    )


def test_settings_that_pythia_refuses_become_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"process toy: Pythia refuses 'Foo:bar = 1' \(.*Foo:bar"):
        start("process toy", ["Foo:bar = 1"], 1)
    with pytest.raises(UserError, match=r"process toy: Pythia does not start .*vanishing"):
        start("process toy", ["WeakSingleBoson:ffbar2gmZ = on", "PhaseSpace:mHatMin = 99999."], 1)
    assert capfd.readouterr().out == ""


def test_seeds_are_fixed_by_the_names_and_fit_pythia() -> None:
    # these values are part of what "the same seed" means: a change makes all samples other ones
    assert pythia_seed(20240517, "zmumu", 0) == 647449503
    seeds = {pythia_seed(1, name, part) for name in ("a", "b") for part in range(500)}
    assert len(seeds) == 1000
    assert 1 <= min(seeds) <= max(seeds) <= PYTHIA_MAX_SEED
    assert pythia_seed(1, "ab", "c") != pythia_seed(1, "a", "bc")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in PROCESSES.glob("*.yaml")))
def test_pythia_accepts_every_card(name: str) -> None:
    for cut in card(name).slices:
        assert sample(name, card(name).slices.index(cut), n=2).weight.sum() > 0


def test_only_events_with_the_leptons_asked_for_are_kept_and_the_others_counted() -> None:
    generated, accept = sample("zmumu"), card("zmumu").accept
    particles = generated.particles
    good = (
        (particles["prompt"] > 0)
        & (abs(particles["pdg_id"]) == accept.pdg_id)
        & (particles["pt"] > accept.pt)
        & (abs(particles["eta"]) < accept.abs_eta)
    )
    assert (particles.keep_candidates(good).counts >= accept.number).all()
    assert generated.n_tried > N
    np.testing.assert_allclose(
        generated.weight.sum(), generated.cross_section_pb * N / generated.n_tried, rtol=1e-9
    )
