"""Median transverse-momentum density of an event."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.core.ragged import Ragged


class Momentum(NamedTuple):
    """Momenta of candidates in GeV and radians, float64, shape (n_candidates,) each."""

    pt: np.ndarray
    eta: np.ndarray
    phi: np.ndarray
    mass: np.ndarray


def median_density(
    candidates: Ragged, in_rapidity: bool = False, max_rapidity: float = 5.0, spacing: float = 0.55
) -> np.ndarray:
    """Return the median over cells of pT / area of each event.

    Source: Cacciari, Salam, Soyez, arXiv:1111.6097 (grid median); CMS uses |y| < 5 and 0.55.

    Parameters
    ----------
    candidates
        Columns pt (GeV), eta, phi and, for rapidity, mass (GeV). Those beyond the grid or with a
        value that is not finite are left out.
    in_rapidity
        Whether cells are in rapidity, else in eta.
    max_rapidity
        Where the grid ends, on both sides.
    spacing
        Width of the cells, which are equal and as near to it as a whole number of them allows.

    Returns
    -------
    np.ndarray
        In GeV, float32, shape (n_events,). Empty cells count.
    """
    # one type, one compilation
    pt, eta, phi = (np.asarray(candidates[x], dtype=np.float64) for x in ("pt", "eta", "phi"))
    mass = candidates["mass"].astype(np.float64) if in_rapidity else np.zeros(len(pt))
    rows = max(int(2.0 * max_rapidity / spacing + 0.5), 1)
    columns = max(int(2.0 * math.pi / spacing + 0.5), 1)
    return _median_density(
        Momentum(pt, eta, phi, mass), candidates.offsets, max_rapidity, (rows, columns)
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _median_density(
    momentum: Momentum, offsets: np.ndarray, max_rapidity: float, shape: tuple[int, int]
) -> np.ndarray:
    pt, eta, phi, mass = momentum
    n_rows, n_columns = shape
    densities = np.empty(len(offsets) - 1, dtype=np.float32)
    cells = np.empty(n_rows * n_columns)
    area = 2.0 * max_rapidity / n_rows * 2.0 * math.pi / n_columns
    for event in range(len(densities)):
        cells[:] = 0.0
        for i in range(offsets[event], offsets[event + 1]):
            p, y, m = pt[i], eta[i], mass[i]
            if m > 0.0:
                y = math.asinh(p * math.sinh(y) / math.hypot(p, m))
            turn = phi[i] / (2.0 * math.pi)
            if not math.isfinite(p + turn) or not abs(y) < max_rapidity:
                continue
            row = int((y + max_rapidity) / (2.0 * max_rapidity) * n_rows)
            column = int((turn - math.floor(turn)) * n_columns)
            # rounding can put a point next to the border into the cell beyond it
            cells[min(row, n_rows - 1) * n_columns + min(column, n_columns - 1)] += p
        densities[event] = np.median(cells) / area
    return densities
