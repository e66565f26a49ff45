"""Edge convolutions over the nearest neighbours of each constituent in eta and phi.

Residual form of EdgeConv (Wang et al., arXiv:1801.07829): the mean over neighbours j of a dense
layer of (x_i, x_j - x_i), added to x_i. Neighbours are found inside the network, from all pairs of
an event: cost grows with the square of the constituents. Pinned constituents and pads are
neighbours of nobody. Distances do not change when the event turns or is reflected.
"""

from __future__ import annotations

import itertools

import numpy as np
import tensorflow as tf

from ptmiss.learn.backbones.base import Constituents, Packing, Plan
from ptmiss.learn.backbones.named import NamedLayers
from ptmiss.learn.settings.networks import EdgeConvNetwork

FAR = 1e6
"""Squared distance of what is no neighbour."""


class EdgeConv(NamedLayers):
    """Dense layer, edge convolutions of its width, dense layers; tanh everywhere."""

    packing: Packing = "bucketed"

    def __init__(self, settings: EdgeConvNetwork, plan: Plan, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.settings, self.plan = settings, plan

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """Shapes of the kernels by name."""
        own = self.settings
        named = {"first": (self.n_inputs, own.units[0])}
        named |= {f"edge{i}": (2 * own.units[0], own.units[0]) for i in range(own.blocks)}
        widths = (*own.units, self.plan.outputs.number)
        return named | {f"layer{i}": pair for i, pair in enumerate(itertools.pairwise(widths))}

    def numbers(self, constituents: Constituents, training: bool = False) -> tf.Tensor:
        """Return the outputs of each constituent, float32 (n, k)."""
        del training  # nothing here depends on the batch
        hidden = tf.tanh(self.dense(self.inputs(constituents), "first"))
        places, known = self._nearest(constituents)
        width, blocks = hidden.shape[1], self.settings.blocks
        for block in range(blocks):
            kernel = self.kernels[f"edge{block}"]
            # (x_i, x_j - x_i) K = x_i (K_1 - K_2) + x_j K_2: one product each, not one an edge
            own = tf.matmul(hidden, kernel[:width] - kernel[width:]) + self.biases[f"edge{block}"]
            other = tf.gather(tf.matmul(hidden, kernel[width:]), places)
            edges = tf.tanh(own[:, tf.newaxis] + other) * known[:, :, tf.newaxis]
            hidden += tf.reduce_sum(edges, axis=1) / np.float32(self.settings.neighbours)
        return self.through(hidden, list(self.shapes)[1 + blocks :])

    def flops(self) -> int:
        """Return the floating-point operations of one constituent, to first order, without those
        of all pairs."""
        own = self.settings
        dense: int = super().flops()
        return dense + 4 * own.neighbours * own.blocks * own.units[0]

    def _nearest(self, constituents: Constituents) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the rows of the nearest neighbours of each constituent, int32 (n, k), and 1 where
        there is one, float32 (n, k)."""
        x, layout = constituents.continuous, self.plan.layout
        k = self.settings.neighbours
        if constituents.width is None:
            raise ValueError("edge convolutions want slots")
        width = constituents.width
        eta, p = x[:, layout.place("eta")], x[:, layout.vector_place]
        length = tf.sqrt(tf.maximum(tf.reduce_sum(tf.square(p), axis=1), 1e-20))
        direction = tf.reshape(p / length[:, tf.newaxis], (-1, width, 2))
        # 2 (1 - cos) is the square of small angles, and needs no wrapping
        angle = 2.0 - 2.0 * tf.matmul(direction, direction, transpose_b=True)
        place = tf.reshape(eta, (-1, width))
        along = tf.square(place[:, :, tf.newaxis] - place[:, tf.newaxis, :])
        hidden = (1.0 - tf.reshape(self.seen(constituents), (-1, 1, width))) * FAR
        distance = along + angle + hidden + tf.eye(width) * FAR
        # events with fewer constituents than neighbours: the rest is far, and counts nothing
        missing = tf.maximum(k - width, 0)
        distance = tf.pad(distance, [[0, 0], [0, 0], [0, missing]], constant_values=FAR)
        nearest, index = tf.math.top_k(-distance, k)
        known = tf.cast(nearest > -FAR / 2.0, x.dtype)
        index = tf.where(known > 0.0, index, tf.zeros_like(index))
        first = tf.range(tf.shape(distance)[0])[:, tf.newaxis, tf.newaxis] * width
        return tf.reshape(index + first, (-1, k)), tf.reshape(known, (-1, k))
