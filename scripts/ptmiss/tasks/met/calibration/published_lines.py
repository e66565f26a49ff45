"""The xy correction as published formats have it: by run range, with variations of their own."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.stats.lines import Line, Profile, fit, profile
from ptmiss.core.stats.merging import effective
from ptmiss.tasks.met.calibration.derive import Corrections, Offset, fit_offset
from ptmiss.tasks.met.calibration.replicas import Replicated, Sides
from ptmiss.tasks.met.settings.calibration import CalibrationSettings
from ptmiss.tasks.met.uncertainty import pileup

_LOG = logging.getLogger(__name__)

Lines = tuple[Line, Line]
"""Mean px and py of pTmiss against n_pv; their covariance is that of the replicas."""


@dataclass(frozen=True)
class PublishedLines:
    """The lines of one estimator.

    data, simulation: of all runs; ranges: of data, by name of a run range; pileup: of simulation
    with another pile-up profile, `pu_up` and `pu_dn`.
    """

    estimator: str
    data: Lines
    simulation: Lines
    ranges: dict[str, Lines]
    pileup: dict[str, Lines]


def derive_lines(
    corrections: Corrections, samples: Sides, settings: CalibrationSettings
) -> PublishedLines:
    """Return the lines of an estimator.

    Those of all runs are the lines of its corrections. Raises `UserError` for a run range with too
    few events of data.
    """
    name = corrections.estimator
    sides = {dataset: side.only(name) for dataset, side in samples.items()}
    both = {
        dataset: _with_replicas(side, corrections.xy[dataset], name)
        for dataset, side in sides.items()
    }
    ranges = {}
    for label, (first, last) in settings.published.run_ranges.items():
        side = _in_runs(sides["data"], first, last)
        n_events = effective(side.events.weight)
        if n_events < settings.min_events:
            raise UserError(
                f"calibration.published.run_ranges: {label}, runs {first} to {last}, has"
                f" {n_events:.0f} effective events of data with {name}, fewer than the"
                f" {settings.min_events} that one bin needs (calibration.min_events); join it with"
                " its neighbour"
            )
        x, y = (fit_offset(side, values, settings) for values in side.events.met[name])
        ranges[label] = _with_replicas(side, (x, y), name)
    varied = {
        variation: _reweighted(sides["simulation"], both["simulation"], sign, name, settings)
        for variation, sign in (("pu_up", 1.0), ("pu_dn", -1.0))
    }
    return PublishedLines(name, both["data"], both["simulation"], ranges, varied)


def _in_runs(side: Replicated, first: int, last: int) -> Replicated:
    """Return data of these runs, less their share of the background, which has no runs."""
    background = side.shares > 0.0
    inside = ~background & (side.events.run >= first) & (side.events.run <= last)
    weight = side.events.weight
    share = weight[inside].sum() / weight[~background].sum()
    events = dataclasses.replace(side.events, weight=np.where(background, weight * share, weight))
    return dataclasses.replace(side, events=events).take(inside | background)


def _with_replicas(side: Replicated, offsets: tuple[Offset, Offset], estimator: str) -> Lines:
    """Return the lines with the covariance that the bootstrap replicas of their events have."""
    x, y = (
        _replicated(side, values, offset.profile, offset.line)
        for values, offset in zip(side.events.met[estimator], offsets, strict=True)
    )
    return x, y


def _replicated(side: Replicated, values: np.ndarray, points: Profile, line: Line) -> Line:
    index = np.searchsorted(points.edges, side.events.n_pv, side="right") - 1
    n_pv = side.events.n_pv
    centres, means = [], []
    for i in range(points.mean.size):
        which = np.flatnonzero(index == i)
        weights = side.weights(which, replicas=True)[1:]
        total = weights.sum(axis=1)
        total[total <= 0.0] = np.nan  # a replica that subtracts all of a bin says nothing
        centres.append(weights @ n_pv[which] / total)
        means.append(weights @ values[which] / total)
    drawn = [
        fit(Profile(points.edges, centre, mean, points.error), line.order).coefficients
        for centre, mean in zip(np.transpose(centres), np.transpose(means), strict=True)
        if np.isfinite(mean).all()
    ]
    if len(drawn) < 2:
        _LOG.warning("no replica has events in all bins of n_pv; errors of the fit are taken")
        return line
    return dataclasses.replace(line, covariance=np.cov(np.transpose(drawn)))


def _reweighted(
    side: Replicated, nominal: Lines, sign: float, estimator: str, settings: CalibrationSettings
) -> Lines:
    """Return the lines of simulation with a mean number of vertices shifted by the setting."""
    events = side.events
    number = events.n_pv.astype(np.int64)
    seen = pileup.profile([(number, events.weight)])
    factor = pileup.tilted(seen, sign * settings.published.pileup)
    if factor is None:
        _LOG.warning("too few numbers of vertices to vary the pile-up; pu_up and pu_dn are nominal")
        return nominal
    points = (
        profile(events.n_pv, values, events.weight * factor[number], settings.min_events)
        for values in events.met[estimator]
    )
    x, y = (fit(one, line.order) for one, line in zip(points, nominal, strict=True))
    return x, y
