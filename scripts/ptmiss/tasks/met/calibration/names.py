"""Names that all corrections share."""

from __future__ import annotations

DATASETS = ("data", "simulation")
COMPONENTS = ("u_par", "u_perp")
SYSTEMATICS = (
    "nominal",
    "stat_up",
    "stat_down",
    "background_up",
    "background_down",
    "form_up",
    "form_down",
    "jets_up",
    "jets_down",
)
"""Variations of every correction; those that do not apply to one equal its nominal."""
