"""A vector sum as an ONNX graph: masks, weights and sums over the candidates of each event."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from onnx import TensorProto

from ptmiss.learn.features import FeatureLayout
from ptmiss.learn.onnx.interface import OUTPUT, WEIGHT
from ptmiss.learn.onnx.writer import Graph, Tensors
from ptmiss.learn.settings.heads import VectorSumHead


class Seen(NamedTuple):
    """Names of tensors: weight, and bias or "" (rows of n), size (1, n), vector (2, n), masks
    pinned and free (1, n); share: logits of the true share, or ""."""

    w: str
    b: str
    size: str
    p: str
    pinned: str
    free: str
    share: str


def seen(
    g: Graph, tensors: Tensors, outputs: str, layout: FeatureLayout, sizes: dict[str, int]
) -> Seen:
    """Cut outputs (k, n) and features into what a sum is made of.

    sizes: how many outputs are `w`, `b` and `share`, in this order, those that there are.
    """
    names = {name: f"candidate/{name}" for name in sizes}
    # (k, n): one contiguous row per quantity, so that everything after this is quick
    if len(sizes) > 1:
        g.split(outputs, list(sizes.values()), list(names.values()))
    else:
        names = dict.fromkeys(sizes, outputs)
    columns = g.add("Transpose", [tensors.x], "x/columns", perm=[1, 0])
    size, p = _pieces(g, columns, layout)
    pinned, free = _masks(g, size, tensors.codes, layout)
    return Seen(names["w"], names.get("b", ""), size, p, pinned, free, names.get("share", ""))


def weights_of(g: Graph, tensors: Tensors, given: Seen, w: str) -> tuple[str, str]:
    """Add the weight of each candidate, and the tensor `WEIGHT`; return its name for free ones
    alone, 0 for others, and for all, pinned ones 1."""
    free_weight = g.add("Mul", [w, given.free], "candidate/free_weight")
    weight = g.add("Add", [free_weight, given.pinned], "candidate/flat_weight")
    each = g.add("Reshape", [weight, tensors.slots], "candidate/filled_weight")
    g.first(each, tensors.events, [0, 1], WEIGHT)
    return free_weight, weight


def of_events(g: Graph, tensors: Tensors, by_event: str) -> None:
    """Name rows (B', k) the output, without those of pads along an empty axis."""
    n_events = g.first(
        tensors.events, g.constant("shape/one", [1], np.int64), [0], "shape/n_events"
    )
    g.first(by_event, n_events, [0], OUTPUT)


def add(
    g: Graph,
    tensors: Tensors,
    outputs: str,
    layout: FeatureLayout,
    settings: VectorSumHead,
    weights: Mapping[str, np.ndarray],
) -> None:
    """Add what follows the outputs (k, n) of candidates, up to `OUTPUT`.

    weights: sum_kernel and sum_bias of the form "shipped", see `VectorSum`.
    """
    form = settings.bias
    sizes = {"w": 1, **({} if form == "none" else {"b": 2})}
    given = seen(g, tensors, outputs, layout, sizes | ({"share": 1} if settings.labels else {}))
    w, b, p, free, pinned = given.w, given.b, given.p, given.free, given.pinned
    if form not in ("none", "caption"):
        w = g.add("Sub", [g.constant("one", 1, np.float32), w], "candidate/1-w")
    free_weight, weight = weights_of(g, tensors, given, w)

    def total(tensor: str, name: str) -> str:
        """Sum (2, n) over the candidates of each event: (2, B)."""
        two = g.constant(f"{name}/two", [2], np.int64)
        shape = g.add("Concat", [two, tensors.slots], f"{name}/shape", axis=0)
        rows = g.add("Reshape", [tensor, shape], f"{name}/rows")
        return g.add("ReduceSum", [rows], name, axes=[2], keepdims=0)

    if form == "shipped":
        # MET = sum((w - 1)(b, p)) K + k over the free candidates, minus the pinned momenta
        sums = [
            total(g.add("Mul", [part, free_weight], f"{name}/terms"), name)
            for name, part in (("sum/b", b), ("sum/p", p))
        ]
        both = g.add("Concat", sums, "sum/both", axis=0)
        kernel = g.constant("output/kernel", weights["sum_kernel"].T, np.float32)
        mixed = g.add("MatMul", [kernel, both], "sum/mixed")
        held = total(g.add("Mul", [p, pinned], "sum/pinned/terms"), "sum/pinned")
        known = g.add("Add", [mixed, held], "sum")
        constant = g.constant("output/bias", weights["sum_bias"][:, None], np.float32)
        missing = g.add("Sub", [constant, known], "missing")
    else:
        terms = g.add("Mul", [p, weight], "terms/p")
        if form != "none":
            factor = free if form == "caption" else free_weight
            terms = g.add("Add", [terms, g.add("Mul", [b, factor], "terms/b")], "terms")
        missing = g.add("Neg", [total(terms, "sum")], "missing")
    of_events(g, tensors, g.add("Transpose", [missing], "missing/by_event", perm=[1, 0]))


def _pieces(g: Graph, columns: str, layout: FeatureLayout) -> tuple[str, str]:
    """Cut (F, n) into the row of the size and the two rows of the vector."""
    names, place, vector = (
        [c.name for c in layout.continuous],
        layout.size_place,
        layout.vector_place,
    )
    if place is None or not place < vector.start:
        raise ValueError("a vector sum has a size before its vector")
    cuts = {
        f"x/0_{place - 1}": place,
        f"x/{names[place]}": 1,
        f"x/{'_'.join(names[place + 1 : vector.start])}": vector.start - place - 1,
        "x/p": 2,
    }
    kept = {name: size for name, size in cuts.items() if size}
    g.split(columns, list(kept.values()), list(kept))
    return f"x/{names[place]}", "x/p"


def _masks(g: Graph, size: str, codes: list[str], layout: FeatureLayout) -> tuple[str, str]:
    """Add two masks (1, n), as 0 or 1 in float32: pinned, and neither pinned nor pad."""
    if layout.pinned is None:
        raise ValueError("these features pin nothing; such a sum goes through the converter")
    rules = layout.pinned.conditions
    met = [
        among(g, codes[layout.category_place(rule.category)], rule.codes, f"is_{rule.name}")
        for rule in rules
    ]
    limit = g.constant(f"pinned_{layout.size}", layout.pinned_size, np.float32)
    hard = g.add("Greater", [size, limit], "is_hard")
    both, name = met[0], rules[0].name
    for rule, condition in zip(rules[1:], met[1:], strict=True):
        name = f"{rule.name}_{name}"
        both = g.add("And", [both, condition], f"is_{name}")
    is_pinned = g.add("And", [both, hard], "is_pinned")
    is_pad = g.add("Equal", [size, g.constant("zero", 0, np.float32)], "is_pad")
    is_free = g.add("Not", [g.add("Or", [is_pinned, is_pad], "is_held")], "is_free")
    pinned = g.add("Cast", [is_pinned], "pinned", to=TensorProto.FLOAT)
    return pinned, g.add("Cast", [is_free], "free", to=TensorProto.FLOAT)


def among(g: Graph, row: str, known: tuple[int, ...], name: str) -> str:
    """Compare codes with the ends of each run of `known`: half the time of a table's look-up."""
    inside = []
    for low in (code for code in known if code - 1 not in known):
        high = next(code for code in itertools.count(low) if code not in known)
        pair = []
        for op, end in (("Greater", low - 1), ("Less", high)):
            limit = g.constant(f"{name}/{low}/{op}/end", end, np.int32)
            pair.append(g.add(op, [row, limit], f"{name}/{low}/{op}"))
        inside.append(g.add("And", pair, f"{name}/{low}"))
    return functools.reduce(lambda a, b: g.add("Or", [a, b], f"{b}/or"), inside)
