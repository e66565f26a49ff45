"""Networks as ONNX graphs, written node by node: what all of them share.

Written by hand rather than converted: the bytes follow from the weights alone, the names are those
of CMSSW's DeepMET, and the graph is arranged so that the runtime spends its time on the dense
layers (a converted graph took twice as long; masks and sums over pairs were the reason). A kind
that nobody wants to write by hand goes through `ptmiss.learn.onnx.convert`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ptmiss.learn.features import FeatureLayout
from ptmiss.learn.onnx.interface import CATEGORY, CONTEXT, INPUT, inputs

OPSET = 11
IR_VERSION = 6
"""Versions of the operators and of the file format: those of ONNX 1.6, which ONNX Runtime has read
since 1.0. Frameworks of experiments stay with a runtime for years, and the graph needs no more."""


@dataclass(frozen=True)
class Header:
    """What a file says of itself besides its graph: name of the graph, a sentence, metadata."""

    name: str
    description: str
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Output:
    """Name and width k of the output, (B, k)."""

    name: str
    width: int


@dataclass(frozen=True)
class Tensors:
    """Names of what the parts of a network are made of.

    x: continuous features (n, F), pads included; codes: of each category, (n,) int32; events: the
    sizes (B, N) of the inputs; slots: the same without empty axes, so that n is their product;
    context: features of what lies around, (n, G), empty for a layout without.
    """

    x: str
    codes: list[str]
    events: str
    slots: str
    context: str = ""


class Graph:
    """Nodes and constants, added one after the other; names are chosen by the caller."""

    def __init__(
        self, nodes: Iterable[onnx.NodeProto] = (), constants: Iterable[onnx.TensorProto] = ()
    ) -> None:
        self.nodes, self.constants = list(nodes), list(constants)

    def constant(self, name: str, values: object, kind: type) -> str:
        """Add a constant of this numpy type; return its name."""
        self.constants.append(numpy_helper.from_array(np.array(values, dtype=kind), name))
        return name

    def add(self, op: str, inputs: list[str], output: str, **attributes: object) -> str:
        """Add a node; return the name of its output."""
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def split(self, tensor: str, sizes: list[int], outputs: list[str], axis: int = 0) -> list[str]:
        """Cut a tensor along an axis."""
        name = f"{tensor}/split"
        self.nodes.append(
            helper.make_node("Split", [tensor], outputs, name=name, axis=axis, split=sizes)
        )
        return outputs

    def first(self, tensor: str, ends: str, axes: list[int], output: str) -> str:
        """Keep the first `ends` entries along `axes`; ends: a tensor of integers."""
        starts = self.constant(f"{output}/starts", [0] * len(axes), np.int64)
        where = self.constant(f"{output}/axes", axes, np.int64)
        return self.add("Slice", [tensor, starts, ends, where], output)


def write(
    layout: FeatureLayout,
    backbone: Callable[[Graph, Tensors], str],
    head: Callable[[Graph, Tensors, str], None],
    output: Output,
    header: Header,
) -> onnx.ModelProto:
    """Return a network as an ONNX model with dynamic batch and candidate axes.

    backbone: adds layers and returns the name of the outputs (k, n); head: adds what follows, up
    to the tensor of `output`. Equal arguments give equal bytes. Inputs must be finite; a batch
    without events and events without candidates are allowed.
    """
    g = Graph()
    filled, events, slots = _filled(g, layout)
    width = len(layout.continuous)
    x = g.add("Reshape", [filled[INPUT], g.constant("shape/x", [-1, width], np.int64)], "x")
    context = ""
    if layout.context:
        shape = g.constant("shape/context", [-1, len(layout.context)], np.int64)
        context = g.add("Reshape", [filled[CONTEXT], shape], "context")
    tensors = Tensors(x, _codes(g, filled, layout), events, slots, context)
    head(g, tensors, backbone(g, tensors))
    return assembled(g, inputs(layout), output, header)


def assembled(
    g: Graph,
    widths: Mapping[str, int],
    output: Output,
    header: Header,
    versions: tuple[int, int] = (OPSET, IR_VERSION),
) -> onnx.ModelProto:
    """Return the model of a graph.

    widths: input -> size of its last axis; versions: of the operators and of the file format.
    """
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        g.nodes,
        header.name,
        [helper.make_tensor_value_info(name, kind, ["B", "N", n]) for name, n in widths.items()],
        [helper.make_tensor_value_info(output.name, kind, ["B", output.width])],
        g.constants,
        doc_string=header.description,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", versions[0])], ir_version=versions[1]
    )
    label(model, header)
    return model


def label(model: onnx.ModelProto, header: Header) -> None:
    """Give a model its producer and metadata."""
    model.producer_name = "ptmiss"
    helper.set_model_props(model, dict(sorted(header.metadata.items())))


def _filled(g: Graph, layout: FeatureLayout) -> tuple[dict[str, str], str, str]:
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
    filled = {name: g.add("Pad", [name, where], f"{name}/filled") for name in inputs(layout)}
    return filled, events, g.add("Add", [events, pads], "shape/slots")


def _codes(g: Graph, filled: Mapping[str, str], layout: FeatureLayout) -> list[str]:
    """Add the codes as integers (n,); those beyond their table become -1 or the row after it.

    Both stand for "no such code": tables have one row more, which index -1 reaches as well.
    """
    flat = g.constant("shape/flat", [-1], np.int64)
    codes = []
    for k, rows in enumerate(layout.table_rows):
        name = filled[f"{CATEGORY}{k}"]
        low = g.constant(f"code{k}/low", -1, np.float32)
        high = g.constant(f"code{k}/high", rows, np.float32)
        row = g.add("Reshape", [name, flat], f"code{k}/flat")
        inside = g.add("Clip", [row, low, high], f"code{k}/inside")
        codes.append(g.add("Cast", [inside], f"code{k}", to=TensorProto.INT32))
    return codes
