"""Frozen TensorFlow graphs like those that CMSSW ships, imported as ONNX."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import tensorflow as tf

from models import LIMITS, candidates_of
from ptmiss.core.errors import UserError
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx.packing import tensors
from ptmiss.learn.settings.models import ModelLimits
from ptmiss.tasks.met.estimators.evaluate import Models, evaluate
from ptmiss.tasks.met.estimators.import_graph import convert, import_file, read
from ptmiss.tasks.met.estimators.network import NetworkEstimator
from ptmiss.tasks.met.estimators.padding import change_by_pads, check_pads
from ptmiss.tasks.met.features import TABLES, features
from ptmiss.tasks.met.settings.evaluate import EvaluateSettings
from toys import make_toy, toy_skim

COMMAND = Path(__file__).parents[2] / "scripts" / "import_graph.py"
SLOTS = 600
SMALL = {"pileup": 10.0, "per_collision": 20.0}
OUTPUT = "output/BiasAdd"

tf1 = tf.compat.v1


def frozen(
    slots: int = SLOTS,
    output: str = OUTPUT,
    mean: bool = False,
    by_place: bool = False,
    training: bool = False,
) -> tf1.GraphDef:
    """Return a DeepMET as CMSSW ships it: embeddings, dense layers, batch normalisation without a
    mask, and a sum over slots that gives every pad a constant.

    mean: not a sum over slots; by_place: slots are not alike; training: with
    the branches of batch normalisation for training, as Keras of TensorFlow 1 froze it.
    """
    rng = np.random.default_rng(3)

    def weights(*shape: int, scale: float = 0.4) -> tf.Tensor:
        return tf.constant(rng.normal(0, scale, shape).astype(np.float32))

    graph = tf.Graph()
    with graph.as_default():
        x = tf1.placeholder(tf.float32, [None, slots, 8], name="input")
        parts = [x]
        for k, rows in enumerate(TABLES):
            codes = tf1.placeholder(tf.float32, [None, slots, 1], name=f"input_cat{k}")
            parts.append(tf.gather(weights(rows, 4), tf.cast(codes[..., 0], tf.int32)))
        hidden = tf.concat(parts, axis=-1)
        for width, units in ((20, 16), (16, 8)):
            hidden = tf.tensordot(hidden, weights(width, units), [[2], [0]]) + weights(units)
            hidden = tf.reshape(hidden, [-1, slots, units])  # as Keras writes it
            mean_, variance = weights(units), tf.exp(weights(units))
            if training:
                phase = tf1.placeholder_with_default(False, [], name="keras_learning_phase")
                mean_, variance = tf1.cond(
                    phase,
                    lambda h=hidden: tf.nn.moments(h, [0, 1]),
                    lambda m=mean_, v=variance: (tf.identity(m), tf.identity(v)),
                )
            hidden = (tf.tanh(hidden) - mean_) * tf1.rsqrt(variance + 1e-3) + weights(units)
        both = tf.tensordot(hidden, weights(8, 3), [[2], [0]]) + weights(3, scale=0.01)
        if by_place:
            both *= weights(slots, 1, scale=1.0)
        terms = both[..., :1] * x[..., 6:8] + 0.001 * both[..., 1:]
        total = tf.reduce_mean(terms, axis=1) if mean else tf.reduce_sum(terms, axis=1)
        tf.nn.bias_add(tf.matmul(total, weights(2, 2)), weights(2), name=output)
    return graph.as_graph_def()


def run_graph(graph: tf1.GraphDef, feed: dict[str, np.ndarray]) -> np.ndarray:
    whole = tf.Graph()
    with whole.as_default():
        tf.graph_util.import_graph_def(graph, name="")
        with tf1.Session() as session:
            return session.run(f"{OUTPUT}:0", {f"{name}:0": x for name, x in feed.items()})


def estimator(model: onnx.ModelProto) -> NetworkEstimator:
    return NetworkEstimator(onnx_file.accept(model, "graph.onnx"), 1)


@pytest.mark.parametrize("slots", [SLOTS, 4500])
def test_an_imported_graph_gives_what_the_graph_gives_with_all_its_slots(slots: int) -> None:
    graph = frozen(slots)
    found = convert(graph, slots, None, "graph.pb")
    assert found.slots is None
    assert found.difference < 1e-3
    assert np.linalg.norm(found.pad) > 0.01  # so that a test without pads would not pass by chance
    network = estimator(found.proto)
    toy = make_toy(12, 5, **SMALL)
    candidates = candidates_of(toy)
    assert 100 < toy.counts.max() < SLOTS
    made = features(candidates, network.rules)
    codes = np.ascontiguousarray(made.categories.T, dtype=np.float32)
    expected = 50.0 * run_graph(graph, tensors(made, codes, np.arange(12), (12, slots)))
    result = network.estimate(candidates)  # batches as long as their longest event
    np.testing.assert_allclose(np.stack([result.px, result.py], axis=1), expected, atol=1e-3)
    check_pads("shipped", network)
    assert np.linalg.norm(change_by_pads(network, 3)) < 1e-3


def test_the_training_branch_of_a_graph_is_left_out() -> None:
    tf1.disable_control_flow_v2()
    try:
        graph = frozen(training=True)
    finally:
        tf1.enable_control_flow_v2()
    assert {"Switch", "Merge", "SquaredDifference"} <= {node.op for node in graph.node}
    found = convert(graph, SLOTS, None, "graph.pb")
    assert (found.slots, found.difference < 1e-3) == (None, True)
    plain = convert(frozen(), SLOTS, None, "graph.pb")
    assert len(found.proto.graph.node) <= len(plain.proto.graph.node) + 4
    for node in graph.node:
        if node.op == "PlaceholderWithDefault":
            node.input[0] = "input"
    with pytest.raises(UserError, match="cannot be converted"):
        convert(graph, SLOTS, None, "graph.pb")


def test_without_the_missing_pads_it_would_be_far_off_and_refused() -> None:
    found = convert(frozen(), SLOTS, None, "graph.pb")
    for node in found.proto.graph.node:
        if node.name == "" and node.op_type == "Mul" and node.output[0] == "pads/all":
            node.input[0] = "pads/none"
    found.proto.graph.initializer.append(
        onnx.numpy_helper.from_array(np.array(0, dtype=np.float32), "pads/none")
    )
    with pytest.raises(UserError, match=r"each pad .*evaluate\.external\.x: \{path: graph\.onnx"):
        check_pads("x", estimator(found.proto))


@pytest.mark.parametrize("kind", ["mean", "by_place"])
def test_a_graph_whose_pads_are_not_a_constant_each_keeps_its_slots(kind: str) -> None:
    graph = frozen(200, **{kind: True})
    found = convert(graph, 200, None, "graph.pb")
    assert found.slots == 200
    assert onnx_file.accept(found.proto, "graph.onnx").slots == 200
    assert found.difference < 1e-3


def test_an_output_of_another_name_is_found_or_asked_for() -> None:
    assert convert(frozen(100, output="met/out"), 100, None, "graph.pb").slots is None
    graph = frozen(100, output="met/out")
    graph.node.add(name="end", op="Identity", input=["input"]).attr["T"].type = 1
    with pytest.raises(UserError, match="give with --output one of met/out, end"):
        convert(graph, 100, None, "graph.pb")
    assert convert(graph, 100, "met/out", "graph.pb").difference < 1e-3


def more_slots(graph: tf1.GraphDef) -> None:
    del graph


def file_reader(graph: tf1.GraphDef) -> None:
    graph.node.add(name="evil", op="ReadFile", input=["input"])


def renamed(graph: tf1.GraphDef) -> None:
    for node in graph.node:
        node.name = node.name.replace("input_cat2", "input_cat9")
        node.input[:] = [name.replace("input_cat2", "input_cat9") for name in node.input]


def broken_edge(graph: tf1.GraphDef) -> None:
    graph.node[-1].input[0] = "nowhere"


@pytest.mark.parametrize(
    ("edit", "slots", "text"),
    [
        (more_slots, 90, r"fails on 90 slots .*the number of slots that it was made for"),
        (file_reader, 100, "'ReadFile'; only frozen graphs of plain arithmetic"),
        (renamed, 100, "its inputs are input, input_cat0, input_cat1, input_cat9"),
        (broken_edge, 100, "cannot be converted"),
    ],
)
def test_what_is_no_such_graph_is_one_line(
    tmp_path: Path, edit: Callable[[tf1.GraphDef], None], slots: int, text: str
) -> None:
    graph = frozen(100)
    edit(graph)
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.SerializeToString())
    with pytest.raises(UserError, match=text) as caught:
        import_file(path, slots, None, tmp_path / "graph.onnx")
    assert str(path) in str(caught.value)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["graph.pb"]


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x80\x04pickle", b"\xff" * 50])
def test_a_file_of_another_kind(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(content)
    with pytest.raises(UserError, match="graph"):
        read(path)
    with pytest.raises(UserError, match="is a folder, expected a regular file"):
        read(tmp_path)


def test_the_command_writes_a_file_that_evaluate_takes(tmp_path: Path) -> None:
    (tmp_path / "graph.pb").write_bytes(frozen().SerializeToString())
    out = tmp_path / "shipped.onnx"
    arguments = ["--graph", tmp_path / "graph.pb", "--onnx", out, "--slots", SLOTS]
    command = [sys.executable, COMMAND, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "missing pads are added" in done.stderr
    assert onnx_file.read(out).metadata["ptmiss.slots"] == str(SLOTS)
    assert Path(f"{out}.sha256").exists()
    toy_skim(tmp_path / "skim.parquet", n_events=4, **SMALL)
    settings = EvaluateSettings(
        estimators=("pf",), external={"shipped": str(out)}, limits=ModelLimits(**LIMITS)
    )
    models = Models(None, settings.external_paths(), 1)
    counts = evaluate(tmp_path / "skim.parquet", "t", settings, tmp_path / "out.parquet", models)
    assert counts == {"events": 4, "pf": 0, "shipped": 0}
