"""Batches of one fixed shape, cut from a dataset that need not fit in memory.

A batch is a fixed number of candidate slots, filled with whole events one after the other. The
shape never changes, so the training step is compiled once; only the last few slots are empty.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ptmiss.core.errors import UserError
from ptmiss.core.io import parquet
from ptmiss.core.paths import PathLike
from ptmiss.learn.data.dataset import Events, read_group
from ptmiss.learn.task import DatasetLayout

Place = tuple[Events, int]
"""An event: some events, and which of them."""

LEAST_WIDTH = 16
"""Slots of the smallest bucket: smaller ones only make more shapes to compile."""

PREFETCH = 4
"""Batches that are prepared while the network is busy with an earlier one."""


@dataclass(frozen=True)
class Batch:
    """One step's input; E event slots and S candidate slots, the unused ones 0.

    continuous float32 (S, F); categories uint8 (S, C); event int32 (S,), E for unused slots;
    targets float32 (E, T) in units of their scales; weight float32 (E,); n_events: in use. In a
    bucketed batch event i has the slots [i S / E, (i + 1) S / E), also where it does not fill them.
    """

    continuous: np.ndarray
    categories: np.ndarray
    event: np.ndarray
    targets: np.ndarray
    weight: np.ndarray
    n_events: int


@dataclass(frozen=True)
class BatchShape:
    """Largest number of events and of candidates in a batch, and how events lie in it.

    flat: one after the other, every batch of this shape; bucketed: all events of a batch with the
    same number of slots, a power of two, and as many as fit: one shape for each such number.
    labels: columns behind the features.
    """

    events: int
    candidates: int
    packing: Literal["flat", "bucketed"] = "flat"
    labels: int = 0

    def bucket(self, count: int) -> tuple[int, int]:
        """Return events and slots of each event in a batch for events of `count` candidates."""
        width = max(LEAST_WIDTH, 1 << (count - 1).bit_length()) if count else LEAST_WIDTH
        width = min(width, self.candidates)
        return max(1, min(self.events, self.candidates // width)), width


class Store:
    """The row groups of a dataset, from memory as far as `cache_bytes` allow, else from disk."""

    def __init__(self, path: PathLike, layout: DatasetLayout, cache_bytes: int) -> None:
        self.path, self.layout, self.cache_bytes = path, layout, cache_bytes
        self.kept: dict[int, Events] = {}
        self.kept_bytes = 0
        with parquet.reading(path) as file:
            self.n_groups = file.num_row_groups
            self.n_events = file.metadata.num_rows
        if self.n_events == 0:
            raise UserError(f"{path}: the dataset is empty; preprocess samples with more events")

    def read(self, groups: np.ndarray) -> Iterator[Events]:
        """Yield the row groups with these indices, in this order."""
        with parquet.reading(self.path) as file:
            for index in map(int, groups):
                events = self.kept.get(index)
                if events is None:
                    events = read_group(file, self.path, index, self.layout)
                    if self.kept_bytes + events.nbytes <= self.cache_bytes:
                        self.kept[index] = events
                        self.kept_bytes += events.nbytes
                yield events


def shuffled(store: Store, rng: np.random.Generator, pool: int = 4) -> Iterator[Place]:
    """Yield all events of a dataset in a random order.

    Row groups come in random order, and the events of `pool` groups are shuffled together: the
    dataset as a whole is in random order already.
    """
    waiting: list[Events] = []
    order = rng.permutation(store.n_groups)
    for number, events in enumerate(store.read(order), 1):
        waiting.append(events)
        if len(waiting) == pool or number == store.n_groups:
            places = [(part, row) for part in waiting for row in range(part.n_events)]
            for i in rng.permutation(len(places)):
                yield places[i]
            waiting = []


def in_order(store: Store) -> Iterator[Place]:
    """Yield all events of a dataset as they are stored."""
    for events in store.read(np.arange(store.n_groups)):
        for row in range(events.n_events):
            yield events, row


def pack(places: Iterator[Place], shape: BatchShape) -> Iterator[Batch]:
    """Cut events into batches, each as full as whole events allow; flat ones keep their order.

    Raises `UserError` for an event with more candidates than a batch has slots.
    """
    if shape.packing == "bucketed":
        yield from _buckets(places, shape)
        return
    chosen: list[Place] = []
    used = 0
    for events, row in places:
        count = _count(events, row, shape)
        if len(chosen) == shape.events or used + count > shape.candidates:
            yield _filled(chosen, shape)
            chosen, used = [], 0
        chosen.append((events, row))
        used += count
    if chosen:
        yield _filled(chosen, shape)


def _count(events: Events, row: int, shape: BatchShape) -> int:
    count = int(events.offsets[row + 1] - events.offsets[row])
    if count > shape.candidates:
        raise UserError(
            f"an event has {count} candidates, a batch holds {shape.candidates};"
            " raise train.batch_candidates"
        )
    return count


def _buckets(places: Iterator[Place], shape: BatchShape) -> Iterator[Batch]:
    """Collect events of similar size; what is left at the end makes batches that are not full."""
    waiting: dict[tuple[int, int], list[Place]] = {}
    for events, row in places:
        bucket = shape.bucket(_count(events, row, shape))
        chosen = waiting.setdefault(bucket, [])
        chosen.append((events, row))
        if len(chosen) == bucket[0]:
            yield _filled(waiting.pop(bucket), _shape_of(bucket), bucket[1])
    for bucket, chosen in sorted(waiting.items()):
        yield _filled(chosen, _shape_of(bucket), bucket[1])


def _shape_of(bucket: tuple[int, int]) -> BatchShape:
    return BatchShape(bucket[0], bucket[0] * bucket[1], "bucketed")


def _filled(places: list[Place], shape: BatchShape, width: int | None = None) -> Batch:
    """Return a batch of these events; width: slots of each, None for as many as it needs."""
    like = places[0][0]
    continuous = np.zeros((shape.candidates, like.continuous.shape[1]), dtype=np.float32)
    categories = np.zeros((shape.candidates, like.categories.shape[1]), dtype=np.uint8)
    event = np.full(shape.candidates, shape.events, dtype=np.int32)
    targets = np.zeros((shape.events, like.targets.shape[1]), dtype=np.float32)
    weight = np.zeros(shape.events, dtype=np.float32)
    slot = 0
    for i, (events, row) in enumerate(places):
        first, last = events.offsets[row], events.offsets[row + 1]
        slot = slot if width is None else i * width
        end = slot + int(last - first)
        continuous[slot:end] = events.continuous[first:last]
        categories[slot:end] = events.categories[first:last]
        event[slot:end] = i
        targets[i], weight[i] = events.targets[row], events.weight[row]
        slot = end
    return Batch(continuous, categories, event, targets, weight, len(places))


def prefetch(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield the same batches, prepared by another thread while the caller computes.

    An error of the other thread is raised here. Leaving the loop early ends the thread.
    """
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(maxsize=PREFETCH)
    stop = threading.Event()

    def fill() -> None:
        try:
            for batch in batches:
                if not _put(ready, batch, stop):
                    return
            _put(ready, None, stop)
        except BaseException as error:  # handed over, raised in the caller's thread
            _put(ready, error, stop)

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()


def _put(
    ready: queue.Queue[Batch | BaseException | None],
    item: Batch | BaseException | None,
    stop: threading.Event,
) -> bool:
    while not stop.is_set():
        try:
            ready.put(item, timeout=0.05)
        except queue.Full:
            continue
        return True
    return False


def rotations(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return random symmetries of the detector, float32 (n, 3, 3), acting on (x, y, z).

    A rotation in phi; for half of the events also a reflection of y; for half a reflection of z.
    """
    angle = rng.uniform(0.0, 2.0 * np.pi, n)
    flip, mirror = rng.choice([-1.0, 1.0], (2, n))
    cosine, sine, zero = np.cos(angle), np.sin(angle), np.zeros(n)
    rows = [[cosine, -sine, zero], [flip * sine, flip * cosine, zero], [zero, zero, mirror]]
    return np.moveaxis(np.array(rows), 2, 0).astype(np.float32)
