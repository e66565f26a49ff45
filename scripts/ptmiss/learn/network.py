"""A network: a backbone that sees constituents, and a head that makes estimates of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from pydantic import JsonValue

from ptmiss.core.settings.base import Section
from ptmiss.learn import masks
from ptmiss.learn.backbones.base import Constituents, Plan
from ptmiss.learn.backbones.registry import backbone
from ptmiss.learn.features import FeatureLayout, Target
from ptmiss.learn.heads.base import HeadPlan
from ptmiss.learn.heads.registry import head
from ptmiss.learn.settings.heads import Head
from ptmiss.learn.settings.networks import Network as Backbone


class NetworkSpec(Section):
    """Everything that defines a network apart from its weights.

    transform: see `ptmiss.learn.backbones.transform`; details: what a task must know to feed it.
    """

    network: Backbone
    head: Head
    transform: Literal["faithful", "log"]
    layout: FeatureLayout
    targets: tuple[Target, ...]
    details: dict[str, JsonValue]


class Place(NamedTuple):
    """Where constituents belong.

    event: int (n,), the event of each, in training the last one for slots that are not used;
    n_events; width: slots of each event in a bucketed batch, None in a flat one.
    """

    event: tf.Tensor
    n_events: int | tf.Tensor
    width: int | tf.Tensor | None = None


@keras.saving.register_keras_serializable(package="ptmiss")
class Network(keras.Model):
    """The whole network. Numbers in and out are in the units of layout and targets.

    Called on padded events, (B, N, F) and (B, N, C), it returns (B, k); `flat` does the same on
    constituents of many events one after the other. Both use the same layers.
    """

    def __init__(self, spec: dict[str, Any], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.spec = parts = NetworkSpec.model_validate_json(json.dumps(spec))
        plan = HeadPlan(parts.layout, parts.targets, parts.transform)
        # the head first: the order in which weights are told apart by their sum and averaged
        self.head = head(parts.head, plan)
        self.backbone = backbone(
            parts.network, Plan(parts.layout, parts.transform, self.head.wants)
        )

    def get_config(self) -> dict[str, object]:
        """Return what is needed to build the model again."""
        return {"spec": self.spec.model_dump(mode="json"), "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: object = None) -> Network:
        """Build an untrained model from `get_config`."""
        del custom_objects  # Keras offers some
        return cls(**config)

    def build(self, input_shape: object = None) -> None:
        """Create all variables."""
        del input_shape  # Keras gives it; sizes do not depend on the input
        self.backbone.build()
        self.head.build()
        self.built = True

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Return the estimates, float32 (B, k).

        inputs: continuous float32 (B, N, F) and categories int (B, N, C); a slot whose size is 0 is
        a pad, whatever its other entries.
        """
        continuous, categories = inputs
        shape = tf.shape(continuous)
        layout, n = self.spec.layout, shape[0] * shape[1]
        x = tf.reshape(continuous, (n, layout.width))
        codes = tf.reshape(categories, (n, len(layout.categories)))
        event = tf.repeat(tf.range(shape[0]), shape[1])
        real = masks.real(x, layout)
        rows = self._rows(Constituents(x, codes, event, real, shape[0], shape[1]), training)
        columns = rows if training else tf.cast(rows, tf.float64)
        sums = tf.reduce_sum(tf.reshape(columns, (shape[0], shape[1], rows.shape[1])), axis=1)
        return self.head.result(tf.cast(sums, tf.float32))

    def flat(
        self,
        continuous: tf.Tensor,
        categories: tf.Tensor,
        event: tf.Tensor,
        n_events: int | tf.Tensor,
        training: bool = False,
        width: int | tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Return the estimates, float32 (n_events, k), of concatenated events.

        continuous (n, F), categories (n, C); event: int (n,), the event each constituent belongs
        to, in training the last one for slots that are not used; width: slots of each event in a
        bucketed batch, where it is None a backbone that wants slots gets as many as the longest
        event has. An event without constituents gives what an event of pads gives.
        """
        if width is None and self.backbone.packing == "bucketed":
            return self.call(_in_slots((continuous, categories), event, n_events), training)
        place = Place(event, n_events, width)
        return self.head.result(self.sums(continuous, categories, place, training))

    def sums(
        self,
        continuous: tf.Tensor,
        categories: tf.Tensor,
        place: Place,
        training: bool = False,
        first: bool = False,
    ) -> tf.Tensor:
        """Return the sums of each event that the head makes its estimate of, float32 (n_events, c).

        continuous: features, with labels behind them where a loss wants these; first: only what
        the head's first estimate follows from.
        """
        event, n_events = place.event, place.n_events
        counted = masks.real(continuous, self.spec.layout)
        if training and self.spec.layout.size is None:  # nothing else tells them from real ones
            counted *= tf.cast(event < n_events - 1, counted.dtype)
        constituents = Constituents(continuous, categories, event, counted, n_events, place.width)
        columns = self._rows(constituents, training, first)
        if not training:
            # one after the other, thousands of float32 numbers lose 1e-3 GeV in a hard event
            columns = tf.cast(columns, tf.float64)
        return tf.cast(tf.math.unsorted_segment_sum(columns, event, n_events), tf.float32)

    def _rows(self, constituents: Constituents, training: bool, first: bool = False) -> tf.Tensor:
        """Return what each constituent adds to the sums of its event, (n, c)."""
        own = constituents.continuous[:, : self.spec.layout.width]
        outputs = self.backbone.numbers(replace(constituents, continuous=own), training=training)
        terms = self.head.first_terms if first else self.head.terms
        return terms(outputs, constituents.continuous, constituents.categories)


def _in_slots(
    columns: tuple[tf.Tensor, tf.Tensor], event: tf.Tensor, n_events: int | tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """Return columns (n, F) of concatenated events as (n_events, N, F), pads all 0; N >= 1."""
    rows, n = tf.cast(event, tf.int64), tf.cast(n_events, tf.int64)
    padded = [tf.RaggedTensor.from_value_rowids(x, rows, n).to_tensor() for x in columns]
    missing = tf.cast(tf.equal(tf.shape(padded[0])[1], 0), tf.int32)
    return tuple(tf.pad(x, [[0, 0], [0, missing], [0, 0]]) for x in padded)


def new_network(spec: NetworkSpec, seed: int) -> Network:
    """Return an untrained network; equal seeds give equal weights."""
    keras.utils.set_random_seed(seed)
    network = Network(spec.model_dump(mode="json"), name="network")
    network.build()
    return network


def weights_of(network: Network) -> dict[str, np.ndarray]:
    """Return all weights as float32 arrays by the names that backbone and head give them."""
    return {**network.backbone.arrays(), **network.head.arrays()}
