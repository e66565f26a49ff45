"""alpha of PUPPI: how much momentum, weighted by nearness, surrounds a candidate.

Neighbours are found in cells of rapidity and azimuth (`grid`), one event at a time.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.events.objects.grid import Grid, cell_of, fill_grid, grid_shape, new_grid

_MIN_DR2 = 1e-4


class Points(NamedTuple):
    """Candidates, float64, shape (n_candidates,) each: pT in GeV, phi within [-pi, pi]."""

    pt: np.ndarray
    eta: np.ndarray
    phi: np.ndarray
    rapidity: np.ndarray


@njit(cache=True, nogil=True, error_model="numpy")
def alphas(
    points: Points, members: np.ndarray, wanted: np.ndarray, offsets: np.ndarray, cone: float
) -> np.ndarray:
    """Return alpha = ln(sum over neighbours of pT^2 / dR^2).

    dR is taken in eta and azimuth; dR^2 < 1e-4 does not count, which leaves out the candidate
    itself.

    Parameters
    ----------
    points
        The candidates; members and wanted ones must be finite.
    members
        Which of them are neighbours of others, bool, shape (n_candidates,).
    wanted
        Which of them get an alpha, bool, shape (n_candidates,).
    offsets
        Of the events, int64, shape (n_events + 1,).
    cone
        How far away in rapidity and azimuth a neighbour can be; at most 2 pi / 3.

    Returns
    -------
    np.ndarray
        float64, shape (n_candidates,): 0 without neighbours, NaN for those that are not wanted.
    """
    pt, eta, phi, rapidity = points
    result = np.full(len(pt), np.nan)
    grid, places = new_grid(cone, 0), np.empty((4, 0))
    for event in range(len(offsets) - 1):
        begin, end = offsets[event], offsets[event + 1]
        if not wanted[begin:end].any():
            continue
        inside = begin + np.flatnonzero(members[begin:end])
        if places.shape[1] < 2 * len(inside):
            grid, places = new_grid(cone, 2 * len(inside)), np.empty((4, 4 * len(inside)))
        fill_grid(inside, rapidity, phi, pt, cone, grid)
        _copy_points(points, grid, places)
        for i in range(begin, end):
            if wanted[i]:
                result[i] = _alpha_at(eta[i], phi[i], rapidity[i], cone, grid.starts, places)
    return result


@njit(cache=True, nogil=True)
def near(
    phi: np.ndarray, rapidity: np.ndarray, few: np.ndarray, offsets: np.ndarray, cone: float
) -> np.ndarray:
    """Return which candidates have one of the `few` (bool) as a neighbour, bool (n_candidates,).

    For few in an event: a plain loop over pairs. A hair wider than `alphas`, never narrower.
    """
    result = np.zeros(len(phi), dtype=np.bool_)
    limit = cone * cone * (1.0 + 1e-9)
    for event in range(len(offsets) - 1):
        begin, end = offsets[event], offsets[event + 1]
        for j in begin + np.flatnonzero(few[begin:end]):
            for i in range(begin, end):
                d_phi = abs(phi[i] - phi[j])
                d_phi = min(d_phi, 2.0 * math.pi - d_phi)
                if (rapidity[i] - rapidity[j]) ** 2 + d_phi * d_phi < limit:
                    result[i] = True
    return result


@njit(cache=True, nogil=True)
def _copy_points(points: Points, grid: Grid, places: np.ndarray) -> None:
    # places: rapidity, phi, eta, pT^2 in the order in which the search needs them
    pt, eta, _, rapidity = points
    for at in range(grid.starts[-1]):
        i = grid.order[at]
        places[0, at] = rapidity[i]
        places[1, at] = grid.turned[at]
        places[2, at] = eta[i]
        places[3, at] = pt[i] * pt[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _alpha_at(
    eta: float, phi: float, rapidity: float, cone: float, starts: np.ndarray, places: np.ndarray
) -> float:
    n_rows, n_columns = grid_shape(cone)
    row, column = cell_of(rapidity, phi, cone, n_rows, n_columns)
    total = 0.0
    for r in range(max(row - 1, 0), min(row + 2, n_rows)):
        first = r * n_columns + column - 1
        for j in range(starts[first], starts[first + 3]):
            d_phi2 = (places[1, j] - phi) ** 2
            d_r2 = (places[2, j] - eta) ** 2 + d_phi2
            inside = (places[0, j] - rapidity) ** 2 + d_phi2 < cone * cone
            # no branch: a third of the points count, which no processor can predict
            term = places[3, j] / max(d_r2, _MIN_DR2)
            total += term if inside & (d_r2 >= _MIN_DR2) else 0.0
    return math.log(total) if total > 0.0 else 0.0
