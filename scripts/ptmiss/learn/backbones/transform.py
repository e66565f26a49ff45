"""What is done to continuous features first, and the variables that all kinds of layers make."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from ptmiss.learn.features import FeatureLayout


def constants(layout: FeatureLayout, transform: str) -> dict[str, np.ndarray]:
    """Return is_log (1 or 0), inverse_scale and gain of each column, float32 (F,); {} if faithful.

    A feature x becomes gain * (sign(x) log(1 + |x| inverse_scale), or x where is_log is 0).
    """
    if transform == "faithful":
        return {}
    inverse = np.array([c.inverse_log_scale for c in layout.columns], dtype=np.float32)
    is_log = inverse > 0
    return {
        "is_log": is_log.astype(np.float32),
        "inverse_scale": np.where(is_log, inverse, np.float32(1.0)),
        "gain": np.array([column.gain for column in layout.columns], dtype=np.float32),
    }


def transformed(x: tf.Tensor, layout: FeatureLayout, transform: str) -> tf.Tensor:
    """Return continuous features (n, F) as a network takes them."""
    values = constants(layout, transform)
    if not values:
        return x
    logarithm = tf.sign(x) * tf.math.log(1.0 + tf.abs(x) * values["inverse_scale"])
    return tf.where(values["is_log"] > 0, logarithm, x) * values["gain"]


def one_hot(x: tf.Tensor, categories: tf.Tensor, layout: FeatureLayout) -> list[tf.Tensor]:
    """Return the codes of each category as one-hot vectors; a code beyond its table gives zeros."""
    return [
        tf.one_hot(categories[:, i], rows, dtype=x.dtype)
        for i, rows in enumerate(layout.table_rows)
    ]
