"""What a head is: from the numbers of constituents to the estimate of an event, and its loss."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from ptmiss.learn.backbones.base import Outputs
from ptmiss.learn.features import EstimateColumn, FeatureLayout, Target
from ptmiss.learn.settings.train import TrainSettings


@dataclass(frozen=True)
class HeadPlan:
    """What a head is built for."""

    layout: FeatureLayout
    targets: tuple[Target, ...]
    transform: str


class Loss(Protocol):
    """What a training minimises: a mean error of events, and a term of many batches."""

    has_term: bool
    """Whether there is a term besides the error."""
    n_bins: int
    """Bins of the sums that the term is made of."""
    columns: tuple[str, ...]
    """Columns of the history, after `val_`: the term, where there is one, and what it is of."""

    def for_dataset(self, targets: Iterable[np.ndarray], least: int, /) -> Loss:
        """Return the loss without what fewer than `least` events of a dataset would decide."""

    def errors(self, result: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Return each event's error, (E,), of results (E, k) and targets (E, T)."""

    def auxiliary(self, sums: tf.Tensor, /) -> tf.Tensor:
        """Return what a training minimises besides, of the sums (E, c) of a batch: a scalar."""

    def sums(
        self, result: tf.Tensor, targets: tf.Tensor, weight: tf.Tensor, /
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return two sums over the events for each bin, each (n_bins,)."""

    def running_term(
        self, sums: tuple[tf.Tensor, tf.Tensor], state: tf.Tensor, seen: tf.Tensor, /
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return a scalar with the gradient of the term, and the new running sums (2, n_bins)."""

    def term(self, state: np.ndarray, /) -> float:
        """Return the value of the term for sums over many events, (2, n_bins)."""

    def values(self, state: np.ndarray, /) -> list[float]:
        """Return the numbers of `columns` for such sums."""


class EventSums(NamedTuple):
    """Sums (n, c) of events with their targets (n, T) and weights (n,), float32."""

    sums: np.ndarray
    targets: np.ndarray
    weight: np.ndarray


class Frozen(Protocol):
    """A backbone at the end of its training."""

    def sums(self, split: Literal["train", "validation"]) -> EventSums:
        """Return the sums of all events of a dataset, in their order."""


class Head(Protocol):
    """A Keras layer; its variables are created by `build` in a fixed order."""

    wants: Outputs
    """What it wants of each constituent."""
    columns: tuple[EstimateColumn, ...]
    """Columns of its estimates, k of them."""
    scale: float
    """Estimates in the units of `columns` are the network's numbers times this."""
    output_name: str
    """Name of the output in ONNX, (B, k)."""

    def build(self) -> None:
        """Create all variables."""

    def terms(
        self, outputs: tf.Tensor, continuous: tf.Tensor, categories: tf.Tensor, /
    ) -> tf.Tensor:
        """Return what each constituent adds to the sums of its event, (n, c): 0 for pads."""

    def result(self, sums: tf.Tensor) -> tf.Tensor:
        """Return the estimates of events from their sums: (E, c) gives (E, k)."""

    def first_terms(
        self, outputs: tf.Tensor, continuous: tf.Tensor, categories: tf.Tensor, /
    ) -> tf.Tensor:
        """Return `terms` for `first`: what is trained with the backbone."""

    def first(self, sums: tf.Tensor) -> tf.Tensor:
        """Return the estimates that are trained with the backbone; `result` of a head that has no
        layers of its own behind them."""

    def finish(self, frozen: Frozen, settings: TrainSettings, seed: int) -> dict[str, float]:
        """Train layers of its own on the sums of a frozen backbone; return numbers for the record,
        none from a head that has no such layers."""

    def loss(self, settings: TrainSettings, /) -> Loss:
        """Return what a training minimises."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all weights as float32 arrays by name."""
