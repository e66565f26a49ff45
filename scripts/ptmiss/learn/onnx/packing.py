"""Events of about equal size side by side: padded arrays in which hardly anything is padding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ptmiss.learn.features import Features
from ptmiss.learn.onnx.interface import CATEGORY, CONTEXT, INPUT

SLOTS = 4096
"""Candidate slots of a batch. A call of the runtime costs as much as about 150 candidates, and
beyond some 10,000 the intermediate results leave the second-level cache: flat between."""


def batches(
    counts: np.ndarray, slots: int = SLOTS, events: int | None = None
) -> Iterator[np.ndarray]:
    """Yield the indices of the events of each batch, each event once.

    counts: candidates per event, (n,). Events of similar size come together, so that padding a
    batch to its largest event costs little. A batch has at most `slots` slots unless a single
    event needs more, and at most `events` events.
    """
    order = np.argsort(counts, kind="stable")[::-1]  # the first of a batch is its largest
    first = 0
    while first < len(order):
        width = max(1, int(counts[order[first]]))
        size = max(1, slots // width)
        if events is not None:
            size = min(size, events)
        yield order[first : first + size]
        first += size


def tensors(
    features: Features,
    categories: np.ndarray,
    batch: np.ndarray,
    shape: tuple[int, int],
    size: int | None = None,
    context: int = 0,
) -> dict[str, np.ndarray]:
    """Return the input tensors of a batch by their name in CMSSW.

    categories: the codes as float32, (C, n_candidates), contiguous; batch: indices of events;
    shape: (events, slots) of the tensors; size: position of the feature by which events with more
    candidates than slots lose the smallest; context: how many features, the last ones, have an
    input of their own.
    Pads are 0 everywhere, as in CMSSW's DeepMETProducer. Views where one event fills its tensor.
    """
    rows = [event_rows(features, int(event), shape[1], size) for event in batch]
    own = features.continuous.shape[1] - context
    if len(rows) == 1 and shape[0] == 1 and rows[0][1] == shape[1]:
        where = rows[0][0]
        x = features.continuous[where][np.newaxis, :, :own]
        around = features.continuous[where][np.newaxis, :, own:]
        codes = [codes[where][np.newaxis, :, np.newaxis] for codes in categories]
    else:
        x = np.zeros((*shape, own), dtype=np.float32)
        around = np.zeros((*shape, context), dtype=np.float32)
        codes = [np.zeros((*shape, 1), dtype=np.float32) for _ in categories]
        for row, (where, size) in enumerate(rows):
            x[row, :size] = features.continuous[where, :own]
            around[row, :size] = features.continuous[where, own:]
            for tensor, values in zip(codes, categories, strict=True):
                tensor[row, :size, 0] = values[where]
    named = {INPUT: x, **{f"{CATEGORY}{k}": tensor for k, tensor in enumerate(codes)}}
    return {**named, CONTEXT: around} if context else named


def event_rows(
    features: Features, event: int, slots: int, size: int | None
) -> tuple[slice | np.ndarray, int]:
    """Return which rows of the flat arrays an event fills its slots with, and how many these are.

    All of them in their order, or the hardest `slots` in their order.
    """
    first, last = int(features.offsets[event]), int(features.offsets[event + 1])
    if size is None and last - first > slots:
        raise ValueError("these features have no size by which candidates are left out")
    if size is None or last - first <= slots:
        return slice(first, last), last - first
    sizes = features.continuous[first:last, size]
    hardest = np.argsort(-sizes, kind="stable")[:slots]
    return first + np.sort(hardest), slots
