"""The layers of an event as an ONNX graph: sums over groups, the view of an event, the estimate."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from ptmiss.learn.features import FeatureLayout, Group
from ptmiss.learn.heads import vector_sum_onnx
from ptmiss.learn.heads.event_view import (
    COEFFICIENT,
    FACTOR,
    SCALAR_UNIT,
    SCALARS,
    TINY,
    UNIT,
    WEIGHTS,
    WIDEST,
)
from ptmiss.learn.heads.vector_sum_onnx import Seen
from ptmiss.learn.onnx.writer import Graph, Tensors

COLUMNS = 2 * WEIGHTS + SCALARS
"""Sums of a group."""


@dataclass(frozen=True)
class _View:
    """Names of tensors of an event, see `event_view.EventView`; across: direction across (B, 2);
    n: vectors."""

    own: str
    vectors: str
    axis: str
    across: str
    inputs: str
    mirrored: str
    n: int


def add(
    g: Graph,
    tensors: Tensors,
    outputs: str,
    layout: FeatureLayout,
    weights: Mapping[str, np.ndarray],
) -> None:
    """Add what follows the outputs (2, n) of constituents, up to `OUTPUT`.

    weights: `Event.arrays`.
    """
    given = vector_sum_onnx.seen(g, tensors, outputs, layout, {"w": 1, "share": 1})
    vector_sum_onnx.weights_of(g, tensors, given, given.w)
    sums, n = _sums(g, tensors, given, layout), len(layout.groups)
    # behind the groups: all free constituents, of which the weighted sum counts, and pinned ones
    free, pinned = (
        g.add("Neg", [_part(g, sums, row, place, f"event/{name}/sum")], f"event/{name}")
        for name, row, place in (("own", n, 2), ("pinned", n + 1, 0))
    )
    view = _view(g, sums, free, n)
    seen = [
        _layers(g, x, weights, name)
        for name, x in (("event", view.inputs), ("mirror", view.mirrored))
    ]
    half = _number(g, "event/half", 0.5)
    even = g.add("Mul", [g.add("Add", seen, "event/both"), half], "event/even")
    odd = g.add("Mul", [g.add("Sub", seen, "event/difference"), half], "event/odd")
    vector, root = _estimate(g, view, even, odd, weights["event_error_scale"])
    met = g.add("Add", [vector, pinned], "event/met")
    all_columns = g.add("Concat", [met, root], "event/by_event", axis=1)
    vector_sum_onnx.of_events(g, tensors, all_columns)


def _number(g: Graph, name: str, value: float) -> str:
    return g.constant(name, value, np.float32)


def _sums(g: Graph, tensors: Tensors, given: Seen, layout: FeatureLayout) -> str:
    """Add the sums of each group, of all free and of all pinned constituents, (B, groups + 2, 11):
    one product of masks and values for each event."""
    columns = g.add("Transpose", [tensors.x], "event/columns", perm=[1, 0])
    share = g.add("Sigmoid", [given.share], "candidate/true_share")
    weight = _row(g, columns, layout.place(layout.weight or ""), "event/weight")
    weights = {"weight": given.w, "share": share, "feature": weight}
    parts = [given.p]
    parts += [g.add("Mul", [w, given.p], f"event/vector/{name}") for name, w in weights.items()]
    parts.append(given.size)
    for name in ("share", "feature"):
        parts.append(g.add("Mul", [weights[name], given.size], f"event/size/{name}"))
    masks = [_group(g, columns, tensors.codes, group, layout) for group in layout.groups]
    free = [g.add("Mul", [mask, given.free], f"{mask}/free") for mask in masks]
    values = _by_event(g, tensors, parts, COLUMNS, "event/values", [1, 2, 0])
    rows = _by_event(
        g, tensors, [*free, given.free, given.pinned], len(free) + 2, "event/masks", [1, 0, 2]
    )
    total = g.add("MatMul", [rows, values], "event/sums/wide")
    return g.add("Cast", [total], "event/sums", to=TensorProto.FLOAT)


def _by_event(
    g: Graph, tensors: Tensors, rows: list[str], n: int, name: str, order: list[int]
) -> str:
    """Join rows of n constituents, and give (rows, B, N) in another order of axes."""
    joined = g.add("Concat", rows, f"{name}/rows", axis=0)
    # one after the other, thousands of float32 numbers lose 1e-3 GeV in a hard event
    joined = g.add("Cast", [joined], f"{name}/wide", to=TensorProto.DOUBLE)
    first = g.constant(f"{name}/n", [n], np.int64)
    shape = g.add("Concat", [first, tensors.slots], f"{name}/shape", axis=0)
    cube = g.add("Reshape", [joined, shape], f"{name}/cube")
    return g.add("Transpose", [cube], name, perm=order)


def _row(g: Graph, columns: str, place: int, name: str) -> str:
    """Cut one row out of (F, n): (1, n)."""
    where = g.constant(f"{name}/place", [place], np.int64)
    return g.add("Gather", [columns, where], name, axis=0)


def _group(g: Graph, columns: str, codes: list[str], group: Group, layout: FeatureLayout) -> str:
    """Add the mask of a group, (1, n) of 0 and 1."""
    name = f"group/{group.name}"
    met = []
    for rule in group.conditions:
        row = codes[layout.category_place(rule.category)]
        met.append(vector_sum_onnx.among(g, row, rule.codes, f"{name}/{rule.name}"))
    size = g.add(
        "Abs", [_row(g, columns, layout.place(group.column), f"{name}/column")], f"{name}/size"
    )
    if group.low > 0.0:
        below = g.add("Less", [size, _number(g, f"{name}/low", group.low)], f"{name}/below")
        met.append(g.add("Not", [below], f"{name}/above"))
    met.append(g.add("Less", [size, _number(g, f"{name}/high", group.high)], f"{name}/inside"))
    both = functools.reduce(lambda a, b: g.add("And", [a, b], f"{a}&{b}"), met)
    return g.add("Cast", [both], name, to=TensorProto.FLOAT)


def _part(g: Graph, sums: str, row: int, place: int, name: str) -> str:
    """Cut two columns of a row out of (B, rows, columns): (B, 2)."""
    whole = g.add("Gather", [sums, g.constant(f"{name}/row", row, np.int64)], f"{name}/all", axis=1)
    where = g.constant(f"{name}/place", [place, place + 1], np.int64)
    return g.add("Gather", [whole, where], name, axis=1)


def _view(g: Graph, sums: str, own: str, n_groups: int) -> _View:
    """Add what the layers see, see `event_view.event_view`."""
    n = n_groups * WEIGHTS
    groups = g.add(
        "Gather", [sums, g.constant("event/groups/rows", np.arange(n_groups), np.int64)],
        "event/groups", axis=1,
    )  # fmt: skip
    g.split(groups, [2 * WEIGHTS, SCALARS], ["event/of_vectors", "event/of_sizes"], axis=2)
    shape = g.constant("event/vectors/shape", [-1, n, 2], np.int64)
    vectors = g.add("Reshape", ["event/of_vectors", shape], "event/vectors")
    shape = g.constant("event/sizes/shape", [-1, n_groups * SCALARS], np.int64)
    scalars = g.add("Reshape", ["event/of_sizes", shape], "event/sizes")

    squares = g.add("Mul", [own, own], "event/squares")
    squared = g.add("ReduceSum", [squares], "event/squared", axes=[1], keepdims=1)
    some = g.add("Greater", [squared, _number(g, "event/tiny", TINY)], "event/some")
    safe = g.add("Max", [squared, "event/tiny"], "event/safe")
    length = g.add("Sqrt", [safe], "event/length")
    along = g.add("Div", [own, length], "event/direction")
    first = g.constant("event/any_direction", [[1.0, 0.0]], np.float32)
    axis = g.add("Where", [some, along, first], "event/axis")
    quarter = g.constant("event/quarter", [[0.0, 1.0], [-1.0, 0.0]], np.float32)
    across = g.add("MatMul", [axis, quarter], "event/across")
    size = g.add("Where", [some, length, _number(g, "event/nothing", 0.0)], "event/size")

    unit = _number(g, "event/unit", UNIT)
    column = g.constant("event/column", [-1, 2, 1], np.int64)
    flat = g.constant("event/flat", [-1, n], np.int64)
    seen = []
    for name, direction in (("along", axis), ("beside", across)):
        turned = g.add("Reshape", [direction, column], f"event/{name}/direction")
        product = g.add("MatMul", [vectors, turned], f"event/{name}/product")
        each = g.add("Reshape", [product, flat], f"event/{name}/each")
        scaled = g.add("Div", [each, unit], f"event/{name}/scaled")
        seen.append(g.add("Asinh", [scaled], f"event/{name}"))
    positive = g.add("Relu", [scalars], "event/sizes/positive")
    scaled = g.add("Div", [positive, _number(g, "event/sizes/unit", SCALAR_UNIT)], "event/scaled")
    shifted = g.add("Add", [scaled, _number(g, "event/one", 1.0)], "event/shifted")
    logs = g.add("Log", [shifted], "event/logs")
    own_size = g.add("Asinh", [g.add("Div", [size, unit], "event/size/scaled")], "event/size/seen")
    rest = [logs, own_size]
    inputs = g.add("Concat", [*seen, *rest], "event/inputs", axis=1)
    mirror = g.add("Neg", [seen[1]], "event/beside/mirrored")
    mirrored = g.add("Concat", [seen[0], mirror, *rest], "event/mirrored", axis=1)
    return _View(own, vectors, axis, across, inputs, mirrored, n)


def _layers(g: Graph, x: str, weights: Mapping[str, np.ndarray], name: str) -> str:
    """Add the layers of all members and the mean of their outputs, (B, m); inputs are standardised
    by the first kernel."""
    mean, inverse = (weights[f"event_{key}"].astype(np.float64) for key in ("mean", "inverse"))
    depth = sum(key.startswith("event_kernel") for key in weights)
    hidden = g.add("Unsqueeze", [x], f"{name}/x", axes=[0])
    for i in range(depth):
        kernel = weights[f"event_kernel{i}"].astype(np.float64)
        bias = weights[f"event_bias{i}"].astype(np.float64)
        if i == 0:
            bias = bias - (mean * inverse) @ kernel[:, None]
            kernel = inverse[None, :, None] * kernel
        layer = [
            g.constant(f"{name}/kernel{i}", kernel, np.float32),
            g.constant(f"{name}/bias{i}", bias.reshape(len(kernel), 1, -1), np.float32),
        ]
        product = g.add("MatMul", [hidden, layer[0]], f"{name}/product{i}")
        hidden = g.add("Add", [product, layer[1]], f"{name}/linear{i}")
        if i < depth - 1:
            hidden = g.add("Tanh", [hidden], f"{name}/hidden{i}")
    return g.add("ReduceMean", [hidden], f"{name}/outputs", axes=[0], keepdims=0)


def _estimate(g: Graph, view: _View, even: str, odd: str, scale: np.ndarray) -> tuple[str, str]:
    """Add vector (B, 2) and root of its covariance (B, 3), see `event_view.estimate`."""
    names = ["event/factor", "event/coefficients", "event/log_widths", "event/unused"]
    g.split(even, [1, view.n, 2, 1], names, axis=1)
    g.split(odd, [view.n + 3, 1], ["event/rest", "event/shift"], axis=1)
    factor = g.add("Mul", [names[0], _number(g, "event/gain", FACTOR)], "event/factor/scaled")
    factor = g.add("Add", [factor, "event/one"], "event/factor/of")
    vector = g.add("Mul", [view.own, factor], "event/own/scaled")
    row = g.constant("event/row", [-1, 1, view.n], np.int64)
    coefficients = g.add("Reshape", [names[1], row], "event/coefficients/row")
    others = g.add("MatMul", [coefficients, view.vectors], "event/others/product")
    pair = g.constant("event/pair", [-1, 2], np.int64)
    others = g.add("Reshape", [others, pair], "event/others/pair")
    others = g.add("Mul", [others, _number(g, "event/small", COEFFICIENT)], "event/others")
    vector = g.add("Add", [vector, others], "event/vector/even")
    shift = g.add(
        "Mul", ["event/shift", _number(g, "event/shift/unit", COEFFICIENT * UNIT)], "event/shift/of"
    )
    shift = g.add("Mul", [shift, view.across], "event/shift/vector")
    vector = g.add("Add", [vector, shift], "event/vector")

    ends = [_number(g, f"event/{name}", sign * WIDEST) for name, sign in (("low", -1), ("high", 1))]
    inside = g.add("Clip", [names[2], *ends], "event/log_widths/inside")
    widths = g.add("Exp", [inside], "event/widths/bare")
    factors = g.constant("event/widths/factors", UNIT * scale[None, :], np.float32)
    widths = g.add("Mul", [widths, factors], "event/widths")
    g.split(widths, [1, 1], ["event/width/along", "event/width/across"], axis=1)
    root = []
    for name, direction in (("along", view.axis), ("across", view.across)):
        x, y = g.split(direction, [1, 1], [f"event/{name}/x", f"event/{name}/y"], axis=1)
        pairs = (("xx", x, x), ("xy", x, y), ("yy", y, y))
        products = [g.add("Mul", [a, b], f"event/{name}/{label}") for label, a, b in pairs]
        outer = g.add("Concat", products, f"event/{name}/outer", axis=1)
        root.append(g.add("Mul", [outer, f"event/width/{name}"], f"event/{name}/root"))
    return vector, g.add("Add", root, "event/root")
