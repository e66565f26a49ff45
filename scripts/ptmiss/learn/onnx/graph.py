"""The network as an ONNX graph, written node by node from plain arrays.

Written by hand rather than converted: the bytes follow from the weights alone, the names are those
of CMSSW's DeepMET, and the graph is arranged so that the runtime spends its time on the dense
layers (a converted graph took twice as long; masks and sums over pairs were the reason).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ptmiss.learn import features as ft
from ptmiss.learn.onnx.file import INPUTS, OUTPUT
from ptmiss.learn.onnx.network import WEIGHT

OPSET = 11
IR_VERSION = 6
"""Versions of the operators and of the file format: those of ONNX 1.6, which ONNX Runtime has read
since 1.0. Frameworks of experiments stay with a runtime for years, and the graph needs no more."""

_LAYERS = 3


class _Graph:
    """Nodes and constants, added one after the other; names are chosen by the caller."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, values: object, kind: type) -> str:
        self.constants.append(numpy_helper.from_array(np.array(values, dtype=kind), name))
        return name

    def add(self, op: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def split(self, tensor: str, sizes: list[int], outputs: list[str]) -> list[str]:
        """Cut a tensor along its first axis."""
        name = f"{tensor}/split"
        self.nodes.append(
            helper.make_node("Split", [tensor], outputs, name=name, axis=0, split=sizes)
        )
        return outputs

    def first(self, tensor: str, ends: str, axes: list[int], output: str) -> str:
        """Keep the first `ends` entries along `axes`; ends: a tensor of integers."""
        starts = self.constant(f"{output}/starts", [0] * len(axes), np.int64)
        where = self.constant(f"{output}/axes", axes, np.int64)
        return self.add("Slice", [tensor, starts, ends, where], output)


def build(
    weights: Mapping[str, np.ndarray],
    bias: str,
    pinned_pt: float,
    epsilon: float,
    metadata: Mapping[str, str],
) -> onnx.ModelProto:
    """Return the network as an ONNX model with dynamic batch and candidate axes.

    weights: as `network.weights_of` names them; bias: "caption", "training_code" or "shipped", see
    `network.NetworkSpec`; pinned_pt: in GeV; epsilon: of the batch normalisation; metadata: stored
    in the file. Equal arguments give equal bytes. Inputs must be finite; a batch without events and
    events without candidates are allowed.
    """
    g = _Graph()
    filled, events, slots = _filled(g)
    x = g.add("Reshape", [filled[0], g.constant("shape/x", [-1, 8], np.int64)], "x")
    codes = _codes(g, filled[1:], weights)
    outputs = _candidate_network(g, x, codes, weights, epsilon)
    # (3, n): one contiguous row per quantity, so that everything after this is quick
    w, b = g.split(outputs, [1, 2], ["candidate/w", "candidate/b"])
    columns = g.add("Transpose", [x], "x/columns", perm=[1, 0])
    _, pt, _, p = g.split(columns, [4, 1, 1, 2], ["x/0_3", "x/pt", "x/puppi", "x/p"])
    pinned, free = _masks(g, pt, codes, pinned_pt)

    if bias != "caption":
        w = g.add("Sub", [g.constant("one", 1, np.float32), w], "candidate/1-w")
    free_weight = g.add("Mul", [w, free], "candidate/free_weight")
    weight = g.add("Add", [free_weight, pinned], "candidate/flat_weight")
    each = g.add("Reshape", [weight, slots], "candidate/filled_weight")
    g.first(each, events, [0, 1], WEIGHT)

    def total(tensor: str, name: str) -> str:
        """Sum (2, n) over the candidates of each event: (2, B)."""
        two = g.constant(f"{name}/two", [2], np.int64)
        shape = g.add("Concat", [two, slots], f"{name}/shape", axis=0)
        rows = g.add("Reshape", [tensor, shape], f"{name}/rows")
        return g.add("ReduceSum", [rows], name, axes=[2], keepdims=0)

    if bias == "shipped":
        # MET = sum((w - 1)(b, p)) K + k over the free candidates, minus the pinned momenta
        sums = [
            total(g.add("Mul", [part, free_weight], f"{name}/terms"), name)
            for name, part in (("sum/b", b), ("sum/p", p))
        ]
        both = g.add("Concat", sums, "sum/both", axis=0)
        kernel = g.constant("output/kernel", weights["sum_kernel"].T, np.float32)
        mixed = g.add("MatMul", [kernel, both], "sum/mixed")
        held = total(g.add("Mul", [p, pinned], "sum/pinned/terms"), "sum/pinned")
        seen = g.add("Add", [mixed, held], "sum")
        constant = g.constant("output/bias", weights["sum_bias"][:, None], np.float32)
        missing = g.add("Sub", [constant, seen], "missing")
    else:
        factor = free if bias == "caption" else free_weight
        terms = g.add(
            "Add",
            [g.add("Mul", [p, weight], "terms/p"), g.add("Mul", [b, factor], "terms/b")],
            "terms",
        )
        missing = g.add("Neg", [total(terms, "sum")], "missing")
    by_event = g.add("Transpose", [missing], "missing/by_event", perm=[1, 0])
    n_events = g.first(events, g.constant("shape/one", [1], np.int64), [0], "shape/n_events")
    g.first(by_event, n_events, [0], OUTPUT)
    return _model(g, metadata)


def _filled(g: _Graph) -> tuple[list[str], str, str]:
    """Add the inputs with one pad along each empty axis, (B, N), and (B, N) with these pads.

    Runtimes disagree on what tensors without elements become, and old ones refuse to sum them; a
    pad counts nothing and is cut off at the end.
    """
    shape = g.add("Shape", ["input"], "shape/input")
    two = g.constant("shape/two", [2], np.int64)
    events = g.first(shape, two, [0], "shape/events")
    some = g.add("Cast", [events], "shape/some", to=TensorProto.BOOL)
    none = g.add("Not", [some], "shape/none")
    pads = g.add("Cast", [none], "shape/pads", to=TensorProto.INT64)
    before = g.constant("pads/before", [0, 0, 0], np.int64)
    last = g.constant("pads/last", [0], np.int64)
    where = g.add("Concat", [before, pads, last], "pads", axis=0)
    filled = [g.add("Pad", [name, where], f"{name}/filled") for name in INPUTS]
    return filled, events, g.add("Add", [events, pads], "shape/slots")


def _codes(g: _Graph, inputs: list[str], weights: Mapping[str, np.ndarray]) -> list[str]:
    """Add the codes as integers (n,); those beyond their table become -1 or the row after it.

    Both stand for "no such code": tables have one row more, which index -1 reaches as well.
    """
    flat = g.constant("shape/flat", [-1], np.int64)
    codes = []
    for k, name in enumerate(inputs):
        low = g.constant(f"code{k}/low", -1, np.float32)
        high = g.constant(f"code{k}/high", len(weights[f"embedding{k}"]), np.float32)
        row = g.add("Reshape", [name, flat], f"code{k}/flat")
        inside = g.add("Clip", [row, low, high], f"code{k}/inside")
        codes.append(g.add("Cast", [inside], f"code{k}", to=TensorProto.INT32))
    return codes


def _candidate_network(
    g: _Graph, x: str, codes: list[str], weights: Mapping[str, np.ndarray], epsilon: float
) -> str:
    """Add embeddings and dense layers; the result is (3, n): weight, bias x, bias y.

    Batch normalisation is linear at inference: each one is folded into the next layer.
    """
    kernel, bias = weights["kernel0"].astype(np.float64), weights["bias0"].astype(np.float64)
    n = len(ft.CONTINUOUS)
    parts, rows = [x], [kernel[:n]]
    if "is_log" in weights:
        is_log = weights["is_log"] > 0
        scaled = rows[0] * weights["gain"].astype(np.float64)[:, None]
        others = g.constant("log/others", np.flatnonzero(~is_log), np.int64)
        parts = [_logarithm(g, x, weights), g.add("Gather", [x, others], "x/others", axis=1)]
        # the logarithm is taken of all columns, because that is quicker; unwanted ones count 0
        rows = [np.where(is_log[:, None], scaled, 0.0), scaled[~is_log]]
    for k, code in enumerate(codes):
        table = weights[f"embedding{k}"]
        padded = np.concatenate([table, np.zeros((1, table.shape[1]))])
        name = g.constant(f"embedding{k}/table", padded, np.float32)
        parts.append(g.add("Gather", [name, code], f"embedding{k}", axis=0))
    hidden = g.add("Concat", parts, "dense0/input", axis=1)
    kernel = np.concatenate([*rows, kernel[n:]])
    for i in range(_LAYERS):
        layer = [
            g.constant(f"dense{i}/kernel", kernel, np.float32),
            g.constant(f"dense{i}/bias", bias, np.float32),
        ]
        hidden = g.add("Tanh", [g.add("Gemm", [hidden, *layer], f"dense{i}/linear")], f"dense{i}")
        kernel, bias = _folded(weights, i, epsilon)
    last = g.constant("dense3/kernel", kernel.T, np.float32)
    shift = g.constant("dense3/bias", bias[:, None], np.float32)
    return g.add("Gemm", [last, hidden, shift], "candidate/outputs", transB=1)


def _folded(
    weights: Mapping[str, np.ndarray], i: int, epsilon: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel and bias of layer i + 1 with the normalisation after layer i in them."""
    own = {
        name: weights[f"{name}{i}"].astype(np.float64)
        for name in ("gamma", "beta", "mean", "variance")
    }
    following = "_out" if i == _LAYERS - 1 else str(i + 1)
    kernel = weights[f"kernel{following}"].astype(np.float64)
    scale = own["gamma"] / np.sqrt(own["variance"] + epsilon)
    shift = own["beta"] - own["mean"] * scale
    return scale[:, None] * kernel, weights[f"bias{following}"] + shift @ kernel


def _logarithm(g: _Graph, x: str, weights: Mapping[str, np.ndarray]) -> str:
    """Add sign(x) log(1 + |x| / scale) of all columns."""
    inverse = g.constant("log/inverse_scale", weights["inverse_scale"], np.float32)
    one = g.constant("log/one", 1, np.float32)
    size = g.add("Mul", [g.add("Abs", [x], "log/abs"), inverse], "log/size")
    size = g.add("Log", [g.add("Add", [size, one], "log/shifted")], "log/log")
    return g.add("Mul", [size, g.add("Sign", [x], "log/sign")], "log")


def _masks(g: _Graph, pt: str, codes: list[str], pinned_pt: float) -> tuple[str, str]:
    """Add two masks (1, n), as 0 or 1 in float32: pinned leptons, and neither pinned nor pad."""

    def among(k: int, known: tuple[int, ...], name: str) -> str:
        """Comparisons with the ends of each run of codes: half the time of a table's look-up."""
        inside = []
        for low in (code for code in known if code - 1 not in known):
            high = next(code for code in itertools.count(low) if code not in known)
            ends = {"Greater": low - 1, "Less": high}
            pair = [
                g.add(op, [codes[k], g.constant(f"{name}/{low}/{op}/end", end, np.int32)],
                      f"{name}/{low}/{op}")
                for op, end in ends.items()
            ]  # fmt: skip
            inside.append(g.add("And", pair, f"{name}/{low}"))
        return functools.reduce(lambda a, b: g.add("Or", [a, b], f"{b}/or"), inside)

    lepton = among(1, ft.PINNED_PDG_CODES, "is_lepton")
    prompt = among(2, ft.PINNED_FROM_PV_CODES, "is_prompt")
    limit = g.constant("pinned_pt", np.float32(pinned_pt / ft.SCALE), np.float32)
    hard = g.add("Greater", [pt, limit], "is_hard")
    is_pinned = g.add(
        "And", [g.add("And", [lepton, prompt], "is_prompt_lepton"), hard], "is_pinned"
    )
    is_pad = g.add("Equal", [pt, g.constant("zero", 0, np.float32)], "is_pad")
    is_free = g.add("Not", [g.add("Or", [is_pinned, is_pad], "is_held")], "is_free")
    pinned = g.add("Cast", [is_pinned], "pinned", to=TensorProto.FLOAT)
    return pinned, g.add("Cast", [is_free], "free", to=TensorProto.FLOAT)


def _model(g: _Graph, metadata: Mapping[str, str]) -> onnx.ModelProto:
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        g.nodes,
        "deepmet",
        [helper.make_tensor_value_info(name, kind, ["B", "N", n]) for name, n in INPUTS.items()],
        [helper.make_tensor_value_info(OUTPUT, kind, ["B", 2])],
        g.constants,
        doc_string="Missing transverse momentum (px, py) / 50 GeV from particle-flow candidates.",
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    model.producer_name = "ptmiss"
    helper.set_model_props(model, dict(sorted(metadata.items())))
    return model
