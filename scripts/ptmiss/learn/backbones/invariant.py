"""Inputs that no rotation about the beam, and no reflection, changes.

Of each feature of a constituent but the vector: its logarithm or itself, of the size where a
reflection changes the sign; its square, and what its size has beyond each knot, where the layout
asks for them (`ptmiss.learn.features.Column`); then the context as it is.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from ptmiss.learn.features import Column, FeatureLayout


def own_columns(layout: FeatureLayout) -> list[tuple[int, Column]]:
    """Return place and declaration of the features that are seen, the vector left out."""
    vector = layout.vector or ()
    return [(i, column) for i, column in enumerate(layout.continuous) if column.name not in vector]


def n_invariant(layout: FeatureLayout) -> int:
    """Return how many inputs there are."""
    own = (1 + (column.square > 0) + len(column.knots) for _, column in own_columns(layout))
    return sum(own) + len(layout.context)


def invariant(x: tf.Tensor, layout: FeatureLayout) -> tf.Tensor:
    """Return the inputs, (n, n_invariant), of continuous features (n, F).

    First one of each feature, then squares, then knots, then the context.
    """
    values, squares, knots = [], [], []
    for place, column in own_columns(layout):
        raw = x[:, place : place + 1]
        value = tf.abs(raw) if column.odd != "no" else raw
        if column.inverse_log_scale > 0:
            # features with a logarithm and no sign are never negative
            value = tf.math.log(1.0 + tf.abs(raw) * np.float32(column.inverse_log_scale))
        value *= np.float32(column.gain)
        values.append(value)
        if column.square > 0:
            squares.append(np.float32(column.square) * tf.square(value))
        knots += [tf.maximum(tf.abs(raw) - np.float32(knot), 0.0) for knot in column.knots]
    context = x[:, len(layout.continuous) : layout.width]
    return tf.concat([*values, *squares, *knots, context], axis=1)
