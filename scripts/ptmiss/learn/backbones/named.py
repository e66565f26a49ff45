"""Dense layers by name on invariant inputs: what backbones of several kinds share."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from ptmiss.learn import masks
from ptmiss.learn.backbones.base import Constituents, Plan
from ptmiss.learn.backbones.invariant import invariant, n_invariant
from ptmiss.learn.backbones.transform import one_hot


class NamedLayers(keras.layers.Layer):
    """Kernels and biases by the names of `shapes`; the last one gives the head's numbers.

    Inputs are those of the backbone `neighbours`: rotations and reflections leave them as they are.
    """

    invariant = True
    plan: Plan

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """Shapes (in, out) of the kernels by name, the first one of the inputs."""
        raise NotImplementedError

    @property
    def n_inputs(self) -> int:
        """Numbers into the first layer."""
        return n_invariant(self.plan.layout) + sum(self.plan.layout.table_rows)

    def build(self) -> None:
        """Create all variables; sizes do not depend on the input."""
        self.kernels, self.biases = {}, {}
        *_, self.last = self.shapes
        for name, shape in self.shapes.items():
            small = keras.initializers.VarianceScaling(scale=0.02)
            start = small if name == self.last else "lecun_uniform"
            self.kernels[name] = self.add_weight(
                name=f"kernel_{name}", shape=shape, initializer=start
            )
            self.biases[name] = self.add_weight(
                name=f"bias_{name}", shape=shape[1:], initializer="zeros"
            )
        self.biases[self.last].assign(self.plan.outputs.start)
        self.built = True

    def inputs(self, constituents: Constituents) -> tf.Tensor:
        """Return the numbers into the first layer, (n, n_inputs)."""
        x, layout = constituents.continuous, self.plan.layout
        parts = [invariant(x, layout), *one_hot(x, constituents.categories, layout)]
        return tf.concat(parts, axis=1)

    def seen(self, constituents: Constituents) -> tf.Tensor:
        """Return 1 for what others may see, neither pinned nor a pad, float32 (n,)."""
        x, codes = constituents.continuous, constituents.categories
        free = tf.logical_not(masks.pinned(x, codes, self.plan.layout))
        return constituents.counted * tf.cast(free, x.dtype)

    def dense(self, x: tf.Tensor, name: str) -> tf.Tensor:
        """Return the linear part of a layer."""
        return tf.matmul(x, self.kernels[name]) + self.biases[name]

    def through(self, hidden: tf.Tensor, names: list[str]) -> tf.Tensor:
        """Return the outputs of the last layers, tanh between them."""
        for name in names:
            hidden = self.dense(hidden, name)
            hidden = hidden if name == self.last else tf.tanh(hidden)
        return hidden * self.plan.outputs.scale

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all weights: kernel_NAME (in, out) and bias_NAME (out,), float32."""
        named = {f"kernel_{name}": kernel for name, kernel in self.kernels.items()}
        named |= {f"bias_{name}": bias for name, bias in self.biases.items()}
        return {name: np.array(variable.numpy(), np.float32) for name, variable in named.items()}

    def flops(self) -> int:
        """Return the floating-point operations of one constituent, to first order."""
        return sum(2 * a * b for a, b in self.shapes.values())
