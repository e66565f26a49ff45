"""Does the exported network give what the trained one gives, whatever the shape of its input?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ptmiss.core.ragged import event_index, offsets_of
from ptmiss.learn.features import PX, PY, SCALE, Features
from ptmiss.learn.onnx.network import NetworkEstimator

GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))
"""Angle between copies of an event: no two copies ever come close to each other."""

BLOCK = 100
"""Events that are compared at a time."""

Reference = Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]
"""(continuous, categories, event of each candidate, n_events) -> (n_events, 2) / 50 GeV."""


def enough_events(datasets: Iterator[Features], wanted: int) -> Iterator[tuple[Features, int]]:
    """Yield blocks of events and the number of the copy, until `wanted` events have been given.

    The first copies (number 0) are the events themselves; if there are too few, all are given
    again, each time rotated in phi, which is a different input for the network.
    """
    given: list[Features] = []  # at most `wanted` events and a block: more are never read
    left, copy = wanted, 0
    for block in (block for events in datasets for block in _blocks(events)):
        if left <= 0:
            return
        yield block, copy
        left -= len(block.offsets) - 1
        given.append(block)
    while left > 0 and given:
        copy += 1
        for block in given:
            if left <= 0:
                return
            yield rotated(block, copy * GOLDEN_ANGLE), copy
            left -= len(block.offsets) - 1


def compare(
    events: Features, reference: Reference, estimator: NetworkEstimator, rng: np.random.Generator
) -> dict[str, float]:
    """Return the largest difference of px or py in GeV, by what is compared.

    keras: the trained network against the exported one; and the exported one against itself with
    every event on its own (batch), with up to 500 pads an event (padding), with the candidates in
    another order (permutation).
    """
    n = len(events.offsets) - 1
    trained = reference(events.continuous, events.categories, event_index(events.offsets), n)
    exported = _met(estimator, events)
    alone = np.concatenate([_met(estimator, one) for one in _blocks(events, 1)])
    return {
        "keras": _largest(exported - trained.astype(np.float64) * SCALE),
        "batch": _largest(exported - alone),
        "padding": _largest(exported - _met(estimator, padded(events, rng))),
        "permutation": _largest(exported - _met(estimator, permuted(events, rng))),
    }


def rotated(events: Features, angle: float) -> Features:
    """Return the events turned by `angle` (radians) in phi."""
    x = events.continuous.copy()
    px, py = x[:, PX].astype(np.float64), x[:, PY].astype(np.float64)
    x[:, PX] = np.cos(angle) * px - np.sin(angle) * py
    x[:, PY] = np.sin(angle) * px + np.cos(angle) * py
    return Features(events.offsets, x, events.categories, {})


def padded(events: Features, rng: np.random.Generator) -> Features:
    """Return the events with 0 to 500 pads after their candidates: zeros, as CMSSW pads."""
    counts = np.diff(events.offsets)
    offsets = offsets_of(counts + rng.integers(0, 501, len(counts)))
    shift = np.repeat(offsets[:-1] - events.offsets[:-1], counts)
    where = np.arange(len(events.continuous)) + shift
    x = np.zeros((offsets[-1], events.continuous.shape[1]), dtype=np.float32)
    codes = np.zeros((offsets[-1], events.categories.shape[1]), dtype=np.int32)
    x[where], codes[where] = events.continuous, events.categories
    return Features(offsets, x, codes, {})


def permuted(events: Features, rng: np.random.Generator) -> Features:
    """Return the events with the candidates of each in random order."""
    owner = event_index(events.offsets)
    order = np.lexsort((rng.random(len(owner)), owner))
    return Features(events.offsets, events.continuous[order], events.categories[order], {})


def _blocks(events: Features, size: int = BLOCK) -> Iterator[Features]:
    n = len(events.offsets) - 1
    for first in range(0, n, size):
        offsets = events.offsets[first : min(first + size, n) + 1]
        rows = slice(offsets[0], offsets[-1])
        yield Features(offsets - offsets[0], events.continuous[rows], events.categories[rows], {})


def _met(estimator: NetworkEstimator, events: Features) -> np.ndarray:
    result = estimator.run(events)
    return np.stack([result.px, result.py], axis=1)


def _largest(difference: np.ndarray) -> float:
    """Return the largest magnitude; NaN anywhere gives NaN, which no limit accepts."""
    return float(np.max(np.abs(difference), initial=0.0))
