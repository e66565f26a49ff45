"""What must hold for every backbone with every head."""

from __future__ import annotations

import functools
import itertools
import json
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import tensorflow as tf

from network_toys import network, toy_features
from ptmiss.core.errors import UserError
from ptmiss.core.ragged import offsets_of
from ptmiss.learn.backbones import registry as backbones
from ptmiss.learn.backbones.base import Constituents
from ptmiss.learn.backbones.dense import Dense
from ptmiss.learn.export import build, interface
from ptmiss.learn.features import (
    Category,
    Column,
    EstimateColumn,
    FeatureLayout,
    Features,
    Target,
)
from ptmiss.learn.heads import registry as heads
from ptmiss.learn.network import Network, NetworkSpec, new_network
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx import parity
from ptmiss.learn.onnx.network import OnnxNetwork, estimate_columns
from ptmiss.learn.task import LearningTask
from ptmiss.tasks.met.estimators.network import NetworkEstimator
from ptmiss.tasks.met.learning import TASK

# Keras 3.15 converts variables in a way that numpy 2 announces to change
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NETWORKS = (
    {"kind": "deepmet", "units": (64, 32, 16), "embedding": 8},
    {"kind": "deepmet", "units": (12, 7), "embedding": 3},
    {"kind": "dense", "units": (16, 8), "activation": "relu"},
    {"kind": "neighbours", "units": (16, 8), "embedding": 3},
    {"kind": "attention", "units": (12, 8), "latents": 3, "size": 4},
    {"kind": "edgeconv", "units": (12, 8), "neighbours": 4, "blocks": 2},
)
HEADS = (
    {"kind": "vector_sum", "bias": "caption", "tune": "response"},
    {"kind": "vector_sum", "bias": "training_code", "tune": "response"},
    {"kind": "vector_sum", "bias": "shipped", "tune": "response"},
    {"kind": "vector_sum", "bias": "none", "tune": "response"},
    {"kind": "event", "tune": "response", "labels": 5.0, "units": (9, 7), "members": 2},
    {"kind": "regression", "targets": ("truth_px", "truth_py", "pinned_px"), "huber": 10.0},
)
DENSE = {"kind": "dense", "units": (8,), "activation": "tanh"}
RECORD = {"training": "toy", "weights_sha256": "0"}
PAIRS = [
    *itertools.product(NETWORKS[:3], HEADS),
    *itertools.product(NETWORKS[3:], (HEADS[0], HEADS[4])),
    (NETWORKS[3], HEADS[3]),
    (NETWORKS[4], HEADS[-1]),
]


def named(pair: tuple[dict, dict]) -> str:
    first, second = pair
    return "-".join(str(part) for part in (*first.values(), *second.values()))


@functools.cache
def pair_network(i: int) -> tuple[Network, OnnxNetwork]:
    """Give the networks of a pair; a conversion takes seconds."""
    model = network(network=PAIRS[i][0], head=PAIRS[i][1])
    return model, exported(model)


def exported(model: Network, task: LearningTask = TASK) -> OnnxNetwork:
    proto = build(model, task, RECORD)
    checked = onnx_file.accept(
        onnx.load_model_from_string(proto.SerializeToString()), "m", interface(model)
    )
    runner = OnnxNetwork(checked, 1, model.head.scale)
    runner.size = model.spec.layout.size_place
    return runner


def test_the_list_has_every_kind() -> None:
    assert {network["kind"] for network in NETWORKS} == set(backbones.KINDS)
    assert {head["kind"] for head in HEADS} == set(heads.KINDS)


