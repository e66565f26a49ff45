"""The bins that corrections are derived in."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.stats.merging import effective, merge
from ptmiss.tasks.met.calibration.bosons import BosonEvents
from ptmiss.tasks.met.calibration.names import DATASETS
from ptmiss.tasks.met.calibration.replicas import Replicated, Sides
from ptmiss.tasks.met.settings.calibration import CalibrationSettings


@dataclass(frozen=True)
class Bins:
    """Bins of q_t in each category of jets, the same for all estimators.

    jet_edges: (categories + 1,); ranges: [low, high) in GeV of each bin of each category.
    """

    jet_edges: np.ndarray
    ranges: tuple[tuple[tuple[float, float], ...], ...]

    @property
    def size(self) -> int:
        """Return the number of bins, and one more for events outside all of them."""
        return sum(len(one) for one in self.ranges) + 1

    def number(self, q_t: np.ndarray, n_jets: np.ndarray) -> np.ndarray:
        """Return the number of each event's bin, counted over all categories, int64, (n,)."""
        out = np.full(np.size(q_t), self.size - 1)
        count = 0
        for category, ranges in enumerate(self.ranges):
            first, last = self.jet_edges[category : category + 2]
            for low, high in ranges:
                out[(q_t >= low) & (q_t < high) & (n_jets >= first) & (n_jets < last)] = count
                count += 1
        return out

    def which(self, events: BosonEvents, category: int, number: int) -> np.ndarray:
        """Return the events of a bin, as indices."""
        low, high = self.ranges[category][number]
        first, last = self.jet_edges[category : category + 2]
        q_t = np.hypot(*events.boson)
        jets = events.n_jets
        return np.flatnonzero((q_t >= low) & (q_t < high) & (jets >= first) & (jets < last))


def make_bins(samples: Sides, settings: CalibrationSettings) -> Bins:
    """Return bins that hold enough effective events in both samples.

    Categories of jets are joined first, then bins of q_t in each. Where an estimator is not finite
    in some events, a bin holds enough of the others too. Raises `UserError` if all events together
    are too few.
    """
    both, n = [samples[name] for name in DATASETS], settings.min_events
    top = settings.qt_edges[-1]
    usable = [_usable(sample.events, top) for sample in both]
    for name, sample, masks in zip(DATASETS, both, usable, strict=True):
        n_effective = effective(sample.events.weight[masks[0]])
        if n_effective < n:
            raise UserError(
                f"calibration: {name} has {n_effective:.0f} effective events with a boson below"
                f" {top:g} GeV, fewer than the {n} that one bin needs (calibration.min_events); add"
                " events or lower it"
            )
    edges = np.array([*settings.jets, 256.0])
    numbers = [np.searchsorted(edges, sample.events.n_jets, side="right") - 1 for sample in both]
    categories = merge(_pairs(both, numbers, usable), edges.size - 1, n)
    edges = edges[[first for first, _ in categories] + [categories[-1][1]]]
    ranges = []
    for first, last in itertools.pairwise(edges):
        numbers = []
        for sample in both:
            inside = (sample.events.n_jets >= first) & (sample.events.n_jets < last)
            number = np.searchsorted(settings.qt_edges, np.hypot(*sample.events.boson), "right") - 1
            numbers.append(np.where(inside, number, -1))
        pairs = _pairs(both, numbers, usable)
        merged = merge(pairs, len(settings.qt_edges) - 1, n)
        ranges.append(tuple((settings.qt_edges[a], settings.qt_edges[b]) for a, b in merged))
    return Bins(edges, tuple(ranges))


def _usable(events: BosonEvents, top: float) -> list[np.ndarray]:
    """Return which events below a q_t can be used: all, and by each estimator that lacks some."""
    below = np.hypot(*events.boson) < top
    each = [events.finite(estimator) for estimator in events.met]
    return [below, *(below & one for one in each if not one.all())]


def _pairs(
    samples: Sequence[Replicated],
    numbers: Sequence[np.ndarray],
    usable: Sequence[Sequence[np.ndarray]],
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return number of the bin (-1: none) and weight of each event, for each of `usable`."""
    return [
        (np.where(mask, number, -1), one.events.weight)
        for one, number, masks in zip(samples, numbers, usable, strict=True)
        for mask in masks
    ]


def check_finite(estimators: Sequence[str], samples: Sides, settings: CalibrationSettings) -> None:
    """Raise `UserError` for an estimator that is finite in too few events to be calibrated."""
    for estimator in estimators:
        for name, sample in samples.items():
            finite = sample.events.finite(estimator)
            if finite.all() or effective(sample.events.weight[finite]) >= settings.min_events:
                continue
            raise UserError(
                f"calibration: {estimator} is finite in {np.count_nonzero(finite)} of {finite.size}"
                f" events of {name}, fewer than the {settings.min_events} effective ones that one"
                " bin needs (calibration.min_events); mend this estimator or leave it out of"
                " evaluate.estimators and evaluate.external"
            )


def background_changes(settings: CalibrationSettings) -> dict[str, float]:
    """Return systematic -> relative change of the subtracted background."""
    signs = {"up": 1.0, "down": -1.0}
    return {f"background_{d}": s * settings.background_uncertainty for d, s in signs.items()}
