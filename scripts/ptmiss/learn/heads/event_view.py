"""An event as its sums show it, and the estimate that layers on this view make."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ptmiss.learn.features import FeatureLayout

WEIGHTS = 4
"""Weights that each group is summed with: 1, the weight, the predicted share, a feature."""

SCALARS = 3
"""Weights of scalar sums: 1, the predicted share, the feature."""

UNIT = 0.2
"""Vectors enter as asinh(x / UNIT), widths and the shift are in it: 10 GeV of 50."""

SCALAR_UNIT = 0.02
"""Scalar sums enter as log(1 + x / SCALAR_UNIT): 1 GeV of 50."""

TINY = 1e-20
"""Square of a length below which a vector has no direction."""

WIDEST = 8.0
"""Bound of the logarithm of a width: e^8 x 10 GeV is more than any event has."""

FACTOR, COEFFICIENT = 0.3, 0.1
"""Of the outputs, so that their natural size is 1."""


class EventView(NamedTuple):
    """What the layers of an event see of it.

    own: the vector sum without pinned constituents (E, 2); vectors (E, n, 2); axis (E, 2), along
    own; inputs, mirrored (E, n_inputs): components along, components across, scalars; mirrored has
    the components across with the other sign.
    """

    own: tf.Tensor
    vectors: tf.Tensor
    axis: tf.Tensor
    inputs: tf.Tensor
    mirrored: tf.Tensor


def event_view(sums: tf.Tensor, layout: FeatureLayout) -> EventView:
    """Return the view of events with the sums (E, 4 + groups x 11) of `Event.terms`."""
    n = len(layout.groups)
    own = sums[:, :2]
    groups = tf.reshape(sums[:, 4:], (-1, n, 2 * WEIGHTS + SCALARS))
    vectors = tf.reshape(groups[:, :, : 2 * WEIGHTS], (-1, n * WEIGHTS, 2))
    scalars = tf.reshape(groups[:, :, 2 * WEIGHTS :], (-1, n * SCALARS))
    squared = tf.reduce_sum(tf.square(own), axis=1, keepdims=True)
    length = tf.sqrt(tf.maximum(squared, TINY))
    # an event without recoil has no direction; any one does
    axis = tf.where(squared > TINY, own / length, tf.constant([[1.0, 0.0]]))
    x, y = axis[:, tf.newaxis, 0], axis[:, tf.newaxis, 1]
    along = vectors[:, :, 0] * x + vectors[:, :, 1] * y
    across = vectors[:, :, 1] * x - vectors[:, :, 0] * y
    # log(1 + x): the converter knows no log1p
    sizes = tf.math.log(1.0 + tf.maximum(scalars, 0.0) / np.float32(SCALAR_UNIT))
    length = tf.where(squared > TINY, length, tf.zeros_like(length))
    seen = [tf.asinh(part / np.float32(UNIT)) for part in (along, across, length)]
    along, across, length = seen
    inputs = tf.concat([along, across, sizes, length], axis=1)
    return EventView(own, vectors, axis, inputs, tf.concat([along, -across, sizes, length], axis=1))


def estimate(view: EventView, plain: tf.Tensor, mirrored: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the corrected vector without pinned constituents, and its widths along and across.

    plain, mirrored: outputs (E, m) for the event and for its mirror image: factor, coefficients,
    two logarithms of widths, and the shift across.
    """
    even, odd = 0.5 * (plain + mirrored), 0.5 * (plain - mirrored)
    n = view.vectors.shape[1]
    vector = view.own * (1.0 + FACTOR * even[:, :1])
    vector += tf.reduce_sum(COEFFICIENT * even[:, 1 : n + 1, tf.newaxis] * view.vectors, axis=1)
    across = tf.stack([-view.axis[:, 1], view.axis[:, 0]], axis=1)
    vector += np.float32(UNIT * COEFFICIENT) * odd[:, n + 3 : n + 4] * across
    widths = np.float32(UNIT) * tf.exp(tf.clip_by_value(even[:, n + 1 : n + 3], -WIDEST, WIDEST))
    return vector, widths


def root(axis: tf.Tensor, widths: tf.Tensor) -> tf.Tensor:
    """Return xx, xy, yy of the symmetric root of a covariance with these widths, (E, 3)."""
    x, y = axis[:, 0], axis[:, 1]
    along, across = widths[:, 0], widths[:, 1]
    return tf.stack(
        [
            along * x * x + across * y * y,
            (along - across) * x * y,
            along * y * y + across * x * x,
        ],
        axis=1,
    )
