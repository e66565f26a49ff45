"""Permuting features, and what it does to the resolution."""

from __future__ import annotations

import csv
import itertools
import logging
import math
from pathlib import Path

import numpy as np
import pytest

from graph_toys import random_model
from interpretation_toys import linear_model, settings
from models import pf_model
from ptmiss.core.errors import UserError
from ptmiss.core.hashing import event_hash
from ptmiss.core.ragged import Ragged, offsets_of
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.tasks.met.estimators.network import NetworkEstimator
from ptmiss.tasks.met.features import ETA, PT, PX, PY, Features, features
from ptmiss.tasks.met.interpretation.importance import Permuted, half_width, resolutions, rows
from ptmiss.tasks.met.interpretation.permute import PERMUTED, permuted, sources_of
from ptmiss.tasks.met.interpretation.run import Outputs, interpret
from ptmiss.tasks.met.interpretation.separate import SeparateNetwork, separated
from toys import make_toy, toy_skim

SMALL = {"pileup": 3.0, "per_collision": 10.0, "per_hard": 10.0}


@pytest.fixture(scope="module")
def made() -> Features:
    toy = make_toy(30, 3, selected=True, **SMALL)
    columns = {f"cand_{name}": values for name, values in toy.candidates.items()}
    network = NetworkEstimator(onnx_file.accept(random_model(), "m.onnx"), 1)
    return features(Ragged(toy.offsets, columns), network.rules)


def hashes_of(n: int) -> np.ndarray:
    return event_hash(np.ones(n), np.ones(n), np.arange(n))


def test_a_permutation_stays_inside_its_event_and_depends_on_nothing_else() -> None:
    offsets, hashes = offsets_of(np.array([5, 0, 1, 40])), hashes_of(4)
    found = {name: sources_of(offsets, hashes, 7, name) for name in PERMUTED}
    for source in found.values():
        for first, last in itertools.pairwise(offsets):
            assert sorted(source[first:last]) == list(range(first, last))
    assert len({tuple(source) for source in found.values()}) == len(PERMUTED)
    alone = sources_of(np.array([0, 40]), hashes[3:], 7, "dz")
    np.testing.assert_array_equal(alone + 6, found["dz"][6:])
    assert not np.array_equal(sources_of(offsets, hashes, 8, "dz"), found["dz"])


def test_every_order_is_equally_likely() -> None:
    n = 6000
    source = sources_of(3 * np.arange(n + 1), hashes_of(n), 7, "dz").reshape(n, 3)
    orders, counts = np.unique(source - 3 * np.arange(n)[:, None], axis=0, return_counts=True)
    assert len(orders) == 6
    assert np.abs(counts - n / 6).max() < 5 * np.sqrt(n / 6)


def test_only_the_feature_moves(made: Features) -> None:
    source = sources_of(made.offsets, hashes_of(len(made.offsets) - 1), 7, "eta")
    for name in PERMUTED:
        new = permuted(made, name, source)
        moved = np.flatnonzero((new.continuous != made.continuous).any(axis=0)).tolist()
        codes = np.flatnonzero((new.categories != made.categories).any(axis=0)).tolist()
        expected = {"momentum": [PT, PX, PY], "direction": [PX, PY], "eta": [ETA]}
        if name in expected:
            assert moved == expected[name]
        assert len(codes) == (name in ("charge", "pdg_id", "from_pv"))
    turned = permuted(made, "direction", source).continuous
    np.testing.assert_allclose(np.hypot(turned[:, PX], turned[:, PY]), turned[:, PT], rtol=1e-4)
    moved = permuted(made, "momentum", source).continuous
    np.testing.assert_array_equal(moved[:, PX], made.continuous[source, PX])


@pytest.mark.parametrize("bias", ["caption", "training_code", "shipped"])
def test_a_separated_network_that_sees_the_truth_is_the_network(made: Features, bias: str) -> None:
    model = onnx_file.accept(random_model(bias, is_log=True), "m.onnx")
    whole = NetworkEstimator(model, 1).run(made)
    (met,) = SeparateNetwork(model, 1).run(made, [made])
    np.testing.assert_allclose(met, [whole.px, whole.py], rtol=1e-5, atol=1e-3)


def test_momenta_of_the_sum_pinned_leptons_and_pads_stay_true(made: Features) -> None:
    separate = SeparateNetwork(onnx_file.accept(linear_model(0.25), "m.onnx"), 1)
    source = sources_of(made.offsets, hashes_of(len(made.offsets) - 1), 7, "eta")
    seen = [made, *(permuted(made, name, source) for name in PERMUTED)]
    found = separate.run(made, seen)
    assert (found == found[0]).all()


