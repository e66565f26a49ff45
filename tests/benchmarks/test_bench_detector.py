"""The compiled detector against a loop over particles in Python that does far less."""

from __future__ import annotations

import math
import random
import time
from collections import defaultdict

import numpy as np
import pytest

from ptmiss.simulation import constants, pileup
from ptmiss.simulation.detector import detect
from ptmiss.simulation.rng import event_seeds
from unit.toy_collisions import collisions, one_list_each, soft_collisions

N_LIBRARY = 400
PILEUP = 30
LATE = 8  # collisions out of time, at 0.27 for each in time
MUONS = [(13, -1, 45.0, 0.5, 0.1), (-13, 1, 40.0, -0.7, -3.0)]


def python_loop(library, n: int) -> int:
    """Overlay and calorimeter cells alone: straight lines, one smearing, no tracks, no vertices."""
    rng = random.Random(1)
    particles = library.particles
    candidates = 0
    for _ in range(n):
        cells: dict[tuple[int, int], float] = defaultdict(float)
        for _ in range(PILEUP + LATE):
            k = rng.randrange(N_LIBRARY)
            rotation, z = rng.uniform(-math.pi, math.pi), rng.gauss(0.0, 3.5)
            for i in range(library.offsets[k], library.offsets[k + 1]):
                particle = particles[i]
                eta = math.asinh((z + 129.0 * particle["sinh_eta"]) / 129.0)
                phi = (particle["phi"] + rotation) % (2 * math.pi)
                energy = float(particle["momentum"])
                seen = energy * max(rng.gauss(1.0, 1.0 / math.sqrt(energy)), 0.0)
                cells[int(eta / 0.087), int(phi / 0.087)] += seen
        candidates += sum(energy > 0.5 for energy in cells.values())
    return candidates


@pytest.mark.benchmark_ratio
def test_detector_and_overlay(benchmark):
    library = soft_collisions(N_LIBRARY, 5)
    n = 200
    arguments = (
        constants.detector(),
        collisions([MUONS] * n),
        pileup.PileUp(
            library, one_list_each(N_LIBRARY), pileup.gaussian_profile(float(PILEUP), 0.0)
        ),
        np.arange(n) % 10,
        event_seeds(4, np.ones(n), np.arange(n)),
    )
    result = detect(*arguments)  # compiles
    benchmark.pedantic(detect, args=arguments, rounds=3, iterations=1)
    start = time.process_time()
    detect(*arguments)
    compiled = (time.process_time() - start) / n
    start = time.process_time()
    assert python_loop(library, 3) > 0
    python = (time.process_time() - start) / 3
    benchmark.extra_info["ms_per_event"] = 1e3 * compiled
    benchmark.extra_info["candidates_per_event"] = float(result.candidates.counts.mean())
    benchmark.extra_info["ratio_to_python"] = python / compiled
    assert python / compiled > 3
