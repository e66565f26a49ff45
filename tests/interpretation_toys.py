"""Networks whose candidate weights are known, and settings to look at them with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import yaml

from graph_toys import EPSILON, RULES, build, random_weights
from ptmiss.core.settings.base import from_mapping
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.tasks.met.features import CATEGORIES, CONTINUOUS
from ptmiss.tasks.met.interpretation.run import Sections
from ptmiss.tasks.met.settings.interpret import InterpretSettings
from ptmiss.tasks.met.settings.performance import PerformanceSettings

EVERY_FOLD = FoldSettings.model_construct(train=(), validation=(), test=tuple(range(10)))


def settings(folds: FoldSettings = EVERY_FOLD, replicas: int = 40, **changes: object) -> Sections:
    values = yaml.safe_load((Path(__file__).parents[1] / "config.yaml").read_text())
    performance = {**values["performance"], "replicas": replicas}
    return Sections(
        folds,
        from_mapping(PerformanceSettings, performance, "performance"),
        from_mapping(InterpretSettings, {**values["interpret"], **changes}, "interpret"),
    )


def linear_model(
    constant: float = 0.0, pinned_pt: float = 10.0, gain: float = 20.0, **slopes: float
) -> onnx.ModelProto:
    """Weight `constant` + slope x feature for each of `slopes`, in the features' own units.

    Small features pass the three tanh almost unchanged: a larger gain makes that more exact.
    Slopes of a category count its code.
    """
    weights = {name: np.zeros_like(values) for name, values in random_weights().items()}
    for i in range(3):
        weights[f"gamma{i}"][:], weights[f"variance{i}"][:] = 1.0, 1.0 - EPSILON
    for name, slope in slopes.items():
        if name in CONTINUOUS:
            weights["kernel0"][CONTINUOUS.index(name), 0] = slope / gain
        else:
            k = CATEGORIES.index(name)
            weights[f"embedding{k}"][:, 0] = np.arange(len(weights[f"embedding{k}"]))
            weights["kernel0"][len(CONTINUOUS) + 8 * k, 0] = slope / gain
    weights["kernel1"][0, 0] = weights["kernel2"][0, 0] = 1.0
    weights["kernel_out"][0, 0], weights["bias_out"][0] = gain, constant
    return build(weights, "caption", pinned_pt, EPSILON, {"ptmiss.features": RULES})
