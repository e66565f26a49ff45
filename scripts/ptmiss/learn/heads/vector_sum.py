"""A vector as a weighted sum over constituents, of which some are pinned: missing momentum.

Two things are added inside the network itself, so that training, ONNX and any server agree: a
pinned constituent always has weight 1 and bias 0 (else a network trained on Z events shrinks the
muons and learns nothing), and a constituent of size 0 contributes exactly nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf

from ptmiss.learn import masks
from ptmiss.learn.backbones.base import Outputs
from ptmiss.learn.features import EstimateColumn, FeatureLayout
from ptmiss.learn.heads import loss
from ptmiss.learn.heads.base import Frozen, HeadPlan
from ptmiss.learn.onnx.interface import OUTPUT
from ptmiss.learn.settings.heads import VectorSumHead
from ptmiss.learn.settings.train import TrainSettings

BIAS_SCALE = {"faithful": 1.0, "log": 0.02}
"""Unit of the two bias outputs. With 1 (50 GeV) the biases of a thousand candidates start hundreds
of GeV from the truth, and the first epochs are spent on that; 0.02 makes the unit 1 GeV."""


class VectorSum(keras.layers.Layer):
    """Missing vector of an event; weight w and bias b of a constituent with vector p enter as

        none           -sum(w p)                        (turns with the event if w does not change)
        caption        -sum(w p + b)                    (caption of the paper's figure)
        training_code  sum((w - 1)(p + b))              (what the public code intends)
        shipped        sum((w - 1)(b, p)) K + k         (the graphs shipped with CMSSW)

    The first two targets are the true vector, the next two the sum of the pinned constituents.
    With `labels` there is one more output: the logit of the true share of a constituent, which a
    training compares with the label behind the features (NaN: not known).
    """

    output_name = OUTPUT

    def __init__(self, settings: VectorSumHead, plan: HeadPlan, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.settings, self.plan = settings, plan
        self.with_labels = settings.labels > 0.0
        biases = [BIAS_SCALE[plan.transform]] * (0 if settings.bias == "none" else 2)
        scale = np.array([1.0, *biases, *[1.0] * self.with_labels], np.float32)
        start = np.zeros_like(scale)
        # weight 1 everywhere: training starts at PF MET, as (w - 1) with w = 0 does elsewhere
        start[0] = 1.0 if settings.bias in ("none", "caption") else 0.0
        self.wants = Outputs(scale, start)
        truth = plan.targets[0]
        self.scale = truth.scale
        self.columns = tuple(EstimateColumn(name=name, unit=truth.unit) for name in ("px", "py"))

    def build(self) -> None:
        """Create the variables, which only the form "shipped" has."""
        if self.settings.bias == "shipped":
            start = np.array([[0, 0], [0, 0], [1, 0], [0, 1]], dtype=np.float32)
            self.sum_kernel = self.add_weight(
                name="sum_kernel", shape=(4, 2), initializer=lambda *_, **__: tf.constant(start)
            )
            self.sum_bias = self.add_weight(name="sum_bias", shape=(2,), initializer="zeros")
        self.built = True

    def terms(self, outputs: tf.Tensor, continuous: tf.Tensor, categories: tf.Tensor) -> tf.Tensor:
        """Return each constituent's term of the sum, two columns or, for "shipped", four, and of
        the pinned sum, two; all 0 for pads, and one of the two exactly 0 for all others. Where
        labels stand behind the features, two more: the weighted cross-entropy and its weight.
        """
        layout = self.plan.layout
        p = continuous[:, layout.vector_place]
        real = masks.real(continuous, layout)
        pinned = masks.pinned(continuous, categories, layout)[:, tf.newaxis]
        w, b = outputs[:, :1], outputs[:, 1:3]
        if self.settings.bias == "none":
            terms = -w * p
        elif self.settings.bias == "caption":
            terms = -(w * p + b)
        elif self.settings.bias == "training_code":
            terms = (w - 1.0) * (p + b)
        else:
            terms = (w - 1.0) * tf.concat([b, p], axis=1)
        # where, not a product: a product would let NaN of an ignored candidate through
        keep = tf.logical_and(real[:, tf.newaxis] > 0.0, tf.logical_not(pinned))
        terms = tf.where(keep, terms, tf.zeros_like(terms))
        columns = [terms, tf.where(pinned, -p, tf.zeros_like(p))]
        if self.with_labels and continuous.shape[1] > layout.width:
            columns.append(label_terms(outputs[:, -1], continuous, keep[:, 0], layout))
        return tf.concat(columns, axis=1)

    first_terms = terms

    def result(self, sums: tf.Tensor) -> tf.Tensor:
        """Return the vector from the sums of `terms`."""
        n = 4 if self.settings.bias == "shipped" else 2
        terms, pinned = sums[:, :n], sums[:, n : n + 2]
        if self.settings.bias == "shipped":
            terms = tf.matmul(terms, self.sum_kernel) + self.sum_bias
        return terms + pinned

    first = result

    def finish(self, _frozen: Frozen, _settings: TrainSettings, _seed: int) -> dict[str, float]:
        """Do nothing: there are no layers of its own."""
        return {}

    def loss(self, settings: TrainSettings) -> VectorLoss:
        """Return the loss of a training: the resolution tune has no response term."""
        return VectorLoss(
            loss.LossSpec(
                huber=settings.huber,
                response=settings.response if self.settings.tune == "response" else 0.0,
                recoil_edges=settings.response_recoil_edges,
                met_edges=settings.response_met_edges,
                memory=settings.response_memory,
                scale=self.scale,
            ),
            self.settings.labels,
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return sum_kernel (4, 2) and sum_bias (2,) of the form "shipped"."""
        if self.settings.bias != "shipped":
            return {}
        named = {"sum_kernel": self.sum_kernel, "sum_bias": self.sum_bias}
        return {name: np.array(variable.numpy(), np.float32) for name, variable in named.items()}


def label_terms(
    logit: tf.Tensor, continuous: tf.Tensor, keep: tf.Tensor, layout: FeatureLayout
) -> tf.Tensor:
    """Return weight x cross-entropy and weight of each constituent, (n, 2); 0 where not `keep`.

    The label is the first column behind the features: the true share, between 0 and 1. The weight
    is the root of the size: soft constituents are many, hard ones matter.
    """
    label = continuous[:, layout.width]
    known = tf.logical_and(keep, tf.math.is_finite(label))
    # where before the logarithm too: the gradient of what is not taken must be finite
    share = tf.where(known, label, tf.zeros_like(label))
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=share, logits=logit)
    size = continuous[:, layout.size_place] if layout.size_place is not None else 1.0
    weight = tf.where(known, tf.sqrt(tf.maximum(size, 1e-12)), tf.zeros_like(label))
    return tf.stack([weight * entropy, weight], axis=1)


