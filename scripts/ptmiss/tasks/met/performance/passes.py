"""The passes over a sample that make its distributions, each in as many threads as there are."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ptmiss.core.stats import bootstrap, histograms
from ptmiss.tasks.met.performance.bins import Grid
from ptmiss.tasks.met.performance.observables import (
    AXES_OF,
    LEVELS,
    LEVERS,
    UNITS,
    limit,
    observe,
    ratio,
    variables,
)
from ptmiss.tasks.met.performance.stream import Chunk, Chunks
from ptmiss.tasks.met.settings.performance import PerformanceSettings


@dataclass(frozen=True)
class View:
    """Some events as a pass looks at them.

    variables: what they are binned in, (n,) each; indices (groups, n): bin in each group, -1 for
    none; values: of each estimator (observables, n), see `observe`.
    """

    chunk: Chunk
    variables: dict[str, np.ndarray]
    indices: np.ndarray
    values: list[np.ndarray]


@dataclass(frozen=True)
class Fine:
    """The histograms of the pass that looks where distributions lie.

    cells (..., bins, N_FINE): sums of |w|; squares (..., bins): sums of w^2.
    """

    cells: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, *shape: int) -> Fine:
        """Return empty histograms."""
        cells = np.zeros((*shape, histograms.N_FINE), dtype=np.int64)
        return cls(cells, np.zeros(shape, dtype=np.int64))


@dataclass(frozen=True)
class Filled:
    """Histograms, levers and moments of `Distributions`.

    shared (levers, bins, 1 + replicas): of all estimators, to which `levers` are differences until
    the last event.
    """

    hist: np.ndarray
    levers: np.ndarray
    moments: np.ndarray
    shared: np.ndarray


@dataclass(frozen=True)
class Passes:
    """What the passes over a sample have in common.

    estimators: places of those that are measured in the events; scale: see `weight_scale`.
    """

    events: Chunks
    estimators: np.ndarray
    grid: Grid
    observables: tuple[str, ...]
    settings: PerformanceSettings
    scale: np.ndarray

    @property
    def _shape(self) -> tuple[int, int, int]:
        return len(self.estimators), len(self.observables), len(self.grid.bins)

    def _views(self, pool: ThreadPoolExecutor) -> Iterator[View]:
        for chunk in self.events():
            observed = functools.partial(self._observe, chunk)
            binned = variables(chunk)
            values = list(pool.map(observed, self.estimators))
            yield View(chunk, binned, self.grid.indices(binned), values)

    def _observe(self, chunk: Chunk, place: int) -> np.ndarray:
        return observe(chunk, place, self.observables, self.settings)

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
        fine = Fine.of(n_estimators, n_bins)
        for chunk in self.events():
            indices = self.grid.indices(variables(chunk))[self._groups("scaled")]
            add = functools.partial(self.add_ratios, chunk, indices, fine)
            list(pool.map(add, range(n_estimators)))
        half, edges = np.array([0.5]), histograms.fine_edges()
        for place in np.ndindex(n_estimators, n_bins):
            median = histograms.place_of(fine.cells[place], half, edges)[0] / UNITS["ratio"]
            factors[place] = 1.0 / (1.0 + median)
        return factors

    def add_ratios(self, chunk: Chunk, indices: np.ndarray, fine: Fine, e: int) -> None:
        """Add |pTmiss| / true of an estimator. indices (groups, n): bin in each group."""
        cells = np.empty(chunk.weight.size, dtype=np.int32)
        histograms.fine_cells(ratio(chunk, self.estimators[e], self.settings), cells)
        for index in indices:
            histograms.fill_fine(
                index, cells, chunk.weight, self.scale, fine.cells[e], fine.squares[e]
            )

    def edges(self, factors: np.ndarray, pool: ThreadPoolExecutor) -> np.ndarray:
        """Return the cells of every distribution, shape (e, o, b, cells - 1)."""
        n_estimators, n_observables, _ = self._shape
        fine = Fine.of(*self._shape)
        tasks = list(itertools.product(range(n_estimators), range(n_observables)))
        for view in self._views(pool):
            list(pool.map(functools.partial(self.add_fine, view, factors, fine), tasks))
        if "x" in self.observables:  # the same cells, because x and y are also looked at together
            x, y = (self.observables.index(name) for name in "xy")
            for sums in (fine.cells, fine.squares):
                sums[:, x] += sums[:, y]
                sums[:, y] = sums[:, x]
        edges = np.zeros((*self._shape, histograms.N_CELLS - 1))
        for e, o, b in np.argwhere(fine.cells.any(axis=-1)):
            name = self.observables[o]
            edges[e, o, b] = histograms.choose_edges(
                fine.cells[e, o, b],
                fine.squares[e, o, b],
                limit(name, self.settings),
                LEVELS.get(name, histograms.LEVELS),
            )
        return edges

    def add_fine(self, view: View, factors: np.ndarray, fine: Fine, task: tuple[int, int]) -> None:
        """Add an observable of an estimator to its histogram of the first pass."""
        e, o = task
        name, weight = self.observables[o], view.chunk.weight
        cells = np.empty(weight.size, dtype=np.int32)
        groups = self._groups(name)
        for group in groups:
            index = view.indices[group]
            if group == groups[0] or name == "scaled":
                values = self._values(name, view, task, factors[e][index])
                histograms.fine_cells(values, cells)
            histograms.fill_fine(
                index, cells, weight, self.scale, fine.cells[task], fine.squares[task]
            )

    def _values(
        self, name: str, view: View, task: tuple[int, int], factor: np.ndarray
    ) -> np.ndarray:
        """Return an observable; factor (n,): what multiplies |pTmiss| in each event's bin."""
        e, o = task
        values = view.values[e][o]
        if name != "scaled":
            return np.asarray(values)
        scaled: np.ndarray = values * factor - np.hypot(*view.chunk.true_met)
        return scaled

    def fill(self, factors: np.ndarray, edges: np.ndarray, pool: ThreadPoolExecutor) -> Filled:
        """Return the histograms of all replicas. factors, edges: of the passes before."""
        n_estimators, _, n_bins = self._shape
        width = 1 + self.settings.replicas
        filled = Filled(
            hist=np.zeros((*self._shape, histograms.N_CELLS, width)),
            levers=np.zeros((n_estimators, len(LEVERS), n_bins, width)),
            moments=np.zeros(
                (*self._shape, histograms.N_CELLS, len(histograms.MOMENTS)), dtype=np.int64
            ),
            shared=np.zeros((len(LEVERS), n_bins, width)),
        )
        tasks = [
            (group, e, o)
            for o, name in enumerate(self.observables)
            for group in self._groups(name)
            for e in range(n_estimators)
        ]
        present = [name for name in LEVERS if name in self.observables]
        levers = [(group, name) for name in present for group in self._groups(name)]
        for view in self._views(pool):
            copies = bootstrap.copies(view.chunk.states, self.settings.replicas)
            add = functools.partial(self.add, view, copies, (factors, edges), filled)
            list(pool.map(add, tasks))
            list(pool.map(functools.partial(self.add_lever, view, copies, filled), levers))
        np.add(filled.levers, filled.shared, out=filled.levers)
        return filled

    def add(
        self,
        view: View,
        copies: np.ndarray,
        before: tuple[np.ndarray, np.ndarray],
        filled: Filled,
        task: tuple[int, int, int],
    ) -> None:
        """Add an observable of an estimator in a group of bins to all replicas.

        before: factors and edges of the passes before.
        """
        group, e, o = task
        factors, edges = before
        first, last = self.grid.offsets[group : group + 2]
        name, index = self.observables[o], view.indices[group]
        histograms.fill(
            index,
            first,
            last - first,
            self._values(name, view, (e, o), factors[e][index]),
            view.values[e][o] if name == "scaled" else np.empty(0),
            view.chunk.weight,
            self.scale,
            copies,
            edges[e, o],
            limit(name, self.settings),
            filled.hist[e, o],
            filled.moments[e, o],
        )

    def add_lever(
        self, view: View, copies: np.ndarray, filled: Filled, task: tuple[int, str]
    ) -> None:
        """Add to what all estimators share, and take from each what is not finite in it."""
        group, name = task
        slot, o, index = list(LEVERS).index(name), self.observables.index(name), view.indices[group]
        lever, weight = self._lever(view, name), view.chunk.weight
        histograms.fill_levers(index, lever, weight, self.scale, copies, 1.0, filled.shared[slot])
        for e in range(len(self.estimators)):
            out = np.flatnonzero(np.isfinite(lever) & ~np.isfinite(view.values[e][o]))
            if out.size:
                histograms.fill_levers(
                    index[out],
                    lever[out],
                    weight[out],
                    self.scale,
                    copies[out],
                    -1.0,
                    filled.levers[e, slot],
                )

    def _lever(self, view: View, name: str) -> np.ndarray:
        """Return what a response is relative to, (n,) in GeV; NaN where there is none."""
        lever = view.variables[LEVERS[name]]
        if name == "par":
            return lever
        return np.where(lever > self.settings.response_gen_met, lever, np.nan)
