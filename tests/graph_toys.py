"""The network's ONNX graph with random weights, without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import onnx

from ptmiss.learn.backbones import deepmet_onnx
from ptmiss.learn.heads import vector_sum_onnx
from ptmiss.learn.onnx import writer
from ptmiss.learn.onnx.interface import OUTPUT
from ptmiss.learn.settings.heads import VectorSumHead
from ptmiss.tasks.met import features as ft

ROWS = (4, 12, 5)
EPSILON = 1e-3
RULES = '{"dz_limit": 100.0, "unknown_codes": true, "use_puppi": true}'


def build(
    weights: Mapping[str, np.ndarray],
    bias: str,
    pinned_pt: float,
    epsilon: float,
    metadata: Mapping[str, str],
) -> onnx.ModelProto:
    """Return the graph of arrays; tables are as long as those among the weights."""
    unknown = len(weights["embedding0"]) > len(ft.CHARGES)
    layout = ft.layout(ft.FeatureRules(100.0, unknown, use_puppi=True), pinned_pt)
    head = VectorSumHead(kind="vector_sum", bias=bias, tune="response")
    return writer.write(
        layout,
        lambda graph, tensors: deepmet_onnx.add(graph, tensors, weights, epsilon),
        lambda graph, tensors, outputs: vector_sum_onnx.add(
            graph, tensors, outputs, layout, head, weights
        ),
        writer.Output(OUTPUT, 2),
        writer.Header("deepmet", "", metadata),
    )


def random_weights(seed: int = 1, is_log: bool = False) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    weights = {f"embedding{k}": rng.normal(0, 1, (rows, 8)) for k, rows in enumerate(ROWS)}
    sizes = [32, 64, 32, 16]
    for i, (width, units) in enumerate(pairwise(sizes)):
        weights[f"kernel{i}"] = rng.normal(0, width**-0.5, (width, units))
        for name in ("bias", "beta", "mean"):
            weights[f"{name}{i}"] = rng.normal(0, 0.3, units)
        weights[f"gamma{i}"], weights[f"variance{i}"] = rng.uniform(0.5, 2, (2, units))
    weights["kernel_out"], weights["bias_out"] = rng.normal(0, 0.3, (16, 3)), rng.normal(0, 1, 3)
    weights["sum_kernel"], weights["sum_bias"] = rng.normal(0, 1, (4, 2)), rng.normal(0, 1, 2)
    if is_log:
        weights["is_log"] = np.array([1, 1, 0, 1, 1, 0, 1, 1])
        weights["inverse_scale"] = np.array([20.0, 20, 1, 5, 100, 1, 100, 100])
        weights["gain"] = rng.uniform(0.5, 1.5, 8)
    return {name: values.astype(np.float32) for name, values in weights.items()}


def random_model(
    bias: str = "caption", is_log: bool = False, pinned_pt: float = 10.0, seed: int = 1
) -> onnx.ModelProto:
    weights = random_weights(seed, is_log)
    return build(weights, bias, pinned_pt, EPSILON, {"ptmiss.features": RULES})