@pytest.mark.parametrize("i", range(len(PAIRS)), ids=map(named, PAIRS))
def test_onnx_runtime_gives_what_keras_gives(i: int) -> None:
    (model, runner), events = pair_network(i), toy_features(20)

    def trained(x, codes, event, n):
        return model.flat(x, codes, event, n).numpy()

    worst = parity.compare(events, trained, runner, np.random.default_rng(1))
    assert set(worst) == {"keras", "batch", "padding", "permutation"}
    assert max(worst.values()) < 5e-4, worst
    assert np.abs(runner.values(events)[0]).max() > 0.1  # something to compare
    k = len(model.head.columns)
    constant = trained(np.zeros((0, 8), np.float32), np.zeros((0, 3), int), np.zeros(0, int), 1)
    for shape in ((2, 0), (0, 5), (0, 0)):
        feed = {name: np.zeros((*shape, n), np.float32) for name, n in onnx_file.INPUTS.items()}
        (found,) = runner.session.run([model.head.output_name], feed)
        assert found.shape == (shape[0], k)
        np.testing.assert_allclose(found, np.tile(constant, (shape[0], 1)), atol=1e-6)


@pytest.mark.parametrize("pair", PAIRS, ids=named)
def test_order_and_pads_change_nothing(pair: tuple[dict, dict]) -> None:
    model = network(network=pair[0], head=pair[1])
    events, rng = toy_features(10), np.random.default_rng(1)
    n = len(events.offsets) - 1

    def run(some: Features) -> np.ndarray:
        owner = np.repeat(np.arange(n), np.diff(some.offsets))
        return model.flat(some.continuous, some.categories, owner, n).numpy()

    expected = run(events)
    for changed in (parity.permuted(events, rng), parity.padded(events, rng)):
        np.testing.assert_allclose(run(changed), expected, atol=2e-5)


@pytest.mark.parametrize("i", [0, 3, len(PAIRS) - 1], ids=lambda i: named(PAIRS[i]))
def test_files_declare_their_columns_and_equal_networks_give_equal_bytes(i: int) -> None:
    model, runner = pair_network(i)
    checked = runner.model
    again = build(model, TASK, RECORD).SerializeToString(deterministic=True)
    assert checked.proto.SerializeToString(deterministic=True) == again
    columns, scale = estimate_columns(checked)
    assert columns == model.head.columns
    assert scale == 50.0
    assert {column.unit for column in columns} == {"GeV"}
    opset, ir = checked.opset, checked.proto.ir_version
    assert (opset, ir) in ((11, 6), (14, 7))  # old enough for ONNX Runtime 1.15 and before


def test_missing_momentum_is_read_from_models_that_give_it_only() -> None:
    model = network(head={"kind": "regression", "targets": ("truth_py",), "huber": 0.0})
    checked = exported(model).model
    with pytest.raises(UserError, match=r"its estimate is truth_py \(GeV\), which is no missing"):
        NetworkEstimator(checked, 1)


