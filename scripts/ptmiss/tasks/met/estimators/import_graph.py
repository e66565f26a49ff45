"""A frozen TensorFlow graph (GraphDef), as CMSSW ships its DeepMETs, as an ONNX file.

Such a graph was trained with a fixed number of slots, 4500, and gives every slot a constant through
its biases and batch normalisation, pad or not. Run on fewer slots, n, it lacks (4500 - n) c, with c
the constant of one pad. That term is added here, so that the file gives what the graph gives with
all its slots and takes the time of as many slots as there are candidates. Whether pads contribute a
constant is not assumed: graph and file are compared, and a graph that is otherwise keeps its slots.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from google.protobuf.message import DecodeError
from onnx import helper, numpy_helper

from ptmiss.core.errors import UserError
from ptmiss.core.io import atomic, manifest
from ptmiss.core.paths import PathLike
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx import runtime
from ptmiss.learn.onnx.check import reason_of
from ptmiss.learn.onnx.convert import quiet
from ptmiss.learn.onnx.file import INPUTS, OUTPUT
from ptmiss.learn.onnx.learning_phase import without_training
from ptmiss.tasks.met import features as ft

OPSET = 15
"""Read by ONNX Runtime 1.10 and later."""

LIMIT, RELATIVE = 1e-3, 1e-6
"""GeV, and part of the scalar sum of pT, by which graph and file may differ: the graph's own sums
of thousands of slots in float32 are not better."""

EVENTS, SEED = 24, 20
"""Made-up events on which they are compared."""

MAX_BYTES = 256 << 20

_ARITHMETIC = """
Abs Add AddN AddV2 ArgMax BatchMatMul BatchMatMulV2 BiasAdd Cast ClipByValue Concat ConcatV2 Const
Conv2D Einsum Elu Equal Exp ExpandDims Fill FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Gather
GatherNd GatherV2 Greater GreaterEqual Identity IdentityN LeakyRelu Less LessEqual Log Log1p
LogicalAnd LogicalNot LogicalOr MatMul Max Maximum Mean Merge Min Minimum Mul Neg NoOp NotEqual
OneHot OnesLike Pack Pad Placeholder PlaceholderWithDefault Pow Prod Range RealDiv Reciprocal Relu
Relu6 Reshape Rsqrt Select SelectV2 Selu Shape Sigmoid Sign Slice Softmax Softplus Split SplitV Sqrt
Square SquaredDifference Squeeze StopGradient StridedSlice Sub Sum Switch Tanh Tile Transpose Unpack
ZerosLike
"""
OPERATORS = frozenset(_ARITHMETIC.split())
"""What a graph may consist of: arithmetic. A graph is a program, and TensorFlow has operators that
read and write files."""

Feed = dict[str, np.ndarray]
Run = Callable[[Feed], np.ndarray]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Imported:
    """An imported graph. difference: largest, of px and py, GeV; slots: that it still needs, None
    for any number; pad: what each pad contributes, GeV (2,)."""

    proto: onnx.ModelProto
    difference: float
    slots: int | None
    pad: tuple[float, float]


def import_graph(graph: PathLike, onnx: Path, slots: int, output: str | None) -> None:
    """Convert a frozen graph and say how near it comes; the stage import_graph."""
    if not 1 <= slots <= 100_000:
        raise UserError(f"--slots: found {slots}, allowed 1 to 100000")
    imported = import_file(graph, slots, output, onnx)
    _LOG.info("%s: within %.2g GeV of the graph", onnx, imported.difference)
    if imported.slots is None:
        _LOG.info("each pad contributes (%.4g, %.4g) GeV; missing pads are added", *imported.pad)
    else:
        _LOG.warning("%s: needs all its %d slots, so it runs slowly", onnx, imported.slots)


def import_file(graph: PathLike, slots: int, output: str | None, onnx_path: Path) -> Imported:
    """Convert a frozen graph and write it as an ONNX file, with its sum.

    slots: that the graph was made for; output: name of the output node, None finds it. Raises
    `UserError`, and writes nothing, for a file that is not such a graph, and if the two differ.
    """
    imported = convert(read(graph), slots, output, os.fspath(graph))
    helper.set_model_props(
        imported.proto,
        {"ptmiss.graph_sha256": manifest.sha256_of(graph), "ptmiss.slots": str(slots)},
    )
    with atomic.replacing(onnx_path) as path:
        path.write_bytes(imported.proto.SerializeToString(deterministic=True))
    return imported


def read(path: PathLike) -> tf.compat.v1.GraphDef:
    """Return a graph from a file; raises `UserError` for anything else and for unsafe operators."""
    give = "give a frozen TensorFlow graph (.pb)"
    content = manifest.read_bytes(path, MAX_BYTES, give, give)
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(content)
    except (DecodeError, RuntimeError):
        raise UserError(f"{path}: not a TensorFlow graph (GraphDef, .pb)") from None
    if not graph.node:
        raise UserError(f"{path}: a graph without operators")
    unknown = sorted({node.op for node in graph.node} - OPERATORS)
    if unknown or graph.library.function:
        what = ", ".join(map(repr, unknown[:5])) or "functions of its own"
        raise UserError(f"{path}: has {what}; only frozen graphs of plain arithmetic are imported")
    return graph


def convert(graph: tf.compat.v1.GraphDef, slots: int, output: str | None, path: str) -> Imported:
    """Return the ONNX model of a graph, with the pads that it misses; see `import_file`."""
    output = _output(graph, output, path)
    try:
        reference = _tensorflow(graph, output)
        graph = without_training(graph, output)
        fixed = _onnx(graph, output, slots)
    except Exception as error:  # of TensorFlow and the converter, with no common class
        raise UserError(f"{path}: cannot be converted: {reason_of(error)}") from None
    full = [_event(size, slots) for size in _sizes(slots)]
    try:
        expected = np.concatenate([reference(feed) for feed in full])
    except Exception as error:
        raise UserError(
            f"{path}: fails on {slots} slots with CMSSW's features: {reason_of(error)}; give the"
            " number of slots that it was made for, and categories in the order charge, pdgId,"
            " fromPV"
        ) from None
    if expected.shape != (EVENTS, 2) or not np.all(np.isfinite(expected)):
        raise UserError(
            f"{path}: {output} gives no two finite numbers an event, so it is no DeepMET"
        )
    free, pad = _free(graph, output, slots, path)
    if free is not None:
        difference, excess = _difference(free, path, expected, slots, None)
        if excess <= 0.0:
            return Imported(free, difference, None, tuple(pad.tolist()))
        _LOG.info("%s: with other numbers of slots it differs by %.3g GeV", path, difference)
    difference, excess = _difference(fixed, path, expected, slots, slots)
    if excess <= 0.0:
        return Imported(fixed, difference, slots, (np.nan, np.nan))
    raise UserError(
        f"{path}: the ONNX file would differ from the graph by {difference:.3g} GeV, about"
        f" {LIMIT:g} are accepted; is it of another kind than a DeepMET?"
    )


def _free(
    graph: tf.compat.v1.GraphDef, output: str, slots: int, path: str
) -> tuple[onnx.ModelProto | None, np.ndarray]:
    """Return a model of any number of slots, None if there is none, and what a pad contributes."""
    try:
        plain = _onnx(with_any_slots(graph, slots), output, None)
        pad = _pad(plain, slots, path)
    except Exception as error:  # of the converter and of the runtime
        _LOG.info("%s: only with its own number of slots (%s)", path, reason_of(error))
        return None, np.full(2, np.nan)
    return with_missing_pads(plain, slots, pad / ft.SCALE), pad


def with_any_slots(graph: tf.compat.v1.GraphDef, slots: int) -> tf.compat.v1.GraphDef:
    """Return the graph with its number of slots taken from its input wherever shapes hold it.

    Keras writes the shape (-1, slots, units) behind every dense layer as a constant. Which integers
    mean slots is guessed here; whether the guess is right shows when the results are compared.
    """
    out = tf.compat.v1.GraphDef()
    out.CopyFrom(graph)
    for node in list(out.node):
        if node.op != "Const":
            continue
        values = tf.make_ndarray(node.attr["value"].tensor)
        if values.dtype.kind != "i" or values.ndim > 1 or slots not in values:
            continue
        kind = node.attr["dtype"].type
        given = _slots_of_input(out, kind)
        if values.ndim == 0:
            _replace(node, "Identity", [given], kind)
            continue
        parts = []
        for i, value in enumerate(values):
            name = given
            if value != slots:
                name = f"{node.name}/{i}"
                constant = out.node.add(name=name, op="Const")
                constant.attr["dtype"].type = kind
                constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, dtype=kind))
            parts.append(name)
        _replace(node, "Pack", parts, kind)
        node.attr["N"].i = len(parts)
        node.attr["axis"].i = 0
    return out


def _replace(node: tf.compat.v1.NodeDef, op: str, inputs: list[str], kind: int) -> None:
    node.op = op
    node.input[:] = inputs
    node.attr.clear()
    node.attr["T"].type = kind


def _slots_of_input(graph: tf.compat.v1.GraphDef, kind: int) -> str:
    """Return the name of the node that holds the number of slots of the input; adds it once."""
    name = f"pads/slots_of_input/{kind}"
    if any(node.name == name for node in graph.node):
        return name
    unit, number = "pads/one", "pads/input/shape"
    shape = graph.node.add(name=f"{number}/{kind}", op="Shape", input=["input"])
    shape.attr["T"].type = tf.float32.as_datatype_enum
    shape.attr["out_type"].type = kind
    for label, value in ((f"{unit}/{kind}", 1), (f"pads/first/{kind}", 0)):
        node = graph.node.add(name=label, op="Const")
        node.attr["dtype"].type = tf.int32.as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, dtype=tf.int32))
    gather = graph.node.add(
        name=name, op="GatherV2", input=[shape.name, f"{unit}/{kind}", f"pads/first/{kind}"]
    )
    gather.attr["Tparams"].type = kind
    gather.attr["Tindices"].type = gather.attr["Taxis"].type = tf.int32.as_datatype_enum
    gather.attr["batch_dims"].i = 0
    return name


def _pad(plain: onnx.ModelProto, slots: int, path: str) -> np.ndarray:
    """Return what each pad contributes, GeV (2,), float64."""
    run = _runtime(plain, path)
    all_pads, one_pad = (run(_event(0, n))[0].astype(np.float64) for n in (slots, 1))
    return np.asarray(ft.SCALE * (all_pads - one_pad) / max(slots - 1, 1))


def with_missing_pads(plain: onnx.ModelProto, slots: int, pad: np.ndarray) -> onnx.ModelProto:
    """Return the model with (slots - N) pad added to its output, N being the slots it is given."""
    model = onnx.ModelProto()
    model.CopyFrom(plain)
    graph, seen = model.graph, "pads/seen"
    for node in graph.node:
        node.output[:] = [seen if name == OUTPUT else name for name in node.output]
        node.input[:] = [seen if name == OUTPUT else name for name in node.input]
    constants = [
        numpy_helper.from_array(np.array(1, dtype=np.int64), "pads/axis"),
        numpy_helper.from_array(np.array(slots, dtype=np.int64), "pads/slots"),
        numpy_helper.from_array(pad.astype(np.float32)[np.newaxis], "pads/each"),
    ]
    graph.initializer.extend(constants)
    nodes = [
        helper.make_node("Shape", ["input"], ["pads/shape"]),
        helper.make_node("Gather", ["pads/shape", "pads/axis"], ["pads/given"], axis=0),
        helper.make_node("Sub", ["pads/slots", "pads/given"], ["pads/missing"]),
        helper.make_node("Cast", ["pads/missing"], ["pads/count"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", ["pads/count", "pads/each"], ["pads/all"]),
        helper.make_node("Add", [seen, "pads/all"], [OUTPUT]),
    ]
    graph.node.extend(nodes)
    return model


def _difference(
    model: onnx.ModelProto, path: str, expected: np.ndarray, slots: int, kept: int | None
) -> tuple[float, float]:
    """Return the largest difference from what the graph gave, and by how much the worst exceeds
    what is accepted, GeV; infinite where the model fails."""
    try:
        run = _runtime(model, path)
        largest, excess = 0.0, -np.inf
        for size, truth in zip(_sizes(slots), expected, strict=True):
            for n in (slots,) if kept else (max(size, 1), min(size + 7, slots), slots):
                feed = _event(size, n)
                off = ft.SCALE * float(np.max(np.abs(run(feed)[0] - truth)))
                sum_pt = ft.SCALE * float(np.sum(feed["input"][..., ft.PT]))
                largest, excess = max(largest, off), max(excess, off - LIMIT - RELATIVE * sum_pt)
    except UserError:
        return np.inf, np.inf
    return largest, excess


def _tensorflow(graph: tf.compat.v1.GraphDef, output: str) -> Run:
    """Return the graph as it stands, with its own number of slots."""
    whole = tf.Graph()
    with whole.as_default():
        tf.graph_util.import_graph_def(graph, name="")
    types = {name: whole.get_tensor_by_name(f"{name}:0").dtype.as_numpy_dtype for name in INPUTS}
    session = tf.compat.v1.Session(graph=whole)

    def run(feed: Feed) -> np.ndarray:
        given = {f"{name}:0": array.astype(types[name]) for name, array in feed.items()}
        return np.asarray(session.run(f"{output}:0", given))

    return run


def _onnx(graph: tf.compat.v1.GraphDef, output: str, slots: int | None) -> onnx.ModelProto:
    """Return the graph as ONNX with CMSSW's names, of any number of events; slots: None for any."""
    free = tf.compat.v1.GraphDef()
    free.CopyFrom(graph)
    for node in free.node:
        node.attr.pop("_output_shapes", None)
        if node.name in INPUTS:
            shape = tf.TensorShape([None, slots, INPUTS[node.name]]).as_proto()
            node.attr["shape"].shape.CopyFrom(shape)
    names = [f"{name}:0" for name in INPUTS]
    with quiet():
        model, _ = tf2onnx.convert.from_graph_def(
            free, input_names=names, output_names=[f"{output}:0"], opset=OPSET
        )
    new = {**dict(zip(names, INPUTS, strict=True)), f"{output}:0": OUTPUT}
    for node in model.graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
    for value in (*model.graph.input, *model.graph.output):
        value.name = new[value.name]
    kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    del model.graph.input[:], model.graph.value_info[:]
    model.graph.input.extend(
        helper.make_tensor_value_info(name, kinds[name], ["B", slots or "N", n])
        for name, n in INPUTS.items()
    )
    kind = onnx.TensorProto.FLOAT
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info(OUTPUT, kind, ["B", 2]))
    return model


