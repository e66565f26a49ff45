"""The sums of a frozen network over datasets, for layers that are trained behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import tensorflow as tf

from ptmiss.learn.data.batches import Store, in_order, pack, prefetch
from ptmiss.learn.heads.base import EventSums
from ptmiss.learn.network import Place
from ptmiss.learn.training.step import Stepper


@dataclass(frozen=True)
class FrozenNetwork:
    """A network with its final weights and the datasets of its training."""

    stepper: Stepper
    stores: Mapping[str, Store]

    def sums(self, split: Literal["train", "validation"]) -> EventSums:
        """Return the sums of all events of a dataset, in their order, targets and weights."""
        model, shape = self.stepper.model, self.stepper.shape
        width, flat = model.spec.layout.width, shape.packing == "flat"
        parts: list[tuple[np.ndarray, ...]] = []

        def of_batch(
            continuous: tf.Tensor, categories: tf.Tensor, event: tf.Tensor, weight: tf.Tensor
        ) -> tf.Tensor:
            n = tf.shape(weight)[0]
            slots = None if flat else tf.shape(continuous)[0] // n
            # one segment more for the unused slots
            place = Place(event, (shape.events if flat else n) + 1, slots)
            return model.sums(continuous, tf.cast(categories, tf.int32), place)

        compiled = tf.function(of_batch, jit_compile=flat)
        for batch in prefetch(pack(in_order(self.stores[split]), shape)):
            arrays = (batch.continuous[:, :width], batch.categories, batch.event, batch.weight)
            sums = compiled(*map(tf.constant, arrays)).numpy()
            n = batch.n_events
            parts.append((sums[:n], batch.targets[:n], batch.weight[:n]))
        return EventSums(*(np.concatenate(column) for column in zip(*parts, strict=True)))
