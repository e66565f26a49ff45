"""Names of what is estimated and measured, and what people call it."""

from __future__ import annotations

from ptmiss.core.io.csv import Layout
from ptmiss.tasks.base import Quantity

LAYERS = ("layer_1", "layer_2", "layer_3", "layer_4")
"""Columns of the deposits, in GeV."""

TRUTH = "energy"
"""Column of the true energy, in GeV."""

NETWORK = "network"
BASELINES = ("sum",)
"""The plain sum of all deposits."""

QUANTITIES = {
    "bias": Quantity("estimate / truth - 1", "mean relative error"),
    "resolution": Quantity(r"$\sigma$(estimate / truth)", "relative resolution"),
}
AXES = {"energy": Quantity("true energy [GeV]", "true energy", "GeV")}

_WORDS = ("sample", "estimator", "axis", "quantity")
TABLE = Layout(
    "performance",
    ("sample", "estimator", "axis", "bin_low", "bin_high", "quantity", "value", "err_low",
     "err_high", "n_events"),
    _WORDS,
)  # fmt: skip
"""Columns of the table of the stage performance; intervals of 68 %."""