def _runtime(model: onnx.ModelProto, path: str) -> Run:
    checked = onnx_file.accept(model, path)
    session = runtime.session(checked, threads=1, with_weights=False)

    def run(feed: Feed) -> np.ndarray:
        given = {name: feed[ours].astype(kind) for ours, (name, kind) in checked.inputs.items()}
        try:
            return np.asarray(session.run([checked.output], given)[0])
        except Exception as error:
            raise UserError(f"{path}: {reason_of(error)}") from None

    return run


def _output(graph: tf.compat.v1.GraphDef, wanted: str | None, path: str) -> str:
    """Return the name of the output node."""
    nodes = {node.name: node for node in graph.node}
    places = {name for name, node in nodes.items() if node.op == "Placeholder"}
    if places != set(INPUTS):
        raise UserError(
            f"{path}: its inputs are {', '.join(sorted(places)) or 'none'}; a DeepMET has"
            f" {', '.join(INPUTS)}"
        )
    used = {name.lstrip("^").split(":")[0] for node in graph.node for name in node.input}
    ends = [name for name, node in nodes.items() if name not in used and node.op not in _NO_OUTPUT]
    if wanted is None and OUTPUT in nodes:
        wanted = OUTPUT
    if wanted is None and len(ends) == 1:
        (wanted,) = ends
    if wanted is None or wanted not in nodes:
        raise UserError(
            f"{path}: no output {wanted or OUTPUT!r}; give with --output one of"
            f" {', '.join(ends[:10]) or 'its nodes'}"
        )
    return wanted


