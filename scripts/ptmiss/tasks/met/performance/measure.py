"""All distributions of a sample, of every estimator, bin and replica, in a few passes over it.

The first pass finds what the sample has (truth, boson, the largest weight of each bin), the next
looks where each distribution lies, the last fills the histograms of all replicas. Where there is
true pTmiss, one more pass before these finds the median of |pTmiss| / true, which scales |pTmiss|.
What is in memory depends on the number of bins, estimators and replicas, not on that of events.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ptmiss.core.stats import bootstrap, histograms
from ptmiss.tasks.met.performance.bins import AXES, Bin, Grid, make_grid
from ptmiss.tasks.met.performance.observables import (
    AXES_OF,
    LEVELS,
    LEVERS,
    UNITS,
    limit,
    names,
    observe,
    ratio,
    variables,
)
from ptmiss.tasks.met.performance.stream import Chunk
from ptmiss.tasks.met.settings.performance import PerformanceSettings

Events = Callable[[], Iterable[Chunk]]
"""Gives the events of a sample anew with every call."""


@dataclass(frozen=True)
class Distributions:
    """The distributions of a sample: axes are estimator, observable, bin, cell, replica.

    factors (e, b): what `scaled` multiplies |pTmiss| with, about the inverse median response;
    edges (e, o, b, cells - 1) in GeV; hist (e, o, b, cells, 1 + replicas): sum of weights in units
    of 1 / scale; levers (e, levers, b, 1 + replicas): sum of weight times q_t or true pTmiss in the
    same units; moments (e, o, b, cells, 9): `histograms.MOMENTS`; non_finite (e,): events whose
    estimate is not finite; n_events: events used.
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


def cores() -> int:
    """Return how many threads to use: the cores of this process, or fewer if the caller says so."""
    available = len(os.sched_getaffinity(0))
    wanted = os.environ.get("OMP_NUM_THREADS", "")  # what Snakemake sets to a rule's threads
    return min(available, int(wanted)) if wanted.isdigit() and int(wanted) else available


