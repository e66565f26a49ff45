"""What a better network costs: time of an event, features included, as a ratio to DeepMET."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from network_toys import RULES, network
from ptmiss.core.ragged import Ragged
from ptmiss.learn import export
from ptmiss.learn.onnx import file as onnx_file
from ptmiss.tasks.met.estimators.network import NetworkEstimator
from ptmiss.tasks.met.features import COLUMNS
from ptmiss.tasks.met.learning import TASK
from toys import make_toy

# Keras 3.15 converts variables in a way that numpy 2 announces to change
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

N_EVENTS, REPEATS = 200, 15
WITH = replace(RULES, neighbours=1, pinned_pt=10.0)
SIZES = {"units": (64, 32, 16), "embedding": 8}
KINDS = {
    "deepmet": (
        RULES,
        {"kind": "deepmet", **SIZES},
        {"kind": "vector_sum", "bias": "caption", "tune": "response"},
    ),
    "lead": (WITH, {"kind": "neighbours", **SIZES}, {"kind": "event", "tune": "response"}),
}


def estimator(name: str) -> NetworkEstimator:
    rules, kind, head = KINDS[name]
    model = network(rules=rules, network=kind, head=head)
    proto = export.build(model, TASK, {"training": "toy", "weights_sha256": "0"})
    return NetworkEstimator(onnx_file.accept(proto, name), threads=1)


@pytest.mark.benchmark_ratio
def test_the_lead_network_takes_at_most_three_times_as_long_as_deepmet() -> None:
    toy = make_toy(N_EVENTS, 1, selected=True, pileup=60.0)
    columns = {name: toy.candidates[name.removeprefix("cand_")] for name in COLUMNS}
    candidates = Ragged(toy.offsets, columns)
    networks = {name: estimator(name) for name in KINDS}
    times: dict[str, list[float]] = {name: [] for name in KINDS}
    for repeat in range(REPEATS + 1):  # in turns, so that a busy moment hits both
        for name, one in networks.items():
            start = time.process_time()
            one.estimate(candidates)
            if repeat:  # the first compiles the kernels
                times[name].append(time.process_time() - start)
    per_event = {name: 1e3 * min(values) / N_EVENTS for name, values in times.items()}
    ratio = per_event["lead"] / per_event["deepmet"]
    mean = np.diff(candidates.offsets).mean()
    print(
        f"\n{mean:.0f} candidates an event: DeepMET {per_event['deepmet']:.2f}, lead network"
        f" {per_event['lead']:.2f} ms, features included, ratio {ratio:.2f}"
    )
    assert ratio <= 3.0
