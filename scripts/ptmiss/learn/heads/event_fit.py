"""Training of the layers of an event on the sums of a frozen backbone.

Batches of a thousand events, so that the mean response of fine bins, down to low recoil, is part of
the loss of each step; with the backbone in training a batch has a dozen events. The widths are
learned by a likelihood whose gradient does not reach the vector, so they cannot harm it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import keras
import numpy as np
import tensorflow as tf

from ptmiss.learn.features import FeatureLayout
from ptmiss.learn.heads import loss
from ptmiss.learn.heads.base import EventSums, Frozen
from ptmiss.learn.heads.event_view import EventView, estimate, event_view
from ptmiss.learn.settings.heads import EventHead

LEVEL = 0.6827
"""Share of events that a width of 1 is to cover."""

BLOCK = 4096
"""Events looked at together where nothing is trained."""


@dataclass(frozen=True)
class Variables:
    """What is trained (kernels, biases of each layer, for all members), and what is set: mean and
    inverse width of the inputs, factors of the widths."""

    kernels: list[keras.Variable]
    biases: list[keras.Variable]
    mean: keras.Variable
    inverse: keras.Variable
    error_scale: keras.Variable


@dataclass(frozen=True)
class Layers:
    """The layers of an event. outputs: of standardised inputs; loss: of the vector sum."""

    layout: FeatureLayout
    settings: EventHead
    variables: Variables
    outputs: Callable[[tf.Tensor], tf.Tensor]
    loss: loss.LossSpec


@dataclass(frozen=True)
class Events:
    """Events of a dataset as the layers see them (`EventView`), and their truth; all float32."""

    own: np.ndarray
    vectors: np.ndarray
    axis: np.ndarray
    inputs: np.ndarray
    mirrored: np.ndarray
    truth: np.ndarray
    pinned: np.ndarray
    weight: np.ndarray

    def take(self, rows: np.ndarray | slice) -> list[tf.Tensor]:
        """Return the columns of these events."""
        return [tf.constant(getattr(self, field.name)[rows]) for field in fields(self)]


def fit(layers: Layers, frozen: Frozen, least: int, seed: int) -> dict[str, float]:
    """Train the layers and calibrate their widths; return numbers for the record.

    least: events that a bin of the response term needs. event_error_before, event_error: mean
    error of the validation events, of the vector sum and of the corrected vector;
    event_scale_par, event_scale_perp: factors that made the widths cover 68 %.
    """
    train, validation = (_events(layers, frozen.sums(split)) for split in ("train", "validation"))
    both = np.concatenate([train.inputs, train.mirrored]).astype(np.float64)
    width = both.std(axis=0)
    variables = layers.variables
    # event and mirror image together, which keeps the symmetry
    variables.mean.assign(both.mean(axis=0).astype(np.float32))
    variables.inverse.assign(np.where(width > 1e-3, 1.0 / np.maximum(width, 1e-3), 0.0))
    rng = np.random.default_rng([seed, 2])
    _start(variables, rng)
    _train(layers, train, _loss_spec(layers, train, least), rng)
    vector, widths = _evaluated(layers, validation)
    scale = _cover(vector, widths, validation)
    variables.error_scale.assign(scale)
    return {
        "event_error_before": _error(layers, validation.own, validation),
        "event_error": _error(layers, vector, validation),
        "event_scale_par": float(scale[0]),
        "event_scale_perp": float(scale[1]),
    }


def _events(layers: Layers, seen: EventSums) -> Events:
    blocks = []
    for first in range(0, len(seen.weight), BLOCK):
        view = event_view(tf.constant(seen.sums[first : first + BLOCK]), layers.layout)
        blocks.append([np.asarray(column.numpy()) for column in view])
    own, vectors, axis, inputs, mirrored = map(np.concatenate, zip(*blocks, strict=True))
    # the vector without pinned constituents, and the truth of it, differ by their sum alone
    truth, pinned = seen.targets[:, :2], seen.targets[:, 2:4]
    return Events(own, vectors, axis, inputs, mirrored, truth, pinned, seen.weight)


def _start(variables: Variables, rng: np.random.Generator) -> None:
    """Give the layers small random weights; the last one gives nearly nothing at first."""
    last = len(variables.kernels) - 1
    for i, (kernel, bias) in enumerate(zip(variables.kernels, variables.biases, strict=True)):
        size = (0.1 if i == last else 1.0) / np.sqrt(kernel.shape[1])
        kernel.assign(rng.normal(0.0, size, tuple(kernel.shape)).astype(np.float32))
        bias.assign(np.zeros(tuple(bias.shape), np.float32))


def _loss_spec(layers: Layers, train: Events, least: int) -> loss.LossSpec:
    own = layers.settings
    spec = replace(
        layers.loss,
        response=own.response if layers.loss.response > 0 else 0.0,
        recoil_edges=own.response_recoil_edges,
        met_edges=own.response_met_edges,
        memory=own.response_memory,
    )
    return loss.with_enough(spec, loss.events_in_bins(train.truth, train.pinned, spec), least)


def _train(layers: Layers, train: Events, spec: loss.LossSpec, rng: np.random.Generator) -> None:
    """Train all members on batches drawn without repetition in each epoch."""
    own, variables = layers.settings, [*layers.variables.kernels, *layers.variables.biases]
    size = min(own.batch_events, len(train.weight))
    steps = len(train.weight) // size
    rate = keras.optimizers.schedules.CosineDecay(own.learning_rate, own.epochs * steps, 0.01)
    optimiser = keras.optimizers.AdamW(rate, weight_decay=own.weight_decay, global_clipnorm=1.0)
    optimiser.build(variables)
    state = tf.Variable(np.zeros((own.members, 2, spec.n_bins), np.float32), trainable=False)

    def step(*columns: tf.Tensor) -> None:
        values = [variable.value for variable in variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            total, sums = _loss(layers, columns, spec, state.value(), optimiser.iterations.value)
        gradients = tape.gradient(total, values)
        state.assign(sums)
        optimiser.apply(gradients, variables)

    compiled = tf.function(step, jit_compile=True)
    for _ in range(own.epochs):
        order = rng.permutation(len(train.weight))
        for first in range(0, steps * size, size):
            compiled(*train.take(order[first : first + size]))


def _loss(
    layers: Layers,
    columns: tuple[tf.Tensor, ...],
    spec: loss.LossSpec,
    state: tf.Tensor,
    seen: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the loss of a batch, summed over members, and the running sums of each."""
    *view, truth, pinned, weight = columns
    event = EventView(*view)
    target = truth + pinned
    total, sums = tf.zeros(()), []
    plain, mirrored = (layers.outputs(_standard(layers, x)) for x in view[3:])
    n = tf.cast(tf.shape(weight)[0], tf.float32)
    for member in range(layers.settings.members):
        vector, widths = estimate(event, plain[member], mirrored[member])
        errors = loss.event_errors(vector, target, spec.huber, spec.scale)
        total += tf.reduce_sum(weight * errors) / n
        if spec.response > 0:
            met = vector - pinned
            along = loss.response_sums(met, truth, pinned, weight, spec)
            term, new = loss.running_response_term(*along, state[member], seen, spec)
            total += term
            sums.append(new)
        likelihood = _likelihood(tf.stop_gradient(vector) - target, widths, event.axis)
        total += layers.settings.likelihood * tf.reduce_sum(weight * likelihood) / n
    return total, tf.stack(sums) if sums else state


