"""One training step and one validation step, each compiled once for its fixed shape."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from ptmiss.learn.backbones.deepmet import DeepMET
from ptmiss.learn.data.batches import Batch, BatchShape
from ptmiss.learn.features import CATEGORIES, CONTINUOUS, PX, PY
from ptmiss.learn.heads.loss import LossSpec, event_errors, response_sums, running_response_term


@dataclass(frozen=True)
class OptimiserSpec:
    """AdamW. clip_norm: of the whole gradient; average: decay of the averaged weights, 0: none."""

    weight_decay: float
    clip_norm: float
    average: float


class Stepper:
    """A network in training: weights, optimiser, averaged weights, running response sums."""

    def __init__(
        self,
        model: DeepMET,
        shape: BatchShape,
        loss: LossSpec,
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
        signature = [
            tf.TensorSpec((shape.candidates, len(CONTINUOUS)), tf.float32),
            tf.TensorSpec((shape.candidates, len(CATEGORIES)), tf.uint8),
            tf.TensorSpec((shape.candidates,), tf.int32),
            tf.TensorSpec((shape.events, 2), tf.float32),
            tf.TensorSpec((shape.events, 2), tf.float32),
            tf.TensorSpec((shape.events,), tf.float32),
            tf.TensorSpec((), tf.float32),
        ]
        turn = tf.TensorSpec((shape.events, 3, 3), tf.float32)
        self._train = tf.function(
            self._train_step, input_signature=[*signature, turn], jit_compile=jit_compile
        )
        self._validate = tf.function(
            self._validation_step, input_signature=signature, jit_compile=jit_compile
        )

    def train(self, batch: Batch, turns: np.ndarray, learning_rate: float) -> float:
        """Do one step; return the batch's mean error (the loss without its response term)."""
        self.optimiser.learning_rate.assign(learning_rate)
        return float(self._train(*_tensors(batch), tf.constant(turns)))

    def validate(self, batch: Batch) -> tuple[float, np.ndarray]:
        """Return the sum of weighted errors and the response sums (2, n_bins) of a batch."""
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

    def _met(
        self, continuous: tf.Tensor, categories: tf.Tensor, event: tf.Tensor, training: bool
    ) -> tf.Tensor:
        # one segment more for the unused slots
        codes = tf.cast(categories, tf.int32)
        n = self.shape.events
        return self.model.flat(continuous, codes, event, n + 1, training=training)[:n]

    def _train_step(
        self,
        continuous: tf.Tensor,
        categories: tf.Tensor,
        event: tf.Tensor,
        truth: tf.Tensor,
        pinned: tf.Tensor,
        weight: tf.Tensor,
        n_events: tf.Tensor,
        turns: tf.Tensor,
    ) -> tf.Tensor:
        plane = turns[:, :2, :2]
        truth, pinned = tf.linalg.matvec(plane, truth), tf.linalg.matvec(plane, pinned)
        turned = turn_candidates(continuous, event, turns)
        variables = self.model.trainable_variables
        values = [variable.value for variable in variables]
        with tf.GradientTape() as tape:
            met = self._met(turned, categories, event, training=True)
            error = tf.reduce_sum(weight * event_errors(met, truth, self.loss.huber)) / n_events
            loss = error
            if self.loss.response > 0:
                sums = response_sums(met, truth, pinned, weight, self.loss)
                state, seen = self.response.value(), self.optimiser.iterations.value
                term, new = running_response_term(*sums, state, seen, self.loss)
                loss += term
        gradients = tape.gradient(loss, values)
        if self.loss.response > 0:
            self.response.assign(new)
        self.optimiser.apply(gradients, variables)
        self._update_averages()
        return error

    def _validation_step(
        self,
        continuous: tf.Tensor,
        categories: tf.Tensor,
        event: tf.Tensor,
        truth: tf.Tensor,
        pinned: tf.Tensor,
        weight: tf.Tensor,
        n_events: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        met = self._met(continuous, categories, event, training=False)
        error = tf.reduce_sum(weight * event_errors(met, truth, self.loss.huber))
        return error, tf.stack(response_sums(met, truth, pinned, weight, self.loss))

    def _update_averages(self) -> None:
        if self.average <= 0:
            return
        # a young average must not remember the starting point
        step = tf.cast(self.optimiser.iterations, tf.float32)
        decay = tf.minimum(self.average, (1.0 + step) / (10.0 + step))
        for average, variable in zip(self.averages, self.model.variables, strict=True):
            average.assign(decay * average + (1.0 - decay) * variable.value)


def turn_candidates(continuous: tf.Tensor, event: tf.Tensor, turns: tf.Tensor) -> tf.Tensor:
    """Return the features of candidates seen in another orientation.

    continuous (S, 8); event int (S,), E for unused slots; turns (E, 3, 3), see `batches.turns`.
    The transverse impact parameter changes its sign with a reflection in the transverse plane,
    dz and eta theirs with one along the beam.
    """
    last = turns.shape[0] - 1
    flip = turns[:, 0, 0] * turns[:, 1, 1] - turns[:, 0, 1] * turns[:, 1, 0]
    one = tf.ones_like(flip)
    mirror = turns[:, 2, 2]
    signs = tf.stack([flip, mirror, mirror, one, one, one], axis=1)
    place = tf.minimum(event, last)
    momentum = tf.linalg.matvec(tf.gather(turns[:, :2, :2], place), continuous[:, PX : PY + 1])
    return tf.concat([continuous[:, :PX] * tf.gather(signs, place), momentum], axis=1)


def _tensors(batch: Batch) -> list[tf.Tensor]:
    arrays = (batch.continuous, batch.categories, batch.event)
    arrays += (batch.truth, batch.pinned, batch.weight, np.float32(batch.n_events))
    return [tf.constant(values) for values in arrays]
