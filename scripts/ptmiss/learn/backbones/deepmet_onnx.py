"""DeepMET's layers as an ONNX graph, from plain arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ptmiss.learn.onnx.writer import Graph, Tensors


def add(g: Graph, tensors: Tensors, weights: Mapping[str, np.ndarray], epsilon: float) -> str:
    """Add embeddings and dense layers; return the name of the outputs, (k, n).

    weights: as `DeepMET.arrays` names them; epsilon: of the batch normalisation, which is linear at
    inference: each one is folded into the next layer.
    """
    x, n = tensors.x, len(weights["kernel0"]) - embedded_width(weights, len(tensors.codes))
    parts, rows = [x], [weights["kernel0"][:n].astype(np.float64)]
    if "is_log" in weights:
        is_log = weights["is_log"] > 0
        scaled = rows[0] * weights["gain"].astype(np.float64)[:, None]
        others = g.constant("log/others", np.flatnonzero(~is_log), np.int64)
        parts = [logarithm(g, x, weights), g.add("Gather", [x, others], "x/others", axis=1)]
        # the logarithm is taken of all columns, because that is quicker; unwanted ones count 0
        rows = [np.where(is_log[:, None], scaled, 0.0), scaled[~is_log]]
    return layers(g, tensors, parts, np.concatenate(rows), weights, epsilon)


def embedded_width(weights: Mapping[str, np.ndarray], n_codes: int) -> int:
    """Return how many inputs of the first layer are embeddings."""
    return sum(weights[f"embedding{k}"].shape[1] for k in range(n_codes))


def layers(
    g: Graph,
    tensors: Tensors,
    parts: list[str],
    first: np.ndarray,
    weights: Mapping[str, np.ndarray],
    epsilon: float,
) -> str:
    """Add embeddings and dense layers behind other inputs; return the name of the outputs, (k, n).

    parts: the inputs, (n, ...) each; first: the rows of the first kernel that belong to them,
    float64.
    """
    kernel, bias = weights["kernel0"].astype(np.float64), weights["bias0"].astype(np.float64)
    n, depth = len(tensors.codes), sum(name.startswith("gamma") for name in weights)
    parts = list(parts)
    for k, code in enumerate(tensors.codes):
        table = weights[f"embedding{k}"]
        padded = np.concatenate([table, np.zeros((1, table.shape[1]))])
        name = g.constant(f"embedding{k}/table", padded, np.float32)
        parts.append(g.add("Gather", [name, code], f"embedding{k}", axis=0))
    hidden = g.add("Concat", parts, "dense0/input", axis=1)
    kernel = np.concatenate([first, kernel[len(kernel) - embedded_width(weights, n) :]])
    for i in range(depth):
        layer = [
            g.constant(f"dense{i}/kernel", kernel, np.float32),
            g.constant(f"dense{i}/bias", bias, np.float32),
        ]
        hidden = g.add("Tanh", [g.add("Gemm", [hidden, *layer], f"dense{i}/linear")], f"dense{i}")
        kernel, bias = _folded(weights, i, depth, epsilon)
    last = g.constant(f"dense{depth}/kernel", kernel.T, np.float32)
    shift = g.constant(f"dense{depth}/bias", bias[:, None], np.float32)
    return g.add("Gemm", [last, hidden, shift], "candidate/outputs", transB=1)


def _folded(
    weights: Mapping[str, np.ndarray], i: int, layers: int, epsilon: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel and bias of layer i + 1 with the normalisation after layer i in them."""
    own = {
        name: weights[f"{name}{i}"].astype(np.float64)
        for name in ("gamma", "beta", "mean", "variance")
    }
    following = "_out" if i == layers - 1 else str(i + 1)
    kernel = weights[f"kernel{following}"].astype(np.float64)
    scale = own["gamma"] / np.sqrt(own["variance"] + epsilon)
    shift = own["beta"] - own["mean"] * scale
    return scale[:, None] * kernel, weights[f"bias{following}"] + shift @ kernel


def logarithm(g: Graph, x: str, weights: Mapping[str, np.ndarray]) -> str:
    """Add sign(x) log(1 + |x| / scale) of all columns."""
    inverse = g.constant("log/inverse_scale", weights["inverse_scale"], np.float32)
    unit = g.constant("log/one", 1, np.float32)
    size = g.add("Mul", [g.add("Abs", [x], "log/abs"), inverse], "log/size")
    size = g.add("Log", [g.add("Add", [size, unit], "log/shifted")], "log/log")
    return g.add("Mul", [size, g.add("Sign", [x], "log/sign")], "log")
