"""The network applied to each candidate: embeddings, three dense layers, three numbers out."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from ptmiss.learn.features import CONTINUOUS

EMBEDDING = 8
"""Dimensions of each embedding (CMS, arXiv:2509.12012)."""

UNITS = (64, 32, 16)
OUTPUTS = 3
MOMENTUM = 0.95
EPSILON = 1e-3
"""Hidden layers, outputs (weight, bias x, bias y) and batch normalisation of the public training
code (yongbinfeng/DeepMETTraining)."""

BIAS_SCALE = {"faithful": 1.0, "log": 0.02}
"""Unit of the two bias outputs. With 1 (50 GeV) the biases of a thousand candidates start hundreds
of GeV from the truth, and the first epochs are spent on that; 0.02 makes the unit 1 GeV."""

TRANSFORMS = {
    "faithful": None,
    # log1p(|x| / scale) for quantities that span decades, scaled to a spread near 1. A scale is
    # where the logarithm takes over: 50 um, 0.5 mm, 0.2 GeV, 0.5 GeV (in units of 50 GeV).
    "log": {
        "is_log": (1, 1, 0, 1, 1, 0, 1, 1),
        "inverse_scale": (200.0, 20.0, 1.0, 5.0, 100.0, 1.0, 100.0, 100.0),
        "gain": (0.5, 0.5, 0.5, 1.0, 0.7, 1.0, 0.7, 0.7),
    },
}
"""What is done to the continuous features first: y = gain * (sign(x) log(1 + |x| / scale) or x)."""


@keras.saving.register_keras_serializable(package="ptmiss")
class CandidateNetwork(keras.layers.Layer):
    """Dense layers 64-32-16 with tanh, each followed by batch normalisation, then three outputs.

    The mathematics is that of Embedding, Dense(tanh) and BatchNormalization layers; the order of
    operations is another, because the plain layers spend most of their time moving memory:
    embedding and first layer become one product with a one-hot matrix, and each normalisation,
    being linear, is folded into the weights of the next layer.

    tables: rows of the three embedding tables; transform: a key of `TRANSFORMS`.
    """

    def __init__(self, tables: tuple[int, int, int], transform: str, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.tables = tuple(int(rows) for rows in tables)
        self.transform = transform

    def get_config(self) -> dict[str, object]:
        """Return what is needed to build the layer again."""
        return {**super().get_config(), "tables": self.tables, "transform": self.transform}

    def build(self, input_shape: object = None) -> None:
        """Create all variables; sizes do not depend on the input."""
        # Initialisers of the public training code. Seeds: keras.utils.set_random_seed.
        self.embeddings = [
            self.add_weight(
                name=f"embedding{i}",
                shape=(rows, EMBEDDING),
                initializer=keras.initializers.RandomNormal(stddev=0.4 / EMBEDDING),
            )
            for i, rows in enumerate(self.tables)
        ]
        width = len(CONTINUOUS) + len(self.tables) * EMBEDDING
        self.kernels, self.biases = [], []
        self.gammas, self.betas, self.means, self.variances = [], [], [], []
        for i, units in enumerate(UNITS):
            self.kernels.append(self._weight(f"kernel{i}", (width, units), "lecun_uniform"))
            self.biases.append(self._weight(f"bias{i}", (units,), "zeros"))
            self.gammas.append(self._weight(f"gamma{i}", (units,), "ones"))
            self.betas.append(self._weight(f"beta{i}", (units,), "zeros"))
            self.means.append(self._weight(f"mean{i}", (units,), "zeros", trainable=False))
            self.variances.append(self._weight(f"variance{i}", (units,), "ones", trainable=False))
            width = units
        small = keras.initializers.VarianceScaling(scale=0.02)
        self.kernels.append(self._weight("kernel_out", (width, OUTPUTS), small))
        self.biases.append(self._weight("bias_out", (OUTPUTS,), "zeros"))
        self.built = True

    def call(
        self,
        continuous: tf.Tensor,
        categories: tf.Tensor,
        counted: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Return the three outputs of each candidate, float32 (n, 3).

        continuous: float32 (n, 8); categories: int (n, 3); counted: float32 (n,), 1 for the
        candidates that enter the batch statistics and 0 for the others, needed in training only.
        A code beyond its table (possible only in a foreign file) adds no embedding.
        """
        parts = [self._transformed(continuous)]
        for i, rows in enumerate(self.tables):
            parts.append(tf.one_hot(categories[:, i], rows, dtype=continuous.dtype))
        hidden = tf.concat(parts, axis=1)
        kernel, bias = self._first_kernel(), tf.convert_to_tensor(self.biases[0])
        for i in range(len(UNITS)):
            hidden = tf.tanh(tf.matmul(hidden, kernel) + bias)
            mean, variance = self._statistics(i, hidden, counted, training)
            scale = self.gammas[i] * tf.math.rsqrt(variance + EPSILON)
            shift = self.betas[i] - mean * scale
            kernel = scale[:, tf.newaxis] * self.kernels[i + 1]
            bias = self.biases[i + 1] + tf.linalg.matvec(self.kernels[i + 1], shift, True)
        return (tf.matmul(hidden, kernel) + bias) * self.output_scale

    @property
    def output_scale(self) -> np.ndarray:
        """What the last layer's outputs are multiplied with, float32 (3,)."""
        scale = BIAS_SCALE[self.transform]
        return np.array([1.0, scale, scale], dtype=np.float32)

    def _weight(
        self, name: str, shape: tuple[int, ...], initializer: object, trainable: bool = True
    ) -> keras.Variable:
        return self.add_weight(name=name, shape=shape, initializer=initializer, trainable=trainable)

    def _transformed(self, x: tf.Tensor) -> tf.Tensor:
        constants = TRANSFORMS[self.transform]
        if constants is None:
            return x
        is_log = np.array(constants["is_log"], dtype=bool)
        inverse = np.array(constants["inverse_scale"], dtype=np.float32)
        logarithm = tf.sign(x) * tf.math.log(1.0 + tf.abs(x) * inverse)
        return tf.where(is_log, logarithm, x) * np.array(constants["gain"], dtype=np.float32)

    def _first_kernel(self) -> tf.Tensor:
        """Return the kernel that acts on (continuous, one-hot codes): embeddings folded in."""
        start = len(CONTINUOUS)
        kernel = tf.convert_to_tensor(self.kernels[0])
        rows = [kernel[:start]]
        for table in self.embeddings:
            rows.append(tf.matmul(table, kernel[start : start + EMBEDDING]))
            start += EMBEDDING
        return tf.concat(rows, axis=0)

    def _statistics(
        self, i: int, hidden: tf.Tensor, counted: tf.Tensor | None, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return mean and variance of layer i: of this batch in training, else the moving ones.

        E[h^2] - E[h]^2 loses nothing that matters here: |h| <= 1 and EPSILON is 1e-3.
        """
        if not training:
            return tf.convert_to_tensor(self.means[i]), tf.convert_to_tensor(self.variances[i])
        if counted is None:
            counted = tf.ones(tf.shape(hidden)[:1], hidden.dtype)
        share = (counted / tf.maximum(tf.reduce_sum(counted), 1.0))[:, tf.newaxis]
        mean = tf.reduce_sum(hidden * share, axis=0)
        variance = tf.maximum(tf.reduce_sum(hidden * hidden * share, axis=0) - mean * mean, 0.0)
        self.means[i].assign(MOMENTUM * self.means[i] + (1.0 - MOMENTUM) * mean)
        self.variances[i].assign(MOMENTUM * self.variances[i] + (1.0 - MOMENTUM) * variance)
        return mean, variance
