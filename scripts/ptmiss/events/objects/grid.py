"""The candidates of an event in cells, so that a neighbour is found without looking at all pairs.

Cells are ranges of polar distance (rapidity or pseudorapidity) and of azimuth, at least as wide as
the cone: all neighbours of a point lie in its own cell and the eight around it. Each row of cells
(one range of polar distance) has a copy of its first column after the last and of its last before
the first, azimuth turned by 2 pi: the three cells to search in a row are then always one contiguous
run, and no azimuth needs to be wrapped.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ptmiss.core.compiled import njit

_MAX_POLAR = 5.2


class Grid(NamedTuple):
    """The points of an event in the order of cells, row after row; longer than it has places.

    starts: first place of each cell, int64, shape (n_rows * n_columns + 1,), the last the number of
    places; order: candidate at each place, int64; turned: its azimuth there, float64; home: the
    place of the point itself, of which a copy says what it copies, int64.
    """

    starts: np.ndarray
    order: np.ndarray
    turned: np.ndarray
    home: np.ndarray


@njit(cache=True, nogil=True)
def new_grid(cone: float, n_members: int) -> Grid:
    """Return a grid to be filled with up to so many points; contents are undefined."""
    n_rows, n_columns = grid_shape(cone)
    n_places = 2 * n_members  # no more copies than points
    starts = np.zeros(n_rows * n_columns + 1, dtype=np.int64)
    order, home = np.empty(n_places, dtype=np.int64), np.empty(n_places, dtype=np.int64)
    return Grid(starts, order, np.empty(n_places), home)


@njit(cache=True, nogil=True)
def grid_shape(cone: float) -> tuple[int, int]:
    """Return the numbers of rows and of columns, the two copies included."""
    return math.ceil(2.0 * _MAX_POLAR / cone), int(2.0 * math.pi / cone) + 2


@njit(cache=True, nogil=True)
def cell_of(polar: float, phi: float, cone: float, n_rows: int, n_columns: int) -> tuple[int, int]:
    """Return row and column of a point; phi within [-pi, pi]."""
    # rows at the ends take everything beyond: two neighbours still differ by one row at most
    row = int((min(max(polar, -_MAX_POLAR), _MAX_POLAR) + _MAX_POLAR) / cone)
    n_around = n_columns - 2  # without the two copies
    column = int((phi + math.pi) / (2.0 * math.pi) * n_around)
    return min(row, n_rows - 1), min(max(column, 0), n_around - 1) + 1


@njit(cache=True, nogil=True)
def fill_grid(
    members: np.ndarray,
    polar: np.ndarray,
    phi: np.ndarray,
    pt: np.ndarray,
    cone: float,
    grid: Grid,
) -> None:
    """Write the points of an event into `grid`, which has been made for this cone.

    Within a cell they are ordered by polar distance, phi, pT, so that no sum taken in this order
    depends on that of the candidates.

    Parameters
    ----------
    members
        Which candidates, int64; finite, phi within [-pi, pi].
    polar, phi, pt
        Of all candidates, float64, shape (n_candidates,).
    cone
        How far away a neighbour can be; at most 2 pi / 3.
    grid
        Gets the points.
    """
    starts, order, turned, home = grid
    n_rows, n_columns = grid_shape(cone)
    starts[:] = 0
    cells = np.empty(len(members), dtype=np.int64)
    for k, i in enumerate(members):
        row, column = cell_of(polar[i], phi[i], cone, n_rows, n_columns)
        cells[k] = row * n_columns + column
        starts[cells[k] + 1] += 1
    for row in range(n_rows):
        first = row * n_columns
        starts[first + 1] = starts[first + n_columns - 1]
        starts[first + n_columns] = starts[first + 2]
    for cell in range(n_rows * n_columns):
        starts[cell + 1] += starts[cell]

    ends = starts[:-1].copy()
    for k, i in enumerate(members):
        cell = cells[k]
        at = ends[cell]
        while at > starts[cell] and _before(i, order[at - 1], polar, phi, pt):
            order[at] = order[at - 1]
            at -= 1
        order[at] = i
        ends[cell] += 1

    for row in range(n_rows):
        first = row * n_columns
        last = first + n_columns - 1
        for cell in range(first, last + 1):
            source, turn = cell, 0.0
            if cell == first:
                source, turn = last - 1, -2.0 * math.pi
            elif cell == last:
                source, turn = first + 1, 2.0 * math.pi
            for step in range(starts[cell + 1] - starts[cell]):
                at = starts[cell] + step
                home[at] = starts[source] + step
                order[at] = order[home[at]]
                turned[at] = phi[order[at]] + turn


@njit(cache=True, nogil=True)
def _before(i: int, j: int, polar: np.ndarray, phi: np.ndarray, pt: np.ndarray) -> bool:
    # no tuple: counting its four arrays in and out took a fifth of the time of all weights
    if polar[i] != polar[j]:
        return bool(polar[i] < polar[j])
    if phi[i] != phi[j]:
        return bool(phi[i] < phi[j])
    return bool(pt[i] < pt[j])
