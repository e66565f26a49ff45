"""Speed of training as a ratio to the usual way: a Keras model on events padded to 4500."""

from __future__ import annotations

import time

import keras
import numpy as np
import pytest

from network_toys import spec
from ptmiss.core.io import parquet
from ptmiss.core.ragged import Ragged
from ptmiss.learn.data.batches import BatchShape, Store, pack, prefetch, rotations, shuffled
from ptmiss.learn.data.dataset import Events, to_table
from ptmiss.learn.heads.loss import LossSpec
from ptmiss.learn.heads.vector_sum import VectorLoss
from ptmiss.learn.network import new_network
from ptmiss.learn.training.step import OptimiserSpec, Stepper
from ptmiss.tasks.met import features as ft
from ptmiss.tasks.met.learning import TASK
from toys import make_toy

SLOTS = 4500
"""Candidates of an event in the public training code."""

N_EVENTS = 256
RULES = ft.FeatureRules(100.0, unknown_codes=True, use_puppi=True)


@pytest.fixture(scope="module")
def events() -> Events:
    """Toy events with about 1000 candidates, as a real event has."""
    toy = make_toy(N_EVENTS, 1, selected=True)
    columns = {name: toy.candidates[name.removeprefix("cand_")] for name in ft.COLUMNS}
    made = ft.features(Ragged(toy.offsets, columns), RULES)
    truth = np.stack([toy.event["gen_met_px"], toy.event["gen_met_py"]], axis=1) / ft.SCALE
    boson = np.stack([toy.event["boson_px"], toy.event["boson_py"]], axis=1) / ft.SCALE
    return Events(
        made.offsets,
        made.continuous,
        made.categories.astype(np.uint8),
        np.concatenate([truth, boson], axis=1).astype(np.float32),
        np.ones(N_EVENTS, np.float32),
        np.zeros(N_EVENTS, np.uint8),
        np.arange(N_EVENTS, dtype=np.uint64),
    )


def plain_keras() -> keras.Model:
    """The public training code's network, built from Keras' own layers."""
    x = keras.Input((SLOTS, 8))
    codes = [keras.Input((SLOTS,), dtype="int32") for _ in range(3)]
    parts = [x]
    for code, rows in zip(codes, ft.layout(RULES, 10.0).table_rows, strict=True):
        parts.append(keras.layers.Embedding(rows, 8)(code))
    h = keras.layers.Concatenate()(parts)
    for units in (64, 32, 16):
        h = keras.layers.Dense(units, activation="tanh")(h)
        h = keras.layers.BatchNormalization(momentum=0.95)(h)
    out = keras.layers.Dense(3)(h)
    terms = keras.layers.Multiply()([out[..., :1], x[..., 6:]])
    met = -keras.ops.sum(keras.layers.Add()([terms, out[..., 1:]]), axis=1)
    model = keras.Model([x, *codes], met)
    model.compile(keras.optimizers.AdamW(1e-3, clipnorm=1.0), loss="mse")
    return model


def cpu_seconds(work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


@pytest.mark.benchmark_ratio
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_training_is_four_times_as_fast_as_a_padded_keras_loop(events: Events, tmp_path) -> None:
    path = tmp_path / "events.parquet"
    parquet.write(path, to_table(events, TASK.dataset), rows_per_group=64)
    shape = BatchShape(64, 32768)
    loss = VectorLoss(LossSpec(0.0, 1.0, (15.0, 50.0), (30.0,), 50.0, ft.SCALE))
    stepper = Stepper(new_network(spec(), 1), shape, loss, OptimiserSpec(1e-4, 1.0, 0.99), True)

    def ours() -> None:
        """Everything an epoch does: read, shuffle, pack, turn, step."""
        rng = np.random.default_rng(1)
        for batch in prefetch(pack(shuffled(Store(path, TASK.dataset, 0), rng), shape)):
            stepper.train(batch, rotations(rng, shape.events), 1e-3)

    model = plain_keras()
    x = np.zeros((32, SLOTS, 8), np.float32)
    codes = np.zeros((32, SLOTS, 3), np.int32)
    for i in range(32):
        rows = slice(events.offsets[i], events.offsets[i + 1])
        n = rows.stop - rows.start
        x[i, :n], codes[i, :n] = events.continuous[rows], events.categories[rows]
    feed = [x, *(codes[..., k] for k in range(3))]

    def padded() -> None:
        """The same network on padded arrays that are in memory already."""
        model.train_on_batch(feed, events.targets[:32, :2])

    ours()  # compiles
    padded()
    fast, slow = [], []
    for _ in range(3):  # in turns, so that a busy moment hits both
        fast.append(N_EVENTS / cpu_seconds(ours))
        slow.append(32 / cpu_seconds(padded))
    ratio = np.median(fast) / np.median(slow)
    print(
        f"\n{np.median(fast):.0f} against {np.median(slow):.0f} events per CPU-second: {ratio:.1f}"
    )
    assert ratio >= 4.0
