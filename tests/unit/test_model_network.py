from __future__ import annotations

import json
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from network_toys import FORMS, spec
from ptmiss.core.errors import UserError
from ptmiss.learn import masks
from ptmiss.learn.heads.vector_sum import BIAS_SCALE
from ptmiss.learn.network import new_network, weights_of
from ptmiss.learn.training.storage import load_model, save_model
from ptmiss.tasks.met import features as ft

# Keras 3.15 converts variables in a way that numpy 2 announces to change
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RULES = ft.FeatureRules(100.0, unknown_codes=True, use_puppi=True)
TOLERANCE = 1e-3 / ft.SCALE  # 1e-3 GeV


def make(bias="caption", transform="log", pinned_pt=10.0, seed=3):
    model = new_network(spec(bias, transform, pinned_pt, RULES), seed)
    rng = np.random.default_rng(seed)
    for variable in model.variables:  # statistics, gains and biases away from 0 and 1
        value = variable.numpy() + rng.normal(0, 0.1, variable.shape)
        positive = "variance" in variable.name
        variable.assign((np.abs(value) if positive else value).astype(np.float32))
    return model


def events(n_events=3, n=40, seed=1):
    """Padded random events: continuous (n_events, n, 8), categories (n_events, n, 3)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (n_events, n, 8)).astype(np.float32)
    pt, phi = rng.exponential(0.05, (n_events, n)), rng.uniform(-np.pi, np.pi, (n_events, n))
    x[..., ft.PT], x[..., ft.PX], x[..., ft.PY] = pt, pt * np.cos(phi), pt * np.sin(phi)
    codes = np.stack([rng.integers(0, rows, (n_events, n)) for rows in (4, 12, 5)], axis=-1)
    return x, codes.astype(np.int32)


def reference(weights, bias, x, codes):
    """The network in plain numpy, float64, one event after the other."""
    result = []
    for features, categories in zip(x.astype(np.float64), codes, strict=True):
        h = features
        if "is_log" in weights:
            log = np.sign(h) * np.log(1 + np.abs(h) * weights["inverse_scale"])
            h = np.where(weights["is_log"] > 0, log, h) * weights["gain"]
        tables = [weights[f"embedding{i}"][categories[:, i]] for i in range(3)]
        h = np.concatenate([h, *tables], axis=1)
        for i in range(3):
            h = np.tanh(h @ weights[f"kernel{i}"] + weights[f"bias{i}"])
            h = (h - weights[f"mean{i}"]) / np.sqrt(weights[f"variance{i}"] + 1e-3)
            h = h * weights[f"gamma{i}"] + weights[f"beta{i}"]
        out = h @ weights["kernel_out"] + weights["bias_out"]
        w, b, p = out[:, :1], out[:, 1:], features[:, 6:]
        pinned = ft.is_pinned(features.astype(np.float32), categories, 10.0)
        free = (features[:, ft.PT] != 0) & ~pinned
        if bias == "caption":
            met = -(w * p + b)[free].sum(0)
        elif bias == "training_code":
            met = ((w - 1) * (p + b))[free].sum(0)
        else:
            sums = ((w - 1) * np.concatenate([b, p], axis=1))[free].sum(0)
            met = sums @ weights["sum_kernel"] + weights["sum_bias"]
        result.append(met - p[pinned].sum(0))
    return np.array(result)


@pytest.mark.parametrize("bias", FORMS)
@pytest.mark.parametrize("transform", ["faithful", "log"])
def test_equals_the_textbook_network(bias, transform):
    model = make(bias, transform)
    x, codes = events()
    x[:, -5:, ft.PT] = 0.0
    expected = reference(weights_of(model), bias, x, codes)
    np.testing.assert_allclose(model((x, codes)).numpy(), expected, rtol=1e-4, atol=1e-4)


def test_training_mode_equals_keras_layers():
    model = make("caption", "faithful", pinned_pt=1e9)
    x, codes = events()
    w = weights_of(model)
    parts = [x.reshape(-1, 8)]
    for i in range(3):
        table = keras.layers.Embedding(len(w[f"embedding{i}"]), 8)
        table.build()
        table.set_weights([w[f"embedding{i}"]])
        parts.append(table(codes[..., i].reshape(-1)))
    h = tf.concat(parts, axis=1)
    norms = []
    for i in range(3):
        dense = keras.layers.Dense(len(w[f"bias{i}"]), activation="tanh")
        dense.build(h.shape)
        dense.set_weights([w[f"kernel{i}"], w[f"bias{i}"]])
        norm = keras.layers.BatchNormalization(momentum=0.95, epsilon=1e-3)
        norm.build((None, len(w[f"bias{i}"])))
        norm.set_weights([w[f"{name}{i}"] for name in ("gamma", "beta", "mean", "variance")])
        h = norm(dense(h), training=True)
        norms.append(norm)
    out = h @ w["kernel_out"] + w["bias_out"]
    expected = -tf.reduce_sum(
        tf.reshape(out[:, :1] * x.reshape(-1, 8)[:, 6:] + out[:, 1:], (3, 40, 2)), axis=1
    )
    found = model((x, codes), training=True)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    after = weights_of(model)
    for i, norm in enumerate(norms):
        np.testing.assert_allclose(after[f"mean{i}"], norm.moving_mean, atol=1e-5)
        np.testing.assert_allclose(after[f"variance{i}"], norm.moving_variance, atol=1e-5)


def test_flat_and_padded_events_agree():
    model = make()
    x, codes = events()
    x[1, 25:, ft.PT] = 0.0
    padded = model((x, codes)).numpy()
    kept = x[..., ft.PT].reshape(-1) != 0
    owner = np.repeat(np.arange(3), 40)[kept].astype(np.int32)
    flat = model.flat(x.reshape(-1, 8)[kept], codes.reshape(-1, 3)[kept], owner, 3).numpy()
    np.testing.assert_allclose(flat, padded, atol=TOLERANCE)


@pytest.mark.parametrize("bias", FORMS)
def test_pads_are_exactly_neutral(bias):
    model = make(bias)
    x, codes = events()
    junk_x, junk_codes = events(seed=9)
    junk_x[..., ft.PT] = 0.0
    junk_x[0, 0, :4] = np.nan  # whatever stands in an unused slot
    more = model((np.concatenate([x, junk_x], 1), np.concatenate([codes, junk_codes], 1)))
    zeros = np.zeros_like(x), np.zeros_like(codes)
    padded = model((np.concatenate([x, zeros[0]], 1), np.concatenate([codes, zeros[1]], 1)))
    assert np.array_equal(more.numpy(), padded.numpy())
    np.testing.assert_allclose(padded, model((x, codes)), atol=TOLERANCE)
    nothing = model(zeros).numpy()
    expected = weights_of(model).get("sum_bias", np.zeros(2))
    assert np.array_equal(nothing, np.tile(expected, (3, 1)))


def test_pads_do_not_enter_the_batch_statistics():
    x, codes = events()
    zeros = np.zeros_like(x), np.zeros_like(codes)
    plain, padded = make(), make()
    plain((x, codes), training=True)
    padded((np.concatenate([x, zeros[0]], 1), np.concatenate([codes, zeros[1]], 1)), training=True)
    for name, values in weights_of(plain).items():
        np.testing.assert_allclose(weights_of(padded)[name], values, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("bias", FORMS)
def test_order_of_candidates_does_not_matter(bias):
    model = make(bias)
    x, codes = events()
    mixed = np.random.default_rng(0).permutation(40)
    np.testing.assert_allclose(
        model((x[:, mixed], codes[:, mixed])), model((x, codes)), atol=TOLERANCE
    )


@pytest.mark.parametrize("bias", FORMS)
def test_prompt_leptons_have_exactly_weight_one(bias):
    model = make(bias)
    x, codes = np.zeros((1, 3, 8), np.float32), np.zeros((1, 3, 3), np.int32)
    # two hard prompt muons and a pad; powers of two, so that the sum is exact
    x[0, 0, 4:] = [1.25, 1.0, 0.75, 1.0]
    x[0, 1, 4:] = [0.5, 0.0, -0.5, 0.0]
    codes[0, :2] = [[2, 1, 3], [0, 7, 2]]
    offset = weights_of(model).get("sum_bias", np.zeros(2, np.float32))
    assert np.array_equal(model((x, codes)).numpy()[0] - offset, np.float32([-0.25, -1.0]))
    x[0, 1, ft.PT] = 0.2  # 10 GeV is not above the threshold
    assert not np.array_equal(model((x, codes)).numpy()[0] - offset, np.float32([-0.25, -1.0]))


def test_pinning_follows_the_rule_of_the_features():
    model = make()
    x, codes = events(20, 50, seed=4)
    x[..., ft.PT] *= 4
    flat_x, flat_codes = x.reshape(-1, 8), codes.reshape(-1, 3)
    expected = ft.is_pinned(flat_x, flat_codes, 10.0)
    assert 10 < expected.sum() < 500
    assert np.array_equal(masks.pinned(flat_x, flat_codes, model.spec.layout).numpy(), expected)


@pytest.mark.parametrize("bias", ["caption", "training_code"])
def test_an_untrained_network_is_near_pf(bias):
    model = new_network(spec(bias), 1)
    model.backbone.kernels[-1].assign(np.zeros((16, 3), np.float32))
    x, codes = events()
    np.testing.assert_allclose(model((x, codes)), -x[..., 6:].sum(1), atol=1e-5)


def test_bias_scale_is_part_of_the_exported_weights():
    model = make("caption", "log")
    raw = model.backbone.kernels[-1].numpy()
    np.testing.assert_allclose(
        weights_of(model)["kernel_out"], raw * [1, BIAS_SCALE["log"], BIAS_SCALE["log"]], rtol=1e-6
    )


def test_faithful_network_has_the_published_size():
    rules = ft.FeatureRules(100.0, unknown_codes=False, use_puppi=True)
    model = new_network(spec("shipped", "faithful", 10.0, rules), 1)
    assert model.count_params() == 5373  # of which 224 are batch statistics
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == 5149


def test_equal_seeds_give_equal_networks():
    parts = spec("shipped")
    first, again, other = (weights_of(new_network(parts, seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["kernel0"], other["kernel0"])


@pytest.mark.parametrize("bias", FORMS)
def test_saved_networks_come_back_and_equal_ones_give_equal_files(bias, tmp_path):
    model = make(bias)
    save_model(model, tmp_path / "model.keras")
    save_model(model, tmp_path / "again.keras")
    assert (tmp_path / "model.keras").read_bytes() == (tmp_path / "again.keras").read_bytes()
    back = load_model(tmp_path / "model.keras")
    assert back.spec == model.spec
    found, expected = weights_of(back), weights_of(model)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    keras_own = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    x, codes = events()
    assert np.array_equal(keras_own((x, codes)), model((x, codes)))


def test_foreign_model_files_are_refused_in_one_line(tmp_path):
    path = tmp_path / "model.keras"
    save_model(make(), path)

    def rewrite(**changes):
        with zipfile.ZipFile(path) as file:
            content = {name: file.read(name) for name in file.namelist()}
        content.update({name.replace("_", "."): data for name, data in changes.items()})
        other = tmp_path / "other.keras"
        with zipfile.ZipFile(other, "w") as file:
            for name, data in content.items():
                file.writestr(name, data)
        return other

    config = {"registered_name": "Lambda", "class_name": "Lambda"}
    foreign = rewrite(config_json=json.dumps(config).encode())
    with pytest.raises(UserError, match=r"holds 'Lambda', expected 'ptmiss>Network'"):
        load_model(foreign)
    (tmp_path / "text.keras").write_text("no archive")
    with pytest.raises(UserError, match="not a network of this project"):
        load_model(tmp_path / "text.keras")
    with pytest.raises(UserError, match="run the stage train"):
        load_model(tmp_path / "none.keras")
    evil = {"spec": {**make().spec.model_dump(mode="json"), "transform": "evil"}}
    odd = rewrite(
        config_json=json.dumps({"registered_name": "ptmiss>Network", "config": evil}).encode()
    )
    with pytest.raises(UserError, match="damaged or of another version"):
        load_model(odd)
