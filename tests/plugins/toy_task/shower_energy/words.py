"""Names of what is estimated and measured, and what people call it."""

from __future__ import annotations

from ptmiss.core.tables import BIN, VALUE, Layout, count, word
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

TABLE = Layout(
    "performance",
    "performance/{training}.csv",
    "a quantity in a bin of the true energy",
    (
        word("sample", "name of the sample"),
        word("estimator", "name of the estimator"),
        word("axis", "what bins are of"),
        *BIN,
        word("quantity", "what is measured"),
        *VALUE,
        count("n_events", "number of showers in the bin"),
    ),
)
"""The table of the stage performance."""
