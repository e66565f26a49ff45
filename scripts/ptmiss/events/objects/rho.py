"""Median transverse-momentum density of an event."""

from __future__ import annotations

import math

import numpy as np

from ptmiss.core.compiled import njit


def median_density(
    pt: np.ndarray,
    eta: np.ndarray,
    phi: np.ndarray,
    offsets: np.ndarray,
    mass: np.ndarray | None = None,
    max_rapidity: float = 5.0,
    spacing: float = 0.55,
) -> np.ndarray:
    """Return the median over cells of pT / area in GeV, float32, shape (n_events,).

    pt, eta, phi, mass: candidates in GeV and radians, shape (n_candidates,), event i at
    offsets[i] .. offsets[i + 1]. With `mass` given, cells are in rapidity, otherwise in eta.
    Cells are equal, as near to `spacing` as a whole number of them allows; empty cells count.
    Candidates beyond the grid or with a value that is not finite are left out.

    Source: Cacciari, Salam, Soyez, arXiv:1111.6097 (grid median); CMS uses |y| < 5 and 0.55.
    """
    mass = np.zeros(len(pt)) if mass is None else mass
    # one type, one compilation
    pt, eta, phi, mass = (np.asarray(x, dtype=np.float64) for x in (pt, eta, phi, mass))
    n_rows = max(int(2.0 * max_rapidity / spacing + 0.5), 1)
    n_columns = max(int(2.0 * math.pi / spacing + 0.5), 1)
    return _median_density(pt, eta, phi, mass, offsets, max_rapidity, n_rows, n_columns)


@njit(cache=True, nogil=True, error_model="numpy")
def _median_density(pt, eta, phi, mass, offsets, max_rapidity, n_rows, n_columns):
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
