"""Plain dense layers on the features of each row: the backbone of rows without constituents."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import tensorflow as tf

from ptmiss.learn.backbones.base import Constituents, Packing, Plan
from ptmiss.learn.backbones.transform import one_hot, transformed
from ptmiss.learn.settings.networks import DenseNetwork


class Dense(keras.layers.Layer):
    """Dense layers with tanh or relu, then the head's numbers."""

    packing: Packing = "flat"
    invariant = False

    def __init__(self, settings: DenseNetwork, plan: Plan, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.units, self.activation, self.plan = settings.units, settings.activation, plan

    @property
    def widths(self) -> tuple[int, ...]:
        """Numbers into the first layer, out of each hidden one, and out of the last."""
        layout = self.plan.layout
        return (layout.width + sum(layout.table_rows), *self.units, self.plan.outputs.number)

    def build(self) -> None:
        """Create all variables; sizes do not depend on the input."""
        self.kernels, self.biases = [], []
        for i, (width, units) in enumerate(itertools.pairwise(self.widths)):
            last = i == len(self.units)
            kernel = keras.initializers.VarianceScaling(scale=0.02) if last else "lecun_uniform"
            self.kernels.append(
                self.add_weight(name=f"kernel{i}", shape=(width, units), initializer=kernel)
            )
            self.biases.append(
                self.add_weight(name=f"bias{i}", shape=(units,), initializer="zeros")
            )
        self.biases[-1].assign(self.plan.outputs.start)
        self.built = True

    def numbers(self, constituents: Constituents, training: bool = False) -> tf.Tensor:
        """Return the outputs of each constituent, float32 (n, k)."""
        del training  # nothing differs
        x, layout = constituents.continuous, self.plan.layout
        parts = [transformed(x, layout, self.plan.transform)]
        hidden = tf.concat([*parts, *one_hot(x, constituents.categories, layout)], axis=1)
        function = tf.tanh if self.activation == "tanh" else tf.nn.relu
        for kernel, bias in zip(self.kernels[:-1], self.biases[:-1], strict=True):
            hidden = function(tf.matmul(hidden, kernel) + bias)
        outputs = tf.matmul(hidden, self.kernels[-1]) + self.biases[-1]
        return outputs * self.plan.outputs.scale

    def arrays(self) -> dict[str, np.ndarray]:
        """Return kernels (in, out) and biases of each layer as float32 arrays by name."""
        groups = {"kernel": self.kernels, "bias": self.biases}
        return {
            f"{name}{i}": np.array(variable.numpy(), np.float32)
            for name, group in groups.items()
            for i, variable in enumerate(group)
        }

    def flops(self) -> int:
        """Return the floating-point operations of one constituent, to first order."""
        return sum(2 * a * b for a, b in itertools.pairwise(self.widths))
