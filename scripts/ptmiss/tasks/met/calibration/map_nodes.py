"""A quantile map as nodes of a correctionlib document."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from ptmiss.core.stats.quantile_map import FAR, QuantileMap
from ptmiss.tasks.met.calibration.nodes import Node, binning, formula, reference

Side = tuple[float, np.ndarray]


class MapInputs(NamedTuple):
    """What the inputs of a map are called: recoil component in GeV, q_t in GeV, number of jets."""

    u: str
    q_t: str
    n_jets: str


def map_formulas(names: MapInputs) -> list[Node]:
    """Return the formulas of a correction whose data are `map_tree`."""
    return [formula("x", names.u), formula("x+[0]+[1]*x+y*([2]+[3]*x)", names.u, names.q_t)]


def map_tree(quantile_map: QuantileMap, names: MapInputs) -> Node:
    """Return the mapped component as nodes; it is unchanged wherever `QuantileMap` leaves it."""
    same = reference(0)
    content = [
        binning(
            names.q_t,
            [0.0, *q_t, quantile_map.qt_high],
            [_strip(quantile_map.knots, *pair, names.u) for pair in _strips(q_t, shifts)],
            same,
        )
        for q_t, shifts in zip(quantile_map.nodes, quantile_map.shifts, strict=True)
    ]
    return binning(names.n_jets, quantile_map.jet_edges, content, same)


def _strips(q_t: np.ndarray, shifts: np.ndarray) -> list[tuple[Side, Side]]:
    """Return the two sides (q_t, shifts) of each range of q_t: below, between and above nodes."""
    sides = list(zip(q_t, shifts, strict=True))
    return [(sides[0], sides[0]), *itertools.pairwise(sides), (sides[-1], sides[-1])]


def _strip(knots: np.ndarray, first: Side, second: Side, u: str) -> Node:
    """Return the bins of u in a range of q_t; shift = a + b u + q_t (c + d u) in each."""
    (q_a, low), (q_b, high) = first, second
    per_gev = (high - low) / (q_b - q_a) if q_b > q_a else np.zeros_like(low)
    base = low - q_a * per_gev  # at q_t = 0
    step = np.diff(knots)
    b, d = np.diff(base) / step, np.diff(per_gev) / step
    a, c = base[:-1] - b * knots[:-1], per_gev[:-1] - d * knots[:-1]
    inner = [reference(1, *row) for row in zip(a, b, c, d, strict=True)]
    below, above = (reference(1, base[i], 0.0, per_gev[i], 0.0) for i in (0, -1))
    return binning(u, [-FAR, *knots, FAR], [below, *inner, above], reference(0))
