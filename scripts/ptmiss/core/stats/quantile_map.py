"""The quantile map: simulation's recoil with the distribution that data has, by q_t and jets.

u' = F_data^-1(F_simulation(u)), CMS (arXiv:2509.12012, equations 4 and 5), kept as the shift u' - u
on a grid of u (knots) and q_t (nodes), straight between grid points in both directions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ptmiss.core.compiled import njit
from ptmiss.core.stats.search import first_above

LEAST_SLOPE = 0.01
"""Least change of u' with u: a map that only just rises still has an inverse."""

FAR = 1.0e5
"""GeV: a recoil as large as this is not one, and is left alone."""


class _Grid(NamedTuple):
    """A map as its kernel sees it; offsets: first node of each category, and the number of all."""

    knots: np.ndarray
    jet_edges: np.ndarray
    qt_high: float
    nodes: np.ndarray
    offsets: np.ndarray
    shifts: np.ndarray


@dataclass(frozen=True)
class QuantileMap:
    """Shifts in GeV. knots: (k,); jet_edges: (categories + 1,) numbers of jets.

    nodes: q_t of each category's distributions, (nodes,) each; shifts: (nodes, k) each.

    Below the first and above the last knot or node the shift is that of the end. An event with
    q_t outside [0, qt_high), jets outside the edges, u outside [-FAR, FAR), or anything that is not
    a number keeps its u.
    """

    knots: np.ndarray
    jet_edges: np.ndarray
    qt_high: float
    nodes: tuple[np.ndarray, ...]
    shifts: tuple[np.ndarray, ...]

    def __call__(self, u: np.ndarray, q_t: np.ndarray, n_jets: np.ndarray) -> np.ndarray:
        """Return u' in GeV, shape (n,) as the arguments."""
        grid = _Grid(
            self.knots,
            np.asarray(self.jet_edges, dtype=np.float64),
            float(self.qt_high),
            np.concatenate(self.nodes),
            np.cumsum([0, *(nodes.size for nodes in self.nodes)]),
            np.concatenate(self.shifts),
        )
        out = np.empty(np.size(u))
        u, q_t, n_jets = (np.ascontiguousarray(a, dtype=np.float64) for a in (u, q_t, n_jets))
        _apply(u, q_t, n_jets, grid, out)
        return out

    def with_shifts(self, shifts: Iterable[np.ndarray]) -> QuantileMap:
        """Return the same map with other shifts, in GeV, on its nodes and knots."""
        contiguous = (np.ascontiguousarray(one, dtype=np.float64) for one in shifts)
        return dataclasses.replace(self, shifts=tuple(contiguous))

    def at(self, nodes: tuple[np.ndarray, ...], jet_edges: np.ndarray) -> QuantileMap:
        """Return the same map on other nodes and finer jet categories."""
        centres = np.asarray(jet_edges[:-1], dtype=np.float64)
        shifts = []
        for jets, q_t in zip(centres, nodes, strict=True):
            q, u = (a.ravel() for a in np.meshgrid(q_t, self.knots, indexing="ij"))
            shift = self(u, q, np.full(u.size, jets)) - u
            shifts.append(shift.reshape(q_t.size, self.knots.size))
        return QuantileMap(self.knots, jet_edges, self.qt_high, nodes, tuple(shifts))


@njit(cache=True, nogil=True)
def _place(grid: np.ndarray, first: int, last: int, x: float) -> tuple[int, int, float]:
    """Return the two grid points around x and the share of the second."""
    i = first_above(grid, first, last, x) - 1
    if i < first:
        return first, first, 0.0
    if i >= last - 1:
        return last - 1, last - 1, 0.0
    return i, i + 1, (x - grid[i]) / (grid[i + 1] - grid[i])


@njit(cache=True, nogil=True)
def _apply(
    u: np.ndarray, q_t: np.ndarray, n_jets: np.ndarray, grid: _Grid, out: np.ndarray
) -> None:
    jet_edges, shifts = grid.jet_edges, grid.shifts
    categories = jet_edges.size - 1
    for n in range(u.size):
        out[n] = u[n]
        inside = 0.0 <= q_t[n] < grid.qt_high
        if not (inside and jet_edges[0] <= n_jets[n] < jet_edges[categories]):
            continue
        if not -FAR <= u[n] < FAR:
            continue
        j = first_above(jet_edges, 0, categories + 1, n_jets[n]) - 1
        a, b, t = _place(grid.nodes, grid.offsets[j], grid.offsets[j + 1], q_t[n])
        k, m, s = _place(grid.knots, 0, grid.knots.size, u[n])
        low = shifts[a, k] + s * (shifts[a, m] - shifts[a, k])
        high = shifts[b, k] + s * (shifts[b, m] - shifts[b, k])
        out[n] = u[n] + low + t * (high - low)


def monotone(shifts: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Return shifts with which u' rises with u at least by LEAST_SLOPE, shape as given.

    What falls is met half-way between raising the right and lowering the left of it, so that an odd
    map stays odd.
    """
    floor = (1.0 - LEAST_SLOPE) * knots
    raised = np.maximum.accumulate(shifts + floor, axis=-1)
    lowered = np.minimum.accumulate((shifts + floor)[..., ::-1], axis=-1)[..., ::-1]
    return 0.5 * (raised + lowered) - floor
