"""The network of CMS, arXiv:2509.12012, applied to each constituent: embeddings, dense layers."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import tensorflow as tf

from ptmiss.learn.backbones.base import Constituents, Packing, Plan
from ptmiss.learn.backbones.transform import constants, one_hot, transformed
from ptmiss.learn.settings.networks import DeepMETNetwork, NeighboursNetwork

MOMENTUM = 0.95
EPSILON = 1e-3
"""Batch normalisation of the public training code (yongbinfeng/DeepMETTraining)."""


class DeepMET(keras.layers.Layer):
    """Dense layers with tanh, each followed by batch normalisation, then the head's numbers.

    The mathematics is that of Embedding, Dense(tanh) and BatchNormalization layers; the order of
    operations is another, because the plain layers spend most of their time moving memory:
    embedding and first layer become one product with a one-hot matrix, and each normalisation,
    being linear, is folded into the weights of the next layer.
    """

    packing: Packing = "flat"
    invariant = False

    def __init__(
        self, settings: DeepMETNetwork | NeighboursNetwork, plan: Plan, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.units, self.embedding, self.plan = settings.units, settings.embedding, plan

    @property
    def widths(self) -> tuple[int, ...]:
        """Numbers into the first layer, out of each hidden one, and out of the last."""
        first = self.n_continuous + len(self.plan.layout.categories) * self.embedding
        return (first, *self.units, self.plan.outputs.number)

    @property
    def n_continuous(self) -> int:
        """How many numbers `continuous` gives."""
        return self.plan.layout.width

    def continuous(self, x: tf.Tensor) -> tf.Tensor:
        """Return what the first layer sees of the continuous features (n, F)."""
        return transformed(x, self.plan.layout, self.plan.transform)

    def build(self) -> None:
        """Create all variables; sizes do not depend on the input."""
        # Initialisers of the public training code. Seeds: keras.utils.set_random_seed.
        self.embeddings = [
            self.add_weight(
                name=f"embedding{i}",
                shape=(rows, self.embedding),
                initializer=keras.initializers.RandomNormal(stddev=0.4 / self.embedding),
            )
            for i, rows in enumerate(self.plan.layout.table_rows)
        ]
        self.kernels, self.biases = [], []
        self.gammas, self.betas, self.means, self.variances = [], [], [], []
        for i, (width, units) in enumerate(itertools.pairwise(self.widths[:-1])):
            self.kernels.append(self._weight(f"kernel{i}", (width, units), "lecun_uniform"))
            self.biases.append(self._weight(f"bias{i}", (units,), "zeros"))
            self.gammas.append(self._weight(f"gamma{i}", (units,), "ones"))
            self.betas.append(self._weight(f"beta{i}", (units,), "zeros"))
            self.means.append(self._weight(f"mean{i}", (units,), "zeros", trainable=False))
            self.variances.append(self._weight(f"variance{i}", (units,), "ones", trainable=False))
        small = keras.initializers.VarianceScaling(scale=0.02)
        self.kernels.append(self._weight("kernel_out", self.widths[-2:], small))
        self.biases.append(self._weight("bias_out", self.widths[-1:], "zeros"))
        self.biases[-1].assign(self.plan.outputs.start)
        self.built = True

    def numbers(self, constituents: Constituents, training: bool = False) -> tf.Tensor:
        """Return the outputs of each constituent, float32 (n, k).

        Those that do not count enter the batch statistics not either. A code beyond its table
        (possible only in a foreign file) adds no embedding.
        """
        x, layout = constituents.continuous, self.plan.layout
        hidden = [self.continuous(x), *one_hot(x, constituents.categories, layout)]
        hidden = tf.concat(hidden, axis=1)
        kernel, bias = self._first_kernel(), tf.convert_to_tensor(self.biases[0])
        for i in range(len(self.units)):
            hidden = tf.tanh(tf.matmul(hidden, kernel) + bias)
            mean, variance = self._statistics(i, hidden, constituents.counted, training)
            scale = self.gammas[i] * tf.math.rsqrt(variance + EPSILON)
            shift = self.betas[i] - mean * scale
            kernel = scale[:, tf.newaxis] * self.kernels[i + 1]
            bias = self.biases[i + 1] + tf.linalg.matvec(self.kernels[i + 1], shift, True)
        return (tf.matmul(hidden, kernel) + bias) * self.plan.outputs.scale

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all weights as float32 arrays by name, for the export and for tests.

        embedding0.. (rows, embedding); kernel, bias, gamma, beta, mean, variance with the number of
        each hidden layer; kernel_out (units, k), bias_out (k,), both times the scale of the
        outputs; with transform "log" is_log, inverse_scale, gain (F,). Kernels are (in, out);
        layer i is norm_i(tanh(x kernel_i + bias_i)), with
        norm(h) = gamma (h - mean) / sqrt(variance + 1e-3) + beta.
        """
        named = {f"embedding{i}": table for i, table in enumerate(self.embeddings)}
        for i in range(len(self.units)):
            for name, group in (
                ("kernel", self.kernels),
                ("bias", self.biases),
                ("gamma", self.gammas),
                ("beta", self.betas),
                ("mean", self.means),
                ("variance", self.variances),
            ):
                named[f"{name}{i}"] = group[i]
        named["kernel_out"], named["bias_out"] = self.kernels[-1], self.biases[-1]
        arrays = {name: np.array(variable.numpy(), np.float32) for name, variable in named.items()}
        arrays["kernel_out"] *= self.plan.outputs.scale
        arrays["bias_out"] *= self.plan.outputs.scale
        return {**arrays, **constants(self.plan.layout, self.plan.transform)}

    def flops(self) -> int:
        """Return the floating-point operations of one constituent, to first order."""
        return sum(2 * a * b for a, b in itertools.pairwise(self.widths))

    def _weight(
        self, name: str, shape: tuple[int, ...], initializer: object, trainable: bool = True
    ) -> keras.Variable:
        return self.add_weight(name=name, shape=shape, initializer=initializer, trainable=trainable)

    def _first_kernel(self) -> tf.Tensor:
        """Return the kernel that acts on (continuous, one-hot codes): embeddings folded in."""
        start = self.n_continuous
        kernel = tf.convert_to_tensor(self.kernels[0])
        rows = [kernel[:start]]
        for table in self.embeddings:
            rows.append(tf.matmul(table, kernel[start : start + self.embedding]))
            start += self.embedding
        return tf.concat(rows, axis=0)

    def _statistics(
        self, i: int, hidden: tf.Tensor, counted: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return mean and variance of layer i: of this batch in training, else the moving ones.

        E[h^2] - E[h]^2 loses nothing that matters here: |h| <= 1 and EPSILON is 1e-3.
        """
        if not training:
            return tf.convert_to_tensor(self.means[i]), tf.convert_to_tensor(self.variances[i])
        share = (counted / tf.maximum(tf.reduce_sum(counted), 1.0))[:, tf.newaxis]
        mean = tf.reduce_sum(hidden * share, axis=0)
        variance = tf.maximum(tf.reduce_sum(hidden * hidden * share, axis=0) - mean * mean, 0.0)
        self.means[i].assign(MOMENTUM * self.means[i] + (1.0 - MOMENTUM) * mean)
        self.variances[i].assign(MOMENTUM * self.variances[i] + (1.0 - MOMENTUM) * variance)
        return mean, variance
