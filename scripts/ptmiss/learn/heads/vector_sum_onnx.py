"""A vector sum as an ONNX graph: masks, weights and sums over the candidates of each event."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping

import numpy as np
from onnx import TensorProto

from ptmiss.learn.features import FeatureLayout
from ptmiss.learn.onnx.interface import OUTPUT, WEIGHT
from ptmiss.learn.onnx.writer import Graph, Tensors


def add(
    g: Graph,
    tensors: Tensors,
    outputs: str,
    layout: FeatureLayout,
    form: str,
    weights: Mapping[str, np.ndarray],
) -> None:
    """Add what follows the outputs (3, n) of candidates, up to `OUTPUT`.

    form: "caption", "training_code" or "shipped", see `VectorSum`; weights: sum_kernel and sum_bias
    of the last one.
    """
    # (3, n): one contiguous row per quantity, so that everything after this is quick
    w, b = g.split(outputs, [1, 2], ["candidate/w", "candidate/b"])
    columns = g.add("Transpose", [tensors.x], "x/columns", perm=[1, 0])
    size, p = _pieces(g, columns, layout)
    pinned, free = _masks(g, size, tensors.codes, layout)

    if form != "caption":
        w = g.add("Sub", [g.constant("one", 1, np.float32), w], "candidate/1-w")
    free_weight = g.add("Mul", [w, free], "candidate/free_weight")
    weight = g.add("Add", [free_weight, pinned], "candidate/flat_weight")
    each = g.add("Reshape", [weight, tensors.slots], "candidate/filled_weight")
    g.first(each, tensors.events, [0, 1], WEIGHT)

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
        seen = g.add("Add", [mixed, held], "sum")
        constant = g.constant("output/bias", weights["sum_bias"][:, None], np.float32)
        missing = g.add("Sub", [constant, seen], "missing")
    else:
        factor = free if form == "caption" else free_weight
        terms = g.add(
            "Add",
            [g.add("Mul", [p, weight], "terms/p"), g.add("Mul", [b, factor], "terms/b")],
            "terms",
        )
        missing = g.add("Neg", [total(terms, "sum")], "missing")
    by_event = g.add("Transpose", [missing], "missing/by_event", perm=[1, 0])
    n_events = g.first(
        tensors.events, g.constant("shape/one", [1], np.int64), [0], "shape/n_events"
    )
    g.first(by_event, n_events, [0], OUTPUT)


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
        _among(g, codes[layout.category_place(rule.category)], rule.codes, f"is_{rule.name}")
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


def _among(g: Graph, row: str, known: tuple[int, ...], name: str) -> str:
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
