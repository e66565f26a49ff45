"""The trivial competitor of a network: its own recoil, rescaled by a function of its size alone.

Small recoils are mostly noise, and shrinking them makes every error smaller. Resolutions that are
corrected on the plateau take that for a gain. What a factor f(|u|) gains needs no knowledge of
candidates, and how large that is says how much a form of the headline is worth.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ptmiss.core.conditions import Condition
from ptmiss.events.repeats import Repeats
from ptmiss.events.settings.folds import FoldSettings
from ptmiss.tasks.met.performance.names import NETWORK, RESCALED
from ptmiss.tasks.met.performance.stream import CHUNK_EVENTS, Chunk, Source

BINS: Final = 20
"""Bins of |u| with equally many events, between which the factor is interpolated."""

FEWEST: Final = 50
"""Events that a bin needs: the factor is then known to about 10 %."""

_WIDTH: Final = 0.25  # GeV, cells in which sums are kept until bins are known
_CELLS: Final = 2000  # the last one holds everything above 500 GeV


@dataclass(frozen=True)
class Rescaling:
    """The factor as a function of |u|: linear between the bins' means, constant outside.

    size (k,): mean |u| of the bins in GeV, rising; factor (k,): what multiplies u.
    """

    size: np.ndarray
    factor: np.ndarray

    def extend(self, chunk: Chunk, estimators: Sequence[str]) -> Chunk:
        """Return the events with one estimator more, the last; NaN in events without a boson.

        estimators: those of the events, in their order.
        """
        met = chunk.met[estimators.index(NETWORK)]
        visible = _visible(chunk)
        u = -(met + visible)
        with np.errstate(invalid="ignore"):
            scaled = np.interp(np.hypot(*u), self.size, self.factor) * u
        return dataclasses.replace(
            chunk, met=np.concatenate([chunk.met, -(scaled + visible)[np.newaxis]])
        )


def fit(sources: Iterable[Source], learnt: Sequence[str], folds: FoldSettings) -> Rescaling | None:
    """Return the rescaling of the network of these estimates; None where there cannot be one.

    Its factor minimises the squared error of the recoil in bins of |u|, E[u . true] / E[u . u], in
    the training and validation folds of the samples `learnt`, each of which counts the same, and
    each event of it with the sign of its weight, as trainings count them by default. What is
    measured plays no part in it. Recorded samples and those without a boson have no true recoil.
    """
    sums = _Sums.of()
    for source in sources:
        learned_from = source.name in learnt and source.info.variation == "nominal"
        if not learned_from or source.is_data or NETWORK not in source.estimators:
            continue
        own, place = _Sums.of(), source.estimators.index(NETWORK)
        for chunk in source.chunks((*folds.train, *folds.validation), seed=0):
            own.add(chunk, place)
        sums.join(own)
    total = int(sums.events.sum())
    n_bins = min(BINS, total // FEWEST)
    if not n_bins:
        return None
    before = np.cumsum(sums.events) - 0.5 * sums.events
    bins = np.minimum((n_bins * before / total).astype(np.int64), n_bins - 1)
    events, size, product, square = (
        np.bincount(bins, one, n_bins)
        for one in (sums.events, sums.size, sums.product, sums.square)
    )
    good = (events > 0.0) & (square > 0.0)
    if not good.any():
        return None
    return Rescaling(size[good] / events[good], np.maximum(product[good] / square[good], 0.0))


@dataclass(frozen=True, kw_only=True)
class Extended(Source):
    """Estimates of a sample with the rescaled network beside those of its files, the last."""

    base: Source
    rescaling: Rescaling

    @functools.cached_property
    def repeats(self) -> Repeats:
        """Events that several of the files hold."""
        return self.base.repeats

    def chunks(
        self,
        test_folds: Sequence[int],
        seed: int,
        size: int = CHUNK_EVENTS,
        where: Condition | None = None,
        more: Sequence[str] = (),
    ) -> Iterator[Chunk]:
        """Yield the events that may be used, see `Source.chunks`."""
        for chunk in self.base.chunks(test_folds, seed, size, where, more):
            yield self.rescaling.extend(chunk, self.base.estimators)


def extended(source: Source, rescaling: Rescaling | None) -> Source:
    """Return a source with the rescaled network, as it is where there is none."""
    if rescaling is None or NETWORK not in source.estimators:
        return source
    return Extended(
        parts=source.parts,
        estimators=(*source.estimators, RESCALED),
        weight=source.weight,
        base=source,
        rescaling=rescaling,
    )


@dataclass
class _Sums:
    """Sums over events in cells of |u|: of 1 and |u|, and of the sign of the weight, alone, times
    u . true and times u . u; the last three of each sample in units of its sum of signs."""

    events: np.ndarray
    size: np.ndarray
    sign: np.ndarray
    product: np.ndarray
    square: np.ndarray

    @classmethod
    def of(cls) -> _Sums:
        """Return sums over nothing."""
        return cls(*np.zeros((5, _CELLS)))

    def add(self, chunk: Chunk, place: int) -> None:
        """Add the events with a boson and a finite estimate, that of the network at a place."""
        u, true = -(chunk.met[place] + _visible(chunk)), -chunk.boson
        size = np.hypot(*u)
        good = np.isfinite(size)
        u, true, size, sign = u[:, good], true[:, good], size[good], np.sign(chunk.weight[good])
        cells = np.minimum(size / _WIDTH, _CELLS - 1).astype(np.int64)
        for sums, values in (
            (self.events, np.ones_like(size)),
            (self.size, size),
            (self.sign, sign),
            (self.product, sign * (u * true).sum(axis=0)),
            (self.square, sign * size**2),
        ):
            sums += np.bincount(cells, values, _CELLS)

    def join(self, other: _Sums) -> None:
        """Add those of a sample, which counts as much as any other."""
        total = other.sign.sum()
        if not total > 0.0:
            return
        self.events += other.events
        self.size += other.size
        self.sign += other.sign / total
        self.product += other.product / total
        self.square += other.square / total


def _visible(chunk: Chunk) -> np.ndarray:
    """Return the visible part of the boson, (2, n) in GeV; NaN where there is no boson."""
    return chunk.boson - chunk.true_met if chunk.boson_has_neutrino else chunk.boson
