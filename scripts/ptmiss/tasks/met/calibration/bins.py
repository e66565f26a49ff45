"""Names that all corrections share, and the bins they are derived in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ptmiss.tasks.met.calibration.events import Events

DATASETS = ("data", "simulation")
SYSTEMATICS = (
    "nominal", "stat_up", "stat_down", "background_up", "background_down",
    "form_up", "form_down", "jets_up", "jets_down",
)  # fmt: skip
"""Variations of every correction; those that do not apply to one equal its nominal."""


@dataclass(frozen=True)
class Bins:
    """Bins of q_t in each category of jets, the same for all estimators.

    jet_edges: (categories + 1,); ranges: [low, high) in GeV of each bin of each category.
    """

    jet_edges: np.ndarray
    ranges: tuple[tuple[tuple[float, float], ...], ...]

    @property
    def size(self) -> int:
        """Return the number of bins, and one more for events outside all of them."""
        return sum(len(one) for one in self.ranges) + 1

    def number(self, q_t: np.ndarray, n_jets: np.ndarray) -> np.ndarray:
        """Return the number of each event's bin, counted over all categories, int64, (n,)."""
        out = np.full(np.size(q_t), self.size - 1)
        count = 0
        for category, ranges in enumerate(self.ranges):
            first, last = self.jet_edges[category : category + 2]
            for low, high in ranges:
                out[(q_t >= low) & (q_t < high) & (n_jets >= first) & (n_jets < last)] = count
                count += 1
        return out

    def which(self, events: Events, category: int, number: int) -> np.ndarray:
        """Return the events of a bin, as indices."""
        low, high = self.ranges[category][number]
        first, last = self.jet_edges[category : category + 2]
        q_t = np.hypot(*events.boson)
        jets = events.n_jets
        return np.flatnonzero((q_t >= low) & (q_t < high) & (jets >= first) & (jets < last))
