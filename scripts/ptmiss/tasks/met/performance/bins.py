"""The bins of every axis, grouped so that an event is looked at as rarely as possible."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ptmiss.tasks.met.settings.performance import PerformanceSettings

AXES = ("all", "qt", "n_pv", "n_pv_low_qt", "n_pv_high_qt", "gen_ht", "gen_met")
"""Axes of the tables, in the order of their rows."""

Interval = tuple[float, float]
_ALL: Interval = (-math.inf, math.inf)


@dataclass(frozen=True)
class Bin:
    """A range of events: `low <= variable < high` and `qt[0] <= q_t < qt[1]`.

    A hidden bin serves the response correction and has no row in the tables.
    """

    axis: str
    low: float
    high: float
    variable: str
    qt: Interval = _ALL
    hidden: bool = False

    def holds(self, variables: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return which events are in the bin; a missing value (NaN) is in none but `all`."""
        n = variables["n_pv"].size
        inside = np.ones(n, dtype=bool)
        if self.axis != "all":
            values = variables[self.variable]
            inside &= (values >= self.low) & (values < self.high)
        if self.qt != _ALL:
            inside &= (variables["qt"] >= self.qt[0]) & (variables["qt"] < self.qt[1])
        return inside

    def disjoint(self, other: Bin) -> bool:
        """Return whether no event can be in both bins."""
        apart = self.qt[1] <= other.qt[0] or other.qt[1] <= self.qt[0]
        if self.variable == other.variable:
            apart = apart or self.high <= other.low or other.high <= self.low
        return apart


@dataclass(frozen=True)
class Grid:
    """All bins of a sample, in groups of bins of which an event is in at most one.

    bins: group after group; offsets: first bin of each group, and the number of bins at the end.
    """

    bins: tuple[Bin, ...]
    offsets: tuple[int, ...]

    def indices(self, variables: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return each event's bin in each group, int32, shape (groups, n); -1 for none."""
        n = variables["n_pv"].size
        out = np.full((len(self.offsets) - 1, n), -1, dtype=np.int32)
        for group, (first, last) in enumerate(itertools.pairwise(self.offsets)):
            for number in range(first, last):
                out[group, self.bins[number].holds(variables)] = number
        return out

    def find(self, axis: str, low: float, high: float) -> int:
        """Return the number of a bin."""
        for number, item in enumerate(self.bins):
            if (item.axis, item.low, item.high) == (axis, low, high):
                return number
        raise KeyError((axis, low, high))

    def find_qt(self, low: float, high: float) -> int:
        """Return the number of a bin of q_t, shown or not."""
        for number, item in enumerate(self.bins):
            if item.axis in ("qt", "piece_qt") and (item.low, item.high) == (low, high):
                return number
        raise KeyError(("qt", low, high))

    def shows(self, group: int, axes: Sequence[str]) -> bool:
        """Return whether a group has a bin of one of the axes."""
        first, last = self.offsets[group : group + 2]
        return any(item.axis in axes for item in self.bins[first:last])


def make_grid(
    settings: PerformanceSettings, has_boson: bool, has_truth: bool, axes: Sequence[str] = AXES
) -> Grid:
    """Return the bins that a sample can fill: q_t needs a boson, gen_ht and gen_met the truth.

    axes: those that are wanted; hidden bins are always there.
    """
    low_qt, high_qt = (-math.inf, settings.qt_split), (settings.qt_split, math.inf)
    bins = [Bin("all", *_ALL, "n_pv")]
    if has_boson:
        edges = (settings.qt_edges, settings.response_edges)
        ranges = [*itertools.chain(*map(itertools.pairwise, edges)), *settings.qt_ranges]
        bins += [Bin("qt", low, high, "qt") for low, high in _unique(ranges)]
        plateau = (settings.plateau_low, settings.plateau_high)
        bins.append(Bin("plateau_qt", *plateau, "qt", hidden=True))
        cut = [pair for wide in settings.qt_ranges for pair in cut_range(settings, *wide)]
        known = {(item.low, item.high) for item in bins if item.axis == "qt"}
        bins += [
            Bin("piece_qt", *piece, "qt", hidden=True)
            for piece in _unique([*itertools.chain.from_iterable(cut)])
            if piece not in known
        ]
    bins += _axis("n_pv", "n_pv", settings.n_pv_edges)
    if has_boson:
        bins += _axis("n_pv_low_qt", "n_pv", settings.n_pv_edges, low_qt)
        bins += _axis("n_pv_high_qt", "n_pv", settings.n_pv_edges, high_qt)
    if has_truth:
        bins += _axis("gen_ht", "gen_ht", settings.gen_ht_edges)
        bins += _axis("gen_met", "gen_met", settings.gen_met_edges)
        plateau = (settings.plateau_gen_met, math.inf)
        bins.append(Bin("plateau_gen_met", *plateau, "gen_met", hidden=True))
    return _pack([item for item in bins if item.hidden or item.axis in axes])


def coverage_grid(settings: PerformanceSettings, has_boson: bool) -> Grid:
    """Return the bins of the table of coverage: everything, q_t, n_pv and numbers of jets."""
    bins = [Bin("all", *_ALL, "n_pv")]
    if has_boson:
        bins += [Bin("qt", low, high, "qt") for low, high in _unique(settings.qt_ranges)]
    bins += _axis("n_pv", "n_pv", settings.n_pv_edges)
    bins += _axis("n_jets", "n_jets", (0.0, 1.0, 2.0, 3.0, math.inf))
    return _pack(bins)


def cut_range(
    settings: PerformanceSettings, low: float, high: float
) -> list[tuple[Interval, Interval]]:
    """Return the bins of the response correction that make up a range of q_t: each one's part in
    it, and the whole bin. Empty where the range reaches beyond these bins.
    """
    edges = settings.correction_edges
    if low < edges[0] or high > edges[-1]:
        return []
    return [
        ((max(left, low), min(right, high)), (left, right))
        for left, right in itertools.pairwise(edges)
        if left < high and low < right
    ]


def plateau(grid: Grid, axis: str) -> int:
    """Return the number of the hidden bin of the response correction."""
    return next(number for number, item in enumerate(grid.bins) if item.axis == axis)


def _axis(axis: str, variable: str, edges: Sequence[float], qt: Interval = _ALL) -> list[Bin]:
    return [Bin(axis, low, high, variable, qt) for low, high in itertools.pairwise(edges)]


def _unique(ranges: Sequence[Sequence[float]]) -> list[Interval]:
    return list(dict.fromkeys((float(low), float(high)) for low, high in ranges))


def _pack(bins: Sequence[Bin]) -> Grid:
    """Put each bin into the first group in which it overlaps with none."""
    groups: list[list[Bin]] = []
    for item in bins:
        for group in groups:
            if all(item.disjoint(other) for other in group):
                group.append(item)
                break
        else:
            groups.append([item])
    offsets = (0, *itertools.accumulate(len(group) for group in groups))
    return Grid(tuple(itertools.chain.from_iterable(groups)), offsets)
