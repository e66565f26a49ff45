"""Small ONNX models made by hand, with the interface of DeepMET in CMSSW."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ptmiss.core.ragged import Ragged
from toys import Toy

LIMITS = {"memory_mb": 800, "seconds": 20.0, "not_finite": 0.001}
"""Settings of models, see config.yaml; a busy machine gets twice the time."""

INPUTS = ("input", "input_cat0", "input_cat1", "input_cat2")
OUTPUT = "output/BiasAdd"


def constant(name: str, values: object, kind: type = np.int64) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, dtype=kind), name)


def pf_model(
    batch: str | int = "B",
    slots: str | int = "N",
    nodes: Sequence[onnx.NodeProto] = (),
    constants: Sequence[onnx.TensorProto] = (),
    opsets: Sequence[tuple[str, int]] = (("", 18),),
    pad_bias: float = 0.0,
) -> onnx.ModelProto:
    """Weight 1 for every candidate: minus the sum of (px, py) / 50 GeV.

    pad_bias: is added to x for each slot, pad or not, as the shipped graphs do.
    """
    own = [
        helper.make_node("Slice", ["input", "first", "last", "axis"], ["p"]),
        helper.make_node("Add", ["p", "bias"], ["shifted"]),
        helper.make_node("ReduceSum", ["shifted", "candidates"], ["seen"], keepdims=0),
        helper.make_node("Neg", ["seen"], [OUTPUT]),
    ]
    values = [
        constant("first", [6]), constant("last", [8]), constant("axis", [2]),
        constant("candidates", [1]), constant("bias", [pad_bias, 0.0], np.float32),
    ]  # fmt: skip
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        [*own, *nodes],
        "pf",
        [
            helper.make_tensor_value_info(name, kind, [batch, slots, 8 if name == "input" else 1])
            for name in INPUTS
        ],
        [helper.make_tensor_value_info(OUTPUT, kind, [batch, 2])],
        [*values, *constants],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid(*opset) for opset in opsets], ir_version=10
    )


def candidates_of(toy: Toy) -> Ragged:
    """Return the candidates of toy events under the names of a skim."""
    return Ragged(toy.offsets, {f"cand_{name}": x for name, x in toy.candidates.items()})
