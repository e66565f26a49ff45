"""Event weights of a training: shares of samples, and flatness in a quantity of the task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.stats.binning import nearest_bin
from ptmiss.learn.settings.preprocess import PreprocessSettings


@dataclass
class SampleSums:
    """What must be known of a whole sample before its events can be weighted.

    edges: bins of the quantity; events beyond either end count in the nearest bin.
    by_bin: sum of the signs of the weights, float64 (n_bins,).
    """

    edges: tuple[float, ...]
    events: int = 0
    candidates: int = 0
    max_candidates: int = 0
    negative: int = 0
    sum_of_weights: float = 0.0
    sum_of_roots: float = 0.0
    by_bin: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        self.by_bin = np.zeros(len(self.edges) - 1)

    def add(self, weight: np.ndarray, spread: np.ndarray, counts: np.ndarray) -> None:
        """Count events: weight, quantity, candidates; each (n,)."""
        self.events += len(weight)
        self.candidates += int(counts.sum())
        self.max_candidates = max(self.max_candidates, int(counts.max(initial=0)))
        self.negative += int(np.count_nonzero(weight < 0))
        self.sum_of_weights += float(weight.sum())
        self.sum_of_roots += float(signed_root(weight).sum())
        bins = bin_of(spread, self.edges)
        self.by_bin += np.bincount(bins, np.sign(weight), minlength=len(self.by_bin))


def bin_of(values: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    """Return the half-open bin of each value; values beyond either end go to the nearest bin."""
    return nearest_bin(values, edges[:-1])


def signed_root(weight: np.ndarray) -> np.ndarray:
    """Return the root of each weight's size with its sign: half-way from weights to counts."""
    return np.asarray(np.sign(weight) * np.sqrt(np.abs(weight)))


def flat_factors(by_bin: np.ndarray, edges: Sequence[float], limit: float) -> np.ndarray:
    """Return a factor per bin that makes the sum of signs proportional to the bin's width.

    Bins with nothing (or less) in them get 0. The largest factor is at most `limit` times the
    smallest, so that a few events in a tail cannot carry the training.
    """
    filled = by_bin > 0
    factors = np.where(filled, np.diff(edges) / np.where(filled, by_bin, 1.0), 0.0)
    if filled.any():
        factors = np.minimum(factors, limit * factors[filled].min())
    return factors


@dataclass(frozen=True)
class Mix:
    """The samples of a dataset: what is known of each, its share (adding up to 1), its name."""

    sums: Sequence[SampleSums]
    shares: np.ndarray
    names: Sequence[str]

    @property
    def n_events(self) -> int:
        """Events of the dataset."""
        return sum(sums.events for sums in self.sums)


def event_weights(
    weight: np.ndarray,
    spread: np.ndarray,
    sample: np.ndarray,
    mix: Mix,
    settings: PreprocessSettings,
) -> np.ndarray:
    """Return the final weight of each event, float64 (n,), negative ones kept.

    Over all n_events events of the dataset the weights of sample i add up to shares[i] * n_events,
    so that the mean weight is 1. Raises `UserError` where a sample's weights add up to nothing.
    """
    result = np.zeros(len(weight))
    for i, total in enumerate(mix.sums):
        mine = sample == i
        if settings.weights == "generator":
            raw, norm = weight[mine], total.sum_of_weights
        elif settings.weights == "root":
            raw, norm = signed_root(weight[mine]), total.sum_of_roots
        else:
            factors = np.ones(len(total.by_bin))
            if settings.weights == "flat":
                factors = flat_factors(total.by_bin, total.edges, settings.flat_limit)
            raw = np.sign(weight[mine]) * factors[bin_of(spread[mine], total.edges)]
            norm = float(factors @ total.by_bin)
        if total.events and not (total.negative or total.by_bin.any() or total.sum_of_roots):
            raise UserError(
                f"sample {mix.names[i]}: all its event weights are 0, so nothing can be learned"
                " from it; check the generator weights of its input"
            )
        if norm <= 0:
            raise UserError(
                f"sample {mix.names[i]}: its event weights add up to {norm:g}, which cannot be"
                " normalised; use preprocess.weights: sign or give it more events"
            )
        result[mine] = raw * (mix.shares[i] * mix.n_events / norm)
    return result
