"""Which constituents are real and which are pinned, by the rules of a layout."""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

from ptmiss.learn.features import FeatureLayout


def real(continuous: tf.Tensor, layout: FeatureLayout) -> tf.Tensor:
    """Return 1 for real constituents and 0 for pads, float32 (n,)."""
    if layout.size_place is None:
        return tf.ones_like(continuous[:, 0])
    return tf.cast(tf.not_equal(continuous[:, layout.size_place], 0.0), continuous.dtype)


def pinned(continuous: tf.Tensor, categories: tf.Tensor, layout: FeatureLayout) -> tf.Tensor:
    """Say which constituents are pinned, bool (n,)."""
    if layout.pinned is None or layout.size_place is None:
        return tf.zeros(tf.shape(continuous)[:1], tf.bool)
    met = [
        _is_one_of(categories[:, layout.category_place(rule.category)], rule.codes)
        for rule in layout.pinned.conditions
    ]
    hard = continuous[:, layout.size_place] > layout.pinned_size
    return tf.logical_and(functools.reduce(tf.logical_and, met), hard)


def groups(continuous: tf.Tensor, categories: tf.Tensor, layout: FeatureLayout) -> tf.Tensor:
    """Say to which of the layout's groups constituents belong, bool (n, groups)."""
    columns = []
    for group in layout.groups:
        size = tf.abs(continuous[:, layout.place(group.column)])
        inside = tf.logical_and(size >= np.float32(group.low), size < np.float32(group.high))
        met = [
            _is_one_of(categories[:, layout.category_place(rule.category)], rule.codes)
            for rule in group.conditions
        ]
        columns.append(functools.reduce(tf.logical_and, met, inside))
    return tf.stack(columns, axis=1)


def _is_one_of(codes: tf.Tensor, values: tuple[int, ...]) -> tf.Tensor:
    return tf.reduce_any(tf.equal(codes[:, tf.newaxis], tf.constant(values, codes.dtype)), axis=1)
