"""The axes along which mean weights are shown."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from ptmiss.core.ragged import Ragged
from ptmiss.tasks.met.interpretation.groups import GROUPS, TRACKED
from ptmiss.tasks.met.settings.interpret import InterpretSettings

ALL = "all"
"""The group of all candidates, and the axis without bins."""

_ALL_EDGES = (-math.inf, math.inf)
_FROM_PV_EDGES = (-0.5, 0.5, 1.5, 2.5, 3.5)
_COLUMNS = {
    "pt": "cand_pt",
    "abs_eta": "cand_eta",
    "abs_dz": "cand_dz",
    "puppi": "cand_puppi",
    "from_pv": "cand_from_pv",
}
_OF_TRACKS = ("abs_dz", "from_pv")


@dataclass(frozen=True)
class Cell:
    """A bin of an axis: low <= variable < high."""

    axis: str
    low: float
    high: float

    def is_of(self, group: str) -> bool:
        """Return whether a group has this axis: only tracks have a vertex."""
        return self.axis not in _OF_TRACKS or group in TRACKED


class Cells:
    """All bins of all axes, numbered one after the other."""

    def __init__(self, settings: InterpretSettings) -> None:
        self._edges = {
            ALL: _ALL_EDGES,
            "pt": settings.pt_edges,
            "abs_eta": settings.abs_eta_edges,
            "abs_dz": settings.abs_dz_edges,
            "puppi": settings.puppi_edges,
            "from_pv": _FROM_PV_EDGES,
        }
        self.cells = tuple(
            Cell(axis, low, high)
            for axis, edges in self._edges.items()
            for low, high in itertools.pairwise(edges)
        )

    def numbers(self, candidates: Ragged) -> np.ndarray:
        """Return the bin of each candidate on each axis, int16 (axes, n_candidates); -1 for none.

        Candidates without momentum are in no bin: they count for nothing in any estimator.
        """
        n = int(candidates.offsets[-1])
        out = np.full((len(self._edges), n), -1, dtype=np.int16)
        first = 0
        for row, (axis, edges) in enumerate(self._edges.items()):
            if axis == ALL:
                out[row] = first
            else:
                values = np.abs(candidates[_COLUMNS[axis]].astype(np.float64))
                place = np.searchsorted(edges, values, side="right") - 1
                inside = (place >= 0) & (place < len(edges) - 1) & np.isfinite(values)
                out[row, inside] = first + place[inside]
            first += len(edges) - 1
        out[:, ~(candidates["cand_pt"] > 0.0)] = -1
        return out


N_GROUPS = len(GROUPS) + 1
"""Groups with that of all candidates, which comes last."""
