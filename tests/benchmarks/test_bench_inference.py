"""Speed of inference as a ratio to the usual way: every event padded to 4500 candidates."""

from __future__ import annotations

import time

import numpy as np
import pytest

from graph_toys import random_model
from ptmiss.core.ragged import Ragged
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.learn.onnx.packing import tensors
from ptmiss.tasks.met.estimators.network import NetworkEstimator
from ptmiss.tasks.met.features import COLUMNS, Features, features
from toys import make_toy

SLOTS = 4500
"""Candidates of an event in CMSSW's DeepMETProducer, which runs one event at a time."""

N_EVENTS, REPEATS = 400, 5


@pytest.fixture(scope="module")
def estimator() -> NetworkEstimator:
    return NetworkEstimator(onnx_file.accept(random_model(is_log=True), "model.onnx"), threads=1)


@pytest.fixture(scope="module")
def events(estimator: NetworkEstimator) -> Features:
    toy = make_toy(N_EVENTS, 1, selected=True)
    columns = {name: toy.candidates[name.removeprefix("cand_")] for name in COLUMNS}
    return features(Ragged(toy.offsets, columns), estimator.rules)


def padded(estimator: NetworkEstimator, events: Features, per_call: int) -> np.ndarray:
    codes = np.ascontiguousarray(events.categories.T, dtype=np.float32)
    met = []
    for first in range(0, N_EVENTS, per_call):
        batch = np.arange(first, first + per_call)
        feed = tensors(events, codes, batch, (per_call, SLOTS))
        met.append(estimator.session.run([onnx_file.OUTPUT], feed)[0])
    return np.concatenate(met) * 50.0


@pytest.mark.benchmark_ratio
@pytest.mark.parametrize("per_call", [1, 16])
def test_packed_inference_is_four_times_as_fast_as_padded(
    estimator: NetworkEstimator, events: Features, per_call: int
) -> None:
    result = estimator.run(events)
    reference = padded(estimator, events, per_call)
    np.testing.assert_allclose(np.stack([result.px, result.py], 1), reference, rtol=1e-5, atol=0.01)
    fast, slow = [], []
    for _ in range(REPEATS):  # in turns, so that a busy moment hits both
        for times, work in (
            (fast, lambda: estimator.run(events)),
            (slow, lambda: padded(estimator, events, per_call)),
        ):
            start = time.process_time()
            work()
            times.append(time.process_time() - start)
    rates = [N_EVENTS / min(times) for times in (fast, slow)]
    mean = np.diff(events.offsets).mean()
    print(
        f"\n{mean:.0f} candidates an event: packed {rates[0]:.0f}, padded to {SLOTS}, {per_call}"
        f" at a time, {rates[1]:.0f} events/s, ratio {rates[0] / rates[1]:.1f}"
    )
    assert rates[0] >= 4.0 * rates[1]