@dataclass(frozen=True)
class VectorLoss:
    """Error of the vector and the response term of `ptmiss.learn.heads.loss`.

    labels: factor of the mean cross-entropy with the labels of constituents.
    """

    spec: loss.LossSpec
    labels: float = 0.0

    @property
    def has_term(self) -> bool:
        """Whether the mean response is held at 1."""
        return self.spec.response > 0

    @property
    def n_bins(self) -> int:
        """Bins of both axes together."""
        return self.spec.n_bins

    @property
    def columns(self) -> tuple[str, ...]:
        """The term, and the mean response of each bin."""
        return ("response_term", *(f"response_{name}" for name in loss.bin_names(self.spec)))

    def for_dataset(self, targets: Iterable[np.ndarray], least: int) -> VectorLoss:
        """Return the loss without bins that have fewer than `least` events."""
        counts = np.zeros(self.n_bins, dtype=np.int64)
        for part in targets:
            counts += loss.events_in_bins(part[:, :2], part[:, 2:4], self.spec)
        return replace(self, spec=loss.with_enough(self.spec, counts, least))

    def auxiliary(self, sums: tf.Tensor) -> tf.Tensor:
        """Return the weighted mean cross-entropy of a batch, 0 where no label is known."""
        if self.labels <= 0.0:
            return tf.zeros((), sums.dtype)
        entropy, weight = tf.reduce_sum(sums[:, -2]), tf.reduce_sum(sums[:, -1])
        return np.float32(self.labels) * entropy / tf.maximum(weight, 1e-6)

    def errors(self, result: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Return each event's error, (E,)."""
        return loss.event_errors(result, targets[:, :2], self.spec.huber, self.spec.scale)

    def sums(
        self, result: tf.Tensor, targets: tf.Tensor, weight: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the sums of errors along the axes and of their lengths, each (n_bins,)."""
        return loss.response_sums(result, targets[:, :2], targets[:, 2:4], weight, self.spec)

    def running_term(
        self, sums: tuple[tf.Tensor, tf.Tensor], state: tf.Tensor, seen: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return a scalar with the gradient of the response term, and the new running sums."""
        return loss.running_response_term(*sums, state, seen, self.spec)

    def term(self, state: np.ndarray) -> float:
        """Return the response term."""
        return loss.response_term(state, self.spec)

    def values(self, state: np.ndarray) -> list[float]:
        """Return the response term and the mean responses."""
        return [self.term(state), *map(float, loss.mean_responses(state))]
