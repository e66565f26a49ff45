"""All distributions of a sample, of every estimator, bin and replica, in three passes over it.

The first pass finds what the sample has (truth, boson, the largest weight of each bin), the second
looks where each distribution lies, the third fills the histograms of all replicas. What is in
memory depends on the number of bins, estimators and replicas, not on the number of events.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ptmiss.performance import bootstrap, histograms
from ptmiss.performance.bins import Grid, make_grid
from ptmiss.performance.observables import LEVERS, names, observe, variables
from ptmiss.performance.stream import Chunk
from ptmiss.settings.performance import PerformanceSettings

Events = Callable[[], Iterable[Chunk]]
"""Gives the events of a sample anew with every call."""


@dataclass(frozen=True)
class Distributions:
    """The distributions of a sample: axes are estimator, observable, bin, cell, replica.

    edges (e, o, b, cells - 1) in GeV; hist (e, o, b, cells, 1 + replicas): sum of weights in units
    of 1 / scale; levers (e, levers, b, 1 + replicas): sum of weight times q_t or true pTmiss in the
    same units; moments (e, o, b, cells, 7): `histograms.MOMENTS`; non_finite (e,): events whose
    estimate is not finite; n_events: events used.
    """

    grid: Grid
    estimators: tuple[str, ...]
    observables: tuple[str, ...]
    scale: np.ndarray
    edges: np.ndarray
    hist: np.ndarray
    levers: np.ndarray
    moments: np.ndarray
    non_finite: np.ndarray
    n_events: int
    has_boson: bool
    has_truth: bool
    boson_has_neutrino: bool


def cores() -> int:
    """Return how many threads to use: the cores of this process, or fewer if the caller says so."""
    available = len(os.sched_getaffinity(0))
    wanted = os.environ.get("OMP_NUM_THREADS", "")  # what Snakemake sets to a rule's threads
    return min(available, int(wanted)) if wanted.isdigit() and int(wanted) else available


def measure(
    events: Events, estimators: tuple[str, ...], settings: PerformanceSettings, workers: int = 1
) -> Distributions:
    """Return all distributions of a sample. The result does not depend on `workers`."""
    has_boson, has_truth, neutrino, bad, absent, n_events = _scan(events, len(estimators))
    present = tuple(name for name, out in zip(estimators, absent, strict=True) if not out)
    keep = np.flatnonzero(~absent)
    grid = make_grid(settings, has_boson, has_truth)
    wanted = names(has_boson, has_truth)
    plan = _Plan(events, keep, grid, wanted, settings)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        scale = plan.scale()
        edges = plan.edges(scale, pool)
        hist, levers, moments = plan.fill(scale, edges, pool)
    return Distributions(
        grid, present, wanted, scale, edges, hist, levers, moments, bad[keep], n_events,
        has_boson, has_truth, neutrino,
    )  # fmt: skip


def _scan(events: Events, n_estimators: int):
    """Find what a sample has: boson, truth, and per estimator how often it is not finite."""
    has_boson = has_truth = neutrino = False
    bad, n_events = np.zeros(n_estimators, dtype=np.int64), 0
    for chunk in events():
        n_events += chunk.weight.size
        has_boson = has_boson or bool(np.isfinite(chunk.boson).any())
        has_truth = has_truth or bool(np.isfinite(chunk.true_met).any())
        neutrino = neutrino or chunk.boson_has_neutrino
        bad += np.count_nonzero(~np.isfinite(chunk.met).all(axis=1), axis=1)
    # a column that is empty in every event is one that the input does not have
    absent = (bad == n_events) & (n_events > 0)
    return has_boson, has_truth, neutrino, bad, absent, n_events


@dataclass(frozen=True)
class _Plan:
    events: Events
    estimators: np.ndarray
    grid: Grid
    observables: tuple[str, ...]
    settings: PerformanceSettings

    @property
    def _shape(self) -> tuple[int, int, int]:
        return len(self.estimators), len(self.observables), len(self.grid.bins)

    def _observe(self, chunk: Chunk) -> list[np.ndarray]:
        minimum = self.settings.response_gen_met
        return [observe(chunk, e, self.observables, minimum) for e in self.estimators]

    def _groups(self) -> range:
        return range(len(self.grid.offsets) - 1)

    def scale(self) -> np.ndarray:
        """Return `histograms.weight_scale` of each bin, shape (bins,)."""
        largest = np.zeros(len(self.grid.bins))
        for chunk in self.events():
            for index in self.grid.indices(variables(chunk)):
                inside = index >= 0
                np.maximum.at(largest, index[inside], np.abs(chunk.weight[inside]))
        return histograms.weight_scale(largest)

    def edges(self, scale: np.ndarray, pool: ThreadPoolExecutor) -> np.ndarray:
        """Return the cells of every distribution, shape (e, o, b, cells - 1)."""
        n_estimators, n_observables, _ = self._shape
        fine = np.zeros((*self._shape, histograms.N_FINE), dtype=np.int64)
        squares = np.zeros(self._shape, dtype=np.int64)

        def add(task: tuple[int, int]) -> None:
            e, o = task
            cells = np.empty(chunk.weight.size, dtype=np.int32)
            histograms.fine_cells(values[e][o], cells)
            for index in indices:
                histograms.fill_fine(index, cells, chunk.weight, scale, fine[e, o], squares[e, o])

        tasks = list(itertools.product(range(n_estimators), range(n_observables)))
        for chunk in self.events():
            values, indices = self._observe(chunk), self.grid.indices(variables(chunk))
            list(pool.map(add, tasks))
        if "x" in self.observables:  # the same cells, because x and y are also looked at together
            x, y = (self.observables.index(name) for name in "xy")
            fine[:, x] += fine[:, y]
            squares[:, x] += squares[:, y]
            fine[:, y], squares[:, y] = fine[:, x], squares[:, x]
        edges = np.empty((*self._shape, histograms.N_CELLS - 1))
        for place in np.ndindex(*self._shape):
            edges[place] = histograms.choose_edges(
                fine[place], squares[place], self.settings.rms_range
            )
        return edges

    def fill(
        self, scale: np.ndarray, edges: np.ndarray, pool: ThreadPoolExecutor
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return hist, levers and moments of `Distributions`."""
        n_estimators, n_observables, n_bins = self._shape
        width = 1 + self.settings.replicas
        hist = np.zeros((*self._shape, histograms.N_CELLS, width))
        levers = np.zeros((n_estimators, len(LEVERS), n_bins, width))
        moments = np.zeros(
            (*self._shape, histograms.N_CELLS, len(histograms.MOMENTS)), dtype=np.int64
        )
        none = np.empty(0)

        def add(task: tuple[int, int, int]) -> None:
            group, e, o = task
            first, last = self.grid.offsets[group : group + 2]
            name = self.observables[o]
            lever = seen[LEVERS[name]] if name in LEVERS else none
            slot = list(LEVERS).index(name) if name in LEVERS else 0
            histograms.fill(
                indices[group], first, last - first, values[e][o], lever, chunk.weight, scale,
                copies, edges[e, o], self.settings.rms_range,
                hist[e, o], levers[e, slot], moments[e, o],
            )  # fmt: skip

        tasks = list(itertools.product(self._groups(), range(n_estimators), range(n_observables)))
        for chunk in self.events():
            seen = variables(chunk)
            values, indices = self._observe(chunk), self.grid.indices(seen)
            copies = bootstrap.copies(chunk.states, self.settings.replicas)
            list(pool.map(add, tasks))
        return hist, levers, moments
