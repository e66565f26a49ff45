"""The rescaled network: exact factors, from the folds that the training saw and from no other."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import performance_toys as toys
from ptmiss.core.settings.base import from_mapping
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.tasks.met.performance.names import RESCALED
from ptmiss.tasks.met.performance.rescaling import Rescaling, extended, fit
from ptmiss.tasks.met.performance.stream import sources

FOLDS = from_mapping(
    FoldSettings,
    {"train": [0, 1, 2, 3, 4], "validation": [5], "test": [6, 7, 8, 9]},
    "folds",
)
SEEN, TEST = (0, 1, 2, 3, 4, 5), (6, 7, 8, 9)


def columns(measured, true, phi=0.0, kind="dilepton", n=None, seed=1):
    """Events whose network measures the recoil `measured` where `true` is right, GeV, along phi."""
    made = toys.toy(n or len(measured), seed, kind, {"pf": (0.9, 20.0), "deepmet": (1.0, 1.0)})
    axis = np.array([[np.cos(phi)], [np.sin(phi)]])
    made["boson_px"], made["boson_py"] = -np.asarray(true) * axis
    unseen = np.array([made["gen_met_px"], made["gen_met_py"]])
    u = np.asarray(measured) * axis
    visible = np.array([made["boson_px"], made["boson_py"]]) - unseen
    made["deepmet_px"], made["deepmet_py"] = -(u + visible)
    return made


def fitted(tmp_path, made, learnt=("zmumu",), **metadata):
    path = toys.write(tmp_path / "a.parquet", made, **metadata)
    return fit(sources([path], ()), learnt, FOLDS)


def in_folds(made, folds):
    made["fold"] = np.resize(np.array(folds, dtype=np.uint8), made["fold"].size)
    return made


def test_the_factor_is_exact_and_linear_between_the_bins(tmp_path):
    size = np.repeat([10.0, 100.0], 200)
    made = in_folds(columns(size, np.where(size < 50.0, 5.0, 100.0)), SEEN)
    found = fitted(tmp_path, made)
    assert found.size == pytest.approx([10.0, 100.0], abs=1e-4)
    assert found.factor == pytest.approx([0.5, 1.0], abs=1e-6)
    probe = toys.chunk(columns([55.0, 1.0, 300.0], [40.0, 40.0, 40.0]))
    one = found.extend(probe, ("pf", "deepmet"))
    assert one.met.shape == (3, 2, 3)
    np.testing.assert_array_equal(one.met[:2], probe.met)
    u = -(one.met[2] + probe.boson)
    np.testing.assert_allclose(u, [[0.75 * 55.0, 0.5, 300.0], [0.0, 0.0, 0.0]], atol=1e-4)


def test_the_factor_minimises_the_squared_error_of_signed_events(tmp_path):
    """20 GeV measured; three times 20 GeV is true, and 10 GeV against it once with weight below 0.

    (3 * 20 - 1 * -10) / (2 * 20), whatever the sizes of the weights are.
    """
    made = in_folds(columns(np.full(400, 20.0), np.tile([20.0, 20.0, 20.0, -10.0], 100)), [0])
    made["weight"] = np.tile([0.5, 90.0, 3.0, -7.0], 100)
    np.testing.assert_allclose(fitted(tmp_path, made).factor, 70.0 / 40.0, rtol=1e-6)


def test_a_rescaling_does_not_turn_the_recoil(tmp_path):
    made = in_folds(columns(np.full(100, 20.0), np.full(100, -20.0)), SEEN)
    assert not fitted(tmp_path, made).factor.any()


def test_the_neutrino_of_a_w_is_no_recoil(tmp_path):
    made = in_folds(columns(np.full(100, 20.0), np.full(100, 30.0), kind="w"), SEEN)
    found = fitted(tmp_path, made, selection="wmunu")
    np.testing.assert_allclose(found.factor, 1.5, rtol=1e-6)
    probe = toys.chunk(made, kind="w")
    met = found.extend(probe, ("pf", "deepmet")).met[2]
    np.testing.assert_allclose(met, probe.true_met, atol=1e-3)


def test_only_folds_that_the_training_saw_count(tmp_path):
    made = columns(np.full(1000, 20.0), np.full(1000, 10.0))
    test = np.isin(made["fold"], TEST)
    assert 0 < test.sum() < 1000
    for axis in "xy":
        made[f"deepmet_p{axis}"][test] = 1e4
    np.testing.assert_allclose(fitted(tmp_path, made).factor, 0.5, rtol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"learnt": ("ttbar",)},
        {"learnt": ()},
        {"is_data": "true"},
        {"variation": "jes_up"},
        {"made": in_folds(columns(np.full(300, 20.0), np.full(300, 10.0)), TEST)},
        {"made": in_folds(columns(np.full(49, 20.0), np.full(49, 10.0)), SEEN)},
        {"made": in_folds(toys.toy(300, kind="none", estimators={"deepmet": (1.0, 9.0)}), SEEN)},
        {"made": in_folds(toys.toy(300), SEEN)},
    ],
    ids=["other", "none", "data", "varied", "test folds", "few", "no boson", "no network"],
)
def test_there_is_none_without_events_to_derive_it_from(tmp_path, change):
    made = in_folds(columns(np.full(300, 20.0), np.full(300, 10.0)), SEEN)
    assert fitted(tmp_path, made) is not None
    assert fitted(tmp_path, **{"made": made, **change}) is None


def test_each_sample_counts_the_same_whatever_its_weights(tmp_path):
    heavy = in_folds(columns(np.full(200, 20.0), np.full(200, 20.0)), SEEN)
    heavy["weight"] = np.full(200, 1000.0)
    light = in_folds(columns(np.full(100, 20.0), np.zeros(100), seed=2), SEEN)
    paths = [
        toys.write(tmp_path / "h.parquet", heavy, sample="heavy"),
        toys.write(tmp_path / "l.parquet", light, sample="light"),
    ]
    found = fit(sources(paths, ()), ("heavy", "light"), FOLDS)
    np.testing.assert_allclose(found.factor, 0.5, rtol=1e-6)


def test_it_turns_with_the_event_and_masks_what_is_not_finite():
    factor = Rescaling(np.array([10.0, 100.0]), np.array([0.5, 1.0]))
    chunk = toys.chunk(columns(np.linspace(0.0, 200.0, 50), np.full(50, 60.0), phi=0.3))
    chunk.met[1, :, 7] = np.nan
    c, s = np.cos(1.1), np.sin(1.1)
    turn = np.array([[c, -s], [s, c]])
    turned = dataclasses.replace(chunk, boson=turn @ chunk.boson, met=turn @ chunk.met)
    one = factor.extend(chunk, ("pf", "deepmet")).met[2]
    np.testing.assert_allclose(
        factor.extend(turned, ("pf", "deepmet")).met[2], turn @ one, atol=1e-9
    )
    assert np.isnan(one[:, 7]).all()
    assert np.isfinite(np.delete(one, 7, axis=1)).all()


def test_an_extended_source_is_that_of_its_files_and_one_estimator_more(tmp_path):
    made = columns(np.full(300, 20.0), np.full(300, 10.0))
    (plain,) = sources([toys.write(tmp_path / "a.parquet", made)], ())
    one = extended(plain, Rescaling(np.array([20.0]), np.array([0.5])))
    assert one.estimators == ("pf", "deepmet", RESCALED)
    assert (one.name, one.files, len(one.repeats.dropped)) == ("zmumu", plain.files, 0)
    mine, its = (np.concatenate([c.met for c in s.chunks(TEST, 11)], axis=-1) for s in (one, plain))
    np.testing.assert_array_equal(mine[:2], its)
    assert extended(plain, None) is plain
    (other,) = sources([toys.write(tmp_path / "b.parquet", toys.toy(50))], ())
    assert extended(other, Rescaling(np.array([20.0]), np.array([0.5]))) is other