def measure(
    events: Events,
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
    plan = _Plan(events, keep, grid, wanted, settings, scale)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        factors = plan.factors(pool)
        edges = plan.edges(factors, pool)
        hist, levers, moments = plan.fill(factors, edges, pool)
    return Distributions(
        grid, present, wanted, scale, factors, edges, hist, levers, moments, seen.bad[keep],
        seen.n_events, seen.has_boson, seen.has_truth, seen.neutrino,
    )  # fmt: skip


@dataclass
class _Seen:
    """What a sample has: boson, truth, the largest |weight| of each bin that any sample can have,
    and for each estimator in how many events it is not finite."""

    largest: dict[Bin, float]
    bad: np.ndarray
    has_boson: bool = False
    has_truth: bool = False
    neutrino: bool = False
    n_events: int = 0

    @property
    def absent(self) -> np.ndarray:
        return (self.bad == self.n_events) & (self.n_events > 0)


def _scan(events: Events, n_estimators: int, settings: PerformanceSettings) -> _Seen:
    grid = make_grid(settings, has_boson=True, has_truth=True)
    largest = np.zeros(len(grid.bins))
    seen = _Seen({}, np.zeros(n_estimators, dtype=np.int64))
    for chunk in events():
        seen.n_events += chunk.weight.size
        seen.has_boson |= bool(np.isfinite(chunk.boson).any())
        seen.has_truth |= bool(np.isfinite(chunk.true_met).any())
        seen.neutrino |= chunk.boson_has_neutrino
        seen.bad += np.count_nonzero(~np.isfinite(chunk.met).all(axis=1), axis=1)
        size = np.abs(chunk.weight)
        for index in grid.indices(variables(chunk)):
            inside = index >= 0
            np.maximum.at(largest, index[inside], size[inside])
    seen.largest = dict(zip(grid.bins, largest.tolist(), strict=True))
    return seen


@dataclass(frozen=True)
class _Plan:
    events: Events
    estimators: np.ndarray
    grid: Grid
    observables: tuple[str, ...]
    settings: PerformanceSettings
    scale: np.ndarray

    @property
    def _shape(self) -> tuple[int, int, int]:
        return len(self.estimators), len(self.observables), len(self.grid.bins)

    def _observe(self, chunk: Chunk, pool: ThreadPoolExecutor) -> list[np.ndarray]:
        def one(e: int) -> np.ndarray:
            return observe(chunk, e, self.observables, self.settings)

        return list(pool.map(one, self.estimators))

    def _groups(self, name: str) -> list[int]:
        """Return the groups of bins that an observable is looked at in."""
        groups = range(len(self.grid.offsets) - 1)
        axes = AXES_OF.get(name, ())
        return [group for group in groups if not axes or self.grid.shows(group, axes)]

    def factors(self, pool: ThreadPoolExecutor) -> np.ndarray:
        """Return the inverse median of |pTmiss| / true, shape (e, b); 1 where there is none."""
        n_estimators, _, n_bins = self._shape
        factors = np.ones((n_estimators, n_bins))
        if "scaled" not in self.observables:
            return factors
        fine = np.zeros((n_estimators, n_bins, histograms.N_FINE), dtype=np.int64)
        squares = np.zeros((n_estimators, n_bins), dtype=np.int64)

        def add(e: int) -> None:
            cells = np.empty(chunk.weight.size, dtype=np.int32)
            values = ratio(chunk, self.estimators[e], self.settings)
            histograms.fine_cells(values, cells)
            for index in indices:
                histograms.fill_fine(index, cells, chunk.weight, self.scale, fine[e], squares[e])

        for chunk in self.events():
            every = self.grid.indices(variables(chunk))
            indices = [every[group] for group in self._groups("scaled")]
            list(pool.map(add, range(n_estimators)))
        half, cells_of = np.array([0.5]), histograms.fine_edges()
        for place in np.ndindex(n_estimators, n_bins):
            median = histograms.place_of(fine[place], half, cells_of)[0] / UNITS["ratio"]
            factors[place] = 1.0 / (1.0 + median)
        return factors

    def _values(self, name: str, seen: np.ndarray, chunk: Chunk, factor: np.ndarray) -> np.ndarray:
        """Return an observable; factor (n,): what multiplies |pTmiss| in each event's bin."""
        return seen * factor - np.hypot(*chunk.true_met) if name == "scaled" else seen

    def edges(self, factors: np.ndarray, pool: ThreadPoolExecutor) -> np.ndarray:
        """Return the cells of every distribution, shape (e, o, b, cells - 1)."""
        n_estimators, n_observables, _ = self._shape
        fine = np.zeros((*self._shape, histograms.N_FINE), dtype=np.int64)
        squares = np.zeros(self._shape, dtype=np.int64)

        def add(task: tuple[int, int]) -> None:
            e, o = task
            name, place = self.observables[o], (e, o)
            cells = np.empty(chunk.weight.size, dtype=np.int32)
            groups = self._groups(name)
            for group in groups:
                index = indices[group]
                if group == groups[0] or name == "scaled":
                    found = self._values(name, values[e][o], chunk, factors[e][index])
                    histograms.fine_cells(found, cells)
                histograms.fill_fine(
                    index, cells, chunk.weight, self.scale, fine[place], squares[place]
                )

        tasks = list(itertools.product(range(n_estimators), range(n_observables)))
        for chunk in self.events():
            values, indices = self._observe(chunk, pool), self.grid.indices(variables(chunk))
            list(pool.map(add, tasks))
        if "x" in self.observables:  # the same cells, because x and y are also looked at together
            x, y = (self.observables.index(name) for name in "xy")
            fine[:, x] += fine[:, y]
            squares[:, x] += squares[:, y]
            fine[:, y], squares[:, y] = fine[:, x], squares[:, x]
        edges = np.zeros((*self._shape, histograms.N_CELLS - 1))
        for e, o, b in np.argwhere(fine.any(axis=-1)):
            name = self.observables[o]
            edges[e, o, b] = histograms.choose_edges(
                fine[e, o, b],
                squares[e, o, b],
                limit(name, self.settings),
                LEVELS.get(name, histograms.LEVELS),
            )
        return edges

    def fill(
        self, factors: np.ndarray, edges: np.ndarray, pool: ThreadPoolExecutor
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return hist, levers and moments of `Distributions`."""
        n_estimators, _, n_bins = self._shape
        width = 1 + self.settings.replicas
        hist = np.zeros((*self._shape, histograms.N_CELLS, width))
        levers = np.zeros((n_estimators, len(LEVERS), n_bins, width))
        shared = np.zeros((len(LEVERS), n_bins, width))
        moments = np.zeros(
            (*self._shape, histograms.N_CELLS, len(histograms.MOMENTS)), dtype=np.int64
        )
        nothing = np.empty(0)

        def add(task: tuple[int, int, int]) -> None:
            group, e, o = task
            first, last = self.grid.offsets[group : group + 2]
            name, seen, index = self.observables[o], values[e][o], indices[group]
            histograms.fill(
                index, first, last - first,
                self._values(name, seen, chunk, factors[e][index]),
                seen if name == "scaled" else nothing,
                chunk.weight, self.scale, copies, edges[e, o], limit(name, self.settings),
                hist[e, o], moments[e, o],
            )  # fmt: skip

        def add_lever(task: tuple[int, str]) -> None:
            """Add to what all estimators share, and take from each what is not finite in it."""
            group, name = task
            slot, o, index = list(LEVERS).index(name), self.observables.index(name), indices[group]
            histograms.fill_levers(
                index, lever[name], chunk.weight, self.scale, copies, 1.0, shared[slot]
            )
            for e in range(n_estimators):
                out = np.flatnonzero(np.isfinite(lever[name]) & ~np.isfinite(values[e][o]))
                if out.size:
                    histograms.fill_levers(
                        index[out], lever[name][out], chunk.weight[out], self.scale,
                        copies[out], -1.0, levers[e, slot],
                    )  # fmt: skip

        tasks = [
            (group, e, o)
            for o, name in enumerate(self.observables)
            for group in self._groups(name)
            for e in range(n_estimators)
        ]
        lever_tasks = [
            (group, name) for name in LEVERS if name in self.observables
            for group in self._groups(name)
        ]  # fmt: skip
        for chunk in self.events():
            variable = variables(chunk)
            real = variable["gen_met"] > self.settings.response_gen_met
            lever = {"par": variable["qt"], "along": np.where(real, variable["gen_met"], np.nan)}
            values, indices = self._observe(chunk, pool), self.grid.indices(variable)
            copies = bootstrap.copies(chunk.states, self.settings.replicas)
            list(pool.map(add, tasks))
            list(pool.map(add_lever, lever_tasks))
        levers += shared
        return hist, levers, moments