def _likelihood(error: tf.Tensor, widths: tf.Tensor, axis: tf.Tensor) -> tf.Tensor:
    """Return minus the logarithm of a Gaussian along and across the axis, up to a constant."""
    along = tf.reduce_sum(error * axis, axis=1)
    across = error[:, 1] * axis[:, 0] - error[:, 0] * axis[:, 1]
    pulls = tf.stack([along, across], axis=1) / widths
    # beyond five widths linear: a tail must not decide the width of all others
    size = tf.abs(pulls)
    squared = tf.where(size < 5.0, 0.5 * tf.square(pulls), 5.0 * size - 12.5)
    return tf.reduce_sum(squared + tf.math.log(widths), axis=1)


def _standard(layers: Layers, inputs: tf.Tensor) -> tf.Tensor:
    return (inputs - layers.variables.mean) * layers.variables.inverse


def _evaluated(layers: Layers, part: Events) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors without pinned constituents and widths of all members together."""
    blocks = []
    for first in range(0, len(part.weight), BLOCK):
        view = part.take(slice(first, first + BLOCK))[:5]
        seen = [tf.reduce_mean(layers.outputs(_standard(layers, x)), axis=0) for x in view[3:]]
        blocks.append([np.asarray(x.numpy()) for x in estimate(EventView(*view), *seen)])
    vector, widths = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return vector, widths


def _error(layers: Layers, vector: np.ndarray, part: Events) -> float:
    target = tf.constant(part.truth + part.pinned)
    errors = loss.event_errors(tf.constant(vector), target, layers.loss.huber, layers.loss.scale)
    return float(np.average(errors.numpy().astype(np.float64), weights=part.weight))


def _cover(vector: np.ndarray, widths: np.ndarray, part: Events) -> np.ndarray:
    """Return factors of the widths along and across with which 68 % of these events are covered."""
    error, axis = vector - part.truth - part.pinned, part.axis
    along = np.sum(error * axis, axis=1)
    across = error[:, 1] * axis[:, 0] - error[:, 0] * axis[:, 1]
    pulls = np.abs(np.stack([along, across], axis=1)) / widths
    scale: np.ndarray = np.quantile(pulls, LEVEL, axis=0).astype(np.float32)
    return scale
