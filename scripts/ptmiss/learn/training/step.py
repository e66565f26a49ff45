"""One training step and one validation step, each compiled once for its fixed shape."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from ptmiss.learn.data.batches import Batch, BatchShape
from ptmiss.learn.features import FeatureLayout, Target
from ptmiss.learn.heads.base import Loss
from ptmiss.learn.network import Network, Place


@dataclass(frozen=True)
class OptimiserSpec:
    """AdamW. clip_norm: of the whole gradient; average: decay of the averaged weights, 0: none."""

    weight_decay: float
    clip_norm: float
    average: float


class Stepper:
    """A network in training: weights, optimiser, averaged weights, running sums of the loss."""

    def __init__(
        self,
        model: Network,
        shape: BatchShape,
        loss: Loss,
        optimiser: OptimiserSpec,
        jit_compile: bool,
    ) -> None:
        self.model, self.shape, self.loss = model, shape, loss
        self.average = optimiser.average
        self.optimiser = keras.optimizers.AdamW(
            learning_rate=1e-3,
            weight_decay=optimiser.weight_decay,
            global_clipnorm=optimiser.clip_norm,
        )
        self.optimiser.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        self.optimiser.build(model.trainable_variables)
        self.averages = [tf.Variable(v.numpy(), trainable=False) for v in model.variables]
        self.response = tf.Variable(np.zeros((2, loss.n_bins), np.float32), trainable=False)
        layout = model.spec.layout
        # bucketed batches have one shape for each width
        flat = shape.packing == "flat"
        candidates, events = (shape.candidates, shape.events) if flat else (None, None)
        signature = [
            tf.TensorSpec((candidates, layout.width + shape.labels), tf.float32),
            tf.TensorSpec((candidates, len(layout.categories)), tf.uint8),
            tf.TensorSpec((candidates,), tf.int32),
            tf.TensorSpec((events, len(model.spec.targets)), tf.float32),
            tf.TensorSpec((events,), tf.float32),
            tf.TensorSpec((), tf.float32),
        ]
        rotation = tf.TensorSpec((events, 3, 3), tf.float32)
        self._train = tf.function(
            self._train_step, input_signature=[*signature, rotation], jit_compile=jit_compile
        )
        self._validate = tf.function(
            self._validation_step, input_signature=signature, jit_compile=jit_compile
        )

    def train(self, batch: Batch, rotations: np.ndarray, learning_rate: float) -> float:
        """Do one step; return the batch's mean error (the loss without its term).

        rotations: of each event, see `batches.rotations`; features without a vector stay as they
        are.
        """
        self.optimiser.learning_rate.assign(learning_rate)
        return float(self._train(*_tensors(batch), tf.constant(rotations)))

    def validate(self, batch: Batch) -> tuple[float, np.ndarray]:
        """Return the sum of weighted errors and the sums of the loss, (2, n_bins), of a batch."""
        error, sums = self._validate(*_tensors(batch))
        return float(error), sums.numpy().astype(np.float64)

    def state(self) -> dict[str, np.ndarray]:
        """Return everything that a later step depends on, as arrays by name."""
        return {name: variable.numpy() for name, variable in self._named().items()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Take back what `state` returned. Raises KeyError or ValueError if it does not fit."""
        for name, variable in self._named().items():
            if state[name].shape != tuple(variable.shape):
                raise ValueError(f"{name} has shape {state[name].shape}, not {variable.shape}")
            variable.assign(state[name])

    def weights(self) -> list[np.ndarray]:
        """Return the network's weights of this moment."""
        return [variable.numpy() for variable in self.model.variables]

    def averaged_weights(self) -> list[np.ndarray]:
        """Return the averaged weights, or the weights themselves if there is no average."""
        return [v.numpy() for v in self.averages] if self.average > 0 else self.weights()

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Give the network other weights."""
        for variable, value in zip(self.model.variables, weights, strict=True):
            variable.assign(value)

    def _named(self) -> dict[str, keras.Variable | tf.Variable]:
        groups = {
            "model": self.model.variables,
            "optimiser": self.optimiser.variables,
            "average": self.averages,
            "response": [self.response],
        }
        return {f"{name}{i}": v for name, group in groups.items() for i, v in enumerate(group)}

    def _sums(
        self,
        continuous: tf.Tensor,
        categories: tf.Tensor,
        event: tf.Tensor,
        weight: tf.Tensor,
        training: bool,
    ) -> tf.Tensor:
        """Return the sums of each event for the network's first estimate."""
        codes = tf.cast(categories, tf.int32)
        n, width = self.shape.events, None
        if self.shape.packing == "bucketed":
            n = tf.shape(weight)[0]
            width = tf.shape(continuous)[0] // n
        # one segment more for the unused slots
        place = Place(event, n + 1, width)
        return self.model.sums(continuous, codes, place, training=training, first=True)[:n]

    def _train_step(  # noqa: PLR0913 (compiled: the tensors of its signature)
        self,
        continuous: tf.Tensor,
        categories: tf.Tensor,
        event: tf.Tensor,
        targets: tf.Tensor,
        weight: tf.Tensor,
        n_events: tf.Tensor,
        rotations: tf.Tensor,
    ) -> tf.Tensor:
        spec = self.model.spec
        if spec.layout.vector is not None and not self.model.backbone.invariant:
            targets = rotated_targets(targets, rotations, spec.targets)
            continuous = rotated_features(continuous, event, rotations, spec.layout)
        variables = self.model.trainable_variables
        values = [variable.value for variable in variables]
        with tf.GradientTape() as tape:
            sums = self._sums(continuous, categories, event, weight, training=True)
            result = self.model.head.first(sums)
            error = tf.reduce_sum(weight * self.loss.errors(result, targets)) / n_events
            loss = error + self.loss.auxiliary(sums)
            if self.loss.has_term:
                along = self.loss.sums(result, targets, weight)
                state, seen = self.response.value(), self.optimiser.iterations.value
                term, new = self.loss.running_term(along, state, seen)
                loss += term
        gradients = tape.gradient(loss, values)
        if self.loss.has_term:
            self.response.assign(new)
        self.optimiser.apply(gradients, variables)
        self._update_averages()
        return error

    def _validation_step(
        self,
        continuous: tf.Tensor,
        categories: tf.Tensor,
        event: tf.Tensor,
        targets: tf.Tensor,
        weight: tf.Tensor,
        _n_events: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        sums = self._sums(continuous, categories, event, weight, training=False)
        result = self.model.head.first(sums)
        error = tf.reduce_sum(weight * self.loss.errors(result, targets))
        return error, tf.stack(self.loss.sums(result, targets, weight))

    def _update_averages(self) -> None:
        if self.average <= 0:
            return
        # a young average must not remember the starting point
        step = tf.cast(self.optimiser.iterations, tf.float32)
        decay = tf.minimum(self.average, (1.0 + step) / (10.0 + step))
        for average, variable in zip(self.averages, self.model.variables, strict=True):
            average.assign(decay * average + (1.0 - decay) * variable.value)


def rotated_targets(
    targets: tf.Tensor, rotations: tf.Tensor, declared: tuple[Target, ...]
) -> tf.Tensor:
    """Return targets (E, T) seen in another orientation: vectors turn, others stay."""
    plane, parts, place = rotations[:, :2, :2], [], 0
    while place < len(declared):
        width = 2 if declared[place].vector else 1
        part = targets[:, place : place + width]
        parts.append(tf.linalg.matvec(plane, part) if width == 2 else part)
        place += width
    return tf.concat(parts, axis=1)


def rotated_features(
    continuous: tf.Tensor, event: tf.Tensor, rotations: tf.Tensor, layout: FeatureLayout
) -> tf.Tensor:
    """Return the features of constituents seen in another orientation.

    continuous (S, F); event int (S,), E for unused slots; rotations (E, 3, 3), see
    `batches.rotations`. What is odd under a reflection in the transverse plane, such as an impact
    parameter there, changes its sign with one, what is odd along the beam with the other.
    """
    # unused slots have no event of their own; they are turned with the last one
    last = tf.shape(rotations)[0] - 1 if rotations.shape[0] is None else rotations.shape[0] - 1
    flip = rotations[:, 0, 0] * rotations[:, 1, 1] - rotations[:, 0, 1] * rotations[:, 1, 0]
    signs = {"plane": flip, "beam": rotations[:, 2, 2], "no": tf.ones_like(flip)}
    place, vector = tf.minimum(event, last), layout.vector_place
    others = tf.stack([signs[column.odd] for column in layout.continuous[: vector.start]], axis=1)
    turned = tf.linalg.matvec(tf.gather(rotations[:, :2, :2], place), continuous[:, vector])
    before, behind = continuous[:, : vector.start], continuous[:, vector.stop :]
    return tf.concat([before * tf.gather(others, place), turned, behind], axis=1)


def _tensors(batch: Batch) -> list[tf.Tensor]:
    arrays = (batch.continuous, batch.categories, batch.event, batch.targets, batch.weight)
    return [*map(tf.constant, arrays), tf.constant(np.float32(batch.n_events))]
