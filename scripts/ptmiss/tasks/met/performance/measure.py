"""All distributions of a sample, of every estimator, bin and replica, in a few passes over it.

The first pass finds what the sample has (truth, boson, the largest weight of each bin), the next
looks where each distribution lies, the last fills the histograms of all replicas. Where there is
true pTmiss, one more pass before these finds the median of |pTmiss| / true, which scales |pTmiss|.
What is in memory depends on the number of bins, estimators and replicas, not on that of events.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ptmiss.core.stats import histograms
from ptmiss.tasks.met.performance.bins import AXES, Bin, Grid, make_grid
from ptmiss.tasks.met.performance.observables import names, variables
from ptmiss.tasks.met.performance.passes import Passes
from ptmiss.tasks.met.performance.stream import Chunks
from ptmiss.tasks.met.settings.performance import PerformanceSettings


@dataclass(frozen=True)
class Distributions:
    """The distributions of a sample: axes are estimator, observable, bin, cell, replica.

    factors (e, b): what `scaled` multiplies |pTmiss| with, about the inverse median response;
    edges (e, o, b, cells - 1) in GeV; hist (e, o, b, cells, 1 + replicas): sum of weights in units
    of 1 / scale; levers (e, levers, b, 1 + replicas): sum of weight times q_t or true pTmiss in the
    same units; moments (e, o, b, cells, 9): `histograms.MOMENTS`; non_finite (e,): events whose
    estimate is not finite; n_events: events used; has_lepton: the lepton of a W is known.
    """

    grid: Grid
    estimators: tuple[str, ...]
    observables: tuple[str, ...]
    scale: np.ndarray
    factors: np.ndarray
    edges: np.ndarray
    hist: np.ndarray
    levers: np.ndarray
    moments: np.ndarray
    non_finite: np.ndarray
    n_events: int
    has_boson: bool
    has_truth: bool
    boson_has_neutrino: bool
    has_lepton: bool = False


def cores() -> int:
    """Return how many threads to use: the cores of this process, or fewer if the caller says so."""
    available = len(os.sched_getaffinity(0))
    wanted = os.environ.get("OMP_NUM_THREADS", "")  # what Snakemake sets to a rule's threads
    return min(available, int(wanted)) if wanted.isdigit() and int(wanted) else available


def measure(
    events: Chunks,
    estimators: tuple[str, ...],
    settings: PerformanceSettings,
    workers: int = 1,
    axes: Sequence[str] = AXES,
) -> Distributions:
    """Return all distributions of a sample. The result does not depend on `workers`.

    An estimator that is not finite in any event is one that the input does not have; it is left
    out. axes: those whose bins are wanted.
    """
    seen = _scan(events, len(estimators), settings)
    present = tuple(name for name, out in zip(estimators, seen.absent, strict=True) if not out)
    keep = np.flatnonzero(~seen.absent)
    grid = make_grid(settings, seen.has_boson, seen.has_truth, axes)
    wanted = names(seen.has_boson, seen.has_truth, seen.neutrino)
    scale = histograms.weight_scale(np.array([seen.largest[item] for item in grid.bins]))
    passes = Passes(events, keep, grid, wanted, settings, scale)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        factors = passes.factors(pool)
        edges = passes.edges(factors, pool)
        filled = passes.fill(factors, edges, pool)
    return Distributions(
        grid,
        present,
        wanted,
        scale,
        factors,
        edges,
        filled.hist,
        filled.levers,
        filled.moments,
        seen.bad[keep],
        seen.n_events,
        seen.has_boson,
        seen.has_truth,
        seen.neutrino,
        seen.has_lepton,
    )


@dataclass
class _Seen:
    """What a sample has: boson, truth, the largest |weight| of each bin that any sample can have,
    and for each estimator in how many events it is not finite."""

    largest: dict[Bin, float]
    bad: np.ndarray
    has_boson: bool = False
    has_truth: bool = False
    neutrino: bool = False
    has_lepton: bool = False
    n_events: int = 0

    @property
    def absent(self) -> np.ndarray:
        absent: np.ndarray = (self.bad == self.n_events) & (self.n_events > 0)
        return absent


def _scan(events: Chunks, n_estimators: int, settings: PerformanceSettings) -> _Seen:
    grid = make_grid(settings, has_boson=True, has_truth=True)
    largest = np.zeros(len(grid.bins))
    seen = _Seen({}, np.zeros(n_estimators, dtype=np.int64))
    for chunk in events():
        seen.n_events += chunk.weight.size
        seen.has_boson |= bool(np.isfinite(chunk.boson).any())
        seen.has_truth |= bool(np.isfinite(chunk.true_met).any())
        seen.neutrino |= chunk.boson_has_neutrino
        seen.has_lepton |= chunk.lepton is not None and bool(np.isfinite(chunk.lepton).any())
        seen.bad += np.count_nonzero(~np.isfinite(chunk.met).all(axis=1), axis=1)
        size = np.abs(chunk.weight)
        for index in grid.indices(variables(chunk)):
            inside = index >= 0
            np.maximum.at(largest, index[inside], size[inside])
    seen.largest = dict(zip(grid.bins, largest.tolist(), strict=True))
    return seen
