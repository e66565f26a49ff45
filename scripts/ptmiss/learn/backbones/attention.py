"""Attention through a few latent vectors of an event: cost linear in its constituents.

Each latent vector is a weighted mean over the constituents of an event, with weights that a
constituent gives by its own inputs (the first half of an induced set attention block, Lee et al.,
arXiv:1810.00825); then each constituent looks back at the latent vectors, and dense layers see
both. Pinned constituents and pads are in no latent vector.
"""

from __future__ import annotations

import itertools

import tensorflow as tf

from ptmiss.learn.backbones.base import Constituents, Packing, Plan
from ptmiss.learn.backbones.named import NamedLayers
from ptmiss.learn.settings.networks import AttentionNetwork

STEEP = 4.0
"""Bound of the logarithm of an attention: no largest one has to be subtracted before the
exponential, so that sums over events of any packing will do."""


class Attention(NamedLayers):
    """Dense layer, attention to the event, dense layers; tanh everywhere."""

    packing: Packing = "flat"

    def __init__(self, settings: AttentionNetwork, plan: Plan, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.settings, self.plan = settings, plan

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """Shapes of the kernels by name."""
        own = self.settings
        first, size = own.units[0], own.size
        named = {
            "first": (self.n_inputs, first),
            "score": (first, own.latents),
            "value": (first, size),
            "query": (first, own.latents),
        }
        widths = (first + size, *own.units[1:], self.plan.outputs.number)
        return named | {f"layer{i}": pair for i, pair in enumerate(itertools.pairwise(widths))}

    def numbers(self, constituents: Constituents, training: bool = False) -> tf.Tensor:
        """Return the outputs of each constituent, float32 (n, k)."""
        del training  # nothing here depends on the batch
        latents, size = self.settings.latents, self.settings.size
        hidden = tf.tanh(self.dense(self.inputs(constituents), "first"))
        score = tf.exp(STEEP * tf.tanh(self.dense(hidden, "score") / STEEP))
        score *= self.seen(constituents)[:, tf.newaxis]
        value = tf.tanh(self.dense(hidden, "value"))
        weighted = score[:, :, tf.newaxis] * value[:, tf.newaxis, :]
        columns = [tf.reshape(weighted, (-1, latents * size)), score]
        sums = constituents.sums(tf.concat(columns, axis=1))
        total = tf.reshape(sums[:, : latents * size], (-1, latents, size))
        latent = total / (sums[:, latents * size :, tf.newaxis] + 1e-6)
        back = tf.nn.softmax(self.dense(hidden, "query"), axis=1)[:, tf.newaxis]
        around = tf.matmul(back, tf.gather(latent, constituents.event))[:, 0]
        return self.through(tf.concat([hidden, around], axis=1), list(self.shapes)[4:])

    def flops(self) -> int:
        """Return the floating-point operations of one constituent, to first order."""
        dense: int = super().flops()
        return dense + 4 * self.settings.latents * self.settings.size
