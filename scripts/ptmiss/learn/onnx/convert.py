"""Networks as ONNX graphs through a converter: for kinds that nobody writes by hand."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator

import onnx
import tensorflow as tf
import tf2onnx

from ptmiss.learn.features import FeatureLayout
from ptmiss.learn.onnx.interface import inputs
from ptmiss.learn.onnx.writer import Graph, Header, Output, assembled

OPSET = 14
"""The oldest that the converter is tested with; read by ONNX Runtime since 1.10."""

IR_VERSION = 7
"""Version of the file format that came with it."""

Function = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""(continuous (B, N, F), categories int32 (B, N, C)) -> (B, k)."""


def convert(
    function: Function, layout: FeatureLayout, output: Output, header: Header
) -> onnx.ModelProto:
    """Return a function on padded events as an ONNX model with dynamic batch and candidate axes.

    Names of inputs and of the output are those of files that are written by hand. Equal functions
    give equal bytes.
    """
    names = inputs(layout)
    signature = [tf.TensorSpec((None, None, n), tf.float32, name=name) for name, n in names.items()]

    def padded(x: tf.Tensor, *codes: tf.Tensor) -> tf.Tensor:
        # runtimes disagree on what tensors without elements become: one pad along an empty axis
        n_events = tf.shape(x)[0]
        pads = tf.cast(tf.equal(tf.shape(x)[:2], 0), tf.int32)
        where = tf.stack([tf.zeros(3, tf.int32), tf.concat([pads, [0]], axis=0)], axis=1)
        # as written by hand: what is beyond a table on either side has no code
        whole = [
            tf.cast(tf.clip_by_value(tf.pad(code, where), -1.0, float(rows)), tf.int32)
            for code, rows in zip(codes, layout.table_rows, strict=True)
        ]
        filled = tf.pad(x, where)
        none = tf.zeros((*tf.unstack(tf.shape(filled)[:2]), 0), tf.int32)
        categories = tf.concat(whole, axis=2) if whole else none
        return tf.identity(function(filled, categories)[:n_events], name="estimate")

    with quiet():
        model, _ = tf2onnx.convert.from_function(
            tf.function(padded, input_signature=signature), signature, opset=OPSET
        )
    return _tidied(model, names, output, header)


def _tidied(
    model: onnx.ModelProto, names: dict[str, int], output: Output, header: Header
) -> onnx.ModelProto:
    """Return the model with our names, in an order that follows from the graph alone.

    The converter counts names over a process and keeps nodes and constants in sets.
    """
    walk = _Walk(model.graph)
    for value, name in zip(model.graph.input, names, strict=True):
        walk.new[value.name] = name
    last = model.graph.output[0].name
    walk.visit(last)
    walk.new[last] = output.name
    for number, node in enumerate(walk.nodes):
        node.name, node.doc_string = f"{node.op_type}{number}", ""
        node.input[:] = [walk.new[name] for name in node.input]
        node.output[:] = [walk.new[name] for name in node.output]
    for tensor in walk.used:
        tensor.name = walk.new[tensor.name]
    return assembled(Graph(walk.nodes, walk.used), names, output, header)


class _Walk:
    """Goes from a tensor to all that it follows from; new: old name -> new one, in this order."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.producers = {name: node for node in graph.node for name in node.output}
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.new: dict[str, str] = {"": ""}  # an optional input that is left out
        self.nodes: list[onnx.NodeProto] = []
        self.used: list[onnx.TensorProto] = []

    def visit(self, name: str) -> None:
        """Take over a tensor, after those that it is made of."""
        if name in self.new:
            return
        if name in self.constants:
            self.new[name] = f"constant{len(self.used)}"
            self.used.append(self.constants[name])
            return
        node = self.producers[name]
        for given in node.input:
            self.visit(given)
        for output in node.output:
            self.new[output] = f"tensor{len(self.new)}" if output else ""
        self.nodes.append(node)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Leave out the converter's own messages, which are about its rewriting."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
