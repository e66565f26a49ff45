"""Names of inputs, outputs and tensors in ONNX files: those of CMSSW's DeepMETProducer."""

from __future__ import annotations

from ptmiss.learn.features import FeatureLayout

INPUT = "input"
"""Continuous features, float32 (B, N, F)."""

CATEGORY = "input_cat"
"""With a number, the codes of a category, float32 (B, N, 1)."""

CONTEXT = "input_context"
"""Features of what lies around a constituent, float32 (B, N, G), for networks that see it."""

OUTPUT = "output/BiasAdd"
"""Name of the output of a vector sum, float32 (B, 2)."""

WEIGHT = "candidate/weight"
"""Tensor inside our files of vector sums: each constituent's weight, float32 (B, N)."""

ESTIMATE_KEY = "ptmiss.estimate"
"""Metadata: columns of the estimate with their units, and the scale of the output, as JSON."""


def inputs(layout: FeatureLayout) -> dict[str, int]:
    """Return name -> last dimension of the inputs, (B, N, ...)."""
    categories = {f"{CATEGORY}{k}": 1 for k in range(len(layout.categories))}
    context = {CONTEXT: len(layout.context)} if layout.context else {}
    return {INPUT: len(layout.continuous), **categories, **context}
