"""DeepMET: missing momentum as a weighted sum over candidates, prompt leptons pinned.

The network is that of CMS, arXiv:2509.12012, as the public training code builds it. Two things
are added inside the network itself, so that training, ONNX and any server agree: a prompt lepton
always has weight 1 and bias 0 (else a network trained on Z events shrinks the muons and learns
nothing), and a candidate with pt = 0 contributes exactly nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from ptmiss.learn import features as ft
from ptmiss.learn.backbones.layers import TRANSFORMS, UNITS, CandidateNetwork

BiasForm = Literal["caption", "training_code", "shipped"]
BIAS_FORMS = ("caption", "training_code", "shipped")


@dataclass(frozen=True)
class NetworkSpec:
    """Everything that defines a network apart from its weights.

    bias: how weight w and bias b of a candidate with momentum p enter the sum
        caption        MET = -sum(w p + b)                    (caption of the paper's figure)
        training_code  MET = sum((w - 1)(p + b))              (what the public code intends)
        shipped        MET = sum((w - 1)(b, p)) K + k         (the graphs shipped with CMSSW)
    transform: "faithful" (features as they are) or "log", see `layers.TRANSFORMS`.
    pinned_pt: least pT of a pinned prompt lepton in GeV; infinity pins nothing (tests only).
    rules: of the features this network was made for.
    """

    bias: BiasForm
    transform: str
    pinned_pt: float
    rules: ft.FeatureRules

    def __post_init__(self) -> None:
        if self.bias not in BIAS_FORMS or self.transform not in TRANSFORMS:
            raise ValueError(f"unknown bias form {self.bias!r} or transform {self.transform!r}")

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> NetworkSpec:
        """Take the values of `as_dict` back."""
        return cls(**{**values, "rules": ft.FeatureRules(**values["rules"])})


@keras.saving.register_keras_serializable(package="ptmiss")
class DeepMET(keras.Model):
    """The whole network. Momenta in and out are in units of 50 GeV.

    Called on padded events, (B, N, 8) and (B, N, 3), it returns (B, 2); `flat` does the same on
    candidates of many events one after the other. Both use the same layers.
    """

    def __init__(self, spec: dict[str, object], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.spec = NetworkSpec.from_dict(spec)
        self.candidate_network = CandidateNetwork(
            self.spec.rules.table_sizes(), self.spec.transform, name="candidate_network"
        )

    def get_config(self) -> dict[str, object]:
        """Return what is needed to build the model again."""
        return {"spec": self.spec.as_dict(), "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, object], custom_objects: object = None) -> DeepMET:
        """Build an untrained model from `get_config`."""
        return cls(**config)

    def build(self, input_shape: object = None) -> None:
        """Create all variables."""
        self.candidate_network.build()
        if self.spec.bias == "caption":
            # weight 1 everywhere: training starts at PF MET, as (w - 1) with w = 0 does elsewhere
            self.candidate_network.biases[-1].assign([1.0, 0.0, 0.0])
        if self.spec.bias == "shipped":
            start = np.array([[0, 0], [0, 0], [1, 0], [0, 1]], dtype=np.float32)
            self.sum_kernel = self.add_weight(
                name="sum_kernel", shape=(4, 2), initializer=lambda *a, **k: tf.constant(start)
            )
            self.sum_bias = self.add_weight(name="sum_bias", shape=(2,), initializer="zeros")
        self.built = True

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Return missing (px, py) / 50 GeV, float32 (B, 2).

        inputs: continuous float32 (B, N, 8) and categories int (B, N, 3); a slot with pt = 0 is
        a pad, whatever its other entries.
        """
        continuous, categories = inputs
        shape = tf.shape(continuous)
        flat_x = tf.reshape(continuous, (-1, len(ft.CONTINUOUS)))
        flat_codes = tf.reshape(categories, (-1, len(ft.CATEGORIES)))
        terms, pinned = self.terms(flat_x, flat_codes, training)
        columns = tf.concat([terms, pinned], axis=1)
        if not training:
            columns = tf.cast(columns, tf.float64)
        sums = tf.reduce_sum(tf.reshape(columns, (shape[0], shape[1], columns.shape[1])), axis=1)
        return self._met(tf.cast(sums, tf.float32))

    def flat(
        self,
        continuous: tf.Tensor,
        categories: tf.Tensor,
        event: tf.Tensor,
        n_events: int | tf.Tensor,
        training: bool = False,
    ) -> tf.Tensor:
        """Return missing (px, py) / 50 GeV, float32 (n_events, 2), of concatenated events.

        continuous (n, 8), categories (n, 3); event: int (n,), the event each candidate belongs
        to. An event without candidates gives what an event of pads gives.
        """
        terms, pinned = self.terms(continuous, categories, training)
        columns = tf.concat([terms, pinned], axis=1)
        if not training:
            # one after the other, thousands of float32 numbers lose 1e-3 GeV in a hard event
            columns = tf.cast(columns, tf.float64)
        sums = tf.math.unsorted_segment_sum(columns, event, n_events)
        return self._met(tf.cast(sums, tf.float32))

    def terms(
        self, continuous: tf.Tensor, categories: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return each candidate's term of the sum, (n, 2) or (n, 4) for "shipped", and of the
        pinned sum, (n, 2); exactly 0 for pads, and one of the two exactly 0 for all others.
        """
        p = continuous[:, ft.PX : ft.PY + 1]
        real = tf.cast(tf.not_equal(continuous[:, ft.PT], 0.0), p.dtype)
        pinned = self.pinned(continuous, categories)[:, tf.newaxis]
        outputs = self.candidate_network(continuous, categories, real, training=training)
        w, b = outputs[:, :1], outputs[:, 1:]
        if self.spec.bias == "caption":
            terms = -(w * p + b)
        elif self.spec.bias == "training_code":
            terms = (w - 1.0) * (p + b)
        else:
            terms = (w - 1.0) * tf.concat([b, p], axis=1)
        # where, not a product: a product would let NaN of an ignored candidate through
        keep = tf.logical_and(real[:, tf.newaxis] > 0.0, tf.logical_not(pinned))
        terms = tf.where(keep, terms, tf.zeros_like(terms))
        return terms, tf.where(pinned, -p, tf.zeros_like(p))

    def pinned(self, continuous: tf.Tensor, categories: tf.Tensor) -> tf.Tensor:
        """Say which candidates are pinned, bool (n,); the rule of `features.is_pinned`."""
        lepton = _is_one_of(categories[:, 1], ft.PINNED_PDG_CODES)
        prompt = _is_one_of(categories[:, 2], ft.PINNED_FROM_PV_CODES)
        hard = continuous[:, ft.PT] > np.float32(self.spec.pinned_pt / ft.SCALE)
        return tf.logical_and(tf.logical_and(lepton, prompt), hard)

    def _met(self, sums: tf.Tensor) -> tf.Tensor:
        """Return the missing momentum from the sums of `terms` and of the pinned candidates."""
        terms, pinned = sums[:, :-2], sums[:, -2:]
        if self.spec.bias == "shipped":
            terms = tf.matmul(terms, self.sum_kernel) + self.sum_bias
        return terms + pinned


def _is_one_of(codes: tf.Tensor, values: tuple[int, ...]) -> tf.Tensor:
    return tf.reduce_any(tf.equal(codes[:, tf.newaxis], tf.constant(values, codes.dtype)), axis=1)


def new_model(spec: NetworkSpec, seed: int) -> DeepMET:
    """Return an untrained network; equal seeds give equal weights."""
    keras.utils.set_random_seed(seed)
    model = DeepMET(spec.as_dict(), name="deepmet")
    model.build()
    return model


def weights_of(model: DeepMET) -> dict[str, np.ndarray]:
    """Return all weights as float32 arrays by name, for the export and for tests.

    embedding0..2 (rows, 8); kernel0..2, bias0..2, gamma0..2, beta0..2, mean0..2, variance0..2;
    kernel_out (16, 3), bias_out (3,), both including `output_scale`; with bias form "shipped"
    sum_kernel (4, 2), sum_bias (2,); with transform "log" is_log, inverse_scale, gain (8,).
    Kernels are (in, out); the input of kernel0 is (8 continuous, embedding0, embedding1,
    embedding2); layer i is norm_i(tanh(x kernel_i + bias_i)), with
    norm(h) = gamma (h - mean) / sqrt(variance + 1e-3) + beta.
    """
    net = model.candidate_network
    named = {f"embedding{i}": table for i, table in enumerate(net.embeddings)}
    for i in range(len(UNITS)):
        for name, group in (
            ("kernel", net.kernels),
            ("bias", net.biases),
            ("gamma", net.gammas),
            ("beta", net.betas),
            ("mean", net.means),
            ("variance", net.variances),
        ):
            named[f"{name}{i}"] = group[i]
    named["kernel_out"], named["bias_out"] = net.kernels[-1], net.biases[-1]
    if model.spec.bias == "shipped":
        named["sum_kernel"], named["sum_bias"] = model.sum_kernel, model.sum_bias
    arrays = {name: np.array(variable.numpy(), np.float32) for name, variable in named.items()}
    arrays["kernel_out"] *= net.output_scale
    arrays["bias_out"] *= net.output_scale
    constants = TRANSFORMS[model.spec.transform]
    if constants is not None:
        arrays.update({key: np.array(value, np.float32) for key, value in constants.items()})
    return arrays
