"""A vector sum, corrected by what the whole event shows, with the uncertainty of each event.

The vector sum is trained with the backbone. Then, with the backbone frozen, a small network sees
sums over kinds of constituents (`FeatureLayout.groups`), each weighted with 1, with the weight,
with the predicted true share and with a weight among the features, as components along and across
the sum itself and as scalar sums. It gives a factor of the sum, coefficients of the other vectors,
a shift across, and two widths. It is applied to the event and to its mirror image: what is even
under a reflection is averaged and what is odd is subtracted, so that rotations and reflections of
the event turn the estimate exactly.
"""

from __future__ import annotations

import itertools

import keras
import numpy as np
import tensorflow as tf

from ptmiss.learn import masks
from ptmiss.learn.features import EstimateColumn
from ptmiss.learn.heads import event_fit
from ptmiss.learn.heads.base import Frozen, HeadPlan
from ptmiss.learn.heads.event_view import SCALARS, WEIGHTS, estimate, event_view, root
from ptmiss.learn.heads.vector_sum import VectorLoss, VectorSum
from ptmiss.learn.onnx.interface import OUTPUT
from ptmiss.learn.settings.heads import EventHead, VectorSumHead
from ptmiss.learn.settings.train import TrainSettings

ERRORS = ("error_xx", "error_xy", "error_yy")
"""Columns of the symmetric square root of an event's covariance matrix: C = E E."""


class Event(keras.layers.Layer):
    """Missing vector of an event and its uncertainty; see the module."""

    output_name = OUTPUT

    def __init__(self, settings: EventHead, plan: HeadPlan, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.settings, self.plan = settings, plan
        inner = VectorSumHead(
            kind="vector_sum", bias="none", tune=settings.tune, labels=settings.labels
        )
        self.base = VectorSum(inner, plan, name="base")
        self.wants, self.scale = self.base.wants, self.base.scale
        unit = self.base.columns[0].unit
        errors = (EstimateColumn(name=name, unit=unit) for name in ERRORS)
        self.columns = (*self.base.columns, *errors)
        self.first_terms, self.first = self.base.first_terms, self.base.first

    @property
    def n_vectors(self) -> int:
        """Sums that are vectors, the estimate itself left out."""
        return WEIGHTS * len(self.plan.layout.groups)

    @property
    def widths(self) -> tuple[int, ...]:
        """Numbers into the first layer, out of each hidden one, and out of the last."""
        n = len(self.plan.layout.groups)
        return (2 * WEIGHTS * n + SCALARS * n + 1, *self.settings.units, self.n_vectors + 4)

    def build(self) -> None:
        """Create all variables; none is trained with the backbone."""
        self.base.build()
        members, first = self.settings.members, self.widths[0]
        self.mean = self._weight("event_mean", (first,), "zeros")
        self.inverse = self._weight("event_inverse", (first,), "ones")
        self.error_scale = self._weight("event_error_scale", (2,), "ones")
        self.kernels, self.biases = [], []
        for i, (a, b) in enumerate(itertools.pairwise(self.widths)):
            self.kernels.append(self._weight(f"event_kernel{i}", (members, a, b), "zeros"))
            self.biases.append(self._weight(f"event_bias{i}", (members, 1, b), "zeros"))
        self.built = True

    def terms(self, outputs: tf.Tensor, continuous: tf.Tensor, categories: tf.Tensor) -> tf.Tensor:
        """Return what a constituent adds to the sums: of the vector sum (4), then group by group
        the vector with each of `WEIGHTS` and the size with each of `SCALARS`; 0 for pads, and in
        the groups for pinned constituents.
        """
        layout = self.plan.layout
        own = continuous[:, : layout.width]
        p, size = own[:, layout.vector_place], own[:, layout.place(layout.size or "")]
        share = tf.sigmoid(outputs[:, 1])
        seen = own[:, layout.place(layout.weight)] if layout.weight else tf.zeros_like(share)
        weights = [tf.ones_like(share), outputs[:, 0], share, seen]
        columns = [weight[:, tf.newaxis] * p for weight in weights]
        columns += [(weight * size)[:, tf.newaxis] for weight in (weights[0], share, seen)]
        values = tf.concat(columns, axis=1)
        pinned = masks.pinned(own, categories, layout)
        free = tf.logical_and(masks.real(own, layout) > 0.0, tf.logical_not(pinned))
        inside = tf.logical_and(masks.groups(own, categories, layout), free[:, tf.newaxis])
        # where, not a product: a product would let NaN of an ignored constituent through
        each = tf.where(inside[:, :, tf.newaxis], values[:, tf.newaxis, :], 0.0)
        flat = tf.reshape(each, (-1, inside.shape[1] * values.shape[1]))
        return tf.concat([self.base.terms(outputs, own, categories), flat], axis=1)

    def result(self, sums: tf.Tensor) -> tf.Tensor:
        """Return vector and uncertainty, (E, 5), from the sums of `terms`."""
        view = event_view(sums, self.plan.layout)
        inputs = [(x - self.mean) * self.inverse for x in (view.inputs, view.mirrored)]
        seen = [tf.reduce_mean(self.outputs(x), axis=0) for x in inputs]
        vector, errors = estimate(view, *seen)
        errors *= tf.convert_to_tensor(self.error_scale)
        return tf.concat([vector + sums[:, 2:4], root(view.axis, errors)], axis=1)

    def outputs(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return the outputs of all members for standardised inputs (E, n), (members, E, m)."""
        hidden = inputs[tf.newaxis]
        layers = list(zip(self.kernels, self.biases, strict=True))
        for i, (kernel, bias) in enumerate(layers):
            hidden = tf.matmul(hidden, kernel) + bias
            hidden = hidden if i == len(layers) - 1 else tf.tanh(hidden)
        return hidden

    def finish(self, frozen: Frozen, settings: TrainSettings, seed: int) -> dict[str, float]:
        """Train the layers of the event; return errors before and after, see `event_fit.fit`."""
        variables = event_fit.Variables(
            self.kernels, self.biases, self.mean, self.inverse, self.error_scale
        )
        spec = self.base.loss(settings).spec
        layers = event_fit.Layers(self.plan.layout, self.settings, variables, self.outputs, spec)
        return event_fit.fit(layers, frozen, settings.response_min_events, seed)

    def loss(self, settings: TrainSettings) -> VectorLoss:
        """Return the loss of the vector sum."""
        return self.base.loss(settings)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return event_mean, event_inverse (n,), event_error_scale (2,), event_kernel0..
        (members, in, out) and event_bias0.. (members, 1, out)."""
        named = {
            "event_mean": self.mean,
            "event_inverse": self.inverse,
            "event_error_scale": self.error_scale,
            **{f"event_kernel{i}": kernel for i, kernel in enumerate(self.kernels)},
            **{f"event_bias{i}": bias for i, bias in enumerate(self.biases)},
        }
        return {name: np.array(variable.numpy(), np.float32) for name, variable in named.items()}

    def _weight(self, name: str, shape: tuple[int, ...], initializer: str) -> keras.Variable:
        return self.add_weight(name=name, shape=shape, initializer=initializer, trainable=False)
