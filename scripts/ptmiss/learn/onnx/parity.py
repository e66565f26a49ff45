"""Does the exported network give what the trained one gives, whatever the shape of its input?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ptmiss.core.ragged import event_index, offsets_of
from ptmiss.learn.features import FeatureLayout, Features
from ptmiss.learn.onnx.network import OnnxNetwork

GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))
"""Angle between copies of an event: no two copies ever come close to each other."""

BLOCK = 100
"""Events that are compared at a time."""

Reference = Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]
"""(continuous, categories, event of each candidate, n_events) -> (n_events, k), unscaled."""


def enough_events(
    datasets: Iterator[Features], wanted: int, layout: FeatureLayout
) -> Iterator[tuple[Features, int]]:
    """Yield blocks of events and the number of the copy, until `wanted` events have been given.

    The first copies (number 0) are the events themselves; if there are too few, all are given
    again, each time rotated in phi, which is a different input for the network. Features without a
    vector are given again as they are.
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
            yield rotated(block, copy * GOLDEN_ANGLE, layout), copy
            left -= len(block.offsets) - 1


def compare(
    events: Features, reference: Reference, network: OnnxNetwork, rng: np.random.Generator
) -> dict[str, float]:
    """Return the largest difference of a number of the estimate, in its unit, by what is compared.

    keras: the trained network against the exported one; and the exported one against itself with
    every event on its own (batch) and, where events have several candidates, with up to 500 pads an
    event (padding), and with the candidates in another order (permutation).
    """
    n = len(events.offsets) - 1
    trained = reference(events.continuous, events.categories, event_index(events.offsets), n)
    exported = _values(network, events)
    alone = np.concatenate([exported[:0], *(_values(network, e) for e in _blocks(events, 1))])
    differences = {
        "keras": exported - trained.astype(np.float64) * network.scale,
        "batch": exported - alone,
    }
    if network.size is not None:
        differences["padding"] = exported - _values(network, padded(events, rng))
        differences["permutation"] = exported - _values(network, permuted(events, rng))
    return {name: _largest(difference) for name, difference in differences.items()}


def rotated(events: Features, angle: float, layout: FeatureLayout) -> Features:
    """Return the events turned by `angle` (radians) in phi, as far as they hold a vector."""
    if layout.vector is None:
        return events
    x, place = events.continuous.copy(), layout.vector_place.start
    px, py = x[:, place].astype(np.float64), x[:, place + 1].astype(np.float64)
    x[:, place] = np.cos(angle) * px - np.sin(angle) * py
    x[:, place + 1] = np.sin(angle) * px + np.cos(angle) * py
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


def _values(network: OnnxNetwork, events: Features) -> np.ndarray:
    return network.values(events)[0]


def _largest(difference: np.ndarray) -> float:
    """Return the largest magnitude; NaN anywhere gives NaN, which no limit accepts."""
    return float(np.max(np.abs(difference), initial=0.0))