_NO_OUTPUT = ("Const", "NoOp", "Placeholder")


def _sizes(slots: int) -> list[int]:
    """Return the numbers of candidates of the made-up events: none, one, many, all slots."""
    return [int(size) for size in np.linspace(0, slots, EVENTS)]


def _event(size: int, slots: int) -> Feed:
    """Return the tensors of an event of `size` candidates; the same for any number of slots."""
    rng = np.random.default_rng((SEED, size))
    x = np.zeros((1, slots, len(ft.CONTINUOUS)), dtype=np.float32)
    pt, phi = rng.exponential(0.02, size), rng.uniform(-np.pi, np.pi, size)
    columns: Mapping[int, np.ndarray] = {
        ft.D0: rng.normal(0, 0.1, size),
        ft.DZ: rng.normal(0, 5.0, size),
        ft.ETA: rng.uniform(-5, 5, size),
        ft.MASS: rng.choice([0.0, 0.14], size),
        ft.PT: pt,
        ft.PUPPI: rng.uniform(0, 1, size),
        ft.PX: pt * np.cos(phi),
        ft.PY: pt * np.sin(phi),
    }
    for place, values in columns.items():
        x[0, :size, place] = values
    feed = {"input": x}
    for k, rows in enumerate(ft.TABLES):
        feed[f"input_cat{k}"] = np.zeros((1, slots, 1), dtype=np.float32)
        feed[f"input_cat{k}"][0, :size, 0] = rng.integers(0, rows, size)
    return feed
