"""The loss of a vector sum: its error, and a term that holds the mean response at 1.

A regression that minimises its error alone shrinks towards the average truth, so its response
falls below 1. The public training code adds the magnitude of the mean error along the true
momentum, in three bins of it, of each batch. Here that idea is kept and made independent of the
batch's composition: the bins hold running sums over many batches. The axes are those along which
the response is measured later, each used only where it is defined:

    recoil   the true recoil of everything that is not pinned, -(pinned leptons + true missing
             momentum): in Z events minus the boson
    met      the true missing momentum

Along both axes the error of the missing momentum is compared with the length of the axis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

AXES = ("recoil", "met")


@dataclass(frozen=True)
class LossSpec:
    """What the loss is made of. Everything in GeV.

    huber: beyond this length of the error vector the loss grows linearly; 0: squared error.
    response: factor of the response term; 0 is the resolution tune.
    recoil_edges, met_edges: bins of the axis lengths, half-open [low, high), the last one open
        at the top; events below the first edge have no part in the term.
    memory: number of batches that the running sums of a bin remember.
    scale: GeV of a unit of results and targets.
    used: which bins count, see `with_enough`; () for all.
    """

    huber: float
    response: float
    recoil_edges: tuple[float, ...]
    met_edges: tuple[float, ...]
    memory: float
    scale: float
    used: tuple[bool, ...] = ()

    @property
    def n_bins(self) -> int:
        """Bins of both axes together."""
        return len(self.recoil_edges) + len(self.met_edges)


def event_errors(met: tf.Tensor, truth: tf.Tensor, huber: float, scale: float) -> tf.Tensor:
    """Return each event's error, (n,): half the squared distance, or Huber's form of it.

    met, truth: (n, k) in units of `scale`; huber: in GeV, or the unit of `scale`. Smooth and finite
    at distance 0.
    """
    squared = tf.reduce_sum(tf.square(met - truth), axis=1)
    if huber <= 0.0:
        return 0.5 * squared
    limit = np.float32(huber / scale)
    # the inner maximum keeps the gradient of the root finite where the other branch is taken
    distance = tf.sqrt(tf.maximum(squared, limit * limit))
    return tf.where(squared <= limit * limit, 0.5 * squared, limit * (distance - 0.5 * limit))


def response_sums(
    met: tf.Tensor, truth: tf.Tensor, pinned: tf.Tensor, weight: tf.Tensor, spec: LossSpec
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return per bin the sum of errors along the axis and the sum of axis lengths, each (n_bins,).

    met, truth, pinned: (n, 2) in units of `scale`: estimated and true missing momentum, sum of the
    pinned leptons; weight (n,). The mean response of a bin is 1 + first / second. An event whose
    axis has length 0 is in no bin, whatever the edges are.
    """
    error = met - truth
    recoil = -(pinned + truth)
    numerators, denominators = [], []
    for axis, sign, edges in ((recoil, -1.0, spec.recoil_edges), (truth, 1.0, spec.met_edges)):
        squared = tf.reduce_sum(tf.square(axis), axis=1)
        length = tf.sqrt(tf.maximum(squared, 1e-12))
        along = sign * tf.reduce_sum(error * axis, axis=1) / length
        low = np.array(edges, dtype=np.float32) / np.float32(spec.scale)
        high = np.append(low[1:], np.float32(np.inf))
        defined = tf.cast(squared > 1e-12, met.dtype) * weight
        inside = tf.cast(
            tf.logical_and(length[:, tf.newaxis] >= low, length[:, tf.newaxis] < high), met.dtype
        )
        inside *= defined[:, tf.newaxis]
        numerators.append(tf.linalg.matvec(inside, along, transpose_a=True))
        denominators.append(tf.linalg.matvec(inside, length, transpose_a=True))
    used = np.array(spec.used or [True] * spec.n_bins, dtype=np.float32)
    return tf.concat(numerators, axis=0) * used, tf.concat(denominators, axis=0) * used


def events_in_bins(truth: np.ndarray, pinned: np.ndarray, spec: LossSpec) -> np.ndarray:
    """Return how many events are in each bin of the response term, (n_bins,).

    truth, pinned: (n, 2) in units of `scale`.
    """
    recoil, met = (spec.scale * np.hypot(*axis.T) for axis in (pinned + truth, truth))
    counts = [
        np.histogram(length, bins=[*edges, np.inf])[0]
        for length, edges in ((recoil, spec.recoil_edges), (met, spec.met_edges))
    ]
    return np.concatenate(counts)


def with_enough(spec: LossSpec, counts: np.ndarray, least: int) -> LossSpec:
    """Return the loss without the bins of fewer than `least` training events.

    In Z events a handful has a neutrino above 50 GeV. Their mean response is noise, and its square
    would decide which epoch is best.
    """
    return replace(spec, used=tuple(bool(count >= least) for count in counts))


def running_response_term(
    errors: tf.Tensor, lengths: tf.Tensor, state: tf.Tensor, seen: tf.Tensor, spec: LossSpec
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return a scalar whose gradient is that of the response term, and the new running sums.

    errors, lengths: `response_sums` of this batch; state: (2, n_bins), running sums so far; seen:
    number of batches in them.

    The term is response * sum over bins of (mean error / mean length)^2. A batch alone estimates
    its mean error badly, and the square of a noisy mean rewards shrinking once more; so the mean
    comes from the running sums, and only the gradient from this batch.
    """
    keep = np.float32(1.0 - 1.0 / spec.memory)
    batch = tf.stack([tf.stop_gradient(errors), lengths])
    new = keep * tf.stop_gradient(state) + (1.0 - keep) * batch
    # running sums that started at 0 are still too small; without this the first gradients of the
    # term would be `memory` times too large, and the optimiser would remember them
    grown = 1.0 - tf.pow(keep, tf.cast(seen, tf.float32) + 1.0)
    total = new[1] / grown
    usable = total > 1e-6
    safe = tf.where(usable, total, tf.ones_like(total))
    excess = tf.where(usable, new[0] / grown / safe, tf.zeros_like(total))
    # a bin that has just been met for the first time has seen a few events only
    bounded = tf.clip_by_value(excess, -1.0, 1.0)
    slope = tf.where(usable, errors / safe, tf.zeros_like(total))
    return spec.response * 2.0 * tf.reduce_sum(bounded * slope), new


def response_term(state: np.ndarray, spec: LossSpec) -> float:
    """Return the value of the response term for sums over many events, shape (2, n_bins)."""
    return float(spec.response * np.sum(np.square(mean_responses(state) - 1.0)))


def mean_responses(state: np.ndarray) -> np.ndarray:
    """Return the mean response of each bin, (n_bins,); 1 where a bin holds nothing usable."""
    errors, lengths = np.asarray(state, dtype=np.float64)
    usable = lengths > 1e-6
    return 1.0 + np.where(usable, errors / np.where(usable, lengths, 1.0), 0.0)


def bin_names(spec: LossSpec) -> list[str]:
    """Return a short name of each bin, such as recoil_20, by its lower edge in GeV."""
    named = zip(AXES, (spec.recoil_edges, spec.met_edges), strict=True)
    return [f"{axis}_{edge:g}" for axis, edges in named for edge in edges]
