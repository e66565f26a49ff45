"""How far the errors of an estimator are as large as it says itself, event by event.

An estimator may give the symmetric square root E of the covariance matrix C = E E of its error
e = pTmiss - true pTmiss, which no response corrects. Quantities, in the bins of `coverage_grid`:

- `covered_68`, `covered_95`: share of events with e^T C^-1 e below the quantile of chi-squared of
  two degrees of freedom, -2 ln(1 - p), of p = 0.6827 and 0.95, which is what they should be.
- `pull_par`, `pull_perp`: half the distance of the 16 and 84 % quantiles of the error along and
  across an axis n, over its predicted size sqrt(n^T C n); 1 is perfect. The axis is the true recoil
  where the sample has a boson (minus its momentum), the estimate elsewhere.
- `spearman`: rank correlation of the predicted size sqrt(tr C) with |e|, of all events.

Events count with their weights. All intervals are those of the replicas. Memory follows from bins
and replicas: a first pass finds where ranks lie, a second fills histograms.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ptmiss.core.stats import bootstrap, histograms
from ptmiss.tasks.met.performance.bins import Bin, Grid, coverage_grid
from ptmiss.tasks.met.performance.cells import Cells, Task, Weighted
from ptmiss.tasks.met.performance.errors import Errors
from ptmiss.tasks.met.performance.errors import columns as errors_of
from ptmiss.tasks.met.performance.measure import Distributions
from ptmiss.tasks.met.performance.observables import variables
from ptmiss.tasks.met.performance.resolution import Value
from ptmiss.tasks.met.performance.stream import Chunk, Chunks, Source
from ptmiss.tasks.met.performance.tables import Item, quoted
from ptmiss.tasks.met.settings.performance import PerformanceSettings

_LOG = logging.getLogger(__name__)

LEVELS = {"covered_68": math.erf(math.sqrt(0.5)), "covered_95": 0.95}
"""Share of events that an ellipse holds if the covariance matrix is right."""

PULLS = ("pull_par", "pull_perp")
SPEARMAN = "spearman"
AXES = ("all", "qt", "n_pv", "n_jets")
"""Axes of the table, in the order of its rows."""

_CHI2 = np.array([-2.0 * math.log(1.0 - level) for level in LEVELS.values()])
# 5 % wide from 0.03 to 30: linear within a cell, a width is then exact to 0.001 of itself
_PULLS = 0.03 * np.exp(0.05 * np.arange(139))
_PULL_EDGES = np.concatenate([-_PULLS[::-1], [0.0], _PULLS])
_RANKS = 32
"""Cells of each rank, as many events in each: the correlation is then low by 1 / 32^2 of itself."""

Coverage = Mapping[str, Sequence[tuple[Bin, Mapping[str, Value]]]]
"""Estimator -> bins in the order of the table -> quantity -> its value."""


def columns(source: Source) -> tuple[str, ...]:
    """Return the columns of estimates that coverage needs besides; none without uncertainties."""
    errors = [column for name in source.uncertain for column in errors_of(name)]
    return (*errors, "n_jets") if errors else ()


def coverage(
    events: Chunks,
    parts: Distributions,
    source: Source,
    settings: PerformanceSettings,
    workers: int,
) -> Coverage:
    """Return the coverage of every estimator with uncertainties; nothing without true pTmiss.

    events: of the source, with `columns`; parts: its distributions.
    """
    names = [name for name in parts.estimators if name in source.uncertain]
    if not names or not parts.has_truth:
        return {}
    places = {name: source.estimators.index(name) for name in names}
    scale = parts.scale[[parts.grid.find("all", -np.inf, np.inf)]]
    seen = {name: _Seen.of() for name in names}
    for chunk in events():
        for name, place in places.items():
            seen[name].add(Errors.of(chunk, name, place, parts.has_boson), chunk, scale)
    for name, one in seen.items():
        if one.bad:
            _LOG.warning(
                "%s, %s: the uncertainty of %s is not finite in %d events, which are left out of"
                " the coverage",
                source.name,
                source.info.variation,
                name,
                one.bad,
            )
    grid = coverage_grid(settings, parts.has_boson)
    filled = {
        name: _Filled.of(len(grid.bins), one.edges(), settings.replicas)
        for name, one in seen.items()
    }
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for chunk in events():
            copies = bootstrap.copies(chunk.states, settings.replicas)
            indices = grid.indices({**variables(chunk), "n_jets": chunk.more["n_jets"]})
            tasks = [
                task
                for name, place in places.items()
                for task in filled[name].tasks(
                    Errors.of(chunk, name, place, parts.has_boson), grid, indices
                )
            ]
            weighted = Weighted(chunk.weight, scale, copies)
            list(pool.map(weighted.add, tasks))
    return {name: _values(one, grid, settings.min_events) for name, one in filled.items()}


def items(source: Source, found: Coverage) -> Iterator[Item]:
    """Yield the rows of one sample and variation, by estimator, axis, bin and quantity."""
    for name, bins in found.items():
        for one, quantities in bins:
            for quantity, value in quantities.items():
                place = (one.axis, one.low, one.high, quantity)
                yield (source.name, source.info.variation, name, *place), value


def headline(found: Coverage) -> dict[str, dict[str, object]]:
    """Return estimator -> quantity of all events -> number with the bounds of its 95 % interval."""
    return {
        name: {quantity: quoted(value) for quantity, value in bins[0][1].items()}
        for name, bins in found.items()
    }


@dataclass
class _Seen:
    """What the first pass sees of an estimator.

    cells (2, N_FINE): sums of |w| by predicted size and by error; bad: events without uncertainty.
    """

    cells: np.ndarray
    bad: int = 0

    @classmethod
    def of(cls) -> _Seen:
        """Return what is seen of no event."""
        return cls(np.zeros((2, 1, histograms.N_FINE), dtype=np.int64))

    def add(self, errors: Errors, chunk: Chunk, scale: np.ndarray) -> None:
        """Add events."""
        self.bad += errors.bad
        one = np.zeros(chunk.weight.size, dtype=np.int32)
        cells, squares = np.empty_like(one), np.zeros(1, dtype=np.int64)
        for hist, values in zip(self.cells, (errors.size, errors.error), strict=True):
            histograms.fine_cells(values, cells)
            histograms.fill_fine(one, cells, chunk.weight, scale, hist, squares)

    def edges(self) -> np.ndarray:
        """Return the edges of the ranks of predicted size and of error in GeV, (2, _RANKS - 1)."""
        levels, edges = np.arange(1, _RANKS) / _RANKS, histograms.fine_edges()
        return np.stack([histograms.place_of(hist[0], levels, edges) for hist in self.cells])


@dataclass(frozen=True)
class _Filled:
    """The histograms of an estimator: of chi-squared and of both pulls in all bins, and of pairs of
    ranks of all events, whose edges (2, _RANKS - 1) are in GeV."""

    chi2: Cells
    pulls: tuple[Cells, Cells]
    pairs: Cells
    ranks: np.ndarray

    @classmethod
    def of(cls, n_bins: int, ranks: np.ndarray, replicas: int) -> _Filled:
        """Return empty ones."""
        par, perp = (Cells.of(_PULL_EDGES, n_bins, replicas) for _ in PULLS)
        pairs = Cells.of(np.arange(1.0, _RANKS**2), 1, replicas)
        return cls(Cells.of(_CHI2, n_bins, replicas), (par, perp), pairs, ranks)

    def tasks(self, errors: Errors, grid: Grid, indices: np.ndarray) -> Iterator[Task]:
        """Yield what there is to add of events; indices (groups, n): their bins."""
        of_bins = zip((self.chi2, *self.pulls), (errors.chi2, *errors.pulls), strict=True)
        groups = list(zip(indices, itertools.pairwise(grid.offsets), strict=True))
        for (cells, values), (index, bounds) in itertools.product(of_bins, groups):
            yield cells, index, bounds, values
        row, column = (
            np.searchsorted(edges, values, side="right")
            for edges, values in zip(self.ranks, (errors.size, errors.error), strict=True)
        )
        pair = np.where(np.isfinite(errors.size), 1.0 * _RANKS * row + column, np.nan)
        yield self.pairs, np.zeros(pair.size, dtype=np.int32), (0, 1), pair


def _values(filled: _Filled, grid: Grid, fewest: int) -> list[tuple[Bin, Mapping[str, Value]]]:
    order = sorted(
        enumerate(grid.bins), key=lambda pair: (AXES.index(pair[1].axis), pair[1].low, pair[1].high)
    )
    return [(one, _bin_values(filled, number, one, fewest)) for number, one in order]


def _bin_values(filled: _Filled, number: int, one: Bin, fewest: int) -> dict[str, Value]:
    chi2 = filled.chi2
    total = chi2.hist[number].sum(axis=0)
    shares = np.cumsum(chi2.hist[number], axis=0) / np.where(total > 0.0, total, np.nan)
    found = {name: chi2.value(number, shares[k], fewest) for k, name in enumerate(LEVELS)}
    levels = np.array(histograms.LEVELS)
    for name, cells in zip(PULLS, filled.pulls, strict=True):
        low, high = histograms.quantiles(cells.edges[number], cells.hist[number], levels)
        found[name] = cells.value(number, (high - low) / 2.0, fewest)
    if one.axis == "all":
        values = rank_correlation(filled.pairs.hist[0].reshape(_RANKS, _RANKS, -1))
        found[SPEARMAN] = filled.pairs.value(0, values, fewest)
    return found


def rank_correlation(pairs: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation of grouped pairs, shape (r,).

    pairs (rows, columns, r): sums of weights by rank of the one and of the other. Events of a group
    have its middle rank. NaN where a sum is not positive or all events are in one group.
    """
    total = pairs.sum(axis=(0, 1))
    share = pairs / np.where(total > 0.0, total, np.nan)
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    row, column = (np.cumsum(one, axis=0) - one / 2.0 - 0.5 for one in (rows, columns))
    product = (share * row[:, None] * column[None]).sum(axis=(0, 1))
    spreads = [(one * rank**2).sum(axis=0) for one, rank in ((rows, row), (columns, column))]
    good = (spreads[0] > 1e-12) & (spreads[1] > 1e-12)
    squares = np.where(good, spreads[0] * spreads[1], 1.0)
    return np.where(good, product / np.sqrt(squares), np.nan)
