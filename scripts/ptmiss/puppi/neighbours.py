"""Neighbours in rapidity and azimuth by means of a grid, one event at a time.

Cells are at least as wide as the cone, so that all neighbours of a point lie in its own cell and
the eight around it. Each row of cells (one range of rapidity) is stored with a copy of its first
column after the last and of its last before the first, azimuth shifted by 2 pi: the three cells to
search in a row are then always one contiguous run, and no azimuth needs to be wrapped.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_MAX_RAPIDITY = 5.2
_MIN_DR2 = 1e-4


@njit(cache=True, nogil=True)
def grid_shape(cone: float) -> tuple[int, int]:
    """Return rows and columns (two of them copies) of a grid for this cone."""
    return math.ceil(2.0 * _MAX_RAPIDITY / cone), int(2.0 * math.pi / cone) + 2


@njit(cache=True, nogil=True)
def cell_of(rapidity: float, phi: float, cone: float, n_rows: int, n_columns: int) -> tuple:
    """Return the row, and the column within 1 .. n_columns - 2, of a point."""
    # rows at the ends take everything beyond: two neighbours still differ by one row at most
    row = int((min(max(rapidity, -_MAX_RAPIDITY), _MAX_RAPIDITY) + _MAX_RAPIDITY) / cone)
    n_turn = n_columns - 2
    column = int((phi + math.pi) / (2.0 * math.pi) * n_turn)
    return min(row, n_rows - 1), min(max(column, 0), n_turn - 1) + 1


@njit(cache=True, nogil=True)
def fill_grid(
    members: np.ndarray,
    pt: np.ndarray,
    eta: np.ndarray,
    phi: np.ndarray,
    rapidity: np.ndarray,
    cone: float,
    starts: np.ndarray,
    points: np.ndarray,
) -> None:
    """Sort the candidates `members` (indices into the other arrays) into cells.

    starts: filled with the first point of each cell, shape (n_rows * n_columns + 1,).
    points: filled with rapidity, phi, eta and pT^2, shape (4, at least twice the members).
    Within a cell the points are ordered by rapidity, phi and pT, so that sums over them do not
    depend on the order of the candidates. phi must lie within [-pi, pi].
    """
    n_rows, n_columns = grid_shape(cone)
    starts[:] = 0
    cells = np.empty(len(members), dtype=np.int64)
    for k, i in enumerate(members):
        row, column = cell_of(rapidity[i], phi[i], cone, n_rows, n_columns)
        cells[k] = row * n_columns + column
        starts[cells[k] + 1] += 1
    for row in range(n_rows):
        first = row * n_columns
        starts[first + 1] = starts[first + n_columns - 1]
        starts[first + n_columns] = starts[first + 2]
    for cell in range(n_rows * n_columns):
        starts[cell + 1] += starts[cell]

    ends = starts[:-1].copy()
    order = np.empty(starts[-1], dtype=np.int64)
    for k, i in enumerate(members):
        cell = cells[k]
        at = ends[cell]
        while at > starts[cell] and _before(i, order[at - 1], rapidity, phi, pt):
            order[at] = order[at - 1]
            at -= 1
        order[at] = i
        ends[cell] += 1

    for row in range(n_rows):
        first = row * n_columns
        last = first + n_columns - 1
        for cell in range(first, last + 1):
            source, shift = cell, 0.0
            if cell == first:
                source, shift = last - 1, -2.0 * math.pi
            elif cell == last:
                source, shift = first + 1, 2.0 * math.pi
            for step in range(starts[cell + 1] - starts[cell]):
                i = order[starts[source] + step]
                at = starts[cell] + step
                points[0, at] = rapidity[i]
                points[1, at] = phi[i] + shift
                points[2, at] = eta[i]
                points[3, at] = pt[i] * pt[i]


@njit(cache=True, nogil=True)
def _before(i: int, j: int, rapidity: np.ndarray, phi: np.ndarray, pt: np.ndarray) -> bool:
    if rapidity[i] != rapidity[j]:
        return rapidity[i] < rapidity[j]
    if phi[i] != phi[j]:
        return phi[i] < phi[j]
    return pt[i] < pt[j]


@njit(cache=True, nogil=True, error_model="numpy")
def alpha_at(
    eta: float,
    phi: float,
    rapidity: float,
    cone: float,
    starts: np.ndarray,
    points: np.ndarray,
) -> float:
    """Return ln of the sum of pT^2 / dR^2 over the neighbours of a point; 0 if there are none.

    A neighbour lies within `cone` in rapidity and azimuth; dR is taken in eta and azimuth, and
    neighbours with dR^2 < 1e-4 (the point itself among them) do not count.
    """
    n_rows, n_columns = grid_shape(cone)
    row, column = cell_of(rapidity, phi, cone, n_rows, n_columns)
    total = 0.0
    for r in range(max(row - 1, 0), min(row + 2, n_rows)):
        first = r * n_columns + column - 1
        for j in range(starts[first], starts[first + 3]):
            d_phi2 = (points[1, j] - phi) ** 2
            inside = (points[0, j] - rapidity) ** 2 + d_phi2 < cone * cone
            d_r2 = (points[2, j] - eta) ** 2 + d_phi2
            if inside and d_r2 >= _MIN_DR2:
                total += points[3, j] / d_r2
    return math.log(total) if total > 0.0 else 0.0