@pytest.mark.parametrize(
    "values",
    [
        "",
        "[]",
        '{"columns": [["px", "GeV"]], "scale": 50}',
        '{"columns": [["px", "GeV"], ["py", "GeV"]], "scale": 0}',
        '{"columns": [["px", 1], ["py", "GeV"]], "scale": 50}',
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(values: str) -> None:
    proto = build(network(), TASK, RECORD)
    for entry in proto.metadata_props:
        if entry.key == "ptmiss.estimate":
            entry.value = values
    with pytest.raises(UserError, match=r"metadata ptmiss\.estimate is not understood"):
        estimate_columns(onnx_file.accept(proto, "m"))


class AgainstTheMean(Dense):
    """Each constituent against the mean of its event: what wants slots."""

    packing = "bucketed"

    def numbers(self, constituents: Constituents, training: bool = False) -> tf.Tensor:
        own = super().numbers(constituents, training)
        slots = (-1, constituents.width, own.shape[1])
        counted = tf.reshape(constituents.counted, (-1, constituents.width, 1))
        sums = tf.reduce_sum(tf.reshape(own, slots) * counted, axis=1, keepdims=True)
        mean = sums / tf.maximum(tf.reduce_sum(counted, axis=1, keepdims=True), 1.0)
        return tf.reshape(tf.reshape(own, slots) - 0.5 * mean, (-1, own.shape[1]))


@pytest.mark.parametrize("head", [HEADS[0], HEADS[-1]], ids=lambda head: head["kind"])
def test_what_compares_constituents_of_an_event_gets_slots(
    head: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(backbones.KINDS, "dense", AgainstTheMean)
    model, events = network(network=DENSE, head=head), toy_features(12)
    runner = exported(model)
    worst = parity.compare(
        events, lambda *a: model.flat(*a).numpy(), runner, np.random.default_rng(1)
    )
    assert set(worst) == {"keras", "batch", "padding", "permutation"}
    assert max(worst.values()) < 5e-4, worst
    none = np.zeros((0, 8), np.float32), np.zeros((0, 3), np.int32), np.zeros(0, np.int32)
    assert model.flat(*none, 2).shape == (2, len(model.head.columns))
    assert model.flat(*none, 0).shape == (0, len(model.head.columns))


ROWS = FeatureLayout(
    continuous=(Column(name="a", unit="GeV", scale=10.0), Column(name="b", unit="")),
    categories=(),
)


def rows_network(layout: FeatureLayout = ROWS, kind: dict = DENSE) -> Network:
    spec = NetworkSpec(
        network=kind,
        head={"kind": "regression", "targets": ("y",), "huber": 0.0},
        transform="faithful",
        layout=layout,
        targets=(Target(name="y", unit="GeV", scale=2.0),),
        details={},
    )
    return new_network(spec, 1)


@pytest.mark.parametrize("categories", [(), (Category(name="c", known=(0, 1), rows=3),)])
def test_rows_of_fixed_features_are_events_of_one_constituent(categories: tuple) -> None:
    model = rows_network(ROWS.model_copy(update={"categories": categories}))
    rng = np.random.default_rng(1)
    x = rng.normal(size=(30, 2)).astype(np.float32)
    x[3] = 0.0  # a row of zeros is a row
    codes = rng.integers(0, 3, (30, len(categories))).astype(np.int32)
    events = Features(offsets_of(np.ones(30, int)), x, codes, {})
    runner = exported(model, SimpleNamespace(description="rows", metadata=lambda *_: {}))
    assert [value.name for value in runner.model.proto.graph.input] == [
        "input", *["input_cat0"] * len(categories),
    ]  # fmt: skip
    worst = parity.compare(
        events, lambda *a: model.flat(*a).numpy(), runner, np.random.default_rng(1)
    )
    assert set(worst) == {"keras", "batch"}
    assert max(worst.values()) < 1e-5
    assert estimate_columns(runner.model) == ((EstimateColumn(name="y", unit="GeV"),), 2.0)
    about = json.loads(runner.model.metadata["ptmiss.network"])
    assert (about["kind"], about["head"]) == ("dense", "regression")


def test_slots_that_are_not_used_have_no_part_in_the_statistics_of_a_batch() -> None:
    """Nothing in a row of fixed features tells an empty slot: its event does."""
    x = np.random.default_rng(1).normal(size=(6, len(ROWS.continuous))).astype(np.float32)
    codes = np.zeros((6, len(ROWS.categories)), np.int32)
    means = []
    for empty in (0, 50):
        model = rows_network(ROWS, NETWORKS[1])
        event = np.concatenate([np.arange(6), np.full(empty, 6)]).astype(np.int32)
        padded = (np.concatenate([part, np.zeros((empty, part.shape[1]), part.dtype)])
                  for part in (x, codes))  # fmt: skip
        model.flat(*map(tf.constant, padded), event, 7, training=True)
        means.append(model.backbone.means[0].numpy())
    assert np.abs(means[0]).max() > 1e-3
    np.testing.assert_allclose(means[1], means[0], rtol=1e-5)


def test_a_regression_takes_targets_that_exist_and_have_one_scale() -> None:
    head = {"kind": "regression", "targets": ("z",), "huber": 0.0}
    with pytest.raises(UserError, match=r"head\.targets is 'z', allowed: pinned_px"):
        network(head=head)
