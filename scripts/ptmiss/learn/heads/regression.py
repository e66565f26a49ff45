"""One number or several for each event: the sum of its constituents' numbers, all targets of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from ptmiss.core.errors import UserError
from ptmiss.core.settings.names import unknown
from ptmiss.learn import masks
from ptmiss.learn.backbones.base import Outputs
from ptmiss.learn.features import EstimateColumn
from ptmiss.learn.heads.base import Frozen, HeadPlan
from ptmiss.learn.heads.loss import event_errors
from ptmiss.learn.settings.heads import RegressionHead
from ptmiss.learn.settings.train import TrainSettings


class Regression(keras.layers.Layer):
    """The targets of an event that has one constituent, or a sum over several.

    The estimate is in units of the targets' scale, which must be one for all of them. Raises
    `UserError` for targets that do not exist or have different scales.
    """

    output_name = "output"

    def __init__(self, settings: RegressionHead, plan: HeadPlan, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.settings, self.plan = settings, plan
        known = [target.name for target in plan.targets]
        for name in settings.targets:
            if name not in known:
                raise UserError(f"setting {unknown('head.targets', name, known)}")
        self.places = tuple(known.index(name) for name in settings.targets)
        targets = [plan.targets[place] for place in self.places]
        scales = sorted({target.scale for target in targets})
        if len(scales) > 1:
            raise UserError(
                f"setting head.targets: {', '.join(settings.targets)} have the scales {scales}; one"
                " regression estimates targets of one scale"
            )
        k = len(targets)
        self.wants = Outputs(np.ones(k, np.float32), np.zeros(k, np.float32))
        (self.scale,) = scales
        self.columns = tuple(EstimateColumn(name=t.name, unit=t.unit) for t in targets)

    def build(self) -> None:
        """Create nothing: all is in the backbone's last layer."""
        self.built = True

    def terms(self, outputs: tf.Tensor, continuous: tf.Tensor, _categories: tf.Tensor) -> tf.Tensor:
        """Return the outputs of real constituents, 0 of pads."""
        keep = masks.real(continuous, self.plan.layout)[:, tf.newaxis] > 0.0
        return tf.where(keep, outputs, tf.zeros_like(outputs))

    def result(self, sums: tf.Tensor) -> tf.Tensor:
        """Return the sums."""
        return sums

    first_terms = terms
    first = result

    def finish(self, _frozen: Frozen, _settings: TrainSettings, _seed: int) -> dict[str, float]:
        """Do nothing: there are no layers of its own."""
        return {}

    def loss(self, _settings: TrainSettings) -> HuberLoss:
        """Return the loss: the error alone."""
        return HuberLoss(self.settings.huber, self.scale, self.places)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return nothing."""
        return {}


@dataclass(frozen=True)
class HuberLoss:
    """Half the squared distance of result and targets, linear beyond `huber` (0: never).

    huber: in the targets' unit; places: of the targets among all of a dataset.
    """

    huber: float
    scale: float
    places: tuple[int, ...]
    has_term = False
    n_bins = 0
    columns: tuple[str, ...] = ()

    def for_dataset(self, _targets: Iterable[np.ndarray], _least: int) -> HuberLoss:
        """Return the same: nothing depends on the dataset."""
        return self

    def errors(self, result: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Return each event's error, (E,)."""
        wanted = tf.gather(targets, self.places, axis=1)
        return event_errors(result, wanted, self.huber, self.scale)

    def auxiliary(self, sums: tf.Tensor) -> tf.Tensor:
        """Return 0."""
        return tf.zeros((), sums.dtype)

    def sums(
        self, result: tf.Tensor, _targets: tf.Tensor, _weight: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return two empty sums."""
        return tf.zeros((0,), result.dtype), tf.zeros((0,), result.dtype)

    def running_term(
        self, _sums: tuple[tf.Tensor, tf.Tensor], state: tf.Tensor, _seen: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return 0 and the sums as they are."""
        return tf.zeros((), state.dtype), state

    def term(self, _state: np.ndarray) -> float:
        """Return 0."""
        return 0.0

    def values(self, _state: np.ndarray) -> list[float]:
        """Return nothing."""
        return []