def test_a_model_of_others_cannot_be_separated() -> None:
    with pytest.raises(UserError, match=r"m\.onnx: has no tensor candidate/outputs"):
        separated(pf_model(), "m.onnx")


def test_half_width_is_that_of_the_drawn_values() -> None:
    rng = np.random.default_rng(1)
    seen, target, response = rng.normal(size=50), rng.normal(size=50), rng.uniform(0.5, 2, 9)
    drawn = rng.poisson(1.0, (50, 9)).astype(np.uint8)
    drawn[:, 4], response[6] = 0, -1.0
    found = half_width(seen, target, response, drawn)
    for r in range(9):
        if r in (4, 6):
            assert np.isnan(found[r])
            continue
        values = np.repeat(seen / response[r] - target, drawn[:, r])
        low, high = np.percentile(values, [16, 84])
        assert found[r] == pytest.approx((high - low) / 2, rel=1e-12)


def events(dilepton: bool, met: np.ndarray, truth: np.ndarray, replicas: int = 200) -> Permuted:
    rng = np.random.default_rng(2)
    n = met.shape[-1]
    drawn = rng.poisson(1.0, (n, 1 + replicas)).astype(np.uint8)
    drawn[:, 0] = 1
    return Permuted(dilepton, met, truth, truth, drawn)


def test_resolution_and_response_of_a_known_estimator() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(0, 60, (2, 20_000))
    noise = rng.normal(0, 10, (2, 20_000))
    for response in (1.0, 0.4):
        met = (response * truth + noise)[None]
        found = resolutions(events(False, met, truth, 0), 0, 20.0)
        assert found["sigma_xy"][0] == pytest.approx(10 / response, rel=0.03)
        recoil = (-(truth - response * truth) + noise)[None]  # pTmiss where the recoil is short
        found = resolutions(events(True, recoil, truth, 0), 0, 20.0)
        assert found["sigma_par"][0] == pytest.approx(10 / response, rel=0.03)
        assert found["sigma_perp"][0] == pytest.approx(10 / response, rel=0.03)


def test_the_loss_is_relative_and_paired() -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(0, 60, (2, 300))
    noise = rng.normal(0, 10, (2, 300))
    factors = np.array([1.0, 1.0, 1.5] + [1.0] * (len(PERMUTED) - 2))
    met = truth + factors[:, None, None] * (noise - noise.mean(axis=1, keepdims=True))
    table = {row[1]: row for row in rows("s", events(False, met, truth), 20.0, 25)}
    assert table["d0"][3:6] == (0.0, 0.0, 0.0)
    value, low, high = table["dz"][3:6]
    assert value == pytest.approx(0.5, abs=0.02)
    assert 0.45 < low < value < high < 0.55  # 4 % would be the error of each width alone
    few = list(rows("s", events(False, met[:, :, :20], truth[:, :20]), 20.0, 25))
    assert few[0][3:] == pytest.approx((math.nan, math.nan, math.nan, 20), nan_ok=True)


def importance(folder: Path, model, **skim: object) -> dict[tuple[str, str], dict[str, str]]:
    path = folder / "skim.parquet"
    toy_skim(path, 60, 5, **SMALL, **skim)
    outputs = Outputs(*(folder / name for name in ("w.csv", "i.csv", "d.json")))
    interpret([path], onnx_file.accept(model, "m.onnx"), settings(), 1, outputs)
    with open(outputs.importance, newline="") as handle:
        return {(row["feature"], row["quantity"]): row for row in csv.DictReader(handle)}


def test_a_feature_that_is_not_used_has_no_importance_and_one_that_is_has(tmp_path: Path) -> None:
    found = importance(tmp_path, linear_model(puppi=1.0))
    assert {quantity for _, quantity in found} == {"sigma_par", "sigma_perp"}
    for (feature, quantity), row in found.items():
        if feature == "puppi":
            assert float(row["err_low"]) > 0.05, quantity
        else:
            assert row["value"] == row["err_low"] == row["err_high"] == "0.0", feature


def test_the_network_is_not_unpinned_by_a_permuted_type(tmp_path: Path) -> None:
    found = importance(tmp_path, linear_model(1.0, pinned_pt=5.0))
    assert {row["value"] for row in found.values()} == {"0.0"}


def test_data_without_boson_have_weights_but_no_importance_and_no_display(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert importance(tmp_path, linear_model(0.5), process="wmunu", is_data=True) == {}
    assert "neither boson nor truth" in caplog.text
    assert "no true pTmiss" in caplog.text
    assert (tmp_path / "d.json").read_text() == '{"displays":[]}\n'
    assert "toy,deepmet,photon,all" in (tmp_path / "w.csv").read_text()
    assert "oracle" not in (tmp_path / "w.csv").read_text()
