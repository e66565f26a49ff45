"""True missing momentum and generator jets of hand-made collisions."""

from __future__ import annotations

import numpy as np
import pytest

from ptmiss.core.ragged import Ragged
from ptmiss.simulation.truth import gen_met, truth_of


def record(events: list[list[tuple[int, float, float, float]]]) -> Ragged:
    """Events of (pdg_id, pt, eta, phi)."""
    flat = np.array([row for event in events for row in event], dtype=np.float64).reshape(-1, 4)
    return Ragged(
        np.cumsum([0, *map(len, events)]),
        {
            "pdg_id": flat[:, 0].astype(np.int32),
            "pt": flat[:, 1].astype(np.float32),
            "eta": flat[:, 2].astype(np.float32),
            "phi": flat[:, 3].astype(np.float32),
            "mass": np.zeros(len(flat), dtype=np.float32),
        },
    )


def test_gen_met_is_the_sum_of_what_escapes() -> None:
    half = np.pi / 2
    particles = record(
        [
            [(12, 3.0, 0.0, 0.0), (-14, 4.0, 2.0, half), (13, 50.0, 0.0, 1.0)],
            [(211, 20.0, 0.0, 0.0)],
            [],
            [(1000022, 100.0, 1.0, 0.0), (1000022, 60.0, 7.0, np.pi), (1000039, 1.0, 0.0, half)],
        ]
    )
    px, py = gen_met(particles)
    np.testing.assert_allclose(px, [3.0, 0.0, 0.0, 40.0], atol=1e-5)
    np.testing.assert_allclose(py, [4.0, 0.0, 0.0, 1.0], atol=1e-5)
    assert px.dtype == np.float64


def test_jets_hold_hadrons_and_leptons_but_no_neutrinos() -> None:
    particles = record(
        [
            [
                *((211, 30.0, 0.5, 0.0), (22, 20.0, 0.5, 0.2), (14, 90.0, 0.5, 0.1)),
                *((13, 25.0, -1.0, 2.0), (211, 9.0, 2.0, -2.0), (2212, 1e-6, 20.0, 0.0)),
            ],
            [(12, 50.0, 0.0, 0.0)],
        ]
    )
    jets = truth_of(particles).gen_jets
    assert jets.counts.tolist() == [2, 0]
    expected = np.hypot(30 + 20 * np.cos(0.2), 20 * np.sin(0.2))
    assert jets["pt"] == pytest.approx([expected, 25.0], rel=1e-5)
    assert jets["eta"][1] == pytest.approx(-1.0, abs=1e-5)
