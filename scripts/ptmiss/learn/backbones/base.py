"""What a backbone is: the part of a network that sees one constituent, or several, of an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import tensorflow as tf

from ptmiss.learn.features import FeatureLayout

Packing = Literal["flat", "bucketed"]
"""flat: events one after the other, cost linear in constituents; bucketed: every event of a batch
has the same number of slots, for what compares constituents of an event with each other."""


@dataclass(frozen=True)
class Outputs:
    """What a head wants of each constituent.

    scale: the backbone's numbers are multiplied with it; start: bias of the last layer before
    training; both float32 (k,).
    """

    scale: np.ndarray
    start: np.ndarray

    @property
    def number(self) -> int:
        """How many numbers."""
        return len(self.scale)


@dataclass(frozen=True)
class Plan:
    """What a backbone is built for; transform: what is done to continuous features first, see
    `ptmiss.learn.backbones.transform`."""

    layout: FeatureLayout
    transform: str
    outputs: Outputs


@dataclass(frozen=True)
class Constituents:
    """Constituents of many events, one after the other.

    continuous float32 (n, F); categories int (n, C); event int (n,), the event each belongs to, of
    `n_events`; counted float32 (n,), 1 for real ones and 0 for pads; width: slots of each event
    where the batch is bucketed, so that (n, F) is (n / width, width, F); None for a flat one.
    """

    continuous: tf.Tensor
    categories: tf.Tensor
    event: tf.Tensor
    counted: tf.Tensor
    n_events: int | tf.Tensor
    width: int | tf.Tensor | None = None

    def sums(self, values: tf.Tensor) -> tf.Tensor:
        """Return the sums over the constituents of each event: (n, k) gives (n_events, k)."""
        if self.width is None:
            return tf.math.unsorted_segment_sum(values, self.event, self.n_events)
        return tf.reduce_sum(tf.reshape(values, (-1, self.width, values.shape[1])), axis=1)


class Backbone(Protocol):
    """A Keras layer; its variables are created by `build` in a fixed order."""

    packing: Packing
    invariant: bool
    """Whether no rotation or reflection of the event changes what it gives."""

    @property
    def variables(self) -> list[tf.Variable]:
        """All variables in the order of their creation."""

    def build(self) -> None:
        """Create all variables; sizes do not depend on the input."""

    def numbers(self, constituents: Constituents, training: bool = False) -> tf.Tensor:
        """Return the outputs of each constituent, float32 (n, k)."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all weights as float32 arrays by name, for the export and for tests."""

    def flops(self) -> int:
        """Return the floating-point operations of one constituent, to first order."""
