"""Invariant inputs as an ONNX graph, before DeepMET's layers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ptmiss.learn.backbones import deepmet_onnx
from ptmiss.learn.backbones.invariant import own_columns
from ptmiss.learn.features import FeatureLayout
from ptmiss.learn.onnx.writer import Graph, Tensors


def add(
    g: Graph,
    tensors: Tensors,
    layout: FeatureLayout,
    weights: Mapping[str, np.ndarray],
    epsilon: float,
) -> str:
    """Add inputs and layers; return the name of the outputs, (k, n). See `invariant.invariant`.

    Signs, squares and gains are folded into the first kernel; logarithms are taken of all columns,
    because that is quicker than cutting them out, and unwanted ones count 0.
    """
    own, kernel = own_columns(layout), weights["kernel0"].astype(np.float64)
    n = len(layout.continuous)
    inverse = np.array([c.inverse_log_scale or 1.0 for c in layout.continuous], np.float32)
    size = g.add("Abs", [tensors.x], "x/abs")
    scaled = g.add("Mul", [size, g.constant("log/scale", inverse, np.float32)], "log/size")
    one = g.constant("log/one", 1, np.float32)
    logs = g.add("Log", [g.add("Add", [scaled, one], "log/shifted")], "log")
    # rows of the first kernel for |x|, x and log(1 + |x| / scale) of every column
    of_size, of_value, of_log = (np.zeros((n, kernel.shape[1])) for _ in range(3))
    parts, rows = [], []
    place = len(own)
    for row, (i, column) in enumerate(own):
        logarithmic = column.inverse_log_scale > 0
        target = of_log if logarithmic else of_size if column.odd != "no" else of_value
        target[i] += column.gain * kernel[row]
    for i, column in (item for item in own if item[1].square > 0):
        source = logs if column.inverse_log_scale > 0 else size
        value = _column(g, source, i, f"square/{column.name}")
        parts.append(g.add("Mul", [value, value], f"square/{column.name}/of"))
        rows.append(column.square * column.gain**2 * kernel[place : place + 1])
        place += 1
    for i, column in own:
        for knot in column.knots:
            name = f"knot/{column.name}/{knot:g}"
            value = _column(g, size, i, name)
            beyond = g.add("Sub", [value, g.constant(f"{name}/at", knot, np.float32)], f"{name}/of")
            parts.append(g.add("Relu", [beyond], f"{name}/beyond"))
            rows.append(kernel[place : place + 1])
            place += 1
    if layout.context:
        parts.append(tensors.context)
        rows.append(kernel[place : place + len(layout.context)])
    whole = [(size, of_size), (tensors.x, of_value), (logs, of_log)]
    used = [(name, matrix) for name, matrix in whole if matrix.any()]
    names = [*(name for name, _ in used), *parts]
    first = np.concatenate([*(matrix for _, matrix in used), *rows])
    return deepmet_onnx.layers(g, tensors, names, first, weights, epsilon)


def _column(g: Graph, tensor: str, place: int, name: str) -> str:
    """Cut one column out of (n, F): (n, 1)."""
    where = g.constant(f"{name}/place", [place], np.int64)
    return g.add("Gather", [tensor, where], f"{name}/column", axis=1)
