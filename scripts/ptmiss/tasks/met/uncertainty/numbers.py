"""The numbers of one sample under one variation: what nominal ones are compared with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ptmiss.tasks.met.performance.bins import Grid
from ptmiss.tasks.met.performance.measure import cores, measure
from ptmiss.tasks.met.performance.observables import variables
from ptmiss.tasks.met.performance.resolution import Measured
from ptmiss.tasks.met.performance.stream import Chunks
from ptmiss.tasks.met.settings.performance import PerformanceSettings
from ptmiss.tasks.met.settings.uncertainty import UncertaintySettings

MEAN_MET = "mean_met"
"""Mean of |pTmiss| in GeV; the others are those of the performance tables."""

Key = tuple[str, str, float, float, str]
"""Estimator, axis, lower and upper edge of the bin, quantity."""


@dataclass(frozen=True)
class Numbers:
    """The numbers of a sample, the 68 % bounds of each `MEAN_MET`, and how many events there are.

    Bins with too few events have no entry.
    """

    values: dict[Key, float]
    bounds: dict[Key, tuple[float, float]]
    n_events: int


def numbers(
    events: Chunks,
    estimators: tuple[str, ...],
    settings: PerformanceSettings,
    wanted: UncertaintySettings,
) -> Numbers:
    """Return the numbers of a sample in the axes and quantities that are wanted.

    Without replicas: the same events are compared with themselves, and the statistical interval
    stands in the performance table.
    """
    quick = settings.model_copy(update={"replicas": 0})
    parts = measure(events, estimators, quick, cores(), wanted.axes)
    mean, error = _mean_met(events, parts.grid, len(estimators))
    values: dict[Key, float] = {}
    bounds: dict[Key, tuple[float, float]] = {}
    for e, name in enumerate(parts.estimators):
        measured = Measured(parts, e, quick)
        for number, item in enumerate(parts.grid.bins):
            if item.hidden:
                continue
            head = (name, item.axis, item.low, item.high)
            for quantity, value in measured.quantities(number).items():
                if quantity in wanted.quantities and value.values is not None:
                    values[*head, quantity] = float(value.values[0])
            if MEAN_MET in wanted.quantities and measured.effective(number) >= settings.min_events:
                place = estimators.index(name), number
                values[*head, MEAN_MET] = float(mean[place])
                low, high = mean[place] - error[place], mean[place] + error[place]
                bounds[*head, MEAN_MET] = low, high
    good = {key: value for key, value in values.items() if math.isfinite(value)}
    return Numbers(good, bounds, parts.n_events)


def _mean_met(events: Chunks, grid: Grid, n_estimators: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean |pTmiss| and its standard error, each (estimators, bins); NaN without events."""
    n_bins = len(grid.bins)
    sums = np.zeros((5, n_estimators, n_bins))
    for chunk in events():
        met = np.hypot(chunk.met[:, 0], chunk.met[:, 1])
        for index in grid.indices(variables(chunk)):
            for e in range(n_estimators):
                good = (index >= 0) & np.isfinite(met[e])
                where, w, x = index[good], chunk.weight[good], met[e][good]
                for k, term in enumerate((w, w * x, w * w, w * w * x, w * w * x * x)):
                    sums[k, e] += np.bincount(where, weights=term, minlength=n_bins)
    w, wx, w2, w2x, w2x2 = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = wx / w
        # sum of w^2 (x - mean)^2, the variance of a weighted mean
        error = np.sqrt(np.maximum(w2x2 - 2.0 * mean * w2x + mean * mean * w2, 0.0)) / np.abs(w)
    return mean, error
